//! Desired → manifests: every value resolved, one document an object. Loading them gives the same Desired again.
//!
//! Built-in objects are left out (a load adds them), and so is what is the same without being said. Paths are absolute.

mod contents;

use self::contents::{contents, secret_source};
use super::document::API_VERSION;
use super::document::host::Host;
use super::fill::escape;
use crate::model::desired::Desired;
use crate::model::key::{Key, Kind};
use crate::model::object::{
    Container, Device, DeviceLayer, DeviceType, Heal, Image, ImageSource, Meta, Network, NetworkType, Object,
    Power, Profile, Site, Spec, StoragePool, Update,
};
use crate::model::prune::{Prune, PruneEmpty, PruneMode};
use crate::model::ready::{Ready, ReadyProbe};
use crate::model::rollout::Rollout;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The documents of a declaration that was rendered for `host`.
pub fn documents(desired: &Desired, host: Option<&Host>) -> Vec<Value> {
    let by_key = by_key(desired, host);
    let host = host.map(|host| {
        let meta = Meta { labels: host.labels.clone(), ..Meta::default() };
        document(Kind::Host, metadata(&host.name, &meta), host_spec(host))
    });
    let mut documents: Vec<Value> = by_key.into_values().collect();
    let site = usize::from(documents.first().is_some_and(|document| document["kind"] == Kind::Site.name()));
    documents.splice(site..site, host);
    documents
}

/// The document of each object that is not built in.
pub fn by_key<'d>(desired: &'d Desired, host: Option<&Host>) -> BTreeMap<&'d Key, Value> {
    let own = |(key, _): &(&Key, &Object)| !desired.builtin.contains(*key);
    let objects = desired.objects.iter().filter(own).map(|(key, object)| {
        let mut metadata = metadata(&key.name, &object.meta);
        if let Some(site) = desired.moved_from.get(key) {
            metadata["movedFromSite"] = json!(site);
        }
        if let Some(former) = desired.renamed_from.get(key) {
            metadata["renamedFrom"] = json!(former.name);
        }
        (key, document(key.kind, metadata, spec(desired, object, host)))
    });
    let external = desired.external.iter().map(|key| {
        let metadata = metadata(&key.name, &Meta::default());
        (key, document(key.kind, metadata, json!({"external": true})))
    });
    objects.chain(external).collect()
}

fn document(kind: Kind, metadata: Value, spec: Value) -> Value {
    json!({"apiVersion": API_VERSION, "kind": kind.name(), "metadata": metadata, "spec": spec})
}

fn metadata(name: &str, meta: &Meta) -> Value {
    let mut fields = Map::from_iter([("name".to_owned(), json!(name))]);
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if !meta.labels.is_empty() {
        add("labels", texts(&meta.labels));
    }
    if !meta.annotations.is_empty() {
        add("annotations", texts(&meta.annotations));
    }
    if !meta.description.is_empty() {
        add("description", text(&meta.description));
    }
    if let Some(set) = &meta.member_of {
        add("memberOf", json!(set.name));
    }
    if let Some(deletion) = meta.deletion {
        add("deletion", json!(deletion.word()));
    }
    Value::Object(fields)
}

/// A text as a value that filling leaves as it is.
fn text(text: &str) -> Value {
    Value::String(escape(text))
}

fn texts(texts: &BTreeMap<String, String>) -> Value {
    texts.iter().map(|(name, value)| (name.clone(), text(value))).collect::<Map<_, _>>().into()
}

/// Its id and processor: where the output is loaded again it is for this host alone. Its values are filled in already.
fn host_spec(host: &Host) -> Value {
    let mut spec = Map::new();
    if let Some(id) = &host.machine_id {
        spec.insert("machineId".to_owned(), json!(id));
    }
    if let Some(architecture) = &host.architecture {
        spec.insert("architecture".to_owned(), json!(architecture));
    }
    Value::Object(spec)
}

fn spec(desired: &Desired, object: &Object, host: Option<&Host>) -> Value {
    match &object.spec {
        Spec::Site(site) => self::site(site, host),
        Spec::Image(image) => self::image(image),
        Spec::StoragePool(pool) => self::pool(pool),
        Spec::Network(network) => self::network(network),
        Spec::Secret(secret) => secret_source(&secret.from),
        Spec::Profile(profile) => self::profile(profile),
        Spec::Container(container) => self::container(desired, container),
    }
}

