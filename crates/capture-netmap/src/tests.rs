//! The walk over the rings, with a kernel that is played here. It has the layout's numbers written out once more, and it holds
//! the reader to netmap's rules: head and cur only move forward and never past tail, and a buffer that was given back is
//! overwritten.

use std::collections::VecDeque;
use std::path::Path;

use memmap2::{MmapMut, MmapOptions};
use proptest::prelude::*;

use super::*;

/// Where the interface is described.
const INTERFACE: usize = 8192;
const RINGS: usize = 16_384;
const BUFFER: usize = 2048;
const SECONDS: u64 = 1_700_000_000;

/// A packet as it lies in slots: one part for each.
type Parts = Vec<Vec<u8>>;

/// How the memory is laid out.
#[derive(Clone, Copy, Debug)]
struct Plan {
    tx: u32,
    rx: u32,
    host: u32,
    slots: u32,
    /// Distance of one ring's buffers from the next one's.
    spread: usize,
    /// Octets before a packet in its buffer.
    offset: usize,
    /// Whether the rings of the host are bound.
    bind_host: bool,
}

const PLAN: Plan =
    Plan { tx: 2, rx: 2, host: 1, slots: 16, spread: 1 << 20, offset: 0, bind_host: false };

/// What the kernel has of a ring.
#[derive(Debug)]
struct KernelRing {
    at: usize,
    slots: u32,
    first_buffer: usize,
    /// Slots from here on, up to tail, are the program's.
    current: u32,
    tail: u32,
    arriving: VecDeque<(Vec<u8>, bool)>,
    /// Flags of slots that were given back.
    returned: Vec<u16>,
}

#[derive(Debug)]
struct Kernel {
    rings: Vec<KernelRing>,
    buffers: usize,
    plan: Plan,
    micros: u64,
    waits: u32,
    answers: VecDeque<io::Result<Waited>>,
    /// Slots to fill in one wait.
    at_once: usize,
}

impl Kernel {
    fn after(slot: u32, slots: u32) -> u32 {
        (slot + 1) % slots
    }

    /// Packets that arrive at a ring.
    fn arrive(&mut self, ring: usize, packets: &[Parts]) {
        for parts in packets {
            for (index, part) in parts.iter().enumerate() {
                self.rings[ring].arriving.push_back((part.clone(), index + 1 < parts.len()));
            }
        }
    }

    fn sync(&mut self, memory: &Memory) {
        self.micros += 1;
        for ring in &mut self.rings {
            let head = memory.read_u32(ring.at + 20).unwrap();
            let cur = memory.read_u32(ring.at + 24).unwrap();
            let distance = |to: u32| (to + ring.slots - ring.current) % ring.slots;
            assert!(head < ring.slots && cur < ring.slots, "head {head}, cur {cur}");
            assert!(distance(head) <= distance(cur), "head {head} past cur {cur}");
            assert!(distance(cur) <= distance(ring.tail), "cur {cur} past tail {}", ring.tail);
            assert_eq!(memory.read_u32(ring.at + 28), Some(ring.tail), "tail is the kernel's");
            while ring.current != head {
                let slot = ring.at + 256 + ring.current as usize * 16;
                ring.returned.push(memory.read_u16(slot + 6).unwrap());
                let buffer = memory.read_u32(slot).unwrap() as usize;
                // Tests put other numbers there.
                if (2..memory.len() / BUFFER - self.buffers / BUFFER).contains(&buffer) {
                    memory.write_octets(self.buffers + buffer * BUFFER, &[0xee; BUFFER]);
                }
                ring.current = Self::after(ring.current, ring.slots);
            }
            for _ in 0..self.at_once {
                let next = Self::after(ring.tail, ring.slots);
                if next == ring.current {
                    break;
                }
                let Some((octets, has_more)) = ring.arriving.pop_front() else { break };
                // Buffers in an order of their own.
                let buffer = ring.first_buffer + (ring.slots - 1 - ring.tail) as usize;
                let slot = ring.at + 256 + ring.tail as usize * 16;
                memory.write_u32(slot, buffer as u32);
                memory.write_u16(slot + 4, octets.len() as u16);
                memory.write_u16(slot + 6, if has_more { 0x20 } else { 0 });
                // What is above the mask is the program's business.
                memory.write_u64(slot + 8, 0xabcd_0000_0000_0000 | self.plan.offset as u64);
                memory.write_octets(self.buffers + buffer * BUFFER + self.plan.offset, &octets);
                ring.tail = next;
            }
            memory.write_u32(ring.at + 28, ring.tail);
            memory.write_u64(ring.at + 40, SECONDS);
            memory.write_u64(ring.at + 48, self.micros);
        }
    }

