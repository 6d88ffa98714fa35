//! Live capture through libpcap: portable, and slower than a source made for one system.
//!
//! Packets are copied once, out of libpcap's buffer. Waiting is ours: the handle never blocks, since libpcap's own time
//! limit bounds when a buffer is handed over, not how long a call takes (pcap(3PCAP), "packet buffer timeout").
//!
//! Times are asked for in microseconds: the record has no more, and a library without nanoseconds would say so in a way that
//! the binding does not pass on.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Inactive};
use rockfish_capture::{BLOCK_SIZE, LiveCounters, LiveError, LiveSource, PacketRef};
use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

use crate::program::{RawInstruction, numbers};

/// The name that stands for all interfaces at once.
const ANY: &str = "any";
/// When libpcap has the kernel hand over a buffer that is not full. Long enough that few packets do not use up the buffers
/// of a small ring, short enough for records that are seconds old when they are written.
const HAND_OVER: Duration = Duration::from_millis(50);
/// How long the last buffer is waited for, at most, after intake was closed. The kernel may take two periods to see that a
/// buffer is not filled any more; the rest is for a machine under load. Counters mostly end it earlier.
const DRAIN: Duration = Duration::from_millis(500);
/// Packets of one call to libpcap. What is lent is looked at between calls, so this bounds by how much it may exceed
/// [`BLOCK_SIZE`].
const PACKETS_A_CALL: usize = 64;
/// How often an interface without packets is looked at. libpcap swallows the kernel's word that it went down.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What libpcap says on Linux when an interface was removed.
const DISAPPEARED: &str = "The interface disappeared";
/// Octets of ring for a handle that only compiles: one buffer of libpcap's size.
const SMALL_BUFFER: i32 = 512 << 10;

/// What to capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PcapLiveConfig {
    /// The interface's name, or `any`.
    pub interface: String,
    /// Which packets, in libpcap's language; without it all.
    pub filter: Option<String>,
    /// Most octets of a packet that are delivered. libpcap has a limit of its own, 262,144; 0 means that.
    pub snaplen: u32,
    /// Whether packets for other hosts are wanted too. Has no meaning for `any`.
    pub promiscuous: bool,
    /// Packets are handed over one by one as they come, at the price of more time for each.
    pub immediate: bool,
    /// Octets of the kernel's buffer.
    pub buffer_size: usize,
}

/// An interface, captured with libpcap.
///
/// On Linux the interface's identity (name and index) is looked at when no packets come, at most once a second, so that an
/// interface that was renamed under load is noticed when it falls silent.
pub struct PcapLive {
    capture: Capture<Active>,
    interface: String,
    link: LinkType,
    /// The interface's number when it was opened; none for `any` and for what only libpcap knows.
    index: Option<u32>,
    octets: Vec<u8>,
    counters: LiveCounters,
    /// The library's counters are of 32 bits and wrap.
    last: pcap::Stat,
    delivered: u64,
    /// Octets that libpcap and the system may hold at once.
    capacity: usize,
    closed: bool,
    /// Octets that are still read after closing, where the system goes on taking packets in.
    allowance: Option<usize>,
    /// When nothing more is waited for: intake was closed, or the interface is lost.
    until: Option<Instant>,
    /// Why there will be no more, once everything before was lent.
    end: Option<LiveError>,
    looked_at: Instant,
}

