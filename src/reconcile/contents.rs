//! Which contents a plan needs to know. What they are now is asked of the driver: the planner sees digests only.

use super::goal::Goal;
use super::world::recorded;
use crate::model::content::{Content, Contents, Digest};
use crate::model::key::Key;
use crate::model::object::{Container, Object, Spec};
use crate::model::observed::Observed;
use std::collections::BTreeSet;

/// The contents of the files and secrets of every container that `goal` may change.
pub fn wanted(goal: &Goal<'_>, observed: &Observed) -> BTreeSet<Content> {
    match goal {
        Goal::Site(desired) => {
            let ignored = desired.objects.iter().flat_map(|(key, object)| established(key, object, observed));
            desired.objects.values().flat_map(of_object).chain(ignored).collect()
        }
        Goal::Delete(_) | Goal::Park(_) => BTreeSet::new(),
        // A verb changes this container alone: no file of another one is read for it.
        Goal::Power { key, .. } | Goal::Resume(key) | Goal::Restart(key) => {
            let object = observed.records.get(key).and_then(recorded);
            object.into_iter().flat_map(|object| recalled(key, object, observed)).collect()
        }
        Goal::Recorded | Goal::Undelete(_) | Goal::Rollback(_) => {
            let objects = observed.records.iter().filter_map(|(key, record)| Some((key, recorded(record)?)));
            objects.flat_map(|(key, object)| recalled(key, object, observed)).collect()
        }
    }
}

/// Of a recorded object, and of what it ignores.
fn recalled(key: &Key, object: &Object, observed: &Observed) -> Vec<Content> {
    let mut contents = of_object(object);
    contents.extend(established(key, object, observed));
    contents
}

/// What was established counts where a container ignores what is declared.
fn established(key: &Key, object: &Object, observed: &Observed) -> Vec<Content> {
    let ignores = matches!(&object.spec, Spec::Container(container) if !container.ignore.is_empty());
    let applied = observed.records.get(key).and_then(|record| record.applied.as_ref());
    applied.filter(|_| ignores).map(|applied| of_object(&applied.object)).unwrap_or_default()
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
