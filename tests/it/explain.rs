//! `explain`: what the language's fields mean.

use crate::cli::Bench;
use bayplan::spec::explain::{Supported, explain};
use bayplan::spec::registry::{DEVICES, INSTANCE, NETWORK, POOL};

#[test]
fn a_config_key_a_field_and_a_device_option_are_explained() {
    let bench = Bench::new();
    insta::assert_snapshot!(bench.expect(0, "explain container.spec.config.limits.cpu.allowance").stdout, @r"
    container.spec.config.limits.cpu.allowance
        How much of them: a share under contention (`50%`), or a hard quota in each period (`25ms/100ms`).
        type       share (`50%`) or quota (`25ms/100ms`)
        default    100%
        change     live
    ");
    insta::assert_snapshot!(bench.expect(0, "explain state").stdout);
    insta::assert_snapshot!(bench.expect(0, "explain Container.spec.ready").stdout);
    insta::assert_snapshot!(bench.expect(0, "explain network").stdout);
    insta::assert_snapshot!(bench.expect(0, "explain disk.readonly").stdout);
    insta::assert_snapshot!(bench.expect(0, "explain containerset.template.config.user.note").stdout);
    insta::assert_snapshot!(bench.expect(0, "explain files./etc/app.conf.mode").stdout);
    insta::assert_snapshot!(bench.expect(0, "explain restartWith").stdout);
    insta::assert_snapshot!(bench.expect(0, "explain volatile.uuid").stdout);
    let json: serde_json::Value =
        serde_json::from_str(&bench.expect(0, "explain limits.memory -o json").stdout).unwrap();
    assert_eq!(
        (&json["version"], &json["fields"][0]["class"], &json["fields"][0]["support"]),
        (&1.into(), &"live".into(), &"supported".into())
    );
}

#[test]
fn a_word_that_is_no_field_gets_the_likely_one() {
    let bench = Bench::new();
    for (word, help) in [
        ("limits.memroy", "did you mean `limits.memory`?"),
        ("container.spec.imgae", "did you mean `container.spec.image`?"),
        ("container.config.limits.memroy", "did you mean `container.config.limits.memory`?"),
        ("quite-something-else", "begin with a kind"),
    ] {
        let said = bench.expect(1, &format!("explain {word}"));
        assert!(said.stderr.contains(help), "{word}: {}", said.stderr);
    }
}

#[test]
fn every_name_of_the_reference_is_explained_by_its_kind_and_alone() {
    for line in include_str!("reference-keys.txt").lines().filter(|line| !line.starts_with('#')) {
        let (group, name) = line.split_once(' ').unwrap();
        let lead = match group {
            "instance" => "container.config".to_owned(),
            "network" => "network.config".to_owned(),
            "pool" => "storagepool.config".to_owned(),
            device => device.strip_prefix("device:").unwrap().replace('/', "."),
        };
        for word in [name.to_owned(), format!("{lead}.{name}")] {
            let found = explain(&word).unwrap_or_else(|help| panic!("{word}: {help}"));
            assert!(found.iter().any(|one| one.field.ends_with(name)), "{word}: {found:?}");
        }
    }
    for word in [
        "gpu.gputype",
        "gpu.mig.ci",
        "gpu.mig.gputype",
        "nic.macvlan.nictype",
        "gpu.mig",
        "pci",
        "pci.address",
    ] {
        explain(word).unwrap_or_else(|help| panic!("{word}: {help}"));
    }
}

#[test]
fn what_only_virtual_machines_and_clusters_have_says_so_wherever_it_stands() {
    for (word, reason) in [
        ("disk.io.bus", "virtual machines"),
        ("disk.wwn", "virtual machines"),
        ("nic.bridged.boot.priority", "virtual machines"),
        ("nic.macvlan.io.bus", "virtual machines"),
        ("pci", "virtual machines"),
        ("pci.firmware", "virtual machines"),
        ("gpu.sriov.vendorid", "virtual machines"),
        ("disk.ceph.user_name", "clusters"),
        ("placement.group", "clusters"),
    ] {
        let found = explain(word).unwrap();
        assert_eq!(found[0].support, Supported::Never, "{word}");
        assert!(found[0].reason.as_deref().is_some_and(|why| why.contains(reason)), "{word}: {found:?}");
    }
    assert_eq!(explain("gpu.physical.uid").unwrap()[0].support, Supported::NotYet);
}

#[test]
fn every_registered_name_is_explained_as_the_registry_has_it() {
    for (lead, table) in
        [("container.config.", &INSTANCE), ("network.config.", &NETWORK), ("storagepool.config.", &POOL)]
    {
        for entry in table.entries.values() {
            let found = explain(&format!("{lead}{}", entry.name)).unwrap();
            let is_supported = entry.support == bayplan::spec::registry::Support::Supported;
            assert_eq!(found[0].support == Supported::Supported, is_supported, "{}", entry.name);
            assert_eq!(found[0].about, entry.about);
        }
    }
    for table in DEVICES.values() {
        for entry in table.supported() {
            assert!(explain(entry.name).is_ok(), "{}", entry.name);
        }
    }
}
