//! Packets from an FMADIO appliance.
//!
//! The appliance writes packets into a ring in a file of shared memory, `/opt/fmadio/queue/lxc_ring0` for one, and a program
//! in a container on the appliance maps the file and reads them. [`Fmadio`] is such a reader. The layout is that of
//! `include/fmadio_packet.h` in the vendor's public `platform` repository (ring version 0x100; the module `layout` writes it
//! down). Tested against rings that a writer of ours lays out so; never run on an appliance.
//!
//! **Where reading begins.** As in the vendor's reader: with the packets that are written after the ring was opened. What
//! nobody had read by then is passed over.
//!
//! **Backpressure.** Rings are set up so that the writer waits for the reader. Then packets are lent where they lie, and
//! go back to the writer at the next call of [`next`](LiveSource::next). Nothing can be overwritten; how often the ring was
//! found full is in [`LiveCounters::freezes`]. How long the writer waits, and what it does after that, is its own affair;
//! the ring counts no losses of that kind.
//!
//! **Without backpressure** the writer goes round and round. Packets are copied then, each is checked to have been whole
//! after the copy, and what the writer was faster with is in [`LiveCounters::dropped`]. Should an end mark be among what was
//! overwritten, it is counted there too.
//!
//! **End marks.** A writer that ends its stream says so in the ring. The next stream may go through the same ring, so the mark
//! is passed over and counted ([`Fmadio::ends`]). A writer that sets the ring up anew is noticed and followed from its first
//! packet on ([`Fmadio::restarts`]); packets of before that were not read yet are gone, and nothing says how many.
//!
//! **One reader.** The ring has one read counter. If something else moves it, that is an error, since each of two readers would
//! get a part of the packets.
//!
//! **Counted as errors** are packets with a wrong frame check sequence, unless asked for, and entries that claim more octets
//! than an entry holds. Every entry is in exactly one of: packets lent, `errors`, `dropped`, [`Fmadio::ends`].
//!
//! **A file that is cut while it is mapped** ends the process at the next access (SIGBUS), as with every mapped file. That it
//! was cut, replaced or removed is noticed when no packets come.
//!
//! The map is made by `memmap2`: a small crate whose raw map is what is needed here, shared memory without a claim of
//! being a Rust slice.

mod layout;
mod ring;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rockfish_capture::{LiveCounters, LiveError, LiveSource, PacketRef};
use rockfish_flow::Timestamp;
use rockfish_packet::LinkType;

use layout::{ENTRY, Entry, FLAG_END, FLAG_FCS, HEADER, PACKET, PACKET_MAX};
use ring::Ring;

/// Most entries that are lent at once. The writer gets them back together, so a share of the ring must stay free for it;
/// a quarter, in a ring of the usual depth.
const BATCH: u64 = 256;
/// Looks at the ring before the first sleep: some microseconds, less than a sleep takes.
const SPINS: u32 = 64;
const SLEEP_MIN: Duration = Duration::from_micros(50);
const SLEEP_MAX: Duration = Duration::from_micros(200);
/// How often the file is looked at while no packets come.
const FILE_CHECK: Duration = Duration::from_secs(1);
/// How long the ring may contradict itself. A writer that sets it up anew takes far less.
const SETTLE: Duration = Duration::from_secs(1);

/// What to read and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FmadioConfig {
    /// The ring's file.
    pub ring_path: PathBuf,
    /// Whether packets with a wrong frame check sequence are delivered; otherwise they are counted as errors.
    pub include_fcs_errors: bool,
    /// Most octets of a packet that are delivered; the length on the wire stays.
    pub snaplen: u32,
}

impl Default for FmadioConfig {
    fn default() -> Self {
        Self {
            ring_path: PathBuf::from("/opt/fmadio/queue/lxc_ring0"),
            include_fcs_errors: false,
            snaplen: 65_535,
        }
    }
}

/// The reader of one ring.
#[derive(Debug)]
pub struct Fmadio {
    config: FmadioConfig,
    file: File,
    ring: Ring,
    /// Number of the next entry to look at, counted as the ring counts.
    next: u64,
    /// Get as this reader has left it in the ring. What lies from here to `next` is lent.
    published: u64,
    /// Captured octets of what is lent, and the time of its last packet, for the ring's own counters.
    lent_octets: u64,
    lent_time: u64,
    /// Put when intake was closed.
    limit: Option<u64>,
    /// Packets that were copied, without backpressure.
    copies: Vec<u8>,
    counters: LiveCounters,
    ends: u64,
    restarts: u64,
    /// When the ring began to contradict itself.
    odd_since: Option<Instant>,
    file_checked: Option<Instant>,
}