    fn is_done(&self) -> bool {
        self.rings.iter().all(|ring| ring.arriving.is_empty())
    }
}

impl Port for Kernel {
    fn wait(&mut self, memory: &Memory, _timeout: Duration) -> io::Result<Waited> {
        self.waits += 1;
        match self.answers.pop_front() {
            None | Some(Ok(Waited::Synced)) => {
                self.sync(memory);
                Ok(Waited::Synced)
            }
            Some(answer) => answer,
        }
    }
}

/// Lays out a port's memory.
fn lay_out(map: MmapMut, plan: Plan) -> (Memory, Kernel) {
    let memory = Memory::new(map.into());
    memory.write_octets(INTERFACE, b"em0\0");
    for (field, number) in [(24, plan.tx), (28, plan.rx), (36, plan.host), (40, plan.host)] {
        memory.write_u32(INTERFACE + field, number);
    }
    let host = plan.host.max(1);
    let (transmit, receive) = (plan.tx + host, plan.rx + host);
    let size = 256 + plan.slots as usize * 16;
    let end = RINGS + (transmit + receive) as usize * size;
    let buffers = end.next_multiple_of(4096);
    let mut rings = Vec::new();
    for index in 0..transmit + receive {
        let is_receive = index >= transmit;
        let is_host = if is_receive { index >= transmit + plan.rx } else { index >= plan.tx };
        if is_host && !plan.bind_host {
            continue;
        }
        let at = RINGS + index as usize * size;
        memory.write_u64(INTERFACE + 56 + index as usize * 8, (at - INTERFACE) as u64);
        memory.write_u64(at, (buffers - at) as u64);
        memory.write_u32(at + 8, plan.slots);
        memory.write_u32(at + 12, BUFFER as u32);
        memory.write_u16(at + 18, u16::from(is_receive));
        memory.write_u64(at + 56, if plan.offset == 0 { 0 } else { 0xffff });
        if is_receive {
            let first_buffer = 2 + rings.len() * plan.spread / BUFFER;
            rings.push(KernelRing {
                at,
                slots: plan.slots,
                first_buffer,
                current: 0,
                tail: 0,
                arriving: VecDeque::new(),
                returned: Vec::new(),
            });
        }
    }
    let (answers, at_once) = (VecDeque::new(), usize::MAX);
    (memory, Kernel { rings, buffers, plan, micros: 0, waits: 0, answers, at_once })
}

fn source_of(plan: Plan, map: MmapMut, forward: bool, snaplen: u32) -> Source<Kernel> {
    let (memory, kernel) = lay_out(map, plan);
    let rings = Rings::find(&memory, INTERFACE as u64, forward, snaplen).unwrap();
    Source::new("em0", memory, rings, kernel, Duration::from_secs(1))
}

fn source(plan: Plan) -> Source<Kernel> {
    source_of(plan, MmapMut::map_anon(16 << 20).unwrap(), plan.bind_host, u32::MAX)
}

/// A packet with content of its own, in parts of these lengths.
fn packet(number: u8, lengths: &[usize]) -> Parts {
    let mut octet = number;
    lengths
        .iter()
        .map(|length| {
            (0..*length)
                .map(|_| {
                    octet = octet.wrapping_mul(5).wrapping_add(number | 1);
                    octet
                })
                .collect()
        })
        .collect()
}

fn octets<'a>(lent: &'a [u8], packet: &PacketRef) -> &'a [u8] {
    &lent[packet.offset as usize..][..packet.captured as usize]
}

