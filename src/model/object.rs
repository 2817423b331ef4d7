//! What a user declares, resolved: one struct a kind.
//!
//! Config keys and device options have LXD's names. Their values are normalised texts (one text for one meaning:
//! `1GiB` for `1024MiB`, `true` for `yes`), and an explicit default is absent; spec's registry does this.

use super::content::{Content, SecretRef, SecretSource};
use super::key::{Key, Kind};
use super::prune::{Deletion, Prune};
use super::ready::Ready;
use super::rollout::Rollout;
use super::time_span::TimeSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Config keys to normalised values.
pub type Config = BTreeMap<String, String>;

/// Device name to device.
pub type Devices = BTreeMap<String, Device>;

/// One declared object; its name is the key under which it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    #[serde(default, skip_serializing_if = "Meta::is_empty")]
    pub meta: Meta,
    pub spec: Spec,
}

/// What says something about an object and changes nothing on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Meta {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// A container: the ContainerSet that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member_of: Option<Key>,
    /// How it goes once it is no longer declared; none: as its kind does ([`Object::deletion`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Deletion>,
}

impl Meta {
    pub fn is_empty(&self) -> bool {
        *self == Meta::default()
    }
}

impl Object {
    /// How it goes once it is no longer declared.
    pub fn deletion(&self) -> Deletion {
        self.meta.deletion.unwrap_or_else(|| self.spec.usual_deletion())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Spec {
    Site(Site),
    Image(Image),
    StoragePool(StoragePool),
    Network(Network),
    Secret(Secret),
    Profile(Profile),
    Container(Box<Container>),
}

impl Spec {
    pub fn kind(&self) -> Kind {
        match self {
            Spec::Site(_) => Kind::Site,
            Spec::Image(_) => Kind::Image,
            Spec::StoragePool(_) => Kind::StoragePool,
            Spec::Network(_) => Kind::Network,
            Spec::Secret(_) => Kind::Secret,
            Spec::Profile(_) => Kind::Profile,
            Spec::Container(_) => Kind::Container,
        }
    }

    /// Where the secrets are that it has or uses.
    pub fn secrets(&self) -> Vec<&SecretSource> {
        match self {
            Spec::Secret(secret) => vec![&secret.from],
            Spec::Container(container) => {
                let of_file = |file| match file {
                    &ContainerFile { from: Content::Secret(ref secret), .. } => Some(&secret.from),
                    _ => None,
                };
                let variables = container.environment.values().map(|secret| &secret.from);
                container.files.values().filter_map(of_file).chain(variables).collect()
            }
            _ => vec![],
        }
    }

    /// What is data is kept for a while; what every apply makes again goes at once.
    pub fn usual_deletion(&self) -> Deletion {
        match self {
            Spec::Container(container) if container.ephemeral => Deletion::Delete,
            Spec::Container(_) => Deletion::Park,
            Spec::StoragePool(_) => Deletion::Retain,
            Spec::Site(_) | Spec::Image(_) | Spec::Network(_) | Spec::Secret(_) | Spec::Profile(_) => {
                Deletion::Delete
            }
        }
    }
}

/// The apply set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Site {
    #[serde(default)]
    pub heal: Heal,
    #[serde(default, skip_serializing_if = "Prune::is_default")]
    pub prune: Prune,
    #[serde(default, skip_serializing_if = "Rollout::is_default")]
    pub rollout: Rollout,
    #[serde(default, skip_serializing_if = "Unmanaged::is_default")]
    pub unmanaged: Unmanaged,
}

/// What the controller does about drift that it sees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Heal {
    #[default]
    Always,
    Report,
}

/// What is said about containers on the host that no site owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unmanaged {
    #[default]
    Ignore,
    /// Plans list them.
    Report,
    /// They are an error: nothing is applied.
    Fail,
}

impl Unmanaged {
    pub fn is_default(&self) -> bool {
        *self == Unmanaged::default()
    }

