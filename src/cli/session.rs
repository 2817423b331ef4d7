//! What every verb has: where things are, how to print, whom to ask.

use super::args::{DriverArg, Global};
use super::output::{Chatter, Output};
use crate::daemon::wiring::{DriverName, Places};
use std::time::Duration;

/// One command's surroundings.
pub struct Session {
    pub places: Places,
    /// `--host`: for pure commands the Host document to render for.
    pub host: Option<String>,
    pub out: Output,
    /// How long to wait for another writer.
    pub wait: Duration,
    /// `apply by root`: records name who wrote them.
    pub user: String,
}

impl Session {
    pub fn new(global: Global) -> Session {
        let driver = match global.driver {
            DriverArg::Native => DriverName::Native,
            DriverArg::Memory => DriverName::Memory,
        };
        let chatter = if global.quiet { Chatter::Quiet } else { Chatter::Progress };
        Session {
            places: Places { state: global.state_dir, data: global.data_dir, driver },
            host: global.host,
            out: Output::new(global.output, chatter),
            wait: Duration::from_secs(global.wait),
            user: user(),
        }
    }

    /// Who does what: `apply by root`.
    pub fn actor(&self, verb: &str) -> String {
        format!("{verb} by {}", self.user)
    }
}

fn user() -> String {
    let uid = nix::unistd::getuid();
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}
