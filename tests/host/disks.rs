//! Disks: where they can stand, and that they stay there.

use crate::product::Product;

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
