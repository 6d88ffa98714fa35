//! The system calls, and the ring's memory. The only module with `unsafe`.
#![expect(unsafe_code, reason = "sockets, ioctls and memory shared with the kernel")]

use std::ffi::{c_int, c_short, c_ulong, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::Instruction;
use crate::ring::{BLOCK_STATUS, STATUS_KERNEL};

// linux/if_packet.h
pub(crate) const PACKET_ADD_MEMBERSHIP: c_int = 1;
pub(crate) const PACKET_RX_RING: c_int = 5;
const PACKET_STATISTICS: c_int = 6;
pub(crate) const PACKET_VERSION: c_int = 10;
pub(crate) const PACKET_RESERVE: c_int = 12;
pub(crate) const PACKET_TIMESTAMP: c_int = 17;
pub(crate) const PACKET_FANOUT: c_int = 18;
pub(crate) const PACKET_IGNORE_OUTGOING: c_int = 23;
pub(crate) const TPACKET_V3: c_int = 2;

const ETH_P_ALL: u16 = 0x0003;

/// `struct tpacket_req3`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct RingRequest {
    pub(crate) block_size: u32,
    pub(crate) block_count: u32,
    pub(crate) frame_size: u32,
    pub(crate) frame_count: u32,
    pub(crate) retire_ms: u32,
    pub(crate) private_size: u32,
    pub(crate) features: u32,
}

/// `struct packet_mreq`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    pub(crate) index: c_int,
    pub(crate) kind: u16,
    pub(crate) address_length: u16,
    pub(crate) address: [u8; 8],
}

/// `struct tpacket_stats_v3`. The kernel begins anew whenever it is read.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Statistics {
    pub(crate) packets: u32,
    pub(crate) drops: u32,
    pub(crate) freezes: u32,
}

/// `struct hwtstamp_config`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct HardwareTimestamps {
    flags: c_int,
    transmit: c_int,
    receive: c_int,
}

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) index: c_int,
    pub(crate) up: bool,
    /// ARPHRD number.
    pub(crate) hardware: u16,
}

/// Values that socket options take: plain integers and structures of them, so any octets are a value.
///
/// # Safety
/// The type has no padding and no invalid bit patterns.
pub(crate) unsafe trait OptionValue: Copy {}
// SAFETY: integers, and structures of integers that leave no gaps.
unsafe impl OptionValue for c_int {}
// SAFETY: as above: seven 32-bit numbers.
unsafe impl OptionValue for RingRequest {}
// SAFETY: as above: 4 + 2 + 2 + 8 octets.
unsafe impl OptionValue for Membership {}
// SAFETY: as above: three 32-bit numbers.
unsafe impl OptionValue for Statistics {}

/// A packet socket.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

impl Socket {
    /// Opens a packet socket that gets nothing before it is bound. `cooked` leaves the link-layer header off.
    pub(crate) fn open(cooked: bool) -> io::Result<Self> {
        let kind = if cooked { libc::SOCK_DGRAM } else { libc::SOCK_RAW };
        // SAFETY: no pointers are involved.
        let fd = check(unsafe { libc::socket(libc::AF_PACKET, kind | libc::SOCK_CLOEXEC, 0) })?;
        // SAFETY: the descriptor was just made and belongs to nobody else.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    fn set_raw(
        &self,
        level: c_int,
        name: c_int,
        value: *const c_void,
        size: usize,
    ) -> io::Result<()> {
        // SAFETY: callers pass a pointer to `size` readable octets that live through the call.
        let result = unsafe {
            libc::setsockopt(self.0.as_raw_fd(), level, name, value, size as libc::socklen_t)
        };
        check(result).map(drop)
    }

    /// Sets an option of the packet level.
    pub(crate) fn set<T: OptionValue>(&self, name: c_int, value: T) -> io::Result<()> {
        self.set_raw(libc::SOL_PACKET, name, (&raw const value).cast(), size_of::<T>())
    }

