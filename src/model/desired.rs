//! What should be: the outcome of loading manifests (or of recalling what was last declared).

use super::key::Key;
use super::object::Object;
use super::origin::Origins;
use std::collections::{BTreeMap, BTreeSet};

/// A valid, resolved declaration: profiles are expanded, references exist, values are normalised.
#[derive(Debug, Clone, Default)]
pub struct Desired {
    /// The apply set's name: the Site document's, else `default`.
    pub site: String,
    pub objects: BTreeMap<Key, Object>,
    /// The keys of `objects` that come from built-in defaults; they belong to `system`, not to the site.
    pub builtin: BTreeSet<Key>,
    /// Keys that must be there and are never changed from here (`external: true`); not among `objects`.
    pub external: BTreeSet<Key>,
    /// The site that an object is taken over from (`movedFromSite`); the Site's own: every object's.
    pub moved_from: BTreeMap<Key, String>,
    /// What an object was called before (`renamedFrom`).
    pub renamed_from: BTreeMap<Key, Key>,
    pub origins: Origins,
}

/// Equality is about the declaration; where it was written takes no part.
impl PartialEq for Desired {
    fn eq(&self, other: &Desired) -> bool {
        self.site == other.site
            && self.objects == other.objects
            && self.builtin == other.builtin
            && self.external == other.external
            && self.moved_from == other.moved_from
            && self.renamed_from == other.renamed_from
    }
}
