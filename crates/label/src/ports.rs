//! What a protocol's number or a port suggests, where no payload tells.

use crate::AppName;

/// What the protocol number or one of the ports is registered or commonly used for. The lower port goes first: it is more
/// often the service's.
pub fn service_of_ports(protocol: u8, one: u16, other: u16) -> Option<AppName> {
    let table = match protocol {
        6 => TCP,
        17 => UDP,
        132 if one == 0 && other == 0 => return Some(AppName::SCTP),
        _ => return of_protocol(protocol),
    };
    let find = |port: u16| {
        table.binary_search_by_key(&port, |(port, _)| *port).ok().map(|place| table[place].1)
    };
    find(one.min(other)).or_else(|| find(one.max(other)))
}

/// The name of a protocol that is one above IP.
pub(crate) fn of_protocol(protocol: u8) -> Option<AppName> {
    Some(match protocol {
        1 => AppName::ICMP,
        2 => AppName::IGMP,
        4 => AppName::IP_IN_IP,
        8 => AppName::EGP,
        47 => AppName::GRE,
        50 => AppName::ESP,
        51 => AppName::AH,
        58 => AppName::ICMPV6,
        89 => AppName::IP_OSPF,
        103 => AppName::IP_PIM,
        112 => AppName::VRRP,
        113 => AppName::PGM,
        132 => AppName::SCTP,
        _ => return None,
    })
}

/// Whether a protocol that the payload shows is usual at one of these ports.
pub(crate) fn is_usual(name: AppName, protocol: u8, one: u16, other: u16) -> bool {
    let table = match protocol {
        6 => TCP,
        17 => UDP,
        _ => return true,
    };
    let mut ports =
        table.iter().filter(|(_, other)| *other == name).map(|(port, _)| *port).peekable();
    // A protocol without a port of its own is usual anywhere.
    ports.peek().is_none() || ports.any(|port| port == one || port == other)
}

// By port: they are searched.
const TCP: &[(u16, AppName)] = &[
    (20, AppName::FTP_DATA),
    (21, AppName::FTP_CONTROL),
    (22, AppName::SSH),
    (23, AppName::TELNET),
    (25, AppName::SMTP),
    (43, AppName::WHOIS),
    (53, AppName::DNS),
    (80, AppName::HTTP),
    (88, AppName::KERBEROS),
    (104, AppName::DICOM),
    (110, AppName::POP3),
    (135, AppName::DCERPC),
    (139, AppName::NETBIOS),
    (143, AppName::IMAP),
    (177, AppName::XDMCP),
    (179, AppName::BGP),
    (194, AppName::IRC),
    (389, AppName::LDAP),
    (427, AppName::SLP),
    (443, AppName::TLS),
    (445, AppName::SMB_V23),
    (465, AppName::SMTPS),
    (500, AppName::IPSEC),
    (502, AppName::MODBUS),
    (514, AppName::SYSLOG),
    (548, AppName::AFP),
    (554, AppName::RTSP),
    (587, AppName::SMTP),
    (601, AppName::SYSLOG),
    (646, AppName::LDP),
    (655, AppName::TINC),
    (853, AppName::DOH_DOT),
    (873, AppName::RSYNC),
    (903, AppName::VMWARE),
    (993, AppName::IMAPS),
    (995, AppName::POPS),
    (1080, AppName::SOCKS),
    (1099, AppName::JRMI),
    (1119, AppName::BLIZZARD),
    (1194, AppName::OPENVPN),
    (1352, AppName::HCL_NOTES),
    (1433, AppName::MSSQL),
    (1434, AppName::MSSQL),
    (1494, AppName::CITRIX),
    (1521, AppName::ORACLE),
    (1719, AppName::H323),
    (1720, AppName::H323),
    (1812, AppName::RADIUS),
    (1813, AppName::RADIUS),
    (1883, AppName::MQTT),
    (1935, AppName::RTMP),
    (2000, AppName::SKINNY),
    (2049, AppName::NFS),
    (2404, AppName::IEC60870),
    (2575, AppName::HL7),
    (2598, AppName::CITRIX),
    (2605, AppName::BGP),
    (3128, AppName::HTTP_PROXY),
    (3201, AppName::SAP),
    (3300, AppName::CEPH),
    (3306, AppName::MYSQL),
    (3389, AppName::RDP),
    (3478, AppName::STUN),
    (3671, AppName::KNXNET_IP),
    (3868, AppName::DIAMETER),
    (4569, AppName::IAX),
    (4840, AppName::OPC_UA),
    (5060, AppName::SIP),
    (5061, AppName::SIP),
    (5094, AppName::HART_IP),
    (5355, AppName::LLMNR),
    (5432, AppName::POSTGRESQL),
    (5800, AppName::VNC),
    (5900, AppName::VNC),
    (5901, AppName::VNC),
    (5938, AppName::TEAMVIEWER),
    (6379, AppName::RESP),
    (6514, AppName::SYSLOG),
    (6556, AppName::CHECKMK),
    (6653, AppName::OPENFLOW),
    (6789, AppName::CEPH),
    (6881, AppName::BITTORRENT),
    (6882, AppName::BITTORRENT),
    (6883, AppName::BITTORRENT),
    (6884, AppName::BITTORRENT),
    (6885, AppName::BITTORRENT),
    (6886, AppName::BITTORRENT),
    (6887, AppName::BITTORRENT),
    (6888, AppName::BITTORRENT),
    (6889, AppName::BITTORRENT),
    (7000, AppName::CASSANDRA),
    (8080, AppName::HTTP_PROXY),
    (8333, AppName::BITCOIN),
    (8883, AppName::MQTT),
    (9042, AppName::CASSANDRA),
    (9092, AppName::KAFKA),
    (9418, AppName::GIT),
    (10000, AppName::CISCO_VPN),
    (10050, AppName::ZABBIX),
    (10051, AppName::ZABBIX),
    (11211, AppName::MEMCACHED),
    (20000, AppName::DNP3),
    (27017, AppName::MONGODB),
    (30303, AppName::ETHEREUM),
    (44818, AppName::ETHERNET_IP),
    (51413, AppName::BITTORRENT),
    (61613, AppName::STOMP),
];

