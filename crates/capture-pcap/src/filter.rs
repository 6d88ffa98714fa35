//! A filter expression, compiled for the link types that occur.

use pcap::{Capture, Linktype};
use rockfish_packet::LinkType;

use crate::program::{Program, UnknownInstruction};

/// What libpcap says of an expression that no packet of a link type can match, such as `ip6` on raw IPv4.
const REJECTS_ALL: &str = "expression rejects all packets";

/// Why an expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// libpcap does not understand it, or it does not suit the link type.
    #[error("filter \"{expression}\" for link type {}: {message}", link.name())]
    Compile {
        /// The expression.
        expression: String,
        /// What it was compiled for.
        link: LinkType,
        /// What libpcap says.
        message: String,
    },
    /// libpcap made an instruction that is not one of the classic filter machine.
    #[error("filter \"{expression}\" for link type {}: {instruction}", link.name())]
    Instruction {
        /// The expression.
        expression: String,
        /// What it was compiled for.
        link: LinkType,
        /// Which one.
        instruction: UnknownInstruction,
    },
}

/// A filter expression in libpcap's language.
#[derive(Clone, Debug)]
pub struct BpfFilter {
    expression: String,
    /// One for each link type seen: a handful at most, searched from the front.
    programs: Vec<(LinkType, Program)>,
}

impl BpfFilter {
    /// Compiles `expression` for these link types. An empty expression matches every packet.
    ///
    /// # Errors
    /// It cannot be compiled for one of them, or no packet of any of them could match it.
    pub fn compile(expression: &str, links: &[LinkType]) -> Result<Self, FilterError> {
        let mut filter = Self { expression: expression.trim().to_owned(), programs: Vec::new() };
        if filter.expression.is_empty() {
            return Ok(filter);
        }
        let mut rejects_all = None;
        for link in links {
            match filter.compile_for(*link) {
                Ok(program) => filter.programs.push((*link, program)),
                Err(error) if error.is_rejects_all() => {
                    filter.programs.push((*link, Program::reject()));
                    rejects_all = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        match rejects_all {
            Some(error) if filter.programs.iter().all(|(_, program)| program.is_reject()) => {
                Err(error)
            }
            _ => Ok(filter),
        }
    }

    /// Whether a packet matches: `data` are its captured octets, `wire` is its length on the wire. For a link type
    /// met for the first time the expression is compiled.
    ///
    /// # Errors
    /// The expression cannot be compiled for a link type that was not among the first ones.
    #[inline]
    pub fn matches(&mut self, link: LinkType, wire: u32, data: &[u8]) -> Result<bool, FilterError> {
        if self.expression.is_empty() {
            return Ok(true);
        }
        let link = effective_link(link, data);
        if let Some((_, program)) = self.programs.iter().find(|(known, _)| *known == link) {
            return Ok(program.matches(wire, data));
        }
        let program = match self.compile_for(link) {
            Ok(program) => program,
            Err(error) if error.is_rejects_all() => Program::reject(),
            Err(error) => return Err(error),
        };
        let result = program.matches(wire, data);
        self.programs.push((link, program));
        Ok(result)
    }

    fn compile_for(&self, link: LinkType) -> Result<Program, FilterError> {
        let failed = |message: String| FilterError::Compile {
            expression: self.expression.clone(),
            link,
            message,
        };
        if let Some(at) = self.expression.find('\0') {
            return Err(failed(format!("zero octet at byte {at}")));
        }
        let text = |error| match error {
            pcap::Error::PcapError(message) => message,
            other => other.to_string(),
        };
        let handle = Capture::dead(Linktype(data_link_type(link))).map_err(|e| failed(text(e)))?;
        let compiled = handle.compile(&self.expression, true).map_err(|e| failed(text(e)))?;
        Program::new(compiled.get_instructions()).map_err(|instruction| FilterError::Instruction {
            expression: self.expression.clone(),
            link,
            instruction,
        })
    }
}

impl FilterError {
    fn is_rejects_all(&self) -> bool {
        matches!(self, Self::Compile { message, .. } if message == REJECTS_ALL)
    }
}

/// In which of the two loopback formats a packet is to be matched.
///
/// The address family stands in the order of the machine that captured, and libpcap compiles for the order of this one
/// unless it reads the file itself. A family is a small number: when the first two octets are zero it stands in network
/// order, which is what the other format always has.
#[inline]
fn effective_link(link: LinkType, data: &[u8]) -> LinkType {
    match (link, data) {
        (LinkType::Null, [0, 0, ..]) => LinkType::Loop,
        _ => link,
    }
}

/// libpcap's number for a link type in memory, which for some differs from that in files, and between systems.
fn data_link_type(link: LinkType) -> i32 {
    let openbsd = cfg!(target_os = "openbsd");
    match link {
        LinkType::RawIp if openbsd => 14,
        LinkType::RawIp => 12,
        LinkType::Loop if openbsd => 12,
        other => i32::from(other.number()),
    }
}
