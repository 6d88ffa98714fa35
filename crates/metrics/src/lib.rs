//! Metrics and health of a running program over HTTP.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | the metrics, in OpenMetrics text 1.0, which Prometheus reads |
//! | `/healthz` | 200 `ok`, or 503 with a reason a line: is everything working right now |
//! | `/livez` | 200 `ok` while the process lives |
//!
//! Invariant: whoever asks, and however slowly, costs the program one thread at most, a bounded number of connections and
//! bounded memory. The work never waits for a request: what is asked for on a request must be atomics or a copy that the
//! work left behind, never a lock that the work holds for long.
//!
//! A program writes its metrics in a [`Collector`], with a [`Page`] to write on:
//!
//! ```
//! use std::fmt;
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! use rockfish_metrics::{Collector, DescriptorEncoder, Page, Process, Registry, Server};
//!
//! /// What the work counts.
//! #[derive(Debug, Default)]
//! struct Counters {
//!     packets: AtomicU64,
//!     dropped: [AtomicU64; 2],
//!     flows: AtomicU64,
//! }
//!
//! #[derive(Debug)]
//! struct ProbeMetrics(Arc<Counters>);
//!
//! impl Collector for ProbeMetrics {
//!     fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
//!         let mut page = Page::new(encoder);
//!         let packets = self.0.packets.load(Ordering::Relaxed);
//!         page.counter("rockfish_packets", "Packets read", packets)?;
//!         page.gauge("rockfish_flows", "Open flows", self.0.flows.load(Ordering::Relaxed) as f64)?;
//!         // One family, a sample for each socket: rockfish_dropped_packets_total{socket="0"} and so on.
//!         page.counters(
//!             "rockfish_dropped_packets",
//!             "Packets that the kernel dropped",
//!             self.0.dropped.iter().enumerate().map(|(socket, dropped)| {
//!                 ([("socket", socket.to_string())], dropped.load(Ordering::Relaxed))
//!             }),
//!         )
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let counters = Arc::new(Counters::default());
//! let mut registry = Registry::default();
//! rockfish_metrics::build_info(&mut registry, "rockfish_probe", "0.1.0");
//! registry.register_collector(Box::new(Process::new()));
//! registry.register_collector(Box::new(ProbeMetrics(Arc::clone(&counters))));
//! let health = || Err(vec!["eth0: the interface is down".to_owned()]);
//! let server = Server::start(rockfish_metrics::listen_addr("0")?, registry, health)?;
//! println!("http://{}/metrics", server.local_addr());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod listen;
mod page;
mod process;
mod server;

pub use listen::listen_addr;
pub use page::{Page, build_info};
pub use process::Process;
pub use server::{MAX_CONNECTIONS, Server};

pub use prometheus_client::collector::Collector;
pub use prometheus_client::encoding::DescriptorEncoder;
pub use prometheus_client::registry::Registry;
