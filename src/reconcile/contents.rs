//! Which contents a plan needs to know. What they are now is asked of the driver: the planner sees digests only.

use super::goal::Goal;
use super::needs::with_needs;
use super::world::recorded;
use crate::model::content::{Content, Contents, Digest};
use crate::model::key::{Key, Kind};
use crate::model::object::{Container, Image, ImageContents, ImagePolicy, ImageSource, Object, Spec};
use crate::model::observed::Observed;
use std::collections::{BTreeMap, BTreeSet};

/// The contents of the files and secrets of every container that `goal` may change; where `only` is not empty, of those
/// and what they need.
pub fn wanted(goal: &Goal<'_>, observed: &Observed, only: &BTreeSet<Key>) -> BTreeSet<Content> {
    let recorded = |key: &Key| observed.records.get(key).and_then(recorded);
    let recalled = |keys: BTreeSet<Key>| {
        let objects = keys.iter().filter_map(|key| Some((key, recorded(key)?)));
        objects.flat_map(|(key, object)| with_established(key, object, observed)).collect()
    };
    match goal {
        Goal::Site(desired) if only.is_empty() => {
            let objects = desired.objects.iter();
            objects.flat_map(|(key, object)| with_established(key, object, observed)).collect()
        }
        Goal::Site(desired) => {
            let declared = |key: &Key| desired.objects.get(key);
            let keys = with_needs(only, declared);
            let objects = keys.iter().filter_map(|key| Some((key, declared(key)?)));
            objects.flat_map(|(key, object)| with_established(key, object, observed)).collect()
        }
        Goal::Delete(_) | Goal::Park(_) | Goal::PowerOff => BTreeSet::new(),
        // A verb changes these containers alone: no file of another one is read for it.
        Goal::Power { keys, .. } | Goal::Hold { keys, .. } | Goal::Resume(keys) | Goal::Restart(keys) => {
            recalled(keys.clone())
        }
        Goal::Recorded | Goal::Undelete(_) | Goal::Rollback(_) if only.is_empty() => {
            recalled(observed.records.keys().cloned().collect())
        }
        Goal::Recorded | Goal::Undelete(_) | Goal::Rollback(_) => recalled(with_needs(only, recorded)),
    }
}

/// The sources of the images whose content is not known before they are imported, where it matters whether the host has
/// it: a container would get it in the place of another, an image that is no longer declared may go for it, or it is
/// adopted.
pub fn image_sources(goal: &Goal<'_>, observed: &Observed) -> BTreeSet<ImageSource> {
    if observed.images.is_empty() {
        return BTreeSet::new(); // the usual case of a first apply: nothing to compare with
    }
    let objects: BTreeMap<&Key, &Object> = match goal {
        Goal::Site(desired) => desired.objects.iter().collect(),
        Goal::Recorded => {
            observed.records.iter().filter_map(|(key, record)| Some((key, recorded(record)?))).collect()
        }
        _ => BTreeMap::new(),
    };
    let image = |(key, object): (&&Key, &&Object)| match &object.spec {
        Spec::Image(image) if wanted_content(observed, key, image, &ImageContents::new()).is_none() => {
            Some(((*key).clone(), image.source.clone()))
        }
        _ => None,
    };
    let unknown: Vec<(Key, ImageSource)> = objects.iter().filter_map(image).collect();
    if unknown.is_empty() {
        return BTreeSet::new();
    }
    let one_may_go = observed.records.keys().any(|key| key.kind == Kind::Image && !objects.contains_key(key));
    let replaced = |image: &Key| {
        objects.iter().any(|(key, object)| match &object.spec {
            Spec::Container(container) => {
                let replaces = container.update.image == ImagePolicy::Replace && container.image == *image;
                replaces && observed.records.contains_key(*key)
            }
            _ => false,
        })
    };
    let roots = observed.containers.values().filter_map(|facts| facts.root.as_ref());
    let unrecorded = roots.map(|root| &root.identity.key).filter(|key| !observed.records.contains_key(*key));
    let on_unrecorded: BTreeSet<&Key> = unrecorded
        .filter_map(|key| match &objects.get(key)?.spec {
            Spec::Container(container) => Some(&container.image),
            _ => None,
        })
        .collect();
    let adopted = |image: &Key| !observed.records.contains_key(image) && on_unrecorded.contains(image);
    let matters = |image: &Key| one_may_go || replaced(image) || adopted(image);
    unknown.into_iter().filter(|(key, _)| matters(key)).map(|(_, source)| source).collect()
}

/// The content that an image is to have, as far as it is known before an import: as it is pinned, as it was established
/// from the same source, or as its source would give it now where the host has that already.
pub fn wanted_content(
    observed: &Observed,
    key: &Key,
    image: &Image,
    given: &ImageContents,
) -> Option<String> {
    let applied = observed.records.get(key).and_then(|record| record.applied.as_ref());
    let established = applied.and_then(|applied| match &applied.object.spec {
        Spec::Image(before) if before.source == image.source => applied.fingerprint.clone(),
        _ => None,
    });
    let given = || given.get(&image.source).filter(|content| observed.images.contains_key(*content)).cloned();
    image.fingerprint.clone().or(established).or_else(given)
}

/// Of an object, and of what was established where it ignores what is declared.
fn with_established(key: &Key, object: &Object, observed: &Observed) -> Vec<Content> {
    let mut contents = of_object(object);
    let ignores = matches!(&object.spec, Spec::Container(container) if !container.ignore.is_empty());
    let applied = observed.records.get(key).and_then(|record| record.applied.as_ref());
    contents.extend(applied.filter(|_| ignores).into_iter().flat_map(|applied| of_object(&applied.object)));
    contents
}

fn of_object(object: &Object) -> Vec<Content> {
    match &object.spec {
        Spec::Container(container) => of_container(container).map(|(_, content)| content).collect(),
        _ => vec![],
    }
}

/// The contents of a container, each with its field path.
pub fn of_container(container: &Container) -> impl Iterator<Item = (String, Content)> {
    let files = container.files.iter().map(|(path, file)| (format!("files.{path}"), file.from.clone()));
    let secrets = container.environment.iter();
    files.chain(
        secrets.map(|(name, secret)| (format!("environment.{name}"), Content::Variable(secret.clone()))),
    )
}

/// The digest of a content; else why there is none.
pub fn digest<'a>(contents: &'a Contents, content: &Content) -> Result<&'a Digest, String> {
    match contents.get(content) {
        Some(Ok(digest)) => Ok(digest),
        Some(Err(why)) => Err(why.clone()),
        None => Err(format!("{content} was not looked at")),
    }
}