/// What a look at the ring has found.
enum Look {
    /// Nothing to read.
    Nothing,
    /// Only entries without a packet to deliver. There may be more.
    Passed,
    /// Packets in place, in this many entries from this one on.
    InPlace { first: u64, count: u64 },
    /// Packets in `copies`.
    Copied,
    /// The ring contradicts itself, as it does while it is set up.
    Odd(String),
}

/// What an entry is.
enum Kind {
    End,
    Damaged,
    Packet(PacketRef),
}

impl Fmadio {
    /// Opens the ring and begins with what is written from now on.
    ///
    /// # Errors
    /// The file cannot be opened for reading and writing, or is no ring of the published layout.
    pub fn open(config: &FmadioConfig) -> Result<Self, LiveError> {
        let interface = || config.ring_path.display().to_string();
        let unsuitable = |found: String| LiveError::Unsuitable { interface: interface(), found };
        let system = |doing, source| LiveError::System { interface: interface(), doing, source };
        let file = OpenOptions::new().read(true).write(true).open(&config.ring_path);
        let file = file.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => unsuitable(
                "no such file, expected the ring of an FMADIO appliance".to_owned(),
            ),
            io::ErrorKind::IsADirectory => {
                unsuitable("a directory, expected the ring of an FMADIO appliance".to_owned())
            }
            io::ErrorKind::PermissionDenied => LiveError::Permission {
                interface: interface(),
                doing: "opening the ring",
                expected: "reading and writing is needed, since the reader's counter is in the file",
                source,
            },
            _ => system("opening the ring", source),
        })?;
        let metadata =
            file.metadata().map_err(|source| system("reading the ring's size", source))?;
        if !metadata.is_file() {
            return Err(unsuitable(
                "no regular file, expected the ring of an FMADIO appliance".to_owned(),
            ));
        }
        if metadata.len() < HEADER as u64 {
            return Err(unsuitable(format!(
                "a file of {} octets, expected a ring with a header of {HEADER}",
                metadata.len()
            )));
        }
        let mut header = [0; HEADER];
        file.read_exact_at(&mut header, 0)
            .map_err(|source| system("reading the ring's header", source))?;
        let geometry = layout::parse(&header, metadata.len()).map_err(unsuitable)?;
        let ring =
            Ring::map(&file, geometry).map_err(|source| system("mapping the ring", source))?;
        let put = ring.put();
        ring.reset_get(put);
        Ok(Self {
            config: config.clone(),
            file,
            ring,
            next: put,
            published: put,
            lent_octets: 0,
            lent_time: 0,
            limit: None,
            copies: Vec::new(),
            counters: LiveCounters::default(),
            ends: 0,
            restarts: 0,
            odd_since: None,
            file_checked: None,
        })
    }

    /// How many streams have ended in the ring so far.
    pub fn ends(&self) -> u64 {
        self.ends
    }

    /// How often the writer has set up the ring anew so far.
    pub fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Gives back to the writer what was lent.
    fn give_back(&mut self) -> Result<(), LiveError> {
        if self.next == self.published {
            return Ok(());
        }
        // A writer that waits leaves one entry free. It cannot have gone on since the ring was full.
        let taken = self.ring.put().wrapping_sub(self.published);
        if taken >= self.ring.depth() - 1 && self.ring.flow_control() {
            self.counters.freezes += 1;
        }
        let result = self.ring.publish(self.published, self.next, self.lent_octets, self.lent_time);
        self.lent_octets = 0;
        match result {
            Ok(()) => {
                self.published = self.next;
                Ok(())
            }
            Err(get) => self.moved(get),
        }
    }

    /// The read counter is not as it was left: the writer has set up the ring anew, or there is another reader.
    fn moved(&mut self, get: u64) -> Result<(), LiveError> {
        if get != 0 {
            return Err(LiveError::Unsuitable {
                interface: self.config.ring_path.display().to_string(),
                found: format!(
                    "something else has moved the read counter from {} to {get}, expected to be the ring's one reader",
                    self.published
                ),
            });
        }
        self.next = 0;
        self.published = 0;
        self.restarts += 1;
        // What was taken in before is gone.
        self.limit = self.limit.map(|_| 0);
        Ok(())
    }

    /// Looks for packets once.
    fn look(&mut self, packets: &mut Vec<PacketRef>) -> Result<Look, LiveError> {
        let get = self.ring.get();
        if get != self.published {
            self.moved(get)?;
        }
        let put = self.ring.put();
        let waiting = self.limit.unwrap_or(put).wrapping_sub(self.next);
        // Counters are signed in the layout, so half of all numbers are behind.
        if waiting.cast_signed() < 0 {
            return Ok(Look::Odd(format!(
                "write counter {put} is behind read counter {}",
                self.next
            )));
        }
        if waiting == 0 {
            return Ok(Look::Nothing);
        }
        if self.ring.flow_control() && put.wrapping_sub(self.next) < self.ring.depth() {
            Ok(self.lend(waiting, packets))
        } else {
            Ok(self.copy(waiting, packets))
        }
    }

    /// Takes entries that the writer cannot touch before they are given back.
    fn lend(&mut self, waiting: u64, packets: &mut Vec<PacketRef>) -> Look {
        let (first, depth) = (self.next, self.ring.depth());
        let to_the_end = depth - (first & (depth - 1));
        let count = waiting.min(to_the_end).min(BATCH).min((depth / 4).max(1));
        for index in 0..count {
            let entry = self.ring.entry(first.wrapping_add(index));
            let kind = self.kind(entry, index as usize * ENTRY + PACKET);
            self.account(kind, entry, packets);
        }
        self.next = first.wrapping_add(count);
        if packets.is_empty() { Look::Passed } else { Look::InPlace { first, count } }
    }

    /// Takes entries that the writer may overwrite at any time.
    fn copy(&mut self, waiting: u64, packets: &mut Vec<PacketRef>) -> Look {
        let depth = self.ring.depth();
        let end = self.next.wrapping_add(waiting);
        self.copies.clear();
        let mut taken = 0;
        while self.next != end && taken < BATCH {
            taken += 1;
            let (number, start) = (self.next, self.copies.len());
            let entry = self.ring.entry(number);
            let kind = self.kind(entry, start);
            if let Kind::Packet(packet) = &kind {
                self.ring.copy_packet(number, packet.captured as usize, &mut self.copies);
            }
            if self.ring.is_intact(number) {
                self.account(kind, entry, packets);
                self.next = number.wrapping_add(1);
                continue;
            }
            // The writer was faster. It goes on, so some of the oldest entries are left to it, lest it is faster again.
            self.copies.truncate(start);
            let behind = self.ring.put().wrapping_sub(number);
            let lost = behind
                .saturating_sub(depth - (depth / 8).max(1))
                .clamp(1, end.wrapping_sub(number));
            // A ring whose counter leaps may claim any number.
            self.counters.dropped = self.counters.dropped.saturating_add(lost);
            self.next = number.wrapping_add(lost);
        }
        if packets.is_empty() { Look::Passed } else { Look::Copied }
    }

    /// What an entry is, if its packet is lent at this offset.
    fn kind(&self, entry: Entry, offset: usize) -> Kind {
        if entry.flags & FLAG_END != 0 {
            return Kind::End;
        }
        let captured = u32::from(entry.captured);
        let has_wrong_fcs = entry.flags & FLAG_FCS != 0;
        if captured as usize > PACKET_MAX || (has_wrong_fcs && !self.config.include_fcs_errors) {
            return Kind::Damaged;
        }
        let Ok(offset) = u32::try_from(offset) else { return Kind::Damaged };
        Kind::Packet(PacketRef {
            time: Timestamp::from_micros((entry.time / 1000).cast_signed()),
            offset,
            captured: captured.min(self.config.snaplen),
            wire: u32::from(entry.wire).max(captured),
            link: LinkType::Ethernet,
        })
    }

    fn account(&mut self, kind: Kind, entry: Entry, packets: &mut Vec<PacketRef>) {
        match kind {
            Kind::End => self.ends += 1,
            Kind::Damaged => {
                self.counters.received += 1;
                self.counters.errors += 1;
            }
            Kind::Packet(packet) => {
                self.counters.received += 1;
                packets.push(packet);
            }
        }
        self.lent_octets += u64::from(entry.captured);
        self.lent_time = entry.time;
    }

    /// Whether the ring is still the one at its path; asked when no packets come.
    fn check_file(&mut self, now: Instant) -> Result<(), LiveError> {
        if self.file_checked.is_some_and(|checked| now.duration_since(checked) < FILE_CHECK) {
            return Ok(());
        }
        self.file_checked = Some(now);
        let gone = |found: String| LiveError::Gone {
            interface: self.config.ring_path.display().to_string(),
            found,
        };
        let opened = self.file.metadata();
        let opened = opened.map_err(|error| gone(format!("its size cannot be read: {error}")))?;
        let size = layout::ENTRIES as u64 + self.ring.depth() * ENTRY as u64;
        if opened.len() < size {
            return Err(gone(format!("the file has {} octets now, expected {size}", opened.len())));
        }
        let identity = |metadata: &Metadata| (metadata.dev(), metadata.ino());
        match std::fs::metadata(&self.config.ring_path) {
            Ok(found) if identity(&found) == identity(&opened) => Ok(()),
            Ok(_) => Err(gone("another file is at its path".to_owned())),
            Err(error) => Err(gone(format!("nothing is at its path: {error}"))),
        }
    }

    /// Nothing has come in the time given. Is it because there is nothing, or because the ring is broken?
    fn give_up(&mut self, odd: Option<String>) -> Result<(), LiveError> {
        let now = Instant::now();
        self.check_file(now)?;
        // A writer sets up a ring by clearing it all and writing the version last.
        let size = layout::ENTRIES as u64 + self.ring.depth() * ENTRY as u64;
        let odd = match layout::parse(&self.ring.header(), size) {
            Ok(geometry) if geometry.depth == self.ring.depth() => odd,
            Ok(geometry) => Some(format!(
                "the ring has {} entries now, expected {}",
                geometry.depth,
                self.ring.depth()
            )),
            Err(found) => Some(found),
        };
        let Some(found) = odd else {
            self.odd_since = None;
            return Ok(());
        };
        let since = *self.odd_since.get_or_insert(now);
        if now.duration_since(since) < SETTLE {
            return Ok(());
        }
        Err(LiveError::Gone { interface: self.config.ring_path.display().to_string(), found })
    }
}

