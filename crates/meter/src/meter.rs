//! The flow table and what moves flows through it.

use rockfish_flow::{EndReason, FlowRecord, TcpFlags, Timestamp};
use rockfish_packet::{FlowKey, HashSeed, Packet, PacketBatch};
use rockfish_payload::{SampleStore, entropy};

use crate::flow::Flow;
use crate::inspect::{Inspector, Seen};
use crate::namesakes::{Namesake, Namesakes};
use crate::slab::Slab;
use crate::table::{NONE, Table};
use crate::wheel::Wheel;

/// Packets looked up together, so that their cache misses overlap.
const LOOKAHEAD: usize = 32;

/// Entries of timers or ended flows that are not worth looking through.
const FEW_ENTRIES: usize = 1 << 16;

/// What a [`Meter`] goes by.
#[derive(Clone, Debug)]
pub struct MeterConfig {
    /// Microseconds without a packet after which a flow ends.
    pub idle_timeout_us: i64,
    /// Microseconds from its first packet after which a flow is exported and goes on in a further record.
    pub active_timeout_us: i64,
    /// Flows in the table at most; 0 for no limit.
    pub max_flows: usize,
    /// Payload octets of each direction that entropy is taken over.
    pub max_payload: u16,
    /// Note MAC addresses.
    pub mac: bool,
    /// Microseconds for which an ended TCP flow takes in late packets; 0 for none.
    pub tcp_linger_us: i64,
}

impl Default for MeterConfig {
    fn default() -> Self {
        Self {
            idle_timeout_us: 300_000_000,
            active_timeout_us: 1_800_000_000,
            max_flows: 0,
            max_payload: 500,
            mac: true,
            tcp_linger_us: 2_000_000,
        }
    }
}

/// What a [`Meter`] has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MeterCounters {
    /// Packets metered; fragments count one by one.
    pub packets: u64,
    /// IP octets metered.
    pub octets: u64,
    /// Records by end reason, in the order of [`EndReason::ALL`].
    pub records: [u64; EndReason::ALL.len()],
    /// Flows open now.
    pub open: usize,
    /// Most flows that were open at a time.
    pub peak: usize,
}

impl MeterCounters {
    /// Records handed over.
    pub fn records_total(&self) -> u64 {
        self.records.iter().sum()
    }

    /// Adds those of another meter. The sum of the peaks is what was open at most, or more.
    pub fn add(&mut self, other: &Self) {
        let Self { packets, octets, records, open, peak } = other;
        self.packets += packets;
        self.octets += octets;
        self.open += open;
        self.peak += peak;
        for (sum, part) in self.records.iter_mut().zip(records) {
            *sum += part;
        }
    }
}

/// A flow table: packets in, records out.
pub struct Meter {
    config: MeterConfig,
    seed: HashSeed,
    table: Table,
    flows: Slab,
    wheel: Wheel,
    samples: SampleStore,
    counters: MeterCounters,
    /// The latest tick.
    now: Timestamp,
    /// How often the clock was stepped back.
    steps_back: u16,
    /// The latest packet.
    latest: Timestamp,
    namesakes: Namesakes,
    /// Longest-idle flows, the longest last, collected when the table was full.
    victims: Vec<(Timestamp, u32, u32)>,
    warmth: u64,
    inspector: Option<Box<dyn Inspector>>,
    /// Each slot's number at the inspector, or [`NONE`]. Empty without an inspector.
    inspections: Vec<u32>,
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter")
            .field("config", &self.config)
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

impl Meter {
    /// An empty table for packets whose keys were hashed under `seed`.
    pub fn new(config: MeterConfig, seed: HashSeed) -> Self {
        Self {
            seed,
            table: Table::new(),
            flows: Slab::default(),
            wheel: Wheel::new(),
            samples: SampleStore::new(config.max_payload),
            counters: MeterCounters::default(),
            now: Timestamp::MIN,
            steps_back: 0,
            latest: Timestamp::MIN,
            namesakes: Namesakes::new(late_us(&config), most_namesakes(&config)),
            victims: Vec::new(),
            warmth: 0,
            inspector: None,
            inspections: Vec::new(),
            config,
        }
    }

