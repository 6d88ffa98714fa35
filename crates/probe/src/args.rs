//! The command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use clap_complete::Shell;
use rockfish_app::cli::{LoggingOptions, Section, after_help, parse_switch};
use rockfish_app::config::Layer;

use crate::config::{
    AfpacketLayer, ConfigLayer, FanoutMode, FlowLayer, FragmentLayer, InputLayer, LicenseLayer,
    LiveType, MetricsLayer, NdpiLayer, OutputLayer, ParquetSchema, PcapLayer, Progress, S3Layer,
    Timestamps, Tunnels,
};

/// What help and man page end with.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "Configuration",
        lines: &[
            "Every key of the configuration file is read from the environment as well: ROCKFISH_,",
            "section and key in capitals, as in ROCKFISH_FLOW_IDLE_TIMEOUT. A flag wins over the",
            "environment, the environment over the file. A flag shown with [=<BOOL>] can be switched",
            "off where the file switches it on: --hive-partitioning=false.",
        ],
    },
    Section {
        title: "Signals",
        lines: &[
            "SIGINT, SIGTERM  write the open flows and end; a second one ends at once",
            "SIGHUP           begin a new file",
        ],
    },
    Section {
        title: "Exit status",
        lines: &[
            "0  done",
            "1  failed",
            "2  wrong usage, configuration or input",
            "3  done, with losses, under --strict",
        ],
    },
    Section {
        title: "Examples",
        lines: &[
            "rockfish_probe -i capture.pcap --parquet-dir ./flows",
            "rockfish_probe -i \"/data/captures/*.pcap\" --parquet-dir ./flows --stats",
            "rockfish_probe -i capture.pcap --json - | head",
            "sudo rockfish_probe -i eth0 --live afpacket --user rockfish -o /var/lib/rockfish",
            "rockfish_probe validate -c config.yaml",
        ],
    },
];

/// Read packets, write flow records
///
/// Reads packets and writes a record for each bidirectional flow: Parquet files, JSON lines, or both.
#[derive(Clone, Debug, Parser)]
#[command(name = "rockfish_probe", version, after_help = after_help(SECTIONS), max_term_width = 120)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = true)]
pub struct Args {
    /// What to do instead of metering.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The options of metering.
    #[command(flatten)]
    pub options: Options,
}

impl Args {
    /// The options, whether given before or after `validate`; the later win.
    pub fn effective_options(&self) -> OptionLayers<'_> {
        OptionLayers {
            before: &self.options,
            after: match &self.command {
                Some(Command::Validate(options)) => Some(options),
                _ => None,
            },
        }
    }
}

/// What can be done besides metering.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Check configuration, environment and flags, and say what is wrong
    Validate(Box<Options>),
    /// Print a completion script
    Completions {
        /// Shell to complete for
        shell: Shell,
    },
    /// Print the man page
    Man,
}

/// The options before and after a subcommand, which are the same.
#[derive(Clone, Copy, Debug)]
pub struct OptionLayers<'a> {
    before: &'a Options,
    after: Option<&'a Options>,
}

impl OptionLayers<'_> {
    /// What the flags set.
    pub fn layer(&self) -> ConfigLayer {
        match self.after {
            Some(after) => after.layer().over(self.before.layer()),
            None => self.before.layer(),
        }
    }

    /// The configuration file.
    pub fn config(&self) -> Option<&PathBuf> {
        self.after.and_then(|after| after.config.as_ref()).or(self.before.config.as_ref())
    }

    /// How often `-v` was given.
    pub fn verbose(&self) -> u8 {
        self.any(|options| options.logging.verbose).fold(0, u8::saturating_add)
    }

    /// Whether `-q` was given.
    pub fn quiet(&self) -> bool {
        self.any(|options| options.logging.quiet).any(|given| given)
    }

    /// Whether the effective configuration is to be printed.
    pub fn dump_config(&self) -> bool {
        self.any(|options| options.dump_config).any(|given| given)
    }

    /// Whether the storage is to be tried out.
    pub fn test_s3(&self) -> bool {
        self.any(|options| options.test_s3).any(|given| given)
    }

    fn any<T>(&self, get: impl Fn(&Options) -> T) -> impl Iterator<Item = T> {
        [Some(self.before), self.after].into_iter().flatten().map(get)
    }
}

/// The options of metering. Those left out say nothing: the environment, the file and the defaults decide.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "Global Options")]
pub struct Options {
    /// Configuration file (YAML) [env: ROCKFISH_CONFIG]
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the effective configuration as YAML, secrets masked, and exit
    #[arg(long)]
    pub dump_config: bool,

