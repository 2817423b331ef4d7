//! What the host has of an object, by field path and in the words of manifests.

use crate::model::key::{Key, Kind};
use crate::model::object::{Config, Container, DeviceType, Object, Spec};
use crate::model::observed::{FileFacts, NetworkFacts, NicFacts, Observed, RegularFile, RunFacts};
use crate::model::record::Record;
use crate::reconcile::diff::live::limit_texts;
use crate::reconcile::join::ContainerView;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// Field path → what was found.
pub type Found = BTreeMap<String, String>;

pub fn observed(key: &Key, object: Option<&Object>, view: &ContainerView<'_>, observed: &Observed) -> Found {
    let mut found = Found::new();
    match key.kind {
        Kind::Container => container(&mut found, object, view, observed),
        Kind::Network => match observed.networks.get(&key.name) {
            Some(facts) => network(&mut found, facts),
            None => drop(found.insert("type".to_owned(), "no such bridge".to_owned())),
        },
        Kind::StoragePool => {
            if let Some(facts) = observed.pools.get(&key.name) {
                found.insert("source".to_owned(), facts.source.clone());
            }
        }
        _ => {}
    }
    found
}

fn container(found: &mut Found, object: Option<&Object>, view: &ContainerView<'_>, observed: &Observed) {
    let state = match (view.run, view.root) {
        (Some(run), _) if run.frozen => "frozen",
        (Some(_), _) => "running",
        (None, Some(_)) => "stopped",
        (None, None) => "missing",
    };
    found.insert("state".to_owned(), state.to_owned());
    if let Some(root) = view.root {
        let content: String = root.identity.fingerprint.chars().take(12).collect();
        found.insert("image".to_owned(), format!("content {content}"));
    }
    let declared = object.and_then(|object| match &object.spec {
        Spec::Container(container) => Some(container.as_ref()),
        _ => None,
    });
    let Some(declared) = declared else { return };
    let root_disk = declared.devices.iter().find(|(_, device)| is_root(&device.options));
    if let (Some(root), Some((name, _))) = (view.root, root_disk) {
        found.insert(format!("devices.{name}.pool"), root.pool.clone());
    }
    if let Some(run) = view.run {
        running(found, declared, run);
    }
    if let (Some(record), Some(root)) = (view.record, view.root) {
        let facts = observed.containers.get(&root.identity.identity.uuid);
        for (path, file) in facts.iter().flat_map(|facts| &facts.files) {
            self::file(found, path, file, record);
        }
    }
}

fn running(found: &mut Found, declared: &Container, run: &RunFacts) {
    for (key, value) in limit_texts(&run.limits) {
        let asked = declared.config.contains_key(key);
        match value {
            Some(value) => drop(found.insert(format!("config.{key}"), value)),
            None if asked => drop(found.insert(format!("config.{key}"), "no limit".to_owned())),
            None => {}
        }
    }
    // What its init was started with; later live changes are in it.
    let asked = &run.run;
    let mut settings: Vec<(String, String)> =
        vec![("security.nesting".to_owned(), asked.nesting.to_string())];
    settings.push(("security.privileged".to_owned(), asked.id_map.is_none().to_string()));
    settings
        .extend(asked.sysctls.iter().map(|(name, value)| (format!("linux.sysctl.{name}"), value.clone())));
    settings
        .extend(asked.environment.iter().map(|(name, value)| (format!("environment.{name}"), value.clone())));
    for (key, value) in settings {
        found.insert(format!("config.{key}"), value);
    }
    for (name, device) in &declared.devices {
        let words = match device.device_type {
            DeviceType::Nic => run.nics.get(name).map_or("gone".to_owned(), nic_words),
            DeviceType::Disk if is_root(&device.options) => continue,
            DeviceType::Disk if run.unlocked_disks.contains(name) => "mounted, not read-only".to_owned(),
            DeviceType::Disk if run.disks.contains(name) => "mounted".to_owned(),
            DeviceType::Disk => "not mounted".to_owned(),
        };
        found.insert(format!("devices.{name}.type"), words);
    }
}

fn is_root(options: &Config) -> bool {
    options.get("path").is_some_and(|path| path == "/")
}

fn nic_words(nic: &NicFacts) -> String {
    let bridge = nic.bridge.as_ref().map_or("on no bridge".to_owned(), |bridge| format!("on {bridge}"));
    let link = if nic.up { "up" } else { "down" };
    format!("{} {bridge}, {link}", nic.host_name)
}

/// Contents are told apart by their digests alone.
fn file(found: &mut Found, path: &str, facts: &FileFacts, record: &Record) {
    let mut put = |field: &str, words: String| found.insert(format!("files.{path}{field}"), words);
    match facts {
        FileFacts::Missing => drop(put("", "missing".to_owned())),
        FileFacts::Other(what) => drop(put("", format!("a {what}"))),
        FileFacts::Regular(RegularFile { digest, mode, owner, group }) => {
            let names = |names: &std::collections::BTreeSet<String>| {
                names.iter().cloned().collect::<Vec<_>>().join(" or ")
            };
            put(".mode", mode.clone());
            put(".owner", names(owner));
            put(".group", names(group));
            let written = record.files.get(path).map(|written| &written.digest);
            put("", if written == Some(digest) { "as written" } else { "another content" }.to_owned());
        }
    }
}

fn network(found: &mut Found, facts: &NetworkFacts) {
    let link = if facts.up { "up" } else { "down" };
    let ours = if facts.ours { "bridge" } else { "a link that is not ours" };
    found.insert("type".to_owned(), format!("{ours}, {link}"));
    let addresses = |wanted: fn(&&IpNet) -> bool| {
        let list: Vec<String> = facts.addresses.iter().filter(wanted).map(IpNet::to_string).collect();
        if list.is_empty() { "none".to_owned() } else { list.join(", ") }
    };
    found.insert("config.ipv4.address".to_owned(), addresses(|net| matches!(net, IpNet::V4(_))));
    found.insert("config.ipv6.address".to_owned(), addresses(|net| matches!(net, IpNet::V6(_))));
    found.insert("config.bridge.mtu".to_owned(), facts.mtu.to_string());
}
