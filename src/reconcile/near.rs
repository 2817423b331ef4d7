//! Which steps are right though only a part of the host was looked at (docs/adr/0019).

use crate::model::step::{Action, Step};

/// Whether a step is about one container that is there, and gives nothing out: it is right whatever else there is on
/// the host. Ids, addresses, roots, and what several share, are not given or taken on a look at a part.
pub fn is_near(step: &Step) -> bool {
    match &step.action {
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
        | Action::CreateRoot { .. }
        | Action::DeleteRoot { .. }
        | Action::EnsureNetwork(_)
        | Action::DeleteNetwork { .. } => false,
    }
}
