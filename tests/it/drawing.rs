//! `graph`, and what is shown while and after an apply, on terminals of several widths.

use crate::cli::{Bench, SITE};
use crate::golden::assert_golden;
use crate::terminal::{hear, on_terminal};
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::render::graph::{self, graph};
use bayplan::reconcile::render::svg::svg;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::io::Read;

const TIERS: &str = "\
---
kind: Container
metadata: {name: db-1}
spec: {image: busybox}
---
kind: Container
metadata: {name: web-2}
spec: {image: busybox, dependsOn: [container/db-1]}
---
kind: Container
metadata: {name: proxy}
spec: {image: busybox, dependsOn: [container/web-1, container/web-2]}
";

fn tiers() -> Bench {
    let bench = Bench::new();
    bench.write("site.yaml", &format!("{SITE}{TIERS}"));
    bench
}

#[test]
fn a_graph_shows_each_object_below_what_it_waits_for() {
    let bench = tiers();
    let text = bench.expect(0, "graph").stdout;
    assert_golden("tests/it/forms/graph.txt", &text);
    assert_golden("tests/it/forms/graph.dot", &bench.expect(0, "graph -o dot").stdout);
    let drawn = bench.expect(0, "graph -o svg").stdout;
    assert_golden("tests/it/forms/graph.svg", &drawn);
    let json: serde_json::Value = serde_json::from_str(&bench.expect(0, "graph -o json").stdout).unwrap();
    let proxy =
        json["nodes"].as_array().unwrap().iter().find(|node| node["key"] == "container/proxy").unwrap();
    assert_eq!(proxy["after"], serde_json::json!(["container/web-1", "container/web-2"]));
    bench.expect(2, "plan --out p.plan");
    bench.write("site.yaml", "");
    assert_eq!(bench.expect(0, "graph --plan p.plan -o svg").stdout, drawn);
    bench.expect(64, "plan -o svg");
    bench.expect(64, "graph -o sarif");
}

#[test]
fn a_graph_of_nothing_says_so() {
    let bench = Bench::new();
    bench.expect(0, "apply");
    assert_eq!(bench.expect(0, "graph").stdout, "nothing to do\n");
    assert!(bench.expect(0, "graph -o svg").stdout.contains(">nothing to do</text>"));
}

proptest! {
    #![proptest_config(crate::properties::cases())]

    #[test]
    fn a_graph_has_every_object_once_and_no_edge_too_many(story in crate::random_site::story()) {
        use crate::reconcile_support::*;
        let host = server();
        converge(&host, &Goal::Site(&story.before.desired()), &options());
        let plan = planned(&host, &Goal::Site(&story.after.desired()), &options());
        let graph = graph(&plan);
        let keys: BTreeSet<_> = plan.steps.iter().map(|step| &step.key).collect();
        prop_assert_eq!(graph.nodes.iter().map(|node| &node.key).collect::<BTreeSet<_>>(), keys.clone());
        prop_assert_eq!(graph.nodes.len(), keys.len());
        for (before, after) in &graph.edges {
            prop_assert!(graph.nodes[*before].layer < graph.nodes[*after].layer);
            let detour = graph.edges.iter().any(|(from, over)| from == before && reaches(&graph.edges, *over, *after));
            prop_assert!(!detour, "{before} -> {after} is implied");
        }
        prop_assert!(uppsala::parse(&svg(&graph)).is_ok());
        prop_assert_eq!(graph::dot(&graph).matches(" -> ").count(), graph.edges.len());
    }
}

fn reaches(edges: &BTreeSet<(usize, usize)>, from: usize, to: usize) -> bool {
    from != to
        && edges
            .iter()
            .filter(|(before, _)| *before == from)
            .any(|(_, after)| *after == to || reaches(edges, *after, to))
}

/// All that an apply shows on a terminal of so many columns.
fn applied_on_terminal(words: &str, columns: u16, variables: &[(&str, &str)]) -> String {
    let bench = tiers();
    let mut command = bench.command(words);
    command.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CLICOLOR");
    command.envs(variables.iter().copied());
    let (mut terminal, mut child) = on_terminal(&command, columns);
    let mut said = hear(&mut terminal, "steps: ");
    child.wait().unwrap();
    let mut rest = vec![0; 1 << 16];
    let count = terminal.read(&mut rest).unwrap_or(0);
    said.push_str(&String::from_utf8_lossy(&rest[..count]));
    said
}

/// Whether a bar of the 24 steps was drawn, wherever it stood: `[===>   ] 7/24`.
fn has_bar(text: &str) -> bool {
    text.split("] ")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).starts_with("/24"))
}

/// Without escape sequences.
fn bare(text: &str) -> String {
    let mut bare = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(|letter| letter.is_ascii_alphabetic());
        } else if letter != '\r' {
            bare.push(letter);
        }
    }
    bare
}

