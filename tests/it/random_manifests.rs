//! Random manifests: documents as a user writes them, with profiles, sets, hosts, values and placeholders. They are
//! always valid: what refers to a document that is not there is left out, or falls back to one that is.

use crate::random_site::{CONFIG, PATHS, PERSISTED, STATES};
use bayplan::model::object::Power;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// All documents of site `edge`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifests {
    /// By number in [`PRUNES`].
    pub prune: usize,
    pub at_once: u32,
    /// The site's and the host's value for memory, by number in [`MEMORY`].
    pub value: usize,
    pub host_value: Option<usize>,
    /// Image `i0` is always there. Number → number in [`SOURCES`].
    pub images: BTreeMap<u8, usize>,
    /// `bay1`, `bay2`, each with its subnet and whether it hides what is behind it.
    pub networks: BTreeMap<u8, (u8, bool)>,
    pub has_fast_pool: bool,
    /// How often the pool (0) and each network were renamed.
    pub renames: [usize; 3],
    /// Numbers in [`CONFIG`].
    pub profiles: BTreeMap<u8, Vec<usize>>,
    /// Members of set `run`.
    pub replicas: u8,
    /// Keys of set `cache`, of [`KEYS`].
    pub keys: BTreeSet<usize>,
    pub containers: BTreeMap<u8, Document>,
    /// Somebody deleted all but the Site document.
    pub is_emptied: bool,
}

/// One container's document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// How often it was renamed.
    pub names: usize,
    pub image: u8,
    pub profiles: Vec<u8>,
    /// Numbers in [`CONFIG`].
    pub config: Vec<usize>,
    /// `limits.memory` is the host's value.
    pub takes_value: bool,
    /// 0: the default profile's; 3: none; else on that network.
    pub nic: u8,
    pub disk: Option<bool>,
    /// Path and content, by number.
    pub files: BTreeMap<usize, usize>,
    pub secrets: BTreeSet<usize>,
    pub state: Power,
    pub needs: BTreeSet<u8>,
    pub needs_set: bool,
    pub follows: BTreeSet<u8>,
    /// By number in [`UPDATES`].
    pub update: usize,
    /// By number in [`READIES`].
    pub ready: usize,
    pub persisted: BTreeSet<usize>,
    /// Ignores its first setting, its nic.
    pub ignores: (bool, bool),
    pub is_ephemeral: bool,
    /// By number in [`DELETIONS`].
    pub deletion: usize,
    pub label: u8,
    pub is_fast: bool,
}

pub const PRUNES: [&str; 5] = [
    "{mode: confirm, max: 50%, grace: 7d}",
    "{mode: confirm, max: 1}",
    "{mode: auto, max: 100%, empty: allow, grace: 1h}",
    "{mode: auto, max: 2, grace: 2d}",
    "{mode: off}",
];
const MEMORY: [&str; 3] = ["512MiB", "1GiB", "1024MiB"];
const SOURCES: [&str; 3] = ["busybox: {}", "directory: /srv/tree", "directory: /srv/other"];
const KEYS: [(&str, &str); 3] = [("a", "128MiB"), ("b", "256MiB"), ("c", "128MiB")];
const UPDATES: [&str; 5] = [
    "{}",
    "{restart: allow}",
    "{restart: deny}",
    "{image: replace}",
    "{restart: allow, image: replace, keepReplaced: 1d}",
];
const READIES: [&str; 5] = [
    "{}",
    "{tcp: 80}",
    "{http: 8080, interval: 1s}",
    "{http: {port: 8080, path: \"/${values.memory}\"}, timeout: 10s}",
    "{exec: [check, it]}",
];
const DELETIONS: [Option<&str>; 4] = [None, Some("park"), Some("delete"), Some("retain")];

const CONTENTS: [&str; 5] = [
    "{content: one}",
    "{content: two, onChange: [reload]}",
    "{source: app.conf, mode: \"0600\", onChange: [reload]}",
    "{secretRef: token, mode: \"0400\", onChange: [reload, key]}",
    "{secretRef: {env: B}}",
];

impl Document {
    pub fn name(&self, number: u8) -> String {
        format!("{}{number}", ["c", "r", "s"][self.names % 3])
    }

