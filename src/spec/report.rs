//! The findings of a load as they are collected.

use super::tree::Mark;
use crate::model::finding::{Finding, Severity};
use crate::model::key::Key;
use crate::model::origin::Place;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Collects findings; the same thing said twice about the same place is kept once.
pub struct Report {
    files: Vec<Arc<str>>,
    findings: Vec<Finding>,
    seen: BTreeSet<(Option<Mark>, String)>,
    /// The object that is being read.
    pub key: Option<Key>,
    /// Scalars whose placeholders could not be filled: nothing else is said about them.
    spoiled: BTreeSet<(Option<Key>, Mark)>,
    /// Scalar → where the values of its placeholders were written; a set's member has its own.
    fills: BTreeMap<(Option<Key>, Mark), Vec<Mark>>,
    /// Member → its set.
    members: BTreeMap<Key, Key>,
    /// Objects that are declared, but by a document that says too little.
    unread: BTreeSet<Key>,
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
    pub fn new(files: impl IntoIterator<Item = Arc<str>>) -> Report {
        Report {
            files: files.into_iter().collect(),
            findings: vec![],
            seen: BTreeSet::new(),
            key: None,
            spoiled: BTreeSet::new(),
            fills: BTreeMap::new(),
            members: BTreeMap::new(),
            unread: BTreeSet::new(),
        }
    }

    /// An empty one about the same files.
    pub fn scratch(&self) -> Report {
        Report::new(self.files.clone())
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
        if mark.is_some_and(|mark| self.is_spoiled(mark)) {
            return;
        }
        let filled: Vec<String> = mark
            .iter()
            .flat_map(|mark| self.filled(*mark))
            .map(|mark| self.place(*mark).to_string())
            .collect();
        if !self.seen.insert((mark, self.identity(&wrong.message, &filled))) {
            return;
        }
        let Wrong { code, message, mut help } = wrong;
        if !filled.is_empty() {
            let values = format!("what is filled in stands at {}", filled.join(", "));
            help = Some(help.map_or(values.clone(), |help| format!("{help}; {values}")));
        }
        let place = mark.map(|mark| self.place(mark));
        self.findings.push(Finding { severity, code, place, key: self.key.clone(), message, help });
    }

    /// What makes a finding another one at the same place. What is wrong with a set's template is said for one member.
    fn identity(&self, message: &str, filled: &[String]) -> String {
        match &self.key {
            Some(key) if self.members.contains_key(key) => {
                format!("{}{}", message.replace(&key.name, "{}"), filled.join(" "))
            }
            _ => message.to_owned(),
        }
    }

    /// Nothing else is to be said about this scalar.
    pub fn spoil(&mut self, mark: Mark) {
        self.spoiled.insert((self.own_member(), mark));
    }

    fn is_spoiled(&self, mark: Mark) -> bool {
        !self.spoiled.is_empty()
            && (self.spoiled.contains(&(self.own_member(), mark)) || self.spoiled.contains(&(None, mark)))
    }

    /// The object that is being read, if it is a set's member: it has values of its own where others have one.
    fn own_member(&self) -> Option<Key> {
        self.key.clone().filter(|key| self.members.contains_key(key))
    }

    /// The scalar's placeholders have values from these places.
    pub fn fill(&mut self, mark: Mark, values: &[Mark]) {
        if !values.is_empty() {
            self.fills.insert((self.own_member(), mark), values.to_vec());
        }
    }

    /// Where the values of a scalar's placeholders were written.
    pub fn filled(&self, mark: Mark) -> &[Mark] {
        if self.fills.is_empty() {
            return &[];
        }
        let member = self.fills.get(&(self.key.clone(), mark));
        member.or_else(|| self.fills.get(&(None, mark))).map_or(&[], Vec::as_slice)
    }

    /// The places of [`Report::filled`].
    pub fn filled_places(&self, mark: Mark) -> Vec<Place> {
        self.filled(mark).iter().map(|mark| self.place(*mark)).collect()
    }

    /// This container comes from this set.
    pub fn member(&mut self, member: Key, set: Key) {
        self.members.insert(member, set);
    }

    /// The object has a document, and what is wrong with that is said: those that refer to it are right to.
    pub fn unread(&mut self, key: Key) {
        self.unread.insert(key);
    }

    pub fn is_unread(&self, key: &Key) -> bool {
        self.unread.contains(key)
    }

    pub fn place(&self, mark: Mark) -> Place {
        let file = self.files.get(mark.file as usize).map_or_else(|| Arc::from(""), Arc::clone);
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

    /// Adds what was found for each of several hosts: once what all have, else with the hosts that have it.
    pub fn merge(&mut self, hosts: Vec<(String, Vec<Finding>)>) {
        let count = hosts.len();
        let mut merged: BTreeMap<_, (Finding, Vec<String>)> = BTreeMap::new();
        let identity =
            |finding: &Finding| (finding.place.clone(), finding.message.clone(), finding.help.clone());
        for (host, findings) in hosts {
            for finding in findings {
                merged.entry(identity(&finding)).or_insert((finding, vec![])).1.push(host.clone());
            }
        }
        let known: BTreeSet<_> = self.findings.iter().map(identity).collect();
        for (identity, (mut finding, names)) in merged {
            if names.len() < count {
                finding.message.push_str(&format!(" (on host {})", names.join(", ")));
            }
            if !known.contains(&identity) {
                self.findings.push(finding);
            }
        }
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
