//! An outline as JUnit's XML, in the form that Jenkins, GitLab and others read: one test case an object. PURE.
//!
//! What differs is a failure, what is wrong an error, what waits is skipped.

use super::duration_words;
use super::outline::{Outline, Remark, Row, Verdict};
use std::fmt::Write;

pub fn junit(outline: &Outline) -> String {
    let count = |verdict| outline.rows.iter().filter(|row| row.verdict == verdict).count();
    let (tests, failures) = (outline.rows.len(), count(Verdict::Differs));
    let (errors, skipped) = (count(Verdict::Wrong), count(Verdict::Waits));
    let suite = outline.site.as_ref().map_or("this host".to_owned(), |site| format!("site {site}"));
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let time = time(outline.duration_ms);
    let numbers = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"{time}");
    let _ = writeln!(text, "<testsuites name=\"bayplan {}\" {numbers}>", outline.verb);
    let _ = writeln!(text, "  <testsuite name=\"{}\" {numbers} skipped=\"{skipped}\">", escaped(&suite));
    for row in &outline.rows {
        case(&mut text, row);
    }
    let _ = writeln!(text, "    <system-out>{}</system-out>", escaped(&outline.summary));
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

fn case(text: &mut String, row: &Row) {
    let kind = row.name.split(['/', ' ']).next().unwrap_or_default();
    let (name, kind, time) = (escaped(&row.name), escaped(kind), time(row.duration_ms));
    let head = format!("    <testcase name=\"{name}\" classname=\"bayplan.{kind}\"{time}");
    let lines: Vec<String> = row.remarks.iter().map(line).chain(row.diff.iter().cloned()).collect();
    let body = escaped(&lines.join("\n"));
    let element = match row.verdict {
        Verdict::Good if lines.is_empty() => {
            let _ = writeln!(text, "{head}/>");
            return;
        }
        Verdict::Good => {
            let _ = writeln!(text, "{head}><system-out>{body}</system-out></testcase>");
            return;
        }
        Verdict::Waits => "skipped",
        Verdict::Differs => "failure",
        Verdict::Wrong => "error",
    };
    let message = escaped(&row.remarks.first().map_or(String::new(), |remark| remark.text.clone()));
    let kind = escaped(row.class);
    let _ = writeln!(
        text,
        "{head}>\n      <{element} type=\"{kind}\" message=\"{message}\">{body}</{element}>\n    </testcase>"
    );
}

/// In seconds.
fn time(duration_ms: Option<u64>) -> String {
    duration_ms.map_or(String::new(), |ms| format!(" time=\"{}.{:03}\"", ms / 1000, ms % 1000))
}

fn line(remark: &Remark) -> String {
    let mut line = String::new();
    if let Some(place) = &remark.place {
        let _ = write!(line, "{place}: ");
    }
    line.push_str(&remark.text);
    if let Some(help) = &remark.help {
        let _ = write!(line, " (help: {help})");
    }
    if let Some(duration_ms) = remark.duration_ms {
        let _ = write!(line, " ({})", duration_words(duration_ms));
    }
    line
}

/// For text and for attributes in double quotes. What XML 1.0 cannot have (section 2.2) is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
