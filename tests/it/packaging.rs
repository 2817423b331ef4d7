//! What can be known of the Debian package without building it; tools/test-deb.sh installs it in a VM.

use crate::golden::folder;
use std::process::Command;

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

/// Runs a program if this machine has it.
fn run(program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    match Command::new(program).args(arguments).current_dir(folder("packaging")).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        said => {
            let said = said.unwrap();
            Some((said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned()))
        }
    }
}

#[test]
fn the_maintainer_scripts_are_programs_that_a_plain_shell_reads() {
    for script in SCRIPTS {
        let (read, complaint) = run("sh", &["-n", script]).expect("a shell");
        assert!(read, "{script}: {complaint}");
        let file = std::fs::metadata(folder("packaging").join(script)).unwrap();
        assert!(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o111 != 0, "{script}");
    }
}

#[test]
fn systemd_understands_every_line_of_the_units() {
    for unit in ["bayplan.service", "bayplan-containers.service"] {
        // The program need not be installed here; every other complaint counts.
        let Some((good, said)) =
            run("systemd-analyze", &["verify", "--man=no", "--recursive-errors=no", unit])
        else {
            return;
        };
        let complaints: Vec<&str> =
            said.lines().filter(|line| line.contains(unit) && !line.contains("is not executable")).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        assert!(good || said.contains("is not executable"), "{said}");
    }
}

#[test]
fn the_units_run_commands_that_there_are() {
    for unit in ["bayplan.service", "bayplan-containers.service"] {
        let text = std::fs::read_to_string(folder("packaging").join(unit)).unwrap();
        let mut runs = 0;
        for line in text.lines() {
            let Some((_, command)) = line.split_once("=/usr/bin/") else { continue };
            let words: Vec<&str> = command.split(' ').filter(|word| !word.starts_with('$')).collect();
            let parsed = bayplan::cli::form().try_get_matches_from(&words);
            let matches = parsed.unwrap_or_else(|error| panic!("{unit}: {line}\n{error}"));
            // What is no command is taken as one of a later version.
            let verb = matches.subcommand_name().unwrap();
            assert!(bayplan::cli::form().find_subcommand(verb).is_some(), "{unit}: {line}");
            runs += 1;
        }
        assert_eq!(runs, 1, "{unit}");
    }
}
