//! Files inside, the commands that follow them, and the environment.

use super::Bench;
use super::runs::{running, started};
use crate::driver::Error;
use crate::model::content::{Content, Digest};
use crate::model::observed::{FileFacts, RegularFile};
use crate::model::record::WrittenFile;
use crate::model::step::Action;
use std::collections::{BTreeMap, BTreeSet};

/// In a folder that no image has.
const PATH: &str = "/srv/conformance/app.conf";

pub fn digest(bench: &Bench<'_>, text: &str) -> Digest {
    let content = Content::Text(text.to_owned());
    let told = bench.driver.digests(&BTreeSet::from([content.clone()])).expect("digests");
    told[&content].clone().expect("a text has a digest")
}

#[track_caller]
fn found(bench: &Bench<'_>, path: &str) -> FileFacts {
    bench.facts().files.remove(path).expect("a file that was looked at")
}

#[track_caller]
fn stands(bench: &Bench<'_>, text: &str) {
    let FileFacts::Regular(RegularFile { digest: found, mode, owner, group }) = found(bench, PATH) else {
        unreachable!("{:?}", bench.facts().files)
    };
    assert_eq!((found, mode.as_str()), (digest(bench, text), "0640"));
    assert!(owner.contains("0") && group.contains("root"), "{owner:?} {group:?}");
}

fn noted(bench: &Bench<'_>) -> Option<WrittenFile> {
    bench.look().records[&bench.fixture.container_key()].files.get(PATH).cloned()
}

pub fn files(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let (one, two) = (digest(bench, "one\n"), digest(bench, "two\n"));
    assert_ne!(one, two);
    for step in &fixture.up()[..7] {
        bench.does(step);
    }
    bench.refuses(&fixture.write(PATH, "one\n", &one));
    bench.does(&fixture.up()[7]);
    // Stopped.
    bench.changes(&fixture.write(PATH, "one\n", &one));
    stands(bench, "one\n");
    assert_eq!(noted(bench), Some(WrittenFile { digest: one.clone(), made: true, unsettled: false }));
    bench.refuses(&fixture.write(PATH, "one\n", &two));
    bench.changes(&fixture.write(PATH, "two\n", &two));
    stands(bench, "two\n");
    // Running.
    bench.changes(&fixture.start(&fixture.container_run()));
    stands(bench, "two\n");
    bench.leaves(&fixture.write(PATH, "two\n", &two));
    bench.changes(&fixture.write(PATH, "one\n", &one));
    stands(bench, "one\n");
    bench.changes(&fixture.remove_file(PATH));
    assert_eq!(noted(bench), None);
    bench.leaves(&fixture.remove_file(PATH));
    bench.changes(&fixture.write(PATH, "two\n", &two));
    // The root that comes after it has none.
    bench.changes(&fixture.kill());
    bench.changes(&fixture.remove_file(PATH));
    bench.changes(&fixture.write(PATH, "two\n", &two));
    bench.changes(&fixture.delete_root());
    assert_eq!(noted(bench), None);
}

pub fn commands(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let (one, two) = (digest(bench, "one\n"), digest(bench, "two\n"));
    started(bench);
    bench.leaves(&fixture.follow(&["true"], PATH));
    bench.changes(&fixture.write(PATH, "one\n", &one));
    assert!(noted(bench).is_some_and(|file| file.unsettled));
    let done = bench.execute(&fixture.follow(&["false"], PATH));
    assert!(matches!(&done, Err(Error::Command { ended, .. }) if ended.ends_with("status 1")), "{done:?}");
    assert!(noted(bench).is_some_and(|file| file.unsettled), "it is tried again");
    bench.changes(&fixture.follow(&["true"], PATH));
    assert!(noted(bench).is_some_and(|file| !file.unsettled));
    // A start takes it in.
    bench.changes(&fixture.write(PATH, "two\n", &two));
    bench.changes(&fixture.kill());
    bench.changes(&fixture.start(&fixture.container_run()));
    assert!(noted(bench).is_some_and(|file| !file.unsettled));
    bench.changes(&fixture.act(Action::Freeze { uuid: fixture.uuid }));
    bench.changes(&fixture.write(PATH, "one\n", &one));
    bench.refuses(&fixture.follow(&["true"], PATH));
    bench.changes(&fixture.act(Action::Unfreeze { uuid: fixture.uuid }));
    bench.changes(&fixture.follow(&["true"], PATH));
    let environment = BTreeMap::from([("COLOUR".to_owned(), "blue".to_owned())]);
    let set = Action::SetEnvironment {
        uuid: fixture.uuid,
        environment: environment.clone(),
        secrets: BTreeMap::new(),
    };
    bench.changes(&fixture.act(set));
    assert_eq!(running(bench).run.environment, environment);
}
