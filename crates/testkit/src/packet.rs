//! Frames for tests, layer by layer from the outside in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rockfish_flow::TcpFlags;

use crate::checksum::{crc32c, internet_checksum};

#[derive(Clone, Debug)]
enum Layer {
    Ethernet {
        destination: [u8; 6],
        source: [u8; 6],
    },
    LinuxSll {
        source: [u8; 6],
    },
    LinuxSll2 {
        source: [u8; 6],
    },
    Null {
        big_endian: bool,
    },
    Vlan {
        ether_type: u16,
        id: u16,
    },
    Mpls {
        label: u32,
    },
    Pppoe {
        session: u16,
    },
    Ipv4 {
        source: Ipv4Addr,
        destination: Ipv4Addr,
        ttl: u8,
        id: u16,
        options: Vec<u8>,
        fragment: u16,
    },
    Ipv6 {
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
    },
    Extension {
        number: u8,
        body: Vec<u8>,
    },
    Fragment {
        id: u32,
        offset_and_more: u16,
    },
    Gre {
        key: Option<u32>,
        sequence: Option<u32>,
    },
    Udp {
        ports: [u16; 2],
        number: u8,
    },
    Tcp {
        ports: [u16; 2],
        sequence: u32,
        acknowledgement: u32,
        flags: TcpFlags,
        options: Vec<u8>,
    },
    Icmp {
        kind: u8,
        code: u8,
        rest: [u8; 4],
    },
    Sctp {
        ports: [u16; 2],
    },
    Vxlan {
        network: u32,
    },
    Geneve {
        network: u32,
        options: Vec<u8>,
    },
}

/// Builds a frame from layers, named from the outside in. Lengths, type fields and checksums are filled in.
///
/// ```
/// use rockfish_testkit::PacketBuilder;
///
/// let frame = PacketBuilder::ethernet([2; 6], [4; 6])
///     .vlan(7)
///     .ip("10.0.0.1", "10.0.0.2")
///     .udp(53, 1024)
///     .payload(b"hello")
///     .build();
/// assert_eq!(frame.len(), 14 + 4 + 20 + 8 + 5);
/// ```
///
/// # Panics
///
/// It is made for tests: addresses that do not parse, ends of different families and lengths beyond a header's field panic.
#[derive(Clone, Debug, Default)]
pub struct PacketBuilder {
    layers: Vec<Layer>,
    payload: Vec<u8>,
    innermost: Option<u16>,
}

impl PacketBuilder {
    /// Begins with an Ethernet header.
    pub fn ethernet(destination: [u8; 6], source: [u8; 6]) -> Self {
        Self::default().inner_ethernet(destination, source)
    }

    /// Begins with the IP header (link types RAW, IPV4, IPV6).
    pub fn raw() -> Self {
        Self::default()
    }

    /// Begins with a Linux cooked header.
    pub fn linux_sll(source: [u8; 6]) -> Self {
        Self::default().with(Layer::LinuxSll { source })
    }

    /// Begins with a Linux cooked header, version 2.
    pub fn linux_sll2(source: [u8; 6]) -> Self {
        Self::default().with(Layer::LinuxSll2 { source })
    }

    /// Begins with the address family of the BSD loopback (link type NULL), or LOOP if `big_endian`.
    pub fn null(big_endian: bool) -> Self {
        Self::default().with(Layer::Null { big_endian })
    }

    fn with(mut self, layer: Layer) -> Self {
        self.layers.push(layer);
        self
    }

    /// An Ethernet header inside a tunnel.
    pub fn inner_ethernet(self, destination: [u8; 6], source: [u8; 6]) -> Self {
        self.with(Layer::Ethernet { destination, source })
    }

    /// An 802.1Q tag.
    pub fn vlan(self, id: u16) -> Self {
        self.with(Layer::Vlan { ether_type: 0x8100, id })
    }

    /// An 802.1ad service tag, the outer one of QinQ.
    pub fn service_vlan(self, id: u16) -> Self {
        self.with(Layer::Vlan { ether_type: 0x88a8, id })
    }

    /// An MPLS label; the last of a row gets the bottom-of-stack bit.
    pub fn mpls(self, label: u32) -> Self {
        self.with(Layer::Mpls { label })
    }

    /// PPPoE session data.
    pub fn pppoe(self, session: u16) -> Self {
        self.with(Layer::Pppoe { session })
    }

