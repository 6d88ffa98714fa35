//! The mapped ring: all access to shared memory is here.
//!
//! Another process writes to this memory. Nothing of it is believed: the geometry was checked when the ring was opened and
//! is kept here, so whatever the header says later, every access stays inside the map. Words are read and written as
//! atomics, never as plain memory. The exception is [`Ring::packets`], see there.
#![expect(unsafe_code, reason = "memory that another process maps too has no safe interface")]
#![deny(unsafe_op_in_unsafe_fn)]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use memmap2::{MmapOptions, MmapRaw};

use crate::layout::{
    ENTRIES, ENTRY, Entry, FLOW_CONTROL_AT, GET, GET_OCTETS, GET_TIME, Geometry, HEADER, PACKET,
    PACKET_MAX, PUT,
};

/// A ring, mapped for reading and writing.
#[derive(Debug)]
pub(crate) struct Ring {
    map: MmapRaw,
    depth: u64,
}

impl Ring {
    /// Maps a file of which [`parse`](crate::layout::parse) has found this geometry.
    pub(crate) fn map(file: &File, geometry: Geometry) -> io::Result<Self> {
        let map = MmapOptions::new().len(geometry.size).map_raw(file)?;
        // Every access below is computed from the depth, so it must not say more than is mapped.
        let room = map.len().saturating_sub(ENTRIES) / ENTRY;
        if geometry.depth > room as u64 || !geometry.depth.is_power_of_two() {
            return Err(io::Error::other(format!(
                "{} entries do not fit into {} octets",
                geometry.depth,
                map.len()
            )));
        }
        Ok(Self { map, depth: geometry.depth })
    }

    /// Entries of the ring.
    pub(crate) fn depth(&self) -> u64 {
        self.depth
    }

    /// Entries that the writer has written. What they hold is seen after this.
    pub(crate) fn put(&self) -> u64 {
        self.word(PUT).load(Ordering::Acquire)
    }

    /// Entries that were read, as the ring has it.
    pub(crate) fn get(&self) -> u64 {
        self.word(GET).load(Ordering::Relaxed)
    }

    /// Sets the entries that were read, whatever was there.
    pub(crate) fn reset_get(&self, get: u64) {
        self.word(GET).store(get, Ordering::Release);
    }

    /// Moves the entries that were read from `old` to `new`: the writer may have their memory. If the ring has another
    /// number than `old`, nothing happens and that number is the error.
    pub(crate) fn publish(&self, old: u64, new: u64, octets: u64, time: u64) -> Result<(), u64> {
        let result =
            self.word(GET).compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
        if result.is_ok() {
            // For the appliance's displays; one reader, so load and store need not be one step.
            let read = self.word(GET_OCTETS);
            read.store(read.load(Ordering::Relaxed).wrapping_add(octets), Ordering::Relaxed);
            self.word(GET_TIME).store(time, Ordering::Relaxed);
        }
        result.map(drop)
    }

    /// Whether the writer waits for the reader.
    pub(crate) fn flow_control(&self) -> bool {
        debug_assert!(FLOW_CONTROL_AT.is_multiple_of(4));
        // SAFETY: the map begins at a page and is longer than its header, so the word is inside and aligned. It lives as
        // long as `self`, and this process touches it as an atomic alone.
        let word =
            unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(FLOW_CONTROL_AT).cast()) };
        word.load(Ordering::Relaxed) != 0
    }

    /// The header as it is now.
    pub(crate) fn header(&self) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        for (index, octets) in header.chunks_exact_mut(8).enumerate() {
            octets.copy_from_slice(&self.word(index * 8).load(Ordering::Relaxed).to_ne_bytes());
        }
        header
    }

    /// The entry with this number, counted from the ring's beginning.
    pub(crate) fn entry(&self, number: u64) -> Entry {
        let at = self.entry_at(number);
        Entry::from_words([
            self.word(at).load(Ordering::Relaxed),
            self.word(at + 8).load(Ordering::Relaxed),
        ])
    }

    /// Appends the first octets of an entry's packet, at most [`PACKET_MAX`]. What was copied means something only if
    /// [`Self::is_intact`] says so afterwards.
    pub(crate) fn copy_packet(&self, number: u64, octets: usize, to: &mut Vec<u8>) {
        let octets = octets.min(PACKET_MAX);
        let (start, at) = (to.len(), self.entry_at(number) + PACKET);
        to.resize(start + octets.next_multiple_of(8), 0);
        for (index, word) in to[start..].chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(&self.word(at + index * 8).load(Ordering::Relaxed).to_ne_bytes());
        }
        to.truncate(start + octets);
    }

    /// Whether the writer cannot have touched this entry before now, since it was written for `number`.
    pub(crate) fn is_intact(&self, number: u64) -> bool {
        // What was read of the entry was read before the counter. The writer counts an entry before it begins with the
        // next one, so one entry beyond its count may be half written.
        fence(Ordering::Acquire);
        self.put().wrapping_sub(number) < self.depth
    }

    /// The octets of `count` entries from `number` on, as far as they lie in one piece. The packet of the nth one begins
    /// at n × [`ENTRY`] + [`PACKET`].
    ///
    /// Only for entries between get and put while [`Self::flow_control`] holds: those belong to the reader, the writer
    /// touches them when get has passed them. A writer that breaks this changes octets under the decoder's hands; it finds
    /// odd packets then.
    pub(crate) fn packets(&self, number: u64, count: u64) -> &[u8] {
        let at = self.entry_at(number);
        let octets =
            (count as usize).saturating_mul(ENTRY).min(ENTRIES + self.depth as usize * ENTRY - at);
        // SAFETY: `entry_at` is inside the map and the length is cut at the end of its last entry, which `map` has found
        // inside. Memory from the system is initialised. By the ring's protocol the entries belong to the reader until
        // it moves get, which takes no `&self` that outlives the borrow: `Fmadio` does so at the next call, when the
        // borrow has ended. That the writer keeps to it cannot be checked, as with every ring shared with a kernel or
        // a device.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(at), octets) }
    }

    /// Offset of an entry in the map; always inside, with all its octets.
    fn entry_at(&self, number: u64) -> usize {
        ENTRIES + (number & (self.depth - 1)) as usize * ENTRY
    }

    /// The word at an offset: a multiple of eight, with eight octets before the end of the map.
    fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at < self.map.len() - 7, "offset {at} in the ring");
        // SAFETY: inside the map and aligned, since the map begins at a page. It lives as long as `self`, and this process
        // touches it as an atomic alone, except through `packets`, which lends entries that nobody writes to.
        unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(at).cast()) }
    }
}
