//! Opening what the settings name: once at the start, and again whenever an interface comes back.

use rockfish_capture::{LiveError, LiveSource};
#[cfg(target_os = "linux")]
use rockfish_capture_afpacket::{
    AfPacket, Config as AfPacketConfig, Fanout, FanoutMode as Mode, Instruction,
    Timestamps as Stamps,
};
use rockfish_capture_fmadio::{Fmadio, FmadioConfig};
#[cfg(target_pointer_width = "64")]
use rockfish_capture_netmap::{Netmap, NetmapConfig};
use rockfish_capture_pcap::{BpfFilter, PcapLive, PcapLiveConfig};
use rockfish_packet::LinkType;

#[cfg(target_os = "linux")]
use crate::config::{FanoutMode, Timestamps};
use crate::settings::{InputSettings, LiveKind, LiveSettings};

/// Opens one source, as often as needed.
#[derive(Clone, Debug)]
pub(crate) enum Opener {
    /// AF_PACKET.
    #[cfg(target_os = "linux")]
    AfPacket(Box<AfPacketConfig>),
    /// libpcap.
    Pcap(PcapLiveConfig),
    /// An appliance's ring.
    Fmadio(FmadioConfig),
    /// netmap.
    #[cfg(target_pointer_width = "64")]
    Netmap(NetmapConfig),
}

/// What the workers begin with.
pub(crate) struct Opened {
    pub(crate) sources: Vec<Box<dyn LiveSource>>,
    /// How each is opened again.
    pub(crate) opener: Opener,
    /// Filter for sources that have none in the kernel.
    pub(crate) filter: Option<BpfFilter>,
}

impl Opener {
    /// Opens a source that takes in packets at once.
    pub(crate) fn open(&self) -> Result<Box<dyn LiveSource>, LiveError> {
        Ok(match self {
            #[cfg(target_os = "linux")]
            Self::AfPacket(config) => {
                let mut source = AfPacket::open(config)?;
                source.open_intake()?;
                Box::new(source)
            }
            Self::Pcap(config) => Box::new(PcapLive::open(config)?),
            Self::Fmadio(config) => Box::new(Fmadio::open(config)?),
            #[cfg(target_pointer_width = "64")]
            Self::Netmap(config) => Box::new(Netmap::open(config)?),
        })
    }
}

/// Opens a source for each worker.
///
/// # Errors
/// The interface is of no use, the process may not capture, or the filter is wrong.
pub(crate) fn open(input: &InputSettings, live: &LiveSettings) -> anyhow::Result<Opened> {
    let interface = input.source.clone();
    let InputSettings { snaplen, .. } = *input;
    let opener = match &live.kind {
        #[cfg(target_os = "linux")]
        LiveKind::Afpacket { .. } => return open_fanout(input, live),
        #[cfg(not(target_os = "linux"))]
        LiveKind::Afpacket { .. } => {
            let found = "AF_PACKET is of Linux, expected --live pcap on this system".to_owned();
            return Err(LiveError::Unsuitable { interface, found }.into());
        }
        LiveKind::Pcap { buffer_size, immediate } => Opener::Pcap(PcapLiveConfig {
            interface,
            filter: input.filter.clone(),
            snaplen,
            promiscuous: live.promiscuous,
            immediate: *immediate,
            buffer_size: *buffer_size,
        }),
        LiveKind::Fmadio { ring_path, include_fcs_errors } => Opener::Fmadio(FmadioConfig {
            ring_path: ring_path.clone(),
            include_fcs_errors: *include_fcs_errors,
            snaplen,
        }),
        #[cfg(not(target_pointer_width = "64"))]
        LiveKind::Netmap { .. } => {
            let found = "netmap takes a 64-bit system".to_owned();
            return Err(LiveError::Unsuitable { interface, found }.into());
        }
        #[cfg(target_pointer_width = "64")]
        LiveKind::Netmap { rx_slots, tx_slots, poll_timeout, host_rings } => {
            Opener::Netmap(NetmapConfig {
                interface,
                rx_slots: *rx_slots,
                tx_slots: *tx_slots,
                poll_timeout: *poll_timeout,
                host_rings: *host_rings,
                snaplen,
            })
        }
    };
    // The others have it in the kernel.
    let filters_here = matches!(live.kind, LiveKind::Fmadio { .. } | LiveKind::Netmap { .. });
    let filter = input.filter.as_deref().filter(|_| filters_here);
    let filter = filter
        .map(|expression| BpfFilter::compile(expression, &[LinkType::Ethernet]))
        .transpose()?;
    if live.promiscuous && matches!(live.kind, LiveKind::Netmap { .. }) {
        tracing::warn!("netmap does not switch promiscuous mode on: ifconfig(8) does");
    }
    Ok(Opened { sources: vec![opener.open()?], opener, filter })
}

/// All sockets of a group are opened before the first takes in packets: otherwise it would get those of the others.
#[cfg(target_os = "linux")]
fn open_fanout(input: &InputSettings, live: &LiveSettings) -> anyhow::Result<Opened> {
    let LiveKind::Afpacket { block_size, block_count, fanout_group, fanout_mode, timestamps } =
        live.kind
    else {
        anyhow::bail!("not an AF_PACKET source");
    };
    let mode = match fanout_mode {
        FanoutMode::Hash => Mode::Hash,
        FanoutMode::Lb => Mode::Lb,
        FanoutMode::Cpu => Mode::Cpu,
        FanoutMode::Rollover => Mode::Rollover,
        FanoutMode::Random => Mode::Random,
    };
    let mut config = AfPacketConfig {
        interface: input.source.clone(),
        block_size,
        block_count,
        fanout: (fanout_group.is_some() || live.workers.get() > 1)
            .then_some(Fanout { group: fanout_group, mode }),
        filter: Vec::new(),
        snaplen: input.snaplen,
        promiscuous: live.promiscuous,
        timestamps: match timestamps {
            Timestamps::Kernel => Stamps::Kernel,
            Timestamps::Hardware => Stamps::Hardware,
        },
    };
    let mut sources = Vec::with_capacity(live.workers.get());
    for number in 0..live.workers.get() {
        let source = AfPacket::open(&config)?;
        if number == 0 {
            for note in source.notes() {
                tracing::warn!("{note}");
            }
            if let Some(fanout) = &mut config.fanout {
                fanout.group = Some(source.fanout_group()?);
            }
        }
        sources.push(source);
    }
    if let Some(expression) = &input.filter {
        // After the interface was found fit: what libpcap says of it is less clear.
        let program = rockfish_capture_pcap::compile_for_interface(
            &config.interface,
            expression,
            config.snaplen,
        )?;
        config.filter = program
            .iter()
            .map(|i| Instruction { code: i.code, jt: i.jt, jf: i.jf, k: i.k })
            .collect();
        for source in &mut sources {
            source.set_filter(&config.filter);
        }
    }
    for source in &mut sources {
        source.open_intake()?;
    }
    let sources = sources.into_iter().map(|source| Box::new(source) as Box<dyn LiveSource>);
    Ok(Opened {
        sources: sources.collect(),
        opener: Opener::AfPacket(Box::new(config)),
        filter: None,
    })
}
