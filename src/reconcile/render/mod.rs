//! Plans and reports for people (text) and machines (JSON); the other forms are made of an `outline`.
//!
//! | file | what |
//! | --- | --- |
//! | `object`, `prune`, `rollout`, `sets` | parts of a plan's text |
//! | `loss` | data that goes for good |
//! | `values` | values as people see them |
//! | `outline` | a plan, drift, findings or a report as rows: one an object |
//! | `graph`, `svg` | who waits for whom, as text, for graphviz, drawn |
//! | `markdown`, `junit`, `sarif` | rows for merge requests, for test reports, for code scanning |

pub mod graph;
pub mod junit;
mod loss;
pub mod markdown;
mod object;
pub mod outline;
pub mod prune;
mod rollout;
pub mod sarif;
pub mod sets;
pub mod svg;
pub mod values;

use self::object::{Sign, index, object_text, reason_text, sign};
use crate::model::object::Unmanaged;
use crate::model::step::{Action, BesideRoot, Class, StepId, StopHow};
use crate::reconcile::plan::{Pending, Plan, Summary};
use crate::reconcile::report::{Report, StepOutcome, StepReport};
use crate::reconcile::unmanaged::UnmanagedContainer;
use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How text is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextOptions {
    /// ANSI colours.
    pub colour: bool,
    /// Each step with its class and order, besides the objects.
    pub steps: bool,
}

impl Plan {
    /// How many objects are created, changed and so on; each counts once, by its heaviest step.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary {
            pending: self.pending.len(),
            kept: self.kept.len(),
            broken: self.broken.len(),
            unchanged: self.unchanged,
            ..Summary::default()
        };
        let index = index(self);
        for (key, change) in &self.objects {
            match sign(&index, key, change) {
                Some(Sign::Create) => summary.create += 1,
                Some(Sign::Change) => summary.change += 1,
                Some(Sign::Repair) => summary.repair += 1,
                Some(Sign::Restart) => summary.restart += 1,
                Some(Sign::Replace) => summary.replace += 1,
                Some(Sign::Delete) => summary.delete += 1,
                Some(Sign::Park) => summary.park += 1,
                Some(Sign::Retain) => summary.retain += 1,
                Some(Sign::Undelete) => summary.undelete += 1,
                Some(Sign::Wait) => summary.wait += 1,
                Some(Sign::Record) => summary.record += 1,
                None => {}
            }
        }
        summary
    }
}

/// A plan as text; the last line is the summary.
pub fn plan_text(plan: &Plan, options: TextOptions) -> String {
    let mut text = String::new();
    let index = index(plan);
    let pruned = prune::keys(plan);
    for (key, change) in plan.objects.iter().filter(|(key, _)| !pruned.contains(key)) {
        if let Some(sign) = sign(&index, key, change) {
            object_text(&mut text, &index, (key, change), sign, options);
            if !loss::waits(plan, key) {
                loss::text(&mut text, plan, key);
            }
        }
    }
    prune::intents_text(&mut text, plan, options);
    for pending in plan.pending.iter().filter(|pending| !pruned.contains(&pending.key)) {
        pending_text(&mut text, plan, pending, options);
    }
    for broken in &plan.broken {
        line(&mut text, options, AnsiColor::Red, &format!("! {}  broken: {}", broken.key, broken.message));
        let _ = writeln!(text, "    {}", broken.help);
    }
    for hold in &plan.holds {
        let _ = writeln!(text, "  {}  {}", hold.key, hold.words());
    }
    for key in &plan.stale {
        let _ =
            writeln!(text, "  {key}  stale: its image names a newer content, which serves new containers");
    }
    rollout::turns_text(&mut text, plan);
    unmanaged_text(&mut text, plan);
    sets::changes_text(&mut text, plan);
    prune::kept_text(&mut text, plan);
    for warning in &plan.warnings {
        let place = warning.place.as_ref().map(|place| format!("  ({}:{})", place.file, place.line));
        let place = place.unwrap_or_default();
        let _ = writeln!(text, "warning: {}{place}", warning.message);
        if let Some(help) = &warning.help {
            let _ = writeln!(text, "    {help}");
        }
    }
    if options.steps && !plan.is_empty() {
        steps_text(&mut text, plan);
    }
    prune::guards_text(&mut text, plan, options);
    let _ = writeln!(text, "{}", summary_line(plan));
    text
}

/// A plan as JSON: its fields, with `summary` and `empty`.
pub fn plan_json(plan: &Plan) -> Value {
    let mut value = serde_json::to_value(plan).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        fields.insert("empty".to_owned(), json!(plan.is_empty()));
        fields.insert("summary".to_owned(), json!(plan.summary()));
    }
    value
}