    /// Takes one part over from another document.
    pub fn take(&mut self, part: usize, from: &Document) {
        match part % Document::PARTS {
            0 => self.image = from.image,
            1 => self.profiles.clone_from(&from.profiles),
            2 => self.config.clone_from(&from.config),
            3 => self.takes_value = !self.takes_value,
            4 => self.nic = from.nic,
            5 => self.disk = from.disk,
            6 => self.files.clone_from(&from.files),
            7 => self.secrets.clone_from(&from.secrets),
            8 => self.state = from.state,
            9 => (self.needs, self.needs_set) = (from.needs.clone(), from.needs_set),
            10 => self.follows.clone_from(&from.follows),
            11 => self.update = from.update,
            12 => self.persisted.clone_from(&from.persisted),
            13 => self.ignores = from.ignores,
            14 => self.is_ephemeral = from.is_ephemeral,
            15 => self.deletion = from.deletion,
            16 => self.label = from.label,
            17 => self.ready = from.ready,
            _ => self.is_fast = from.is_fast,
        }
    }

    pub const PARTS: usize = 19;
}

impl Manifests {
    /// The file `site.yaml`: one field a line, so that origins can be told apart by their lines.
    pub fn text(&self) -> String {
        let mut text = format!(
            "apiVersion: bayplan/v1\nkind: Site\nmetadata:\n  name: edge\nspec:\n  prune: {}\n  rollout: {{maxUnavailable: {}}}\n",
            PRUNES[self.prune], self.at_once
        );
        text += &format!("  values:\n    memory: {}\n", MEMORY[self.value]);
        if self.is_emptied {
            return text;
        }
        if let Some(value) = self.host_value {
            text += &format!(
                "---\nkind: Host\nmetadata:\n  name: modelled\nspec:\n  values:\n    memory: {}\n",
                MEMORY[value]
            );
        }
        text += "---\nkind: Secret\nmetadata:\n  name: token\nspec:\n  env: A\n";
        for (number, source) in &self.images {
            text += &format!(
                "---\nkind: Image\nmetadata:\n  name: i{number}\nspec:\n  source:\n    {}\n",
                SOURCES[*source]
            );
        }
        for (number, (subnet, nat)) in &self.networks {
            text += &format!(
                "---\nkind: Network\nmetadata:\n{}spec:\n  type: bridge\n  config:\n    \
                 ipv4.address: 10.{}.0.1/24\n    ipv4.nat: {nat}\n",
                self.names(*number),
                70 + 2 * number + subnet
            );
        }
        if self.has_fast_pool {
            text += &format!("---\nkind: StoragePool\nmetadata:\n{}spec:\n  driver: dir\n", self.names(0));
        }
        for (number, settings) in &self.profiles {
            text += &format!("---\nkind: Profile\nmetadata:\n  name: p{number}\nspec:\n");
            text += &config(settings, None);
            if settings.is_empty() {
                text += "  config: {}\n";
            }
        }
        self.sets(&mut text);
        for (number, document) in &self.containers {
            self.container(&mut text, *number, document);
        }
        text
    }

    /// The name of the pool (0) or of a network.
    pub fn name(&self, number: u8) -> String {
        name_on_host(number, self.renames[usize::from(number)])
    }

    /// The metadata's lines for the name, and for the former one.
    fn names(&self, number: u8) -> String {
        let mut lines = format!("  name: {}\n", self.name(number));
        if let Some(before) = self.renames[usize::from(number)].checked_sub(1) {
            lines += &format!("  renamedFrom: {}\n", name_on_host(number, before));
        }
        lines
    }

    fn sets(&self, text: &mut String) {
        if self.replicas > 0 {
            *text += &format!(
                "---\nkind: ContainerSet\nmetadata:\n  name: run\nspec:\n  replicas: {}\n  name: \"run-{{index:02}}\"\n  \
                 template:\n    image: i0\n    config:\n      limits.memory: \"${{values.memory}}\"\n",
                self.replicas
            );
        }
        if !self.keys.is_empty() {
            *text += "---\nkind: ContainerSet\nmetadata:\n  name: cache\nspec:\n  for:\n";
            for key in &self.keys {
                let (name, memory) = KEYS[*key];
                *text += &format!("    {name}: {{memory: {memory}}}\n");
            }
            *text += "  template:\n    image: i0\n    update: {restart: allow}\n    config:\n      \
                      limits.memory: \"${each.memory}\"\n";
        }
    }

