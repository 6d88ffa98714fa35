//! IP reassembly (RFC 791, section 3.2; RFC 8200, section 4.5), bounded in datagrams, octets and time.
//!
//! Octets that came first stay (BSD policy); a datagram whose fragments overlap with other extents than an exact repetition
//! is never put together, as RFC 5722 demands for IPv6 and as is prudent for IPv4: its packets are metered as an incomplete
//! datagram. Fragments are never lost: what cannot be completed is handed over with the packets and octets it had.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};

use rockfish_flow::Timestamp;

use crate::HashSeed;
use crate::decode::Ends;

/// Largest IP payload that a length field can state.
const MAX_DATAGRAM: u32 = 65_535;

/// Memory that a datagram in the table counts for beyond its octets.
const DATAGRAM_OVERHEAD: usize = 256;

/// Limits of IP reassembly.
#[derive(Clone, Debug)]
pub struct FragmentConfig {
    /// No reassembly: a first fragment is metered with its ports, later ones with ports 0.
    pub disabled: bool,
    /// Datagrams in the table at most; the oldest goes first.
    pub max_tables: usize,
    /// Seconds from the first fragment until a datagram is given up.
    pub timeout_secs: u32,
    /// Octets held at most; the oldest datagram goes first.
    pub max_bytes: usize,
}

impl Default for FragmentConfig {
    fn default() -> Self {
        Self { disabled: false, max_tables: 1024, timeout_secs: 30, max_bytes: 64 << 20 }
    }
}

/// What belongs together (the protocol is part of it for IPv4 alone).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FragmentKey {
    pub(crate) ends: Ends,
    pub(crate) id: u32,
    pub(crate) protocol: u8,
    pub(crate) vlan: u16,
}

impl std::hash::Hash for FragmentKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let rest = u64::from(self.id) | u64::from(self.protocol) << 32 | u64::from(self.vlan) << 40;
        state.write_u64(rest);
        for word in self.ends.words() {
            state.write_u64(word);
        }
    }
}

/// One fragment as it came.
pub(crate) struct Fragment<'a> {
    pub(crate) key: FragmentKey,
    /// Next header of the reassembled part.
    pub(crate) protocol: u8,
    pub(crate) offset: u32,
    pub(crate) more: bool,
    /// Octets captured.
    pub(crate) data: &'a [u8],
    /// Octets that the fragment has by its headers.
    pub(crate) length: u32,
    pub(crate) time: Timestamp,
    pub(crate) octets: u32,
    pub(crate) packets: u32,
    pub(crate) vlan: u16,
    pub(crate) inner_vlan: u16,
    pub(crate) macs: Option<[u8; 12]>,
    pub(crate) ttl: u8,
    pub(crate) depth: u8,
}

/// A datagram, complete or given up.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) ends: Ends,
    pub(crate) protocol: u8,
    pub(crate) data: Vec<u8>,
    /// Octets of `data` from the first on that are really there.
    pub(crate) contiguous: u32,
    /// Length by the headers: of the whole, or of what came.
    pub(crate) length: u32,
    pub(crate) first_time: Timestamp,
    pub(crate) last_time: Timestamp,
    pub(crate) octets: u32,
    pub(crate) packets: u32,
    pub(crate) macs: Option<[u8; 12]>,
    pub(crate) vlan: u16,
    pub(crate) inner_vlan: u16,
    pub(crate) ttl: u8,
    pub(crate) depth: u8,
    pub(crate) complete: bool,
}

struct Partial {
    datagram: Datagram,
    /// Extents that came, sorted and apart.
    extents: Vec<(u32, u32)>,
    /// Fragments whose octets were not all captured leave a hole from here on.
    missing_from: u32,
    total: Option<u32>,
    spoiled: bool,
    serial: u64,
}

/// Why a datagram was given up, or what was odd about a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Overlap,
    BeyondEnd,
    Timeout,
    Evicted,
}

/// The fragment table.
#[derive(Debug)]
pub(crate) struct Reassembly {
    config: FragmentConfig,
    table: HashMap<FragmentKey, Partial, Seeded>,
    /// Keys in order of their first fragment, with the serial number that tells a reused key.
    order: VecDeque<(Timestamp, u64, FragmentKey)>,
    serial: u64,
    held: usize,
    given_up: Vec<Datagram>,
    findings: Vec<Finding>,
}

