//! The schema and the loader agree on each single value: what one refuses the other refuses, but for what
//! docs/manifests.md names.

use crate::golden::folder;
use crate::schemas::{documents, validator};
use crate::spec_load::load_text;
use bayplan::model::key::Kind;
use bayplan::spec::registry::{DEVICES, Entry, INSTANCE, NETWORK, Table, is_pattern};
use bayplan::spec::schema;
use serde_json::{Value, json};
use std::fs;

/// What the manifests below refer to.
const BASE: &str = "apiVersion: bayplan/v1\nkind: Image\nmetadata: {name: i}\nspec: {source: {busybox: {}}}\n---\n\
                    kind: Profile\nmetadata: {name: p}\nspec: {devices: {data: {type: disk, path: /data}}}\n---\n";

/// Kind and spec of what both refuse.
const REFUSED: &[(&str, &str)] = &[
    ("Container", "{image: i, ready: {tcp: 80, http: 80}}"),
    ("Container", "{image: i, ready: {alive: true, exec: [true]}}"),
    ("Container", "{image: i, ready: {tcp: null}}"),
    ("Container", "{image: i, placement: {}}"),
    ("Container", "{image: i, placement: {labels: {}}}"),
    ("Container", "{image: i, profiles: [default, default]}"),
    ("Container", "{image: i, config: {limits.memory: 150%}}"),
    ("Container", "{image: i, config: {limits.memory: 0%}}"),
    ("Container", "{image: i, config: {limits.cpu.allowance: 500%}}"),
    ("Container", "{image: i, config: {limits.cpu.allowance: 10ms/2000ms}}"),
    ("Container", "{image: i, config: {limits.processes: many}}"),
    ("Container", "{image: i, config: {linux.sysctl.vm.swappiness: 1}}"),
    ("Container", "{image: i, devices: {eth0: {ipv4.address: auto}}}"),
    ("Container", "{image: i, devices: {eth0: {hwaddr: \"01:16:3e:12:34:56\"}}}"),
    ("Container", "{image: i, devices: {eth0: {hwaddr: \"00:00:00:00:00:00\"}}}"),
    ("Container", "{image: i, devices: {d: {type: disk, path: /d}}}"),
    ("Container", "{image: i, devices: {d: {type: disk, path: /d, source: null}}}"),
    ("Container", "{image: i, devices: {d: {type: disk, source: /d}}}"),
    ("Container", "{image: i, devices: {d: {type: disk, path: /dev/pts/1, source: /d}}}"),
    ("Container", "{image: i, devices: {d: {type: disk, path: /d/../e, source: /d}}}"),
    ("Container", "{image: i, devices: {d: {type: disk, path: /d, pool: default}}}"),
    ("Container", "{image: i, devices: {root: {type: disk, path: /}}}"),
    ("Container", "{image: i, devices: {root: {type: disk, path: /, pool: default, readonly: true}}}"),
    ("Container", "{image: i, devices: {e: {type: nic}}}"),
    ("Container", "{image: i, devices: {e: {type: nic, nictype: bridged}}}"),
    ("Container", "{image: i, devices: {e: {type: nic, network: bay0, parent: br0}}}"),
    ("Container", "{image: i, devices: {e: {type: nic, network: bay0, nictype: bridged}}}"),
    ("Container", "{image: i, devices: {e: {type: nic, nictype: p2p, network: bay0}}}"),
    ("Container", "{image: i, devices: {e: {type: nic, nictype: p2p, ipv4.address: 10.66.0.9}}}"),
    (
        "Container",
        "{image: i, devices: {e: {type: nic, nictype: bridged, parent: br0, ipv4.address: 10.66.0.9}}}",
    ),
    ("Container", "{image: i, devices: {eth0: {type: none, network: bay0}}}"),
    ("Container", "{image: i, devices: {eth0: {mtuu: null}}}"),
    ("Container", "{image: i, persist: [/run/x]}"),
    ("Container", "{image: i, persist: [/srv/../x]}"),
    ("Container", "{image: i, persist: [/srv/]}"),
    ("Container", "{image: i, ignore: [config.limits.memoryy]}"),
    ("Container", "{image: i, dependsOn: [nothing/x]}"),
    ("Container", "{image: i, restartWith: [image/i]}"),
    ("Container", "{image: i, environment: {A: {secretRef: null}}}"),
    ("Container", "{image: i, environment: {A: {secretRef: {file: x, placement: {hosts: [a]}}}}}"),
    ("Container", "{image: i, environment: {A: {secretRef: {env: \"A=B\"}}}}"),
    ("Container", "{image: i, files: {/tmp/x: {content: a}}}"),
    ("Container", "{image: i, files: {/etc/./x: {content: a}}}"),
    ("Container", "{image: i, files: {/etc/x: {content: a, source: null}}}"),
    ("Container", "{image: i, files: {/etc/x: {content: a, owner: \"a:b\"}}}"),
    ("Container", "{image: i, files: {/etc/x: {content: a, owner: -1}}}"),
    ("Container", "{image: i, files: {/etc/x: {content: a, onChange: [\"\"]}}}"),
    ("Network", "{config: {ipv4.address: 10.74.9.1}}"),
    ("Network", "{config: {ipv4.address: auto}}"),
    ("Network", "{config: {ipv4.address: 10.74.9.1/31}}"),
    ("Network", "{config: {ipv6.address: \"fd42::1\"}}"),
    ("ContainerSet", "{replicas: 2, name: \"a-{idx}\", template: {image: i}}"),
    ("ContainerSet", "{replicas: 2, name: same, template: {image: i}}"),
    ("ContainerSet", "{replicas: 2, name: \"a-{key}\", template: {image: i}}"),
    ("ContainerSet", "{for: {a: {}}, name: \"a-{index}\", template: {image: i}}"),
    ("ContainerSet", "{for: {A_B: {}}, template: {image: i}}"),
    ("ContainerSet", "{for: {A_B: {}}, name: \"w-{key}\", template: {image: i}}"),
    ("ContainerSet", "{for: {a: {key: x}}, template: {image: i}}"),
    ("ContainerSet", "{for: {a: {1x: x}}, template: {image: i}}"),
    ("ContainerSet", "{for: {a: {}}, replicas: 1, template: {image: i}}"),
    ("Image", "{source: {directory: \"\"}}"),
    ("Image", "{source: {bootstrap: {suite: Bookworm}}}"),
    ("Image", "{source: {bootstrap: null}}"),
    ("Image", "{source: null}"),
    ("Secret", "{credential: a/b}"),
    ("Secret", "{file: null}"),
    ("Secret", "{env: A, file: null}"),
    ("Site", "{targets: [a, a]}"),
    ("Profile", "{devices: {e: {type: nic, network: bay0, nictype: bridged}}}"),
];

