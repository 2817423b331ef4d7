//! A Site's `rollout`.

use super::prune::share;
use super::reader::{Fields, Reader};
use crate::model::rollout::Rollout;
use crate::model::share::Share;
use crate::spec::report::Wrong;
use crate::spec::tree::Node;

const FIELDS: Fields = Fields { known: &["maxUnavailable", "waitReady", "stopOnFailure"], later: &[] };

/// `rollout: {maxUnavailable, waitReady, stopOnFailure}`.
pub fn read(node: &Node, reader: &mut Reader) -> Rollout {
    let default = Rollout::default();
    if !reader.mapping(node, "rollout", &FIELDS) {
        return default;
    }
    let most = reader.field(node, "maxUnavailable", "rollout.maxUnavailable");
    let most = most.and_then(|node| max_unavailable(node, reader));
    let mut flag = |name: &str| {
        let path = format!("rollout.{name}");
        reader.field(node, name, &path).and_then(|node| reader.flag(node, &path))
    };
    Rollout {
        wait_ready: flag("waitReady").unwrap_or(default.wait_ready),
        stop_on_failure: flag("stopOnFailure").unwrap_or(default.stop_on_failure),
        max_unavailable: most.unwrap_or(default.max_unavailable),
    }
}

fn max_unavailable(node: &Node, reader: &mut Reader) -> Option<Share> {
    let most = share(node, "rollout.maxUnavailable", reader)?;
    if most == Share::Number(0) {
        let wrong = Wrong::new("bad-value", "rollout.maxUnavailable is 0: nothing could ever be restarted");
        reader.report.error(node.mark, wrong.help("write 1 or more"));
        return None;
    }
    Some(most)
}