impl PcapLive {
    /// Opens the interface and begins to capture.
    ///
    /// # Errors
    /// There is no such interface, it is down, the process may not capture, the filter or a size does not suit, or packets
    /// of the interface's link type cannot be decoded.
    pub fn open(config: &PcapLiveConfig) -> Result<Self, LiveError> {
        let name = config.interface.as_str();
        let buffer_size =
            i32::try_from(config.buffer_size).ok().filter(|size| *size > 0).ok_or_else(|| {
                unsuitable(
                    name,
                    format!("buffer of {} octets, expected 1 to {}", config.buffer_size, i32::MAX),
                )
            })?;
        let index = index_of(name);
        let inactive = inactive(name, config.snaplen)?
            .promisc(config.promiscuous && name != ANY)
            .immediate_mode(config.immediate)
            .buffer_size(buffer_size);
        let mut capture = activate(inactive, name)?;
        let number = capture.get_datalink().0;
        let link = u16::try_from(number)
            .ok()
            .and_then(LinkType::from_number)
            .ok_or_else(|| LiveError::UnknownLink { interface: name.to_owned(), number })?;
        if let Some(expression) = &config.filter {
            without_zero(name, expression)?;
            capture.filter(expression, true).map_err(|e| bad_filter(name, expression, e))?;
        }
        let capture =
            capture.setnonblock().map_err(|e| failed(name, "switching waiting off", e))?;
        Ok(Self {
            capture,
            interface: name.to_owned(),
            link,
            index,
            octets: Vec::with_capacity(BLOCK_SIZE),
            counters: LiveCounters::default(),
            last: pcap::Stat { received: 0, dropped: 0, if_dropped: 0 },
            delivered: 0,
            // BSD has two buffers of this size.
            capacity: config.buffer_size.saturating_mul(2),
            closed: false,
            allowance: None,
            until: None,
            end: None,
            looked_at: Instant::now(),
        })
    }

    /// How the interface's packets begin.
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// Copies what is there, about a block of it. The error, if libpcap has one, comes after the packets before it.
    fn read(&mut self, packets: &mut Vec<PacketRef>) -> Result<(), pcap::Error> {
        let (octets, link) = (&mut self.octets, self.link);
        let most = self.allowance.map_or(BLOCK_SIZE, |left| left.min(BLOCK_SIZE));
        while octets.len() < most {
            let before = packets.len();
            let handed = self.capture.dispatch(Some(PACKETS_A_CALL), |packet| {
                // An offset beyond 32 bits cannot come up: a call adds at most 64 packets of 256 KiB.
                let Ok(offset) = u32::try_from(octets.len()) else { return };
                let data = packet.data;
                octets.extend_from_slice(data);
                packets.push(PacketRef {
                    time: time_of(packet.header),
                    offset,
                    captured: data.len() as u32,
                    wire: packet.header.len.max(data.len() as u32),
                    link,
                });
            });
            self.delivered += (packets.len() - before) as u64;
            if handed? == 0 {
                break;
            }
        }
        if let Some(left) = &mut self.allowance {
            *left = left.saturating_sub(octets.len());
        }
        Ok(())
    }

    /// Waits until something is there to read, or something happened to the interface, or `wait` is over. Returns whether
    /// something happened to it.
    fn wait(&self, wait: Duration) -> Result<bool, LiveError> {
        let mut fds = [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)];
        // Rounded up, so that less than a millisecond does not become none.
        let millis = wait.as_nanos().div_ceil(1_000_000).min(i32::MAX as u128) as i32;
        let timeout = PollTimeout::try_from(millis).unwrap_or(PollTimeout::ZERO);
        match poll(&mut fds, timeout) {
            // A signal ends waiting: whoever calls wants to look at it.
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(system(&self.interface, "waiting", error.into())),
        }
        let trouble = PollFlags::POLLERR | PollFlags::POLLHUP | PollFlags::POLLNVAL;
        Ok(fds[0].revents().is_some_and(|happened| happened.intersects(trouble)))
    }

    fn read_failed(&self, text: String) -> LiveError {
        if text == DISAPPEARED {
            return LiveError::Gone {
                interface: self.interface.clone(),
                found: text.to_lowercase(),
            };
        }
        system(&self.interface, "reading packets", io::Error::other(text))
    }

    /// What is wrong with the interface, if anything is.
    fn look(&mut self) -> Option<LiveError> {
        self.looked_at = Instant::now();
        let expected = self.index?;
        let interface = self.interface.clone();
        let found = match index_of(&self.interface) {
            None => "no interface has its name".to_owned(),
            Some(index) if index != expected => {
                format!("its name belongs to interface {index}, expected {expected}")
            }
            Some(_) if is_down(&self.interface) => return Some(LiveError::Down { interface }),
            Some(_) => return None,
        };
        Some(LiveError::Gone { interface, found })
    }

    /// Whether every packet that the kernel stored was lent. Where it stores packets that libpcap then leaves out, such as
    /// those that loopback sends, this cannot be seen, and [`DRAIN`] decides.
    fn is_drained(&mut self) -> bool {
        let counters = self.counters();
        counters.received.saturating_sub(counters.dropped) == self.delivered
    }

    /// What is stored is still read; then it is over, with `end` if there is one.
    fn finish(&mut self, end: Option<LiveError>) {
        self.end = self.end.take().or(end);
        self.until.get_or_insert_with(|| Instant::now() + DRAIN);
    }

    /// Rejects packets before they are stored. Returns whether that is done.
    ///
    /// Not through libpcap: after a change of its filter it applies the new one to what is already stored.
    #[cfg(target_os = "linux")]
    fn reject_all(&self) -> bool {
        let reject = socket2::SockFilter::new(0x06, 0, 0, 0);
        socket2::SockRef::from(&self.capture).attach_filter(&[reject]).is_ok()
    }

    /// Other systems empty their buffers when the filter changes, so it stays.
    #[cfg(not(target_os = "linux"))]
    fn reject_all(&self) -> bool {
        false
    }
}

