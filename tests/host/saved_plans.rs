//! Saved plans on the real host: what lives moves all the time, and only what plays a role refuses a plan.

use crate::product::{Product, Said, eventually};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn site(product: &Product, processes: u32) -> String {
    let limits = format!("config: {{limits.processes: {processes}}}");
    product.base() + &Product::container("a", &limits) + &Product::container("b", "state: running")
}

fn save(product: &Product) -> String {
    let file = product.folder().join("p.plan").display().to_string();
    product.run(&["plan", "-f", &product.manifest().to_string_lossy(), "--out", &file]).expect(2);
    file
}

fn carry_out(product: &Product, file: &str) -> Said {
    product.run(&["apply", "--plan", file, "--yes"])
}

#[test]
fn a_saved_plan_is_carried_out_on_a_host_that_lives_and_refused_on_one_that_moved() {
    let product = Product::new();
    product.declare(&site(&product, 100));
    let file = save(&product);
    carry_out(&product, &file).expect(0);
    let again = carry_out(&product, &file).expect(1);
    assert!(again.err.contains("container/a (new)"), "{}", again.err);

    product.declare(&site(&product, 200));
    let file = save(&product);
    // More memory, more processes, another pid.
    product
        .run(&["exec", "b", "-T", "--", "sh", "-c", "sleep 60 & dd if=/dev/zero of=/tmp/x bs=1M count=8"])
        .expect(0);
    let before = product.pid("b");
    product.run(&["restart", "b", "--force"]).expect(0);
    assert_ne!(before, product.pid("b"));
    kill(Pid::from_raw(product.pid("a") as i32), Signal::SIGKILL).unwrap();
    eventually(10, "init ends", || product.pid("a") == 0);
    let refused = carry_out(&product, &file).expect(1);
    assert!(refused.err.contains("container/a (") && refused.err.contains("state"), "{}", refused.err);
    assert!(!refused.err.contains("container/b"), "{}", refused.err);
    product.run(&["start", "a"]).expect(0);
    carry_out(&product, &file).expect(0);
    assert!(product.run(&["describe", "a"]).out.contains("200"));
    product.plan().expect(0);
}
