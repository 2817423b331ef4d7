//! What changes the host. A step carries all that it needs; a driver makes no choice.

use super::content::{Content, Digest};
use super::key::Key;
use super::object::{Image, Object, StoragePool};
use super::origin::FieldOrigins;
use super::ready::Ready;
use super::record::{Applied, Identity, Override, Owner, RootIdentity};
use super::run::{ContainerRun, Disk, Limits, Nic, SecretUse};
use ipnet::{Ipv4Net, Ipv6Net};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// A step's place in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

/// One change of the host or of the records. Idempotent: carried out again it answers unchanged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    pub id: StepId,
    pub key: Key,
    pub action: Action,
    pub class: Class,
    /// Why, at least one; each with the field and its values.
    pub reasons: Vec<Reason>,
    /// The predicted time without service, in milliseconds; 0: none.
    pub downtime_ms: u64,
    /// The steps that must be done before.
    pub after: Vec<StepId>,
    /// The steps that must have ended before, whatever came of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after_end: Vec<StepId>,
    /// What the record's `applied` is once this step is done; written by the driver as the step's last act.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<Box<Applied>>,
}

/// What a change costs (manifest.md, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// Only a record is written.
    Record,
    Create,
    Live,
    Deferred,
    Restart,
    Replace,
    Delete,
}

/// Why a step is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    pub cause: Cause,
    /// The field path, empty for the whole object.
    pub field: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// In words, for people: "init was killed (signal 9)", "bridge bay0 is gone".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// Desired differs from applied.
    Change,
    /// Applied differs from observed.
    Drift,
    /// Both at once.
    ChangeAndDrift,
    /// A verb asked for it.
    Verb,
    /// Another step makes it necessary.
    Consequence,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    // --- records
    /// Writes what is declared, who owns it and its identity; `applied` is left as it is.
    PutRecord(Box<RecordUpdate>),
    /// Marks the record: the object's deletion has begun. `PutRecord` takes the mark away.
    Retire,
    /// Marks the record: the object is out of service until that time. `PutRecord` takes the mark away.
    Park {
        until: Timestamp,
    },
    ForgetRecord,
    /// Moves the record of another key here, and the name beside a root.
    Rename {
        from: Key,
    },
    /// Only writes the step's `applied` (live keys that exist in records alone: user.*, environment.*).
    Note,

    // --- images; output `fingerprint`
    ImportImage {
        image: Image,
    },
    DeleteImage {
        fingerprint: String,
    },

    // --- storage
    EnsurePool {
        pool: StoragePool,
    },
    DeletePool,
    CreateRoot {
        pool: String,
        image: ImageContent,
        root: Box<RootSeed>,
    },
    DeleteRoot {
        pool: String,
        uuid: Uuid,
    },
    /// Makes a root beside the one in use, while that one goes on.
    PrepareRoot {
        pool: String,
        image: ImageContent,
        root: Box<RootSeed>,
    },
    /// The prepared root takes the place of the one in use, which is kept; output `fingerprint`.
    SwapRoot {
        pool: String,
        uuid: Uuid,
        image: ImageContent,
    },
    /// The replaced root takes its place again; the other one is removed.
    RestoreRoot {
        pool: String,
        uuid: Uuid,
    },
    /// Removes a root that is not in use.
    DropRoot {
        pool: String,
        uuid: Uuid,
        which: BesideRoot,
    },
    /// Makes the folder in which a path outlives the roots, with what the root in use has there.
    Persist {
        pool: String,
        uuid: Uuid,
        path: String,
    },

    // --- network
    EnsureNetwork(Box<BridgeNetwork>),
    DeleteNetwork {
        name: String,
    },

    // --- containers
    Start(Box<ContainerRun>),
    Stop {
        uuid: Uuid,
        how: StopHow,
    },
    Freeze {
        uuid: Uuid,
    },
    Unfreeze {
        uuid: Uuid,
    },
    SetLimits {
        uuid: Uuid,
        limits: Limits,
    },
    /// Makes the cgroup anew where it is gone, moves the processes back, sets the limits.
    RepairCgroup {
        uuid: Uuid,
        limits: Limits,
    },
    AttachNic {
        uuid: Uuid,
        nic: Box<Nic>,
    },
    DetachNic {
        uuid: Uuid,
        device: String,
    },
    AttachDisk {
        uuid: Uuid,
        disk: Box<Disk>,
    },
    DetachDisk {
        uuid: Uuid,
        disk: Box<Disk>,
    },
    /// Mounts a folder that outlives the root again, in a running container that has it.
    AttachPersisted {
        pool: String,
        uuid: Uuid,
        path: String,
    },
    /// Puts a file into a container's root, running or stopped.
    WriteFile {
        pool: String,
        uuid: Uuid,
        file: Box<FileWrite>,
    },
    /// Removes a file that a step made. Another's is left, and only forgotten.
    RemoveFile {
        pool: String,
        uuid: Uuid,
        path: String,
    },
    /// Runs an `onChange` in a running container, if one of its files waits for it.
    RunInside {
        uuid: Uuid,
        command: Vec<String>,
        files: Vec<String>,
    },
    /// What exec gives to programs from now on; init keeps what it was started with.
    SetEnvironment {
        uuid: Uuid,
        environment: BTreeMap<String, String>,
        secrets: BTreeMap<String, SecretUse>,
    },
    /// A replacement monitor for an init that lost its own.
    Supervise {
        uuid: Uuid,
    },
    WaitReady {
        uuid: Uuid,
        ready: Ready,
    },
}

