//! A network of its own for a test: a namespace with a pair of virtual interfaces, where nothing moves but what the test
//! sends.
//!
//! ```no_run
//! use rockfish_testkit::netns::{CAPTURE, NetNs};
//! use rockfish_testkit::{Packets, Rate, captures};
//!
//! let net = match NetNs::with_pair() {
//!     Ok(net) => net,
//!     Err(reason) => return println!("skipped: {reason}"),
//! };
//! let mut probe = net.command("rockfish_probe").args(["-i", CAPTURE]).spawn().unwrap();
//! // … wait until it captures …
//! let packets = Packets::read(&captures().join("seed/some.pcap")).unwrap();
//! let sent = net.replay(&packets, Rate::Top);
//! net.down(CAPTURE);
//! ```
//!
//! The namespace has no name. A process in it keeps it alive and ends when its standard input does, which is when the test
//! ends in whatever way; then the system removes namespace and interfaces. It has a mount namespace too, with a `/sys` that
//! shows the right interfaces.
//!
//! Frames are sent on [`SENDER`] and captured on [`CAPTURE`]. Before it delivers a received frame to captures, the kernel
//! takes the outer VLAN tag out of it and keeps it aside, as it does for real interfaces.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::{env, fmt, thread};

use nix::sched::{CloneFlags, setns};
use nix::unistd::geteuid;

use crate::{Packets, Rate, Sender, Sent};

/// The interface that [`NetNs::replay`] sends on.
pub const SENDER: &str = "send0";
/// Its peer: what is sent there is received here.
pub const CAPTURE: &str = "cap0";

/// The longest that interfaces take: captures hold frames that were joined by an interface.
const MTU: &str = "65535";

/// Makes the namespace say that it is there, and wait. A `/sys` of its own is left out where that is not permitted.
const HOLD: &str = "mount -t sysfs sysfs /sys 2>/dev/null; echo ready; exec cat >/dev/null";
/// Starts a command in the working folder that it would have had: entering a mount namespace changes it.
const START: &str = r#"cd "$0" && exec "$@""#;

/// Why a test cannot have a network of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an interface counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Octets received, with the Ethernet header.
    pub rx_bytes: u64,
    /// Packets that were received and then not taken by anyone: the queue of a processor was full, or no protocol wants
    /// them. Only the first kind is lost to captures.
    pub rx_dropped: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets that could not be sent.
    pub tx_dropped: u64,
}

/// A network namespace that lasts as long as this value.
///
/// Methods panic when a command fails, with what it said: they are for tests.
#[derive(Debug)]
pub struct NetNs {
    holder: Child,
}

