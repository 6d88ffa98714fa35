//! The seam for looking into payload: what is found becomes the labels of the flow's records.

use rockfish_flow::Labels;
use rockfish_packet::Packet;

/// A packet of a flow that is looked into.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the decoder says of it.
    pub packet: &'a Packet,
    /// The flow's source sent it.
    pub from_source: bool,
    /// The IP packet as far as it was captured; empty for a datagram put together from fragments.
    pub network: &'a [u8],
    /// Transport header and payload.
    pub transport: &'a [u8],
    /// Payload as far as it was captured, never cut by `max_payload`.
    pub payload: &'a [u8],
}

/// Looks into the payload of flows, with a state for each that it keeps itself.
pub trait Inspector: Send {
    /// A flow begins with this packet, which is shown next. A number for it below 2^31 that no other open flow has, or none
    /// if there is nothing to look for.
    fn begin(&mut self, packet: &Packet) -> Option<u32>;

    /// The next packet of flow `flow`; whether further ones are wanted.
    fn packet(&mut self, flow: u32, seen: &Seen<'_>) -> bool;

    /// What is known of the flow by now, for a record of it. It may go on after that.
    fn labels(&mut self, flow: u32) -> Option<Box<Labels>>;

    /// The flow has ended: its number may be used again.
    fn end(&mut self, flow: u32);

    /// The capture's time, once a second, in seconds.
    fn tick(&mut self, now: i64);

    /// Octets held.
    fn memory(&self) -> usize;
}
