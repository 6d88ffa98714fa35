//! What happened to frames that gave no packet, and what was odd about those that did.

/// Why a frame is in no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Ignored {
    /// Not an IP packet (ARP, LLDP, spanning tree …), as its link layer says.
    NotIp,
    /// The link-layer header, with its tags and labels, is longer than what was captured.
    LinkTruncated,
    /// Fewer octets captured than the fixed IP header has.
    IpTruncated,
    /// The version field of the IP header is not what the link layer announced.
    IpVersion,
    /// IPv4 header length below 20 octets or beyond the captured data.
    IpHeaderLength,
    /// IPv4 total length smaller than its header.
    IpTotalLength,
}

impl Ignored {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::NotIp,
        Self::LinkTruncated,
        Self::IpTruncated,
        Self::IpVersion,
        Self::IpHeaderLength,
        Self::IpTotalLength,
    ];

    /// Its name in statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotIp => "not_ip",
            Self::LinkTruncated => "link_truncated",
            Self::IpTruncated => "ip_truncated",
            Self::IpVersion => "ip_version",
            Self::IpHeaderLength => "ip_header_length",
            Self::IpTotalLength => "ip_total_length",
        }
    }
}

/// Something odd about a packet that is in a flow nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Anomaly {
    /// IP length beyond the frame as it was on the wire.
    LengthBeyondFrame,
    /// IP length field 0, as segmentation offload leaves it; the frame's length counts.
    LengthZero,
    /// Transport header cut off by the capture or by the IP length.
    TransportTruncated,
    /// TCP data offset below 5 or beyond the packet.
    TcpHeaderLength,
    /// IPv6 extension header cut off.
    ExtensionTruncated,
    /// Tunnel whose inner packet could not be decoded: the outer packet is metered.
    TunnelUndecoded,
    /// Fragments that overlap (RFC 5722; CVE-1999-0015 and its kin).
    FragmentOverlap,
    /// Fragment that would end beyond 65,535 octets.
    FragmentBeyondEnd,
    /// Datagram given up after the fragment timeout.
    FragmentTimeout,
    /// Datagram given up because the fragment table or its memory was full.
    FragmentEvicted,
    /// Packet earlier than one before it.
    TimeBackwards,
}

impl Anomaly {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::LengthBeyondFrame,
        Self::LengthZero,
        Self::TransportTruncated,
        Self::TcpHeaderLength,
        Self::ExtensionTruncated,
        Self::TunnelUndecoded,
        Self::FragmentOverlap,
        Self::FragmentBeyondEnd,
        Self::FragmentTimeout,
        Self::FragmentEvicted,
        Self::TimeBackwards,
    ];

    /// Its name in statistics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LengthBeyondFrame => "length_beyond_frame",
            Self::LengthZero => "length_zero",
            Self::TransportTruncated => "transport_truncated",
            Self::TcpHeaderLength => "tcp_header_length",
            Self::ExtensionTruncated => "extension_truncated",
            Self::TunnelUndecoded => "tunnel_undecoded",
            Self::FragmentOverlap => "fragment_overlap",
            Self::FragmentBeyondEnd => "fragment_beyond_end",
            Self::FragmentTimeout => "fragment_timeout",
            Self::FragmentEvicted => "fragment_evicted",
            Self::TimeBackwards => "time_backwards",
        }
    }
}

/// Counts of a [`Decoder`](crate::Decoder).
///
/// `frames = Σ packets of the packets handed over + Σ ignored`, once the decoder has finished.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounters {
    /// Frames given to the decoder.
    pub frames: u64,
    /// Octets of those frames as they were on the wire.
    pub wire_octets: u64,
    /// IP fragments among them.
    pub fragments: u64,
    /// Datagrams put together from fragments.
    pub reassembled: u64,
    ignored: [u64; Ignored::ALL.len()],
    anomalies: [u64; Anomaly::ALL.len()],
}

impl DecodeCounters {
    /// Frames ignored for this reason.
    pub fn ignored(&self, reason: Ignored) -> u64 {
        self.ignored[reason as usize]
    }

    /// Frames ignored for any reason.
    pub fn ignored_total(&self) -> u64 {
        self.ignored.iter().sum()
    }

    /// Packets with this anomaly.
    pub fn anomaly(&self, anomaly: Anomaly) -> u64 {
        self.anomalies[anomaly as usize]
    }

    /// Adds those of another decoder.
    pub fn add(&mut self, other: &Self) {
        let Self { frames, wire_octets, fragments, reassembled, ignored, anomalies } = other;
        self.frames += frames;
        self.wire_octets += wire_octets;
        self.fragments += fragments;
        self.reassembled += reassembled;
        for (sum, part) in self.ignored.iter_mut().zip(ignored) {
            *sum += part;
        }
        for (sum, part) in self.anomalies.iter_mut().zip(anomalies) {
            *sum += part;
        }
    }

    #[inline]
    pub(crate) fn ignore(&mut self, reason: Ignored) {
        self.ignored[reason as usize] += 1;
    }

    #[inline]
    pub(crate) fn note(&mut self, anomaly: Anomaly) {
        self.anomalies[anomaly as usize] += 1;
    }

    /// Counts a packet that is earlier than one before it; the caller keeps the clock.
    #[inline]
    pub fn note_time_backwards(&mut self) {
        self.note(Anomaly::TimeBackwards);
    }
}
