//! What is changed and repaired in a running container: monitor, cgroup, limits, nics, disks.

use super::container::Walk;
use super::field::Field;
use super::{because, reason};
use crate::model::object::Spec;
use crate::model::observed::RunFacts;
use crate::model::run::{CpuAllowance, CpuLimit, Disk, Limits, MemoryEnforce, Nic, NicAttachment, SecretUse};
use crate::model::size::Size;
use crate::model::step::{Action, Cause, Class, Reason};
use crate::model::typed;
use crate::reconcile::ignore;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

pub fn diff(walk: &mut Walk<'_>, facts: &RunFacts) {
    if !facts.supervised {
        let action = Action::Supervise { uuid: walk.identity.uuid };
        let why = vec![because(Cause::Drift, "monitor", "its monitor is gone")];
        walk.diff.push(action, Class::Live, why, None);
    }
    limits(walk, facts);
    environment(walk, facts);
    persisted(walk, facts);
    disks(walk, facts);
    nics(walk, facts);
}

fn limits(walk: &mut Walk<'_>, facts: &RunFacts) {
    let uuid = walk.identity.uuid;
    let wanted = ignore::limits(&walk.desired.ignore, walk.run.limits.clone(), &facts.limits);
    if facts.in_cgroup && facts.limits == wanted {
        return;
    }
    let before = walk.applied.as_ref().and_then(|applied| match &applied.object.spec {
        Spec::Container(container) => Some(typed::limits(&container.config, walk.scene.observed.host.memory)),
        _ => None,
    });
    let mut reasons = vec![];
    if !facts.in_cgroup {
        reasons.push(because(Cause::Drift, "cgroup", "init is outside its cgroup, or the cgroup is gone"));
    }
    reasons.extend(limit_reasons(&wanted, before.as_ref(), &facts.limits));
    let covered: Vec<Field> = walk.changed.iter().filter(|field| is_limit(field)).cloned().collect();
    for field in &covered {
        walk.establish(field);
    }
    let action = if facts.in_cgroup {
        Action::SetLimits { uuid, limits: wanted }
    } else {
        Action::RepairCgroup { uuid, limits: wanted }
    };
    walk.diff.push(action, Class::Live, reasons, walk.applied.clone());
}

/// Of exec: init's own is taken at its start.
fn environment(walk: &mut Walk<'_>, facts: &RunFacts) {
    let (environment, secrets) = (walk.run.environment.clone(), walk.run.secrets.clone());
    if facts.run.environment == environment && facts.run.secrets == secrets {
        return;
    }
    let is_variable = |field: &Field| match field {
        Field::Environment(_) => true,
        Field::Config(key) => key.starts_with("environment."),
        _ => false,
    };
    let mut reasons = walk.reasons_of(is_variable);
    reasons.extend(given_otherwise(facts, &secrets));
    if reasons.is_empty() {
        reasons.push(because(Cause::Consequence, "environment", "exec gives another one than is declared"));
    }
    let covered: Vec<Field> = walk.changed.iter().filter(|field| is_variable(field)).cloned().collect();
    for field in &covered {
        walk.establish(field);
    }
    let uuid = walk.identity.uuid;
    let action = Action::SetEnvironment { uuid, environment, secrets };
    walk.diff.push(action, Class::Live, reasons, walk.applied.clone());
}

/// Secret variables with another value than a running one was given.
pub fn given_otherwise(facts: &RunFacts, secrets: &BTreeMap<String, SecretUse>) -> Vec<Reason> {
    let differs = |(name, given): (&String, &SecretUse)| {
        let before = facts.run.secrets.get(name).filter(|before| before.digest != given.digest)?;
        let (from, to) = (Some(before.digest.short()), Some(given.digest.short()));
        Some(reason(Cause::Change, &format!("environment.{name}"), from, to))
    };
    secrets.iter().filter_map(differs).collect()
}

fn is_limit(field: &Field) -> bool {
    matches!(field, Field::Config(key) if key.starts_with("limits.") && !key.starts_with("limits.kernel."))
}