impl LiveSource for PcapLive {
    fn next(&mut self, wait: Duration, packets: &mut Vec<PacketRef>) -> Result<&[u8], LiveError> {
        packets.clear();
        self.octets.clear();
        let begun = Instant::now();
        loop {
            if let Err(error) = self.read(packets) {
                let text = text_of(error);
                let end = self.look().unwrap_or_else(|| self.read_failed(text));
                self.finish(Some(end));
            }
            if !packets.is_empty() {
                return Ok(&self.octets);
            }
            let now = Instant::now();
            if self.until.is_none()
                && now.duration_since(self.looked_at) >= LOOK_EVERY
                && let Some(end) = self.look()
            {
                self.finish(Some(end));
            }
            let mut left = wait.saturating_sub(now.duration_since(begun));
            if let Some(until) = self.until {
                if now >= until || self.allowance == Some(0) || self.is_drained() {
                    return self.end.take().map_or(Ok(&[]), Err);
                }
                if self.closed {
                    // Nothing lent means that nothing is left, so this waits for the last buffer.
                    left = HAND_OVER;
                }
                left = left.min(until - now);
            }
            if left.is_zero() {
                return Ok(&[]);
            }
            if self.wait(left)?
                && self.until.is_none()
                && let Some(end) = self.look()
            {
                self.finish(Some(end));
            }
        }
    }

    fn close_intake(&mut self) {
        if self.closed {
            return;
        }
        self.closed = true;
        if !self.reject_all() {
            // Packets go on coming in, so reading ends when all that could be stored by now was read.
            self.allowance = Some(self.capacity);
        }
        self.finish(None);
    }

    /// Libpcap's own: on Linux `received` are the packets that passed the filter, on BSD all that it saw. Its counters wrap
    /// at 2^32; that is made good if this is called at least once in so many packets.
    fn counters(&mut self) -> LiveCounters {
        if let Ok(now) = self.capture.stats() {
            let Self { counters, last, .. } = self;
            counters.received += u64::from(now.received.wrapping_sub(last.received));
            counters.dropped += u64::from(now.dropped.wrapping_sub(last.dropped));
            counters.interface_dropped += u64::from(now.if_dropped.wrapping_sub(last.if_dropped));
            *last = now;
        }
        self.counters
    }
}

