//! Rendering for hosts: properties on random sites with sets, hosts and values, and what `render` prints.
//! `BAYPLAN_CASES` sets the number of cases (300: each loads several manifests).

use crate::golden::{assert_golden, folder};
use crate::reconcile_support::{converge, options, planned, server};
use crate::spec_load::{examples, text};
use bayplan::model::desired::Desired;
use bayplan::model::key::{Key, Kind};
use bayplan::model::object::Object;
use bayplan::reconcile::goal::Goal;
use bayplan::reconcile::render::{TextOptions, plan_text};
use bayplan::spec::{LoadContext, Loaded, RenderFor, canonical, emit, load, load_hosts};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

fn cases() -> Config {
    let cases = std::env::var("BAYPLAN_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let failure_persistence = Some(Box::new(FileFailurePersistence::Off) as Box<_>);
    Config { cases, failure_persistence, max_shrink_iters: 2_000, ..Config::default() }
}

#[track_caller]
fn loaded(source: &str, host: Option<&str>) -> Loaded {
    let render_for = host.map_or_else(RenderFor::default, |host| RenderFor::Named(host.to_owned()));
    let context = LoadContext { render_for, ..LoadContext::new("amd64") };
    load(&[text("site.yaml", source)], &context).unwrap_or_else(|findings| panic!("{findings:#?}\n{source}"))
}

/// A site with a set of each sort.
#[derive(Debug, Clone)]
struct RandomSite {
    /// Host → its value of `size`; none: the Site's.
    hosts: BTreeMap<u8, Option<u8>>,
    replicas: usize,
    digits: usize,
    /// Keys of `for` → index of an odd text.
    keys: BTreeMap<u8, usize>,
    /// Where the keyed set is placed: a host, or everywhere.
    placed: Option<u8>,
    profile: Vec<usize>,
    config: Vec<usize>,
    devices: Vec<usize>,
    /// What is said of pruning, ownership and objects of others.
    prune: usize,
    moved: bool,
    deletion: usize,
    external: bool,
}

/// A Site's `prune`.
const PRUNE: [&str; 5] = [
    "",
    "prune: {mode: auto, max: 3}",
    "prune: {empty: allow, grace: 90m}",
    "prune: {mode: \"off\", max: 100%}",
    "prune: {grace: \"${values.grace}\"}",
];

/// What a set says of its members.
const DELETION: [&str; 4] = ["", ", deletion: park", ", deletion: delete", ", deletion: retain"];

/// Texts that YAML or placeholders could misread.
const TEXTS: [&str; 12] = [
    "plain",
    "no",
    "0x10",
    "1.10",
    "a: b",
    "${x} $${y}",
    "tab\there",
    "line\nbreak\n",
    "\u{7f}\u{85}\u{2028}ü",
    " # x ",
    "'\"\\",
    "- y",
];

const PROFILE: [(&str, &str); 6] = [
    ("limits.cpu", "2"),
    ("limits.memory", "512MiB"),
    ("security.nesting", "true"),
    ("user.note", "x"),
    ("environment.TZ", "UTC"),
    ("boot.autostart", "true"),
];

const CONFIG: [(&str, &str); 7] = [
    ("limits.cpu", "0-1"),
    ("limits.memory", "null"),
    ("security.nesting", "false"),
    ("user.note", "null"),
    ("limits.processes", "\"${values.size}\""),
    ("boot.autostart", "no"),
    ("user.size", "size-${values.size}"),
];

const DEVICES: [(&str, &str); 5] = [
    ("eth0", "{mtu: 1400}"),
    ("eth0", "{type: none}"),
    ("eth1", "{type: nic, nictype: p2p, name: eth9}"),
    ("data", "{type: disk, source: data, path: /srv}"),
    ("data", "{type: disk, source: /srv/a, path: /mnt, readonly: true}"),
];

fn site() -> impl Strategy<Value = RandomSite> {
    let pruning = (0..PRUNE.len(), any::<bool>(), 0..DELETION.len(), any::<bool>());
    (
        prop::collection::btree_map(0_u8..4, prop::option::of(1_u8..9), 1..4),
        0_usize..12,
        0_usize..4,
        prop::collection::btree_map(0_u8..8, 0..TEXTS.len(), 0..6),
        prop::option::of(0_u8..4),
        prop::collection::vec(0..PROFILE.len(), 0..4),
        prop::collection::vec(0..CONFIG.len(), 0..4),
        prop::collection::vec(0..DEVICES.len(), 0..3),
        pruning,
    )
        .prop_map(|(hosts, replicas, digits, keys, placed, profile, config, devices, pruning)| {
            RandomSite {
                prune: pruning.0,
                moved: pruning.1,
                deletion: pruning.2,
                external: pruning.3,
                placed: placed.filter(|host| hosts.contains_key(host)),
                hosts,
                replicas,
                digits,
                keys,
                profile,
                config,
                devices,
            }
        })
}

/// Entries of a mapping, each name once; the later one wins.
fn entries(table: &[(&str, &str)], chosen: &[usize], indent: &str) -> String {
    let chosen: BTreeMap<&str, &str> = chosen.iter().map(|at| table[*at]).collect();
    chosen.iter().map(|(name, value)| format!("{indent}{name}: {value}\n")).collect()
}

fn block(name: &str, entries: &str) -> String {
    if entries.is_empty() { String::new() } else { format!("    {name}:\n{entries}") }
}

impl RandomSite {
    fn text(&self) -> String {
        let moved = if self.moved { ", movedFromSite: shore" } else { "" };
        let mut text = format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: edge{moved}}}\nspec: {{values: {{size: 10, image: tiny, grace: 2d}}, \
             {}}}\n---\nkind: Image\nmetadata: {{name: tiny}}\nspec: {{source: {{busybox: {{}}}}}}\n",
            PRUNE[self.prune]
        );
        if self.external {
            let place =
                self.placed.map_or(String::new(), |host| format!(", placement: {{hosts: [h{host}]}}"));
            let _ = writeln!(
                text,
                "---\nkind: StoragePool\nmetadata: {{name: fast}}\nspec: {{external: true{place}}}"
            );
            text += "---\nkind: Network\nmetadata: {name: bay0}\nspec: {external: true}\n";
        }
        for (host, size) in &self.hosts {
            let values = size.map_or(String::new(), |size| format!("size: {size}"));
            let _ = writeln!(
                text,
                "---\nkind: Host\nmetadata: {{name: h{host}, labels: {{n: \"{host}\"}}}}\nspec: {{values: {{{values}}}}}"
            );
        }
        let profile = entries(&PROFILE, &self.profile, "    ");
        let _ = writeln!(text, "---\nkind: Profile\nmetadata: {{name: p}}\nspec:\n  config:\n{profile}");
        let config = block("config", &entries(&CONFIG, &self.config, "      "));
        let devices = block("devices", &entries(&DEVICES, &self.devices, "      "));
        let template = format!("    image: ${{values.image}}\n    profiles: [default, p]\n{config}{devices}");
        let pattern =
            if self.digits == 0 { "{index}".to_owned() } else { format!("{{index:0{}}}", self.digits) };
        let _ = writeln!(
            text,
            "---\nkind: ContainerSet\nmetadata: {{name: run, labels: {{at: \"${{each.index}}\"}}{}}}\n\
             spec:\n  replicas: {}\n  name: \"run-{pattern}\"\n  template:\n{template}",
            DELETION[self.deletion], self.replicas
        );
        let _ = writeln!(
            text,
            "---\nkind: ContainerSet\nmetadata: {{name: web, description: \"${{each.text}}\"}}\nspec:\n  template:\n{template}    environment: {{TEXT: \"${{each.text}}\"}}"
        );
        if let Some(host) = self.placed {
            let _ = writeln!(text, "  placement: {{labels: {{n: \"{host}\"}}}}");
        }
        let mut keys = String::new();
        for (key, value) in &self.keys {
            let value = TEXTS[*value].replace("${", "$${");
            let quoted = emit::documents(&[value.into()]);
            let _ = writeln!(keys, "    k{key}: {{text: {}}}", quoted.trim_end());
        }
        let _ = writeln!(
            text,
            "  for:{}",
            if keys.is_empty() { " {}\n".to_owned() } else { format!("\n{keys}") }
        );
        text
    }
}

