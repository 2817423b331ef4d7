//! What is told of a step that failed: the error without the key, which stands beside it, and the line of the manifest
//! that the step comes from. PURE.

use super::plan::Plan;
use super::render::object::written;
use super::report::Failure;
use crate::model::key::Key;
use crate::model::step::{Action, Cause, Step};

/// `chain`: the error and its causes; `field`: what they are about, where the step is about more.
pub fn failure(
    plan: &Plan,
    step: &Step,
    chain: Vec<String>,
    field: Option<&str>,
    help: Option<String>,
) -> Failure {
    let field = field.map_or_else(|| field_of(step), str::to_owned);
    let origin = plan.objects.get(&step.key).and_then(|change| written(change, &field));
    Failure {
        chain: chain.iter().map(|text| without_key(text, &step.key)).collect(),
        place: origin.and_then(|origin| origin.place.clone()),
        help,
    }
}

/// The field that a step is about; empty: the whole object.
fn field_of(step: &Step) -> String {
    let word = match &step.action {
        Action::WriteFile { file, .. } => return format!("files.{}", file.path),
        Action::RemoveFile { path, .. } => return format!("files.{path}"),
        Action::RunInside { files, .. } => match files.first() {
            Some(path) => return format!("files.{path}.onChange"),
            None => "files",
        },
        Action::AttachNic { nic, .. } => return format!("devices.{}", nic.device),
        Action::AttachDisk { disk, .. } | Action::DetachDisk { disk, .. } => {
            return format!("devices.{}", disk.device);
        }
        Action::DetachNic { device, .. } => return format!("devices.{device}"),
        Action::Persist { .. } | Action::AttachPersisted { .. } => "persist",
        Action::WaitReady { .. } => "ready",
        Action::ImportImage { .. } => "source",
        Action::CreateRoot { .. } | Action::PrepareRoot { .. } | Action::SwapRoot { .. } => "image",
        Action::Stop { .. } | Action::Freeze { .. } | Action::Unfreeze { .. } => "state",
        Action::Start(_) => "",
        _ => {
            let is_change = |cause| matches!(cause, Cause::Change | Cause::ChangeAndDrift);
            let changed = step.reasons.iter().find(|reason| is_change(reason.cause));
            return changed.map_or(String::new(), |reason| reason.field.clone());
        }
    };
    word.to_owned()
}

/// `container/web-1: no content` → `no content`, `container/web-1 is not ready` → `it is not ready`.
fn without_key(text: &str, key: &Key) -> String {
    let rest = text.strip_prefix(&key.to_string());
    let plain = rest.and_then(|rest| rest.strip_prefix(": ")).map(str::to_owned);
    let told = || rest.filter(|rest| rest.starts_with(' ')).map(|rest| format!("it{rest}"));
    plain.or_else(told).unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_its_key_no_second_time_and_another_ones_once() {
        let key = Key::container("web");
        let table = [
            ("container/web: no content", "no content"),
            ("container/web is not ready", "it is not ready"),
            ("container/web-2: no content", "container/web-2: no content"),
            ("no content", "no content"),
        ];
        for (text, wanted) in table {
            assert_eq!(without_key(text, &key), wanted);
        }
    }
}
