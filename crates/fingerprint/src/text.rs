//! Octets from the network as text.

/// Most octets of a name that are kept: more than any name in DNS has.
pub(crate) const MOST_NAME: usize = 255;

/// Lower-case hexadecimal digits.
pub(crate) const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Two digits of an octet.
#[inline]
pub(crate) const fn hex(octet: u8) -> [u8; 2] {
    [DIGITS[(octet >> 4) as usize], DIGITS[(octet & 15) as usize]]
}

/// `2 × N` digits of the first octets of `octets`.
pub(crate) fn hex_string(octets: &[u8]) -> String {
    octets.iter().flat_map(|octet| hex(*octet)).map(char::from).collect()
}

/// Appends octets as text: printable ASCII as it is, a backslash and everything else as `\xNN`.
pub(crate) fn escape(octets: &[u8], into: &mut String) {
    for octet in octets {
        match octet {
            b'\\' | 0..=0x20 | 0x7f.. => {
                into.push_str("\\x");
                into.extend(hex(*octet).map(char::from));
            }
            _ => into.push(char::from(*octet)),
        }
    }
}

/// A host name: at most 255 octets, in lower case since names compare so (RFC 4343).
pub(crate) fn host_name(octets: &[u8]) -> Box<str> {
    let octets = &octets[..octets.len().min(MOST_NAME)];
    let mut text = String::with_capacity(octets.len());
    escape(octets, &mut text);
    text.make_ascii_lowercase();
    text.into_boxed_str()
}
