//! What a declared file inside a container holds now, as a text. Never a secret's.

use super::inside::refuse_other_kinds;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::{FileRequest, FileText};
use crate::daemon::wiring::Bay;
use crate::model::content::Content;
use crate::model::object::{Object, Spec};
use crate::store::Records;
use crate::store::files::FileRecords;

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
        let objects = [record.desired.as_ref(), record.applied.as_ref().map(|applied| &applied.object)];
        let contents: Vec<&Content> =
            objects.into_iter().flatten().filter_map(|object| content(object, path)).collect();
        let refused = |why: String| Failure::new(FailureKind::Refused, format!("{key}: {path} {why}"));
        if contents.is_empty() {
            return Err(refused("is not among its files".to_owned()));
        }
        if contents.iter().any(|content| matches!(content, Content::Secret(_) | Content::Variable(_))) {
            return Err(refused("is a secret's".to_owned()));
        }
        let native = self.native().ok_or_else(|| refused("is modelled, without a content".to_owned()))?;
        let bytes = native.file_content(key, &record, path, MOST).map_err(|error| host(&error))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(FileText { text }),
            Err(error) => {
                let byte = error.utf8_error().valid_up_to();
                Err(refused(format!("is no text: byte {byte} begins no character")))
            }
        }
    }
}

fn content<'o>(object: &'o Object, path: &str) -> Option<&'o Content> {
    match &object.spec {
        Spec::Container(container) => container.files.get(path).map(|file| &file.from),
        _ => None,
    }
}
