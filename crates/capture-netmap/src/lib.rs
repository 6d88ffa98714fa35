//! Packets from netmap ports, on FreeBSD, and on Linux with netmap's module.
//!
//! [`Netmap`] opens `/dev/netmap`, registers an interface (`NIOCCTRL`, API 14), maps the memory that it shares with the
//! kernel, and reads all receive rings in turn. Packets are lent where they lie, from one ring at a time; their slots go back
//! to the kernel at the next call of [`next`](LiveSource::next). Packets that take several slots (`NS_MOREFRAG`) are put
//! together in a buffer of their own.
//!
//! **How far this was tried**: type-checked for FreeBSD and Linux; the walk over the rings is tested on Linux against memory
//! laid out as netmap(4) and `net/netmap.h` say, with a kernel's part that a test plays. It has never run on a netmap
//! device.
//!
//! **What netmap mode does to the interface.** The interface is taken from the host: its network stack neither gets nor sends
//! packets there until the capture ends. With [`host_rings`](NetmapConfig::host_rings) both ways stay open, through the
//! kernel's transparent mode: whatever was read is then passed on, up to the host or down to the wire, and what the host
//! sends is captured too. Packets in several slots are passed on by the kernel as netmap does, slot by slot.
//!
//! **What must be set by hand**: the interface is up, and in promiscuous mode if more than its own packets are wanted
//! (`ifconfig em0 up promisc`); offloads that change packets are off (`-rxcsum -txcsum -tso -lro`).
//!
//! **Time.** The kernel gives a time to each ring whenever it synchronises it (`NR_TIMESTAMP`), so packets that came between
//! two waits have one time. Without it, the clock after the wait is taken.
//!
//! **Losses.** netmap counts none: when a ring is full, the interface drops, and its driver may count that (`netstat -I em0 -d`,
//! `sysctl dev.em.0`). [`LiveCounters::dropped`], `freezes` and `interface_dropped` are therefore always 0. What is in `errors`
//! are packets whose slots contradict themselves or whose last slot never came.
//!
//! **What is not seen**: that the interface goes down. It counts as an interface without packets. That it is detached is an
//! error.
//!
//! The map is made by `memmap2`, device requests and the wait by `rustix`: neither needs C code, so this is type-checked for
//! FreeBSD from anywhere.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("the layout of netmap's shared memory is known here for 64-bit systems alone");

mod rings;
mod sys;

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rockfish_capture::{LiveCounters, LiveError, LiveSource, PacketRef};
use rockfish_flow::Timestamp;
use rustix::io::Errno;

use rings::{Rings, Window};
use sys::{API, Device, Memory, NAME_MAX, Port, Request, Waited};

/// What to capture and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetmapConfig {
    /// The interface: `em0` or `netmap:em0`. Ports of a VALE switch (`vale0:1`) and pipes (`em0{1`) are taken too.
    pub interface: String,
    /// Slots of each receive ring; none: as the driver has them. A wish, which the driver may not grant.
    pub rx_slots: Option<u32>,
    /// Slots of each transmit ring, likewise.
    pub tx_slots: Option<u32>,
    /// The longest that a wait for packets takes, whatever is asked of [`next`](LiveSource::next).
    pub poll_timeout: Duration,
    /// Whether the host keeps the interface, see above.
    pub host_rings: bool,
    /// Most octets of a packet that are delivered; the length on the wire stays.
    pub snaplen: u32,
}

impl Default for NetmapConfig {
    fn default() -> Self {
        Self {
            interface: String::new(),
            rx_slots: None,
            tx_slots: None,
            poll_timeout: Duration::from_secs(1),
            host_rings: false,
            snaplen: 65_535,
        }
    }
}

/// A port in netmap mode, until it is dropped.
#[derive(Debug)]
pub struct Netmap {
    source: Source<Device>,
}

impl Netmap {
    /// Takes the interface into netmap mode.
    ///
    /// # Errors
    /// There is no netmap or no such interface, the process may not use it, or the kernel speaks another API.
    pub fn open(config: &NetmapConfig) -> Result<Self, LiveError> {
        let interface = port_name(&config.interface)?;
        let device = Device::open().map_err(|source| no_device(interface, source))?;
        let request = Request {
            name: interface,
            rx_slots: config.rx_slots.unwrap_or(0),
            tx_slots: config.tx_slots.unwrap_or(0),
            host_rings: config.host_rings,
        };
        let (size, interface_at) =
            device.register(request).map_err(|source| not_registered(interface, source))?;
        let system = |doing| {
            move |source| LiveError::System { interface: interface.to_owned(), doing, source }
        };
        let memory = device.map(size).map_err(system("mapping netmap's memory"))?;
        let rings = Rings::find(&memory, interface_at, config.host_rings, config.snaplen)
            .map_err(|found| system("reading netmap's memory")(io::Error::other(found)))?;
        Ok(Self { source: Source::new(interface, memory, rings, device, config.poll_timeout) })
    }
}

impl LiveSource for Netmap {
    fn next(&mut self, wait: Duration, packets: &mut Vec<PacketRef>) -> Result<&[u8], LiveError> {
        self.source.next(wait, packets)
    }