    /// Workers; 0: one for each core, on an interface one [default: 0]
    #[arg(long, value_name = "N")]
    pub workers: Option<u64>,

    /// User to become once the interface is open
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,

    /// End with status 3 if anything was lost
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub strict: Option<bool>,

    /// Where packets come from.
    #[command(flatten)]
    pub input: InputOptions,

    /// How packets become flows.
    #[command(flatten)]
    pub flow: FlowOptions,

    /// Reassembly.
    #[command(flatten)]
    pub fragment: FragmentOptions,

    /// libpcap capture.
    #[command(flatten)]
    pub pcap: PcapOptions,

    /// AF_PACKET capture.
    #[command(flatten)]
    pub afpacket: AfpacketOptions,

    /// What is written.
    #[command(flatten)]
    pub output: OutputOptions,

    /// Upload.
    #[command(flatten)]
    pub s3: S3Options,

    /// Test S3 connectivity and exit (not in this build)
    #[arg(long, help_heading = "S3 Options")]
    pub test_s3: bool,

    /// Logging, as in every program.
    #[command(flatten)]
    pub logging: LoggingOptions,

    /// Statistics and progress.
    #[command(flatten)]
    pub report: ReportOptions,

    /// The licence.
    #[command(flatten)]
    pub license: LicenseOptions,
}

/// Where packets come from.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "Input Options")]
pub struct InputOptions {
    /// Capture file, folder, glob pattern, `-` for standard input, or interface
    #[arg(short = 'i', long, value_name = "SRC")]
    pub source: Option<String>,

    /// Capture from an interface: pcap, afpacket, netmap, fmadio [default: pcap]
    #[arg(long, value_name = "TYPE", hide_possible_values = true)]
    pub live: Option<LiveType>,

    /// BPF filter expression, in libpcap's language
    #[arg(long, value_name = "EXPR")]
    pub filter: Option<String>,

    /// Octets of each packet that are looked at [default: 65535]
    #[arg(long, value_name = "BYTES")]
    pub snaplen: Option<u32>,

    /// Do not put the interface into promiscuous mode
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub promisc_off: Option<bool>,
}

/// How packets become flows.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "Flow Options")]
pub struct FlowOptions {
    /// Seconds without a packet after which a flow ends [default: 300]
    #[arg(long, value_name = "SECS")]
    pub idle_timeout: Option<u64>,

    /// Seconds after which a flow is written although it goes on [default: 1800]
    #[arg(long, value_name = "SECS")]
    pub active_timeout: Option<u64>,

    /// Most flows held at a time; 0: no limit; unset, an interface has 1000000 [default: 0]
    #[arg(long, value_name = "COUNT")]
    pub max_flows: Option<u64>,

    /// Payload octets of each direction that entropy is taken of [default: 500]
    #[arg(long, value_name = "BYTES")]
    pub max_payload: Option<u32>,

    /// UDP port whose flows are written a packet each; 0: none, 1: all [default: 0]
    #[arg(long, value_name = "PORT")]
    pub udp_uniflow: Option<u32>,

    /// Detect applications
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub ndpi: Option<bool>,

    /// Leave the MAC addresses out
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub no_mac: Option<bool>,

    /// Make the VLAN id part of the flow key
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub vlan_key: Option<bool>,

    /// Make ICMP type and code part of the flow key
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub icmp_key: Option<bool>,

    /// Seconds for which an ended TCP flow takes in late packets; 0: none [default: 2]
    #[arg(long, value_name = "SECS")]
    pub tcp_linger: Option<f64>,

    /// Which headers of a tunnelled packet make its flow: inner, outer [default: outer]
    #[arg(long, value_name = "WHICH", hide_possible_values = true)]
    pub tunnels: Option<Tunnels>,
}

/// Reassembly of fragments.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "Fragment Options")]
pub struct FragmentOptions {
    /// Do not reassemble fragments
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub no_frag: Option<bool>,

    /// Most datagrams in reassembly at a time [default: 1024]
    #[arg(long, value_name = "N")]
    pub max_frag_tables: Option<u64>,

    /// Seconds after which an incomplete datagram is given up [default: 30]
    #[arg(long, value_name = "SECS")]
    pub frag_timeout: Option<u64>,

    /// Most octets held for reassembly [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub frag_max_bytes: Option<u64>,
}

/// libpcap capture.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "libpcap Options")]
pub struct PcapOptions {
    /// Octets of the buffer in which packets wait [default: 67108864]
    #[arg(long, value_name = "BYTES")]
    pub pcap_buffer_size: Option<u64>,

