//! What is in a file: a licence, or a Parquet file that carries one.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::statistics::Statistics;
use rockfish_app::{Exit, ResultExt};
use rockfish_license::{FileFacts, Tier};
use rockfish_schema::{COLUMNS, Field, Group};

/// What was read of a file.
#[derive(Debug)]
pub(crate) enum Document {
    /// All octets of what should be a licence.
    License(Vec<u8>),
    /// The footer of a Parquet file.
    Parquet(Footer),
    /// It begins as a Parquet file does, but its footer cannot be read.
    Broken(String),
}

/// What a Parquet file says of itself.
#[derive(Debug)]
pub(crate) struct Footer {
    /// Its metadata, in its order.
    pub(crate) metadata: Vec<(String, Option<String>)>,
    columns: Tier,
    observations: Vec<String>,
}

impl Document {
    /// Reads a licence, or the footer of a Parquet file, whichever it is.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("cannot read {}", path.display());
        let mut file = File::open(path).with_context(unreadable).exit(Exit::Usage)?;
        let mut head = Vec::new();
        (&mut file).take(4).read_to_end(&mut head).with_context(unreadable).exit(Exit::Usage)?;
        if head != b"PAR1" {
            (&mut file)
                .take(crate::MAX_READ)
                .read_to_end(&mut head)
                .with_context(unreadable)
                .exit(Exit::Usage)?;
            return Ok(Self::License(head));
        }
        let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Skip);
        Ok(match reader.try_parse(&file).and_then(|()| reader.finish()) {
            Ok(metadata) => Self::Parquet(Footer::of(&metadata)),
            Err(error) => Self::Broken(format!("not a whole Parquet file: {error}")),
        })
    }
}

impl Footer {
    fn of(metadata: &ParquetMetaData) -> Self {
        let file = metadata.file_metadata();
        let pairs = file.key_value_metadata().into_iter().flatten();
        let root = file.schema_descr().root_schema().get_fields();
        let columns = root.iter().filter_map(|field| tier_of(field.name())).max();
        Self {
            metadata: pairs.map(|pair| (pair.key.clone(), pair.value.clone())).collect(),
            columns: columns.unwrap_or_default(),
            observations: observations(metadata),
        }
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value.as_deref()))
    }

    /// Runs `check` with what the file shows.
    pub(crate) fn with_facts<T>(&self, check: impl FnOnce(&FileFacts<'_>) -> T) -> T {
        let observations: Vec<&str> = self.observations.iter().map(String::as_str).collect();
        check(&FileFacts { columns: self.columns, observations: &observations })
    }
}

/// The smallest tier that has a column of this name.
fn tier_of(name: &str) -> Option<Tier> {
    let column = COLUMNS.iter().find(|column| column.name == name)?;
    Some(match column.group {
        Group::Tier(tier) => license_tier(tier),
        Group::Extra => Tier::Community,
    })
}

/// The schema's tiers are the licence's.
fn license_tier(tier: rockfish_schema::Tier) -> Tier {
    match tier {
        rockfish_schema::Tier::Community => Tier::Community,
        rockfish_schema::Tier::Basic => Tier::Basic,
        rockfish_schema::Tier::Professional => Tier::Professional,
        rockfish_schema::Tier::Enterprise => Tier::Enterprise,
    }
}

/// The least and greatest value of column `obname` in each row group, where the statistics have them whole.
fn observations(metadata: &ParquetMetaData) -> Vec<String> {
    let name = COLUMNS
        .iter()
        .find(|column| column.field == Field::ObservationName)
        .map(|column| column.name);
    let mut found = Vec::new();
    for group in metadata.row_groups() {
        for column in group.columns() {
            if !matches!(column.column_path().parts(), [part] if Some(part.as_str()) == name) {
                continue;
            }
            let Some(Statistics::ByteArray(statistics)) = column.statistics() else { continue };
            let least = statistics.min_opt().filter(|_| statistics.min_is_exact());
            let greatest = statistics.max_opt().filter(|_| statistics.max_is_exact());
            for value in [least, greatest].into_iter().flatten() {
                let value = String::from_utf8_lossy(value.data()).into_owned();
                if !found.contains(&value) {
                    found.push(value);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_the_same_in_licence_and_schema() {
        for (license, schema) in Tier::ALL.into_iter().zip(rockfish_schema::Tier::ALL) {
            assert_eq!(license_tier(schema), license);
            assert_eq!(license.name(), schema.name());
            assert_eq!(license.schema_version(), schema.schema_version());
            let widest = COLUMNS[..schema.column_count()]
                .iter()
                .filter_map(|column| tier_of(column.name))
                .max();
            assert_eq!(widest, Some(license));
        }
        assert_eq!(tier_of("community_id"), None);
    }
}
