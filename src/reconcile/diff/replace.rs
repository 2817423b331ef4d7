//! A new root in the place of the old one, and the way back.
//!
//! ```text
//! prepare (it runs on) ─► stop ─► persist ─► swap ─► files ─► start ─► ready: proven, the old root is kept for a while
//!                                             │                           └─ not ready: the rollback's plan
//!                                             └── restore ◄─ stop ◄───────────────────────────────┘
//! ```
//!
//! Each half of a swap that was cut short is told from what is on the host: a root that is in use and not in the record.

use super::container::Walk;
use super::field::Field;
use super::files::{self, Audience};
use super::reasons::restart_downtime_ms;
use super::{because, reason};
use crate::model::key::Key;
use crate::model::object::{ImagePolicy, Power, RestartPolicy, Spec};
use crate::model::observed::RootFacts;
use crate::model::record::{Applied, Replaced, RootIdentity};
use crate::model::step::{Action, BesideRoot, Cause, Class, ImageContent, Reason, RootSeed, StopHow};
use crate::reconcile::diff::container::STOP_TIMEOUT_MS;
use crate::reconcile::parking::later;

/// What is done with a container's roots.
enum Turn {
    /// Another content takes the place of the one in use.
    Replace(ImageContent),
    /// It was done, and the record does not know.
    Replaced(String),
    /// The replaced root takes its place again.
    Restore,
}

/// Swaps roots where that is due; answers whether the container's power is settled with it.
pub fn diff(walk: &mut Walk<'_>) -> bool {
    let Some(root) = walk.view.root else { return false };
    match turn(walk, root) {
        Some(Turn::Replace(content)) => replace(walk, root, content),
        Some(Turn::Replaced(content)) => swap(walk, root, ImageContent::Fingerprint(content), vec![]),
        Some(Turn::Restore) => restore(walk, root),
        None => {
            clear(walk);
            return false;
        }
    }
    true
}

fn turn(walk: &mut Walk<'_>, root: &RootFacts) -> Option<Turn> {
    let in_use = &root.identity.fingerprint;
    let applied = walk.applied.as_ref();
    let unproven = applied.and_then(|applied| applied.replaced.as_ref()).filter(|replaced| !replaced.proven);
    if let Some(replaced) = unproven {
        let is_back = root.replaced.is_none() && replaced.fingerprint == *in_use;
        return (is_back || (walk.target.rollback && root.replaced.is_some())).then_some(Turn::Restore);
    }
    let known = applied.and_then(|applied| applied.fingerprint.as_ref());
    if root.replaced.is_some() && known.is_some_and(|known| known != in_use) && root.next.is_none() {
        return Some(Turn::Replaced(in_use.clone()));
    }
    wanted(walk, root).map(Turn::Replace)
}

/// The content that is to take the place of the one in use, if it is due and may.
fn wanted(walk: &mut Walk<'_>, root: &RootFacts) -> Option<ImageContent> {
    let content = walk.scene.images.get(&walk.desired.image)?.content.clone();
    let is_other = content != ImageContent::Fingerprint(root.identity.fingerprint.clone());
    let update = walk.desired.update.clone();
    if update.image != ImagePolicy::Replace || !is_other || walk.has_fresh_root() || walk.target.rollback {
        return None;
    }
    let failed = condemned(walk, &content);
    let failed_before = failed.is_some();
    let approved = walk.scene.options.allow_replace;
    let held = walk.held();
    let is_held = held.is_some();
    let waits_for = match (update.restart, failed) {
        _ if is_held => held,
        (RestartPolicy::Deny, _) => {
            Some("update.restart is deny: nothing lifts it but another manifest".to_owned())
        }
        _ if approved => None,
        (_, Some(key)) => Some(format!(
            "{key} was not ready with this content, and was rolled back: another content, or --allow replace"
        )),
        (RestartPolicy::Ask, None) => {
            Some("update.restart is ask: a yes on the terminal, or --allow replace".to_owned())
        }
        (RestartPolicy::Allow, None) => None,
    };
    match waits_for {
        Some(waits_for) => {
            let askable = update.restart == RestartPolicy::Ask && !failed_before && !is_held;
            let reasons = reasons(walk, root, &content);
            walk.pend(Class::Replace, reasons, (&waits_for, askable));
            None
        }
        None => Some(content),
    }
}