/// What [`Action::PutRecord`] writes; a field that is none is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordUpdate {
    pub owner: Owner,
    pub generation: u64,
    pub desired: Option<Object>,
    pub origins: FieldOrigins,
    pub identity: Option<Identity>,
    pub overrides: Option<Vec<Override>>,
    /// Adopted facts: `applied` of an object found on the host whose record was lost.
    pub adopted: Option<Applied>,
    /// Written as it is: whether the object stays although nothing declares it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undeleted: bool,
}

impl RecordUpdate {
    /// Whether it is about a hold that begins or ends, and nothing else.
    pub fn is_hold(&self) -> bool {
        let others = self.desired.is_some() || self.identity.is_some() || self.adopted.is_some();
        self.overrides.is_some() && !others && !self.undeleted
    }
}

/// A root that is not in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BesideRoot {
    /// Prepared, to take the place of the one in use.
    Next,
    /// Its place was taken.
    Replaced,
}

/// Which content a root is made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ImageContent {
    Fingerprint(String),
    /// The output of this image's import, earlier in the plan.
    ImportOf(Key),
}

/// What [`Action::CreateRoot`] lays beside the root; the fingerprint joins it when the content is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RootSeed {
    pub owner: Owner,
    pub identity: Identity,
}

impl RootSeed {
    /// The identity copy as it is stored.
    pub fn with_content(&self, key: &Key, fingerprint: &str) -> RootIdentity {
        RootIdentity {
            version: super::record::RECORD_VERSION,
            key: key.clone(),
            owner: self.owner.clone(),
            identity: self.identity.clone(),
            fingerprint: fingerprint.to_owned(),
        }
    }
}

/// A file to put into a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileWrite {
    /// Absolute, inside.
    pub path: String,
    pub from: Content,
    /// What the content was when the plan was made; another one now is refused.
    pub digest: Digest,
    /// Four octal digits.
    pub mode: String,
    pub owner: String,
    pub group: String,
    /// Whether an `onChange` is to run once a running container has the file.
    pub settles: bool,
}

/// A managed bridge with its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BridgeNetwork {
    /// The interface's name, at most 15 characters (IFNAMSIZ).
    pub name: String,
    pub ipv4: Option<Ipv4Net>,
    pub ipv6: Option<Ipv6Net>,
    pub ipv4_nat: bool,
    pub ipv6_nat: bool,
    pub mtu: Option<u32>,
    /// Fixed MAC address (`bridge.hwaddr`).
    pub mac: Option<String>,
}

impl BridgeNetwork {
    /// What its MTU is to be, beside ports of which this is the least.
    pub fn mtu_beside(&self, port_mtu: Option<u32>) -> u32 {
        self.mtu.unwrap_or_else(|| kernel_mtu(port_mtu))
    }

    /// What [`super::observed::NetworkFacts::rules`] is while the rules are intact: a text of what they do.
    pub fn rules_digest(&self) -> String {
        let mut words = vec![];
        if let Some(net) = &self.ipv4 {
            words.push(format!("ipv4 {} nat={}", net.trunc(), self.ipv4_nat));
        }
        if let Some(net) = &self.ipv6 {
            words.push(format!("ipv6 {} nat={}", net.trunc(), self.ipv6_nat));
        }
        words.join("; ")
    }
}

/// The MTU of a bridge whose MTU nobody set: the least of its ports', without any 1500 (br_mtu_min in the kernel's
/// net/bridge/br_if.c). Once somebody sets it, the kernel leaves it there.
pub fn kernel_mtu(port_mtu: Option<u32>) -> u32 {
    port_mtu.unwrap_or(1500)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StopHow {
    /// Asks init to power off, then forces.
    Clean {
        timeout_ms: u64,
    },
    Forced,
}

/// What a step did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    pub changed: bool,
    /// Declared outputs, by name (`fingerprint`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, String>,
}
