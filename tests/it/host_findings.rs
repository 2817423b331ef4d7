//! What this host cannot give: `plans/findings-NAME.txt`. `BAYPLAN_BLESS=1` writes them anew.

use crate::golden::assert_golden;
use crate::plan_goldens::manifest;
use crate::reconcile_support::*;
use crate::spec_load::{load_text, text};
use bayplan::driver::memory::Memory;
use bayplan::driver::memory::host::HostModel;
use bayplan::model::key::Key;
use bayplan::model::object::{Spec, StoragePool};
use bayplan::model::observed::NetworkFacts;
use bayplan::reconcile::Error;
use bayplan::reconcile::check::paths_to_check;
use bayplan::reconcile::goal::{DeletionApproval, Goal, PlanOptions};
use bayplan::reconcile::plan::Error as PlanError;
use bayplan::reconcile::propose;
use bayplan::spec::diagnostic::render_all;
use std::path::Path;

const BUSYBOX: &str = "source: {busybox: {}}";

/// The findings of a manifest on a host, which is left as it is.
#[track_caller]
fn golden(name: &str, host: &Memory, source: &str, options: &PlanOptions) {
    let desired = load_text(source).unwrap().desired;
    let before = (host.host(), look(host).records);
    match propose(host, &Goal::Site(&desired), options) {
        Err(Error::Plan(PlanError::Findings(findings))) => {
            let shown = render_all(&findings, &[text("site.yaml", source)]);
            assert_golden(&format!("tests/it/plans/findings-{name}.txt"), &shown);
        }
        other => panic!("{other:#?}"),
    }
    assert_eq!(before, (host.host(), look(host).records));
}

#[track_caller]
fn on_host(name: &str, source: &str, edit: impl FnOnce(&mut HostModel)) {
    let host = server();
    host.edit_host(edit);
    golden(name, &host, source, &options());
}

fn web(lines: &[&str]) -> String {
    manifest(BUSYBOX, &[("web-1", lines)])
}

#[test]
fn missing_paths() {
    let source = manifest(
        "source: {directory: /srv/tree}",
        &[(
            "web-1",
            &[
                "devices:",
                "  data: {type: disk, source: /srv/a, path: /srv}",
                "  more: {type: disk, source: /srv/b, path: /mnt, required: false}",
            ],
        )],
    );
    let missing_paths = paths_to_check(&load_text(&source).unwrap().desired);
    assert_eq!(missing_paths.len(), 3);
    golden("missing-paths", &server(), &source, &PlanOptions { missing_paths, ..options() });
}

#[test]
fn disks_on_paths_that_the_kernel_does_not_have() {
    let source = web(&[
        "devices:",
        "  a: {type: disk, source: /srv, path: /proc/none}",
        "  b: {type: disk, source: /srv, path: /sys/none}",
        "  c: {type: disk, source: /srv, path: /sys/fs/cgroup/ours}",
        "  d: {type: disk, source: /srv, path: /proc/uptime}",
    ]);
    let mut missing_paths = paths_to_check(&load_text(&source).unwrap().desired);
    assert!(!missing_paths.contains(Path::new("/sys/fs/cgroup/ours")), "folders can be made there");
    assert!(missing_paths.remove(Path::new("/proc/uptime")) && missing_paths.remove(Path::new("/srv")));
    golden("kernel-paths", &server(), &source, &PlanOptions { missing_paths, ..options() });
}

#[test]
fn a_kernel_limit_above_the_ceiling_names_both_values() {
    let source = web(&["config:", "  limits.kernel.nofile: 4096"]);
    on_host("rlimit", &source, |host| {
        host.machine.rlimit_ceilings.insert("nofile".to_owned(), Some(1024));
    });
}

#[test]
fn more_processors_than_the_host_has() {
    let source = manifest(
        BUSYBOX,
        &[("web-1", &["config: {limits.cpu: 9}"]), ("web-2", &["config: {limits.cpu: 2-8}"])],
    );
    on_host("processors", &source, |_| ());
}

