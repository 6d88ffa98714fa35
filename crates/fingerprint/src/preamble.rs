//! What comes before TLS in a TCP connection: one token of a dialogue that may end in TLS.
//!
//! Each direction is read by itself, token by token: a line, an XML tag, a SOCKS dialogue, one binary message. A token says
//! whether TLS may follow it. Whoever sees both directions could check that the answer fits the request; not to need that
//! keeps the result independent of which direction was captured first, or at all.
//!
//! Sources: RFC 3207 (SMTP), RFC 2595 (IMAP, POP3), RFC 4217 (FTP), RFC 4642 (NNTP), RFC 5804 (ManageSieve), RFC 6120
//! (XMPP), RFC 4511 (LDAP), RFC 1928 and 1929 (SOCKS 5), RFC 9110 (CONNECT), the SOCKS 4 and 4A memos, the PROXY protocol
//! specification, the PostgreSQL and MySQL protocol documentation, and MS-RDPBCGR for X.224 in TPKT.

use crate::text;

/// A line or tag that is longer ends the search.
const MOST_TOKEN: usize = 2048;
/// Headers of an HTTP message that are looked at.
const MOST_HEADERS: usize = 8192;

/// What the octets at the front of a direction are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// So many octets belong to a dialogue that can lead to TLS, and whether TLS may stand right after them.
    Skip(usize, bool),
    /// So many octets of space, which change nothing.
    Blank(usize),
    /// Not decided before so many octets are there.
    Need(usize),
    /// An HTTP request that is no CONNECT, and its host.
    Http(Option<Box<str>>),
    /// Nothing that leads to TLS.
    Nothing,
}

/// Reads one token. In XML, that is after a tag, everything up to the next tag is text.
pub(crate) fn token(data: &[u8], xml: bool) -> Token {
    match data {
        [] => Token::Need(1),
        [first, ..] if xml && *first != b'<' => between_tags(data),
        [5, ..] => socks5(data),
        [4, ..] => socks4(data),
        [0, 0x5a, ..] => skip(data, 8, true),
        [0, 0, 0, 8, rest @ ..] => postgres(data, rest),
        [0] | [0, 0] | [0, 0, 0] => Token::Need(data.len() + 1),
        [0x20, 0, 0, 1, ..] => mysql_request(data),
        [a, b, 0, 0, 10, ..] => mysql_greeting(data, [*a, *b]),
        [3, 0, high, low, ..] => x224(data, usize::from(u16::from_be_bytes([*high, *low]))),
        [3] | [3, 0] | [3, 0, _] => Token::Need(4),
        [b'\r', ..] => proxy_v2(data),
        [0x30, ..] => ldap(data),
        // PostgreSQL answers with one letter (another one before it if GSSAPI was refused), and TLS follows at once.
        [b'S', 0x16, ..] => Token::Skip(1, true),
        [b'N', b'S', 0x16, ..] => Token::Skip(2, true),
        [b'<', ..] => tag(data),
        // A length of MySQL may look like text.
        [_, 0..=3] | [_, 0..=3, 0] | [_, 0..=3, 0, 0] => Token::Need(data.len() + 1),
        [0x20..=0x7e, ..] => line(data),
        [_] => Token::Need(2),
        _ => Token::Nothing,
    }
}

fn skip(data: &[u8], count: usize, before_tls: bool) -> Token {
    if data.len() < count { Token::Need(count) } else { Token::Skip(count, before_tls) }
}

fn find(data: &[u8], what: u8) -> Option<usize> {
    data.iter().position(|octet| *octet == what)
}

fn contains(data: &[u8], what: &[u8]) -> bool {
    data.windows(what.len()).any(|window| window == what)
}

fn starts_with_word(data: &[u8], word: &[u8]) -> bool {
    data.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

// Text.

const METHODS: [&[u8]; 20] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"REPORT",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"M-SEARCH",
];

