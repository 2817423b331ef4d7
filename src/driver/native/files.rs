//! Files in a container's root: from the model's words to the runtime's, and back. A stopped container's root is
//! mounted for the moment, with the ids that are on its disk; a running one's is its own.

use super::containers::{self, Running};
use super::failure::{failed, precondition};
use super::{Native, pools};
use crate::content::{resolve, sealed};
use crate::driver::records::{self, Absent, Settles};
use crate::driver::{Error, StepContext};
use crate::model::content::{Content, Digest, SecretValue};
use crate::model::id_map::IdMap;
use crate::model::key::Key;
use crate::model::object::Spec;
use crate::model::observed::{FileFacts, RegularFile, RootFacts};
use crate::model::record::Record;
use crate::model::root::Root;
use crate::model::step::FileWrite;
use crate::model::typed;
use crate::runtime::channel::Failure;
use crate::runtime::error::Error as RuntimeError;
use crate::runtime::files::{self as runtime_files, FileOrder, Found, Namespaces};
use crate::runtime::identity::ProcessId;
use crate::runtime::observe::Seen;
use crate::runtime::rootfs;
use crate::runtime::start_spec::StartSpec;
use crate::runtime::user::Tables;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::SystemTime;
use uuid::Uuid;

/// A container's root, open.
struct Place {
    root: OwnedFd,
    /// Its init; none: it does not run.
    running: Option<(ProcessId, Namespaces)>,
    /// How ids appear at `root`; none: as they are inside.
    id_map: Option<IdMap>,
}

impl Place {
    /// To write in.
    fn open(native: &Native, key: &Key, pool: &str, uuid: Uuid) -> Result<Place, Error> {
        Place::mounted(native, key, (pool, uuid), |root| rootfs::detached(root, None))
    }

    /// To look at: others may write in it meanwhile.
    fn to_read(native: &Native, key: &Key, pool: &str, uuid: Uuid) -> Result<Place, Error> {
        Place::mounted(native, key, (pool, uuid), rootfs::to_read)
    }

    fn mounted(
        native: &Native,
        key: &Key,
        (pool, uuid): (&str, Uuid),
        mount: impl FnOnce(&Root) -> Result<OwnedFd, Failure>,
    ) -> Result<Place, Error> {
        let what = || format!("{key}: its root cannot be opened");
        match Running::find(native, key, uuid) {
            Ok(running) => {
                Place::of_running(&running.spec, running.init).map_err(|error| failed(what(), error))
            }
            Err(Error::Precondition { .. }) => {
                containers::refuse_lost_layers(native, key, pool, uuid)?;
                let root = pools::root(key, &native.pool(pool)?, uuid)?;
                let root = mount(&root).map_err(|failure| failed(what(), RuntimeError::from(failure)))?;
                Ok(Place { root, running: None, id_map: None })
            }
            Err(error) => Err(error),
        }
    }

    fn of_running(spec: &StartSpec, init: ProcessId) -> io::Result<Place> {
        let id_map = spec.id_map().cloned();
        let namespaces = if id_map.is_some() { Namespaces::UserAndMount } else { Namespaces::Mount };
        Ok(Place { root: runtime_files::root_of(init)?, running: Some((init, namespaces)), id_map })
    }

    /// What is at a path; a regular file's ids as they are inside.
    fn look(&self, path: &str) -> io::Result<Found> {
        Ok(match runtime_files::look(self.root.as_fd(), Path::new(path))? {
            Found::Regular { file, mode, uid, gid } => {
                let map = self.id_map.as_ref();
                let uid = map.map_or(Some(uid), |map| map.inside_uid(uid)).unwrap_or(u32::MAX);
                let gid = map.map_or(Some(gid), |map| map.inside_gid(gid)).unwrap_or(u32::MAX);
                Found::Regular { file, mode, uid, gid }
            }
            other => other,
        })
    }
}

/// The content of a plan's step, if it still is what the plan was made with.
pub fn planned(native: &Native, key: &Key, content: &Content, digest: &Digest) -> Result<SecretValue, Error> {
    let value = resolve::value(content).map_err(|error| failed(format!("{key}: no content"), error))?;
    if native.digest_key()?.digest(value.expose()) != *digest {
        return Err(precondition(key, format!("{content} as it was planned"), "it has changed since"));
    }
    Ok(value)
}

