//! The state of one flow while its hellos are looked for.

use crate::assembler::Assembler;
use crate::hello::{Hellos, Transport};
use crate::preamble::{self, Token};
use crate::{dtls, quic, tls};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// Packets with payload that a direction may have before it is given up.
const MOST_PACKETS: u8 = 48;
/// Octets of dialogue before TLS that are read.
const MOST_PREAMBLE: u16 = 8 << 10;
/// Packets of a direction that did not begin with a SYN in which the start may still come late.
const LATE_STARTS: u8 = 3;
/// Datagrams that are nothing known, after which a flow is given up.
const MOST_UNKNOWN: u8 = 4;

/// Whether more packets can tell more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Give it the next packet.
    More,
    /// All is known that will be; further packets change nothing and the state may be dropped.
    Done,
}

/// What one direction has turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    #[default]
    Open,
    /// Its hello is in the result.
    Hello,
    /// There is none.
    None,
}

#[derive(Debug, Default)]
struct Direction {
    side: Side,
    /// Whether `next` is the start of the stream for certain.
    anchored: bool,
    /// Whether what is there cannot be the start of anything known; an earlier packet may still change that.
    refused: bool,
    /// Whether TLS may stand at `next`.
    before_tls: bool,
    xml: bool,
    packets: u8,
    /// Octets of dialogue that were passed over.
    passed: u16,
    /// Octets from `next` on that have to be there before looking again.
    need: u16,
    /// Sequence number of the first octet not passed over.
    next: Option<u32>,
    held: Option<Box<Assembler>>,
}

/// Reads the hellos of one bidirectional flow.
///
/// It is small as long as hellos are not split, and holds at most [`Self::MOST_MEMORY`] octets. Which direction the
/// ClientHello comes from does not matter: the result says it ([`Hellos::client_is_initiator`]).
///
/// The payload must be whole packets' payload. What it finds does not depend on the order in which a direction's packets
/// come, if [`Self::open`] was told of its SYN.
#[derive(Debug)]
pub struct Handshake {
    protocol: u8,
    done: bool,
    unknown: u8,
    directions: [Direction; 2],
    quic: Option<Box<quic::State>>,
    dtls: [Option<Box<dtls::Fragments>>; 2],
    hellos: Option<Box<Hellos>>,
}

impl Handshake {
    /// Octets that one flow's state takes at most, with all that it points to.
    pub const MOST_MEMORY: usize = 3 * (Assembler::LIMIT + 1024) + 8192;

    /// The state of a new flow; `protocol` is IANA's number. Of other protocols than TCP and UDP nothing is read.
    pub fn new(protocol: u8) -> Self {
        Self {
            protocol,
            done: !matches!(protocol, TCP | UDP),
            unknown: 0,
            directions: Default::default(),
            quic: None,
            dtls: [None, None],
            hellos: None,
        }
    }

    /// A TCP direction begins: `sequence` is its SYN's sequence number.
    pub fn open(&mut self, from_initiator: bool, sequence: u32) {
        let direction = &mut self.directions[usize::from(from_initiator)];
        if direction.next.is_none() {
            direction.next = Some(sequence.wrapping_add(1));
            direction.anchored = true;
        }
    }

    /// Payload of a UDP datagram; or of TCP, if it comes in order and without gaps.
    pub fn packet(&mut self, from_initiator: bool, payload: &[u8]) -> Progress {
        if self.done || payload.is_empty() {
            return self.progress();
        }
        if self.protocol == UDP {
            return self.datagram(from_initiator, payload);
        }
        let direction = &mut self.directions[usize::from(from_initiator)];
        let next = *direction.next.get_or_insert(0);
        direction.anchored = true;
        let held = direction.held.as_ref().map_or(0, |held| held.ready().len() as u32);
        self.segment(from_initiator, next.wrapping_add(held), payload)
    }

    /// Payload of a TCP segment; `sequence` is the number of its first octet, which with a SYN is one more than the header
    /// says. Retransmitted, overlapping and early segments are put in order.
    pub fn segment(&mut self, from_initiator: bool, sequence: u32, payload: &[u8]) -> Progress {
        if self.done || payload.is_empty() || self.protocol != TCP {
            return self.progress();
        }
        let direction = &mut self.directions[usize::from(from_initiator)];
        if direction.side == Side::Open {
            direction.packets += 1;
            direction.segment(sequence, payload, from_initiator, &mut self.hellos);
            if direction.side == Side::Open && direction.packets >= MOST_PACKETS {
                direction.close(Side::None);
            }
            self.settle();
        }
        self.progress()
    }

    /// What is known so far.
    pub fn hellos(&self) -> Option<&Hellos> {
        self.hellos.as_deref()
    }

    /// What was found; the state is of no use after it.
    pub fn into_hellos(self) -> Option<Box<Hellos>> {
        self.hellos
    }

