//! Community ID, version 1: one identifier for a flow in the tables of different monitors.
//!
//! Source: Corelight's Community ID specification. `1:` and the base64 of SHA-1 over seed, addresses, protocol, a zero octet
//! and ports, with the lower end first. ICMP types that ask and answer take the place of ports, so that both directions have
//! one identifier; other ICMP messages are of one direction, and their ends keep their order.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP6: u8 = 58;
const SCTP: u8 = 132;

/// Types of ICMP that belong together, to and fro.
const ICMP_PAIRS: [(u16, u16); 5] = [(0, 8), (9, 10), (13, 14), (15, 16), (17, 18)];
const ICMP6_PAIRS: [(u16, u16); 6] =
    [(128, 129), (130, 131), (133, 134), (135, 136), (139, 140), (144, 145)];

/// A Community ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommunityId([u8; 20]);

impl CommunityId {
    /// The identifier of a flow. `ports` are those of source and destination; of ICMP and ICMPv6 the type and the code of a
    /// message from source to destination. They do not count for protocols without ports. Both addresses are to be of one
    /// kind. `seed` keeps identifiers of different organisations apart; it is 0 unless told otherwise.
    pub fn new(
        seed: u16,
        source: IpAddr,
        destination: IpAddr,
        protocol: u8,
        ports: [u16; 2],
    ) -> Self {
        let (ports, one_way) = match protocol {
            TCP | UDP | SCTP => (Some(ports), false),
            ICMP => icmp_ports(ports, &ICMP_PAIRS),
            ICMP6 => icmp_ports(ports, &ICMP6_PAIRS),
            _ => (None, false),
        };
        let [source_port, destination_port] = ports.unwrap_or_default();
        let (source, destination) = ((source, source_port), (destination, destination_port));
        let (low, high) = if one_way || source <= destination {
            (source, destination)
        } else {
            (destination, source)
        };
        let mut hash = Sha1::new();
        hash.update(seed.to_be_bytes());
        for (address, _) in [low, high] {
            match address {
                IpAddr::V4(address) => hash.update(address.octets()),
                IpAddr::V6(address) => hash.update(address.octets()),
            }
        }
        hash.update([protocol, 0]);
        if ports.is_some() {
            hash.update(low.1.to_be_bytes());
            hash.update(high.1.to_be_bytes());
        }
        Self(hash.finalize().into())
    }
}

