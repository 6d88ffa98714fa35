//! One column: values gathered for a page, then encoded.

use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::data_type::ByteArray;
use parquet::errors::Result;
use parquet::file::statistics::{Statistics, ValueStatistics};
use parquet::schema::types::ColumnDescPtr;
use rockfish_flow::{Address, FlowRecord, Labels, MacAddress, Timestamp};
use rockfish_schema::{Field, FlowIdNamespace, Visit, text, visit};

use super::chunk::{ChunkBuilder, EncodedChunk, Range, Zstd};
use super::delta::{push_delta, push_varint};
use super::dictionary::{AddressKey, HashDictionary, NumberDictionary, TextDictionary};
use super::{Block, PAGE_ROWS, Plan, Shape};

/// Longer texts have no place in statistics.
const MAX_STATISTICS_TEXT: usize = 64;

/// Numbers of 32 and 64 bits below this are looked up in a table.
const SMALL_NUMBERS: usize = 4096;

/// Distinct numbers in so many rows that plain pages are smaller: a number takes its room twice in a dictionary.
const MOST_NUMBERS: f64 = 0.4;

/// The same for texts, which are long and costly to compress.
const MOST_TEXTS: f64 = 0.75;

/// Octets of a UUID as text.
const UUID: usize = 36;

/// A column's state from row group to row group.
pub(super) struct ColumnEncoder {
    field: Field,
    description: ColumnDescPtr,
    plan: Plan,
    values: Values,
    chunk: Option<ChunkBuilder>,
    dictionary: DictionaryPage,
    /// Numbers of the page's values.
    numbers: Vec<u16>,
    /// Rows of the row group so far.
    rows: usize,
    /// Rows of it without a value.
    nulls: usize,
}

/// The dictionary page in the making.
#[derive(Default)]
struct DictionaryPage {
    /// The values, plain.
    plain: Vec<u8>,
    /// Whether any page has numbers.
    used: bool,
    /// Whether the values have turned out too many.
    closed: bool,
}

/// What a page is gathered in.
enum Values {
    /// The same number for all rows, and how many rows.
    Version { value: u16, rows: usize },
    /// The same text for all rows, and how many rows.
    Observation { text: Vec<u8>, rows: usize },
    /// Numbers of 32 bits.
    Narrow { values: Vec<u32>, signed: bool, dictionary: NumberDictionary },
    /// Numbers of 64 bits.
    Wide { values: Vec<u64>, signed: bool, dictionary: NumberDictionary },
    /// Numbers of texts, which are known by codes.
    Codes { dictionary: NumberDictionary },
    /// Addresses.
    Addresses { values: Vec<AddressKey>, dictionary: HashDictionary<AddressKey> },
    /// MAC addresses that are there, and which.
    Macs { values: Vec<u64>, present: Vec<bool>, dictionary: HashDictionary<u64> },
    /// Numbers that are there, and which.
    Optional { values: Vec<u32>, present: Vec<bool> },
    /// Texts that are there, in line, their lengths, and which rows have one.
    OptionalTexts {
        octets: Vec<u8>,
        lengths: Vec<u32>,
        present: Vec<bool>,
        dictionary: TextDictionary,
    },
    /// Texts in line, and their lengths.
    Texts { octets: Vec<u8>, lengths: Vec<u32> },
    /// Flow ids in line.
    FlowIds { octets: Vec<u8>, namespace: FlowIdNamespace },
    /// Nothing; how many rows.
    Unknown { rows: usize },
}

impl ColumnEncoder {
    pub(super) fn new(shape: &Shape, field: Field, plan: Plan, description: ColumnDescPtr) -> Self {
        let mut make = Make { shape, values: Values::Unknown { rows: 0 } };
        visit(field, &mut make);
        Self {
            field,
            description,
            plan,
            values: make.values,
            chunk: None,
            dictionary: DictionaryPage::default(),
            numbers: Vec::new(),
            rows: 0,
            nulls: 0,
        }
    }

    /// Takes the values of some rows of the page.
    pub(super) fn gather(&mut self, block: &Block<'_>) {
        let Block { rows, labels } = block;
        self.rows += rows.len();
        visit(self.field, &mut Gather { rows, labels, column: self });
    }

