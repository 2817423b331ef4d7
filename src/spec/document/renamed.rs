//! `metadata.renamedFrom`: the name that an object had before.

use super::reader::Reader;
use crate::model::key::{Key, Kind};
use crate::spec::names;
use crate::spec::report::Wrong;
use crate::spec::tree::Node;

pub fn read(metadata: &Node, kind: Kind, reader: &mut Reader) -> Option<Key> {
    let path = "metadata.renamedFrom";
    let node = reader.field(metadata, "renamedFrom", path)?;
    let refused = match kind {
        Kind::Site => Some(("a Site is renamed with `movedFromSite`", "write `movedFromSite` instead")),
        Kind::Host => Some(("a Host is no object of a site: nothing of it is on the host", "remove it")),
        // Its members are renamed; see `sets`.
        Kind::ContainerSet => return None,
        Kind::Image | Kind::StoragePool | Kind::Network | Kind::Secret | Kind::Profile | Kind::Container => {
            None
        }
    };
    if let Some((why, help)) = refused {
        let wrong = Wrong::new("bad-value", format!("a {kind} has no renamedFrom: {why}"));
        reader.report.error(node.mark, wrong.help(help));
        return None;
    }
    let text = reader.text(node, path)?;
    match names::of_kind(kind, &text) {
        Ok(()) => Some(Key::new(kind, text)),
        Err(bad) => {
            reader.bad(node.mark, path, &text, bad);
            None
        }
    }
}
