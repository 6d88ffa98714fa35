//! Receive rings in the memory of a port: where they are, and the packets in them.
//!
//! Source: netmap(4) and `net/netmap.h`, API 14, on machines with words of 64 bits. What is used of it:
//!
//! `struct netmap_if`, at the offset that registering returns:
//!
//! | offset | octets | what |
//! |---:|---:|---|
//! | 24 | 4 | transmit rings of the interface |
//! | 28 | 4 | receive rings of the interface |
//! | 36 | 4 | transmit rings of the host; 0 before API 14, which means 1 |
//! | 40 | 4 | receive rings of the host; likewise |
//! | 56 | 8 each | offsets of the rings from this structure, in that order: transmit, host's transmit, receive, host's receive; 0: not bound |
//!
//! `struct netmap_ring`:
//!
//! | offset | octets | what |
//! |---:|---:|---|
//! | 0 | 8 | offset of the buffers from this structure |
//! | 8 | 4 | slots |
//! | 12 | 4 | octets of a buffer |
//! | 18 | 2 | 0 transmit, 1 receive |
//! | 20 | 4 | head: first slot of the program |
//! | 24 | 4 | cur: a wait ends when tail moves past it |
//! | 28 | 4 | tail: first slot of the kernel |
//! | 32 | 4 | flags: 2 set the time, 4 pass slots on |
//! | 40 | 16 | time of the last synchronisation: seconds, microseconds |
//! | 56 | 8 | which bits of a slot's pointer are an offset in its buffer |
//! | 256 | 16 each | slots |
//!
//! `struct netmap_slot`: number of the buffer (4), octets of the packet (2), flags (2), pointer (8).
//!
//! Sizes and places are read once and checked; head, tail and slots are checked whenever they are read.

use rockfish_capture::PacketRef;
use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

use crate::sys::Memory;

const IF_TX_RINGS: usize = 24;
const IF_RX_RINGS: usize = 28;
const IF_HOST_TX_RINGS: usize = 36;
const IF_HOST_RX_RINGS: usize = 40;
const IF_RING_OFFSETS: usize = 56;

const RING_BUFFERS: usize = 0;
const RING_SLOTS: usize = 8;
const RING_BUFFER_SIZE: usize = 12;
const RING_DIRECTION: usize = 18;
const RING_HEAD: usize = 20;
const RING_CUR: usize = 24;
const RING_TAIL: usize = 28;
const RING_FLAGS: usize = 32;
const RING_SECONDS: usize = 40;
const RING_MICROSECONDS: usize = 48;
const RING_OFFSET_MASK: usize = 56;
const RING_SLOT: usize = 256;

const SLOT: usize = 16;
const SLOT_FLAGS: usize = 6;

/// The kernel sets the ring's time.
const NR_TIMESTAMP: u32 = 2;
/// The kernel passes on slots that are marked so, between interface and host.
const NR_FORWARD: u32 = 4;
/// Pass this slot on.
const NS_FORWARD: u16 = 4;
/// The packet goes on in the next slot.
const NS_MOREFRAG: u16 = 0x20;

/// Most slots of a packet.
const FRAGMENTS_MAX: u32 = 64;
/// More rings than any interface has.
const RINGS_MAX: u32 = 4096;
/// Slots that may wait for their return while there are packets left in other rings. A request costs about a microsecond,
/// and an interface that has no slot left loses packets.
const RETURN_AFTER: u32 = 256;
/// Most octets of packets in several slots that are put together at once.
const ASSEMBLED_MAX: usize = 256 << 10;

/// One receive ring. Offsets are from the beginning of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ring {
    at: usize,
    slots: u32,
    buffers: usize,
    buffer_size: u32,
    offset_mask: u64,
}

/// What is lent of a ring, until it is given back.
#[derive(Clone, Copy, Debug)]
struct Lent {
    ring: usize,
    /// Head and cur as they will be.
    head: u32,
    cur: u32,
}

/// Where the octets of lent packets lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Window {
    /// In the memory, from here to there.
    Memory(usize, usize),
    /// In the buffer for packets of several slots.
    Assembled,
}

