//! parse → run → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The runtime's own processes are this program too; nothing may come before them.
    if std::env::args_os().nth(1).is_some_and(|word| word == bayplan::runtime::entry::HIDDEN_WORD) {
        let arguments: Vec<String> = std::env::args().skip(2).collect();
        std::process::exit(bayplan::runtime::entry::run(&arguments));
    }
    bayplan::cli::run(std::env::args_os())
}
