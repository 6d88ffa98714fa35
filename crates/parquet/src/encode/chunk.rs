//! A column chunk in the making: pages compressed and in line, and what the file's metadata says of them.

use std::io::{self, Cursor, Read};

use bytes::Bytes;
use parquet::basic::{BoundaryOrder, CompressionCodec, Encoding, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use zstd::bulk::Compressor;

/// Least and greatest value of a page or a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// 32 bits, unsigned.
    Unsigned32(u32, u32),
    /// 32 bits, signed.
    Signed32(i32, i32),
    /// 64 bits, unsigned.
    Unsigned64(u64, u64),
    /// 64 bits, signed.
    Signed64(i64, i64),
}

impl Range {
    /// The range of both.
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unsigned32(a, b), Self::Unsigned32(c, d)) => {
                Self::Unsigned32(a.min(c), b.max(d))
            }
            (Self::Signed32(a, b), Self::Signed32(c, d)) => Self::Signed32(a.min(c), b.max(d)),
            (Self::Unsigned64(a, b), Self::Unsigned64(c, d)) => {
                Self::Unsigned64(a.min(c), b.max(d))
            }
            (Self::Signed64(a, b), Self::Signed64(c, d)) => Self::Signed64(a.min(c), b.max(d)),
            // A column has one kind.
            _ => self,
        }
    }

    /// Whether neither end of `next` lies before that of `self`.
    fn ascends_to(self, next: Self) -> bool {
        match (self, next) {
            (Self::Unsigned32(a, b), Self::Unsigned32(c, d)) => a <= c && b <= d,
            (Self::Signed32(a, b), Self::Signed32(c, d)) => a <= c && b <= d,
            (Self::Unsigned64(a, b), Self::Unsigned64(c, d)) => a <= c && b <= d,
            (Self::Signed64(a, b), Self::Signed64(c, d)) => a <= c && b <= d,
            _ => false,
        }
    }

    /// Both ends as the file has them.
    fn octets(self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Unsigned32(a, b) => (a.to_le_bytes().to_vec(), b.to_le_bytes().to_vec()),
            Self::Signed32(a, b) => (a.to_le_bytes().to_vec(), b.to_le_bytes().to_vec()),
            Self::Unsigned64(a, b) => (a.to_le_bytes().to_vec(), b.to_le_bytes().to_vec()),
            Self::Signed64(a, b) => (a.to_le_bytes().to_vec(), b.to_le_bytes().to_vec()),
        }
    }

    /// As statistics of a chunk without nulls.
    fn statistics(self) -> Statistics {
        match self {
            Self::Unsigned32(a, b) => {
                let (a, b) = (a.cast_signed(), b.cast_signed());
                Statistics::int32(Some(a), Some(b), None, Some(0), false)
            }
            Self::Signed32(a, b) => Statistics::int32(Some(a), Some(b), None, Some(0), false),
            Self::Unsigned64(a, b) => {
                let (a, b) = (a.cast_signed(), b.cast_signed());
                Statistics::int64(Some(a), Some(b), None, Some(0), false)
            }
            Self::Signed64(a, b) => Statistics::int64(Some(a), Some(b), None, Some(0), false),
        }
    }
}

/// One column of one row group, page by page.
pub(crate) struct ChunkBuilder {
    description: ColumnDescPtr,
    compressed: bool,
    sink: TrackedWrite<Vec<u8>>,
    rows: u64,
    compressed_size: u64,
    uncompressed_size: u64,
    encodings: Vec<PageEncodingStats>,
    offsets: OffsetIndexBuilder,
    index: ColumnIndexBuilder,
    range: Option<Range>,
    last_range: Option<Range>,
    ascending: bool,
}

impl ChunkBuilder {
    /// For the column described; its pages are compressed if `compressed`.
    pub(crate) fn new(description: ColumnDescPtr, compressed: bool) -> Self {
        let index = ColumnIndexBuilder::new(description.physical_type());
        Self {
            description,
            compressed,
            sink: TrackedWrite::new(Vec::new()),
            rows: 0,
            compressed_size: 0,
            uncompressed_size: 0,
            encodings: Vec::new(),
            offsets: OffsetIndexBuilder::new(),
            index,
            range: None,
            last_range: None,
            ascending: true,
        }
    }

