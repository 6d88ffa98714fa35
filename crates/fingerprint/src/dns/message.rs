//! One DNS message.

use std::net::IpAddr;

use super::name::Name;
use super::numbers::types;
use super::rdata;
use crate::bytes::Reader;

/// Octets of a header.
const HEADER: usize = 12;

/// Why octets are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// Shorter than a header.
    #[error("{found} octets, expected a header of 12")]
    Short {
        /// Octets that there are.
        found: usize,
    },
    /// The question is cut off or malformed.
    #[error("at octet {offset}: malformed question, expected a name, a type and a class")]
    Question {
        /// Where it begins.
        offset: usize,
    },
}

/// The header of a message (RFC 1035, section 4.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number that a response repeats.
    pub id: u16,
    /// Flags, operation and response code as on the wire.
    pub flags: u16,
    /// Questions that the header announces.
    pub questions: u16,
    /// Answers that the header announces.
    pub answers: u16,
    /// Authority records that the header announces.
    pub authorities: u16,
    /// Additional records that the header announces.
    pub additionals: u16,
}

impl Header {
    /// Whether it is a response.
    pub const fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// The operation; 0 is a query.
    pub const fn opcode(&self) -> u8 {
        (self.flags >> 11 & 15) as u8
    }

    /// Whether the answer is authoritative.
    pub const fn authoritative(&self) -> bool {
        self.flags & 0x0400 != 0
    }

    /// Whether the message was cut to fit a datagram.
    pub const fn truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// Whether recursion is desired.
    pub const fn recursion_desired(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// Whether recursion is available.
    pub const fn recursion_available(&self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// Whether the server has validated the data (RFC 4035).
    pub const fn authentic_data(&self) -> bool {
        self.flags & 0x0020 != 0
    }

    /// Whether the client does without validation (RFC 4035).
    pub const fn checking_disabled(&self) -> bool {
        self.flags & 0x0010 != 0
    }
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The name asked for.
    pub name: Name<'a>,
    /// Type of the records asked for.
    pub kind: u16,
    /// Class of the records asked for; in multicast DNS its highest bit asks for an answer to the asker alone.
    pub class: u16,
}

/// The section that a record is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Answers.
    Answer,
    /// Authorities.
    Authority,
    /// Additional records.
    Additional,
}

/// A resource record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The section that it is in.
    pub section: Section,
    /// Its owner.
    pub name: Name<'a>,
    /// Its type.
    pub kind: u16,
    /// Its class; of OPT the size of datagrams that the sender takes.
    pub class: u16,
    /// For how long it may be kept, in seconds; of OPT flags and more of the response code.
    pub ttl: u32,
    message: &'a [u8],
    data_at: usize,
    length: usize,
}

impl<'a> Record<'a> {
    /// Its data as on the wire; names in it may be compressed.
    pub fn data(&self) -> &'a [u8] {
        self.message.get(self.data_at..self.data_at + self.length).unwrap_or_default()
    }

    /// The address of an A or AAAA record.
    pub fn address(&self) -> Option<IpAddr> {
        match (self.kind, self.data()) {
            (types::A, data) => data.try_into().ok().map(|data: [u8; 4]| IpAddr::from(data)),
            (types::AAAA, data) => data.try_into().ok().map(|data: [u8; 16]| IpAddr::from(data)),
            _ => None,
        }
    }

    /// The name that a CNAME, DNAME, NS or PTR record gives.
    pub fn target(&self) -> Option<Name<'a>> {
        match self.kind {
            types::CNAME | types::DNAME | types::NS | types::PTR => {
                let (name, end) = Name::read(self.message, self.data_at)?;
                (end == self.data_at + self.length).then_some(name)
            }
            _ => None,
        }
    }

    /// Its data as text, in the form of zone files. Data of other types, or malformed, are `\#`, the number of octets and
    /// hexadecimal digits (RFC 3597, section 5).
    pub fn text(&self) -> String {
        rdata::text(self.message, self.kind, self.data_at, self.length)
    }
}

/// A DNS message where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    data: &'a [u8],
    /// Its header.
    pub header: Header,
    /// Its first question.
    pub question: Option<Question<'a>>,
    records_at: usize,
}