    /// Take each packet at once instead of several together
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub pcap_immediate: Option<bool>,
}

/// AF_PACKET capture.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "AF_PACKET Options (Linux)")]
pub struct AfpacketOptions {
    /// Octets of a block of the ring buffer [default: 2097152]
    #[arg(long, value_name = "BYTES")]
    pub afp_block_size: Option<u64>,

    /// Blocks of the ring buffer [default: 64]
    #[arg(long, value_name = "N")]
    pub afp_block_count: Option<u64>,

    /// Fanout group; 0: none [default: 0]
    #[arg(long, value_name = "ID")]
    pub afp_fanout_group: Option<u32>,

    /// Fanout mode: hash, lb, cpu, rollover, random [default: hash]
    #[arg(long, value_name = "MODE", hide_possible_values = true)]
    pub afp_fanout_mode: Option<FanoutMode>,

    /// Where packets' times come from: kernel, hardware [default: kernel]
    #[arg(long, value_name = "WHERE", hide_possible_values = true)]
    pub afp_timestamps: Option<Timestamps>,
}

/// What is written.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "Output Options")]
pub struct OutputOptions {
    /// Folder for Parquet files
    #[arg(short = 'o', long, value_name = "DIR")]
    pub parquet_dir: Option<PathBuf>,

    /// Most flows in a file [default: 1000000]
    #[arg(long, value_name = "N")]
    pub parquet_batch_size: Option<u64>,

    /// First word of the file names [default: rockfish]
    #[arg(long, value_name = "PREFIX")]
    pub parquet_prefix: Option<String>,

    /// Columns: simple, extended [default: simple]
    #[arg(long, value_name = "TYPE", hide_possible_values = true)]
    pub parquet_schema: Option<ParquetSchema>,

    /// Name of the observation domain [default: gnat]
    #[arg(long, value_name = "NAME")]
    pub observation: Option<String>,

    /// Begin a new file at each day boundary (UTC)
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub hive_boundary_flush: Option<bool>,

    /// Put files into folders v1/year=YYYY/month=MM/day=DD/
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub hive_partitioning: Option<bool>,

    /// Seconds of capture time after which a new file is begun; 0: never; unset, an interface has 60 [default: 0]
    #[arg(long, value_name = "SECS")]
    pub rotate_interval: Option<u64>,

    /// Further columns, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub extra_fields: Option<Vec<String>>,

    /// Rows in a row group [default: 122880]
    #[arg(long, value_name = "N")]
    pub row_group_size: Option<u64>,

    /// Zstandard level, 1 to 22 [default: the writer's]
    #[arg(long, value_name = "LEVEL")]
    pub compression_level: Option<i32>,

    /// Flow records of an interface that may wait for being written [default: 262144]
    #[arg(long, value_name = "N")]
    pub queue_size: Option<u64>,

    /// Write flows as JSON lines with IPFIX names; `-` for standard output
    #[arg(long, value_name = "PATH")]
    pub json: Option<PathBuf>,
}

/// Upload.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "S3 Options")]
pub struct S3Options {
    /// Bucket (not in this build)
    #[arg(long, value_name = "NAME")]
    pub s3_bucket: Option<String>,

    /// What keys begin with
    #[arg(long, value_name = "PREFIX")]
    pub s3_prefix: Option<String>,

    /// Region
    #[arg(long, value_name = "REGION")]
    pub s3_region: Option<String>,

    /// Endpoint other than Amazon's
    #[arg(long, value_name = "URL")]
    pub s3_endpoint: Option<String>,

    /// Put the bucket into the path of URLs
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub s3_force_path_style: Option<bool>,

    /// Put v1/year=YYYY/month=MM/day=DD/ into keys
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub s3_hive_partitioning: Option<bool>,

    /// Delete a local file once it is uploaded
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub s3_delete_after_upload: Option<bool>,
}

/// Statistics and progress.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = rockfish_app::cli::LOGGING_HEADING)]
pub struct ReportOptions {
    /// Print statistics at the end, and log them on the way on an interface
    #[arg(
        long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = parse_switch,
    )]
    pub stats: Option<bool>,

    /// Seconds between statistics on the way; 0: none [default: 0]
    #[arg(long, value_name = "SECS")]
    pub stats_interval: Option<u64>,

    /// Serve metrics and health at PORT of the loopback interface, or ADDRESS:PORT
    #[arg(long, value_name = "ADDR")]
    pub metrics_listen: Option<String>,

    /// When the progress bar is shown: auto, always, never [default: auto]
    #[arg(long, value_name = "WHEN", hide_possible_values = true)]
    pub progress: Option<Progress>,
}