fn site(site: &Site, host: Option<&Host>) -> Value {
    let heal = match site.heal {
        Heal::Always => "always",
        Heal::Report => "report",
    };
    let mut spec = json!({"heal": heal});
    if !site.prune.is_default() {
        spec["prune"] = prune(&site.prune);
    }
    if !site.rollout.is_default() {
        spec["rollout"] = rollout(&site.rollout);
    }
    if !site.unmanaged.is_default() {
        spec["unmanaged"] = json!(site.unmanaged.word());
    }
    if let Some(host) = host {
        spec["targets"] = json!([host.name]);
    }
    spec
}

pub fn rollout(rollout: &Rollout) -> Value {
    json!({
        "maxUnavailable": rollout.max_unavailable.to_string(),
        "waitReady": rollout.wait_ready,
        "stopOnFailure": rollout.stop_on_failure,
    })
}

pub fn prune(prune: &Prune) -> Value {
    let mode = match prune.mode {
        PruneMode::Off => "off",
        PruneMode::Confirm => "confirm",
        PruneMode::Auto => "auto",
    };
    let empty = match prune.empty {
        PruneEmpty::Refuse => "refuse",
        PruneEmpty::Allow => "allow",
    };
    let max = prune.max.to_string();
    json!({"mode": mode, "max": max, "empty": empty, "grace": prune.grace})
}

fn image(image: &Image) -> Value {
    let source = match &image.source {
        ImageSource::Busybox {} => json!({"busybox": {}}),
        ImageSource::Directory { path } => json!({"directory": text(&path.to_string_lossy())}),
        ImageSource::Bootstrap { suite, include, snapshot } => {
            let mut bootstrap = json!({"suite": suite});
            if !include.is_empty() {
                bootstrap["include"] = json!(include);
            }
            if let Some(snapshot) = snapshot {
                bootstrap["snapshot"] = json!(snapshot);
            }
            json!({"bootstrap": bootstrap})
        }
    };
    let mut spec = json!({"source": source});
    if let Some(fingerprint) = &image.fingerprint {
        spec["fingerprint"] = json!(fingerprint);
    }
    spec
}

fn pool(pool: &StoragePool) -> Value {
    let mut spec = json!({"driver": pool.driver});
    if let Some(source) = &pool.source {
        spec["source"] = text(&source.to_string_lossy());
    }
    if !pool.config.is_empty() {
        spec["config"] = texts(&pool.config);
    }
    spec
}

fn network(network: &Network) -> Value {
    let network_type = match network.network_type {
        NetworkType::Bridge => "bridge",
    };
    json!({"type": network_type, "config": texts(&network.config)})
}

fn profile(profile: &Profile) -> Value {
    let devices: Map<String, Value> =
        profile.devices.iter().map(|(name, device)| (name.clone(), layer(device))).collect();
    // A null in `environment` unsets the plain variable too.
    let mut config = profile.config.clone();
    config.retain(|key, _| variable(key).is_none_or(|name| !profile.environment.contains_key(name)));
    let mut spec = json!({"config": settings(&config), "devices": devices});
    let files = profile.files.iter().map(|(path, file)| (path, file.as_ref()));
    let environment = profile.environment.iter().map(|(name, secret)| (name, secret.as_ref()));
    contents(&mut spec, files.collect(), environment.collect());
    spec
}

/// The variable that a config key sets: `environment.NAME`.
fn variable(key: &str) -> Option<&str> {
    key.strip_prefix("environment.")
}

fn layer(device: &DeviceLayer) -> Value {
    let mut options = Map::new();
    if let Some(device_type) = &device.device_type {
        options.insert("type".to_owned(), text(device_type));
    }
    options.extend(settings(&device.options));
    Value::Object(options)
}

fn settings(settings: &BTreeMap<String, Option<String>>) -> Map<String, Value> {
    let value = |value: &Option<String>| value.as_deref().map_or(Value::Null, text);
    settings.iter().map(|(name, setting)| (name.clone(), value(setting))).collect()
}

