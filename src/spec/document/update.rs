//! A container's `update` and `persist`.

use super::files::bad_path;
use super::reader::{Fields, Reader};
use crate::model::object::{ImagePolicy, RestartPolicy, Update};
use crate::spec::report::Wrong;
use crate::spec::tree::Node;

const UPDATE: Fields = Fields { known: &["restart", "image", "keepReplaced"], later: &["window"] };

/// `update: {restart, image, keepReplaced}`.
pub fn read(spec: &Node, reader: &mut Reader) -> Update {
    let default = Update::default();
    let Some(node) = reader.field(spec, "update", "update") else { return default };
    if !reader.mapping(node, "update", &UPDATE) {
        return default;
    }
    let restarts = [RestartPolicy::Ask, RestartPolicy::Allow, RestartPolicy::Deny];
    let images = [ImagePolicy::Keep, ImagePolicy::Replace];
    let restart = reader.field(node, "restart", "update.restart");
    let restart = restart.and_then(|node| {
        reader.choice(node, "update.restart", &restarts.map(|policy| (policy.word(), policy)))
    });
    let image = reader.field(node, "image", "update.image");
    let image = image
        .and_then(|node| reader.choice(node, "update.image", &images.map(|policy| (policy.word(), policy))));
    let keep = reader.field(node, "keepReplaced", "update.keepReplaced");
    let keep = keep.and_then(|node| reader.time_span(node, "update.keepReplaced"));
    Update {
        restart: restart.unwrap_or_default(),
        image: image.unwrap_or_default(),
        keep_replaced: keep.unwrap_or(default.keep_replaced),
    }
}

/// `persist`: folders inside.
pub fn persist(spec: &Node, reader: &mut Reader) -> Vec<String> {
    let Some(node) = reader.field(spec, "persist", "persist") else { return vec![] };
    let mut paths: Vec<String> = vec![];
    for item in reader.list(node, "persist") {
        let Some(text) = reader.text(item, "persist") else { continue };
        match bad_path(&text) {
            Some(wrong) => {
                let wrong = Wrong { message: format!("persist: {}", wrong.message), ..wrong };
                reader.report.error(item.mark, wrong);
            }
            None => {
                reader.marks.insert(format!("persist[{}]", paths.len()), item.mark);
                paths.push(text);
            }
        }
    }
    paths
}
