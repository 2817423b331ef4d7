//! `man/` is current: a page for the program and one for each command, from the form of the command line.

use crate::golden::{assert_golden, folder};
use clap_mangen::Man;
use std::collections::BTreeSet;

/// What the form of the command line does not know, at the end of bayplan(1).
const MORE: &str = r#".SH EXIT STATUS
.B plan
and
.B drift
end with 0 when there is nothing to do, 2 when there is, 1 after an error; verbs that change something with 0, 1 (before
any change), 3 (steps failed), 4 (declined, or stopped by a guard) or 5 (another writer); a wrong command line with 64.
/usr/share/doc/bayplan/docs/exit\-codes.md has all.
.SH FILES
.TP
.I site.yaml
The manifests that are read when no
.B \-f
names others; without it all of the current folder.
.TP
.I /etc/default/bayplan
Arguments of the daemon that bayplan.service runs.
.TP
.I /var/lib/bayplan
Records of what was declared and applied, and the daemon's socket.
.TP
.I /var/lib/bayplan.data
Roots of containers and images.
.TP
.I /run/bayplan
What containers that run now need.
.SH EXAMPLES
.nf
bayplan init                write a first site.yaml
bayplan plan                what would be done
bayplan apply               do it
bayplan exec web\-1 \-\- sh    a shell inside
bayplan drift               what was changed by hand
.fi
"#;

/// At the end of the others.
const BACK: &str = ".SH SEE ALSO\n.BR bayplan (1)\nhas the exit status, the files, and the options that every command takes.\n";

/// File name and text of every page.
fn pages() -> Vec<(String, String)> {
    let mut form = bayplan::cli::form().disable_help_subcommand(true);
    form.build();
    let commands = form.get_subcommands().filter(|command| !command.is_hide_set());
    let own = commands.map(|command| {
        let name = format!("bayplan-{}", command.get_name());
        let command = command.clone().mut_args(|option| match option.is_global_set() {
            true => option.hide(true),
            false => option,
        });
        (format!("{name}.1"), page(command, &name) + BACK)
    });
    let own: Vec<(String, String)> = own.collect();
    [("bayplan.1".to_owned(), page(form, "bayplan") + MORE)].into_iter().chain(own).collect()
}

fn page(command: clap::Command, name: &str) -> String {
    let man = Man::new(command).title(name.to_uppercase()).source("Bayplan").manual("Bayplan");
    let mut text = vec![];
    man.render(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn the_committed_man_pages_are_current() {
    let pages = pages();
    for (name, text) in &pages {
        assert_golden(&format!("man/{name}"), text);
    }
    let there = std::fs::read_dir(folder("man")).unwrap();
    let there: BTreeSet<String> =
        there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let wanted = pages.into_iter().map(|(name, _)| name).collect();
    assert_eq!(there, wanted, "pages of commands that are gone are removed by hand");
}
