//! Sends frames onto an interface.
#![expect(unsafe_code, reason = "no safe interface makes the address of a packet socket")]
#![deny(unsafe_op_in_unsafe_fn)]

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};
use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

use crate::Packets;

/// Frames of one system call.
const BATCH: usize = 64;
/// How far the clock may run ahead before frames are sent: less, and a system call has too few of them.
const PACE: Duration = Duration::from_micros(100);

/// How fast frames are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As fast as it goes.
    Top,
    /// So many frames a second, in small bursts.
    PerSecond(u64),
}

/// What was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Frames.
    pub packets: u64,
    /// Octets of these frames.
    pub octets: u64,
    /// Indices of the frames that the system does not send: longer than the interface takes, or shorter than an Ethernet
    /// header.
    pub refused: Vec<usize>,
    /// From the first to the last.
    pub took: Duration,
}

/// A packet socket (packet(7)) bound to one interface.
pub struct Sender(Socket);

impl Sender {
    /// Opens one for an interface of the network namespace that the calling thread is in.
    ///
    /// # Errors
    /// There is no such interface, or the process lacks `CAP_NET_RAW`.
    pub fn open(interface: &str) -> io::Result<Self> {
        // Protocol 0: it sends, and nothing is ever received for it.
        let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
        let index = if_nametoindex(interface)?;
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: the storage is longer than any socket address and aligned for all; all zeros are a valid sockaddr_ll.
        let address = unsafe { storage.view_as::<libc::sockaddr_ll>() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
        // SAFETY: the storage was filled as a sockaddr_ll, whose family and length these are.
        let address = unsafe { SockAddr::new(storage, size_of::<libc::sockaddr_ll>() as u32) };
        socket.bind(&address)?;
        Ok(Self(socket))
    }

    /// Sends all frames once.
    ///
    /// # Errors
    /// The interface is down or gone.
    pub fn send(&self, packets: &Packets, rate: Rate) -> io::Result<Sent> {
        self.send_while(packets, rate, |sent| sent == 0)
    }

    /// Sends all frames, again and again as long as `more` says so; it is told how often all were sent.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_while(
        &self,
        packets: &Packets,
        rate: Rate,
        mut more: impl FnMut(u64) -> bool,
    ) -> io::Result<Sent> {
        let begun = Instant::now();
        let mut sent = Sent::default();
        let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
        let mut tried = 0;
        let mut round = 0;
        while !packets.is_empty() && more(round) {
            let mut at = 0;
            while at < packets.len() {
                let most = match rate {
                    Rate::Top => BATCH,
                    Rate::PerSecond(rate) => due(rate, begun, tried).min(BATCH),
                };
                let batch: Vec<_> = (at..packets.len().min(at + most))
                    .map(|i| [IoSlice::new(packets.get(i))])
                    .collect();
                let done = self.batch(&mut headers, &batch)?;
                if done == 0 {
                    if round == 0 {
                        sent.refused.push(at);
                    }
                } else {
                    sent.packets += done as u64;
                    sent.octets +=
                        batch[..done].iter().map(|[frame]| frame.len() as u64).sum::<u64>();
                }
                at += done.max(1);
                tried += done.max(1) as u64;
            }
            round += 1;
        }
        sent.took = begun.elapsed();
        Ok(sent)
    }

    /// Sends the first frames of a batch; returns how many, none if the first one cannot be sent.
    fn batch(
        &self,
        headers: &mut MultiHeaders<()>,
        batch: &[[IoSlice<'_>; 1]],
    ) -> io::Result<usize> {
        let addresses = [None::<()>; BATCH];
        loop {
            match sendmmsg(self.0.as_raw_fd(), headers, batch, addresses, [], MsgFlags::empty()) {
                Ok(done) => return Ok(done.count()),
                Err(Errno::EMSGSIZE | Errno::EINVAL) => return Ok(0),
                // The way is full for a moment.
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Waits until at least one frame is due; returns how many are.
fn due(rate: u64, begun: Instant, tried: u64) -> usize {
    let rate = rate.max(1);
    loop {
        let elapsed = begun.elapsed();
        let by_now = (elapsed.as_nanos() * u128::from(rate) / 1_000_000_000) as u64 + 1;
        if by_now > tried {
            return usize::try_from(by_now - tried).unwrap_or(usize::MAX);
        }
        let next =
            Duration::from_nanos((u128::from(tried) * 1_000_000_000 / u128::from(rate)) as u64);
        thread::sleep(next.saturating_sub(elapsed).max(PACE));
    }
}
