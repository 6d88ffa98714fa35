//! What the manual prints for the probe is accepted: every example file, every command line, every option.

use std::collections::BTreeSet;

use clap::{CommandFactory, Parser};
use rockfish_app::config::{Layer, SectionText, parse};
use rockfish_probe::args::Args;
use rockfish_probe::config::{Config, ConfigLayer, FanoutMode, LiveType, ParquetSchema};

/// Example files, by the page and heading that print them.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "quick start: upload to s3",
        "output:
  parquet_dir: /var/lib/rockfish/flows
s3:
  bucket: my-flow-data
  region: us-east-1
  hive_partitioning: true
  delete_after_upload: true
",
    ),
    ("licensing", "license:\n  path: /opt/rockfish/etc/license.json\n"),
    (
        "configuration: input",
        "input:
  source: eth0
  live_type: afpacket
  filter: \"tcp or udp\"
  snaplen: 65535
  promisc_off: false
",
    ),
    ("filter: tcp and udp", "input:\n  filter: \"tcp or udp\"\n"),
    ("filter: http", "input:\n  filter: \"port 80 or port 443\"\n"),
    ("filter: subnet", "input:\n  filter: \"net 192.168.1.0/24\"\n"),
    ("filter: no ssh", "input:\n  filter: \"not port 22\"\n"),
    (
        "configuration: flow",
        "flow:
  idle_timeout: 300
  active_timeout: 1800
  max_flows: 0
  max_payload: 500
  udp_uniflow_port: 0
  mac: true
",
    ),
    (
        "configuration: ndpi",
        "ndpi:
  enabled: true
  protocol_file: /opt/rockfish/etc/ndpi-protos.txt
  categories_file: /opt/rockfish/etc/ndpi-categories.txt
",
    ),
    (
        "configuration: fragment",
        "fragment:\n  disabled: false\n  max_tables: 1024\n  timeout: 30\n",
    ),
    (
        "configuration: output",
        "output:
  parquet_dir: /var/run/rockfish/flows
  parquet_batch_size: 1000000
  parquet_file_prefix: rockfish-flow
  parquet_schema: simple
  observation: sensor-01
  hive_boundary_flush: false
  stats: true
  verbose: 1
  log_file: /var/log/rockfish/rockfish.log
",
    ),
    (
        "configuration: afpacket",
        "afpacket:
  block_size: 2097152
  block_count: 64
  fanout_group: 0
  fanout_mode: hash
",
    ),
    (
        "configuration: netmap",
        "netmap:\n  rx_slots: 1024\n  tx_slots: 1024\n  poll_timeout: 1000\n  host_rings: false\n",
    ),
    (
        "configuration: s3",
        "s3:
  bucket: my-flow-bucket
  prefix: flows
  region: us-east-1
  endpoint: https://nyc3.digitaloceanspaces.com
  force_path_style: false
  hive_partitioning: true
  delete_after_upload: true
  aggregate: true
  aggregate_hold_minutes: 5
",
    ),
    (
        "configuration: geoip",
        "geoip:
  country_db: /opt/rockfish/etc/GeoLite2-Country.mmdb
  city_db: /opt/rockfish/etc/GeoLite2-City.mmdb
  asn_db: /opt/rockfish/etc/GeoLite2-ASN.mmdb
",
    ),
    (
        "configuration: threat intel",
        "threat_intel:
  enabled: true
  endpoint_url: \"http://localhost:8080\"
  api_token: \"your-api-token\"
  batch_size: 100
  timeout_seconds: 10
",
    ),
    ("configuration: complete example", COMPLETE),
    (
        "capture modes: libpcap",
        "input:\n  source: eth0\n  live_type: pcap\n  filter: \"tcp or udp\"\n  snaplen: 65535\n",
    ),
    (
        "capture modes: af_packet",
        "input:
  source: eth0
  live_type: afpacket
afpacket:
  block_size: 2097152   # 2 MB blocks
  block_count: 64       # 128 MB total ring
  fanout_group: 0       # 0 = disabled
  fanout_mode: hash
",
    ),
    (
        "capture modes: 10 Gbps",
        "afpacket:\n  block_size: 4194304   # 4 MB\n  block_count: 128      # 512 MB total\n",
    ),
    (
        "capture modes: fanout",
        "afpacket:\n  fanout_group: 1       # Non-zero enables fanout\n  fanout_mode: hash     # Distribute by flow hash\n",
    ),
    (
        "capture modes: netmap",
        "input:
  source: em0
  live_type: netmap
netmap:
  rx_slots: 1024
  tx_slots: 1024
  poll_timeout: 1000
  host_rings: false
",
    ),
    (
        "capture modes: fmadio",
        "input:
  source: ring0
  live_type: fmadio
fmadio:
  ring_path: /opt/fmadio/queue/lxc_ring0
  include_fcs_errors: false
",
    ),
    (
        "tuning: flow table",
        "flow:\n  max_flows: 1000000    # Limit to 1M concurrent flows\n  idle_timeout: 60      # Shorter timeout for faster cleanup\n",
    ),
    ("tuning: batch size", "output:\n  parquet_batch_size: 2000000  # 2M flows per file\n"),
    (
        "tuning: s3 aggregation",
        "s3:\n  aggregate: true\n  aggregate_hold_minutes: 5  # Merge files for 5 minutes\n  delete_after_upload: true\n",
    ),
    ("tuning: statistics", "output:\n  stats: true\n  verbose: 2  # Debug level\n"),
    (
        "tuning: 10 Gbps configuration",
        "license:
  path: /opt/rockfish/etc/license.json
input:
  source: eth0
  live_type: afpacket
flow:
  idle_timeout: 120
  active_timeout: 900
  max_flows: 2000000
  max_payload: 256
afpacket:
  block_size: 4194304
  block_count: 128
  fanout_group: 1
  fanout_mode: hash
output:
  parquet_dir: /data/flows
  parquet_batch_size: 2000000
  observation: sensor-01
s3:
  bucket: flow-data
  region: us-east-1
  aggregate: true
  aggregate_hold_minutes: 2
  delete_after_upload: true
",
    ),
    (
        "ip reputation: abuseipdb",
        "ip_reputation:
  enabled: true
  api_key: \"your-abuseipdb-api-key\"
  cache_ttl_hours: 24
  max_age_in_days: 90
  s3_upload: true
",
    ),
    (
        "ip reputation: output_dir",
        "ip_reputation:\n  output_dir: /var/lib/rockfish/ip_reputation\n",
    ),
    (
        "ip reputation: intel server",
        "threat_intel:
  enabled: true
  endpoint_url: \"http://threatintel-server:8080\"
  api_token: \"client-token-from-clients-yaml\"
",
    ),
];

