//! From a block of packets to records: filter, clock, decoder, meter. What captures and interfaces share.

use rockfish_capture::PacketRef;
use rockfish_capture_pcap::{BpfFilter, FilterError};
use rockfish_flow::{FlowRecord, Timestamp};
use rockfish_meter::{Advance, Clock, Meter};
use rockfish_packet::{DecodeCounters, Decoder, Frame, HashSeed, PacketBatch};

use crate::pipeline::PipelineConfig;

/// The clock reached a further second before the packet with this index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    pub(crate) before_packet: u32,
    pub(crate) clock: Timestamp,
}

/// Everything between a block of packets and the meters.
#[derive(Debug)]
pub(crate) struct Decoding {
    filter: Option<BpfFilter>,
    decoder: Decoder,
    clock: Clock,
    filtered: u64,
}

impl Decoding {
    pub(crate) fn new(filter: Option<BpfFilter>, config: &PipelineConfig, seed: &HashSeed) -> Self {
        Self {
            filter,
            decoder: Decoder::new(config.decode.clone(), seed.clone()),
            clock: Clock::new(config.meter.idle_timeout_us),
            filtered: 0,
        }
    }

    /// Appends what is decoded of `packets`, which lie in `data`, and the seconds that pass meanwhile.
    pub(crate) fn decode(
        &mut self,
        packets: &[PacketRef],
        data: &[u8],
        batch: &mut PacketBatch,
        ticks: &mut Vec<Tick>,
    ) -> Result<(), FilterError> {
        for packet in packets {
            let octets = packet.octets(data);
            if let Some(filter) = &mut self.filter
                && !filter.matches(packet.link, packet.wire, octets)?
            {
                self.filtered += 1;
                continue;
            }
            self.observe(packet.time, batch, ticks);
            let frame = Frame {
                time: packet.time,
                link: packet.link,
                wire: packet.wire,
                data: octets,
                offset: packet.offset,
            };
            self.decoder.decode(&frame, batch);
        }
        Ok(())
    }

    /// Takes a packet's time, or the time that passed without one.
    #[inline]
    pub(crate) fn observe(
        &mut self,
        time: Timestamp,
        batch: &mut PacketBatch,
        ticks: &mut Vec<Tick>,
    ) {
        match self.clock.observe(time) {
            Advance::Same => {}
            Advance::Backwards => self.decoder.counters_mut().note_time_backwards(),
            Advance::Tick(clock) => {
                self.decoder.advance(clock, batch);
                ticks.push(Tick { before_packet: batch.packets.len() as u32, clock });
            }
        }
    }

    /// Appends what still waits for fragments.
    pub(crate) fn finish(&mut self, batch: &mut PacketBatch) {
        self.decoder.finish(batch);
    }

    /// The capture's time; `None` before the first packet.
    pub(crate) fn clock(&self) -> Option<Timestamp> {
        (self.clock.now() != Timestamp::MIN).then(|| self.clock.now())
    }

    pub(crate) fn counters(&self) -> &DecodeCounters {
        self.decoder.counters()
    }

    /// Packets that the filter left out.
    pub(crate) fn filtered(&self) -> u64 {
        self.filtered
    }
}

/// Meters the packets that `select` names, and calls `at_tick` with the records up to each tick.
pub(crate) fn meter(
    meter: &mut Meter,
    batch: &PacketBatch,
    data: &[u8],
    mut select: &[u32],
    ticks: &[Tick],
    records: &mut Vec<FlowRecord>,
    mut at_tick: impl FnMut(&mut Vec<FlowRecord>, Timestamp),
) {
    for tick in ticks {
        let before = select.partition_point(|index| *index < tick.before_packet);
        let (before, after) = select.split_at(before);
        select = after;
        meter.process(batch, data, before, records);
        meter.tick(tick.clock, records);
        at_tick(records, tick.clock);
    }
    meter.process(batch, data, select, records);
}
