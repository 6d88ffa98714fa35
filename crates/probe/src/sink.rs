//! Where the probe's records go: Parquet files, JSON lines, or both.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rockfish_app::signals::Signals;
use rockfish_app::{Exit, ResultExt};
use rockfish_enrich::{GeoDb, GeoReader};
use rockfish_flow::{FlowRecord, Place, Timestamp};
use rockfish_parquet::{ParquetWriter, Summary, WriteError, WriterConfig, WrittenFile};
use rockfish_schema::JsonWriter;

use crate::pipeline::RecordSink;
use crate::settings::{JsonTarget, Settings};

/// How often the databases of places are looked at: they are replaced while a probe runs for months.
const REFRESH: Duration = Duration::from_secs(60);

/// The probe's outputs.
pub(crate) struct Outputs {
    parquet: Option<ParquetWriter>,
    json: Option<JsonLines>,
    places: Option<Places>,
    signals: Signals,
}

impl Outputs {
    /// Opens what the settings ask for.
    pub(crate) fn open(
        settings: &Settings,
        threads: usize,
        signals: Signals,
    ) -> anyhow::Result<Self> {
        Self::open_with(settings, threads, signals, |path| File::create(path))
    }

    /// As [`Self::open`] when writing has failed before: lines go behind those that are there.
    pub(crate) fn open_again(settings: &Settings, signals: Signals) -> anyhow::Result<Self> {
        Self::open_with(settings, 1, signals, |path| {
            File::options().append(true).create(true).open(path)
        })
    }

    fn open_with(
        settings: &Settings,
        threads: usize,
        signals: Signals,
        open: impl Fn(&Path) -> io::Result<File>,
    ) -> anyhow::Result<Self> {
        let places = Places::open(settings)?;
        let parquet = match &settings.output.parquet_dir {
            Some(dir) => Some(create_writer(writer_config(dir.clone(), settings, threads))?),
            None => None,
        };
        let json = match &settings.output.json {
            Some(target) => Some(JsonLines::open(target, settings, open)?),
            None => None,
        };
        Ok(Self { parquet, json, places, signals })
    }

    /// The Parquet files that were completed since the last call; `None` if there are no such outputs.
    pub(crate) fn take_written(&mut self) -> Option<Vec<WrittenFile>> {
        self.parquet.as_mut().map(ParquetWriter::take_written)
    }

    /// Writes what is left; the Parquet files that were made.
    pub(crate) fn finish(mut self) -> anyhow::Result<Option<Summary>> {
        self.write_json()?;
        Ok(self.parquet.map(ParquetWriter::finish).transpose()?)
    }

    /// Writes the JSON lines that wait. Their reader may leave: files asked for beside them are written all the same.
    fn write_json(&mut self) -> anyhow::Result<()> {
        let Some(json) = &mut self.json else { return Ok(()) };
        match json.write_pending() {
            Err(error) if self.parquet.is_some() && json.reader_has_left(&error) => {
                tracing::info!("standard output was closed by its reader, writing files only");
                self.json = None;
                Ok(())
            }
            result => result,
        }
    }
}

fn create_writer(config: WriterConfig) -> anyhow::Result<ParquetWriter> {
    match ParquetWriter::create(config) {
        // Values that do not go together are the person's to mend, not the system's.
        Err(error @ WriteError::Setting { .. }) => Err(error).exit(Exit::Usage),
        result => Ok(result?),
    }
}

fn writer_config(dir: PathBuf, settings: &Settings, threads: usize) -> WriterConfig {
    let defaults = WriterConfig::default();
    let Settings { grant, output: settings, .. } = settings;
    WriterConfig {
        dir,
        prefix: settings.prefix.clone(),
        tier: grant.columns(),
        extra: settings.extra.clone(),
        metadata: grant.metadata(),
        observation: settings.observation.clone(),
        batch_size: settings.batch_size,
        row_group_size: settings.row_group_size,
        rotate_interval: settings.rotate_interval.map(|interval| interval.as_secs()),
        hive_boundary_flush: settings.hive_boundary_flush,
        hive_partitioning: settings.hive_partitioning,
        zstd_level: settings.compression_level.unwrap_or(defaults.zstd_level),
        producer: concat!("rockfish_probe ", env!("CARGO_PKG_VERSION")).to_owned(),
        threads,
    }
}