const COMPLETE: &str = "license:
  path: /opt/rockfish/etc/license.json
input:
  source: eth0
  live_type: afpacket
  filter: \"tcp or udp\"
flow:
  idle_timeout: 300
  active_timeout: 1800
  max_flows: 1000000
  max_payload: 500
ndpi:
  enabled: true  # Fingerprints (ndpi_ja4, ndpi_ja3s) extracted automatically
output:
  parquet_dir: /var/run/rockfish/flows
  observation: sensor-01
  hive_boundary_flush: true
afpacket:
  block_size: 2097152
  block_count: 64
s3:
  bucket: flow-data
  prefix: sensors/sensor-01
  region: us-east-1
  hive_partitioning: true
  delete_after_upload: true
geoip:
  city_db: /opt/rockfish/etc/GeoLite2-City.mmdb
  asn_db: /opt/rockfish/etc/GeoLite2-ASN.mmdb
";

/// Command lines, a shell's quotes taken off; words are separated by a blank.
const COMMAND_LINES: &[&str] = &[
    "--version",
    "--help",
    "-V",
    "-h",
    "-c /etc/rockfish/probe.yaml",
    "-i capture.pcap --parquet-dir ./flows",
    "-i capture.pcap --ndpi --parquet-dir ./flows",
    "-i eth0 --live pcap --parquet-dir ./flows",
    "-i eth0 --live afpacket --parquet-dir ./flows",
    "-c config.yaml --source eth1",
    "-i eth0 --live afpacket --afp-block-size 2097152 --afp-block-count 64 --parquet-dir ./flows",
    "-i eth0 --live afpacket --afp-fanout-group 1 -o flows1/",
    "-i /data/captures/*.pcap --parquet-dir ./flows",
    "-i eth0 --live afpacket --afp-fanout-group 1 --parquet-dir ./flows2",
    "-i eth0 --live afpacket --afp-block-size 4194304 --afp-fanout-group 1 --parquet-dir ./flows",
    "-i eth0 --live afpacket --ndpi --parquet-dir ./flows --s3-bucket my-bucket --s3-region us-east-1 --s3-hive-partitioning -vv",
    "--test-s3 --s3-bucket my-bucket --s3-region us-east-1",
    "-i eth0 --live afpacket --afp-block-size 4194304 --afp-block-count 128 --afp-fanout-group 1 --afp-fanout-mode hash --parquet-dir /data/flows",
    "-i test.pcap --parquet-dir ./test-flows --ndpi --stats -vv",
    "-c /opt/rockfish/etc/config.yaml --license /opt/rockfish/etc/license.json",
    "-i x --filter not_broadcast",
];