    /// An IP header; the family is that of the two addresses.
    pub fn ip(self, source: &str, destination: &str) -> Self {
        let parse = |text: &str| -> IpAddr { text.parse().expect("an IP address") };
        self.ip_between(parse(source), parse(destination))
    }

    /// An IP header; the family is that of the two addresses.
    pub fn ip_between(self, source: IpAddr, destination: IpAddr) -> Self {
        self.with(match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Layer::Ipv4 {
                source,
                destination,
                ttl: 64,
                id: 1,
                options: Vec::new(),
                fragment: 0,
            },
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Layer::Ipv6 { source, destination, hop_limit: 64 }
            }
            _ => panic!("addresses of different families"),
        })
    }

    /// TTL or hop limit of the last IP header.
    pub fn ttl(mut self, value: u8) -> Self {
        match self.last_ip() {
            Layer::Ipv4 { ttl, .. } => *ttl = value,
            Layer::Ipv6 { hop_limit, .. } => *hop_limit = value,
            _ => {}
        }
        self
    }

    /// Identification of the last IPv4 header; also that of [`Self::fragments`] for IPv6.
    pub fn identification(mut self, value: u16) -> Self {
        if let Layer::Ipv4 { id, .. } = self.last_ip() {
            *id = value;
        }
        self
    }

    /// Options of the last IPv4 header, padded with zeros to whole words.
    pub fn ipv4_options(mut self, octets: &[u8]) -> Self {
        match self.last_ip() {
            Layer::Ipv4 { options, .. } => *options = padded(octets, 4),
            _ => panic!("IPv4 options in an IPv6 header"),
        }
        self
    }

    fn last_ip(&mut self) -> &mut Layer {
        let last = self.layers.iter_mut().rev().find(|layer| layer.is_ip());
        last.expect("an IP header before this")
    }

    /// An IPv6 extension header: 0 hop-by-hop, 43 routing, 60 destination options, 51 authentication, 135 mobility …; the
    /// body is what follows next header and length, padded as the header needs.
    pub fn extension(self, number: u8, body: &[u8]) -> Self {
        self.with(Layer::Extension { number, body: body.to_vec() })
    }

    /// An IPv6 fragment header as given: offset in octets, a multiple of 8.
    pub fn fragment_header(self, id: u32, offset: u16, more: bool) -> Self {
        self.with(Layer::Fragment { id, offset_and_more: (offset & !7) | u16::from(more) })
    }

    /// GRE (RFC 2784, RFC 2890), with a key or sequence number if given.
    pub fn gre(self, key: Option<u32>, sequence: Option<u32>) -> Self {
        self.with(Layer::Gre { key, sequence })
    }

    /// A UDP header.
    pub fn udp(self, source: u16, destination: u16) -> Self {
        self.with(Layer::Udp { ports: [source, destination], number: 17 })
    }

    /// A UDP-Lite header (RFC 3828) whose checksum covers the whole packet.
    pub fn udp_lite(self, source: u16, destination: u16) -> Self {
        self.with(Layer::Udp { ports: [source, destination], number: 136 })
    }

    /// A TCP header with the flags' letters, of `FSRPAUEC`, in any order.
    pub fn tcp(
        self,
        source: u16,
        destination: u16,
        flags: &str,
        sequence: u32,
        acknowledgement: u32,
    ) -> Self {
        let flags = flags.bytes().fold(TcpFlags::default(), |flags, letter| {
            let bit = TcpFlags::LETTERS.iter().position(|known| *known == letter);
            flags | TcpFlags::from_bits(1 << bit.expect("a letter of FSRPAUEC"))
        });
        self.with(Layer::Tcp {
            ports: [source, destination],
            sequence,
            acknowledgement,
            flags,
            options: Vec::new(),
        })
    }

    /// Options of the TCP header just named, padded with zeros to whole words.
    pub fn tcp_options(mut self, octets: &[u8]) -> Self {
        match self.layers.last_mut() {
            Some(Layer::Tcp { options, .. }) => *options = padded(octets, 4),
            _ => panic!("TCP options without a TCP header"),
        }
        self
    }

    /// An ICMP or, after an IPv6 header, ICMPv6 header; `rest` are its octets 4 to 7.
    pub fn icmp(self, kind: u8, code: u8, rest: [u8; 4]) -> Self {
        self.with(Layer::Icmp { kind, code, rest })
    }

    /// An SCTP common header with tag 1; chunks are the payload.
    pub fn sctp(self, source: u16, destination: u16) -> Self {
        self.with(Layer::Sctp { ports: [source, destination] })
    }

    /// A VXLAN header, after a UDP header.
    pub fn vxlan(self, network: u32) -> Self {
        self.with(Layer::Vxlan { network })
    }

    /// A Geneve header, after a UDP header, with options of whole words.
    pub fn geneve(self, network: u32, options: &[u8]) -> Self {
        self.with(Layer::Geneve { network, options: padded(options, 4) })
    }

    /// What follows the last header.
    pub fn payload(mut self, octets: &[u8]) -> Self {
        self.payload = octets.to_vec();
        self
    }

    /// Protocol number, EtherType or PPP protocol that the last header names for the payload, where no layer says it.
    pub fn payload_type(mut self, number: u16) -> Self {
        self.innermost = Some(number);
        self
    }

    /// The frame.
    pub fn build(&self) -> Vec<u8> {
        encode(&self.layers, &self.payload, self.innermost)
    }

    /// The frame's outermost IP packet in fragments that carry at most `size` octets, rounded down to a multiple of 8.
    /// Hop-by-hop and routing headers stay in front of each fragment. Without an IP header it is the whole frame.
    pub fn fragments(&self, size: usize) -> Vec<Vec<u8>> {
        let size = (size & !7).max(8);
        let Some(ip) = self.layers.iter().position(Layer::is_ip) else {
            return vec![self.build()];
        };
        let stays = |layer: &&Layer| matches!(layer, Layer::Extension { number: 0 | 43, .. });
        let split = ip + 1 + self.layers[ip + 1..].iter().take_while(stays).count();
        let (outside, inside) = self.layers.split_at(split);
        let version_6 = matches!(outside[ip], Layer::Ipv6 { .. });
        let next = inside
            .first()
            .map_or(self.innermost.unwrap_or(59), |layer| u16::from(layer.protocol(version_6)));
        // The checksums inside need the addresses outside.
        let whole = encode_inside(outside, inside, &self.payload, self.innermost);
        let mut frames = Vec::new();
        for (index, part) in whole.chunks(size).enumerate() {
            let offset = u16::try_from(index * size).expect("a datagram of at most 65,535 octets");
            let more = usize::from(offset) + part.len() < whole.len();
            let mut layers = outside.to_vec();
            match &mut layers[ip] {
                Layer::Ipv4 { fragment, .. } => *fragment = (offset / 8) | (u16::from(more) << 13),
                _ => layers
                    .push(Layer::Fragment { id: 1, offset_and_more: offset | u16::from(more) }),
            }
            frames.push(encode(&layers, part, Some(next)));
        }
        frames
    }
}

