//! start, stop, restart, freeze, unfreeze, hold and resume: the same flow as apply, without a question. Against the
//! declared state they set a hold; back to it they end it; `hold` sets one whatever is declared.

use super::change::{self, Change};
use super::connection::Shown as Match;
use super::exit::Exit;
use super::key::parse_key;
use super::manifests::Shown;
use super::question::Consent;
use super::session::Session;
use crate::api::types::{Approval, GoalRequest, HoldUntil, PlanRequest, StopWish};
use crate::model::key::Key;
use crate::model::object::Power;
use crate::model::record::HoldReason;
use jiff::{SignedDuration, Span};
use std::collections::BTreeSet;

/// How long a hold lasts by itself: an hour.
const HOLD_SECONDS: u64 = 3600;

/// A hundred years; what is to last is `--until-apply`.
const LONGEST_SECONDS: u64 = 36_525 * 86_400;

#[derive(Debug, clap::Args)]
pub struct KeysArgs {
    /// The containers; of a set all members
    #[arg(value_name = "KEY", value_parser = parse_key, required = true)]
    keys: Vec<Key>,
}

#[derive(Debug, clap::Args)]
pub struct PlainArgs {
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    hold: HoldArgs,
}

#[derive(Debug, clap::Args)]
pub struct StopArgs {
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    hold: HoldArgs,
    #[command(flatten)]
    stop: StopWishArgs,
}

#[derive(Debug, clap::Args)]
pub struct RestartArgs {
    #[command(flatten)]
    keys: KeysArgs,
    #[command(flatten)]
    stop: StopWishArgs,
}

#[derive(Debug, clap::Args)]
struct HoldArgs {
    /// How long the hold lasts: 90s, 10m, 1h, 2d [default: 1h]
    #[arg(long = "for", value_name = "TIME", value_parser = seconds)]
    hold_for: Option<u64>,
    /// Hold until the next apply of a manifest
    #[arg(long, conflicts_with = "hold_for")]
    until_apply: bool,
    /// Why it is held: one line, shown wherever the hold is
    #[arg(long, value_name = "TEXT")]
    reason: Option<HoldReason>,
}

#[derive(Debug, clap::Args)]
pub struct HoldKeysArgs {
    #[command(flatten)]
    keys: KeysArgs,
    /// The state to hold it in [default: as it is now]
    #[arg(long, value_name = "STATE", value_enum)]
    state: Option<HeldState>,
    #[command(flatten)]
    hold: HoldArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum HeldState {
    Running,
    Stopped,
    Frozen,
}

#[derive(Debug, clap::Args)]
struct StopWishArgs {
    /// Kill at once
    #[arg(long, conflicts_with = "timeout")]
    force: bool,
    /// How long to wait for a clean end before killing, in seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl KeysArgs {
    fn set(&self) -> BTreeSet<Key> {
        self.keys.iter().cloned().collect()
    }
}

impl HoldArgs {
    fn until(&self) -> HoldUntil {
        match self.until_apply {
            true => HoldUntil::NextApply,
            false => HoldUntil::Seconds(self.hold_for.unwrap_or(HOLD_SECONDS)),
        }
    }
}

impl HeldState {
    fn power(self) -> Power {
        match self {
            HeldState::Running => Power::Running,
            HeldState::Stopped => Power::Stopped,
            HeldState::Frozen => Power::Frozen,
        }
    }
}

impl StopWishArgs {
    fn wish(&self) -> Option<StopWish> {
        match self.force {
            true => Some(StopWish::Force),
            false => self.timeout.map(StopWish::TimeoutSeconds),
        }
    }
}

pub fn start(session: &Session, args: &PlainArgs) -> anyhow::Result<Exit> {
    power(session, "start", &args.keys, Power::Running, (&args.hold, None))
}

pub fn freeze(session: &Session, args: &PlainArgs) -> anyhow::Result<Exit> {
    power(session, "freeze", &args.keys, Power::Frozen, (&args.hold, None))
}

pub fn unfreeze(session: &Session, args: &PlainArgs) -> anyhow::Result<Exit> {
    power(session, "unfreeze", &args.keys, Power::Running, (&args.hold, None))
}

pub fn stop(session: &Session, args: &StopArgs) -> anyhow::Result<Exit> {
    let (hold, stop) = (&args.hold, args.stop.wish());
    power(session, "stop", &args.keys, Power::Stopped, (hold, stop))
}

pub fn hold(session: &Session, args: &HoldKeysArgs) -> anyhow::Result<Exit> {
    let (hold, reason) = (args.hold.until(), args.hold.reason.clone());
    let power = args.state.map(HeldState::power);
    run(session, "hold", GoalRequest::Hold { keys: args.keys.set(), power, hold, reason }, Approval::None)
}

pub fn restart(session: &Session, args: &RestartArgs) -> anyhow::Result<Exit> {
    let goal = GoalRequest::Restart { keys: args.keys.set(), stop: args.stop.wish() };
    run(session, "restart", goal, Approval::Restart)
}

pub fn resume(session: &Session, args: &KeysArgs) -> anyhow::Result<Exit> {
    run(session, "resume", GoalRequest::Resume(args.set()), Approval::None)
}

#[derive(Debug, clap::Args)]
pub struct OffArgs {}

/// All that run, before the host goes down (bayplan-containers.service); not through a daemon, which would run them
/// again.
pub fn off(session: &Session, _args: &OffArgs) -> anyhow::Result<Exit> {
    run(session, "power-off", GoalRequest::PowerOff, Approval::None)
}

fn power(
    session: &Session,
    verb: &str,
    keys: &KeysArgs,
    power: Power,
    (hold, stop): (&HoldArgs, Option<StopWish>),
) -> anyhow::Result<Exit> {
    let (keys, reason) = (keys.set(), hold.reason.clone());
    let goal = GoalRequest::Power { keys, power, hold: hold.until(), reason, stop };
    run(session, verb, goal, Approval::None)
}

/// `approval`: only who asks for a restart says that what waits for one may be done.
fn run(session: &Session, verb: &str, goal: GoalRequest, approval: Approval) -> anyhow::Result<Exit> {
    let request = PlanRequest { approval, ..PlanRequest::new(goal, session.actor(verb)) };
    let guard = |_: &_| None;
    let (consent, excerpts, matching) = (Consent::Given, Shown::default(), Match::MayMove);
    change::run(session, Change { verb, request, consent, excerpts, matching, guard: &guard })
}

/// `90`, `90s`, `10m`, `1h30m`, `2d` as seconds; a day has 24 hours.
fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no length of time; write for example 90s, 10m, 1h or 2d");
    let in_range = |seconds: &u64| (1..=LONGEST_SECONDS).contains(seconds);
    if let Ok(seconds) = text.parse() {
        return Some(seconds).filter(in_range).ok_or_else(wrong);
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    let days = i64::from(span.get_days());
    let rest: SignedDuration = span.days(0).try_into().map_err(|_| wrong())?;
    let seconds =
        days.checked_mul(86_400).and_then(|days| days.checked_add(rest.as_secs())).ok_or_else(wrong)?;
    u64::try_from(seconds).ok().filter(in_range).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_in_the_usual_forms() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("10m"), Ok(600));
        assert_eq!(seconds("1h"), Ok(3600));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("2d"), Ok(172_800));
        assert!(seconds("soon").is_err());
        assert!(seconds("-1h").is_err());
        for none in ["0", "0s", "99999999999999999", "1000000d"] {
            assert!(seconds(none).is_err(), "{none}");
        }
    }
}
