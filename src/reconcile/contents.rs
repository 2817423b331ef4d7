//! Which contents a plan needs to know. What they are now is asked of the driver: the planner sees digests only.

use super::goal::Goal;
use super::world::{recorded, with_needs};
use crate::model::content::{Content, Contents, Digest};
use crate::model::key::Key;
use crate::model::object::{Container, Object, Spec};
use crate::model::observed::Observed;
use std::collections::BTreeSet;

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
        Goal::Power { keys, .. } | Goal::Resume(keys) | Goal::Restart(keys) => recalled(keys.clone()),
        Goal::Recorded | Goal::Undelete(_) | Goal::Rollback(_) if only.is_empty() => {
            recalled(observed.records.keys().cloned().collect())
        }
        Goal::Recorded | Goal::Undelete(_) | Goal::Rollback(_) => recalled(with_needs(only, recorded)),
    }
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
    files
        .chain(secrets.map(|(name, secret)| (format!("environment.{name}"), Content::Secret(secret.clone()))))
}

/// The digest of a content; else why there is none.
pub fn digest<'a>(contents: &'a Contents, content: &Content) -> Result<&'a Digest, String> {
    match contents.get(content) {
        Some(Ok(digest)) => Ok(digest),
        Some(Err(why)) => Err(why.clone()),
        None => Err(format!("{content} was not looked at")),
    }
}
