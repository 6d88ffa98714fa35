//! What labels of a capture cost: `cost CAPTURE none|builtin|ndpi [MOST_TCP MOST_UDP]`.
//!
//! Run it with `none` and with a labeler, and compare the CPU time.

use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use rockfish_capture::{Block, CaptureFiles, Options, PacketSource};
use rockfish_flow::TcpFlags;
use rockfish_label::{
    AppLabel, BuiltinLabeler, CategoryRules, Custom, Ends, Handle, Known, Labeler, PacketView,
    Progress, Rules,
};
use rockfish_ndpi::{Limits, NdpiLabeler};
use rockfish_packet::{DecodeConfig, Decoder, Frame, HashSeed, Packet, PacketBatch};

/// Keys are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

struct Flow {
    ends: Ends,
    low_first: bool,
    handle: Option<Handle>,
    done: bool,
}

fn ends(packet: &Packet) -> (Ends, bool) {
    let key = &packet.key;
    let end = |low: bool| {
        let (octets, port) =
            if low { (key.low(), key.low_port()) } else { (key.high(), key.high_port()) };
        let address = match (key.ip_version(), octets.first_chunk::<4>()) {
            (4, Some(octets)) => IpAddr::V4(Ipv4Addr::from(*octets)),
            _ => IpAddr::from(octets),
        };
        (address, port)
    };
    let low_first = packet.from_low != packet.tcp_flags.contains(TcpFlags::SYN | TcpFlags::ACK);
    let ((source, source_port), (destination, destination_port)) =
        (end(low_first), end(!low_first));
    (
        Ends { protocol: key.protocol(), source, destination, source_port, destination_port },
        low_first,
    )
}

#[expect(clippy::print_stdout, reason = "an example prints what it found")]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |place: usize, default: u8| arguments.get(place).map_or(Ok(default), |text| text.parse());
    let (Some(path), Some(mode)) = (arguments.get(1), arguments.get(2)) else {
        return Err("expected CAPTURE none|builtin|ndpi [MOST_TCP MOST_UDP]".into());
    };
    let limits =
        Limits { tcp: number(3, Limits::default().tcp)?, udp: number(4, Limits::default().udp)? };
    let mut labeler: Option<Box<dyn Labeler>> = match mode.as_str() {
        "none" => None,
        "builtin" => Some(Box::new(BuiltinLabeler::new(Arc::new(Custom::default())))),
        _ => Some(Box::new(NdpiLabeler::with_rules(
            &Rules::default(),
            &CategoryRules::default(),
            limits,
        )?)),
    };
    let mut files = CaptureFiles::with_options(path, Options::default())?;
    let mut decoder = Decoder::new(DecodeConfig::default(), HashSeed::new(1));
    let (mut block, mut batch) = (Block::default(), PacketBatch::default());
    let mut flows: HashMap<u64, Flow, BuildHasherDefault<AsItIs>> = HashMap::default();
    let (mut shown, mut packets) = (0u64, 0u64);
    while files.next_block(&mut block)? {
        batch.clear();
        for packet in &block.packets {
            let data = block.octets(packet);
            let (time, link, wire, offset) = (packet.time, packet.link, packet.wire, packet.offset);
            decoder.decode(&Frame { time, link, wire, data, offset }, &mut batch);
        }
        for packet in &batch.packets {
            packets += 1;
            let flow = flows.entry(packet.hash).or_insert_with(|| {
                let (ends, low_first) = ends(packet);
                Flow { ends, low_first, handle: None, done: false }
            });
            if packet.captured == 0 || flow.done {
                continue;
            }
            let Some(labeler) = labeler.as_deref_mut() else { continue };
            let handle = *flow.handle.get_or_insert_with(|| labeler.begin(&flow.ends));
            let view = PacketView {
                ip: packet.network(&block.data, &batch.side),
                payload: packet.payload(&block.data, &batch.side),
                from_initiator: packet.from_low == flow.low_first,
                time_ms: u64::try_from(packet.time.as_micros() / 1000).unwrap_or_default(),
            };
            shown += 1;
            flow.done = labeler.packet(handle, &view) == Progress::Done;
        }
    }
    let mut names: HashMap<String, u64> = HashMap::new();
    let known = Known::default();
    for flow in flows.values() {
        let Some(labeler) = labeler.as_deref_mut() else { break };
        let label: Option<AppLabel> = match flow.handle {
            Some(handle) => labeler.finish(handle, &known),
            None => labeler.guess(&flow.ends, &known),
        };
        let name = label
            .and_then(|label| label.name())
            .map_or("Unknown".to_owned(), |name| name.to_string());
        *names.entry(name).or_default() += 1;
    }
    let begun = flows.values().filter(|flow| flow.handle.is_some()).count();
    println!(
        "{packets} packets, {} flows, {begun} with payload, {shown} packets shown",
        flows.len()
    );
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
    for (name, count) in names.iter().take(40) {
        println!("{count:9} {name}");
    }
    Ok(())
}
