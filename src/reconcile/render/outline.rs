//! A plan, a drift, findings or a report as rows: what JUnit, SARIF and Markdown have in common. PURE.

use super::object::{Index, Sign, diff_lines, index, reason_words, sign, steps_of, written};
use super::{loss, report_line, summary_line};
use crate::model::finding::{Finding, Severity};
use crate::model::key::Key;
use crate::model::object::Unmanaged;
use crate::model::origin::Place;
use crate::model::step::{Cause, Class, Reason};
use crate::reconcile::drift::{self, Drift};
use crate::reconcile::plan::{ObjectChange, Plan};
use crate::reconcile::report::{Report, StepOutcome};
use crate::reconcile::unmanaged::UnmanagedContainer;
use std::collections::{BTreeMap, BTreeSet};

/// What one command has to say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outline {
    /// `plan`.
    pub verb: &'static str,
    pub site: Option<String>,
    /// In a line: `plan: 2 to create`.
    pub summary: String,
    /// In the order of their names.
    pub rows: Vec<Row>,
    /// What was carried out: how long it took.
    pub duration_ms: Option<u64>,
}

/// One object; or a guard, or a file that is about no object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// `container/web-1`.
    pub name: String,
    /// What becomes of it, in a word: `create`, `pending`, `unchanged`.
    pub class: &'static str,
    pub verdict: Verdict,
    pub remarks: Vec<Remark>,
    /// A unified diff's lines.
    pub diff: Vec<String>,
    /// What was carried out: how long its steps took, together.
    pub duration_ms: Option<u64>,
}

/// How a row counts; the graver one wins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    #[default]
    Good,
    /// Something waits: neither change nor drift.
    Waits,
    /// Something is to be done.
    Differs,
    /// An error, a guard, something that no step repairs.
    Wrong,
}

/// One thing that is said about a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remark {
    /// A stable word: `drift`, `unknown-field`.
    pub rule: &'static str,
    pub level: Level,
    pub text: String,
    pub help: Option<String>,
    /// The field that it is about; empty: all of it.
    pub field: String,
    pub place: Option<Place>,
    /// What was carried out: how long it took.
    pub duration_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    #[default]
    Note,
    Warning,
    Error,
}

/// Rows by name while they are collected.
#[derive(Default)]
struct Rows(BTreeMap<String, Row>);

impl Rows {
    fn put(&mut self, name: String, class: &'static str, verdict: Verdict) -> &mut Row {
        let row = self.0.entry(name.clone()).or_insert(Row { name, class, verdict, ..Row::default() });
        if verdict > row.verdict {
            row.verdict = verdict;
            row.class = class;
        }
        row
    }

    fn finding(&mut self, finding: &Finding) {
        let file = finding.place.as_ref().map(|place| place.file.to_string());
        let key = finding.key.as_ref().map(Key::to_string);
        let name = key.or(file).unwrap_or_else(|| "manifests".to_owned());
        let (class, verdict, level) = match finding.severity {
            Severity::Error => ("error", Verdict::Wrong, Level::Error),
            Severity::Warning => ("warning", Verdict::Good, Level::Warning),
        };
        self.put(name, class, verdict).remarks.push(Remark {
            rule: finding.code,
            level,
            text: finding.message.clone(),
            help: finding.help.clone(),
            field: String::new(),
            place: finding.place.clone(),
            duration_ms: None,
        });
    }

    fn list(self) -> Vec<Row> {
        self.0.into_values().collect()
    }
}

impl Remark {
    fn new(rule: &'static str, level: Level, text: impl Into<String>) -> Remark {
        Remark { rule, level, text: text.into(), ..Remark::default() }
    }

    /// About a field of an object, with the line where it was written.
    fn on(self, field: &str, change: Option<&ObjectChange>) -> Remark {
        let origin = change.and_then(|change| written(change, field));
        Remark { field: field.to_owned(), place: origin.and_then(|origin| origin.place.clone()), ..self }
    }
}

/// What a plan would do.
pub fn plan(plan: &Plan) -> Outline {
    let mut rows = Rows::default();
    let index = index(plan);
    for (key, change) in &plan.objects {
        changed(&mut rows, plan, &index, (key, change));
    }
    standing(&mut rows, plan);
    for guard in &plan.guards {
        let row = rows.put(format!("guard {}", guard.name), "guard", Verdict::Wrong);
        row.remarks.push(Remark::new("guard", Level::Error, guard.words()));
    }
    plan.warnings.iter().for_each(|warning| rows.finding(warning));
    let (site, summary) = (plan.site.clone(), summary_line(plan));
    Outline { verb: "plan", site, summary, rows: rows.list(), duration_ms: None }
}

