//! From a packet source to flow records, on several cores.
//!
//! ```text
//!  source ── read, decode, reassemble, meter of shard 0 ──┬── collect ── sink
//!            (the caller's thread)     ├── meter of shard 1 ──┤   (writer thread)
//!                                      └── …               ───┘
//! ```
//!
//! Every meter sees every block, takes the packets of its shard (by the key's hash, so both directions of a flow come to one
//! meter) and hears every tick of the capture's clock at the same packet. Records therefore do not depend on the number of
//! shards. The collector puts the shards' records together again tick by tick: an *epoch* is what all shards handed over
//! between two ticks. The caller's thread meters as well: handing a packet to another core costs more than metering it, so
//! one that stays is a gain.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use rockfish_capture::{BLOCK_SIZE, Block, CaptureError, PacketSource, Progress, Skipped, Warning};
use rockfish_capture_pcap::BpfFilter;
use rockfish_flow::{EndReason, FlowRecord, Timestamp};
use rockfish_meter::{Meter, MeterConfig, MeterCounters};
use rockfish_packet::{DecodeConfig, DecodeCounters, HashSeed, PacketBatch};

use crate::decoding::{Decoding, Tick, meter};
use crate::inspection::Inspection;

/// Blocks on their way to a meter, and messages on their way to the collector. More would only leave the caches.
const IN_FLIGHT: usize = 4;

/// Full blocks after which meters hand over what they have: each message wakes the collector.
const BLOCKS_A_MESSAGE: usize = 8;

/// Records that room is made for before they are there: an epoch may have very many once.
const MOST_EXPECTED: usize = 1024;

/// What the pipeline goes by.
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    /// Decoding and reassembly.
    pub decode: DecodeConfig,
    /// Metering.
    pub meter: MeterConfig,
    /// Meters that share the flows. With a limit on flows there is one, so that the longest-idle flow of all is evicted.
    pub workers: NonZeroUsize,
    /// Secret of the flow hash; records do not depend on it.
    pub hash_secret: u64,
    /// What is looked for in payload.
    pub inspection: Option<Inspection>,
}

impl PipelineConfig {
    /// A meter that looks for what is to be looked for.
    ///
    /// # Errors
    /// Whoever looks refuses to work.
    pub(crate) fn meter(&self, seed: HashSeed) -> anyhow::Result<Meter> {
        let meter = Meter::new(self.meter.clone(), seed);
        Ok(match &self.inspection {
            Some(inspection) => meter.with_inspector(inspection.inspector()?),
            None => meter,
        })
    }
}

/// Where records go. It lives on a thread of its own.
pub trait RecordSink: Send {
    /// Takes records of the current epoch, in any order.
    ///
    /// # Errors
    /// They cannot be written; the pipeline stops with this error.
    fn push(&mut self, records: Vec<FlowRecord>) -> anyhow::Result<()>;

    /// The epoch is complete. `clock` is the capture's time.
    ///
    /// # Errors
    /// As for [`Self::push`].
    fn end_epoch(&mut self, clock: Timestamp) -> anyhow::Result<()>;
}

/// What was read, decoded and metered.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// How far the source has come.
    pub progress: Progress,
    /// Packets that the source could not deliver.
    pub skipped: Skipped,
    /// Packets that the filter left out.
    pub filtered: u64,
    /// The decoder's counts.
    pub decode: DecodeCounters,
    /// The meters' counts, added up; complete at the end only.
    pub meter: MeterCounters,
    /// The capture's time; `None` before the first packet.
    pub clock: Option<Timestamp>,
    /// The caller asked to stop before the end of input.
    pub stopped: bool,
}

/// Sees what happens while the pipeline runs.
pub trait Observer {
    /// A block was read and decoded. Called on the reading thread; has to be quick.
    fn block(&mut self, totals: &Totals);

    /// Something was found in the input.
    fn warning(&mut self, warning: &Warning);

    /// A file could not be read; reading goes on with the next one.
    fn failed(&mut self, error: CaptureError) -> anyhow::Result<()>;
}

