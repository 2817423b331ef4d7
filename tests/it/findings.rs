//! Every finding, as people see it: `findings/NAME.yaml` is a bad manifest, `findings/NAME.txt` what is said about it.
//! `BAYPLAN_BLESS=1` writes the texts anew.

use crate::golden::{assert_golden, folder};
use crate::spec_load::{template, text};
use bayplan::spec::diagnostic::render_all;
use bayplan::spec::{LoadContext, RenderFor, load};
use std::collections::BTreeSet;
use std::fs;

fn manifests() -> Vec<String> {
    let entries = fs::read_dir(folder("tests/it/findings")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect();
    names.sort();
    names
}

fn findings(name: &str) -> (String, BTreeSet<&'static str>) {
    let source = fs::read_to_string(folder("tests/it/findings").join(format!("{name}.yaml"))).unwrap();
    let mut texts = vec![text(&format!("{name}.yaml"), &source)];
    if let Ok(source) = fs::read_to_string(folder("tests/it/findings").join(format!("{name}.tmpl"))) {
        texts.push(template(&format!("{name}.tmpl"), &source));
    }
    let machine_id = "00000000000000000000000000000001".to_owned();
    let render_for = RenderFor::Machine { machine_id, hostname: "here".to_owned() };
    let context = LoadContext { render_for, ..LoadContext::new("amd64") };
    let findings = match load(&texts, &context) {
        Ok(loaded) => panic!("{name} has no error: {:#?}", loaded.desired),
        Err(findings) => findings,
    };
    (render_all(&findings, &texts), findings.iter().map(|finding| finding.code).collect())
}

#[test]
fn every_bad_manifest_gets_its_findings() {
    let names = manifests();
    assert!(names.len() > 80, "only {} bad manifests", names.len());
    for name in names {
        assert_golden(&format!("tests/it/findings/{name}.txt"), &findings(&name).0);
    }
}

#[test]
fn the_hosts_root_in_an_id_map_is_warned_of() {
    let source = |config: &str| {
        format!(
            "apiVersion: bayplan/v1\nkind: Image\nmetadata: {{name: busybox}}\nspec: {{source: {{busybox: {{}}}}}}\n---\n\
             apiVersion: bayplan/v1\nkind: Container\nmetadata: {{name: web-1}}\nspec:\n  image: busybox\n  config:\n{config}"
        )
    };
    let warnings = |config: &str| {
        let texts = [text("site.yaml", &source(config))];
        render_all(&load(&texts, &LoadContext::new("amd64")).unwrap().warnings, &texts)
    };
    let warned = warnings("    raw.idmap: |\n      both 1000 1000\n      uid 0-9 500-509\n");
    assert_golden("tests/it/plans/warning-host-root.txt", &warned);
    assert_eq!(warnings("    raw.idmap: both 1-9 1-9\n"), "no findings\n");
    let privileged = warnings("    raw.idmap: both 0 0\n    security.privileged: true\n");
    assert_eq!(privileged, "no findings\n", "it is root anyway");
}

#[test]
fn every_code_of_a_finding_occurs_in_a_golden_file() {
    let seen: BTreeSet<&str> = manifests().iter().flat_map(|name| findings(name).1).collect();
    let mut unseen = BTreeSet::new();
    for file in rust_files(&folder("src/spec")) {
        let source = fs::read_to_string(file).unwrap();
        for part in source.split("Wrong::new(").skip(1) {
            let code = part.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            unseen.extend(code.filter(|code| !seen.contains(code)).map(str::to_owned));
        }
    }
    assert!(unseen.is_empty(), "no golden file shows {unseen:?}");
}

fn rust_files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(rust_files(&path)),
            false => files.push(path),
        }
    }
    files
}
