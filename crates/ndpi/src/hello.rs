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
