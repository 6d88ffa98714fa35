//! Golden test: our records of every capture in `tests/data/pcap` against the records that YAF wrote for it.
//!
//! Every difference must have one of the named causes, and every cause its number of records: a change in either is a
//! change of what the probe says of real traffic, to be looked at and named in the commit. `tests/data/pcap/README.md`
//! tells of each cause who is right.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use rockfish_flow::FlowRecord;
use rockfish_meter::MeterConfig;
use rockfish_packet::DecodeConfig;
use rockfish_probe::pipeline::{PipelineConfig, meter_file};
use rockfish_testkit::{Cause, YafRules, YafTable, captures, compare};

/// Our records of one capture in order of their start; none if it is refused (a link type that is not known).
fn records(path: &Path, rules: YafRules) -> Vec<FlowRecord> {
    let linger = if rules.no_linger { 0 } else { MeterConfig::default().tcp_linger_us };
    let config = PipelineConfig {
        decode: DecodeConfig {
            vlan_key: rules.vlan_key,
            icmp_key: rules.icmp_key,
            ..DecodeConfig::default()
        },
        meter: MeterConfig { tcp_linger_us: linger, ..MeterConfig::default() },
        workers: NonZeroUsize::MIN,
        hash_secret: 1,
        inspection: None,
    };
    let Ok((mut records, _)) = meter_file(path.to_str().expect("a path in UTF-8"), &config) else {
        return Vec::new();
    };
    records.sort_by_key(|flow| (flow.start, flow.source, flow.destination, flow.source_port));
    records
}

struct Outcome {
    equal: usize,
    by_definition: usize,
    causes: BTreeMap<Cause, usize>,
    unexplained: Vec<String>,
}

fn outcome(rules: YafRules) -> Outcome {
    let table =
        YafTable::open(&captures().join("expected/yaf-2.16.4-flows.csv.gz")).expect("the table");
    let mut outcome =
        Outcome { equal: 0, by_definition: 0, causes: BTreeMap::new(), unexplained: Vec::new() };
    let mut files = Vec::new();
    for folder in ["seed", "edge"] {
        for entry in std::fs::read_dir(captures().join(folder)).expect("the captures") {
            files.push(format!("{folder}/{}", entry.expect("an entry").file_name().display()));
        }
    }
    files.sort();
    assert_eq!(files.len(), 168);
    for capture in &files {
        let ours = records(&captures().join(capture), rules);
        let comparison = compare(capture, &ours, table.flows(capture), rules);
        outcome.equal += comparison.equal;
        outcome.by_definition += comparison.equal_but_for_definitions();
        comparison.count_causes(&mut outcome.causes);
        outcome.unexplained.extend(comparison.unexplained().map(|one| format!("{capture}: {one}")));
    }
    outcome
}

/// What is known to come out: records equal in every field, records that differ in definitions only, records by cause.
struct Known<'a> {
    equal: usize,
    by_definition: usize,
    causes: &'a [(Cause, usize)],
}

/// Prints what came out and holds it against what is known. Returns the share that is the same, of 1.
#[expect(clippy::print_stdout, reason = "the figures of the captures' README")]
fn check(name: &str, rules: YafRules, known: &Known<'_>) -> f64 {
    let outcome = outcome(rules);
    let same = (outcome.equal + outcome.by_definition) as f64 / 4347.0;
    println!(
        "{name}: of 4347 records {} are equal in every field and {} differ in the definition of a field only: {:.2} %",
        outcome.equal,
        outcome.by_definition,
        same * 100.0
    );
    for (cause, count) in &outcome.causes {
        println!("{cause:?}: {count}");
    }
    assert!(
        outcome.unexplained.is_empty(),
        "{} differences without a known cause:\n{}",
        outcome.unexplained.len(),
        outcome.unexplained.join("\n")
    );
    assert_eq!(
        outcome.causes.into_iter().collect::<Vec<_>>(),
        known.causes,
        "{name}: records by cause"
    );
    assert_eq!(
        (outcome.equal, outcome.by_definition),
        (known.equal, known.by_definition),
        "{name}"
    );
    same
}

#[test]
fn under_the_settings_of_yaf() {
    let causes = [
        (Cause::EntropyProtocol, 563),
        (Cause::EntropyWithoutSyn, 190),
        (Cause::EntropyFirstDatagram, 275),
        (Cause::EntropyFrameStart, 144),
        (Cause::EntropySequence, 7),
        (Cause::EntropyPortZero, 1),
        (Cause::DeviationOfTen, 139),
        (Cause::DirectionsWrap, 66),
        (Cause::LowestSequence, 22),
        (Cause::InnerVlan, 403),
        (Cause::SynAckFirst, 51),
        (Cause::SctpHeader, 19),
        (Cause::Datagram, 12),
        (Cause::IncompleteDatagram, 7),
        (Cause::AtomicFragment, 3),
        (Cause::TimeBackwards, 16),
        (Cause::CutHeader, 3),
        (Cause::ImpossibleLength, 1),
        (Cause::LinkType, 6),
        (Cause::Compressed, 440),
        (Cause::Encapsulation, 4),
    ];
    let known = Known { equal: 3015, by_definition: 1306, causes: &causes };
    let same = check("vlan_key, icmp_key, no linger", YafRules::ALL, &known);
    assert!(same >= 0.99, "{same}");
}

#[test]
fn with_the_vlan_in_the_key_alone() {
    // ICMP in one flow per pair of hosts and late packets absorbed: fewer records than YAF's, of the same packets.
    let causes = [
        (Cause::EntropyProtocol, 526),
        (Cause::EntropyWithoutSyn, 187),
        (Cause::EntropyFirstDatagram, 275),
        (Cause::EntropyFrameStart, 144),
        (Cause::EntropySequence, 10),
        (Cause::EntropyPortZero, 1),
        (Cause::DeviationOfTen, 140),
        (Cause::DirectionsWrap, 66),
        (Cause::LowestSequence, 20),
        (Cause::InnerVlan, 392),
        (Cause::SynAckFirst, 50),
        (Cause::SctpHeader, 19),
        (Cause::Datagram, 13),
        (Cause::IncompleteDatagram, 7),
        (Cause::AtomicFragment, 3),
        (Cause::TimeBackwards, 16),
        (Cause::CutHeader, 3),
        (Cause::ImpossibleLength, 1),
        (Cause::LinkType, 4),
        (Cause::Compressed, 440),
        (Cause::Encapsulation, 4),
        (Cause::IcmpKey, 69),
        (Cause::Linger, 188),
    ];
    let known = Known { equal: 2851, by_definition: 1211, causes: &causes };
    check("vlan_key", YafRules { vlan_key: true, icmp_key: false, no_linger: false }, &known);
}
