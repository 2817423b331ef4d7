//! Where things are on the host: three roots, never inside one another.

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The folders of one Bayplan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Records, source texts, the socket.
    pub state: PathBuf,
    /// Pools without a source of their own, and the image store.
    pub data: PathBuf,
    /// What does not outlive the machine's uptime: start specs, monitors' sockets, console logs.
    pub run: PathBuf,
    /// Tells this Bayplan's bridges, cgroups and tables from those of others: 8 hexadecimal digits from the state
    /// folder's real path, so that it survives the folder's loss.
    pub tag: String,
}

/// Folders that cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    #[error(
        "the {inner_name} folder {inner} is inside the {outer_name} folder {outer}; choose folders beside one another"
    )]
    Nested { inner_name: &'static str, inner: PathBuf, outer_name: &'static str, outer: PathBuf },
    #[error("cannot tell the real path of {path}")]
    Path {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl Layout {
    /// `data` defaults to the state folder's path with `.data` behind it; the run folder is /run/bayplan/TAG.
    pub fn new(state: &Path, data: Option<&Path>) -> Result<Layout, LayoutError> {
        let state = real_path(state)?;
        let data = match data {
            Some(data) => real_path(data)?,
            None => {
                let mut path = state.clone().into_os_string();
                path.push(".data");
                PathBuf::from(path)
            }
        };
        let tag = hex::encode(&Sha256::digest(state.as_os_str().as_encoded_bytes())[..4]);
        let layout = Layout { run: Path::new("/run/bayplan").join(&tag), state, data, tag };
        layout.check()?;
        Ok(layout)
    }

    /// The image store.
    pub fn images(&self) -> PathBuf {
        self.data.join("images")
    }

    /// The folder of a pool that names no source.
    pub fn pool(&self, name: &str) -> PathBuf {
        self.data.join("pools").join(name)
    }

    fn check(&self) -> Result<(), LayoutError> {
        let roots = [("state", &self.state), ("data", &self.data), ("run", &self.run)];
        for (inner_name, inner) in roots {
            for (outer_name, outer) in roots {
                if inner_name != outer_name && inner.starts_with(outer) {
                    let (inner, outer) = (inner.clone(), outer.clone());
                    return Err(LayoutError::Nested { inner_name, inner, outer_name, outer });
                }
            }
        }
        Ok(())
    }
}

/// The path without symbolic links, as far as it exists.
pub fn real_path(path: &Path) -> Result<PathBuf, LayoutError> {
    let error = |source| LayoutError::Path { path: path.to_owned(), source };
    let absolute = std::path::absolute(path).map_err(error)?;
    let mut missing = vec![];
    let mut existing = absolute.as_path();
    loop {
        match existing.canonicalize() {
            Ok(real) => return Ok(missing.iter().rev().fold(real, |path, name| path.join(name))),
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
                let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else {
                    return Err(error(source));
                };
                missing.push(name.to_owned());
                existing = parent;
            }
            Err(source) => return Err(error(source)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_survives_the_loss_of_the_state_folder() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let before = Layout::new(&state, None).unwrap();
        std::fs::create_dir(&state).unwrap();
        assert_eq!(Layout::new(&state, None).unwrap(), before);
        assert_eq!(before.tag.len(), 8);
    }

    #[test]
    fn folders_inside_one_another_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let error = Layout::new(folder.path(), Some(&folder.path().join("data"))).unwrap_err();
        assert!(error.to_string().contains("is inside the state folder"), "{error}");
    }
}
