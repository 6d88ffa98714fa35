//! The figures that Prometheus reads.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rockfish_flow::EndReason;
use rockfish_metrics::{Collector, DescriptorEncoder, Page};
use rockfish_packet::{Anomaly, Ignored};

use crate::live::status::WorkerCounters;
use crate::live::watch::Watched;

/// Writes what is watched. Reads copies that the workers leave behind once a second.
#[derive(Debug)]
pub(crate) struct Figures(pub(crate) Arc<Watched>);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::new(encoder);
        let workers: Vec<WorkerCounters> = self.0.workers.iter().map(|w| w.counters()).collect();
        let mut total = WorkerCounters::default();
        workers.iter().for_each(|worker| total.add(worker));
        sockets(&mut page, &workers)?;
        page.counter("rockfish_packets", "Packets taken from the sockets", total.packets)?;
        page.counter("rockfish_octets", "Octets of those on the wire", total.decode.wire_octets)?;
        page.counter(
            "rockfish_filtered_packets",
            "Packets that the filter left out after the kernel",
            total.filtered,
        )?;
        page.counters(
            "rockfish_ignored_packets",
            "Packets that are in no flow, by reason",
            Ignored::ALL
                .iter()
                .map(|reason| ([("reason", reason.as_str())], total.decode.ignored(*reason))),
        )?;
        page.counters(
            "rockfish_anomalous_packets",
            "Packets that are odd and in a flow nevertheless, by kind",
            Anomaly::ALL
                .iter()
                .map(|kind| ([("kind", kind.as_str())], total.decode.anomaly(*kind))),
        )?;
        page.counter("rockfish_fragments", "IP fragments", total.decode.fragments)?;
        page.counter(
            "rockfish_reassembled_datagrams",
            "Datagrams put together from fragments",
            total.decode.reassembled,
        )?;
        page.counter("rockfish_flow_packets", "Packets in flows", total.meter.packets)?;
        page.counter("rockfish_flow_octets", "IP octets in flows", total.meter.octets)?;
        page.counters(
            "rockfish_flow_records",
            "Flow records by end reason; reason lack of resources is an eviction",
            EndReason::ALL.iter().map(|reason| {
                ([("reason", reason.to_string())], total.meter.records[*reason as usize])
            }),
        )?;
        page.gauges(
            "rockfish_open_flows",
            "Flows in the tables",
            workers
                .iter()
                .enumerate()
                .map(|(number, worker)| (label(number), worker.meter.open as f64)),
        )?;
        page.gauges(
            "rockfish_flow_memory_octets",
            "Memory of the flow tables",
            workers
                .iter()
                .enumerate()
                .map(|(number, worker)| (label(number), worker.memory as f64)),
        )?;
        page.gauges(
            "rockfish_lag_seconds",
            "Age of the newest packet when it was decoded, by this machine's clock",
            workers
                .iter()
                .enumerate()
                .map(|(number, worker)| (label(number), worker.lag.as_secs_f64())),
        )?;
        self.writer(&mut page)
    }
}

fn label(number: usize) -> [(&'static str, String); 1] {
    [("worker", number.to_string())]
}

fn sockets(page: &mut Page<'_>, workers: &[WorkerCounters]) -> fmt::Result {
    type Get = fn(&WorkerCounters) -> u64;
    let families: [(&str, &str, Get); 6] = [
        (
            "rockfish_socket_packets",
            "Packets that reached the socket, dropped ones included",
            |worker| worker.socket.received,
        ),
        (
            "rockfish_socket_dropped_packets",
            "Packets that the kernel dropped, the buffer being full",
            |worker| worker.socket.dropped,
        ),
        (
            "rockfish_socket_freezes",
            "Times that the buffer was full and capture stood still",
            |worker| worker.socket.freezes,
        ),
        (
            "rockfish_interface_dropped_packets",
            "Packets that the interface dropped before, where the system says so",
            |worker| worker.socket.interface_dropped,
        ),
        (
            "rockfish_socket_damaged_packets",
            "Packets that were captured damaged and left out",
            |worker| worker.socket.errors,
        ),
        ("rockfish_interface_reopenings", "Times that the interface was opened again", |worker| {
            worker.reopened
        }),
    ];
    for (name, help, get) in families {
        let samples = workers.iter().enumerate();
        page.counters(name, help, samples.map(|(number, worker)| (label(number), get(worker))))?;
    }
    Ok(())
}

impl Figures {
    fn writer(&self, page: &mut Page<'_>) -> fmt::Result {
        let Watched { queue, writer, .. } = &*self.0;
        page.counter(
            "rockfish_written_records",
            "Flow records taken by the outputs",
            writer.records.load(Ordering::Relaxed),
        )?;
        page.counter(
            "rockfish_lost_records",
            "Flow records lost: no room in the queue, or not written",
            queue.lost(),
        )?;
        page.gauge("rockfish_queued_records", "Flow records that wait", queue.waiting() as f64)?;
        page.counter(
            "rockfish_written_files",
            "Parquet files completed",
            writer.files.load(Ordering::Relaxed),
        )?;
        page.counter(
            "rockfish_written_octets",
            "Octets of those",
            writer.octets.load(Ordering::Relaxed),
        )?;
        page.counter(
            "rockfish_write_failures",
            "Times that writing failed",
            writer.failures.load(Ordering::Relaxed),
        )
    }
}
