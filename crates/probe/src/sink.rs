//! Where the probe's records go: Parquet files, JSON lines, or both.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rockfish_app::signals::Signals;
use rockfish_app::{Exit, ResultExt};
use rockfish_flow::{FlowRecord, Timestamp};
use rockfish_parquet::{ParquetWriter, Summary, WriteError, WriterConfig, WrittenFile};
use rockfish_schema::{JsonWriter, Tier};

use crate::pipeline::RecordSink;
use crate::settings::{JsonTarget, OutputSettings};

/// The probe's outputs.
pub(crate) struct Outputs {
    parquet: Option<ParquetWriter>,
    json: Option<JsonLines>,
    signals: Signals,
}

impl Outputs {
    /// Opens what the settings ask for.
    pub(crate) fn open(
        settings: &OutputSettings,
        threads: usize,
        signals: Signals,
    ) -> anyhow::Result<Self> {
        let parquet = match &settings.parquet_dir {
            Some(dir) => Some(create_writer(writer_config(dir.clone(), settings, threads))?),
            None => None,
        };
        let json = match &settings.json {
            Some(target) => Some(JsonLines::open(target, &settings.observation)?),
            None => None,
        };
        Ok(Self { parquet, json, signals })
    }

    /// As [`Self::open`] when writing has failed before: lines go behind those that are there.
    pub(crate) fn open_again(settings: &OutputSettings, signals: Signals) -> anyhow::Result<Self> {
        let parquet = match &settings.parquet_dir {
            Some(dir) => Some(create_writer(writer_config(dir.clone(), settings, 1))?),
            None => None,
        };
        let json = match &settings.json {
            Some(target) => Some(JsonLines::open_again(target, &settings.observation)?),
            None => None,
        };
        Ok(Self { parquet, json, signals })
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

fn writer_config(dir: PathBuf, settings: &OutputSettings, threads: usize) -> WriterConfig {
    let defaults = WriterConfig::default();
    WriterConfig {
        dir,
        prefix: settings.prefix.clone(),
        tier: Tier::Community,
        observation: settings.observation.clone(),
        batch_size: settings.batch_size,
        row_group_size: settings.row_group_size,
        rotate_interval: settings.rotate_interval.map(|interval| interval.as_secs()),
        hive_boundary_flush: settings.hive_boundary_flush,
        hive_partitioning: settings.hive_partitioning,
        zstd_level: settings.compression_level.unwrap_or(defaults.zstd_level),
        producer: concat!("rockfish_probe ", env!("CARGO_PKG_VERSION")).to_owned(),
        threads,
        ..defaults
    }
}

impl RecordSink for Outputs {
    fn push(&mut self, records: Vec<FlowRecord>) -> anyhow::Result<()> {
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
    fn open(target: &JsonTarget, observation: &str) -> anyhow::Result<Self> {
        Self::open_with(target, observation, |path| File::create(path))
    }

    fn open_again(target: &JsonTarget, observation: &str) -> anyhow::Result<Self> {
        Self::open_with(target, observation, |path| {
            File::options().append(true).create(true).open(path)
        })
    }

    fn open_with(
        target: &JsonTarget,
        observation: &str,
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
            writer: JsonWriter::new(Tier::Community, &[], observation),
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
