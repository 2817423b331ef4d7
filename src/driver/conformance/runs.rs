//! Running containers: start to stop, live changes, and what a stopped one refuses.

use super::files::digest;
use super::{Bench, nobody, script};
use crate::driver::Error;
use crate::model::observed::{ExitCause, RunFacts};
use crate::model::ready::{HttpProbe, Ready, ReadyProbe};
use crate::model::run::{ContainerRun, Limits, MemoryEnforce, MemoryLimit, Nic};
use crate::model::step::{Action, RecordUpdate, StopHow};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// A running container, from nothing.
pub fn started(bench: &Bench<'_>) -> RunFacts {
    for step in &bench.fixture.up()[..9] {
        bench.does(step);
    }
    running(bench)
}

#[track_caller]
pub fn running(bench: &Bench<'_>) -> RunFacts {
    bench.facts().run.expect("a running container")
}

pub fn life(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let run = fixture.container_run();
    for step in &fixture.up()[..7] {
        bench.does(step);
    }
    bench.refuses(&fixture.start(&run));
    bench.does(&fixture.up()[7]);
    bench.leaves(&fixture.kill());
    bench.changes(&fixture.start(&run));
    let facts = running(bench);
    assert_as_asked(&facts, &run);
    assert_eq!(facts.incarnation, 1);
    bench.refuses(&fixture.start(&ContainerRun { hostname: "other".to_owned(), ..run.clone() }));
    bench.refuses(&fixture.delete_root());
    bench.refuses(&fixture.delete_network());
    bench.leaves(&fixture.act(Action::Supervise { uuid: fixture.uuid }));
    bench.leaves(&fixture.act(Action::WaitReady { uuid: fixture.uuid, ready: Ready::default() }));
    bench.changes(
        &fixture.act(Action::Stop { uuid: fixture.uuid, how: StopHow::Clean { timeout_ms: 20_000 } }),
    );
    let facts = bench.facts();
    let exit = facts.exit.expect("how it ended");
    assert!(facts.run.is_none() && facts.root.is_some());
    assert_eq!((exit.cause, exit.incarnation), (ExitCause::PowerOff, 1));
    bench.changes(&fixture.start(&run));
    let facts = bench.facts();
    assert_eq!((facts.run.map(|run| run.incarnation), facts.exit), (Some(2), None));
    bench.changes(&fixture.kill());
    let exit = bench.facts().exit.expect("how it ended");
    assert_eq!((exit.cause, exit.status, exit.incarnation), (ExitCause::Killed, Some(128 + 9), 2));
    bench.changes(&fixture.delete_network());
    bench.refuses(&fixture.start(&run));
}

#[track_caller]
fn assert_as_asked(facts: &RunFacts, run: &ContainerRun) {
    assert_eq!(facts.run, *run);
    assert!(facts.supervised && facts.in_cgroup && !facts.frozen, "{facts:#?}");
    assert_eq!(facts.limits, run.limits);
    let nics: Vec<&String> = facts.nics.keys().collect();
    let asked: Vec<&String> = run.nics.iter().map(|nic| &nic.device).collect();
    assert_eq!(nics, asked);
    assert!(facts.nics.values().all(|nic| nic.up), "{:?}", facts.nics);
    assert!(run.disks.iter().all(|disk| facts.disks.contains(&disk.device)), "{:?}", facts.disks);
    assert!(facts.pid > 0);
}

/// The service is the container's own httpd, which has no page but the file that the suite writes.
pub fn readiness(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    started(bench);
    let [closed, missing] = script::unserved();
    let waits = |probe: &ReadyProbe| fixture.wait_ready(probe);
    let digest = digest(bench, "a page");
    bench.does(&fixture.write("/srv/page", "a page", &digest));
    bench.does(&fixture.follow(&["httpd", "-p", &script::SERVED.to_string(), "-h", "/srv"], "/srv/page"));
    let page = HttpProbe { port: script::SERVED, path: "/page".to_owned() };
    for good in [ReadyProbe::Tcp(script::SERVED), ReadyProbe::Http(page)] {
        bench.leaves(&waits(&good));
    }
    for (bad, why) in [(closed, "refuses connections"), (missing, "/missing answered 404")] {
        let done = bench.execute(&waits(&bad));
        let Err(Error::NotReady { last, .. }) = &done else { unreachable!("{bad:?}: {done:?}") };
        assert!(last.contains(why), "{bad:?}: {last}");
    }
    bench.changes(&fixture.kill());
    let done = bench.execute(&waits(&ReadyProbe::Tcp(script::SERVED)));
    assert!(matches!(done, Err(Error::NotReady { .. })), "{done:?}");
}

/// A mark alone: stopping is a step of its own, and the root stays.
pub fn parking(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let key = fixture.container_key();
    let park = |seconds: i64| {
        let until = Timestamp::from_second(fixture.now.as_second() + seconds);
        fixture.act(Action::Park { until: until.expect("a time") })
    };
    let done = bench.execute(&park(60));
    assert!(matches!(done, Err(Error::NoRecord { .. })), "parked without a record: {done:?}");
    let before = started(bench);
    bench.changes(&park(60));
    let record = || bench.look().records.remove(&key).expect("its record");
    let parked = record().parked.expect("the mark");
    assert_eq!((parked.at, parked.by.as_str()), (fixture.now, "conformance"));
    let still = running(bench);
    assert_eq!(still, RunFacts { usage: still.usage.clone(), ..before.clone() });
    bench.changes(&park(120));
    let longer = record().parked.expect("the mark");
    assert_eq!((longer.at, longer.until.duration_since(parked.until).as_secs()), (parked.at, 60));
    bench.changes(&fixture.kill());
    let root = bench.facts().root.expect("the root");
    assert_eq!(root.identity.identity, fixture.identity());
    let back = |undeleted: bool| {
        let step = fixture.put(&key, &fixture.container_object(), "conformance");
        match step.action {
            Action::PutRecord(update) => {
                fixture.act(Action::PutRecord(Box::new(RecordUpdate { undeleted, ..*update })))
            }
            other => fixture.act(other),
        }
    };
    bench.changes(&back(true));
    assert!(record().parked.is_none() && record().undeleted);
    bench.changes(&back(false));
    assert!(record().parked.is_none() && !record().undeleted);
    bench.changes(&fixture.start(&fixture.container_run()));
    let facts = bench.facts();
    assert_eq!(facts.run.map(|run| run.run), Some(before.run));
    assert_eq!(facts.root.map(|root| root.identity), Some(root.identity));
}