/// Runs until the source ends or `stop` is set, hands over what is open then, and returns the sink.
///
/// # Errors
/// The sink's error, or one that the observer makes of a file that cannot be read.
pub fn run<S: RecordSink>(
    source: &mut dyn PacketSource,
    filter: Option<BpfFilter>,
    config: &PipelineConfig,
    sink: S,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> anyhow::Result<(Totals, S)> {
    let seed = HashSeed::new(config.hash_secret);
    let workers = if config.meter.max_flows > 0 { 1 } else { config.workers.get() };
    let mut reader = Reader {
        decoding: Decoding::new(filter, config, &seed),
        shards: workers,
        totals: Totals::default(),
    };
    std::thread::scope(|scope| {
        let (to_collector, from_meters): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| bounded(IN_FLIGHT)).unzip();
        let collector = spawn(scope, "collect", move || collect(&from_meters, sink))?;
        let mut meters = Vec::with_capacity(workers);
        for sender in to_collector {
            let meter = config.meter(seed.clone())?;
            meters.push(MeterThread { epochs: Vec::new(), rest: Vec::new(), meter, sender });
        }
        let mut meters = meters.into_iter().enumerate();
        let Some((_, local)) = meters.next() else { anyhow::bail!("no worker") };
        let mut handles = Vec::with_capacity(workers);
        let mut senders = Vec::with_capacity(workers);
        for (shard, meter) in meters {
            let (sender, receiver) = bounded::<Order>(IN_FLIGHT);
            senders.push(sender);
            handles.push(spawn(scope, &format!("meter-{shard}"), move || {
                meter.run(shard, &receiver)
            })?);
        }
        let read = reader.read_and_meter(source, local, senders, stop, observer);
        let mut others = MeterCounters::default();
        for handle in handles {
            others.add(&join(handle)?);
        }
        // A sink that failed made everything before it stop: its error is the one to tell.
        let sink = join(collector)??;
        let mut meter = read?;
        meter.add(&others);
        let totals = Totals { meter, ..reader.totals(source) };
        Ok((totals, sink))
    })
}

pub(crate) fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() -> T + Send + 'scope,
) -> anyhow::Result<std::thread::ScopedJoinHandle<'scope, T>> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, body)
        .with_context(|| format!("cannot start thread {name}"))
}

pub(crate) fn join<T>(handle: std::thread::ScopedJoinHandle<'_, T>) -> anyhow::Result<T> {
    handle.join().map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        anyhow::anyhow!("a thread of the pipeline failed: {text}")
    })
}

/// A block with what was decoded from it.
#[derive(Debug, Default)]
struct Work {
    block: Block,
    batch: PacketBatch,
    /// Indices of each shard's packets.
    shards: Vec<Vec<u32>>,
    ticks: Vec<Tick>,
    /// Meters hand over what they have after this block.
    hand_over: bool,
}

/// What a meter thread is told.
enum Order {
    Work(Arc<Work>),
    Finish(EndReason),
}

/// What a meter hands to the collector.
enum Handed {
    /// What it has to say about some blocks: the records up to each of their ticks, and those after the last.
    Block { epochs: Vec<(Vec<FlowRecord>, Timestamp)>, rest: Vec<FlowRecord> },
    /// Open flows that began in this second.
    Open { second: i64, records: Vec<FlowRecord> },
}

struct Reader {
    decoding: Decoding,
    shards: usize,
    totals: Totals,
}

impl Reader {
    fn totals(&self, source: &dyn PacketSource) -> Totals {
        Totals {
            progress: source.progress(),
            skipped: source.skipped(),
            filtered: self.decoding.filtered(),
            decode: self.decoding.counters().clone(),
            clock: self.decoding.clock(),
            ..self.totals.clone()
        }
    }

