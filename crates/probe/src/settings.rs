//! What the pipeline works by: plain values, checked once.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rockfish_app::config::{Layers, Lookup, Origin};
use rockfish_app::exit::{Problem, Problems};
use rockfish_app::logging::{Level, Logging};

use rockfish_enrich::GeoConfig;
use rockfish_schema::{EXTRA_COLUMNS, Field, extra_field};

use crate::args::{Args, OptionLayers};
use crate::config::{Config, ConfigLayer, LiveType, ParquetSchema, Tunnels};

pub use crate::config::{FanoutMode, Progress, Timestamps};
pub use crate::grant::Grant;
pub use crate::inspection::Inspection;

/// The observation domain of records written without a licence.
pub const DEFAULT_OBSERVATION: &str = "gnat";

/// Most flows of an interface where nothing is said: a flood must not take all memory.
const LIVE_MAX_FLOWS: usize = 1_000_000;

/// Time after which an interface's files end where nothing is said: what is not in a complete file is lost when the machine
/// fails.
const LIVE_ROTATE_INTERVAL: Duration = Duration::from_secs(60);

/// Time between an interface's statistics where nothing is said.
const LIVE_STATS_INTERVAL: Duration = Duration::from_secs(60);

/// Standard input as a source, and standard output as a target.
const DASH: &str = "-";

/// Everything that decides what the probe does.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where packets come from.
    pub input: InputSettings,
    /// How packets become flows.
    pub flow: FlowSettings,
    /// Reassembly of fragments.
    pub fragment: FragmentSettings,
    /// What is written.
    pub output: OutputSettings,
    /// Worker threads.
    pub workers: NonZeroUsize,
    /// Losses end the program with [`Exit::Losses`](rockfish_app::Exit::Losses).
    pub strict: bool,
    /// What the licence opens.
    pub grant: Grant,
    /// What is looked for in payload.
    pub inspection: Option<Inspection>,
    /// Databases of places.
    pub geo: GeoConfig,
    /// What is logged.
    pub logging: Logging,
    /// What the person should know before it begins; to be logged once logging runs.
    pub warnings: Vec<String>,
}

/// Where packets come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSettings {
    /// A capture file, folder, glob pattern, or `-`, which was there when the settings were made; or an interface.
    pub source: String,
    /// Filter expression in libpcap's language, not yet compiled; never empty.
    pub filter: Option<String>,
    /// Octets of each packet that are looked at.
    pub snaplen: u32,
    /// The source is an interface.
    pub live: Option<LiveSettings>,
}

/// Capture from an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSettings {
    /// How.
    pub kind: LiveKind,
    /// Put the interface into promiscuous mode.
    pub promiscuous: bool,
    /// Sockets, each with a flow table of its own.
    pub workers: NonZeroUsize,
    /// User to become.
    pub user: Option<String>,
    /// Where to serve metrics.
    pub metrics: Option<SocketAddr>,
    /// Time between statistics in the log.
    pub stats_interval: Option<Duration>,
}

impl LiveSettings {
    /// Whether the network card is asked for times, which takes a right of its own.
    pub fn stamps_in_hardware(&self) -> bool {
        matches!(self.kind, LiveKind::Afpacket { timestamps: Timestamps::Hardware, .. })
    }
}

/// How packets are taken from an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveKind {
    /// libpcap.
    Pcap {
        /// Octets of the buffer.
        buffer_size: usize,
        /// Take packets one by one.
        immediate: bool,
    },
    /// AF_PACKET.
    Afpacket {
        /// Octets of a block of the ring.
        block_size: usize,
        /// Blocks.
        block_count: usize,
        /// Group to join.
        fanout_group: Option<u16>,
        /// How the group shares packets.
        fanout_mode: FanoutMode,
        /// Where times come from.
        timestamps: Timestamps,
    },
    /// netmap.
    Netmap {
        /// Slots of a receive ring.
        rx_slots: Option<u32>,
        /// Slots of a transmit ring.
        tx_slots: Option<u32>,
        /// Longest wait.
        poll_timeout: Duration,
        /// Read the host stack's rings.
        host_rings: bool,
    },
    /// FMADIO.
    Fmadio {
        /// The ring.
        ring_path: PathBuf,
        /// Take damaged packets.
        include_fcs_errors: bool,
    },
}