/// What stands for the ports, and whether the message is of one direction alone.
fn icmp_ports([kind, code]: [u16; 2], pairs: &[(u16, u16)]) -> (Option<[u16; 2]>, bool) {
    let other = pairs.iter().find_map(|(one, other)| match kind {
        kind if kind == *one => Some(*other),
        kind if kind == *other => Some(*one),
        _ => None,
    });
    (Some([kind, other.unwrap_or(code)]), other.is_none())
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Twenty octets are 28 characters.
        let mut text = [0; 28];
        let length = STANDARD.encode_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str("1:")?;
        f.write_str(std::str::from_utf8(&text[..length]).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protocol, ends, ports and the identifiers with seed 0 and 1, as published with the specification.
    const VECTORS: &str = "\
58 fe80::200:86ff:fe05:80da fe80::260:97ff:fe07:69ea 135 136 1:dGHyGvjMfljg6Bppwm3bg0LO8TY= 1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY=
58 fe80::260:97ff:fe07:69ea fe80::200:86ff:fe05:80da 136 135 1:dGHyGvjMfljg6Bppwm3bg0LO8TY= 1:kHa1FhMYIT6Ym2Vm2AOtoOARDzY=
58 fe80::260:97ff:fe07:69ea fe80::200:86ff:fe05:80da 135 136 1:zavyT/cezQr1fmImYCwYnMXbgck= 1:2hSqmsDZ2kdcY9kbiUzOEBic0iM=
58 fe80::200:86ff:fe05:80da fe80::260:97ff:fe07:69ea 136 135 1:zavyT/cezQr1fmImYCwYnMXbgck= 1:2hSqmsDZ2kdcY9kbiUzOEBic0iM=
58 3ffe:501:1800:2345::2 3ffe:507:0:1:200:86ff:fe05:80da 3 0 1:2ObVBgIn28oZvibYZhZMBgh7WdQ= 1:lVEtCZpYu84Xqaa++3lXFyuu2n4=
58 3ffe:501:410:0:2c0:dfff:fe47:33e 3ffe:507:0:1:200:86ff:fe05:80da 1 4 1:hLZd0XGWojozrvxqE0dWB1iM6R0= 1:W8MHwXpWzpoSTD+cGcaJr4u0ys8=
58 3ffe:507:0:1:200:86ff:fe05:80da 3ffe:501:0:1001::2 128 129 1:+TW+HtLHvV1xnGhV1lv7XoJrqQg= 1:GfZxjAkDk2MkegpBYHV6tadtFXQ=
58 3ffe:501:0:1001::2 3ffe:507:0:1:200:86ff:fe05:80da 129 128 1:+TW+HtLHvV1xnGhV1lv7XoJrqQg= 1:GfZxjAkDk2MkegpBYHV6tadtFXQ=
58 fe80::200:86ff:fe05:80da ff02::2 133 134 1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0= 1:L7Ka0ZMYu+J3bL4ulW2PrqyXNo8=
58 fe80::260:97ff:fe07:69ea ff02::1 134 133 1:pkvHqCL88/tg1k4cPigmZXUtL00= 1:K/ee5UCqAMAQXDorP5nSa2CGLjc=
58 3ffe:507:0:1:260:97ff:fe07:69ea 3ffe:507:0:1:200:86ff:fe05:80da 3 0 1:NdobDX8PQNJbAyfkWxhtL2Pqp5w= 1:OlOWx9psIbBFi7lOCw/4MhlKR9M=
58 3ffe:507:0:1:200:86ff:fe05:80da 3ffe:507:0:1:260:97ff:fe07:69ea 3 0 1:/OGBt9BN1ofenrmSPWYicpij2Vc= 1:Ij4ZxnC87/MXzhOjvH2vHu7LRmE=
1 192.168.0.89 192.168.0.1 8 0 1:X0snYXpgwiv9TZtqg64sgzUn6Dk= 1:03g6IloqVBdcZlPyX8r0hgoE7kA=
1 192.168.0.1 192.168.0.89 0 8 1:X0snYXpgwiv9TZtqg64sgzUn6Dk= 1:03g6IloqVBdcZlPyX8r0hgoE7kA=
1 192.168.0.89 192.168.0.1 20 0 1:3o2RFccXzUgjl7zDpqmY7yJi8rI= 1:lCXHHxavE1Vq3oX9NH5ladQg02o=
1 192.168.0.89 192.168.0.1 20 1 1:tz/fHIDUHs19NkixVVoOZywde+I= 1:Ie3wmFyxiEyikbsbcO03d2nh+PM=
1 192.168.0.1 192.168.0.89 0 20 1:X0snYXpgwiv9TZtqg64sgzUn6Dk= 1:03g6IloqVBdcZlPyX8r0hgoE7kA=
1 10.0.0.1 10.0.0.2 11 0 1:YHxtAirCG//0OzkcVAukqKQN9xM= 1:XjUibYHaafLQ3pxQeiMI8g25q20=
6 2001:470:e5bf:dead:4957:2174:e82c:4887 2607:f8b0:400c:c03::1a 63943 25 1:/qFaeAR+gFe1KYjMzVDsMv+wgU4= 1:eJYTW6AOzFLlSUoESovMjnu7rMw=
6 2607:f8b0:400c:c03::1a 2001:470:e5bf:dead:4957:2174:e82c:4887 25 63943 1:/qFaeAR+gFe1KYjMzVDsMv+wgU4= 1:eJYTW6AOzFLlSUoESovMjnu7rMw=
6 128.232.110.120 66.35.250.204 34855 80 1:LQU9qZlK+B5F3KDmev6m5PMibrg= 1:3V71V58M3Ksw/yuFALMcW0LAHvc=
6 66.35.250.204 128.232.110.120 80 34855 1:LQU9qZlK+B5F3KDmev6m5PMibrg= 1:3V71V58M3Ksw/yuFALMcW0LAHvc=
6 10.0.0.1 10.0.0.2 10 11569 1:SXBGMX1lBOwhhoDrZynfROxnhnM= 1:HmBRGR+fUyXF4t8WEtal7Y0gEAo=
132 192.168.170.8 192.168.170.56 7 7 1:MP2EtRCAUIZvTw6MxJHLV7N7JDs= 1:5w3ZRjeKBzqT3zsaEECDGjUbYeg=
132 192.168.170.56 192.168.170.8 7 7 1:MP2EtRCAUIZvTw6MxJHLV7N7JDs= 1:5w3ZRjeKBzqT3zsaEECDGjUbYeg=
132 192.168.170.8 192.168.170.56 7 80 1:jQgCxbku+pNGw8WPbEc/TS/uTpQ= 1:Y1/0jQg6e+I3ZwZZ9LP65DNbTXU=
17 192.168.1.52 8.8.8.8 54585 53 1:d/FP5EW3wiY1vCndhwleRRKHowQ= 1:Q9We8WO3piVF8yEQBNJF4uiSVrI=
17 8.8.8.8 192.168.1.52 53 54585 1:d/FP5EW3wiY1vCndhwleRRKHowQ= 1:Q9We8WO3piVF8yEQBNJF4uiSVrI=
46 10.1.12.1 10.1.12.2 0 0 1:KHlLkgoJW7ifUTyTSgyVfkFHzKw= 1:rYir8gphR31noO9iDRQmF/BteEI=
46 10.1.12.2 10.1.12.1 0 0 1:KHlLkgoJW7ifUTyTSgyVfkFHzKw= 1:rYir8gphR31noO9iDRQmF/BteEI=
46 10.1.24.4 10.1.12.1 0 0 1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4= 1:BK3BVW3U2eemuwVQVN3zd/GULno=
46 10.1.12.1 10.1.24.4 0 0 1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4= 1:BK3BVW3U2eemuwVQVN3zd/GULno=
";

    #[test]
    fn published_vectors() {
        for line in VECTORS.lines() {
            let fields: Vec<&str> = line.split(' ').collect();
            let (source, destination) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
            let ports = [fields[3].parse().unwrap(), fields[4].parse().unwrap()];
            let protocol = fields[0].parse().unwrap();
            for (seed, expect) in [(0, fields[5]), (1, fields[6])] {
                let id = CommunityId::new(seed, source, destination, protocol, ports);
                assert_eq!(id.to_string(), expect, "{line}");
            }
        }
    }
}