fn line(data: &[u8]) -> Token {
    let bound = data.len().min(MOST_TOKEN);
    let end = find(&data[..bound], b'\n');
    let line = &data[..end.unwrap_or(bound)];
    if line.iter().any(|octet| *octet < b' ' && !matches!(octet, b'\t' | b'\r')) {
        return Token::Nothing;
    }
    let Some(end) = end else {
        return if bound < MOST_TOKEN {
            Token::Need(data.len() + 1)
        } else if http_method(data).is_some() {
            // A request line may be long, other lines are not.
            http_request(data)
        } else {
            Token::Nothing
        };
    };
    let line = line.trim_ascii();
    if starts_with_word(line, b"HTTP/1.") {
        return http_answer(data, line);
    }
    if http_method(line).is_some() && contains(line, b" HTTP/1.") {
        return http_request(data);
    }
    // SSH is text for one line only, and common.
    if starts_with_word(line, b"SSH-") {
        return Token::Nothing;
    }
    Token::Skip(end + 1, line_leads_to_tls(line))
}

fn line_leads_to_tls(line: &[u8]) -> bool {
    let mut words = line.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let (Some(first), second, third) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    let is = |word: Option<&[u8]>, text: &str| {
        word.is_some_and(|word| word.eq_ignore_ascii_case(text.as_bytes()))
    };
    match (second, third) {
        // Requests: SMTP, NNTP, sieve, IRC; POP3.
        (None, _) if is(Some(first), "STARTTLS") || is(Some(first), "STLS") => true,
        // IMAP with its tag; FTP.
        (Some(_), None) if is(second, "STARTTLS") => true,
        (Some(word), None) if is(Some(first), "AUTH") => {
            ["TLS", "SSL", "TLS-C", "TLS-P"].iter().any(|kind| is(Some(word), kind))
        }
        // The address line of a proxy, before everything else.
        (Some(_), Some(_)) if first == b"PROXY" => true,
        // Answers: POP3 and sieve; IMAP with its tag; IRC.
        _ if first == b"+OK" || is(Some(first), "OK") || is(second, "OK") => true,
        _ if second == Some(b"670") => true,
        // SMTP; FTP, old FTP; NNTP.
        _ => matches!(first.get(..3), Some(b"220" | b"234" | b"334" | b"382")),
    }
}

fn http_method(line: &[u8]) -> Option<&'static [u8]> {
    let word = &line[..find(&line[..line.len().min(12)], b' ')?];
    METHODS.iter().copied().find(|method| *method == word)
}

/// The end of the headers, the empty line with them.
fn headers_end(data: &[u8]) -> Option<usize> {
    let bound = data.len().min(MOST_HEADERS);
    let mut from = 0;
    while let Some(end) = find(&data[from..bound], b'\n') {
        if matches!(&data[from..from + end], b"" | b"\r") {
            return Some(from + end + 1);
        }
        from += end + 1;
    }
    None
}

fn http_request(data: &[u8]) -> Token {
    let connect = http_method(data) == Some(b"CONNECT");
    let end = headers_end(data);
    let headers = &data[..end.unwrap_or(data.len().min(MOST_HEADERS))];
    if !connect {
        // A host line is told by the line feed after it.
        let host = host_header(headers);
        return match (host, end) {
            (Some(host), _) => Token::Http(Some(host)),
            (None, Some(_)) => Token::Http(None),
            (None, None) if data.len() >= MOST_HEADERS => Token::Http(None),
            (None, None) => Token::Need(data.len() + 1),
        };
    }
    match end {
        Some(end) => Token::Skip(end, true),
        None if data.len() >= MOST_HEADERS => Token::Nothing,
        None => Token::Need(data.len() + 1),
    }
}

fn host_header(headers: &[u8]) -> Option<Box<str>> {
    headers
        .split_inclusive(|octet| *octet == b'\n')
        .skip(1)
        .find(|line| line.ends_with(b"\n") && starts_with_word(line, b"Host:"))
        .map(|line| line[b"Host:".len()..].trim_ascii())
        .filter(|host| !host.is_empty())
        .map(text::host_name)
}

/// Only a successful answer to CONNECT has nothing after its headers. A refusal has, and another request may follow it: a
/// proxy that asks for a password is answered in the same connection.
fn http_answer(data: &[u8], status: &[u8]) -> Token {
    let Some(end) = headers_end(data) else {
        return if data.len() >= MOST_HEADERS {
            Token::Nothing
        } else {
            Token::Need(data.len() + 1)
        };
    };
    match status.split(|octet| *octet == b' ').nth(1) {
        Some([b'2', _, _]) => Token::Skip(end, true),
        Some(b"407") => match content_length(&data[..end]) {
            Some(length) if length <= MOST_HEADERS - end => skip(data, end + length, false),
            _ => Token::Nothing,
        },
        _ => Token::Nothing,
    }
}

