//! Opening a ring on an interface.

use std::io;
use std::time::Instant;

use rockfish_capture::{LiveCounters, LiveError};
use rockfish_packet::LinkType;

use crate::ring::{Cursor, Walk};
use crate::sys::{
    self, Interface, Map, Membership, PACKET_ADD_MEMBERSHIP, PACKET_FANOUT, PACKET_IGNORE_OUTGOING,
    PACKET_RESERVE, PACKET_RX_RING, PACKET_TIMESTAMP, PACKET_VERSION, RingRequest, Socket,
    TPACKET_V3,
};
use crate::{Instruction, RETIRE_MS};

// linux/if_packet.h
const FANOUT_FLAG_UNIQUE_ID: u16 = 0x2000;
const FANOUT_FLAG_DEFRAG: u16 = 0x8000;
const MEMBERSHIP_PROMISCUOUS: u16 = 1;
// linux/net_tstamp.h
const TIMESTAMP_RAW_HARDWARE: i32 = 1 << 6;

/// Room before a packet for the VLAN tag that is put back.
const RESERVED: i32 = 4;
/// The kernel asks for a frame size and does not use it for blocks.
const FRAME_SIZE: u32 = 2048;

/// What to capture, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Name of the interface.
    pub interface: String,
    /// Octets of a block: a multiple of the page size.
    pub block_size: usize,
    /// Blocks of the ring.
    pub block_count: usize,
    /// Sharing of the interface's packets among several sockets.
    pub fanout: Option<Fanout>,
    /// Program that decides which packets are taken; empty for all.
    pub filter: Vec<Instruction>,
    /// Most octets of a packet.
    pub snaplen: u32,
    /// Take packets that are not for this machine.
    pub promiscuous: bool,
    /// Where times come from.
    pub timestamps: Timestamps,
}

/// A fanout group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fanout {
    /// Its number; without one the kernel finds a number that nobody uses.
    pub group: Option<u16>,
    /// How packets are shared. The same for all members.
    pub mode: FanoutMode,
}

/// How a fanout group shares packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum FanoutMode {
    /// By the flow: both directions come to one socket.
    Hash = 0,
    /// One after the other.
    Lb = 1,
    /// By the CPU on which the packet arrived.
    Cpu = 2,
    /// The next socket when one is full.
    Rollover = 3,
    /// At random.
    Random = 4,
}

/// Where packets' times come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// The kernel, when it receives the packet.
    #[default]
    Kernel,
    /// The network card, if it can; otherwise the kernel.
    Hardware,
}

/// A ring on an interface. See the crate.
#[derive(Debug)]
pub struct AfPacket {
    pub(crate) interface: String,
    pub(crate) index: i32,
    pub(crate) socket: Socket,
    // Unmapped after the socket is closed or before: either is fine.
    pub(crate) map: Map,
    /// The block that is read or waited for.
    pub(crate) block: usize,
    pub(crate) cursor: Option<Cursor>,
    pub(crate) walk: Walk,
    pub(crate) counters: LiveCounters,
    /// Packets that the system counts and that are not taken.
    pub(crate) left_out: u64,
    /// When the interface was looked up last.
    pub(crate) looked: Instant,
    pub(crate) broken: Option<(Instant, LiveError)>,
    program: Vec<Instruction>,
    notes: Vec<String>,
}