    /// Looks into flows that begin from now on.
    #[must_use]
    pub fn with_inspector(mut self, inspector: Box<dyn Inspector>) -> Self {
        self.inspector = Some(inspector);
        self
    }

    /// What was done so far.
    pub fn counters(&self) -> MeterCounters {
        MeterCounters { open: self.flows.len(), ..self.counters.clone() }
    }

    /// Octets held: flows, payload samples, timers, and what is remembered of ended flows.
    pub fn memory(&self) -> usize {
        self.flows.memory()
            + self.samples.memory()
            + self.wheel.memory()
            + self.namesakes.memory()
            + self.table.memory()
            + self.inspections.capacity() * size_of::<u32>()
            + self.inspector.as_ref().map_or(0, |inspector| inspector.memory())
    }

    /// Meters the packets of `batch` that `select` names by index, in that order. `block` is what the batch was decoded from.
    pub fn process(
        &mut self,
        batch: &PacketBatch,
        block: &[u8],
        select: &[u32],
        out: &mut Vec<FlowRecord>,
    ) {
        for chunk in select.chunks(LOOKAHEAD) {
            // Passes of independent loads: the processor waits for all of a pass at once, not for one after the other.
            let mut warmth = self.warmth;
            for index in chunk {
                warmth = warmth.wrapping_add(self.table.warm(batch.packets[*index as usize].hash));
            }
            let mut guesses = [NONE; LOOKAHEAD];
            for (guess, index) in guesses.iter_mut().zip(chunk) {
                *guess = self.table.guess(batch.packets[*index as usize].hash);
            }
            for (guess, index) in guesses.iter_mut().zip(chunk) {
                if *guess != NONE {
                    let packet = &batch.packets[*index as usize];
                    let flow = self.flows.get(*guess);
                    if flow.key == packet.key {
                        warmth = warmth.wrapping_add(flow.warm(packet.from_low));
                    } else {
                        *guess = NONE;
                    }
                }
            }
            self.warmth = warmth;
            for (guess, index) in guesses.iter().zip(chunk) {
                let packet = &batch.packets[*index as usize];
                self.packet(packet, *guess, block, &batch.side, out);
            }
        }
    }

    /// Meters all packets of `batch`.
    pub fn process_all(&mut self, batch: &PacketBatch, block: &[u8], out: &mut Vec<FlowRecord>) {
        let all: Vec<u32> = (0..batch.packets.len() as u32).collect();
        self.process(batch, block, &all, out);
    }

    #[inline(always)]
    fn packet(
        &mut self,
        packet: &Packet,
        guess: u32,
        block: &[u8],
        side: &[u8],
        out: &mut Vec<FlowRecord>,
    ) {
        self.counters.packets += u64::from(packet.packets);
        self.counters.octets += u64::from(packet.octets);
        self.meter(packet, guess, block, side, out);
        self.latest = self.latest.max(packet.time);
    }

    #[inline(always)]
    fn meter(
        &mut self,
        packet: &Packet,
        guess: u32,
        block: &[u8],
        side: &[u8],
        out: &mut Vec<FlowRecord>,
    ) {
        if packet.key.is_one_way() {
            self.one_way(packet, block, side, out);
            return;
        }
        // The guess was right when it was made; an earlier packet of the batch may have ended that flow.
        let found = if guess != NONE && self.flows.get(guess).key == packet.key {
            Some(guess)
        } else {
            let flows = &self.flows;
            self.table.find(packet.hash, |slot| flows.get(slot).key == packet.key)
        };
        let slot = match found {
            Some(slot) => {
                if !self.goes_on(slot, packet) {
                    self.turn_over(slot, packet, block, side, out);
                }
                slot
            }
            None => self.insert(packet, block, side, out),
        };
        let wanted = (packet.captured as usize).min(usize::from(self.config.max_payload));
        let payload = packet.payload_at.slice(block, side, wanted);
        let flow = self.flows.get_mut(slot);
        let change = flow.add(packet, payload, &mut self.samples);
        let inspected = flow.is_inspected();
        if change.earlier {
            self.number(slot);
        }
        if inspected {
            self.inspect(slot, packet, block, side);
        }
        if change.closed {
            self.closed(slot, out);
        }
    }