fn content_length(headers: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"Content-Length:";
    let line = headers.split(|octet| *octet == b'\n').find(|line| starts_with_word(line, NAME))?;
    std::str::from_utf8(line[NAME.len()..].trim_ascii()).ok()?.parse().ok()
}

fn tag(data: &[u8]) -> Token {
    let bound = data.len().min(MOST_TOKEN);
    match find(&data[..bound], b'>') {
        Some(end) => {
            let tag = &data[..=end];
            Token::Skip(end + 1, contains(tag, b"starttls") || contains(tag, b"proceed"))
        }
        None if bound == MOST_TOKEN => Token::Nothing,
        None => Token::Need(data.len() + 1),
    }
}

fn between_tags(data: &[u8]) -> Token {
    let is_text =
        |octet: &u8| *octet >= b' ' && *octet != b'<' || matches!(octet, b'\t' | b'\r' | b'\n');
    let space = data.iter().take_while(|octet| octet.is_ascii_whitespace()).count();
    let text = data.iter().take_while(|octet| is_text(octet)).count();
    match (text, space) {
        (0, _) => Token::Nothing,
        _ if text == space => Token::Blank(text),
        _ => Token::Skip(text, false),
    }
}

// SOCKS and proxies.

/// The whole dialogue of one direction, since its octets do not say which message they are.
fn socks5(data: &[u8]) -> Token {
    match socks5_client(data) {
        Token::Nothing => socks5_server(data),
        token => token,
    }
}

fn socks5_client(data: &[u8]) -> Token {
    let Some(methods) = data.get(1) else { return Token::Need(2) };
    if *methods == 0 {
        return Token::Nothing;
    }
    let mut at = 2 + usize::from(*methods);
    let Some(next) = data.get(at) else { return Token::Need(at + 1) };
    if *next == 1 {
        // User name and password.
        let Some(user) = data.get(at + 1) else { return Token::Need(at + 2) };
        at += 2 + usize::from(*user);
        let Some(password) = data.get(at) else { return Token::Need(at + 1) };
        at += 1 + usize::from(*password);
    }
    socks5_end(data, at, |command| command == 1)
}

fn socks5_server(data: &[u8]) -> Token {
    let Some(method) = data.get(1) else { return Token::Need(2) };
    match method {
        0 => socks5_end(data, 2, |reply| reply == 0),
        2 => match (data.get(2), data.get(3)) {
            (Some(1), Some(0)) => socks5_end(data, 4, |reply| reply == 0),
            (Some(1) | None, None) => Token::Need(4),
            _ => Token::Nothing,
        },
        _ => Token::Nothing,
    }
}

/// A request or a reply: version, command or result, zero, address, port.
fn socks5_end(data: &[u8], at: usize, accept: impl Fn(u8) -> bool) -> Token {
    let rest = data.get(at..).unwrap_or_default();
    let address = match *rest {
        [5, command, 0, kind, ..] if accept(command) => match kind {
            1 => 4,
            4 => 16,
            3 => match rest.get(4) {
                Some(length) => 1 + usize::from(*length),
                None => return Token::Need(at + 5),
            },
            _ => return Token::Nothing,
        },
        [5, command, 0] if accept(command) => return Token::Need(at + 4),
        [5, command] if accept(command) => return Token::Need(at + 3),
        [] | [5] => return Token::Need(at + rest.len() + 1),
        _ => return Token::Nothing,
    };
    skip(data, at + 4 + address + 2, true)
}