    fn close_intake(&mut self) {
        self.source.close_intake();
    }

    fn counters(&mut self) -> LiveCounters {
        self.source.counters()
    }
}

/// A port's rings, and whoever is the kernel.
#[derive(Debug)]
struct Source<P> {
    interface: String,
    memory: Memory,
    rings: Rings,
    port: P,
    poll_timeout: Duration,
    /// The time after the last wait.
    clock: Timestamp,
}

impl<P: Port> Source<P> {
    fn new(interface: &str, memory: Memory, rings: Rings, port: P, poll_timeout: Duration) -> Self {
        Self { interface: interface.to_owned(), memory, rings, port, poll_timeout, clock: now() }
    }

    /// Lets the kernel have what was given back, and takes in what has come.
    fn wait(&mut self, timeout: Duration) -> Result<(), LiveError> {
        let waited = self.port.wait(&self.memory, timeout.min(self.poll_timeout));
        self.clock = now();
        match waited {
            Ok(Waited::Synced) => {
                self.rings.returned();
                Ok(())
            }
            Ok(Waited::Interrupted) => Ok(()),
            Ok(Waited::Broken) => Err(LiveError::Gone {
                interface: self.interface.clone(),
                found: "its netmap port reports an error, so it was detached or reconfigured"
                    .to_owned(),
            }),
            Err(source) => Err(self.system("waiting for packets", source)),
        }
    }

    fn lend(&mut self, packets: &mut Vec<PacketRef>) -> Result<Option<Window>, LiveError> {
        let window = self.rings.lend(&self.memory, self.clock, packets);
        window.map_err(|found| self.system("reading netmap's memory", io::Error::other(found)))
    }

    fn system(&self, doing: &'static str, source: io::Error) -> LiveError {
        LiveError::System { interface: self.interface.clone(), doing, source }
    }
}

impl<P: Port + Send> LiveSource for Source<P> {
    fn next(&mut self, wait: Duration, packets: &mut Vec<PacketRef>) -> Result<&[u8], LiveError> {
        packets.clear();
        self.rings.give_back(&self.memory);
        if self.rings.has_slots_to_return() && !self.rings.is_closed() {
            self.wait(Duration::ZERO)?;
        }
        let mut window = self.lend(packets)?;
        if window.is_none() && !self.rings.is_closed() {
            self.wait(wait)?;
            window = self.lend(packets)?;
        }
        Ok(match window {
            None => &[],
            Some(Window::Assembled) => self.rings.assembled(),
            // Packets were found inside, and so is what is around them.
            Some(Window::Memory(from, to)) => self.memory.octets(from, to).unwrap_or(&[]),
        })
    }

    fn close_intake(&mut self) {
        self.rings.close(&self.memory);
    }

    fn counters(&mut self) -> LiveCounters {
        LiveCounters {
            received: self.rings.received,
            errors: self.rings.errors,
            ..LiveCounters::default()
        }
    }
}

/// The port's name as the kernel wants it.
fn port_name(interface: &str) -> Result<&str, LiveError> {
    let name = interface.strip_prefix("netmap:").unwrap_or(interface);
    let unsuitable =
        |found: String| Err(LiveError::Unsuitable { interface: interface.to_owned(), found });
    if name.is_empty() || name.contains('\0') {
        return unsuitable(
            "no interface's name, expected one such as em0 or netmap:em0".to_owned(),
        );
    }
    if name.len() >= NAME_MAX {
        return unsuitable(format!(
            "a name of {} octets, expected less than {NAME_MAX}",
            name.len()
        ));
    }
    Ok(name)
}

fn no_device(interface: &str, source: io::Error) -> LiveError {
    let interface = interface.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => LiveError::Unsuitable {
            interface,
            found: format!("there is no {}, expected a kernel with netmap", Device::PATH),
        },
        io::ErrorKind::PermissionDenied => LiveError::Permission {
            interface,
            doing: "opening /dev/netmap",
            expected: "reading and writing it takes root or a rule for the device",
            source,
        },
        _ => LiveError::System { interface, doing: "opening /dev/netmap", source },
    }
}

fn not_registered(interface: &str, source: io::Error) -> LiveError {
    let interface = interface.to_owned();
    let doing = "registering the interface with netmap";
    match Errno::from_io_error(&source) {
        Some(Errno::NXIO | Errno::NODEV) => LiveError::NoInterface { interface },
        Some(Errno::PERM | Errno::ACCESS) => {
            LiveError::Permission { interface, doing, expected: "root is needed", source }
        }
        Some(Errno::BUSY) => LiveError::Unsuitable {
            interface,
            found: "something else has it in netmap mode or in a switch".to_owned(),
        },
        Some(Errno::OPNOTSUPP) => LiveError::Unsuitable {
            interface,
            found:
                "its driver has no netmap support, expected some or dev.netmap.admode other than 1"
                    .to_owned(),
        },
        Some(Errno::INVAL | Errno::NOTTY) => LiveError::Unsuitable {
            interface,
            found: format!(
                "the kernel refuses the request ({source}), expected netmap API {API} and numbers of slots that the driver has"
            ),
        },
        _ => LiveError::System { interface, doing, source },
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
