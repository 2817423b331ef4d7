//! `restartWith` under the daemon: who follows is restarted with the reason, on the word that its policy asks for.

use crate::daemon::Daemon;
use crate::product::{Product, eventually};

fn site(product: &Product, nesting: bool, policy: &str) -> String {
    let db = format!("config: {{security.nesting: {nesting}}}, update: {{restart: allow}}");
    let web = format!("restartWith: [container/db], update: {{restart: {policy}}}");
    product.base()
        + &Product::container("db", &db)
        + &Product::container("web", &web)
        + &Product::container("other", "config: {}")
}

/// The inits of `db`, `web` and `other`.
fn pids(product: &Product) -> [u32; 3] {
    ["db", "web", "other"].map(|name| product.pid(name))
}

fn kill(pid: u32) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
}

fn another(product: &Product, name: &str, than: u32) {
    eventually(30, "it runs anew", || {
        let said = product.run(&["get", &format!("container/{name}"), "-o", "json"]);
        let pid = product.pid(name);
        said.status == 0 && pid != 0 && pid != than
    });
}

#[test]
fn with_permission_the_daemon_restarts_who_follows_with_the_reason() {
    let product = Product::new();
    product.declare(&site(&product, false, "allow"));
    product.apply().expect(0);
    let [db, web, other] = pids(&product);

    // The plan says why, before anybody does it.
    product.declare(&site(&product, true, "allow"));
    let plan = product.plan().expect(2);
    assert!(plan.out.contains("restartWith"), "{}", plan.out);
    assert!(plan.out.contains("container/db"), "{}", plan.out);

    let daemon = Daemon::start(&product);
    another(&product, "db", db);
    another(&product, "web", web);
    assert_eq!(product.pid("other"), other);
    let [db, web, _] = pids(&product);

    // The named one ends by itself: it is started again, and who follows with it.
    kill(db);
    another(&product, "db", db);
    another(&product, "web", web);
    assert_eq!(product.pid("other"), other);
    eventually(20, "nothing is left to do", || product.plan().status == 0);

    // The other way round nobody follows.
    let [db, web, _] = pids(&product);
    kill(web);
    another(&product, "web", web);
    eventually(20, "nothing is left to do", || product.plan().status == 0);
    assert_eq!(product.pid("db"), db);
    drop(daemon);
}

#[test]
fn without_permission_who_follows_waits_and_is_not_forgotten() {
    let product = Product::new();
    product.declare(&site(&product, false, "ask"));
    product.apply().expect(0);
    let [db, web, other] = pids(&product);
    let daemon = Daemon::start(&product);
    product.declare(&site(&product, true, "ask"));
    another(&product, "db", db);
    eventually(20, "it is pending", || {
        let plan = product.plan();
        plan.status == 0 && plan.out.contains("restartWith") && plan.out.contains("update.restart is ask")
    });
    // Full passes come and go.
    std::thread::sleep(std::time::Duration::from_secs(11));
    assert_eq!(product.pid("web"), web);
    assert_eq!(product.pid("other"), other);
    drop(daemon);
    let plan = product.plan().expect(0);
    assert!(plan.out.contains("restartWith"), "{}", plan.out);
    let manifest = product.manifest();
    product.run(&["apply", "-f", &manifest.to_string_lossy(), "--yes", "--allow", "restart"]).expect(0);
    another(&product, "web", web);
    let plan = product.plan().expect(0);
    assert!(!plan.out.contains("restartWith"), "{}", plan.out);

    // Denied: not even then; only by hand.
    product.declare(&site(&product, true, "deny"));
    product.apply().expect(0);
    let [db, web, _] = pids(&product);
    kill(db);
    product.run(&["apply", "-f", &manifest.to_string_lossy(), "--yes", "--allow", "restart"]).expect(0);
    another(&product, "db", db);
    assert_eq!(product.pid("web"), web);
    assert!(product.plan().expect(0).out.contains("update.restart is deny"));
    product.run(&["restart", "web"]).expect(0);
    another(&product, "web", web);
    assert!(!product.plan().expect(0).out.contains("deny"));
}
