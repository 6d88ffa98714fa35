//! Domain names as they are in a message: labels, and pointers to earlier ones.

use std::fmt::{self, Write as _};

/// Octets of a name with the lengths of its labels (RFC 1035, section 2.3.4).
const MOST_OCTETS: usize = 255;
/// Pointers of a name: more than it can have labels. Without a bound one message could hold very long chains of them.
const MOST_POINTERS: u8 = 127;

/// A name in a message, known to be whole. It has no loops: each pointer leads to an earlier place.
#[derive(Clone, Copy)]
pub struct Name<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Name<'a> {
    /// Reads the name at an offset. Gives it and the offset after it, or none if it is cut off, too long, or leads forwards.
    pub(crate) fn read(message: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let name = Self { message, at };
        let mut labels = Labels { message, at, before: at, pointers: 0, after: None };
        let mut octets = 1;
        while let Some(label) = labels.step()? {
            octets += label.len() + 1;
            if octets > MOST_OCTETS {
                return None;
            }
        }
        Some((name, labels.after.unwrap_or(labels.at)))
    }

    /// Its labels, from the host's to the top-level domain's.
    pub fn labels(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut labels = Labels {
            message: self.message,
            at: self.at,
            before: self.at,
            pointers: 0,
            after: None,
        };
        std::iter::from_fn(move || labels.step().flatten())
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.labels().next().is_none()
    }

    /// Whether two names are the same; case does not count (RFC 4343).
    pub fn matches(&self, other: &Self) -> bool {
        let (mut one, mut other) = (self.labels(), other.labels());
        loop {
            match (one.next(), other.next()) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
                _ => return false,
            }
        }
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for label in self.labels() {
            if !first {
                f.write_char('.')?;
            }
            first = false;
            // Nearly all labels are plain.
            if label
                .iter()
                .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
            {
                f.write_str(std::str::from_utf8(label).unwrap_or_default())?;
                continue;
            }
            for octet in label {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(*octet))?,
                    0..=0x20 | 0x7f.. => write!(f, "\\{octet:03}")?,
                    _ => f.write_char(char::from(*octet))?,
                }
            }
        }
        if first { f.write_char('.') } else { Ok(()) }
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

struct Labels<'a> {
    message: &'a [u8],
    at: usize,
    /// Pointers must lead before this.
    before: usize,
    pointers: u8,
    /// The offset after the name where it stands, known at the first pointer.
    after: Option<usize>,
}

impl<'a> Labels<'a> {
    /// The next label, `Some(None)` at the end of the name, none if it is malformed.
    fn step(&mut self) -> Option<Option<&'a [u8]>> {
        loop {
            let length = *self.message.get(self.at)?;
            match length {
                0 => {
                    self.at += 1;
                    return Some(None);
                }
                1..=63 => {
                    let from = self.at + 1;
                    let to = from + usize::from(length);
                    self.at = to;
                    return self.message.get(from..to).map(Some);
                }
                0xc0.. => {
                    let low = *self.message.get(self.at + 1)?;
                    let target = usize::from(length & 0x3f) << 8 | usize::from(low);
                    self.pointers += 1;
                    if target >= self.before || self.pointers > MOST_POINTERS {
                        return None;
                    }
                    self.after.get_or_insert(self.at + 2);
                    self.at = target;
                    self.before = target;
                }
                // Lengths that were reserved for other kinds of labels.
                _ => return None,
            }
        }
    }
}