/// The licence.
#[derive(Clone, Debug, Default, PartialEq, ClapArgs)]
#[command(next_help_heading = "License Options")]
pub struct LicenseOptions {
    /// Licence file [env: ROCKFISH_LICENSE_PATH]
    #[arg(long, value_name = "PATH")]
    pub license: Option<PathBuf>,

    /// The issuer's public key, instead of the one that was built in
    #[arg(long, value_name = "FILE")]
    pub license_public_key: Option<PathBuf>,
}

impl Options {
    /// What these flags set, and nothing else.
    pub fn layer(&self) -> ConfigLayer {
        // Taken apart whole, so that a flag cannot be forgotten here.
        let Self {
            config: _,
            dump_config: _,
            workers,
            user,
            strict,
            input: InputOptions { source, live, filter, snaplen, promisc_off },
            flow,
            fragment: FragmentOptions { no_frag, max_frag_tables, frag_timeout, frag_max_bytes },
            pcap: PcapOptions { pcap_buffer_size, pcap_immediate },
            afpacket,
            output,
            s3,
            test_s3: _,
            logging: LoggingOptions { verbose: _, quiet: _, log_file, log_format },
            report: ReportOptions { stats, stats_interval, metrics_listen, progress },
            license: LicenseOptions { license, license_public_key },
        } = self.clone();
        let FlowOptions {
            idle_timeout,
            active_timeout,
            max_flows,
            max_payload,
            udp_uniflow,
            ndpi,
            no_mac,
            vlan_key,
            icmp_key,
            tcp_linger,
            tunnels,
        } = flow;
        let AfpacketOptions {
            afp_block_size,
            afp_block_count,
            afp_fanout_group,
            afp_fanout_mode,
            afp_timestamps,
        } = afpacket;
        let OutputOptions {
            parquet_dir,
            parquet_batch_size,
            parquet_prefix,
            parquet_schema,
            extra_fields,
            observation,
            hive_boundary_flush,
            hive_partitioning,
            rotate_interval,
            row_group_size,
            compression_level,
            queue_size,
            json,
        } = output;
        let S3Options {
            s3_bucket,
            s3_prefix,
            s3_region,
            s3_endpoint,
            s3_force_path_style,
            s3_hive_partitioning,
            s3_delete_after_upload,
        } = s3;
        ConfigLayer {
            workers,
            user,
            strict,
            license: LicenseLayer {
                path: license,
                public_key: license_public_key,
                ..LicenseLayer::default()
            },
            input: InputLayer { source, live_type: live, filter, snaplen, promisc_off },
            flow: FlowLayer {
                idle_timeout,
                active_timeout,
                max_flows,
                max_payload,
                udp_uniflow_port: udp_uniflow,
                mac: no_mac.map(|left_out| !left_out),
                vlan_key,
                icmp_key,
                tcp_linger,
                tunnels,
            },
            ndpi: NdpiLayer { enabled: ndpi, ..NdpiLayer::default() },
            fragment: FragmentLayer {
                disabled: no_frag,
                max_tables: max_frag_tables,
                timeout: frag_timeout,
                max_bytes: frag_max_bytes,
            },
            output: OutputLayer {
                parquet_dir,
                parquet_batch_size,
                parquet_file_prefix: parquet_prefix,
                parquet_schema,
                extra_fields,
                row_group_size,
                compression_level,
                observation,
                hive_boundary_flush,
                hive_partitioning,
                rotate_interval,
                queue_size,
                json,
                stats,
                stats_interval,
                progress,
                verbose: None,
                log_file,
                log_format,
            },
            pcap: PcapLayer { buffer_size: pcap_buffer_size, immediate: pcap_immediate },
            metrics: MetricsLayer { listen: metrics_listen },
            afpacket: AfpacketLayer {
                block_size: afp_block_size,
                block_count: afp_block_count,
                fanout_group: afp_fanout_group,
                fanout_mode: afp_fanout_mode,
                timestamps: afp_timestamps,
            },
            s3: S3Layer {
                bucket: s3_bucket,
                prefix: s3_prefix,
                region: s3_region,
                endpoint: s3_endpoint,
                force_path_style: s3_force_path_style,
                hive_partitioning: s3_hive_partitioning,
                delete_after_upload: s3_delete_after_upload,
                ..S3Layer::default()
            },
            ..ConfigLayer::default()
        }
    }
}
