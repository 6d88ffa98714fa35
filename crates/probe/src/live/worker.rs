//! One worker: a source, a decoder and a meter of its own, shared with nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rockfish_capture::{LiveCounters, LiveError, LiveSource, PacketRef};
use rockfish_flow::{EndReason, FlowRecord, Timestamp};
use rockfish_meter::Meter;
use rockfish_packet::PacketBatch;

use crate::decoding::{Decoding, Tick, meter};
use crate::live::opening::Opener;
use crate::live::queue::QueueSender;
use crate::live::status::{WorkerCounters, WorkerStatus};

/// How long a worker waits for packets before it looks at the stop flag and the time.
const WAIT: Duration = Duration::from_millis(100);

/// How often it says what it has counted. The kernel is asked for drops then.
const TELL: Duration = Duration::from_secs(1);

/// By how much the clock stays behind on an idle interface: a packet may still come that was stamped before.
const GRACE_US: i64 = 1_000_000;

/// Records that are handed over together at most.
const MOST_RECORDS: usize = 4096;

/// Waits between attempts to open the interface again.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// See the module.
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) opener: Opener,
    pub(crate) decoding: Decoding,
    pub(crate) meter: Meter,
    pub(crate) queue: QueueSender,
    pub(crate) status: Arc<WorkerStatus>,
    pub(crate) stop: Arc<AtomicBool>,
    /// The writer takes nothing more: there is no use in waiting for it.
    pub(crate) writer_ended: Box<dyn Fn() -> bool + Send>,
}

/// What a worker has at hand.
struct Work {
    batch: PacketBatch,
    ticks: Vec<Tick>,
    all: Vec<u32>,
    records: Vec<FlowRecord>,
    counters: WorkerCounters,
    /// What sockets counted that are closed.
    closed: LiveCounters,
    /// The latest packet's time, and when it was decoded.
    latest: Option<(Timestamp, Instant)>,
    told: Instant,
}