fn members<'d>(desired: &'d Desired, set: &str) -> BTreeMap<&'d Key, &'d Object> {
    let set = Some(Key::set(set));
    desired.objects.iter().filter(|(_, object)| object.meta.member_of == set).collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_is_rendered_loads_as_the_same_declaration_and_renders_the_same(site in site()) {
        let source = site.text();
        for host in site.hosts.keys().map(|host| format!("h{host}")) {
            let first = loaded(&source, Some(&host));
            let rendered = emit::documents(&canonical::documents(&first.desired, first.host.as_ref()));
            let again = loaded(&rendered, Some(&host));
            prop_assert_eq!(&first.desired, &again.desired, "{}", rendered);
            prop_assert!(again.warnings.is_empty());
            let twice = emit::documents(&canonical::documents(&again.desired, again.host.as_ref()));
            prop_assert_eq!(rendered, twice);
        }
    }

    #[test]
    fn rendering_is_deterministic_and_the_same_for_one_host_and_for_all(site in site()) {
        let source = site.text();
        let all = load_hosts(&[text("site.yaml", &source)], "amd64").unwrap();
        prop_assert_eq!(all.hosts.len(), site.hosts.len());
        for (load, host) in all.hosts.iter().zip(site.hosts.keys()) {
            let alone = loaded(&source, Some(&format!("h{host}")));
            prop_assert_eq!(&load.desired, &alone.desired);
            prop_assert_eq!(&load.desired.origins, &alone.desired.origins);
            let here = site.placed.is_none_or(|placed| placed == *host);
            prop_assert_eq!(members(&load.desired, "web").len(), if here { site.keys.len() } else { 0 });
            prop_assert_eq!(members(&load.desired, "run").len(), site.replicas);
        }
    }

    #[test]
    fn scaling_only_adds_or_removes_members(site in site(), replicas in 0_usize..12, gone in 0_u8..8, new in 0_u8..8) {
        let mut other = site.clone();
        other.replicas = replicas;
        other.keys.entry(new).or_insert(0);
        other.keys.remove(&gone);
        let host = format!("h{}", site.hosts.keys().next().unwrap());
        let (before, after) = (loaded(&site.text(), Some(&host)).desired, loaded(&other.text(), Some(&host)).desired);
        for (key, object) in &before.objects {
            if let Some(same) = after.objects.get(key) {
                prop_assert_eq!(object, same, "{} changed", key);
            }
        }
        let keys = |desired: &Desired| members(desired, "run").keys().map(|key| (*key).clone()).collect::<BTreeSet<_>>();
        let (before, after) = (keys(&before), keys(&after));
        let (few, many) = if before.len() < after.len() { (&before, &after) } else { (&after, &before) };
        prop_assert!(few.is_subset(many) && many.len() - few.len() == site.replicas.abs_diff(replicas));
    }
}

