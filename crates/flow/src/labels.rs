//! What is known of a flow beyond its headers.

use std::sync::Arc;

/// What was found out about a flow: by its payload, by its addresses. Each part may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// Application.
    pub application: Option<Application>,
    /// Name of the server: from TLS, QUIC or HTTP, or from a DNS answer seen before.
    pub host_name: Option<Box<str>>,
    /// JA4 of the ClientHello.
    pub ja4: Option<Box<str>>,
    /// JA3S of the ServerHello: MD5, hexadecimal.
    pub ja3s: Option<Box<str>>,
    /// Fingerprint of the SYN, and the operating system that it suggests.
    pub tcp_fingerprint: Option<Box<str>>,
    /// Composite of the fingerprints, as nDPI makes it.
    pub fingerprint: Option<Box<str>>,
    /// Place and network of the source.
    pub source_place: Option<Arc<Place>>,
    /// Place and network of the destination.
    pub destination_place: Option<Arc<Place>>,
}

/// An application, as nDPI names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// `MASTER.APP`, or one of them.
    pub name: Arc<str>,
    /// Category.
    pub category: Option<&'static str>,
    /// Sum of the scores of its risks.
    pub risk_score: u32,
    /// The worst of its risks: 0 none, 1 low, 2 medium, 3 high and above.
    pub risk_severity: u8,
    /// Names of its risks, separated by commas; none if there are none.
    pub risks: Option<Arc<str>>,
}

/// What databases know of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// Country: ISO 3166-1, two letters.
    pub country: Option<Arc<str>>,
    /// City, in English.
    pub city: Option<Arc<str>>,
    /// Number of the autonomous system.
    pub asn: Option<u32>,
    /// Organisation that the autonomous system is registered to.
    pub as_org: Option<Arc<str>>,
}
