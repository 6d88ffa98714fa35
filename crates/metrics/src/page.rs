//! Writing metrics without the encoder's ceremony.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// A metric page to write on. Each name may be written once, by one collector.
///
/// Names are legal metric names of the exposition format: letters, digits and underscores, the unit last (`_bytes`,
/// `_seconds`). A counter's name is given without `_total`, which is added. The help is a sentence without its full stop,
/// which is added.
#[derive(Debug)]
pub struct Page<'a>(DescriptorEncoder<'a>);

impl<'a> Page<'a> {
    /// A page that goes to `encoder`.
    pub fn new(encoder: DescriptorEncoder<'a>) -> Self {
        Self(encoder)
    }

    /// A number that only grows, as a single sample.
    ///
    /// # Errors
    /// If the page cannot take more.
    pub fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.one(name, help, &ConstCounter::new(value))
    }

    /// A number that only grows and may have a fraction, such as seconds.
    ///
    /// # Errors
    /// If the page cannot take more.
    pub fn counter_f64(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.one(name, help, &ConstCounter::new(value))
    }

    /// A number that grows and shrinks.
    ///
    /// # Errors
    /// If the page cannot take more.
    pub fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.one(name, help, &ConstGauge::new(value))
    }

    /// Numbers that only grow, told apart by labels: `[("socket", "0")]`. Without samples nothing is written.
    ///
    /// # Errors
    /// If the page cannot take more.
    pub fn counters<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(name, help, samples)
    }

    /// Numbers that grow and shrink, told apart by labels. Without samples nothing is written.
    ///
    /// # Errors
    /// If the page cannot take more.
    pub fn gauges<L: EncodeLabelSet>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(name, help, samples)
    }

    fn one(&mut self, name: &str, help: &str, metric: &impl EncodeMetric) -> fmt::Result {
        let (name, unit) = split_unit(name);
        let help = format!("{help}.");
        let encoder = self.0.encode_descriptor(name, &help, unit.as_ref(), metric.metric_type())?;
        metric.encode(encoder)
    }

    fn family<L: EncodeLabelSet, M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl Iterator<Item = (L, M)>,
    ) -> fmt::Result {
        let mut samples = samples.peekable();
        let Some((_, first)) = samples.peek() else {
            return Ok(());
        };
        let (name, unit) = split_unit(name);
        let help = format!("{help}.");
        let mut encoder =
            self.0.encode_descriptor(name, &help, unit.as_ref(), first.metric_type())?;
        for (labels, metric) in samples {
            metric.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// The units that the format names are declared in a line of their own and are given apart from the name.
fn split_unit(name: &str) -> (&str, Option<Unit>) {
    for unit in [Unit::Bytes, Unit::Seconds] {
        let rest = name.strip_suffix(unit.as_str()).and_then(|rest| rest.strip_suffix('_'));
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            return (rest, Some(unit));
        }
    }
    (name, None)
}

/// Adds `rockfish_build_info`, whose labels say which program runs in which version.
pub fn build_info(registry: &mut Registry, program: &str, version: &str) {
    let labels = vec![
        ("program".to_owned(), program.to_owned()),
        ("version".to_owned(), version.to_owned()),
    ];
    registry.register("rockfish_build", "The program and its version", Info::new(labels));
}
