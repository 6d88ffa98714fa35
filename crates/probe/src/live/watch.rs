//! Watching workers and writer: health, statistics, warnings.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::live::queue::QueueCounters;
use crate::live::status::{WorkerCounters, WorkerStatus, WriterStatus};

/// Without a sign of life for so long, a worker counts as stuck. It gives one ten times a second.
const SILENCE: Duration = Duration::from_secs(10);

/// Everything that can be seen of a live run.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) workers: Vec<Arc<WorkerStatus>>,
    pub(crate) writer: Arc<WriterStatus>,
    pub(crate) queue: Arc<QueueCounters>,
}

impl Watched {
    /// What is wrong right now.
    pub(crate) fn health(&self) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        for (number, worker) in self.workers.iter().enumerate() {
            if let Some(trouble) = worker.trouble() {
                wrong.push(trouble);
            }
            if worker.silent_for() > SILENCE {
                wrong.push(format!("worker {number}: no sign of life"));
            }
        }
        if self.writer.stuck.load(Ordering::Relaxed) {
            wrong.push("output: nothing can be written".to_owned());
        }
        wrong.dedup();
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// Whether all workers gave a sign of life lately.
    pub(crate) fn is_alive(&self) -> bool {
        self.workers.iter().all(|worker| worker.silent_for() <= SILENCE)
    }

    /// The workers' counts, added up.
    pub(crate) fn total(&self) -> WorkerCounters {
        let mut total = WorkerCounters::default();
        self.workers.iter().for_each(|worker| total.add(&worker.counters()));
        total
    }
}

/// Warns of losses when they grow, not more often than it is called.
#[derive(Debug, Default)]
pub(crate) struct LossWatch {
    dropped: u64,
    lost: u64,
}

impl LossWatch {
    pub(crate) fn look(&mut self, watched: &Watched) {
        let total = watched.total();
        let dropped = total.socket.dropped + total.socket.interface_dropped;
        if dropped > self.dropped {
            tracing::warn!(
                packets = dropped - self.dropped,
                in_all = dropped,
                "packets dropped before they were captured"
            );
            self.dropped = dropped;
        }
        let lost = watched.queue.lost();
        if lost > self.lost {
            tracing::warn!(
                records = lost - self.lost,
                in_all = lost,
                waiting = watched.queue.waiting(),
                "flow records lost: they come faster than they can be written"
            );
            self.lost = lost;
        }
    }
}

/// Statistics on the way, in one line of the log.
pub(crate) fn log_statistics(watched: &Watched) {
    let total = watched.total();
    tracing::info!(
        packets = total.packets,
        octets = total.decode.wire_octets,
        dropped = total.socket.dropped,
        freezes = total.socket.freezes,
        ignored = total.decode.ignored_total(),
        open_flows = total.meter.open,
        records = total.meter.records_total(),
        evicted = total.meter.records[rockfish_flow::EndReason::Resource as usize],
        written = watched.writer.records.load(Ordering::Relaxed),
        lost = watched.queue.lost(),
        waiting = watched.queue.waiting(),
        files = watched.writer.files.load(Ordering::Relaxed),
        lag = format_args!("{:.3}", total.lag.as_secs_f64()),
        "statistics"
    );
}