/// A slot that was read.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Where its octets lie in the memory; none if the slot contradicts itself.
    octets: Option<(usize, usize)>,
    has_more: bool,
}

/// The receive rings of a port.
#[derive(Debug)]
pub(crate) struct Rings {
    rings: Vec<Ring>,
    /// Ring to look at first.
    turn: usize,
    lent: Option<Lent>,
    /// Tails when intake was closed.
    limits: Option<Vec<u32>>,
    /// Whether slots are passed on between interface and host.
    forward: bool,
    snaplen: u32,
    /// Where lent packets begin in the memory.
    starts: Vec<usize>,
    assembled: Vec<u8>,
    /// Slots given back since the kernel was last asked to take them.
    released: u32,
    /// Packets found, and those of them that were damaged.
    pub(crate) received: u64,
    pub(crate) errors: u64,
}

impl Rings {
    /// Finds the receive rings, or says what is wrong with the memory.
    pub(crate) fn find(
        memory: &Memory,
        interface_at: u64,
        forward: bool,
        snaplen: u32,
    ) -> Result<Self, String> {
        let base = usize::try_from(interface_at)
            .ok()
            .filter(|base| base.is_multiple_of(8) && *base < memory.len())
            .ok_or_else(|| {
                format!(
                    "interface at offset {interface_at}, expected one below the memory's size of {}",
                    memory.len()
                )
            })?;
        let number = |field: usize, what| {
            let at = base.saturating_add(field);
            let number = memory.read_u32(at).ok_or_else(|| outside(at, memory))?;
            if number > RINGS_MAX {
                return Err(format!(
                    "{number} {what} rings at offset {at}, expected at most {RINGS_MAX}"
                ));
            }
            Ok(number as usize)
        };
        let transmit =
            number(IF_TX_RINGS, "transmit")? + number(IF_HOST_TX_RINGS, "host transmit")?.max(1);
        let receive =
            number(IF_RX_RINGS, "receive")? + number(IF_HOST_RX_RINGS, "host receive")?.max(1);
        let mut rings = Vec::new();
        for index in transmit..transmit + receive {
            let at = base.saturating_add(IF_RING_OFFSETS + index * 8);
            let offset = memory.read_u64(at).ok_or_else(|| outside(at, memory))?;
            if offset != 0 {
                // The offset is signed.
                let ring = (base as u64).wrapping_add(offset);
                let ring = usize::try_from(ring).map_err(|_| outside_at(at, ring, memory))?;
                rings.push(Ring::find(memory, ring)?);
            }
        }
        if rings.is_empty() {
            return Err(format!("no receive ring at offset {base}, expected one at least"));
        }
        // What is written for one ring must not be read as another's.
        rings.sort_unstable_by_key(|ring| ring.at);
        for (ring, after) in rings.iter().zip(rings.iter().skip(1)) {
            if after.at < ring.slot_at(ring.slots) {
                return Err(format!(
                    "ring at offset {} begins before the one at offset {} ends",
                    after.at, ring.at
                ));
            }
        }
        let found = Self {
            rings,
            turn: 0,
            lent: None,
            limits: None,
            forward,
            snaplen,
            starts: Vec::new(),
            assembled: Vec::new(),
            released: 0,
            received: 0,
            errors: 0,
        };
        for ring in &found.rings {
            let flags = memory.read_u32(ring.at + RING_FLAGS).unwrap_or(0);
            let forwarding = if forward { NR_FORWARD } else { 0 };
            memory.write_u32(ring.at + RING_FLAGS, flags | NR_TIMESTAMP | forwarding);
        }
        Ok(found)
    }