    /// Octets of memory that it takes, with all that it points to.
    pub fn memory(&self) -> usize {
        let directions: usize = self
            .directions
            .iter()
            .filter_map(|direction| direction.held.as_ref())
            .map(|held| size_of::<Assembler>() + held.memory())
            .sum();
        let dtls: usize = self.dtls.iter().flatten().map(|fragments| fragments.memory()).sum();
        size_of::<Self>()
            + directions
            + dtls
            + self.quic.as_ref().map_or(0, |state| state.memory())
            + self.hellos.as_ref().map_or(0, |hellos| hellos.memory())
    }

    #[inline]
    fn progress(&self) -> Progress {
        if self.done { Progress::Done } else { Progress::More }
    }

    /// Whether a TCP flow can tell more.
    fn settle(&mut self) {
        let [a, b] = &self.directions;
        // A direction that leads nowhere ends the search, unless the other one is in the middle of a dialogue.
        let ends = |one: &Direction, other: &Direction| {
            one.side == Side::None && other.side == Side::Open && other.passed == 0
        };
        if a.side != Side::Open && b.side != Side::Open || ends(a, b) || ends(b, a) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.done = true;
        self.quic = None;
        self.dtls = [None, None];
        for direction in &mut self.directions {
            direction.held = None;
        }
    }

    fn datagram(&mut self, from_initiator: bool, payload: &[u8]) -> Progress {
        let direction = &mut self.directions[usize::from(from_initiator)];
        direction.packets = direction.packets.saturating_add(1);
        if direction.packets >= MOST_PACKETS {
            self.finish();
            return Progress::Done;
        }
        let mut payload = payload;
        // What is wrapped in relaying is looked at as if it were not.
        for _ in 0..2 {
            if dtls::is_record(payload) {
                self.dtls(from_initiator, payload);
                return self.progress();
            }
            if quic::is_long_header(payload) {
                self.quic(from_initiator, payload);
                return self.progress();
            }
            match relayed(payload) {
                Relayed::Inner(inner) => payload = inner,
                Relayed::Other => return Progress::More,
                Relayed::Nothing => break,
            }
        }
        if let Some(version) = quic::google_version(payload) {
            if quic::google_hello(version, payload, &mut self.hellos) == quic::Found::Client {
                self.client_is(from_initiator);
                self.finish();
            }
            return self.progress();
        }
        self.unknown += 1;
        if self.unknown >= MOST_UNKNOWN {
            self.finish();
        }
        self.progress()
    }

    fn client_is(&mut self, from_initiator: bool) {
        if let Some(hellos) = &mut self.hellos {
            hellos.client_is_initiator = Some(from_initiator);
        }
    }

    fn dtls(&mut self, from_initiator: bool, payload: &[u8]) {
        let index = usize::from(from_initiator);
        if self.directions[index].side != Side::Open {
            return;
        }
        match dtls::datagram(payload, &mut self.dtls[index], &mut self.hellos) {
            dtls::Found::Client => {
                self.directions[index].side = Side::Hello;
                self.client_is(from_initiator);
            }
            dtls::Found::Server => {
                self.directions[index].side = Side::Hello;
                self.client_is(!from_initiator);
            }
            dtls::Found::Other | dtls::Found::Nothing => {}
        }
        if self.directions.iter().all(|direction| direction.side == Side::Hello) {
            self.finish();
        }
    }

    fn quic(&mut self, from_initiator: bool, payload: &[u8]) {
        match quic::datagram(from_initiator, payload, &mut self.quic, &mut self.hellos) {
            quic::Found::Client => {
                self.client_is(from_initiator);
                self.finish();
            }
            quic::Found::Hopeless => self.finish(),
            quic::Found::Other | quic::Found::Nothing => {}
        }
    }
}

impl Direction {
    fn close(&mut self, side: Side) {
        self.side = side;
        self.held = None;
    }

    fn segment(
        &mut self,
        sequence: u32,
        mut payload: &[u8],
        from_initiator: bool,
        hellos: &mut Option<Box<Hellos>>,
    ) {
        let next = *self.next.get_or_insert(sequence);
        let mut offset = sequence.wrapping_sub(next) as i32;
        if offset < 0 {
            let before = offset.unsigned_abs() as usize;
            if !self.anchored && self.passed == 0 && before <= Assembler::LIMIT {
                // The capture began with a later packet.
                self.next = Some(sequence);
                self.refused = false;
                self.need = 0;
                if let Some(held) = &mut self.held
                    && !held.prepend_room(before)
                {
                    self.held = None;
                }
            } else {
                match payload.get(before..) {
                    Some(rest) if !rest.is_empty() => payload = rest,
                    _ => return,
                }
            }
            offset = 0;
        }
        let offset = offset as usize;
        if offset == 0 && self.held.is_none() {
            let passed = self.read(payload, from_initiator, hellos);
            if self.side == Side::Open
                && let Some(rest) = payload.get(passed..)
                && !rest.is_empty()
            {
                self.held.get_or_insert_default().insert(0, rest);
            }
        } else {
            if offset >= Assembler::LIMIT {
                return;
            }
            let mut held = self.held.take().unwrap_or_default();
            held.insert(offset, payload);
            if held.ready().len() >= usize::from(self.need).max(1) && !self.refused {
                let passed = self.read(held.ready(), from_initiator, hellos);
                held.consume(passed);
            } else if self.refused {
                self.refuse();
            }
            if self.side == Side::Open {
                self.held = Some(held);
            }
        }
    }

