//! A Debian whose systemd boots to multi-user. The image is bootstrapped from the host's mirror; where there is no network
//! (the VMs) BAYPLAN_TEST_DEBIAN names a folder that was bootstrapped elsewhere.

use crate::product::{Product, eventually};

fn image() -> String {
    let source = match std::env::var("BAYPLAN_TEST_DEBIAN") {
        Ok(folder) => format!("{{directory: {folder}}}"),
        Err(_) => "{bootstrap: {suite: bookworm}}".to_owned(),
    };
    format!(
        "---\napiVersion: bayplan/v1\nkind: Image\nmetadata: {{name: debian}}\nspec: {{source: {source}}}\n"
    )
}

#[test]
fn a_debian_boots_to_multi_user_and_powers_off_cleanly() {
    let product = Product::new();
    let container = "---\napiVersion: bayplan/v1\nkind: Container\nmetadata: {name: deb}\n\
                     spec: {image: debian, profiles: [net], ready: {systemd: true, timeout: 180s}, \
                     config: {limits.memory: 512MiB}}\n";
    product.declare(&(product.base() + &image() + container));
    product.apply().expect(0);
    product.plan().expect(0);

    let state = product.run(&["exec", "deb", "-T", "--", "systemctl", "is-system-running"]).out;
    assert_eq!(
        state.trim(),
        "running",
        "{}",
        product.run(&["exec", "deb", "-T", "--", "systemctl", "--failed"]).out
    );
    assert_eq!(product.inside("deb", "systemctl is-active multi-user.target"), "active");
    assert_ne!(product.inside("deb", "systemd-detect-virt --container || true"), "");
    assert_eq!(product.inside("deb", "stat -c %u:%g /var/mail"), "0:8", "ids inside are the image's own");
    product.inside(
        "deb",
        &format!("grep -q nameserver /etc/resolv.conf && ip route | grep -q {}", product.address(1)),
    );

    let pid = product.pid("deb");
    product.run(&["stop", "deb", "--timeout", "60"]).expect(0);
    eventually(10, "init ends", || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    let log = product.run(&["logs", "deb"]).expect(0).out;
    assert!(log.contains("Reached target") || log.contains("multi-user") || log.contains("Power"), "{log}");
    product.run(&["start", "deb"]).expect(0);
    assert_ne!(product.pid("deb"), 0);
}