    /// Encodes what has been gathered as one page. `raw` is a buffer of the caller's.
    pub(super) fn end_page(&mut self, zstd: &mut Zstd, raw: &mut Vec<u8>) -> Result<()> {
        raw.clear();
        let compressed = self.plan != Plan::Delta;
        let description = &self.description;
        let chunk =
            self.chunk.get_or_insert_with(|| ChunkBuilder::new(description.clone(), compressed));
        let page = &mut self.dictionary;
        let (numbers, rows_so_far) = (&mut self.numbers, self.rows);
        match &mut self.values {
            Values::Version { value, rows } => {
                if !page.used {
                    page.used = true;
                    page.plain.extend_from_slice(&u32::from(*value).to_le_bytes());
                }
                push_run(raw, *rows);
                let range = Range::Unsigned32(u32::from(*value), u32::from(*value));
                let rows = std::mem::take(rows);
                chunk.push_page(zstd, raw, rows, Encoding::RLE_DICTIONARY, Some(range))
            }
            Values::Observation { text, rows } => {
                if !page.used {
                    page.used = true;
                    push_text(&mut page.plain, |out| out.extend_from_slice(text));
                }
                push_run(raw, *rows);
                let rows = std::mem::take(rows);
                chunk.push_page(zstd, raw, rows, Encoding::RLE_DICTIONARY, None)
            }
            Values::Narrow { values, signed, dictionary } => {
                let range = narrow_range(values, *signed);
                let encoding = if self.plan == Plan::Delta {
                    push_delta(raw, values.iter().map(|value| u64::from(*value)));
                    Encoding::DELTA_BINARY_PACKED
                } else if self.plan == Plan::Dictionary
                    && page.take(rows_so_far, MOST_NUMBERS, || {
                        let numbered = if *signed {
                            let keys = values.iter().map(|value| u64::from(zigzag(*value)));
                            dictionary.number_all(keys, numbers)
                        } else {
                            let keys = values.iter().map(|value| u64::from(*value));
                            dictionary.number_all(keys, numbers)
                        };
                        numbered.then_some(dictionary.values().len())
                    })
                {
                    push_numbers(raw, numbers);
                    Encoding::RLE_DICTIONARY
                } else {
                    raw.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                    Encoding::PLAIN
                };
                let rows = values.len();
                values.clear();
                chunk.push_page(zstd, raw, rows, encoding, range)
            }
            Values::Wide { values, signed, dictionary } => {
                let range = wide_range(values, *signed);
                let encoding = if self.plan == Plan::Delta {
                    push_delta(raw, values.iter().copied());
                    Encoding::DELTA_BINARY_PACKED
                } else if self.plan == Plan::Dictionary
                    && page.take(rows_so_far, MOST_NUMBERS, || {
                        let numbered = dictionary.number_all(values.iter().copied(), numbers);
                        numbered.then_some(dictionary.values().len())
                    })
                {
                    push_numbers(raw, numbers);
                    Encoding::RLE_DICTIONARY
                } else {
                    raw.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                    Encoding::PLAIN
                };
                let rows = values.len();
                values.clear();
                chunk.push_page(zstd, raw, rows, encoding, range)
            }
            Values::Codes { .. } => {
                page.used = true;
                push_numbers(raw, numbers);
                let rows = numbers.len();
                numbers.clear();
                chunk.push_page(zstd, raw, rows, Encoding::RLE_DICTIONARY, None)
            }
            Values::Addresses { values, dictionary } => {
                let encoding = if values.is_empty() {
                    // Numbers of nothing would want a dictionary of nothing, which readers do not all understand.
                    Encoding::PLAIN
                } else if page.take(rows_so_far, MOST_TEXTS, || {
                    dictionary.number_all(values, numbers).then_some(dictionary.keys().len())
                }) {
                    push_numbers(raw, numbers);
                    Encoding::RLE_DICTIONARY
                } else {
                    push_texts(raw, values.iter(), |out, key| {
                        text::push_address(out, key.version(), &key.address());
                    });
                    Encoding::DELTA_LENGTH_BYTE_ARRAY
                };
                let rows = values.len();
                values.clear();
                chunk.push_page(zstd, raw, rows, encoding, None)
            }
            Values::Macs { values, present, dictionary } => {
                push_levels(raw, present);
                self.nulls += present.len() - values.len();
                let encoding = if values.is_empty() {
                    // Numbers of nothing would want a dictionary of nothing, which readers do not all understand.
                    Encoding::PLAIN
                } else if page.take(rows_so_far, MOST_TEXTS, || {
                    dictionary.number_all(values, numbers).then_some(dictionary.keys().len())
                }) {
                    push_numbers(raw, numbers);
                    Encoding::RLE_DICTIONARY
                } else {
                    push_texts(raw, values.iter(), |out, key| push_mac(out, *key));
                    Encoding::DELTA_LENGTH_BYTE_ARRAY
                };
                let rows = present.len();
                values.clear();
                present.clear();
                chunk.push_page(zstd, raw, rows, encoding, None)
            }
            Values::Optional { values, present } => {
                push_levels(raw, present);
                self.nulls += present.len() - values.len();
                raw.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                let rows = present.len();
                values.clear();
                present.clear();
                chunk.push_page(zstd, raw, rows, Encoding::PLAIN, None)
            }
            Values::OptionalTexts { octets, lengths, present, dictionary } => {
                push_levels(raw, present);
                self.nulls += present.len() - lengths.len();
                let encoding = if lengths.is_empty() {
                    // As for addresses.
                    Encoding::PLAIN
                } else if page.take(rows_so_far, MOST_TEXTS, || {
                    dictionary.number_all(octets, lengths, numbers).then_some(dictionary.len())
                }) {
                    push_numbers(raw, numbers);
                    Encoding::RLE_DICTIONARY
                } else {
                    push_delta(raw, lengths.iter().map(|length| u64::from(*length)));
                    raw.extend_from_slice(octets);
                    Encoding::DELTA_LENGTH_BYTE_ARRAY
                };
                let rows = present.len();
                octets.clear();
                lengths.clear();
                present.clear();
                chunk.push_page(zstd, raw, rows, encoding, None)
            }
            Values::FlowIds { octets, .. } => {
                let rows = octets.len() / UUID;
                push_delta(raw, std::iter::repeat_n(UUID as u64, rows));
                raw.extend_from_slice(octets);
                octets.clear();
                chunk.push_page(zstd, raw, rows, Encoding::DELTA_LENGTH_BYTE_ARRAY, None)
            }
            Values::Texts { octets, lengths } => {
                push_delta(raw, lengths.iter().map(|length| u64::from(*length)));
                raw.extend_from_slice(octets);
                let rows = lengths.len();
                octets.clear();
                lengths.clear();
                chunk.push_page(zstd, raw, rows, Encoding::DELTA_LENGTH_BYTE_ARRAY, None)
            }
            Values::Unknown { rows } => {
                self.nulls += *rows;
                // Repetition levels, where there are any, and definition levels: all nought.
                if self.description.max_rep_level() > 0 {
                    push_level_run(raw, *rows, 0);
                }
                push_level_run(raw, *rows, 0);
                let rows = std::mem::take(rows);
                chunk.push_page(zstd, raw, rows, Encoding::PLAIN, None)
            }
        }
    }

