//! The registry knows every name of LXD and Incus, and one text for each meaning.

use bayplan::spec::registry::value::ValueType;
use bayplan::spec::registry::{DEVICES, INSTANCE, NETWORK, POOL, Table, check};

#[test]
fn every_name_of_the_reference_is_in_the_registry() {
    let mut count = 0;
    for line in include_str!("reference-keys.txt").lines().filter(|line| !line.starts_with('#')) {
        let (group, name) = line.split_once(' ').unwrap();
        let table: &Table = match group {
            "instance" => &INSTANCE,
            "network" => &NETWORK,
            "pool" => &POOL,
            device => &DEVICES[device.strip_prefix("device:").unwrap()],
        };
        assert!(table.entries.contains_key(name), "{group} {name}");
        count += 1;
    }
    assert!(count > 500, "only {count} names");
}

#[test]
fn what_virtual_machines_alone_have_is_refused_for_good_and_says_why() {
    for (device, options) in
        [("disk", "boot.priority io.bus io.cache io.threads wwn"), ("nic/bridged", "io.bus")]
    {
        for option in options.split(' ') {
            let refused = check::name(&DEVICES[device], option).unwrap_err().message;
            assert_eq!(
                refused,
                format!(
                    "`{option}` is not supported: it is for virtual machines, which Bayplan does not run"
                )
            );
        }
    }
    let later = check::name(&DEVICES["nic/bridged"], "limits.max").unwrap_err().message;
    assert_eq!(later, "`limits.max` is not supported yet");
}

#[test]
fn every_supported_name_is_documented() {
    let tables = [&*INSTANCE, &*NETWORK, &*POOL].into_iter().chain(DEVICES.values());
    for entry in tables.flat_map(Table::supported) {
        assert!(entry.about.ends_with('.'), "{}", entry.name);
    }
}

#[test]
fn one_meaning_has_one_text() {
    for (key, written, normal) in [
        ("limits.memory", "1024MiB", "1GiB"),
        ("limits.memory", "1073741824", "1GiB"),
        ("limits.memory", "50 %", "50%"),
        ("limits.cpu", "1,0", "0-1"),
        ("limits.cpu", "3", "3"),
        ("limits.cpu", "3-3", "3-3"),
        ("limits.cpu", "0-2, 1-4,7", "0-4,7"),
        ("limits.cpu.allowance", "25ms / 100ms", "25ms/100ms"),
        ("security.privileged", "yes", "true"),
        ("security.nesting", "Off", "false"),
        ("limits.kernel.nofile", "100:100", "100"),
        ("limits.kernel.nofile", "unlimited", "unlimited"),
        ("raw.idmap", "uid 5 5\nboth 1000-1000 1000", "both 1000 1000\nuid 5 5"),
        ("limits.processes", "0500", "500"),
    ] {
        assert_eq!(
            check::normalise(&INSTANCE, key, written).ok().as_deref(),
            Some(normal),
            "{key} {written}"
        );
    }
    assert_eq!(ValueType::Mac.normalise("00-16-3E-AA-BB-CC").unwrap(), "00:16:3e:aa:bb:cc");
    assert_eq!(ValueType::InsidePath.normalise("//srv/./www/").unwrap(), "/srv/www");
    assert_eq!(ValueType::Ipv4Nets.normalise("10.2.0.9/24, 10.1.0.0/16").unwrap(), "10.1.0.0/16,10.2.0.0/24");
}

#[test]
fn a_normal_form_is_its_own_normal_form() {
    for (key, text) in [("limits.memory", "3000kB"), ("limits.cpu", "5,1-2"), ("raw.idmap", "gid 1-2 3-4")] {
        let once = check::normalise(&INSTANCE, key, text).ok().unwrap();
        assert_eq!(check::normalise(&INSTANCE, key, &once).ok().unwrap(), once);
    }
}
