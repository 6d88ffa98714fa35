//! One run of the probe: opens source and outputs, meters, and says how it went.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use rockfish_app::signals::Signals;
use rockfish_app::{Exit, ResultExt, logging};
use rockfish_capture::{CaptureError, CaptureFiles, Options, PacketSource, Warning};
use rockfish_capture_pcap::BpfFilter;
use rockfish_meter::MeterConfig;
use rockfish_packet::{DecodeConfig, FragmentConfig, Tunnels, UdpUniflow};

use crate::pipeline::{self, Observer, PipelineConfig, Totals};
use crate::settings::{self, Progress, Settings};
use crate::sink::Outputs;
use crate::waiting::Waiting;
use crate::{live, report};

/// How often the progress bar is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// Meters what the settings name.
///
/// # Errors
/// The source is no capture or cannot be read, the filter is wrong, or an output cannot be written.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Exit> {
    if let Some(live) = &settings.input.live {
        return live::run(settings, live);
    }
    let options = Options { snaplen: settings.input.snaplen, ..Options::default() };
    let files = CaptureFiles::with_options(&settings.input.source, options).exit(Exit::Usage)?;
    let filter = settings
        .input
        .filter
        .as_deref()
        .map(|expression| BpfFilter::compile(expression, &files.links()))
        .transpose()
        .exit(Exit::Usage)?;
    // Before anything is written: a stop asked for from here on leaves finished files.
    let signals = Signals::install().context("cannot listen for signals")?;
    let outputs = Outputs::open(settings, settings.workers.get(), signals.clone())?;
    let config = pipeline_config(settings);
    let mut watch = Watch::new(settings);
    let began = Instant::now();
    let stop = signals.stop_flag();
    // Of pipes the length is not known, and they may keep one waiting.
    let mut source: Box<dyn PacketSource> = match files.progress().total {
        Some(_) => Box::new(files),
        None => Box::new(Waiting::start(files, Arc::clone(&stop))?),
    };
    let result = pipeline::run(source.as_mut(), filter, &config, outputs, &stop, &mut watch);
    watch.finish_bar();
    let (totals, outputs) = result?;
    let summary = outputs.finish()?;
    let took = began.elapsed();
    report::log(&totals, summary.as_ref(), took);
    if settings.output.stats {
        report::print(settings, |out| report::write(out, &totals, summary.as_ref(), took))?;
    }
    let lost = watch.losses || totals.skipped.total() > 0;
    Ok(match (watch.failures, lost && settings.strict) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Losses,
        (false, false) => Exit::Done,
    })
}

/// What the pipeline goes by, from the settings.
pub fn pipeline_config(settings: &Settings) -> PipelineConfig {
    let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
    let flow = &settings.flow;
    let fragment = &settings.fragment;
    PipelineConfig {
        decode: DecodeConfig {
            tunnels: if flow.tunnels_inner { Tunnels::Inner } else { Tunnels::Outer },
            vlan_key: flow.vlan_key,
            icmp_key: flow.icmp_key,
            udp_uniflow: match flow.udp_uniflow {
                settings::UdpUniflow::Off => UdpUniflow::Off,
                settings::UdpUniflow::All => UdpUniflow::All,
                settings::UdpUniflow::Port(port) => UdpUniflow::Port(port),
            },
            fragments: FragmentConfig {
                disabled: fragment.disabled,
                max_tables: fragment.max_tables,
                timeout_secs: u32::try_from(fragment.timeout.as_secs()).unwrap_or(u32::MAX),
                max_bytes: fragment.max_bytes,
            },
        },
        meter: MeterConfig {
            idle_timeout_us: micros(flow.idle_timeout),
            active_timeout_us: micros(flow.active_timeout),
            max_flows: flow.max_flows,
            max_payload: flow.max_payload,
            mac: flow.mac,
            tcp_linger_us: micros(flow.tcp_linger),
        },
        workers: settings.workers,
        hash_secret: secret(),
        inspection: settings.inspection.clone(),
    }
}

/// A number that senders of packets cannot know.
fn secret() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// Shows and logs what happens on the way.
struct Watch {
    bar: Option<ProgressBar>,
    drawn: Instant,
    stats_interval: Option<Duration>,
    told: Instant,
    losses: bool,
    failures: bool,
}

impl Watch {
    fn new(settings: &Settings) -> Self {
        let shown = match settings.output.progress {
            Progress::Always => true,
            Progress::Never => false,
            Progress::Auto => {
                settings.logging.level >= logging::Level::Info && std::io::stderr().is_terminal()
            }
        };
        let now = Instant::now();
        Self {
            bar: shown.then(progress_bar),
            drawn: now,
            stats_interval: settings.output.stats_interval,
            told: now,
            losses: false,
            failures: false,
        }
    }

    fn finish_bar(&mut self) {
        if let Some(bar) = self.bar.take() {
            logging::set_around_stderr(None);
            bar.finish_and_clear();
        }
    }
}

fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    logging::set_around_stderr(Some(Arc::new({
        let bar = bar.clone();
        move |write: &mut dyn FnMut()| bar.suspend(&mut *write)
    })));
    bar
}

impl Observer for Watch {
    fn block(&mut self, totals: &Totals) {
        if let Some(bar) = &self.bar
            && self.drawn.elapsed() >= REDRAW
        {
            self.drawn = Instant::now();
            let rate = "{msg} packets, {binary_bytes_per_sec}";
            let (length, template) = match totals.progress.total {
                Some(total) => (total, format!("{{bar:30}} {{percent}} %, {rate}, {{eta}} left")),
                None => (totals.progress.octets, format!("{{spinner}} {{binary_bytes}}, {rate}")),
            };
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style);
            }
            bar.set_length(length);
            bar.set_message(totals.progress.packets.to_string());
            bar.set_position(totals.progress.octets);
        }
        if let Some(interval) = self.stats_interval
            && self.told.elapsed() >= interval
        {
            self.told = Instant::now();
            tracing::info!(
                packets = totals.decode.frames,
                octets = totals.progress.octets,
                ignored = totals.decode.ignored_total(),
                skipped = totals.skipped.total(),
                filtered = totals.filtered,
                "statistics"
            );
        }
    }

    fn warning(&mut self, warning: &Warning) {
        self.losses |= warning.is_loss();
        tracing::warn!("{warning}");
    }

    fn failed(&mut self, error: CaptureError) -> anyhow::Result<()> {
        self.failures = true;
        self.losses = true;
        let error = anyhow::Error::from(error);
        tracing::error!("{error:#}");
        Ok(())
    }
}
