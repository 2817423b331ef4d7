//! Where manifests come from: a file, a folder, or standard input. Reads, and writes one back; never judges what it
//! reads.
//!
//! A folder is read recursively in name order: `*.yaml` and `*.yml`; folders whose name begins with a dot, and what
//! `.bayplanignore` names, are skipped. Links to files are followed inside the source's folder (`..data` of a mounted
//! ConfigMap), links to folders are not.

pub mod ignore;

use crate::content::resolve;
use crate::model::content::{Content, SourceFile};
use crate::spec::resolve::paths::tidy;
use crate::spec::{self, SourceText, TextRole, template};
use ignore::Rules;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The most bytes of one manifest.
pub const MAX_BYTES: u64 = 64 << 20;

/// What standard input is called in findings.
pub const STDIN: &str = "<stdin>";

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "site.yaml";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is there already", path.display())]
    Exists { path: PathBuf },
    #[error("{} is not UTF-8: byte {byte} begins no character; save it as UTF-8", path.display())]
    NotUtf8 { path: PathBuf, byte: usize },
    #[error("{} has more than {} MiB", path.display(), MAX_BYTES >> 20)]
    TooLarge { path: PathBuf },
    #[error("no *.yaml or *.yml in {}", path.display())]
    NoManifest { path: PathBuf },
    #[error("{} is a link that leads out of {}", path.display(), root.display())]
    LinkOutside { path: PathBuf, root: PathBuf },
    #[error("{} is a link that leads nowhere; remove it, or make what it leads to", path.display())]
    LinkNowhere { path: PathBuf },
}

/// What is read when no path is named.
pub fn default_path() -> PathBuf {
    let file = Path::new(DEFAULT_FILE);
    if file.is_file() { file.to_owned() } else { PathBuf::from(".") }
}

/// Reads what `-f` names: a file, a folder, `-`; none: `./site.yaml` if it is there, else the current folder.
pub fn read(given: Option<&Path>) -> Result<Vec<SourceText>, Error> {
    match given {
        Some(path) if path == Path::new("-") => Ok(vec![standard_input()?]),
        Some(path) if path.is_dir() => folder(path),
        Some(path) => Ok(vec![single(path)?]),
        None => read(Some(&default_path())),
    }
}

/// Reads several sources, in the order given, and the templates that they name.
pub fn read_all(given: &[PathBuf]) -> Result<Vec<SourceText>, Error> {
    let mut texts = manifests(given)?;
    for (file, path) in spec::templates(&texts) {
        // What cannot be read is shown with the manifest's line that names it.
        texts.push(named(file, path, TextRole::Template));
    }
    Ok(texts)
}

/// A file that a `source` of these texts' manifests names, as a text like theirs.
pub fn beside_manifests(texts: &[SourceText], file: &SourceFile) -> SourceText {
    let folder = texts.iter().filter(|text| tidy(&text.root) == file.root).find_map(shown_root);
    let path = folder.unwrap_or_else(|| file.root.clone()).join(&file.path);
    named(file.clone(), shown(&path), TextRole::Source)
}

/// The source's folder as the path of a text shows it; None: that path begins below it.
fn shown_root(text: &SourceText) -> Option<PathBuf> {
    let mut shown = Path::new(&text.path).parent()?.to_owned();
    for _ in text.base.strip_prefix(&text.root).ok()?.components() {
        if !shown.pop() {
            return None;
        }
    }
    Some(shown)
}

fn named(file: SourceFile, path: String, role: fn(SourceFile) -> TextRole) -> SourceText {
    let base = file.root.join(&file.path).parent().unwrap_or(&file.root).to_owned();
    let root = file.root.clone();
    let (text, role) = match read_text(&file) {
        Ok(text) => (text, role(file)),
        Err(why) => (why, TextRole::Unread(file)),
    };
    SourceText { path, text, base, root, role }
}

/// What a file beside manifests holds; else why it is no text of a size that could be edited.
pub fn read_text(file: &SourceFile) -> Result<String, String> {
    let content = Content::File(file.clone());
    let value = resolve::value(&content).map_err(|error| error.text())?;
    if value.expose().len() > template::MAX_BYTES {
        return Err(format!("{content} has more than {} KiB", template::MAX_BYTES >> 10));
    }
    String::from_utf8(value.expose().to_vec()).map_err(|error| {
        format!("{content} is not UTF-8: byte {} begins no character", error.utf8_error().valid_up_to())
    })
}

/// Reads several sources, in the order given.
pub fn manifests(given: &[PathBuf]) -> Result<Vec<SourceText>, Error> {
    if given.is_empty() {
        return read(None);
    }
    let mut texts = vec![];
    for path in given {
        texts.extend(read(Some(path))?);
    }
    Ok(texts)
}

