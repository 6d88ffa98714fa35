//! What lies in a block (linux/if_packet.h: `tpacket_block_desc`, `tpacket3_hdr`).
//!
//! Everything is read with bounds checked: what the kernel writes is trusted to be well-meant, not to be of a version that
//! this code knows.

use rockfish_capture::PacketRef;
use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

/// Where a block's status stands.
pub(crate) const BLOCK_STATUS: usize = 8;
/// The status of a block that is the kernel's.
pub(crate) const STATUS_KERNEL: u32 = 0;

const BLOCK_PACKETS: usize = 12;
const BLOCK_FIRST: usize = 16;

/// `struct tpacket3_hdr` up to the padding.
const HEADER: usize = 40;
/// `struct sockaddr_ll` follows the header, which is aligned to 16 octets.
const ADDRESS: usize = 48;
const PACKET_TYPE: usize = ADDRESS + 10;
/// The end of both.
const DESCRIPTION: usize = ADDRESS + 20;

const VLAN_VALID: u32 = 1 << 4;
const VLAN_TPID_VALID: u32 = 1 << 6;
const VLAN_TPID: u16 = 0x8100;
const VLAN_TAG: usize = 4;
/// Two MAC addresses: what stands before a VLAN tag.
const ADDRESSES: usize = 12;

const OUTGOING: u8 = 4;

/// Walks through a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Packets that are left.
    left: u32,
    /// Where the next begins.
    at: usize,
}

/// How packets are taken from a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    pub(crate) link: LinkType,
    /// Most octets of a packet.
    pub(crate) snaplen: u32,
    /// Packets sent are left out: on a loopback interface each comes twice.
    pub(crate) skip_outgoing: bool,
}

/// What a walk found beside packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Packets that were left out on purpose.
    pub(crate) left_out: u64,
    /// Packets that cannot be where the block says.
    pub(crate) damaged: u64,
}

impl Cursor {
    /// At the first packet of a block.
    pub(crate) fn begin(block: &[u8]) -> Self {
        Self {
            left: u32_at(block, BLOCK_PACKETS).unwrap_or(0),
            at: u32_at(block, BLOCK_FIRST).unwrap_or(0) as usize,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Appends up to `most` packets, about `octets` of the block, and puts VLAN tags back.
    pub(crate) fn take(
        &mut self,
        block: &mut [u8],
        walk: &Walk,
        most: usize,
        octets: usize,
        packets: &mut Vec<PacketRef>,
    ) -> Found {
        let mut found = Found::default();
        let end = self.at.saturating_add(octets);
        let mut room = most;
        while self.left > 0 && room > 0 && self.at < end {
            let Some(header) = header(block, self.at) else {
                found.damaged += u64::from(self.left);
                self.left = 0;
                break;
            };
            let at = self.at;
            self.left -= 1;
            self.at += header.next as usize;
            // A next packet at this one's place would never end.
            if header.next == 0 && self.left > 0 {
                found.damaged += u64::from(self.left);
                self.left = 0;
            }
            if walk.skip_outgoing && header.packet_type == OUTGOING {
                found.left_out += 1;
                continue;
            }
            match packet(block, at, &header, walk) {
                Some(packet) => {
                    packets.push(packet);
                    room -= 1;
                }
                None => found.damaged += 1,
            }
        }
        found
    }
}

#[derive(Clone, Copy, Debug)]
struct Header {
    next: u32,
    seconds: u32,
    nanos: u32,
    captured: u32,
    wire: u32,
    status: u32,
    mac: u16,
    vlan: u16,
    tpid: u16,
    packet_type: u8,
}

#[inline]
fn header(block: &[u8], at: usize) -> Option<Header> {
    let octets: &[u8; DESCRIPTION] =
        block.get(at..at.checked_add(DESCRIPTION)?)?.try_into().ok()?;
    let word = |at: usize| {
        u32::from_ne_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]])
    };
    let half = |at: usize| u16::from_ne_bytes([octets[at], octets[at + 1]]);
    const { assert!(HEADER <= ADDRESS) };
    Some(Header {
        next: word(0),
        seconds: word(4),
        nanos: word(8),
        captured: word(12),
        wire: word(16),
        status: word(20),
        mac: half(24),
        vlan: word(32) as u16,
        tpid: half(36),
        packet_type: octets[PACKET_TYPE],
    })
}

#[inline]
fn packet(block: &mut [u8], at: usize, header: &Header, walk: &Walk) -> Option<PacketRef> {
    let mut start = at.checked_add(usize::from(header.mac))?;
    let mut captured = header.captured;
    let mut wire = header.wire;
    if start.checked_add(captured as usize)? > block.len() || start < at + DESCRIPTION {
        return None;
    }
    if header.status & VLAN_VALID != 0
        && walk.link == LinkType::Ethernet
        && captured as usize >= ADDRESSES
        && start - VLAN_TAG >= at + DESCRIPTION
    {
        let tpid = if header.status & VLAN_TPID_VALID != 0 { header.tpid } else { VLAN_TPID };
        block.copy_within(start..start + ADDRESSES, start - VLAN_TAG);
        start -= VLAN_TAG;
        let [a, b] = tpid.to_be_bytes();
        let [c, d] = header.vlan.to_be_bytes();
        block[start + ADDRESSES..start + ADDRESSES + VLAN_TAG].copy_from_slice(&[a, b, c, d]);
        captured += VLAN_TAG as u32;
        wire = wire.saturating_add(VLAN_TAG as u32);
    }
    let micros = i64::from(header.seconds) * 1_000_000 + i64::from(header.nanos / 1000);
    Some(PacketRef {
        time: Timestamp::from_micros(micros),
        offset: u32::try_from(start).ok()?,
        captured: captured.min(walk.snaplen),
        wire,
        link: walk.link,
    })
}

fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(octets.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WALK: Walk = Walk { link: LinkType::Ethernet, snaplen: u32::MAX, skip_outgoing: false };

    /// Octets, the tag that the kernel took off (TPID, 0 if it does not say, and TCI), and the packet's type.
    type Given = (Vec<u8>, Option<(u16, u16)>, u8);

    /// A block with these packets, laid out as the kernel does.
    fn block(packets: &[Given]) -> Vec<u8> {
        const FIRST: usize = 48;
        const MAC: usize = 86;
        let mut block = vec![0; FIRST];
        block[BLOCK_PACKETS..][..4].copy_from_slice(&(packets.len() as u32).to_ne_bytes());
        block[BLOCK_FIRST..][..4].copy_from_slice(&(FIRST as u32).to_ne_bytes());
        for (number, (octets, vlan, packet_type)) in packets.iter().enumerate() {
            let at = block.len();
            let size = (MAC + octets.len()).next_multiple_of(16);
            block.resize(at + size, 0xee);
            let next = if number + 1 == packets.len() { 0 } else { size as u32 };
            let length = octets.len() as u32;
            let mut status = 1;
            if let Some((tpid, tci)) = vlan {
                status |= VLAN_VALID | if *tpid != 0 { VLAN_TPID_VALID } else { 0 };
                block[at + 32..][..4].copy_from_slice(&u32::from(*tci).to_ne_bytes());
                block[at + 36..][..2].copy_from_slice(&tpid.to_ne_bytes());
            }
            let words = [next, 1_700_000_000 + number as u32, 123_456_789, length, length, status];
            for (place, word) in words.iter().enumerate() {
                block[at + 4 * place..][..4].copy_from_slice(&word.to_ne_bytes());
            }
            block[at + 24..][..2].copy_from_slice(&(MAC as u16).to_ne_bytes());
            block[at + PACKET_TYPE] = *packet_type;
            block[at + MAC..][..octets.len()].copy_from_slice(octets);
        }
        block
    }

    fn take_all(block: &mut [u8], walk: &Walk) -> (Vec<PacketRef>, Found) {
        let (mut packets, mut cursor) = (Vec::new(), Cursor::begin(block));
        let mut all = Found::default();
        while !cursor.is_done() {
            let found = cursor.take(block, walk, 2, 300, &mut packets);
            all.left_out += found.left_out;
            all.damaged += found.damaged;
        }
        (packets, all)
    }

    #[test]
    fn packets_are_found_with_tags_put_back() {
        let frame: Vec<u8> = (0..60).collect();
        let mut memory = block(&[
            (frame.clone(), None, 0),
            (frame.clone(), Some((0x88a8, 7)), 0),
            (frame.clone(), Some((0, 0x6005)), OUTGOING),
            (frame[..8].to_vec(), Some((0x8100, 7)), 0),
        ]);
        let (packets, found) = take_all(&mut memory, &WALK);
        assert_eq!(found, Found::default());
        let octets: Vec<&[u8]> =
            packets.iter().map(|p| &memory[p.offset as usize..][..p.captured as usize]).collect();
        let tagged = |tag: [u8; 4]| [&frame[..12], &tag[..], &frame[12..]].concat();
        assert_eq!(octets[0], frame);
        assert_eq!(octets[1], tagged([0x88, 0xa8, 0, 7]));
        assert_eq!(octets[2], tagged([0x81, 0, 0x60, 5]));
        assert_eq!(octets[3], &frame[..8], "no room for a tag in what is no whole header");
        assert_eq!(packets.iter().map(|p| p.wire).collect::<Vec<_>>(), [60, 64, 64, 8]);
        assert_eq!(packets[1].time, Timestamp::from_micros(1_700_000_001_123_456));
    }

    #[test]
    fn snaplen_cuts_and_loopback_leaves_out_what_is_sent() {
        let mut memory = block(&[(vec![1; 60], None, OUTGOING), (vec![2; 60], None, 0)]);
        let walk = Walk { snaplen: 20, skip_outgoing: true, ..WALK };
        let (packets, found) = take_all(&mut memory, &walk);
        assert_eq!(found, Found { left_out: 1, damaged: 0 });
        assert_eq!(packets.len(), 1);
        assert_eq!((packets[0].captured, packets[0].wire), (20, 60));
    }

    proptest! {
        /// Whatever a block holds, the walk ends, stays inside, and accounts for every packet that the block claims to have.
        #[test]
        fn any_block_is_walked_safely(
            packets in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..80),
                prop::option::of(any::<(u16, u16)>()), any::<u8>()), 0..6),
            harm in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        ) {
            let mut memory = block(&packets);
            for (index, octet) in harm {
                let at = index.index(memory.len());
                memory[at] = octet;
            }
            let claimed = u64::from(u32_at(&memory, BLOCK_PACKETS).unwrap());
            let (packets, found) = take_all(&mut memory, &WALK);
            prop_assert_eq!(packets.len() as u64 + found.left_out + found.damaged, claimed);
            for packet in packets {
                prop_assert!(packet.offset as usize + packet.captured as usize <= memory.len());
            }
        }
    }
}