/// Which UDP flows are written a packet each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UdpUniflow {
    /// None.
    Off,
    /// All.
    All,
    /// Those with this port on either side.
    Port(u16),
}

/// How packets become flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSettings {
    /// Time without a packet after which a flow ends.
    pub idle_timeout: Duration,
    /// Time after which a flow is written although it goes on.
    pub active_timeout: Duration,
    /// Most flows held at a time; 0 is no limit.
    pub max_flows: usize,
    /// Payload octets of each direction that entropy is taken of.
    pub max_payload: u16,
    /// Which UDP flows are written a packet each.
    pub udp_uniflow: UdpUniflow,
    /// Record the MAC addresses.
    pub mac: bool,
    /// The VLAN id is part of the key.
    pub vlan_key: bool,
    /// ICMP type and code are part of the key.
    pub icmp_key: bool,
    /// For how long an ended TCP flow takes in late packets; zero is not at all.
    pub tcp_linger: Duration,
    /// Tunnels are opened: the innermost headers make the flow.
    pub tunnels_inner: bool,
}

/// Reassembly of fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FragmentSettings {
    /// Do not reassemble.
    pub disabled: bool,
    /// Most datagrams in reassembly at a time.
    pub max_tables: usize,
    /// Time after which an incomplete datagram is given up.
    pub timeout: Duration,
    /// Most octets held.
    pub max_bytes: usize,
}

/// Where JSON lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonTarget {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

/// What is written. At least one of `parquet_dir` and `json` is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSettings {
    /// Folder for Parquet files.
    pub parquet_dir: Option<PathBuf>,
    /// Most flows in a file.
    pub batch_size: usize,
    /// First word of the file names.
    pub prefix: String,
    /// Rows in a row group.
    pub row_group_size: usize,
    /// Zstandard level; without one the writer chooses.
    pub compression_level: Option<i32>,
    /// Observation domain that the records carry.
    pub observation: String,
    /// Begin a new file at each day boundary (UTC).
    pub hive_boundary_flush: bool,
    /// Put files into folders by version, year, month and day.
    pub hive_partitioning: bool,
    /// Capture time after which a new file is begun.
    pub rotate_interval: Option<Duration>,
    /// Columns beyond those of the tier.
    pub extra: Vec<Field>,
    /// Records that may wait for being written.
    pub queue_size: usize,
    /// Where JSON lines go.
    pub json: Option<JsonTarget>,
    /// Print statistics at the end.
    pub stats: bool,
    /// Time between statistics on the way.
    pub stats_interval: Option<Duration>,
    /// When the progress bar is shown.
    pub progress: Progress,
}

impl Settings {
    /// Reads file and environment beneath the flags in `args`.
    ///
    /// # Errors
    /// If the file cannot be read, or it or a variable holds what it must not.
    pub fn layers(args: &Args, lookup: &Lookup<'_>) -> Result<Layers<ConfigLayer>, Problems> {
        let options = args.effective_options();
        let config = options.config().map(PathBuf::as_path);
        Layers::load(options.layer(), config, lookup).map_err(Problems::from)
    }