    /// Whether the packet belongs to the flow as it is.
    #[inline(always)]
    fn goes_on(&self, slot: u32, packet: &Packet) -> bool {
        let flow = self.flows.get(slot);
        let time = packet.time;
        if flow.is_closed() {
            let new_connection = packet.tcp_flags.contains(TcpFlags::SYN)
                && !packet.tcp_flags.contains(TcpFlags::ACK);
            return !new_connection
                && time.micros_since(flow.closed_at()) <= self.config.tcp_linger_us;
        }
        let idle = time.micros_since(flow.last);
        idle <= self.config.idle_timeout_us
            && time.micros_since(flow.start) <= self.config.active_timeout_us
            && -idle <= self.config.idle_timeout_us
            && !flow.is_resting()
    }

    /// Ends the flow in the slot and begins another one of the same key there.
    #[cold]
    fn turn_over(
        &mut self,
        slot: u32,
        packet: &Packet,
        block: &[u8],
        side: &[u8],
        out: &mut Vec<FlowRecord>,
    ) {
        let macs = if self.config.mac { packet.macs(block, side) } else { None };
        let flow = self.flows.get_mut(slot);
        let gap = packet.time.micros_since(flow.last).saturating_abs();
        let same_connection = !flow.is_closed() && gap <= self.config.idle_timeout_us;
        let keep = same_connection.then_some(flow.source_is_low());
        let inspected = flow.is_inspected();
        if !flow.is_resting() {
            let reason =
                if flow.is_closed() { flow.closed_reason() } else { overdue(flow, &self.config) };
            self.record(slot, reason, out);
            self.note_end(slot);
        }
        if keep.is_none() {
            self.end_inspection(slot);
        }
        self.flows.get_mut(slot).begin(packet, keep, macs, self.steps_back);
        self.number(slot);
        if keep.is_some() {
            // The same connection: what was seen of it holds on.
            self.flows.get_mut(slot).set_inspected(inspected);
        } else {
            self.begin_inspection(slot, packet);
        }
        // The slot's entry in the wheel stays: it comes up before the new deadline and moves on to it.
    }

    #[inline(never)]
    fn insert(
        &mut self,
        packet: &Packet,
        block: &[u8],
        side: &[u8],
        out: &mut Vec<FlowRecord>,
    ) -> u32 {
        if self.config.max_flows > 0 && self.flows.len() >= self.config.max_flows {
            self.evict(out);
        }
        let macs = if self.config.mac { packet.macs(block, side) } else { None };
        let slot = self.flows.take();
        self.counters.peak = self.counters.peak.max(self.flows.len());
        self.flows.get_mut(slot).begin(packet, None, macs, self.steps_back);
        self.number(slot);
        self.begin_inspection(slot, packet);
        let flow = self.flows.get(slot);
        let deadline = deadline(flow, &self.config);
        let serial = flow.serial;
        self.table.insert(packet.hash, slot);
        self.wheel.arm(deadline.as_secs(), (slot, serial));
        slot
    }

    /// TCP reached its end: the flow stays for late packets, or goes at once.
    #[inline]
    fn closed(&mut self, slot: u32, out: &mut Vec<FlowRecord>) {
        let flow = self.flows.get_mut(slot);
        if self.config.tcp_linger_us == 0 {
            let reason = flow.closed_reason();
            self.end(slot, reason, out);
            return;
        }
        // The entry in the wheel is for a later second: a new serial number makes it void.
        flow.serial = flow.serial.wrapping_add(1);
        self.wheel.arm(deadline(flow, &self.config).as_secs(), (slot, flow.serial));
    }

