//! `fmt`: the canonical layout says the same, keeps every comment, and is its own.

use crate::cli::Bench;
use crate::golden::folder;
use crate::properties::cases;
use crate::spec_load::load_text;
use bayplan::spec::layout::{Unformatted, format};
use bayplan::spec::{canonical, spans};
use proptest::prelude::*;
use serde_json::Value;

#[track_caller]
fn formatted(text: &str) -> String {
    let once = format(text).unwrap();
    assert_eq!(format(&once).unwrap(), once, "the layout of a layout is itself");
    once
}

#[test]
fn blanks_and_empty_lines_are_canonical_and_all_else_stays() {
    let text = "\u{feff}\r\n\r\n# head\r\napiVersion:   bayplan/v1   \r\nkind: Profile\n\n\n\nmetadata:\n      # who\n      \
                name:   'web'   # in single quotes\n      labels: {a: b,   c: \"d\"}\nspec:\n config:\n   \
                limits.memory : 1GiB\n   user.note: |\n        two\n          lines\n\n        end\n # after\n devices:\n     \
                eth0:   {ipv4.address: none,\n        mtu: 1400}\n\n---\n\nkind: Container\nmetadata: {name: a}\nspec:\n  image: x\n  \
                dependsOn:\n  -   container/b   # first\n  - container/c\n\n";
    insta::assert_snapshot!(formatted(text));
}

#[test]
fn lists_of_mappings_scalars_of_several_lines_and_comments_keep_their_sense() {
    let text = "\
list:
-   a: 1
    b:
        - x
        -   - deep
            - er
-
    c: 2
# between
-   \"two
      lines\"
folded:   >-
   one
   two
keeps: |+
   end


kept: |2
    by indicator
plain: one
     two
empty:
# of the root
root: {}
";
    insta::assert_snapshot!(formatted(text));
}

#[test]
fn every_manifest_of_the_repository_keeps_its_sense() {
    let mut count = 0;
    for place in ["examples/manifests", "tests/it/findings", "tests/it/golden"] {
        for entry in std::fs::read_dir(folder(place)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "yaml")
                && spans::documents(&text).is_ok()
            {
                match format(&text) {
                    Ok(_) => assert_eq!(comments(&formatted(&text)), comments(&text), "{}", path.display()),
                    Err(error) => panic!("{}: {error:?}", path.display()),
                }
                count += 1;
            }
        }
    }
    assert!(count > 100, "only {count} manifests");
}

