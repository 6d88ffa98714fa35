//! The netmap device and the memory shared with it: all that needs `unsafe`.
//!
//! The kernel and the network interface write to this memory. What they write is checked by [`rings`](crate::rings); here
//! every access is checked against the map's size, and words are read and written as atomics, never as plain memory. The
//! exception is [`Memory::octets`], see there.
//!
//! Requests go through `NIOCCTRL`, the interface since netmap API 13 (2018), not through `NIOCREGIF`: that one states the
//! memory's size in 32 bits, and its header asks new programs not to use it.
#![expect(
    unsafe_code,
    reason = "device requests and memory shared with the kernel have no safe interface"
)]
#![deny(unsafe_op_in_unsafe_fn)]

use std::fs::{File, OpenOptions};
use std::io;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use memmap2::{MmapOptions, MmapRaw};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};

/// Memory of a port: whatever the kernel says, every access stays inside.
#[derive(Debug)]
pub(crate) struct Memory {
    map: MmapRaw,
}

impl Memory {
    /// Takes over a map. It begins at a page, as every map does, so an offset in it is aligned as the address is.
    pub(crate) fn new(map: MmapRaw) -> Self {
        Self { map }
    }

    /// Octets.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// The number at an offset; none if it does not lie inside or is not aligned.
    pub(crate) fn read_u16(&self, at: usize) -> Option<u16> {
        // SAFETY: `place` gives a place inside the map that is aligned for two octets. It lives as long as `self`, and this
        // process touches it as an atomic alone.
        self.place(at, 2)
            .map(|place| unsafe { AtomicU16::from_ptr(place.cast()) }.load(Ordering::Relaxed))
    }

    /// As [`Self::read_u16`].
    pub(crate) fn read_u32(&self, at: usize) -> Option<u32> {
        self.word(at).map(|word| word.load(Ordering::Acquire))
    }

    /// As [`Self::read_u16`].
    pub(crate) fn read_u64(&self, at: usize) -> Option<u64> {
        // SAFETY: as in `read_u16`, for eight octets.
        self.place(at, 8)
            .map(|place| unsafe { AtomicU64::from_ptr(place.cast()) }.load(Ordering::Relaxed))
    }

    /// Sets the number at an offset, if it lies inside and is aligned.
    pub(crate) fn write_u32(&self, at: usize, number: u32) {
        if let Some(word) = self.word(at) {
            word.store(number, Ordering::Release);
        }
    }

    /// As [`Self::write_u32`].
    pub(crate) fn write_u16(&self, at: usize, number: u16) {
        if let Some(place) = self.place(at, 2) {
            // SAFETY: as in `read_u16`.
            unsafe { AtomicU16::from_ptr(place.cast()) }.store(number, Ordering::Relaxed);
        }
    }

    /// As [`Self::write_u32`], for the kernel's part in tests.
    #[cfg(test)]
    pub(crate) fn write_u64(&self, at: usize, number: u64) {
        let place = self.place(at, 8).unwrap();
        // SAFETY: as in `read_u64`.
        unsafe { AtomicU64::from_ptr(place.cast()) }.store(number, Ordering::Relaxed);
    }

    /// Sets octets, for the kernel's part in tests.
    #[cfg(test)]
    pub(crate) fn write_octets(&self, at: usize, octets: &[u8]) {
        assert!(at.checked_add(octets.len()).unwrap() <= self.len());
        // SAFETY: inside the map. No octets are lent now: those who lend them borrow the source, and the test's kernel
        // writes while that source waits for it.
        unsafe {
            self.map.as_mut_ptr().add(at).copy_from_nonoverlapping(octets.as_ptr(), octets.len());
        }
    }

    /// The octets from one offset to another, if they lie inside.
    ///
    /// Those of slots between head and tail belong to the reader until it moves head, which the kernel sees at the next
    /// request. A window may have buffers in between that belong to the kernel and change meanwhile; no packet points to
    /// those.
    pub(crate) fn octets(&self, from: usize, to: usize) -> Option<&[u8]> {
        if from > to || to > self.len() {
            return None;
        }
        // SAFETY: inside the map, and memory from the system is initialised. Packets that are lent point to buffers that
        // nobody writes to until head has moved and a request was made, which takes the source's `&mut self`, so after
        // the borrow. Buffers in between may change, as with every memory shared with a device; they are never looked at.
        Some(unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(from), to - from) })
    }

    fn word(&self, at: usize) -> Option<&AtomicU32> {
        // SAFETY: as in `read_u16`, for four octets; the borrow of `self` is that of the word.
        self.place(at, 4).map(|place| unsafe { AtomicU32::from_ptr(place.cast()) })
    }

    /// Where `octets` octets lie, if they do so inside and aligned.
    fn place(&self, at: usize, octets: usize) -> Option<*mut u8> {
        if !at.is_multiple_of(octets) || at.checked_add(octets)? > self.len() {
            return None;
        }
        // SAFETY: at most the end of the map.
        Some(unsafe { self.map.as_mut_ptr().add(at) })
    }
}