/// The octets of everything that comes until nothing does.
fn drain(source: &mut Source<Kernel>) -> Vec<Vec<u8>> {
    let (mut packets, mut all) = (Vec::new(), Vec::new());
    let (mut idle, mut turns) = (0, 0);
    while idle < 3 {
        turns += 1;
        assert!(turns < 10_000, "the rings never get empty");
        let lent = source.next(Duration::ZERO, &mut packets).unwrap();
        all.extend(packets.iter().map(|packet| octets(lent, packet).to_vec()));
        idle = if packets.is_empty() && source.port.is_done() { idle + 1 } else { 0 };
    }
    all
}

fn joined(packets: &[Parts]) -> Vec<Vec<u8>> {
    packets.iter().map(|parts| parts.concat()).collect()
}

#[test]
fn packets_of_all_rings_are_lent_in_place() {
    let mut source = source(PLAN);
    let packets = [packet(1, &[60]), packet(2, &[1514]), packet(3, &[0]), packet(4, &[BUFFER])];
    source.port.arrive(0, &packets[..2]);
    source.port.arrive(1, &packets[2..]);
    let mut found = Vec::new();
    for expected in [&packets[..2], &packets[2..]] {
        let lent = source.next(Duration::ZERO, &mut found).unwrap();
        let seen: Vec<_> = found.iter().map(|packet| octets(lent, packet).to_vec()).collect();
        assert_eq!(seen, joined(expected));
        for packet in &found {
            assert_eq!(packet.time, Timestamp::from_secs(SECONDS as i64).plus_micros(1));
            assert_eq!(
                (packet.wire, packet.link),
                (packet.captured, rockfish_packet::LinkType::Ethernet)
            );
        }
    }
    assert_eq!(source.port.waits, 1, "both rings were filled by one wait");
    assert!(source.port.rings.iter().all(|ring| ring.returned.is_empty()));
    assert!(source.next(Duration::ZERO, &mut found).unwrap().is_empty());
    assert_eq!(
        source.port.rings.iter().map(|ring| ring.returned.len()).collect::<Vec<_>>(),
        [2, 2]
    );
    assert_eq!(source.counters(), LiveCounters { received: 4, ..LiveCounters::default() });
}

#[test]
fn rings_wrap_around_and_no_ring_starves_another() {
    let mut source = source(Plan { rx: 3, ..PLAN });
    let packets: Vec<Vec<Parts>> = (0..3u8)
        .map(|ring| (0..200u8).map(|n| packet(n ^ ring << 6, &[64 + usize::from(n)])).collect())
        .collect();
    for (ring, packets) in packets.iter().enumerate() {
        source.port.arrive(ring, packets);
    }
    let (mut found, mut order, mut seen) = (Vec::new(), Vec::new(), vec![Vec::new(); 3]);
    while seen.iter().map(Vec::len).sum::<usize>() < 600 {
        let lent = source.next(Duration::ZERO, &mut found).unwrap();
        assert!(!found.is_empty());
        let all: Vec<_> = found.iter().map(|packet| octets(lent, packet).to_vec()).collect();
        let ring = (0..3)
            .find(|ring| packets[*ring][seen[*ring].len()..].starts_with(&[vec![all[0].clone()]]))
            .unwrap();
        order.push(ring);
        seen[ring].extend(all);
    }
    for (seen, packets) in seen.iter().zip(&packets) {
        assert_eq!(*seen, joined(packets));
    }
    assert!(order.chunks_exact(3).all(|turns| turns == [0, 1, 2]), "{order:?}");
}

#[test]
fn slots_go_back_while_other_rings_have_packets() {
    let mut source = source(Plan { rx: 2, slots: 512, ..PLAN });
    let packets: Vec<Parts> = (0..255).map(|n| packet(n, &[60])).collect();
    for ring in [0, 1] {
        source.port.arrive(ring, &packets);
        source.port.arrive(ring, &packets);
    }
    let mut found = Vec::new();
    source.next(Duration::ZERO, &mut found).unwrap();
    assert_eq!((found.len(), source.port.waits), (510, 1));
    source.next(Duration::ZERO, &mut found).unwrap();
    assert_eq!((found.len(), source.port.waits), (510, 2));
    assert_eq!(source.port.rings[0].returned.len(), 510);
}