pub fn write(
    native: &Native,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    file: &FileWrite,
    context: &StepContext<'_>,
) -> Result<bool, Error> {
    let what = || format!("{key}: file {} could not be written", file.path);
    let place = Place::open(native, key, pool, uuid)?;
    let value = planned(native, key, &file.from, &file.digest)?;
    let order = order(native, key, &place, file)?;
    let found = place.look(&file.path).map_err(|error| failed(what(), error))?;
    let absent = if matches!(found, Found::Missing) { Absent::Yes } else { Absent::No };
    if let Found::Other("folder") = found {
        let message = format!("there is a folder at {}, where a file is declared", file.path);
        let help = "remove or move it inside, or declare another path".to_owned();
        let field = format!("files.{}", file.path);
        return Err(Error::Unfit { key: key.clone(), field, message, help });
    }
    let differs = !is_as_ordered(native, found, &order, &file.digest)?;
    let settles = if differs && file.settles && place.running.is_some() { Settles::Yes } else { Settles::No };
    native.keep_digest_key()?;
    let noted = records::note_file(&native.records, key, &file.path, context.actor, |before| {
        Some(records::about_to_write(before, &file.digest, absent, settles))
    })?;
    if differs {
        let content = sealed::seal(&value).map_err(|error| failed(what(), error))?;
        put(native, &place, &order, content).map_err(|error| failed(what(), error))?;
    }
    Ok(differs || noted)
}

fn put(
    native: &Native,
    place: &Place,
    order: &FileOrder,
    content: OwnedFd,
) -> crate::runtime::error::Result<()> {
    match place.running {
        Some(running) => runtime_files::put_inside(&native.spawner, running, order, content.as_fd()),
        None => runtime_files::put(place.root.as_fd(), order, &mut File::from(content))
            .map_err(crate::runtime::error::Error::from),
    }
}

/// Mode and ids as numbers inside; a name that the container does not know is refused.
fn order(native: &Native, key: &Key, place: &Place, file: &FileWrite) -> Result<FileOrder, Error> {
    let tables = Tables::of_root(place.root.as_fd())
        .map_err(|error| failed(format!("{key}: its users cannot be read"), error))?;
    let unfit = |field: &str, message: String, help: String| Error::Unfit {
        key: key.clone(),
        field: format!("files.{}.{field}", file.path),
        message,
        help,
    };
    let uid = tables.uid(&file.owner).ok_or_else(|| {
        let message = format!("its /etc/passwd has no user {} to own {}", file.owner, file.path);
        let help = "declare another `owner` (a number will do), or make the user inside".to_owned();
        unfit("owner", message, help)
    })?;
    let gid = tables.gid(&file.group).ok_or_else(|| {
        let message = format!("its /etc/group has no group {} for {}", file.group, file.path);
        let help = "declare another `group` (a number will do), or make the group inside".to_owned();
        unfit("group", message, help)
    })?;
    let record = records::existing(&native.records, key)?;
    let count = record.identity.map_or(0, |identity| identity.id_count);
    let is_outside = |(_, id): &(&str, u32)| count > 0 && *id >= count;
    if let Some((field, id)) = [("owner", uid), ("group", gid)].into_iter().find(is_outside) {
        let message = format!("{id} for {} is outside its range of {count} ids", file.path);
        return Err(unfit(field, message, format!("declare an id below {count}")));
    }
    let mode = u32::from_str_radix(&file.mode, 8).unwrap_or(0o644);
    Ok(FileOrder { path: file.path.clone().into(), mode, uid, gid })
}

fn is_as_ordered(native: &Native, found: Found, order: &FileOrder, digest: &Digest) -> Result<bool, Error> {
    let Found::Regular { file, mode, uid, gid } = found else { return Ok(false) };
    if (mode, uid, gid) != (order.mode, order.uid, order.gid) {
        return Ok(false);
    }
    let key = native.digest_key()?;
    key.digest_of(file)
        .map(|found| found == *digest)
        .map_err(|error| failed(format!("{} cannot be read", order.path.display()), error))
}

