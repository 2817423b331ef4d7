//! Lengths of time, as manifests write them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A length of time. Text: a whole number and a unit (`500ms`, `10s`, `2m`, `1h`, `7d`). Shown in the largest unit that
/// divides it, so that 60s and 1m are the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TimeSpan {
    milliseconds: u64,
}

/// The largest first, in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A text that is no length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no time span; write a whole number and a unit, for example 500ms, 10s, 2m, 1h or 7d")]
pub struct TimeSpanError {
    text: String,
}

impl TimeSpan {
    pub const fn of_milliseconds(milliseconds: u64) -> TimeSpan {
        TimeSpan { milliseconds }
    }

    pub fn milliseconds(self) -> u64 {
        self.milliseconds
    }

    pub fn duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

impl FromStr for TimeSpan {
    type Err = TimeSpanError;

    fn from_str(text: &str) -> Result<TimeSpan, TimeSpanError> {
        let read = || {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let (_, factor) = UNITS.iter().find(|(unit, _)| *unit == &text[digits.len()..])?;
            digits.parse::<u64>().ok()?.checked_mul(*factor)
        };
        read().map(TimeSpan::of_milliseconds).ok_or_else(|| TimeSpanError { text: text.to_owned() })
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, factor): &&(&str, u64)| self.milliseconds.is_multiple_of(*factor);
        let (unit, factor) = UNITS.iter().find(divides).expect("1 divides every number");
        write!(f, "{}{unit}", self.milliseconds / factor)
    }
}

impl From<TimeSpan> for String {
    fn from(span: TimeSpan) -> String {
        span.to_string()
    }
}

impl TryFrom<String> for TimeSpan {
    type Error = TimeSpanError;

    fn try_from(text: String) -> Result<TimeSpan, TimeSpanError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_shown_in_the_largest_unit_that_divides_it() {
        for (text, shown) in
            [("60s", "1m"), ("1500ms", "1500ms"), ("48h", "2d"), ("90m", "90m"), ("250ms", "250ms")]
        {
            let span: TimeSpan = text.parse().expect("a span");
            assert_eq!(span.to_string(), shown);
            assert_eq!(shown.parse(), Ok(span));
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "5", "s", "-1s", "1.5h", "1 s", "1w", "99999999999999999999d", "213503982335d"] {
            assert!(text.parse::<TimeSpan>().is_err(), "{text}");
        }
    }
}
