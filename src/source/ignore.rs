//! `.bayplanignore`: one pattern a line, as in .gitignore. `*` and `?` match within a name, `**` over folders; a
//! pattern with a slash is relative to the file's folder, one without matches at any depth; a closing slash means
//! folders only; `!` takes back; the last match wins.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the file.
pub const FILE: &str = ".bayplanignore";

/// The patterns in force in a folder: its own and those above.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    /// The folder whose file has it.
    folder: PathBuf,
    pattern: String,
    folders_only: bool,
    anywhere: bool,
    keep: bool,
}

impl Rules {
    /// These and those of the folder's own file, if it has one.
    pub fn with_file_of(&self, folder: &Path) -> io::Result<Rules> {
        let text = match fs::read_to_string(folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(self.clone()),
            Err(error) => return Err(error),
        };
        let mut rules = self.rules.clone();
        rules.extend(text.lines().filter_map(|line| rule(folder, line)));
        Ok(Rules { rules })
    }

    /// Whether a path is to be skipped.
    pub fn skip(&self, path: &Path, is_folder: bool) -> bool {
        let last = self.rules.iter().rev().find(|rule| rule.matches(path, is_folder));
        last.is_some_and(|rule| !rule.keep)
    }
}

fn rule(folder: &Path, line: &str) -> Option<Rule> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (keep, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
    let (folders_only, line) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
    let anywhere = !line.contains('/');
    let pattern = line.strip_prefix('/').unwrap_or(line).to_owned();
    Some(Rule { folder: folder.to_owned(), pattern, folders_only, anywhere, keep })
}

impl Rule {
    fn matches(&self, path: &Path, is_folder: bool) -> bool {
        if self.folders_only && !is_folder {
            return false;
        }
        let Ok(relative) = path.strip_prefix(&self.folder) else { return false };
        let text = match self.anywhere {
            true => path.file_name().unwrap_or_default().to_string_lossy(),
            false => relative.to_string_lossy(),
        };
        matches(self.pattern.as_bytes(), text.as_bytes())
    }
}

/// Shell-like matching of a whole text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', b'*', b'/', rest @ ..] => {
            matches(rest, text)
                || (0..text.len()).any(|index| text[index] == b'/' && matches(rest, &text[index + 1..]))
        }
        [b'*', b'*', rest @ ..] => (0..=text.len()).any(|index| matches(rest, &text[index..])),
        [b'*', rest @ ..] => {
            let end = text.iter().position(|byte| *byte == b'/').unwrap_or(text.len());
            (0..=end).any(|index| matches(rest, &text[index..]))
        }
        [b'?', rest @ ..] => text.first().is_some_and(|byte| *byte != b'/') && matches(rest, &text[1..]),
        [byte, rest @ ..] => text.first() == Some(byte) && matches(rest, &text[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_name_and_two_stars_do_not() {
        assert!(matches(b"*.yaml", b"a.yaml"));
        assert!(!matches(b"*.yaml", b"a/b.yaml"));
        assert!(matches(b"**/b.yaml", b"a/b.yaml"));
        assert!(matches(b"a/**", b"a/b/c.yaml"));
    }

    #[test]
    fn the_last_match_wins_and_an_exclamation_mark_takes_back() {
        let lines = ["*.yaml", "!keep.yaml", "drafts/"];
        let rules = Rules { rules: lines.iter().filter_map(|line| rule(Path::new("/s"), line)).collect() };
        assert!(rules.skip(Path::new("/s/x.yaml"), false));
        assert!(!rules.skip(Path::new("/s/keep.yaml"), false));
        assert!(rules.skip(Path::new("/s/a/drafts"), true));
        assert!(!rules.skip(Path::new("/s/a/drafts"), false));
    }
}