    /// Gives back what was lent. The kernel takes it at the next wait.
    pub(crate) fn give_back(&mut self, memory: &Memory) {
        let Some(Lent { ring, head, cur }) = self.lent.take() else { return };
        let Some(ring) = self.rings.get(ring) else { return };
        let mut slot = memory.read_u32(ring.at + RING_HEAD).unwrap_or(head);
        // Head was checked when the packets were lent; whatever it is now, this ends after one round.
        for _ in 0..ring.slots {
            if slot == head || slot >= ring.slots {
                break;
            }
            if self.forward {
                let flags = ring.slot_at(slot) + SLOT_FLAGS;
                memory.write_u16(flags, memory.read_u16(flags).unwrap_or(0) | NS_FORWARD);
            }
            self.released += 1;
            slot = ring.after(slot);
        }
        memory.write_u32(ring.at + RING_CUR, cur);
        memory.write_u32(ring.at + RING_HEAD, head);
    }

    /// Lends packets of one ring, after those of the last time were given back. None: no ring has any. `clock` is the time
    /// for rings to which the kernel gives none.
    ///
    /// # Errors
    /// A ring contradicts itself.
    pub(crate) fn lend(
        &mut self,
        memory: &Memory,
        clock: Timestamp,
        packets: &mut Vec<PacketRef>,
    ) -> Result<Option<Window>, String> {
        let mut empty = 0;
        while empty < self.rings.len() {
            let index = self.turn % self.rings.len();
            if let Some(window) = self.lend_from(index, memory, clock, packets)? {
                return Ok(Some(window));
            }
            // Only damaged packets go back at once, and the same ring may have more.
            let released = self.released;
            self.give_back(memory);
            if self.released == released {
                self.turn = index + 1;
                empty += 1;
            } else {
                empty = 0;
            }
        }
        Ok(None)
    }

    /// Whether the kernel should be asked to take back slots, though there may be packets left.
    pub(crate) fn has_slots_to_return(&self) -> bool {
        self.released >= RETURN_AFTER
    }

    /// The kernel has taken back all slots.
    pub(crate) fn returned(&mut self) {
        self.released = 0;
    }

    /// Takes in no more than what the rings have now.
    pub(crate) fn close(&mut self, memory: &Memory) {
        if self.limits.is_none() {
            let tail = |ring: &Ring| memory.read_u32(ring.at + RING_TAIL).unwrap_or(0);
            self.limits = Some(self.rings.iter().map(tail).collect());
        }
    }

