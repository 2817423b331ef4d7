//! Images: a name, and the content that it stands for.

use super::{ImageState, ObjectDiff, Scene, because, object_reasons, record_update};
use crate::model::key::Key;
use crate::model::object::{Image, ImagePolicy, Spec};
use crate::model::record::{Applied, Record};
use crate::model::step::{Action, Cause, Class, ImageContent, Reason};
use crate::reconcile::contents::wanted_content;
use crate::reconcile::world::Target;
use std::collections::BTreeSet;

/// What an image needs, decided once: its own diff and the containers' follow it.
struct Need {
    /// The content that is known before the import.
    known: Option<String>,
    /// Why an import is necessary; empty: it is not.
    reasons: Vec<Reason>,
    /// The record's snapshot, where an image without a record is known by the roots that stand on it.
    adopted: Option<Applied>,
    /// The image whose import brings the content of this one too.
    bearer: Option<Key>,
}

pub fn state(scene: &Scene<'_>, key: &Key, target: &Target<'_>, image: &Image) -> ImageState {
    let need = need(scene, key, target, image);
    let content = need.known.map_or_else(|| ImageContent::ImportOf(key.clone()), ImageContent::Fingerprint);
    ImageState { content, imported: !need.reasons.is_empty() }
}

pub fn diff(scene: &Scene<'_>, key: &Key, target: &Target<'_>, image: &Image) -> ObjectDiff {
    let mut diff = ObjectDiff::new(key);
    let record = scene.observed.records.get(key);
    let need = need(scene, key, target, image);
    let adopted = need.adopted.clone();
    diff.also_after.extend(need.bearer);
    if let Some((update, reasons)) = record_update(scene, target, record, None, adopted.clone()) {
        diff.push(Action::PutRecord(Box::new(update)), Class::Record, reasons, None);
    }
    let before = record.and_then(|record| record.applied.as_ref()).or(adopted.as_ref());
    let applied = Applied { fingerprint: need.known.clone(), ..Applied::plain(target.object.clone()) };
    if !need.reasons.is_empty() {
        let pinned = Image { fingerprint: need.known, ..image.clone() };
        let class = if before.is_none() { Class::Create } else { Class::Live };
        diff.push(Action::ImportImage { image: pinned }, class, need.reasons, Some(applied));
    } else if before.map(|before| &before.object) != Some(target.object) {
        let reasons = match before {
            Some(before) => object_reasons(Some(&before.object), target.object),
            None => vec![because(Cause::Change, "", "the host has its content already")],
        };
        diff.push(Action::Note, Class::Record, reasons, Some(applied));
    }
    diff
}

fn need(scene: &Scene<'_>, key: &Key, target: &Target<'_>, image: &Image) -> Need {
    let record = scene.observed.records.get(key);
    let present = |fingerprint: &String| scene.observed.images.contains_key(fingerprint);
    let Some(applied) = record.and_then(|record| record.applied.as_ref()) else {
        return first(scene, key, target, image, record);
    };
    let content = applied.fingerprint.clone();
    let wanted = wanted_content(scene.observed, key, image, &scene.options.image_contents);
    let bearer =
        wanted.as_ref().filter(|_| wanted == content).and_then(|lost| bearer(scene, key, image, lost));
    let reasons = match &wanted {
        Some(fingerprint) if present(fingerprint) || bearer.is_some() => vec![],
        Some(_) if wanted == content => vec![because(
            Cause::Drift,
            "",
            "its content is lost from the store; it is made anew where its source gives the same",
        )],
        _ => object_reasons(Some(&applied.object), target.object),
    };
    Need { known: wanted, reasons, adopted: None, bearer }
}

/// The first image that has the same lost content from the same source, if that is another one.
fn bearer(scene: &Scene<'_>, key: &Key, image: &Image, lost: &String) -> Option<Key> {
    let has_lost = |other: &Key| {
        let record = scene.observed.records.get(other);
        let applied = record.and_then(|record| record.applied.as_ref());
        applied.is_some_and(|applied| {
            let is_kept =
                matches!(&applied.object.spec, Spec::Image(before) if before.source == image.source);
            is_kept && applied.fingerprint.as_ref() == Some(lost)
        })
    };
    let earlier = scene.world.targets.range(..key);
    let alike = |target: &Target<'_>| matches!(&target.object.spec, Spec::Image(other) if other == image);
    earlier.filter(|(other, target)| alike(target) && has_lost(other)).map(|(other, _)| other.clone()).next()
}

/// An image that was never imported, as far as records tell. While a root lacks its content none adopts another root's:
/// it is not known which of them had the lost one, and only its import brings that back.
fn first(scene: &Scene<'_>, key: &Key, target: &Target<'_>, image: &Image, record: Option<&Record>) -> Need {
    let present = |fingerprint: &&String| scene.observed.images.contains_key(*fingerprint);
    // Those that take each content of their image tell best which it is; where they differ, only its import does.
    let contents = |of: fn(ImagePolicy) -> bool| -> BTreeSet<&String> {
        let views = scene.joined.containers.iter().filter(|(_, view)| view.is_unrecorded());
        let stands = views.filter_map(|(container, view)| {
            let object = scene.world.objects.get(container)?;
            let Spec::Container(container) = &object.spec else { return None };
            view.root.filter(|_| container.image == *key && of(container.update.image))
        });
        stands.map(|root| &root.identity.fingerprint).filter(present).collect()
    };
    let roots = || {
        let followers = contents(|policy| policy == ImagePolicy::Replace);
        let all = if followers.is_empty() { contents(|_| true) } else { followers };
        all.first().copied().filter(|_| all.len() == 1)
    };
    let is_lost =
        || scene.joined.containers.values().filter_map(|view| view.root).any(|root| !root.image_present);
    let adopts = record.is_none() && !is_lost();
    let stands = || if adopts { roots().cloned() } else { None };
    // What the source gives is certain; a root may stand on what the image was before.
    let given = scene.options.image_contents.get(&image.source).filter(present).cloned();
    let known = image.fingerprint.clone().or_else(|| stands().map(|stands| given.clone().unwrap_or(stands)));
    if let (None, Some(_)) = (&known, &given) {
        return Need { known: given, reasons: vec![], adopted: None, bearer: None };
    }
    match known.filter(|fingerprint| present(&fingerprint)) {
        Some(fingerprint) => {
            let adopted =
                Applied { fingerprint: Some(fingerprint.clone()), ..Applied::plain(target.object.clone()) };
            Need { known: Some(fingerprint.clone()), reasons: vec![], adopted: Some(adopted), bearer: None }
        }
        None => Need {
            known: image.fingerprint.clone(),
            reasons: vec![because(Cause::Change, "", "new")],
            adopted: None,
            bearer: None,
        },
    }
}
