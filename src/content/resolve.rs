//! Where a content is → its bytes, read anew each time. Secrets are read by this process: its own files, environment
//! and credentials.

use crate::model::content::{Content, SecretSource, SecretValue, SourceFile};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most bytes of a file beside a manifest, and of a secret.
const LONGEST_FILE: u64 = 64 << 20;
const LONGEST_SECRET: u64 = 1 << 20;

/// Why a content cannot be had; shows nothing of it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{what} cannot be read")]
    Read {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("{what} is not there")]
    Missing { what: String },
    #[error("{what} is no regular file")]
    NoFile { what: String },
    #[error("{what} has more than {most} bytes")]
    TooLarge { what: String, most: u64 },
    #[error("{what} leads out of the source's folder")]
    Outside { what: String },
    #[error("{what}: this process has no $CREDENTIALS_DIRECTORY; let its unit say LoadCredential=")]
    NoCredentials { what: String },
    #[error("{what} cannot be a variable: it holds {found}")]
    NoVariable { what: String, found: &'static str },
}

impl Error {
    /// The whole chain in a line.
    pub fn text(&self) -> String {
        match self {
            Error::Read { source, .. } => format!("{self}: {source}"),
            other => other.to_string(),
        }
    }
}

/// A content that is there.
pub enum Source {
    Bytes(SecretValue),
    File(SourceOpen),
}

/// A file that holds a content, open and not read yet.
pub struct SourceOpen {
    pub file: File,
    most: u64,
    what: String,
}

/// The bytes of a content as they are now.
pub fn value(content: &Content) -> Result<SecretValue, Error> {
    let value = match source(content)? {
        Source::Bytes(value) => value,
        Source::File(open) => open.read()?,
    };
    if matches!(content, Content::Variable(_)) {
        variable(content, &value)?;
    }
    Ok(value)
}

/// Finds a content.
pub fn source(content: &Content) -> Result<Source, Error> {
    let what = content.to_string();
    let (file, most) = match content {
        Content::Text(text) => return Ok(Source::Bytes(SecretValue::new(text.clone().into_bytes()))),
        Content::File(file) => (beside(file, &what)?, LONGEST_FILE),
        Content::Secret(secret) | Content::Variable(secret) => match &secret.from {
            SecretSource::File(path) => (open(path, &what)?, LONGEST_SECRET),
            SecretSource::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
                let folder = folder.ok_or_else(|| Error::NoCredentials { what: what.clone() })?;
                (open(&PathBuf::from(folder).join(name), &what)?, LONGEST_SECRET)
            }
            SecretSource::Env(name) => {
                use std::os::unix::ffi::OsStringExt;
                let value = std::env::var_os(name).ok_or(Error::Missing { what })?;
                return Ok(Source::Bytes(SecretValue::new(value.into_vec())));
            }
        },
    };
    Ok(Source::File(SourceOpen { file, most, what }))
}

/// A secret as a variable's value: one newline at its end is no part of it.
pub fn variable(content: &Content, value: &SecretValue) -> Result<SecretValue, Error> {
    let bytes = value.expose();
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let refused = |found| Error::NoVariable { what: content.to_string(), found };
    if bytes.contains(&0) {
        return Err(refused("a zero byte"));
    }
    if std::str::from_utf8(bytes).is_err() {
        return Err(refused("bytes that are no UTF-8"));
    }
    Ok(SecretValue::new(bytes.to_vec()))
}

/// Below the source's folder, whatever links are on the way.
fn beside(file: &SourceFile, what: &str) -> Result<File, Error> {
    let failed = |source: rustix::io::Errno| failed(source.into(), what);
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, &file.root, folder, Mode::empty()).map_err(failed)?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match openat2(&root, &file.path, READ, Mode::empty(), resolve) {
        Ok(open) => Ok(File::from(open)),
        Err(rustix::io::Errno::XDEV) => Err(Error::Outside { what: what.to_owned() }),
        Err(error) => Err(failed(error)),
    }
}

/// NONBLOCK: a pipe must not hold us up.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn open(path: &Path, what: &str) -> Result<File, Error> {
    openat(CWD, path, READ, Mode::empty()).map(File::from).map_err(|source| failed(source.into(), what))
}

fn failed(source: io::Error, what: &str) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::Missing { what: what.to_owned() },
        _ => Error::Read { what: what.to_owned(), source },
    }
}

impl SourceOpen {
    pub fn read(&self) -> Result<SecretValue, Error> {
        let (what, most) = (&self.what, self.most);
        let facts = self.file.metadata().map_err(|source| failed(source, what))?;
        if !facts.is_file() {
            return Err(Error::NoFile { what: what.clone() });
        }
        // Whole from the start: growing would leave copies behind.
        let mut bytes = Vec::with_capacity(usize::try_from(facts.len().min(most) + 2).unwrap_or(0));
        let value = (&self.file).take(most + 1).read_to_end(&mut bytes);
        let bytes = SecretValue::new(bytes);
        value.map_err(|source| failed(source, what))?;
        if bytes.expose().len() as u64 > most {
            return Err(Error::TooLarge { what: what.clone(), most });
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::content::SecretRef;

    fn secret(from: SecretSource) -> Content {
        Content::Secret(SecretRef { name: None, from })
    }

    #[test]
    fn a_link_that_leads_out_of_the_source_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("source");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(folder.path().join("outside"), "x").unwrap();
        std::fs::write(root.join("inside"), "y").unwrap();
        std::os::unix::fs::symlink("../outside", root.join("out")).unwrap();
        std::os::unix::fs::symlink("inside", root.join("in")).unwrap();
        let file = |path: &str| Content::File(SourceFile { root: root.clone(), path: path.into() });
        assert_eq!(value(&file("in")).unwrap().expose(), b"y");
        assert!(matches!(value(&file("out")), Err(Error::Outside { .. })));
        assert!(matches!(value(&file("missing")), Err(Error::Missing { .. })));
        assert!(matches!(value(&file(".")), Err(Error::NoFile { .. })));
    }

    #[test]
    fn a_secret_file_is_whole_as_a_file_and_without_its_newline_as_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "abc\n").unwrap();
        let content = secret(SecretSource::File(path.clone()));
        assert_eq!(value(&content).unwrap().expose(), b"abc\n");
        let variable_now = || variable(&content, &value(&content).unwrap());
        assert_eq!(variable_now().unwrap().expose(), b"abc");
        std::fs::write(&path, b"a\0b").unwrap();
        assert!(matches!(variable_now(), Err(Error::NoVariable { .. })));
        std::fs::remove_file(&path).unwrap();
        let error = value(&content).unwrap_err().text();
        assert!(error.contains("is not there") && error.contains("token"), "{error}");
    }

    #[test]
    fn a_pipe_is_no_secret_and_holds_nobody_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(value(&secret(SecretSource::File(path))), Err(Error::NoFile { .. })));
    }
}