    /// Reads and decodes the next block; false at the end of input, when `work` holds what was still waiting.
    fn next(
        &mut self,
        source: &mut dyn PacketSource,
        work: &mut Work,
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<bool> {
        work.batch.clear();
        work.ticks.clear();
        work.shards.iter_mut().for_each(Vec::clear);
        let mut more = false;
        if stop.load(Ordering::Relaxed) {
            self.totals.stopped = true;
        } else {
            more = loop {
                match source.next_block(&mut work.block) {
                    Ok(more) => break more,
                    Err(error) => observer.failed(error)?,
                }
            };
            // Whoever feeds a pipe is mostly stopped by the same Ctrl-C, and the source may end because of the stop.
            self.totals.stopped = !more && stop.load(Ordering::Relaxed);
        }
        if more {
            let Work { block, batch, ticks, .. } = &mut *work;
            self.decoding.decode(&block.packets, &block.data, batch, ticks)?;
        } else {
            work.block.packets.clear();
            self.decoding.finish(&mut work.batch);
        }
        if self.shards > 1 {
            self.share(work);
        }
        for warning in source.take_warnings() {
            observer.warning(&warning);
        }
        observer.block(&self.totals(source));
        Ok(more)
    }

    fn share(&self, work: &mut Work) {
        work.shards.resize_with(self.shards, Vec::new);
        for (index, packet) in work.batch.packets.iter().enumerate() {
            // The table goes by the lower half of the hash, the shard by the upper.
            let shard = ((packet.hash >> 32) * self.shards as u64) >> 32;
            work.shards[shard as usize].push(index as u32);
        }
    }

    fn end_reason(&self) -> EndReason {
        if self.totals.stopped { EndReason::Shutdown } else { EndReason::Eof }
    }

    /// Reads, meters the first shard, and shares the blocks with the threads of the others.
    fn read_and_meter(
        &mut self,
        source: &mut dyn PacketSource,
        mut local: MeterThread,
        others: Vec<Sender<Order>>,
        stop: &AtomicBool,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<MeterCounters> {
        let mut shared: VecDeque<Arc<Work>> = VecDeque::new();
        let mut kept = 0;
        let mut all = Vec::new();
        loop {
            // Blocks are used again once all meters are done with them, oldest first.
            let mut work = match shared.pop_front().map(Arc::try_unwrap) {
                Some(Ok(work)) => work,
                Some(Err(busy)) => {
                    shared.push_front(busy);
                    Work::default()
                }
                None => Work::default(),
            };
            let more = self.next(source, &mut work, stop, observer)?;
            kept += 1;
            // A block that is not full comes from a source that keeps one waiting: whoever reads along wants it now.
            let end = work.block.packets.last().map_or(0, |packet| packet.offset as usize);
            work.hand_over = !more || kept >= BLOCKS_A_MESSAGE || end < BLOCK_SIZE / 2;
            if work.hand_over {
                kept = 0;
            }
            let work = Arc::new(work);
            for other in &others {
                let sent = other.send(Order::Work(Arc::clone(&work)));
                if sent.is_err() || (!more && other.send(Order::Finish(self.end_reason())).is_err())
                {
                    return Ok(MeterCounters::default());
                }
            }
            let select = match work.shards.first() {
                Some(first) => first,
                None => {
                    all.extend(all.len() as u32..work.batch.packets.len() as u32);
                    &all[..work.batch.packets.len()]
                }
            };
            // Where the collector is gone, it has an error of its own to tell.
            let metered = local.block(&work, select);
            if metered.is_err() || (!more && local.drain(self.end_reason()).is_err()) {
                return Ok(MeterCounters::default());
            }
            if !more {
                return Ok(local.meter.counters());
            }
            shared.push_back(work);
        }
    }
}

/// One meter and its way to the collector.
struct MeterThread {
    meter: Meter,
    sender: Sender<Handed>,
    /// Epochs that are complete and not handed over.
    epochs: Vec<(Vec<FlowRecord>, Timestamp)>,
    /// Records of the epoch that goes on.
    rest: Vec<FlowRecord>,
}

/// The collector is gone.
struct Gone;

impl MeterThread {
    fn run(mut self, shard: usize, orders: &Receiver<Order>) -> MeterCounters {
        for order in orders {
            let goes_on = match order {
                Order::Work(work) => self.block(&work, &work.shards[shard]).is_ok(),
                Order::Finish(reason) => {
                    // The collector waits for every meter's next flow until that meter is gone, so it must go now: the first
                    // meter, which gives the orders, may be waiting for the collector by then.
                    let _ = self.drain(reason);
                    false
                }
            };
            if !goes_on {
                break;
            }
        }
        self.meter.counters()
    }

    fn block(&mut self, work: &Work, select: &[u32]) -> Result<(), Gone> {
        let Work { block, batch, ticks, .. } = work;
        meter(
            &mut self.meter,
            batch,
            &block.data,
            select,
            ticks,
            &mut self.rest,
            |records, clock| {
                // The next epoch will have about as many records as this one.
                let next = Vec::with_capacity(records.len().min(MOST_EXPECTED));
                self.epochs.push((std::mem::replace(records, next), clock));
            },
        );
        if !work.hand_over {
            return Ok(());
        }
        let (epochs, rest) = (std::mem::take(&mut self.epochs), std::mem::take(&mut self.rest));
        self.sender.send(Handed::Block { epochs, rest }).map_err(|_| Gone)
    }

    fn drain(&mut self, reason: EndReason) -> Result<(), Gone> {
        let mut drain = self.meter.finish(reason);
        loop {
            let mut records = Vec::new();
            let Some(second) = drain.next_second(&mut records) else { return Ok(()) };
            // Second by second: what the collector puts together must not depend on how the flows are shared.
            self.sender.send(Handed::Open { second, records }).map_err(|_| Gone)?;
        }
    }
}

/// Puts the meters' records together, epoch by epoch, and gives them to the sink.
fn collect<S: RecordSink>(meters: &[Receiver<Handed>], mut sink: S) -> anyhow::Result<S> {
    let mut clock = Timestamp::ZERO;
    let mut heads: Vec<Option<(i64, Vec<FlowRecord>)>>;
    loop {
        let mut blocks = Vec::with_capacity(meters.len());
        heads = Vec::with_capacity(meters.len());
        for meter in meters {
            match meter.recv() {
                Ok(Handed::Block { epochs, rest }) => blocks.push((epochs.into_iter(), rest)),
                Ok(Handed::Open { second, records }) => heads.push(Some((second, records))),
                Err(_) => heads.push(None),
            }
        }
        // All meters send their messages after the same blocks: either all are still at it or none is.
        if blocks.is_empty() {
            break;
        }
        if !heads.is_empty() {
            anyhow::bail!("a meter stopped before the others");
        }
        'epochs: loop {
            let mut ended = false;
            for (epochs, _) in &mut blocks {
                let Some((records, now)) = epochs.next() else { break 'epochs };
                push(&mut sink, records)?;
                clock = now;
                ended = true;
            }
            if ended {
                sink.end_epoch(clock)?;
            }
        }
        for (_, rest) in blocks {
            push(&mut sink, rest)?;
        }
    }
    sink.end_epoch(clock)?;
    while let Some(second) = heads.iter().flatten().map(|(second, _)| *second).min() {
        for (head, meter) in heads.iter_mut().zip(meters) {
            if let Some((_, records)) = head.take_if(|(head, _)| *head == second) {
                sink.push(records)?;
                *head = match meter.recv() {
                    Ok(Handed::Open { second, records }) => Some((second, records)),
                    _ => None,
                };
            }
        }
        sink.end_epoch(clock)?;
    }
    Ok(sink)
}

fn push(sink: &mut impl RecordSink, records: Vec<FlowRecord>) -> anyhow::Result<()> {
    if records.is_empty() { Ok(()) } else { sink.push(records) }
}

/// Meters a capture and returns its records in order of (start, end), for tests and tools.
///
/// `source` is what [`CaptureFiles::open`](rockfish_capture::CaptureFiles::open) takes.
///
/// # Errors
/// The source cannot be opened or read.
pub fn meter_file(
    source: &str,
    config: &PipelineConfig,
) -> anyhow::Result<(Vec<FlowRecord>, Totals)> {
    struct Collected(Vec<FlowRecord>);
    impl RecordSink for Collected {
        fn push(&mut self, mut records: Vec<FlowRecord>) -> anyhow::Result<()> {
            self.0.append(&mut records);
            Ok(())
        }
        fn end_epoch(&mut self, _: Timestamp) -> anyhow::Result<()> {
            Ok(())
        }
    }
    struct Silent;
    impl Observer for Silent {
        fn block(&mut self, _: &Totals) {}
        fn warning(&mut self, _: &Warning) {}
        fn failed(&mut self, error: CaptureError) -> anyhow::Result<()> {
            Err(error.into())
        }
    }
    let mut source = rockfish_capture::CaptureFiles::open(source)?;
    let never = AtomicBool::new(false);
    let (totals, Collected(mut records)) =
        run(&mut source, None, config, Collected(Vec::new()), &never, &mut Silent)?;
    records.sort_by_key(|record| (record.start, record.end));
    Ok((records, totals))
}