impl std::fmt::Debug for Partial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partial").field("extents", &self.extents).finish_non_exhaustive()
    }
}

impl Reassembly {
    pub(crate) fn new(config: FragmentConfig, seed: &HashSeed) -> Self {
        Self {
            table: HashMap::with_hasher(Seeded(seed.clone())),
            order: VecDeque::new(),
            serial: 0,
            held: 0,
            given_up: Vec::new(),
            findings: Vec::new(),
            config,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(crate) fn disabled(&self) -> bool {
        self.config.disabled
    }

    /// Datagrams given up since the last call.
    pub(crate) fn take_given_up(&mut self) -> Vec<Datagram> {
        std::mem::take(&mut self.given_up)
    }

    /// What was noticed since the last call.
    pub(crate) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Adds a fragment; the datagram, if it is whole now.
    pub(crate) fn add(&mut self, fragment: &Fragment<'_>) -> Option<Datagram> {
        if !self.table.contains_key(&fragment.key) {
            self.make_room(fragment);
            self.serial += 1;
            self.order.push_back((fragment.time, self.serial, fragment.key));
            self.held += DATAGRAM_OVERHEAD;
            self.table.insert(fragment.key, Partial::new(fragment, self.serial));
        }
        let partial = self.table.get_mut(&fragment.key)?;
        let before = partial.data_len();
        let finding = partial.add(fragment);
        self.held += partial.data_len() - before;
        self.findings.extend(finding);
        let whole = partial.is_whole();
        if whole {
            return self.remove(&fragment.key).map(|partial| partial.finish(true));
        }
        while self.held > self.config.max_bytes && self.table.len() > 1 {
            self.evict_oldest();
        }
        None
    }

    fn make_room(&mut self, fragment: &Fragment<'_>) {
        let need = DATAGRAM_OVERHEAD + fragment.data.len();
        while !self.table.is_empty()
            && (self.table.len() >= self.config.max_tables.max(1)
                || self.held + need > self.config.max_bytes)
        {
            self.evict_oldest();
        }
    }

    fn remove(&mut self, key: &FragmentKey) -> Option<Partial> {
        let partial = self.table.remove(key)?;
        self.held -= partial.data_len() + DATAGRAM_OVERHEAD;
        // Places of finished datagrams in the queue are passed over when they come up; many of them are cleared at once.
        if self.order.len() > 64 + 4 * self.table.len() {
            let table = &self.table;
            self.order.retain(|(_, serial, key)| {
                table.get(key).is_some_and(|partial| partial.serial == *serial)
            });
        }
        Some(partial)
    }

    fn evict_oldest(&mut self) {
        while let Some((_, serial, key)) = self.order.pop_front() {
            if self.table.get(&key).is_some_and(|partial| partial.serial == serial) {
                self.give_up(&key, Finding::Evicted);
                return;
            }
        }
    }

    fn give_up(&mut self, key: &FragmentKey, finding: Finding) {
        if let Some(partial) = self.remove(key) {
            self.findings.push(finding);
            self.given_up.push(partial.finish(false));
        }
    }

    /// Gives up datagrams whose first fragment came longer ago than the timeout.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let timeout = i64::from(self.config.timeout_secs) * 1_000_000;
        while let Some(&(first, serial, key)) = self.order.front() {
            if now.micros_since(first) <= timeout {
                break;
            }
            self.order.pop_front();
            if self.table.get(&key).is_some_and(|partial| partial.serial == serial) {
                self.give_up(&key, Finding::Timeout);
            }
        }
    }

    /// Gives up all that is left, oldest first.
    pub(crate) fn drain(&mut self) {
        while let Some((_, serial, key)) = self.order.pop_front() {
            if self.table.get(&key).is_some_and(|partial| partial.serial == serial) {
                self.give_up(&key, Finding::Timeout);
            }
        }
    }
}

impl Partial {
    fn new(fragment: &Fragment<'_>, serial: u64) -> Self {
        Self {
            datagram: Datagram {
                ends: fragment.key.ends,
                protocol: fragment.protocol,
                data: Vec::new(),
                contiguous: 0,
                length: 0,
                first_time: fragment.time,
                last_time: fragment.time,
                octets: 0,
                packets: 0,
                macs: fragment.macs,
                vlan: fragment.vlan,
                inner_vlan: fragment.inner_vlan,
                ttl: fragment.ttl,
                depth: fragment.depth,
                complete: false,
            },
            extents: Vec::new(),
            missing_from: u32::MAX,
            total: None,
            spoiled: false,
            serial,
        }
    }