#[test]
fn a_subnet_that_the_host_uses() {
    on_host("subnet", &web(&[]), |host| host.machine.foreign_subnets.push("10.66.0.0/16".parse().unwrap()));
}

#[test]
fn no_user_namespaces() {
    let source = manifest(BUSYBOX, &[("web-1", &[]), ("web-2", &["config: {security.privileged: true}"])]);
    on_host("user-namespaces", &source, |host| host.machine.user_namespaces = false);
}

#[test]
fn a_limit_of_user_namespaces_for_a_container_without_one() {
    let limit = "config: {security.privileged: PRIVILEGED, linux.sysctl.user.max_user_namespaces: 9}";
    let [own, none] = ["false", "true"].map(|word| limit.replace("PRIVILEGED", word));
    let source = manifest(BUSYBOX, &[("web-1", &[own.as_str()]), ("web-2", &[none.as_str()])]);
    on_host("sysctl", &source, |_| ());
}

#[test]
fn a_missing_controller() {
    let source = web(&["config:", "  limits.memory: 1GiB", "  limits.processes: 10"]);
    on_host("controller", &source, |host| host.machine.controllers.retain(|name| name != "memory"));
}

#[test]
fn a_foreign_link_of_the_networks_name() {
    on_host("foreign-link", &web(&[]), |host| {
        host.networks.insert("bay0".to_owned(), foreign());
    });
}

#[test]
fn another_architecture() {
    // The loader knows the host's; a plan from a record or from elsewhere is looked at again.
    let other = bayplan::model::object::Container { architecture: "arm64".to_owned(), ..container() };
    let error = propose(&server(), &Goal::Site(&site(&[("web-1", other)])), &options()).unwrap_err();
    assert_eq!(error.to_string(), "it is for arm64, and this host is amd64");
}

#[test]
fn no_free_ids() {
    on_host("ids", &web(&[]), |host| host.machine.id_ranges.iter_mut().for_each(|span| span.count = 1000));
}

#[test]
fn an_owner_that_has_it_already() {
    let host = server();
    let mut other = site(&[("web-1", container())]);
    other.site = "core".to_owned();
    converge(&host, &Goal::Site(&other), &options());
    golden("owner", &host, &web(&[]), &options());
    let desired = load_text(&web(&[])).unwrap().desired;
    let taking = PlanOptions { take_ownership: true, ..options() };
    converge(&host, &Goal::Site(&desired), &taking);
    assert!(planned(&host, &Goal::Site(&desired), &options()).is_empty());
    let owners: Vec<String> =
        host.host().roots.into_values().map(|root| root.identity.owner.to_string()).collect();
    assert_eq!(owners, ["site edge"]);
}

#[test]
fn a_pool_with_roots_does_not_move() {
    let host = server();
    let mut desired = site(&[("web-1", container())]);
    converge(&host, &Goal::Site(&desired), &options());
    if let Some(Spec::StoragePool(StoragePool { source, .. })) =
        desired.objects.get_mut(&Key::pool("default")).map(|object| &mut object.spec)
    {
        *source = Some("/srv/pool".into());
    }
    let error = propose(&host, &Goal::Site(&desired), &options()).unwrap_err();
    assert_eq!(error.to_string(), "storagepool/default has 1 roots: its source cannot change in place");
}

#[test]
fn contents_that_cannot_be_had() {
    let source = manifest(
        BUSYBOX,
        &[(
            "web-1",
            &[
                "files:",
                "  /etc/app.conf: {source: app.conf}",
                "  /etc/app.key: {secretRef: {file: /etc/keys/app}}",
                "environment:",
                "  TOKEN: {secretRef: {env: APP_TOKEN}}",
            ],
        )],
    );
    let desired = load_text(&source).unwrap().desired;
    let contents =
        bayplan::reconcile::contents::wanted(&Goal::Site(&desired), &look(&server()), &Default::default());
    assert_eq!(contents.len(), 3);
    let lost = contents.iter().map(ToString::to_string);
    on_host("contents", &source, |host| host.lost_contents.extend(lost));
}

fn foreign() -> NetworkFacts {
    NetworkFacts { ours: false, ..NetworkFacts::default() }
}

