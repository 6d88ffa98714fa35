//! The configuration file: every key with its type, default, range and flag.
//!
//! This is the one table of keys. The file's layer, the environment variables, `--dump-config` and `docs/config.md` come
//! from it.

use clap::ValueEnum;
use rockfish_app::logging::LogFormat;
use rockfish_app::{Secret, choice_values, section};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// How packets are taken from an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LiveType {
    /// libpcap
    Pcap,
    /// AF_PACKET with TPACKET_V3 (Linux)
    Afpacket,
    /// netmap (FreeBSD)
    Netmap,
    /// Ring buffer of an FMADIO appliance
    Fmadio,
}

/// Where AF_PACKET takes packets' times from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Timestamps {
    /// The kernel, when it receives the packet
    Kernel,
    /// The network card, if it can; otherwise the kernel
    Hardware,
}

/// How AF_PACKET spreads packets over the sockets of a fanout group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FanoutMode {
    /// By flow hash
    Hash,
    /// Round robin
    Lb,
    /// By the CPU that received the packet
    Cpu,
    /// Fill one socket, then the next
    Rollover,
    /// At random
    Random,
}

/// Which columns the Parquet files have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ParquetSchema {
    /// Version 1: 44 fields, 54 from the Basic tier
    Simple,
    /// Version 2: 60 fields, from the Professional tier
    Extended,
}

/// Format of fingerprints of SYN packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum TcpFpFormat {
    /// nDPI TCP Fingerprint Format, draft 0.4
    Draft,
    /// As nDPI 5.0 computes them
    Ndpi5,
}

/// Which headers of a tunnelled packet make its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Tunnels {
    /// The tunnel's own: a tunnel is one flow
    Outer,
    /// The innermost: tunnels are opened
    Inner,
}

/// When the progress bar is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Progress {
    /// If standard error is a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

choice_values!(LiveType, Timestamps, FanoutMode, ParquetSchema, TcpFpFormat, Tunnels, Progress);

/// Longest time that a key takes, in seconds: 136 years, which still counts in microseconds.
const LONGEST_SECS: u64 = u32::MAX as u64;

section! {
    /// Keys outside sections.
    pub struct Config, layer ConfigLayer {
        /// Workers that packets are spread over. 0: one for each core for captures, one for an interface. Records of a capture
        /// do not depend on it. Of an interface each worker has a socket and a flow table of its own (`afpacket` only); what
        /// then comes to which of them, `afpacket.fanout_mode` says.
        workers: u64 = 0, range 0..=256, flag "workers";
        /// User to become once the interface is open, by name or number; only the right to capture is kept. Without it the
        /// program stays who it is.
        user: String, flag "user";
        /// End with status 3 if anything was lost: a capture cut in the middle of a packet, for one.
        strict: bool = false, flag "strict";
    }
    sections {
        license: License, layer LicenseLayer;
        input: Input, layer InputLayer;
        flow: Flow, layer FlowLayer;
        ndpi: Ndpi, layer NdpiLayer;
        fragment: Fragment, layer FragmentLayer;
        output: Output, layer OutputLayer;
        pcap: Pcap, layer PcapLayer;
        afpacket: Afpacket, layer AfpacketLayer;
        netmap: Netmap, layer NetmapLayer;
        fmadio: Fmadio, layer FmadioLayer;
        metrics: Metrics, layer MetricsLayer;
        s3: S3, layer S3Layer;
        geoip: Geoip, layer GeoipLayer;
        ip_reputation: IpReputation, layer IpReputationLayer;
        threat_intel: ThreatIntel, layer ThreatIntelLayer;
    }
}

section! {
    /// The licence, which opens the tiers above Community.
    pub struct License, layer LicenseLayer {
        /// Licence file: JSON with an Ed25519 signature. Without it `/etc/rockfish/license.json` and
        /// `/opt/rockfish/etc/license.json` are looked for.
        path: PathBuf, flag "license";
        /// The issuer's public key, in PEM or base64, instead of the one that was built in.
        public_key: PathBuf, flag "license-public-key";
        /// Do not start without a valid licence. Otherwise the Community tier is what is left.
        required: bool = false;
    }
}

