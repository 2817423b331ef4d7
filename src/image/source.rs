//! Where an image comes from, and how each source fills an empty folder.

use super::bootstrap::{self, BootstrapSpec};
use super::error::ImageError;
use super::unpack::{self, Limits};
use super::{busybox, copy, fingerprint};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// A source of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The host's static busybox as a tiny system container.
    Busybox,
    /// A folder of the host, as it is.
    Directory { path: PathBuf },
    /// A Debian by mmdebstrap.
    Bootstrap(BootstrapSpec),
    /// A tar file, plain or gzip.
    Archive { path: PathBuf },
}

impl Source {
    /// In words, for people.
    pub fn describe(&self) -> String {
        match self {
            Source::Busybox => "busybox".into(),
            Source::Directory { path } => format!("directory {}", path.display()),
            Source::Bootstrap(spec) => format!("bootstrap {}", spec.suite),
            Source::Archive { path } => format!("archive {}", path.display()),
        }
    }

    /// The fingerprint that an import would give now, where that is known without one. Writes nothing.
    pub fn fingerprint(&self) -> Result<Option<String>, ImageError> {
        match self {
            Source::Busybox => busybox::fingerprint(&busybox::find()?).map(Some),
            Source::Directory { path } => Ok(Some(fingerprint::summarise(path)?.fingerprint)),
            Source::Bootstrap(_) | Source::Archive { .. } => Ok(None),
        }
    }

    /// Fills the existing, empty folder; gives what of the source is no part of the image. `scratch` is another one,
    /// for what is needed meanwhile.
    pub(super) fn fill(
        &self,
        into: &Path,
        scratch: &Path,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Vec<PathBuf>, ImageError> {
        match self {
            Source::Busybox => busybox::build(&busybox::find()?, into).map(|()| Vec::new()),
            Source::Directory { path } => copy::copy(path, into),
            Source::Bootstrap(spec) => bootstrap::build(spec, into, scratch, progress),
            Source::Archive { path } => unpack_file(path, into),
        }
    }
}

fn unpack_file(path: &Path, into: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let failed = |error| ImageError::io("read", path, error);
    let mut magic = Vec::new();
    File::open(path).and_then(|file| file.take(6).read_to_end(&mut magic)).map_err(failed)?;
    let file = BufReader::with_capacity(1 << 20, File::open(path).map_err(failed)?);
    match magic.as_slice() {
        [0x1f, 0x8b, ..] => {
            unpack::unpack(flate2::bufread::MultiGzDecoder::new(file), into, Limits::default())
        }
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Err(ImageError::Unsupported { what: "zstd compression".into() }),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Err(ImageError::Unsupported { what: "xz compression".into() }),
        [b'B', b'Z', b'h', ..] => Err(ImageError::Unsupported { what: "bzip2 compression".into() }),
        _ => unpack::unpack(file, into, Limits::default()),
    }
}
