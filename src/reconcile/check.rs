//! Findings that need the host: what is declared, against what this machine can give.

use super::contents;
use super::goal::PlanOptions;
use super::join::Joined;
use super::world::{Target, World};
use crate::model::content::Content;
use crate::model::desired::Desired;
use crate::model::finding::{Finding, Severity};
use crate::model::key::Key;
use crate::model::object::{Container, ImageSource, Object, Power, Spec};
use crate::model::observed::{Host, Observed};
use crate::model::origin::Place;
use crate::model::run::{CpuLimit, Disk, Limits};
use crate::model::step::BridgeNetwork;
use crate::model::typed;
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The host paths that the load needs: disk sources, folders of images, and what disks cover of the kernel's own file
/// systems, which are inside what they are here. The caller says in
/// [`super::goal::PlanOptions::missing_paths`] which of them are not there.
pub fn paths_to_check(desired: &Desired) -> BTreeSet<PathBuf> {
    desired.objects.values().flat_map(paths).collect()
}

fn paths(object: &Object) -> Vec<PathBuf> {
    match &object.spec {
        Spec::Image(image) => match &image.source {
            ImageSource::Directory { path } => vec![path.clone()],
            ImageSource::Busybox {} | ImageSource::Bootstrap { .. } => vec![],
        },
        Spec::Container(container) => {
            let disks = typed::disks(&container.devices);
            let covered: Vec<PathBuf> = disks.iter().filter_map(covered).map(Path::to_path_buf).collect();
            disks.into_iter().map(|disk| disk.source).chain(covered).collect()
        }
        _ => vec![],
    }
}

/// What a disk covers of /proc or /sys; folders can be made in cgroups alone.
fn covered(disk: &Disk) -> Option<&Path> {
    let path = disk.path.as_path();
    let is_of_kernel = ["/proc", "/sys"].iter().any(|root| path.starts_with(root));
    (is_of_kernel && !path.starts_with("/sys/fs/cgroup")).then_some(path)
}

/// Where findings of one object go.
pub struct Findings<'a> {
    key: &'a Key,
    target: &'a Target<'a>,
    pub list: Vec<Finding>,
}

