//! Exit codes: the same here, in docs/exit-codes.md and in the tests.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// An error before anything was changed.
    Error,
    /// plan and drift: there is something to do.
    Changes,
    /// Steps failed, something is broken or not ready, or Ctrl-C came after the first step.
    Incomplete,
    /// Declined by the user, stopped by a guard, or Ctrl-C before the first step.
    Declined,
    /// Another writer holds the state folder.
    Locked,
    /// The command line is wrong.
    Usage,
    /// Nobody reads the result any more: as SIGPIPE ends others.
    Unread,
    /// exec and shell: the command's own status.
    Command(u8),
}

/// exec and shell: Bayplan itself failed.
pub const EXEC_FAILED: u8 = 125;

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Changes => 2,
            Exit::Incomplete => 3,
            Exit::Declined => 4,
            Exit::Locked => 5,
            Exit::Usage => 64,
            Exit::Unread => 141,
            Exit::Command(status) => status,
        })
    }
}
