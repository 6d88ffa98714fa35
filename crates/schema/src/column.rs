//! What the table says of a column.

use std::fmt;
use std::str::FromStr;

/// Which licence tier a file is written for. Each has the columns of the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// 44 columns: what the meter knows.
    #[default]
    Community,
    /// 54 columns: country, city, AS number, application.
    Basic,
    /// 60 columns: AS organisation, fingerprints.
    Professional,
    /// 63 columns: anomaly scores.
    Enterprise,
}

impl Tier {
    /// All tiers, smallest first.
    pub const ALL: [Self; 4] = [Self::Community, Self::Basic, Self::Professional, Self::Enterprise];

    /// The name as file metadata and configuration have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Community => "community",
            Self::Basic => "basic",
            Self::Professional => "professional",
            Self::Enterprise => "enterprise",
        }
    }

    /// How many columns a record has.
    pub const fn column_count(self) -> usize {
        match self {
            Self::Community => 44,
            Self::Basic => 54,
            Self::Professional => 60,
            Self::Enterprise => 63,
        }
    }

    /// The value of column `version`, which file names and folders have too: 1 up to 54 columns, 2 from 60.
    pub const fn schema_version(self) -> u16 {
        match self {
            Self::Community | Self::Basic => 1,
            Self::Professional | Self::Enterprise => 2,
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A tier's name that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownTier(String);

impl fmt::Display for UnknownTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown tier {:?}, expected community, basic, professional or enterprise",
            self.0
        )
    }
}

impl std::error::Error for UnknownTier {}

impl FromStr for Tier {
    type Err = UnknownTier;

    fn from_str(name: &str) -> Result<Self, UnknownTier> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.name() == name)
            .ok_or_else(|| UnknownTier(name.to_owned()))
    }
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// 8 bits, unsigned.
    UInt8,
    /// 16 bits, unsigned.
    UInt16,
    /// 32 bits, unsigned.
    UInt32,
    /// 64 bits, unsigned.
    UInt64,
    /// 32 bits, signed.
    Int32,
    /// Single precision.
    Float32,
    /// UTF-8 text.
    Utf8,
    /// Microseconds since 1970-01-01T00:00:00Z.
    Timestamp,
    /// A list of 16-bit numbers.
    ListUInt16,
    /// A list of 32-bit numbers.
    ListUInt32,
}

impl Type {
    /// The type as the reference page prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UInt8 => "UInt8",
            Self::UInt16 => "UInt16",
            Self::UInt32 => "UInt32",
            Self::UInt64 => "UInt64",
            Self::Int32 => "Int32",
            Self::Float32 => "Float32",
            Self::Utf8 => "Utf8",
            Self::Timestamp => "Timestamp(µs, UTC)",
            Self::ListUInt16 => "List<UInt16>",
            Self::ListUInt32 => "List<UInt32>",
        }
    }
}

/// What a column comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Every file of this tier and those above.
    Tier(Tier),
    /// Files whose configuration names it in `output.extra_fields`.
    Extra,
}

/// Where a column's JSON name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element {
    /// An element of the IANA registry (RFC 7012).
    Iana(u16),
    /// Its counterpart for the other direction (RFC 5103).
    IanaReverse(u16),
    /// An element of CERT (enterprise number 6871), as YAF exports it.
    Cert(u16),
    /// Its counterpart for the other direction.
    CertReverse(u16),
    /// No registry has one that fits.
    Own,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iana(id) => write!(f, "IANA {id}"),
            Self::IanaReverse(id) => write!(f, "IANA {id}, reverse"),
            Self::Cert(id) => write!(f, "CERT {id}"),
            Self::CertReverse(id) => write!(f, "CERT {id}, reverse"),
            Self::Own => f.write_str("own"),
        }
    }
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Which one it is.
    pub field: Field,
    /// Its name in Parquet. A contract.
    pub name: &'static str,
    /// Type of its values.
    pub data_type: Type,
    /// Whether a flow may lack it.
    pub nullable: bool,
    /// What it comes with.
    pub group: Group,
    /// Unit of its values; empty where they have none.
    pub unit: &'static str,
    /// Its name in JSON.
    pub json: &'static str,
    /// Where that name comes from.
    pub element: Element,
    /// What it means, and where that differs from its source.
    pub description: &'static str,
}

/// The columns, by what they mean; [`crate::column`] has the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the table says what each is")]
#[repr(u8)]
pub enum Field {
    Version,
    FlowId,
    ObservationName,
    StartTime,
    EndTime,
    Duration,
    RoundTripTime,
    ProducerConsumerRatio,
    Protocol,
    SourceAddress,
    DestinationAddress,
    SourcePort,
    DestinationPort,
    InitialFlags,
    UnionFlags,
    SourceSequence,
    DestinationSequence,
    SourceVlan,
    DestinationVlan,
    SourcePackets,
    DestinationPackets,
    SourceOctets,
    DestinationOctets,
    SourceEntropy,
    DestinationEntropy,
    SourceSmallPackets,
    DestinationSmallPackets,
    SourceLargePackets,
    DestinationLargePackets,
    SourceNonEmptyPackets,
    DestinationNonEmptyPackets,
    SourceFirstNonEmpty,
    DestinationFirstNonEmpty,
    SourceMaxPayload,
    DestinationMaxPayload,
    SourceMeanPayload,
    DestinationMeanPayload,
    SourceStdevPayload,
    DestinationStdevPayload,
    FirstDirections,
    FirstGaps,
    Reason,
    SourceMac,
    DestinationMac,
    SourceCountry,
    DestinationCountry,
    SourceCity,
    DestinationCity,
    SourceAsn,
    DestinationAsn,
    ApplicationName,
    ApplicationCategory,
    RiskScore,
    RiskSeverity,
    SourceAsOrganisation,
    DestinationAsOrganisation,
    Ja4,
    Ja3s,
    TcpFingerprint,
    Fingerprint,
    AnomalyScore,
    AnomalySeverity,
    AnomalyFactors,
    CommunityId,
    RiskList,
    HostName,
    Splt,
    SpltLengths,
    SpltGaps,
    IcmpType,
    IcmpCode,
    SourceTtl,
    DestinationTtl,
}