    /// Whether intake was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.limits.is_some()
    }

    /// Packets of several slots, put together by the last [`Self::lend`].
    pub(crate) fn assembled(&self) -> &[u8] {
        &self.assembled
    }

    fn lend_from(
        &mut self,
        index: usize,
        memory: &Memory,
        clock: Timestamp,
        packets: &mut Vec<PacketRef>,
    ) -> Result<Option<Window>, String> {
        let Some(&ring) = self.rings.get(index) else { return Ok(None) };
        let head = ring.position(memory, RING_HEAD, "head")?;
        let cur = ring.position(memory, RING_CUR, "cur")?;
        let limit = self.limits.as_ref().and_then(|limits| limits.get(index));
        let tail = match limit {
            Some(tail) => *tail,
            None => ring.position(memory, RING_TAIL, "tail")?,
        };
        // A packet in several slots whose end has not come yet leaves cur at tail.
        if head == tail || (cur == tail && limit.is_none()) {
            return Ok(None);
        }
        let time = ring.time(memory).unwrap_or(clock);
        let is_assembly = ring.slot(memory, head).has_more;
        self.starts.clear();
        self.assembled.clear();
        let (mut low, mut high) = (usize::MAX, 0);
        let mut next = head;
        let mut waits_for_more = false;
        while next != tail {
            if is_assembly && self.assembled.len() >= ASSEMBLED_MAX {
                break;
            }
            let slot = ring.slot(memory, next);
            let (end, place) = if slot.has_more {
                if !is_assembly {
                    break;
                }
                match self.assemble(memory, &ring, next, tail) {
                    Assembly::Done(end, place) => (end, place),
                    Assembly::Unfinished => {
                        waits_for_more = true;
                        break;
                    }
                }
            } else {
                let place = slot.octets.map(|(start, octets)| {
                    if is_assembly {
                        (self.append(memory, start, octets), octets)
                    } else {
                        (start, octets)
                    }
                });
                (ring.after(next), place)
            };
            match place {
                None => {
                    self.received += 1;
                    self.errors += 1;
                }
                Some((start, octets)) => {
                    let window = (low.min(start), high.max(start + octets));
                    // What lies too far away for an offset of 32 bits comes in a window of its own.
                    if !is_assembly && window.1 - window.0 > u32::MAX as usize {
                        break;
                    }
                    (low, high) = window;
                    self.received += 1;
                    self.starts.push(start);
                    // At most 64 slots of 64 KiB.
                    let octets = octets as u32;
                    packets.push(PacketRef {
                        time,
                        offset: 0,
                        captured: octets.min(self.snaplen),
                        wire: octets,
                        link: LinkType::Ethernet,
                    });
                }
            }
            next = end;
        }
        if next == head && !waits_for_more {
            return Ok(None);
        }
        let cur = if waits_for_more { tail } else { next };
        self.lent = Some(Lent { ring: index, head: next, cur });
        let base = if is_assembly { 0 } else { low };
        for (packet, start) in packets.iter_mut().zip(&self.starts) {
            packet.offset = u32::try_from(start - base).unwrap_or(u32::MAX);
        }
        if packets.is_empty() {
            return Ok(None);
        }
        // The next ring has its turn, lest one that is never empty is the only one.
        self.turn = index + 1;
        Ok(Some(if is_assembly { Window::Assembled } else { Window::Memory(low, high) }))
    }

    /// Puts together the packet that begins at a slot.
    fn assemble(&mut self, memory: &Memory, ring: &Ring, first: u32, tail: u32) -> Assembly {
        let start = self.assembled.len();
        let (mut next, mut slots, mut is_intact) = (first, 0, true);
        while next != tail {
            let slot = ring.slot(memory, next);
            next = ring.after(next);
            slots += 1;
            match slot.octets {
                Some((from, octets)) if is_intact => {
                    self.append(memory, from, octets);
                }
                _ => is_intact = false,
            }
            if !slot.has_more || slots == FRAGMENTS_MAX {
                is_intact &= !slot.has_more;
                let octets = self.assembled.len() - start;
                if !is_intact {
                    self.assembled.truncate(start);
                }
                return Assembly::Done(next, is_intact.then_some((start, octets)));
            }
        }
        self.assembled.truncate(start);
        // One slot of a ring always stays free. If all others hold this packet, its end cannot come.
        if slots + 1 >= ring.slots || self.is_closed() {
            return Assembly::Done(tail, None);
        }
        Assembly::Unfinished
    }

    /// Copies octets behind those that were put together; returns where they begin.
    fn append(&mut self, memory: &Memory, from: usize, octets: usize) -> usize {
        let start = self.assembled.len();
        // `Ring::slot` has found them inside.
        self.assembled.extend_from_slice(memory.octets(from, from + octets).unwrap_or(&[]));
        start
    }
}

/// A packet of several slots.
enum Assembly {
    /// The slot after it, and where it lies in the buffer; nowhere if it was damaged.
    Done(u32, Option<(usize, usize)>),
    /// Its last slot has not come yet.
    Unfinished,
}

