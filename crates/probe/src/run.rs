//! One run of the probe: opens source and outputs, meters, and says how it went.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use rockfish_app::signals::Signals;
use rockfish_app::{Exit, ResultExt, logging};
use rockfish_capture::{CaptureError, CaptureFiles, Options, PacketSource, Warning};
use rockfish_capture_pcap::BpfFilter;
use rockfish_flow::EndReason;
use rockfish_meter::MeterConfig;
use rockfish_packet::{Anomaly, DecodeConfig, FragmentConfig, Ignored, Tunnels, UdpUniflow};
use rockfish_parquet::Summary;

use crate::pipeline::{self, Observer, PipelineConfig, Totals};
use crate::settings::{self, JsonTarget, Progress, Settings};
use crate::sink::Outputs;
use crate::waiting::Waiting;

/// How often the progress bar is drawn.
const REDRAW: Duration = Duration::from_millis(200);

/// Meters what the settings name.
///
/// # Errors
/// The source is no capture or cannot be read, the filter is wrong, or an output cannot be written.
pub(crate) fn run(settings: &Settings) -> anyhow::Result<Exit> {
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
    let outputs = Outputs::open(&settings.output, settings.workers.get(), signals.clone())?;
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
    report(&totals, summary.as_ref(), began.elapsed());
    if settings.output.stats {
        print_statistics(settings, &totals, summary.as_ref(), began.elapsed())?;
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

/// The end in one line of the log.
fn report(totals: &Totals, summary: Option<&Summary>, took: Duration) {
    let flows = totals.meter.records_total();
    let files = summary.map_or(0, |summary| summary.files.len());
    let octets: u64 =
        summary.map_or(0, |summary| summary.files.iter().map(|file| file.bytes).sum());
    tracing::info!(
        packets = totals.decode.frames,
        flows,
        files,
        file_octets = octets,
        ignored = totals.decode.ignored_total(),
        seconds = format_args!("{:.3}", took.as_secs_f64()),
        "{}",
        if totals.stopped { "stopped" } else { "done" }
    );
    if totals.decode.frames == 0 {
        tracing::warn!("the input holds no packets");
    }
}

/// `--stats`: everything that was counted. On standard output, unless that carries flows.
fn print_statistics(
    settings: &Settings,
    totals: &Totals,
    summary: Option<&Summary>,
    took: Duration,
) -> anyhow::Result<()> {
    let mut text = Vec::new();
    write_statistics(&mut text, totals, summary, took)?;
    if settings.output.json == Some(JsonTarget::Stdout) {
        std::io::stderr().lock().write_all(&text).context("cannot write to standard error")
    } else {
        let mut out = rockfish_app::stdout();
        out.write_all(&text).and_then(|()| out.flush()).context("cannot write to standard output")
    }
}

fn write_statistics(
    out: &mut dyn Write,
    totals: &Totals,
    summary: Option<&Summary>,
    took: Duration,
) -> std::io::Result<()> {
    let mut line = |name: &str, value: u64| writeln!(out, "{name:<32}{value:>16}");
    let decode = &totals.decode;
    line("packets read", totals.progress.packets)?;
    for (name, value) in [
        ("skipped: unknown link type", totals.skipped.unknown_link),
        ("skipped: unknown interface", totals.skipped.unknown_interface),
        ("skipped: corrupt record", totals.skipped.corrupt),
        ("left out by the filter", totals.filtered),
    ] {
        if value > 0 {
            line(name, value)?;
        }
    }
    line("octets on the wire", decode.wire_octets)?;
    line("packets in flows", totals.meter.packets)?;
    line("IP octets in flows", totals.meter.octets)?;
    line("ignored", decode.ignored_total())?;
    for reason in Ignored::ALL {
        if decode.ignored(reason) > 0 {
            line(&format!("  {}", reason.as_str()), decode.ignored(reason))?;
        }
    }
    line("fragments", decode.fragments)?;
    line("datagrams reassembled", decode.reassembled)?;
    for anomaly in Anomaly::ALL {
        if decode.anomaly(anomaly) > 0 {
            line(&format!("anomaly {}", anomaly.as_str()), decode.anomaly(anomaly))?;
        }
    }
    line("flows", totals.meter.records_total())?;
    for reason in EndReason::ALL {
        let records = totals.meter.records[reason as usize];
        if records > 0 {
            line(&format!("  {reason}"), records)?;
        }
    }
    line("most flows open at a time", totals.meter.peak as u64)?;
    if let Some(summary) = summary {
        line("Parquet files", summary.files.len() as u64)?;
        line("Parquet octets", summary.files.iter().map(|file| file.bytes).sum())?;
    }
    writeln!(out, "{:<32}{:>16.3}", "seconds", took.as_secs_f64())
}