/// The same of `metadata`.
const REFUSED_METADATA: &[(&str, &str)] = &[
    ("Container", "{name: x, movedFromSite: \"a b\"}"),
    ("Container", "{name: x, memberOf: \"a b\"}"),
    ("Container", "{name: x, renamedFrom: a_b}"),
    ("Container", "{name: x, labels: {\"a b\": c}}"),
    ("Container", "{name: x, labels: {a/b/c: d}}"),
    ("Profile", "{name: a..b}"),
    ("Network", "{name: lo}"),
];

/// Kind and spec of what both accept.
const ACCEPTED: &[(&str, &str)] = &[
    ("Container", "{image: i, ready: null, placement: null, config: null, devices: null, files: null}"),
    (
        "Container",
        "{image: i, profiles: null, state: null, update: {image: null}, persist: null, external: null}",
    ),
    ("Container", "{image: i, ready: {http: {port: 80, path: null}, timeout: null, interval: 05s}}"),
    ("Container", "{image: i, config: {boot.autostart: Yes, security.nesting: 1, limits.memory: null}}"),
    (
        "Container",
        "{image: i, config: {limits.memory: 50 %, limits.cpu: \"0-1, 3\", limits.processes: \"5\"}}",
    ),
    (
        "Container",
        "{image: i, config: {linux.sysctl.net.ipv4.ip_forward: 1, limits.cpu.allowance: 25 ms / 100 ms}}",
    ),
    ("Container", "{image: i, devices: {eth0: {type: null, mtu: null}}}"),
    ("Container", "{image: i, devices: {eth0: {type: none}}}"),
    ("Container", "{image: i, devices: {data: {source: /d}}, profiles: [default, p]}"),
    ("Container", "{image: i, devices: {root: {type: disk, path: /, pool: default, source: null}}}"),
    (
        "Container",
        "{image: i, devices: {d: {type: disk, path: \"${values.root}\", pool: default}}, profiles: []}",
    ),
    ("Container", "{image: i, devices: {e: {type: nic, nictype: p2p, host_name: 5}}}"),
    ("Container", "{image: i, devices: {e: {type: nic, nictype: bridged, parent: br0, ipv4.address: none}}}"),
    ("Container", "{image: i, files: {/etc/x: {content: a, mode: null, owner: 0, onChange: null}}}"),
    (
        "Container",
        "{image: i, ignore: [config.user.x, environment.A, devices.eth0], dependsOn: [Images/i, image/i]}",
    ),
    ("Image", "{source: {busybox: null}, fingerprint: null, update: null}"),
    ("Network", "{type: null, config: {ipv4.address: 10.74.9.1/24, ipv6.address: \"fd42:9::1/64\"}}"),
    ("Profile", "{devices: {d: {type: disk, path: /d}, e: {type: nic}}}"),
    ("Profile", "null"),
    ("ContainerSet", "{replicas: 2, for: null, name: \"a-{index:02}-${values.word}\", template: {image: i}}"),
    ("ContainerSet", "{for: {A_B: {n: x}}, name: \"w-${each.n}\", template: {image: i}}"),
    ("ContainerSet", "{for: {B-1: null}, name: null, template: {image: i}}"),
];

