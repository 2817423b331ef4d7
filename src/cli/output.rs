//! The only place that prints. Results go to standard output, everything else to standard error.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use crate::reconcile::render::junit::junit;
use crate::reconcile::render::markdown::markdown;
use crate::reconcile::render::outline::Outline;
use crate::reconcile::render::sarif::sarif;
use anstream::ColorChoice;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

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
    /// For a comment on a merge request
    Markdown,
    /// A test report: one case an object
    Junit,
    /// For code scanning: each finding or difference at its line
    Sarif,
    /// What `graph` writes for graphviz
    Dot,
    /// What `graph` draws
    Svg,
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

/// What a standard output that takes nothing means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unwritable {
    /// The command ends: the result is all that it is for.
    Ends,
    /// The command goes on.
    IsPassedOver,
}

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub format: Format,
    pub chatter: Chatter,
    unwritable: Unwritable,
}

impl Output {
    pub fn new(format: Format, chatter: Chatter) -> Output {
        Output { format, chatter, unwritable: Unwritable::Ends }
    }

    /// For what changes something: it goes on, and ends as it would have, when nobody reads its result any more.
    pub fn even_unread(self) -> Output {
        Output { unwritable: Unwritable::IsPassedOver, ..self }
    }

    /// A result for people; nothing in another format. Ends with one line feed.
    pub fn text(&self, text: &str) -> io::Result<()> {
        if self.format != Format::Text || text.is_empty() {
            return Ok(());
        }
        self.write(anstream::stdout().lock(), &[text.trim_end_matches('\n').as_bytes(), b"\n"])
    }

    /// A result for machines; nothing without `-o json`.
    pub fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        if self.format == Format::Json {
            let text = serde_json::to_string_pretty(value)?;
            self.write(io::stdout().lock(), &[text.as_bytes(), b"\n"])?;
        }
        Ok(())
    }

    /// A result as Markdown, JUnit or SARIF; nothing in another format.
    pub fn outline(&self, outline: impl FnOnce() -> Outline) -> io::Result<()> {
        let text = match self.format {
            Format::Text | Format::Json | Format::Yaml | Format::Patch | Format::Dot | Format::Svg => {
                return Ok(());
            }
            Format::Markdown => markdown(&outline()),
            Format::Junit => junit(&outline()),
            Format::Sarif => sarif(&outline()),
        };
        self.raw(text.as_bytes())
    }

    /// Bytes as they are, whatever the format.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        self.write(io::stdout().lock(), &[bytes])
    }

    fn write(&self, mut stdout: impl Write, pieces: &[&[u8]]) -> io::Result<()> {
        let written =
            pieces.iter().try_for_each(|piece| stdout.write_all(piece)).and_then(|()| stdout.flush());
        match (written, self.unwritable) {
            (Err(error), Unwritable::IsPassedOver) => {
                if error.kind() != io::ErrorKind::BrokenPipe {
                    complain(&format!("standard output cannot be written: {error}"));
                }
                Ok(())
            }
            // Who reads no more is told apart by the kind (exit 141).
            (Err(error), _) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(io::Error::new(error.kind(), format!("standard output cannot be written: {error}")))
            }
            (written, _) => written,
        }
    }

    /// What is going on.
    pub fn progress(&self, line: &str) {
        if self.chatter == Chatter::Progress {
            complain(line);
        }
    }
}

/// An error or a warning: always on standard error. Where that takes nothing (a closed pipe, a full disk) it is lost:
/// what is being done counts more.
pub fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", text.trim_end_matches('\n'));
}

/// A question, without a line feed.
pub fn ask(question: &str) {
    let _ = write!(anstream::stderr(), "{question} ");
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

/// Whether standard output is a pipe whose reader has gone; told before anything is written.
pub fn nobody_reads() -> bool {
    let (stdout, now) = (io::stdout(), Timespec { tv_sec: 0, tv_nsec: 0 });
    let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::ERR)
}

/// Whether a frame can be drawn on standard error.
pub fn live_terminal() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
    io::stderr().is_terminal() && !dumb
}

/// The columns of standard output's terminal; None: it is none.
pub fn stdout_width() -> Option<usize> {
    width(io::stdout())
}

/// The columns of standard error's terminal; None: it is none.
pub fn stderr_width() -> Option<usize> {
    width(io::stderr())
}

fn width(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Whether a person is there to be asked.
pub fn on_terminal() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
