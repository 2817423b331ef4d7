//! Good manifests, and what they become.

use crate::golden::{assert_golden, folder};
use bayplan::model::content::SourceFile;
use bayplan::model::desired::Desired;
use bayplan::model::finding::Finding;
use bayplan::model::key::Key;
use bayplan::model::object::{Container, Spec};
use bayplan::model::run::{CpuLimit, MemoryEnforce};
use bayplan::model::typed;
use bayplan::source;
use bayplan::spec::{LoadContext, Loaded, SourceText, TextRole, load, load_hosts};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// One text, as if it were /site/site.yaml.
pub fn text(path: &str, text: &str) -> SourceText {
    let folder = PathBuf::from("/site");
    let (path, text) = (path.to_owned(), text.to_owned());
    SourceText { path, text, base: folder.clone(), root: folder, role: TextRole::Manifest }
}

/// A template beside it.
pub fn template(path: &str, content: &str) -> SourceText {
    let file = SourceFile { root: PathBuf::from("/site"), path: PathBuf::from(path) };
    SourceText { role: TextRole::Template(file), ..text(path, content) }
}

pub fn load_text(source: &str) -> Result<Loaded, Vec<Finding>> {
    load(&[text("site.yaml", source)], &LoadContext::new("amd64"))
}

/// Every manifest in examples/manifests.
pub fn examples() -> Vec<PathBuf> {
    let top = folder("examples/manifests");
    let texts = source::read(Some(&top)).unwrap();
    let paths: Vec<PathBuf> = texts.iter().map(|text| PathBuf::from(&text.path)).collect();
    assert!(paths.len() >= 4, "{paths:?}");
    paths
}

fn desired(source: &str) -> Desired {
    load_text(source).unwrap_or_else(|findings| panic!("{findings:#?}")).desired
}

fn example(name: &str) -> Desired {
    desired(&fs::read_to_string(folder("examples/manifests").join(name)).unwrap())
}

fn container<'d>(desired: &'d Desired, name: &str) -> &'d Container {
    match &desired.objects[&Key::container(name)].spec {
        Spec::Container(container) => container,
        other => panic!("{other:?}"),
    }
}

/// An image, and a container `c` with these lines in its spec.
fn with_spec(lines: &str) -> String {
    format!(
        "apiVersion: bayplan/v1\nkind: Image\nmetadata: {{name: i}}\nspec: {{source: {{busybox: {{}}}}}}\n---\n\
         kind: Container\nmetadata: {{name: c}}\nspec:\n  image: i\n{lines}"
    )
}

/// Objects, built-ins and origins as text.
fn show(desired: &Desired) -> String {
    let objects: BTreeMap<String, _> =
        desired.objects.iter().map(|(key, value)| (key.to_string(), value)).collect();
    let mut shown = format!("site {}\n{}\n", desired.site, serde_json::to_string_pretty(&objects).unwrap());
    for (key, origins) in &desired.origins {
        shown.push_str(&format!(
            "\n{key}{}\n",
            if desired.builtin.contains(key) { " (built in)" } else { "" }
        ));
        for (path, origin) in origins {
            let place = origin.place.as_ref().map(|place| format!("{place} ")).unwrap_or_default();
            shown.push_str(&format!("  {path:?}: {place}{}\n", origin.layer));
        }
    }
    shown
}

#[test]
fn the_smallest_site_uses_all_three_built_ins() {
    let desired = example("smallest.yaml");
    let builtin: Vec<String> = desired.builtin.iter().map(ToString::to_string).collect();
    assert_eq!(builtin, ["storagepool/default", "network/bay0", "profile/default"]);
    assert_golden("tests/it/golden/smallest.txt", &show(&desired));
}

#[test]
fn the_demo_site_loads_with_the_origin_of_every_value() {
    assert_golden("tests/it/golden/site.txt", &show(&example("site.yaml")));
}

#[test]
fn every_example_loads_by_itself() {
    for path in examples() {
        let texts = source::read(Some(&path)).unwrap();
        let loaded = load_hosts(&texts, "amd64");
        assert!(loaded.is_ok(), "{}: {:#?}", path.display(), loaded.err());
    }
}

