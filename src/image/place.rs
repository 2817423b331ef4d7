//! Puts files into a new tree without ever leaving it: every path is resolved by openat2(2) from the tree's own
//! descriptor, with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV`, so that no symbolic link of the image
//! is followed. Ids, modes, xattrs, hard links, holes and times are kept.

use super::attributes::{self, Attributes};
use super::error::ImageError;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

/// A tree being made.
pub struct Tree {
    root: OwnedFd,
    /// Folders get their attributes last: making their content changes their times.
    folders: Vec<(PathBuf, Attributes)>,
}

impl Tree {
    /// A tree in the existing folder `path`.
    pub fn open(path: &Path) -> Result<Tree, ImageError> {
        let root = tree::durable::open_dir(path).map_err(|source| ImageError::io("open", path, source))?;
        Ok(Tree { root, folders: Vec::new() })
    }

    /// Makes a folder, or takes the one that is there; "" is the tree's top.
    pub fn folder(&mut self, path: &Path, attributes: Attributes) -> Result<(), ImageError> {
        if !path.as_os_str().is_empty() {
            let (parent, name) = self.parent(path)?;
            if kind(&parent, name, path)? != Some(FileType::Directory) {
                clear(&parent, name, path)?;
                fs::mkdirat(&parent, name, Mode::RWXU)
                    .map_err(|error| ImageError::io("make", path, error))?;
            }
        }
        self.folders.push((path.to_owned(), attributes));
        Ok(())
    }

    /// Makes a fresh file, to be written and then given to [`Tree::finish_file`].
    pub fn file(&mut self, path: &Path) -> Result<File, ImageError> {
        let (parent, name) = self.parent(path)?;
        clear(&parent, name, path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match fs::openat(&parent, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(File::from(file)),
            Err(error) => Err(ImageError::io("make", path, error)),
        }
    }

    /// Sets owner, mode, xattrs and time of a written file.
    pub fn finish_file(&self, path: &Path, file: &File, attributes: &Attributes) -> Result<(), ImageError> {
        attributes::set(file, attributes).map_err(|error| ImageError::io("set attributes of", path, error))
    }

    /// Makes a symbolic link; its target is kept as it is and never followed.
    pub fn symlink(&mut self, path: &Path, target: &Path, attributes: &Attributes) -> Result<(), ImageError> {
        let (parent, name) = self.parent(path)?;
        clear(&parent, name, path)?;
        fs::symlinkat(target, &parent, name).map_err(|error| ImageError::io("make", path, error))?;
        attributes::set_at(&parent, name, attributes)
            .map_err(|error| ImageError::io("set owner of", path, error))
    }

    /// Makes a FIFO.
    pub fn fifo(&mut self, path: &Path, attributes: &Attributes) -> Result<(), ImageError> {
        let (parent, name) = self.parent(path)?;
        clear(&parent, name, path)?;
        let mode = Mode::from_raw_mode(attributes.mode & 0o777);
        fs::mknodat(&parent, name, FileType::Fifo, mode, 0)
            .map_err(|error| ImageError::io("make", path, error))?;
        attributes::set_at(&parent, name, attributes)
            .map_err(|error| ImageError::io("set owner of", path, error))?;
        // Not a link: it was just made in a folder that only we write to.
        fs::chmodat(&parent, name, Mode::from_raw_mode(attributes.mode), AtFlags::empty())
            .map_err(|error| ImageError::io("set mode of", path, error))
    }

    /// Makes `path` another name of `target`, which is in the tree already.
    pub fn hard_link(&mut self, path: &Path, target: &Path) -> Result<(), ImageError> {
        if path == target {
            return Ok(());
        }
        let (target_parent, target_name) = self.parent(target)?;
        let (parent, name) = self.parent(path)?;
        clear(&parent, name, path)?;
        fs::linkat(&target_parent, target_name, &parent, name, AtFlags::empty())
            .map_err(|error| ImageError::io("link", path, error))
    }

    /// Sets the folders' attributes, the deepest first.
    pub fn finish(self) -> Result<(), ImageError> {
        for (path, attributes) in self.folders.iter().rev() {
            let folder = match self.resolve(path, OFlags::RDONLY | OFlags::DIRECTORY) {
                Ok(folder) => folder,
                // A later member of the archive replaced it.
                Err(Errno::LOOP | Errno::NOTDIR | Errno::NOENT) => continue,
                Err(error) => return Err(ImageError::io("open", path, error)),
            };
            attributes::set(&folder, attributes)
                .map_err(|error| ImageError::io("set attributes of", path, error))?;
        }
        Ok(())
    }

    /// The open folder that holds `path`, made if an archive left it out, and the last component.
    fn parent<'a>(&self, path: &'a Path) -> Result<(OwnedFd, &'a Path), ImageError> {
        let escape = |what: &str| ImageError::Escape { path: path.to_owned(), what: what.to_owned() };
        if !path.components().all(|component| matches!(component, Component::Normal(_))) {
            return Err(escape("it is no plain relative path"));
        }
        let name = path.file_name().ok_or_else(|| escape("it has no name"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let opened = match self.resolve(folder, flags) {
            Err(Errno::NOENT) => {
                self.make_parents(folder)?;
                self.resolve(folder, flags)
            }
            other => other,
        };
        match opened {
            Ok(parent) => Ok((parent, Path::new(name))),
            Err(Errno::LOOP) => Err(escape("a symbolic link lies in its way")),
            Err(Errno::XDEV) => Err(escape("it would leave the tree")),
            Err(Errno::NOTDIR) => Err(escape("a file lies in its way")),
            Err(error) => Err(ImageError::io("open", folder, error)),
        }
    }

    fn make_parents(&self, folder: &Path) -> Result<(), ImageError> {
        let mut current = PathBuf::new();
        for component in folder.components() {
            let above = self.resolve(&current, OFlags::PATH | OFlags::DIRECTORY);
            current.push(component);
            let Ok(above) = above else { return Ok(()) };
            match fs::mkdirat(&above, Path::new(component.as_os_str()), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(ImageError::io("make", &current, error)),
            }
        }
        Ok(())
    }

    fn resolve(&self, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV;
        fs::openat2(&self.root, path, flags | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty(), resolve)
    }
}

fn kind(parent: &OwnedFd, name: &Path, path: &Path) -> Result<Option<FileType>, ImageError> {
    match fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(ImageError::io("look at", path, error)),
    }
}

/// Makes room for a member: what an earlier one left there goes, unless it is a folder with content.
fn clear(parent: &OwnedFd, name: &Path, path: &Path) -> Result<(), ImageError> {
    let flags = match kind(parent, name, path)? {
        None => return Ok(()),
        Some(FileType::Directory) => AtFlags::REMOVEDIR,
        Some(_) => AtFlags::empty(),
    };
    fs::unlinkat(parent, name, flags).map_err(|error| ImageError::io("replace", path, error))
}
