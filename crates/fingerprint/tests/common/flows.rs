//! Flows of captures, fed to what is tested as a meter would.

use std::collections::HashMap;
use std::path::Path;

use rockfish_capture::{Block, CaptureFiles, Options, PacketSource};
use rockfish_fingerprint::{Handshake, Hellos, Syn, TcpFingerprint, TcpFormat};
use rockfish_flow::TcpFlags;
use rockfish_packet::{DecodeConfig, Decoder, FlowKey, Frame, HashSeed, Packet, PacketBatch};

/// What was found of one flow.
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    /// Whether the sender of the first packet is the key's lower end.
    pub(crate) low_first: bool,
    pub(crate) packets: u64,
    pub(crate) handshake: Handshake,
    pub(crate) tcp: Option<TcpFingerprint>,
    pub(crate) tcp_ndpi5: Option<TcpFingerprint>,
    pub(crate) options: Vec<u8>,
}

impl Flow {
    pub(crate) fn hellos(&self) -> Hellos {
        self.handshake.hellos().cloned().unwrap_or_default()
    }
}

/// The TCP header that ends where the payload begins: the decoder says where the payload is.
pub(crate) fn tcp_header<'a>(packet: &Packet, block: &'a [u8], side: &'a [u8]) -> Option<&'a [u8]> {
    let payload = packet.payload_at.slice(block, side, 0).as_ptr() as usize;
    let end = [block, side].into_iter().find_map(|octets| {
        let end = payload.checked_sub(octets.as_ptr() as usize)?;
        octets.get(..end)
    })?;
    let low = packet.key.low_port();
    let high = packet.key.high_port();
    let ports = if packet.from_low { [low, high] } else { [high, low] };
    (5..=15).map(|words| words * 4).find_map(|length| {
        let header = end.get(end.len().checked_sub(length)?..)?;
        let is = header[..2] == ports[0].to_be_bytes()
            && header[2..4] == ports[1].to_be_bytes()
            && header[4..8] == packet.tcp_sequence.to_be_bytes()
            && usize::from(header[12] >> 4) * 4 == length;
        is.then_some(header)
    })
}

/// All packets of a capture, each with its block.
pub(crate) fn packets(path: &Path, mut each: impl FnMut(&Packet, &[u8], &[u8])) {
    let options = Options { block_size: 16 << 20, ..Options::default() };
    let mut files = CaptureFiles::with_options(path.to_str().unwrap(), options).unwrap();
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

/// The flows of a capture, in order of their first packets.
pub(crate) fn flows(path: &Path) -> Vec<Flow> {
    let mut places = HashMap::new();
    let mut flows: Vec<Flow> = Vec::new();
    packets(path, |packet, block, side| {
        let key = (packet.key.low(), packet.key.high(), packet.key.low_port());
        let key = (key, packet.key.high_port(), packet.key.protocol(), packet.key.vlan());
        let place = *places.entry(key).or_insert_with(|| {
            flows.push(Flow {
                key: packet.key,
                low_first: packet.from_low,
                packets: 0,
                handshake: Handshake::new(packet.key.protocol()),
                tcp: None,
                tcp_ndpi5: None,
                options: Vec::new(),
            });
            flows.len() - 1
        });
        let flow = &mut flows[place];
        flow.packets += u64::from(packet.packets);
        let from_initiator = packet.from_low == flow.low_first;
        let payload = packet.payload_at.slice(block, side, packet.captured as usize);
        if packet.key.protocol() != 6 {
            flow.handshake.packet(from_initiator, payload);
            return;
        }
        let is_syn = packet.tcp_flags.contains(TcpFlags::SYN);
        if is_syn {
            flow.handshake.open(from_initiator, packet.tcp_sequence);
        }
        if is_syn
            && flow.tcp.is_none()
            && let Some(header) = tcp_header(packet, block, side)
            && let Some(syn) = Syn::from_header(header, packet.ttl)
        {
            flow.tcp = TcpFingerprint::of_syn(&syn, TcpFormat::Draft04);
            flow.tcp_ndpi5 = TcpFingerprint::of_syn(&syn, TcpFormat::Ndpi5);
            if flow.tcp.is_some() {
                flow.options = syn.options.to_vec();
            }
        }
        let sequence = packet.tcp_sequence.wrapping_add(u32::from(is_syn));
        flow.handshake.segment(from_initiator, sequence, payload);
    });
    flows
}
