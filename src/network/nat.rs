//! Brings a network's nftables table into the kernel by `nft -j`, and looks at it.

use super::Effect;
use super::ruleset::{self, Difference, TableSpec};
use serde_json::Value;
use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

/// Why nft did not do it.
#[derive(Debug, thiserror::Error)]
pub enum NatError {
    #[error("nft is not installed: apt install nftables")]
    NoNft,
    #[error("cannot run nft")]
    Run {
        #[source]
        source: io::Error,
    },
    #[error("nft refused table {table}: {message}")]
    Refused { table: String, message: String },
    #[error("nft listed table {table} in a form that cannot be read")]
    Listing {
        table: String,
        #[source]
        source: serde_json::Error,
    },
}

/// The table as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableState {
    Absent,
    Present(Difference),
}

/// Makes the table what `spec` says, in one transaction; unchanged when it is.
pub fn ensure(spec: &TableSpec) -> Result<Effect, NatError> {
    if observe(spec)? == TableState::Present(Difference::None) {
        return Ok(Effect::Unchanged);
    }
    apply(&spec.table, &ruleset::replace(spec))?;
    Ok(Effect::Changed)
}

/// The table of a bridge that has another name now, in one transaction with the removal of the former one. What was not
/// as it should be is only removed.
pub fn rename(from: &TableSpec, to: &TableSpec) -> Result<Effect, NatError> {
    match observe(from)? {
        TableState::Absent => Ok(Effect::Unchanged),
        TableState::Present(Difference::None) => {
            apply(&to.table, &ruleset::rename(from, to))?;
            Ok(Effect::Changed)
        }
        TableState::Present(_) => remove(&from.table),
    }
}

/// Removes the table if it is there.
pub fn remove(table: &str) -> Result<Effect, NatError> {
    if list(table)?.is_none() {
        return Ok(Effect::Unchanged);
    }
    apply(table, &ruleset::remove(table))?;
    Ok(Effect::Changed)
}

/// Compares the table with what it should be.
pub fn observe(spec: &TableSpec) -> Result<TableState, NatError> {
    Ok(match list(&spec.table)? {
        None => TableState::Absent,
        Some(listing) => TableState::Present(ruleset::difference(spec, &listing)),
    })
}

/// The names of all tables of family inet whose name begins with `prefix`.
pub fn tables(prefix: &str) -> Result<Vec<String>, NatError> {
    let output = run(&["-j", "list", "tables", "inet"], "")?;
    let listing = parse(prefix, &output)?;
    let names = listing["nftables"].as_array().into_iter().flatten();
    Ok(names
        .filter_map(|object| object["table"]["name"].as_str())
        .filter(|name| name.starts_with(prefix))
        .map(str::to_owned)
        .collect())
}

/// What `nft --version` says; none: not installed.
pub fn version() -> Option<String> {
    let output = run(&["--version"], "").ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned()).filter(|text| !text.is_empty())
}

fn list(table: &str) -> Result<Option<Value>, NatError> {
    let output = run(&["-j", "list", "table", "inet", table], "")?;
    if output.status.success() {
        return parse(table, &output).map(Some);
    }
    let message = String::from_utf8_lossy(&output.stderr);
    // ENOENT in the C locale; nft has no other sign of it.
    if message.contains("No such file or directory") { Ok(None) } else { Err(refused(table, &output)) }
}

fn apply(table: &str, transaction: &Value) -> Result<(), NatError> {
    let output = run(&["-j", "-f", "-"], &transaction.to_string())?;
    if output.status.success() { Ok(()) } else { Err(refused(table, &output)) }
}

fn parse(table: &str, output: &Output) -> Result<Value, NatError> {
    if !output.status.success() {
        return Err(refused(table, output));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|source| NatError::Listing { table: table.to_owned(), source })
}

fn refused(table: &str, output: &Output) -> NatError {
    let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    NatError::Refused { table: table.to_owned(), message }
}

fn run(arguments: &[&str], input: &str) -> Result<Output, NatError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => NatError::NoNft,
        _ => NatError::Run { source },
    };
    let mut child = Command::new("nft")
        .args(arguments)
        .env("LC_ALL", "C")
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut pipe) = child.stdin.take() {
        // A broken pipe means that nft ended early: its status and words tell why.
        let _ = pipe.write_all(input.as_bytes());
    }
    child.wait_with_output().map_err(failed)
}