section! {
    /// Where packets come from.
    pub struct Input, layer InputLayer {
        /// Capture file, folder of capture files, glob pattern, `-` for standard input, or the name of an interface.
        /// Required. What exists under that name is read as captures, unless `--live` or its variable asks for an interface.
        source: String, flag "source";
        /// How packets are taken from an interface. In the file it has no meaning when `source` is a capture.
        live_type: LiveType = LiveType::Pcap, flag "live";
        /// Only packets that match this expression, in libpcap's language.
        filter: String, flag "filter";
        /// Octets of each packet that are looked at.
        snaplen: u32 = 65535, range 1..=262_144, flag "snaplen";
        /// Do not put the interface into promiscuous mode.
        promisc_off: bool = false, flag "promisc-off";
    }
}

section! {
    /// How packets become flows.
    pub struct Flow, layer FlowLayer {
        /// Seconds without a packet after which a flow ends. May be longer than `active_timeout`.
        idle_timeout: u64 = 300, range 1..=LONGEST_SECS, flag "idle-timeout";
        /// Seconds after which a flow is written although it goes on.
        active_timeout: u64 = 1800, range 1..=LONGEST_SECS, flag "active-timeout";
        /// Most flows held at a time; beyond it the longest idle one is written. 0: no limit. Where nothing is set, there is no
        /// limit for captures, and one of 1000000 for an interface, so that a flood cannot take all memory. Several workers
        /// share it evenly.
        max_flows: u64 = 0, flag "max-flows";
        /// Payload octets of each direction that entropy is taken of. Never bounds protocol detection.
        max_payload: u32 = 500, range 0..=65_535, flag "max-payload";
        /// UDP port whose flows are written a packet each. 0: none. 1: all UDP flows.
        udp_uniflow_port: u32 = 0, range 0..=65_535, flag "udp-uniflow";
        /// Record the MAC addresses.
        mac: bool = true, flag "no-mac";
        /// Make the VLAN id part of the flow key.
        vlan_key: bool = false, flag "vlan-key";
        /// Make ICMP type and code part of the flow key.
        icmp_key: bool = false, flag "icmp-key";
        /// Seconds for which an ended TCP flow takes in late packets of the same key. 0: a late packet opens a flow.
        tcp_linger: f64 = 2.0, range 0.0..=86_400.0, flag "tcp-linger";
        /// Which headers of a tunnelled packet make its flow.
        tunnels: Tunnels = Tunnels::Outer, flag "tunnels";
    }
}

section! {
    /// Application detection. Its columns are of the Basic tier, those of fingerprints of the Professional one.
    pub struct Ndpi, layer NdpiLayer {
        /// Name the application of each flow: by libndpi in a build with it, else by detection of our own, which knows fewer.
        enabled: bool = false, flag "ndpi";
        /// File of further protocol definitions.
        protocol_file: PathBuf;
        /// File of further category definitions.
        categories_file: PathBuf;
        /// Format of fingerprints of SYN packets.
        tcp_fp_format: TcpFpFormat = TcpFpFormat::Draft;
    }
}

section! {
    /// Reassembly of IP fragments.
    pub struct Fragment, layer FragmentLayer {
        /// Do not reassemble fragments.
        disabled: bool = false, flag "no-frag";
        /// Most datagrams in reassembly at a time.
        max_tables: u64 = 1024, range 1..=1_048_576, flag "max-frag-tables";
        /// Seconds after which an incomplete datagram is given up.
        timeout: u64 = 30, range 1..=LONGEST_SECS, flag "frag-timeout";
        /// Most octets held for reassembly.
        max_bytes: u64 = 67_108_864, range 65_536.., flag "frag-max-bytes";
    }
}

