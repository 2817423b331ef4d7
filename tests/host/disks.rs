//! Disks: where they can stand, and that they stay there.

use crate::product::Product;
use std::path::Path;
use std::process::Command;

#[test]
fn a_disk_whose_path_is_a_link_inside_outlives_a_restart() {
    let product = Product::new();
    let (folder, file) = (product.folder().join("given"), product.folder().join("file"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("mark"), "here").unwrap();
    std::fs::write(&file, "text").unwrap();
    let nothing = "devices: {eth0: {type: none}}";
    product.declare(&(product.base() + &Product::container("a", nothing)));
    product.apply().expect(0);
    product.inside("a", "mkdir /real; ln -s real /link; touch /realfile; ln -s realfile /linkfile");
    let disks = format!(
        "devices: {{eth0: {{type: none}}, d: {{type: disk, source: {}, path: /link}}, \
         e: {{type: disk, source: {}, path: /linkfile}}, v: {{type: disk, source: {0}, path: /dev}}}}",
        folder.display(),
        file.display()
    );
    product.declare(
        &(product.base() + &Product::container("a", &disks.replace(", path: /dev", ", path: /dev/x"))),
    );
    product.apply().expect(0);
    for _ in 0..2 {
        assert_eq!(product.inside("a", "cat /link/mark /real/mark /linkfile"), "hereheretext");
        product.plan().expect(0);
        product.run(&["restart", "a"]).expect(0);
    }
    product.declare(&(product.base() + &Product::container("a", &disks)));
    product.run(&["stop", "a"]).expect(0);
    product.apply().expect(0);
    product.run(&["resume", "a"]).expect(0);
    assert_eq!(product.inside("a", "cat /dev/mark"), "here", "even over /dev");
}

#[test]
fn disks_stand_on_what_the_kernel_has_and_nothing_else_is_begun() {
    let product = Product::new();
    std::fs::write(product.folder().join("uptime"), "1 1").unwrap();
    let disk = |path: &str| {
        let source = product.folder().join("uptime");
        let devices =
            format!("eth0: {{type: none}}, d: {{type: disk, source: {}, path: {path}}}", source.display());
        product.base() + &Product::container("a", &format!("devices: {{{devices}}}"))
    };
    product.declare(&disk("/proc/none"));
    let said = product.apply().expect(1);
    assert!(
        said.err.contains("the kernel has no such path") && said.err.contains("site.yaml:"),
        "{}",
        said.err
    );
    product.plan().expect(1);
    for path in ["/proc/uptime", "/dev/shm/x", "/dev/x"] {
        product.declare(&disk(path));
        product.apply().expect(0);
        assert_eq!(product.inside("a", &format!("cat {path}")), "1 1");
        product.plan().expect(0);
    }
}

#[test]
fn the_hosts_root_in_an_id_map_does_not_reach_the_hosts_parameters() {
    let product = Product::new();
    let spec = "config: {raw.idmap: both 0 500}, devices: {eth0: {type: none}}";
    product.declare(&(product.base() + &Product::container("a", spec)));
    let said = product.apply().expect(0);
    let warning = said.out.lines().find(|line| line.contains("`raw.idmap` makes user and group 500"));
    assert!(warning.is_some_and(|line| line.contains("site.yaml:")), "{}", said.out);
    // The present value, so that nothing is changed even where this fails.
    let same = |path: &str| {
        let script = format!("v=$(cat {path}) && echo $v > {path}");
        product.run(&["exec", "a", "-T", "--user", "500:500", "--", "sh", "-c", &script]).err
    };
    assert!(same("/proc/sys/vm/swappiness").contains("Read-only"), "{}", same("/proc/sys/vm/swappiness"));
    assert!(same("/sys/kernel/profiling").contains("Read-only"), "{}", same("/sys/kernel/profiling"));
    product.plan().expect(0);
}

#[test]
fn two_disks_of_one_source_stand_and_go_each_for_itself() {
    let product = Product::new();
    let source = product.folder().join("given");
    std::fs::create_dir(&source).unwrap();
    let with = |paths: &[(&str, &str)]| {
        let disk = |(name, path): &(&str, &str)| {
            format!(", {name}: {{type: disk, source: {}, path: {path}}}", source.display())
        };
        let disks: String = paths.iter().map(disk).collect();
        product.declare(
            &(product.base()
                + &Product::container("a", &format!("devices: {{eth0: {{type: none}}{disks}}}"))),
        );
        product.apply().expect(0);
        product.plan().expect(0);
        product.drift().expect(0);
        product.inside("a", "grep -oE ' /(a|b|c) ' /proc/mounts | sort | xargs")
    };
    assert_eq!(with(&[]), "");
    product.inside("a", "mkdir /a /b /c; ln -s a /to-a; ln -s b /to-b");
    assert_eq!(with(&[("one", "/to-a"), ("two", "/to-b")]), "/a /b", "behind two links");
    product.run(&["restart", "a"]).expect(0);
    assert_eq!(with(&[("one", "/to-a"), ("two", "/to-b")]), "/a /b", "after a restart");
    assert_eq!(with(&[("one", "/to-a")]), "/a", "only the other one went");
    assert_eq!(with(&[("one", "/to-a"), ("two", "/c")]), "/a /c", "one behind a link, one not");
    product.inside("a", "umount /a");
    product.plan().expect(2);
    assert_eq!(with(&[("one", "/to-a"), ("two", "/c")]), "/a /c", "the right one was missed");
    product.inside("a", "rm /to-a; ln -s b /to-a");
    assert_eq!(with(&[("two", "/c")]), "/c", "a link that leads elsewhere by now");
    assert_eq!(with(&[]), "");
}

#[test]
fn a_disk_over_what_the_runtime_mounts_is_mounted_live_too() {
    let product = Product::new();
    std::fs::write(product.folder().join("mark"), "here").unwrap();
    let with = |disk: &str| {
        let devices = format!("devices: {{eth0: {{type: none}}{disk}}}");
        product.declare(&(product.base() + &Product::container("a", &devices)));
        product.apply().expect(0);
        product.plan().expect(0);
    };
    with("");
    let source = product.folder().display().to_string();
    for path in ["/run", "/dev/shm"] {
        with(&format!(", d: {{type: disk, source: {source}, path: {path}}}"));
        assert_eq!(product.inside("a", &format!("cat {path}/mark")), "here");
        with("");
        product.inside("a", &format!("test ! -e {path}/mark"));
    }
}

/// As systemd has all of the host's mounts.
#[test]
fn what_is_mounted_in_a_disk_of_a_shared_mount_is_not_mounted_on_the_host() {
    let product = Product::new();
    let source = product.folder().join("shared");
    std::fs::create_dir_all(source.join("x")).unwrap();
    let _shared = Shared::new(&source);
    let disk = |path: &str| format!("{{type: disk, source: {}, path: {path}}}", source.display());
    let with = |devices: &str| {
        let devices = format!("devices: {{eth0: {{type: none}}{devices}}}");
        product.declare(&(product.base() + &Product::container("a", &devices)));
        product.apply().expect(0);
    };
    with(&format!(", one: {}", disk("/at-start")));
    with(&format!(", one: {}, two: {}", disk("/at-start"), disk("/live")));
    for path in ["/at-start", "/live"] {
        product.inside("a", &format!("mount -t tmpfs none {path}/x && grep -q ' {path}/x ' /proc/mounts"));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(&source.join("x").display().to_string()), "{path}: {mounts}");
    }
}

