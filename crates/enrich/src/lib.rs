//! What is known of addresses: country, city and autonomous system from MaxMind databases.
//!
//! [`GeoDb::open`] reads the databases once. Each thread that writes records takes a [`GeoReader`] of its own, which looks
//! addresses up behind a bounded cache. One thread calls [`GeoDb::refresh`] now and then; the readers see a changed
//! database at their next lookup.
//!
//! **Databases are read into memory, not mapped.** Tools that update them often write into the file that is there. A
//! mapped file that becomes shorter ends the program with SIGBUS at the next lookup, with every open flow; one that
//! changes gives addresses the places of others. The price is their size in memory, some 80 MB for GeoLite2's country,
//! city and AS databases together, once for all threads, and as much again while a new one is read.
//!
//! Lookups are deterministic as long as the files are: a program that reads captures does not refresh.
#![forbid(unsafe_code)]

mod database;
mod geo;
mod reader;

pub use database::{EnrichError, Kind};
pub use geo::{GeoConfig, GeoDb, RefreshError};
pub use reader::{CacheStats, GeoReader};

pub use rockfish_flow::Place;
