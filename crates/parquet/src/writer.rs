//! The writer: what goes into which file, and when a file ends.

use std::collections::BTreeMap;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use rockfish_flow::{FlowRecord, Timestamp};
use rockfish_schema::{Field, Tier, text};

use crate::encode::{RowGroupEncoder, Shape};
use crate::error::WriteError;
use crate::file::{OpenFile, prepare_folder};
use crate::pending::Pending;

/// Files of different days that are open at once.
const MAX_OPEN_DAYS: usize = 3;

/// A file's format allows 32,767 row groups.
const MAX_ROW_GROUPS: usize = 32_000;

/// What to write, where, and when to begin a new file.
#[derive(Clone, Debug)]
pub struct WriterConfig {
    /// The folder. It is created if it is not there.
    pub dir: PathBuf,
    /// What file names begin with.
    pub prefix: String,
    /// Which columns.
    pub tier: Tier,
    /// Extra columns; others than those of [`rockfish_schema::EXTRA_COLUMNS`] count for nothing.
    pub extra: Vec<Field>,
    /// Name of the observation domain.
    pub observation: String,
    /// Rows of a file, at most.
    pub batch_size: usize,
    /// Rows of a row group, at most.
    pub row_group_size: usize,
    /// Begin new files when the clock passes a multiple of these seconds.
    pub rotate_interval: Option<u64>,
    /// Let no file have flows of two days (UTC, by `stime`).
    pub hive_boundary_flush: bool,
    /// Put files into folders `v1/year=YYYY/month=MM/day=DD`. Implies `hive_boundary_flush`: a flow in the folder of
    /// another day would be missed by queries that go by folders.
    pub hive_partitioning: bool,
    /// ZSTD level, −131072 to 22. Negative ones are made to code octets by frequency, which is nearly all there is to gain
    /// here; see `docs/parquet-columns.md`.
    pub zstd_level: i32,
    /// Name and version of the program, for the file's metadata.
    pub producer: String,
    /// Further metadata: the licence's.
    pub metadata: Vec<(String, String)>,
    /// Threads that encode a row group, the caller's among them.
    pub threads: usize,
}

impl Default for WriterConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("."),
            prefix: "rockfish".into(),
            tier: Tier::Community,
            extra: Vec::new(),
            observation: "gnat".into(),
            batch_size: 1_000_000,
            row_group_size: 122_880,
            rotate_interval: None,
            hive_boundary_flush: false,
            hive_partitioning: false,
            zstd_level: -1000,
            producer: concat!("rockfish ", env!("CARGO_PKG_VERSION")).into(),
            metadata: Vec::new(),
            threads: 1,
        }
    }
}

/// A file that is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Its name.
    pub path: PathBuf,
    /// Its rows.
    pub rows: u64,
    /// Its octets.
    pub bytes: u64,
}

/// What has been written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The files, in the order in which they were completed.
    pub files: Vec<WrittenFile>,
    /// Rows of all files.
    pub rows: u64,
}

/// Writes flow records to files.
///
/// Records come in [epochs](Self::end_epoch): slices of capture time. Within an epoch they may come in any order; the files
/// depend only on which records each epoch has, so they are the same for any number of metering threads. Each row group is
/// sorted by (`stime`, `flowid`).
///
/// After an error the writer takes nothing more. Files completed before stay; dropping the writer removes those that are
/// not complete, so call [`finish`](Self::finish).
pub struct ParquetWriter {
    config: WriterConfig,
    shape: Shape,
    properties: WriterPropertiesPtr,
    encoder: RowGroupEncoder,
    pending: Pending,
    /// Rows that must be pending before it is worth sorting them.
    threshold: usize,
    /// Open files by day, or one under day 0 where days do not matter.
    open: BTreeMap<i64, OpenFile>,
    clock: Option<Timestamp>,
    summary: Summary,
    failed: bool,
}

/// How much of what is pending is to be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Full row groups.
    FullGroups,
    /// Full row groups, and all of the days before this one, whose files end.
    DaysBefore(i64),
    /// All; all files end.
    All,
}

impl ParquetWriter {
    /// Checks the settings, and that files can be written; removes what a crashed writer of the same folder and prefix has
    /// left.
    ///
    /// # Errors
    ///
    /// If a setting cannot be used, or the folder cannot be created or written.
    pub fn create(config: WriterConfig) -> Result<Self, WriteError> {
        check(&config)?;
        prepare_folder(&config.dir, &config.prefix)?;
        let encode_error = |source| WriteError::Encode { path: config.dir.clone(), source };
        let shape =
            Shape::new(config.tier, &config.extra, &config.observation).map_err(encode_error)?;
        let encoder = RowGroupEncoder::new(&shape, config.zstd_level, config.threads)
            .map_err(encode_error)?;
        let properties = properties(&config, &shape);
        let threshold = config.row_group_size.min(config.batch_size);
        Ok(Self {
            config,
            shape,
            properties,
            encoder,
            pending: Pending::default(),
            threshold,
            open: BTreeMap::new(),
            clock: None,
            summary: Summary::default(),
            failed: false,
        })
    }

