//! What a labeler with libndpi has to keep to.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "../../label/tests/common/packets.rs"]
mod packets;

use std::io::Write;
use std::thread;

use packets::{
    CATEGORIES, RULES, check_rules, client_hello, dns_question, ends, label, name, packet,
};
use rockfish_label::{CategoryRules, Known, Labeler, PacketView, Progress, Rules};
use rockfish_ndpi::{Limits, NdpiConfig, NdpiError, NdpiLabeler, dialect, version};

fn plain() -> NdpiLabeler {
    NdpiLabeler::new(&NdpiConfig::default()).unwrap()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_library_is_the_one_that_this_was_built_for() {
    let version = version().unwrap();
    let (major, _) = dialect().release;
    assert!(version.starts_with(&format!("libndpi {major}.")), "{version}");
    assert_eq!(plain().describe(), version);
}

#[test]
fn custom_rules() {
    let rules = Rules::parse("protos.txt", RULES.as_bytes()).unwrap();
    let categories = CategoryRules::parse("categories.txt", CATEGORIES.as_bytes()).unwrap();
    check_rules(&mut NdpiLabeler::with_rules(&rules, &categories, Limits::default()).unwrap());
}

#[test]
fn custom_files() {
    let (protocols, categories) = (file(RULES), file(CATEGORIES));
    let config = NdpiConfig {
        protocol_file: Some(protocols.path().to_owned()),
        categories_file: Some(categories.path().to_owned()),
        ..NdpiConfig::default()
    };
    check_rules(&mut NdpiLabeler::new(&config).unwrap());
}

#[test]
fn a_rule_for_the_highest_port_neither_hangs_nor_is_lost() {
    for rule in
        ["tcp:65535@Own", "udp:65535@Own", "tcp:1-65535@Own", "udp:65534-65535,tcp:65535@Own"]
    {
        let protocols = file(rule);
        let config = NdpiConfig {
            protocol_file: Some(protocols.path().to_owned()),
            ..NdpiConfig::default()
        };
        let mut labeler = NdpiLabeler::new(&config).unwrap();
        let protocol = if rule.starts_with("tcp") { 6 } else { 17 };
        let label = labeler.guess(&ends(protocol, "203.0.113.1", 65535), &Known::default());
        assert_eq!(name(label), "Own", "{rule}");
    }
}

#[test]
fn files_that_are_not_right_are_refused() {
    let config = |path| NdpiConfig { protocol_file: Some(path), ..NdpiConfig::default() };
    let wrong = file("tcp:80@HTTP\nip:example.com@Own\n");
    let error = NdpiLabeler::new(&config(wrong.path().to_owned())).err().unwrap();
    let expected =
        format!("{}: line 2: found \"ip:example.com\", expected ", wrong.path().display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    let error = NdpiLabeler::new(&config("/nowhere/protos.txt".into())).err().unwrap();
    assert!(matches!(error, NdpiError::Read { .. }));
    assert_eq!(error.to_string(), "/nowhere/protos.txt: cannot be read");
}

/// Payloads of many kinds, some of which libndpi decides at once, some never.
fn payloads() -> Vec<(u8, u16, Vec<u8>)> {
    vec![
        (6, 443, client_hello("www.youtube.com")),
        (6, 4433, client_hello("a.invalid")),
        (17, 53, dns_question("www.google.com")),
        (17, 53, dns_question("xkcjvhqwpz.invalid")),
        (6, 80, b"GET / HTTP/1.1\r\nHost: www.netflix.com\r\nUser-Agent: x\r\n\r\n".to_vec()),
        (6, 22, b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        (6, 3306, vec![3; 90]),
        (17, 40001, vec![0; 33]),
        (17, 443, [&[0xc3, 0, 0, 0, 1, 8][..], &[1; 1194]].concat()),
        (1, 0, vec![8, 0, 0, 0, 0, 1]),
    ]
}

#[test]
fn states_are_freed() {
    let mut labeler = plain();
    for round in 0..50 {
        let mut handles = Vec::new();
        for (protocol, port, payload) in payloads() {
            let ends = ends(protocol, "203.0.113.1", port);
            let handle = labeler.begin(&ends);
            let ip = packet(&ends, &payload);
            for _ in 0..round {
                let view = PacketView {
                    ip: &ip,
                    payload: &payload,
                    from_initiator: true,
                    time_ms: 1_700_000_000_000,
                };
                labeler.packet(handle, &view);
            }
            handles.push(handle);
        }
        assert_eq!(labeler.open(), handles.len());
        assert!(labeler.counters().in_use <= handles.len() as u64);
        for handle in handles {
            labeler.finish(handle, &Known::default());
        }
        assert_eq!((labeler.open(), labeler.counters().in_use), (0, 0));
    }
    let counters = labeler.counters();
    assert!(counters.flows > 0 && counters.given_up > 0 && counters.packets >= counters.flows);
}

#[test]
fn a_flow_is_given_up_and_then_costs_nothing() {
    for (limits, protocol) in [(Limits { tcp: 5, udp: 9 }, 6), (Limits { tcp: 5, udp: 9 }, 17)] {
        let mut labeler =
            NdpiLabeler::with_rules(&Rules::default(), &CategoryRules::default(), limits).unwrap();
        let ends = ends(protocol, "203.0.113.1", 40001);
        let handle = labeler.begin(&ends);
        let payload = [0; 33];
        let ip = packet(&ends, &payload);
        let view = PacketView { ip: &ip, payload: &payload, from_initiator: true, time_ms: 1 };
        let most = if protocol == 6 { limits.tcp } else { limits.udp };
        for shown in 1..=u64::from(most) + 20 {
            let progress = labeler.packet(handle, &view);
            assert_eq!(progress == Progress::Done, shown >= u64::from(most), "{shown}");
        }
        assert_eq!(labeler.counters().packets, u64::from(most));
        assert_eq!(labeler.counters().in_use, 0);
        labeler.finish(handle, &Known::default());
    }
}

#[test]
fn datagrams_without_a_header_are_labelled() {
    let mut labeler = plain();
    let ends = ends(17, "203.0.113.1", 53);
    let question = dns_question("www.example.org");
    let handle = labeler.begin(&ends);
    let view = PacketView { ip: &[], payload: &question, from_initiator: true, time_ms: 1 };
    labeler.packet(handle, &view);
    assert_eq!(name(labeler.finish(handle, &Known::default())), "DNS");
    let mut six = ends;
    (six.source, six.destination) =
        ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let handle = labeler.begin(&six);
    labeler.packet(handle, &view);
    assert_eq!(name(labeler.finish(handle, &Known::default())), "DNS");
}

#[test]
fn packets_that_are_cut_or_nonsense_do_no_harm() {
    let mut labeler = plain();
    for (protocol, port, payload) in payloads() {
        let ends = ends(protocol, "203.0.113.1", port);
        let whole = packet(&ends, &payload);
        for cut in 0..whole.len() {
            let handle = labeler.begin(&ends);
            let ip = &whole[..cut];
            let payload = ip
                .get(whole.len() - payload.len()..)
                .filter(|rest| !rest.is_empty())
                .unwrap_or(&[1]);
            let view = PacketView { ip, payload, from_initiator: cut % 2 == 0, time_ms: 1 };
            labeler.packet(handle, &view);
            labeler.packet(handle, &view);
            labeler.finish(handle, &Known::default());
        }
    }
    assert_eq!(labeler.counters().in_use, 0);
}

#[test]
fn services_go_by_the_name_that_is_known() {
    let mut labeler = plain();
    let tls = ends(6, "203.0.113.1", 443);
    let cases = [
        (Known { sni: Some("www.YouTube.com"), ..Known::default() }, "a.invalid", "TLS.YouTube"),
        (Known::default(), "www.youtube.com", "TLS.YouTube"),
        (Known { sni: Some("a.invalid"), ..Known::default() }, "a.invalid", "TLS"),
        (Known { dns_name: Some("www.youtube.com"), ..Known::default() }, "a.invalid", "TLS"),
    ];
    for (known, in_hello, expected) in cases {
        let label = label(&mut labeler, &tls, &[&client_hello(in_hello)], &known);
        assert_eq!(name(label), expected, "{known:?} {in_hello}");
    }
    let known = Known { dns_name: Some("www.youtube.com"), ..Known::default() };
    assert_eq!(name(labeler.guess(&tls, &known)), "TLS.YouTube");
}

#[test]
fn threads_do_not_disturb_each_other() {
    let labels = |mut labeler: NdpiLabeler| -> Vec<_> {
        (0..20)
            .flat_map(|_| payloads())
            .map(|(protocol, port, payload)| {
                label(
                    &mut labeler,
                    &ends(protocol, "203.0.113.1", port),
                    &[&payload],
                    &Known::default(),
                )
            })
            .collect()
    };
    let expected = labels(plain());
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let expected = expected.clone();
            thread::spawn(move || {
                // Made and destroyed while others run.
                for _ in 0..3 {
                    assert_eq!(labels(plain()), expected);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