impl Layer {
    fn is_ip(&self) -> bool {
        matches!(self, Self::Ipv4 { .. } | Self::Ipv6 { .. })
    }

    /// The number by which an IP or extension header names this layer.
    fn protocol(&self, version_6: bool) -> u8 {
        match self {
            Self::Ipv4 { .. } => 4,
            Self::Ipv6 { .. } => 41,
            Self::Extension { number, .. } => *number,
            Self::Fragment { .. } => 44,
            Self::Gre { .. } => 47,
            Self::Udp { number, .. } => *number,
            Self::Tcp { .. } => 6,
            Self::Icmp { .. } => {
                if version_6 {
                    58
                } else {
                    1
                }
            }
            Self::Sctp { .. } => 132,
            Self::Mpls { .. } => 137,
            Self::Ethernet { .. } => 143,
            Self::LinuxSll { .. }
            | Self::LinuxSll2 { .. }
            | Self::Null { .. }
            | Self::Vlan { .. }
            | Self::Pppoe { .. }
            | Self::Vxlan { .. }
            | Self::Geneve { .. } => panic!("{self:?} cannot follow an IP header"),
        }
    }

    /// The number by which an Ethernet, VLAN, cooked, GRE or Geneve header names this layer.
    fn ether_type(&self) -> u16 {
        match self {
            Self::Ipv4 { .. } => 0x0800,
            Self::Ipv6 { .. } => 0x86dd,
            Self::Vlan { ether_type, .. } => *ether_type,
            Self::Mpls { .. } => 0x8847,
            Self::Pppoe { .. } => 0x8864,
            Self::Ethernet { .. } => 0x6558,
            other => panic!("{other:?} has no EtherType"),
        }
    }
}

