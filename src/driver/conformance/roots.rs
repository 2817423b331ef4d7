//! Roots beside the one in use, and folders that outlive them.

use super::Bench;
use super::files::digest;
use super::runs::running;
use crate::driver::Error;
use crate::model::key::Key;
use crate::model::observed::{RootFacts, RootQuery};
use crate::model::record::Owner;
use crate::model::run::ContainerRun;
use crate::model::step::{Action, BesideRoot, ImageContent, RootSeed};
use std::collections::{BTreeMap, BTreeSet};

const KEPT: &str = "/var/kept";

fn root(bench: &Bench<'_>) -> RootFacts {
    bench.facts().root.expect("the root")
}

pub fn beside(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    for step in &fixture.up()[..8] {
        bench.does(step);
    }
    let content = root(bench).identity.fingerprint;
    let pool = fixture.pool.clone();
    let image = ImageContent::Fingerprint(content.clone());
    let seed = RootSeed { owner: Owner::Site("conformance".to_owned()), identity: fixture.identity() };
    let prepare = |image: ImageContent| {
        fixture.act(Action::PrepareRoot { pool: pool.clone(), image, root: Box::new(seed.clone()) })
    };
    let swap =
        |image: ImageContent| fixture.act(Action::SwapRoot { pool: pool.clone(), uuid: fixture.uuid, image });
    let restore = fixture.act(Action::RestoreRoot { pool: pool.clone(), uuid: fixture.uuid });
    let forget = |which| fixture.act(Action::DropRoot { pool: pool.clone(), uuid: fixture.uuid, which });
    let persist = |path: &str| {
        fixture.act(Action::Persist { pool: pool.clone(), uuid: fixture.uuid, path: path.to_owned() })
    };
    // Nothing is prepared: the content in use is in use, and there is nothing to take back.
    bench.leaves(&swap(image.clone()));
    bench.leaves(&restore);
    bench.refuses(&swap(ImageContent::Fingerprint("0".repeat(64))));
    bench.refuses(&prepare(ImageContent::Fingerprint("0".repeat(64))));
    let run = ContainerRun { persist: BTreeSet::from([KEPT.to_owned()]), ..fixture.container_run() };
    bench.refuses(&fixture.start(&run));
    bench.changes(&persist(KEPT));
    assert_eq!(root(bench).persisted, BTreeSet::from([KEPT.to_owned()]));
    let mount = |path: &str| {
        fixture.act(Action::AttachPersisted { pool: pool.clone(), uuid: fixture.uuid, path: path.to_owned() })
    };
    bench.refuses(&mount(KEPT));
    bench.changes(&fixture.start(&run));
    assert_eq!(running(bench).persisted, BTreeSet::from([KEPT.to_owned()]));
    bench.leaves(&mount(KEPT));
    bench.refuses(&mount("/var/other"));
    // It runs while the next root is made, and not while roots are swapped.
    let made = bench.changes(&prepare(image.clone()));
    assert_eq!(made.outputs["fingerprint"], content);
    assert_eq!(root(bench).next, Some(content.clone()));
    bench.refuses(&swap(image.clone()));
    bench.leaves(&persist(KEPT));
    bench.refuses(&persist("/var/other"));
    bench.does(&fixture.kill());
    let swapped = bench.changes(&swap(image.clone()));
    assert_eq!(swapped.outputs["fingerprint"], content);
    let facts = root(bench);
    assert_eq!((facts.next, facts.replaced), (None, Some(content.clone())));
    assert_eq!((facts.identity.identity, facts.persisted.len()), (fixture.identity(), 1));
    bench.changes(&fixture.start(&run));
    bench.refuses(&restore);
    bench.does(&fixture.kill());
    bench.changes(&restore);
    assert_eq!(root(bench).replaced, None);
    bench.changes(&prepare(image.clone()));
    bench.changes(&forget(BesideRoot::Next));
    assert_eq!(root(bench).next, None);
    bench.changes(&prepare(image.clone()));
    bench.changes(&swap(image));
    bench.changes(&forget(BesideRoot::Replaced));
    let facts = root(bench);
    assert_eq!((facts.next, facts.replaced, facts.persisted.len()), (None, None, 1));
    bench.changes(&fixture.start(&run));
    bench.does(&fixture.kill());
    dropped(bench);
}

fn dropped(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let digest = digest(bench, "text");
    for path in ["/srv/own/a", "/srv/own/b", "/var/kept/c"] {
        bench.does(&fixture.write(path, "text", &digest));
    }
    let except = BTreeSet::from([KEPT.to_owned(), "/srv/own/b".to_owned()]);
    let query = RootQuery { pool: fixture.pool.clone(), uuid: fixture.uuid, except };
    let nobody = RootQuery { uuid: super::nobody(), ..query.clone() };
    let key = fixture.container_key();
    let told =
        bench.driver.dropped(&BTreeMap::from([(key.clone(), query), (Key::container("nobody"), nobody)]));
    let told: Result<BTreeMap<_, _>, Error> = told;
    let told = told.expect("a count");
    assert_eq!(told.len(), 1, "{told:?}");
    let own: Vec<&String> = told[&key].some.iter().filter(|path| path.starts_with("/srv/own")).collect();
    assert_eq!(own, ["/srv/own/a"], "{told:?}");
    assert!(!told[&key].some.iter().any(|path| path.starts_with(KEPT)), "{told:?}");
}