#[test]
fn on_a_terminal_a_frame_shows_what_runs_and_a_table_how_it_went() {
    let said = applied_on_terminal("apply --yes", 100, &[]);
    let lines = bare(&said);
    // The modelled host is fast: of the frame perhaps only the first is drawn.
    assert!(lines.contains("site/edge: record"), "the step that runs: {lines}");
    assert!(has_bar(&lines), "the bar: {lines}");
    let table = &lines[lines.rfind("OBJECT").unwrap()..];
    assert!(table.starts_with("OBJECT"), "{lines}");
    let row = table.lines().find(|line| line.starts_with("container/proxy")).unwrap();
    assert!(row.contains("changed") && row.contains(" s"), "{table}");
    assert!(table.contains(" steps: "), "{table}");
    assert!(!has_bar(table), "the frame is gone: {table}");
}

#[test]
fn a_narrow_terminal_gets_blocks_and_no_line_that_is_too_long() {
    let lines = bare(&applied_on_terminal("apply --yes", 30, &[]));
    let table = &lines[lines.rfind("container/proxy\n").unwrap()..];
    assert!(table.starts_with("container/proxy\n  OUTCOME    changed\n  TIME       "), "{table}");
    assert!(!lines.contains("OBJECT"), "{lines}");
}

#[test]
fn colours_are_left_out_where_they_are_not_wanted() {
    let colours = |variables: &[(&str, &str)], words: &str| {
        let said = applied_on_terminal(words, 100, variables);
        said.contains("\u{1b}[32m")
    };
    assert!(colours(&[], "apply --yes"));
    assert!(!colours(&[("NO_COLOR", "1")], "apply --yes"));
    assert!(!colours(&[("CLICOLOR", "0")], "apply --yes"));
    assert!(!colours(&[], "apply --yes --color never"));
    assert!(colours(&[("NO_COLOR", "1")], "apply --yes --color always"));
}

#[test]
fn quiet_and_dumb_terminals_get_no_frame() {
    let quiet = applied_on_terminal("apply --yes --quiet", 100, &[]);
    assert!(!has_bar(&bare(&quiet)) && !bare(&quiet).contains("OBJECT"), "{quiet}");
    let dumb = bare(&applied_on_terminal("apply --yes", 100, &[("TERM", "dumb")]));
    assert!(dumb.contains("container/web-1: start: done") && !has_bar(&dumb), "{dumb}");
}

#[test]
fn the_table_tells_what_waits() {
    let bench = tiers();
    let said = bench.expect(0, "apply");
    assert!(said.stdout.contains("OBJECT"), "{}", said.stdout);
    assert!(said.stderr.contains("container/web-1: start: done"), "plain lines without a terminal");
    let nested = SITE.replace("limits.memory: 1GiB", "limits.memory: 2GiB, security.nesting: true");
    bench.write(
        "site.yaml",
        &format!("{nested}{}", TIERS.replace("image: busybox}", "image: busybox, config: {user.x: y}}")),
    );
    let said = bench.expect(0, "apply");
    let row = said.stdout.lines().find(|line| line.starts_with("container/web-1  ")).unwrap();
    assert!(row.contains("changed") && row.contains("--allow restart"), "{}", said.stdout);
}

#[test]
fn findings_fit_a_narrow_terminal_and_have_colours_on_it() {
    let bench = Bench::new();
    bench.write("site.yaml", &SITE.replace("image: busybox", "imgae: busybox"));
    let mut command = bench.command("validate");
    command.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CLICOLOR");
    let (mut terminal, mut child) = on_terminal(&command, 40);
    let said = hear(&mut terminal, "nothing was changed");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(said.contains("\u{1b}[31m"), "{said:?}");
    let said = bare(&said);
    let (findings, _) = said
        .split_once("\nerror: ")
        .map(|(_, rest)| rest.split_once("\n\n").unwrap_or((rest, "")))
        .unwrap_or((&said, ""));
    assert!(findings.lines().all(|line| line.chars().count() <= 40), "{findings}");
    assert!(said.contains("^^^^^"), "{said}");
}

#[test]
fn only_takes_patterns_with_what_they_need_and_prunes_nothing() {
    let bench = tiers();
    let said = bench.expect(0, "apply --only web-*").stdout;
    assert!(said.contains("container/web-1") && said.contains("container/web-2"), "{said}");
    assert!(said.contains("container/db-1"), "web-2 depends on it: {said}");
    assert!(!said.contains("container/proxy"), "{said}");
    bench.expect(0, "plan --only container/web-?");
    bench.expect(2, "plan --only container/*");
    let said = bench.expect(1, "plan --only mail-*");
    assert!(said.stderr.contains("no declared object is like container/mail-*"), "{}", said.stderr);
    bench.write("site.yaml", SITE);
    let said = bench.expect(0, "apply --only * --allow delete").stdout;
    assert!(!said.contains("prune  "), "{said}");
    assert!(bench.expect(0, "get web-2").stdout.contains("running"));
}
