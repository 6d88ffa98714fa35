//! Flows of captures, shown to a labeler as the probe shows them, and the table of labels that other tools gave them: `dpi`
//! of the data folder beside the checkout, which is not part of the project.
#![allow(clippy::unwrap_used, reason = "test helpers")]

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use rockfish_capture::{Block, CaptureFiles, Options, PacketSource};
use rockfish_fingerprint::{Handshake, Hellos};
use rockfish_flow::TcpFlags;
use rockfish_label::{AppLabel, Ends, Handle, Known, Labeler, PacketView, Progress};
use rockfish_packet::{DecodeConfig, Decoder, FlowKey, Frame, HashSeed, Packet, PacketBatch};

/// Where the table is, or nothing and a message.
#[expect(clippy::print_stderr, reason = "says what is skipped")]
pub(crate) fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("ROCKFISH_DPI_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dpi"),
    };
    if folder.join("expected.csv").is_file() {
        return Some(folder);
    }
    eprintln!("skipped: no expected.csv where ROCKFISH_DPI_DATA says, or beside the checkout");
    None
}

/// Two ends in their order, protocol and VLAN.
pub(crate) type Key = ([(IpAddr, u16); 2], u8, u16);

pub(crate) type Row = HashMap<String, String>;

/// Rows of the table by capture.
pub(crate) fn expected(folder: &Path) -> BTreeMap<String, Vec<(Key, Row)>> {
    let text = std::fs::read_to_string(folder.join("expected.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut captures: BTreeMap<String, Vec<(Key, Row)>> = BTreeMap::new();
    for line in lines {
        let row: Row = fields(line)
            .into_iter()
            .zip(&names)
            .map(|(field, name)| ((*name).to_owned(), field))
            .collect();
        let end =
            |address: &str, port: &str| (row[address].parse().unwrap(), row[port].parse().unwrap());
        let mut ends = [end("saddr", "sport"), end("daddr", "dport")];
        ends.sort_unstable();
        let key = (ends, row["proto"].parse().unwrap(), row["vlan"].parse().unwrap());
        captures
            .entry(format!("{}/{}", row["source"], row["capture"]))
            .or_default()
            .push((key, row));
    }
    captures
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for character in line.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            _ => fields.last_mut().unwrap().push(character),
        }
    }
    fields
}

/// All packets of a capture, each with the octets it lies in.
pub(crate) fn packets(path: &Path, mut each: impl FnMut(&Packet, &[u8], &[u8])) {
    let mut files = CaptureFiles::with_options(path.to_str().unwrap(), Options::default()).unwrap();
    let config = DecodeConfig { vlan_key: true, ..DecodeConfig::default() };
    let mut decoder = Decoder::new(config, HashSeed::new(1));
    let (mut block, mut batch) = (Block::default(), PacketBatch::default());
    while files.next_block(&mut block).unwrap() {
        batch.clear();
        for packet in &block.packets {
            let data = block.octets(packet);
            let (time, link, wire, offset) = (packet.time, packet.link, packet.wire, packet.offset);
            decoder.decode(&Frame { time, link, wire, data, offset }, &mut batch);
        }
        for packet in &batch.packets {
            each(packet, &block.data, &batch.side);
        }
    }
}

fn end(key: &FlowKey, low: bool) -> (IpAddr, u16) {
    let (octets, port) =
        if low { (key.low(), key.low_port()) } else { (key.high(), key.high_port()) };
    let address = match key.ip_version() {
        4 => IpAddr::V4(Ipv4Addr::from(*octets.first_chunk::<4>().unwrap())),
        _ => IpAddr::from(octets),
    };
    (address, port)
}

/// The ends of a flow whose first packet this is.
pub(crate) fn ends(packet: &Packet) -> (Ends, bool) {
    let answers = packet.tcp_flags.contains(TcpFlags::SYN | TcpFlags::ACK);
    let low_first = packet.from_low != answers;
    let ((source, source_port), (destination, destination_port)) =
        (end(&packet.key, low_first), end(&packet.key, !low_first));
    let protocol = packet.key.protocol();
    (Ends { protocol, source, destination, source_port, destination_port }, low_first)
}

pub(crate) struct Flow {
    pub(crate) ends: Ends,
    low_first: bool,
    vlan: u16,
    handshake: Handshake,
    handle: Option<Handle>,
    done: bool,
}

impl Flow {
    fn key(&self) -> Key {
        let mut ends = [
            (self.ends.source, self.ends.source_port),
            (self.ends.destination, self.ends.destination_port),
        ];
        ends.sort_unstable();
        (ends, self.ends.protocol, self.vlan)
    }