fn changed(rows: &mut Rows, plan: &Plan, index: &Index<'_>, (key, change): (&Key, &ObjectChange)) {
    let Some(sign) = sign(index, key, change) else { return };
    let (_, _, word) = sign.look();
    let row = rows.put(key.to_string(), word, Verdict::Differs);
    row.diff = diff_lines(key, change, sign);
    let mut said = BTreeSet::new();
    // What is new has no reasons but that; a record is worth a word where nothing else is done.
    let told = steps_of(index, key)
        .filter(|step| sign != Sign::Create && (sign == Sign::Record || step.class != Class::Record));
    for step in told {
        for reason in step.reasons.iter().filter(|reason| reason.cause != Cause::Consequence) {
            let remark = because(reason, step.class, change);
            if said.insert((remark.rule, remark.text.clone())) {
                row.remarks.push(remark);
            }
        }
    }
    if row.remarks.is_empty() {
        let remark = Remark::new("change", Level::Note, word);
        row.remarks.push(remark.on("", Some(change)));
    }
    if !loss::waits(plan, key) {
        row.remarks.extend(losses(plan, key));
    }
}

/// Data that goes for good.
fn losses(plan: &Plan, key: &Key) -> impl Iterator<Item = Remark> {
    let change = plan.objects.get(key);
    loss::words(plan, key)
        .into_iter()
        .map(move |words| Remark::new("loss", Level::Warning, words).on("", change))
}

fn because(reason: &Reason, class: Class, change: &ObjectChange) -> Remark {
    let (rule, level) = match reason.cause {
        Cause::Drift | Cause::ChangeAndDrift => ("drift", Level::Warning),
        Cause::Change | Cause::Verb | Cause::Consequence => ("change", Level::Note),
    };
    Remark::new(rule, level, reason_words(reason, class)).on(&reason.field, Some(change))
}

/// What no step is about.
fn standing(rows: &mut Rows, plan: &Plan) {
    for key in &plan.unchanged_keys {
        rows.put(key.to_string(), "unchanged", Verdict::Good);
    }
    waiting(rows, plan);
    for key in &plan.kept {
        let why = plan.kept_because.get(key).map_or(String::new(), |why| format!(": {why}"));
        let row = rows.put(key.to_string(), "kept", Verdict::Good);
        row.remarks.push(Remark::new("kept", Level::Note, format!("kept, not declared{why}")));
    }
    for hold in &plan.holds {
        let row = rows.put(hold.key.to_string(), "held", Verdict::Good);
        row.remarks.push(Remark::new("hold", Level::Note, hold.words()));
    }
    if plan.unmanaged_policy != Unmanaged::Ignore {
        unmanaged(rows, &plan.unmanaged);
    }
}

/// Containers that no site owns.
fn unmanaged(rows: &mut Rows, list: &[UnmanagedContainer]) {
    for UnmanagedContainer { name, running, why } in list {
        let state = if *running { "running" } else { "stopped" };
        let row = rows.put(name.clone(), "unmanaged", Verdict::Good);
        row.remarks.push(Remark::new("unmanaged", Level::Note, format!("unmanaged, {state}: {why}")));
    }
}

/// What waits, and what is broken.
fn waiting(rows: &mut Rows, plan: &Plan) {
    for pending in &plan.pending {
        let change = plan.objects.get(&pending.key);
        let row = rows.put(pending.key.to_string(), "pending", Verdict::Waits);
        for reason in &pending.reasons {
            let words = reason_words(reason, pending.class);
            let text = format!("{words}; waits for {}", pending.waits_for);
            row.remarks.push(Remark::new("pending", Level::Note, text).on(&reason.field, change));
        }
        row.remarks.extend(losses(plan, &pending.key));
    }
    for broken in &plan.broken {
        let row = rows.put(broken.key.to_string(), "broken", Verdict::Wrong);
        let remark = Remark::new("broken", Level::Error, broken.message.clone());
        let remark = remark.on("", plan.objects.get(&broken.key));
        row.remarks.push(Remark { help: Some(broken.help.clone()), ..remark });
    }
}

