//! `values` of a Site or a Host: names to single values.

use super::reader::Reader;
use crate::spec::fill::{Given, Values};
use crate::spec::report::Wrong;
use crate::spec::tree::{Node, Style, Value};

/// Reads the mapping `field` of a spec.
pub fn read(spec: &Node, field: &str, reader: &mut Reader) -> Values {
    match reader.field(spec, field, field) {
        Some(node) => scalars(node, field, reader),
        None => Values::new(),
    }
}

/// Names to single values; `at` names the mapping in findings.
pub fn scalars(node: &Node, at: &str, reader: &mut Reader) -> Values {
    let mut values = Values::new();
    let Some(entries) = node.entries() else {
        reader.mistyped(node, at, "a mapping of names to single values", None);
        return values;
    };
    for entry in entries {
        let path = format!("{at}.{}", entry.key);
        if !is_name(&entry.key) {
            let message = format!("`{}` is no name of a value", entry.key);
            let help = "letters, digits, `-` and `_`, beginning with a letter";
            reader.report.error(entry.mark, Wrong::new("bad-value", message).help(help));
        }
        match &entry.value.value {
            Value::Scalar { text, style } if !entry.value.is_null() => {
                let given = Given { text: text.to_string(), style: *style, mark: entry.value.mark };
                values.insert(entry.key.to_string(), given);
            }
            Value::Scalar { .. } => {
                reader.mistyped(&entry.value, &path, "a value", Some("an empty text is \"\"".to_owned()));
            }
            _ => {
                let help = "write it as one text, or give each part a name of its own";
                reader.mistyped(&entry.value, &path, "a single value", Some(help.to_owned()));
            }
        }
    }
    values
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// A whole number as a value.
pub fn number(number: usize, mark: crate::spec::tree::Mark) -> Given {
    Given { text: number.to_string(), style: Style::Plain, mark }
}
