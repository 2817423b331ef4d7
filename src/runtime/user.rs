//! Users by a container's own /etc/passwd and /etc/group, read from inside it.

use crate::runtime::files::{self, Found};
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Larger files are no user tables.
const LARGEST: u64 = 4 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
}

impl User {
    pub fn root() -> User {
        User { name: "root".to_owned(), uid: 0, gid: 0, groups: Vec::new(), home: "/root".to_owned() }
    }
}

/// The user that `NAME`, `UID`, `NAME:GROUP` or `UID:GID` means here; none is root.
pub fn find(text: Option<&str>) -> io::Result<User> {
    let Some(text) = text else { return Ok(User::root()) };
    choose(text, &table("/etc/passwd")?, &table("/etc/group")?)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

/// The tables of a root, for looking names up.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    users: String,
    groups: String,
}

impl Tables {
    /// Read by a descriptor of the root; a table that is not there is empty.
    pub fn of_root(root: BorrowedFd<'_>) -> io::Result<Tables> {
        let read = |path: &str| match files::look(root, Path::new(path))? {
            Found::Regular { file, .. } => {
                let mut text = vec![];
                file.take(LARGEST).read_to_end(&mut text)?;
                Ok(String::from_utf8_lossy(&text).into_owned())
            }
            _ => Ok::<_, io::Error>(String::new()),
        };
        Ok(Tables { users: read("/etc/passwd")?, groups: read("/etc/group")? })
    }

    /// The uid of a name or number; root is 0 whatever the table says.
    pub fn uid(&self, text: &str) -> Option<u32> {
        let known = || self.users.lines().filter_map(user_of).find(|user| user.name == text);
        by_name(text, || known().map(|user| user.uid))
    }

    pub fn gid(&self, text: &str) -> Option<u32> {
        let known = || self.groups.lines().filter_map(group_of).find(|(name, ..)| *name == text);
        by_name(text, || known().map(|(_, gid, _)| gid))
    }

    /// The number, and every name that the table has for it.
    pub fn names_of_uid(&self, uid: u32) -> BTreeSet<String> {
        let users = self.users.lines().filter_map(user_of).filter(|user| user.uid == uid);
        all_names(uid, users.map(|user| user.name))
    }

    pub fn names_of_gid(&self, gid: u32) -> BTreeSet<String> {
        let groups = self.groups.lines().filter_map(group_of).filter(|(_, number, _)| *number == gid);
        all_names(gid, groups.map(|(name, ..)| name.to_owned()))
    }
}

fn by_name(text: &str, known: impl Fn() -> Option<u32>) -> Option<u32> {
    if text == "root" { Some(0) } else { text.parse().ok().or_else(known) }
}

fn all_names(number: u32, names: impl Iterator<Item = String>) -> BTreeSet<String> {
    let root = (number == 0).then(|| "root".to_owned());
    names.chain(root).chain([number.to_string()]).collect()
}

fn choose(text: &str, users: &str, groups: &str) -> Option<User> {
    let (name, group) = text.split_once(':').map_or((text, None), |(name, group)| (name, Some(group)));
    let mut user = match users.lines().filter_map(user_of).find(|user| user.name == name) {
        Some(user) => user,
        None => by_number(name.parse().ok()?, users),
    };
    let memberships =
        groups.lines().filter_map(group_of).filter(|(_, _, members)| members.contains(&user.name.as_str()));
    user.groups = memberships.map(|(_, gid, _)| gid).collect();
    if let Some(group) = group {
        let named = groups.lines().filter_map(group_of).find(|(name, ..)| *name == group);
        user.gid = named.map_or_else(|| group.parse().ok(), |(_, gid, _)| Some(gid))?;
        user.groups.clear();
    }
    Some(user)
}

/// An id without an entry is a user without a home.
fn by_number(uid: u32, users: &str) -> User {
    let known = users.lines().filter_map(user_of).find(|user| user.uid == uid);
    known.unwrap_or_else(|| User {
        name: uid.to_string(),
        uid,
        gid: 0,
        groups: Vec::new(),
        home: "/".to_owned(),
    })
}

fn user_of(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    Some(User {
        name: (*fields.first()?).to_owned(),
        uid: fields.get(2)?.parse().ok()?,
        gid: fields.get(3)?.parse().ok()?,
        groups: Vec::new(),
        home: (*fields.get(5)?).to_owned(),
    })
}

fn group_of(line: &str) -> Option<(&str, u32, Vec<&str>)> {
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields.first()?, fields.get(2)?.parse().ok()?, fields.get(3)?.split(',').collect()))
}

fn table(path: &str) -> io::Result<String> {
    let mut text = String::new();
    match fs::File::open(path) {
        Ok(open) => open.take(LARGEST).read_to_string(&mut text).map(|_| text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(text),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::choose;

    const USERS: &str = "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/var/www:/bin/false\n";
    const GROUPS: &str = "root:x:0:\nwww:x:33:\nlogs:x:40:www,root\n";

    #[test]
    fn users_are_found_by_name_and_number() {
        let user = choose("www", USERS, GROUPS).unwrap();
        assert_eq!((user.uid, user.gid, user.groups), (33, 33, vec![40]));
        assert_eq!(choose("33", USERS, GROUPS).unwrap().name, "www");
        assert_eq!(choose("1234", USERS, GROUPS).unwrap().uid, 1234);
        assert_eq!(choose("www:logs", USERS, GROUPS).unwrap().gid, 40);
        assert_eq!(choose("5:7", USERS, GROUPS).unwrap().gid, 7);
        assert_eq!(choose("nobody-here", USERS, GROUPS), None);
    }
}