/// What is wrong only by reckoning, and so by the loader alone; `docs/manifests.md` names each.
const BY_RECKONING: &[(&str, &str, &str)] = &[
    ("from high to low", "Container", "{image: i, config: {limits.cpu: \"1-0\"}}"),
    ("soft limit above", "Container", "{image: i, config: {limits.kernel.nofile: \"9:8\"}}"),
    ("different length", "Container", "{image: i, config: {raw.idmap: both 1-3 1-2}}"),
    ("number in quotes", "Container", "{image: i, config: {limits.processes: \"0\"}}"),
    ("subnet's own address", "Network", "{config: {ipv4.address: 10.74.9.0/24}}"),
    (
        "name too long in sum",
        "ContainerSet",
        "{replicas: 1, name: \"a23456789012345678901234567890123456789012345678901234567890123-{index}\", template: {image: i}}",
    ),
    ("`1.0`", "Container", "{image: i, config: {limits.processes: 1.0}}"),
];

fn manifest(kind: &str, metadata: &str, spec: &str) -> String {
    format!("kind: {kind}\nmetadata: {metadata}\nspec: {spec}\n")
}

/// Without a Site the values would be missing: every load has one, unless it is what is asked about.
fn loads(kind: &str, document: &str) -> Result<(), String> {
    let site = if kind == "Site" {
        ""
    } else {
        "kind: Site\nmetadata: {name: s}\nspec: {values: {root: /, word: b}}\n---\n"
    };
    let loaded = load_text(&format!("{BASE}{site}{document}"));
    loaded.map(|_| ()).map_err(|findings| findings.iter().map(|finding| finding.message.clone()).collect())
}