/// A report as text: what failed and why, what waits; the last line is the summary.
pub fn report_text(report: &Report, options: TextOptions) -> String {
    let mut text = String::new();
    let by_id: BTreeMap<StepId, &StepReport> = report.steps.iter().map(|step| (step.id, step)).collect();
    let left = rollout::left(report);
    for step in &report.steps {
        match &step.outcome {
            StepOutcome::Changed | StepOutcome::Unchanged | StepOutcome::Skipped => {}
            StepOutcome::Failed { chain } => {
                let chain = chain.join(": ");
                line(
                    &mut text,
                    options,
                    AnsiColor::Red,
                    &format!("failed: {} {}: {chain}", step.what, step.key),
                );
            }
            StepOutcome::Blocked { by } => {
                if left.contains(&step.key) {
                    continue;
                }
                let cause = by_id.get(by);
                let cause = cause.map_or(String::new(), |other| format!("{} {}", other.what, other.key));
                let _ = writeln!(text, "blocked: {} {}: waits for {cause}", step.what, step.key);
            }
        }
    }
    rollout::stops_text(&mut text, report, options);
    let _ = writeln!(text, "{}", report_line(report));
    text
}

/// The last line of every report.
pub fn report_line(report: &Report) -> String {
    let count =
        |holds: fn(&StepOutcome) -> bool| report.steps.iter().filter(|step| holds(&step.outcome)).count();
    let counts = [
        (count(|outcome| *outcome == StepOutcome::Changed), "changed"),
        (count(|outcome| *outcome == StepOutcome::Unchanged), "unchanged"),
        (count(|outcome| matches!(outcome, StepOutcome::Failed { .. })), "failed"),
        (count(|outcome| matches!(outcome, StepOutcome::Blocked { .. })), "blocked"),
        (count(|outcome| *outcome == StepOutcome::Skipped), "not begun"),
    ];
    let total = report.steps.len();
    match total {
        0 => "nothing to do".to_owned(),
        1 => format!("1 step: {}", counted(&counts)),
        total => format!("{total} steps: {}", counted(&counts)),
    }
}

/// A step in a few words: `start`, `attach nic eth0`.
pub fn step_words(action: &Action) -> String {
    match action {
        Action::PutRecord(_) => "record".to_owned(),
        Action::Retire => "retire".to_owned(),
        Action::Park { .. } => "park".to_owned(),
        Action::ForgetRecord => "forget".to_owned(),
        Action::Rename { from } => format!("rename {from} to"),
        Action::Note => "note".to_owned(),
        Action::ImportImage { .. } => "import image".to_owned(),
        Action::DeleteImage { .. } => "delete image".to_owned(),
        Action::EnsurePool { .. } => "make pool".to_owned(),
        Action::DeletePool => "delete pool".to_owned(),
        Action::CreateRoot { .. } => "create root".to_owned(),
        Action::DeleteRoot { .. } => "delete root".to_owned(),
        Action::PrepareRoot { .. } => "prepare root".to_owned(),
        Action::SwapRoot { .. } => "swap root".to_owned(),
        Action::RestoreRoot { .. } => "restore root".to_owned(),
        Action::DropRoot { which: BesideRoot::Next, .. } => "drop prepared root".to_owned(),
        Action::DropRoot { which: BesideRoot::Replaced, .. } => "drop replaced root".to_owned(),
        Action::Persist { path, .. } => format!("persist {path}"),
        Action::EnsureNetwork(_) => "set up network".to_owned(),
        Action::DeleteNetwork { .. } => "delete network".to_owned(),
        Action::Start(_) => "start".to_owned(),
        Action::Stop { how: StopHow::Clean { .. }, .. } => "stop".to_owned(),
        Action::Stop { how: StopHow::Forced, .. } => "kill".to_owned(),
        Action::Freeze { .. } => "freeze".to_owned(),
        Action::Unfreeze { .. } => "unfreeze".to_owned(),
        Action::SetLimits { .. } => "set limits".to_owned(),
        Action::RepairCgroup { .. } => "repair cgroup".to_owned(),
        Action::AttachNic { nic, .. } => format!("attach nic {}", nic.device),
        Action::DetachNic { device, .. } => format!("detach nic {device}"),
        Action::AttachDisk { disk, .. } => format!("attach disk {}", disk.device),
        Action::DetachDisk { disk, .. } => format!("detach disk {}", disk.device),
        Action::AttachPersisted { path, .. } => format!("mount {path} again"),
        Action::WriteFile { file, .. } => format!("write file {}", file.path),
        Action::RemoveFile { path, .. } => format!("remove file {path}"),
        Action::RunInside { command, .. } => format!("run {}", command.join(" ")),
        Action::SetEnvironment { .. } => "set environment".to_owned(),
        Action::Supervise { .. } => "supervise".to_owned(),
        Action::WaitReady { .. } => "wait until ready".to_owned(),
    }
}