#[test]
fn snaplen_cuts_what_is_delivered_and_not_what_was_on_the_wire() {
    let mut source = source_of(PLAN, MmapMut::map_anon(16 << 20).unwrap(), false, 10);
    source.port.arrive(0, &[packet(1, &[60]), packet(2, &[2000, 500])]);
    let mut found = Vec::new();
    for expected in [(60, packet(1, &[60])), (2500, packet(2, &[2000]))] {
        let lent = source.next(Duration::ZERO, &mut found).unwrap();
        assert_eq!((octets(lent, &found[0]), found[0].wire), (&expected.1[0][..10], expected.0));
    }
}

/// Packets by the lengths of their parts, slots of the ring, slots that come at once, errors.
#[test]
fn packets_of_several_slots_are_put_together() {
    let long = vec![BUFFER; 64];
    let too_long = vec![100; 65];
    let fits = [100; 15];
    let cases: [(&[&[usize]], u32, usize, u64); 9] = [
        (&[&[2048, 2048, 900]], 16, usize::MAX, 0),
        (&[&[60], &[2048, 1], &[70], &[2048, 2048], &[80], &[90]], 16, usize::MAX, 0),
        (&[&[2048, 1], &[60], &[2048, 0, 3]], 16, 1, 0),
        (&[&[60], &[2048, 2048, 2048, 1], &[61], &[62]], 16, 3, 0),
        (&[&[60], &long, &[61]], 128, 10, 0),
        // One slot of a ring stays free.
        (&[&fits, &[60]], 16, 4, 0),
        // One part too many for the ring, and one too many at all: what is left of it looks like a packet.
        (&[&[60], &[100; 16], &[61]], 16, 4, 1),
        (&[&too_long, &[60]], 128, usize::MAX, 1),
        // More than is put together at once.
        (&[&long, &long, &long, &[60]], 256, usize::MAX, 0),
    ];
    for (lengths, slots, at_once, errors) in cases {
        let mut source = source(Plan { rx: 1, slots, ..PLAN });
        let packets: Vec<_> =
            lengths.iter().enumerate().map(|(n, lengths)| packet(n as u8, lengths)).collect();
        source.port.at_once = at_once;
        source.port.arrive(0, &packets);
        let seen = drain(&mut source);
        let mut expected = joined(&packets);
        if errors > 0 {
            // The last part alone is left.
            let damaged = lengths.iter().position(|lengths| lengths.len() > 15).unwrap();
            expected[damaged] = packets[damaged].last().unwrap().clone();
        }
        assert_eq!(seen, expected, "{lengths:?}");
        let counters = source.counters();
        assert_eq!((counters.received, counters.errors), (seen.len() as u64 + errors, errors));
        let slots: usize = lengths.iter().map(|lengths| lengths.len()).sum();
        assert_eq!(source.port.rings[0].returned.len(), slots);
    }
}

/// A wait ends when tail has moved past cur, so cur must not stay behind, or the wait for the end of a packet is none.
#[test]
fn an_unfinished_packet_is_waited_for() {
    let mut source = source(Plan { rx: 1, ..PLAN });
    let (first, second) = (packet(1, &[60]), packet(2, &[2048, 2048, 7]));
    source.port.at_once = 3;
    source.port.arrive(0, &[first.clone(), second.clone()]);
    let mut found = Vec::new();
    let lent = source.next(Duration::ZERO, &mut found).unwrap();
    assert_eq!((found.len(), octets(lent, &found[0])), (1, &first[0][..]));
    source.port.answers.push_back(Ok(Waited::Interrupted));
    assert!(source.next(Duration::ZERO, &mut found).unwrap().is_empty());
    let at = source.port.rings[0].at;
    let positions = [20, 24, 28].map(|field| source.memory.read_u32(at + field).unwrap());
    assert_eq!(positions, [1, 3, 3], "head, cur and tail");
    let lent = source.next(Duration::ZERO, &mut found).unwrap();
    assert_eq!((found.len(), octets(lent, &found[0])), (1, &second.concat()[..]));
}

