//! Where main enters the runtime when it was executed by the runtime itself.

use crate::runtime::spawner;
use linux::process::Fork;

/// As the first argument it makes the program one of the runtime's processes.
pub const HIDDEN_WORD: &str = "__runtime";
pub const SPAWNER: &str = "spawner";

/// Runs the process that the arguments after the hidden word name; answers its exit code. The channel is standard
/// input.
pub fn run(arguments: &[String]) -> i32 {
    match arguments {
        [name] if name == SPAWNER => detached_spawner(),
        _ => 2,
    }
}

/// The executed process ends at once, so that its parent has a child to reap and the spawner has no parent to ask.
fn detached_spawner() -> i32 {
    let Ok(channel) = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 3) else { return 1 };
    match linux::process::fork() {
        Ok(Fork::Parent(_)) => 0,
        Ok(Fork::Child) => spawner::serve(&channel),
        Err(_) => 1,
    }
}