/// The host against what was last applied; `plan` is the one that the drift was made of.
pub fn drift(plan: &Plan, drift: &Drift) -> Outline {
    let mut rows = Rows::default();
    for key in plan.objects.keys().chain(&plan.unchanged_keys) {
        rows.put(key.to_string(), "as applied", Verdict::Good);
    }
    for (list, rule, level, verdict) in [
        (&drift.rows, "drift", Level::Warning, Verdict::Differs),
        (&drift.not_applied, "not-applied", Level::Note, Verdict::Waits),
    ] {
        for differs in list {
            let remark = Remark::new(rule, level, drift_words(differs));
            let row = rows.put(differs.key.to_string(), rule, verdict);
            row.remarks.push(remark.on(&differs.field, plan.objects.get(&differs.key)));
        }
    }
    waiting(&mut rows, plan);
    unmanaged(&mut rows, &drift.unmanaged);
    let count = drift.rows.len() + drift.broken.len();
    let summary = match count {
        0 => "no drift".to_owned(),
        1 => "1 difference".to_owned(),
        count => format!("{count} differences"),
    };
    Outline { verb: "drift", summary, rows: rows.list(), ..Outline::default() }
}

fn drift_words(row: &drift::Row) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let mut words = if row.field.is_empty() { "drifted".to_owned() } else { row.field.clone() };
    if row.expected.is_some() || row.found.is_some() {
        words.push_str(&format!(" is {}, not {}", text(&row.found), text(&row.expected)));
    }
    if let Some(cause) = &row.cause {
        words.push_str(&format!(": {cause}"));
    }
    words
}

/// What is wrong with manifests, and the objects about which nothing is.
pub fn findings<'a>(
    verb: &'static str,
    objects: impl Iterator<Item = &'a Key>,
    findings: &[Finding],
) -> Outline {
    let mut rows = Rows::default();
    for key in objects {
        rows.put(key.to_string(), "valid", Verdict::Good);
    }
    findings.iter().for_each(|finding| rows.finding(finding));
    let summary = match findings.len() {
        0 => "valid".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    Outline { verb, summary, rows: rows.list(), ..Outline::default() }
}

/// A command that was not done.
pub fn failure(message: &str, list: &[Finding]) -> Outline {
    let mut outline = findings("failed", std::iter::empty(), list);
    if list.is_empty() {
        let remarks = vec![Remark::new("failed", Level::Error, message)];
        let (name, class, verdict) = ("bayplan".to_owned(), "error", Verdict::Wrong);
        outline.rows.push(Row { name, class, verdict, remarks, ..Row::default() });
    }
    Outline { summary: message.to_owned(), ..outline }
}

/// What came of a plan's steps, and what it left.
pub fn report(of: &Plan, report: &Report) -> Outline {
    let mut rows = Rows::default();
    standing(&mut rows, of);
    for steps in report.steps.chunk_by(|a, b| a.key == b.key) {
        let Some(first) = steps.first() else { continue };
        let change = of.objects.get(&first.key);
        for step in steps {
            let (class, verdict, remark) = match &step.outcome {
                StepOutcome::Changed => ("done", Verdict::Good, Remark::new("done", Level::Note, &step.what)),
                StepOutcome::Unchanged => {
                    rows.put(step.key.to_string(), "done", Verdict::Good);
                    continue;
                }
                StepOutcome::Failed { chain } => {
                    let text = format!("{}: {}", step.what, chain.join(": "));
                    ("failed", Verdict::Wrong, Remark::new("step-failed", Level::Error, text))
                }
                StepOutcome::Blocked { .. } => {
                    let text = format!("{}: waits for a step that failed", step.what);
                    ("blocked", Verdict::Wrong, Remark::new("step-blocked", Level::Error, text))
                }
                StepOutcome::Skipped => {
                    let text = format!("{}: not begun", step.what);
                    ("not begun", Verdict::Waits, Remark::new("not-begun", Level::Note, text))
                }
            };
            let remark = Remark { duration_ms: step.duration_ms, ..remark.on("", change) };
            rows.put(step.key.to_string(), class, verdict).remarks.push(remark);
        }
    }
    for (key, duration_ms) in report.durations_ms() {
        rows.put(key.to_string(), "done", Verdict::Good).duration_ms = Some(duration_ms);
    }
    for stop in &report.rollouts {
        let text = format!("stopped: {} of {} are left as they were", stop.left.len(), stop.total);
        let row = rows.put(format!("rollout of {}", stop.owner), "failed", Verdict::Wrong);
        row.remarks.push(Remark::new("rollout-stopped", Level::Error, text));
    }
    let (site, summary) = (of.site.clone(), report_line(report));
    Outline { verb: "apply", site, summary, rows: rows.list(), duration_ms: Some(report.duration_ms) }
}