/// Removes a file that a step made; another's is only forgotten.
pub fn remove(
    native: &Native,
    key: &Key,
    (pool, uuid): (&str, Uuid),
    path: &str,
    context: &StepContext<'_>,
) -> Result<bool, Error> {
    let what = || format!("{key}: file {path} could not be removed");
    let place = Place::open(native, key, pool, uuid)?;
    let record = records::existing(&native.records, key)?;
    let made = record.files.get(path).is_some_and(|written| written.made);
    let found = place.look(path).map_err(|error| failed(what(), error))?;
    let removes = made && matches!(found, Found::Regular { .. } | Found::Other("link"));
    if removes {
        match place.running {
            Some(running) => runtime_files::remove_inside(&native.spawner, running, Path::new(path)),
            None => runtime_files::remove(place.root.as_fd(), Path::new(path))
                .map_err(crate::runtime::error::Error::from),
        }
        .map_err(|error| failed(what(), error))?;
    }
    Ok(records::note_file(&native.records, key, path, context.actor, |_| None)? || removes)
}

impl Native {
    /// What a regular file of a container holds, running or stopped; no link at its end is followed.
    pub fn file_content(&self, key: &Key, record: &Record, path: &str, most: u64) -> Result<Vec<u8>, Error> {
        let what = || format!("{key}: file {path} cannot be read");
        let identity = record.identity.as_ref().ok_or_else(|| Error::NoRecord { key: key.clone() })?;
        let applied = record.applied.as_ref().map(|applied| &applied.object.spec);
        let pool = match applied {
            Some(Spec::Container(container)) => typed::root_pool(&container.devices),
            _ => None,
        };
        let place = Place::to_read(self, key, pool.unwrap_or("default"), identity.uuid)?;
        let Found::Regular { file, .. } = place.look(path).map_err(|error| failed(what(), error))? else {
            return Err(precondition(key, format!("a regular file at {path}"), "there is none"));
        };
        let mut bytes = vec![];
        file.take(most + 1).read_to_end(&mut bytes).map_err(|error| failed(what(), error))?;
        match bytes.len() as u64 > most {
            true => Err(precondition(key, format!("at most {most} bytes in {path}"), "it has more")),
            false => Ok(bytes),
        }
    }
}

/// What is at the paths that a container's record is about. What cannot be looked at is left out, and so is what is
/// parked: nothing runs in it that could change it, and each look would mount its root.
pub fn observe(
    native: &Native,
    (key, record): (&Key, &Record),
    root: Option<&RootFacts>,
    seen: Option<&Seen>,
) -> Result<BTreeMap<String, FileFacts>, Error> {
    let paths = records::file_paths(record);
    let mut facts = BTreeMap::new();
    let runs = seen.is_some_and(|seen| seen.init.is_some());
    if paths.is_empty() || (record.parked.is_some() && !runs) {
        return Ok(facts);
    }
    let place = match (seen.and_then(|seen| Some((&seen.spec, seen.init?))), root) {
        (Some((spec, init)), _) => Place::of_running(spec, init).ok(),
        (None, Some(root)) if root.image_present => {
            Place::to_read(native, key, &root.pool, root.identity.identity.uuid).ok()
        }
        (None, _) => None,
    };
    let Some(place) = place else { return Ok(facts) };
    let tables = Tables::of_root(place.root.as_fd()).unwrap_or_default();
    let (digest_key, now) = (native.digest_key()?, SystemTime::now());
    for path in paths {
        let found = place.look(&path).and_then(|found| {
            Ok(match found {
                Found::Missing => FileFacts::Missing,
                Found::Other(thing) => FileFacts::Other(thing.to_owned()),
                Found::Regular { file, mode, uid, gid } => FileFacts::Regular(RegularFile {
                    digest: native.kept.digest(&file, now, || digest_key.digest_of(&file))?,
                    mode: format!("{mode:04o}"),
                    owner: tables.names_of_uid(uid),
                    group: tables.names_of_gid(gid),
                }),
            })
        });
        // A container that ends while it is looked at is not looked at.
        let ended = || place.running.is_some_and(|(init, _)| !init.is_alive());
        match found {
            Ok(found) => drop(facts.insert(path, found)),
            Err(_) if ended() => return Ok(BTreeMap::new()),
            Err(error) => {
                tracing::debug!("{key}: {path} cannot be looked at: {error}");
                facts.insert(path, FileFacts::Other("thing that cannot be read".to_owned()));
            }
        }
    }
    Ok(facts)
}