const UDP: &[(u16, AppName)] = &[
    (53, AppName::DNS),
    (67, AppName::DHCP),
    (68, AppName::DHCP),
    (69, AppName::TFTP),
    (88, AppName::KERBEROS),
    (123, AppName::NTP),
    (135, AppName::DCERPC),
    (137, AppName::NETBIOS),
    (138, AppName::NETBIOS),
    (139, AppName::NETBIOS),
    (161, AppName::SNMP),
    (162, AppName::SNMP),
    (177, AppName::XDMCP),
    (194, AppName::IRC),
    (319, AppName::PTP),
    (320, AppName::PTP),
    (389, AppName::LDAP),
    (427, AppName::SLP),
    (443, AppName::QUIC),
    (500, AppName::IPSEC),
    (514, AppName::SYSLOG),
    (548, AppName::AFP),
    (554, AppName::RTSP),
    (623, AppName::RMCP),
    (646, AppName::LDP),
    (655, AppName::TINC),
    (853, AppName::DOH_DOT),
    (902, AppName::VMWARE),
    (903, AppName::VMWARE),
    (1080, AppName::SOCKS),
    (1119, AppName::BLIZZARD),
    (1194, AppName::OPENVPN),
    (1719, AppName::H323),
    (1720, AppName::H323),
    (1812, AppName::RADIUS),
    (1813, AppName::RADIUS),
    (1985, AppName::HSRP),
    (2049, AppName::NFS),
    (2055, AppName::NETFLOW),
    (2123, AppName::GTP),
    (2152, AppName::GTP),
    (3389, AppName::RDP),
    (3478, AppName::STUN),
    (3671, AppName::KNXNET_IP),
    (3702, AppName::WSD),
    (3784, AppName::BFD),
    (3785, AppName::BFD),
    (4341, AppName::LISP),
    (4342, AppName::LISP),
    (4500, AppName::IPSEC),
    (4569, AppName::IAX),
    (4789, AppName::VXLAN),
    (5060, AppName::SIP),
    (5061, AppName::SIP),
    (5246, AppName::CAPWAP),
    (5247, AppName::CAPWAP),
    (5351, AppName::NAT_PMP),
    (5353, AppName::MDNS),
    (5354, AppName::MDNS),
    (5355, AppName::LLMNR),
    (5683, AppName::COAP),
    (5684, AppName::COAP),
    (5938, AppName::TEAMVIEWER),
    (6343, AppName::SFLOW),
    (6771, AppName::BITTORRENT),
    (6881, AppName::BITTORRENT),
    (6882, AppName::BITTORRENT),
    (6883, AppName::BITTORRENT),
    (6884, AppName::BITTORRENT),
    (6885, AppName::BITTORRENT),
    (6886, AppName::BITTORRENT),
    (6887, AppName::BITTORRENT),
    (6888, AppName::BITTORRENT),
    (6889, AppName::BITTORRENT),
    (7401, AppName::RTPS),
    (10000, AppName::CISCO_VPN),
    (11211, AppName::MEMCACHED),
    (17500, AppName::DROPBOX),
    (25826, AppName::COLLECTD),
    (27015, AppName::SOURCE_ENGINE),
    (41641, AppName::TAILSCALE),
    (47808, AppName::BACNET),
    (51413, AppName::BITTORRENT),
    (51820, AppName::WIREGUARD),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        for table in [TCP, UDP] {
            assert!(
                table.is_sorted_by(|one, other| one.0 < other.0),
                "not in order, or one is there twice"
            );
        }
        let cases = [
            (6, 40000, 443, Some(AppName::TLS)),
            (6, 443, 40000, Some(AppName::TLS)),
            (17, 443, 40000, Some(AppName::QUIC)),
            (6, 40000, 40001, None),
            (6, 8080, 53, Some(AppName::DNS)),
            (89, 0, 0, Some(AppName::IP_OSPF)),
            (132, 0, 0, Some(AppName::SCTP)),
            (255, 0, 0, None),
        ];
        for (protocol, one, other, expected) in cases {
            assert_eq!(
                service_of_ports(protocol, one, other),
                expected,
                "{protocol} {one} {other}"
            );
        }
        assert!(is_usual(AppName::SSH, 6, 40000, 22));
        assert!(!is_usual(AppName::SSH, 6, 40000, 8000));
        assert!(is_usual(AppName::SPOTIFY, 17, 1, 2));
    }
}
