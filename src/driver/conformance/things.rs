//! Records, images, pools, networks, roots.

use super::runs::{running, started};
use super::script::step;
use super::{Bench, nobody};
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::object::Image;
use crate::model::record::Owner;
use crate::model::renaming;
use crate::model::step::{Action, ImageContent};
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeSet;

pub fn records(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let key = fixture.pool_key();
    let mut note = fixture.ensure_pool();
    note.action = Action::Note;
    let done = bench.execute(&note);
    assert!(matches!(done, Err(Error::NoRecord { .. })), "{done:?}");
    bench.changes(&fixture.put(&key, &fixture.pool_object(), "one"));
    let record = bench.look().records.remove(&key).expect("a record");
    assert_eq!(record.owner, Owner::Site("one".to_owned()));
    assert_eq!((record.desired, record.applied), (Some(fixture.pool_object()), None));
    assert_eq!(record.actor, "conformance");
    bench.changes(&fixture.put(&key, &fixture.pool_object(), "two"));
    bench.changes(&note);
    let record = bench.look().records.remove(&key).expect("a record");
    assert_eq!(record.applied.map(|applied| applied.object), Some(fixture.pool_object()));
    bench.changes(&fixture.forget(&key));
    assert!(bench.look().records.is_empty());
}

pub fn images(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let done = bench.execute(&fixture.import());
    assert!(matches!(done, Err(Error::NoRecord { .. })), "an import without a record: {done:?}");
    bench.changes(&fixture.put(&fixture.image_key(), &fixture.image_object(), "one"));
    let source = fixture.image.source.clone();
    let before = bench.look().images;
    let foretold = bench.driver.image_contents(&BTreeSet::from([source.clone()])).expect("image contents");
    assert_eq!(bench.look().images, before, "it is a look");
    let fingerprint = import(bench);
    assert_eq!(foretold.get(&source), Some(&fingerprint), "what an import would give");
    let observed = bench.look();
    assert!(observed.images.contains_key(&fingerprint), "{:?}", observed.images);
    let applied = observed.records[&fixture.image_key()].applied.clone().expect("an applied image");
    assert_eq!(applied.fingerprint, Some(fingerprint.clone()));
    let pinned = |pin: &str| {
        let image = Image { fingerprint: Some(pin.to_owned()), ..fixture.image.clone() };
        step(&fixture.image_key(), Action::ImportImage { image })
    };
    bench.leaves(&pinned(&fingerprint));
    let other = "0".repeat(64);
    let done = bench.execute(&pinned(&other));
    let told = matches!(&done, Err(Error::Fingerprint { wanted, .. }) if *wanted == other);
    assert!(told, "another content than the pinned one: {done:?}");
    let images = bench.look().images;
    assert!(images.len() == 1 && images.contains_key(&fingerprint), "{images:?}");
    bench.changes(&step(&fixture.image_key(), Action::DeleteImage { fingerprint: fingerprint.clone() }));
    assert!(bench.look().images.is_empty());
    // Lost content comes back under the same fingerprint.
    let back = bench.changes(&pinned(&fingerprint));
    assert_eq!(back.outputs["fingerprint"], fingerprint);
}

/// Imports the image, whose record is there; answers its fingerprint.
fn import(bench: &Bench<'_>) -> String {
    let done = bench.execute(&bench.fixture.import());
    assert!(done.is_ok(), "{done:?}");
    bench.leaves(&bench.fixture.import());
    done.unwrap_or_default().outputs["fingerprint"].clone()
}

pub fn pools(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    bench.leaves(&step(&fixture.pool_key(), Action::DeletePool));
    bench.changes(&fixture.put(&fixture.pool_key(), &fixture.pool_object(), "one"));
    assert!(bench.look().pools.is_empty());
    bench.changes(&fixture.ensure_pool());
    assert!(bench.look().pools.contains_key(&fixture.pool));
    bench.changes(&step(&fixture.pool_key(), Action::DeletePool));
    assert!(bench.look().pools.is_empty());
}

pub fn networks(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    bench.leaves(&fixture.delete_network());
    bench.changes(&fixture.put(&fixture.network_key(), &fixture.network_object(fixture.address), "one"));
    let other =
        Ipv4Net::new(fixture.member(2), fixture.address.prefix_len()).expect("a prefix of the fixture");
    for address in [fixture.address, other] {
        bench.changes(&fixture.ensure_network(address));
        let facts = bench.look().networks.remove(&fixture.bridge).expect("the bridge");
        assert!(facts.ours && facts.up, "{facts:?}");
        assert_eq!(facts.addresses, [IpNet::V4(address)].into());
        assert_eq!(facts.rules, fixture.network(address).rules_digest());
    }
    bench.changes(&fixture.delete_network());
    assert!(!bench.look().networks.contains_key(&fixture.bridge));
}

