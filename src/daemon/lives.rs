//! How long the inits of containers live: one that ends again and again as soon as it is started must wait. PURE.
//!
//! ```text
//! began ──► ended after a while ───────────────────────► started at once
//!   └─────► ended soon, up to five times in a row ─────► started at once
//!             └─► and again: 1 s, 2 s, 4 s … 32 s ─────► due ──► started
//! ```

use crate::model::key::Key;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// An init that ends sooner after its start has failed, or is done at once, rather than been killed.
const SHORT_LIFE: SignedDuration = SignedDuration::from_secs(2);
/// So many short lives in a row are healed at once; each further one waits twice as long as the last.
const PATIENCE: u32 = 5;
/// The longest wait is 2 to the power of it, in seconds.
const LONGEST: u32 = 5;

/// Of all containers that are watched.
#[derive(Debug, Default)]
pub struct Lives(BTreeMap<Key, Life>);

#[derive(Debug)]
struct Life {
    began: Timestamp,
    /// How many in a row were short.
    short: u32,
    /// When the next one may begin; None: at once, or it has begun.
    not_before: Option<Timestamp>,
    /// Whether that time has come and was told.
    due: bool,
}

/// A container whose inits end as soon as they are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashLoop {
    /// How many lives in a row were short.
    pub short_lives: u32,
    /// When it is started again; None: just now it was started.
    pub not_before: Option<Timestamp>,
}

impl Lives {
    pub fn began(&mut self, key: Key, now: Timestamp) {
        let short = self.0.get(&key).map_or(0, |life| life.short);
        self.0.insert(key, Life { began: now, short, not_before: None, due: false });
    }

    /// How long to wait before the next start: zero, unless its inits end as soon as they are started.
    pub fn ended(&mut self, key: &Key, now: Timestamp) -> SignedDuration {
        let fresh = Life { began: Timestamp::MIN, short: 0, not_before: None, due: false };
        let life = self.0.entry(key.clone()).or_insert(fresh);
        let is_short = now.duration_since(life.began) < SHORT_LIFE;
        life.due = false;
        life.short = if is_short { life.short.saturating_add(1) } else { 0 };
        if life.short <= PATIENCE {
            life.not_before = None;
            return SignedDuration::ZERO;
        }
        let wait = SignedDuration::from_secs(1 << (life.short - PATIENCE - 1).min(LONGEST));
        life.not_before = Some(now.checked_add(wait).unwrap_or(Timestamp::MAX));
        wait
    }

    /// When each that waits may be started.
    pub fn waiting(&self) -> BTreeMap<Key, Timestamp> {
        let waits = |(key, life): (&Key, &Life)| Some((key.clone(), life.not_before?));
        self.0.iter().filter_map(waits).collect()
    }

    /// Takes those whose wait is over.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<Key> {
        let mut due = vec![];
        for (key, life) in &mut self.0 {
            if !life.due && life.not_before.is_some_and(|at| at <= now) {
                life.due = true;
                due.push(key.clone());
            }
        }
        due
    }

    /// Whether and how a container's inits end again and again.
    pub fn crash_loop(&self, key: &Key, now: Timestamp) -> Option<CrashLoop> {
        let life = self.0.get(key).filter(|life| life.short > PATIENCE)?;
        let lives_on = life.not_before.is_none() && now.duration_since(life.began) >= SHORT_LIFE;
        (!lives_on).then_some(CrashLoop { short_lives: life.short, not_before: life.not_before })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The waits before the next start, of inits that live this long.
    fn waits(lives: &mut Lives, lived: i64, count: usize) -> Vec<i64> {
        let key = Key::container("a");
        let mut now = 1000;
        let mut waits = vec![];
        for _ in 0..count {
            lives.began(key.clone(), at(now));
            now += lived;
            let wait = lives.ended(&key, at(now)).as_secs();
            now += wait;
            waits.push(wait);
        }
        waits
    }

    #[test]
    fn inits_that_end_as_soon_as_they_begin_wait_longer_each_time() {
        let waits = waits(&mut Lives::default(), 1, 13);
        assert_eq!(waits, [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 32, 32]);
    }

    #[test]
    fn inits_that_live_a_while_are_started_at_once_and_begin_the_count_anew() {
        let mut lives = Lives::default();
        assert_eq!(waits(&mut lives, 3, 20), [0; 20]);
        waits(&mut lives, 0, 8);
        assert_eq!(waits(&mut lives, 5, 1), [0]);
        assert_eq!(waits(&mut lives, 0, 6), [0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_container_that_was_never_seen_to_begin_is_started_at_once() {
        assert_eq!(Lives::default().ended(&Key::container("a"), at(0)), SignedDuration::ZERO);
    }

    #[test]
    fn what_waits_is_due_once_and_is_told_until_a_life_lasts() {
        let (mut lives, key) = (Lives::default(), Key::container("a"));
        for second in 0..5 {
            lives.began(key.clone(), at(second));
            lives.ended(&key, at(second));
        }
        assert_eq!(lives.crash_loop(&key, at(5)), None);
        lives.began(key.clone(), at(5));
        lives.ended(&key, at(5));
        assert_eq!(lives.waiting(), BTreeMap::from([(key.clone(), at(6))]));
        let told = CrashLoop { short_lives: 6, not_before: Some(at(6)) };
        assert_eq!(lives.crash_loop(&key, at(5)), Some(told));
        assert!(lives.take_due(at(5)).is_empty());
        assert_eq!(lives.take_due(at(6)), vec![key.clone()]);
        assert!(lives.take_due(at(6)).is_empty());
        lives.began(key.clone(), at(6));
        assert_eq!(lives.crash_loop(&key, at(7)), Some(CrashLoop { not_before: None, ..told }));
        assert_eq!(lives.crash_loop(&key, at(8)), None);
    }
}
