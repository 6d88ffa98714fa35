//! Link types of capture files, by their registered numbers (draft-ietf-opsawg-pcaplinktype).

/// A link-layer header type that can be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum LinkType {
    /// BSD loopback, address family in host order of the capturing machine.
    Null,
    /// IEEE 802.3 Ethernet.
    Ethernet,
    /// PPP, with or without HDLC-like framing (RFC 1661, RFC 1662).
    Ppp,
    /// PPP over a serial line with HDLC framing (RFC 1662, section 3.1).
    PppHdlc,
    /// PPPoE session packet without the Ethernet header.
    PppEther,
    /// An IPv4 or IPv6 packet; which of the two, its version field says.
    RawIp,
    /// OpenBSD loopback, address family in network order.
    Loop,
    /// Linux cooked capture.
    LinuxSll,
    /// An IPv4 packet.
    RawIpv4,
    /// An IPv6 packet.
    RawIpv6,
    /// Linux cooked capture, version 2.
    LinuxSll2,
}

impl LinkType {
    /// What is decoded: number in capture files, name, type. Raw IP has three numbers, for old captures of several systems.
    pub const TABLE: [(u16, &'static str, Self); 13] = [
        (0, "NULL", Self::Null),
        (1, "ETHERNET", Self::Ethernet),
        (9, "PPP", Self::Ppp),
        (12, "RAW", Self::RawIp),
        (14, "RAW", Self::RawIp),
        (50, "PPP_HDLC", Self::PppHdlc),
        (51, "PPP_ETHER", Self::PppEther),
        (101, "RAW", Self::RawIp),
        (108, "LOOP", Self::Loop),
        (113, "LINUX_SLL", Self::LinuxSll),
        (228, "IPV4", Self::RawIpv4),
        (229, "IPV6", Self::RawIpv6),
        (276, "LINUX_SLL2", Self::LinuxSll2),
    ];

    /// The type with this number, if it can be decoded.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::TABLE.iter().find(|(n, _, _)| *n == number).map(|(_, _, link)| *link)
    }

    /// The number that a capture file has for it; for raw IP the registered one.
    pub fn number(self) -> u16 {
        match self {
            Self::RawIp => 101,
            _ => Self::TABLE.iter().find(|(_, _, link)| *link == self).map_or(0, |(n, _, _)| *n),
        }
    }

    /// Its registered name without `LINKTYPE_`.
    pub fn name(self) -> &'static str {
        Self::TABLE.iter().find(|(_, _, link)| *link == self).map_or("", |(_, name, _)| name)
    }
}
