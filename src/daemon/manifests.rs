//! Manifests that are followed: says when to read them again. Folders may be exchanged by rename, removed and made
//! again, or be links (`..data` of a mounted ConfigMap), so what each stands in is watched too, and whoever listens
//! calls [`Watch::renew`] after each change.

use super::shared::Event;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

/// Watches until dropped.
pub struct Watch {
    paths: Vec<PathBuf>,
    events: Sender<Event>,
    watcher: Option<RecommendedWatcher>,
}

impl Watch {
    pub fn new(paths: Vec<PathBuf>, events: Sender<Event>) -> Watch {
        let mut watch = Watch { paths, events, watcher: None };
        watch.renew();
        watch
    }

    /// Watches what is at the paths now.
    pub fn renew(&mut self) {
        let events = self.events.clone();
        let told = move |event: notify::Result<notify::Event>| {
            let read_only = event.as_ref().is_ok_and(|event| event.kind.is_access());
            if !read_only {
                // A listener that is gone needs no events.
                let _ = events.send(Event::Manifests);
            }
        };
        let Ok(mut watcher) = notify::recommended_watcher(told) else {
            tracing::warn!("no inotify; manifests are only read again in each full pass");
            return;
        };
        for path in &self.paths {
            // What is gone in between is watched by the next look, ten seconds from now at the latest.
            let _ = watcher.watch(&holder(path), RecursiveMode::NonRecursive);
            if path.is_dir() {
                let _ = watcher.watch(path, RecursiveMode::Recursive);
            }
            if let Ok(real) = path.canonicalize()
                && real != *path
            {
                let _ = watcher.watch(&holder(&real), RecursiveMode::NonRecursive);
            }
        }
        self.watcher = Some(watcher);
    }
}

/// The nearest folder above that is there: in it what is gone comes back.
fn holder(path: &Path) -> PathBuf {
    let mut above = path.ancestors().skip(1);
    above.find(|folder| folder.is_dir()).unwrap_or(Path::new("/")).to_owned()
}
