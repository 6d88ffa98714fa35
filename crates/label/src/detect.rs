//! What one packet's payload says. No state here: [`crate::BuiltinLabeler`] puts several packets together.
//!
//! Each test is made so that random octets pass it less often than once in about four thousand million packets (`Sure`), or
//! so that two packets have to agree (`Maybe`). Formats are those of the protocols' own specifications; the comment at a
//! test names it where the name does not.

use crate::AppName;
use crate::http::{self, Request};

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    None,
    /// It looks like this; another packet, or the port, has to agree.
    Maybe(AppName),
    /// It looks like an answer to what looked like this.
    Answer(AppName),
    /// This it is, but it may turn into something else: mail that goes on under TLS.
    Watch(AppName),
    /// This it is, with the service if the payload tells.
    Sure(AppName, AppName),
}

use Verdict::{Maybe, Watch};

const fn sure(name: AppName) -> Verdict {
    Verdict::Sure(name, AppName::UNKNOWN)
}

/// A packet and where it was going.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) payload: &'a [u8],
    /// Port of the packet's sender.
    pub(crate) from: u16,
    /// Port of the packet's receiver.
    pub(crate) to: u16,
}

impl Look<'_> {
    fn port(&self, port: u16) -> bool {
        self.from == port || self.to == port
    }

    fn ports(&self, ports: &[u16]) -> bool {
        ports.iter().any(|port| self.port(*port))
    }
}

/// Stands for a number that is not there: no length is like it, and sums with it do not overflow.
const ABSENT: usize = usize::MAX / 2;

fn be16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

fn le32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*data.get(at..)?.first_chunk()?))
}

fn has(data: &[u8], part: &[u8]) -> bool {
    data.windows(part.len()).any(|window| window == part)
}

