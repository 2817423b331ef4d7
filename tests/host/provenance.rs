//! `why` and `adopt` of a real container whose cgroup was edited by hand.

use crate::product::Product;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn limit(product: &Product) -> PathBuf {
    let mut folder = product.cgroup_folder("a", "pids");
    loop {
        let file = folder.join("pids.max");
        if fs::read_to_string(&file).is_ok_and(|text| text.trim() != "max") {
            return file;
        }
        assert!(folder.pop(), "no limit above");
    }
}

#[test]
fn a_limit_edited_by_hand_is_explained_and_adopted_into_its_line() {
    let product = Product::new();
    let container = "---\n# the only one\nkind: Container\nmetadata: {name: a}\nspec:\n  image: busybox\n  \
                     profiles: [net]\n  config:\n    limits.processes: 100   # enough\n";
    product.declare(&(product.base() + container));
    product.apply().expect(0);
    let init = product.pid("a");
    let file = limit(&product);
    fs::write(&file, "77").unwrap();
    let manifest = product.manifest().to_string_lossy().into_owned();

    for words in [&["why", "a", "limits.processes"][..], &["why", "a", "limits.processes", "-f", &manifest]] {
        let said = product.run(words).expect(0).out;
        for part in [
            "config.limits.processes: 100",
            "site.yaml:",
            "(document)",
            "host has   77",
            "drift [live]: 77 -> 100: changed in its cgroup, by `set limits`",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let patch = product.run(&["adopt", "-f", &manifest, "-o", "patch"]).expect(0).out;
    assert!(
        patch.contains("-    limits.processes: 100   # enough\n+    limits.processes: 77   # enough\n"),
        "{patch}"
    );
    product.run(&["adopt", "-f", &manifest, "--write"]).expect(0);
    let text = fs::read_to_string(product.manifest()).unwrap();
    assert_eq!(text, product.base() + &container.replace("processes: 100", "processes: 77"));
    product.plan().expect(0);
    product.drift().expect(0);
    assert_eq!(fs::read_to_string(&file).unwrap().trim(), "77", "the host is not touched");
    assert_eq!(product.pid("a"), init);
    assert!(
        product.run(&["why", "a", "limits.processes"]).expect(0).out.contains("config.limits.processes: 77")
    );

    // What is exported is this site again.
    let exported = product.folder().join("exported.yaml");
    fs::write(&exported, product.run(&["export"]).expect(0).out).unwrap();
    product.run(&["plan", "-f", &exported.to_string_lossy()]).expect(0);
}

#[test]
fn why_reads_the_records_of_its_object_and_of_what_that_needs_and_no_others() {
    let product = Product::new();
    product.declare(
        &(product.base()
            + &Product::container("a", "state: stopped")
            + &Product::container("b", "state: stopped")),
    );
    product.apply().expect(0);
    let record = product.state().join("records/container/b.json");
    let whole = fs::read(&record).unwrap();
    fs::write(&record, "torn").unwrap();
    product.run(&["get"]).expect(1);
    product.run(&["describe", "a"]).expect(0);
    product.run(&["get", "a"]).expect(0);
    let said = product.run(&["why", "a"]).expect(0).out;
    assert!(said.contains("devices.eth0.network") && said.contains("host has   stopped"), "{said}");
    fs::write(&record, whole).unwrap();
    product.run(&["get"]).expect(0);
}

#[test]
fn a_first_site_runs_on_this_host() {
    let product = Product::new();
    let folder = product.folder().join("first").to_string_lossy().into_owned();
    product.run(&["init", &folder]).expect(0);
    product.run(&["validate", "-f", &folder]).expect(0);
    // Planned only: its bridge is bay0, which the host may use for something else.
    product.run(&["plan", "-f", &folder]).expect(2);
}

#[test]
fn files_disks_and_a_bridge_changed_by_hand_are_adopted_until_the_plan_is_empty() {
    let product = Product::new();
    fs::write(product.folder().join("plain.tmpl"), "as it was\n").unwrap();
    fs::write(product.folder().join("filled.tmpl"), "port ${values.port}\n").unwrap();
    fs::create_dir(product.folder().join("shared")).unwrap();
    let shared = product.folder().join("shared");
    let container = format!(
        "---\n# the only one\nkind: Container\nmetadata: {{name: a}}\nspec:\n  image: busybox\n  profiles: [net]\n  \
         files:\n    /etc/app.conf:\n      mode: \"0640\"   # tight\n      content: |   # by hand\n        port = 80\n\n        \
         home = /root\n    /etc/plain: {{template: plain.tmpl}}\n    /etc/filled: {{template: filled.tmpl}}\n  \
         devices:\n    data: {{type: disk, source: {}, path: /srv/data}}   # data\n",
        shared.display()
    );
    // Nobody is on this one: nics take their MTU from their bridge.
    let spare = format!("{}b", product.bridge());
    let network = format!(
        "---\nkind: Network\nmetadata: {{name: {spare}}}\nspec: {{type: bridge, config: {{ipv4.address: {}/24}}}}\n",
        product.address(1).replacen("10.99.", "10.97.", 1)
    );
    let site = (product.base() + &container + &network).replacen("spec: {}", "spec: {values: {port: 80}}", 1);
    product.declare(&site);
    product.apply().expect(0);
    let init = product.pid("a");
    let manifest = product.manifest().to_string_lossy().into_owned();
    product.inside(
        "a",
        "printf 'port = 81\\n\\n  # ${x}\\nhome = /srv\\n' > /etc/app.conf; chmod 600 /etc/app.conf",
    );
    product.inside("a", "echo 'now so' > /etc/plain");
    let pid = init.to_string();
    let umount = ["-t", &pid, "-m", "umount", "/srv/data"];
    assert!(std::process::Command::new("nsenter").args(umount).status().unwrap().success());
    let mtu = ["link", "set", &spare, "mtu", "1400"];
    assert!(std::process::Command::new("ip").args(mtu).status().unwrap().success());

    // What has placeholders is a person's affair; nothing of what is named is written.
    product.inside("a", "echo 'port 81' > /etc/filled");
    let said = product.run(&["adopt", "a", "-f", &manifest, "--write"]).expect(1);
    assert!(said.err.contains("template filled.tmpl has placeholders"), "{}", said.err);
    assert_eq!(fs::read_to_string(product.manifest()).unwrap(), site);
    product.inside("a", "echo 'port 80' > /etc/filled; chmod 755 /etc/filled");

    let patch = product.run(&["adopt", "-f", &manifest, "-o", "patch"]).expect(0).out;
    assert!(patch.contains("plain.tmpl") && patch.contains("+now so"), "{patch}");
    product.run(&["adopt", "-f", &manifest, "--write"]).expect(0);
    let adopted = fs::read_to_string(product.manifest()).unwrap();
    let expected = site
        .replace("port = 80\n\n        home = /root", "port = 81\n\n          # $${x}\n        home = /srv")
        .replace("{template: filled.tmpl}", "{template: filled.tmpl, mode: \"0755\"}")
        .replace("mode: \"0640\"   # tight", "mode: \"0600\"   # tight")
        .replace(
            // No layer below gives it: its line goes, and what was written beside it stays.
            &format!(
                "  devices:\n    data: {{type: disk, source: {}, path: /srv/data}}   # data",
                shared.display()
            ),
            "  # data",
        )
        .replace(".1/24}}\n", ".1/24, bridge.mtu: 1400}}\n");
    assert_eq!(adopted, expected);
    assert_eq!(fs::read_to_string(product.folder().join("plain.tmpl")).unwrap(), "now so\n");
    product.plan().expect(0);
    product.drift().expect(0);
    assert_eq!(product.pid("a"), init);
    assert_eq!(product.inside("a", "head -n 1 /etc/app.conf"), "port = 81", "the host is not touched");
}

/// What a program says, which must end well.
#[track_caller]
fn run(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_file_of_a_source_is_adopted_and_a_secret_never_is() {
    let product = Product::new();
    let folder = product.folder().to_owned();
    fs::create_dir(folder.join("etc")).unwrap();
    fs::write(folder.join("etc/app.conf"), "# ours\nport = 80\n").unwrap();
    fs::write(folder.join("etc/both"), "same\n").unwrap();
    fs::write(folder.join("token"), "canary-1\n").unwrap();
    let files = "files: {/etc/app.conf: {source: etc/app.conf}, /etc/key: {secretRef: {file: token}}, \
                 /etc/both: {source: etc/both}, /etc/seen: {source: token}}";
    let site = product.base()
        + &Product::container("a", files)
        + &Product::container("b", "files: {/etc/both: {source: etc/both}}");
    product.declare(&site);
    product.apply().expect(0);
    let (init, manifest) = (product.pid("a"), product.manifest().to_string_lossy().into_owned());
    let adopt = |words: &[&str]| product.run(&[&["adopt", "-f", &manifest][..], words].concat());

    // Its host file's owner and mode stay.
    std::os::unix::fs::chown(folder.join("etc/app.conf"), Some(1234), Some(1234)).unwrap();
    fs::set_permissions(folder.join("etc/app.conf"), fs::Permissions::from_mode(0o600)).unwrap();
    product.inside("a", "printf '# ours\\nport = ${81}\\nlast' > /etc/app.conf");
    let patch = adopt(&["-o", "patch"]).expect(0).out;
    let patched = folder.join("patched");
    fs::create_dir(&patched).unwrap();
    // The site is not below the folder that the command runs in: its names are whole.
    for tool in [&["git", "apply", "--unsafe-paths", "-"][..], &["patch", "-p1"]] {
        let whole = patched.join(folder.strip_prefix("/").unwrap()).join("etc");
        fs::create_dir_all(&whole).unwrap();
        fs::copy(folder.join("etc/app.conf"), whole.join("app.conf")).unwrap();
        let mut command = Command::new(tool[0]);
        let mut child = command.args(&tool[1..]).current_dir(&patched).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(patch.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{tool:?}: {patch}");
        assert_eq!(
            fs::read_to_string(whole.join("app.conf")).unwrap(),
            "# ours\nport = ${81}\nlast",
            "{tool:?}"
        );
    }
    adopt(&["--write"]).expect(0);
    assert_eq!(fs::read_to_string(folder.join("etc/app.conf")).unwrap(), "# ours\nport = ${81}\nlast");
    let facts = fs::metadata(folder.join("etc/app.conf")).unwrap();
    assert_eq!((facts.uid(), facts.gid(), facts.mode() & 0o777), (1234, 1234, 0o600));
    assert_eq!(fs::read_to_string(product.manifest()).unwrap(), site, "the manifest says where, not what");
    product.plan().expect(0);
    product.drift().expect(0);
    assert_eq!(product.pid("a"), init);

    // One file for two: both have it, or neither.
    product.inside("a", "echo other > /etc/both");
    let said = adopt(&["a", "--write"]).expect(1).err;
    assert!(said.contains("container/b: it would change too"), "{said}");
    product.inside("b", "echo other > /etc/both");
    adopt(&["--write"]).expect(0);
    assert_eq!(fs::read_to_string(folder.join("etc/both")).unwrap(), "other\n");

    // No secret is read back, also where a `source` names its file; nor what is no text.
    for (path, why) in [("/etc/key", "it is a secret's"), ("/etc/seen", "is a secret's")] {
        product.inside("a", &format!("echo canary-2 > {path}"));
        for words in [&["-o", "patch"][..], &["--write"], &["-o", "json"]] {
            let said = adopt(words).expect(1);
            assert!(said.err.contains(why), "{}", said.err);
            let all = said.out + &said.err;
            assert!(!all.contains("canary"), "{all}");
        }
        product.apply().expect(0);
    }
    product.inside("a", "printf '\\377' > /etc/app.conf");
    assert!(adopt(&["--write"]).expect(1).err.contains("is no text: byte 0 begins no character"));
    product.inside("a", "head -c 1048577 /dev/zero | tr '\\0' x > /etc/app.conf");
    assert!(adopt(&["--write"]).expect(1).err.contains("at most 1048576 bytes in /etc/app.conf"));
    assert_eq!(fs::read_to_string(folder.join("token")).unwrap(), "canary-1\n");
    product.apply().expect(0);
    product.drift().expect(0);
}

#[test]
fn a_nic_on_another_bridge_a_bridges_address_and_a_disk_made_writable_are_adopted() {
    let product = Product::new();
    let shared = product.folder().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let (one, two, spare) = (
        format!("{}x", product.bridge()),
        format!("{}y", product.bridge()),
        format!("{}z", product.bridge()),
    );
    let address = |last: u8| product.address(last).replacen("10.99.", "10.72.", 1);
    let bridge = |name: &str, config: &str| {
        format!(
            "---\nkind: Network\nmetadata: {{name: {name}}}\nspec: {{type: bridge, config: {{{config}}}}}   # {name}\n"
        )
    };
    let container = format!(
        "---\nkind: Container\nmetadata: {{name: a}}\nspec:\n  image: busybox\n  profiles: [net]\n  devices:\n    \
         eth0:\n      network: {one}   # for now\n    data: {{type: disk, source: {}, path: /srv/data, readonly: true}}   # data\n",
        shared.display()
    );
    let bare = "ipv4.address: none, ipv6.address: none";
    let site = product.base()
        + &bridge(&one, bare)
        + &bridge(&two, bare)
        + &bridge(&spare, &format!("ipv4.address: {}/24, ipv6.address: none", address(1)))
        + &container;
    product.declare(&site);
    product.apply().expect(0);
    let (init, manifest) = (product.pid("a"), product.manifest().to_string_lossy().into_owned());
    let links = run(&["ip", "-o", "link", "show", "master", &one]);
    let host_end = links.split_whitespace().nth(1).unwrap().split('@').next().unwrap().to_owned();
    run(&["ip", "link", "set", &host_end, "master", &two]);
    let pid = init.to_string();
    run(&["nsenter", "-t", &pid, "-m", "-p", "mount", "-o", "remount,bind,rw", "/srv/data"]);
    run(&["ip", "address", "del", &format!("{}/24", address(1)), "dev", &spare]);
    run(&["ip", "address", "add", &format!("{}/24", address(9)), "dev", &spare]);
    let drift = product.drift().expect(2).out;
    for part in ["devices.eth0.network", "devices.data.readonly", "config.ipv4.address"] {
        assert!(drift.contains(part), "{part}: {drift}");
    }
    product.run(&["adopt", "-f", &manifest, "--write"]).expect(0);
    let expected = site
        .replace(&format!("network: {one}   # for now"), &format!("network: {two}   # for now"))
        .replace("readonly: true", "readonly: false")
        .replace(&format!("{}/24", address(1)), &format!("{}/24", address(9)));
    assert_eq!(fs::read_to_string(product.manifest()).unwrap(), expected);
    product.plan().expect(0);
    product.drift().expect(0);
    assert_eq!(product.pid("a"), init);
    assert!(
        run(&["ip", "-o", "link", "show", "master", &two]).contains(&host_end),
        "the host is not touched"
    );
    product.inside("a", "touch /srv/data/written");

    // Where the hand was wrong, it is put right.
    product.declare(&site);
    product.apply().expect(0);
    product.plan().expect(0);
    run(&["nsenter", "-t", &pid, "-m", "-p", "mount", "-o", "remount,bind,rw", "/srv/data"]);
    product.drift().expect(2);
    product.apply().expect(0);
    product.drift().expect(0);
    let said = product.run(&["exec", "a", "-T", "--", "touch", "/srv/data/x"]).expect(1);
    assert!(said.err.contains("Read-only file system"), "{}", said.err);
    assert!(!run(&["ip", "-o", "link", "show", "master", &one]).is_empty());
    assert_eq!(product.pid("a"), init);
}