    /// Ends the row group.
    pub(super) fn end_chunk(&mut self, zstd: &mut Zstd) -> Result<EncodedChunk> {
        let description = &self.description;
        let chunk = match self.chunk.take() {
            Some(chunk) => chunk,
            None => ChunkBuilder::new(description.clone(), self.plan != Plan::Delta),
        };
        let page = std::mem::take(&mut self.dictionary);
        let physical = description.physical_type();
        let nulls = std::mem::take(&mut self.nulls);
        self.rows = 0;
        let mut plain = page.plain;
        // Texts are put into the page as they are numbered, numbers only now.
        let (entries, statistics) = match &mut self.values {
            Values::Version { .. } => (1, None),
            Values::Observation { .. } => (1, text_statistics(&plain, nulls)),
            Values::Narrow { signed, dictionary, .. } => {
                for key in dictionary.values() {
                    let key = *key as u32;
                    let value = if *signed { unzigzag(key) } else { key };
                    plain.extend_from_slice(&value.to_le_bytes());
                }
                let entries = dictionary.values().len();
                dictionary.clear();
                (entries, None)
            }
            Values::Wide { dictionary, .. } => {
                for value in dictionary.values() {
                    plain.extend_from_slice(&value.to_le_bytes());
                }
                let entries = dictionary.values().len();
                dictionary.clear();
                (entries, None)
            }
            Values::Codes { dictionary } => {
                let entries = dictionary.values().len();
                dictionary.clear();
                (entries, text_statistics(&plain, nulls))
            }
            Values::Addresses { dictionary, .. } => {
                for key in dictionary.keys().iter().filter(|_| page.used) {
                    push_text(&mut plain, |out| {
                        text::push_address(out, key.version(), &key.address());
                    });
                }
                let entries = dictionary.keys().len();
                dictionary.clear();
                let statistics = if page.closed { None } else { text_statistics(&plain, nulls) };
                (entries, statistics)
            }
            Values::Macs { dictionary, .. } => {
                for key in dictionary.keys().iter().filter(|_| page.used) {
                    push_text(&mut plain, |out| push_mac(out, *key));
                }
                let entries = dictionary.keys().len();
                dictionary.clear();
                let statistics = if page.closed { None } else { text_statistics(&plain, nulls) };
                (entries, statistics.or(Some(null_statistics(physical, nulls))))
            }
            Values::OptionalTexts { dictionary, .. } => {
                if page.used {
                    for text in dictionary.texts() {
                        push_text(&mut plain, |out| out.extend_from_slice(text));
                    }
                }
                let entries = dictionary.len();
                dictionary.clear();
                let statistics = if page.closed { None } else { text_statistics(&plain, nulls) };
                (entries, statistics.or(Some(null_statistics(physical, nulls))))
            }
            Values::Texts { .. } | Values::FlowIds { .. } => (0, None),
            Values::Optional { .. } | Values::Unknown { .. } => {
                (0, Some(null_statistics(physical, nulls)))
            }
        };
        let dictionary = page.used.then_some((plain.as_slice(), entries));
        let chunk = chunk.finish(zstd, dictionary, statistics)?;
        plain.clear();
        self.dictionary.plain = plain;
        Ok(chunk)
    }
}

