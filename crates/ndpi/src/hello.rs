//! ClientHellos without what only fingerprints need.
//!
//! Printing the lists of a ClientHello for JA3 is more than a third of all that libndpi 4.2 does for the packets of a usual
//! network, and it cannot be told not to. The fingerprints come from elsewhere, so it is shown hellos without those lists:
//! versions, session, server name, protocols and every extension that is not known here stay as they are.

use rockfish_label::PacketView;

/// Cipher suites that are kept, in octets: libndpi looks at the server's choice, not at the offers.
const SUITES: usize = 4;

/// Extensions that are left out: groups, point formats, signature algorithms, padding, certificate compression, session
/// ticket, pre-shared key, early data, exchange modes, signature algorithms of certificates, key shares, encrypted hello.
const LEFT_OUT: [u16; 13] = [10, 11, 13, 17, 21, 27, 35, 41, 42, 45, 50, 51, 0xfe0d];

/// Whether an extension is one of RFC 8701, put in to see who minds.
fn is_grease(kind: u16) -> bool {
    kind & 0x0f0f == 0x0a0a && kind >> 8 == kind & 0xff
}

/// Writes the packet with a shorter hello into `out`. False if it is no TCP packet with a whole ClientHello and nothing
/// behind it, or has lengths that do not fit.
pub(crate) fn shorten(packet: &PacketView<'_>, out: &mut Vec<u8>) -> bool {
    out.clear();
    write(packet, out).is_some()
}

fn write(packet: &PacketView<'_>, out: &mut Vec<u8>) -> Option<()> {
    let payload = packet.payload;
    let headers = packet.ip.strip_suffix(payload)?;
    let number =
        |at: usize| Some(usize::from(u16::from_be_bytes(*payload.get(at..)?.first_chunk()?)));
    // Record header, handshake header, version, random, session.
    if payload.first() != Some(&0x16)
        || payload.get(5) != Some(&1)
        || number(3)? + 5 != payload.len()
    {
        return None;
    }
    let hello_ends = 9 + (usize::from(*payload.get(6)?) << 16) + number(7)?;
    if hello_ends != payload.len() {
        return None;
    }
    let suites_at = 44 + usize::from(*payload.get(43)?);
    let suites = number(suites_at)?;
    let compression_at = suites_at + 2 + suites;
    let extensions_at = compression_at + 1 + usize::from(*payload.get(compression_at)?);
    let extensions = payload.get(extensions_at + 2..extensions_at + 2 + number(extensions_at)?)?;
    if extensions_at + 2 + extensions.len() != payload.len() {
        return None;
    }
    out.extend_from_slice(headers);
    out.extend_from_slice(payload.get(..suites_at)?);
    let kept = suites.min(SUITES);
    out.extend_from_slice(&(kept as u16).to_be_bytes());
    out.extend_from_slice(payload.get(suites_at + 2..suites_at + 2 + kept)?);
    out.extend_from_slice(payload.get(compression_at..extensions_at)?);
    let list_at = out.len();
    out.extend_from_slice(&[0, 0]);
    let mut rest = extensions;
    while let Some((head, behind)) = rest.split_first_chunk::<4>() {
        let kind = u16::from_be_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let body = behind.get(..length)?;
        if !LEFT_OUT.contains(&kind) && !is_grease(kind) {
            out.extend_from_slice(head);
            out.extend_from_slice(body);
        }
        rest = behind.get(length..)?;
    }
    if !rest.is_empty() {
        return None;
    }
    // Lengths, from the inside out. All are shorter than they were, so they fit.
    let start = headers.len();
    let total = out.len();
    put(out, list_at, total - list_at - 2)?;
    put(out, start + 7, total - start - 9)?;
    *out.get_mut(start + 6)? = ((total - start - 9) >> 16) as u8;
    put(out, start + 3, total - start - 5)?;
    match headers.first()? >> 4 {
        4 => put(out, 2, total),
        6 => put(out, 4, total.checked_sub(40)?),
        _ => None,
    }
}

fn put(out: &mut [u8], at: usize, number: usize) -> Option<()> {
    out.get_mut(at..at + 2)?.copy_from_slice(&(number as u16).to_be_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 packet with a ClientHello of these extensions.
    fn packet(extensions: &[(u16, &[u8])]) -> Vec<u8> {
        let mut list = Vec::new();
        for (kind, body) in extensions {
            list.extend_from_slice(&kind.to_be_bytes());
            list.extend_from_slice(&(body.len() as u16).to_be_bytes());
            list.extend_from_slice(body);
        }
        let mut body = vec![3, 3];
        body.extend_from_slice(&[7; 32]);
        body.extend_from_slice(&[1, 9, 0, 8, 0x0a, 0x0a, 0x13, 1, 0x13, 2, 0xc0, 0x2b, 1, 0]);
        body.extend_from_slice(&(list.len() as u16).to_be_bytes());
        body.extend_from_slice(&list);
        let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend_from_slice(&[0; 12]);
        packet.extend_from_slice(&[0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        packet.extend_from_slice(&[0x16, 3, 1]);
        packet.extend_from_slice(&(body.len() as u16 + 4).to_be_bytes());
        packet.extend_from_slice(&[1, 0]);
        packet.extend_from_slice(&(body.len() as u16).to_be_bytes());
        packet.extend_from_slice(&body);
        let length = packet.len() as u16;
        packet[2..4].copy_from_slice(&length.to_be_bytes());
        packet
    }

    fn short(ip: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let view = PacketView { ip, payload: &ip[40..], from_initiator: true, time_ms: 0 };
        shorten(&view, &mut out).then_some(out)
    }

    #[test]
    fn names_and_versions_stay() {
        let name: &[u8] = b"\x00\x08\x00\x00\x05a.com";
        let long = packet(&[
            (0x1a1a, &[]),
            (0, name),
            (10, &[0, 2, 0, 29]),
            (16, &[0, 3, 2, b'h', b'2']),
            (51, &[1; 40]),
            (43, &[2, 3, 4]),
            (4711, &[9]),
        ]);
        let mut expected =
            packet(&[(0, name), (16, &[0, 3, 2, b'h', b'2']), (43, &[2, 3, 4]), (4711, &[9])]);
        // Two suites instead of four, in three lengths.
        let suites_at = 40 + 45;
        expected.drain(suites_at + 6..suites_at + 10);
        expected[suites_at + 1] = 4;
        for at in [3, 40 + 4, 40 + 8] {
            expected[at] -= 4;
        }
        assert_eq!(short(&long), Some(expected.clone()));
        assert_eq!(short(&expected), Some(expected));
    }

    #[test]
    fn what_does_not_fit_stays_as_it_is() {
        let whole = packet(&[(0, b"\x00\x08\x00\x00\x05a.com"), (51, &[1; 9])]);
        assert!(short(&whole).is_some());
        for cut in 40..whole.len() {
            assert_eq!(short(&whole[..cut]), None, "{cut}");
        }
        for place in 40..whole.len() {
            for octet in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[place] = octet;
                if let Some(out) = short(&changed) {
                    assert!(out.len() <= changed.len());
                    let length = usize::from(u16::from_be_bytes([out[2], out[3]]));
                    assert_eq!(length, out.len(), "{place} {octet}");
                }
            }
        }
    }
}
