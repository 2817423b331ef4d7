//! Markdown, JUnit and SARIF: valid by their schemas, and read by what reads them. `vendored/README.md` says where the
//! schemas come from.

use crate::cli::{Bench, SITE};
use crate::golden::{assert_golden, folder};
use crate::reconcile_support::{apply_options, container, options, planned, server, site};
use bayplan::model::finding::{Finding, Severity};
use bayplan::model::key::Key;
use bayplan::model::origin::Place;
use bayplan::reconcile::apply::{ApplyOptions, apply};
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::render::junit::junit;
use bayplan::reconcile::render::markdown::markdown;
use bayplan::reconcile::render::outline::{self, Level, Outline, Remark, Row, Verdict};
use bayplan::reconcile::render::sarif::sarif;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

fn vendored(name: &str) -> String {
    std::fs::read_to_string(folder("tests/it/vendored").join(name)).unwrap()
}

fn sarif_schema() -> &'static jsonschema::Validator {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema: Value = serde_json::from_str(&vendored("sarif-schema-2.1.0.json")).unwrap();
        // The one pattern in it that is no regular expression everywhere: a `]` too many.
        for holder in ["run", "toolComponent"] {
            let language = &mut schema["definitions"][holder]["properties"]["language"];
            assert!(language.as_object_mut().unwrap().remove("pattern").is_some());
        }
        jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
    })
}

#[track_caller]
fn assert_sarif(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap();
    let validator = sarif_schema();
    let wrong: Vec<String> =
        validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{text}");
    document
}

#[track_caller]
fn assert_junit(text: &str) {
    let schema = vendored("junit-10.xsd");
    let schema = uppsala::parse(&schema).unwrap();
    let validator = uppsala::XsdValidator::from_schema(&schema).unwrap();
    let document = uppsala::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let wrong = validator.validate(&document);
    assert!(wrong.is_empty(), "{wrong:?}\n{text}");
}

#[test]
fn the_schemas_refuse_what_is_wrong() {
    let wrong = "<testsuites><testsuite name=\"a\" tests=\"1\" failures=\"0\" errors=\"0\"><testcase/></testsuite></testsuites>";
    assert!(std::panic::catch_unwind(|| assert_junit(wrong)).is_err(), "a test case needs a name");
    let unknown = "<testsuites><suite/></testsuites>";
    assert!(std::panic::catch_unwind(|| assert_junit(unknown)).is_err());
    let wrong = r#"{"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}"#;
    assert!(std::panic::catch_unwind(|| assert_sarif(wrong)).is_err(), "a driver needs a name");
}

/// A site that was applied; then a limit was edited by hand, a container was added, and another one was dropped.
fn moved_bench() -> Bench {
    let bench = Bench::new();
    let web_2 = "---\nkind: Container\nmetadata: {name: web-2}\nspec: {image: busybox}\n";
    bench.write("site.yaml", &format!("{SITE}{web_2}"));
    bench.expect(0, "apply");
    let file = bench.path().join("state/modelled-host.json");
    let mut host: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(loosen(&mut host), "a running container has a limit of memory");
    std::fs::write(&file, host.to_string()).unwrap();
    let nested = SITE
        .replace("limits.memory: 1GiB", "limits.memory: 1GiB, user.note: \"<b>\", security.nesting: true");
    let web_3 = "---\nkind: Container\nmetadata: {name: web-3}\nspec: {image: busybox}\n";
    bench.write("site.yaml", &format!("{nested}{web_3}"));
    bench
}

/// Edits the first limit of memory that is in force.
fn loosen(value: &mut Value) -> bool {
    if let Some(limits) = value.get_mut("limits").filter(|limits| limits.get("memory").is_some()) {
        limits["memory"]["bytes"] = Value::from(1 << 29);
        return true;
    }
    match value {
        Value::Object(fields) => fields.values_mut().any(loosen),
        Value::Array(items) => items.iter_mut().any(loosen),
        _ => false,
    }
}

fn redacted(text: &str) -> String {
    let mut words = vec![];
    for word in text.split_inclusive(char::is_whitespace) {
        let time = word.contains("T") && word.contains(":") && word.contains("Z") && word.starts_with("20");
        words.push(if time { "TIME ".to_owned() } else { word.to_owned() });
    }
    words.concat()
}

