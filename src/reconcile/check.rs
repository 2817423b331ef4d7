//! Findings that need the host.

use crate::model::desired::Desired;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The host paths that the load needs: disk sources that are required, and folders of images. The caller says in
/// [`super::goal::PlanOptions::missing_paths`] which of them are not there.
pub fn paths_to_check(_desired: &Desired) -> BTreeSet<PathBuf> {
    BTreeSet::new()
}
