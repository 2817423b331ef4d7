//! Random hands on a modelled host, and `adopt` by the real binary: what a manifest can say is taken back until the plan
//! is empty, what it cannot is refused by name and stays as it was written. `BAYPLAN_CASES` sets the number of cases (40).

use crate::cli::Bench;
use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::model::key::Key;
use bayplan::model::run::{CpuLimit, MemoryEnforce, MemoryLimit};
use bayplan::store::files::FileRecords;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

const SITE: &str = r#"# the whole site
apiVersion: bayplan/v1
kind: Site   # one
metadata: {name: edge}
spec: {}
---
kind: Image
metadata: {name: busybox}
spec: {source: {busybox: {}}}
---
# nobody is on it
kind: Network
metadata: {name: spare}
spec:
  type: bridge
  config:
    ipv4.address: "10.9.0.1/24"   # the office
---
kind: Network
metadata: {name: lan0}
spec: {type: bridge, config: {ipv4.address: none, ipv6.address: none}}   # flat
---
kind: Network
metadata: {name: lan1}
spec: {type: bridge, config: {ipv4.address: none, ipv6.address: none}}
---
kind: Profile
metadata: {name: shared}
spec:
  config: {limits.processes: 100}   # of the profile
  files:
    /etc/profile.conf: {content: 'as it was'}   # quoted
---
# the first
kind: Container
metadata: {name: block}
spec:
  image: busybox
  config:
    limits.memory: '512MiB'   # as agreed
  files:
    /etc/app.conf:   # ours
      mode: "0640"
      content: |   # lines
        port = 80

        home = /root
    /etc/motd: {source: etc/motd}   # a file beside
    /etc/plain:
      content: once   # said once
    /etc/gone: {content: x}   # may go
  devices:
    eth0:
      network: lan0   # for now
    data:
      type: disk
      source: /srv/web
      path: /srv
      readonly: true   # careful
  state: running   # always
---
kind: Container
metadata: {name: flow}
spec: {image: busybox, profiles: [default, shared], devices: {data: {type: disk, source: /srv/a, path: /srv}}}   # small
---
kind: Container
metadata: {name: keeper}
spec:
  image: busybox
  files:
    /etc/key: {secretRef: {env: KEY}}   # nobody's business
    /etc/text: {content: "one"}
---
kind: ContainerSet
metadata: {name: runner}
spec:
  for:
    a: {memory: 1GiB}   # the first
    b: {memory: 1GiB}
  template:
    image: busybox
    config: {limits.memory: "${each.memory}"}   # each its own
"#;

type Hand = fn(&Memory, &Key, u8) -> bool;

/// Whether a manifest has a place for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Is,
    IsNot,
}

use Place::{Is, IsNot};

fn text(number: u8) -> String {
    let texts = [
        "",
        "one line",
        "port = 81\n\n  deep: ${x}\n",
        "a: 'b'\t\"c\"\n# no comment\n",
        "\n\nlate\n",
        "ünï\r\n€",
    ];
    texts[usize::from(number) % texts.len()].to_owned()
}

fn memory(host: &Memory, key: &Key, number: u8) -> bool {
    let bytes = (u64::from(number) + 600) << 20;
    host.edit_limits(key, |limits| limits.memory = Some(MemoryLimit { bytes, enforce: MemoryEnforce::Hard }))
}

/// In this order: what is powered off has nothing that runs any more.
const HANDS: [(&str, Place, Hand); 25] = [
    ("container/block", Is, |host, key, number| number < 40 && host.power_off_inside(key)),
    ("container/block", Is, memory),
    ("container/block", Is, |host, key, _| host.edit_limits(key, |limits| limits.processes = Some(7))),
    ("container/block", Is, |host, key, _| host.set_frozen(key, true)),
    ("container/block", Is, |host, key, number| host.edit_text(key, "/etc/app.conf", &text(number))),
    ("container/block", Is, |host, key, _| {
        host.edit_file(key, "/etc/app.conf", |file| file.mode = "0600".to_owned())
    }),
    ("container/block", Is, |host, key, number| host.edit_text(key, "/etc/motd", &text(number))),
    ("container/block", Is, |host, key, number| host.edit_text(key, "/etc/plain", &text(number))),
    ("container/block", Is, |host, key, _| host.remove_file(key, "/etc/gone")),
    ("container/block", Is, |host, key, _| host.move_nic(key, "eth0", "lan1")),
    ("container/block", Is, |host, key, _| host.unlock_disk(key, "data")),
    ("container/flow", Is, |host, key, _| host.edit_limits(key, |limits| limits.processes = None)),
    ("container/flow", Is, |host, key, _| {
        host.edit_limits(key, |limits| limits.cpus = Some(CpuLimit::Set("1".to_owned())))
    }),
    ("container/flow", Is, |host, key, _| host.unmount_disk(key, "data")),
    ("container/flow", Is, |host, key, _| host.remove_nic(key, "eth0")),
    ("container/flow", Is, |host, key, number| host.edit_text(key, "/etc/profile.conf", &text(number))),
    ("container/flow", IsNot, |host, key, number| number < 60 && host.kill_monitor(key)),
    ("container/keeper", Is, |host, key, number| host.edit_text(key, "/etc/text", &text(number))),
    ("container/keeper", IsNot, |host, key, number| number < 80 && host.edit_text(key, "/etc/key", "canary")),
    ("container/keeper", IsNot, |host, key, number| number < 60 && host.set_nic_down(key, "eth0")),
    ("container/runner-a", Is, memory),
    ("container/runner-b", IsNot, |host, key, number| number < 60 && host.detach_bridge(key, "eth0")),
    ("network/spare", Is, |host, _, number| {
        host.change_address("spare", format!("10.9.0.{}/24", number.max(2)).parse().unwrap())
    }),
    ("network/spare", Is, |host, _, number| host.change_mtu("spare", 1300 + u32::from(number))),
    ("network/spare", IsNot, |host, _, number| number < 60 && host.set_bridge_down("spare")),
];

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("site.yaml", SITE);
    std::fs::create_dir(bench.path().join("etc")).unwrap();
    bench.write("etc/motd", "hello\n");
    bench.expect(0, "apply --yes");
    bench
}