    fn get<T: OptionValue>(&self, level: c_int, name: c_int, mut value: T) -> io::Result<T> {
        let mut size = size_of::<T>() as libc::socklen_t;
        // SAFETY: `value` has room for `size` octets, and any octets make a value of it.
        let result = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                level,
                name,
                (&raw mut value).cast(),
                &raw mut size,
            )
        };
        check(result)?;
        Ok(value)
    }

    /// The fanout group that the socket is in: id and, above it, type and flags.
    pub(crate) fn fanout(&self) -> io::Result<c_int> {
        self.get(libc::SOL_PACKET, PACKET_FANOUT, 0)
    }

    /// What was counted since the last call.
    pub(crate) fn statistics(&self) -> io::Result<Statistics> {
        self.get(libc::SOL_PACKET, PACKET_STATISTICS, Statistics::default())
    }

    /// The error that waits at the socket, if there is one.
    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        let code = self.get::<c_int>(libc::SOL_SOCKET, libc::SO_ERROR, 0)?;
        Ok((code != 0).then(|| io::Error::from_raw_os_error(code)))
    }

    /// Replaces the filter.
    pub(crate) fn attach(&self, program: &[Instruction]) -> io::Result<()> {
        let mut filter: Vec<libc::sock_filter> = program
            .iter()
            .map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k })
            .collect();
        let Ok(len) = u16::try_from(filter.len()) else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        let program = libc::sock_fprog { len, filter: filter.as_mut_ptr() };
        let size = size_of::<libc::sock_fprog>();
        self.set_raw(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, (&raw const program).cast(), size)
    }

    /// Binds to an interface, all protocols.
    pub(crate) fn bind(&self, index: c_int) -> io::Result<()> {
        // SAFETY: all zeros are a valid address structure.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = ETH_P_ALL.to_be();
        address.sll_ifindex = index;
        // SAFETY: the address is a whole `sockaddr_ll`, and its size is given.
        let result = unsafe {
            libc::bind(
                self.0.as_raw_fd(),
                (&raw const address).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        check(result).map(drop)
    }

    /// Waits until a block is ready or something went wrong; false if time ran out or a signal came.
    pub(crate) fn wait(&self, time: Duration) -> io::Result<Ready> {
        let events: c_short = libc::POLLIN | libc::POLLERR;
        let mut poll = libc::pollfd { fd: self.0.as_raw_fd(), events, revents: 0 };
        let millis = c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX);
        // SAFETY: one `pollfd` that lives through the call.
        match check(unsafe { libc::poll(&raw mut poll, 1, millis) }) {
            Ok(0) => Ok(Ready::Nothing),
            Ok(_) if poll.revents & !libc::POLLIN != 0 => Ok(Ready::Trouble),
            Ok(_) => Ok(Ready::Block),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Ready::Nothing),
            Err(error) => Err(error),
        }
    }

    /// The interface of this name, if there is one.
    pub(crate) fn interface(&self, name: &str) -> io::Result<Option<Interface>> {
        let Some(mut request) = request(name) else { return Ok(None) };
        let found = self
            .ioctl(libc::SIOCGIFINDEX, &mut request)
            // SAFETY: the kernel filled in the index.
            .map(|()| unsafe { request.ifr_ifru.ifru_ifindex })
            .and_then(|index| {
                self.ioctl(libc::SIOCGIFFLAGS, &mut request)?;
                // SAFETY: the kernel filled in the flags.
                let flags = c_int::from(unsafe { request.ifr_ifru.ifru_flags });
                self.ioctl(libc::SIOCGIFHWADDR, &mut request)?;
                // SAFETY: the kernel filled in the hardware address, whose family is the type.
                let hardware = unsafe { request.ifr_ifru.ifru_hwaddr.sa_family };
                Ok(Interface { index, up: flags & libc::IFF_UP != 0, hardware })
            });
        match found {
            Ok(interface) => Ok(Some(interface)),
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks the interface to stamp every packet that it receives.
    pub(crate) fn stamp_in_hardware(&self, name: &str) -> io::Result<()> {
        const FILTER_ALL: c_int = 1;
        let Some(mut request) = request(name) else {
            return Err(io::Error::from_raw_os_error(libc::ENODEV));
        };
        let mut config = HardwareTimestamps { flags: 0, transmit: 0, receive: FILTER_ALL };
        request.ifr_ifru.ifru_data = (&raw mut config).cast();
        self.ioctl(libc::SIOCSHWTSTAMP, &mut request)
    }

    fn ioctl(&self, number: c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: these requests read and write one `ifreq`, and what its data pointer names, which outlives the call.
        check(unsafe { libc::ioctl(self.0.as_raw_fd(), number as _, &raw mut *request) }).map(drop)
    }
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// Nothing came.
    Nothing,
    /// A block, perhaps.
    Block,
    /// An error waits at the socket.
    Trouble,
}

/// An empty request about an interface; none if no interface can have that name.
fn request(name: &str) -> Option<libc::ifreq> {
    // SAFETY: all zeros are a valid request.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // The last octet stays zero.
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains('\0') {
        return None;
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as _;
    }
    Some(request)
}

/// Octets of a page of memory.
pub(crate) fn page_size() -> usize {
    // SAFETY: no pointers are involved.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// The ring's memory, shared with the kernel.
#[derive(Debug)]
pub(crate) struct Map {
    base: NonNull<u8>,
    block_size: usize,
    block_count: usize,
}

// SAFETY: the memory belongs to this value alone, and its blocks are reached through `&mut self` only.
unsafe impl Send for Map {}

impl Map {
    /// Maps the ring of `socket`, which has one of this shape.
    pub(crate) fn new(socket: &Socket, block_size: usize, block_count: usize) -> io::Result<Self> {
        let Some(size) = block_size.checked_mul(block_count) else {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        // SAFETY: a new mapping at an address that the system chooses.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                socket.0.as_raw_fd(),
                0,
            )
        };
        match NonNull::new(base.cast::<u8>()) {
            Some(address) if base != libc::MAP_FAILED => {
                Ok(Self { base: address, block_size, block_count })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    pub(crate) fn block_count(&self) -> usize {
        self.block_count
    }

    fn block_base(&self, index: usize) -> *mut u8 {
        assert!(index < self.block_count, "a block of the ring");
        // SAFETY: within the mapping, as the index is.
        unsafe { self.base.as_ptr().add(index * self.block_size) }
    }

    fn status(&self, index: usize) -> &AtomicU32 {
        // SAFETY: a block begins with its descriptor, at a page boundary, so the status is aligned; the kernel and the
        // process both reach it as one word.
        unsafe { AtomicU32::from_ptr(self.block_base(index).add(BLOCK_STATUS).cast()) }
    }

    /// The block, if it is the process's.
    pub(crate) fn block(&mut self, index: usize) -> Option<&mut [u8]> {
        // The kernel wrote the packets before the status.
        if self.status(index).load(Ordering::Acquire) & !STATUS_KERNEL == 0 {
            return None;
        }
        // SAFETY: the block lies in the mapping, and the kernel leaves it alone until it is released; nobody else can reach
        // it meanwhile, since that takes `&mut self`. The kernel's status word is read again only after the slice is gone.
        Some(unsafe { std::slice::from_raw_parts_mut(self.block_base(index), self.block_size) })
    }

    /// The octets of a block that [`Self::block`] returned and that was not released since.
    pub(crate) fn lent(&self, index: usize) -> &[u8] {
        // SAFETY: as for `block`; the borrow keeps `release` away.
        unsafe { std::slice::from_raw_parts(self.block_base(index), self.block_size) }
    }

    /// Gives a block back to the kernel.
    pub(crate) fn release(&mut self, index: usize) {
        self.status(index).store(STATUS_KERNEL, Ordering::Release);
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping of this value; nothing borrows from it any more. It was made, so it can be unmade.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.block_size * self.block_count) };
    }
}