    /// What is there leads nowhere.
    fn refuse(&mut self) {
        self.refused = true;
        if self.anchored || self.passed > 0 || self.packets > LATE_STARTS {
            self.close(Side::None);
        }
    }

    /// Looks at the octets from `next` on. Gives how many of them were passed over.
    fn read(
        &mut self,
        data: &[u8],
        from_initiator: bool,
        hellos: &mut Option<Box<Hellos>>,
    ) -> usize {
        let mut passed = 0;
        loop {
            let rest = &data[passed..];
            if rest.is_empty() {
                self.need = 1;
                return passed;
            }
            let tls = self.passed == 0 || self.before_tls;
            if tls {
                match tls::warning(rest) {
                    tls::Warning::Whole(count) => {
                        self.before_tls = true;
                        if !self.pass(count) {
                            self.close(Side::None);
                            return passed;
                        }
                        passed += count;
                        continue;
                    }
                    tls::Warning::Need(need) => {
                        self.need = need as u16;
                        return passed;
                    }
                    tls::Warning::Nothing => {}
                }
                if tls::may_be_old_client(rest) {
                    self.need = tls::OLD_CLIENT as u16;
                    return passed;
                }
                if let Some(version) = tls::old_client(rest) {
                    let hellos = hellos.get_or_insert_default();
                    hellos.transport = Some(Transport::Tls);
                    hellos.client_version = Some(version);
                    hellos.client_is_initiator = Some(from_initiator);
                    self.close(Side::Hello);
                    return passed;
                }
            }
            if tls && tls::may_start(rest) {
                match tls::look(rest, hellos) {
                    tls::Found::Need(need) => self.need = need.min(usize::from(u16::MAX)) as u16,
                    found @ (tls::Found::Client | tls::Found::Server) => {
                        if let Some(hellos) = hellos {
                            let client = (found == tls::Found::Client) == from_initiator;
                            hellos.client_is_initiator = Some(client);
                        }
                        self.close(Side::Hello);
                    }
                    tls::Found::Nothing => self.refuse(),
                }
                return passed;
            }
            match preamble::token(rest, self.xml) {
                Token::Skip(count, leads) => {
                    self.xml |= rest[0] == b'<';
                    self.before_tls = leads;
                    if !self.pass(count) {
                        self.close(Side::None);
                        return passed;
                    }
                    passed += count;
                }
                Token::Blank(count) => {
                    if !self.pass(count) {
                        self.close(Side::None);
                        return passed;
                    }
                    passed += count;
                }
                Token::Need(need) => {
                    self.need = need.min(usize::from(u16::MAX)) as u16;
                    return passed;
                }
                Token::Http(host) => {
                    if let Some(host) = host {
                        let hellos = hellos.get_or_insert_default();
                        hellos.http_host.get_or_insert(host);
                    }
                    self.close(Side::None);
                    return passed;
                }
                Token::Nothing => {
                    self.refuse();
                    return passed;
                }
            }
        }
    }

    /// Moves `next` on; false if the dialogue is too long.
    fn pass(&mut self, count: usize) -> bool {
        let Some(passed) =
            u16::try_from(count).ok().and_then(|count| self.passed.checked_add(count))
        else {
            return false;
        };
        self.passed = passed;
        self.next = self.next.map(|next| next.wrapping_add(count as u32));
        passed <= MOST_PREAMBLE
    }
}

enum Relayed<'a> {
    /// What a relaying message carries.
    Inner(&'a [u8]),
    /// A message of STUN or TURN that carries nothing.
    Other,
    /// Something else.
    Nothing,
}

/// STUN (RFC 8489) and TURN (RFC 8656): media and data channels begin with them, then come DTLS and packets of media.
fn relayed(datagram: &[u8]) -> Relayed<'_> {
    const COOKIE: &[u8] = &[0x21, 0x12, 0xa4, 0x42];
    const DATA: u16 = 0x0013;
    match datagram {
        [0..=3, _, _, _, cookie @ ..] if cookie.starts_with(COOKIE) => {
            let kind = u16::from_be_bytes([datagram[0], datagram[1]]);
            // Send and data indications.
            if !matches!(kind, 0x0016 | 0x0017) {
                return Relayed::Other;
            }
            let mut attributes = crate::bytes::Reader(datagram.get(20..).unwrap_or_default());
            while let (Some(kind), Some(value)) = (attributes.u16(), attributes.vector16()) {
                if kind == DATA {
                    return Relayed::Inner(value);
                }
                attributes.take(value.len().wrapping_neg() & 3);
            }
            Relayed::Other
        }
        [0x40..=0x4f, _, high, low, data @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            match data.get(..length) {
                Some(data) if dtls::is_record(data) => Relayed::Inner(data),
                _ => Relayed::Nothing,
            }
        }
        _ => Relayed::Nothing,
    }
}

impl Transport {
    /// `tls`, `dtls` or `quic`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Dtls => "dtls",
            Self::Quic(_) | Self::GoogleQuic(_) => "quic",
        }
    }
}
