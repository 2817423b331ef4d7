//! A rollout over real containers: a bad profile takes one of them down, and the rest follows once it is mended.

use crate::product::{Product, Said, patient};

const COUNT: usize = 20;

/// A site with so many containers whose profile's file tells whether they are ready.
fn site(product: &Product, word: &str, nesting: bool) -> String {
    let profile = format!(
        "---\napiVersion: bayplan/v1\nkind: Profile\nmetadata: {{name: app}}\nspec: {{config: {{security.nesting: \
         {nesting}}}, files: {{/etc/mode: {{content: {word}}}}}}}\n"
    );
    let timeout_s = patient(1).as_secs();
    let template = format!(
        "{{image: busybox, profiles: [net, app], \
         ready: {{exec: [grep, -q, good, /etc/mode], timeout: {timeout_s}s, interval: 50ms}}}}"
    );
    let set = format!(
        "---\napiVersion: bayplan/v1\nkind: ContainerSet\nmetadata: {{name: c}}\nspec: {{replicas: {COUNT}, name: \
         \"c-{{index:02}}\", template: {template}}}\n"
    );
    product.base() + &profile + &set
}

fn apply(product: &Product) -> Said {
    product.run(&["apply", "-f", &product.manifest().to_string_lossy(), "--yes", "--allow", "restart"])
}

fn pids(product: &Product) -> Vec<u64> {
    let listing = product.run(&["get", "containers", "-o", "json"]).expect(0).json();
    let objects = listing["objects"].as_array().unwrap();
    objects.iter().map(|object| object["container"]["pid"].as_u64().unwrap_or_default()).collect()
}

fn changed(before: &[u64], after: &[u64]) -> usize {
    assert!(after.iter().all(|pid| *pid != 0), "all run: {after:?}");
    before.iter().zip(after).filter(|(before, after)| before != after).count()
}

#[test]
fn of_twenty_containers_with_a_bad_profile_exactly_one_goes_down() {
    let product = Product::new();
    product.declare(&site(&product, "good", false));
    apply(&product).expect(0);
    let first = pids(&product);
    assert_eq!(first.len(), COUNT);
    product.declare(&site(&product, "bad", true));
    let said = apply(&product).expect(3);
    let second = pids(&product);
    assert_eq!(changed(&first, &second), 1, "{}", said.out);
    assert!(
        said.out.contains("rollout of site test stopped at c-00: 19 of 20 are left as they were"),
        "{}",
        said.out
    );
    assert!(said.out.contains("to go on: mend"), "{}", said.out);
    let listed = product.run(&["get", "c-00"]).expect(0).out;
    assert!(listed.contains("NotReady"), "{listed}");
    // Again: the one is still not ready, so the rest is left alone.
    let said = apply(&product).expect(3);
    assert_eq!(pids(&product), second, "{}", said.out);
    // A mended profile begins with the one that failed, and goes through all.
    product.declare(&site(&product, "good", true));
    apply(&product).expect(0);
    assert_eq!(
        changed(&second, &pids(&product)),
        COUNT - 1,
        "the first one runs with the new profile already"
    );
    assert!(!product.run(&["get", "c-00"]).expect(0).out.contains("NotReady"));
    product.plan().expect(0);
}

#[test]
fn a_container_that_does_not_get_ready_is_told_with_what_its_probe_last_answered() {
    let product = Product::new();
    // The time ends amid the second try.
    let ready = "ready: {exec: [sh, -c, \"sleep 2; exit 7\"], timeout: 4500ms, interval: 1s}";
    product.declare(&(product.base() + &Product::container("a", ready)));
    let said = product.apply().expect(3);
    assert!(said.out.contains("sleep 2; exit 7 ended with status 7"), "{}", said.out);
    assert!(!said.out.contains("had not ended"), "{}", said.out);
}