impl Ring {
    fn find(memory: &Memory, at: usize) -> Result<Self, String> {
        let number = |field| {
            let place = at.saturating_add(field);
            memory.read_u32(place).ok_or_else(|| outside(place, memory))
        };
        let long = |field| {
            let place = at.saturating_add(field);
            memory.read_u64(place).ok_or_else(|| outside(place, memory))
        };
        // Head and its neighbours are words, and slots are read as words of eight octets.
        let (slots, buffer_size, offset) =
            (number(RING_SLOTS)?, number(RING_BUFFER_SIZE)?, long(RING_BUFFERS)?);
        if memory.read_u16(at + RING_DIRECTION) != Some(1) {
            return Err(format!("ring at offset {at} is no receive ring"));
        }
        let end = (slots as usize)
            .checked_mul(SLOT)
            .and_then(|octets| octets.checked_add(at + RING_SLOT));
        if slots < 2 || end.is_none_or(|end| end > memory.len()) {
            return Err(format!(
                "ring at offset {at} has {slots} slots, expected two at least and no more than the memory's {} octets hold",
                memory.len()
            ));
        }
        if buffer_size == 0 {
            return Err(format!(
                "ring at offset {at} has buffers of 0 octets, expected 2048 or so"
            ));
        }
        // The offset is signed.
        let buffers = (at as u64).wrapping_add(offset);
        let buffers = usize::try_from(buffers).ok().filter(|buffers| *buffers < memory.len());
        let buffers =
            buffers.ok_or_else(|| outside_at(at, (at as u64).wrapping_add(offset), memory))?;
        Ok(Self { at, slots, buffers, buffer_size, offset_mask: long(RING_OFFSET_MASK)? })
    }

    fn after(&self, slot: u32) -> u32 {
        if slot + 1 < self.slots { slot + 1 } else { 0 }
    }

    fn slot_at(&self, slot: u32) -> usize {
        self.at + RING_SLOT + slot as usize * SLOT
    }

    /// Head, cur or tail.
    fn position(&self, memory: &Memory, field: usize, what: &str) -> Result<u32, String> {
        let at = self.at + field;
        match memory.read_u32(at) {
            Some(slot) if slot < self.slots => Ok(slot),
            found => Err(format!(
                "{what} of the ring at offset {} is {}, expected less than its {} slots",
                self.at,
                found.map_or_else(|| "nowhere".to_owned(), |slot| slot.to_string()),
                self.slots
            )),
        }
    }

    fn slot(&self, memory: &Memory, slot: u32) -> Slot {
        let at = self.slot_at(slot);
        // `find` has found all slots inside, so nothing is absent here.
        let word = memory.read_u64(at).unwrap_or(0);
        let [b0, b1, b2, b3, l0, l1, f0, f1] = word.to_ne_bytes();
        let buffer = u32::from_ne_bytes([b0, b1, b2, b3]);
        let octets = usize::from(u16::from_ne_bytes([l0, l1]));
        let flags = u16::from_ne_bytes([f0, f1]);
        let offset = match self.offset_mask {
            0 => 0,
            mask => memory.read_u64(at + 8).unwrap_or(0) & mask,
        };
        let place = |buffers: usize| {
            let offset = usize::try_from(offset).ok()?;
            if offset.checked_add(octets)? > self.buffer_size as usize {
                return None;
            }
            let start = (buffer as usize)
                .checked_mul(self.buffer_size as usize)?
                .checked_add(buffers)?
                .checked_add(offset)?;
            Some(start)
        };
        // Buffers 0 and 1 are the kernel's own: what has none lies there.
        let start = if buffer < 2 { None } else { place(self.buffers) };
        Slot {
            octets: start
                .filter(|start| start.checked_add(octets).is_some_and(|end| end <= memory.len()))
                .map(|start| (start, octets)),
            has_more: flags & NS_MOREFRAG != 0,
        }
    }

    /// When the kernel last synchronised this ring, if it says so.
    fn time(&self, memory: &Memory) -> Option<Timestamp> {
        if memory.read_u32(self.at + RING_FLAGS)? & NR_TIMESTAMP == 0 {
            return None;
        }
        let seconds = memory.read_u64(self.at + RING_SECONDS)?.cast_signed();
        let micros = memory.read_u64(self.at + RING_MICROSECONDS)?.cast_signed();
        let is_time = seconds > 0 && (0..1_000_000).contains(&micros);
        is_time.then(|| Timestamp::from_secs(seconds).plus_micros(micros))
    }
}

fn outside(at: usize, memory: &Memory) -> String {
    format!("offset {at} is outside of the memory's {} octets or not aligned", memory.len())
}

fn outside_at(at: usize, found: u64, memory: &Memory) -> String {
    format!(
        "what is at offset {at} points to offset {found}, expected one in the memory's {} octets",
        memory.len()
    )
}