    pub(crate) fn see(
        &mut self,
        packet: &Packet,
        block: &[u8],
        side: &[u8],
        labeler: &mut dyn Labeler,
    ) {
        let from_initiator = packet.from_low == self.low_first;
        let payload = packet.payload(block, side);
        if self.ends.protocol == 6 {
            let is_syn = packet.tcp_flags.contains(TcpFlags::SYN);
            if is_syn {
                self.handshake.open(from_initiator, packet.tcp_sequence);
            }
            let sequence = packet.tcp_sequence.wrapping_add(u32::from(is_syn));
            self.handshake.segment(from_initiator, sequence, payload);
        } else {
            self.handshake.packet(from_initiator, payload);
        }
        if payload.is_empty() || self.done {
            return;
        }
        let handle = *self.handle.get_or_insert_with(|| labeler.begin(&self.ends));
        let view = PacketView {
            ip: packet.network(block, side),
            payload,
            from_initiator,
            time_ms: u64::try_from(packet.time.as_micros() / 1000).unwrap_or_default(),
        };
        self.done = labeler.packet(handle, &view) == Progress::Done;
    }

    pub(crate) fn finish(&self, labeler: &mut dyn Labeler) -> Option<AppLabel> {
        let hellos = self.handshake.hellos().cloned().unwrap_or_default();
        let Hellos { sni, http_host, .. } = hellos;
        let known = Known { sni: sni.as_deref(), host: http_host.as_deref(), dns_name: None };
        match self.handle {
            Some(handle) => labeler.finish(handle, &known),
            None => labeler.guess(&self.ends, &known),
        }
    }
}

/// The flows of a capture with their labels, in order of their first packets.
pub(crate) fn label(path: &Path, labeler: &mut dyn Labeler) -> Vec<(Key, Option<AppLabel>)> {
    let mut places = HashMap::new();
    let mut flows: Vec<Flow> = Vec::new();
    packets(path, |packet, block, side| {
        let vlan = packet.key.vlan();
        let key = (end(&packet.key, true), end(&packet.key, false), packet.key.protocol(), vlan);
        let place = *places.entry(key).or_insert_with(|| {
            let (ends, low_first) = ends(packet);
            let handshake = Handshake::new(ends.protocol);
            flows.push(Flow { ends, low_first, vlan, handshake, handle: None, done: false });
            flows.len() - 1
        });
        flows[place].see(packet, block, side, labeler);
    });
    flows.iter().map(|flow| (flow.key(), flow.finish(labeler))).collect()
}

/// How many labels, protocols and categories are those of the table, of how many flows; and what differs.
#[derive(Default)]
pub(crate) struct Score {
    pub(crate) flows: usize,
    /// Flows of the table that were not found.
    pub(crate) missing: usize,
    pub(crate) labels: usize,
    pub(crate) masters: usize,
    pub(crate) categories: usize,
    pub(crate) differences: Vec<String>,
}

impl Score {
    pub(crate) fn permille(&self, count: usize) -> usize {
        count * 1000 / self.flows.max(1)
    }
}

/// Labels of all captures of the table compared with those of nDPI 5.0, with a new labeler for each capture.
pub(crate) fn compare(folder: &Path, mut labeler: impl FnMut() -> Box<dyn Labeler>) -> Score {
    let mut score = Score::default();
    for (capture, rows) in expected(folder) {
        let mut labeler = labeler();
        let path = folder.join("captures").join(&capture);
        let ours: HashMap<Key, Option<AppLabel>> =
            label(&path, &mut *labeler).into_iter().collect();
        assert_eq!(labeler.open(), 0, "{capture}: flows were not freed");
        for (key, row) in rows {
            let Some(label) = ours.get(&key) else {
                score.missing += 1;
                score.differences.push(format!("{capture}: no flow {key:?}"));
                continue;
            };
            let name = label
                .and_then(|label| label.name())
                .map_or("Unknown".to_owned(), |name| name.to_string());
            let theirs = &row["label_ndpi50"];
            let master = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
            score.flows += 1;
            score.labels += usize::from(name == *theirs);
            score.masters += usize::from(master(&name) == master(theirs));
            let category = label.and_then(|label| label.category_name()).unwrap_or("Unspecified");
            score.categories += usize::from(category == row["category_ndpi50"]);
            if name != *theirs {
                let [low, high] = key.0;
                let at = format!("{capture} {} {}:{} {}:{}", key.1, low.0, low.1, high.0, high.1);
                score.differences.push(format!("{at} {} ours {name} theirs {theirs}", row["host"]));
            }
        }
    }
    score
}