/// Whole lines of comments, in order.
fn comments(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn the_command_writes_checks_and_prints() {
    let bench = Bench::new();
    let untidy = "apiVersion: bayplan/v1\nkind: Profile\nmetadata: {name: web}\nspec:\n    config:   {}\n";
    let tidy = "apiVersion: bayplan/v1\nkind: Profile\nmetadata: {name: web}\nspec:\n  config: {}\n";
    bench.write("site.yaml", tidy);
    bench.expect(0, "fmt --check");
    std::fs::create_dir(bench.path().join("more")).unwrap();
    bench.write("more/web.yaml", untidy);
    assert_eq!(bench.expect(2, "fmt --check more site.yaml").stdout, "more/web.yaml\n");
    assert_eq!(
        std::fs::read_to_string(bench.path().join("more/web.yaml")).unwrap(),
        untidy,
        "check writes nothing"
    );
    let json: Value = serde_json::from_str(&bench.expect(0, "fmt more site.yaml -o json").stdout).unwrap();
    assert_eq!((&json["version"], &json["files"][0]["changed"]), (&1.into(), &true.into()));
    assert_eq!(std::fs::read_to_string(bench.path().join("more/web.yaml")).unwrap(), tidy);
    assert_eq!(bench.expect(0, "fmt more").stdout, "");
    bench.write("broken.yaml", "a: [1\nb: 2\n");
    bench.write("more/web.yaml", untidy);
    let said = bench.expect(1, "fmt more broken.yaml");
    assert!(said.stderr.contains("broken.yaml:") && said.stderr.contains("not YAML"), "{}", said.stderr);
    assert_eq!(
        std::fs::read_to_string(bench.path().join("more/web.yaml")).unwrap(),
        untidy,
        "nothing is written"
    );
    bench.expect(64, "fmt - site.yaml");
}

#[test]
fn standard_input_is_printed_and_checked() {
    use std::io::Write;
    use std::process::Stdio;
    let bench = Bench::new();
    let run = |words: &str| {
        let mut child = bench.command(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"a:\n    b: 1\n").unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run("fmt -"), (0, "a:\n  b: 1\n".to_owned()));
    assert_eq!(run("fmt --check -"), (2, "<stdin>\n".to_owned()));
}

#[test]
fn what_layout_does_not_know_is_refused_and_not_changed() {
    assert!(matches!(format("a: [1\nb: 2\n"), Err(Unformatted::NotYaml(_))));
    assert_eq!(format("? a\n:    - b\n     - c\n"), Err(Unformatted::Unusual));
}

/// Many fields of many kinds.
const RICH: &str = "\
apiVersion: bayplan/v1
kind: Image
metadata: {name: busybox, description: \"two\\nlines\"}
spec: {source: {busybox: {}}}
---
kind: Profile
metadata: {name: web, annotations: {note: \"  deep\\n\\n    er\\n\"}}
spec:
  config: {limits.memory: 512MiB, user.note: \"# no comment\"}
  files: {/etc/a: {content: \"a: 1\\nb:\\n  - 2\\n\"}, /etc/b: {content: \"x\", onChange: [reload, \"- b\"]}}
---
kind: Container
metadata: {name: web-1}
spec:
  image: busybox
  profiles: [default, web]
  ready: {exec: [test, -e, /run/ready], timeout: 10s}
  dependsOn: [container/web-2, image/busybox]
---
kind: Container
metadata: {name: web-2}
spec: {image: busybox, state: stopped}
";

/// Writes values as YAML in a layout that the choices decide.
struct Writer<'c> {
    choices: std::iter::Cycle<std::slice::Iter<'c, u8>>,
    text: String,
    comments: usize,
}

impl Writer<'_> {
    fn choose(&mut self, among: u8) -> u8 {
        self.choices.next().unwrap() % among
    }

    fn noise(&mut self, indent: usize) {
        match self.choose(6) {
            0 => self.text.push('\n'),
            1 => self.text.push_str("  \n\n"),
            2 => {
                self.comments += 1;
                self.text.push_str(&format!("{:indent$}# comment {}\n", "", self.comments));
            }
            _ => {}
        }
    }

    fn behind(&mut self, value: &Value, indent: usize, in_list: bool) {
        let blanks = " ".repeat(1 + usize::from(self.choose(3)));
        let step = 1 + usize::from(self.choose(4));
        let is_block = value.as_object().is_some_and(|fields| !fields.is_empty())
            || value.as_array().is_some_and(|items| !items.is_empty());
        match value {
            _ if is_block && self.choose(3) > 0 => {
                let ends = [" # here\n", "\n", "   \n"][usize::from(self.choose(3))];
                self.text.push_str(ends);
                let indentless = !in_list && value.is_array() && self.choose(2) == 0;
                self.block(value, if indentless { indent } else { indent + step });
            }
            Value::String(text)
                if text.contains('\n') && !text.starts_with([' ', '\n']) && self.choose(2) == 0 =>
            {
                let mark = if text.ends_with('\n') { "|" } else { "|-" };
                self.text.push_str(&format!("{blanks}{mark}\n"));
                for line in text.trim_end_matches('\n').split('\n') {
                    let deep = if line.is_empty() { 0 } else { indent + step };
                    self.text.push_str(&format!("{:deep$}{line}\n", ""));
                }
            }
            Value::String(text) if text.contains('\n') => {
                self.text.push_str(&format!("{blanks}{}\n", serde_json::to_string(text).unwrap()));
            }
            value => {
                let inline = serde_json::to_string(value).unwrap();
                let ends = ["\n", "  \n", "   # behind\n"][usize::from(self.choose(3))];
                self.text.push_str(&format!("{blanks}{inline}{ends}"));
            }
        }
    }

    fn block(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.noise(indent);
                    self.text.push_str(&format!("{:indent$}{name}:", ""));
                    self.behind(value, indent, false);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.noise(indent);
                    self.text.push_str(&format!("{:indent$}-", ""));
                    self.behind(item, indent, true);
                }
            }
            _ => unreachable!("a block is a collection"),
        }
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_layout_becomes_one_that_says_the_same_with_every_comment(choices in prop::collection::vec(any::<u8>(), 1..400)) {
        let desired = load_text(RICH).unwrap().desired;
        let mut writer = Writer { choices: choices.iter().cycle(), text: String::new(), comments: 0 };
        for document in canonical::documents(&desired, None) {
            if !writer.text.is_empty() {
                writer.text.push_str("---\n");
            }
            writer.block(&document, 0);
        }
        let text = writer.text;
        let loaded = load_text(&text).map_err(|findings| TestCaseError::fail(format!("{findings:?}\n{text}")))?;
        prop_assert!(loaded.desired == desired);
        let once = format(&text).map_err(|error| TestCaseError::fail(format!("{error:?}\n{text}")))?;
        prop_assert!(load_text(&once).unwrap().desired == desired);
        prop_assert_eq!(format(&once).unwrap(), once.clone());
        prop_assert_eq!(comments(&once), comments(&text));
        let behind = |text: &str| text.matches("# behind").count() + text.matches("# here").count();
        prop_assert_eq!(behind(&once), behind(&text));
        prop_assert!(once.lines().all(|line| blanks(line).is_multiple_of(2) || text.contains('|')), "{}", once);
    }
}

fn blanks(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