impl RecordSink for Outputs {
    fn push(&mut self, mut records: Vec<FlowRecord>) -> anyhow::Result<()> {
        if let Some(places) = &mut self.places {
            places.add(&mut records);
        }
        if let Some(json) = &mut self.json {
            json.pending.extend_from_slice(&records);
        }
        if let Some(parquet) = &mut self.parquet {
            parquet.push(records)?;
        }
        Ok(())
    }

    fn end_epoch(&mut self, clock: Timestamp) -> anyhow::Result<()> {
        self.write_json()?;
        if let Some(parquet) = &mut self.parquet {
            parquet.end_epoch(clock)?;
            if self.signals.take_rotate() {
                parquet.rotate_now()?;
            }
        }
        Ok(())
    }
}

/// Where addresses are, from databases.
struct Places {
    databases: GeoDb,
    reader: GeoReader,
    /// When the databases are looked at next. A capture is read in one go, with the databases that were there.
    refresh: Option<Instant>,
}

impl Places {
    fn open(settings: &Settings) -> anyhow::Result<Option<Self>> {
        if settings.geo.is_empty() {
            return Ok(None);
        }
        let databases = GeoDb::open(&settings.geo).exit(Exit::Usage)?;
        let reader = databases.reader();
        let refresh = settings.input.live.is_some().then(|| Instant::now() + REFRESH);
        Ok(Some(Self { databases, reader, refresh }))
    }

    fn add(&mut self, records: &mut [FlowRecord]) {
        if let Some(refresh) = &mut self.refresh
            && Instant::now() >= *refresh
        {
            *refresh = Instant::now() + REFRESH;
            match self.databases.refresh() {
                Ok(true) => tracing::info!("databases of places were read anew"),
                Ok(false) => {}
                Err(error) => tracing::warn!("{error}"),
            }
        }
        for record in records {
            let source = self.reader.lookup(record.source_ip());
            let destination = self.reader.lookup(record.destination_ip());
            if *source == Place::default() && *destination == Place::default() {
                continue;
            }
            let labels = record.labels.get_or_insert_default();
            labels.source_place = Some(source);
            labels.destination_place = Some(destination);
        }
    }
}

/// Flows as JSON, one a line, epoch by epoch in order of their start.
struct JsonLines {
    writer: JsonWriter,
    out: Box<dyn Write + Send>,
    name: String,
    is_stdout: bool,
    pending: Vec<FlowRecord>,
    line: Vec<u8>,
}

impl JsonLines {
    fn open(
        target: &JsonTarget,
        settings: &Settings,
        open: impl Fn(&Path) -> io::Result<File>,
    ) -> anyhow::Result<Self> {
        let (out, name): (Box<dyn Write + Send>, _) = match target {
            JsonTarget::Stdout => (Box::new(rockfish_app::stdout()), "standard output".to_owned()),
            JsonTarget::File(path) => {
                let file =
                    open(path).with_context(|| format!("cannot create {}", path.display()))?;
                (Box::new(file), path.display().to_string())
            }
        };
        Ok(Self {
            writer: JsonWriter::new(
                settings.grant.columns(),
                &settings.output.extra,
                &settings.output.observation,
            ),
            out: Box::new(BufWriter::with_capacity(1 << 16, out)),
            name,
            is_stdout: *target == JsonTarget::Stdout,
            pending: Vec::new(),
            line: Vec::new(),
        })
    }

    fn write_pending(&mut self) -> anyhow::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        // The order in which the meters handed them over is chance; this one is not.
        self.pending.sort_unstable_by_key(|record| {
            let ends =
                (record.source, record.destination, record.source_port, record.destination_port);
            // Type and code may be part of the key.
            let icmp = (record.icmp_type, record.icmp_code);
            let key = (record.protocol, record.key_vlan, ends, icmp);
            (record.start, record.end, key, record.ordinal)
        });
        for record in self.pending.drain(..) {
            self.line.clear();
            self.writer.write(&record, &mut self.line);
            self.out
                .write_all(&self.line)
                .with_context(|| format!("cannot write to {}", self.name))?;
        }
        // Whoever reads along sees each second of the capture when it is over.
        self.out.flush().with_context(|| format!("cannot write to {}", self.name))
    }

    fn reader_has_left(&self, error: &anyhow::Error) -> bool {
        let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        self.is_stdout && causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    }
}
