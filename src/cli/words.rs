//! Words for values.

use crate::model::object::Power;
use crate::model::size::Size;

pub fn power(power: Power) -> &'static str {
    match power {
        Power::Running => "running",
        Power::Stopped => "stopped",
        Power::Frozen => "frozen",
        Power::Any => "any",
    }
}

/// Bytes for people: at most one digit after the point.
pub fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, factor)| count >= *factor) {
        Some((unit, factor)) => {
            let tenths = u128::from(count) * 10 / u128::from(factor);
            format!("{}.{}{unit}", tenths / 10, tenths % 10)
        }
        None => Size(count).to_string(),
    }
}