#[test]
fn offsets_in_buffers_are_honoured() {
    let mut source = source(Plan { offset: 64, ..PLAN });
    source.port.arrive(0, &[packet(1, &[60]), packet(2, &[BUFFER - 64])]);
    assert_eq!(drain(&mut source), joined(&[packet(1, &[60]), packet(2, &[BUFFER - 64])]));
}

#[test]
fn buffers_more_than_four_gibibytes_apart_are_lent_apart() {
    let Ok(map) = MmapOptions::new().len(10 << 30).no_reserve_swap().map_anon() else {
        eprintln!("skipped: there is no room for a sparse map of 10 GiB");
        return;
    };
    let plan = Plan { rx: 2, spread: 5 << 30, ..PLAN };
    let mut source = source_of(plan, map, false, u32::MAX);
    let packets: Vec<_> = (0..6).map(|n| packet(n, &[60 + usize::from(n)])).collect();
    source.port.arrive(0, &packets);
    source.port.arrive(1, &packets);
    let mut found = Vec::new();
    let mut seen = Vec::new();
    source.port.sync(&source.memory);
    // Every second packet of the first ring lies where the second ring's buffers are, and the other way round.
    let [first, second] = [0, 1].map(|ring| source.port.rings[ring].at);
    for slot in [1, 3, 5] {
        let at = |ring: usize| ring + 256 + slot * 16;
        let (one, other) = (source.memory.read_u32(at(first)), source.memory.read_u32(at(second)));
        source.memory.write_u32(at(first), other.unwrap());
        source.memory.write_u32(at(second), one.unwrap());
    }
    for _ in 0..12 {
        let lent = source.next(Duration::ZERO, &mut found).unwrap();
        assert_eq!(found.len(), 1);
        seen.push(octets(lent, &found[0]).to_vec());
    }
    seen.sort();
    let mut expected = joined(&[packets.clone(), packets].concat());
    expected.sort();
    assert_eq!(seen, expected);
}

/// What is written over a slot's buffer number and length, and whether its packet is damaged.
#[test]
fn slots_that_contradict_themselves_are_errors() {
    let cases = [
        (Some(0), None, true),
        (Some(1), None, true),
        (Some(u32::MAX), None, true),
        (Some(16 << 20), None, true),
        (None, Some(BUFFER as u16 + 1), true),
        (None, Some(u16::MAX), true),
        (None, Some(BUFFER as u16), false),
        (None, Some(0), false),
    ];
    for (buffer, length, is_damaged) in cases {
        for flags in [0, 0x20] {
            let mut source = source(Plan { rx: 1, ..PLAN });
            let packets = [packet(1, &[60]), packet(2, &[70]), packet(3, &[80])];
            source.port.arrive(0, &packets);
            source.port.sync(&source.memory);
            let slot = source.port.rings[0].at + 256 + 16;
            source.memory.write_u16(slot + 6, flags);
            if let Some(buffer) = buffer {
                source.memory.write_u32(slot, buffer);
            }
            if let Some(length) = length {
                source.memory.write_u16(slot + 4, length);
            }
            let seen = drain(&mut source);
            let packets = if flags == 0 { 3 } else { 2 };
            let counters = source.counters();
            assert_eq!(counters.errors, u64::from(is_damaged), "{buffer:?} {length:?}");
            assert_eq!(
                (counters.received, seen.len() as u64),
                (packets, packets - counters.errors)
            );
            assert_eq!(source.port.rings[0].returned.len(), 3);
        }
    }
}

#[test]
fn a_ring_of_damaged_packets_does_not_hide_what_follows() {
    let mut source = source(PLAN);
    source.port.arrive(0, &vec![packet(1, &[60]); 15]);
    source.port.arrive(1, &[packet(2, &[61])]);
    source.port.sync(&source.memory);
    for slot in 0..15 {
        source.memory.write_u32(source.port.rings[0].at + 256 + slot * 16, 0);
    }
    let mut found = Vec::new();
    let lent = source.next(Duration::ZERO, &mut found).unwrap();
    assert_eq!(octets(lent, &found[0]), &packet(2, &[61])[0]);
    assert_eq!((source.counters().received, source.counters().errors), (16, 15));
}