#[test]
fn a_site_for_two_hosts_renders_for_each() {
    let source = std::fs::read_to_string(folder("examples/manifests/edge.yaml")).unwrap();
    for host in ["edge-berlin", "edge-hamburg"] {
        let loaded = loaded(&source, Some(host));
        let documents = canonical::documents(&loaded.desired, loaded.host.as_ref());
        assert_golden(&format!("tests/it/golden/render-{host}.yaml"), &emit::documents(&documents));
    }
}

#[test]
fn every_example_converges_on_each_of_its_hosts() {
    for path in examples() {
        let texts = bayplan::source::read(Some(&path)).unwrap();
        for load in load_hosts(&texts, "amd64").unwrap().hosts {
            let host = server();
            converge(&host, &Goal::Site(&load.desired), &options());
            let plan = planned(&host, &Goal::Site(&load.desired), &options());
            assert!(plan.is_empty() && plan.sets.is_empty(), "{}: {:#?}", path.display(), plan.steps);
        }
    }
}

#[test]
fn a_value_has_its_places_in_the_template_and_where_its_placeholders_are_filled_from() {
    let source = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: s}\nspec: {values: {cpus: 2}}\n---\n\
                  kind: Image\nmetadata: {name: i}\nspec: {source: {busybox: {}}}\n---\n\
                  kind: ContainerSet\nmetadata: {name: web}\nspec:\n  for:\n    a: {ip: 10.66.0.21}\n    b: {ip: 10.66.0.22}\n  \
                  template:\n    image: i\n    config: {limits.cpu: \"${values.cpus}\"}\n    devices: {eth0: {ipv4.address: \"${each.ip}\"}}\n";
    let desired = loaded(source, None).desired;
    let origins = &desired.origins[&Key::container("web-b")];
    let shown = |path: &str| {
        let origin = &origins[path];
        let filled: Vec<String> = origin.filled.iter().map(ToString::to_string).collect();
        format!("{} {} <- {}", origin.place.as_ref().unwrap(), origin.layer, filled.join(", "))
    };
    assert_eq!(shown(""), "site.yaml:15:5 containerset web <- ");
    assert_eq!(shown("image"), "site.yaml:17:12 containerset web <- ");
    assert_eq!(shown("config.limits.cpu"), "site.yaml:18:26 containerset web <- site.yaml:4:23");
    assert_eq!(shown("devices.eth0.ipv4.address"), "site.yaml:19:36 containerset web <- site.yaml:15:13");
    assert_eq!(origins["devices.eth0.network"].layer.to_string(), "built-in default");
}

