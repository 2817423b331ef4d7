//! `doctor`: what this host has for containers; what is missing is said with the way to mend it.

use super::exit::Exit;
use super::session::Session;
use crate::api::types::OUTPUT_VERSION;
use crate::daemon::operations::checkup::{Check, Verdict, checks};
use serde::Serialize;

#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct DoctorJson {
    version: u32,
    checks: Vec<Check>,
}

pub fn run(session: &Session, _args: &Args) -> anyhow::Result<Exit> {
    let checks = checks();
    let mut lines = vec![];
    for check in &checks {
        let mark = match check.verdict {
            Verdict::Good => "ok  ",
            Verdict::Warning => "WARN",
            Verdict::Missing => "FAIL",
        };
        lines.push(format!("{mark}  {:<22} {}", check.name, check.found));
        if let Some(help) = &check.help {
            lines.push(format!("      {:<22} -> {help}", ""));
        }
    }
    let missing = checks.iter().filter(|check| check.verdict == Verdict::Missing).count();
    lines.push(match missing {
        0 => "this host can run containers".to_owned(),
        count => format!("{count} missing: containers will not run"),
    });
    session.out.text(&lines.join("\n"))?;
    session.out.json(&DoctorJson { version: OUTPUT_VERSION, checks })?;
    Ok(if missing == 0 { Exit::Done } else { Exit::Error })
}