/// Version of the interface that is spoken.
pub(crate) const API: u16 = 14;
/// All rings of the interface.
const REG_ALL_NIC: u32 = 1;
/// Those and the rings of the host's network stack.
const REG_NIC_SW: u32 = 3;
/// A poll for packets sends nothing.
const NO_TX_POLL: u64 = 0x2_0000;
const REQUEST_REGISTER: u16 = 1;
/// Octets of a port's name, with the zero at its end.
pub(crate) const NAME_MAX: usize = 64;

/// `struct nmreq_header`.
#[repr(C)]
struct Header {
    version: u16,
    request: u16,
    reserved: u32,
    name: [u8; NAME_MAX],
    options: u64,
    body: u64,
}

/// `struct nmreq_register`.
#[repr(C)]
#[derive(Default)]
struct Register {
    offset: u64,
    memory: u64,
    tx_slots: u32,
    rx_slots: u32,
    tx_rings: u16,
    rx_rings: u16,
    host_tx_rings: u16,
    host_rx_rings: u16,
    memory_id: u16,
    ring_id: u16,
    mode: u32,
    extra_buffers: u32,
    flags: u64,
}

const _: () = assert!(size_of::<Header>() == 88 && size_of::<Register>() == 56);

const CONTROL: Opcode = opcode::read_write::<Header>(b'i', 151);

// The same on FreeBSD and Linux.
const _: () = assert!(CONTROL as u64 == 0xc058_6997);

/// What to register.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) name: &'a str,
    pub(crate) rx_slots: u32,
    pub(crate) tx_slots: u32,
    pub(crate) host_rings: bool,
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    /// The rings are up to date.
    Synced,
    /// A signal came.
    Interrupted,
    /// The port is in no state to capture.
    Broken,
}

/// An open netmap device with a port.
#[derive(Debug)]
pub(crate) struct Device {
    file: File,
}

impl Device {
    pub(crate) const PATH: &str = "/dev/netmap";

    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().read(true).write(true).open(Self::PATH)? })
    }

    /// Binds the device to a port. Returns the memory's size and where the interface's description lies in it.
    pub(crate) fn register(&self, request: Request<'_>) -> io::Result<(u64, u64)> {
        let mut name = [0; NAME_MAX];
        for (to, from) in name[..NAME_MAX - 1].iter_mut().zip(request.name.bytes()) {
            *to = from;
        }
        let mut register = Register {
            tx_slots: request.tx_slots,
            rx_slots: request.rx_slots,
            mode: if request.host_rings { REG_NIC_SW } else { REG_ALL_NIC },
            // Packets that are passed on from the host are sent by the poll.
            flags: if request.host_rings { 0 } else { NO_TX_POLL },
            ..Register::default()
        };
        let body = &raw mut register;
        let mut header = Header {
            version: API,
            request: REQUEST_REGISTER,
            reserved: 0,
            name,
            options: 0,
            body: body.expose_provenance() as u64,
        };
        // SAFETY: the request is the one that takes this header, of the size that its number states. The body is the one
        // of a register request and outlives the call. The kernel writes into both and keeps neither.
        unsafe { ioctl(&self.file, Updater::<CONTROL, Header>::new(&mut header)) }?;
        // SAFETY: the kernel may have written through the address that it was given, so it is read through that one; the
        // value is alive and its numbers may be anything.
        Ok(unsafe { ((*body).memory, (*body).offset) })
    }

    /// Maps the port's memory.
    pub(crate) fn map(&self, size: u64) -> io::Result<Memory> {
        let size = usize::try_from(size).map_err(io::Error::other)?;
        MmapOptions::new().len(size).map_raw(&self.file).map(Memory::new)
    }
}

/// The kernel's side of a port.
pub(crate) trait Port {
    /// Gives back to the kernel all slots before head, takes in what has come, and waits for packets if there are none.
    fn wait(&mut self, memory: &Memory, timeout: Duration) -> io::Result<Waited>;
}

impl Port for Device {
    fn wait(&mut self, _memory: &Memory, timeout: Duration) -> io::Result<Waited> {
        let mut fds = [PollFd::new(&self.file, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).ok();
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(Waited::Interrupted),
            Err(error) => return Err(error.into()),
        }
        let broken = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        let [fd] = &fds;
        Ok(if fd.revents().intersects(broken) { Waited::Broken } else { Waited::Synced })
    }
}
