//! The decoder: link layer, IP with extension headers, transport.

use rockfish_flow::{Address, TcpFlags, Timestamp};

use crate::bytes::{array, be16, be32};
use crate::fragment::{Datagram, Finding, Fragment, FragmentKey, Reassembly};
use crate::{
    Anomaly, DecodeCounters, FlowKey, FragmentConfig, HashSeed, Ignored, LinkType, Packet,
    PacketBatch, Place,
};

/// How many headers may be inside one another (tags, labels, tunnels): far more than networks have, few enough for any
/// input to end soon.
const MAX_LAYERS: u8 = 32;

/// Which packet of a tunnel is metered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tunnels {
    /// The packet that travels: a GRE tunnel is one flow.
    #[default]
    Outer,
    /// The packet inside, where it can be decoded: GRE, IP-in-IP, 6in4, VXLAN, Geneve, ERSPAN.
    Inner,
}

/// Which UDP packets become a record each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UdpUniflow {
    /// None: UDP flows are bidirectional.
    #[default]
    Off,
    /// All.
    All,
    /// Those from or to this port.
    Port(u16),
}

/// What a [`Decoder`] does with packets.
#[derive(Clone, Debug, Default)]
pub struct DecodeConfig {
    /// Outer or inner packet of tunnels.
    pub tunnels: Tunnels,
    /// The VLAN id is part of the flow key: of stacked tags the innermost, as YAF has it.
    pub vlan_key: bool,
    /// ICMP type and code are part of the flow key.
    pub icmp_key: bool,
    /// UDP packets that are a flow each.
    pub udp_uniflow: UdpUniflow,
    /// IP reassembly.
    pub fragments: FragmentConfig,
}

/// A captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub time: Timestamp,
    /// How its first header is to be read.
    pub link: LinkType,
    /// Octets on the wire.
    pub wire: u32,
    /// Octets captured.
    pub data: &'a [u8],
    /// Where `data` starts in its block; blocks are smaller than 2 GiB.
    pub offset: u32,
}

/// The two ends of an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    V4([u8; 4], [u8; 4]),
    V6(Address, Address),
}

impl Ends {
    pub(crate) fn words(&self) -> [u64; 4] {
        let word =
            |octets: &[u8]| octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
        match self {
            Self::V4(source, destination) => [word(source), word(destination), 0, 0],
            Self::V6(source, destination) => [
                word(&source[..8]),
                word(&source[8..]),
                word(&destination[..8]),
                word(&destination[8..]),
            ],
        }
    }
}

/// Octets to decode: what was captured, where they lie, and how many there were on the wire.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) base: Place,
    pub(crate) wire: usize,
}

/// What the layers above have told.
#[derive(Clone, Copy)]
pub(crate) struct Context {
    time: Timestamp,
    span_us: u32,
    packets: u32,
    /// Outermost VLAN id, the record's.
    vlan: u16,
    /// Innermost VLAN id, the key's if it has one.
    inner_vlan: u16,
    mac_at: Place,
    /// Layers left.
    pub(crate) layers: u8,
}

/// What the IP header has told.
#[derive(Clone, Copy)]
struct Ip {
    /// Where the header lies; of a datagram that was put together, nowhere.
    at: Place,
    ends: Ends,
    ttl: u8,
    octets: u32,
}

/// What the transport header has told.
#[derive(Default)]
struct Transport {
    ports: [u16; 2],
    header: usize,
    sequence: u32,
    flags: TcpFlags,
    icmp: [u8; 2],
}

/// Decodes frames, one after the other, in order of capture.
#[derive(Debug)]
pub struct Decoder {
    config: DecodeConfig,
    seed: HashSeed,
    reassembly: Reassembly,
    counters: DecodeCounters,
}

impl Decoder {
    /// A decoder with an empty fragment table.
    pub fn new(config: DecodeConfig, seed: HashSeed) -> Self {
        let reassembly = Reassembly::new(config.fragments.clone(), &seed);
        Self { config, seed, reassembly, counters: DecodeCounters::default() }
    }

