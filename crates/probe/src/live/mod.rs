//! Metering an interface, for as long as it takes.
//!
//! ```text
//!  socket 0 ── decode, meter ──┐
//!  socket 1 ── decode, meter ──┼── queue (bounded) ── writer ── files
//!  …                           ┘
//!  the caller's thread watches: signals, service manager, statistics, health
//! ```
//!
//! A worker shares nothing with the others and waits for nobody: what the queue has no room for is lost and counted.

mod figures;
mod opening;
mod queue;
mod status;
mod watch;
mod worker;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rockfish_app::privileges::{self, Capability};
use rockfish_app::service::Service;
use rockfish_app::signals::Signals;
use rockfish_app::{Exit, ResultExt};
use rockfish_capture::{LiveError, LiveSource};
use rockfish_metrics::{Process, Registry, Server};
use rockfish_packet::HashSeed;

use crate::decoding::Decoding;
use crate::live::figures::Figures;
use crate::live::opening::Opened;
use crate::live::queue::queue;
pub(crate) use crate::live::status::WorkerCounters;
use crate::live::status::{WorkerStatus, WriterStatus};
use crate::live::watch::{LossWatch, Watched, log_statistics};
use crate::live::worker::Worker;
use crate::live::writer::Writer;
use crate::pipeline::{PipelineConfig, join, spawn};
use crate::report::{self, LiveReport};
use crate::run::pipeline_config;
use crate::settings::{LiveSettings, Settings};
use crate::sink::Outputs;

/// How often the watching thread looks around.
const LOOK: Duration = Duration::from_millis(100);

/// How often losses are looked for.
const LOSSES: Duration = Duration::from_secs(10);

/// Meters an interface until a stop is asked for.
///
/// # Errors
/// The interface, the filter, the user, an address or an output cannot be had; or a worker failed for good.
pub(crate) fn run(settings: &Settings, live: &LiveSettings) -> anyhow::Result<Exit> {
    let signals = Signals::install().context("cannot listen for signals")?;
    let opened = opening::open(&settings.input, live).or_else(|error| {
        let usage = error.downcast_ref::<LiveError>().is_none_or(LiveError::is_usage);
        Err(error).exit(if usage { Exit::Usage } else { Exit::Failed })
    })?;
    let config = pipeline_config(settings);
    let (sender, receiver, counters) = queue(settings.output.queue_size);
    let workers: Vec<_> = opened.sources.iter().map(|_| Arc::new(WorkerStatus::new())).collect();
    let writer_status = Arc::new(WriterStatus::default());
    let watched = Arc::new(Watched {
        workers: workers.clone(),
        writer: Arc::clone(&writer_status),
        queue: counters,
    });
    // Before privileges are dropped: the port may be one of root's.
    let server = live.metrics.map(|addr| serve(addr, &watched)).transpose()?;
    become_user(live)?;
    let outputs = Outputs::open(settings, 1, signals.clone())?;
    let writer = Writer::new(
        receiver,
        outputs,
        settings.clone(),
        signals.clone(),
        workers.clone(),
        writer_status,
    );
    let run = Run { settings, live, config, signals, watched, began: Instant::now() };
    let result = run.capture(opened, &workers, sender, writer);
    drop(server);
    result
}

fn serve(addr: SocketAddr, watched: &Arc<Watched>) -> anyhow::Result<Server> {
    let mut registry = Registry::default();
    rockfish_metrics::build_info(&mut registry, "rockfish_probe", env!("CARGO_PKG_VERSION"));
    registry.register_collector(Box::new(Process::new()));
    registry.register_collector(Box::new(Figures(Arc::clone(watched))));
    let health = Arc::clone(watched);
    let server = Server::start(addr, registry, move || health.health())
        .with_context(|| format!("metrics.listen: cannot listen at {addr}"))?;
    tracing::info!(address = %server.local_addr(), "serving metrics and health");
    Ok(server)
}

fn become_user(live: &LiveSettings) -> anyhow::Result<()> {
    let Some(user) = &live.user else { return Ok(()) };
    let mut keep = vec![Capability::NetRaw];
    if live.stamps_in_hardware() {
        keep.push(Capability::NetAdmin);
    }
    match privileges::drop_to(user, &keep) {
        Ok(runs_as) => {
            tracing::info!("running as {runs_as}");
            Ok(())
        }
        Err(error) => {
            let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
            Err(error).exit(exit)
        }
    }
}

/// What the threads of a run go by.
struct Run<'a> {
    settings: &'a Settings,
    live: &'a LiveSettings,
    config: PipelineConfig,
    signals: Signals,
    watched: Arc<Watched>,
    began: Instant,
}

type Handles<'scope, T> = Vec<ScopedJoinHandle<'scope, anyhow::Result<T>>>;