/// Who was not ready with this content.
fn condemned(walk: &Walk<'_>, content: &ImageContent) -> Option<Key> {
    let ImageContent::Fingerprint(content) = content else { return None };
    let own = walk.applied.as_ref().is_some_and(|applied| applied.rolled_back.as_ref() == Some(content));
    let other = || walk.scene.condemned.get(&(walk.target.owner.clone(), content.clone())).cloned();
    if own { Some(walk.key.clone()) } else { other() }
}

fn reasons(walk: &Walk<'_>, root: &RootFacts, content: &ImageContent) -> Vec<Reason> {
    let short = |text: &str| text.chars().take(12).collect::<String>();
    let from = short(&root.identity.fingerprint);
    let to = match content {
        ImageContent::Fingerprint(fingerprint) => short(fingerprint),
        ImageContent::ImportOf(image) => format!("what {image} will be"),
    };
    let mut reasons = vec![reason(Cause::Change, "image", Some(from), Some(to))];
    reasons.extend(walk.reasons_of(|field| field.class() == Class::Restart));
    reasons
}

fn goes_up(walk: &Walk<'_>) -> bool {
    match walk.target.power {
        Power::Running | Power::Frozen => true,
        Power::Any => walk.view.run.is_some(),
        Power::Stopped => false,
    }
}

fn replace(walk: &mut Walk<'_>, root: &RootFacts, content: ImageContent) {
    let reasons = reasons(walk, root, &content);
    walk.diff.replacing = true;
    let seed = RootSeed { owner: walk.target.owner.clone(), identity: walk.identity.clone() };
    let prepare =
        Action::PrepareRoot { pool: root.pool.clone(), image: content.clone(), root: Box::new(seed) };
    walk.diff.push(prepare, Class::Replace, reasons.clone(), None);
    stop(walk, reasons.clone());
    walk.persist(&root.pool, Class::Replace);
    swap(walk, root, content, reasons);
}

fn stop(walk: &mut Walk<'_>, reasons: Vec<Reason>) {
    if walk.view.run.is_none() {
        return;
    }
    if walk.target.power == Power::Stopped {
        walk.establish(&Field::State);
    }
    let how = StopHow::Clean { timeout_ms: STOP_TIMEOUT_MS };
    let stopped = walk.stopped_on_the_way().filter(|_| walk.target.power != Power::Stopped);
    walk.diff.push(Action::Stop { uuid: walk.identity.uuid, how }, Class::Replace, reasons, stopped);
    let downtime_ms = restart_downtime_ms(&walk.desired);
    if let Some(step) = walk.diff.steps.last_mut() {
        step.downtime_ms = downtime_ms;
    }
}

/// The prepared root takes its place, and is to be seen ready in it.
fn swap(walk: &mut Walk<'_>, root: &RootFacts, content: ImageContent, mut reasons: Vec<Reason>) {
    if reasons.is_empty() {
        reasons.push(because(
            Cause::Consequence,
            "image",
            "its new root is in place, and was not seen ready yet",
        ));
    }
    let up = goes_up(walk);
    walk.diff.replacing = true;
    let former = former(walk, root);
    let until = later(walk.scene.options.now, walk.desired.update.keep_replaced);
    let known = match &content {
        ImageContent::Fingerprint(fingerprint) => Some(fingerprint.clone()),
        ImageContent::ImportOf(_) => None,
    };
    let image = walk.desired.image.clone();
    let replaced = Replaced { image: former.0, fingerprint: former.1, until, proven: !up };
    use_root(walk, &image, known, |applied| {
        applied.replaced = Some(replaced);
        applied.rolled_back = None;
    });
    let action = Action::SwapRoot { pool: root.pool.clone(), uuid: walk.identity.uuid, image: content };
    walk.diff.push(action, Class::Replace, reasons.clone(), walk.applied.clone());
    go_on(walk, up, reasons);
}

/// Image and content of the root whose place is taken.
fn former(walk: &Walk<'_>, root: &RootFacts) -> (Key, String) {
    let image = match walk.applied.as_ref().map(|applied| &applied.object.spec) {
        Some(Spec::Container(container)) => container.image.clone(),
        _ => walk.desired.image.clone(),
    };
    // After a swap that the record does not know, the one in use is the new one.
    let known = walk.applied.as_ref().and_then(|applied| applied.fingerprint.clone());
    let content = known.unwrap_or_else(|| root.identity.fingerprint.clone());
    (image, content)
}