    /// What was counted so far.
    pub fn counters(&self) -> &DecodeCounters {
        &self.counters
    }

    /// The same, to count what the caller sees.
    pub fn counters_mut(&mut self) -> &mut DecodeCounters {
        &mut self.counters
    }

    /// Decodes one frame and appends what it gives: a packet, none (ignored, or a fragment that waits), or a datagram.
    #[inline]
    pub fn decode(&mut self, frame: &Frame<'_>, out: &mut PacketBatch) {
        self.counters.frames += 1;
        self.counters.wire_octets += u64::from(frame.wire);
        let view =
            View { data: frame.data, base: Place::block(frame.offset), wire: frame.wire as usize };
        let context = Context {
            time: frame.time,
            span_us: 0,
            packets: 1,
            vlan: 0,
            inner_vlan: 0,
            mac_at: Place::NONE,
            layers: MAX_LAYERS,
        };
        let result = if frame.link == LinkType::Ethernet {
            self.ethernet(view, 0, context, out)
        } else {
            self.other_link(frame.link, view, context, out)
        };
        if let Err(reason) = result {
            self.counters.ignore(reason);
        }
    }

    /// Tells the time: datagrams that waited too long are given up and metered with what came of them.
    pub fn advance(&mut self, now: Timestamp, out: &mut PacketBatch) {
        self.reassembly.expire(now);
        self.hand_over(out);
    }

    /// Hands over all fragments that still wait.
    pub fn finish(&mut self, out: &mut PacketBatch) {
        // A datagram given up may hold a tunnelled fragment, which then waits in its turn; layers are limited, so it ends.
        while !self.reassembly.is_empty() {
            self.reassembly.drain();
            self.hand_over(out);
        }
    }

    #[cold]
    fn other_link(
        &mut self,
        link: LinkType,
        view: View<'_>,
        context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        let data = view.data;
        match link {
            LinkType::Ethernet => self.ethernet(view, 0, context, out),
            LinkType::RawIp => self.ip(view, 0, context, out),
            LinkType::RawIpv4 => self.ipv4(view, 0, context, out),
            LinkType::RawIpv6 => self.ipv6(view, 0, context, out),
            LinkType::Null | LinkType::Loop => {
                let family = array::<4>(data, 0).ok_or(Ignored::LinkTruncated)?;
                // The family is a small number; either end of the four octets is zero, whatever the byte order.
                let family = if family[0] == 0 && family[1] == 0 {
                    u32::from_be_bytes(*family)
                } else {
                    u32::from_le_bytes(*family)
                };
                match family {
                    2 => self.ipv4(view, 4, context, out),
                    // AF_INET6 of Linux, the BSDs and macOS.
                    10 | 24 | 28 | 30 => self.ipv6(view, 4, context, out),
                    _ => Err(Ignored::NotIp),
                }
            }
            LinkType::LinuxSll => {
                let ethertype = be16(data, 14).ok_or(Ignored::LinkTruncated)?;
                self.network(ethertype, view, 16, context, out)
            }
            LinkType::LinuxSll2 => {
                let ethertype = be16(data, 0).ok_or(Ignored::LinkTruncated)?;
                self.network(ethertype, view, 20, context, out)
            }
            LinkType::Ppp | LinkType::PppHdlc => self.ppp(view, 0, context, out),
            LinkType::PppEther => self.pppoe(view, 0, context, out),
        }
    }

    /// An Ethernet frame at `at` (IEEE 802.3; RFC 894, RFC 1042).
    #[inline(always)]
    pub(crate) fn ethernet(
        &mut self,
        view: View<'_>,
        at: usize,
        mut context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        let header = array::<14>(view.data, at).ok_or(Ignored::LinkTruncated)?;
        context.mac_at = view.base.plus(at);
        let ethertype = u16::from_be_bytes([header[12], header[13]]);
        match ethertype {
            0x0800 => self.ipv4(view, at + 14, context, out),
            0x86dd => self.ipv6(view, at + 14, context, out),
            _ => self.network(ethertype, view, at + 14, context, out),
        }
    }