    /// Checks what `layers` say together and makes the settings of it.
    ///
    /// Looks whether the source exists, so that a slip is told before anything begins; opens nothing.
    ///
    /// # Errors
    /// Everything that is wrong, or asked for and not in this build.
    pub fn resolve(args: &Args, layers: &Layers<ConfigLayer>) -> Result<Self, Problems> {
        let options = args.effective_options();
        let config = Config::from(layers.merged());
        let mut check = Check { layers, problems: layers.range_problems(), warnings: Vec::new() };
        check.missing_parts(&config, options);
        if options.test_s3() {
            // Asks for nothing else: what metering would need is beside the point.
            return Err(Problems(check.problems));
        }
        check.consistency(&config);
        let live = check.live(&config);
        let source = match live {
            Some(_) => config.input.source.clone().unwrap_or_default(),
            None => check.source(&config),
        };
        let grant = check.grant(&config);
        let observation = check.observation(&config, &grant);
        let extra = check.extra_fields(&config, &grant);
        let inspection = check.inspection(&config, &grant, &extra);
        let geo = check.geo(&config, &grant);
        check.names(&config);
        let Check { problems, warnings, .. } = check;
        if !problems.is_empty() {
            return Err(Problems(problems));
        }

        let unset = |key| layers.origin(key) == Origin::Default;
        let of_live = |key| live.is_some() && unset(key);
        let max_flows = of_live("flow.max_flows").then_some(LIVE_MAX_FLOWS);
        let rotate_interval = of_live("output.rotate_interval").then_some(LIVE_ROTATE_INTERVAL);
        let Config { input, flow, fragment, output, .. } = config;
        Ok(Self {
            input: InputSettings {
                source,
                filter: input.filter.filter(|filter| !filter.trim().is_empty()),
                snaplen: input.snaplen,
                live,
            },
            flow: FlowSettings {
                idle_timeout: Duration::from_secs(flow.idle_timeout),
                active_timeout: Duration::from_secs(flow.active_timeout),
                max_flows: max_flows.unwrap_or(to_usize(flow.max_flows)),
                max_payload: to_u16(flow.max_payload),
                udp_uniflow: match to_u16(flow.udp_uniflow_port) {
                    0 => UdpUniflow::Off,
                    1 => UdpUniflow::All,
                    port => UdpUniflow::Port(port),
                },
                mac: flow.mac,
                vlan_key: flow.vlan_key,
                icmp_key: flow.icmp_key,
                // The range was checked: neither negative nor beyond what a duration holds.
                tcp_linger: Duration::try_from_secs_f64(flow.tcp_linger).unwrap_or_default(),
                tunnels_inner: flow.tunnels == Tunnels::Inner,
            },
            fragment: FragmentSettings {
                disabled: fragment.disabled,
                max_tables: to_usize(fragment.max_tables),
                timeout: Duration::from_secs(fragment.timeout),
                max_bytes: to_usize(fragment.max_bytes),
            },
            output: OutputSettings {
                parquet_dir: output.parquet_dir,
                batch_size: to_usize(output.parquet_batch_size),
                prefix: output.parquet_file_prefix,
                row_group_size: to_usize(output.row_group_size),
                compression_level: output.compression_level,
                observation,
                hive_boundary_flush: output.hive_boundary_flush,
                hive_partitioning: output.hive_partitioning,
                rotate_interval: rotate_interval.or(some_secs(output.rotate_interval)),
                extra,
                queue_size: to_usize(output.queue_size),
                json: output.json.map(|path| match path.as_os_str() == DASH {
                    true => JsonTarget::Stdout,
                    false => JsonTarget::File(path),
                }),
                stats: output.stats,
                stats_interval: some_secs(output.stats_interval),
                progress: output.progress,
            },
            workers: NonZeroUsize::new(to_usize(config.workers)).unwrap_or_else(all_cores),
            strict: config.strict,
            grant,
            inspection,
            geo,
            logging: Logging {
                level: Level::new(
                    u8::try_from(output.verbose).unwrap_or(u8::MAX),
                    options.verbose(),
                    options.quiet(),
                ),
                format: output.log_format,
                file: output.log_file,
            },
            warnings,
        })
    }
}