#[test]
fn with_the_hosts_rings_everything_is_passed_on() {
    for bind_host in [false, true] {
        let mut source = source(Plan { rx: 1, slots: 8, bind_host, ..PLAN });
        let rings = source.port.rings.len();
        assert_eq!(rings, if bind_host { 2 } else { 1 });
        let packets: Vec<_> = (0..20).map(|n| packet(n, &[60])).collect();
        for ring in 0..rings {
            source.port.arrive(ring, &packets);
        }
        assert_eq!(drain(&mut source).len(), 20 * rings);
        for ring in &source.port.rings {
            let expected = if bind_host { 4 } else { 0 };
            assert_eq!(ring.returned, vec![expected; 20]);
            assert_eq!(source.memory.read_u32(ring.at + 32), Some(2 | expected as u32));
        }
    }
}

#[test]
fn an_older_kernel_names_no_rings_of_the_host() {
    let mut source = source(Plan { host: 0, bind_host: true, ..PLAN });
    assert_eq!(source.port.rings.len(), 3);
    source.port.arrive(2, &[packet(1, &[60])]);
    assert_eq!(drain(&mut source), joined(&[packet(1, &[60])]));
}

#[test]
fn without_a_time_from_the_kernel_the_clock_counts() {
    // Flags, seconds, microseconds, and whether these are the packets' time.
    let cases = [
        (2, 5, 7, true),
        (0, 5, 7, false),
        (2, 0, 7, false),
        (2, 5, 1_000_000, false),
        (2, u64::MAX, 7, false),
    ];
    for (flags, seconds, micros, counts) in cases {
        let mut source = source(PLAN);
        source.port.arrive(0, &[packet(1, &[60])]);
        source.port.sync(&source.memory);
        let at = source.port.rings[0].at;
        source.memory.write_u32(at + 32, flags);
        source.memory.write_u64(at + 40, seconds);
        source.memory.write_u64(at + 48, micros);
        source.clock = Timestamp::from_secs(99);
        let mut found = Vec::new();
        source.next(Duration::ZERO, &mut found).unwrap();
        let expected =
            if counts { Timestamp::from_micros(5_000_007) } else { Timestamp::from_secs(99) };
        assert_eq!(found[0].time, expected);
    }
}

#[test]
fn closing_intake_leaves_what_comes_after() {
    let mut source = source(PLAN);
    let packets: Vec<_> = (0..10).map(|n| packet(n, &[60])).collect();
    source.port.arrive(0, &packets[..3]);
    source.port.arrive(1, &packets[3..6]);
    // The end of this one never comes.
    source.port.arrive(1, &[packet(9, &[100, 100, 100])]);
    source.port.rings[1].arriving.pop_back();
    source.port.sync(&source.memory);
    source.close_intake();
    source.port.arrive(0, &packets[6..]);
    source.port.sync(&source.memory);
    source.close_intake();
    let mut found = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..5 {
        let lent = source.next(Duration::MAX, &mut found).unwrap();
        seen.extend(found.iter().map(|packet| octets(lent, packet).to_vec()));
    }
    assert_eq!(seen, joined(&packets[..6]));
    assert!(found.is_empty());
    assert_eq!((source.counters().received, source.counters().errors), (7, 1));
    assert_eq!(source.port.waits, 0);
}

#[test]
fn the_end_of_a_wait_is_told_apart() {
    let mut found = Vec::new();
    let mut source = source(PLAN);
    source.port.answers.push_back(Ok(Waited::Interrupted));
    assert!(source.next(Duration::ZERO, &mut found).unwrap().is_empty());
    source.port.answers.push_back(Ok(Waited::Broken));
    let error = source.next(Duration::ZERO, &mut found).unwrap_err();
    assert!(matches!(error, LiveError::Gone { .. }) && error.may_pass(), "{error}");
    source.port.answers.push_back(Err(io::Error::from_raw_os_error(5)));
    let error = source.next(Duration::ZERO, &mut found).unwrap_err();
    assert_eq!(error.to_string(), "em0: waiting for packets failed");
}