fn padded(octets: &[u8], to: usize) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets.resize(octets.len().next_multiple_of(to), 0);
    octets
}

fn encode(layers: &[Layer], payload: &[u8], innermost: Option<u16>) -> Vec<u8> {
    encode_inside(&[], layers, payload, innermost)
}

/// The octets of `layers` with `payload`, given the layers outside them (for pseudo-headers).
fn encode_inside(
    outside: &[Layer],
    layers: &[Layer],
    payload: &[u8],
    innermost: Option<u16>,
) -> Vec<u8> {
    let all: Vec<&Layer> = outside.iter().chain(layers).collect();
    let mut body = payload.to_vec();
    for index in (outside.len()..all.len()).rev() {
        let next = all.get(index + 1).copied();
        let ip = all[..=index].iter().rev().find(|layer| layer.is_ip()).copied();
        let mut octets = header(all[index], next, ip, &body, innermost);
        octets.append(&mut body);
        body = octets;
    }
    body
}

fn length(value: usize) -> u16 {
    u16::try_from(value).expect("a length that its field can hold")
}

/// The transport checksum over pseudo-header, header and body (RFC 768, RFC 9293, RFC 8200 section 8.1).
fn transport_checksum(ip: Option<&Layer>, protocol: u8, header: &[u8], body: &[u8]) -> u16 {
    let total = (header.len() + body.len()) as u32;
    let pseudo = match ip {
        Some(Layer::Ipv4 { source, destination, .. }) => {
            [&source.octets()[..], &destination.octets(), &[0, protocol], &total.to_be_bytes()[2..]]
                .concat()
        }
        Some(Layer::Ipv6 { source, destination, .. }) => [
            &source.octets()[..],
            &destination.octets(),
            &total.to_be_bytes(),
            &[0, 0, 0, protocol],
        ]
        .concat(),
        _ => Vec::new(),
    };
    internet_checksum(&[&pseudo, header, body])
}