#[test]
fn a_later_profile_wins_per_key_and_the_container_wins_over_all() {
    let source = with_spec(
        "  profiles: [default, a, b]\n  config: {limits.cpu: 3, user.b: null, limits.memory.enforce: hard}\n  \
         devices: {eth0: {mtu: 1400}, gone: {type: none}}\n---\nkind: Profile\nmetadata: {name: a}\n\
         spec: {config: {limits.cpu: 1, user.a: a, user.b: a, limits.memory.enforce: soft}, \
         devices: {gone: {type: nic, nictype: p2p}, eth0: {name: lan, mtu: 1300}}}\n---\nkind: Profile\n\
         metadata: {name: b}\nspec: {config: {limits.cpu: 2, user.b: b}, devices: {eth0: {name: wan}}}\n",
    );
    let desired = desired(&source);
    let container = container(&desired, "c");
    let config: Vec<(&str, &str)> = container.config.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(config, [("limits.cpu", "3"), ("user.a", "a")]);
    let names: Vec<&str> = container.devices.keys().map(String::as_str).collect();
    assert_eq!(names, ["eth0", "root"]);
    let options = &container.devices["eth0"].options;
    assert_eq!((options["name"].as_str(), options["mtu"].as_str()), ("wan", "1400"));
    assert_eq!(options["network"], "bay0");
}

#[test]
fn a_device_with_a_type_replaces_the_whole_device_below() {
    let desired = desired(&with_spec("  devices: {eth0: {type: nic, nictype: p2p}}\n"));
    let nics = typed::nics(&container(&desired, "c").devices);
    assert_eq!(nics.len(), 1);
    assert_eq!(nics[0].1.link, typed::NicLink::PointToPoint);
    assert!(!desired.objects.contains_key(&Key::network("bay0")), "nothing refers to bay0");
}

#[test]
fn config_values_may_be_numbers_and_bools_without_quotes() {
    let desired = desired(&with_spec(
        "  config: {limits.cpu: 2, security.nesting: true, limits.memory: 1024MiB, limits.processes: 100, \
         environment.COUNTRY: no, limits.kernel.nofile: 100:200}\n",
    ));
    let config = &container(&desired, "c").config;
    let limits = typed::limits(config, 1 << 34);
    assert_eq!(limits.cpus, Some(CpuLimit::Count(2)));
    let memory = limits.memory.unwrap();
    assert_eq!((memory.bytes, memory.enforce), (1 << 30, MemoryEnforce::Hard));
    assert_eq!(limits.processes, Some(100));
    assert!(typed::nesting(config));
    assert_eq!(typed::environment(config)["COUNTRY"], "no", "YAML 1.2: `no` is a text");
    assert_eq!(typed::rlimits(config)["nofile"].hard, Some(200));
}

#[test]
fn the_same_manifest_written_otherwise_is_the_same_declaration() {
    let one = desired(&with_spec(
        "  config: {limits.memory: 1GiB, security.privileged: false}\n  state: running\n",
    ));
    let other = desired(&with_spec("  config:\n    limits.memory: \"1024MiB\"\n  profiles: [default]\n"));
    assert_eq!(one, other);
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let source = with_spec(
        "  config: &base\n    limits.cpu: 1\n    user.a: x\n---\nkind: Profile\nmetadata: {name: p}\n\
         spec:\n  config: {<<: {user.c: d, user.e: f}, user.e: g}\n",
    );
    let desired = desired(&source);
    let Spec::Profile(profile) = &desired.objects[&Key::profile("p")].spec else { panic!() };
    assert_eq!(profile.config["user.e"].as_deref(), Some("g"), "a key beside `<<` wins");
    assert_eq!(profile.config["user.c"].as_deref(), Some("d"));
}

#[test]
fn a_byte_order_mark_line_ends_of_windows_and_empty_documents_do_no_harm() {
    let source = format!("\u{feff}---\n{}---\n---\n# end\n", with_spec("")).replace('\n', "\r\n");
    assert_eq!(desired(&source), desired(&with_spec("")));
}

#[test]
fn a_load_may_have_more_than_1024_documents_in_several_texts() {
    let containers = |range: std::ops::Range<u32>| -> String {
        let one = |n| {
            format!(
                "---\napiVersion: bayplan/v1\nkind: Container\nmetadata: {{name: c{n}}}\nspec: {{image: i}}\n"
            )
        };
        range.map(one).collect()
    };
    let texts = [text("a.yaml", &with_spec("")), text("b.yaml", &containers(0..1500))];
    let loaded = load(&texts, &LoadContext::new("amd64")).unwrap();
    assert_eq!(loaded.desired.objects.len(), 1502 + 3);
}

#[test]
fn relative_paths_belong_to_the_manifests_folder() {
    let mut source =
        text("sub/site.yaml", &with_spec("  devices: {d: {type: disk, path: /d, source: ../data}}\n"));
    source.base = PathBuf::from("/site/sub");
    let loaded = load(&[source], &LoadContext::new("amd64")).unwrap();
    let disks = typed::disks(&container(&loaded.desired, "c").devices);
    assert_eq!(disks[0].source, Path::new("/site/data"));
}
