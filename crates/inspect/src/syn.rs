//! Fingerprints of SYNs. Most are like one that came before, and a hash is dear.

use rockfish_fingerprint::{Syn, TcpFingerprint, TcpFormat};

const PLACES: usize = 1024;
/// Octets of options that a TCP header has at most.
const MOST_OPTIONS: usize = 40;

/// What a fingerprint is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Made {
    flags: u16,
    window: u16,
    ttl: u8,
    length: u8,
    options: [u8; MOST_OPTIONS],
}

/// The latest SYN of each kind. Timestamps are of no meaning for the fingerprint, and change: they do not count.
#[derive(Debug)]
pub(crate) struct SynCache {
    format: TcpFormat,
    places: Vec<Option<(Made, Option<TcpFingerprint>)>>,
}

impl SynCache {
    pub(crate) fn new(format: TcpFormat) -> Self {
        Self { format, places: vec![None; PLACES] }
    }

    /// The fingerprint of a TCP header, if it is that of a SYN.
    pub(crate) fn fingerprint(&mut self, header: &[u8], ttl: u8) -> Option<TcpFingerprint> {
        let syn = Syn::from_header(header, ttl).filter(Syn::qualifies)?;
        let mut made = Made {
            flags: syn.flags,
            window: syn.window,
            ttl,
            length: syn.options.len() as u8,
            options: [0; MOST_OPTIONS],
        };
        made.options.get_mut(..syn.options.len())?.copy_from_slice(syn.options);
        blank_timestamps(&mut made.options[..syn.options.len()]);
        let place = &mut self.places[made.place()];
        if let Some((known, fingerprint)) = place
            && *known == made
        {
            return *fingerprint;
        }
        let fingerprint = TcpFingerprint::of_syn(&syn, self.format);
        *place = Some((made, fingerprint));
        fingerprint
    }
}

impl Made {
    fn place(&self) -> usize {
        let mut hash = u64::from(self.window) << 16 | u64::from(self.ttl);
        for word in self.options.as_chunks::<8>().0 {
            hash = (hash ^ u64::from_le_bytes(*word))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29);
        }
        (hash >> 40) as usize % PLACES
    }
}

/// Zeroes what a timestamps option (kind 8) holds.
fn blank_timestamps(options: &mut [u8]) {
    let mut at = 0;
    while let Some(kind) = options.get(at).copied() {
        let length = match (kind, options.get(at + 1)) {
            (1, _) => 1,
            // After the end there is padding, in which some read on.
            (0, _) | (_, None | Some(0 | 1)) => return,
            (_, Some(length)) => usize::from(*length),
        };
        if kind == 8
            && length == 10
            && let Some(values) = options.get_mut(at + 2..at + 10)
        {
            values.fill(0);
        }
        at += length;
    }
}