impl<'a> Findings<'a> {
    pub fn new(key: &'a Key, target: &'a Target<'a>) -> Findings<'a> {
        Findings { key, target, list: vec![] }
    }

    pub fn error(&mut self, code: &'static str, field: &str, message: String, help: &str) {
        self.list.push(Finding {
            severity: Severity::Error,
            code,
            place: self.place(field),
            key: Some(self.key.clone()),
            message,
            help: Some(help.to_owned()),
        });
    }

    /// The line of `field`, else of the object.
    fn place(&self, field: &str) -> Option<Place> {
        let origins = self.target.origins?;
        let origin = origins.get(field).or_else(|| origins.get(""))?;
        origin.place.clone()
    }
}

/// All that is wrong.
pub fn check(
    world: &World<'_>,
    observed: &Observed,
    joined: &Joined<'_>,
    options: &PlanOptions,
) -> Vec<Finding> {
    let mut list = vec![];
    for (key, target) in &world.targets {
        let mut findings = Findings::new(key, target);
        match &target.object.spec {
            Spec::Image(image) => {
                if let ImageSource::Directory { path } = &image.source {
                    image_folder(&mut findings, path, observed, options);
                }
            }
            Spec::StoragePool(_) => pool(&mut findings, observed, joined),
            Spec::Network(network) => {
                self::network(&mut findings, &typed::bridge(&key.name, &network.config), observed);
            }
            Spec::Container(container) => {
                limits(&mut findings, container, &observed.host);
                host(&mut findings, container, &observed.host);
                devices(&mut findings, container, joined, options);
                protection(&mut findings, container, joined);
            }
            Spec::Site(_) | Spec::Profile(_) | Spec::Secret(_) => {}
        }
        list.extend(findings.list);
    }
    list
}

/// Contents of files and secrets that cannot be had.
pub fn contents(world: &World<'_>, options: &PlanOptions) -> Vec<Finding> {
    let mut list = vec![];
    for (key, target) in &world.targets {
        let Spec::Container(container) = &target.object.spec else { continue };
        let mut findings = Findings::new(key, target);
        for (field, content) in contents::of_container(container) {
            if let Err(why) = contents::digest(&options.contents, &content) {
                let (code, help) = match content {
                    Content::Secret(_) | Content::Variable(_) => {
                        ("missing-secret", "bring the secret to where it is declared, or change the place")
                    }
                    Content::Text(_) | Content::File(_) => {
                        ("missing-path", "make the file, or name another one")
                    }
                };
                findings.error(code, &field, format!("{field}: {why}"), help);
            }
        }
        list.extend(findings.list);
    }
    list
}

/// What `security.protection.*` forbids refuses the plan, not the step.
fn protection(findings: &mut Findings<'_>, container: &Container, joined: &Joined<'_>) {
    let view = joined.view(findings.key);
    let up = matches!(findings.target.power, Power::Running | Power::Frozen);
    if typed::protected_from_start(&container.config)
        && (findings.target.restart || (up && view.run.is_none()))
    {
        let message = format!("{} is to start, and security.protection.start forbids it", findings.key);
        let help = "declare `state: stopped`, or leave the protection out";
        findings.error("protected", "config.security.protection.start", message, help);
    }
    if typed::protected_from_delete(&container.config) && container.ephemeral && up && view.is_complete() {
        let message = format!(
            "{} is ephemeral and complete, and security.protection.delete forbids that its root goes",
            findings.key
        );
        let help = "declare it `ephemeral: false`, or leave the protection out";
        findings.error("protected", "config.security.protection.delete", message, help);
    }
}

/// A folder that was imported already may go.
fn image_folder(findings: &mut Findings<'_>, path: &Path, observed: &Observed, options: &PlanOptions) {
    let record = observed.records.get(findings.key);
    let imported = record.and_then(|record| record.applied.as_ref()).map(|applied| &applied.object.spec);
    if options.missing_paths.contains(path) && imported != Some(&findings.target.object.spec) {
        let message = format!("the folder {} is not there", path.display());
        findings.error("missing-path", "source.directory.path", message, "make it, or name another one");
    }
}

fn pool(findings: &mut Findings<'_>, observed: &Observed, joined: &Joined<'_>) {
    let record = observed.records.get(findings.key);
    let before = record.and_then(|record| record.applied.as_ref()).map(|applied| &applied.object.spec);
    let (Some(Spec::StoragePool(before)), Spec::StoragePool(after)) = (before, &findings.target.object.spec)
    else {
        return;
    };
    let users = joined
        .containers
        .values()
        .filter(|view| view.root.is_some_and(|root| root.pool == findings.key.name));
    let count = users.count();
    if before.source != after.source && count > 0 {
        let message = format!("{} has {count} roots: its source cannot change in place", findings.key);
        findings.error("refused", "source", message, "make a new pool, or delete the containers first");
    }
}

fn network(findings: &mut Findings<'_>, bridge: &BridgeNetwork, observed: &Observed) {
    let facts = observed.networks.get(&bridge.name);
    if facts.is_some_and(|facts| !facts.ours) {
        let message = format!(
            "{} needs the link {}, and the host has one that is not Bayplan's",
            findings.key, bridge.name
        );
        findings.error("foreign-link", "", message, "give the network another name, or remove the link");
    }
    let subnets = bridge.ipv4.map(IpNet::V4).into_iter().chain(bridge.ipv6.map(IpNet::V6));
    for subnet in subnets {
        let field =
            if matches!(subnet, IpNet::V4(_)) { "config.ipv4.address" } else { "config.ipv6.address" };
        let overlaps = |other: &&IpNet| other.contains(&subnet.trunc()) || subnet.trunc().contains(*other);
        if let Some(other) = observed.host.foreign_subnets.iter().find(overlaps) {
            let (key, own, other) = (findings.key, subnet.trunc(), other.trunc());
            let message = format!("{key}: {own} overlaps {other}, which the host uses on another link");
            findings.error("overlapping-subnet", field, message, "choose another subnet");
        }
    }
}

fn limits(findings: &mut Findings<'_>, container: &Container, host: &Host) {
    let limits = typed::limits(&container.config, host.memory);
    match &limits.cpus {
        Some(CpuLimit::Count(count)) if *count > host.cpus => {
            let message = format!("limits.cpu is {count}, and the host has {} processors", host.cpus);
            findings.error("above-host", "config.limits.cpu", message, "lower it");
        }
        Some(CpuLimit::Set(set)) if last_cpu(set).is_some_and(|last| last >= host.cpus) => {
            let message = format!(
                "limits.cpu is {set}, and the host's processors are 0-{}",
                host.cpus.saturating_sub(1)
            );
            findings.error("above-host", "config.limits.cpu", message, "name processors that the host has");
        }
        _ => {}
    }
    for (controller, key) in controllers(&limits) {
        if !host.controllers.contains(controller) {
            let message =
                format!("{key} needs the cgroup controller {controller}, which this host does not offer");
            let help = "enable it on the kernel's command line, or leave the limit out";
            findings.error("missing-controller", &format!("config.{key}"), message, help);
        }
    }
    for (name, wanted) in typed::rlimits(&container.config) {
        let Some(Some(ceiling)) = host.rlimit_ceilings.get(&name) else { continue };
        let highest = [wanted.soft, wanted.hard].into_iter().map(|bound| bound.unwrap_or(u64::MAX)).max();
        if highest.is_some_and(|highest| highest > *ceiling) {
            let field = format!("config.limits.kernel.{name}");
            let text = container.config.get(&format!("limits.kernel.{name}")).map_or("", String::as_str);
            let message =
                format!("limits.kernel.{name} is {text}, and this host lets us set at most {ceiling}");
            findings.error(
                "above-host",
                &field,
                message,
                "lower it, or raise the hard limit of Bayplan's own process",
            );
        }
    }
}

fn last_cpu(set: &str) -> Option<u32> {
    set.rsplit([',', '-']).next()?.parse().ok()
}

fn controllers(limits: &Limits) -> Vec<(&'static str, &'static str)> {
    let mut needed = vec![];
    if limits.cpus.is_some() {
        needed.push(("cpuset", "limits.cpu"));
    }
    if limits.cpu_allowance.is_some() {
        needed.push(("cpu", "limits.cpu.allowance"));
    }
    if limits.memory.is_some() {
        needed.push(("memory", "limits.memory"));
    }
    if limits.processes.is_some() {
        needed.push(("pids", "limits.processes"));
    }
    needed
}

fn host(findings: &mut Findings<'_>, container: &Container, host: &Host) {
    if !host.user_namespaces && !typed::idmap(&container.config).privileged {
        let message = format!("{} needs a user namespace, and this host has none", findings.key);
        let help = "enable user namespaces (user.max_user_namespaces), or set security.privileged: true";
        findings.error("no-user-namespaces", "", message, help);
    }
    let config = &container.config;
    for name in typed::sysctls(config).keys().filter(|name| name.starts_with("user.")) {
        // Without a user namespace it would be the host's.
        if typed::idmap(config).privileged {
            let message =
                format!("linux.sysctl.{name} is the whole host's for a container without a user namespace");
            let help = "remove it, or security.privileged";
            findings.error("refused", &format!("config.linux.sysctl.{name}"), message, help);
        }
    }
    if container.architecture != host.architecture {
        let message = format!("it is for {}, and this host is {}", container.architecture, host.architecture);
        findings.error(
            "wrong-architecture",
            "architecture",
            message,
            "leave architecture out, or use another host",
        );
    }
}

fn devices(findings: &mut Findings<'_>, container: &Container, joined: &Joined<'_>, options: &PlanOptions) {
    for disk in typed::disks(&container.devices) {
        if disk.required && options.missing_paths.contains(&disk.source) {
            let field = format!("devices.{}.source", disk.device);
            let message =
                format!("the disk {} needs {}, which is not there", disk.device, disk.source.display());
            findings.error("missing-path", &field, message, "make it, or set required: false");
        }
        if let Some(path) = covered(&disk).filter(|path| options.missing_paths.contains(*path)) {
            let message = format!(
                "the disk {} cannot be mounted at {}: the kernel has no such path, and none can be made there",
                disk.device,
                path.display()
            );
            let field = format!("devices.{}.path", disk.device);
            findings.error(
                "missing-path",
                &field,
                message,
                "cover a path that is there, or name one elsewhere",
            );
        }
    }
    let wanted = typed::root_pool(&container.devices);
    let found = joined.view(findings.key).root.map(|root| root.pool.as_str());
    if let (Some(wanted), Some(found)) = (wanted, found)
        && wanted != found
    {
        let message = format!("its root is in pool {found}, and cannot move to {wanted} in place");
        findings.error(
            "refused",
            "devices.root.pool",
            message,
            "put the pool back, or delete the container first",
        );
    }
}