fn unmanaged_text(text: &mut String, plan: &Plan) {
    if plan.unmanaged_policy != Unmanaged::Ignore {
        text.push_str(&unmanaged_lines(&plan.unmanaged));
    }
}

/// A line for each container that no site owns.
pub fn unmanaged_lines(unmanaged: &[UnmanagedContainer]) -> String {
    let line = |UnmanagedContainer { name, running, why }: &UnmanagedContainer| {
        let state = if *running { "running" } else { "stopped" };
        format!("  {name}  unmanaged, {state}: {why}\n")
    };
    unmanaged.iter().map(line).collect()
}

fn pending_text(text: &mut String, plan: &Plan, pending: &Pending, options: TextOptions) {
    let downtime = duration_words(pending.downtime_ms);
    let what = class_word(pending.class);
    let head = match pending.downtime_ms {
        0 => format!("± {}  pending: {what}", pending.key),
        _ => format!("± {}  pending: {what}, about {downtime} without service", pending.key),
    };
    line(text, options, AnsiColor::Magenta, &head);
    for reason in &pending.reasons {
        if let Some(change) = plan.objects.get(&pending.key) {
            let _ = writeln!(text, "    {}", reason_text(reason, change, pending.class));
        }
    }
    loss::text(text, plan, &pending.key);
    let _ = writeln!(text, "    waits for {}", pending.waits_for);
}

fn steps_text(text: &mut String, plan: &Plan) {
    let _ = writeln!(text, "steps:");
    for step in &plan.steps {
        let after: Vec<String> = step.after.iter().map(|id| id.0.to_string()).collect();
        let after = if after.is_empty() { String::new() } else { format!("  after {}", after.join(", ")) };
        let words = step_words(&step.action);
        let _ = writeln!(text, "  {:>3} {words} {} [{}]{after}", step.id.0, step.key, class_word(step.class));
    }
}

/// The last line of every plan.
pub fn summary_line(plan: &Plan) -> String {
    let summary = plan.summary();
    let counts = [
        (summary.create, "to create"),
        (summary.change, "to change"),
        (summary.repair, "to repair"),
        (summary.restart, "to restart"),
        (summary.replace, "to replace"),
        (summary.park, "to park"),
        (summary.delete, "to delete"),
        (summary.retain, "to forget"),
        (summary.undelete, "to undelete"),
        (summary.wait, "to wait for"),
        (summary.record, "to record"),
        (summary.broken, "broken"),
        (summary.pending, "pending"),
        (summary.kept, "kept"),
        (summary.unchanged, "unchanged"),
    ];
    let words = counted(&counts);
    let head = if plan.is_empty() && plan.guards.is_empty() { "nothing to do" } else { "plan" };
    if words.is_empty() { head.to_owned() } else { format!("{head}: {words}") }
}

/// What there is any of: `2 to create, 1 unchanged`.
fn counted(counts: &[(usize, &str)]) -> String {
    let words = counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
    words.collect::<Vec<_>>().join(", ")
}

pub fn class_word(class: Class) -> &'static str {
    match class {
        Class::Record => "record",
        Class::Create => "create",
        Class::Live => "live",
        Class::Deferred => "deferred",
        Class::Restart => "restart",
        Class::Replace => "replace",
        Class::Delete => "delete",
    }
}

/// `0.3 s`, `2 min 5 s`.
pub fn duration_words(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..60 => format!("{seconds}.{} s", ms % 1000 / 100),
        whole => format!("{} min {} s", whole / 60, whole % 60),
    }
}

fn line(text: &mut String, options: TextOptions, colour: AnsiColor, words: &str) {
    let _ = if options.colour {
        let style = Style::new().fg_color(Some(colour.into()));
        writeln!(text, "{style}{words}{style:#}")
    } else {
        writeln!(text, "{words}")
    };
}

#[cfg(test)]
mod tests {
    use super::duration_words;

    #[test]
    fn durations_are_short() {
        assert_eq!(duration_words(340), "0.3 s");
        assert_eq!(duration_words(59_999), "59.9 s");
        assert_eq!(duration_words(125_000), "2 min 5 s");
    }
}