    fn container(&self, text: &mut String, number: u8, document: &Document) {
        let image = if self.images.contains_key(&document.image) { document.image } else { 0 };
        *text += &format!("---\nkind: Container\nmetadata:\n  name: {}\n", document.name(number));
        if document.names > 0 {
            let former = Document { names: document.names - 1, ..document.clone() };
            *text += &format!("  renamedFrom: {}\n", former.name(number));
        }
        if document.label > 0 {
            *text += &format!("  description: noted {0}\n  labels:\n    tier: \"{0}\"\n", document.label);
        }
        if let Some(deletion) = DELETIONS[document.deletion] {
            *text += &format!("  deletion: {deletion}\n");
        }
        *text += &format!("spec:\n  image: i{image}\n  state: {}\n", document.state.word());
        *text += &format!("  update: {}\n", UPDATES[document.update]);
        *text += &format!("  ready: {}\n", READIES[document.ready]);
        let profiles = document.profiles.iter().filter(|profile| self.profiles.contains_key(profile));
        let profiles: String = profiles.map(|profile| format!(", p{profile}")).collect();
        *text += &format!("  profiles: [default{profiles}]\n");
        *text += &config(&document.config, document.takes_value.then_some("${values.memory}"));
        self.devices(text, document);
        if !document.files.is_empty() {
            *text += "  files:\n";
            for (path, content) in &document.files {
                *text += &format!("    {}: {}\n", PATHS[*path], CONTENTS[*content]);
            }
        }
        if !document.secrets.is_empty() {
            *text += "  environment:\n";
            for secret in &document.secrets {
                let source = ["token", "{env: B}"][*secret];
                *text += &format!("    SECRET_{secret}: {{secretRef: {source}}}\n");
            }
        }
        let names = |numbers: &BTreeSet<u8>| -> Vec<String> {
            let there = numbers.iter().filter(|other| **other < number);
            there.filter_map(|other| Some(self.containers.get(other)?.name(*other))).collect()
        };
        let mut needs = names(&document.needs);
        if document.needs_set && self.replicas > 0 {
            needs.push("containerset/run".to_owned());
        }
        *text += &format!("  dependsOn: [{}]\n", needs.join(", "));
        *text += &format!("  restartWith: [{}]\n", names(&document.follows).join(", "));
        if document.is_ephemeral {
            *text += "  ephemeral: true\n";
        } else {
            let persisted = document.persisted.iter().map(|path| PERSISTED[*path]).collect::<Vec<_>>();
            *text += &format!("  persist: [{}]\n", persisted.join(", "));
        }
        let mut ignored = vec![];
        if let (true, Some(setting)) = (document.ignores.0, document.config.first()) {
            ignored.push(format!("config.{}", CONFIG[*setting].0));
        }
        if document.ignores.1 && document.nic != 3 {
            ignored.push("devices.eth0".to_owned());
        }
        *text += &format!("  ignore: [{}]\n", ignored.join(", "));
    }

    fn devices(&self, text: &mut String, document: &Document) {
        let mut devices = String::new();
        if document.is_fast && self.has_fast_pool {
            let _ = write!(devices, "    root:\n      pool: {}\n", self.name(0));
        }
        match document.nic {
            3 => devices += "    eth0: {type: none}\n",
            number if self.networks.contains_key(&number) => {
                let _ = write!(devices, "    eth0:\n      network: {}\n", self.name(number));
            }
            _ => {}
        }
        if let Some(readonly) = document.disk {
            let _ = write!(
                devices,
                "    data:\n      type: disk\n      source: /srv/a\n      path: /srv\n      readonly: {readonly}\n"
            );
        }
        if !devices.is_empty() {
            *text += &format!("  devices:\n{devices}");
        }
    }
}