    /// What follows an EtherType.
    pub(crate) fn network(
        &mut self,
        mut ethertype: u16,
        view: View<'_>,
        mut at: usize,
        mut context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        let data = view.data;
        loop {
            context.layers = context.layers.checked_sub(1).ok_or(Ignored::NotIp)?;
            match ethertype {
                0x0800 => return self.ipv4(view, at, context, out),
                0x86dd => return self.ipv6(view, at, context, out),
                // 802.1Q, 802.1ad, and the types that were used for stacked tags before it.
                0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                    let tag = array::<4>(data, at).ok_or(Ignored::LinkTruncated)?;
                    context.inner_vlan = u16::from_be_bytes([tag[0], tag[1]]) & 0x0fff;
                    if context.vlan == 0 {
                        context.vlan = u16::from_be_bytes([tag[0], tag[1]]) & 0x0fff;
                    }
                    ethertype = u16::from_be_bytes([tag[2], tag[3]]);
                    at += 4;
                }
                // MPLS (RFC 3032): labels up to the one with the bottom-of-stack bit.
                0x8847 | 0x8848 => {
                    loop {
                        let label = be32(data, at).ok_or(Ignored::LinkTruncated)?;
                        at += 4;
                        if label & 0x100 != 0 {
                            break;
                        }
                    }
                    let next = *data.get(at).ok_or(Ignored::LinkTruncated)?;
                    return match next >> 4 {
                        4 => self.ipv4(view, at, context, out),
                        6 => self.ipv6(view, at, context, out),
                        // Pseudowire control word (RFC 4385), then Ethernet.
                        0 => self.ethernet(view, at + 4, context, out),
                        _ => Err(Ignored::NotIp),
                    };
                }
                0x8864 => return self.pppoe(view, at, context, out),
                // 802.1ah: backbone service tag, then the customer's Ethernet frame.
                0x88e7 => return self.ethernet(view, at + 4, context, out),
                0x6558 => return self.ethernet(view, at, context, out),
                // 802.3 length: LLC; with SNAP (RFC 1042) an EtherType follows.
                0..=1500 => {
                    let llc = array::<8>(data, at).ok_or(Ignored::NotIp)?;
                    let [0xaa, 0xaa, 0x03, 0, 0, 0, high, low] = *llc else {
                        return Err(Ignored::NotIp);
                    };
                    ethertype = u16::from_be_bytes([high, low]);
                    if ethertype <= 1500 {
                        return Err(Ignored::NotIp);
                    }
                    at += 8;
                }
                _ => return Err(Ignored::NotIp),
            }
        }
    }

    /// A PPPoE session packet (RFC 2516, section 4).
    fn pppoe(
        &mut self,
        view: View<'_>,
        at: usize,
        context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        match array::<6>(view.data, at) {
            // Version 1, type 1, session data.
            Some([0x11, 0, ..]) => self.ppp(view, at + 6, context, out),
            Some(_) => Err(Ignored::NotIp),
            None => Err(Ignored::LinkTruncated),
        }
    }

    /// A PPP packet (RFC 1661, section 2; RFC 1662, section 3.1): address and control may lead, the protocol may be one octet.
    pub(crate) fn ppp(
        &mut self,
        view: View<'_>,
        mut at: usize,
        mut context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        context.layers = context.layers.checked_sub(1).ok_or(Ignored::NotIp)?;
        if array::<2>(view.data, at) == Some(&[0xff, 0x03]) {
            at += 2;
        }
        let first = *view.data.get(at).ok_or(Ignored::LinkTruncated)?;
        let (protocol, at) = if first & 1 == 1 {
            (u16::from(first), at + 1)
        } else {
            (be16(view.data, at).ok_or(Ignored::LinkTruncated)?, at + 2)
        };
        match protocol {
            0x0021 => self.ipv4(view, at, context, out),
            0x0057 => self.ipv6(view, at, context, out),
            0x0281 => self.network(0x8847, view, at, context, out),
            0x0283 => self.network(0x8848, view, at, context, out),
            _ => Err(Ignored::NotIp),
        }
    }

    /// An IP packet of the version that its first octet says.
    pub(crate) fn ip(
        &mut self,
        view: View<'_>,
        at: usize,
        context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        match view.data.get(at).ok_or(Ignored::IpTruncated)? >> 4 {
            4 => self.ipv4(view, at, context, out),
            6 => self.ipv6(view, at, context, out),
            _ => Err(Ignored::IpVersion),
        }
    }

    /// An IPv4 packet (RFC 791).
    #[inline(always)]
    pub(crate) fn ipv4(
        &mut self,
        view: View<'_>,
        at: usize,
        context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        let data = view.data;
        let header = array::<20>(data, at).ok_or(Ignored::IpTruncated)?;
        if header[0] >> 4 != 4 {
            return Err(Ignored::IpVersion);
        }
        let header_length = usize::from(header[0] & 0x0f) * 4;
        if header_length < 20 || at + header_length > data.len() {
            return Err(Ignored::IpHeaderLength);
        }
        let mut length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let on_wire = view.wire.saturating_sub(at);
        if length < header_length || length > on_wire {
            length = self.odd_length(length, header_length, on_wire)?;
        }
        let ip = Ip {
            at: view.base.plus(at),
            ends: Ends::V4(
                [header[12], header[13], header[14], header[15]],
                [header[16], header[17], header[18], header[19]],
            ),
            ttl: header[8],
            octets: length as u32,
        };
        let (l4, end) = (at + header_length, at + length);
        let captured = View { data: &data[..data.len().min(end)], base: view.base, wire: end };
        let fragment = u16::from_be_bytes([header[6], header[7]]);
        if fragment & 0x3fff != 0 {
            self.counters.fragments += 1;
            let key = FragmentKey {
                ends: ip.ends,
                id: u32::from(u16::from_be_bytes([header[4], header[5]])),
                protocol: header[9],
                vlan: if self.config.vlan_key { context.inner_vlan } else { 0 },
            };
            let offset = u32::from(fragment & 0x1fff) * 8;
            self.fragment(
                key,
                header[9],
                offset,
                fragment & 0x2000 != 0,
                captured,
                l4,
                &ip,
                context,
                out,
            );
            return Ok(());
        }
        self.transport(header[9], captured, l4, &ip, context, out);
        Ok(())
    }

    /// A length that does not fit header or frame: what to go by instead, if the packet can be metered at all.
    #[cold]
    fn odd_length(
        &mut self,
        length: usize,
        header: usize,
        on_wire: usize,
    ) -> Result<usize, Ignored> {
        if length == 0 && on_wire >= header {
            self.counters.note(Anomaly::LengthZero);
            Ok(on_wire)
        } else if length < header {
            Err(Ignored::IpTotalLength)
        } else {
            self.counters.note(Anomaly::LengthBeyondFrame);
            Ok(length)
        }
    }

    /// An IPv6 packet (RFC 8200).
    #[inline]
    pub(crate) fn ipv6(
        &mut self,
        view: View<'_>,
        at: usize,
        context: Context,
        out: &mut PacketBatch,
    ) -> Result<(), Ignored> {
        let header = array::<40>(view.data, at).ok_or(Ignored::IpTruncated)?;
        if header[0] >> 4 != 6 {
            return Err(Ignored::IpVersion);
        }
        let mut length = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
        let on_wire = view.wire.saturating_sub(at);
        if length > on_wire {
            self.counters.note(Anomaly::LengthBeyondFrame);
        } else if length == 40 && on_wire > 40 && header[6] != 59 {
            // A jumbogram (RFC 2675) or segmentation offload: the frame's length counts. Short frames are padded, so only
            // what a padded frame cannot be is taken so.
            if on_wire > 46 {
                self.counters.note(Anomaly::LengthZero);
                length = on_wire;
            }
        }
        let mut source = [0; 16];
        let mut destination = [0; 16];
        source.copy_from_slice(&header[8..24]);
        destination.copy_from_slice(&header[24..40]);
        let ip = Ip {
            at: view.base.plus(at),
            ends: Ends::V6(source, destination),
            ttl: header[7],
            octets: u32::try_from(length).unwrap_or(u32::MAX),
        };
        let end = at + length;
        let captured =
            View { data: &view.data[..view.data.len().min(end)], base: view.base, wire: end };
        self.extensions(header[6], captured, at + 40, &ip, context, out);
        Ok(())
    }

    /// The chain of IPv6 extension headers from `at` on, then what it leads to.
    ///
    /// A chain that is cut off ends with the header that is missing: the packet is metered under its number.
    fn extensions(
        &mut self,
        mut next: u8,
        view: View<'_>,
        mut at: usize,
        ip: &Ip,
        context: Context,
        out: &mut PacketBatch,
    ) {
        loop {
            let length = match next {
                // Hop-by-hop, routing, destination options, mobility, HIP, Shim6, two for experiments.
                0 | 43 | 60 | 135 | 139 | 140 | 253 | 254 => {
                    array::<2>(view.data, at).map(|header| (usize::from(header[1]) + 1) * 8)
                }
                44 => {
                    let Some(header) = array::<8>(view.data, at) else {
                        self.counters.note(Anomaly::ExtensionTruncated);
                        break;
                    };
                    let field = u16::from_be_bytes([header[2], header[3]]);
                    let (offset, more) = (u32::from(field & 0xfff8), field & 1 != 0);
                    if offset == 0 && !more {
                        // An atomic fragment (RFC 6946) is a whole packet.
                        (next, at) = (header[0], at + 8);
                        continue;
                    }
                    self.counters.fragments += 1;
                    let key = FragmentKey {
                        ends: ip.ends,
                        id: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
                        protocol: 0,
                        vlan: if self.config.vlan_key { context.inner_vlan } else { 0 },
                    };
                    self.fragment(key, header[0], offset, more, view, at + 8, ip, context, out);
                    return;
                }
                _ => break,
            };
            // Mobility and the two experimental numbers may carry the payload themselves: no next header (59) follows them.
            match length {
                Some(length) if at + length <= view.data.len() => {
                    let following = view.data[at];
                    if following == 59 && matches!(next, 135 | 253 | 254) {
                        break;
                    }
                    (next, at) = (following, at + length);
                }
                _ => {
                    self.counters.note(Anomaly::ExtensionTruncated);
                    break;
                }
            }
        }
        self.transport(next, view, at, ip, context, out);
    }

    /// A fragment: waits for the rest of its datagram, completes it, or is metered as it is.
    #[expect(clippy::too_many_arguments, reason = "called in two places, from IPv4 and IPv6")]
    #[cold]
    fn fragment(
        &mut self,
        key: FragmentKey,
        protocol: u8,
        offset: u32,
        more: bool,
        view: View<'_>,
        at: usize,
        ip: &Ip,
        context: Context,
        out: &mut PacketBatch,
    ) {
        if self.reassembly.disabled() {
            if offset == 0 {
                self.transport(protocol, view, at, ip, context, out);
            } else {
                self.push(protocol, view, at, ip, &Transport::default(), context, out);
            }
            return;
        }
        let macs = (context.mac_at != Place::NONE)
            .then(|| context.mac_at.slice_relative(view).copied())
            .flatten();
        let fragment = Fragment {
            key,
            protocol,
            offset,
            more,
            data: view.data.get(at..).unwrap_or_default(),
            length: u32::try_from(view.wire.saturating_sub(at)).unwrap_or(u32::MAX / 2),
            time: context.time,
            octets: ip.octets,
            packets: context.packets,
            vlan: context.vlan,
            inner_vlan: context.inner_vlan,
            macs,
            ttl: ip.ttl,
            depth: context.layers,
        };
        if let Some(datagram) = self.reassembly.add(&fragment) {
            self.counters.reassembled += 1;
            self.meter_datagram(&datagram, out);
        }
        self.hand_over(out);
    }

    /// Meters the datagrams that were given up, and counts why.
    fn hand_over(&mut self, out: &mut PacketBatch) {
        for finding in self.reassembly.take_findings() {
            self.counters.note(match finding {
                Finding::Overlap => Anomaly::FragmentOverlap,
                Finding::BeyondEnd => Anomaly::FragmentBeyondEnd,
                Finding::Timeout => Anomaly::FragmentTimeout,
                Finding::Evicted => Anomaly::FragmentEvicted,
            });
        }
        for datagram in self.reassembly.take_given_up() {
            self.meter_datagram(&datagram, out);
        }
    }

    /// A datagram as one packet. One that is not complete has the ports of its first fragment, if that came, and as payload
    /// what came without a gap from there; else ports 0 and as payload the octets that came.
    fn meter_datagram(&mut self, datagram: &Datagram, out: &mut PacketBatch) {
        let side = |out: &PacketBatch| Place::side(out.side.len() as u32);
        let mut mac_at = Place::NONE;
        if let Some(macs) = &datagram.macs {
            mac_at = side(out);
            out.side.extend_from_slice(macs);
        }
        let base = side(out);
        out.side.extend_from_slice(&datagram.data);
        let ip =
            Ip { at: Place::NONE, ends: datagram.ends, ttl: datagram.ttl, octets: datagram.octets };
        let span = datagram.last_time.micros_since(datagram.first_time);
        let context = Context {
            time: datagram.last_time,
            span_us: u32::try_from(span).unwrap_or(u32::MAX),
            packets: datagram.packets,
            vlan: datagram.vlan,
            inner_vlan: datagram.inner_vlan,
            mac_at,
            layers: datagram.depth,
        };
        let view = View {
            data: &datagram.data[..datagram.contiguous as usize],
            base,
            wire: datagram.length as usize,
        };
        if datagram.complete || datagram.contiguous > 0 {
            match datagram.ends {
                Ends::V4(..) => self.transport(datagram.protocol, view, 0, &ip, context, out),
                Ends::V6(..) => self.extensions(datagram.protocol, view, 0, &ip, context, out),
            }
        } else {
            self.push(datagram.protocol, view, 0, &ip, &Transport::default(), context, out);
        }
    }

    /// The transport header at `at`; `view` ends where the IP packet ends.
    #[inline(always)]
    fn transport(
        &mut self,
        protocol: u8,
        view: View<'_>,
        at: usize,
        ip: &Ip,
        context: Context,
        out: &mut PacketBatch,
    ) {
        let data = view.data;
        let mut transport = Transport::default();
        match protocol {
            6 => {
                if let Some(header) = array::<20>(data, at) {
                    transport.ports = ports(header);
                    transport.sequence =
                        u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                    transport.flags = TcpFlags::from_bits(header[13]);
                    let length = usize::from(header[12] >> 4) * 4;
                    if length >= 20 && at + length <= view.wire {
                        transport.header = length;
                    } else {
                        self.counters.note(Anomaly::TcpHeaderLength);
                        transport.header = view.wire - at;
                    }
                } else {
                    self.short_transport(protocol, view, at, &mut transport);
                }
            }
            17 | 136 => {
                if let Some(header) = array::<8>(data, at) {
                    transport.ports = ports(header);
                    transport.header = 8;
                    if self.config.tunnels == Tunnels::Inner
                        && self.udp_tunnel(transport.ports, view, at + 8, context, out)
                    {
                        return;
                    }
                } else {
                    self.short_transport(protocol, view, at, &mut transport);
                }
            }
            132 => {
                if let Some(header) = array::<12>(data, at) {
                    transport.ports = ports(header);
                    transport.header = 12;
                } else {
                    self.short_transport(protocol, view, at, &mut transport);
                }
            }
            1 | 58 => {
                if let Some(header) = array::<8>(data, at) {
                    transport.icmp = [header[0], header[1]];
                    transport.header = 8;
                } else {
                    self.short_transport(protocol, view, at, &mut transport);
                }
            }
            4 | 41 | 47
                if self.config.tunnels == Tunnels::Inner
                    && self.ip_tunnel(protocol, view, at, context, out) =>
            {
                return;
            }
            _ => {}
        }
        self.push(protocol, view, at, ip, &transport, context, out);
    }

    /// A transport header that is not all there: what can be seen of it. The rest of the packet is header, not payload.
    #[cold]
    fn short_transport(
        &mut self,
        protocol: u8,
        view: View<'_>,
        at: usize,
        transport: &mut Transport,
    ) {
        self.counters.note(Anomaly::TransportTruncated);
        let data = view.data;
        match protocol {
            1 | 58 => {
                transport.icmp = array::<2>(data, at).copied().unwrap_or_default();
                transport.header = 8;
            }
            _ => {
                transport.ports =
                    array::<4>(data, at).map(|header| ports(header)).unwrap_or_default();
                transport.header = match protocol {
                    6 => 20,
                    132 => 12,
                    _ => 8,
                };
            }
        }
        if protocol == 6 {
            transport.sequence = be32(data, at + 4).unwrap_or_default();
            transport.flags =
                data.get(at + 13).map(|bits| TcpFlags::from_bits(*bits)).unwrap_or_default();
            if let Some(length) = data.get(at + 12) {
                transport.header = usize::from(length >> 4) * 4;
            }
        }
        transport.header = transport.header.min(view.wire.saturating_sub(at));
    }

    /// Appends the packet.
    #[expect(clippy::too_many_arguments, reason = "the layers of one packet")]
    #[inline(always)]
    fn push(
        &mut self,
        protocol: u8,
        view: View<'_>,
        at: usize,
        ip: &Ip,
        transport: &Transport,
        context: Context,
        out: &mut PacketBatch,
    ) {
        let mut key_ports = transport.ports;
        if self.config.icmp_key && matches!(protocol, 1 | 58) {
            // One number for both ends: an answer of the same type and code has the same key, as in YAF.
            key_ports = [u16::from_be_bytes(transport.icmp); 2];
        }
        let (mut key, from_low) = match &ip.ends {
            Ends::V4(source, destination) => {
                FlowKey::v4(*source, *destination, key_ports, protocol)
            }
            Ends::V6(source, destination) => FlowKey::v6(source, destination, key_ports, protocol),
        };
        let mut from_low = from_low;
        if self.config.vlan_key {
            key.set_vlan(context.inner_vlan);
        }
        if protocol == 17 && self.is_uniflow(transport.ports) {
            key.set_one_way(from_low);
            from_low = true;
        }
        let start = at + transport.header;
        let payload = view.wire.saturating_sub(start);
        let captured = view.data.len().saturating_sub(start).min(payload);
        out.packets.push(Packet {
            hash: key.hash(&self.seed),
            key,
            time: context.time,
            span_us: context.span_us,
            octets: ip.octets,
            packets: context.packets,
            payload: payload as u32,
            captured: captured as u32,
            payload_at: view.base.plus(start),
            network_at: ip.at,
            transport_at: view.base.plus(at),
            mac_at: context.mac_at,
            tcp_sequence: transport.sequence,
            vlan: context.vlan,
            tcp_flags: transport.flags,
            ttl: ip.ttl,
            icmp_type: transport.icmp[0],
            icmp_code: transport.icmp[1],
            from_low,
        });
    }

    #[inline(always)]
    fn is_uniflow(&self, ports: [u16; 2]) -> bool {
        match self.config.udp_uniflow {
            UdpUniflow::Off => false,
            UdpUniflow::All => true,
            UdpUniflow::Port(port) => ports.contains(&port),
        }
    }

    pub(crate) fn counters_note(&mut self, anomaly: Anomaly) {
        self.counters.note(anomaly);
    }
}

#[inline(always)]
fn ports(header: &[u8]) -> [u16; 2] {
    match header {
        [a, b, c, d, ..] => [u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])],
        _ => [0, 0],
    }
}