fn header(
    layer: &Layer,
    next: Option<&Layer>,
    ip: Option<&Layer>,
    body: &[u8],
    innermost: Option<u16>,
) -> Vec<u8> {
    let version_6 = matches!(ip, Some(Layer::Ipv6 { .. }));
    let ether_type = || next.map_or(innermost.unwrap_or(0x88b5), Layer::ether_type);
    let protocol = || next.map_or(innermost.unwrap_or(59) as u8, |next| next.protocol(version_6));
    let mut octets = Vec::with_capacity(64);
    match layer {
        Layer::Ethernet { destination, source } => {
            octets.extend([destination, source].into_iter().flatten());
            octets.extend(ether_type().to_be_bytes());
        }
        Layer::LinuxSll { source } => {
            octets.extend([0, 0, 0, 1, 0, 6]);
            octets.extend(source);
            octets.extend([0, 0]);
            octets.extend(ether_type().to_be_bytes());
        }
        Layer::LinuxSll2 { source } => {
            octets.extend(ether_type().to_be_bytes());
            octets.extend([0, 0, 0, 0, 0, 1, 0, 1, 0, 6]);
            octets.extend(source);
            octets.extend([0, 0]);
        }
        Layer::Null { big_endian } => {
            let family = if matches!(next, Some(Layer::Ipv6 { .. })) { 30_u32 } else { 2 };
            octets.extend(if *big_endian { family.to_be_bytes() } else { family.to_le_bytes() });
        }
        Layer::Vlan { id, .. } => {
            octets.extend((id & 0x0fff).to_be_bytes());
            octets.extend(ether_type().to_be_bytes());
        }
        Layer::Mpls { label } => {
            let bottom = u32::from(!matches!(next, Some(Layer::Mpls { .. })));
            octets.extend((label << 12 | bottom << 8 | 64).to_be_bytes());
        }
        Layer::Pppoe { session } => {
            let protocol = match next {
                Some(Layer::Ipv4 { .. }) => 0x0021,
                Some(Layer::Ipv6 { .. }) => 0x0057,
                _ => innermost.unwrap_or(0xc021),
            };
            octets.extend([0x11, 0]);
            octets.extend(session.to_be_bytes());
            octets.extend(length(body.len() + 2).to_be_bytes());
            octets.extend(protocol.to_be_bytes());
        }
        Layer::Ipv4 { source, destination, ttl, id, options, fragment } => {
            let words = 5 + options.len() / 4;
            assert!(words <= 15, "IPv4 options of at most 40 octets");
            octets.extend([0x40 | words as u8, 0]);
            octets.extend(length(words * 4 + body.len()).to_be_bytes());
            octets.extend(id.to_be_bytes());
            octets.extend(fragment.to_be_bytes());
            octets.extend([*ttl, protocol(), 0, 0]);
            octets.extend(source.octets());
            octets.extend(destination.octets());
            octets.extend(options);
            let sum = internet_checksum(&[&octets]);
            octets[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        Layer::Ipv6 { source, destination, hop_limit } => {
            octets.extend([0x60, 0, 0, 0]);
            octets.extend(length(body.len()).to_be_bytes());
            octets.extend([protocol(), *hop_limit]);
            octets.extend(source.octets());
            octets.extend(destination.octets());
        }
        Layer::Extension { number, body } => {
            // The authentication header counts words of 4 octets less two, the others words of 8 less one.
            let (unit, less) = if *number == 51 { (4, 2) } else { (8, 1) };
            let mut whole = vec![protocol(), 0];
            whole.extend(body);
            let mut whole = padded(&whole, 8);
            whole[1] = u8::try_from(whole.len() / unit - less)
                .expect("an extension header of at most 2,048 octets");
            octets = whole;
        }
        Layer::Fragment { id, offset_and_more } => {
            octets.extend([protocol(), 0]);
            octets.extend(offset_and_more.to_be_bytes());
            octets.extend(id.to_be_bytes());
        }
        Layer::Gre { key, sequence } => {
            let flags = u16::from(key.is_some()) << 13 | u16::from(sequence.is_some()) << 12;
            octets.extend(flags.to_be_bytes());
            octets.extend(ether_type().to_be_bytes());
            octets.extend(key.iter().chain(sequence).flat_map(|word| word.to_be_bytes()));
        }
        Layer::Udp { ports, number } => {
            octets.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
            octets.extend(length(8 + body.len()).to_be_bytes());
            octets.extend([0, 0]);
            // A sum of zero is written as ones: zero means that there is none.
            let sum = match transport_checksum(ip, *number, &octets, body) {
                0 => u16::MAX,
                sum => sum,
            };
            octets[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        Layer::Tcp { ports, sequence, acknowledgement, flags, options } => {
            let words = 5 + options.len() / 4;
            assert!(words <= 15, "TCP options of at most 40 octets");
            octets.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
            octets.extend(sequence.to_be_bytes());
            octets.extend(acknowledgement.to_be_bytes());
            octets.extend([(words as u8) << 4, flags.bits(), 0xfa, 0xf0, 0, 0, 0, 0]);
            octets.extend(options);
            let sum = transport_checksum(ip, 6, &octets, body);
            octets[16..18].copy_from_slice(&sum.to_be_bytes());
        }
        Layer::Icmp { kind, code, rest } => {
            octets.extend([*kind, *code, 0, 0]);
            octets.extend(rest);
            let sum = if version_6 {
                transport_checksum(ip, 58, &octets, body)
            } else {
                internet_checksum(&[&octets, body])
            };
            octets[2..4].copy_from_slice(&sum.to_be_bytes());
        }
        Layer::Sctp { ports } => {
            octets.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
            octets.extend([0, 0, 0, 1, 0, 0, 0, 0]);
            let sum = crc32c(&[&octets, body].concat());
            octets[8..12].copy_from_slice(&sum.to_le_bytes());
        }
        Layer::Vxlan { network } => {
            octets.extend([8, 0, 0, 0]);
            octets.extend((network << 8).to_be_bytes());
        }
        Layer::Geneve { network, options } => {
            let words =
                u8::try_from(options.len() / 4).expect("Geneve options of at most 252 octets");
            octets.extend([words & 0x3f, 0]);
            octets.extend(ether_type().to_be_bytes());
            octets.extend((network << 8).to_be_bytes());
            octets.extend(options);
        }
    }
    octets
}