section! {
    /// What is written, and what is said meanwhile.
    pub struct Output, layer OutputLayer {
        /// Folder for Parquet files. Required, unless `json` is given.
        parquet_dir: PathBuf, flag "parquet-dir";
        /// Most flows in a file before the next is begun.
        parquet_batch_size: u64 = 1_000_000, range 1.., flag "parquet-batch-size";
        /// First word of the file names: `rockfish-v1-20260131-120000.parquet`.
        parquet_file_prefix: String = "rockfish".to_owned(), flag "parquet-prefix";
        /// Columns: `simple` (44 fields, 54 from the Basic tier) or `extended` (60 fields, needs the Professional tier).
        parquet_schema: ParquetSchema = ParquetSchema::Simple, flag "parquet-schema";
        /// Further columns, after those of the tier: `community_id`, `icmp_type`, `icmp_code`, `sttl`, `dttl`, and from the Basic tier
        /// `ndpi_risk_list`, `ndpi_hostname`.
        extra_fields: Vec<String> = Vec::new(), flag "extra-fields";
        /// Rows in a row group.
        row_group_size: u64 = 122_880, range 1.., flag "row-group-size";
        /// Zstandard level of the columns; without it the writer chooses.
        compression_level: i32, range 1..=22, flag "compression-level";
        /// Name of the observation domain. Another than the default needs the Basic tier: without a licence the default
        /// is written, with a warning.
        observation: String = "gnat".to_owned(), flag "observation";
        /// Begin a new file at each day boundary (UTC).
        hive_boundary_flush: bool = false, flag "hive-boundary-flush";
        /// Put files into folders `v1/year=YYYY/month=MM/day=DD/`.
        hive_partitioning: bool = false, flag "hive-partitioning";
        /// Seconds of capture time after which a new file is begun. 0: never. Where nothing is set, never for captures, and
        /// after 60 for an interface.
        rotate_interval: u64 = 0, range 0..=LONGEST_SECS, flag "rotate-interval";
        /// Flow records of an interface that may wait for being written. If more come, because the disk is slow, they are lost
        /// and counted; capture goes on. A record takes about 300 octets of memory.
        queue_size: u64 = 262_144, range 1024..=268_435_456, flag "queue-size";
        /// File for flows as JSON, an object a line with IPFIX names; `-` for standard output.
        json: PathBuf, flag "json";
        /// Print statistics at the end, and of an interface every `stats_interval` seconds as well, or 60.
        stats: bool = false, flag "stats";
        /// Seconds between statistics on the way, which are logged. 0: none.
        stats_interval: u64 = 0, range 0..=LONGEST_SECS, flag "stats-interval";
        /// When the progress bar is shown.
        progress: Progress = Progress::Auto, flag "progress";
        /// How much is logged: 0 warnings, 1 information, 2 debugging, 3 everything. `-v`, `-vv`, `-vvv` are 1, 2, 3, where that is more.
        verbose: u32 = 1, range 0..=3;
        /// Log file; a new one is begun each day, with the date in its name.
        log_file: PathBuf, flag "log-file";
        /// Shape of log lines.
        log_format: LogFormat = LogFormat::Text, flag "log-format";
    }
}

section! {
    /// libpcap capture.
    pub struct Pcap, layer PcapLayer {
        /// Octets of the buffer in which packets wait.
        buffer_size: u64 = 67_108_864, range 65_536..=2_147_483_647, flag "pcap-buffer-size";
        /// Take each packet at once instead of several together: costs more, and delays less.
        immediate: bool = false, flag "pcap-immediate";
    }
}

section! {
    /// AF_PACKET capture (Linux). Each worker has a ring of `block_size` × `block_count` octets.
    pub struct Afpacket, layer AfpacketLayer {
        /// Octets of a block of the ring buffer, a multiple of the page size.
        block_size: u64 = 2_097_152, range 4096..=1_073_741_824, flag "afp-block-size";
        /// Blocks of the ring buffer.
        block_count: u64 = 64, range 1..=65_536, flag "afp-block-count";
        /// Number of the fanout group that shares the interface's packets: for several processes. 0: none, or one of their own
        /// for several `workers`.
        fanout_group: u32 = 0, range 0..=65_535, flag "afp-fanout-group";
        /// How the group shares them. Only with `hash` do all packets of a flow come to one worker; the others make several
        /// records of a flow, for each worker that saw packets of it.
        fanout_mode: FanoutMode = FanoutMode::Hash, flag "afp-fanout-mode";
        /// Where packets' times come from.
        timestamps: Timestamps = Timestamps::Kernel, flag "afp-timestamps";
    }
}

