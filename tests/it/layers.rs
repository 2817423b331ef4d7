//! Who may import whom (ARCHITECTURE.md, section 2): every `crate::X` of every file under src, its tests included.

use crate::golden::folder;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Paths under src and the rooms that files there may use besides their own. The longest path that a file's begins
/// with counts.
const TABLE: [(&str, &[&str]); 24] = [
    ("model/", &[]),
    ("spec/", &["model"]),
    ("source/", &["model", "spec", "content"]),
    ("reconcile/", &["model"]),
    ("reconcile/mod.rs", &["model", "driver"]),
    ("reconcile/apply.rs", &["model", "driver"]),
    ("reconcile/controller.rs", &["model", "driver"]),
    ("runtime/", &["model"]),
    ("network/", &["model"]),
    ("storage/", &["model"]),
    ("image/", &["model"]),
    ("content/", &["model"]),
    ("store/", &["model"]),
    ("driver/mod.rs", &["model"]),
    ("driver/faulty.rs", &["model"]),
    ("driver/conformance/", &["model"]),
    ("driver/records.rs", &["model", "store"]),
    ("driver/rename.rs", &["model", "store"]),
    ("driver/part.rs", &["model", "store"]),
    ("driver/memory/", &["model", "store"]),
    ("driver/native/", &["model", "runtime", "network", "storage", "image", "content", "store"]),
    ("api/", &["model", "spec", "source", "reconcile", "driver", "runtime", "store", "daemon"]),
    ("daemon/", &["model", "spec", "source", "reconcile", "driver", "runtime", "store", "api"]),
    ("cli/", &["model", "spec", "source", "reconcile", "store", "api", "daemon"]),
];

/// What only one place of a room's neighbour may be used for: path under src, what is refused there.
const REFUSED: [(&str, &str); 4] = [
    // The trait alone; drivers are built by daemon::wiring.
    ("reconcile/", "crate::driver::native"),
    ("reconcile/", "crate::driver::memory"),
    ("cli/", "crate::driver"),
    ("driver/memory/", "crate::store::files"),
];

/// No file, clock, process, environment or randomness in pure rooms.
const EFFECTS: [&str; 8] = [
    "std::fs",
    "std::env",
    "std::process",
    "std::net::Tcp",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Uuid::new_v4",
];

fn sources() -> Vec<(String, String)> {
    let root = folder("src");
    let mut files = vec![];
    collect(&root, &root, &mut files);
    assert!(files.len() > 100, "only {} files", files.len());
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The rooms that a text names: `crate::room` and each of `crate::{room, room::x}`.
fn rooms(text: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for rest in line.split("crate::").skip(1) {
            let group = rest.strip_prefix('{').map(|group| group.split('}').next().unwrap_or_default());
            for part in group.map_or(vec![rest], |group| group.split(',').collect()) {
                let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let room: String = part.trim().chars().take_while(|letter| word(*letter)).collect();
                rooms.insert(room);
            }
        }
    }
    rooms
}

#[test]
fn rooms_import_only_what_the_table_allows() {
    let names: BTreeSet<&str> = TABLE.iter().filter_map(|(path, _)| path.split('/').next()).collect();
    let mut wrong = vec![];
    for (file, text) in sources() {
        let Some(own) = file.split_once('/').map(|(room, _)| room) else { continue };
        let row = TABLE.iter().filter(|(path, _)| file.starts_with(path)).max_by_key(|(path, _)| path.len());
        let Some((_, allowed)) = row else { panic!("src/{file} has no row in the table") };
        for room in rooms(&text).iter().filter(|room| names.contains(room.as_str())) {
            if room != own && !allowed.contains(&room.as_str()) {
                wrong.push(format!("src/{file} uses crate::{room}"));
            }
        }
        for (path, refused) in REFUSED {
            if file.starts_with(path) && text.contains(refused) {
                wrong.push(format!("src/{file} uses {refused}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_rooms_touch_nothing_outside() {
    let thin = ["reconcile/apply.rs", "reconcile/controller.rs"];
    let mut wrong = vec![];
    for (file, text) in sources() {
        let pure = ["model/", "spec/", "reconcile/"].iter().any(|room| file.starts_with(room));
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        for effect in EFFECTS.iter().filter(|_| pure && !thin.contains(&file.as_str())) {
            if product.contains(effect) {
                wrong.push(format!("src/{file} uses {effect}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn grouped_and_plain_uses_are_both_seen() {
    let text = "use crate::{model::key, store};\n// crate::cli\nlet x = crate::spec::load();";
    assert_eq!(rooms(text), ["model", "store", "spec"].map(str::to_owned).into());
}
