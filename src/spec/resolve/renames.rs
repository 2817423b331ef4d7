//! `renamedFrom` names what is no longer there, once.

use super::Resolution;
use crate::model::key::Key;
use crate::spec::report::{Report, Wrong};
use std::collections::BTreeMap;

pub fn check(resolution: &Resolution, report: &mut Report) {
    let mut seen: BTreeMap<&Key, &Key> = BTreeMap::new();
    for (key, former) in &resolution.desired.renamed_from {
        let Some(document) = resolution.documents.get(key) else { continue };
        report.key = Some(key.clone());
        let mark = document.mark_of("metadata.renamedFrom");
        let mut wrong = |message: String, help: String| {
            report.error(mark, Wrong::new("bad-rename", message).help(help));
        };
        if former == key {
            wrong(
                format!("{key} is renamed from itself"),
                "name what it was called before, or remove it".to_owned(),
            );
        } else if resolution.documents.contains_key(former) {
            let help = match resolution.desired.renamed_from.contains_key(former) {
                true => format!("rename {former} first, and {key} by a later apply"),
                false => format!("remove {former}, or the renamedFrom"),
            };
            wrong(format!("{key} is renamed from {former}, which is declared too"), help);
        } else if let Some(other) = seen.insert(former, key) {
            wrong(
                format!("{other} and {key} are both renamed from {former}"),
                "only one of them was it".to_owned(),
            );
        }
    }
    report.key = None;
}
