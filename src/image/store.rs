//! The store: `images/FINGERPRINT/{rootfs/, meta.json}`.
//!
//! ```text
//! import:  .partial-N (locked by its importer) ─ fill ─ summarise ─ syncfs ─ rename ─► FINGERPRINT
//! delete:  FINGERPRINT ─ rename ─► .partial-N ─ remove
//! ```
//!
//! A crash leaves only partials; whoever next imports or deletes removes those that nobody has locked.

use super::error::ImageError;
use super::fingerprint;
use super::meta::{self, Meta};
use super::source::Source;
use rustix::fs::{self, FlockOperation, Mode};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageStore {
    folder: PathBuf,
}

/// An image in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    pub fingerprint: String,
    /// The layer for a container's root; only ever read.
    pub rootfs: PathBuf,
    pub meta: Meta,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub fingerprint: String,
    /// The store had it already when unchanged.
    pub changed: bool,
}

/// What [`ImageStore::verify`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Intact,
    Missing,
    /// The tree now has another fingerprint.
    Altered {
        found: String,
    },
}

const PARTIAL: &str = ".partial-";

impl ImageStore {
    /// A store in `folder` (`images` of the data folder), which is made if need be, for root alone.
    pub fn open(folder: &Path) -> Result<ImageStore, ImageError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| ImageError::io("make", folder, error))?;
        let folder = folder.canonicalize().map_err(|error| ImageError::io("find", folder, error))?;
        Ok(ImageStore { folder })
    }

    /// The image, if it is whole in the store. Reads its record, not its files: see [`ImageStore::verify`].
    pub fn lookup(&self, fingerprint: &str) -> Result<Option<StoredImage>, ImageError> {
        let folder = self.image_folder(fingerprint)?;
        let rootfs = folder.join("rootfs");
        match meta::read(&folder)? {
            Some(meta) if rootfs.is_dir() => {
                Ok(Some(StoredImage { fingerprint: fingerprint.to_owned(), rootfs, meta }))
            }
            _ => Ok(None),
        }
    }

    /// All images, by fingerprint.
    pub fn list(&self) -> Result<Vec<StoredImage>, ImageError> {
        let mut images = Vec::new();
        for name in self.names()? {
            if is_fingerprint(&name) {
                images.extend(self.lookup(&name)?);
            }
        }
        images.sort_by(|left, right| left.fingerprint.cmp(&right.fingerprint));
        Ok(images)
    }

    /// Reads the whole image and compares its fingerprint.
    pub fn verify(&self, fingerprint: &str) -> Result<Verdict, ImageError> {
        let Some(image) = self.lookup(fingerprint)? else { return Ok(Verdict::Missing) };
        let found = fingerprint::summarise(&image.rootfs)?.fingerprint;
        Ok(if found == fingerprint { Verdict::Intact } else { Verdict::Altered { found } })
    }

    /// Makes the image of `source`, whole or not at all. Several may import at once; of the same image one wins.
    pub fn import(&self, source: &Source, progress: &(dyn Fn(&str) + Sync)) -> Result<Imported, ImageError> {
        if let Some(fingerprint) = source.fingerprint()?
            && self.lookup(&fingerprint)?.is_some()
        {
            return Ok(Imported { fingerprint, changed: false });
        }
        let partial = self.begin()?;
        let outcome = self.fill(&partial, source, progress);
        if !matches!(outcome, Ok(Imported { changed: true, .. })) {
            // The first error is the one to tell; what stays is removed by the next import.
            let _ = self.discard(&partial.path);
        }
        outcome
    }

    /// Removes the image; the caller knows that no root stands on it.
    pub fn delete(&self, fingerprint: &str) -> Result<bool, ImageError> {
        let folder = self.image_folder(fingerprint)?;
        let is_there = folder.try_exists().map_err(|error| ImageError::io("look at", &folder, error))?;
        if is_there {
            self.displace(&folder)?;
        }
        Ok(is_there)
    }

    fn fill(
        &self,
        partial: &Partial,
        source: &Source,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Imported, ImageError> {
        let rootfs = partial.path.join("rootfs");
        let scratch = partial.path.join("scratch");
        for folder in [&rootfs, &scratch] {
            fs::mkdir(folder, Mode::RWXU).map_err(|error| ImageError::io("make", folder, error))?;
        }
        let skipped = source.fill(&rootfs, &scratch, progress)?;
        remove(&partial.path, Path::new("scratch"))?;
        let summary = fingerprint::summarise(&rootfs)?;
        let fingerprint = summary.fingerprint;
        meta::write(&partial.path, &Meta::new(source.describe(), summary.bytes, summary.names, skipped))?;
        fs::syncfs(&partial.lock).map_err(|error| ImageError::io("sync", &partial.path, error))?;
        if self.lookup(&fingerprint)?.is_some() {
            return Ok(Imported { fingerprint, changed: false });
        }
        let folder = self.image_folder(&fingerprint)?;
        match fs::rename(&partial.path, &folder) {
            // What is left of a lost image stands in the way.
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {
                self.displace(&folder)?;
                fs::rename(&partial.path, &folder)
            }
            other => other,
        }
        .map_err(|error| ImageError::io("rename to", &folder, error))?;
        self.sync()?;
        Ok(Imported { fingerprint, changed: true })
    }

    /// A fresh partial, locked, after the dead ones are gone. The store's own lock is held meanwhile, so that no
    /// partial is seen between its making and its locking.
    fn begin(&self) -> Result<Partial, ImageError> {
        let _guard = lock(&self.folder, FlockOperation::LockExclusive)?;
        for name in self.names()?.iter().filter(|name| name.starts_with(PARTIAL)) {
            let path = self.folder.join(name);
            match lock(&path, FlockOperation::NonBlockingLockExclusive) {
                Ok(_dead) => self.discard(&path)?,
                Err(ImageError::File(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let path = self.fresh_name()?;
        fs::mkdir(&path, Mode::RWXU).map_err(|error| ImageError::io("make", &path, error))?;
        Ok(Partial { lock: lock(&path, FlockOperation::NonBlockingLockExclusive)?, path })
    }

    /// Takes an image's folder away by one rename, then removes it.
    fn displace(&self, folder: &Path) -> Result<(), ImageError> {
        let mounts =
            tree::mounts::below(folder).map_err(|error| ImageError::io("look below", folder, error))?;
        if !mounts.is_empty() {
            return Err(ImageError::Mounted { path: folder.to_owned(), mounts });
        }
        // Locked under either name, so that no import takes it for dead while it is removed here.
        let _held = lock(folder, FlockOperation::LockExclusive)?;
        let path = {
            let _guard = lock(&self.folder, FlockOperation::LockExclusive)?;
            let path = self.fresh_name()?;
            fs::rename(folder, &path).map_err(|error| ImageError::io("rename", folder, error))?;
            path
        };
        self.sync()?;
        self.discard(&path)
    }

    fn fresh_name(&self) -> Result<PathBuf, ImageError> {
        let taken = self.names()?;
        let number =
            (0u32..).find(|number| !taken.contains(&format!("{PARTIAL}{number}"))).unwrap_or(u32::MAX);
        Ok(self.folder.join(format!("{PARTIAL}{number}")))
    }

    fn discard(&self, path: &Path) -> Result<(), ImageError> {
        remove(&self.folder, Path::new(path.file_name().unwrap_or_default()))
    }

    fn sync(&self) -> Result<(), ImageError> {
        tree::durable::sync_dir(&self.folder).map_err(|error| ImageError::io("fsync", &self.folder, error))
    }

    fn names(&self) -> Result<Vec<String>, ImageError> {
        let failed = |error| ImageError::io("list", &self.folder, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn image_folder(&self, fingerprint: &str) -> Result<PathBuf, ImageError> {
        if is_fingerprint(fingerprint) {
            return Ok(self.folder.join(fingerprint));
        }
        Err(ImageError::BadFingerprint { text: fingerprint.to_owned() })
    }
}

/// An image being made; its lock goes with it.
struct Partial {
    path: PathBuf,
    lock: OwnedFd,
}

fn lock(folder: &Path, operation: FlockOperation) -> Result<OwnedFd, ImageError> {
    let opened = tree::durable::open_dir(folder).map_err(|error| ImageError::io("open", folder, error))?;
    fs::flock(&opened, operation).map_err(|error| ImageError::io("lock", folder, error))?;
    Ok(opened)
}

fn remove(parent: &Path, name: &Path) -> Result<(), ImageError> {
    tree::remove::remove(parent, name)
        .map(|_| ())
        .map_err(|error| ImageError::io("remove", &parent.join(name), error))
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