#[test]
fn memory_that_contradicts_itself_is_named() {
    type Act = fn(&Memory, usize);
    let cases: [(Act, &str); 12] = [
        (
            |memory, _| memory.write_u32(INTERFACE + 28, 5000),
            "5000 receive rings at offset 8220, expected at most 4096",
        ),
        (
            |memory, _| memory.write_u32(INTERFACE + 24, u32::MAX),
            "4294967295 transmit rings at offset 8216",
        ),
        (
            |memory, _| memory.write_u32(INTERFACE + 40, 5000),
            "5000 host receive rings at offset 8232",
        ),
        (
            |memory, _| memory.write_u64(INTERFACE + 56 + 3 * 8, u64::MAX),
            "is outside of the memory's 16777216 octets or not aligned",
        ),
        (
            |memory, _| memory.write_u64(INTERFACE + 56 + 3 * 8, 1 << 40),
            "is outside of the memory's 16777216 octets",
        ),
        (|memory, _| memory.write_u64(INTERFACE + 56 + 3 * 8, 1), "or not aligned"),
        (|memory, at| memory.write_u16(at + 18, 0), "is no receive ring"),
        (|memory, at| memory.write_u32(at + 8, 1), "has 1 slots, expected two at least"),
        (|memory, at| memory.write_u32(at + 8, u32::MAX), "has 4294967295 slots"),
        (|memory, at| memory.write_u32(at + 8, 17), "begins before the one at offset"),
        (|memory, at| memory.write_u32(at + 12, 0), "has buffers of 0 octets"),
        (
            |memory, at| memory.write_u64(at, 1 << 50),
            "expected one in the memory's 16777216 octets",
        ),
    ];
    for (act, expected) in cases {
        let (memory, kernel) = lay_out(MmapMut::map_anon(16 << 20).unwrap(), PLAN);
        act(&memory, kernel.rings[0].at);
        let error = Rings::find(&memory, INTERFACE as u64, false, 0).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let (memory, _) = lay_out(MmapMut::map_anon(16 << 20).unwrap(), PLAN);
    for at in [u64::MAX, 16 << 20, 1, (16 << 20) - 8] {
        assert!(Rings::find(&memory, at, false, 0).is_err(), "{at}");
    }
    assert!(Rings::find(&memory, 0, false, 0).unwrap_err().contains("no receive ring"));
    for (field, name) in [(20, "head"), (24, "cur"), (28, "tail")] {
        let mut source = source(PLAN);
        source.memory.write_u32(source.port.rings[0].at + field, 16);
        let error = source.next(Duration::ZERO, &mut Vec::new()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            cause.starts_with(name) && cause.ends_with("is 16, expected less than its 16 slots"),
            "{cause}"
        );
    }
}

#[test]
fn names_of_ports() {
    for (interface, name) in [
        ("em0", "em0"),
        ("netmap:em0", "em0"),
        ("vale0:1", "vale0:1"),
        ("netmap:vale0:1", "vale0:1"),
    ] {
        assert_eq!(port_name(interface).unwrap(), name);
    }
    let long = "e".repeat(64);
    for (interface, expected) in [
        ("", "no interface's name"),
        ("netmap:", "no interface's name"),
        ("em\0", "no interface's name"),
        (&long, "a name of 64 octets, expected less than 64"),
    ] {
        assert!(port_name(interface).unwrap_err().to_string().contains(expected));
    }
}

#[test]
fn what_the_kernel_refuses_is_told_apart() {
    let cases = [
        (Errno::NXIO, "em0: no such interface", true),
        (
            Errno::PERM,
            "em0: registering the interface with netmap: not permitted, root is needed",
            true,
        ),
        (Errno::BUSY, "em0: something else has it in netmap mode or in a switch", true),
        (Errno::INVAL, "expected netmap API 14 and numbers of slots", true),
        (Errno::OPNOTSUPP, "em0: its driver has no netmap support", true),
        (Errno::NOMEM, "em0: registering the interface with netmap failed", false),
    ];
    for (errno, expected, is_usage) in cases {
        let error = not_registered("em0", errno.into());
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.is_usage(), is_usage);
    }
}