impl LiveSource for Fmadio {
    fn next(&mut self, wait: Duration, packets: &mut Vec<PacketRef>) -> Result<&[u8], LiveError> {
        packets.clear();
        self.give_back()?;
        let begin = self.next;
        let mut looks = 0u32;
        let mut deadline = None;
        loop {
            let odd = match self.look(packets)? {
                Look::InPlace { first, count } => {
                    self.odd_since = None;
                    return Ok(self.ring.packets(first, count));
                }
                Look::Copied => {
                    self.odd_since = None;
                    return Ok(&self.copies);
                }
                Look::Passed => {
                    self.give_back()?;
                    // Packets may lie behind these entries. A ring is no longer than its depth, so this ends.
                    if self.limit.is_some() || self.next.wrapping_sub(begin) < self.ring.depth() {
                        continue;
                    }
                    None
                }
                Look::Nothing if self.limit.is_some() => return Ok(&[]),
                Look::Nothing => None,
                Look::Odd(found) => Some(found),
            };
            let now = Instant::now();
            // A wait too long to be added is one without end.
            let deadline = *deadline.get_or_insert_with(|| now.checked_add(wait));
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.duration_since(now));
            if left.is_zero() {
                self.give_up(odd)?;
                return Ok(&[]);
            }
            pause(looks, left);
            looks = looks.saturating_add(1);
        }
    }

    fn close_intake(&mut self) {
        self.limit.get_or_insert(self.ring.put());
    }

    fn counters(&mut self) -> LiveCounters {
        let mut counters = self.counters;
        counters.received = counters.received.saturating_add(counters.dropped);
        counters
    }
}

/// Waits for a moment before the ring is looked at again: longer, the more often it was.
fn pause(looks: u32, left: Duration) {
    if looks < SPINS {
        for _ in 0..32 {
            std::hint::spin_loop();
        }
    } else {
        let doublings = ((looks - SPINS) / 16).min(2);
        std::thread::sleep((SLEEP_MIN * (1 << doublings)).min(SLEEP_MAX).min(left));
    }
}
