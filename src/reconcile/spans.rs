//! Spans of host ids that are taken.

use crate::model::observed::IdSpan;
use std::collections::BTreeMap;

/// Spans that do not overlap, by first id.
#[derive(Debug, Default)]
pub struct Spans(BTreeMap<u64, u64>);

impl Spans {
    pub fn take(&mut self, span: IdSpan) {
        let (mut first, mut end) = bounds(span);
        while let Some((other_first, other_end)) = self.overlapping(first, end) {
            self.0.remove(&other_first);
            first = first.min(other_first);
            end = end.max(other_end);
        }
        self.0.insert(first, end);
    }

    pub fn is_free(&self, span: IdSpan) -> bool {
        let (first, end) = bounds(span);
        self.overlapping(first, end).is_none()
    }

    fn overlapping(&self, first: u64, end: u64) -> Option<(u64, u64)> {
        let (other_first, other_end) = self.0.range(..end).next_back()?;
        (*other_end > first).then_some((*other_first, *other_end))
    }
}

fn bounds(span: IdSpan) -> (u64, u64) {
    (u64::from(span.first), u64::from(span.first) + u64::from(span.count))
}
