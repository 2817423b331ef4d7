//! An outline as Markdown for a comment on a merge request: a summary, a table a class, diffs that fold. PURE.
//!
//! What comes from manifests or from the host stands in code spans and code blocks alone, fenced longer than any run of
//! backticks in it: there it is no markup, no HTML, no link and no mention.

use super::duration_words;
use super::outline::{Outline, Remark, Row};
use crate::model::words::turns;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The order of the tables: what needs a decision first.
const FIRST: [&str; 6] = ["error", "guard", "broken", "failed", "blocked", "delete"];

/// Tables whose rows say nothing but their class are told as a number.
const QUIET: [&str; 4] = ["unchanged", "valid", "as applied", "done"];

pub fn markdown(outline: &Outline) -> String {
    let site = outline.site.as_ref().map_or(String::new(), |site| format!(" of site {}", code(site)));
    let took = outline.duration_ms.map_or(String::new(), |ms| format!(" in {}", duration_words(ms)));
    let mut text = format!("**bayplan {}**{site}: {}{took}\n", outline.verb, code(&outline.summary));
    let mut classes: BTreeMap<(usize, &str), Vec<&Row>> = BTreeMap::new();
    for row in &outline.rows {
        let rank = FIRST.iter().position(|class| *class == row.class).unwrap_or(FIRST.len());
        let rank = if QUIET.contains(&row.class) { FIRST.len() + 1 } else { rank };
        classes.entry((rank, row.class)).or_default().push(row);
    }
    for ((_, class), rows) in &classes {
        table(&mut text, class, rows);
    }
    for row in outline.rows.iter().filter(|row| !row.diff.is_empty()) {
        details(&mut text, row);
    }
    text
}

fn table(text: &mut String, class: &str, rows: &[&Row]) {
    let told: Vec<(&Row, &Remark)> =
        rows.iter().flat_map(|row| row.remarks.iter().map(move |remark| (*row, remark))).collect();
    let _ = writeln!(text, "\n**{class}** ({})", rows.len());
    if told.is_empty() {
        return;
    }
    let timed = told.iter().any(|(_, remark)| remark.duration_ms.is_some());
    text.push_str(match timed {
        true => "\n| object | what | where | time |\n| --- | --- | --- | --- |\n",
        false => "\n| object | what | where |\n| --- | --- | --- |\n",
    });
    for (row, remark) in told {
        let place = remark.place.as_ref().map_or(String::new(), |place| code(&place.to_string()));
        let help = remark.help.as_ref().map_or(String::new(), |help| format!(" {}", code(help)));
        let _ = write!(text, "| {} | {}{help} | {place} |", code(&row.name), code(&remark.text));
        if timed {
            let _ = write!(text, " {} |", remark.duration_ms.map_or(String::new(), duration_words));
        }
        text.push('\n');
    }
}

/// The summary's name is HTML's: a key has no mark in it that HTML knows, and is escaped all the same.
fn details(text: &mut String, row: &Row) {
    let name = plain(&row.name).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let diff: Vec<String> = row.diff.iter().map(|line| plain(line)).collect();
    let diff = diff.join("\n");
    let fence = "`".repeat((longest_run(&diff) + 1).max(3));
    let _ = writeln!(
        text,
        "\n<details><summary>{} <code>{name}</code></summary>\n\n{fence}diff\n{diff}\n{fence}\n\n</details>",
        row.class
    );
}

/// A code span that may stand in a table's cell.
fn code(value: &str) -> String {
    // In a cell a bar ends it, in a code span too, unless a backslash stands before it (GFM, section 4.10).
    let value = plain(value).replace('|', "\\|");
    let fence = "`".repeat(longest_run(&value) + 1);
    match value.trim() {
        "" => String::new(),
        _ if value.starts_with('`') || value.ends_with('`') => format!("{fence} {value} {fence}"),
        _ => format!("{fence}{value}{fence}"),
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
}

/// One line, without control characters and marks that turn the direction of writing.
fn plain(text: &str) -> String {
    text.trim_end_matches('\n')
        .chars()
        .map(|letter| match letter {
            '\n' => '\u{23ce}',
            '\t' => ' ',
            other if other.is_control() || turns(other) => '\u{fffd}',
            other => other,
        })
        .collect()
}