/// The options of the manual's reference: long, short, whether a value follows.
const OPTIONS: &[(&str, Option<char>, bool)] = &[
    ("config", Some('c'), true),
    ("help", Some('h'), false),
    ("version", Some('V'), false),
    ("source", Some('i'), true),
    ("live", None, true),
    ("filter", None, true),
    ("snaplen", None, true),
    ("promisc-off", None, false),
    ("idle-timeout", None, true),
    ("active-timeout", None, true),
    ("max-flows", None, true),
    ("max-payload", None, true),
    ("udp-uniflow", None, true),
    ("ndpi", None, false),
    ("no-frag", None, false),
    ("max-frag-tables", None, true),
    ("frag-timeout", None, true),
    ("afp-block-size", None, true),
    ("afp-block-count", None, true),
    ("afp-fanout-group", None, true),
    ("afp-fanout-mode", None, true),
    ("parquet-dir", None, true),
    ("parquet-batch-size", None, true),
    ("parquet-prefix", None, true),
    ("parquet-schema", None, true),
    ("observation", None, true),
    ("hive-boundary-flush", None, false),
    ("s3-bucket", None, true),
    ("s3-prefix", None, true),
    ("s3-region", None, true),
    ("s3-endpoint", None, true),
    ("s3-force-path-style", None, false),
    ("s3-hive-partitioning", None, false),
    ("s3-delete-after-upload", None, false),
    ("test-s3", None, false),
    ("verbose", Some('v'), false),
    ("quiet", Some('q'), false),
    ("stats", None, false),
    ("log-file", None, true),
    ("license", None, true),
];

/// Keys and defaults of the manual's tables; `-` where there is none.
const KEYS: &[(&str, &str)] = &[
    ("license.path", "-"),
    ("input.source", "-"),
    ("input.live_type", "pcap"),
    ("input.filter", "-"),
    ("input.snaplen", "65535"),
    ("input.promisc_off", "false"),
    ("flow.idle_timeout", "300"),
    ("flow.active_timeout", "1800"),
    ("flow.max_flows", "0"),
    ("flow.max_payload", "500"),
    ("flow.udp_uniflow_port", "0"),
    ("flow.mac", "true"),
    ("ndpi.enabled", "false"),
    ("ndpi.protocol_file", "-"),
    ("ndpi.categories_file", "-"),
    ("fragment.disabled", "false"),
    ("fragment.max_tables", "1024"),
    ("fragment.timeout", "30"),
    ("output.parquet_dir", "-"),
    ("output.parquet_batch_size", "1000000"),
    // The manual's table has `rockfish-flow`, its file names have `rockfish`: settled for the latter.
    ("output.parquet_file_prefix", "rockfish"),
    ("output.parquet_schema", "simple"),
    ("output.observation", "gnat"),
    ("output.hive_boundary_flush", "false"),
    ("output.verbose", "1"),
    ("output.log_file", "-"),
    ("afpacket.block_size", "2097152"),
    ("afpacket.block_count", "64"),
    ("afpacket.fanout_group", "0"),
    ("afpacket.fanout_mode", "hash"),
    ("netmap.rx_slots", "-"),
    ("netmap.tx_slots", "-"),
    ("netmap.poll_timeout", "1000"),
    ("netmap.host_rings", "false"),
    ("fmadio.ring_path", "/opt/fmadio/queue/lxc_ring0"),
    ("fmadio.include_fcs_errors", "false"),
    ("s3.bucket", "-"),
    ("s3.prefix", "-"),
    ("s3.region", "-"),
    ("s3.endpoint", "-"),
    ("s3.force_path_style", "false"),
    ("s3.hive_partitioning", "false"),
    ("s3.delete_after_upload", "false"),
    ("s3.aggregate", "false"),
    ("s3.aggregate_hold_minutes", "1"),
    ("geoip.country_db", "-"),
    ("geoip.city_db", "-"),
    ("geoip.asn_db", "-"),
    ("ip_reputation.enabled", "false"),
    ("ip_reputation.api_key", "-"),
    ("ip_reputation.output_dir", "-"),
    ("ip_reputation.cache_ttl_hours", "24"),
    ("ip_reputation.max_age_in_days", "90"),
    ("ip_reputation.s3_upload", "false"),
    ("threat_intel.enabled", "false"),
    ("threat_intel.endpoint_url", "-"),
    ("threat_intel.api_token", "-"),
    ("threat_intel.batch_size", "100"),
    ("threat_intel.timeout_seconds", "10"),
];