fn socks4(data: &[u8]) -> Token {
    match data {
        [4] => Token::Need(2),
        [4, 1, rest @ ..] => {
            let Some((fixed, text)) = rest.split_at_checked(6) else { return Token::Need(9) };
            let Some(user) = find(&text[..text.len().min(256)], 0) else {
                return if text.len() >= 256 {
                    Token::Nothing
                } else {
                    Token::Need(data.len() + 1)
                };
            };
            let mut end = 8 + user + 1;
            // An address 0.0.0.x says that a name follows.
            if matches!(fixed, [_, _, 0, 0, 0, last] if *last != 0) {
                let name = &data[end..];
                match find(&name[..name.len().min(256)], 0) {
                    Some(name) => end += name + 1,
                    None if name.len() >= 256 => return Token::Nothing,
                    None => return Token::Need(data.len() + 1),
                }
            }
            Token::Skip(end, true)
        }
        _ => Token::Nothing,
    }
}

fn proxy_v2(data: &[u8]) -> Token {
    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
    let known = data.len().min(SIGNATURE.len());
    if data[..known] != SIGNATURE[..known] {
        // An empty line, as some clients send it before a request.
        return if data.starts_with(b"\r\n") { Token::Skip(2, false) } else { Token::Nothing };
    }
    match data.get(12..16) {
        Some([_, _, high, low]) => {
            skip(data, 16 + usize::from(u16::from_be_bytes([*high, *low])), true)
        }
        _ => Token::Need(16),
    }
}

// Binary dialogues.

fn postgres(data: &[u8], rest: &[u8]) -> Token {
    // SSLRequest, GSSENCRequest; RFC-less, from the protocol's documentation.
    const SSL: &[u8] = &[0x04, 0xd2, 0x16, 0x2f];
    const GSS: &[u8] = &[0x04, 0xd2, 0x16, 0x30];
    match rest.get(..4) {
        Some(SSL) => Token::Skip(8, true),
        Some(GSS) => Token::Skip(8, false),
        Some(_) => Token::Nothing,
        None => Token::Need(data.len() + 1),
    }
}

fn mysql_request(data: &[u8]) -> Token {
    const CLIENT_SSL: u8 = 0x08;
    match data.get(5) {
        Some(flags) if flags & CLIENT_SSL != 0 => skip(data, 36, true),
        Some(_) => Token::Nothing,
        None => Token::Need(6),
    }
}

fn mysql_greeting(data: &[u8], length: [u8; 2]) -> Token {
    let length = usize::from(u16::from_le_bytes(length));
    if !(20..=1024).contains(&length) { Token::Nothing } else { skip(data, 4 + length, true) }
}

/// A connection request or confirmation of X.224 in TPKT, as of remote desktops.
fn x224(data: &[u8], length: usize) -> Token {
    match data.get(5) {
        _ if !(11..=512).contains(&length) => Token::Nothing,
        Some(0xe0 | 0xd0) => skip(data, length, true),
        Some(_) => Token::Nothing,
        None => Token::Need(6),
    }
}

