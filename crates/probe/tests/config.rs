//! Layers, errors and settings of the configuration.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use proptest::prelude::*;
use rockfish_app::config::{Key, Layer, Layers, Origin, parse};
use rockfish_app::exit::Problems;
use rockfish_app::logging::{Level, LogFormat};
use rockfish_probe::args::Args;
use rockfish_probe::config::ConfigLayer;
use rockfish_probe::settings::{JsonTarget, Progress, Settings, UdpUniflow};
use tempfile::TempDir;

/// A folder with a capture, perhaps a configuration file, and an environment.
struct Case {
    folder: TempDir,
    environment: BTreeMap<String, OsString>,
}

impl Case {
    fn new(yaml: &str, environment: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("capture.pcap"), "").unwrap();
        std::fs::write(folder.path().join("config.yaml"), yaml).unwrap();
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Self { folder, environment }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Arguments; `@` stands for the folder.
    fn args(&self, line: &str) -> Args {
        let folder = self.folder.path().display().to_string();
        let words = line.split_whitespace().map(|word| word.replace('@', &folder));
        Args::try_parse_from(std::iter::once("rockfish_probe".to_owned()).chain(words))
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn layers(&self, line: &str) -> Result<Layers<ConfigLayer>, Problems> {
        Settings::layers(&self.args(line), &|name| self.environment.get(name).cloned())
    }

    fn resolve(&self, line: &str) -> Result<Settings, Problems> {
        Settings::resolve(&self.args(line), &self.layers(line)?)
    }
}

/// With the least that is required.
const LEAST: &str = "-i @/capture.pcap --parquet-dir flows";

fn settings(line: &str) -> Settings {
    Case::new("", &[]).resolve(&format!("{LEAST} {line}")).unwrap()
}

/// The texts of what is wrong with the least that is required and `line`, the folder taken out.
fn problems(yaml: &str, environment: &[(&str, &str)], line: &str) -> Vec<String> {
    let case = Case::new(yaml, environment);
    match case.resolve(line) {
        Ok(settings) => panic!("{line}: accepted as {settings:?}"),
        Err(Problems(problems)) => {
            let folder = case.folder.path().display().to_string();
            problems.into_iter().map(|problem| problem.text.replace(&folder, "@")).collect()
        }
    }
}

#[test]
fn defaults() {
    let settings = settings("");
    let flow = &settings.flow;
    assert_eq!(flow.idle_timeout, Duration::from_secs(300));
    assert_eq!(flow.active_timeout, Duration::from_secs(1800));
    assert_eq!((flow.max_flows, flow.max_payload), (0, 500));
    assert_eq!(flow.udp_uniflow, UdpUniflow::Off);
    assert_eq!(
        (flow.mac, flow.vlan_key, flow.icmp_key, flow.tunnels_inner),
        (true, false, false, false)
    );
    assert_eq!(flow.tcp_linger, Duration::from_secs(2));
    assert_eq!((settings.input.filter.as_deref(), settings.input.snaplen), (None, 65535));
    let fragment = &settings.fragment;
    assert_eq!(
        (fragment.disabled, fragment.max_tables, fragment.max_bytes),
        (false, 1024, 64 << 20)
    );
    assert_eq!(fragment.timeout, Duration::from_secs(30));
    let output = &settings.output;
    assert_eq!(output.parquet_dir.as_deref(), Some(Path::new("flows")));
    assert_eq!(
        (output.batch_size, output.prefix.as_str(), output.observation.as_str()),
        (1_000_000, "rockfish", "gnat")
    );
    assert_eq!(
        (output.rotate_interval, output.stats_interval, output.compression_level),
        (None, None, None)
    );
    assert_eq!(
        (output.json.as_ref(), output.stats, output.progress),
        (None, false, Progress::Auto)
    );
    assert_eq!(settings.workers, std::thread::available_parallelism().unwrap());
    assert_eq!((settings.strict, settings.warnings.len()), (false, 0));
    assert_eq!((settings.logging.level, settings.logging.format), (Level::Info, LogFormat::Text));
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let yaml = "flow: {idle_timeout: 10, active_timeout: 11, max_flows: 12}\n";
    let environment =
        [("ROCKFISH_FLOW_IDLE_TIMEOUT", "20"), ("ROCKFISH_FLOW_ACTIVE_TIMEOUT", "21")];
    let case = Case::new(yaml, &environment);
    let line = format!("{LEAST} -c @/config.yaml --idle-timeout 30");
    let flow = case.resolve(&line).unwrap().flow;
    assert_eq!(flow.idle_timeout.as_secs(), 30, "flag");
    assert_eq!(flow.active_timeout.as_secs(), 21, "environment");
    assert_eq!(flow.max_flows, 12, "file");
    assert_eq!(flow.max_payload, 500, "default");
    let layers = case.layers(&line).unwrap();
    for (path, origin) in [
        ("flow.idle_timeout", Origin::Flag),
        ("flow.active_timeout", Origin::Environment),
        ("flow.max_flows", Origin::File),
        ("flow.max_payload", Origin::Default),
        ("flow.nothing", Origin::Default),
    ] {
        assert_eq!(layers.origin(path), origin, "{path}");
    }
}

#[test]
fn the_file_is_found_by_flag_before_variable() {
    let mut case = Case::new("workers: 3\n", &[]);
    std::fs::write(case.folder.path().join("other.yaml"), "workers: 4\n").unwrap();
    case.environment.insert("ROCKFISH_CONFIG".to_owned(), case.path("other.yaml").into());
    let workers = |case: &Case, line: &str| case.resolve(line).unwrap().workers.get();
    assert_eq!(workers(&case, LEAST), 4);
    assert_eq!(workers(&case, &format!("{LEAST} -c @/config.yaml")), 3);
    case.environment.insert("ROCKFISH_CONFIG".to_owned(), "".into());
    assert_eq!(workers(&case, &format!("{LEAST} --workers 7")), 7);
}

#[test]
fn switches_switch_both_ways() {
    let yaml = "strict: true\nflow: {mac: false, vlan_key: true}\nfragment: {disabled: true}\n";
    let case = Case::new(yaml, &[]);
    let line = format!("{LEAST} -c @/config.yaml");
    let plain = case.resolve(&line).unwrap();
    assert_eq!(
        (plain.strict, plain.flow.mac, plain.flow.vlan_key, plain.fragment.disabled),
        (true, false, true, true)
    );
    let off = case
        .resolve(&format!("{line} --strict=false --no-mac=false --vlan-key=no --no-frag=off"))
        .unwrap();
    assert_eq!(
        (off.strict, off.flow.mac, off.flow.vlan_key, off.fragment.disabled),
        (false, true, false, false)
    );
    assert!(!settings("--no-mac").flow.mac);
    // A switch does not swallow the word after it.
    assert!(settings("--strict --stats").strict);
}

#[test]
fn values_become_what_the_pipeline_takes() {
    let with = |line: &str| settings(line);
    assert_eq!(with("--udp-uniflow 1").flow.udp_uniflow, UdpUniflow::All);
    assert_eq!(with("--udp-uniflow 53").flow.udp_uniflow, UdpUniflow::Port(53));
    assert_eq!(with("--tcp-linger 0").flow.tcp_linger, Duration::ZERO);
    assert_eq!(with("--tcp-linger 0.25").flow.tcp_linger, Duration::from_millis(250));
    assert!(with("--tunnels inner").flow.tunnels_inner);
    assert_eq!(with("--idle-timeout 60 --active-timeout 5").flow.active_timeout.as_secs(), 5);
    assert_eq!(with("--json -").output.json, Some(JsonTarget::Stdout));
    assert_eq!(with("--json a.json").output.json, Some(JsonTarget::File("a.json".into())));
    assert_eq!(with("--rotate-interval 60").output.rotate_interval, Some(Duration::from_secs(60)));
    assert_eq!(with("--compression-level 22").output.compression_level, Some(22));
    assert_eq!(with("--max-payload 65535").flow.max_payload, 65535);
    assert_eq!(with("--progress never").output.progress, Progress::Never);
    assert_eq!(with("-v").logging.level, Level::Info);
    assert_eq!(with("-vv").logging.level, Level::Debug);
    assert_eq!(with("-vvv").logging.level, Level::Trace);
    assert_eq!(with("-q").logging.level, Level::Error);
    assert_eq!(with("--log-format json").logging.format, LogFormat::Json);
    assert_eq!(with("--log-file a.log").logging.file, Some(PathBuf::from("a.log")));
    let case = Case::new("", &[("ROCKFISH_OUTPUT_VERBOSE", "0"), ("ROCKFISH_INPUT_FILTER", " ")]);
    let settings = case.resolve(LEAST).unwrap();
    assert_eq!((settings.logging.level, settings.input.filter), (Level::Warn, None));
}

#[test]
fn json_alone_is_output_enough() {
    let case = Case::new("", &[]);
    let settings = case.resolve("-i @/capture.pcap --json -").unwrap();
    assert_eq!(settings.output.parquet_dir, None);
}

#[test]
fn options_stand_on_both_sides_of_validate() {
    let case = Case::new("", &[]);
    let settings = case
        .resolve(&format!("-v --idle-timeout 5 --workers 2 validate {LEAST} --idle-timeout 6 -v"))
        .unwrap();
    assert_eq!(settings.flow.idle_timeout.as_secs(), 6);
    assert_eq!((settings.workers.get(), settings.logging.level), (2, Level::Debug));
}

#[test]
fn the_file_is_refused_with_its_place() {
    let flow_keys = "idle_timeout, active_timeout, max_flows, max_payload, udp_uniflow_port, mac, \
                     vlan_key, icmp_key, tcp_linger, tunnels";
    let sections = "workers, user, strict, license, input, flow, ndpi, fragment, output, pcap, \
                    afpacket, netmap, fmadio, metrics, s3, geoip, ip_reputation, threat_intel";
    for (yaml, expected, hint) in [
        (
            "input:\n  source: x\nflow:\n  idel_timeout: 3\n",
            format!("f:4:3: unknown key \"idel_timeout\" in section flow, permitted: {flow_keys}"),
            Some("did you mean idle_timeout?"),
        ),
        (
            "flwo: {}\n",
            format!("f:1:1: unknown key \"flwo\" at the top level, permitted: {sections}"),
            Some("did you mean flow?"),
        ),
        (
            "# comment\n\nzzz: 1\n",
            format!("f:3:1: unknown key \"zzz\" at the top level, permitted: {sections}"),
            None,
        ),
        (
            "flow:\n  idle_timeout: 300s # five minutes\n",
            "f:2:17: flow.idle_timeout: expected a whole number, 0 or more, found \"300s\""
                .to_owned(),
            None,
        ),
        (
            "flow: {max_flows: -1}\n",
            "f:1:19: flow.max_flows: expected a whole number, 0 or more, found \"-1\"".to_owned(),
            None,
        ),
        (
            "flow:\n  mac: maybe\n",
            "f:2:8: flow.mac: expected true or false, found \"maybe\"".to_owned(),
            None,
        ),
        (
            "flow:\n  tunnels: both\n",
            "f:2:12: flow.tunnels: expected one of outer, inner, found \"both\"".to_owned(),
            None,
        ),
        (
            "flow: 7\n",
            "f:1:7: flow: expected a mapping of keys to values, found \"7\"".to_owned(),
            None,
        ),
        ("flow:\n  mac: {a: b}\n", "f:2:8: flow.mac: expected a single value".to_owned(), None),
        ("flow:\n  mac: true\n  mac: true\n", "f:3:3: key \"mac\" is given twice".to_owned(), None),
        (
            "workers: 1\n---\nworkers: 2\n",
            "f:3:1: expected one YAML document, found another".to_owned(),
            None,
        ),
    ] {
        let error = parse::<ConfigLayer>(yaml, "f").unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint()), (expected.as_str(), hint), "{yaml}");
    }
}