#[test]
fn the_schema_and_the_loader_refuse_the_same_values() {
    let validator = validator();
    let mut wrong = vec![];
    let specs = REFUSED.iter().map(|(kind, spec)| (*kind, manifest(kind, "{name: x}", spec)));
    let spec = |kind: &str| match kind {
        "Container" => "{image: i}",
        _ => "{}",
    };
    let metadata = REFUSED_METADATA.iter().map(|(kind, it)| (*kind, manifest(kind, it, spec(kind))));
    for (kind, text) in specs.chain(metadata) {
        if validator.is_valid(&documents(&text)[0]) {
            wrong.push(format!("the schema accepts {text}"));
        }
        if loads(kind, &text).is_ok() {
            wrong.push(format!("the loader accepts {text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_schema_and_the_loader_accept_the_same_values() {
    let validator = validator();
    let mut wrong = vec![];
    for (kind, spec) in ACCEPTED {
        let text = manifest(kind, "{name: x}", spec);
        let errors: Vec<String> =
            validator.iter_errors(&documents(&text)[0]).map(|error| error.to_string()).collect();
        if !errors.is_empty() {
            wrong.push(format!("the schema refuses {text}: {errors:?}"));
        }
        if let Err(findings) = loads(kind, &text) {
            wrong.push(format!("the loader refuses {text}: {findings}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_only_the_loader_can_reckon_is_listed_in_the_documentation() {
    let validator = validator();
    let manual = fs::read_to_string(folder("docs/manifests.md")).unwrap();
    for (name, kind, spec) in BY_RECKONING {
        assert!(manual.contains(name), "docs/manifests.md does not name `{name}`");
        let text = manifest(kind, "{name: x}", spec);
        assert!(loads(kind, &text).is_err(), "the loader accepts {text}");
        assert!(validator.is_valid(&documents(&text)[0]), "no exception any more: {text}");
    }
}

/// Values as people write them, rightly and wrongly, of every type.
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "1",
    "2",
    "-1",
    "5",
    "64",
    "100",
    "1400",
    "65536",
    "86401",
    "99999999999",
    "true",
    "TRUE",
    "Yes",
    "off",
    "maybe",
    "hard",
    "soft",
    "auto",
    "none",
    "bridged",
    "p2p",
    "0-1",
    "1,3",
    "0,0-2",
    "1-",
    "a-b",
    "50%",
    "0%",
    "100%",
    "101%",
    "500%",
    "50 %",
    "10ms/100ms",
    "0ms/100ms",
    "10ms/0ms",
    "10ms/1001ms",
    "1s/2s",
    "1GiB",
    "512 MiB",
    "1G",
    "0MiB",
    "1.5GiB",
    "GiB",
    "1024:2048",
    "unlimited",
    "1024:unlimited",
    "1:2:3",
    "both 1000 1000",
    "uid 1-5 11-15",
    "both 1000 1000\ngid 5 5\n",
    "all 1 1",
    "both 1",
    "00:16:3e:00:00:01",
    "01:16:3e:00:00:01",
    "00-16-3E-00-00-01",
    "00:00:00:00:00:00",
    "00:16:3e:00:00",
    "eth0",
    "lo",
    "all",
    "averyveryverylongname",
    "a/b",
    "a b",
    "..",
    ".",
    "br.1",
    "10.66.0.21",
    "10.66.0.256",
    "010.1.1.1",
    "10.66.0.1/24",
    "10.66.0.1/31",
    "10.66.0.1/7",
    "10.0.0.0/8,10.9.0.0/16",
    "10.0.0.0/33",
    "fd42::1",
    "fd42::g",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7",
    "1::2::3",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "1:2:3:4:5:6:10.0.0.1",
    "fd42::1/64",
    "fd42::1/127",
    "fd42::1/15",
    "fd42:7::/64, fd42:8::/64",
    "/",
    "/srv",
    "srv",
    "/srv/../etc",
    "/srv/./x/",
    "a..b",
    "-a",
    "_a",
    "a_b",
    "default",
];

fn entries() -> Vec<(String, &'static Entry, Value)> {
    let tables: [(Kind, &str, &'static Table); 6] = [
        (Kind::Container, "/properties/config", &INSTANCE),
        (Kind::Network, "/properties/config", &NETWORK),
        (Kind::Profile, "/properties/devices/additionalProperties", &DEVICES["disk"]),
        (Kind::Profile, "/properties/devices/additionalProperties", &DEVICES["nic/bridged"]),
        (Kind::Profile, "/properties/devices/additionalProperties", &DEVICES["nic/p2p"]),
        (Kind::Profile, "/properties/config", &INSTANCE),
    ];
    let mut entries = vec![];
    for (kind, pointer, table) in tables {
        let schema = schema::spec(kind);
        let properties = schema.pointer(pointer).unwrap()["properties"].clone();
        let named = table.supported().filter(|entry| !is_pattern(entry.name));
        entries.extend(
            named.map(|entry| (format!("{kind} {}", entry.name), entry, properties[entry.name].clone())),
        );
    }
    entries
}

/// Whether a number in a text is out of its range, or an address is its subnet's own: what no pattern says.
fn by_reckoning(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

#[test]
fn every_key_and_option_takes_the_same_texts_in_the_schema_and_the_loader() {
    let mut wrong = vec![];
    for (name, entry, schema) in entries() {
        let validator = jsonschema::validator_for(&schema).unwrap();
        for text in VALUES {
            let (schema, loader) = (validator.is_valid(&json!(text)), entry.value.normalise(text).is_ok());
            if schema != loader && !(schema && by_reckoning(text)) {
                wrong.push(format!("{name}: {text:?}: schema {schema}, loader {loader}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
