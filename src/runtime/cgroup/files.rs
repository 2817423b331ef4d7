//! Reading and writing of cgroup files: small texts, one value each.

use crate::runtime::error::{Result, file};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

/// The text of a file without its last line's end.
pub fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map(|text| text.trim_end().to_owned()).map_err(file("read", path))
}

/// Writes in one call, as the kernel's files want it; never makes a file.
pub fn write(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut open| open.write_all(text.as_bytes()))
        .map_err(file("write", path))
}

/// A number, or `None` for `max`.
pub fn read_limit(path: &Path) -> Result<Option<u64>> {
    Ok(read(path)?.parse().ok())
}

/// The value of one line of a flat keyed file (`cpu.stat`, `memory.events`).
pub fn read_keyed(path: &Path, key: &str) -> Result<Option<u64>> {
    let text = read(path)?;
    Ok(text.lines().find_map(|line| line.split_once(' ').filter(|(name, _)| *name == key)?.1.parse().ok()))
}

/// A limit as text, `none` where there is none.
pub fn text_of(limit: Option<u64>, none: &str) -> String {
    limit.map_or_else(|| none.to_owned(), |value| value.to_string())
}
