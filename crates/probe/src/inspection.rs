//! What is looked for in payload, and who looks.

use std::path::{Path, PathBuf};
#[cfg(not(feature = "ndpi"))]
use std::sync::Arc;

use anyhow::Context as _;
use rockfish_fingerprint::TcpFormat;
use rockfish_inspect::{FlowInspector, InspectConfig};
use rockfish_label::{CategoryRules, Custom, Labeler, Rules};
use rockfish_meter::Inspector;

use crate::config::{Ndpi, TcpFpFormat};

/// What is looked for in payload.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Applications.
    pub applications: bool,
    /// Fingerprints, and the names that servers are called by.
    pub fingerprints: bool,
    /// File of further protocols.
    pub protocol_file: Option<PathBuf>,
    /// File of further categories.
    pub categories_file: Option<PathBuf>,
    /// Format of the fingerprints of SYN packets.
    pub tcp_format: TcpFormat,
}

impl Inspection {
    pub(crate) fn new(ndpi: &Ndpi, applications: bool, fingerprints: bool) -> Self {
        Self {
            applications,
            fingerprints,
            protocol_file: ndpi.protocol_file.clone().filter(|_| applications),
            categories_file: ndpi.categories_file.clone().filter(|_| applications),
            tcp_format: match ndpi.tcp_fp_format {
                TcpFpFormat::Draft => TcpFormat::Draft04,
                TcpFpFormat::Ndpi5 => TcpFormat::Ndpi5,
            },
        }
    }

    /// Whether anything is looked for.
    pub fn is_wanted(&self) -> bool {
        self.applications || self.fingerprints
    }

    /// Checks the files; what the person should know.
    pub(crate) fn check(&self) -> Result<Option<String>, String> {
        if !self.applications {
            return Ok(None);
        }
        self.custom().map_err(|error| format!("ndpi: {error:#}"))?;
        Ok((!cfg!(feature = "ndpi")).then(|| {
            "ndpi.enabled: this build has no libndpi; detection of our own knows fewer applications".to_owned()
        }))
    }

    fn custom(&self) -> anyhow::Result<Custom> {
        let read = |path: &Path| {
            let name = path.display().to_string();
            let octets = std::fs::read(path).with_context(|| format!("{name}: cannot read"))?;
            anyhow::Ok((name, octets))
        };
        let mut rules = Rules::default();
        if let Some(path) = &self.protocol_file {
            let (name, octets) = read(path)?;
            rules = Rules::parse(&name, &octets)?;
        }
        let mut categories = CategoryRules::default();
        if let Some(path) = &self.categories_file {
            let (name, octets) = read(path)?;
            categories = CategoryRules::parse(&name, &octets)?;
        }
        Ok(Custom::new(&rules, categories))
    }

    /// An inspector for one meter.
    ///
    /// # Errors
    /// A file cannot be read any more, or the library refuses to work.
    pub fn inspector(&self) -> anyhow::Result<Box<dyn Inspector>> {
        let config =
            // A server's name tells the application.
            InspectConfig { fingerprints: self.is_wanted(), tcp_format: self.tcp_format };
        let labeler = match self.applications {
            true => Some(self.labeler()?),
            false => None,
        };
        Ok(Box::new(FlowInspector::new(config, labeler)))
    }

    #[cfg(feature = "ndpi")]
    fn labeler(&self) -> anyhow::Result<Box<dyn Labeler>> {
        let config = rockfish_ndpi::NdpiConfig {
            protocol_file: self.protocol_file.clone(),
            categories_file: self.categories_file.clone(),
            ..rockfish_ndpi::NdpiConfig::default()
        };
        Ok(Box::new(rockfish_ndpi::NdpiLabeler::new(&config)?))
    }

    #[cfg(not(feature = "ndpi"))]
    fn labeler(&self) -> anyhow::Result<Box<dyn Labeler>> {
        Ok(Box::new(rockfish_label::BuiltinLabeler::new(Arc::new(self.custom()?))))
    }
}