/// A message of LDAP; TLS follows the StartTLS operation and its answer.
fn ldap(data: &[u8]) -> Token {
    let (header, length) = match data {
        [_, length @ ..=0x7f, ..] => (2, usize::from(*length)),
        [_, 0x81, length, ..] => (3, usize::from(*length)),
        [_, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        [_] | [_, 0x81 | 0x82] | [_, 0x82, _] => return Token::Need(data.len() + 1),
        _ => return line(data),
    };
    // A message begins with its number, an integer; text may begin with `0` too.
    match data.get(header) {
        Some(2) if length <= MOST_TOKEN => {}
        Some(_) => return line(data),
        None => return Token::Need(header + 1),
    }
    let Some(message) = data.get(header..header + length) else {
        return Token::Need(header + length);
    };
    let operation = match message {
        [2, length, rest @ ..] => rest.get(usize::from(*length)..).unwrap_or_default(),
        _ => &[],
    };
    let leads = match operation.first() {
        Some(0x77) => contains(operation, b"1.3.6.1.4.1.1466.20037"),
        Some(0x78) => true,
        _ => false,
    };
    Token::Skip(header + length, leads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(data: &[u8]) -> Token {
        super::token(data, false)
    }

    fn check(data: &[u8], expect: Token) {
        assert_eq!(token(data), expect, "{:?}", String::from_utf8_lossy(data));
        // With fewer octets nothing else may be decided, only later.
        if let Token::Skip(count, _) = expect {
            for end in 1..count.min(data.len()) {
                let early = token(&data[..end]);
                assert!(
                    matches!(early, Token::Need(need) if need > end),
                    "{early:?} with {end} of {count} octets of {:?}",
                    String::from_utf8_lossy(data)
                );
            }
        }
    }

    #[test]
    fn tokens() {
        let cases: [(&[u8], usize, bool); 35] = [
            (b"EHLO there\r\nSTARTTLS\r\n", 12, false),
            (b"STARTTLS\r\n", 10, true),
            (b"starttls\r\n", 10, true),
            (b"220 ready\r\n", 11, true),
            (b"250-SIZE 1\r\n", 12, false),
            (b"a1 STARTTLS\r\n", 13, true),
            (b"a1 OK begin\r\n", 13, true),
            (b"* CAPABILITY IMAP4 STARTTLS\r\n", 29, false),
            (b"STLS\r\n", 6, true),
            (b"+OK go\r\n", 8, true),
            (b"AUTH TLS\r\n", 10, true),
            (b"AUTH LOGIN\r\n", 12, false),
            (b"234 go\r\n", 8, true),
            (b"382 go\r\n", 8, true),
            (b":a 670 b :go\r\n", 14, true),
            (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", 34, true),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x02ab", 18, true),
            (b"<starttls xmlns='x'/>", 21, true),
            (b"<proceed xmlns='x'/>\n", 20, true),
            (b"<?xml version='1.0'?>", 21, false),
            (b"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 35, true),
            (b"HTTP/1.1 200 Connection established\r\n\r\n", 39, true),
            (b"\x05\x01\x00\x05\x01\x00\x01\x01\x02\x03\x04\x01\xbb", 13, true),
            (b"\x05\x02\x00\x02\x01\x01u\x01p\x05\x01\x00\x03\x01h\x01\xbb", 17, true),
            (b"\x05\x00\x05\x00\x00\x01\x01\x02\x03\x04\x01\xbb", 12, true),
            (b"\x05\x02\x01\x00\x05\x00\x00\x04AAAAAAAAAAAAAAAA\x01\xbb", 26, true),
            (b"\x04\x01\x01\xbb\x01\x02\x03\x04me\0", 11, true),
            (b"\x04\x01\x01\xbb\x00\x00\x00\x04me\0host\0", 16, true),
            (b"\x00\x5a\x01\xbb\x01\x02\x03\x04", 8, true),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", 8, true),
            (b"\x00\x00\x00\x08\x04\xd2\x16\x30", 8, false),
            (b"\x20\x00\x00\x01\x05\xaeAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 36, true),
            (b"\x03\x00\x00\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0", 19, true),
            (b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", 31, true),
            (b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00", 14, true),
        ];
        for (data, count, leads) in cases {
            check(data, Token::Skip(count, leads));
        }
        check(b"HTTP/1.1 407 no\r\ncontent-length: 2\r\n\r\nno", Token::Skip(40, false));
        for data in [
            &b"SSH-2.0-x\r\n"[..],
            b"\x13BitTorrent protocol",
            b"\x05\x00\x05\x01\x00\x01",
            b"\x04\x5a",
            b"HTTP/1.1 404 no\r\n\r\n",
            b"\xff\xff\xff\xff\xff",
            b"\x20\x00\x00\x01\x05\x00",
        ] {
            assert_eq!(token(data), Token::Nothing, "{data:?}");
        }
        let http = b"GET / HTTP/1.1\r\nhost:  Example.COM:8080 \r\nA: b\r\n\r\n";
        assert_eq!(token(http), Token::Http(Some("example.com:8080".into())));
        assert_eq!(token(b"GET / HTTP/1.0\r\n\r\n"), Token::Http(None));
        assert_eq!(token(b"GET / HTTP/1.1\r\nHost: ab"), Token::Need(25));
        assert_eq!(token(b"S\x16\x03"), Token::Skip(1, true));
        assert_eq!(token(b"NS\x16\x03"), Token::Skip(2, true));
        assert_eq!(super::token(b" \n\x16", true), Token::Blank(2));
        assert_eq!(super::token(b" a<", true), Token::Skip(2, false));
        assert_eq!(super::token(b"<a>b", true), Token::Skip(3, false));
    }
}