impl AfPacket {
    /// Opens a ring that takes in nothing before [`open_intake`](Self::open_intake): sockets of a fanout group are all opened
    /// first, so that none gets packets of another.
    ///
    /// # Errors
    /// The interface is not there, down or of no use, the process has no right to capture, or the ring cannot be had.
    pub fn open(config: &Config) -> Result<Self, LiveError> {
        let name = || config.interface.clone();
        let system = |doing| move |source| LiveError::System { interface: name(), doing, source };
        if config.interface == "any" {
            let found = "found \"any\", expected one interface: only libpcap takes all at once";
            return Err(LiveError::Unsuitable { interface: name(), found: found.to_owned() });
        }
        let mut socket = open_socket(config, false)?;
        let interface = look_up(&socket, &config.interface)?;
        if !interface.up {
            return Err(LiveError::Down { interface: name() });
        }
        let link = link_type(config, interface)?;
        if link == LinkType::RawIp {
            socket = open_socket(config, true)?;
        }
        let set = |name, value: i32, doing| socket.set(name, value).map_err(system(doing));
        set(PACKET_VERSION, TPACKET_V3, "asking for a TPACKET_V3 ring")?;
        set(PACKET_RESERVE, RESERVED, "reserving room for VLAN tags")?;
        let loopback = interface.hardware == libc::ARPHRD_LOOPBACK;
        if loopback {
            // Older kernels do not know it: what is sent is left out when the ring is read.
            let _ = socket.set(PACKET_IGNORE_OUTGOING, 1);
        }
        let mut notes = Vec::new();
        if config.timestamps == Timestamps::Hardware {
            match socket.stamp_in_hardware(&config.interface) {
                Ok(()) => set(PACKET_TIMESTAMP, TIMESTAMP_RAW_HARDWARE, "asking for timestamps")?,
                Err(error) => notes.push(format!(
                    "{}: the network card does not stamp packets ({error}), the kernel does",
                    config.interface
                )),
            }
        }
        socket.attach(&[Instruction::take(0)]).map_err(system("attaching a filter"))?;
        let map = open_ring(&socket, config)?;
        socket.bind(interface.index).map_err(system("binding"))?;
        if let Some(fanout) = config.fanout {
            join(&socket, config, fanout)?;
        }
        if config.promiscuous && !loopback {
            let membership = Membership {
                index: interface.index,
                kind: MEMBERSHIP_PROMISCUOUS,
                address_length: 0,
                address: [0; 8],
            };
            socket
                .set(PACKET_ADD_MEMBERSHIP, membership)
                .map_err(system("entering promiscuous mode"))?;
        }
        let program = match config.filter.as_slice() {
            [] => vec![Instruction::take(config.snaplen)],
            program => program.to_vec(),
        };
        Ok(Self {
            interface: name(),
            index: interface.index,
            socket,
            map,
            block: 0,
            cursor: None,
            walk: Walk { link, snaplen: config.snaplen, skip_outgoing: loopback },
            counters: LiveCounters::default(),
            left_out: 0,
            looked: Instant::now(),
            broken: None,
            program,
            notes,
        })
    }

    /// Sets the program that decides which packets are taken from the next [`open_intake`](Self::open_intake) on.
    pub fn set_filter(&mut self, program: &[Instruction]) {
        self.program = program.to_vec();
    }

    /// Takes in packets from now on.
    ///
    /// # Errors
    /// The kernel refuses the filter.
    pub fn open_intake(&mut self) -> Result<(), LiveError> {
        self.socket.attach(&self.program).map_err(|source| LiveError::System {
            interface: self.interface.clone(),
            doing: "attaching the filter",
            source,
        })
    }

    /// The number of the fanout group that it belongs to.
    ///
    /// # Errors
    /// The system fails to say.
    pub fn fanout_group(&self) -> Result<u16, LiveError> {
        let group = self.socket.fanout().map_err(|source| LiveError::System {
            interface: self.interface.clone(),
            doing: "asking for the fanout group",
            source,
        })?;
        Ok((group & 0xffff) as u16)
    }

    /// The link type of its packets.
    pub fn link(&self) -> LinkType {
        self.walk.link
    }