pub fn freezing(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    started(bench);
    bench.changes(&fixture.act(Action::Freeze { uuid: fixture.uuid }));
    assert!(running(bench).frozen);
    bench.changes(&fixture.act(Action::Unfreeze { uuid: fixture.uuid }));
    assert!(!running(bench).frozen);
    bench.changes(&fixture.act(Action::Freeze { uuid: fixture.uuid }));
    bench.changes(&fixture.kill());
}

pub fn limits(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let before = started(bench);
    let memory = Some(MemoryLimit { bytes: 96 << 20, enforce: MemoryEnforce::Hard });
    let less = Limits { memory, processes: None, ..Limits::default() };
    bench.changes(&fixture.act(Action::SetLimits { uuid: fixture.uuid, limits: less.clone() }));
    let facts = running(bench);
    assert_eq!((&facts.limits, &facts.run.limits, facts.pid), (&less, &less, before.pid));
    bench.leaves(&fixture.act(Action::RepairCgroup { uuid: fixture.uuid, limits: less }));
    let none = Limits::default();
    bench.changes(&fixture.act(Action::RepairCgroup { uuid: fixture.uuid, limits: none.clone() }));
    let facts = running(bench);
    assert_eq!((&facts.limits, &facts.run.limits, facts.in_cgroup), (&none, &none, true));
}

pub fn devices(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let before = started(bench);
    nics(bench);
    let at = |path: &str| Action::AttachDisk { uuid: fixture.uuid, disk: Box::new(fixture.disk(path)) };
    bench.changes(&fixture.act(at("/srv/data")));
    let facts = running(bench);
    assert!(facts.disks.contains("data") && facts.run.disks == [fixture.disk("/srv/data")], "{facts:#?}");
    bench.refuses(&fixture.act(at("/srv/other")));
    let away = Action::DetachDisk { uuid: fixture.uuid, disk: Box::new(fixture.disk("/srv/data")) };
    bench.changes(&fixture.act(away));
    let facts = running(bench);
    assert!(facts.disks.is_empty() && facts.run.disks.is_empty(), "{facts:#?}");
    assert_eq!(facts.run, before.run);
    assert_eq!((facts.pid, facts.incarnation), (before.pid, before.incarnation));
}

fn nics(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    let attach =
        |nic: &Nic| fixture.act(Action::AttachNic { uuid: fixture.uuid, nic: Box::new(nic.clone()) });
    bench.changes(&attach(&fixture.wire()));
    let facts = running(bench);
    assert_eq!(facts.run.nics, [fixture.nic(), fixture.wire()]);
    assert_eq!((facts.nics["wire"].bridge.clone(), facts.nics["wire"].up), (None, true));
    assert_eq!(facts.nics["eth0"].bridge.as_deref(), Some(fixture.bridge.as_str()));
    // Another one of that device, of which not all could be brought to it in place: it is made anew.
    let detach = fixture.act(Action::DetachNic { uuid: fixture.uuid, device: "wire".to_owned() });
    let renamed = Nic { name: "eth8".to_owned(), ..fixture.wire() };
    bench.refuses(&attach(&renamed));
    bench.changes(&detach);
    bench.changes(&attach(&renamed));
    assert_eq!(running(bench).run.nics, [fixture.nic(), renamed]);
    bench.changes(&detach);
    let facts = running(bench);
    assert!(!facts.nics.contains_key("wire") && facts.run.nics == [fixture.nic()], "{facts:#?}");
}

pub fn stopped(bench: &Bench<'_>) {
    let fixture = bench.fixture;
    for step in &fixture.up()[..8] {
        bench.does(step);
    }
    for uuid in [fixture.uuid, nobody()] {
        let limits = Limits::default();
        let refused = [
            Action::Freeze { uuid },
            Action::Unfreeze { uuid },
            Action::SetLimits { uuid, limits: limits.clone() },
            Action::RepairCgroup { uuid, limits },
            Action::AttachNic { uuid, nic: Box::new(fixture.wire()) },
            Action::DetachNic { uuid, device: "eth0".to_owned() },
            Action::AttachDisk { uuid, disk: Box::new(fixture.disk("/srv/data")) },
            Action::DetachDisk { uuid, disk: Box::new(fixture.disk("/srv/data")) },
            Action::Supervise { uuid },
            Action::SetEnvironment { uuid, environment: BTreeMap::new(), secrets: BTreeMap::new() },
            Action::RunInside { uuid, command: vec!["true".to_owned()], files: vec![] },
        ];
        for action in refused {
            bench.refuses(&fixture.act(action));
        }
        let done = bench.execute(&fixture.act(Action::WaitReady { uuid, ready: Ready::default() }));
        assert!(matches!(done, Err(Error::NotReady { .. })), "{done:?}");
        bench.leaves(&fixture.act(Action::Stop { uuid, how: StopHow::Forced }));
    }
}