impl DictionaryPage {
    /// Whether a page is to have numbers: `number` gives them and says how many values there are by now, if there is room.
    /// More than `most` of the rows so far are too many, for this page and all after it.
    fn take(&mut self, rows: usize, most: f64, number: impl FnOnce() -> Option<usize>) -> bool {
        if self.closed {
            return false;
        }
        // A first page says little: values return later. A few do not matter where there are few rows.
        let most = if rows <= PAGE_ROWS { 0.5 + most / 2.0 } else { most };
        match number() {
            Some(entries) if entries as f64 <= most * rows as f64 + 16.0 => self.used = true,
            _ => self.closed = true,
        }
        !self.closed
    }
}

/// Makes what a column's values are gathered in.
struct Make<'a> {
    shape: &'a Shape,
    values: Values,
}

impl Make<'_> {
    fn narrow(&mut self, signed: bool, bound: usize) {
        let dictionary = NumberDictionary::new(bound);
        self.values = Values::Narrow { values: Vec::new(), signed, dictionary };
    }

    fn optional_texts(&mut self) {
        self.values = Values::OptionalTexts {
            octets: Vec::new(),
            lengths: Vec::new(),
            present: Vec::new(),
            dictionary: TextDictionary::default(),
        };
    }

    fn wide(&mut self, signed: bool) {
        let dictionary = NumberDictionary::new(SMALL_NUMBERS);
        self.values = Values::Wide { values: Vec::new(), signed, dictionary };
    }
}