    fn data_len(&self) -> usize {
        self.datagram.data.len()
    }

    fn add(&mut self, fragment: &Fragment<'_>) -> Option<Finding> {
        let datagram = &mut self.datagram;
        datagram.octets = datagram.octets.saturating_add(fragment.octets);
        datagram.packets = datagram.packets.saturating_add(fragment.packets);
        datagram.first_time = datagram.first_time.min(fragment.time);
        datagram.last_time = datagram.last_time.max(fragment.time);
        let (start, end) = (fragment.offset, fragment.offset + fragment.length);
        if start == 0 {
            // For IPv6 only the first fragment's next header counts (RFC 8200, section 4.5).
            datagram.protocol = fragment.protocol;
        }
        if end > MAX_DATAGRAM {
            self.spoiled = true;
            return Some(Finding::BeyondEnd);
        }
        if !fragment.more {
            if self.total.is_some_and(|total| total != end) {
                self.spoiled = true;
                return Some(Finding::Overlap);
            }
            self.total = Some(end);
        }
        if start == end || self.spoiled {
            return None;
        }
        let place = self.extents.partition_point(|(_, e)| *e <= start);
        if let Some(&(s, e)) = self.extents.get(place)
            && s < end
        {
            // Within one extent it may be an exact repetition or hide other octets: compare those captured.
            let repeated = start >= s
                && end <= e
                && datagram.data.get(start as usize..start as usize + fragment.data.len())
                    == Some(fragment.data);
            if repeated {
                return None;
            }
            self.spoiled = true;
            return Some(Finding::Overlap);
        }
        let filled = start as usize + fragment.data.len();
        if datagram.data.len() < filled {
            datagram.data.resize(filled, 0);
        }
        datagram.data[start as usize..filled].copy_from_slice(fragment.data);
        if (fragment.data.len() as u32) < fragment.length {
            self.missing_from = self.missing_from.min(filled as u32);
        }
        // Joined to its neighbours, so that an ordinary datagram has one extent all the time.
        let joins_left = place > 0 && self.extents[place - 1].1 == start;
        let joins_right = self.extents.get(place).is_some_and(|(s, _)| *s == end);
        match (joins_left, joins_right) {
            (true, true) => {
                self.extents[place - 1].1 = self.extents[place].1;
                self.extents.remove(place);
            }
            (true, false) => self.extents[place - 1].1 = end,
            (false, true) => self.extents[place].0 = start,
            (false, false) => self.extents.insert(place, (start, end)),
        }
        None
    }

    fn is_whole(&self) -> bool {
        !self.spoiled && self.total.is_some_and(|total| self.extents[..] == [(0, total)])
    }

    fn finish(self, complete: bool) -> Datagram {
        let mut datagram = self.datagram;
        datagram.complete = complete;
        let first = match self.extents.first() {
            Some((0, end)) => *end,
            _ => 0,
        };
        datagram.contiguous = first.min(self.missing_from).min(datagram.data.len() as u32);
        datagram.length = if complete || first > 0 {
            first
        } else {
            self.extents.iter().map(|(start, end)| end - start).sum()
        };
        datagram
    }
}

/// Hashes fragment keys under the secret seed of the flow keys.
#[derive(Clone, Debug)]
struct Seeded(HashSeed);

impl BuildHasher for Seeded {
    type Hasher = SeededHasher;

    fn build_hasher(&self) -> SeededHasher {
        SeededHasher { state: 0, seed: self.0.clone() }
    }
}

struct SeededHasher {
    state: u64,
    seed: HashSeed,
}

impl Hasher for SeededHasher {
    fn finish(&self) -> u64 {
        self.state
    }

    fn write(&mut self, octets: &[u8]) {
        for octet in octets {
            self.write_u64(u64::from(*octet));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.state = self.seed.mix(self.state, word);
    }
}