/// Writes a manifest anew, its owner (as far as that may be) and permissions kept: a reader sees the old text or the new
/// one. A link stays, and leads to the new text.
pub fn write(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let real = path.canonicalize().map_err(failed)?;
    let facts = fs::metadata(&real).map_err(failed)?;
    let new = beside(&real, text).map_err(failed)?;
    let made = new.as_file().metadata().map_err(failed)?;
    if (made.uid(), made.gid()) != (facts.uid(), facts.gid()) {
        match fchown(new.as_file(), Some(facts.uid()), Some(facts.gid())) {
            // Who may write another's file may not always give one away.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            other => other.map_err(failed)?,
        }
    }
    new.as_file().set_permissions(facts.permissions()).map_err(failed)?;
    new.persist(&real).map(drop).map_err(|error| failed(error.error))
}

/// Writes a manifest where there is none.
pub fn create(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let new = beside(path, text).map_err(failed)?;
    new.as_file().set_permissions(fs::Permissions::from_mode(0o644)).map_err(failed)?;
    new.persist_noclobber(path).map(drop).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: path.to_owned() },
        _ => failed(error.error),
    })
}

/// Makes a folder for manifests, if it is not there.
pub fn create_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// The text in a temporary file of the same folder, on the disk.
fn beside(path: &Path, text: &str) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".bayplan-").tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    Ok(new)
}

fn standard_input() -> Result<SourceText, Error> {
    let path = Path::new(STDIN);
    let text = limited(io::stdin().lock(), path)?;
    let folder = absolute(Path::new("."))?;
    Ok(SourceText {
        path: STDIN.to_owned(),
        text,
        base: folder.clone(),
        root: folder,
        role: TextRole::Manifest,
    })
}

fn single(path: &Path) -> Result<SourceText, Error> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let root = absolute(parent)?;
    let (path, text) = (shown(path), text(path)?);
    Ok(SourceText { path, text, base: root.clone(), root, role: TextRole::Manifest })
}

fn folder(path: &Path) -> Result<Vec<SourceText>, Error> {
    let root = absolute(path)?;
    let mut texts = vec![];
    Walk { root: &root, real: real(path)? }.folder(path, &Rules::default(), &mut texts)?;
    if texts.is_empty() {
        return Err(Error::NoManifest { path: path.to_owned() });
    }
    Ok(texts)
}

struct Walk<'w> {
    root: &'w Path,
    /// The root without links.
    real: PathBuf,
}

impl Walk<'_> {
    fn folder(&self, path: &Path, above: &Rules, texts: &mut Vec<SourceText>) -> Result<(), Error> {
        let failed = |source| Error::Read { path: path.to_owned(), source };
        let rules = above.with_file_of(path).map_err(failed)?;
        let mut entries: Vec<fs::DirEntry> =
            fs::read_dir(path).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inside = entry.path();
            let file_type = entry.file_type().map_err(failed)?;
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if rules.skip(&inside, file_type.is_dir()) {
                continue;
            }
            if file_type.is_dir() {
                if !is_hidden {
                    self.folder(&inside, &rules, texts)?;
                }
            } else if !is_hidden && is_manifest(&inside) && is_file(&inside, file_type)? {
                texts.push(self.file(path, &inside)?);
            }
        }
        Ok(())
    }

    fn file(&self, folder: &Path, path: &Path) -> Result<SourceText, Error> {
        if !real(path)?.starts_with(&self.real) {
            return Err(Error::LinkOutside { path: path.to_owned(), root: self.root.to_owned() });
        }
        Ok(SourceText {
            path: shown(path),
            text: text(path)?,
            base: absolute(folder)?,
            root: self.root.to_owned(),
            role: TextRole::Manifest,
        })
    }
}

/// Whether a file is there, at the end of a link too. A link that leads nowhere is no absence: what was declared there
/// would be taken for removed.
fn is_file(path: &Path, entry: fs::FileType) -> Result<bool, Error> {
    match fs::metadata(path) {
        Ok(facts) => Ok(facts.is_file()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::Read { path: path.to_owned(), source: error })
        }
        Err(_) if entry.is_symlink() => Err(Error::LinkNowhere { path: path.to_owned() }),
        Err(_) => Ok(false),
    }
}

fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// As findings show it: without a leading `./`.
fn shown(path: &Path) -> String {
    path.strip_prefix(".").unwrap_or(path).display().to_string()
}

fn text(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    limited(file, path)
}

fn limited(reader: impl Read, path: &Path) -> Result<String, Error> {
    let mut bytes = vec![];
    reader
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes)
        .map_err(|error| Error::NotUtf8 { path: path.to_owned(), byte: error.utf8_error().valid_up_to() })
}

/// Absolute, links left as they are: the path stays the same when `..data` is exchanged.
fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let absolute =
        std::path::absolute(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    Ok(absolute.components().collect())
}

fn real(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::Read { path: path.to_owned(), source })
}
