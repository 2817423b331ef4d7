//! Which objects wait for a look, and when: debounce and backoff. Time is passed in.

use crate::model::key::Key;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// First wait after a failure; doubled by each further one.
const FIRST_BACKOFF: SignedDuration = SignedDuration::from_secs(1);
/// The longest wait.
const LONGEST_BACKOFF: SignedDuration = SignedDuration::from_secs(300);

/// Keys that are due at some time. A key marked again before it is due keeps the earlier time.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    due: BTreeMap<Key, Timestamp>,
    failures: BTreeMap<Key, u32>,
}

impl Queue {
    /// `key` is due at `at`, or when it already was, if that is sooner.
    pub fn mark(&mut self, key: Key, at: Timestamp) {
        self.due.entry(key).and_modify(|due| *due = (*due).min(at)).or_insert(at);
    }

    /// When the first key is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.due.values().min().copied()
    }

    /// Takes the keys that are due.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Key> {
        let keys: Vec<Key> =
            self.due.iter().filter(|(_, due)| **due <= now).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.due.remove(key);
        }
        keys
    }

    /// `key` failed: due again after its backoff.
    pub fn failed(&mut self, key: Key, now: Timestamp) {
        let failures = self.failures.entry(key.clone()).or_insert(0);
        let wait = backoff(*failures);
        *failures = failures.saturating_add(1);
        self.mark(key, now.checked_add(wait).unwrap_or(Timestamp::MAX));
    }

    /// `key` is as it should be: its backoff starts anew.
    pub fn succeeded(&mut self, key: &Key) {
        self.failures.remove(key);
    }
}

/// 1 s, 2 s, 4 s … at most 5 minutes.
fn backoff(failures: u32) -> SignedDuration {
    let factor = 1_i32.checked_shl(failures.min(30)).unwrap_or(i32::MAX);
    FIRST_BACKOFF.checked_mul(factor).unwrap_or(LONGEST_BACKOFF).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_key_marked_twice_is_due_once_at_the_earlier_time() {
        let mut queue = Queue::default();
        queue.mark(Key::container("a"), at(10));
        queue.mark(Key::container("a"), at(5));
        queue.mark(Key::container("a"), at(20));
        assert_eq!(queue.next_due(), Some(at(5)));
        assert_eq!(queue.take_due(at(4)), vec![]);
        assert_eq!(queue.take_due(at(5)), vec![Key::container("a")]);
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn failures_wait_longer_each_time_and_success_starts_anew() {
        let mut queue = Queue::default();
        let mut waits = vec![];
        for _ in 0..12 {
            queue.failed(Key::container("a"), at(0));
            waits.push(queue.next_due().unwrap().as_second());
            queue.take_due(at(1000));
        }
        assert_eq!(waits[..4], [1, 2, 4, 8]);
        assert_eq!(waits[11], 300);
        queue.succeeded(&Key::container("a"));
        queue.failed(Key::container("a"), at(0));
        assert_eq!(queue.next_due(), Some(at(1)));
    }
}