impl Visit for Make<'_> {
    fn version(&mut self) {
        self.values = Values::Version { value: self.shape.version, rows: 0 };
    }

    fn observation(&mut self) {
        let text = self.shape.observation.as_bytes().to_vec();
        self.values = Values::Observation { text, rows: 0 };
    }

    fn flow_id(&mut self) {
        let namespace = *self.shape.namespace();
        self.values = Values::FlowIds { octets: Vec::new(), namespace };
    }

    fn time(&mut self, _: impl Fn(&FlowRecord) -> Timestamp) {
        self.wide(true);
    }

    fn u8(&mut self, _: impl Fn(&FlowRecord) -> u8) {
        self.narrow(false, 1 << 8);
    }

    fn optional_u8(&mut self, _: impl Fn(&FlowRecord) -> Option<u8>) {
        self.values = Values::Optional { values: Vec::new(), present: Vec::new() };
    }

    fn u16(&mut self, _: impl Fn(&FlowRecord) -> u16) {
        self.narrow(false, 1 << 16);
    }

    fn u32(&mut self, _: impl Fn(&FlowRecord) -> u32) {
        self.narrow(false, SMALL_NUMBERS);
    }

    fn i32(&mut self, _: impl Fn(&FlowRecord) -> i32) {
        self.narrow(true, SMALL_NUMBERS);
    }

    fn u64(&mut self, _: impl Fn(&FlowRecord) -> u64) {
        self.wide(false);
    }

    fn code(&mut self, _: impl Fn(&FlowRecord) -> u16, _: impl Fn(&mut Vec<u8>, u16)) {
        self.values = Values::Codes { dictionary: NumberDictionary::new(SMALL_NUMBERS) };
    }

    fn address(&mut self, _: impl Fn(&FlowRecord) -> &Address) {
        let dictionary = HashDictionary::new();
        self.values = Values::Addresses { values: Vec::new(), dictionary };
    }

    fn mac(&mut self, _: impl Fn(&FlowRecord) -> Option<&MacAddress>) {
        let dictionary = HashDictionary::new();
        self.values = Values::Macs { values: Vec::new(), present: Vec::new(), dictionary };
    }

    fn gaps(&mut self) {
        self.values = Values::Texts { octets: Vec::new(), lengths: Vec::new() };
    }

    fn text(&mut self, _: impl Fn(&FlowRecord, &mut Vec<u8>)) {
        self.optional_texts();
    }

    fn label_text(&mut self, _: impl Fn(&Labels) -> Option<&str>) {
        self.optional_texts();
    }

    fn label_u32(&mut self, _: impl Fn(&Labels) -> Option<u32>) {
        self.values = Values::Optional { values: Vec::new(), present: Vec::new() };
    }

    fn label_u8(&mut self, _: impl Fn(&Labels) -> Option<u8>) {
        self.values = Values::Optional { values: Vec::new(), present: Vec::new() };
    }

    fn unknown(&mut self) {
        self.values = Values::Unknown { rows: 0 };
    }
}

/// Takes the values of some rows. The methods that get values of another kind than [`Make`] has made room for cannot be
/// reached: both visit the same field.
struct Gather<'a> {
    rows: &'a [FlowRecord],
    labels: &'a [Option<&'a Labels>],
    column: &'a mut ColumnEncoder,
}

impl Gather<'_> {
    #[inline]
    fn narrow(&mut self, get: impl Fn(&FlowRecord) -> u32) {
        if let Values::Narrow { values, .. } = &mut self.column.values {
            values.extend(self.rows.iter().map(&get));
        }
    }

    #[inline]
    fn wide(&mut self, get: impl Fn(&FlowRecord) -> u64) {
        if let Values::Wide { values, .. } = &mut self.column.values {
            values.extend(self.rows.iter().map(&get));
        }
    }
}

