//! `man`: the manual pages, made from the form of the command line.

use super::args::Line;
use super::exit::Exit;
use super::failure::Usage;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::source;
use clap::CommandFactory;
use clap_mangen::Man;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The page of this command [default: the page of bayplan itself]
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
    /// Write all pages into this folder (/usr/local/share/man/man1), over those of an earlier version
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

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

pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let pages = pages()?;
    if let Some(folder) = &args.dir {
        let failed = |error: source::Error| Failure::from_error(FailureKind::Host, &error);
        source::create_folder(folder).map_err(failed)?;
        for (name, text) in &pages {
            let path = folder.join(name);
            let write = if path.exists() { source::write } else { source::create };
            write(&path, text).map_err(failed)?;
        }
        return Ok(Exit::Done);
    }
    let name = args.command.as_ref().map_or("bayplan.1".to_owned(), |command| format!("bayplan-{command}.1"));
    let page = pages.iter().find(|(file, _)| *file == name);
    let (_, text) = page.ok_or_else(|| {
        Usage("there is no page of that command; `bayplan help` lists the commands".to_owned())
    })?;
    session.out.raw(text.as_bytes())?;
    Ok(Exit::Done)
}

/// File name and text of every page: one for the program, and one for each command.
pub fn pages() -> std::io::Result<Vec<(String, String)>> {
    let mut form = Line::command().disable_help_subcommand(true);
    form.build();
    let commands = form.get_subcommands().filter(|command| !command.is_hide_set());
    let own = commands.map(|command| {
        let name = format!("bayplan-{}", command.get_name());
        let command = command.clone().mut_args(|option| match option.is_global_set() {
            true => option.hide(true),
            false => option,
        });
        Ok((format!("{name}.1"), page(command, &name)? + BACK))
    });
    let own: std::io::Result<Vec<_>> = own.collect();
    let mut pages = own?;
    pages.insert(0, ("bayplan.1".to_owned(), page(form, "bayplan")? + MORE));
    Ok(pages)
}

fn page(command: clap::Command, name: &str) -> std::io::Result<String> {
    let man = Man::new(command).title(name.to_uppercase()).source("Bayplan").manual("Bayplan");
    let mut text = vec![];
    man.render(&mut text)?;
    String::from_utf8(text).map_err(std::io::Error::other)
}
