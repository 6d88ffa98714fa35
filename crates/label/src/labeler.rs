//! What a labeler is.

use std::net::IpAddr;

use crate::AppLabel;

/// The state of one flow in its labeler. Good from [`Labeler::begin`] to [`Labeler::finish`], and for that labeler alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle(u32);

impl Handle {
    pub(crate) const fn new(index: u32) -> Self {
        Self(index)
    }

    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether a labeler wants to see more of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Give it the next packet that has payload.
    More,
    /// It has decided or given up; further packets change nothing.
    Done,
}

/// The two ends of a flow, seen from its initiator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// IANA protocol number.
    pub protocol: u8,
    /// Address of the initiator.
    pub source: IpAddr,
    /// Address of the other end.
    pub destination: IpAddr,
    /// Port of the initiator, 0 if the protocol has none.
    pub source_port: u16,
    /// Port of the other end, 0 if the protocol has none.
    pub destination_port: u16,
}

/// A packet of a flow.
#[derive(Clone, Copy, Debug)]
pub struct PacketView<'a> {
    /// From the IP header on, as captured. Empty for a datagram that was put together from fragments: its header is then
    /// made from the flow's ends, where a labeler needs one.
    pub ip: &'a [u8],
    /// Payload of the transport protocol, as captured; of protocols without ports, all that follows the IP header.
    pub payload: &'a [u8],
    /// Whether the initiator sent it.
    pub from_initiator: bool,
    /// Capture time in milliseconds since 1970.
    pub time_ms: u64,
}

/// What others have found out about a flow by the time that it gets its label. Names are in lower case.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Server name in the ClientHello of TLS, DTLS or QUIC.
    pub sni: Option<&'a str>,
    /// Host that a request names, where somebody else has read it.
    pub host: Option<&'a str>,
    /// Name that a DNS answer gave for the other end's address. It is used where nothing in the flow names a host.
    pub dns_name: Option<&'a str>,
}

/// Makes labels. One for each thread; flows are its own until it has labelled them.
///
/// A flow whose packets have no payload need not be begun: [`Self::guess`] says what can be said of it.
pub trait Labeler: Send {
    /// A flow begins.
    fn begin(&mut self, ends: &Ends) -> Handle;

    /// A packet of a flow that has begun. Packets without payload need not be given, nor any after [`Progress::Done`].
    fn packet(&mut self, handle: Handle, packet: &PacketView<'_>) -> Progress;

    /// The flow's label, or nothing if it is unknown; frees its state. The handle is of no use after it.
    fn finish(&mut self, handle: Handle, known: &Known<'_>) -> Option<AppLabel>;

    /// The label of a flow that was never begun, since it had no payload: by rules, names and ports alone.
    fn guess(&mut self, ends: &Ends, known: &Known<'_>) -> Option<AppLabel>;

    /// Flows that have begun and are not finished.
    fn open(&self) -> usize;

    /// Who makes the labels: a name and a version.
    fn describe(&self) -> String;
}
