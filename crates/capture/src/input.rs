//! The octets of a capture: as stored, or decompressed on the way.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// RFC 1952, section 2.3.1.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// RFC 8878, section 3.1.1.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Octets asked for first, to see what the input is.
const PREFIX: usize = 4096;
/// Compressed octets read at once.
const COMPRESSED_READ: usize = 256 << 10;
/// Octets decompressed at once. A decompressor that meets damage drops what it made in that call, so calls are kept short.
const DECOMPRESSED_READ: usize = 64 << 10;

/// Why nothing more can be read.
#[derive(Debug)]
pub(crate) enum InputError {
    /// The system failed.
    Read(io::Error),
    /// The compressed data end early or are damaged.
    Compression(io::Error),
}

/// What a capture is read from.
pub(crate) enum Input {
    Plain(Stored),
    Gzip(Box<MultiGzDecoder<BufReader<Stored>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Stored>>>),
}

impl Input {
    /// Looks at the first octets of `inner` to see whether and how it is compressed.
    pub(crate) fn new(inner: Box<dyn Read + Send>) -> Result<Self, InputError> {
        let mut stored =
            Stored { inner, prefix: vec![0; PREFIX], start: 0, octets: 0, failed: false };
        let mut length = 0;
        while length < ZSTD_MAGIC.len() {
            match read_some(&mut stored.inner, &mut stored.prefix[length..])
                .map_err(InputError::Read)?
            {
                0 => break,
                n => length += n,
            }
        }
        stored.prefix.truncate(length);
        stored.octets = length as u64;
        if stored.prefix.starts_with(&GZIP_MAGIC) {
            let stored = BufReader::with_capacity(COMPRESSED_READ, stored);
            Ok(Self::Gzip(Box::new(MultiGzDecoder::new(stored))))
        } else if stored.prefix.starts_with(&ZSTD_MAGIC) || is_skippable_frame(&stored.prefix) {
            let stored = BufReader::with_capacity(COMPRESSED_READ, stored);
            let decoder = zstd::stream::read::Decoder::with_buffer(stored)
                .map_err(InputError::Compression)?;
            Ok(Self::Zstd(Box::new(decoder)))
        } else {
            Ok(Self::Plain(stored))
        }
    }

    /// Reads some octets; none at the end.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Result<usize, InputError> {
        let result = match self {
            Self::Plain(stored) => return stored.read(into).map_err(InputError::Read),
            Self::Gzip(decoder) => decoder.read(short(into)),
            Self::Zstd(decoder) => decoder.read(short(into)),
        };
        result.map_err(|e| {
            if self.stored().failed { InputError::Read(e) } else { InputError::Compression(e) }
        })
    }

    /// Octets read, as stored.
    pub(crate) fn octets(&self) -> u64 {
        self.stored().octets
    }

    pub(crate) fn is_compressed(&self) -> bool {
        !matches!(self, Self::Plain(_))
    }

    fn stored(&self) -> &Stored {
        match self {
            Self::Plain(stored) => stored,
            Self::Gzip(decoder) => decoder.get_ref().get_ref(),
            Self::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }
}

fn short(into: &mut [u8]) -> &mut [u8] {
    let length = into.len().min(DECOMPRESSED_READ);
    &mut into[..length]
}

/// RFC 8878, section 3.1.2: parallel compressors begin with such a frame. 16 magic numbers, only the lowest digit differs.
fn is_skippable_frame(prefix: &[u8]) -> bool {
    prefix
        .first_chunk::<4>()
        .is_some_and(|magic| u32::from_le_bytes(*magic) & 0xffff_fff0 == 0x184d_2a50)
}

/// The input as it is stored, with what was read of it to recognise it put back before the rest.
pub(crate) struct Stored {
    inner: Box<dyn Read + Send>,
    prefix: Vec<u8>,
    /// What of the prefix was handed out again.
    start: usize,
    /// Octets read from `inner`.
    octets: u64,
    /// Whether `inner` failed: what a decompressor reports then is not the fault of the data.
    failed: bool,
}

impl Read for Stored {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.start < self.prefix.len() {
            let rest = &self.prefix[self.start..];
            let n = rest.len().min(into.len());
            into[..n].copy_from_slice(&rest[..n]);
            self.start += n;
            return Ok(n);
        }
        match read_some(&mut self.inner, into) {
            Ok(n) => {
                self.octets += n as u64;
                Ok(n)
            }
            Err(e) => {
                self.failed = true;
                Err(e)
            }
        }
    }
}

/// Reads, again if a signal came between. A source that claims more than there is room for is held to it.
fn read_some(inner: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match inner.read(into) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Ok(n) => return Ok(n.min(into.len())),
            Err(e) => return Err(e),
        }
    }
}