    /// Hands over the record and frees the slot.
    fn end(&mut self, slot: u32, reason: EndReason, out: &mut Vec<FlowRecord>) {
        if !self.flows.get(slot).is_resting() {
            self.record(slot, reason, out);
            // Nothing of an idle flow's time is taken any more.
            if !matches!(reason, EndReason::Idle | EndReason::Eof | EndReason::Shutdown) {
                self.note_end(slot);
            }
        }
        self.end_inspection(slot);
        let flow = self.flows.get_mut(slot);
        // The hash is not kept in the flow: only its end needs it again.
        self.table.remove(flow.key.hash(&self.seed), slot);
        flow.key = FlowKey::NONE;
        flow.serial = flow.serial.wrapping_add(1);
        self.flows.release(slot);
    }

    /// Hands over the record of what was counted, with what is known of the flow by now.
    fn record(&mut self, slot: u32, reason: EndReason, out: &mut Vec<FlowRecord>) {
        let mut record = self.flows.get_mut(slot).record(reason, &mut self.samples);
        if let Some(inspector) = &mut self.inspector
            && let Some(number) = self.inspections.get(slot as usize).filter(|n| **n != NONE)
        {
            record.labels = inspector.labels(*number);
        }
        out.push(record);
        self.counters.records[reason as usize] += 1;
    }

    #[inline]
    fn begin_inspection(&mut self, slot: u32, packet: &Packet) {
        let Some(inspector) = &mut self.inspector else { return };
        let place = slot as usize;
        if place >= self.inspections.len() {
            self.inspections.resize(place + 1, NONE);
        }
        if let Some(number) = inspector.begin(packet) {
            self.inspections[place] = number;
            self.flows.get_mut(slot).set_inspected(true);
        }
    }

    #[inline(never)]
    fn inspect(&mut self, slot: u32, packet: &Packet, block: &[u8], side: &[u8]) {
        let Some(inspector) = &mut self.inspector else { return };
        let flow = self.flows.get_mut(slot);
        let seen = seen(packet, packet.from_low == flow.source_is_low(), block, side);
        if !inspector.packet(self.inspections[slot as usize], &seen) {
            flow.set_inspected(false);
        }
    }

    /// Forgets what was seen of a flow whose record, if it has one, was handed over.
    fn end_inspection(&mut self, slot: u32) {
        if let Some(inspector) = &mut self.inspector
            && let Some(number) = self.inspections.get_mut(slot as usize).filter(|n| **n != NONE)
        {
            inspector.end(std::mem::replace(number, NONE));
        }
    }

    /// Numbers a flow among those of equal key and start. One that begins after every packet so far has no namesake.
    #[inline]
    fn number(&mut self, slot: u32) {
        let flow = self.flows.get_mut(slot);
        if flow.start <= self.latest {
            let name = Namesake::new(&flow.key, flow.start, flow.steps_back(), &self.seed);
            flow.ordinal = self.namesakes.next(name);
        }
    }

    /// Remembers a flow that has ended, as long as a packet of its time would still be taken.
    fn note_end(&mut self, slot: u32) {
        let flow = self.flows.get(slot);
        if self.now.micros_since(flow.start) <= late_us(&self.config) {
            let name = Namesake::new(&flow.key, flow.start, flow.steps_back(), &self.seed);
            self.namesakes.ended(name, flow.ordinal);
        }
    }

