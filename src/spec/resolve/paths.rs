//! Host paths: relative ones belong to the manifest's folder and stay inside the source's root.

use crate::model::content::SourceFile;
use crate::spec::SourceText;
use crate::spec::report::Wrong;
use crate::spec::tree::Mark;
use std::path::{Component, Path, PathBuf};

/// The folders of the texts of a load.
pub struct Folders<'t> {
    pub texts: &'t [SourceText],
}

impl Folders<'_> {
    /// A file beside the manifest, inside the source's folder; `text` is relative. By its text alone: that no link
    /// leads out is seen to where it is opened.
    pub fn beside(&self, mark: Mark, text: &str) -> Result<SourceFile, Wrong> {
        let whole =
            self.resolve(mark, text).map_err(|wrong| wrong.help("keep it inside the source's folder"))?;
        let whole = PathBuf::from(whole);
        let root = self.texts.get(mark.file as usize).map(|source| tidy(&source.root));
        let root = root.unwrap_or_else(|| PathBuf::from("/"));
        let path = whole.strip_prefix(&root).unwrap_or(&whole).to_owned();
        Ok(SourceFile { root, path })
    }

    /// The absolute form of a host path written at `mark`. By its text alone: symlinks are the driver's affair.
    pub fn resolve(&self, mark: Mark, text: &str) -> Result<String, Wrong> {
        let path = Path::new(text);
        if path.is_absolute() {
            return Ok(tidy(path).to_string_lossy().into_owned());
        }
        let Some(source) = self.texts.get(mark.file as usize) else {
            return Err(Wrong::new("bad-value", format!("`{text}` must be an absolute path")));
        };
        let whole = tidy(&source.base.join(path));
        if !whole.starts_with(tidy(&source.root)) {
            let message = format!("`{text}` leads out of the source's folder");
            let help = format!("keep it inside {}, or write an absolute path", source.root.display());
            return Err(Wrong::new("path-escape", message).help(help));
        }
        Ok(whole.to_string_lossy().into_owned())
    }
}

/// Without `.` and `..`; `..` at the root stays at the root, as in a path lookup.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => drop(tidy.pop()),
            other => tidy.push(other),
        }
    }
    tidy
}
