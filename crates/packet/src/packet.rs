//! What the meter is given of a packet.

use rockfish_flow::{MacAddress, TcpFlags, Timestamp};

use crate::FlowKey;
use crate::decode::View;

/// Where octets lie: in the block that was decoded, or in the side buffer of the batch, where reassembled datagrams are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place(u32);

impl Place {
    const SIDE: u32 = 1 << 31;

    /// Nowhere.
    pub const NONE: Self = Self(u32::MAX);

    /// At this offset of the block. Blocks are smaller than 2 GiB.
    #[inline(always)]
    pub(crate) const fn block(offset: u32) -> Self {
        Self(offset & !Self::SIDE)
    }

    /// At this offset of the side buffer.
    #[inline(always)]
    pub(crate) const fn side(offset: u32) -> Self {
        Self(offset | Self::SIDE)
    }

    /// The twelve octets of two MAC addresses at this place, if it lies in `view`'s buffer.
    pub(crate) fn slice_relative(self, view: View<'_>) -> Option<&[u8; 12]> {
        let offset = self.0.checked_sub(view.base.0)?;
        view.data.get(offset as usize..)?.first_chunk::<12>()
    }

    /// Further on by so many octets.
    #[inline(always)]
    pub(crate) const fn plus(self, octets: usize) -> Self {
        Self(self.0 + octets as u32)
    }

    /// Octets from `other` to here; 0 if it lies behind, or elsewhere.
    #[inline(always)]
    const fn behind(self, other: Self) -> usize {
        self.0.saturating_sub(other.0) as usize
    }

    /// `length` octets from here, or nothing if they are not all there.
    #[inline(always)]
    pub fn slice<'a>(self, block: &'a [u8], side: &'a [u8], length: usize) -> &'a [u8] {
        let from = if self.0 & Self::SIDE == 0 { block } else { side };
        let start = (self.0 & !Self::SIDE) as usize;
        from.get(start..start + length).unwrap_or_default()
    }
}

/// One packet, or one datagram put together from fragments, ready for metering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Flow key.
    pub key: FlowKey,
    /// Hash of the key.
    pub hash: u64,
    /// When it was captured; of a datagram, its last fragment.
    pub time: Timestamp,
    /// Microseconds from the first fragment to `time`; 0 for a whole packet.
    pub span_us: u32,
    /// IP octets; of a datagram, those of all its fragments.
    pub octets: u32,
    /// Packets that this is: 1, or the number of fragments.
    pub packets: u32,
    /// Payload octets by the headers.
    pub payload: u32,
    /// Payload octets that were captured, from the first on.
    pub captured: u32,
    /// Where the payload lies.
    pub payload_at: Place,
    /// Where the IP header lies, or [`Place::NONE`] for a datagram.
    pub network_at: Place,
    /// Where the transport header lies.
    pub transport_at: Place,
    /// Where the Ethernet destination and source address lie, or [`Place::NONE`].
    pub mac_at: Place,
    /// TCP sequence number.
    pub tcp_sequence: u32,
    /// Outermost VLAN id, 0 if untagged.
    pub vlan: u16,
    /// TCP flags; empty if not TCP.
    pub tcp_flags: TcpFlags,
    /// TTL or hop limit.
    pub ttl: u8,
    /// ICMP or ICMPv6 type.
    pub icmp_type: u8,
    /// ICMP or ICMPv6 code.
    pub icmp_code: u8,
    /// Whether the sender is the key's lower end.
    pub from_low: bool,
}

/// Packets of one block, and the datagrams that had to be put together.
#[derive(Clone, Debug, Default)]
pub struct PacketBatch {
    /// In order of capture; a datagram stands where its last fragment came.
    pub packets: Vec<Packet>,
    /// Reassembled datagrams.
    pub side: Vec<u8>,
}

impl PacketBatch {
    /// Empties it and keeps its memory.
    pub fn clear(&mut self) {
        self.packets.clear();
        self.side.clear();
    }
}

impl Packet {
    /// The payload octets that were captured.
    #[inline]
    pub fn payload<'a>(&self, block: &'a [u8], side: &'a [u8]) -> &'a [u8] {
        self.payload_at.slice(block, side, self.captured as usize)
    }

    /// The transport header and what was captured behind it.
    #[inline]
    pub fn transport<'a>(&self, block: &'a [u8], side: &'a [u8]) -> &'a [u8] {
        self.from(self.transport_at, block, side)
    }

    /// The IP packet as far as it was captured; empty for a datagram that was put together.
    #[inline]
    pub fn network<'a>(&self, block: &'a [u8], side: &'a [u8]) -> &'a [u8] {
        if self.network_at == Place::NONE { &[] } else { self.from(self.network_at, block, side) }
    }

    #[inline]
    fn from<'a>(&self, place: Place, block: &'a [u8], side: &'a [u8]) -> &'a [u8] {
        let headers = self.payload_at.behind(place);
        place.slice(block, side, headers + self.captured as usize)
    }

    /// Source and destination MAC address, if the packet has an Ethernet header.
    #[inline]
    pub fn macs(&self, block: &[u8], side: &[u8]) -> Option<(MacAddress, MacAddress)> {
        if self.mac_at == Place::NONE {
            return None;
        }
        let octets = self.mac_at.slice(block, side, 12).first_chunk::<12>()?;
        let (destination, source) = octets.split_first_chunk::<6>()?;
        Some((*source.first_chunk::<6>()?, *destination))
    }
}