    /// A packet that is a record of its own (`udp_uniflow_port`). It is not kept in the table.
    #[cold]
    fn one_way(&mut self, packet: &Packet, block: &[u8], side: &[u8], out: &mut Vec<FlowRecord>) {
        let macs = if self.config.mac { packet.macs(block, side) } else { None };
        let wanted = (packet.captured as usize).min(usize::from(self.config.max_payload));
        let mut flow = Flow::vacant();
        flow.begin(packet, Some(true), macs, self.steps_back);
        let name = Namesake::new(&flow.key, flow.start, self.steps_back, &self.seed);
        flow.ordinal = self.namesakes.next(name);
        self.namesakes.ended(name, flow.ordinal);
        flow.add(packet, &[], &mut self.samples);
        let mut record = flow.record(EndReason::Active, &mut self.samples);
        record.forward.entropy = entropy(packet.payload_at.slice(block, side, wanted));
        if let Some(inspector) = &mut self.inspector
            && let Some(number) = inspector.begin(packet)
        {
            inspector.packet(number, &seen(packet, true, block, side));
            record.labels = inspector.labels(number);
            inspector.end(number);
        }
        out.push(record);
        self.counters.records[EndReason::Active as usize] += 1;
    }

    /// Tells the time: flows whose deadline lies in a second that has passed are handed over.
    ///
    /// In which tick a flow is handed over depends on its own packets and the ticks alone.
    pub fn tick(&mut self, now: Timestamp, out: &mut Vec<FlowRecord>) {
        let now_secs = now.as_secs();
        if now < self.now {
            self.steps_back = self.steps_back.saturating_add(1);
        }
        self.namesakes.tick(now);
        if let Some(inspector) = &mut self.inspector {
            inspector.tick(now_secs);
        }
        self.now = now;
        if self.wheel.is_ahead_of(now_secs) {
            self.step_back(now_secs);
        }
        self.wheel.start(now_secs);
        while let Some(mut entries) = self.wheel.next_before(now_secs) {
            for (slot, serial) in entries.drain(..) {
                self.look_at(slot, serial, now_secs, out);
            }
            self.wheel.recycle(self.wheel.cursor() - 1, entries);
        }
        // Flows that end early leave their entries. What looking through all of them costs, many ended flows share.
        if self.wheel.len() > 2 * self.flows.len() + FEW_ENTRIES {
            let flows = &self.flows;
            self.wheel.retain(|(slot, serial)| flows.get(slot).serial == serial);
        }
    }

    fn look_at(&mut self, slot: u32, serial: u32, now_secs: i64, out: &mut Vec<FlowRecord>) {
        let flow = self.flows.get_mut(slot);
        if flow.serial != serial {
            return;
        }
        let due = deadline(flow, &self.config);
        if due.as_secs() >= now_secs {
            self.wheel.arm(due.as_secs(), (slot, serial));
            return;
        }
        if flow.is_closed() {
            let reason = flow.closed_reason();
            self.end(slot, reason, out);
            return;
        }
        match overdue(flow, &self.config) {
            EndReason::Active => {
                self.record(slot, EndReason::Active, out);
                self.note_end(slot);
                let flow = self.flows.get_mut(slot);
                // The connection may go on; its initiator is remembered until it has been idle for long enough.
                flow.rest();
                let due = deadline(flow, &self.config);
                if due.as_secs() >= now_secs {
                    self.wheel.arm(due.as_secs(), (slot, serial));
                } else {
                    self.end(slot, EndReason::Idle, out);
                }
            }
            _ => self.end(slot, EndReason::Idle, out),
        }
    }

    #[cold]
    fn step_back(&mut self, now_secs: i64) {
        for (slot, serial) in self.wheel.restart(now_secs) {
            let flow = self.flows.get(slot);
            if flow.serial == serial {
                self.wheel.arm(deadline(flow, &self.config).as_secs(), (slot, serial));
            }
        }
    }