/// The whole container: what its profiles set and it has not is unset, so that they change nothing.
fn container(desired: &Desired, container: &Container) -> Value {
    let below = Below::new(desired, &container.profiles);
    let mut spec = json!({
        "image": container.image.name,
        "architecture": container.architecture,
        "profiles": container.profiles,
        "config": config(container, &below),
        "devices": devices(container, &below.devices),
        "state": match container.state {
            Power::Running => "running",
            Power::Stopped => "stopped",
            Power::Frozen => "frozen",
            Power::Any => "any",
        },
    });
    let removed = below.files.iter().filter(|path| !container.files.contains_key(**path));
    let own = container.files.iter().map(|(path, file)| (path, Some(file)));
    let files = removed.map(|path| (*path, None)).chain(own).collect();
    let said = |name: &str| {
        container.environment.contains_key(name)
            || container.config.contains_key(&format!("environment.{name}"))
    };
    let removed = below.secrets.iter().filter(|name| !said(name));
    let own = container.environment.iter().map(|(name, secret)| (name, Some(secret)));
    contents(&mut spec, files, removed.map(|name| (*name, None)).chain(own).collect());
    if !container.depends_on.is_empty() {
        spec["dependsOn"] = container.depends_on.iter().map(|key| json!(key.to_string())).collect();
    }
    if !container.restart_with.is_empty() {
        spec["restartWith"] = container.restart_with.iter().map(|key| json!(key.to_string())).collect();
    }
    if container.ready != Ready::default() {
        spec["ready"] = ready(&container.ready);
    }
    if !container.update.is_default() {
        spec["update"] = update(&container.update);
    }
    if !container.persist.is_empty() {
        spec["persist"] = container.persist.iter().map(|path| text(path)).collect();
    }
    if !container.ignore.is_empty() {
        spec["ignore"] = container.ignore.iter().map(|path| text(path)).collect();
    }
    if container.ephemeral {
        spec["ephemeral"] = json!(true);
    }
    spec
}

pub fn update(update: &Update) -> Value {
    json!({
        "restart": update.restart.word(),
        "image": update.image.word(),
        "keepReplaced": update.keep_replaced,
    })
}

/// What the profiles of a container mention.
#[derive(Default)]
struct Below<'d> {
    config: BTreeSet<&'d str>,
    devices: BTreeSet<&'d str>,
    files: BTreeSet<&'d String>,
    secrets: BTreeSet<&'d String>,
}

impl<'d> Below<'d> {
    fn new(desired: &'d Desired, profiles: &[String]) -> Below<'d> {
        let mut below = Below::default();
        for name in profiles {
            if let Some(Object { spec: Spec::Profile(profile), .. }) =
                desired.objects.get(&Key::profile(name))
            {
                below.config.extend(profile.config.keys().map(String::as_str));
                below.devices.extend(profile.devices.keys().map(String::as_str));
                below.files.extend(profile.files.keys());
                below.secrets.extend(profile.environment.keys());
            }
        }
        below
    }
}

/// A variable that is unset, or whose value is secret, is said in `environment`.
fn config(container: &Container, below: &Below<'_>) -> Value {
    let (config, secret) = (&container.config, &container.environment);
    let elsewhere =
        |name: &str| secret.contains_key(name) || below.secrets.iter().any(|other| *other == name);
    let unset = below.config.iter().filter(|key| !config.contains_key(**key));
    let unset = unset.filter(|key| variable(key).is_none_or(|name| !elsewhere(name)));
    let mut fields: BTreeMap<String, Value> = unset.map(|key| ((*key).to_owned(), Value::Null)).collect();
    fields.extend(config.iter().map(|(key, value)| (key.clone(), text(value))));
    fields.into_iter().collect::<Map<_, _>>().into()
}

fn devices(container: &Container, below: &BTreeSet<&str>) -> Value {
    let removed = below.iter().filter(|name| !container.devices.contains_key(**name));
    let mut fields: BTreeMap<String, Value> =
        removed.map(|name| ((*name).to_owned(), json!({"type": "none"}))).collect();
    fields.extend(container.devices.iter().map(|(name, whole)| (name.clone(), device(whole))));
    fields.into_iter().collect::<Map<_, _>>().into()
}

fn device(device: &Device) -> Value {
    let device_type = match device.device_type {
        DeviceType::Disk => "disk",
        DeviceType::Nic => "nic",
    };
    let mut options = Map::from_iter([("type".to_owned(), json!(device_type))]);
    options.extend(device.options.iter().map(|(name, value)| (name.clone(), text(value))));
    Value::Object(options)
}

fn ready(ready: &Ready) -> Value {
    let mut fields = match &ready.probe {
        ReadyProbe::Alive => json!({"alive": true}),
        ReadyProbe::Systemd => json!({"systemd": true}),
        ReadyProbe::Exec(command) => {
            json!({"exec": command.iter().map(|word| text(word)).collect::<Vec<_>>()})
        }
        ReadyProbe::Tcp(port) => json!({"tcp": port}),
        ReadyProbe::Http(http) => json!({"http": {"port": http.port, "path": text(&http.path)}}),
    };
    fields["timeout"] = json!(ready.timeout);
    fields["interval"] = json!(ready.interval);
    fields
}