/// The objects that a hand changed, and whether all of that has a place.
fn strike(bench: &Bench, hands: &BTreeMap<usize, u8>) -> BTreeMap<String, Place> {
    let state = bench.path().join("state");
    let records = Box::new(FileRecords::new(&state));
    let host = Memory::open(&state.join("modelled-host.json"), HostModel::server(), records).unwrap();
    let mut struck = BTreeMap::new();
    for (at, number) in hands {
        let (key, place, hand) = HANDS[*at];
        if hand(&host, &key.parse().unwrap(), *number) {
            let whole = struck.entry(key.to_owned()).or_insert(Is);
            *whole = if place == Is { *whole } else { IsNot };
        }
    }
    host.save().unwrap();
    struck
}

fn files(bench: &Bench) -> [String; 2] {
    ["site.yaml", "etc/motd"].map(|name| std::fs::read_to_string(bench.path().join(name)).unwrap())
}

/// The text of an object's document, and the comments before it.
fn document<'s>(site: &'s str, key: &str) -> &'s str {
    let name = key.split_once('/').unwrap().1.trim_end_matches("-a").trim_end_matches("-b");
    site.split("---\n").find(|text| text.contains(&format!("metadata: {{name: {name}}}"))).unwrap()
}

fn keys(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap().to_owned()).collect()
}

fn adopts_what_has_a_place(hands: &BTreeMap<usize, u8>) {
    let bench = bench();
    let struck = strike(&bench, hands);
    let of = |wanted: Place| -> BTreeSet<String> {
        struck.iter().filter(|(_, place)| **place == wanted).map(|(key, _)| key.clone()).collect()
    };
    let (taken, refused) = (of(Is), of(IsNot));
    let code = match (taken.is_empty(), refused.is_empty()) {
        (_, true) => 0,
        (false, false) => 3,
        (true, false) => 1,
    };
    let before = files(&bench);
    let shown = bench.expect(code, "adopt -o json");
    assert_eq!(files(&bench), before, "only shown");
    if code != 1 {
        let json: Value = serde_json::from_str(&shown.stdout).unwrap();
        assert_eq!(keys(&json["notAdopted"]), refused, "{}", shown.stderr);
        assert_eq!(keys(&json["values"]), taken, "{json:#}");
    }
    for key in &refused {
        assert!(shown.stderr.contains(&format!("{key} ")), "{key}: {}", shown.stderr);
    }
    let written = bench.expect(code, "adopt --write");
    for said in [&shown, &written] {
        assert!(!said.stdout.contains("canary") && !said.stderr.contains("canary"), "a secret was read out");
    }
    let after = files(&bench);
    if code == 1 {
        assert_eq!(after, before, "nothing can be adopted, and nothing is written");
        return;
    }
    for line in SITE.lines().filter(|line| line.contains("# ")) {
        let comment = &line[line.find("# ").unwrap()..];
        assert!(after[0].contains(comment), "{comment} is lost:\n{}", after[0]);
    }
    for key in &refused {
        // Another member's line may be in the same document.
        if !key.contains("runner") {
            assert_eq!(document(&after[0], key), document(&before[0], key), "{key} was refused");
        }
    }
    for key in &taken {
        bench.expect(0, &format!("plan --only {key}"));
    }
    if refused.is_empty() {
        bench.expect(0, "plan");
        bench.expect(0, "drift");
        assert_eq!(bench.expect(0, "adopt --write").stdout, "nothing to adopt\n");
        assert_eq!(files(&bench), after);
    }
}

#[test]
fn random_hands_are_adopted_until_the_plan_is_empty_and_the_rest_is_refused() {
    let cases = std::env::var("BAYPLAN_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let hands = prop::collection::btree_map(0..HANDS.len(), 0_u8..200, 0..6);
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let outcome = runner.run(&hands, |hands| {
        adopts_what_has_a_place(&hands);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn each_hand_alone_is_adopted_or_refused() {
    for at in 0..HANDS.len() {
        adopts_what_has_a_place(&BTreeMap::from([(at, 30)]));
    }
}