fn starts_without_case(data: &[u8], start: &[u8]) -> bool {
    data.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// TCP payload.
pub(crate) fn tcp(look: &Look<'_>) -> Verdict {
    let data = look.payload;
    let Some(first) = data.first() else { return Verdict::None };
    // By the first octet, so that few tests are made for a packet.
    let found = match first {
        0x14..=0x17 | 0x80..=0x8f => tls(look),
        b'A'..=b'Z'
        | b'a'..=b'z'
        | b'*'
        | b'+'
        | b'-'
        | b'<'
        | b'0'..=b'9'
        | b'@'
        | b':'
        | b'$' => text(look),
        _ => Verdict::None,
    };
    if found != Verdict::None {
        return found;
    }
    tcp_binary(look)
}

/// TLS records, or the hello of SSL 2 (RFC 8446, section 5.1; RFC 5246, appendix E.2).
fn tls(look: &Look<'_>) -> Verdict {
    let data = look.payload;
    let (Some(kind), Some(version), Some(length)) = (data.first(), be16(data, 1), be16(data, 3))
    else {
        return Verdict::None;
    };
    if (0x14..=0x17).contains(kind)
        && (0x0300..=0x0304).contains(&version)
        && (1..=0x4800).contains(&length)
    {
        return match (kind, data.get(5)) {
            (0x16, Some(0x01 | 0x02)) => tls_by_port(look),
            (0x16, Some(0x00 | 0x04 | 0x08 | 0x0b..=0x10 | 0x14..=0x16)) => tls_by_port(look),
            (0x14, Some(1)) if length == 1 => tls_by_port(look),
            (0x15, Some(1 | 2)) if length == 2 => tls_by_port(look),
            // Records of data, seen by one who came late: the next record must be where this one ends.
            (0x17, _) => {
                let end = 5 + usize::from(length);
                match data.get(end) {
                    Some(0x14..=0x17) if data.get(end + 1).is_none_or(|major| *major == 3) => {
                        tls_by_port(look)
                    }
                    Some(_) => Verdict::None,
                    None => tls_by_port(look),
                }
            }
            _ => Verdict::None,
        };
    }
    let short = be16(data, 0).map_or(0, |word| usize::from(word & 0x7fff));
    if kind & 0x80 != 0
        && data.get(2) == Some(&1)
        && short + 2 == data.len()
        && matches!(be16(data, 3), Some(0x0002 | 0x0300..=0x0303))
    {
        return tls_by_port(look);
    }
    Verdict::None
}

fn tls_by_port(look: &Look<'_>) -> Verdict {
    let by_port = [
        (993, AppName::IMAPS),
        (143, AppName::IMAPS),
        (995, AppName::POPS),
        (110, AppName::POPS),
        (465, AppName::SMTPS),
        (587, AppName::SMTPS),
        (25, AppName::SMTPS),
        (990, AppName::FTPS),
    ];
    match by_port.iter().find(|(port, _)| look.port(*port)) {
        Some((_, name)) => sure(*name),
        None if look.port(853) => Verdict::Sure(AppName::TLS, AppName::DOH_DOT),
        None => sure(AppName::TLS),
    }
}

/// The first line of a payload, without its end, if it is ASCII text.
fn line(data: &[u8]) -> Option<&[u8]> {
    let data = data.get(..data.len().min(512))?;
    let end = data.iter().position(|octet| *octet == b'\n').unwrap_or(data.len());
    let line = data.get(..end)?.trim_ascii_end();
    line.iter().all(|octet| (0x20..0x7f).contains(octet) || *octet == b'\t').then_some(line)
}

/// Protocols of text over TCP.
fn text(look: &Look<'_>) -> Verdict {
    let data = look.payload;
    let verdict = match data[0] {
        b'S' if data.starts_with(b"SSH-1.") || data.starts_with(b"SSH-2.0-") => sure(AppName::SSH),
        b'S' if data.starts_with(b"SIP/2.0 ") => sure(AppName::SIP),
        b'R' if data.starts_with(b"RTSP/1.0 ") || data.starts_with(b"RTSP/2.0 ") => {
            sure(AppName::RTSP)
        }
        b'R' if data.starts_with(b"RFB 00") && data.len() == 12 => sure(AppName::VNC),
        b'H' if data.starts_with(b"HTTP/1.") => http_response(data),
        b'I' if data.starts_with(b"ICY 200") => sure(AppName::ICECAST),
        b'P' if data.starts_with(b"PRI * HTTP/2.0\r\n") => sure(AppName::HTTP2),
        b'W' if data.starts_with(b"WA") && matches!(data.get(2), Some(1..=6)) => {
            sure(AppName::WHATSAPP)
        }
        b'E' if data.starts_with(b"ED\x00\x01") => sure(AppName::WHATSAPP),
        b'A' if data.starts_with(b"AMQP") && matches!(data.get(4), Some(0..=3)) => {
            sure(AppName::AMQP)
        }
        b'Z' if data.starts_with(b"ZBXD") => sure(AppName::ZABBIX),
        b'J' if data.starts_with(b"JRMI\x00") => sure(AppName::JRMI),
        b'@' if data.starts_with(b"@RSYNCD:") => sure(AppName::RSYNC),
        b'B' if data.starts_with(b"BEP/") => sure(AppName::SYNCTHING),
        b'<' if data.starts_with(b"<?xml") || data.starts_with(b"<stream:stream") => {
            let head = &data[..data.len().min(400)];
            if has(head, b"jabber:") || has(head, b"etherx.jabber.org") {
                sure(AppName::JABBER)
            } else {
                Verdict::None
            }
        }
        _ => Verdict::None,
    };
    if verdict != Verdict::None {
        return verdict;
    }
    if let Some(request) = Request::parse(data) {
        return http_request(&request);
    }
    let sip = [
        &b"INVITE "[..],
        b"REGISTER ",
        b"OPTIONS ",
        b"ACK ",
        b"BYE ",
        b"CANCEL ",
        b"SUBSCRIBE ",
        b"NOTIFY ",
        b"MESSAGE ",
        b"PUBLISH ",
        b"INFO ",
        b"PRACK ",
    ];
    let rtsp = [
        &b"OPTIONS rtsp"[..],
        b"DESCRIBE rtsp",
        b"SETUP rtsp",
        b"PLAY rtsp",
        b"TEARDOWN rtsp",
        b"ANNOUNCE rtsp",
        b"PAUSE rtsp",
        b"RECORD rtsp",
        b"GET_PARAMETER rtsp",
    ];
    if rtsp.iter().any(|start| data.starts_with(start)) {
        return sure(AppName::RTSP);
    }
    if sip.iter().any(|start| data.starts_with(start))
        && has(&data[..data.len().min(256)], b" SIP/2.0")
    {
        return sure(AppName::SIP);
    }
    if data.starts_with(b"*") && look.ports(&[6379, 6380]) || resp(data) {
        return sure(AppName::RESP);
    }
    if data.len() > 8
        && data[..4].iter().all(u8::is_ascii_hexdigit)
        && data[4..].starts_with(b"git-")
    {
        return sure(AppName::GIT);
    }
    dialogue(look)
}

/// A command as clients of Redis send it: an array of strings (RESP, version 2).
fn resp(data: &[u8]) -> bool {
    let Some(line) = line(data) else { return false };
    let count =
        |text: &[u8]| !text.is_empty() && text.len() <= 4 && text.iter().all(u8::is_ascii_digit);
    match data.get(line.len() + 2..) {
        Some(rest) => {
            line.strip_prefix(b"*").is_some_and(count)
                && rest.first() == Some(&b'$')
                && rest.get(1).is_some_and(u8::is_ascii_digit)
        }
        None => false,
    }
}

fn http_request(request: &Request<'_>) -> Verdict {
    if request.method == b"CONNECT" {
        return sure(AppName::HTTP_CONNECT);
    }
    let kind = request.field(b"content-type").unwrap_or_default();
    let upgrade = request.field(b"upgrade").unwrap_or_default();
    if kind.starts_with(b"application/ocsp-request") {
        return Verdict::Sure(AppName::HTTP, AppName::OCSP);
    }
    if kind.starts_with(b"application/ipp") {
        return Verdict::Sure(AppName::HTTP, AppName::IPP);
    }
    if upgrade.eq_ignore_ascii_case(b"websocket") {
        return Verdict::Sure(AppName::HTTP, AppName::WEBSOCKET);
    }
    if matches!(request.method, b"PROPFIND" | b"PROPPATCH" | b"MKCOL" | b"LOCK" | b"REPORT") {
        return Verdict::Sure(AppName::HTTP, AppName::WEBDAV);
    }
    if request.field(b"soapaction").is_some() {
        return Verdict::Sure(AppName::HTTP, AppName::SOAP);
    }
    if request.is_for_proxy() { sure(AppName::HTTP_PROXY) } else { sure(AppName::HTTP) }
}

fn http_response(data: &[u8]) -> Verdict {
    let head = data.iter().position(|octet| *octet == b'\n').and_then(|end| data.get(end + 1..));
    let kind = head.and_then(|head| http::field(head, b"content-type")).unwrap_or_default();
    if kind.starts_with(b"application/ocsp-response") {
        return Verdict::Sure(AppName::HTTP, AppName::OCSP);
    }
    sure(AppName::HTTP)
}

/// Protocols in which commands and answers are lines.
fn dialogue(look: &Look<'_>) -> Verdict {
    let Some(line) = line(look.payload) else { return Verdict::None };
    let code = line.get(..3).is_some_and(|code| code.iter().all(u8::is_ascii_digit))
        && matches!(line.get(3), Some(b' ' | b'-') | None);
    let starts = |starts: &[&[u8]]| starts.iter().any(|start| starts_without_case(line, start));
    if code {
        let upper = line.to_ascii_uppercase();
        if line.starts_with(b"220") && has(&upper, b"SMTP") {
            return Watch(AppName::SMTP);
        }
        if line.starts_with(b"220") && (has(&upper, b"FTP") || look.port(21)) {
            return Watch(AppName::FTP_CONTROL);
        }
        if matches!(&line[..3], b"200" | b"201") && has(&upper, b"NNTP") {
            return sure(AppName::USENET);
        }
        if line.starts_with(b"220") || line.starts_with(b"421") {
            return if look.ports(&[25, 465, 587, 2525]) {
                Watch(AppName::SMTP)
            } else {
                Maybe(AppName::FTP_CONTROL)
            };
        }
        if line.starts_with(b"331") || line.starts_with(b"227 ") || line.starts_with(b"229 ") {
            return Maybe(AppName::FTP_CONTROL);
        }
        if line.starts_with(b"250") && look.ports(&[25, 465, 587, 2525]) {
            return Watch(AppName::SMTP);
        }
        return Verdict::None;
    }
    if starts(&[b"EHLO ", b"HELO ", b"MAIL FROM:", b"RCPT TO:"]) {
        return Watch(AppName::SMTP);
    }
    if starts(&[b"+OK", b"-ERR"]) {
        return Watch(AppName::POP3);
    }
    if starts(&[b"* OK ", b"* PREAUTH ", b"* BYE "]) {
        return Watch(AppName::IMAP);
    }
    if imap_command(line) {
        return if look.port(143) { Watch(AppName::IMAP) } else { Maybe(AppName::IMAP) };
    }
    if starts(&[b"APOP ", b"CAPA", b"STLS", b"UIDL"]) && line.len() < 64 {
        return if look.port(110) { Watch(AppName::POP3) } else { Maybe(AppName::POP3) };
    }
    if starts(&[
        b"USER ",
        b"PASS ",
        b"FEAT",
        b"AUTH TLS",
        b"AUTH SSL",
        b"SYST",
        b"PASV",
        b"EPSV",
        b"TYPE I",
        b"OPTS ",
    ]) && line.len() < 128
    {
        if look.port(110) {
            return Watch(AppName::POP3);
        }
        if starts(&[b"USER "]) && has(line, b" :") {
            return Maybe(AppName::IRC);
        }
        return if look.port(21) {
            Watch(AppName::FTP_CONTROL)
        } else {
            Maybe(AppName::FTP_CONTROL)
        };
    }
    if starts(&[b"NICK "])
        || line.starts_with(b":") && (has(line, b" NOTICE ") || has(line, b" 001 "))
    {
        return if look.ports(&[194, 6660, 6665, 6666, 6667, 6668, 6669, 7000]) {
            sure(AppName::IRC)
        } else {
            Maybe(AppName::IRC)
        };
    }
    if line.starts_with(b"INFO {\"server_id\"") || line.starts_with(b"CONNECT {\"verbose\"") {
        return sure(AppName::NATS);
    }
    if look.port(11211)
        && starts(&[
            b"get ", b"gets ", b"set ", b"add ", b"delete ", b"stats", b"VALUE ", b"STORED", b"END",
        ])
    {
        return sure(AppName::MEMCACHED);
    }
    if starts(&[b"{\"id\":", b"{\"method\":\"mining.", b"{\"params\":"])
        && (has(line, b"mining.") || has(line, b"eth_submit"))
    {
        return sure(AppName::MINING);
    }
    Verdict::None
}

/// `a001 CAPABILITY` (RFC 9051).
fn imap_command(line: &[u8]) -> bool {
    let Some(space) = line.iter().take(12).position(|octet| *octet == b' ') else { return false };
    let (tag, rest) = line.split_at(space);
    let commands = [
        &b"CAPABILITY"[..],
        b"LOGIN ",
        b"AUTHENTICATE ",
        b"STARTTLS",
        b"NOOP",
        b"SELECT ",
        b"LIST ",
        b"ID (",
    ];
    tag.iter().all(u8::is_ascii_alphanumeric)
        && tag.iter().any(u8::is_ascii_digit)
        && rest
            .get(1..)
            .is_some_and(|rest| commands.iter().any(|command| starts_without_case(rest, command)))
}

/// Protocols of octets over TCP.
fn tcp_binary(look: &Look<'_>) -> Verdict {
    let data = look.payload;
    let length = data.len();
    let word = |at| be16(data, at).map_or(ABSENT, usize::from);
    let long = |at| be32(data, at).map_or(ABSENT, |number| number as usize);
    match data[0] {
        // TPKT (RFC 2126): RDP's connection request and confirm, S7, H.225.
        0x03 if data.get(1) == Some(&0) && word(2) >= 7 && word(2) <= 0x4000 => {
            let kind = data.get(5);
            if matches!(kind, Some(0xe0 | 0xd0)) && word(2) == length {
                if look.port(102) {
                    return Maybe(AppName::S7COMM);
                }
                let cookie = has(data, b"Cookie: ");
                let negotiation = length >= 19
                    && matches!(data[length - 8], 1..=3)
                    && data[length - 6..length - 4] == [8, 0];
                return if cookie || negotiation {
                    sure(AppName::RDP)
                } else {
                    Maybe(AppName::RDP)
                };
            }
            if data.get(4..6) == Some(&[0x02, 0xf0]) && data.get(7) == Some(&0x32) {
                return sure(AppName::S7COMM);
            }
        }
        // RTMP's first chunk of the handshake.
        0x03 if length >= 1537 && look.port(1935) => return sure(AppName::RTMP),
        0x13 if data.starts_with(b"\x13BitTorrent protocol") => return sure(AppName::BITTORRENT),
        0x05 if length >= 3
            && usize::from(data[1]) + 2 == length
            && data[1] < 10
            && data[2..].iter().all(|method| *method < 10 || *method >= 0x80) =>
        {
            // SOCKS 5 (RFC 1928): methods of the client.
            return Maybe(AppName::SOCKS);
        }
        0x05 if length == 2 && matches!(data[1], 0 | 2 | 0xff) => return Maybe(AppName::SOCKS),
        // DNP3 link layer; its header is protected by a checksum that is not looked at.
        0x05 if data.get(1) == Some(&0x64)
            && data.get(2).is_some_and(|octets| *octets >= 5)
            && length >= 10 =>
        {
            return if look.port(20000) { sure(AppName::DNP3) } else { Maybe(AppName::DNP3) };
        }
        // DCE/RPC, version 5.0 (C706, chapter 12): the length in the header's own byte order.
        0x05 if length >= 16 && data[1] <= 1 && data[2] < 20 && data[5] == 0 && data[6] == 0 => {
            let octets = if data[4] & 0x10 == 0 {
                word(8)
            } else {
                word(8).swap_bytes() >> (usize::BITS - 16)
            };
            if data[4] & 0xef == 0 && octets >= 16 && octets <= length {
                return sure(AppName::DCERPC);
            }
        }
        // SOCKS 4: command, port, address, user.
        0x04 if matches!(data.get(1), Some(1 | 2))
            && length >= 9
            && data[length - 1] == 0
            && length < 300 =>
        {
            return Maybe(AppName::SOCKS);
        }
        0x00 if length >= 8 => {
            if let Some(found) = smb(data) {
                return found;
            }
        }
        0x81 if word(2) + 4 == length && look.port(139) => {
            return Verdict::Sure(AppName::NETBIOS, AppName::UNKNOWN);
        }
        0xff if length >= 3 => {
            // Telnet's negotiation (RFC 854).
            if data.chunks(3).take(4).all(|command| {
                command.len() < 3 || command[0] == 0xff && (0xfa..=0xfe).contains(&command[1])
            }) {
                return if look.port(23) { sure(AppName::TELNET) } else { Maybe(AppName::TELNET) };
            }
            if length >= 19
                && data[..16] == [0xff; 16]
                && word(16) >= 19
                && word(16) <= 4096
                && (1..=5).contains(&data[18])
            {
                return sure(AppName::BGP);
            }
        }
        // MQTT (3.1.1 and 5, section 3.1).
        0x10 if mqtt_connect(data) => return sure(AppName::MQTT),
        0x20 if length == 4 && data[1] == 2 && data[2] <= 1 && data[3] <= 5 => {
            return Maybe(AppName::MQTT);
        }
        0x30..=0x3d | 0x82 | 0x90 | 0xc0 | 0xd0 | 0x40
            if look.ports(&[1883, 8883]) && mqtt_packet(data) =>
        {
            return sure(AppName::MQTT);
        }
        0x30 => {
            if let Some(found) = ber(look) {
                return found;
            }
        }
        // IEC 60870-5-104: U frames of six octets, or I and S frames that fill the payload.
        0x68 if length >= 6 && usize::from(data[1]) + 2 <= length && data[1] >= 4 => {
            return if look.port(2404) { sure(AppName::IEC60870) } else { Verdict::None };
        }
        0x12 if word(2) == length
            && data[1] & 0xfe == 0
            && length >= 26
            && data[8] == 0
            && data.get(6) <= Some(&1) =>
        {
            return sure(AppName::MSSQL);
        }
        // ZMTP 3 (23/ZMTP): signature and version.
        0xff if length >= 10 && data[9] == 0x7f => return Maybe(AppName::ZEROMQ),
        _ => {}
    }
    if length >= 12
        && data[2..4] == [0, 0]
        && word(4) + 6 == length
        && look.port(502)
        && data[7] & 0x7f < 0x70
    {
        return sure(AppName::MODBUS);
    }
    if length >= 8 && data[2..4] == [0, 0] && word(4) + 6 == length && look.port(502) {
        return sure(AppName::MODBUS);
    }
    // PostgreSQL (message formats): length of the whole, then 3.0, the request for SSL, or the one to cancel.
    if long(0) == length
        && (long(4) == 0x0003_0000
            || length == 8 && matches!(long(4), 80_877_103 | 80_877_104)
            || length == 16 && long(4) == 80_877_102)
    {
        return sure(AppName::POSTGRESQL);
    }
    // MySQL's greeting: its length in three octets, packet 0, protocol 10, a version that ends with zero.
    if length > 40
        && data[3] == 0
        && data[4] == 10
        && usize::from(data[0]) + (usize::from(data[1]) << 8) + 4 == length
        && data[2] == 0
    {
        let version = data[5..]
            .iter()
            .position(|octet| *octet == 0)
            .and_then(|end| data.get(5..5 + end))
            .unwrap_or_default();
        if version.len() >= 3
            && version.len() < 64
            && version.iter().all(u8::is_ascii_graphic)
            && version.contains(&b'.')
        {
            return sure(AppName::MYSQL);
        }
    }
    // MongoDB's wire protocol: length, two numbers, operation.
    if length >= 20
        && le32(data, 0).is_some_and(|octets| octets as usize == length)
        && matches!(le32(data, 12), Some(1 | 2004 | 2010 | 2011 | 2012 | 2013))
    {
        return if le32(data, 12) == Some(1) && !look.port(27017) {
            Maybe(AppName::MONGODB)
        } else {
            sure(AppName::MONGODB)
        };
    }
    // CQL binary protocol: version, flags, stream, operation, length of the body.
    if look.port(9042)
        && length >= 9
        && matches!(data[0] & 0x7f, 3..=5)
        && data[4] <= 0x10
        && long(5) + 9 == length
    {
        return sure(AppName::CASSANDRA);
    }
    // PPTP's magic cookie (RFC 2637).
    if length >= 16 && word(0) == length && long(4) == 0x1a2b_3c4d {
        return sure(AppName::PPTP);
    }
    // STUN, DNS, Kerberos, ONC RPC and OpenVPN behind a length.
    if let Verdict::Sure(name, app) = stun(data) {
        return Verdict::Sure(name, app);
    }
    if length > 2 && word(0) + 2 == length {
        let inner = &data[2..];
        if let Verdict::Sure(name, app) = stun(inner) {
            return Verdict::Sure(name, app);
        }
        if look.port(53) && dns(inner) {
            return sure(AppName::DNS);
        }
        if let Some(verdict) = openvpn(look, inner) {
            return verdict;
        }
    }
    if look.port(53) && length > 14 && dns(&data[2..]) {
        return sure(AppName::DNS);
    }
    if length > 8 && long(0) + 4 == length && kerberos(&data[4..]) {
        return sure(AppName::KERBEROS);
    }
    if length >= 28 && data[0] & 0x80 != 0 {
        return rpc(&data[4..]);
    }
    // Oracle TNS: length, checksum 0, a connect packet.
    if look.port(1521)
        && length >= 12
        && word(0) == length
        && word(2) == 0
        && matches!(data[4], 1..=14)
    {
        return sure(AppName::ORACLE);
    }
    Verdict::None
}

/// SMB over NetBIOS sessions (MS-SMB2, section 2.1): zero, length, magic.
fn smb(data: &[u8]) -> Option<Verdict> {
    let name = match data.get(4..8)? {
        [0xff, b'S', b'M', b'B'] => AppName::SMB_V1,
        [0xfe | 0xfd, b'S', b'M', b'B'] => AppName::SMB_V23,
        _ => return None,
    };
    // An offer of the old protocol along with the new one says neither; it is mostly answered with the new one.
    let offers = name == AppName::SMB_V1 && data.get(8) == Some(&0x72) && has(data, b"SMB 2.");
    Some(if offers { Maybe(AppName::SMB_V23) } else { Verdict::Sure(AppName::NETBIOS, name) })
}

fn mqtt_connect(data: &[u8]) -> bool {
    let Some((body, _)) = mqtt_length(data) else { return false };
    data.get(body..).is_some_and(|body| {
        body.starts_with(b"\x00\x04MQTT") || body.starts_with(b"\x00\x06MQIsdp")
    })
}

/// Where the body begins and how long it is.
fn mqtt_length(data: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for place in 0..4 {
        let octet = usize::from(*data.get(place + 1)?);
        length |= (octet & 0x7f) << (7 * place);
        if octet & 0x80 == 0 {
            return Some((place + 2, length));
        }
    }
    None
}

fn mqtt_packet(data: &[u8]) -> bool {
    mqtt_length(data).is_some_and(|(start, length)| match data[0] {
        0xc0 | 0xd0 => length == 0,
        0x40 => length >= 2 && start + length <= data.len(),
        _ => length >= 3 && start + length <= data.len().max(1460),
    })
}

/// LDAP messages (RFC 4511) and SNMP over TCP: a sequence that begins with a short integer.
fn ber(look: &Look<'_>) -> Option<Verdict> {
    let data = look.payload;
    let (start, length) = ber_length(data, 1)?;
    if data.get(start) != Some(&2) || start + length > data.len().max(1400) {
        return None;
    }
    let octets = usize::from(*data.get(start + 1)?);
    if !(1..=4).contains(&octets) {
        return None;
    }
    let tag = *data.get(start + 2 + octets)?;
    let ldap = matches!(
        tag,
        0x60 | 0x61
            | 0x42
            | 0x63
            | 0x64
            | 0x65
            | 0x66
            | 0x67
            | 0x68
            | 0x69
            | 0x6b
            | 0x73
            | 0x77
            | 0x78
    );
    if !ldap {
        return None;
    }
    let fits = start + length == data.len();
    let usual = look.ports(&[389, 3268]);
    match tag {
        // A bind request says its version.
        0x60 if has(&data[..data.len().min(start + 16)], &[0x02, 0x01, 0x03]) => {
            Some(sure(AppName::LDAP))
        }
        _ if usual => Some(sure(AppName::LDAP)),
        _ if fits => Some(Maybe(AppName::LDAP)),
        _ => None,
    }
}

/// The length of a BER value: where the value begins and how many octets it has.
fn ber_length(data: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = *data.get(at)?;
    if first < 0x80 {
        return Some((at + 1, usize::from(first)));
    }
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let length = data
        .get(at + 1..at + 1 + count)?
        .iter()
        .fold(0, |length, octet| length << 8 | usize::from(*octet));
    Some((at + 1 + count, length))
}

/// A Kerberos message (RFC 4120, section 5.10): application tag, sequence, version 5.
fn kerberos(data: &[u8]) -> bool {
    if !matches!(data.first(), Some(0x6a..=0x6f | 0x74 | 0x75 | 0x76 | 0x7e)) {
        return false;
    }
    let inner = ber_length(data, 1).filter(|(start, length)| start + length == data.len());
    inner.is_some_and(|(start, _)| {
        data.get(start) == Some(&0x30)
            && has(&data[start..data.len().min(start + 12)], &[0x02, 0x01, 0x05])
    })
}

/// ONC RPC (RFC 5531): a call to a program that is known.
fn rpc(data: &[u8]) -> Verdict {
    let (Some(kind), Some(version), Some(program)) = (be32(data, 4), be32(data, 8), be32(data, 12))
    else {
        return Verdict::None;
    };
    // Port mapper, NFS, mount, lock manager.
    if kind == 0
        && version == 2
        && matches!(program, 100_000 | 100_003 | 100_005 | 100_021 | 100_024)
    {
        return sure(AppName::NFS);
    }
    Verdict::None
}

/// The first packets of an OpenVPN client or server: resets under key 0, of sessions that have a number. Opcode 7 or 10
/// from the client, 8 from the server. The latter looks like QUIC, so it counts only after the former.
fn openvpn(look: &Look<'_>, data: &[u8]) -> Option<Verdict> {
    if !(14..=600).contains(&data.len()) || data[1..9] == [0; 8] {
        return None;
    }
    match data[0] {
        0x38 | 0x40 | 0x50 if look.port(1194) => Some(sure(AppName::OPENVPN)),
        0x38 | 0x50 => Some(Maybe(AppName::OPENVPN)),
        0x40 => Some(Verdict::Answer(AppName::OPENVPN)),
        _ => None,
    }
}

/// UDP payload.
pub(crate) fn udp(look: &Look<'_>) -> Verdict {
    let data = look.payload;
    if data.is_empty() {
        return Verdict::None;
    }
    let by_port = udp_by_port(look);
    if by_port != Verdict::None {
        return by_port;
    }
    let length = data.len();
    let word = |at| be16(data, at).map_or(ABSENT, usize::from);
    let long = |at| be32(data, at).map_or(ABSENT, |number| number as usize);
    let found = stun(data);
    if found != Verdict::None {
        return found;
    }
    let found = quic(data);
    if found != Verdict::None {
        return found;
    }
    // DTLS records (RFC 6347, section 4.1): handshake and alert, data of one that came late.
    if length >= 13
        && matches!(data[0], 0x14..=0x17)
        && matches!(word(1), 0xfeff | 0xfefd | 0x0100)
        && word(11) + 13 <= length
    {
        return sure(AppName::DTLS);
    }
    // WireGuard: type, three zeros, and the lengths of its protocol paper.
    if length >= 32 && data[1..4] == [0, 0, 0] {
        match (data[0], length) {
            (1, 148) | (2, 92) => return sure(AppName::WIREGUARD),
            (3, 64) => return Maybe(AppName::WIREGUARD),
            (4, _) if length.is_multiple_of(16) => {
                return if look.port(51820) {
                    sure(AppName::WIREGUARD)
                } else {
                    Maybe(AppName::WIREGUARD)
                };
            }
            _ => {}
        }
    }
    // IKE (RFC 7296, section 3.1): version, exchange, length; behind four zeros on port 4500.
    if length >= 28
        && data[..8] != [0; 8]
        && matches!(data[17], 0x10 | 0x20)
        && matches!(data[18], 1..=6 | 32..=44)
        && long(24) == length
    {
        return sure(AppName::IPSEC);
    }
    if (data.starts_with(b"d1:") || data.starts_with(b"d2:"))
        && (has(data, b"1:y1:") || has(data, b"id20:"))
    {
        return sure(AppName::BITTORRENT);
    }
    // The tracker protocol's magic number (BEP 15).
    if length >= 16 && long(0) == 0x417 && long(4) == 0x2710_1980 {
        return sure(AppName::BITTORRENT);
    }
    if data.starts_with(b"SIP/2.0 ") || has(&data[..length.min(200)], b" SIP/2.0\r\n") {
        return sure(AppName::SIP);
    }
    if data.starts_with(b"M-SEARCH * HTTP/1.1")
        || data.starts_with(b"NOTIFY * HTTP/1.1")
        || data.starts_with(b"HTTP/1.1 200 OK")
    {
        return sure(AppName::SSDP);
    }
    if data.starts_with(b"SpotUdp") {
        return sure(AppName::SPOTIFY);
    }
    if data.starts_with(b"\xff\xff\xff\xff\x21\x4c\x5f\xa0") {
        return sure(AppName::STEAM);
    }
    if length >= 25 && data.starts_with(b"\xff\xff\xff\xffTSource Engine Query") {
        return sure(AppName::SOURCE_ENGINE);
    }
    // RTPS and its vendors (OMG DDSI-RTPS, section 8.3.3).
    if data.starts_with(b"RTPS") && length >= 20 {
        return sure(AppName::RTPS);
    }
    // DCE/RPC connectionless, version 4: the packet type is a small number, the length is in the header's byte order.
    if length >= 80 && data[0] == 4 && data[1] <= 10 && data[4] & 0xef == 0 && data[5] == 0 {
        let octets = if data[4] & 0x10 == 0 {
            word(74)
        } else {
            usize::from(be16(data, 74).unwrap_or(0).swap_bytes())
        };
        if octets + 80 == length {
            let object = &data[8..24];
            // Objects of PROFINET have the fixed part of PROFINET's UUIDs.
            let profinet = has(object, &[0x6c, 0x97, 0x11, 0xd1, 0x82, 0x71]);
            return Verdict::Sure(
                AppName::DCERPC,
                if profinet { AppName::PROFINET_IO } else { AppName::UNKNOWN },
            );
        }
    }
    if kerberos(data) {
        return sure(AppName::KERBEROS);
    }
    if length >= 24 {
        let found = rpc(data);
        if found != Verdict::None {
            return found;
        }
    }
    // TFTP (RFC 1350): a request with a name and a mode.
    if length >= 9 && data[0] == 0 && matches!(data[1], 1 | 2) {
        let mut parts = data[2..].split(|octet| *octet == 0);
        let (name, mode) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let known = [&b"octet"[..], b"netascii", b"mail"]
            .iter()
            .any(|known| mode.eq_ignore_ascii_case(known));
        if known && !name.is_empty() && name.iter().all(|octet| (0x20..0x7f).contains(octet)) {
            return sure(AppName::TFTP);
        }
    }
    // Its data and acknowledgements, which come from another port than the request went to.
    if (4..=516).contains(&length)
        && data[0] == 0
        && (data[1] == 3 || data[1] == 4 && length == 4)
        && word(2) <= 64
    {
        return Maybe(AppName::TFTP);
    }
    if let Some(verdict) = openvpn(look, data) {
        return verdict;
    }
    // The micro transport protocol (BEP 29): a SYN with nothing behind it.
    if length >= 20 && data[0] == 0x41 && data[1] <= 2 && long(12) <= 0x0100_0000 && word(18) == 0 {
        return Maybe(AppName::BITTORRENT);
    }
    rtp(look)
}

/// Protocols that hardly anything but the port tells; what the payload must look like is checked.
fn udp_by_port(look: &Look<'_>) -> Verdict {
    let data = look.payload;
    let length = data.len();
    let word = |at| be16(data, at).map_or(ABSENT, usize::from);
    let long = |at| be32(data, at).map_or(ABSENT, |number| number as usize);
    let is = |holds: bool, name: AppName| if holds { sure(name) } else { Verdict::None };
    if look.ports(&[5353, 5355, 137]) && length >= 12 {
        let name = if look.port(5353) {
            AppName::MDNS
        } else if look.port(5355) {
            AppName::LLMNR
        } else {
            AppName::NETBIOS
        };
        return is(dns(data) || look.port(137), name);
    }
    if look.port(53) {
        return is(dns(data), AppName::DNS);
    }
    let low = look.from.min(look.to);
    match low {
        67 | 68 => {
            is(length >= 240 && matches!(data[0], 1 | 2) && long(236) == 0x6382_5363, AppName::DHCP)
        }
        546 | 547 => is(length >= 4 && (1..=36).contains(&data[0]), AppName::DHCPV6),
        123 => is(
            length >= 12 && (1..=4).contains(&(data[0] >> 3 & 7)) && data[0] & 7 != 0,
            AppName::NTP,
        ),
        138 => {
            let smb = has(data, b"\xffSMB");
            if length < 14 || !(0x10..=0x16).contains(&data[0]) {
                Verdict::None
            } else {
                Verdict::Sure(
                    AppName::NETBIOS,
                    if smb { AppName::SMB_V1 } else { AppName::UNKNOWN },
                )
            }
        }
        161 | 162 => is(snmp(data), AppName::SNMP),
        389 => is(
            length > 6 && data[0] == 0x30 && matches!(ber(look), Some(Verdict::Sure(..))),
            AppName::LDAP,
        ),
        514 => is(syslog(data), AppName::SYSLOG),
        1645 | 1646 | 1812 | 1813 | 3799 => is(
            length >= 20
                && matches!(data[0], 1..=5 | 11..=13 | 40..=45)
                && word(2) <= length
                && word(2) >= 20,
            AppName::RADIUS,
        ),
        1900 => is(
            length > 12
                && (data.starts_with(b"M-SEARCH")
                    || data.starts_with(b"NOTIFY")
                    || data.starts_with(b"HTTP/1.1")),
            AppName::SSDP,
        ),
        1985 => is(length >= 20, AppName::HSRP),
        2055 | 9995 | 4739 => {
            is(matches!(word(0), 1 | 5 | 7 | 9 | 10) && length >= 16, AppName::NETFLOW)
        }
        2152 => gtp(data, AppName::GTP_U),
        2123 => gtp(data, AppName::GTP_C),
        3544 => is(length >= 40 && (data[0] >> 4 == 6 || data[0] == 0), AppName::TEREDO),
        3702 => is(
            has(&data[..length.min(400)], b"schemas.xmlsoap.org")
                || has(&data[..length.min(400)], b"http://www.w3.org"),
            AppName::WSD,
        ),
        3784 | 3785 => {
            is(length >= 24 && data[0] >> 5 == 1 && usize::from(data[3]) == length, AppName::BFD)
        }
        4500 if length >= 32 && long(0) == 0 => {
            is(matches!(data[21], 0x10 | 0x20) && long(28) + 4 == length, AppName::IPSEC)
        }
        4500 if length == 1 => is(data[0] == 0xff, AppName::IPSEC),
        4500 if length >= 24 && long(0) > 255 => Maybe(AppName::IPSEC),
        4569 => is(length >= 12 && data[0] & 0x80 != 0 && data[10] == 6, AppName::IAX),
        4789 => is(
            length >= 16 && data[0] == 8 && data[1..4] == [0, 0, 0] && data[7] == 0,
            AppName::VXLAN,
        ),
        5351 => is(length >= 2 && data[0] <= 2 && length <= 1100, AppName::NAT_PMP),
        5683 => is(length >= 4 && data[0] >> 6 == 1 && data[0] & 0x0f <= 8, AppName::COAP),
        6343 => is(length >= 28 && matches!(long(0), 2..=5), AppName::SFLOW),
        7000..=7009 => {
            is(length >= 28 && (1..=13).contains(&data[20]) && data[8..12] != [0; 4], AppName::RX)
        }
        17500 => is(data.starts_with(b"{\"") && has(data, b"host_int"), AppName::DROPBOX),
        25826 => is(length >= 12 && word(0) == 0 && word(2) <= 1024, AppName::COLLECTD),
        47808 => is(
            length >= 4 && data[0] == 0x81 && data[1] <= 0x0c && word(2) == length,
            AppName::BACNET,
        ),
        319 | 320 => is(
            length >= 34 && data[1] & 0x0f <= 2 && data[1] & 0x0f > 0 && word(2) <= length,
            AppName::PTP,
        ),
        623 => is(length >= 8 && data[0] == 6 && data[1] == 0, AppName::RMCP),
        20000 => is(length >= 10 && data[..2] == [0x05, 0x64], AppName::DNP3),
        27015..=27064 if data.starts_with(b"VS01") => {
            Verdict::Sure(AppName::STEAM, AppName::UNKNOWN)
        }
        _ => Verdict::None,
    }
}

/// GTP version 1 or 2 (TS 29.060, TS 29.274): a length that fits.
fn gtp(data: &[u8], app: AppName) -> Verdict {
    let Some(length) = be16(data, 2) else { return Verdict::None };
    let fits = match data[0] >> 5 {
        1 => data[0] & 0x10 != 0 && usize::from(length) + 8 <= data.len(),
        2 => usize::from(length) + 4 <= data.len(),
        _ => false,
    };
    if fits { Verdict::Sure(AppName::GTP, app) } else { Verdict::None }
}

/// A DNS header that makes sense, with the first name in it (RFC 1035, section 4.1).
fn dns(data: &[u8]) -> bool {
    let (Some(flags), Some(questions)) = (be16(data, 2), be16(data, 4)) else { return false };
    let others = [6, 8, 10].map(|at| be16(data, at).unwrap_or(u16::MAX));
    // An operation that exists, and few enough of everything.
    let operation = flags >> 11 & 15;
    if operation > 6 || questions > 32 || others.iter().any(|count| *count > 256) {
        return false;
    }
    if questions == 0 && others == [0, 0, 0] && flags & 0x8000 == 0 {
        return false;
    }
    let label = data.get(12).copied();
    match label {
        None => flags & 0x8000 != 0,
        Some(0) => true,
        Some(octets) => octets < 64 && data.len() > 12 || octets & 0xc0 == 0xc0,
    }
}

/// SNMP (RFC 3416, RFC 3412): a sequence with a version.
fn snmp(data: &[u8]) -> bool {
    data.first() == Some(&0x30)
        && ber_length(data, 1).is_some_and(|(start, length)| {
            start + length <= data.len()
                && data.get(start..start + 2) == Some(&[2, 1])
                && matches!(data.get(start + 2), Some(0 | 1 | 3))
        })
}

/// `<34>` (RFC 5424).
fn syslog(data: &[u8]) -> bool {
    let Some(rest) = data.strip_prefix(b"<") else { return false };
    let Some(end) = rest.iter().take(4).position(|octet| *octet == b'>') else { return false };
    end > 0 && rest[..end].iter().all(u8::is_ascii_digit)
}

/// STUN and TURN (RFC 8489): length and magic cookie. Attributes and methods of some services are their own.
fn stun(data: &[u8]) -> Verdict {
    let (Some(kind), Some(length), Some(cookie)) = (be16(data, 0), be16(data, 2), be32(data, 4))
    else {
        return Verdict::None;
    };
    let length = usize::from(length);
    if kind & 0xc000 != 0 || !length.is_multiple_of(4) || length + 20 > data.len() {
        return Verdict::None;
    }
    // Messages that only one messenger's relays know.
    if matches!(kind, 0x0800..=0x0805) && length + 20 == data.len() {
        return Verdict::Sure(AppName::STUN, AppName::WHATSAPP_CALL);
    }
    if cookie != 0x2112_a442 {
        return Verdict::None;
    }
    let mut at = 20;
    let mut app = AppName::UNKNOWN;
    for _ in 0..24 {
        let (Some(attribute), Some(octets)) = (be16(data, at), be16(data, at + 2)) else { break };
        app = match attribute {
            0x4000..=0x4007 => AppName::WHATSAPP_CALL,
            0x8054 | 0x8055 | 0x8008 | 0x8037 => AppName::TEAMS_CALL,
            0xc057 => AppName::GOOGLE_CALL,
            0x0014 => match data.get(at + 4..at + 4 + usize::from(octets)) {
                Some(realm) if has(realm, b"facebook") => AppName::FACEBOOK_VOIP,
                Some(realm) if has(realm, b"google.com") => AppName::GOOGLE_CALL,
                Some(realm) if has(realm, b"signal") => AppName::SIGNAL_VOIP,
                Some(realm) if has(realm, b"telegram") => AppName::TELEGRAM_VOIP,
                _ => app,
            },
            _ => app,
        };
        at += 4 + usize::from(octets).next_multiple_of(4);
    }
    Verdict::Sure(AppName::STUN, app)
}

/// QUIC (RFC 9000, section 17.2; RFC 8999), its drafts, and Google's own protocol before it.
fn quic(data: &[u8]) -> Verdict {
    let Some(version) = be32(data, 1) else { return Verdict::None };
    if data[0] & 0x80 != 0 {
        let known = matches!(version, 1 | 0x6b33_43cf | 0x709a_50c4 | 0xff00_0000..=0xff00_00ff | 0xface_b000..=0xface_b01f)
            || matches!(version.to_be_bytes(), [b'Q' | b'T', b'0', b'0'..=b'9', b'0'..=b'9']);
        let identifier = data.get(5).is_some_and(|octets| *octets <= 20);
        // Drafts before 22 put both lengths into one octet.
        if known && (identifier || version.to_be_bytes()[0] == b'Q') {
            return sure(AppName::QUIC);
        }
        // Negotiation of a version: zero, then versions.
        if version == 0 && identifier && data.len() >= 11 && data[0] & 0x40 != 0 {
            return Maybe(AppName::QUIC);
        }
        return Verdict::None;
    }
    // Google's public header: flags, connection, version as text.
    if data[0] & 0x01 != 0
        && data[0] & 0x08 != 0
        && matches!(data.get(9..13), Some([b'Q', b'0', b'0'..=b'9', b'0'..=b'9']))
    {
        return sure(AppName::QUIC);
    }
    Verdict::None
}

/// RTP and RTCP (RFC 3550): version 2 and kinds that are in use; two packets have to agree.
fn rtp(look: &Look<'_>) -> Verdict {
    let data = look.payload;
    if data.len() < 12 || data[0] >> 6 != 2 || look.from < 1024 || look.to < 1024 {
        return Verdict::None;
    }
    if matches!(data[1], 200..=207) {
        let octets = be16(data, 2).map_or(0, |words| (usize::from(words) + 1) * 4);
        return if octets <= data.len() { Maybe(AppName::RTCP) } else { Verdict::None };
    }
    let kind = data[1] & 0x7f;
    let known = matches!(kind, 0..=18 | 25 | 26 | 28 | 31..=34 | 96..=127);
    if known && data[0] & 0x0f <= 4 && be32(data, 8) != Some(0) {
        Maybe(AppName::RTP)
    } else {
        Verdict::None
    }
}
