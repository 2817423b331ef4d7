//! parse → run → exit code.

fn main() {
    // The runtime's own processes are this program too; nothing may come before them.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == bayplan::runtime::entry::HIDDEN_WORD) {
        std::process::exit(bayplan::runtime::entry::run(&arguments[1..]));
    }
}