#[test]
fn every_example_file_is_read() {
    for (name, yaml) in EXAMPLES {
        let layer: ConfigLayer = parse(yaml, name).unwrap_or_else(|error| panic!("{error}"));
        // As many keys are set as the example has lines with a value.
        let expected = yaml
            .lines()
            .filter(|line| {
                let line = line.split(" #").next().unwrap_or_default().trim_end();
                line.starts_with(' ') && !line.ends_with(':')
            })
            .count();
        let set = paths().iter().filter(|path| layer.sets(path)).count();
        assert_eq!(set, expected, "{name}");
    }
}

#[test]
fn the_complete_example_means_what_it_says() {
    let layer: ConfigLayer = parse(COMPLETE, "example").unwrap();
    let config = Config::from(layer);
    assert_eq!(config.input.live_type, LiveType::Afpacket);
    assert_eq!(config.input.filter.as_deref(), Some("tcp or udp"));
    assert_eq!((config.flow.max_flows, config.flow.max_payload), (1_000_000, 500));
    assert!(config.ndpi.enabled && config.output.hive_boundary_flush);
    assert_eq!(config.output.parquet_schema, ParquetSchema::Simple);
    assert_eq!(config.afpacket.fanout_mode, FanoutMode::Hash);
    assert_eq!(config.s3.prefix.as_deref(), Some("sensors/sensor-01"));
    assert_eq!(config.geoip.country_db, None);
}

#[test]
fn every_command_line_is_read() {
    for line in COMMAND_LINES {
        let words = std::iter::once("rockfish_probe").chain(line.split(' '));
        match Args::try_parse_from(words) {
            Ok(_) => {}
            Err(error) if !error.use_stderr() => {}
            Err(error) => panic!("{line}: {error}"),
        }
    }
}

#[test]
fn every_option_is_there_and_in_help() {
    let mut command = Args::command();
    let help = command.render_long_help().to_string();
    command.build();
    for &(long, short, value) in OPTIONS {
        let argument = command
            .get_arguments()
            .find(|argument| argument.get_long() == Some(long))
            .unwrap_or_else(|| panic!("no --{long}"));
        if short.is_some() {
            assert_eq!(argument.get_short(), short, "--{long}");
        }
        let must_have_value =
            argument.get_action().takes_values() && !argument.is_require_equals_set();
        assert_eq!(must_have_value, value, "--{long}");
        let shown = match short {
            Some(short) => format!("  -{short}, --{long}"),
            None => format!("--{long}"),
        };
        let found = help.lines().any(|line| {
            line.trim_start().split([' ', '[', '.']).any(|word| word == format!("--{long}"))
                && line.contains(&shown)
        });
        assert!(found, "{shown} is not in help");
    }
}

#[test]
fn every_key_is_there_with_its_default() {
    let sections = sections();
    let keys = || sections.iter().flat_map(|section| &section.keys);
    for (path, default) in KEYS {
        let key = keys().find(|key| key.path == *path).unwrap_or_else(|| panic!("no key {path}"));
        assert_eq!(key.default.as_deref().unwrap_or("-"), *default, "{path}");
    }
    let variables: BTreeSet<String> = keys().map(|key| key.variable()).collect();
    assert_eq!(variables.len(), keys().count(), "two keys share a variable");
    assert!(variables.contains("ROCKFISH_LICENSE_PATH"));
    assert!(!variables.contains("ROCKFISH_CONFIG"));
}

fn sections() -> Vec<SectionText> {
    let mut sections = Vec::new();
    ConfigLayer::describe("", &mut sections);
    sections
}

fn paths() -> Vec<String> {
    sections().into_iter().flat_map(|section| section.keys).map(|key| key.path).collect()
}
