//! The findings of a load as they are collected.

use super::tree::Mark;
use crate::model::finding::{Finding, Severity};
use crate::model::key::Key;
use crate::model::origin::Place;
use std::collections::BTreeSet;

/// Collects findings; the same thing said twice about the same place is kept once.
pub struct Report {
    files: Vec<String>,
    findings: Vec<Finding>,
    seen: BTreeSet<(Option<Mark>, String)>,
    /// The object that is being read.
    pub key: Option<Key>,
}

/// What is wrong, apart from where.
pub struct Wrong {
    pub code: &'static str,
    pub message: String,
    pub help: Option<String>,
}

impl Wrong {
    pub fn new(code: &'static str, message: impl Into<String>) -> Wrong {
        Wrong { code, message: message.into(), help: None }
    }

    pub fn help(mut self, help: impl Into<String>) -> Wrong {
        self.help = Some(help.into());
        self
    }

    pub fn maybe_help(mut self, help: Option<String>) -> Wrong {
        self.help = help;
        self
    }
}

impl Report {
    pub fn new(files: Vec<String>) -> Report {
        Report { files, findings: vec![], seen: BTreeSet::new(), key: None }
    }

    pub fn error(&mut self, mark: Mark, wrong: Wrong) {
        self.push(Some(mark), Severity::Error, wrong);
    }

    pub fn warning(&mut self, mark: Mark, wrong: Wrong) {
        self.push(Some(mark), Severity::Warning, wrong);
    }

    /// An error that has no place in a text.
    pub fn error_nowhere(&mut self, wrong: Wrong) {
        self.push(None, Severity::Error, wrong);
    }

    fn push(&mut self, mark: Option<Mark>, severity: Severity, wrong: Wrong) {
        if !self.seen.insert((mark, wrong.message.clone())) {
            return;
        }
        let Wrong { code, message, help } = wrong;
        let place = mark.map(|mark| self.place(mark));
        self.findings.push(Finding { severity, code, place, key: self.key.clone(), message, help });
    }

    pub fn place(&self, mark: Mark) -> Place {
        let file = self.files.get(mark.file as usize).cloned().unwrap_or_default();
        Place { file, line: mark.line, column: mark.column }
    }

    /// The mark of a place, if it is in this load.
    pub fn mark(&self, place: &Place) -> Option<Mark> {
        let file = self.files.iter().position(|file| *file == place.file)?;
        Some(Mark { file: u32::try_from(file).ok()?, line: place.line, column: place.column })
    }

    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All findings in the order of their places.
    pub fn into_findings(mut self) -> Vec<Finding> {
        let files = self.files;
        self.findings.sort_by_key(|finding| {
            finding.place.as_ref().map(|place| {
                let file = files.iter().position(|file| *file == place.file);
                (file, place.line, place.column)
            })
        });
        self.findings
    }
}