impl NetNs {
    /// An empty namespace: a loopback interface that is down, and nothing else.
    ///
    /// # Errors
    /// The process may not make one, or a command that it takes is missing. Tests say so and pass.
    pub fn empty() -> Result<Self, Unavailable> {
        if !geteuid().is_root() {
            return Err(Unavailable("needs root for a network namespace".to_owned()));
        }
        // The first says whether the package is there, the others what the system permits.
        let version = Command::new("ip").arg("-Version").output();
        if !version.is_ok_and(|done| done.status.success()) {
            return Err(Unavailable("needs ip(8), which is not installed".to_owned()));
        }
        let holder = Command::new("unshare")
            .args(["--net", "--mount", "sh", "-c", HOLD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| Unavailable(format!("unshare(1) cannot be started: {error}")))?;
        // From here on the process is waited for in any case.
        let mut net = Self { holder };
        let mut line = String::new();
        if let Some(stdout) = net.holder.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        if line.trim() != "ready" {
            let mut said = String::new();
            if let Some(stderr) = net.holder.stderr.take() {
                let _ = BufReader::new(stderr).read_line(&mut said);
            }
            return Err(Unavailable(format!("no network namespace: {}", said.trim())));
        }
        // Without IPv6 an interface that comes up says nothing of itself.
        let quiet =
            "for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done";
        let _ = net.command("sh").args(["-c", quiet]).stderr(Stdio::null()).status();
        Ok(net)
    }

    /// A namespace with [`SENDER`] and [`CAPTURE`], both up.
    ///
    /// # Errors
    /// As [`Self::empty`]; also when the kernel has no such interfaces.
    pub fn with_pair() -> Result<Self, Unavailable> {
        let net = Self::empty()?;
        net.try_pair(SENDER, CAPTURE).map_err(|said| {
            Unavailable(format!("no pair of virtual interfaces: {}", said.trim()))
        })?;
        Ok(net)
    }

    /// Makes a pair of interfaces, up, with as long frames as there are, and without the machinery that sends frames of
    /// its own or joins and divides those of others.
    pub fn pair(&self, one: &str, other: &str) {
        if let Err(said) = self.try_pair(one, other) {
            panic!("pair {one}, {other}: {said}");
        }
    }

    fn try_pair(&self, one: &str, other: &str) -> Result<(), String> {
        let commands = format!(
            "link add {one} mtu {MTU} type veth peer name {other} mtu {MTU}\n\
             link set {one} arp off addrgenmode none up\n\
             link set {other} arp off addrgenmode none up\n"
        );
        self.batch(&commands)?;
        for interface in [one, other] {
            // Where ethtool(8) is missing: virtual interfaces join nothing unless told so.
            let _ = self
                .command("ethtool")
                .args(["-K", interface, "rx", "off", "tx", "off", "tso", "off", "gso", "off"])
                .args(["gro", "off"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
        Ok(())
    }

    /// Sets an interface up.
    pub fn up(&self, interface: &str) {
        self.ip(&format!("link set {interface} up"));
    }

    /// Sets an interface down.
    pub fn down(&self, interface: &str) {
        self.ip(&format!("link set {interface} down"));
    }

    /// Gives an interface another name. It is down for a moment: not every kernel renames one that is up.
    pub fn rename(&self, interface: &str, name: &str) {
        self.ip(&format!(
            "link set {interface} down\nlink set {interface} name {name}\nlink set {name} up"
        ));
    }

    /// Removes an interface, and with it its peer.
    pub fn delete(&self, interface: &str) {
        self.ip(&format!("link delete {interface}"));
    }

    /// Runs commands of ip(8), one a line, without the word `ip`.
    pub fn ip(&self, commands: &str) {
        if let Err(said) = self.batch(commands) {
            panic!("ip -batch: {commands}: {said}");
        }
    }

    fn batch(&self, commands: &str) -> Result<(), String> {
        let mut child = self
            .command("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(commands.as_bytes())
                .and_then(|()| stdin.write_all(b"\n"))
                .map_err(|error| error.to_string())?;
        }
        let done = child.wait_with_output().map_err(|error| error.to_string())?;
        if done.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }

    /// A command that will run in the namespace, with this process's environment and working folder. The child's process
    /// id is that of the command itself, so it can be sent signals.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let folder = env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.holder.id().to_string(), "--net", "--mount", "--"])
            .args(["sh", "-c", START])
            .arg(folder)
            .arg(program);
        command
    }

    /// Runs something in a thread of this process that is in the namespace. Sockets opened there stay there. `/sys` is not
    /// changed for it.
    pub fn enter<T: Send>(&self, run: impl FnOnce() -> T + Send) -> T {
        let path = format!("/proc/{}/ns/net", self.holder.id());
        let inside = || {
            let namespace = File::open(&path).expect("the namespace's file");
            setns(namespace, CloneFlags::CLONE_NEWNET).expect("entering the namespace");
            run()
        };
        thread::scope(|scope| match scope.spawn(inside).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    /// Sends frames on [`SENDER`].
    pub fn replay(&self, packets: &Packets, rate: Rate) -> Sent {
        self.enter(|| {
            let sender = Sender::open(SENDER).expect("a socket to send with");
            sender.send(packets, rate).expect("sending")
        })
    }

    /// What an interface has counted since it was made.
    pub fn counters(&self, interface: &str) -> LinkCounters {
        let names = ["rx_packets", "rx_bytes", "rx_dropped", "tx_packets", "tx_dropped"];
        let files = names.map(|name| format!("/sys/class/net/{interface}/statistics/{name}"));
        let done = self.command("cat").args(&files).output().expect("cat");
        let text = String::from_utf8_lossy(&done.stdout);
        let numbers: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        let [rx_packets, rx_bytes, rx_dropped, tx_packets, tx_dropped] = numbers[..] else {
            panic!("{interface}: no counters: {}", String::from_utf8_lossy(&done.stderr));
        };
        LinkCounters { rx_packets, rx_bytes, rx_dropped, tx_packets, tx_dropped }
    }
}

impl Drop for NetNs {
    fn drop(&mut self) {
        // It ends when its standard input does. Should it not, waiting for it would hang the test.
        drop(self.holder.stdin.take());
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
