//! Values as people see them: none can look like another line, or give a terminal an order.

use crate::model::words::turns;

/// A value on one line: its first, and a mark where it has more.
pub fn in_a_line(value: &str) -> String {
    let text = value.trim_end_matches('\n');
    match text.split_once('\n') {
        Some((first, _)) => format!("{} …", harmless(first)),
        None => harmless(text),
    }
}

/// A field and its value; one of several lines stands as a block, as YAML writes it.
pub fn field_lines(path: &str, value: &str) -> String {
    if !value.contains('\n') {
        return format!("{path}: {}\n", harmless(value));
    }
    let body = value.trim_end_matches('\n');
    let ends = match value.len() - body.len() {
        0 => "|-",
        1 => "|",
        _ => "|+",
    };
    let lines = value.strip_suffix('\n').unwrap_or(value).split('\n');
    let lines: String = lines.map(|line| format!("  {}\n", harmless(line))).collect();
    format!("{path}: {ends}\n{lines}")
}

/// Control characters, and marks that turn the direction of writing, as escapes.
pub fn harmless(text: &str) -> String {
    let shown = |letter: char| match letter {
        '\t' => vec![letter],
        _ if letter.is_control() || turns(letter) => letter.escape_default().collect(),
        _ => vec![letter],
    };
    text.chars().flat_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_several_lines_is_a_block_that_no_field_can_be_taken_for() {
        assert_eq!(field_lines("a", "b"), "a: b\n");
        assert_eq!(field_lines("a", "b\nstate: stopped"), "a: |-\n  b\n  state: stopped\n");
        assert_eq!(field_lines("a", "b\n"), "a: |\n  b\n");
        assert_eq!(field_lines("a", "b\n\n"), "a: |+\n  b\n  \n");
        assert_eq!(in_a_line("b\nc\n"), "b …");
        assert_eq!(in_a_line("b\n"), "b");
    }

    #[test]
    fn a_terminal_gets_no_order_from_a_value() {
        assert_eq!(field_lines("a", "\u{1b}[2Jb\r"), "a: \\u{1b}[2Jb\\r\n");
        assert_eq!(in_a_line("\u{202e}gpj.exe\u{7}"), "\\u{202e}gpj.exe\\u{7}");
    }
}