    /// Takes records of the current epoch, in any order.
    ///
    /// # Errors
    ///
    /// If an earlier call has failed.
    pub fn push(&mut self, records: Vec<FlowRecord>) -> Result<(), WriteError> {
        self.check_whole()?;
        self.pending.push(records);
        Ok(())
    }

    /// Ends an epoch: all its records have been pushed. `clock` is capture time; records to come may have begun before it.
    /// Where the clock has passed a multiple of `rotate_interval` since the last epoch's end, all that is pending is written
    /// and files end; so epochs should end there.
    ///
    /// # Errors
    ///
    /// If writing fails, or an earlier call has.
    pub fn end_epoch(&mut self, clock: Timestamp) -> Result<(), WriteError> {
        self.check_whole()?;
        let last = self.clock.unwrap_or(clock);
        self.clock = Some(clock.max(last));
        let passed =
            |seconds: i64| clock.as_secs().div_euclid(seconds) > last.as_secs().div_euclid(seconds);
        let interval = self.config.rotate_interval.and_then(|seconds| i64::try_from(seconds).ok());
        if interval.is_some_and(passed) {
            return self.write(Extent::All);
        }
        // Flows of a day still end after midnight. They are written every hour, not with every epoch: few files, and soon.
        if self.by_day() && passed(3600) {
            return self.write(Extent::DaysBefore(clock.as_days()));
        }
        if self.pending.len() < self.threshold {
            return Ok(());
        }
        self.write(Extent::FullGroups)
    }

    /// Writes all that is pending and ends all files.
    ///
    /// # Errors
    ///
    /// If writing fails, or an earlier call has.
    pub fn rotate_now(&mut self) -> Result<(), WriteError> {
        self.check_whole()?;
        self.write(Extent::All)
    }

    /// Writes all that is pending, ends all files, and says what has been written.
    ///
    /// # Errors
    ///
    /// If writing fails, or an earlier call has.
    pub fn finish(mut self) -> Result<Summary, WriteError> {
        self.rotate_now()?;
        Ok(mem::take(&mut self.summary))
    }

    /// The files completed since the last call; the summary forgets them.
    pub fn take_written(&mut self) -> Vec<WrittenFile> {
        mem::take(&mut self.summary.files)
    }

