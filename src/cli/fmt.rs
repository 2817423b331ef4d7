//! `fmt`: manifests in canonical layout. What they say, comments, order and quotes stay.

use super::exit::Exit;
use super::failure::Usage;
use super::manifests::Shown;
use super::session::Session;
use crate::api::error::{Failure, FailureKind};
use crate::api::types::OUTPUT_VERSION;
use crate::model::finding::{Finding, Severity};
use crate::model::origin::Place;
use crate::source::{self, STDIN};
use crate::spec::SourceText;
use crate::spec::layout::{self, Unformatted};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A manifest, a folder of them, or - to read standard input and print [default: ./site.yaml, else .]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing; exit 2 when something is not in canonical layout
    #[arg(long)]
    check: bool,
}

#[derive(Serialize)]
struct FormatJson<'a> {
    version: u32,
    files: Vec<FileJson<'a>>,
}

#[derive(Serialize)]
struct FileJson<'a> {
    path: &'a str,
    /// Whether it was not, or with `--check` is not, in canonical layout.
    changed: bool,
}

/// Nothing is written where one of the texts cannot be formatted.
pub fn run(session: &Session, args: &Args) -> anyhow::Result<Exit> {
    let from_stdin = args.paths.iter().any(|path| path == Path::new("-"));
    if from_stdin && args.paths.len() > 1 {
        return Err(Usage("- stands alone: standard input is printed, files are written".to_owned()).into());
    }
    let texts =
        source::manifests(&args.paths).map_err(|error| Failure::from_error(FailureKind::Findings, &error))?;
    let shown = Shown { texts };
    let formatted = format_all(&shown.texts).map_err(|failure| shown.tell(failure))?;
    let pairs = || shown.texts.iter().zip(&formatted);
    let changed: Vec<(&SourceText, &String)> = pairs().filter(|(text, new)| text.text != **new).collect();
    if from_stdin && !args.check {
        session.out.raw(formatted.concat().as_bytes())?;
        return Ok(Exit::Done);
    }
    if !args.check {
        for (text, new) in &changed {
            source::write(Path::new(&text.path), new)
                .map_err(|error| Failure::from_error(FailureKind::Host, &error))?;
        }
    }
    let names: Vec<&str> = changed.iter().map(|(text, _)| text.path.as_str()).collect();
    let out = if args.check { session.out } else { session.out.even_unread() };
    out.text(&names.join("\n"))?;
    let files =
        pairs().map(|(text, new)| FileJson { path: &text.path, changed: text.text != *new }).collect();
    out.json(&FormatJson { version: OUTPUT_VERSION, files })?;
    Ok(if args.check && !changed.is_empty() { Exit::Changes } else { Exit::Done })
}

fn format_all(texts: &[SourceText]) -> Result<Vec<String>, Failure> {
    let (mut formatted, mut findings) = (vec![], vec![]);
    for text in texts {
        match layout::format(&text.text) {
            Ok(new) => formatted.push(new),
            Err(error) => findings.push(finding(text, error)),
        }
    }
    if findings.is_empty() { Ok(formatted) } else { Err(Failure::findings(findings)) }
}

fn finding(text: &SourceText, error: Unformatted) -> Finding {
    let place = |line: usize, column: usize| Place {
        file: if text.path.is_empty() { STDIN } else { &text.path }.into(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    };
    let (code, place, message, help) = match error {
        Unformatted::NotYaml(error) => (
            "yaml-syntax",
            place(error.line, error.column),
            format!("not YAML: {}", error.message),
            "`bayplan validate` says what is wrong with the manifest",
        ),
        Unformatted::Unusual => (
            "unusual-layout",
            place(1, 1),
            "it is written in a way that has no canonical layout".to_owned(),
            "write explicit keys (`? key`), and anchors before a key, another way",
        ),
    };
    let help = Some(help.to_owned());
    Finding { severity: Severity::Error, code, place: Some(place), key: None, message, help }
}