impl Visit for Gather<'_> {
    fn version(&mut self) {
        if let Values::Version { rows, .. } = &mut self.column.values {
            *rows += self.rows.len();
        }
    }

    fn observation(&mut self) {
        if let Values::Observation { rows, .. } = &mut self.column.values {
            *rows += self.rows.len();
        }
    }

    fn flow_id(&mut self) {
        if let Values::FlowIds { octets, namespace } = &mut self.column.values {
            let start = octets.len();
            octets.resize(start + UUID * self.rows.len(), 0);
            let places = octets[start..].as_chunks_mut::<UUID>().0;
            for (place, row) in places.iter_mut().zip(self.rows) {
                *place = text::uuid(&namespace.id(row));
            }
        }
    }

    fn time(&mut self, get: impl Fn(&FlowRecord) -> Timestamp) {
        self.wide(|row| get(row).as_micros().cast_unsigned());
    }

    fn u8(&mut self, get: impl Fn(&FlowRecord) -> u8) {
        self.narrow(|row| u32::from(get(row)));
    }

    fn optional_u8(&mut self, get: impl Fn(&FlowRecord) -> Option<u8>) {
        if let Values::Optional { values, present } = &mut self.column.values {
            for row in self.rows {
                let value = get(row);
                present.push(value.is_some());
                values.extend(value.map(u32::from));
            }
        }
    }

    fn u16(&mut self, get: impl Fn(&FlowRecord) -> u16) {
        self.narrow(|row| u32::from(get(row)));
    }

    fn u32(&mut self, get: impl Fn(&FlowRecord) -> u32) {
        self.narrow(get);
    }

    fn i32(&mut self, get: impl Fn(&FlowRecord) -> i32) {
        self.narrow(|row| get(row).cast_unsigned());
    }

    fn u64(&mut self, get: impl Fn(&FlowRecord) -> u64) {
        self.wide(get);
    }

    fn code(&mut self, get: impl Fn(&FlowRecord) -> u16, push: impl Fn(&mut Vec<u8>, u16)) {
        let ColumnEncoder { values, dictionary: page, numbers, .. } = &mut *self.column;
        if let Values::Codes { dictionary } = values {
            for row in self.rows {
                let code = get(row);
                let before = dictionary.values().len();
                // Fewer codes than numbers, so there is always room.
                let number = dictionary.number(u64::from(code)).unwrap_or(0);
                if usize::from(number) == before {
                    push_text(&mut page.plain, |out| push(out, code));
                }
                numbers.push(number);
            }
        }
    }

    fn address(&mut self, get: impl Fn(&FlowRecord) -> &Address) {
        if let Values::Addresses { values, .. } = &mut self.column.values {
            values.extend(self.rows.iter().map(|row| AddressKey::new(row.ip_version, get(row))));
        }
    }

    fn mac(&mut self, get: impl Fn(&FlowRecord) -> Option<&MacAddress>) {
        if let Values::Macs { values, present, .. } = &mut self.column.values {
            for row in self.rows {
                let address = get(row);
                present.push(address.is_some());
                values.extend(
                    address.map(|a| u64::from_be_bytes([0, 0, a[0], a[1], a[2], a[3], a[4], a[5]])),
                );
            }
        }
    }

    fn gaps(&mut self) {
        if let Values::Texts { octets, lengths } = &mut self.column.values {
            for row in self.rows {
                let start = octets.len();
                text::push_gaps(octets, &row.first_gaps_us, row.first_count);
                lengths.push((octets.len() - start) as u32);
            }
        }
    }

    fn text(&mut self, push: impl Fn(&FlowRecord, &mut Vec<u8>)) {
        if let Values::OptionalTexts { octets, lengths, present, .. } = &mut self.column.values {
            for row in self.rows {
                let start = octets.len();
                push(row, octets);
                lengths.push((octets.len() - start) as u32);
                present.push(true);
            }
        }
    }

    fn label_text(&mut self, get: impl Fn(&Labels) -> Option<&str>) {
        if let Values::OptionalTexts { octets, lengths, present, .. } = &mut self.column.values {
            for labels in self.labels {
                let text = labels.and_then(&get);
                present.push(text.is_some());
                if let Some(text) = text {
                    octets.extend_from_slice(text.as_bytes());
                    lengths.push(text.len() as u32);
                }
            }
        }
    }

    fn label_u32(&mut self, get: impl Fn(&Labels) -> Option<u32>) {
        if let Values::Optional { values, present } = &mut self.column.values {
            for labels in self.labels {
                let value = labels.and_then(&get);
                present.push(value.is_some());
                values.extend(value);
            }
        }
    }

    fn label_u8(&mut self, get: impl Fn(&Labels) -> Option<u8>) {
        self.label_u32(|labels| get(labels).map(u32::from));
    }

    fn unknown(&mut self) {
        if let Values::Unknown { rows } = &mut self.column.values {
            *rows += self.rows.len();
        }
    }
}

/// Small for numbers near nought, as what they are in 32 bits.
fn zigzag(value: u32) -> u32 {
    (value << 1) ^ (value.cast_signed() >> 31).cast_unsigned()
}

fn unzigzag(key: u32) -> u32 {
    (key >> 1) ^ (key & 1).wrapping_neg()
}

fn narrow_range(values: &[u32], signed: bool) -> Option<Range> {
    let first = *values.first()?;
    Some(if signed {
        let signed = || values.iter().map(|value| value.cast_signed());
        let first = first.cast_signed();
        Range::Signed32(signed().fold(first, i32::min), signed().fold(first, i32::max))
    } else {
        let unsigned = || values.iter().copied();
        Range::Unsigned32(unsigned().fold(first, u32::min), unsigned().fold(first, u32::max))
    })
}

fn wide_range(values: &[u64], signed: bool) -> Option<Range> {
    let first = *values.first()?;
    Some(if signed {
        let signed = || values.iter().map(|value| value.cast_signed());
        let first = first.cast_signed();
        Range::Signed64(signed().fold(first, i64::min), signed().fold(first, i64::max))
    } else {
        let unsigned = || values.iter().copied();
        Range::Unsigned64(unsigned().fold(first, u64::min), unsigned().fold(first, u64::max))
    })
}