/// A folder that is a shared mount of its own.
struct Shared<'a>(&'a Path);

impl Shared<'_> {
    fn new(folder: &Path) -> Shared<'_> {
        let mount = |words: &[&str]| {
            assert!(Command::new("mount").args(words).arg(folder).status().unwrap().success(), "{words:?}");
        };
        mount(&["--bind", &folder.display().to_string()]);
        mount(&["--make-shared"]);
        Shared(folder)
    }
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        assert!(
            Command::new("umount").arg("-R").arg(self.0).status().unwrap().success()
                || std::thread::panicking()
        );
    }
}

#[test]
fn a_source_that_was_renamed_is_no_drift_for_ever() {
    let product = Product::new();
    let (source, old) = (product.folder().join("given"), product.folder().join("old"));
    std::fs::create_dir(&source).unwrap();
    let nothing = product.base() + &Product::container("a", "devices: {eth0: {type: none}}");
    product.declare(&nothing);
    product.apply().expect(0);
    product.inside("a", "mkdir /a /b; ln -s a /to-a");
    let source_text = source.display().to_string();
    let devices = format!(
        "eth0: {{type: none}}, one: {{type: disk, source: {source_text}, path: /to-a}}, \
         two: {{type: disk, source: {source_text}, path: /b}}"
    );
    product.declare(&(product.base() + &Product::container("a", &format!("devices: {{{devices}}}"))));
    product.apply().expect(0);
    std::fs::rename(&source, &old).unwrap();
    std::fs::create_dir(&source).unwrap();
    product.apply().expect(0);
    product.plan().expect(0);
    let mounts = product.inside("a", "cat /proc/mounts");
    product.apply().expect(0);
    assert_eq!(product.inside("a", "cat /proc/mounts"), mounts, "nothing is mounted again");
}
