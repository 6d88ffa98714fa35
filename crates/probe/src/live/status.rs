//! What each worker and the writer last said of themselves, for whoever watches.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rockfish_capture::LiveCounters;
use rockfish_flow::Timestamp;
use rockfish_meter::MeterCounters;
use rockfish_packet::DecodeCounters;

/// What a worker counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct WorkerCounters {
    /// Packets that the source lent.
    pub(crate) packets: u64,
    /// Packets that the filter left out after that.
    pub(crate) filtered: u64,
    /// What the socket counted, of all times that it was opened.
    pub(crate) socket: LiveCounters,
    pub(crate) decode: DecodeCounters,
    pub(crate) meter: MeterCounters,
    /// Octets that the meter holds.
    pub(crate) memory: usize,
    /// How old the newest packet was when it was decoded. Only of use where packets are stamped by this machine's clock.
    pub(crate) lag: Duration,
    /// How often the interface had to be opened again.
    pub(crate) reopened: u64,
}

impl WorkerCounters {
    /// Adds those of another worker; the lag is that of the slowest.
    pub(crate) fn add(&mut self, other: &Self) {
        let Self { packets, filtered, socket, decode, meter, memory, lag, reopened } = other;
        self.packets += packets;
        self.filtered += filtered;
        self.socket.add(socket);
        self.decode.add(decode);
        self.meter.add(meter);
        self.memory += memory;
        self.lag = self.lag.max(*lag);
        self.reopened += reopened;
    }
}

/// A worker, as others see it.
#[derive(Debug)]
pub(crate) struct WorkerStatus {
    began: Instant,
    counters: Mutex<WorkerCounters>,
    /// Why it does not capture; empty if it does.
    trouble: Mutex<String>,
    /// Capture time in microseconds; least before the first packet.
    clock: AtomicI64,
    /// Milliseconds from `began` to its last sign of life.
    seen: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is replaced whole: a thread that died left a whole value.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WorkerStatus {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            counters: Mutex::default(),
            trouble: Mutex::default(),
            clock: AtomicI64::new(i64::MIN),
            seen: AtomicU64::new(0),
        }
    }

    pub(crate) fn counters(&self) -> WorkerCounters {
        lock(&self.counters).clone()
    }

    pub(crate) fn set_counters(&self, counters: WorkerCounters) {
        *lock(&self.counters) = counters;
    }

    /// Why it does not capture, if it does not.
    pub(crate) fn trouble(&self) -> Option<String> {
        Some(lock(&self.trouble).clone()).filter(|trouble| !trouble.is_empty())
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *lock(&self.trouble) = trouble.unwrap_or_default();
    }

    pub(crate) fn clock(&self) -> Option<Timestamp> {
        let micros = self.clock.load(Ordering::Relaxed);
        (micros != i64::MIN).then(|| Timestamp::from_micros(micros))
    }

    pub(crate) fn set_clock(&self, clock: Timestamp) {
        self.clock.store(clock.as_micros(), Ordering::Relaxed);
    }

    /// It gives a sign of life.
    pub(crate) fn alive(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.began).as_millis();
        self.seen.store(u64::try_from(millis).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Time since the last sign of life.
    pub(crate) fn silent_for(&self) -> Duration {
        let seen = Duration::from_millis(self.seen.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(seen)
    }
}

/// The writer, as others see it.
#[derive(Debug, Default)]
pub(crate) struct WriterStatus {
    /// Records that are in files, or were taken by the outputs.
    pub(crate) records: AtomicU64,
    /// Parquet files that are complete.
    pub(crate) files: AtomicU64,
    /// Octets of those.
    pub(crate) octets: AtomicU64,
    /// Times that writing failed.
    pub(crate) failures: AtomicU64,
    /// It cannot write at present.
    pub(crate) stuck: AtomicBool,
    /// It has ended, and takes nothing more.
    pub(crate) ended: AtomicBool,
}