#[test]
fn a_plan_names_the_line_of_the_value_that_moved() {
    let source = |size: &str| {
        format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata: {{name: s}}\nspec: {{values: {{size: {size}}}}}\n---\n\
             kind: Image\nmetadata: {{name: i}}\nspec: {{source: {{busybox: {{}}}}}}\n---\nkind: Container\n\
             metadata: {{name: c}}\nspec:\n  image: i\n  config: {{limits.memory: \"${{values.size}}\"}}\n"
        )
    };
    let host = server();
    converge(&host, &Goal::Site(&loaded(&source("1GiB"), None).desired), &options());
    let plan = planned(&host, &Goal::Site(&loaded(&source("2GiB"), None).desired), &options());
    let shown = plan_text(&plan, TextOptions::default());
    let line = "change [live] config.limits.memory: 1GiB -> 2GiB  (site.yaml:14, filled from site.yaml:4)";
    assert!(shown.contains(line), "{shown}");
}

fn machine(machine_id: &str, hostname: &str) -> LoadContext {
    let render_for = RenderFor::Machine { machine_id: machine_id.to_owned(), hostname: hostname.to_owned() };
    LoadContext { render_for, ..LoadContext::new("amd64") }
}

#[test]
fn a_machine_is_known_by_its_id_then_by_its_name() {
    let id = "0123456789abcdef0123456789abcdef";
    let source = format!(
        "apiVersion: bayplan/v1\nkind: Host\nmetadata: {{name: a}}\nspec: {{machineId: {id}}}\n---\nkind: Host\nmetadata: {{name: b}}\n"
    );
    let other = "f".repeat(32);
    let chosen = |machine_id, hostname| {
        load(&[text("site.yaml", &source)], &machine(machine_id, hostname))
            .map(|loaded| loaded.host.unwrap().name)
    };
    assert_eq!(chosen(id, "b").unwrap(), "a", "the id is stronger than the name");
    assert_eq!(chosen(&other, "b").unwrap(), "b");
    assert!(chosen(&other, "a").is_err(), "a machine with another id is another machine");
    assert!(chosen("", "c").is_err());
}

#[test]
fn targets_without_host_documents_are_host_names() {
    let source = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: s}\nspec: {targets: [a, b]}\n---\nkind: Profile\n\
                  metadata: {name: p}\nspec: {placement: {hosts: [b]}}\n";
    let has_profile = |hostname| {
        let loaded = load(&[text("site.yaml", source)], &machine("", hostname));
        loaded.map(|loaded| loaded.desired.objects.contains_key(&Key::profile("p")))
    };
    assert!(!has_profile("a").unwrap());
    assert!(has_profile("b").unwrap());
    let findings = has_profile("c").unwrap_err();
    assert_eq!(findings[0].message, "this load is for a, b; this host is `c`");
}

#[test]
fn what_is_wrong_for_every_host_is_said_once_and_the_rest_names_its_hosts() {
    let source = "apiVersion: bayplan/v1\nkind: Host\nmetadata: {name: a}\nspec: {values: {cpus: 2}}\n---\nkind: Host\n\
                  metadata: {name: b}\nspec: {values: {cpus: many}}\n---\nkind: Host\nmetadata: {name: c}\n---\nkind: Image\n\
                  metadata: {name: i}\nspec: {source: {busybox: {}}}\n---\nkind: Container\nmetadata: {name: x}\n\
                  spec: {image: i, stat: running, config: {limits.cpu: \"${values.cpus}\"}}\n---\nkind: Profile\n\
                  metadata: {name: p}\nspec: {confg: {}, placement: {hosts: [b]}}\n";
    let findings = load_hosts(&[text("site.yaml", source)], "amd64").unwrap_err();
    let messages: Vec<&str> = findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "unknown field `stat` in the spec of a Container",
            "`limits.cpu` must be a number of processors or a set like `0-3,6`; it is `many` (on host b)",
            "there is no value `${values.cpus}` for host c (on host c)",
            "unknown field `confg` in the spec of a Profile (on host b)",
        ]
    );
}

#[test]
fn a_dependency_on_a_set_is_one_on_each_member() {
    let source = "apiVersion: bayplan/v1\nkind: Image\nmetadata: {name: i}\nspec: {source: {busybox: {}}}\n---\nkind: ContainerSet\n\
                  metadata: {name: web}\nspec: {replicas: 2, template: {image: i}}\n---\nkind: Container\nmetadata: {name: lb}\n\
                  spec: {image: i, dependsOn: [containerset/web]}\n";
    let desired = loaded(source, None).desired;
    let lb = &desired.objects[&Key::container("lb")];
    let bayplan::model::object::Spec::Container(lb) = &lb.spec else { panic!() };
    assert_eq!(lb.depends_on, [Key::container("web-0"), Key::container("web-1")]);
    assert!(desired.objects.keys().all(|key| key.kind != Kind::ContainerSet && key.kind != Kind::Host));
}