fn restore(walk: &mut Walk<'_>, root: &RootFacts) {
    let up = goes_up(walk);
    let Some(replaced) = walk.applied.as_ref().and_then(|applied| applied.replaced.clone()) else { return };
    let failed = walk.applied.as_ref().and_then(|applied| applied.fingerprint.clone());
    let short: String = replaced.fingerprint.chars().take(12).collect();
    let note = format!("it was not ready with its new root: back to {short} of {}", replaced.image);
    let reasons = vec![because(Cause::Consequence, "image", note)];
    stop(walk, reasons.clone());
    use_root(walk, &replaced.image, Some(replaced.fingerprint), |applied| {
        applied.replaced = None;
        applied.rolled_back = failed;
        applied.unready = false;
    });
    let action = Action::RestoreRoot { pool: root.pool.clone(), uuid: walk.identity.uuid };
    walk.diff.push(action, Class::Replace, reasons.clone(), walk.applied.clone());
    go_on(walk, up, reasons);
}

/// The record of a root that comes into use: its files are written anew.
fn use_root(walk: &mut Walk<'_>, image: &Key, content: Option<String>, note: impl FnOnce(&mut Applied)) {
    let architecture = walk.desired.architecture.clone();
    let Some(applied) = &mut walk.applied else { return };
    if let Spec::Container(container) = &mut applied.object.spec {
        container.image.clone_from(image);
        container.architecture = architecture;
    }
    applied.fingerprint = content;
    note(applied);
}

fn go_on(walk: &mut Walk<'_>, up: bool, reasons: Vec<Reason>) {
    files::diff(walk, Audience::Nobody);
    if up {
        walk.start(reasons, Class::Replace);
    }
}

/// What is left of earlier replaces: roots whose time is over, or that nobody waits for.
pub fn clear(walk: &mut Walk<'_>) {
    let Some(root) = walk.view.root.filter(|_| !walk.has_fresh_root()) else { return };
    let drop_root = |walk: &Walk<'_>, which| Action::DropRoot {
        pool: root.pool.clone(),
        uuid: walk.identity.uuid,
        which,
    };
    if root.next.is_some() {
        let why = vec![because(
            Cause::Consequence,
            "image",
            "a root that was prepared, and is not wanted any more",
        )];
        let action = drop_root(walk, BesideRoot::Next);
        walk.diff.push(action, Class::Live, why, None);
    }
    let Some(applied) = walk.applied.clone() else { return };
    let now = walk.scene.options.now;
    let (note, which) = match (&applied.replaced, &root.replaced) {
        (Some(replaced), _) if !replaced.proven => return,
        (Some(replaced), Some(_)) if replaced.until <= now => (
            format!("the root that was replaced is removed: it was kept until {:.0}", replaced.until),
            Some(BesideRoot::Replaced),
        ),
        (Some(_), None) => ("the replaced root is gone".to_owned(), None),
        (None, Some(content)) => return adopt(walk, applied, root.identity.clone(), content.clone()),
        _ => return,
    };
    let applied = Applied { replaced: None, ..applied };
    walk.applied = Some(applied.clone());
    let action = which.map_or(Action::Note, |which| drop_root(walk, which));
    walk.diff.push(action, Class::Live, vec![because(Cause::Consequence, "image", note)], Some(applied));
}

/// A replaced root of which no record tells, of a state folder that was lost: it is kept for its time.
fn adopt(walk: &mut Walk<'_>, applied: Applied, identity: RootIdentity, fingerprint: String) {
    let until = later(walk.scene.options.now, walk.desired.update.keep_replaced);
    let replaced = Some(Replaced { image: walk.desired.image.clone(), fingerprint, until, proven: true });
    let fingerprint = Some(identity.fingerprint);
    let applied = Applied { replaced, fingerprint, ..applied };
    walk.applied = Some(applied.clone());
    let why =
        because(Cause::Drift, "image", "a replaced root was found beside the one in use: kept for its time");
    walk.diff.push(Action::Note, Class::Record, vec![why], Some(applied));
}

/// A new root that runs, and that nobody has seen ready yet.
pub fn prove(walk: &mut Walk<'_>) {
    let Some(applied) = &mut walk.applied else { return };
    let Some(replaced) = applied.replaced.as_mut().filter(|replaced| !replaced.proven) else { return };
    replaced.proven = true;
    applied.unready = false;
    let wait = Action::WaitReady { uuid: walk.identity.uuid, ready: walk.desired.ready.clone() };
    let why = because(Cause::Consequence, "ready", "its new root was not seen ready yet");
    walk.diff.replacing = true;
    walk.diff.push(wait, Class::Replace, vec![why], walk.applied.clone());
}
