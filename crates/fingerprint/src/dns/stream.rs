//! One direction of a DNS connection over TCP (RFC 7766): messages with their length before them.

use crate::assembler::Assembler;

/// Cuts one direction of a connection into messages.
///
/// A message that is longer than the 16 KiB that are kept ends the search in this direction; so does a gap that never
/// closes. Such a message is a zone transfer or the like.
#[derive(Debug, Default)]
pub struct Stream {
    next: Option<u32>,
    lost: bool,
    held: Option<Box<Assembler>>,
}

impl Stream {
    /// The direction begins: `sequence` is its SYN's sequence number.
    pub fn open(&mut self, sequence: u32) {
        if self.next.is_none() {
            self.next = Some(sequence.wrapping_add(1));
        }
    }

    /// A segment's payload and the sequence number of its first octet. Calls `each` for every message that it completes.
    /// Without [`Self::open`] the first segment is taken for the start of a message.
    pub fn segment(&mut self, sequence: u32, mut payload: &[u8], mut each: impl FnMut(&[u8])) {
        if self.lost || payload.is_empty() {
            return;
        }
        let next = *self.next.get_or_insert(sequence);
        let mut offset = sequence.wrapping_sub(next) as i32;
        if offset < 0 {
            match payload.get(offset.unsigned_abs() as usize..) {
                Some(rest) if !rest.is_empty() => payload = rest,
                _ => return,
            }
            offset = 0;
        }
        if offset == 0 && self.held.is_none() {
            let passed = self.cut(payload, &mut each);
            let rest = &payload[passed..];
            if !rest.is_empty() && !self.lost {
                self.hold(0, rest);
            }
            return;
        }
        self.hold(offset as usize, payload);
        if let Some(mut held) = self.held.take() {
            let passed = self.cut(held.ready(), &mut each);
            held.consume(passed);
            if held.is_empty() || self.lost {
                return;
            }
            self.held = Some(held);
        }
    }

    /// Octets of memory that it takes.
    pub fn memory(&self) -> usize {
        size_of::<Self>()
            + self.held.as_ref().map_or(0, |held| size_of::<Assembler>() + held.memory())
    }

    fn hold(&mut self, offset: usize, octets: &[u8]) {
        if offset.saturating_add(octets.len()) > Assembler::LIMIT {
            self.lost = true;
            self.held = None;
            return;
        }
        self.held.get_or_insert_default().insert(offset, octets);
    }

    /// Hands over the messages that are whole. Gives the octets that they took.
    fn cut(&mut self, data: &[u8], each: &mut impl FnMut(&[u8])) -> usize {
        let mut rest = data;
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((message, after)) = after.split_at_checked(length) else { break };
            if length > 0 {
                each(message);
            }
            rest = after;
        }
        let passed = data.len() - rest.len();
        self.next = self.next.map(|next| next.wrapping_add(passed as u32));
        passed
    }
}