/// As many workers as the process may use cores.
fn all_cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn to_u16(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

fn some_secs(secs: u64) -> Option<Duration> {
    (secs > 0).then(|| Duration::from_secs(secs))
}

/// Collects what is wrong.
struct Check<'a> {
    layers: &'a Layers<ConfigLayer>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Check<'_> {
    fn problem(&mut self, text: String, hint: Option<&str>) {
        self.problems.push(Problem { text, hint: hint.map(str::to_owned) });
    }

    /// A key that asks for something that is not there.
    fn not_in_this_build(&mut self, key: &str, part: &str) {
        let text = format!("{}: {part} not in this build", self.layers.describe_origin(key));
        self.problem(text, None);
    }

    /// Refuses what a later build will do, so that nobody believes it was done.
    fn missing_parts(&mut self, config: &Config, options: OptionLayers<'_>) {
        if options.test_s3() {
            self.problem("--test-s3: S3 upload is not in this build".to_owned(), None);
        }
        for (asked, key, part) in [
            (config.s3.bucket.is_some(), "s3.bucket", "S3 upload is"),
            (config.ip_reputation.enabled, "ip_reputation.enabled", "IP reputation is"),
            (config.threat_intel.enabled, "threat_intel.enabled", "threat intelligence is"),
        ] {
            if asked {
                self.not_in_this_build(key, part);
            }
        }
    }

    /// What the licence opens.
    fn grant(&mut self, config: &Config) -> Grant {
        let loaded = Grant::load(&config.license);
        let mut grant = match loaded {
            Ok(grant) => grant,
            Err(error) if config.license.required || error.is_config() => {
                let key = self.layers.describe_origin(error.key());
                self.problem(format!("{key}: {error}"), None);
                Grant::default()
            }
            Err(error) => {
                self.warnings.push(format!("{error}; the Community tier is what is left"));
                Grant::default()
            }
        };
        if config.license.required && !grant.is_licensed() && self.problems.is_empty() {
            let key = self.layers.describe_origin("license.required");
            self.problem(format!("{key}: no licence was found"), Some("give --license FILE"));
        }
        let extended = config.output.parquet_schema == ParquetSchema::Extended;
        if !grant.choose(extended) {
            let key = self.layers.describe_origin("output.parquet_schema");
            self.problem(
                format!(
                    "{key}: extended needs a licence of the Professional tier, found {}",
                    if grant.is_licensed() { grant.tier_name() } else { "none" }
                ),
                Some("simple, the default, has 44 fields, 54 from the Basic tier"),
            );
        }
        grant
    }

    /// What is looked for in payload, as far as the tier has columns for it.
    fn inspection(
        &mut self,
        config: &Config,
        grant: &Grant,
        extra: &[Field],
    ) -> Option<Inspection> {
        let ndpi = &config.ndpi;
        let wanted = ndpi.enabled && grant.has_applications();
        if ndpi.enabled && !wanted {
            let key = self.layers.describe_origin("ndpi.enabled");
            self.warnings.push(format!("{key}: applications need a licence of the Basic tier"));
        }
        let names = grant.has_fingerprints() || extra.contains(&Field::HostName);
        let inspection = Inspection::new(ndpi, wanted, names);
        match inspection.check() {
            Ok(note) => self.warnings.extend(note),
            Err(problem) => self.problem(problem, None),
        }
        Some(inspection).filter(Inspection::is_wanted)
    }

    /// Columns beyond those of the tier.
    fn extra_fields(&mut self, config: &Config, grant: &Grant) -> Vec<Field> {
        // Packet by packet, nothing is kept of a flow yet.
        let known =
            |field: &Field| !matches!(field, Field::Splt | Field::SpltLengths | Field::SpltGaps);
        let mut fields = Vec::new();
        for name in &config.output.extra_fields {
            match extra_field(name).filter(known) {
                Some(Field::RiskList | Field::HostName) if !grant.has_applications() => {
                    let key = self.layers.describe_origin("output.extra_fields");
                    self.warnings.push(format!("{key}: {name} needs a licence of the Basic tier"));
                }
                Some(field) => fields.push(field),
                None => {
                    let key = self.layers.describe_origin("output.extra_fields");
                    let names = EXTRA_COLUMNS.iter().filter(|column| known(&column.field));
                    let names: Vec<_> = names.map(|column| column.name).collect();
                    self.problem(
                        format!("{key}: expected some of {}, found {name:?}", names.join(", ")),
                        None,
                    );
                }
            }
        }
        fields
    }

    /// The databases of places, if the tier has columns for them.
    fn geo(&mut self, config: &Config, grant: &Grant) -> GeoConfig {
        let databases = &config.geoip;
        let geo = GeoConfig {
            country_db: databases.country_db.clone(),
            city_db: databases.city_db.clone(),
            asn_db: databases.asn_db.clone(),
        };
        if geo.is_empty() || grant.has_applications() {
            return geo;
        }
        self.warnings.push("geoip: places need a licence of the Basic tier".to_owned());
        GeoConfig::default()
    }

    fn consistency(&mut self, config: &Config) {
        if config.ip_reputation.enabled && config.threat_intel.enabled {
            self.problem(
                "ip_reputation.enabled and threat_intel.enabled: expected one of them, found both"
                    .to_owned(),
                None,
            );
        }
        for (enabled, missing, key, because) in [
            (
                config.ip_reputation.enabled,
                config.ip_reputation.api_key.is_none(),
                "ip_reputation.api_key",
                "ip_reputation.enabled",
            ),
            (
                config.threat_intel.enabled,
                config.threat_intel.endpoint_url.is_none(),
                "threat_intel.endpoint_url",
                "threat_intel.enabled",
            ),
            (
                config.threat_intel.enabled,
                config.threat_intel.api_token.is_none(),
                "threat_intel.api_token",
                "threat_intel.enabled",
            ),
            (config.s3.bucket.is_some(), config.s3.region.is_none(), "s3.region", "s3.bucket"),
        ] {
            if enabled && missing {
                self.problem(format!("{key}: required with {because}, found nothing"), None);
            }
        }
        if config.output.parquet_dir.is_none() && config.output.json.is_none() {
            self.problem(
                "output.parquet_dir: required unless output.json is given, found neither"
                    .to_owned(),
                Some("give --parquet-dir DIR or --json PATH"),
            );
        }
        for (path, key) in [
            (&config.output.parquet_dir, "output.parquet_dir"),
            (&config.output.json, "output.json"),
            (&config.output.log_file, "output.log_file"),
        ] {
            if path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
                let key = self.layers.describe_origin(key);
                self.problem(format!("{key}: expected a path, found nothing"), None);
            }
        }
    }

    /// How packets are captured, if the source is an interface.
    fn live(&mut self, config: &Config) -> Option<LiveSettings> {
        let source = config.input.source.as_deref().unwrap_or_default();
        // The file may name a live type beside a capture, since it is the default as well; a flag or variable asks.
        let asked =
            matches!(self.layers.origin("input.live_type"), Origin::Flag | Origin::Environment);
        let named = may_be_interface(source, config.input.live_type);
        if source.is_empty() || !(asked || named && !Path::new(source).exists()) {
            return None;
        }
        let Config { pcap, afpacket, netmap, fmadio, .. } = config;
        let kind = match config.input.live_type {
            LiveType::Pcap => LiveKind::Pcap {
                buffer_size: to_usize(pcap.buffer_size),
                immediate: pcap.immediate,
            },
            LiveType::Afpacket => LiveKind::Afpacket {
                block_size: to_usize(afpacket.block_size),
                block_count: to_usize(afpacket.block_count),
                fanout_group: Some(to_u16(afpacket.fanout_group)).filter(|group| *group > 0),
                fanout_mode: afpacket.fanout_mode,
                timestamps: afpacket.timestamps,
            },
            LiveType::Netmap => LiveKind::Netmap {
                rx_slots: netmap.rx_slots,
                tx_slots: netmap.tx_slots,
                poll_timeout: Duration::from_millis(u64::from(netmap.poll_timeout)),
                host_rings: netmap.host_rings,
            },
            LiveType::Fmadio => LiveKind::Fmadio {
                ring_path: fmadio.ring_path.clone(),
                include_fcs_errors: fmadio.include_fcs_errors,
            },
        };
        let several = config.workers > 1;
        if several && !matches!(kind, LiveKind::Afpacket { .. }) {
            let key = self.layers.describe_origin("workers");
            self.problem(
                format!("{key}: {} workers take --live afpacket, expected 1", config.workers),
                None,
            );
        }
        let metrics = config.metrics.listen.as_deref().filter(|text| !text.is_empty());
        let metrics = metrics.map(rockfish_metrics::listen_addr).transpose();
        let metrics = metrics.unwrap_or_else(|error| {
            let key = self.layers.describe_origin("metrics.listen");
            self.problem(format!("{key}: {error}"), None);
            None
        });
        Some(LiveSettings {
            kind,
            promiscuous: !config.input.promisc_off,
            workers: NonZeroUsize::new(to_usize(config.workers)).unwrap_or(NonZeroUsize::MIN),
            user: config.user.clone().filter(|user| !user.is_empty()),
            metrics,
            stats_interval: some_secs(config.output.stats_interval)
                .or(config.output.stats.then_some(LIVE_STATS_INTERVAL)),
        })
    }

    /// The source, if it is there.
    fn source(&mut self, config: &Config) -> String {
        let source = config.input.source.clone().unwrap_or_default();
        if source.is_empty() {
            self.problem(
                "input.source: required, found nothing".to_owned(),
                Some("give -i FILE: a capture file, a folder, a quoted glob pattern, - for standard input, or an interface"),
            );
            return source;
        }
        if source == DASH || Path::new(&source).exists() {
            return source;
        }
        let key = self.layers.describe_origin("input.source");
        if source.contains(['*', '?', '[']) {
            match glob::glob(&source) {
                Ok(mut paths) => {
                    if paths.next().is_none() {
                        self.problem(
                            format!("{key}: {source:?} is no file or folder, and no file matches it as a pattern"),
                            None,
                        );
                    }
                }
                Err(error) => self.problem(
                    format!(
                        "{key}: {source:?} is no file or folder, and no glob pattern: {} at character {}",
                        error.msg,
                        error.pos + 1
                    ),
                    None,
                ),
            }
        } else {
            self.problem(format!("{key}: {source:?} is no file, folder or interface"), None);
        }
        source
    }

    /// The observation domain that the records carry.
    fn observation(&mut self, config: &Config, grant: &Grant) -> String {
        let wanted = &config.output.observation;
        self.word("output.observation", wanted);
        if self.layers.origin("output.observation") == Origin::Default {
            return grant.default_observation().to_owned();
        }
        if grant.permits_observation(wanted) {
            return wanted.clone();
        }
        let instead = grant.default_observation().to_owned();
        let because = match grant.is_licensed() && grant.has_applications() {
            true => format!("the licence is for {instead:?} alone"),
            false => "a name of one's own needs a licence of the Basic tier, found none".to_owned(),
        };
        let key = self.layers.describe_origin("output.observation");
        self.warnings.push(format!("{key}: {because}; records carry {instead:?}"));
        instead
    }

    fn names(&mut self, config: &Config) {
        self.word("output.parquet_file_prefix", &config.output.parquet_file_prefix);
    }

    /// A text that becomes part of file names: it must not leave the folder, hide the file, or upset a shell.
    fn word(&mut self, key: &str, text: &str) {
        const LONGEST: usize = 100;
        let wrong = if text.is_empty() {
            "nothing".to_owned()
        } else if text.chars().count() > LONGEST {
            format!("{} characters", text.chars().count())
        } else if text.starts_with(['.', '-']) {
            format!("{text:?} with {:?} first", &text[..1])
        } else if let Some(found) = text
            .chars()
            .find(|character| !(character.is_alphanumeric() || "._-".contains(*character)))
        {
            format!("{found:?} in {text:?}")
        } else {
            return;
        };
        let key = self.layers.describe_origin(key);
        self.problem(
            format!(
                "{key}: expected 1 to {LONGEST} letters, digits, dots, dashes and underscores, a letter, digit or underscore first, found {wrong}"
            ),
            None,
        );
    }
}

/// Whether a source that is no file is an interface, or whatever else packets are captured from.
fn may_be_interface(source: &str, kind: LiveType) -> bool {
    const LONGEST_NAME: usize = 15;
    const CAPTURES: [&str; 7] = ["pcap", "pcapng", "cap", "dump", "dmp", "gz", "zst"];
    let name = source.strip_prefix("netmap:").unwrap_or(source);
    let has_shape = !name.is_empty()
        && name != DASH
        && name.len() <= LONGEST_NAME
        && name
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "._-@:".contains(character))
        && !name.rsplit_once('.').is_some_and(|(_, extension)| CAPTURES.contains(&extension));
    let all = Path::new("/sys/class/net");
    let is_listed = |name: &str| !all.exists() || all.join(name).exists();
    match kind {
        LiveType::Pcap | LiveType::Afpacket if cfg!(target_os = "linux") => {
            has_shape && (name == "any" || is_listed(name))
        }
        _ => has_shape,
    }
}