#[test]
fn without_the_device_there_is_no_netmap() {
    if Path::new(Device::PATH).exists() {
        eprintln!("skipped: there is a netmap device");
        return;
    }
    let config = NetmapConfig { interface: "netmap:em0".to_owned(), ..NetmapConfig::default() };
    let error = Netmap::open(&config).unwrap_err().to_string();
    assert_eq!(error, "em0: there is no /dev/netmap, expected a kernel with netmap");
}

fn packets() -> impl Strategy<Value = Vec<Parts>> {
    let lengths = prop_oneof![
        4 => prop::collection::vec(0..=BUFFER, 1..=1),
        1 => prop::collection::vec(0..=BUFFER, 2..6),
    ];
    let packet = (any::<u8>(), lengths).prop_map(|(number, lengths)| packet(number, &lengths));
    prop::collection::vec(packet, 0..40)
}

proptest! {
    /// Whatever comes and however it is cut into waits: each ring's packets in their order, none lost, none twice.
    #[test]
    fn every_packet_is_lent_once(
        packets in packets(),
        at_once in 1..20usize,
        slots in 7..20u32,
        bind_host in any::<bool>(),
    ) {
        let mut source = source(Plan { rx: 1, slots, bind_host, ..PLAN });
        source.port.at_once = at_once;
        source.port.arrive(0, &packets);
        prop_assert_eq!(drain(&mut source), joined(&packets));
        let counters = source.counters();
        prop_assert_eq!((counters.received, counters.errors), (packets.len() as u64, 0));
    }

    /// Whatever is in the memory: an error, or packets that lie in what was lent.
    #[test]
    fn no_memory_makes_the_reader_panic(
        damage in prop::collection::vec(
            (
                prop_oneof![
                    (0..24usize).prop_map(|word| INTERFACE + word * 4),
                    // The rings' heads and first slots.
                    (0..8usize, prop_oneof![0..18usize, 64..76usize])
                        .prop_map(|(ring, word)| RINGS + ring * 512 + word * 4),
                ],
                prop_oneof![any::<u32>(), 0..64u32, Just(u32::MAX)],
            ),
            0..6,
        ),
        is_early in any::<bool>(),
        packets in packets(),
        interface_at in prop_oneof![9 => Just(INTERFACE as u64), 1 => 0..(1u64 << 24)],
    ) {
        let (memory, mut kernel) = lay_out(MmapMut::map_anon(16 << 20).unwrap(), Plan { rx: 3, ..PLAN });
        for ring in 0..3 {
            kernel.arrive(ring, &packets);
        }
        kernel.sync(&memory);
        // After the damage nobody looks after the rings any more.
        kernel.answers.extend((0..100).map(|_| Ok(Waited::Interrupted)));
        let spoil = |memory: &Memory| {
            for (at, value) in &damage {
                memory.write_u32(*at, *value);
            }
        };
        if is_early {
            spoil(&memory);
        }
        let Ok(rings) = Rings::find(&memory, interface_at, true, 1000) else { return Ok(()) };
        let mut source = Source::new("em0", memory, rings, kernel, Duration::ZERO);
        if !is_early {
            spoil(&source.memory);
        }
        let (mut found, mut delivered) = (Vec::new(), 0);
        for turn in 0..40 {
            if turn == 20 {
                source.close_intake();
            }
            // A wait of no consequence, lest the kernel finds its own rules broken.
            source.rings.returned();
            let Ok(lent) = source.next(Duration::ZERO, &mut found) else { break };
            for packet in &found {
                prop_assert!(packet.offset as usize + packet.captured as usize <= lent.len());
            }
            delivered += found.len() as u64;
            let counters = source.counters();
            prop_assert_eq!(counters.received, delivered + counters.errors);
        }
    }
}
