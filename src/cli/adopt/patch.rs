//! Edited texts as a unified diff that `git apply` and `patch -p1` take: names from where the command runs, in a folder
//! of a repository too. What is somewhere else has its name from the root of the file system (`patch -d /`).

use crate::spec::SourceText;
use similar::TextDiff;
use std::path::Path;

/// One file's; `old` is None where it is new.
pub fn patch(old: Option<&SourceText>, new: &SourceText, folder: &Path) -> String {
    let name = quoted(&name(&new.file(), folder));
    let (before, from) = match old {
        Some(old) => (old.text.as_str(), format!("a/{name}")),
        None => ("", "/dev/null".to_owned()),
    };
    // A lone carriage return ends no line for those who read it.
    let (before, after) = (lines(before), lines(&new.text));
    let diff = TextDiff::configure().newline_terminated(true).diff_slices(&before, &after);
    diff.unified_diff().context_radius(3).header(&from, &format!("b/{name}")).to_string()
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn name(file: &Path, folder: &Path) -> String {
    let name = file.strip_prefix(folder).or_else(|_| file.strip_prefix("/")).unwrap_or(file);
    name.display().to_string()
}

/// A tab says where a name with blanks ends.
fn quoted(name: &str) -> String {
    if name.contains(' ') { format!("{name}\t") } else { name.to_owned() }
}