/// A page of `rows` times number 0.
fn push_run(raw: &mut Vec<u8>, rows: usize) {
    raw.push(8);
    push_varint(raw, (rows as u64) << 1);
    raw.push(0);
}

/// A page of numbers. They take whole octets, so that the compressor sees each as what it is.
fn push_numbers(raw: &mut Vec<u8>, numbers: &[u16]) {
    let first = numbers.first().copied().unwrap_or(0);
    let (greatest, least) = (
        numbers.iter().fold(first, |a, b| a.max(*b)),
        numbers.iter().fold(first, |a, b| a.min(*b)),
    );
    let wide = greatest > 0xff;
    raw.push(if wide { 16 } else { 8 });
    if greatest == least {
        push_varint(raw, (numbers.len() as u64) << 1);
        raw.extend_from_slice(&first.to_le_bytes()[..1 + usize::from(wide)]);
        return;
    }
    let groups = numbers.len().div_ceil(8);
    push_varint(raw, (groups as u64) << 1 | 1);
    let padding = groups * 8 - numbers.len();
    if wide {
        raw.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        raw.resize(raw.len() + 2 * padding, 0);
    } else {
        raw.extend(numbers.iter().map(|number| *number as u8));
        raw.resize(raw.len() + padding, 0);
    }
}

/// A text with its length before it, as plain pages have it.
fn push_text(out: &mut Vec<u8>, push: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    push(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Texts behind their lengths.
fn push_texts<'a, T: 'a>(
    raw: &mut Vec<u8>,
    values: impl Iterator<Item = &'a T>,
    push: impl Fn(&mut Vec<u8>, &T),
) {
    let mut octets = Vec::new();
    let mut lengths = Vec::new();
    for value in values {
        let start = octets.len();
        push(&mut octets, value);
        lengths.push((octets.len() - start) as u64);
    }
    push_delta(raw, lengths.into_iter());
    raw.extend_from_slice(&octets);
}

fn push_mac(out: &mut Vec<u8>, key: u64) {
    let octets = key.to_be_bytes();
    text::push_mac(out, &[octets[2], octets[3], octets[4], octets[5], octets[6], octets[7]]);
}

/// Definition levels of a column that may be null.
fn push_levels(raw: &mut Vec<u8>, present: &[bool]) {
    let count = present.iter().filter(|present| **present).count();
    if count == 0 || count == present.len() {
        return push_level_run(raw, present.len(), u8::from(count > 0));
    }
    let start = raw.len();
    raw.extend_from_slice(&[0; 4]);
    push_varint(raw, (present.len().div_ceil(8) as u64) << 1 | 1);
    raw.extend(
        present.chunks(8).map(|group| {
            group.iter().rev().fold(0, |bits, present| bits << 1 | u8::from(*present))
        }),
    );
    let length = (raw.len() - start - 4) as u32;
    raw[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Levels that are the same for all rows.
fn push_level_run(raw: &mut Vec<u8>, rows: usize, level: u8) {
    push_text(raw, |out| {
        push_varint(out, (rows as u64) << 1);
        out.push(level);
    });
}

/// Least and greatest of the texts of a plain page.
fn text_statistics(plain: &[u8], nulls: usize) -> Option<Statistics> {
    let mut ends: Option<(&[u8], &[u8])> = None;
    let mut rest = plain;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        rest = after;
        ends = Some(
            ends.map_or((text, text), |(least, greatest)| (least.min(text), greatest.max(text))),
        );
    }
    let (least, greatest) = ends?;
    if least.len() > MAX_STATISTICS_TEXT || greatest.len() > MAX_STATISTICS_TEXT {
        return None;
    }
    let value = |text: &[u8]| Some(ByteArray::from(text.to_vec()));
    let nulls = Some(nulls as u64);
    Some(Statistics::ByteArray(ValueStatistics::new(
        value(least),
        value(greatest),
        None,
        nulls,
        false,
    )))
}

/// How many nulls there are, and no more.
fn null_statistics(physical: PhysicalType, nulls: usize) -> Statistics {
    let nulls = Some(nulls as u64);
    match physical {
        PhysicalType::FLOAT => Statistics::float(None, None, None, nulls, false),
        PhysicalType::INT32 => Statistics::int32(None, None, None, nulls, false),
        PhysicalType::INT64 => Statistics::int64(None, None, None, nulls, false),
        _ => Statistics::byte_array(None, None, None, nulls, false),
    }
}
