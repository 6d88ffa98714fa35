//! Times as licences write them.

use std::fmt;

use rockfish_flow::Timestamp;

/// A time with the text it was read from, since the text is what is signed and what files carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LicenseTime {
    at: jiff::Timestamp,
    text: String,
}

impl LicenseTime {
    /// Reads a time of [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339) (`2025-01-01T00:00:00Z`); `None` if `text` is
    /// none. An offset is needed: without one the time is not known.
    pub fn parse(text: &str) -> Option<Self> {
        // The parser also takes what Temporal adds to the standard: years of six digits, zones in brackets, bare hours.
        let [b'0'..=b'9', _, _, _, b'-', _, _, b'-', _, _, b'T' | b't', _, _, b':', _, _, b':', ..] =
            text.as_bytes()
        else {
            return None;
        };
        let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
        let plain = matches!(zone.as_bytes(), [b'Z' | b'z'] | [b'+' | b'-', _, _, b':', _, _]);
        let at = text.parse().ok().filter(|_| plain)?;
        Some(Self { at, text: text.to_owned() })
    }

    /// A time in whole seconds, written in UTC; `None` if its year has no four digits.
    pub fn from_timestamp(time: Timestamp) -> Option<Self> {
        let at = jiff::Timestamp::from_second(time.as_secs()).ok()?;
        Self::parse(&at.to_string())
    }

    /// The time in microseconds, rounded down.
    pub fn timestamp(&self) -> Timestamp {
        Timestamp::from_micros(self.at.as_nanosecond().div_euclid(1000) as i64)
    }

    /// The time as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for LicenseTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// `time` for a message.
pub(crate) fn text(time: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.as_micros())
        .map_or_else(|_| time.to_string(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_with_an_offset_are_read() {
        for (text, seconds) in [
            ("2025-01-01T00:00:00Z", Some(1_735_689_600)),
            ("2025-01-01t00:00:00z", Some(1_735_689_600)),
            ("2025-01-01T00:00:00.75Z", Some(1_735_689_600)),
            ("2025-01-01T02:00:00+02:00", Some(1_735_689_600)),
            ("1969-12-31T23:59:59.5Z", Some(-1)),
            ("9999-12-30T00:00:00Z", Some(253_402_128_000)),
            ("2025-01-01T00:00:00", None),
            ("2025-01-01T00:00Z", None),
            ("2025-01-01", None),
            ("2025-02-30T00:00:00Z", None),
            ("2025-01-01T24:00:00Z", None),
            ("2025-01-01T00:00:00+0200", None),
            ("2025-01-01T00:00:00Z[UTC]", None),
            ("+002025-01-01T00:00:00Z", None),
            ("2025-01-01 00:00:00Z", None),
            (" 2025-01-01T00:00:00Z", None),
            ("2025-01-01T00:00:00Ä", None),
            ("", None),
        ] {
            let found = LicenseTime::parse(text).map(|time| time.timestamp().as_secs());
            assert_eq!(found, seconds, "{text}");
        }
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for seconds in [0, -1, 1_735_689_600, 253_402_207_200] {
            let time = LicenseTime::from_timestamp(Timestamp::from_secs(seconds)).unwrap();
            assert_eq!(time.timestamp().as_secs(), seconds);
            assert_eq!(LicenseTime::parse(time.as_str()), Some(time));
        }
        assert_eq!(
            LicenseTime::from_timestamp(Timestamp::from_secs(1_735_689_600)).unwrap().as_str(),
            "2025-01-01T00:00:00Z"
        );
        for seconds in [i64::MAX, i64::MIN, -99_999_999_999] {
            assert_eq!(LicenseTime::from_timestamp(Timestamp::from_secs(seconds)), None);
        }
    }
}