    /// As manifests write it.
    pub fn word(self) -> &'static str {
        match self {
            Unmanaged::Ignore => "ignore",
            Unmanaged::Report => "report",
            Unmanaged::Fail => "fail",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Image {
    pub source: ImageSource,
    /// The pinned content, 64 hexadecimal digits; without it the first import decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ImageSource {
    /// The host's static busybox as a tiny system container.
    Busybox {},
    /// A root file system in a folder of the host; an absolute path.
    Directory { path: PathBuf },
    /// A Debian made by mmdebstrap from the host's own mirror.
    Bootstrap {
        suite: String,
        #[serde(default)]
        include: Vec<String>,
        /// A point in time of Debian's snapshot archive (`20260101T000000Z`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        snapshot: Option<String>,
    },
}

/// Fingerprints by the source that gives them.
pub type ImageContents = BTreeMap<ImageSource, String>;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoragePool {
    pub driver: PoolDriver,
    /// A folder of the host, absolute; none: inside the data folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Config::is_empty")]
    pub config: Config,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PoolDriver {
    Dir,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Network {
    #[serde(rename = "type")]
    pub network_type: NetworkType,
    #[serde(default)]
    pub config: Config,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum NetworkType {
    Bridge,
}

/// Where a secret is; containers name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    pub from: SecretSource,
}

/// A layer of container config; its effect is already in each container that names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Profile {
    /// None unsets a key of the layers below.
    #[serde(default)]
    pub config: BTreeMap<String, Option<String>>,
    #[serde(default)]
    pub devices: BTreeMap<String, DeviceLayer>,
    /// None takes a file of the layers below away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Option<ContainerFile>>,
    /// Variables whose values are secret; none unsets one of the layers below.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Option<SecretRef>>,
}

/// A device as one layer writes it: without a type its options are merged onto the layer below.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceLayer {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    #[serde(default)]
    pub options: BTreeMap<String, Option<String>>,
}

/// A container with its profiles expanded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    /// The Image object that its root is made from.
    pub image: Key,
    /// Debian's word for the processor: `amd64`, `arm64`.
    pub architecture: String,
    /// The profiles that it names, in order; their effect is in `config` and `devices`.
    pub profiles: Vec<String>,
    pub config: Config,
    pub devices: Devices,
    /// Path inside → what is there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, ContainerFile>,
    /// Variables whose values are secret; plain ones are `config` keys, `environment.NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, SecretRef>,
    pub state: Power,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Key>,
    /// Containers whose restart restarts it too; they are among `depends_on`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub restart_with: BTreeSet<Key>,
    #[serde(default)]
    pub ready: Ready,
    #[serde(default, skip_serializing_if = "Update::is_default")]
    pub update: Update,
    /// Folders inside that outlive the root.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub persist: BTreeSet<String>,
    /// Field paths that are neither compared nor written: `config.limits.memory`, `devices.eth0`, `files./etc/motd`,
    /// `environment.COLOUR`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ignore: BTreeSet<String>,
    #[serde(default)]
    pub ephemeral: bool,
}

/// How a container takes changes that stop it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Update {
    pub restart: RestartPolicy,
    pub image: ImagePolicy,
    /// How long a replaced root is kept.
    pub keep_replaced: TimeSpan,
}

impl Update {
    pub fn is_default(&self) -> bool {
        *self == Update::default()
    }
}

impl Default for Update {
    fn default() -> Update {
        Update { restart: RestartPolicy::Ask, image: ImagePolicy::Keep, keep_replaced: Prune::DEFAULT_GRACE }
    }
}

/// On whose word a container is stopped and started for a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RestartPolicy {
    /// Once somebody approves.
    #[default]
    Ask,
    Allow,
    /// Never; a verb on the container still may.
    Deny,
}

impl RestartPolicy {
    /// As manifests write it.
    pub fn word(self) -> &'static str {
        match self {
            RestartPolicy::Ask => "ask",
            RestartPolicy::Allow => "allow",
            RestartPolicy::Deny => "deny",
        }
    }
}

/// What another content of its image means for a container.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ImagePolicy {
    /// Nothing: an image serves creation.
    #[default]
    Keep,
    /// A new root takes the old one's place.
    Replace,
}

impl ImagePolicy {
    /// As manifests write it.
    pub fn word(self) -> &'static str {
        match self {
            ImagePolicy::Keep => "keep",
            ImagePolicy::Replace => "replace",
        }
    }
}

/// A file inside a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerFile {
    pub from: Content,
    /// Four octal digits: `0644`.
    pub mode: String,
    /// A user's name or number, by the container's own /etc/passwd.
    pub owner: String,
    /// A group's name or number, by the container's own /etc/group.
    pub group: String,
    /// A command that runs inside after a change, if the container runs; empty: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on_change: Vec<String>,
}

/// A device with its layers merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Device {
    #[serde(rename = "type")]
    pub device_type: DeviceType,
    /// LXD's option names to normalised values; `type` is not among them.
    pub options: Config,
}

/// The device types that this version carries (`none` removes a device and never gets here).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceType {
    Disk,
    Nic,
}

/// What a container should be doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Power {
    #[default]
    Running,
    Stopped,
    Frozen,
    /// Not managed.
    Any,
}

impl Power {
    /// As manifests write it.
    pub fn word(self) -> &'static str {
        match self {
            Power::Running => "running",
            Power::Stopped => "stopped",
            Power::Frozen => "frozen",
            Power::Any => "any",
        }
    }
}
