//! Content in the store that no image names any more and no root stands on: it goes with the next image that goes.

use super::{ImageState, Scene};
use crate::model::key::{Key, Kind};
use crate::model::object::Spec;
use crate::model::prune::Deletion;
use crate::model::references::references;
use crate::model::step::ImageContent;
use std::collections::BTreeSet;

/// What goes with this image, besides its own content. Each content goes with one image only.
pub fn of(scene: &Scene<'_>, image: &Key) -> BTreeSet<String> {
    let earlier = scene.world.leaving.range(..image).map(|(key, _)| key);
    let earlier = earlier.filter(|key| key.kind == Kind::Image && is_deleted(scene, key));
    let taken: BTreeSet<String> = earlier.flat_map(|other| free(scene, other)).collect();
    free(scene, image).difference(&taken).cloned().collect()
}

/// Gone with all that it has, neither parked nor retained.
fn is_deleted(scene: &Scene<'_>, key: &Key) -> bool {
    scene.world.leaving.get(key).is_some_and(|leaving| leaving.way == Deletion::Delete)
}

/// What nothing holds once this image and the containers on it are gone.
fn free(scene: &Scene<'_>, image: &Key) -> BTreeSet<String> {
    let contents = scene.observed.images.keys();
    contents.filter(|content| !is_named(scene, content) && !carries(scene, content, image)).cloned().collect()
}

/// Whether an image that stays has this content once the plan is done.
pub fn becomes_named(scene: &Scene<'_>, content: &str) -> bool {
    scene.images.iter().any(|(image, ImageState { content: becomes, .. })| {
        let is_it = matches!(becomes, ImageContent::Fingerprint(becomes) if becomes == content);
        is_it && scene.world.targets.contains_key(image)
    })
}

fn is_named(scene: &Scene<'_>, content: &str) -> bool {
    becomes_named(scene, content)
        || scene.observed.records.values().any(|record| {
            let applied = record.applied.as_ref();
            let objects = record.desired.iter().chain(applied.map(|applied| &applied.object));
            let pins = objects.filter_map(|object| match &object.spec {
                Spec::Image(image) => image.fingerprint.as_deref(),
                _ => None,
            });
            let established = applied.filter(|applied| matches!(applied.object.spec, Spec::Image(_)));
            let mut names = pins.chain(established.and_then(|applied| applied.fingerprint.as_deref()));
            names.any(|name| name == content)
        })
}

/// Whether a root stands on it that is not gone before the image: one whose container stays, or needs another image.
fn carries(scene: &Scene<'_>, content: &str, image: &Key) -> bool {
    scene.joined.containers.iter().any(|(container, view)| {
        let stands = view.root.is_some_and(|root| root.contents().any(|other| other == content));
        let goes_before = is_deleted(scene, container)
            && scene.world.objects.get(container).is_some_and(|object| references(object).contains(image));
        stands && !goes_before
    })
}
