//! Which steps are right though only a part of the host was looked at (docs/adr/0015).

use super::rollout::is_turn;
use crate::model::step::{Action, Cause, Step};

/// Whether a step is about one container that is there, and gives nothing out: it is right whatever else there is on
/// the host. Ids, addresses, roots, and what several share, are not given or taken on a look at a part; nor is a
/// container's turn in a rollout, in which all of its owner's take part. A verb's own restart waits for no turn.
pub fn is_near(step: &Step) -> bool {
    let by_verb = step.reasons.iter().any(|reason| reason.cause == Cause::Verb);
    match &step.action {
        action if is_turn(action, step.class) && !by_verb => false,
        Action::Start(_)
        | Action::Stop { .. }
        | Action::WaitReady { .. }
        | Action::Freeze { .. }
        | Action::Unfreeze { .. }
        | Action::SetLimits { .. }
        | Action::RepairCgroup { .. }
        | Action::AttachNic { .. }
        | Action::DetachNic { .. }
        | Action::AttachDisk { .. }
        | Action::DetachDisk { .. }
        | Action::AttachPersisted { .. }
        | Action::Supervise { .. }
        | Action::WriteFile { .. }
        | Action::RemoveFile { .. }
        | Action::RunInside { .. }
        | Action::SetEnvironment { .. }
        | Action::Note => true,
        // A hold that begins or ends.
        Action::PutRecord(update) => {
            update.desired.is_none() && update.identity.is_none() && update.adopted.is_none()
        }
        Action::Retire
        | Action::Park { .. }
        | Action::ForgetRecord
        | Action::ImportImage { .. }
        | Action::DeleteImage { .. }
        | Action::EnsurePool { .. }
        | Action::DeletePool
        | Action::Rename { .. }
        | Action::CreateRoot { .. }
        | Action::PrepareRoot { .. }
        | Action::SwapRoot { .. }
        | Action::RestoreRoot { .. }
        | Action::DropRoot { .. }
        | Action::Persist { .. }
        | Action::DeleteRoot { .. }
        | Action::EnsureNetwork(_)
        | Action::DeleteNetwork { .. } => false,
    }
}
