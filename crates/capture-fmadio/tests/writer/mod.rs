//! A writer of rings, for tests and benchmarks. It has the layout's numbers written out once more, so that a wrong one in
//! the reader does not go unseen.
#![expect(unsafe_code, reason = "the writer's side of shared memory")]
#![allow(
    clippy::unwrap_used,
    reason = "a test or benchmark without its ring has nothing to go on with"
)]
#![allow(dead_code, reason = "each test program and benchmark uses a part of it")]

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};

pub(crate) const ENTRY: usize = 12_288;

/// Octets of a ring of this depth.
pub(crate) fn size(depth: u64) -> usize {
    12_288 + depth as usize * ENTRY
}

/// The header of a valid ring.
pub(crate) fn header(depth: u64, flow_control: bool) -> [u8; 176] {
    let mut header = [0; 176];
    let mut put = |at: usize, octets: &[u8]| header[at..at + octets.len()].copy_from_slice(octets);
    put(0, &0x100u32.to_ne_bytes());
    put(4, &(size(depth) as u32).to_ne_bytes());
    put(8, &12_288u32.to_ne_bytes());
    put(12, b"ring of a test");
    put(140, &depth.to_ne_bytes());
    put(148, &(depth - 1).to_ne_bytes());
    put(156, &u32::from(flow_control).to_ne_bytes());
    put(160, &1_000_000_000u64.to_ne_bytes());
    header
}

/// A packet to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) time: u64,
    pub(crate) wire: u16,
    /// What the entry claims; the octets there are those of `octets`.
    pub(crate) captured: u16,
    pub(crate) flags: u8,
    pub(crate) octets: &'a [u8],
}

impl<'a> Packet<'a> {
    pub(crate) fn new(time: u64, octets: &'a [u8]) -> Self {
        Self { time, wire: octets.len() as u16, captured: octets.len() as u16, flags: 0, octets }
    }
}

pub(crate) struct Writer {
    map: MmapRaw,
    depth: u64,
    flow_control: bool,
}

impl Writer {
    pub(crate) fn create(path: &Path, depth: u64, flow_control: bool) -> Self {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(path).unwrap();
        file.set_len(size(depth) as u64).unwrap();
        let map = MmapOptions::new().len(size(depth)).map_raw(&file).unwrap();
        let writer = Self { map, depth, flow_control };
        writer.reset();
        writer
    }

    /// Sets up the ring as on the first day.
    pub(crate) fn reset(&self) {
        for at in (0..size(self.depth)).step_by(8) {
            self.word(at).store(0, Ordering::Relaxed);
        }
        let header = header(self.depth, self.flow_control);
        self.set(4, &header[4..]);
        fence(Ordering::Release);
        self.set(0, &header[..4]);
    }

    /// Writes octets anywhere, in words of four where they fit.
    pub(crate) fn set(&self, at: usize, octets: &[u8]) {
        assert!(
            at.is_multiple_of(4)
                && octets.len().is_multiple_of(4)
                && at + octets.len() <= self.map.len()
        );
        for (index, word) in octets.chunks_exact(4).enumerate() {
            let word = u32::from_ne_bytes(word.try_into().unwrap());
            // SAFETY: inside the map and aligned, as asserted; an atomic, as in the reader.
            let place =
                unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(at + index * 4).cast()) };
            place.store(word, Ordering::Relaxed);
        }
    }

    pub(crate) fn put(&self) -> u64 {
        self.word(4096).load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> u64 {
        self.word(8192).load(Ordering::Acquire)
    }

    pub(crate) fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.map.len());
        // SAFETY: inside the map and aligned, as asserted; an atomic, as in the reader.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(at).cast()) }
    }

    /// Writes a packet unless the ring is full and the writer has to wait.
    pub(crate) fn try_send(&self, packet: Packet<'_>) -> bool {
        let put = self.put();
        if self.flow_control && put.wrapping_sub(self.get()) >= self.depth - 1 {
            return false;
        }
        let at = 12_288 + (put & (self.depth - 1)) as usize * ENTRY;
        self.word(at).store(packet.time, Ordering::Relaxed);
        let mut fields = [0; 8];
        fields[..2].copy_from_slice(&packet.wire.to_ne_bytes());
        fields[2..4].copy_from_slice(&packet.captured.to_ne_bytes());
        fields[4] = 3;
        fields[5] = packet.flags;
        self.word(at + 8).store(u64::from_ne_bytes(fields), Ordering::Relaxed);
        self.word(at + 16).store(0xdead_beef, Ordering::Relaxed);
        for (index, octets) in packet.octets.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..octets.len()].copy_from_slice(octets);
            self.word(at + 24 + index * 8).store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        self.word(4096).store(put.wrapping_add(1), Ordering::Release);
        // The next packet's octets must not be seen before this packet is counted.
        fence(Ordering::Release);
        true
    }

    /// Writes a packet, as soon as there is room.
    pub(crate) fn send(&self, packet: Packet<'_>) {
        while !self.try_send(packet) {
            std::thread::yield_now();
        }
    }

    /// Writes an end mark.
    pub(crate) fn end(&self, time: u64) {
        self.send(Packet { time, wire: 0, captured: 0, flags: 1, octets: &[] });
    }
}