#[test]
fn what_is_no_yaml_is_refused_with_line_and_column() {
    for yaml in [
        "input:\n  source: \"abc\n",
        "a: [1, 2\n",
        "flow: *nowhere\n",
        "{",
        "- a\n",
        "text",
        "%YAML 9\n",
    ] {
        let error = parse::<ConfigLayer>(yaml, "f").unwrap_err().to_string();
        let mut parts = error.splitn(4, ':');
        assert_eq!(parts.next(), Some("f"), "{error}");
        for part in parts.by_ref().take(2) {
            assert!(part.parse::<u32>().is_ok_and(|number| number > 0), "{error}");
        }
        assert!(!error.contains('\n'), "{error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_in_one_line(text in "[a-z:{}\\[\\]\"'&*|>!#%,\\-?~ \\t\\n\u{1b}ä0-9]{0,60}") {
        if let Err(error) = parse::<ConfigLayer>(&text, "f") {
            let error = error.to_string();
            prop_assert!(error.starts_with("f:") && !error.contains(char::is_control), "{:?}", error);
        }
    }

    #[test]
    fn any_value_under_a_key_is_read_or_refused(value in "\\PC{0,30}", key in 0..80usize) {
        let mut sections = Vec::new();
        ConfigLayer::describe("", &mut sections);
        let keys: Vec<Key> = sections.into_iter().flat_map(|section| section.keys).collect();
        let key = &keys[key % keys.len()];
        let yaml = match key.path.split_once('.') {
            Some((section, name)) => format!("{section}:\n  {name}: {value}\n"),
            None => format!("{}: {value}\n", key.path),
        };
        match parse::<ConfigLayer>(&yaml, "f") {
            Ok(layer) => {
                let layers = Layers { file: layer, ..Layers::default() };
                layers.range_problems();
                let dump = layers.dump().unwrap();
                let mut back: ConfigLayer = parse(&dump, "dump").unwrap_or_else(|error| panic!("{error}\n{dump}"));
                let mut merged = layers.merged();
                for layer in [&mut back, &mut merged] {
                    layer.ip_reputation.api_key = None;
                    layer.threat_intel.api_token = None;
                    // Not a number is not equal to itself.
                    layer.flow.tcp_linger = layer.flow.tcp_linger.filter(|number| !number.is_nan());
                }
                prop_assert_eq!(back, merged);
            }
            Err(error) => prop_assert!(!error.to_string().contains(char::is_control), "{}", error),
        }
    }
}

#[test]
fn nothing_said_is_nothing_set() {
    for yaml in [
        "",
        "\n\n",
        "# all\n# comments\n",
        "---\n",
        "flow:\noutput:\n  json:\ns3: ~\n",
        "{}",
        "flow: {}\n",
    ] {
        let layer: ConfigLayer =
            parse(yaml, "f").unwrap_or_else(|error| panic!("{yaml:?}: {error}"));
        assert_eq!(layer, ConfigLayer::default(), "{yaml:?}");
    }
}

#[test]
fn text_is_taken_as_it_stands() {
    let yaml = "output:\n  parquet_dir: ${HOME}/flows\n  observation: 007\ninput:\n  filter: \"port 80 # web\"\n";
    let layer: ConfigLayer = parse(yaml, "f").unwrap();
    assert_eq!(layer.output.parquet_dir, Some(PathBuf::from("${HOME}/flows")));
    assert_eq!(layer.output.observation.as_deref(), Some("007"));
    assert_eq!(layer.input.filter.as_deref(), Some("port 80 # web"));
}

#[test]
fn ranges_name_key_origin_and_what_is_permitted() {
    for (yaml, environment, flags, expected) in [
        (
            "",
            None,
            "--max-payload 70000",
            "flow.max_payload (--max-payload): 70000 is out of range, permitted: 0 to 65535",
        ),
        (
            "",
            None,
            "--idle-timeout 0",
            "flow.idle_timeout (--idle-timeout): 0 is out of range, permitted: 1 to 4294967295",
        ),
        (
            "",
            None,
            "--active-timeout 0",
            "flow.active_timeout (--active-timeout): 0 is out of range, permitted: 1 to 4294967295",
        ),
        (
            "",
            None,
            "--parquet-batch-size 0",
            "output.parquet_batch_size (--parquet-batch-size): 0 is out of range, permitted: 1 or more",
        ),
        (
            "",
            None,
            "--compression-level 23",
            "output.compression_level (--compression-level): 23 is out of range, permitted: 1 to 22",
        ),
        (
            "",
            None,
            "--compression-level 0",
            "output.compression_level (--compression-level): 0 is out of range, permitted: 1 to 22",
        ),
        (
            "",
            None,
            "--udp-uniflow 65536",
            "flow.udp_uniflow_port (--udp-uniflow): 65536 is out of range, permitted: 0 to 65535",
        ),
        (
            "",
            None,
            "--tcp-linger NaN",
            "flow.tcp_linger (--tcp-linger): NaN is out of range, permitted: 0 to 86400",
        ),
        (
            "",
            None,
            "--tcp-linger inf",
            "flow.tcp_linger (--tcp-linger): inf is out of range, permitted: 0 to 86400",
        ),
        (
            "",
            None,
            "--snaplen 0",
            "input.snaplen (--snaplen): 0 is out of range, permitted: 1 to 262144",
        ),
        (
            "output: {verbose: 4}\n",
            None,
            "",
            "output.verbose (@/config.yaml): 4 is out of range, permitted: 0 to 3",
        ),
        (
            "flow: {tcp_linger: -1.5}\n",
            None,
            "",
            "flow.tcp_linger (@/config.yaml): -1.5 is out of range, permitted: 0 to 86400",
        ),
        (
            "",
            Some(("ROCKFISH_FRAGMENT_TIMEOUT", "0")),
            "",
            "fragment.timeout (ROCKFISH_FRAGMENT_TIMEOUT): 0 is out of range, permitted: 1 to 4294967295",
        ),
        (
            "s3: {aggregate_hold_minutes: 0}\n",
            None,
            "",
            "s3.aggregate_hold_minutes (@/config.yaml): 0 is out of range, permitted: 1 to 1440",
        ),
    ] {
        let environment: Vec<_> = environment.into_iter().collect();
        let line = format!("{LEAST} -c @/config.yaml {flags}");
        assert_eq!(problems(yaml, &environment, &line), [expected]);
    }
}

#[test]
fn a_variable_of_another_type_is_refused_by_name() {
    for (name, value, expected) in [
        ("ROCKFISH_FLOW_IDLE_TIMEOUT", "5m", "expected a whole number, 0 or more, found \"5m\""),
        ("ROCKFISH_STRICT", "perhaps", "expected true or false, found \"perhaps\""),
        ("ROCKFISH_FLOW_TUNNELS", "both", "expected one of outer, inner, found \"both\""),
        ("ROCKFISH_FLOW_TCP_LINGER", "two", "expected a number, found \"two\""),
    ] {
        assert_eq!(problems("", &[(name, value)], LEAST), [format!("{name}: {expected}")]);
    }
}

#[test]
fn what_this_build_cannot_do_is_refused() {
    for (yaml, environment, flags, expected) in [
        (
            "",
            None,
            "--s3-bucket b --s3-region r",
            "s3.bucket (--s3-bucket): S3 upload is not in this build",
        ),
        ("", None, "--test-s3", "--test-s3: S3 upload is not in this build"),
        (
            "ip_reputation: {enabled: true, api_key: k}\n",
            None,
            "",
            "ip_reputation.enabled (@/config.yaml): IP reputation is not in this build",
        ),
        (
            "threat_intel: {enabled: true, endpoint_url: u, api_token: t}\n",
            None,
            "",
            "threat_intel.enabled (@/config.yaml): threat intelligence is not in this build",
        ),
        (
            "",
            None,
            "--license a.json",
            "license.path (--license): a.json: cannot read: No such file or directory (os error 2)",
        ),
        (
            "",
            Some(("ROCKFISH_LICENSE_PATH", "a.json")),
            "",
            "license.path (ROCKFISH_LICENSE_PATH): a.json: cannot read: No such file or directory (os error 2)",
        ),
        (
            "license: {required: true}\n",
            None,
            "",
            "license.required (@/config.yaml): no licence was found",
        ),
        (
            "",
            None,
            "--parquet-schema extended",
            "output.parquet_schema (--parquet-schema): extended needs a licence of the Professional tier, found none",
        ),
    ] {
        let environment: Vec<_> = environment.into_iter().collect();
        let line = format!("{LEAST} -c @/config.yaml {flags}");
        assert_eq!(problems(yaml, &environment, &line), [expected]);
        // The command that only checks says the same.
        let line = format!("validate {LEAST} -c @/config.yaml {flags}");
        assert_eq!(problems(yaml, &environment, &line), [expected]);
    }
    // Only what asks for it: the rest of those sections is read and set aside.
    let yaml = "input: {live_type: afpacket}\nndpi: {protocol_file: p}\ns3: {prefix: p}\nip_reputation: {api_key: k}\nafpacket: {fanout_group: 1}\n";
    Case::new(yaml, &[]).resolve(&format!("{LEAST} -c @/config.yaml")).unwrap();
}

#[test]
fn everything_wrong_is_said_at_once() {
    assert_eq!(
        problems("", &[], "--license a.json --idle-timeout 0"),
        [
            "flow.idle_timeout (--idle-timeout): 0 is out of range, permitted: 1 to 4294967295",
            "output.parquet_dir: required unless output.json is given, found neither",
            "input.source: required, found nothing",
            "license.path (--license): a.json: cannot read: No such file or directory (os error 2)",
        ]
    );
    assert_eq!(problems("", &[], "--test-s3"), ["--test-s3: S3 upload is not in this build"]);
}

#[test]
fn the_source_must_be_there() {
    for (source, expected) in [
        ("nosuch0", "input.source (--source): \"nosuch0\" is no file, folder or interface"),
        ("gone.pcap", "input.source (--source): \"gone.pcap\" is no file, folder or interface"),
        ("@/gone", "input.source (--source): \"@/gone\" is no file, folder or interface"),
        (
            "@/*.cap",
            "input.source (--source): \"@/*.cap\" is no file or folder, and no file matches it as a pattern",
        ),
        (
            "@/a***",
            "input.source (--source): \"@/a***\" is no file or folder, and no glob pattern: wildcards are either regular `*` or recursive `**` at character ",
        ),
    ] {
        let found = problems("", &[], &format!("-i {source} -o flows"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
    let case = Case::new("", &[]);
    std::fs::write(case.folder.path().join("a[1].pcap"), "").unwrap();
    for source in ["-", "@/capture.pcap", "@", "@/*.pcap", "@/a[1].pcap"] {
        let settings = case.resolve(&format!("-i {source} -o flows")).unwrap();
        assert_eq!(
            settings.input.source,
            source.replace('@', &case.folder.path().display().to_string())
        );
    }
}

#[test]
fn a_name_of_ones_own_needs_a_licence() {
    let settings = settings("--observation sensor-01");
    assert_eq!(settings.output.observation, "gnat");
    assert_eq!(settings.warnings.len(), 1);
    assert!(
        settings.warnings[0].starts_with("output.observation (--observation): "),
        "{:?}",
        settings.warnings
    );
    assert!(self::settings("--observation gnat").warnings.is_empty());
}

#[test]
fn names_that_become_file_names_are_harmless() {
    for prefix in ["a/b", "..", ".hidden", "-dash", "a b", "a\\b", "a\"b"] {
        let line = format!("{LEAST} -c @/config.yaml");
        let yaml = format!("output: {{parquet_file_prefix: '{prefix}'}}\n");
        let found = problems(&yaml, &[], &line);
        assert!(
            found.len() == 1
                && found[0].starts_with(
                    "output.parquet_file_prefix (@/config.yaml): expected 1 to 100 letters"
                ),
            "{prefix}: {found:?}"
        );
    }
    let long = "a".repeat(101);
    assert_eq!(problems("", &[], &format!("{LEAST} --parquet-prefix {long}")).len(), 1);
    for prefix in ["rockfish-flow", "netz_ä.1", "x"] {
        assert_eq!(settings(&format!("--parquet-prefix {prefix}")).output.prefix, prefix);
    }
}

#[test]
fn the_dump_reads_back_and_masks_secrets() {
    let yaml = "ip_reputation: {api_key: hunter2}\nthreat_intel: {api_token: 'to: ken', endpoint_url: 'http://h:1'}\n\
                input: {filter: 'port 80 # not a comment', source: '- x'}\noutput: {observation: 'yes', json: '-'}\n";
    let case = Case::new(yaml, &[("ROCKFISH_OUTPUT_PARQUET_FILE_PREFIX", "007")]);
    let layers = case.layers("-c @/config.yaml --tcp-linger 0.5 --ndpi --live fmadio").unwrap();
    let dump = layers.dump().unwrap();
    assert!(
        !dump.contains("hunter2") && !dump.contains("ken'") && !dump.contains("to: ken"),
        "{dump}"
    );
    assert_eq!(dump.matches("********").count(), 2, "{dump}");
    let back: ConfigLayer = parse(&dump, "dump").unwrap_or_else(|error| panic!("{error}\n{dump}"));
    let mut merged = layers.merged();
    assert_ne!(back, merged, "the secrets differ");
    for layer in [&mut merged, &mut back.clone()] {
        layer.ip_reputation.api_key = None;
        layer.threat_intel.api_token = None;
    }
    let mut back = back;
    back.ip_reputation.api_key = None;
    back.threat_intel.api_token = None;
    assert_eq!(back, merged);
    // Nothing of an error or a debug line shows one either.
    assert!(!format!("{layers:?}").contains("hunter2"));
}

/// A value that the key takes and that is not its default.
fn sample(key: &Key) -> String {
    let kind = key.kind.as_str();
    match kind {
        "bool" => if key.default.as_deref() == Some("true") { "false" } else { "true" }.to_owned(),
        "int" => "4096".to_owned(),
        "float" => "1.5".to_owned(),
        "string" | "path" | "secret string" | "list" => "text".to_owned(),
        choices => {
            let default = key.default.as_deref().unwrap_or_default();
            choices.split(" \\| ").find(|choice| *choice != default).unwrap().to_owned()
        }
    }
}

#[test]
fn each_flag_and_each_variable_sets_its_key_and_no_other() {
    let mut sections = Vec::new();
    ConfigLayer::describe("", &mut sections);
    let keys: Vec<&Key> = sections.iter().flat_map(|section| &section.keys).collect();
    assert!(keys.len() > 70, "{}", keys.len());
    let set = |layer: &ConfigLayer| -> Vec<&str> {
        keys.iter().map(|key| key.path.as_str()).filter(|path| layer.sets(path)).collect()
    };
    for key in &keys {
        let value = sample(key);
        let case = Case::new("", &[(&key.variable(), &value)]);
        let layers = case.layers("").unwrap_or_else(|error| panic!("{}: {error}", key.path));
        assert_eq!(set(&layers.environment), [key.path.as_str()]);
        let by_variable = layers.merged();
        let dump = layers.dump().unwrap();
        let defaults = Case::new("", &[]).layers("").unwrap();
        let changed: Vec<&str> = {
            let before = defaults.dump().unwrap();
            let before: Vec<&str> = before.lines().collect();
            dump.lines().filter(|line| !before.contains(line) && !line.ends_with(':')).collect()
        };
        assert_eq!(changed.len(), 1, "{}: {changed:?}", key.path);
        // A list has its values on lines of their own.
        let begin = if key.kind == "list" { "- text" } else { key.name };
        assert!(changed[0].trim_start().starts_with(begin), "{}: {changed:?}", key.path);

        let Some(flag) = key.flag else { continue };
        let inverted = key.default.as_deref() == Some("true");
        let line = match (key.kind.as_str(), inverted) {
            ("bool", _) => format!("--{flag}"),
            _ => format!("--{flag} {value}"),
        };
        let layers = Case::new("", &[]).layers(&line).unwrap();
        assert_eq!(set(&layers.flags), [key.path.as_str()], "{line}");
        assert_eq!(layers.merged(), by_variable, "{line}");
    }
}
