//! The only place that prints. Results go to standard output, everything else to standard error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use anstream::ColorChoice;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// What form a result has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
    /// What `render` writes
    Yaml,
    /// A unified diff of manifests: what `adopt` writes
    Patch,
}

/// When there are colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// Whether there is more on standard error than errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chatter {
    Progress,
    Quiet,
}

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub format: Format,
    pub chatter: Chatter,
}

impl Output {
    /// A result for people; nothing with `-o json`. Ends with one line feed.
    pub fn text(&self, text: &str) -> io::Result<()> {
        if self.format == Format::Json || text.is_empty() {
            return Ok(());
        }
        let mut stdout = anstream::stdout().lock();
        stdout.write_all(text.trim_end_matches('\n').as_bytes())?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }

    /// A result for machines; nothing without `-o json`.
    pub fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        if self.format == Format::Json {
            let text = serde_json::to_string_pretty(value)?;
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{text}")?;
            stdout.flush()?;
        }
        Ok(())
    }

    /// Bytes as they are, whatever the format.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// What is going on.
    pub fn progress(&self, line: &str) {
        if self.chatter == Chatter::Progress {
            anstream::eprintln!("{line}");
        }
    }
}

/// An error or a warning: always on standard error.
pub fn complain(text: &str) {
    anstream::eprintln!("{}", text.trim_end_matches('\n'));
}

/// A question, without a line feed.
pub fn ask(question: &str) {
    anstream::eprint!("{question} ");
}

/// Chooses colours for the whole process. NO_COLOR and CLICOLOR are honoured by `auto`.
pub fn choose_colors(color: Color) {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Whether a person is there to be asked.
pub fn on_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