impl Run<'_> {
    fn capture(
        &self,
        opened: Opened,
        statuses: &[Arc<WorkerStatus>],
        sender: queue::QueueSender,
        writer: Writer,
    ) -> anyhow::Result<Exit> {
        let Opened { sources, opener, filter } = opened;
        let mut config = self.config.clone();
        // Each has a table of its own: together they hold what was asked for.
        config.meter.max_flows = config.meter.max_flows.div_ceil(sources.len().max(1));
        std::thread::scope(|scope| {
            let writing = spawn(scope, "writer", move || writer.run())?;
            let mut handles: Handles<'_, ()> = Vec::with_capacity(sources.len());
            for (number, (source, status)) in sources.into_iter().zip(statuses).enumerate() {
                let seed = HashSeed::new(config.hash_secret);
                let writer = Arc::clone(&self.watched.writer);
                let worker = Worker {
                    name: format!("{} {number}", self.settings.input.source),
                    opener: opener.clone(),
                    decoding: Decoding::new(filter.clone(), &config, &seed),
                    meter: config.meter(seed)?,
                    queue: sender.clone(),
                    status: Arc::clone(status),
                    stop: self.signals.stop_flag(),
                    writer_ended: Box::new(move || writer.ended.load(Ordering::Relaxed)),
                };
                handles.push(spawn(scope, &format!("worker-{number}"), move || {
                    let source: Box<dyn LiveSource> = source;
                    worker.run(source)
                })?);
            }
            drop(sender);
            tracing::info!(
                interface = self.settings.input.source,
                workers = handles.len(),
                "capturing"
            );
            let failed = self.watch(&mut handles);
            // All records are in the queue: the writer ends when it is empty.
            let written = join(writing)??;
            if let Some(error) = failed {
                return Err(error);
            }
            self.report(written)
        })
    }

    /// Watches until all workers have ended; what one of them failed with.
    fn watch(&self, handles: &mut Handles<'_, ()>) -> Option<anyhow::Error> {
        let service = Service::from_environment();
        let interface = &self.settings.input.source;
        service.ready(format_args!("capturing from {interface}"));
        let mut failed = None;
        let mut losses = LossWatch::default();
        let mut stopping = false;
        let now = Instant::now();
        let (mut pinged, mut told, mut looked) = (now, now, now);
        while !handles.is_empty() {
            std::thread::sleep(LOOK);
            let now = Instant::now();
            if let Some(ended) = handles.iter().position(ScopedJoinHandle::is_finished) {
                if let Err(error) = join(handles.swap_remove(ended)).and_then(|result| result) {
                    failed.get_or_insert(error);
                }
                // One that ended unasked failed: the others would go on with half of the packets.
                self.signals.request_stop();
            }
            if self.signals.stop_requested() && !stopping {
                stopping = true;
                service.stopping("writing the open flows");
                tracing::info!("stopping");
            }
            if service.watchdog_interval().is_some_and(|interval| now - pinged >= interval)
                && self.watched.is_alive()
            {
                pinged = now;
                service.alive();
            }
            if self.live.stats_interval.is_some_and(|interval| now - told >= interval) {
                told = now;
                log_statistics(&self.watched);
            }
            if now - looked >= LOSSES {
                looked = now;
                losses.look(&self.watched);
            }
        }
        losses.look(&self.watched);
        failed
    }

    fn report(&self, written: bool) -> anyhow::Result<Exit> {
        let total = self.watched.total();
        let lost = self.watched.queue.lost();
        let writer = &self.watched.writer;
        let report = LiveReport {
            total: &total,
            written: writer.records.load(Ordering::Relaxed),
            files: writer.files.load(Ordering::Relaxed),
            file_octets: writer.octets.load(Ordering::Relaxed),
            lost,
            took: self.began.elapsed(),
        };
        report.log();
        if self.settings.output.stats {
            report::print(self.settings, |out| report.write(out))?;
        }
        let dropped = total.socket.dropped + total.socket.interface_dropped + total.socket.errors;
        Ok(match (written, lost + dropped > 0 && self.settings.strict) {
            (false, _) => Exit::Failed,
            (true, true) => Exit::Losses,
            (true, false) => Exit::Done,
        })
    }
}

#[cfg(test)]
mod tests {
    use rockfish_flow::{EndReason, FlowRecord};
    use rockfish_meter::{Meter, MeterConfig};
    use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, LinkType, PacketBatch};
    use rockfish_testkit::PacketBuilder;

    /// So many records, of which only the number matters.
    pub(crate) fn records(count: usize) -> Vec<FlowRecord> {
        let seed = HashSeed::new(1);
        let data = PacketBuilder::ethernet([2; 6], [4; 6])
            .ip("192.0.2.1", "192.0.2.2")
            .udp(53, 53)
            .payload(b"x")
            .build();
        let (mut batch, mut records) = (PacketBatch::default(), Vec::new());
        let wire = data.len() as u32;
        let time = rockfish_flow::Timestamp::ZERO;
        let frame = Frame { time, link: LinkType::Ethernet, wire, data: &data, offset: 0 };
        Decoder::new(DecodeConfig::default(), seed.clone()).decode(&frame, &mut batch);
        let mut meter = Meter::new(MeterConfig::default(), seed);
        meter.process_all(&batch, &data, &mut records);
        meter.finish(EndReason::Eof).next_second(&mut records);
        vec![records.swap_remove(0); count]
    }
}
