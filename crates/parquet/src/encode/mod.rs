//! Row groups from records: rows to columns, columns to pages.
//!
//! Rows come sorted and are taken page by page: values are gathered in blocks small enough to stay near while all columns
//! take theirs, and then each column is encoded in one go. What a column is encoded as, [`Plan`] says.

mod chunk;
mod column;
mod delta;
mod dictionary;

use std::sync::Arc;

use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::Type as PhysicalType;
use parquet::errors::Result;
use parquet::schema::types::{SchemaDescPtr, SchemaDescriptor};
use rockfish_flow::{FlowRecord, Labels};
use rockfish_schema::{Column, Field, FlowIdNamespace, Tier, arrow_schema, columns};

pub(crate) use chunk::EncodedChunk;
use chunk::Zstd;
use column::ColumnEncoder;

/// Rows of a page. Columns of a page lie in cache together while it is encoded.
pub(crate) const PAGE_ROWS: usize = 20_480;

/// Rows gathered at a time: their records stay in the second-level cache for all columns.
const BLOCK_ROWS: usize = 512;

/// What all files of a writer have in common.
pub(crate) struct Shape {
    pub(crate) schema: SchemaDescPtr,
    columns: Vec<&'static Column>,
    observation: Arc<str>,
    namespace: FlowIdNamespace,
    version: u16,
}

impl Shape {
    pub(crate) fn new(tier: Tier, extra: &[Field], observation: &str) -> Result<Self> {
        let schema =
            ArrowSchemaConverter::new().schema_root("flow").convert(&arrow_schema(tier, extra))?;
        // One leaf for each column, lists too, so that places in the table are places in the file.
        Ok(Self {
            schema: Arc::new(SchemaDescriptor::new(schema.root_schema_ptr())),
            columns: columns(tier, extra),
            observation: observation.into(),
            namespace: FlowIdNamespace::new(observation),
            version: tier.schema_version(),
        })
    }

    /// Namespace of the flow ids.
    pub(crate) fn namespace(&self) -> &FlowIdNamespace {
        &self.namespace
    }

    /// Where in a file the column of a field is.
    pub(crate) fn position(&self, field: Field) -> Option<usize> {
        self.columns.iter().position(|column| column.field == field)
    }
}

/// Encodes row groups, its columns spread over threads.
pub(crate) struct RowGroupEncoder {
    workers: Vec<Worker>,
    column_count: usize,
}

/// The columns of one thread.
struct Worker {
    columns: Vec<(usize, ColumnEncoder)>,
    zstd: Zstd,
    /// The records of a block, in line: copying them once is cheaper than going after them for every column.
    block: Vec<FlowRecord>,
    raw: Vec<u8>,
}

/// Some records: their numbers in line, and their labels where they are.
struct Block<'a> {
    rows: &'a [FlowRecord],
    labels: &'a [Option<&'a Labels>],
}

impl RowGroupEncoder {
    /// For `threads` threads, at least one.
    pub(crate) fn new(shape: &Shape, level: i32, threads: usize) -> Result<Self> {
        let threads = threads.clamp(1, shape.columns.len());
        let mut workers = Vec::with_capacity(threads);
        for _ in 0..threads {
            let zstd = Zstd::new(level)?;
            let (columns, block, raw) = (Vec::new(), Vec::new(), Vec::new());
            workers.push((0, Worker { columns, zstd, block, raw }));
        }
        // The dearest column first, each to the thread with least to do.
        let mut order = (0..shape.columns.len()).collect::<Vec<_>>();
        order.sort_by_key(|i| std::cmp::Reverse(cost(shape.columns[*i].field)));
        for i in order {
            let column = shape.columns[i];
            let description = shape.schema.column(i);
            let plan = plan(column.field, description.physical_type());
            let encoder = ColumnEncoder::new(shape, column.field, plan, description);
            if let Some((load, worker)) = workers.iter_mut().min_by_key(|(load, _)| *load) {
                *load += cost(column.field);
                worker.columns.push((i, encoder));
            }
        }
        let workers = workers.into_iter().map(|(_, worker)| worker).collect();
        Ok(Self { workers, column_count: shape.columns.len() })
    }

    /// The column chunks of these rows, in the order of the columns. They do not depend on the number of threads.
    pub(crate) fn encode(&mut self, rows: &[&FlowRecord]) -> Result<Vec<EncodedChunk>> {
        let (first, others) = match self.workers.split_first_mut() {
            Some(workers) => workers,
            None => return Ok(Vec::new()),
        };
        let mut encoded = if others.is_empty() {
            first.encode(rows)?
        } else {
            std::thread::scope(|scope| {
                let others = others
                    .iter_mut()
                    .map(|worker| scope.spawn(|| worker.encode(rows)))
                    .collect::<Vec<_>>();
                let mut encoded = first.encode(rows)?;
                for other in others {
                    match other.join() {
                        Ok(more) => encoded.extend(more?),
                        Err(panic) => std::panic::resume_unwind(panic),
                    }
                }
                Ok::<_, parquet::errors::ParquetError>(encoded)
            })?
        };
        encoded.sort_by_key(|(i, _)| *i);
        debug_assert_eq!(encoded.len(), self.column_count);
        Ok(encoded.into_iter().map(|(_, chunk)| chunk).collect())
    }
}

impl Worker {
    fn encode(&mut self, rows: &[&FlowRecord]) -> Result<Vec<(usize, EncodedChunk)>> {
        let mut labels = Vec::with_capacity(BLOCK_ROWS);
        for page in rows.chunks(PAGE_ROWS) {
            for block in page.chunks(BLOCK_ROWS) {
                self.block.clear();
                self.block.extend(block.iter().map(|row| row.numbers()));
                labels.clear();
                labels.extend(block.iter().map(|row| row.labels.as_deref()));
                let block = Block { rows: &self.block, labels: &labels };
                for (_, column) in &mut self.columns {
                    column.gather(&block);
                }
            }
            for (_, column) in &mut self.columns {
                column.end_page(&mut self.zstd, &mut self.raw)?;
            }
        }
        let mut chunks = Vec::with_capacity(self.columns.len());
        for (i, column) in &mut self.columns {
            chunks.push((*i, column.end_chunk(&mut self.zstd)?));
        }
        Ok(chunks)
    }
}

/// How a column is encoded. By measurement: `docs/parquet-columns.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// A dictionary with numbers of whole octets, compressed; plain where there are too many values.
    Dictionary,
    /// As they are, compressed.
    Plain,
    /// Differences, not compressed: bits of any width leave the compressor nothing to find.
    Delta,
    /// Text: lengths as differences, then the texts in line, compressed.
    Text,
}

fn plan(field: Field, physical: PhysicalType) -> Plan {
    match field {
        Field::FlowId | Field::FirstGaps => Plan::Text,
        Field::StartTime | Field::EndTime | Field::SourcePort => Plan::Delta,
        // Nearly as many values as flows.
        Field::Duration
        | Field::RoundTripTime
        | Field::SourceSequence
        | Field::DestinationSequence => Plan::Plain,
        _ if physical == PhysicalType::FLOAT => Plan::Plain,
        _ => Plan::Dictionary,
    }
}

/// What a column costs, in nanoseconds a row or so, to give threads equal shares.
fn cost(field: Field) -> u32 {
    match field {
        Field::FlowId => 120,
        Field::SourceAddress | Field::DestinationAddress => 45,
        Field::FirstGaps => 60,
        Field::SourceMac | Field::DestinationMac => 20,
        Field::SourceSequence
        | Field::DestinationSequence
        | Field::Duration
        | Field::RoundTripTime => 12,
        _ => 7,
    }
}
