//! Inits that are watched by pidfd: one that ends is told at once, with its key and the time. A pass may be under way
//! then, and the event be taken much later.
//!
//! One thread polls; it is woken by a byte in a pipe when the set changes, and ends when the set is dropped. For each
//! container a connection attends to the monitor, so that it leaves reboots from inside to this process.

use super::shared::Event;
use super::wiring::Bay;
use crate::driver::Scope;
use crate::model::key::Key;
use crate::model::observed::Observed;
use crate::runtime::{console, records};
use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

struct Init {
    incarnation: u64,
    pidfd: Arc<OwnedFd>,
    _attended: Option<console::Connection>,
}

type Watched = BTreeMap<Key, Init>;

/// The inits of one host.
pub struct Inits {
    watched: Arc<Mutex<Watched>>,
    wake: OwnedFd,
    events: Sender<Event>,
}

impl Inits {
    pub fn new(events: Sender<Event>) -> std::io::Result<Inits> {
        let (woken, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let watched = Arc::new(Mutex::new(Watched::new()));
        let shared = Arc::clone(&watched);
        let told = events.clone();
        std::thread::Builder::new().name("inits".to_owned()).spawn(move || listen(&shared, &woken, &told))?;
        Ok(Inits { watched, wake, events })
    }

    /// Watches what runs now, as far as it was looked at; those that were not watched before. A modelled host has no
    /// processes.
    pub fn update(&self, bay: &Bay, observed: &Observed, scope: &Scope) -> Vec<Key> {
        let mut new = vec![];
        let Some(native) = bay.native() else { return new };
        let mut watched = lock(&self.watched);
        let mut running = Watched::new();
        if *scope != Scope::All {
            running.extend(watched.extract_if(.., |key, _| !observed.records.contains_key(key)));
        }
        for (key, record) in &observed.records {
            let Some(identity) = &record.identity else { continue };
            let Some(run) = observed.containers.get(&identity.uuid).and_then(|facts| facts.run.as_ref())
            else {
                continue;
            };
            if let Some(known) = watched.remove(key).filter(|init| init.incarnation == run.incarnation) {
                running.insert(key.clone(), known);
                continue;
            }
            let pid = i32::try_from(run.pid).ok().and_then(Pid::from_raw);
            new.push(key.clone());
            let Some(Ok(pidfd)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else {
                // It ended while we looked. A loop that has ended needs no telling.
                let _ = self.events.send(Event::Ended(key.clone(), Timestamp::now()));
                continue;
            };
            let folder = records::folder(&native.layout().run, &identity.uuid);
            let attended = console::Connection::open(&folder).and_then(console::Connection::attend).ok();
            let init = Init { incarnation: run.incarnation, pidfd: Arc::new(pidfd), _attended: attended };
            running.insert(key.clone(), init);
        }
        *watched = running;
        // The thread looks at the new set; a full pipe has woken it already.
        let _ = rustix::io::write(&self.wake, b"u");
        new
    }
}

fn listen(watched: &Mutex<Watched>, woken: &OwnedFd, events: &Sender<Event>) {
    loop {
        let inits: Vec<(Key, Arc<OwnedFd>)> =
            lock(watched).iter().map(|(key, init)| (key.clone(), Arc::clone(&init.pidfd))).collect();
        let mut fds = vec![PollFd::new(woken, PollFlags::IN)];
        fds.extend(inits.iter().map(|(_, pidfd)| PollFd::new(pidfd.as_ref(), PollFlags::IN)));
        if poll(&mut fds, None).is_err() {
            continue;
        }
        let woke = fds.first().map_or(PollFlags::empty(), PollFd::revents);
        let ended: Vec<Key> = inits
            .iter()
            .zip(&fds[1..])
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|((key, _), _)| key.clone())
            .collect();
        drop(fds);
        if woke.contains(PollFlags::IN) {
            let mut buffer = [0u8; 64];
            if !matches!(rustix::io::read(woken, &mut buffer), Ok(1..)) {
                return;
            }
        } else if !woke.is_empty() {
            return;
        }
        let now = Timestamp::now();
        for key in ended {
            lock(watched).remove(&key);
            if events.send(Event::Ended(key, now)).is_err() {
                return;
            }
        }
    }
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    #[test]
    fn an_end_is_told_with_its_own_time_however_late_it_is_taken() {
        let mut child = Command::new("true").spawn().unwrap();
        let pidfd = Arc::new(pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).unwrap());
        let init = Init { incarnation: 1, pidfd, _attended: None };
        let watched = Mutex::new(Watched::from([(Key::container("a"), init)]));
        let (woken, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let (told, events) = mpsc::channel();
        let listening = std::thread::spawn(move || listen(&watched, &woken, &told));
        child.wait().unwrap();
        let ended = Timestamp::now();
        std::thread::sleep(Duration::from_secs(2));
        let Ok(Event::Ended(key, at)) = events.recv() else { unreachable!("nothing else is told") };
        assert_eq!(key, Key::container("a"));
        assert!(at.duration_since(ended).as_millis() < 1500, "{at} is not {ended}");
        drop(wake);
        listening.join().unwrap();
    }
}
