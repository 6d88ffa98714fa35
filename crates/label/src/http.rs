//! What the head of an HTTP request says.

/// The host that a request is for: of its target if that is a whole URL, else of its `Host` field, without a port. Nothing
/// for what is no request, or where the field is not in this packet.
pub fn host(payload: &[u8]) -> Option<&str> {
    let request = Request::parse(payload)?;
    request.host()
}

/// A request as far as it is in a packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a [u8],
    target: &'a [u8],
    fields: &'a [u8],
}

const METHODS: [&[u8]; 16] = [
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
    b"REPORT",
];

/// Octets of a head that are looked through.
const MOST: usize = 8 << 10;

impl<'a> Request<'a> {
    pub(crate) fn parse(payload: &'a [u8]) -> Option<Self> {
        // The longest method has nine letters.
        let space = payload.iter().take(10).position(|octet| *octet == b' ')?;
        let method = payload.get(..space).filter(|method| METHODS.contains(method))?;
        let payload = payload.get(..payload.len().min(MOST))?;
        let rest = payload.get(space + 1..)?;
        let (line, fields) = match rest.iter().position(|octet| *octet == b'\n') {
            Some(end) => (rest.get(..end)?, rest.get(end + 1..)?),
            None => (rest, &[][..]),
        };
        let whole = rest.len() > line.len();
        let end = line.iter().position(|octet| *octet == b' ').unwrap_or(line.len());
        let (target, version) = line.split_at(end);
        let version = version.get(1..).unwrap_or_default();
        // A line that is not all in the packet need not have come to its version.
        let fine = if whole {
            version.starts_with(b"HTTP/1.")
        } else {
            version.is_empty() || b"HTTP/1.1\r".starts_with(version)
        };
        (fine && target.first().is_some_and(|octet| octet.is_ascii_graphic())).then_some(Self {
            method,
            target,
            fields,
        })
    }

    /// Whether the target is a whole URL, as clients send it to a proxy.
    pub(crate) fn is_for_proxy(&self) -> bool {
        self.target.starts_with(b"http://")
    }

    /// The value of a field, by its name in lower case.
    pub(crate) fn field(&self, name: &[u8]) -> Option<&'a [u8]> {
        field(self.fields, name)
    }

    pub(crate) fn host(&self) -> Option<&'a str> {
        let authority = match self.target.strip_prefix(b"http://") {
            Some(rest) => rest.split(|octet| matches!(octet, b'/' | b'?')).next()?,
            None => self.field(b"host")?,
        };
        let authority = std::str::from_utf8(authority).ok()?;
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next()?,
            None => authority.split(':').next()?,
        };
        let fine =
            |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b':');
        (!host.is_empty() && host.len() <= 255 && host.bytes().all(fine)).then_some(host)
    }
}

/// The value of a field among the lines of a head.
pub(crate) fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    for line in head.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            return None;
        }
        if line.len() > name.len()
            && line[name.len()] == b':'
            && line[..name.len()].eq_ignore_ascii_case(name)
        {
            return Some(line[name.len() + 1..].trim_ascii());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let cases: [(&[u8], Option<&str>); 12] = [
            (b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n", Some("www.example.org")),
            (b"GET / HTTP/1.1\nuser-agent: x\nhOsT:example.org:8080 \n\n", Some("example.org")),
            (b"GET http://a.example:81/x HTTP/1.1\r\nHost: b.example\r\n\r\n", Some("a.example")),
            (b"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", Some("2001:db8::1")),
            (b"GET / HTTP/1.1\r\n\r\nHost: body.example\r\n", None),
            (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", None),
            (b"GET / HTTP/1.1\r\nHost: \r\n\r\n", None),
            (b"GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", None),
            (b"GETS / HTTP/1.1\r\nHost: a.example\r\n\r\n", None),
            (b"POST /upload?a=b HTTP/1.0\r\nHost: a.example", Some("a.example")),
            (b"GET ", None),
            (b"", None),
        ];
        for (payload, expected) in cases {
            assert_eq!(host(payload), expected, "{}", String::from_utf8_lossy(payload));
        }
    }
}
