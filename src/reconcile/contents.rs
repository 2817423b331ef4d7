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
    match goal {
        Goal::Site(desired) if only.is_empty() => desired.objects.values().flat_map(of_object).collect(),
        Goal::Site(desired) => of_part(only, |key| desired.objects.get(key)),
        Goal::Delete(_) | Goal::Park(_) => BTreeSet::new(),
        // A verb changes this container alone: no file of another one is read for it.
        Goal::Power { key, .. } | Goal::Resume(key) | Goal::Restart(key) => {
            recorded(key).into_iter().flat_map(of_object).collect()
        }
        Goal::Recorded | Goal::Undelete(_) if only.is_empty() => {
            observed.records.keys().filter_map(recorded).flat_map(of_object).collect()
        }
        Goal::Recorded | Goal::Undelete(_) => of_part(only, recorded),
    }
}

fn of_part<'o>(only: &BTreeSet<Key>, object: impl Fn(&Key) -> Option<&'o Object>) -> BTreeSet<Content> {
    with_needs(only, &object).iter().filter_map(&object).flat_map(of_object).collect()
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