    /// Appends a data page of `rows` rows. `raw` has levels and values. A page without `range` leaves the chunk without
    /// an index of ranges.
    pub(crate) fn push_page(
        &mut self,
        zstd: &mut Zstd,
        raw: &[u8],
        rows: usize,
        encoding: Encoding,
        range: Option<Range>,
    ) -> Result<()> {
        let page = Page::DataPage {
            buf: zstd.compress(raw, self.compressed)?,
            num_values: rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let spec = SerializedPageWriter::new(&mut self.sink)
            .write_page(CompressedPage::new(page, raw.len()))?;
        self.offsets.append_row_count(rows as i64);
        self.offsets.append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
        self.compressed_size += spec.compressed_size as u64;
        self.uncompressed_size += spec.uncompressed_size as u64;
        self.rows += rows as u64;
        match self.encodings.last_mut() {
            Some(last) if last.encoding == encoding => last.count += 1,
            _ => self.encodings.push(PageEncodingStats {
                page_type: PageType::DATA_PAGE,
                encoding,
                count: 1,
            }),
        }
        match range {
            None => self.index.to_invalid(),
            Some(range) => {
                let (least, greatest) = range.octets();
                self.index.append(false, least, greatest, 0);
                self.ascending &= self.last_range.is_none_or(|last| last.ascends_to(range));
                self.last_range = Some(range);
                self.range = Some(self.range.map_or(range, |all| all.join(range)));
            }
        }
        Ok(())
    }

    /// Ends the chunk. `dictionary` is its page of that kind, plain, and how many values it has. `statistics` stand in for
    /// those of the pages.
    pub(crate) fn finish(
        mut self,
        zstd: &mut Zstd,
        dictionary: Option<(&[u8], usize)>,
        statistics: Option<Statistics>,
    ) -> Result<EncodedChunk> {
        let mut dictionary_octets = Bytes::new();
        if let Some((raw, count)) = dictionary {
            let mut sink = TrackedWrite::new(Vec::new());
            let page = Page::DictionaryPage {
                buf: zstd.compress(raw, self.compressed)?,
                num_values: count as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            let spec = SerializedPageWriter::new(&mut sink)
                .write_page(CompressedPage::new(page, raw.len()))?;
            self.compressed_size += spec.compressed_size as u64;
            self.uncompressed_size += spec.uncompressed_size as u64;
            self.encodings.push(PageEncodingStats {
                page_type: PageType::DICTIONARY_PAGE,
                encoding: Encoding::PLAIN,
                count: 1,
            });
            dictionary_octets = Bytes::from(sink.into_inner()?);
        }
        let shift = dictionary_octets.len() as i64;
        let mut offsets = self.offsets.build();
        for location in &mut offsets.page_locations {
            location.offset += shift;
        }
        let mut encodings = vec![Encoding::RLE];
        for stats in &self.encodings {
            if !encodings.contains(&stats.encoding) {
                encodings.push(stats.encoding);
            }
        }
        let codec =
            if self.compressed { CompressionCodec::ZSTD } else { CompressionCodec::UNCOMPRESSED };
        let mut metadata = ColumnChunkMetaData::builder(self.description)
            .set_compression_codec(codec)
            .set_encodings(encodings)
            .set_page_encoding_stats(self.encodings)
            .set_total_compressed_size(self.compressed_size as i64)
            .set_total_uncompressed_size(self.uncompressed_size as i64)
            .set_num_values(self.rows as i64)
            .set_data_page_offset(shift)
            .set_dictionary_page_offset((shift > 0).then_some(0));
        if let Some(statistics) = statistics.or(self.range.map(Range::statistics)) {
            metadata = metadata.set_statistics(statistics);
        }
        let column_index = if self.index.valid() {
            if self.ascending {
                self.index.set_boundary_order(BoundaryOrder::ASCENDING);
            }
            Some(self.index.build()?)
        } else {
            None
        };
        Ok(EncodedChunk {
            dictionary: dictionary_octets,
            pages: Bytes::from(self.sink.into_inner()?),
            close: ColumnCloseResult {
                bytes_written: self.compressed_size,
                rows_written: self.rows,
                metadata: metadata.build()?,
                bloom_filter: None,
                column_index,
                offset_index: Some(offsets),
            },
        })
    }
}

/// A finished chunk, dictionary first.
pub(crate) struct EncodedChunk {
    dictionary: Bytes,
    pages: Bytes,
    /// What the file's metadata will say.
    pub(crate) close: ColumnCloseResult,
}

/// The octets of a chunk, from a place in them on.
pub(crate) type ChunkOctets = io::Chain<Cursor<Bytes>, Cursor<Bytes>>;

impl Length for EncodedChunk {
    fn len(&self) -> u64 {
        (self.dictionary.len() + self.pages.len()) as u64
    }
}

impl ChunkReader for EncodedChunk {
    type T = ChunkOctets;

    fn get_read(&self, start: u64) -> Result<ChunkOctets> {
        let mut dictionary = Cursor::new(self.dictionary.clone());
        let mut pages = Cursor::new(self.pages.clone());
        let of_dictionary = start.min(self.dictionary.len() as u64);
        dictionary.set_position(of_dictionary);
        pages.set_position(start - of_dictionary);
        Ok(dictionary.chain(pages))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut octets = vec![0; length];
        self.get_read(start)?.read_exact(&mut octets)?;
        Ok(Bytes::from(octets))
    }
}

/// A compressor and its buffer.
pub(crate) struct Zstd {
    compressor: Compressor<'static>,
    buffer: Vec<u8>,
}

impl Zstd {
    pub(crate) fn new(level: i32) -> io::Result<Self> {
        let mut compressor = Compressor::new(level)?;
        if level < 0 {
            // Negative levels leave literals as they are, and that is most of what there is: the pages are arranged so that
            // entropy coding alone does nearly all the work, at a fraction of the cost of searching for repetitions.
            compressor.set_parameter(zstd::zstd_safe::CParameter::LiteralCompressionMode(
                zstd::zstd_safe::ParamSwitch::Enable,
            ))?;
        }
        Ok(Self { compressor, buffer: Vec::new() })
    }

    fn compress(&mut self, raw: &[u8], compressed: bool) -> Result<Bytes> {
        if !compressed {
            return Ok(Bytes::copy_from_slice(raw));
        }
        let bound = zstd::zstd_safe::compress_bound(raw.len());
        if self.buffer.len() < bound {
            self.buffer.resize(bound, 0);
        }
        let len = self
            .compressor
            .compress_to_buffer(raw, self.buffer.as_mut_slice())
            .map_err(ParquetError::from)?;
        Ok(Bytes::copy_from_slice(&self.buffer[..len]))
    }
}
