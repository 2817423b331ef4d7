//! Plans and reports for people (text) and machines (JSON).

use super::plan::Plan;
use super::report::Report;
use crate::model::step::{Action, StopHow};

/// How text is shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct TextOptions {
    /// ANSI colours.
    pub colour: bool,
    /// Each step with its class, reasons and order, besides the objects.
    pub steps: bool,
}

/// A plan as text; the last line is the summary.
pub fn plan_text(_plan: &Plan, _options: TextOptions) -> String {
    String::new()
}

/// A plan as JSON: its fields, with `summary` and `empty`.
pub fn plan_json(_plan: &Plan) -> serde_json::Value {
    serde_json::Value::Null
}

/// A report as text: what failed and why, what waits; the last line is the summary.
pub fn report_text(_report: &Report, _options: TextOptions) -> String {
    String::new()
}

/// A step in a few words: `start`, `attach nic eth0`.
pub fn step_words(action: &Action) -> String {
    match action {
        Action::PutRecord(_) => "record".to_owned(),
        Action::ForgetRecord => "forget".to_owned(),
        Action::Note => "note".to_owned(),
        Action::ImportImage { .. } => "import image".to_owned(),
        Action::DeleteImage { .. } => "delete image".to_owned(),
        Action::EnsurePool { .. } => "make pool".to_owned(),
        Action::DeletePool => "delete pool".to_owned(),
        Action::CreateRoot { .. } => "create root".to_owned(),
        Action::DeleteRoot { .. } => "delete root".to_owned(),
        Action::EnsureNetwork(_) => "set up network".to_owned(),
        Action::DeleteNetwork { .. } => "delete network".to_owned(),
        Action::Start(_) => "start".to_owned(),
        Action::Stop { how: StopHow::Clean { .. }, .. } => "stop".to_owned(),
        Action::Stop { how: StopHow::Forced, .. } => "kill".to_owned(),
        Action::Freeze { .. } => "freeze".to_owned(),
        Action::Unfreeze { .. } => "unfreeze".to_owned(),
        Action::SetLimits { .. } => "set limits".to_owned(),
        Action::RepairCgroup { .. } => "repair cgroup".to_owned(),
        Action::AttachNic { nic, .. } => format!("attach nic {}", nic.device),
        Action::DetachNic { device, .. } => format!("detach nic {device}"),
        Action::AttachDisk { disk, .. } => format!("attach disk {}", disk.device),
        Action::DetachDisk { disk, .. } => format!("detach disk {}", disk.device),
        Action::Supervise { .. } => "supervise".to_owned(),
        Action::WaitReady { .. } => "wait until ready".to_owned(),
    }
}