const OTHERS: &str = "\
apiVersion: bayplan/v1
kind: Site
metadata: {name: core}
---
kind: Network
metadata: {name: core0}
spec: {type: bridge, config: {ipv4.address: 10.99.0.1/24}}
---
kind: Image
metadata: {name: mini}
spec: {source: {busybox: {}}}
---
kind: Container
metadata: {name: core-1}
spec: {image: mini, devices: {eth0: {network: core0, ipv4.address: 10.99.0.10}}}
---
kind: Container
metadata: {name: core-2}
spec: {image: mini, devices: {eth0: {network: core0}}}
";

/// Site `edge` with containers whose nics are on what others have; each with its name and its nic's options.
fn on_others(containers: &[(&str, &str)]) -> String {
    let mut text = "apiVersion: bayplan/v1\nkind: Site\nmetadata: {name: edge}\n---\nkind: Image\nmetadata: {name: tiny}\n\
                    spec: {source: {busybox: {}}}\n---\nkind: Network\nmetadata: {name: core0}\nspec: {external: true}\n\
                    ---\nkind: Network\nmetadata: {name: lan}\nspec: {external: true}\n"
        .to_owned();
    for (name, nic) in containers {
        text += &format!(
            "---\nkind: Container\nmetadata: {{name: {name}}}\nspec:\n  image: tiny\n  devices:\n    eth0: {{{nic}}}\n"
        );
    }
    text
}

#[test]
fn an_address_on_a_network_that_another_has_is_held_against_its_subnet_and_its_containers() {
    let host = server();
    host.edit_host(|host| {
        host.networks.insert("lan".to_owned(), foreign());
    });
    converge(&host, &Goal::Site(&load_text(OTHERS).unwrap().desired), &options());
    let lease = look(&host).records[&Key::container("core-2")].identity.clone().unwrap().leases["eth0"];
    let source = on_others(&[
        ("twice", "network: core0, ipv4.address: 10.99.0.10"),
        ("leased", &format!("network: core0, ipv4.address: {lease}")),
        ("gateway", "network: core0, ipv4.address: 10.99.0.1"),
        ("outside", "network: core0, ipv4.address: 10.98.0.10"),
        ("six", "network: core0, ipv6.address: 'fd00::1'"),
        ("host-bridge", "network: lan, ipv4.address: 192.168.1.10"),
        ("asks", "network: lan"),
        ("free", "network: core0, ipv4.address: 10.99.0.11"),
    ]);
    golden("addresses-of-others", &host, &source, &options());
}

#[test]
fn an_address_is_free_once_its_container_is_parked_and_refused_when_that_one_comes_back() {
    let host = server();
    converge(&host, &Goal::Site(&load_text(OTHERS).unwrap().desired), &options());
    let one = Key::container("core-1");
    converge(&host, &Goal::Park([one.clone()].into()), &options());
    host.edit_host(|host| {
        host.networks.insert("lan".to_owned(), foreign());
    });
    let source = on_others(&[("next", "network: core0, ipv4.address: 10.99.0.10")]);
    converge(&host, &Goal::Site(&load_text(&source).unwrap().desired), &options());
    match propose(&host, &Goal::Undelete([one].into()), &options()) {
        Err(Error::Plan(PlanError::Findings(findings))) => {
            let codes: Vec<_> = findings.iter().map(|finding| finding.code).collect();
            assert_eq!(codes, ["address-taken"], "{findings:#?}");
        }
        other => panic!("{other:#?}"),
    }
}

#[test]
fn an_address_of_a_container_that_waits_for_its_confirmation_is_free_once_it_is_given() {
    let host = server();
    converge(&host, &Goal::Site(&load_text(OTHERS).unwrap().desired), &options());
    let other = OTHERS.replace("core-1", "core-9");
    golden("address-of-what-goes", &host, &other, &options());
    let confirmed = PlanOptions { deletions: DeletionApproval::Confirmed, ..options() };
    converge(&host, &Goal::Site(&load_text(&other).unwrap().desired), &confirmed);
}