section! {
    /// Netmap capture (FreeBSD, and Linux with its module). Promiscuous mode is switched on outside: `ifconfig em0 promisc`.
    pub struct Netmap, layer NetmapLayer {
        /// Slots of a receive ring; without it the driver chooses.
        rx_slots: u32, range 1..=1_048_576;
        /// Slots of a transmit ring; without it the driver chooses.
        tx_slots: u32, range 1..=1_048_576;
        /// Milliseconds to wait for packets.
        poll_timeout: u32 = 1000, range 1..=3_600_000;
        /// Read the host stack's rings as well.
        host_rings: bool = false;
    }
}

section! {
    /// Capture on an FMADIO appliance.
    pub struct Fmadio, layer FmadioLayer {
        /// Ring buffer to read.
        ring_path: PathBuf = PathBuf::from("/opt/fmadio/queue/lxc_ring0");
        /// Take packets with a wrong frame check sequence as well.
        include_fcs_errors: bool = false;
    }
}

section! {
    /// Figures for Prometheus, and whether all is well, of a probe on an interface.
    pub struct Metrics, layer MetricsLayer {
        /// Where to listen: `PORT` on the loopback interface, or `ADDRESS:PORT`. Without it nothing listens.
        listen: String, flag "metrics-listen";
    }
}

section! {
    /// Upload to S3-compatible storage. This build has none: a bucket is refused.
    pub struct S3, layer S3Layer {
        /// Bucket.
        bucket: String, flag "s3-bucket";
        /// What keys begin with.
        prefix: String, flag "s3-prefix";
        /// Region. Required with a bucket.
        region: String, flag "s3-region";
        /// Endpoint other than Amazon's.
        endpoint: String, flag "s3-endpoint";
        /// Put the bucket into the path of URLs, not into the host name.
        force_path_style: bool = false, flag "s3-force-path-style";
        /// Put `v1/year=YYYY/month=MM/day=DD/` into keys.
        hive_partitioning: bool = false, flag "s3-hive-partitioning";
        /// Delete a local file once it is uploaded.
        delete_after_upload: bool = false, flag "s3-delete-after-upload";
        /// Merge the files of a minute before the upload.
        aggregate: bool = false;
        /// Minutes to wait for further files before they are merged.
        aggregate_hold_minutes: u64 = 1, range 1..=1440;
    }
}

section! {
    /// Places and networks from MaxMind databases, for the columns of the Basic tier.
    pub struct Geoip, layer GeoipLayer {
        /// Database of countries.
        country_db: PathBuf;
        /// Database of cities.
        city_db: PathBuf;
        /// Database of autonomous systems.
        asn_db: PathBuf;
    }
}

section! {
    /// Reputation of addresses, asked of AbuseIPDB. This build has none: `enabled` is refused.
    pub struct IpReputation, layer IpReputationLayer {
        /// Ask for the reputation of both addresses of each flow. Excludes `threat_intel.enabled`.
        enabled: bool = false;
        /// Key for AbuseIPDB. Required if enabled.
        api_key: Secret;
        /// Folder for the results; without it `ip_reputation` in `output.parquet_dir`.
        output_dir: PathBuf;
        /// Hours for which an answer is kept.
        cache_ttl_hours: u64 = 24, range 1..=8760;
        /// Oldest report asked for, in days.
        max_age_in_days: u32 = 90, range 1..=365;
        /// Upload the results.
        s3_upload: bool = false;
    }
}

section! {
    /// Reputation of addresses, asked of a server such as rockfish_intel. This build has none: `enabled` is refused.
    pub struct ThreatIntel, layer ThreatIntelLayer {
        /// Ask for the reputation of both addresses of each flow. Excludes `ip_reputation.enabled`.
        enabled: bool = false;
        /// Where the server is. Required if enabled.
        endpoint_url: String;
        /// Token for the server. Required if enabled.
        api_token: Secret;
        /// Addresses in one request.
        batch_size: u64 = 100, range 1..=10_000;
        /// Seconds to wait for an answer.
        timeout_seconds: u64 = 10, range 1..=3600;
    }
}