pub fn roots(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let image = ImageContent::ImportOf(fixture.image_key());
    bench.changes(&fixture.put(&fixture.container_key(), &fixture.container_object(), "conformance"));
    let done = bench.execute(&fixture.create_root(image.clone()));
    assert!(matches!(done, Err(Error::NoRecord { .. })), "an image without a record: {done:?}");
    bench.changes(&fixture.put(&fixture.image_key(), &fixture.image_object(), "one"));
    bench.refuses(&fixture.create_root(image.clone()));
    let fingerprint = import(bench);
    bench.refuses(&fixture.create_root(image.clone()));
    bench.changes(&fixture.put(&fixture.pool_key(), &fixture.pool_object(), "one"));
    bench.changes(&fixture.ensure_pool());
    bench.refuses(&fixture.create_root(ImageContent::Fingerprint("0".repeat(64))));
    bench.leaves(&fixture.delete_root());
    let made = bench.changes(&fixture.create_root(image));
    assert_eq!(made.outputs["fingerprint"], fingerprint);
    let root = bench.facts().root.expect("the root");
    assert_eq!(root.pool, fixture.pool);
    assert_eq!(root.identity.key, fixture.container_key());
    assert_eq!(
        (root.identity.identity, root.identity.fingerprint),
        (fixture.identity(), fingerprint.clone())
    );
    assert!(root.image_present);
    let applied = bench.look().records[&fixture.container_key()].applied.clone();
    assert_eq!(applied.and_then(|applied| applied.fingerprint), Some(fingerprint.clone()));
    bench.leaves(&fixture.create_root(ImageContent::Fingerprint(fingerprint.clone())));
    bench.refuses(&fixture.create_root(ImageContent::Fingerprint("0".repeat(64))));
    bench.refuses(&step(&fixture.image_key(), Action::DeleteImage { fingerprint }));
    bench.refuses(&step(&fixture.pool_key(), Action::DeletePool));
    bench.changes(&fixture.delete_root());
    assert!(bench.facts().root.is_none());
    bench.leaves(&step(
        &Key::container("nobody"),
        Action::DeleteRoot { pool: fixture.pool.clone(), uuid: nobody() },
    ));
}

pub fn identity_beside_root(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    for step in &fixture.up()[..8] {
        bench.does(step);
    }
    bench.changes(&fixture.put(&fixture.container_key(), &fixture.container_object(), "two"));
    let root = bench.look().containers[&bench.fixture.uuid].root.clone().expect("the root");
    assert_eq!(root.identity.owner, Owner::Site("two".to_owned()));
    // A root that stands is brought to what is asked, not refused.
    bench.changes(&fixture.create_root(ImageContent::ImportOf(fixture.image_key())));
    let root = bench.look().containers[&bench.fixture.uuid].root.clone().expect("the root");
    assert_eq!(root.identity.owner, Owner::Site("conformance".to_owned()));
}

pub fn renaming(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    for step in &fixture.up() {
        bench.does(step);
    }
    let before = bench.look();
    let pid = before.containers[&fixture.uuid].run.as_ref().map(|run| run.pid);
    assert!(pid.is_some());
    let named = Key::container(format!("{}-2", fixture.container));
    let done = bench.execute(&step(&named, Action::Rename { from: Key::container("nobody") }));
    assert!(matches!(done, Err(Error::NoRecord { .. })), "{done:?}");
    bench.changes(&step(&named, Action::Rename { from: fixture.container_key() }));
    let after = bench.look();
    assert!(!after.records.contains_key(&fixture.container_key()));
    let (record, former) = (&after.records[&named], &before.records[&fixture.container_key()]);
    assert_eq!((&record.identity, &record.applied), (&former.identity, &former.applied));
    let facts = &after.containers[&fixture.uuid];
    assert_eq!(facts.root.as_ref().map(|root| &root.identity.key), Some(&named));
    assert_eq!(facts.run.as_ref().map(|run| run.pid), pid);
    assert_eq!(facts.run.as_ref().map(|run| &run.run.key), Some(&named));
}

pub fn renaming_on_host(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let before = started(bench);
    let network = Key::network(format!("{}r", fixture.bridge));
    let pool = Key::pool(format!("{}-2", fixture.pool));
    for (from, to) in [(fixture.network_key(), &network), (fixture.pool_key(), &pool)] {
        let nobody = Key::new(to.kind, "nobody");
        let done = bench.execute(&step(to, Action::Rename { from: nobody.clone() }));
        assert!(matches!(done, Err(Error::NoRecord { .. })), "{done:?}");
        let record = bench.look().records[&from].clone();
        bench.does(&fixture.put(&nobody, record.desired.as_ref().expect("an object"), "one"));
        bench.refuses(&step(&nobody, Action::Rename { from: from.clone() }));
        bench.does(&fixture.forget(&nobody));
        bench.changes(&step(to, Action::Rename { from: from.clone() }));
        let observed = bench.look();
        assert!(!observed.records.contains_key(&from));
        let renamed = &observed.records[to];
        assert_eq!(
            (&renamed.desired, &renamed.applied, &renamed.renaming),
            (&record.desired, &record.applied, &None)
        );
        let container = &observed.records[&fixture.container_key()];
        let established = container.applied.as_ref().map(|applied| &applied.object);
        for object in [container.desired.as_ref(), established].into_iter().flatten() {
            assert!(renaming::names(object, to) && !renaming::names(object, &from), "{object:?}");
        }
    }
    let observed = bench.look();
    let facts = &observed.networks[&network.name];
    assert!(facts.ours && facts.up && !observed.networks.contains_key(&fixture.bridge), "{facts:?}");
    assert_eq!(facts.addresses, [IpNet::V4(fixture.address)].into());
    assert_eq!(facts.rules, fixture.network(fixture.address).rules_digest());
    assert!(observed.pools.keys().eq([&pool.name]), "{:?}", observed.pools);
    let mut run = fixture.container_run();
    renaming::in_run(&mut run, &fixture.network_key(), &network);
    renaming::in_run(&mut run, &fixture.pool_key(), &pool);
    let facts = running(bench);
    assert_eq!((facts.pid, &facts.run), (before.pid, &run));
    assert_eq!(facts.nics["eth0"].bridge.as_ref(), Some(&network.name));
    assert_eq!(bench.facts().root.map(|root| root.pool), Some(pool.name.clone()));
    // It is found there by its next start, too.
    bench.leaves(&fixture.start(&run));
    bench.changes(&fixture.kill());
    bench.changes(&fixture.start(&run));
}
