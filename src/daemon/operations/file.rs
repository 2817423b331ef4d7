//! What a declared file inside a container holds now, as a text. Never a secret's.

use super::inside::refuse_other_kinds;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{FileRequest, FileText};
use crate::daemon::wiring::Bay;
use crate::model::content::{Content, SecretSource};
use crate::model::object::{Object, Spec};
use crate::model::record::Record;
use crate::store::Records;
use crate::store::files::FileRecords;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The most bytes that are answered: what goes into a manifest is no more than a template has.
const MOST: u64 = 1 << 20;

impl Bay {
    /// Read from the container's root, running or stopped.
    pub fn file_text(&self, request: &FileRequest) -> Result<FileText, Failure> {
        let FileRequest { key, path } = request;
        refuse_other_kinds(key)?;
        let host = |error: &dyn std::error::Error| Failure::from_error(FailureKind::Host, error);
        let record = FileRecords::new(&self.places.state).get(key).map_err(|error| host(&error))?;
        let record = record.ok_or_else(|| self.unknown(key, None))?;
        let contents: Vec<&Content> = objects(&record).filter_map(|object| content(object, path)).collect();
        let refused = |why: String| Failure::new(FailureKind::Refused, format!("{key}: {path} {why}"));
        if contents.is_empty() {
            return Err(refused("is not among its files".to_owned()));
        }
        let secrets = self.secret_files()?;
        if contents.iter().any(|content| is_secret(content, &secrets)) {
            return Err(refused("is a secret's".to_owned()));
        }
        let Some(native) = self.native() else {
            let text = self.modelled().and_then(|memory| memory.text_inside(key, path));
            let text = text.ok_or_else(|| refused("is modelled, without a content".to_owned()))?;
            return Ok(FileText { text });
        };
        let bytes = native.file_content(key, &record, path, MOST).map_err(|error| host(&error))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(FileText { text }),
            Err(error) => {
                let byte = error.utf8_error().valid_up_to();
                Err(refused(format!("is no text: byte {byte} begins no character")))
            }
        }
    }

    /// The files that hold a secret of any object, at the end of their links.
    fn secret_files(&self) -> Result<BTreeSet<PathBuf>, Failure> {
        let records = FileRecords::new(&self.places.state).all();
        let records = records.map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        let objects = records.values().flat_map(objects);
        let places = objects.flat_map(|object| object.spec.secrets());
        let files = places.filter_map(|place| match place {
            SecretSource::File(path) => Some(real(path)),
            _ => None,
        });
        Ok(files.collect())
    }
}

/// Declared, and established.
fn objects(record: &Record) -> impl Iterator<Item = &Object> {
    record.desired.iter().chain(record.applied.iter().map(|applied| &applied.object))
}

/// Also where a file beside manifests is a secret's own.
fn is_secret(content: &Content, secrets: &BTreeSet<PathBuf>) -> bool {
    match content {
        Content::Text(_) => false,
        Content::File(file) => secrets.contains(&real(&file.root.join(&file.path))),
        Content::Secret(_) | Content::Variable(_) => true,
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn content<'o>(object: &'o Object, path: &str) -> Option<&'o Content> {
    match &object.spec {
        Spec::Container(container) => container.files.get(path).map(|file| &file.from),
        _ => None,
    }
}