impl<'a> Message<'a> {
    /// Reads header and questions. Records are read by [`Self::records`].
    ///
    /// # Errors
    /// The header or a question is cut off or malformed; then it is not DNS, or damaged.
    pub fn parse(data: &'a [u8]) -> Result<Self, DnsError> {
        let mut reader = Reader(data);
        let Some([id, flags, questions, answers, authorities, additionals]) = (|| {
            let mut field = || reader.u16();
            Some([field()?, field()?, field()?, field()?, field()?, field()?])
        })() else {
            return Err(DnsError::Short { found: data.len() });
        };
        let mut question = None;
        let mut at = HEADER;
        for _ in 0..questions {
            let Some((read, end)) = read_question(data, at) else {
                return Err(DnsError::Question { offset: at });
            };
            question.get_or_insert(read);
            at = end;
        }
        let header = Header { id, flags, questions, answers, authorities, additionals };
        Ok(Self { data, header, question, records_at: at })
    }

    /// Its length in octets, without the length before it in TCP.
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// Its records in order, up to the first that is cut off or malformed.
    pub fn records(&self) -> Records<'a> {
        let Header { answers, authorities, additionals, .. } = self.header;
        Records { data: self.data, at: self.records_at, left: [answers, authorities, additionals] }
    }

    /// Its answers, up to the first that is cut off or malformed.
    pub fn answers(&self) -> impl Iterator<Item = Record<'a>> {
        self.records().take_while(|record| record.section == Section::Answer)
    }

    /// The response code with what EDNS adds to it (RFC 6891, section 6.1.3).
    pub fn rcode(&self) -> u16 {
        let low = self.header.flags & 15;
        // Most messages that could have more of it have one additional record, after all others.
        if self.header.additionals == 0 {
            return low;
        }
        let extended = self
            .records()
            .find(|record| record.section == Section::Additional && record.kind == types::OPT)
            .map_or(0, |record| (record.ttl >> 24) as u16);
        extended << 4 | low
    }

    /// Addresses that it gives for the name it was asked for: the name, the address, and for how many seconds that holds,
    /// which is the least along the way of aliases. Records for names that nobody asked for are left out.
    pub fn resolved(&self) -> impl Iterator<Item = (Name<'a>, IpAddr, u32)> {
        /// Aliases that are followed.
        const MOST_ALIASES: usize = 16;
        let question =
            self.question.filter(|_| self.header.is_response() && self.header.flags & 15 == 0);
        let mut aliases = 0;
        let mut current = question.map(|question| question.name);
        let mut least = u32::MAX;
        self.answers().filter_map(move |record| {
            let name = question?.name;
            if !record.name.matches(&current?) {
                return None;
            }
            if record.kind == types::CNAME {
                aliases += 1;
                if aliases <= MOST_ALIASES {
                    current = record.target();
                    least = least.min(record.ttl);
                }
                return None;
            }
            record.address().map(|address| (name, address, least.min(record.ttl)))
        })
    }
}

fn read_question(data: &[u8], at: usize) -> Option<(Question<'_>, usize)> {
    let (name, end) = Name::read(data, at)?;
    let mut reader = Reader(data.get(end..)?);
    Some((Question { name, kind: reader.u16()?, class: reader.u16()? }, end + 4))
}

/// The records of a message.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    data: &'a [u8],
    at: usize,
    left: [u16; 3],
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        const SECTIONS: [Section; 3] = [Section::Answer, Section::Authority, Section::Additional];
        let place = self.left.iter().position(|left| *left > 0)?;
        let record = self.read(SECTIONS[place]);
        match record {
            Some(_) => self.left[place] -= 1,
            // Where a record ends that cannot be read, nobody knows.
            None => self.left = [0; 3],
        }
        record
    }
}

impl<'a> Records<'a> {
    fn read(&mut self, section: Section) -> Option<Record<'a>> {
        let (name, end) = Name::read(self.data, self.at)?;
        let mut reader = Reader(self.data.get(end..)?);
        let (kind, class, ttl) = (reader.u16()?, reader.u16()?, reader.u32()?);
        let length = reader.vector16()?.len();
        let data_at = end + 10;
        self.at = data_at + length;
        Some(Record { section, name, kind, class, ttl, message: self.data, data_at, length })
    }
}
