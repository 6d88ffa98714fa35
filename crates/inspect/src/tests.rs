use rockfish_flow::{EndReason, FlowRecord, Timestamp};
use rockfish_label::BuiltinLabeler;
use rockfish_meter::{Meter, MeterConfig};
use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, LinkType, PacketBatch};
use rockfish_testkit::PacketBuilder;

use super::*;

const CLIENT: &str = "192.0.2.1";
const SERVER: &str = "198.51.100.7";

fn frame(from_client: bool, flags: &str, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let (source, destination, ports) = match from_client {
        true => (CLIENT, SERVER, (40_000, 80)),
        false => (SERVER, CLIENT, (80, 40_000)),
    };
    PacketBuilder::ethernet([2; 6], [4; 6])
        .ip(source, destination)
        .tcp(ports.0, ports.1, flags, sequence, 0)
        .payload(payload)
        .build()
}

/// Meters frames, each with its second.
fn run(
    inspector: FlowInspector,
    frames: &[(i64, Vec<u8>)],
    config: MeterConfig,
) -> Vec<FlowRecord> {
    let seed = HashSeed::new(1);
    let mut decoder = Decoder::new(DecodeConfig::default(), seed.clone());
    let mut meter = Meter::new(config, seed).with_inspector(Box::new(inspector));
    let mut records = Vec::new();
    for (second, data) in frames {
        let mut batch = PacketBatch::default();
        let time = Timestamp::from_micros(second * 1_000_000);
        meter.tick(time, &mut records);
        let wire = data.len() as u32;
        decoder
            .decode(&Frame { time, link: LinkType::Ethernet, wire, data, offset: 0 }, &mut batch);
        meter.process_all(&batch, data, &mut records);
    }
    let mut drain = meter.finish(EndReason::Eof);
    while drain.next_second(&mut records).is_some() {}
    records
}

fn inspector() -> FlowInspector {
    let config = InspectConfig { fingerprints: true, tcp_format: TcpFormat::Draft04 };
    FlowInspector::new(config, Some(Box::new(BuiltinLabeler::new(Arc::default()))))
}

/// A request in two segments that come in the wrong order.
fn request(second: i64) -> Vec<(i64, Vec<u8>)> {
    let text = b"GET /index.html HTTP/1.1\r\nHost: WWW.Example.org\r\n\r\n";
    vec![
        (second, frame(true, "S", 999, b"")),
        (second, frame(false, "SA", 4_999, b"")),
        (second, frame(true, "A", 1000, b"")),
        (second, frame(true, "A", 1020, &text[20..])),
        (second, frame(true, "A", 1000, &text[..20])),
        (second, frame(false, "A", 5000, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    ]
}

#[test]
fn a_request_names_host_application_and_system() {
    let records = run(inspector(), &request(1), MeterConfig::default());
    let labels = records[0].labels.clone().unwrap();
    assert_eq!(labels.host_name.as_deref(), Some("www.example.org"));
    assert_eq!(&*labels.application.unwrap().name, "HTTP");
    let fingerprint = labels.tcp_fingerprint.unwrap();
    assert!(fingerprint.starts_with("2_64_"), "{fingerprint}");
    assert_eq!((labels.ja4, labels.fingerprint), (None, None));
}

/// What the first packets said holds for all records of a connection, and ends with it.
#[test]
fn labels_hold_on_over_the_active_timeout_and_end_with_the_connection() {
    let config =
        MeterConfig { active_timeout_us: 10_000_000, tcp_linger_us: 0, ..MeterConfig::default() };
    let mut frames = request(1);
    frames.extend((2..30).map(|second| (second, frame(true, "A", 1100, b"more"))));
    frames.push((30, frame(true, "R", 1200, b"")));
    frames.push((31, frame(true, "A", 9, b"\x00\x01\x02")));
    let records = run(inspector(), &frames, config);
    let hosts: Vec<_> = records
        .iter()
        .map(|record| record.labels.as_ref().and_then(|labels| labels.host_name.as_deref()))
        .collect();
    let (last, before) = hosts.split_last().unwrap();
    assert!(
        before.len() > 2 && before.iter().all(|host| *host == Some("www.example.org")),
        "{hosts:?}"
    );
    assert_eq!(*last, None, "another connection of the same ends");
}

#[test]
fn without_anything_to_look_for_there_is_no_state() {
    let config = InspectConfig { fingerprints: false, tcp_format: TcpFormat::Draft04 };
    let records = run(FlowInspector::new(config, None), &request(1), MeterConfig::default());
    assert_eq!(records[0].labels, None);
}