fn limit_reasons(wanted: &Limits, before: Option<&Limits>, found: &Limits) -> Vec<Reason> {
    let (wanted, found) = (limit_texts(wanted), limit_texts(found));
    let before = before.map(limit_texts);
    let mut reasons = vec![];
    for (at, (field, to)) in wanted.iter().enumerate() {
        let from = &found[at].1;
        if from == to {
            continue;
        }
        let applied = before.as_ref().map(|before| &before[at].1);
        let cause = match applied {
            Some(applied) if applied == to => Cause::Drift,
            Some(applied) if applied != from => Cause::ChangeAndDrift,
            _ => Cause::Change,
        };
        let note = (cause == Cause::Drift).then(|| "changed in its cgroup".to_owned());
        let reason = reason(cause, &format!("config.{field}"), from.clone(), to.clone());
        reasons.push(Reason { note, ..reason });
    }
    reasons
}

/// The limits as manifests write them; none: no limit.
pub fn limit_texts(limits: &Limits) -> [(&'static str, Option<String>); 5] {
    let cpus = limits.cpus.as_ref().map(|cpus| match cpus {
        CpuLimit::Count(count) => count.to_string(),
        // A lone number would be a count.
        CpuLimit::Set(one) if one.parse::<u32>().is_ok() => format!("{one}-{one}"),
        CpuLimit::Set(set) => set.clone(),
    });
    let allowance = limits.cpu_allowance.as_ref().map(|allowance| match allowance {
        CpuAllowance::Share { percent } => format!("{percent}%"),
        CpuAllowance::Quota { quota_us, period_us } => {
            format!("{}ms/{}ms", quota_us / 1000, period_us / 1000)
        }
    });
    let memory = limits.memory.as_ref();
    let soft = memory.filter(|memory| memory.enforce == MemoryEnforce::Soft).map(|_| "soft".to_owned());
    [
        ("limits.cpu", cpus),
        ("limits.cpu.allowance", allowance),
        ("limits.memory", memory.map(|memory| Size(memory.bytes).to_string())),
        ("limits.memory.enforce", soft),
        ("limits.processes", limits.processes.map(|processes| processes.to_string())),
    ]
}

fn nics(walk: &mut Walk<'_>, facts: &RunFacts) {
    let uuid = walk.identity.uuid;
    let wanted = walk.run.nics.clone();
    let asked = |device: &str| facts.run.nics.iter().find(|nic| nic.device == device);
    let names: BTreeSet<&String> =
        facts.run.nics.iter().map(|nic| &nic.device).chain(facts.nics.keys()).collect();
    for device in names {
        if walk.ignores(&Field::Device(device.clone())) {
            continue;
        }
        let keeps = wanted.iter().find(|nic| nic.device == *device);
        // To another bridge it goes as it is.
        let replaced =
            keeps.is_some_and(|nic| asked(device).is_some_and(|asked| asked != nic && !asked.is_moved(nic)));
        if keeps.is_none() || replaced {
            let mut reasons = nic_reasons(walk, device, (asked(device), keeps));
            let field = Field::Device(device.clone());
            if keeps.is_none() {
                reasons = reasons_or(reasons, Cause::Drift, device, "a nic that is not declared");
                walk.establish(&field);
            }
            let applied = keeps.is_none().then(|| walk.applied.clone()).flatten();
            let class = class_of(facts.nics.contains_key(device));
            let action = Action::DetachNic { uuid, device: device.clone() };
            walk.diff.push(action, class, reasons, applied);
        }
    }
    for nic in wanted {
        if walk.ignores(&Field::Device(nic.device.clone())) {
            continue;
        }
        let same = asked(&nic.device) == Some(&nic);
        let fault = nic_fault(&nic, facts);
        if same && fault.is_none() {
            continue;
        }
        let is_there = asked(&nic.device).is_some_and(|asked| is_moved_already(asked, &nic, facts));
        let reasons = match fault.filter(|_| asked(&nic.device).is_some() && same) {
            Some(fault) => {
                let mut reasons = device_reasons(walk, &nic.device, "");
                reasons.retain(|reason| reason.cause == Cause::Change);
                reasons.push(fault.reason(walk, &nic.device));
                reasons
            }
            None => nic_reasons(walk, &nic.device, (asked(&nic.device), Some(&nic))),
        };
        walk.establish(&Field::Device(nic.device.clone()));
        let action = Action::AttachNic { uuid, nic: Box::new(nic) };
        let class = if is_there { Class::Record } else { Class::Live };
        walk.diff.push(action, class, reasons, walk.applied.clone());
    }
}

/// The changed options of a nic; where none changed, what its network makes of it, before and after.
fn nic_reasons(walk: &Walk<'_>, device: &str, (before, after): (Option<&Nic>, Option<&Nic>)) -> Vec<Reason> {
    let mut reasons = device_reasons(walk, device, "its network changes");
    let (before, after) = (before.map(nic_texts), after.map(nic_texts));
    if let ([reason], Some(before), Some(after)) = (reasons.as_mut_slice(), before, after)
        && reason.cause == Cause::Consequence
        && let Some((from, to)) = before.into_iter().zip(after).find(|(from, to)| from != to)
    {
        (reason.from, reason.to) = (Some(from), Some(to));
    }
    reasons
}

/// What a nic is given, in words; what people ask about first stands first.
fn nic_texts(nic: &Nic) -> [String; 4] {
    let or_none = |parts: Vec<String>| if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    let addresses = [nic.ipv4.map(|net| net.to_string()), nic.ipv6.map(|net| net.to_string())];
    let gateways = [nic.ipv4_gateway.map(|at| at.to_string()), nic.ipv6_gateway.map(|at| at.to_string())];
    let bridge = match &nic.attachment {
        NicAttachment::Bridged { bridge } => format!("bridge {bridge}"),
        NicAttachment::PointToPoint => "no bridge".to_owned(),
    };
    let mtu = nic.mtu.map_or("the default MTU".to_owned(), |mtu| format!("MTU {mtu}"));
    let gateway = format!("gateway {}", or_none(gateways.into_iter().flatten().collect()));
    [or_none(addresses.into_iter().flatten().collect()), bridge, gateway, mtu]
}

/// Whether a hand has put it on the bridge already that it is to be on now.
fn is_moved_already(asked: &Nic, nic: &Nic, facts: &RunFacts) -> bool {
    asked.is_moved(nic) && nic_fault(nic, facts).is_none()
}

/// What is wrong with a nic on the host.
enum NicFault {
    Gone,
    /// It is on the second bridge.
    Moved(String, String),
    Other(String),
}

impl NicFault {
    fn reason(self, walk: &Walk<'_>, device: &str) -> Reason {
        match self {
            NicFault::Gone => gone(device, "nic", "the nic is gone".to_owned()),
            NicFault::Moved(bridge, other) => {
                let options = walk.desired.devices.get(device).map(|device| &device.options);
                let is_parent = options.is_some_and(|options| !options.contains_key("network"));
                let option = if is_parent { "parent" } else { "network" };
                let note = format!("the nic is a port of {other}, not of {bridge}");
                let path = format!("devices.{device}.{option}");
                Reason { note: Some(note), ..reason(Cause::Drift, &path, Some(other), Some(bridge)) }
            }
            NicFault::Other(note) => because(Cause::Drift, &format!("devices.{device}"), note),
        }
    }
}

fn nic_fault(nic: &Nic, facts: &RunFacts) -> Option<NicFault> {
    let Some(found) = facts.nics.get(&nic.device) else { return Some(NicFault::Gone) };
    let bridge = match &nic.attachment {
        NicAttachment::Bridged { bridge } => Some(bridge),
        NicAttachment::PointToPoint => None,
    };
    if found.bridge.as_ref() != bridge {
        return Some(match (bridge, &found.bridge) {
            (Some(bridge), None) => NicFault::Other(format!("the nic is off its bridge {bridge}")),
            (Some(bridge), Some(other)) => NicFault::Moved(bridge.clone(), other.clone()),
            (None, _) => NicFault::Other("the nic is a port of a bridge".to_owned()),
        });
    }
    if !found.up {
        return Some(NicFault::Other("the nic is down".to_owned()));
    }
    if bridge.is_some() {
        return None;
    }
    let missing: Vec<String> = nic.routes().difference(&found.routes).map(IpNet::to_string).collect();
    let note = || format!("the host does not route {} to it", missing.join(", "));
    (!missing.is_empty()).then(|| NicFault::Other(note()))
}

fn disks(walk: &mut Walk<'_>, facts: &RunFacts) {
    let uuid = walk.identity.uuid;
    let wanted = walk.run.disks.clone();
    let stands = |disk: &Disk| facts.disks.contains(&disk.device);
    let is_unlocked = |disk: &Disk| facts.unlocked_disks.contains(&disk.device);
    for disk in &facts.run.disks {
        if walk.ignores(&Field::Device(disk.device.clone())) {
            continue;
        }
        let keeps = wanted.iter().find(|wanted| wanted.device == disk.device);
        let is_so_already = |keeps: &Disk| is_unlocked(disk) && disk.is_unlocked_as(keeps);
        if keeps == Some(disk) && !is_unlocked(disk) || keeps.is_some_and(is_so_already) {
            continue;
        }
        let mut reasons = match keeps == Some(disk) {
            true => vec![unlocked(&disk.device)],
            false => device_reasons(walk, &disk.device, "the disk changes"),
        };
        let field = Field::Device(disk.device.clone());
        if keeps.is_none() {
            reasons = reasons_or(reasons, Cause::Consequence, &disk.device, "a disk that is not declared");
            walk.establish(&field);
        }
        let applied = keeps.is_none().then(|| walk.applied.clone()).flatten();
        let class = class_of(stands(disk));
        let action = Action::DetachDisk { uuid, disk: Box::new(disk.clone()) };
        walk.diff.push(action, class, reasons, applied);
    }
    for disk in wanted {
        if walk.ignores(&Field::Device(disk.device.clone())) {
            continue;
        }
        let asked = facts.run.disks.contains(&disk);
        let absent = !disk.required && walk.scene.options.missing_paths.contains(&disk.source);
        let is_spoiled = asked && is_unlocked(&disk);
        if asked && (stands(&disk) || absent) && !is_spoiled {
            continue;
        }
        let is_so_already =
            facts.run.disks.iter().any(|before| is_unlocked(before) && before.is_unlocked_as(&disk));
        let mut reasons = device_reasons(walk, &disk.device, "the disk changes");
        if is_spoiled {
            reasons = vec![unlocked(&disk.device)];
        } else if asked {
            reasons.retain(|reason| reason.cause == Cause::Change);
            let note = format!("nothing is mounted at {} inside", disk.path.display());
            reasons.push(gone(&disk.device, "disk", note));
        }
        walk.establish(&Field::Device(disk.device.clone()));
        let action = Action::AttachDisk { uuid, disk: Box::new(disk) };
        let class = if is_so_already { Class::Record } else { Class::Live };
        walk.diff.push(action, class, reasons, walk.applied.clone());
    }
}

/// Folders that it was started with and that do not stand inside any more. One whose place is lost waits for a start.
fn persisted(walk: &mut Walk<'_>, facts: &RunFacts) {
    let Some(root) = walk.view.root else { return };
    let lost = facts.run.persist.difference(&facts.persisted);
    for path in lost.filter(|path| walk.desired.persist.contains(*path) && root.persisted.contains(*path)) {
        let note =
            format!("{path} is unmounted inside: what is written there is the root's, and goes with it");
        let action =
            Action::AttachPersisted { pool: root.pool.clone(), uuid: walk.identity.uuid, path: path.clone() };
        walk.diff.push(action, Class::Live, vec![because(Cause::Drift, "persist", note)], None);
    }
}

/// Of taking away what stands, or of forgetting what is gone.
fn class_of(stands: bool) -> Class {
    if stands { Class::Live } else { Class::Record }
}

/// A device that is gone has no type any more.
fn gone(device: &str, kind: &str, note: String) -> Reason {
    let path = format!("devices.{device}.type");
    let plain = reason(Cause::Drift, &path, Some("none".to_owned()), Some(kind.to_owned()));
    Reason { note: Some(note), ..plain }
}

/// A read-only disk that was mounted anew.
fn unlocked(device: &str) -> Reason {
    let path = format!("devices.{device}.readonly");
    let plain = reason(Cause::Drift, &path, Some("false".to_owned()), Some("true".to_owned()));
    Reason { note: Some("its mount was made writable".to_owned()), ..plain }
}

/// The changed options of a device; where none changed, `note` as a consequence.
fn device_reasons(walk: &Walk<'_>, device: &str, note: &str) -> Vec<Reason> {
    let field = Field::Device(device.to_owned());
    let path = format!("devices.{device}");
    let reasons: Vec<Reason> =
        walk.reasons.iter().filter(|reason| field.covers(&reason.field)).cloned().collect();
    if reasons.is_empty() { vec![because(Cause::Consequence, &path, note)] } else { reasons }
}

fn reasons_or(reasons: Vec<Reason>, cause: Cause, device: &str, note: &str) -> Vec<Reason> {
    if reasons.iter().any(|reason| reason.cause == Cause::Change) {
        return reasons;
    }
    vec![because(cause, &format!("devices.{device}"), note)]
}