    /// What could not be had as asked for, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

fn open_socket(config: &Config, cooked: bool) -> Result<Socket, LiveError> {
    let doing = "opening a packet socket";
    Socket::open(cooked).map_err(|source| match source.kind() {
        io::ErrorKind::PermissionDenied => LiveError::Permission {
            interface: config.interface.clone(),
            doing,
            expected: "expected root or CAP_NET_RAW",
            source,
        },
        _ => LiveError::System { interface: config.interface.clone(), doing, source },
    })
}

pub(crate) fn look_up(socket: &Socket, name: &str) -> Result<Interface, LiveError> {
    match socket.interface(name) {
        Ok(Some(interface)) => Ok(interface),
        Ok(None) => Err(LiveError::NoInterface { interface: name.to_owned() }),
        Err(source) => {
            let doing = "looking the interface up";
            Err(LiveError::System { interface: name.to_owned(), doing, source })
        }
    }
}

/// How packets of the interface begin. Where there is no Ethernet header, or one of another kind, they are taken from the IP
/// header on.
fn link_type(config: &Config, interface: Interface) -> Result<LinkType, LiveError> {
    // linux/if_arp.h
    const SIT: u16 = 776;
    const GRE: u16 = 778;
    const GRE6: u16 = 823;
    const RAW_IP: u16 = 519;
    match interface.hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Ok(LinkType::Ethernet),
        libc::ARPHRD_NONE
        | libc::ARPHRD_PPP
        | libc::ARPHRD_TUNNEL
        | libc::ARPHRD_TUNNEL6
        | SIT
        | GRE
        | GRE6
        | RAW_IP => Ok(LinkType::RawIp),
        other => Err(LiveError::Unsuitable {
            interface: config.interface.clone(),
            found: format!(
                "found hardware type {other}, expected Ethernet ({}) or a tunnel's",
                libc::ARPHRD_ETHER
            ),
        }),
    }
}

fn open_ring(socket: &Socket, config: &Config) -> Result<Map, LiveError> {
    let Config { block_size, block_count, .. } = *config;
    let unsuitable = |found| LiveError::Unsuitable { interface: config.interface.clone(), found };
    let page = sys::page_size();
    let sizes = (u32::try_from(block_size), u32::try_from(block_count));
    let frames = block_size as u64 / u64::from(FRAME_SIZE) * block_count as u64;
    let (Ok(size), Ok(count), Ok(frame_count)) = (sizes.0, sizes.1, u32::try_from(frames)) else {
        return Err(unsuitable(format!(
            "a ring of {block_count} blocks of {block_size} octets is too large"
        )));
    };
    if block_size == 0 || !block_size.is_multiple_of(page) || block_count == 0 {
        return Err(unsuitable(format!(
            "found {block_count} ring blocks of {block_size} octets, expected a multiple of {page} octets"
        )));
    }
    let request = RingRequest {
        block_size: size,
        block_count: count,
        frame_size: FRAME_SIZE,
        frame_count,
        retire_ms: RETIRE_MS,
        private_size: 0,
        features: 0,
    };
    socket
        .set(PACKET_RX_RING, request)
        .and_then(|()| Map::new(socket, block_size, block_count))
        .map_err(|error| {
            unsuitable(format!(
                "no ring of {block_count} blocks of {block_size} octets can be had: {error}"
            ))
        })
}

fn join(socket: &Socket, config: &Config, fanout: Fanout) -> Result<(), LiveError> {
    let mut kind = fanout.mode as u16;
    if fanout.mode == FanoutMode::Hash {
        kind |= FANOUT_FLAG_DEFRAG;
    }
    if fanout.group.is_none() {
        kind |= FANOUT_FLAG_UNIQUE_ID;
    }
    let group = fanout.group.unwrap_or(0);
    let value = (u32::from(kind) << 16 | u32::from(group)).cast_signed();
    socket.set(PACKET_FANOUT, value).map_err(|error| match error.raw_os_error() {
        Some(libc::EINVAL | libc::EALREADY | libc::ENOSPC) => LiveError::Unsuitable {
            interface: config.interface.clone(),
            found: format!(
                "cannot join fanout group {group}: {error}; expected a group whose members all capture on this interface in mode {:?}",
                fanout.mode
            ),
        },
        _ => LiveError::System {
            interface: config.interface.clone(),
            doing: "joining the fanout group",
            source: error,
        },
    })
}
