//! Two documents without a `---` between them are one mapping to YAML, with fields that are given twice. PURE.

use crate::spec::report::{Report, Wrong};
use crate::spec::tree::{Entry, Mark, Node, Value};

/// What a document has once, and what tells that another one begins.
const HEAD: [&str; 2] = ["apiVersion", "kind"];

/// The documents that `root` was meant to be, each with distinct fields; says where it is wrong.
pub fn separated<'a>(root: Node<'a>, report: &mut Report) -> Vec<Node<'a>> {
    let mut documents = vec![];
    let (mut mark, mut rest) = match root.value {
        Value::Map(entries) => (root.mark, entries),
        _ => return vec![root],
    };
    while let Some(at) = second_begins(&rest) {
        let following = rest.split_off(at);
        if let Some(Entry { key, mark: at, .. }) = following.first() {
            let message = format!(
                "another document begins here, and there is no `---` before it: `{key}` is given twice"
            );
            report.error(
                *at,
                Wrong::new("no-separator", message).help("write `---` on a line of its own above it"),
            );
            documents.push(Node { mark, value: Value::Map(std::mem::take(&mut rest)) });
            mark = *at;
        }
        rest = following;
    }
    documents.push(Node { mark, value: Value::Map(distinct(rest, report)) });
    documents
}

/// Where the second document begins: at the first field that is given twice, if one of the head is, and both would
/// have a name.
fn second_begins(entries: &[Entry<'_>]) -> Option<usize> {
    let is_second = |at: usize| entries[..at].iter().any(|entry| entry.key == entries[at].key);
    let at = (0..entries.len()).find(|at| is_second(*at))?;
    let (former, following) = entries.split_at(at);
    let has = |part: &[Entry<'_>], key: &str| part.iter().any(|entry| entry.key == key);
    let both = |key: &str| has(former, key) && has(following, key);
    (both("metadata") && HEAD.iter().any(|key| both(key))).then_some(at)
}

fn distinct<'a>(entries: Vec<Entry<'a>>, report: &mut Report) -> Vec<Entry<'a>> {
    let mut kept: Vec<Entry<'a>> = vec![];
    for entry in entries {
        match kept.iter().find(|former| former.key == entry.key) {
            Some(first) => twice(first, &entry.key, entry.mark, report),
            None => kept.push(entry),
        }
    }
    kept
}

/// Reports a field that is given again at `mark`.
pub fn twice(first: &Entry<'_>, key: &str, mark: Mark, report: &mut Report) {
    let message = format!("`{key}` is given twice");
    let help = format!("the first one is in line {}; remove one", first.mark.line);
    report.error(mark, Wrong::new("duplicate-field", message).help(help));
}
