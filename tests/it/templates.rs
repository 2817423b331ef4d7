//! `template` of `files`: what it becomes for hosts and members, what is said where it is wrong, and how commands read it.

use crate::cli::Bench;
use crate::reconcile_support::*;
use crate::spec_load::{template, text};
use bayplan::model::content::Content;
use bayplan::model::desired::Desired;
use bayplan::model::finding::Finding;
use bayplan::model::key::Key;
use bayplan::model::object::Spec;
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::render::{TextOptions, plan_text};
use bayplan::spec::diagnostic::render_all;
use bayplan::spec::{LoadContext, RenderFor, SourceText, canonical, emit, load, load_hosts, templates};
use std::path::Path;

const SITE: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: edge}
spec:
  targets: [north, south]
  values: {port: 80}
---
kind: Host
metadata: {name: north}
spec: {}
---
kind: Host
metadata: {name: south}
spec: {values: {port: 8080}}
---
kind: Image
metadata: {name: i}
spec: {source: {busybox: {}}}
---
kind: Profile
metadata: {name: web}
spec:
  files:
    /etc/app.conf: {template: app.conf.tmpl, mode: \"0600\"}
---
kind: ContainerSet
metadata: {name: m}
spec:
  for: {a: {ip: 10.66.0.21}, b: {ip: 10.66.0.22}}
  template:
    image: i
    profiles: [default, web]
    files:
      /etc/own: {template: \"${each.key}.tmpl\"}
";

fn texts(app: &str) -> Vec<SourceText> {
    vec![
        text("site.yaml", SITE),
        template("app.conf.tmpl", app),
        template("a.tmpl", "at ${each.ip}\n"),
        template("b.tmpl", "B\n"),
    ]
}

fn rendered(texts: &[SourceText], host: &str) -> Desired {
    let context = LoadContext { render_for: RenderFor::Named(host.to_owned()), ..LoadContext::new("amd64") };
    load(texts, &context).unwrap_or_else(|findings| panic!("{}", render_all(&findings, texts))).desired
}

fn content(desired: &Desired, name: &str, path: &str) -> String {
    let Spec::Container(container) = &desired.objects[&Key::container(name)].spec else { panic!() };
    match &container.files[path].from {
        Content::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_template_has_the_values_of_its_host_and_its_member_and_an_escape() {
    let texts = texts("port = ${values.port}\nhome = $${HOME} $HOME\n");
    for (host, port) in [("north", "80"), ("south", "8080")] {
        let desired = rendered(&texts, host);
        let expected = format!("port = {port}\nhome = ${{HOME}} $HOME\n");
        assert_eq!(content(&desired, "m-a", "/etc/app.conf"), expected);
        assert_eq!(content(&desired, "m-b", "/etc/app.conf"), expected);
        assert_eq!(content(&desired, "m-a", "/etc/own"), "at 10.66.0.21\n");
        assert_eq!(content(&desired, "m-b", "/etc/own"), "B\n");
    }
}

#[test]
fn a_value_that_only_a_template_uses_is_used() {
    let warnings = load_hosts(&texts("x"), "amd64").unwrap().warnings;
    assert!(warnings.is_empty(), "{warnings:?}");
}

#[test]
fn the_templates_of_every_host_and_member_are_named_before_they_are_read() {
    let named = templates(&texts("")[..1]);
    let paths: Vec<(&Path, &str)> = named.iter().map(|(file, shown)| (&*file.path, shown.as_str())).collect();
    assert_eq!(
        paths,
        [
            (Path::new("a.tmpl"), "a.tmpl"),
            (Path::new("app.conf.tmpl"), "app.conf.tmpl"),
            (Path::new("b.tmpl"), "b.tmpl")
        ]
    );
}

#[test]
fn every_wrong_placeholder_of_a_template_is_a_finding_at_its_own_place() {
    let texts = texts("ok ${values.port}\n  x ${values.prot} ${HOME} é ${each.ip}\n${secret.key}\n${open\n");
    let findings = load_hosts(&texts, "amd64").unwrap_err();
    let shown = |finding: &Finding| format!("{} {}", finding.place.as_ref().unwrap(), finding.message);
    let shown: Vec<String> = findings.iter().map(shown).collect();
    assert_eq!(
        shown,
        [
            "app.conf.tmpl:2:5 there is no value `${values.prot}` for host north (on host north)",
            "app.conf.tmpl:2:5 there is no value `${values.prot}` for host south (on host south)",
            "app.conf.tmpl:2:20 there is no value `${HOME}` for host north (on host north)",
            "app.conf.tmpl:2:20 there is no value `${HOME}` for host south (on host south)",
            "app.conf.tmpl:2:30 `${each.ip}` outside a set",
            "app.conf.tmpl:3:1 `${secret.key}`: a secret is filled in nowhere",
            "app.conf.tmpl:4:1 `${open` is not closed",
        ]
    );
    let excerpt = render_all(&findings, &texts);
    assert!(excerpt.contains("3 | ${secret.key}"), "{excerpt}");
    assert!(excerpt.contains("did you mean `${values.port}`?"), "{excerpt}");
}

#[test]
fn what_is_rendered_has_the_filled_text_and_loads_as_the_same() {
    let desired = rendered(&texts("port = ${values.port}\nhome = $${HOME}\n"), "south");
    let written = emit::documents(&canonical::documents(&desired, None));
    let again = load(&[text("out.yaml", &written)], &LoadContext::new("amd64")).unwrap().desired;
    assert_eq!(content(&again, "m-a", "/etc/app.conf"), "port = 8080\nhome = ${HOME}\n");
    assert_eq!(again.objects[&Key::container("m-a")], desired.objects[&Key::container("m-a")]);
}

#[test]
fn another_value_or_another_template_is_a_live_change_with_the_lines_that_moved() {
    let host = server();
    converge(&host, &Goal::Site(&rendered(&texts("port = ${values.port}\n"), "north")), &options());
    let other = rendered(&texts("port = ${values.port}\n"), "south");
    let plan = planned(&host, &Goal::Site(&other), &options());
    let shown = plan_text(&plan, TextOptions::default());
    let line = "change [live] files./etc/app.conf.content";
    assert!(shown.contains(line) && shown.contains("8080"), "{shown}");
    assert!(shown.contains("(site.yaml:24, filled from app.conf.tmpl:1, site.yaml:14)"), "{shown}");
    converge(&host, &Goal::Site(&other), &options());
    assert!(planned(&host, &Goal::Site(&other), &options()).is_empty());
}

#[test]
fn commands_read_templates_beside_the_manifest_and_say_which_cannot_be_read() {
    let bench = Bench::new();
    let site = crate::cli::SITE.replace(
        "spec: {image: busybox,",
        "spec: {image: busybox, files: {/etc/app.conf: {template: conf/app.tmpl}},",
    );
    std::fs::create_dir(bench.path().join("conf")).unwrap();
    bench.write("site.yaml", &site.replace("spec: {}", "spec: {values: {port: 80}}"));
    let said = bench.expect(1, "validate");
    assert!(said.stderr.contains("conf/app.tmpl is not there"), "{}", said.stderr);
    assert!(said.stderr.contains("site.yaml:14:"), "{}", said.stderr);

    bench.write("conf/app.tmpl", "port = ${values.port}\n");
    bench.expect(0, "validate");
    assert!(bench.expect(0, "render").stdout.contains("port = 80"));
    bench.expect(0, "apply --yes");
    bench.expect(0, "plan");
    let why = bench.expect(0, "why web-1 files -f site.yaml").stdout;
    assert!(why.contains("filled from conf/app.tmpl:1, site.yaml:4"), "{why}");
    let formatted = bench.expect(0, "fmt --check -o json").stdout;
    assert!(!formatted.contains("app.tmpl"), "{formatted}");

    bench.write("conf/app.tmpl", "port = ${values.port} # new\n");
    assert!(bench.expect(2, "plan").stdout.contains("port = 80 # new"));
    // A saved plan has what the template was.
    bench.expect(2, "plan --out saved");
    bench.write("conf/app.tmpl", "other\n");
    bench.expect(0, "apply --plan saved --yes");
    assert!(bench.expect(2, "plan").stdout.contains("other"));

    for (content, words) in
        [(vec![b'a', 0xff], "is not UTF-8: byte 1"), (vec![b'x'; (1 << 20) + 1], "more than 1024 KiB")]
    {
        std::fs::write(bench.path().join("conf/app.tmpl"), content).unwrap();
        let said = bench.expect(1, "plan");
        assert!(said.stderr.contains(words) && said.stderr.contains("site.yaml:14:"), "{}", said.stderr);
    }
    std::fs::remove_file(bench.path().join("conf/app.tmpl")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", bench.path().join("conf/app.tmpl")).unwrap();
    assert!(bench.expect(1, "plan").stderr.contains("leads out of the source's folder"));
}

#[test]
fn a_daemon_that_follows_sees_another_template() {
    let bench = Bench::new();
    let site = crate::cli::SITE.replace(
        "spec: {image: busybox,",
        "spec: {image: busybox, files: {/etc/app.conf: {template: app.tmpl}},",
    );
    bench.write("app.tmpl", "one\n");
    bench.write("site.yaml", &site);
    let _daemon = bench.daemon("-f site.yaml");
    crate::cli::wait_until("it is applied", || bench.run("plan").status == 0);
    bench.write("app.tmpl", "two\n");
    crate::cli::wait_until("the daemon has the new one", || {
        bench.run("plan").status == 0 && bench.run("export container/web-1").stdout.contains("two")
    });
}
