//! `status`: one screen about the host.

use super::connection::Connection;
use super::exit::Exit;
use super::session::Session;
use crate::api::types::{ContainerCounts, DaemonStatus, DriftStatus, FollowStatus, HostStatus};
use jiff::Timestamp;
use std::fmt::Display;

/// The most lines of one list; each list's own command has all.
const FEW: usize = 5;

/// The most lines of what is wrong with manifests; `validate` has all.
const MOST_LINES: usize = 12;

#[derive(Debug, clap::Args)]
pub struct Args {}

pub fn run(session: &Session, _args: &Args) -> anyhow::Result<Exit> {
    let status = Connection::reader(session)?.host_status()?;
    session.out.text(&text(&status))?;
    session.out.json(&status)?;
    Ok(Exit::Done)
}

fn text(status: &HostStatus) -> String {
    let mut screen = Screen::default();
    let head = format!("{} on {} ({})", status.bayplan, status.hostname, status.driver);
    screen.line("bayplan", &head);
    screen.line("state", &status.state_dir.display());
    daemon(&mut screen, status.daemon.as_ref());
    let owners = status.owners.iter().map(|owner| format!("{} {}", owner.owner, owner.objects));
    screen.line("objects", &or_none(&owners.collect::<Vec<_>>().join(", ")));
    screen.line("containers", &containers(&status.containers));
    drift(&mut screen, &status.drift);
    let pending =
        status.pending.iter().map(|pending| format!("{}  waits for {}", pending.key, pending.waits_for));
    screen.list("pending", pending.collect(), "plan");
    let holds = status.holds.iter().map(|hold| format!("{}  {}", hold.key, hold.words()));
    screen.list("holds", holds.collect(), "holds");
    let parked = status
        .parked
        .iter()
        .map(|parked| format!("{}  until {:.0}, by {}", parked.key, parked.parked.until, parked.parked.by));
    screen.list("parked", parked.collect(), "get --parked");
    if let Some(unmanaged) = &status.unmanaged {
        let lines = unmanaged.iter().map(|container| {
            let state = if container.running { "running" } else { "stopped" };
            format!("{}  {state}: {}", container.name, container.why)
        });
        screen.list("unmanaged", lines.collect(), "drift --fail-on unmanaged");
    }
    screen.0.join("\n")
}

/// Lines with a heading each, and what is below a heading.
#[derive(Default)]
struct Screen(Vec<String>);

impl Screen {
    fn line(&mut self, heading: &str, value: &impl Display) {
        self.0.push(format!("{heading:<10}  {value}"));
    }

    fn below(&mut self, text: &str) {
        self.0.push(format!("  {text}"));
    }

    /// How many there are, and the first few; `command` shows all.
    fn list(&mut self, heading: &str, lines: Vec<String>, command: &str) {
        self.line(heading, &or_none(&count(lines.len())));
        for line in lines.iter().take(FEW) {
            self.below(line);
        }
        self.more(lines.len().saturating_sub(FEW), command);
    }

    fn more(&mut self, left: usize, command: &str) {
        if left > 0 {
            self.below(&format!("… {left} more: `bayplan {command}`"));
        }
    }
}

fn count(count: usize) -> String {
    if count == 0 { String::new() } else { count.to_string() }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn daemon(screen: &mut Screen, daemon: Option<&DaemonStatus>) {
    let Some(daemon) = daemon else {
        screen.line("daemon", &"none: nobody follows manifests or heals by itself");
        return;
    };
    match &daemon.follows {
        None => screen.line("daemon", &format!("pid {}, heals what was last declared", daemon.pid)),
        Some(follows) => {
            screen.line("daemon", &format!("pid {}, follows {}", daemon.pid, follows.path.display()));
            followed(screen, follows);
        }
    }
}

fn followed(screen: &mut Screen, follows: &FollowStatus) {
    let site = follows.site.as_ref().map_or("nothing".to_owned(), |site| format!("site {site}"));
    let at = |time: Option<Timestamp>| time.map_or("never".to_owned(), |time| format!("{time:.0}"));
    screen.below(&format!("last good load: {site}, {}", at(follows.last_load)));
    screen.below(&format!("last good pass: {}", at(follows.last_success)));
    if let Some(problem) = &follows.load_problem {
        screen.below("! the manifests are broken; the last good ones stay in force:");
        for line in problem.lines().take(MOST_LINES) {
            screen.below(&format!("  {line}"));
        }
        let path = follows.path.display();
        screen.more(problem.lines().count().saturating_sub(MOST_LINES), &format!("validate -f {path}"));
    }
    if let Some(problem) = &follows.pass_problem {
        screen.below(&format!("! the last pass failed: {problem}"));
    }
}

fn containers(counts: &ContainerCounts) -> String {
    let words = [
        (counts.running, "running"),
        (counts.stopped, "stopped"),
        (counts.frozen, "frozen"),
        (counts.missing, "missing"),
        (counts.not_ready, "not ready"),
        (counts.broken, "broken"),
    ];
    let words = words.into_iter().filter(|(count, _)| *count > 0);
    or_none(&words.map(|(count, word)| format!("{count} {word}")).collect::<Vec<_>>().join(", "))
}

fn drift(screen: &mut Screen, drift: &DriftStatus) {
    screen.line("drift", &or_none(&count(drift.count)));
    for row in &drift.rows {
        screen.below(&row.words());
    }
    for broken in drift.broken.iter().take(FEW) {
        screen.below(&format!("{}  broken: {}; {}", broken.key, broken.message, broken.help));
    }
    let shown = drift.rows.len() + drift.broken.len().min(FEW);
    screen.more(drift.count.saturating_sub(shown), "drift");
    if drift.not_applied > 0 {
        screen.line("not applied", &format!("{}: `bayplan drift`", drift.not_applied));
    }
}