impl Worker {
    /// Captures until the stop flag is set; hands over what is open then.
    pub(crate) fn run(mut self, source: Box<dyn LiveSource>) -> anyhow::Result<()> {
        let mut work = Work {
            batch: PacketBatch::default(),
            ticks: Vec::new(),
            all: Vec::new(),
            records: Vec::new(),
            counters: WorkerCounters::default(),
            closed: LiveCounters::default(),
            latest: None,
            told: Instant::now(),
        };
        let mut source = Some(source);
        let mut packets = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let Some(open) = &mut source else {
                source = self.open_again(&mut work)?;
                continue;
            };
            if let Err(error) = self.step(open.as_mut(), WAIT, &mut packets, &mut work) {
                let error = error.downcast::<LiveError>()?;
                work.closed.add(&open.counters());
                source = None;
                self.report_trouble(error)?;
            }
        }
        if let Some(mut source) = source {
            source.close_intake();
            // What came before the stop is in the ring still.
            while self.step(source.as_mut(), WAIT, &mut packets, &mut work).unwrap_or(false) {}
            work.closed.add(&source.counters());
        }
        work.counters.socket = work.closed;
        self.finish(&mut work);
        Ok(())
    }

    /// Takes and meters what the source lends; false if that was nothing.
    fn step(
        &mut self,
        source: &mut dyn LiveSource,
        wait: Duration,
        packets: &mut Vec<PacketRef>,
        work: &mut Work,
    ) -> anyhow::Result<bool> {
        let data = source.next(wait, packets)?;
        let now = Instant::now();
        work.batch.clear();
        work.ticks.clear();
        let newest = packets.last().map(|packet| packet.time);
        match newest {
            Some(newest) => {
                self.decoding.decode(packets, data, &mut work.batch, &mut work.ticks)?;
                work.counters.packets += packets.len() as u64;
                work.latest = Some((newest, now));
            }
            None => self.pass_time(now, work),
        }
        self.meter(data, work);
        self.status.alive(now);
        if now - work.told >= TELL {
            work.told = now;
            work.counters.lag = newest.map_or(Duration::ZERO, age);
            let mut socket = source.counters();
            socket.add(&work.closed);
            work.counters.socket = socket;
            self.tell(work);
        }
        Ok(newest.is_some())
    }

    /// No packets came: the clock goes on from the last one's time, so that whoever stamps the packets, their time is what
    /// counts.
    fn pass_time(&mut self, now: Instant, work: &mut Work) {
        let Some((time, then)) = work.latest else { return };
        let passed = i64::try_from((now - then).as_micros()).unwrap_or(i64::MAX);
        let time = time.plus_micros(passed.saturating_sub(GRACE_US));
        if self.decoding.clock().is_some_and(|clock| time > clock) {
            self.decoding.observe(time, &mut work.batch, &mut work.ticks);
        }
    }

    fn meter(&mut self, data: &[u8], work: &mut Work) {
        let Work { batch, ticks, all, records, .. } = work;
        if batch.packets.is_empty() && ticks.is_empty() {
            return;
        }
        all.extend(all.len() as u32..batch.packets.len() as u32);
        let select = &all[..batch.packets.len()];
        let queue = &self.queue;
        meter(&mut self.meter, batch, data, select, ticks, records, |records, _| {
            hand_over(queue, records);
        });
        if let Some(tick) = ticks.last() {
            self.status.set_clock(tick.clock);
        }
        if records.len() >= MOST_RECORDS {
            hand_over(queue, records);
        }
    }

    fn tell(&self, work: &mut Work) {
        work.counters.filtered = self.decoding.filtered();
        work.counters.decode = self.decoding.counters().clone();
        work.counters.meter = self.meter.counters();
        work.counters.memory = self.meter.memory();
        self.status.set_counters(work.counters.clone());
    }

    fn report_trouble(&self, error: LiveError) -> anyhow::Result<()> {
        let may_pass = error.may_pass();
        let error = anyhow::Error::from(error);
        if !may_pass {
            return Err(error);
        }
        self.status.set_trouble(Some(format!("{error:#}")));
        tracing::warn!(worker = self.name, "{error:#}; trying to open it again");
        Ok(())
    }

    /// Tries to open the interface until it is there or a stop is asked for; time goes on meanwhile.
    fn open_again(&mut self, work: &mut Work) -> anyhow::Result<Option<Box<dyn LiveSource>>> {
        let mut pause = FIRST_PAUSE;
        let mut said = String::new();
        loop {
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(None);
                }
                std::thread::sleep(WAIT.min(pause));
                let now = Instant::now();
                self.status.alive(now);
                work.batch.clear();
                work.ticks.clear();
                self.pass_time(now, work);
                self.meter(&[], work);
                if now - work.told >= TELL {
                    work.told = now;
                    work.counters.lag = Duration::ZERO;
                    work.counters.socket = work.closed;
                    self.tell(work);
                }
            }
            match self.opener.open() {
                Ok(source) => {
                    work.counters.reopened += 1;
                    self.status.set_trouble(None);
                    tracing::info!(worker = self.name, "capturing again");
                    return Ok(Some(source));
                }
                Err(error) if !error.may_pass() => return Err(error.into()),
                Err(error) => {
                    let text = format!("{:#}", anyhow::Error::from(error));
                    if text != said {
                        self.status.set_trouble(Some(text.clone()));
                        tracing::warn!(worker = self.name, "{text}");
                        said = text;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Hands over all that is open. Capture is over, so this may wait for room.
    fn finish(&mut self, work: &mut Work) {
        work.batch.clear();
        work.ticks.clear();
        self.decoding.finish(&mut work.batch);
        self.meter(&[], work);
        let mut records = std::mem::take(&mut work.records);
        let mut drain = self.meter.finish(EndReason::Shutdown);
        loop {
            let more = drain.next_second(&mut records).is_some();
            self.status.alive(Instant::now());
            if records.len() >= MOST_RECORDS || !more {
                // A second may have very many flows: not more at a time than there is room for.
                for part in records.chunks(MOST_RECORDS.min(self.queue.limit())) {
                    self.queue.put(part.to_vec(), || {
                        self.status.alive(Instant::now());
                        (self.writer_ended)()
                    });
                }
                records.clear();
            }
            if !more {
                break;
            }
        }
        self.tell(work);
    }
}

/// Hands over in parts: when many flows end at once, what finds room is not lost with what does not.
fn hand_over(queue: &QueueSender, records: &mut Vec<FlowRecord>) {
    if records.len() <= MOST_RECORDS {
        queue.offer(std::mem::take(records));
        return;
    }
    for part in records.chunks(MOST_RECORDS) {
        queue.offer(part.to_vec());
    }
    *records = Vec::new();
}

/// How long ago that was by this machine's clock.
fn age(time: Timestamp) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = u64::try_from(time.as_micros()).unwrap_or_default();
    now.saturating_sub(Duration::from_micros(micros))
}
