//! So many of a number of things, or a share of them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `5` or `20%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Share {
    /// From 1 to 100; one is always within it.
    Percent(u32),
    Number(u32),
}

impl Share {
    /// How many of `total` that is.
    pub fn of(self, total: usize) -> usize {
        match self {
            Share::Percent(percent) => (total.saturating_mul(percent as usize) / 100).max(1),
            Share::Number(number) => number as usize,
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Share::Percent(percent) => write!(f, "{percent}%"),
            Share::Number(number) => write!(f, "{number}"),
        }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let wrong = || format!("`{text}` is neither a number nor a share from 1% to 100%");
        match text.strip_suffix('%') {
            Some(share) => match share.parse() {
                Ok(percent @ 1..=100) => Ok(Share::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Share::Number).map_err(|_| wrong()),
        }
    }
}

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Share, String> {
        text.parse()
    }
}

impl From<Share> for String {
    fn from(share: Share) -> String {
        share.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_and_is_at_least_one() {
        let share: Share = "20%".parse().unwrap();
        assert_eq!([0, 1, 4, 9, 10, 100].map(|total| share.of(total)), [1, 1, 1, 1, 2, 20]);
        let number: Share = "3".parse().unwrap();
        assert_eq!(number.of(1000), 3);
        assert_eq!("0".parse::<Share>().unwrap().of(10), 0);
        for wrong in ["", "0%", "101%", "-1", "many", "1.5"] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
