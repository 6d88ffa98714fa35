//! Capture time.

use std::fmt;

/// Microseconds since 1970-01-01T00:00:00Z, as the capture states them.
///
/// The record has microseconds (`stime`, `etime`), so nanosecond captures are truncated once, where they are read, and
/// every difference is taken between truncated values: it always agrees with the times in the record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// Earlier than every packet.
    pub const MIN: Self = Self(i64::MIN);

    /// From microseconds since the epoch.
    #[inline]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch; saturates.
    #[inline]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[inline]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[inline]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Days since the epoch, rounded down.
    #[inline]
    pub const fn as_days(self) -> i64 {
        self.0.div_euclid(86_400_000_000)
    }

    /// Microseconds from `earlier` to `self`; negative if `self` comes first; saturates.
    #[inline]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time plus `micros`; saturates.
    #[inline]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.as_secs(), self.0.rem_euclid(1_000_000))
    }
}