#[test]
fn a_plan_with_changes_drift_and_what_waits_in_every_form() {
    let bench = moved_bench();
    let plan = |form: &str| redacted(&bench.expect(2, &format!("plan -o {form}")).stdout);
    assert_golden("tests/it/forms/plan.md", &plan("markdown"));
    let text = plan("junit");
    assert_junit(&text);
    assert_golden("tests/it/forms/plan.junit.xml", &text);
    let text = plan("sarif");
    let document = assert_sarif(&text);
    assert_golden("tests/it/forms/plan.sarif", &text);
    let results = document["runs"][0]["results"].as_array().unwrap();
    let drift = results.iter().find(|result| result["ruleId"] == "drift").unwrap();
    assert_eq!(drift["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "site.yaml");
    assert!(
        drift["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64().unwrap() > 10,
        "{drift}"
    );
}

#[test]
fn drift_validate_and_apply_have_every_form() {
    let applied = || {
        let bench = Bench::new();
        bench.expect(0, "apply");
        bench
    };
    type Begin = fn() -> Bench;
    let cases: [(Begin, i32, &str); 6] = [
        (moved_bench, 2, "drift"),
        (moved_bench, 0, "apply --yes"),
        (Bench::new, 0, "validate"),
        (Bench::new, 2, "plan"),
        (applied, 0, "plan"),
        (applied, 0, "apply --yes"),
    ];
    for (bench, status, words) in cases {
        let verb = words.split(' ').next().unwrap();
        assert_junit(&bench().expect(status, &format!("{words} -o junit")).stdout);
        let document = assert_sarif(&bench().expect(status, &format!("{words} -o sarif")).stdout);
        assert_eq!(document["runs"][0]["automationDetails"]["id"], format!("bayplan/{verb}/"));
        let text = bench().expect(status, &format!("{words} -o markdown")).stdout;
        assert!(text.starts_with(&format!("**bayplan {verb}**")), "{text}");
    }
    let bench = Bench::new();
    bench.expect(64, "get -o sarif");
    bench.expect(64, "delete web-1 -o junit");
}

/// Passes a quarter of a second whenever it is looked at.
fn slow_clock() -> impl Fn() -> Instant + Sync {
    let (begun, looks) = (Instant::now(), AtomicU32::new(0));
    move || begun + Duration::from_millis(250) * looks.fetch_add(1, Ordering::Relaxed)
}

#[test]
fn every_form_of_a_report_says_how_long_each_step_took() {
    let (host, desired) = (server(), site(&[("web-1", container())]));
    let plan = planned(&host, &Goal::Site(&desired), &options());
    let (cancel, clock) = (AtomicBool::new(false), slow_clock());
    let report = apply(&host, &plan, &ApplyOptions { clock: &clock, ..apply_options(&cancel) });
    assert!(report.is_done(), "{report:#?}");
    assert!(report.steps.iter().all(|step| step.duration_ms == Some(250)), "{report:#?}");
    assert_eq!(serde_json::to_value(&report).unwrap()["steps"][0]["durationMs"], 250);
    let outline = outline::report(&plan, &report);
    let text = junit(&outline);
    assert_junit(&text);
    assert_golden("tests/it/forms/apply.junit.xml", &text);
    assert_golden("tests/it/forms/apply.md", &markdown(&outline));
}

#[test]
fn a_step_that_was_not_begun_took_no_time() {
    let (host, desired) = (server(), site(&[("web-1", container())]));
    let plan = planned(&host, &Goal::Site(&desired), &options());
    let (cancel, clock) = (AtomicBool::new(true), slow_clock());
    let report = apply(&host, &plan, &ApplyOptions { clock: &clock, ..apply_options(&cancel) });
    assert!(!report.steps.is_empty() && report.steps.iter().all(|step| step.duration_ms.is_none()));
    assert!(
        !junit(&outline::report(&plan, &report))
            .contains("<testcase name=\"container/web-1\" classname=\"bayplan.container\" time")
    );
}

#[test]
fn what_no_site_owns_is_a_note_where_the_site_wants_to_know() {
    let bench = Bench::new();
    let web_2 = "---\nkind: Container\nmetadata: {name: web-2}\nspec: {image: busybox}\n";
    bench.write("site.yaml", &format!("{SITE}{web_2}"));
    bench.expect(0, "apply");
    let lost = walk(&bench.path().join("state/records"));
    let lost: Vec<_> = lost.into_iter().filter(|path| path.to_string_lossy().contains("web-2")).collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    std::fs::remove_file(&lost[0]).unwrap();
    for (site, told) in [(SITE.to_owned(), 0), (SITE.replacen("spec: {}", "spec: {unmanaged: report}", 1), 1)]
    {
        bench.write("site.yaml", &site);
        let document = assert_sarif(&bench.run("plan -o sarif").stdout);
        let results = document["runs"][0]["results"].as_array().unwrap();
        let unmanaged = results.iter().filter(|result| result["ruleId"] == "unmanaged").count();
        assert_eq!(unmanaged, told, "{document:#}");
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn findings_are_results_at_their_lines() {
    let bench = Bench::new();
    bench.write("bad.yaml", &SITE.replace("image: busybox", "imgae: busybox"));
    for command in ["validate -f bad.yaml", "plan -f bad.yaml", "apply -f bad.yaml"] {
        let said = bench.expect(1, &format!("{command} -o sarif"));
        let document = assert_sarif(&said.stdout);
        let results = document["runs"][0]["results"].as_array().unwrap();
        let unknown = results.iter().find(|result| result["ruleId"] == "unknown-field").unwrap();
        assert_eq!(unknown["level"], "error");
        let place = &unknown["locations"][0]["physicalLocation"];
        assert_eq!(
            (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
            (&"bad.yaml".into(), &14.into())
        );
        assert!(unknown["message"]["text"].as_str().unwrap().contains("did you mean"), "{unknown}");
        assert_junit(&bench.expect(1, &format!("{command} -o junit")).stdout);
        assert!(bench.expect(1, &format!("{command} -o markdown")).stdout.contains("`bad.yaml:14:8`"));
    }
    // A failure without findings says why, too.
    let said = bench.expect(1, "plan --plan nowhere -o sarif");
    let document = assert_sarif(&said.stdout);
    assert_eq!(document["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert_junit(&bench.expect(1, "plan --plan nowhere -o junit").stdout);
}

#[test]
fn a_finding_in_a_path_with_odd_letters_is_a_uri() {
    let place = Some(Place { file: "a b/ü%#?.yaml".into(), line: 3, column: 1 });
    let (message, help) = ("wrong\u{1b}[31m \u{0}".to_owned(), None);
    let finding = Finding {
        severity: Severity::Error,
        code: "odd",
        place,
        key: Some(Key::container("a")),
        message,
        help,
    };
    let outline = outline::findings("validate", std::iter::empty(), &[finding]);
    let document = assert_sarif(&sarif(&outline));
    let uri =
        &document["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "a%20b/%C3%BC%25%23%3F.yaml");
    let text = junit(&outline);
    assert_junit(&text);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{0}'));
}

/// Texts that could break out of where they stand.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "`",
        "``",
        "```",
        "|",
        "\\",
        "\n",
        "<b>",
        "</details>",
        "<script>alert(1)</script>",
        "&amp;",
        "@root",
        "]]>",
        "-->",
        "[x](http://x)",
        "![x](y)",
        "# x",
        "* x",
        "~~~",
        "$",
        " ",
        "a",
        "\u{202e}",
        "\u{0}",
        "\u{ffff}",
        "\"",
        "'",
        "\t",
        "https://example.org",
        "!1",
        "é",
    ];
    prop::collection::vec(0..pieces.len(), 0..12)
        .prop_map(move |chosen| chosen.iter().map(|at| pieces[*at]).collect())
}

fn row() -> impl Strategy<Value = Row> {
    let classes = ["create", "change", "pending", "error", "unchanged"];
    (hostile(), hostile(), hostile(), hostile(), 0..classes.len()).prop_map(
        move |(name, text, help, diff, class)| Row {
            name,
            class: classes[class],
            verdict: [Verdict::Differs, Verdict::Differs, Verdict::Waits, Verdict::Wrong, Verdict::Good]
                [class],
            remarks: vec![Remark {
                rule: "change",
                level: Level::Note,
                place: Some(Place { file: text.as_str().into(), line: 1, column: 1 }),
                text,
                help: Some(help),
                field: String::new(),
                duration_ms: None,
            }],
            diff: diff.lines().map(str::to_owned).collect(),
            duration_ms: None,
        },
    )
}

proptest! {
    #![proptest_config(crate::properties::cases())]

    #[test]
    fn no_value_is_markup_in_markdown(rows in prop::collection::vec(row(), 1..4), site in hostile(), summary in hostile()) {
        let outline = Outline { verb: "plan", site: Some(site), summary, rows, duration_ms: None };
        let text = markdown(&outline);
        let mut cells = 0;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    let html = html.trim();
                    let ours = html.starts_with("<details><summary>") || html == "</details>";
                    let marks = html.matches('<').count();
                    prop_assert!(ours && (marks == 5 || html == "</details>"), "{html:?} in\n{text}");
                }
                Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::Heading { .. } | Tag::List(_) | Tag::BlockQuote(_)) => {
                    prop_assert!(false, "{event:?} in\n{text}");
                }
                Event::Start(Tag::TableCell) => cells += 1,
                _ => {}
            }
        }
        prop_assert_eq!(cells % 3, 0, "{}", text);
        let told = outline.rows.iter().map(|row| row.remarks.len()).sum::<usize>();
        prop_assert!(cells / 3 >= told, "{cells} cells for {told} remarks:\n{text}");
        let kept = ['\u{202e}', '\u{0}'].map(|letter| text.contains(letter));
        prop_assert_eq!(kept, [false, false]);
    }

    #[test]
    fn no_value_breaks_junit_or_sarif(rows in prop::collection::vec(row(), 0..4), summary in hostile()) {
        let outline = Outline { verb: "plan", summary, rows, ..Outline::default() };
        assert_junit(&junit(&outline));
        let document = assert_sarif(&sarif(&outline));
        prop_assert_eq!(document["runs"][0]["results"].as_array().unwrap().len(), outline.rows.len());
    }
}
