//! The writer: takes records from the queue and puts them into the outputs, whatever becomes of the disk.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rockfish_app::signals::Signals;
use rockfish_flow::FlowRecord;
use rockfish_parquet::WrittenFile;

use crate::live::queue::{Closed, QueueReceiver};
use crate::live::status::{WorkerStatus, WriterStatus};
use crate::pipeline::RecordSink as _;
use crate::settings::Settings;
use crate::sink::Outputs;

/// How long it waits for records before it looks at the time and at signals.
const WAIT: Duration = Duration::from_millis(200);

/// How often the outputs are told the time at most, unless this many records came meanwhile.
const EPOCH: Duration = Duration::from_secs(1);
const EPOCH_RECORDS: usize = 1 << 15;

/// Waits between attempts to open the outputs again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Writer {
    queue: QueueReceiver,
    outputs: Option<Outputs>,
    settings: Settings,
    signals: Signals,
    workers: Vec<Arc<WorkerStatus>>,
    status: Arc<WriterStatus>,
    /// Records given to the outputs that are in no complete file yet.
    unsettled: u64,
    /// Records since the last epoch, and when that was.
    since: usize,
    told: Instant,
    pause: Duration,
}

impl Writer {
    pub(crate) fn new(
        queue: QueueReceiver,
        outputs: Outputs,
        settings: Settings,
        signals: Signals,
        workers: Vec<Arc<WorkerStatus>>,
        status: Arc<WriterStatus>,
    ) -> Self {
        Self {
            queue,
            outputs: Some(outputs),
            settings,
            signals,
            workers,
            status,
            unsettled: 0,
            since: 0,
            told: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    /// Writes until all workers are gone. False if the last records could not be written.
    ///
    /// # Errors
    /// Whoever read standard output has left.
    pub(crate) fn run(mut self) -> anyhow::Result<bool> {
        let result = self.write_all();
        if result.is_err() {
            self.signals.request_stop();
            self.lose_all();
        }
        self.status.ended.store(true, Ordering::Relaxed);
        result
    }

    fn write_all(&mut self) -> anyhow::Result<bool> {
        loop {
            if self.outputs.is_none() && !self.open_again() {
                self.lose_all();
                return Ok(false);
            }
            match self.queue.next(WAIT) {
                Ok(records) => {
                    if let Err(error) = self.take(records) {
                        self.fail(error)?;
                    }
                }
                Err(Closed) => match self.finish() {
                    Ok(()) => return Ok(true),
                    Err(error) => {
                        self.fail(error)?;
                        return Ok(false);
                    }
                },
            }
        }
    }

    fn take(&mut self, records: Option<Vec<FlowRecord>>) -> anyhow::Result<()> {
        let Some(outputs) = &mut self.outputs else { return Ok(()) };
        if let Some(records) = records {
            let count = records.len();
            self.since += count;
            self.unsettled += count as u64;
            self.status.records.fetch_add(count as u64, Ordering::Relaxed);
            self.queue.done(count);
            outputs.push(records)?;
        }
        if self.told.elapsed() < EPOCH && self.since < EPOCH_RECORDS {
            return Ok(());
        }
        self.told = Instant::now();
        self.since = 0;
        self.end_epoch()?;
        self.pause = FIRST_PAUSE;
        Ok(())
    }

    fn end_epoch(&mut self) -> anyhow::Result<()> {
        let clock = self.workers.iter().filter_map(|worker| worker.clock()).max();
        let (Some(outputs), Some(clock)) = (&mut self.outputs, clock) else { return Ok(()) };
        outputs.end_epoch(clock)?;
        match outputs.take_written() {
            Some(files) => self.settle(files),
            // Lines are written with each epoch.
            None => self.unsettled = 0,
        }
        Ok(())
    }

    /// Notes the files that were completed.
    fn settle(&mut self, files: Vec<WrittenFile>) {
        for WrittenFile { path, rows, bytes } in files {
            self.status.files.fetch_add(1, Ordering::Relaxed);
            self.status.octets.fetch_add(bytes, Ordering::Relaxed);
            self.unsettled = self.unsettled.saturating_sub(rows);
            tracing::debug!(file = %path.display(), rows, octets = bytes, "file complete");
        }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.end_epoch()?;
        if let Some(outputs) = self.outputs.take()
            && let Some(summary) = outputs.finish()?
        {
            self.settle(summary.files);
        }
        self.unsettled = 0;
        Ok(())
    }

    /// Files that are not complete go with the outputs, and their records with them.
    fn fail(&mut self, error: anyhow::Error) -> anyhow::Result<()> {
        if let Some(files) = self.outputs.as_mut().and_then(Outputs::take_written) {
            self.settle(files);
        }
        self.outputs = None;
        let lost = std::mem::take(&mut self.unsettled);
        self.queue.lost(lost);
        self.status.records.fetch_sub(lost, Ordering::Relaxed);
        self.status.failures.fetch_add(1, Ordering::Relaxed);
        self.status.stuck.store(true, Ordering::Relaxed);
        if has_left(&error) {
            return Err(error);
        }
        tracing::error!(records_lost = lost, "{error:#}");
        Ok(())
    }

    /// Tries to open the outputs until that works; records wait in the queue meanwhile, and are lost when it is full. False
    /// if a stop was asked for before.
    fn open_again(&mut self) -> bool {
        loop {
            let until = Instant::now() + self.pause;
            while Instant::now() < until && !self.signals.stop_requested() {
                std::thread::sleep(WAIT);
            }
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            match Outputs::open_again(&self.settings, self.signals.clone()) {
                Ok(outputs) => {
                    self.outputs = Some(outputs);
                    self.status.stuck.store(false, Ordering::Relaxed);
                    tracing::info!("writing again");
                    return true;
                }
                Err(error) if self.signals.stop_requested() => {
                    tracing::error!("{error:#}");
                    return false;
                }
                Err(error) => tracing::warn!("{error:#}; trying again"),
            }
        }
    }

    fn lose_all(&mut self) {
        while let Ok(records) = self.queue.next(WAIT) {
            let count = records.map_or(0, |records| records.len());
            self.queue.done(count);
            self.queue.lost(count as u64);
        }
    }
}

/// Whether the reader of a pipe is gone.
fn has_left(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