    /// Ends the flow that has been idle for longest.
    #[cold]
    fn evict(&mut self, out: &mut Vec<FlowRecord>) {
        loop {
            let Some((last, slot, serial)) = self.victims.pop() else {
                self.find_victims();
                if self.victims.is_empty() {
                    return;
                }
                continue;
            };
            let flow = self.flows.get(slot);
            if flow.serial == serial && flow.last == last {
                let reason =
                    if flow.is_closed() { flow.closed_reason() } else { EndReason::Resource };
                self.end(slot, reason, out);
                return;
            }
        }
    }

    /// The sixteenth of all flows that has been idle for longest. Those that get packets afterwards are passed over, and no
    /// other flow can become older than these, so the order is exact, at a cost shared by many evictions.
    fn find_victims(&mut self) {
        let mut all: Vec<_> = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.key != FlowKey::NONE)
            .map(|(slot, flow)| (flow.last, slot, flow.serial))
            .collect();
        let share = (all.len() / 16).max(1).min(all.len());
        if share < all.len() {
            all.select_nth_unstable(share);
            all.truncate(share);
        }
        all.sort_unstable_by(|a, b| b.cmp(a));
        self.victims = all;
    }

    /// Hands over all open flows, in order of their start. Ended TCP flows keep their reason.
    pub fn finish(&mut self, reason: EndReason) -> Drain<'_> {
        let mut open: Vec<_> = self
            .flows
            .iter()
            .filter(|(_, flow)| flow.key != FlowKey::NONE)
            .map(|(slot, flow)| (flow.start, slot))
            .collect();
        open.sort_unstable();
        Drain { meter: self, open: open.into_iter().peekable(), reason }
    }
}

#[inline]
fn seen<'a>(packet: &'a Packet, from_source: bool, block: &'a [u8], side: &'a [u8]) -> Seen<'a> {
    Seen {
        packet,
        from_source,
        network: packet.network(block, side),
        transport: packet.transport(block, side),
        payload: packet.payload(block, side),
    }
}

/// How far behind the clock a flow may begin: with a packet as late as the clock takes it, or with a datagram whose first
/// fragment came a while before.
fn late_us(config: &MeterConfig) -> i64 {
    config.idle_timeout_us.saturating_add(60_000_000)
}

/// Ended flows that are remembered: as long as needed, unless flows are limited, when memory is.
fn most_namesakes(config: &MeterConfig) -> usize {
    if config.max_flows == 0 { usize::MAX } else { config.max_flows.max(FEW_ENTRIES) }
}

/// When the flow ends if no further packet comes.
#[inline]
fn deadline(flow: &Flow, config: &MeterConfig) -> Timestamp {
    if flow.is_closed() {
        return flow.closed_at().plus_micros(config.tcp_linger_us);
    }
    let idle = flow.last.plus_micros(config.idle_timeout_us);
    if flow.is_resting() {
        idle
    } else {
        idle.min(flow.start.plus_micros(config.active_timeout_us))
    }
}

/// Which of the two timeouts comes first for an open flow.
fn overdue(flow: &Flow, config: &MeterConfig) -> EndReason {
    let idle = flow.last.plus_micros(config.idle_timeout_us);
    let active = flow.start.plus_micros(config.active_timeout_us);
    if !flow.is_resting() && active <= idle { EndReason::Active } else { EndReason::Idle }
}

/// The open flows of a meter that finishes, second by second of their start.
#[derive(Debug)]
pub struct Drain<'a> {
    meter: &'a mut Meter,
    open: std::iter::Peekable<std::vec::IntoIter<(Timestamp, u32)>>,
    reason: EndReason,
}

impl Drain<'_> {
    /// Appends the flows that began in the next second that has any, and returns that second.
    pub fn next_second(&mut self, out: &mut Vec<FlowRecord>) -> Option<i64> {
        let second = self.open.peek()?.0.as_secs();
        while let Some((_, slot)) = self.open.next_if(|(start, _)| start.as_secs() == second) {
            let flow = self.meter.flows.get(slot);
            let reason = if flow.is_closed() { flow.closed_reason() } else { self.reason };
            self.meter.end(slot, reason, out);
        }
        Some(second)
    }
}
