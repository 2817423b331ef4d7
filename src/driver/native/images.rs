//! Images: from the model's words to the image room's, and back.

use super::Layout;
use super::failure::{failed, precondition};
use crate::driver::{Error, StepContext};
use crate::image::bootstrap::BootstrapSpec;
use crate::image::source::Source;
use crate::image::store::ImageStore;
use crate::model::key::Key;
use crate::model::object::{Image, ImageContents, ImageSource};
use crate::model::observed::ImageFacts;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Imports an image; answers its fingerprint, and whether the store changed. Pinned content that is in the store
/// already is not made again; a source that gives another content than the pinned one is refused.
pub fn import(
    layout: &Layout,
    key: &Key,
    image: &Image,
    context: &StepContext<'_>,
) -> Result<(String, bool), Error> {
    let what = || format!("{key} could not be imported");
    let store = ImageStore::open(&layout.images()).map_err(|error| failed(what(), error))?;
    if let Some(pinned) = &image.fingerprint
        && store.lookup(pinned).map_err(|error| failed(what(), error))?.is_some()
    {
        return Ok((pinned.clone(), false));
    }
    let imported =
        store.import(&source(&image.source), context.progress).map_err(|error| failed(what(), error))?;
    match &image.fingerprint {
        Some(pinned) if *pinned != imported.fingerprint => {
            if imported.changed {
                store.delete(&imported.fingerprint).map_err(|error| failed(what(), error))?;
            }
            Err(Error::Fingerprint { key: key.clone(), wanted: pinned.clone(), found: imported.fingerprint })
        }
        _ => Ok((imported.fingerprint, imported.changed)),
    }
}

/// Removes content that no root stands on; the caller has looked.
pub fn delete(layout: &Layout, key: &Key, fingerprint: &str) -> Result<bool, Error> {
    let what = || format!("{key} could not be removed");
    if !layout.images().exists() {
        return Ok(false);
    }
    let store = ImageStore::open(&layout.images()).map_err(|error| failed(what(), error))?;
    store.delete(fingerprint).map_err(|error| failed(what(), error))
}

/// The folder of an image's content, for a root to stand on.
pub fn layer(layout: &Layout, key: &Key, fingerprint: &str) -> Result<PathBuf, Error> {
    let what = || format!("{key}: image {fingerprint} cannot be read");
    let store = ImageStore::open(&layout.images()).map_err(|error| failed(what(), error))?;
    match store.lookup(fingerprint).map_err(|error| failed(what(), error))? {
        Some(image) => Ok(image.rootfs),
        None => Err(precondition(key, format!("image {fingerprint}"), "it is not in the store")),
    }
}

/// What is in the store. Reads only: a store that was never used is not made.
pub fn observe(layout: &Layout) -> Result<BTreeMap<String, ImageFacts>, Error> {
    if !layout.images().exists() {
        return Ok(BTreeMap::new());
    }
    let images = ImageStore::open(&layout.images()).and_then(|store| store.list());
    let images = images.map_err(|error| failed("the image store cannot be read", error))?;
    Ok(images.into_iter().map(|image| (image.fingerprint, ImageFacts { size: image.meta.bytes })).collect())
}

/// What imports from these sources would give. A source that cannot be read has no entry: its import says why.
pub fn contents(layout: &Layout, sources: &BTreeSet<ImageSource>) -> ImageContents {
    // A look makes nothing: where no image was ever imported there is nothing to compare with either.
    if !layout.images().is_dir() {
        return ImageContents::new();
    }
    let Ok(store) = ImageStore::open(&layout.images()) else { return ImageContents::new() };
    let known = |from: &ImageSource| Some((from.clone(), store.foretell(&source(from)).ok().flatten()?));
    sources.iter().filter_map(known).collect()
}

fn source(source: &ImageSource) -> Source {
    match source {
        ImageSource::Busybox {} => Source::Busybox,
        ImageSource::Directory { path } => Source::Directory { path: path.clone() },
        ImageSource::Bootstrap { suite, include, snapshot } => Source::Bootstrap(BootstrapSpec {
            suite: suite.clone(),
            include: include.clone(),
            variant: None,
            mirror: None,
            snapshot: snapshot.clone(),
        }),
    }
}