/// The program for `expression` as libpcap compiles it for capture on an Ethernet-like interface, ready for the kernel.
///
/// A handle that captures is opened for a moment, since only for one libpcap makes programs that look for VLAN tags where
/// the kernel keeps them, outside of the packet. `snaplen` is what the program returns for packets that it accepts: as many
/// octets the kernel keeps of them. An empty expression accepts all.
///
/// # Errors
/// As [`PcapLive::open`]; also for interfaces whose link layer libpcap makes up (`any`, tunnels of some kinds), since
/// programs for them do not fit what the kernel sees.
pub fn compile_for_interface(
    interface: &str,
    expression: &str,
    snaplen: u32,
) -> Result<Vec<RawInstruction>, LiveError> {
    without_zero(interface, expression)?;
    let capture = activate(inactive(interface, snaplen)?.buffer_size(SMALL_BUFFER), interface)?;
    let link = u16::try_from(capture.get_datalink().0).ok().and_then(LinkType::from_number);
    if matches!(link, Some(LinkType::LinuxSll | LinkType::LinuxSll2)) {
        return Err(unsuitable(
            interface,
            "a filter cannot be compiled for the kernel where libpcap makes up the link layer, expected an interface with \
             one of its own"
                .to_owned(),
        ));
    }
    let compiled =
        capture.compile(expression, true).map_err(|e| bad_filter(interface, expression, e))?;
    numbers(compiled.get_instructions())
        .map_err(|e| unsuitable(interface, format!("filter \"{expression}\": {e}")))
}

fn inactive(interface: &str, snaplen: u32) -> Result<Capture<Inactive>, LiveError> {
    let no_interface = || LiveError::NoInterface { interface: interface.to_owned() };
    // libpcap takes an empty name for `any`.
    if interface.is_empty() || interface.contains('\0') {
        return Err(no_interface());
    }
    let capture = Capture::from_device(interface).map_err(|e| failed(interface, "opening", e))?;
    let timeout = i32::try_from(HAND_OVER.as_millis()).unwrap_or(i32::MAX);
    Ok(capture.timeout(timeout).snaplen(i32::try_from(snaplen).unwrap_or(i32::MAX)))
}

fn activate(inactive: Capture<Inactive>, interface: &str) -> Result<Capture<Active>, LiveError> {
    inactive.open().map_err(|error| {
        let text = text_of(error);
        let lower = text.to_lowercase();
        // The binding passes on libpcap's words, not its status.
        if ["permi", "cap_net_raw"].iter().any(|word| lower.contains(word)) {
            return LiveError::Permission {
                interface: interface.to_owned(),
                doing: "opening",
                expected: "expected root or CAP_NET_RAW",
                source: io::Error::new(io::ErrorKind::PermissionDenied, text),
            };
        }
        if interface != ANY && index_of(interface).is_none() && lower.contains("no such device") {
            return LiveError::NoInterface { interface: interface.to_owned() };
        }
        if is_down(interface) {
            return LiveError::Down { interface: interface.to_owned() };
        }
        system(interface, "opening", io::Error::other(text))
    })
}

/// The number of a network interface of the system.
fn index_of(interface: &str) -> Option<u32> {
    (interface != ANY).then(|| if_nametoindex(interface).ok()).flatten()
}

fn is_down(interface: &str) -> bool {
    let Ok(mut all) = getifaddrs() else { return false };
    all.find(|one| one.interface_name == interface)
        .is_some_and(|one| !one.flags.contains(InterfaceFlags::IFF_UP))
}

#[allow(clippy::unnecessary_cast, reason = "the types of these fields differ between systems")]
fn time_of(header: &pcap::PacketHeader) -> Timestamp {
    let (seconds, micros) = (header.ts.tv_sec, header.ts.tv_usec);
    Timestamp::from_secs(seconds as i64).plus_micros(micros as i64)
}

fn without_zero(interface: &str, expression: &str) -> Result<(), LiveError> {
    match expression.find('\0') {
        Some(at) => {
            Err(unsuitable(interface, format!("filter \"{expression}\": zero octet at byte {at}")))
        }
        None => Ok(()),
    }
}

fn bad_filter(interface: &str, expression: &str, error: pcap::Error) -> LiveError {
    unsuitable(interface, format!("filter \"{expression}\": {}", text_of(error)))
}

fn unsuitable(interface: &str, found: String) -> LiveError {
    LiveError::Unsuitable { interface: interface.to_owned(), found }
}

fn failed(interface: &str, doing: &'static str, error: pcap::Error) -> LiveError {
    system(interface, doing, io::Error::other(text_of(error)))
}

fn system(interface: &str, doing: &'static str, source: io::Error) -> LiveError {
    LiveError::System { interface: interface.to_owned(), doing, source }
}

fn text_of(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(text) => text,
        other => other.to_string(),
    }
}