    /// What has been written so far. Files that are not complete do not count.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn check_whole(&self) -> Result<(), WriteError> {
        if self.failed {
            return Err(WriteError::Failed { path: self.config.dir.clone() });
        }
        Ok(())
    }

    fn by_day(&self) -> bool {
        self.config.hive_boundary_flush || self.config.hive_partitioning
    }

    fn write(&mut self, extent: Extent) -> Result<(), WriteError> {
        let pending = mem::take(&mut self.pending);
        let result = self.write_pending(pending, extent);
        if result.is_err() {
            self.failed = true;
            self.open.clear();
        }
        result
    }

    fn write_pending(&mut self, mut pending: Pending, extent: Extent) -> Result<(), WriteError> {
        let sorted = pending.sorted(self.shape.namespace());
        let mut kept = Vec::new();
        let mut rest = sorted.as_slice();
        while let Some(first) = rest.first() {
            let day = self.day(first);
            // Sorted by time, so a day's records lie together.
            let count = rest.partition_point(|record| self.day(record) == day);
            let (of_day, after) = rest.split_at(count);
            rest = after;
            let all = match extent {
                Extent::FullGroups => false,
                Extent::DaysBefore(limit) => day < limit,
                Extent::All => true,
            };
            let left = self.write_day(day, of_day, all)?;
            kept.extend(left.iter().map(|record| (*record).clone()));
            if all {
                self.close_day(day)?;
            }
        }
        match extent {
            Extent::FullGroups => {}
            Extent::DaysBefore(limit) => {
                while let Some((&day, _)) =
                    self.open.first_key_value().filter(|(day, _)| **day < limit)
                {
                    self.close_day(day)?;
                }
            }
            Extent::All => {
                while let Some((&day, _)) = self.open.first_key_value() {
                    self.close_day(day)?;
                }
            }
        }
        let group = self.config.row_group_size.min(self.config.batch_size);
        if kept.len() >= 4 * group {
            // Many days with few flows each would fill the memory.
            pending.keep(kept);
            return self.write_pending(pending, Extent::All);
        }
        // Where the rest of many days is kept, wait for a fair number of new ones before sorting again.
        self.threshold = if kept.len() < group { group } else { kept.len() + group.div_ceil(4) };
        pending.keep(kept);
        self.pending = pending;
        Ok(())
    }

    /// Writes a day's records as full row groups, and if `all` what is left; returns what is left otherwise.
    fn write_day<'a>(
        &mut self,
        day: i64,
        mut records: &'a [&'a FlowRecord],
        all: bool,
    ) -> Result<&'a [&'a FlowRecord], WriteError> {
        while let Some(first) = records.first() {
            let in_file = self.open.get(&day).map_or(0, OpenFile::rows);
            let mut take = self.config.row_group_size.min(self.config.batch_size - in_file);
            if records.len() < take {
                if !all {
                    break;
                }
                take = records.len();
            }
            let (group, rest) = records.split_at(take);
            let start = first.start;
            self.write_group(day, start, group)?;
            records = rest;
        }
        Ok(records)
    }

    fn write_group(
        &mut self,
        day: i64,
        start: Timestamp,
        group: &[&FlowRecord],
    ) -> Result<(), WriteError> {
        let chunks = self.encoder.encode(group).map_err(|source| WriteError::Encode {
            path: self.config.dir.join(self.stem(start)),
            source,
        })?;
        if !self.open.contains_key(&day) {
            if self.open.len() >= MAX_OPEN_DAYS
                && let Some((&oldest, _)) = self.open.first_key_value()
            {
                self.close_day(oldest)?;
            }
            let file = OpenFile::create(
                &self.config.dir,
                self.folder(start),
                self.stem(start),
                &self.shape,
                Arc::clone(&self.properties),
            )?;
            self.open.insert(day, file);
        }
        let Some(file) = self.open.get_mut(&day) else { return Ok(()) };
        file.push(chunks, group.len())?;
        if file.rows() >= self.config.batch_size {
            self.close_day(day)?;
        }
        Ok(())
    }

    /// Completes a day's file, if there is one.
    fn close_day(&mut self, day: i64) -> Result<(), WriteError> {
        let Some(file) = self.open.remove(&day) else { return Ok(()) };
        let rows = file.rows() as u64;
        let (path, bytes) = file.finish()?;
        self.summary.files.push(WrittenFile { path, rows, bytes });
        self.summary.rows += rows;
        Ok(())
    }

    /// The day that decides on a record's file.
    fn day(&self, record: &FlowRecord) -> i64 {
        if self.by_day() { record.start.as_days() } else { 0 }
    }

    /// The folder of a file that begins at `start`.
    fn folder(&self, start: Timestamp) -> PathBuf {
        if !self.config.hive_partitioning {
            return self.config.dir.clone();
        }
        let (year, month, day) = text::civil_from_days(start.as_days());
        self.config
            .dir
            .join(format!("v{}", self.config.tier.schema_version()))
            .join(format!("year={year:04}"))
            .join(format!("month={month:02}"))
            .join(format!("day={day:02}"))
    }

    /// The name of a file that begins at `start`, without its ending.
    fn stem(&self, start: Timestamp) -> String {
        let WriterConfig { prefix, observation, tier, .. } = &self.config;
        let version = tier.schema_version();
        let (year, month, day) = text::civil_from_days(start.as_days());
        let second = start.as_secs().rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let time = format!("{year:04}{month:02}{day:02}-{hour:02}{minute:02}{second:02}");
        if version == 1 {
            return format!("{prefix}-v1-{time}");
        }
        // Names of observation domains are free; names of files are not.
        let observation = observation
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
            .collect::<String>();
        format!("{prefix}-{observation}-v{version}-{time}")
    }
}

fn check(config: &WriterConfig) -> Result<(), WriteError> {
    let setting =
        |setting, found: String, expected| Err(WriteError::Setting { setting, found, expected });
    let WriterConfig { prefix, batch_size, row_group_size, .. } = config;
    if prefix.is_empty() || prefix.starts_with('.') || prefix.contains(['/', '\\', '\0']) {
        return setting(
            "prefix",
            format!("{prefix:?}"),
            "the beginning of a file name, without a full stop in front and without slashes",
        );
    }
    if *batch_size == 0 {
        return setting("batch_size", "0".into(), "at least 1");
    }
    if *row_group_size == 0 || batch_size.div_ceil(*row_group_size) > MAX_ROW_GROUPS {
        return setting(
            "row_group_size",
            row_group_size.to_string(),
            "at least 1, and at least a 32000th of batch_size",
        );
    }
    if config.rotate_interval.is_some_and(|seconds| seconds == 0 || i64::try_from(seconds).is_err())
    {
        return setting("rotate_interval", "0".into(), "at least 1 second");
    }
    if !(-131_072..=22).contains(&config.zstd_level) {
        return setting("zstd_level", config.zstd_level.to_string(), "-131072 to 22");
    }
    Ok(())
}

fn properties(config: &WriterConfig, shape: &Shape) -> WriterPropertiesPtr {
    let own = [
        ("rockfish.schema_version", config.tier.schema_version().to_string()),
        ("rockfish.tier", config.tier.name().to_owned()),
        ("rockfish.observation", config.observation.clone()),
        ("rockfish.producer", config.producer.clone()),
    ];
    let own = own.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let further =
        config.metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let sorting = [Field::StartTime, Field::FlowId]
        .into_iter()
        .filter_map(|field| shape.position(field))
        .map(|position| SortingColumn {
            column_idx: position as i32,
            descending: false,
            nulls_first: false,
        })
        .collect();
    let properties = WriterProperties::builder()
        .set_created_by(config.producer.clone())
        .set_key_value_metadata(Some(own.chain(further).collect()))
        .set_sorting_columns(Some(sorting))
        .build();
    Arc::new(properties)
}