/// What the pool (0) or a network is called after so many renames.
fn name_on_host(number: u8, renames: usize) -> String {
    match number {
        0 => ["fast", "quick", "swift"][renames % 3].to_owned(),
        _ => format!("{}{number}", ["bay", "lan", "net"][renames % 3]),
    }
}

/// Settings by number, later ones win; `memory` is the memory limit, if it is to be another one.
fn config(numbers: &[usize], memory: Option<&str>) -> String {
    let mut settings: BTreeMap<&str, &str> = numbers.iter().map(|number| CONFIG[*number]).collect();
    settings.extend(memory.map(|memory| ("limits.memory", memory)));
    let lines = settings.iter().map(|(key, value)| format!("    {key}: \"{value}\"\n"));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("  config:\n{lines}") }
}

pub fn document() -> impl Strategy<Value = Document> {
    let content = (
        0_u8..3,
        prop::collection::vec(0_u8..2, 0..3),
        prop::collection::vec(0..CONFIG.len(), 0..3),
        prop::bool::weighted(0.4),
        prop_oneof![3 => Just(0_u8), 2 => Just(1), 2 => Just(2), 1 => Just(3)],
        prop::option::weighted(0.3, any::<bool>()),
        prop::collection::btree_map(0..PATHS.len(), 0..CONTENTS.len(), 0..2),
        prop::collection::btree_set(0_usize..2, 0..2),
        prop::sample::select(vec![STATES[0], STATES[0], STATES[0], STATES[1], STATES[2], STATES[3]]),
    );
    let rest = (
        prop::collection::btree_set(0_u8..5, 0..2),
        prop::bool::weighted(0.2),
        prop::collection::btree_set(0_u8..5, 0..2),
        0..UPDATES.len(),
        prop::collection::btree_set(0..PERSISTED.len(), 0..2),
        (prop::bool::weighted(0.1), prop::bool::weighted(0.1)),
        prop::bool::weighted(0.1),
        prop_oneof![3 => Just(0_usize), 2 => 0..DELETIONS.len()],
        0_u8..3,
        prop::bool::weighted(0.2),
        prop_oneof![2 => Just(0_usize), 3 => 0..READIES.len()],
    );
    (content, rest).prop_map(|(content, rest)| {
        let (image, mut profiles, config, takes_value, nic, disk, files, secrets, state) = content;
        let (
            needs,
            needs_set,
            follows,
            update,
            persisted,
            ignores,
            is_ephemeral,
            deletion,
            label,
            is_fast,
            ready,
        ) = rest;
        profiles.dedup();
        profiles.truncate(if profiles.first() == profiles.get(1) { 1 } else { 2 });
        Document {
            names: 0,
            image,
            profiles,
            config,
            takes_value,
            nic,
            disk,
            files,
            secrets,
            state,
            needs,
            needs_set,
            follows,
            update,
            ready,
            persisted,
            ignores,
            is_ephemeral,
            deletion,
            label,
            is_fast,
        }
    })
}

pub fn manifests() -> impl Strategy<Value = Manifests> {
    (
        0..PRUNES.len(),
        1_u32..3,
        (0..MEMORY.len(), prop::option::weighted(0.4, 0..MEMORY.len())),
        prop::collection::btree_map(1_u8..3, 0..SOURCES.len(), 0..3),
        (any::<bool>(), prop::option::of((0_u8..2, any::<bool>()))),
        prop::collection::btree_map(0_u8..2, prop::collection::vec(0..CONFIG.len(), 0..3), 0..3),
        0_u8..3,
        prop::collection::btree_set(0..KEYS.len(), 0..3),
        prop::collection::btree_map(0_u8..5, document(), 2..5),
    )
        .prop_map(
            |(prune, at_once, values, mut images, networks, profiles, replicas, keys, containers)| {
                images.insert(0, 0);
                let first = (1, (0, networks.0));
                let second = networks.1.map(|network| (2, network));
                Manifests {
                    prune,
                    at_once,
                    value: values.0,
                    host_value: values.1,
                    images,
                    networks: std::iter::once(first).chain(second).collect(),
                    has_fast_pool: true,
                    renames: [0; 3],
                    profiles,
                    replicas,
                    keys,
                    containers,
                    is_emptied: false,
                }
            },
        )
}
