//! How a run went: in the log, and as `--stats` prints it.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context as _;
use rockfish_flow::EndReason;
use rockfish_meter::MeterCounters;
use rockfish_packet::{Anomaly, DecodeCounters, Ignored};
use rockfish_parquet::Summary;

use crate::live::WorkerCounters;
use crate::pipeline::Totals;
use crate::settings::{JsonTarget, Settings};

/// The end of reading captures in one line of the log.
pub(crate) fn log(totals: &Totals, summary: Option<&Summary>, took: Duration) {
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
pub(crate) fn print(
    settings: &Settings,
    write: impl Fn(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut text = Vec::new();
    write(&mut text)?;
    if settings.output.json == Some(JsonTarget::Stdout) {
        io::stderr().lock().write_all(&text).context("cannot write to standard error")
    } else {
        let mut out = rockfish_app::stdout();
        out.write_all(&text).and_then(|()| out.flush()).context("cannot write to standard output")
    }
}

fn line(out: &mut dyn Write, name: &str, value: u64) -> io::Result<()> {
    writeln!(out, "{name:<32}{value:>16}")
}

/// The statistics of captures.
pub(crate) fn write(
    out: &mut dyn Write,
    totals: &Totals,
    summary: Option<&Summary>,
    took: Duration,
) -> io::Result<()> {
    line(out, "packets read", totals.progress.packets)?;
    for (name, value) in [
        ("skipped: unknown link type", totals.skipped.unknown_link),
        ("skipped: unknown interface", totals.skipped.unknown_interface),
        ("skipped: corrupt record", totals.skipped.corrupt),
        ("left out by the filter", totals.filtered),
    ] {
        if value > 0 {
            line(out, name, value)?;
        }
    }
    write_flows(out, &totals.decode, &totals.meter)?;
    if let Some(summary) = summary {
        line(out, "Parquet files", summary.files.len() as u64)?;
        line(out, "Parquet octets", summary.files.iter().map(|file| file.bytes).sum())?;
    }
    writeln!(out, "{:<32}{:>16.3}", "seconds", took.as_secs_f64())
}

fn write_flows(
    out: &mut dyn Write,
    decode: &DecodeCounters,
    meter: &MeterCounters,
) -> io::Result<()> {
    line(out, "octets on the wire", decode.wire_octets)?;
    line(out, "packets in flows", meter.packets)?;
    line(out, "IP octets in flows", meter.octets)?;
    line(out, "ignored", decode.ignored_total())?;
    for reason in Ignored::ALL {
        if decode.ignored(reason) > 0 {
            line(out, &format!("  {}", reason.as_str()), decode.ignored(reason))?;
        }
    }
    line(out, "fragments", decode.fragments)?;
    line(out, "datagrams reassembled", decode.reassembled)?;
    for anomaly in Anomaly::ALL {
        if decode.anomaly(anomaly) > 0 {
            line(out, &format!("anomaly {}", anomaly.as_str()), decode.anomaly(anomaly))?;
        }
    }
    line(out, "flows", meter.records_total())?;
    for reason in EndReason::ALL {
        let records = meter.records[reason as usize];
        if records > 0 {
            line(out, &format!("  {reason}"), records)?;
        }
    }
    line(out, "most flows open at a time", meter.peak as u64)
}

/// What a run on an interface came to.
pub(crate) struct LiveReport<'a> {
    /// All workers' counts.
    pub(crate) total: &'a WorkerCounters,
    /// Records taken by the outputs.
    pub(crate) written: u64,
    /// Records lost on the way there.
    pub(crate) lost: u64,
    /// Parquet files.
    pub(crate) files: u64,
    /// Octets of those.
    pub(crate) file_octets: u64,
    /// Time from the start.
    pub(crate) took: Duration,
}

impl LiveReport<'_> {
    /// The end in one line of the log.
    pub(crate) fn log(&self) {
        tracing::info!(
            packets = self.total.packets,
            dropped = self.total.socket.dropped,
            flows = self.total.meter.records_total(),
            files = self.files,
            file_octets = self.file_octets,
            ignored = self.total.decode.ignored_total(),
            lost = self.lost,
            seconds = format_args!("{:.3}", self.took.as_secs_f64()),
            "stopped"
        );
    }

    /// The statistics.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { total, .. } = self;
        let socket = &total.socket;
        line(out, "packets received", socket.received)?;
        line(out, "dropped by the kernel", socket.dropped)?;
        for (name, value) in [
            ("times the buffer was full", socket.freezes),
            ("dropped by the interface", socket.interface_dropped),
            ("damaged", socket.errors),
            ("left out by the filter", total.filtered),
            ("interface opened again", total.reopened),
        ] {
            if value > 0 {
                line(out, name, value)?;
            }
        }
        line(out, "packets read", total.packets)?;
        write_flows(out, &total.decode, &total.meter)?;
        line(out, "flow records written", self.written)?;
        line(out, "flow records lost", self.lost)?;
        line(out, "Parquet files", self.files)?;
        line(out, "Parquet octets", self.file_octets)?;
        writeln!(out, "{:<32}{:>16.3}", "seconds", self.took.as_secs_f64())
    }
}
