//! A tiny system container from the host's static busybox: init, a shell on the console, the usual files. The same
//! busybox gives the same tree, so the same fingerprint.

use super::attributes::Attributes;
use super::error::ImageError;
use super::fingerprint::{self, Plain};
use super::place::Tree;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian's busybox-static and others put it.
const PLACES: [&str; 2] = ["/bin/busybox", "/usr/bin/busybox"];

/// Empty folders: mount points, and what programs look for. (path, mode)
const FOLDERS: [(&str, u32); 18] = [
    ("", 0o755),
    ("bin", 0o755),
    ("dev", 0o755),
    ("etc", 0o755),
    ("etc/init.d", 0o755),
    ("home", 0o755),
    ("mnt", 0o755),
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sbin", 0o755),
    ("srv", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
    ("usr", 0o755),
    ("var", 0o755),
    ("var/log", 0o755),
    ("var/tmp", 0o1777),
];

/// busybox init: SIGUSR2 powers off, SIGTERM reboots; both run the `shutdown` actions first (init/init.c).
const INITTAB: &str = "\
::sysinit:/etc/init.d/rcS
::respawn:-/bin/sh
::ctrlaltdel:/sbin/reboot
::shutdown:/etc/init.d/rcK
::restart:/sbin/init
";

const START: &str = "\
#!/bin/sh
# Run once by init. What fails here may be forbidden in a container: go on.
ip link set lo up 2>/dev/null
for script in /etc/rc.local; do [ -x \"$script\" ] && \"$script\"; done
exit 0
";

const STOP: &str = "\
#!/bin/sh
# Run by init before it ends all processes.
for script in /etc/rc.shutdown; do [ -x \"$script\" ] && \"$script\"; done
exit 0
";

/// (path, mode, content)
const FILES: [(&str, u32, &str); 11] = [
    ("etc/fstab", 0o644, ""),
    ("etc/group", 0o644, "root:x:0:\ntty:x:5:\nusers:x:100:\nnogroup:x:65534:\n"),
    ("etc/hosts", 0o644, "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/init.d/rcK", 0o755, STOP),
    ("etc/init.d/rcS", 0o755, START),
    ("etc/inittab", 0o644, INITTAB),
    ("etc/os-release", 0o644, "ID=busybox\nNAME=BusyBox\nPRETTY_NAME=\"BusyBox system container\"\n"),
    ("etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
    ("etc/profile", 0o644, "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"),
    ("etc/resolv.conf", 0o644, ""),
    ("etc/shadow", 0o640, "root:*:::::::\nnobody:*:::::::\n"),
];

/// The host's static busybox.
pub fn find() -> Result<PathBuf, ImageError> {
    let found = PLACES.iter().map(PathBuf::from).find(|path| is_static(path).unwrap_or(false));
    found.ok_or_else(|| ImageError::NoBusybox { paths: PLACES.iter().map(PathBuf::from).collect() })
}

/// Makes the tree in the existing folder `into`.
pub fn build(busybox: &Path, into: &Path) -> Result<(), ImageError> {
    let mut tree = Tree::open(into)?;
    for (path, (mode, name)) in names(busybox)? {
        let attributes = Attributes::plain(mode);
        match name {
            Plain::Folder => tree.folder(&path, attributes)?,
            Plain::Symlink(target) => tree.symlink(&path, target, &attributes)?,
            Plain::File(content) => {
                let mut file = tree.file(&path)?;
                file.write_all(&content).map_err(|error| ImageError::io("write", &path, error))?;
                tree.finish_file(&path, &file, &attributes)?;
            }
        }
    }
    tree.finish()
}

/// The tree's fingerprint, without making it.
pub fn fingerprint(busybox: &Path) -> Result<String, ImageError> {
    Ok(fingerprint::of_plain(&names(busybox)?))
}

/// All names of the tree; a folder comes before what is in it.
fn names(busybox: &Path) -> Result<BTreeMap<PathBuf, (u32, Plain<'static>)>, ImageError> {
    const PROGRAM: &str = "../bin/busybox";
    let binary = std::fs::read(busybox).map_err(|error| ImageError::io("read", busybox, error))?;
    let link = |folder: &str, name: &str, target| {
        (Path::new(folder).join(name), (0o777, Plain::Symlink(Path::new(target))))
    };
    let folders = FOLDERS.map(|(path, mode)| (PathBuf::from(path), (mode, Plain::Folder)));
    let files = FILES.map(|(path, mode, content)| {
        (PathBuf::from(path), (mode, Plain::File(Cow::Borrowed(content.as_bytes()))))
    });
    let program = (PathBuf::from("bin/busybox"), (0o755, Plain::File(Cow::Owned(binary))));
    let system = ["init", "reboot", "poweroff", "halt"].map(|name| link("sbin", name, PROGRAM));
    let mut names: BTreeMap<_, _> = folders.into_iter().chain(files).chain([program]).chain(system).collect();
    names.extend(applets(busybox)?.iter().map(|name| link("bin", name, "busybox")));
    Ok(names)
}

/// What `busybox --list` names, sorted; plain names only.
fn applets(busybox: &Path) -> Result<Vec<String>, ImageError> {
    let output = Command::new(busybox).arg("--list").output();
    let output = output.map_err(|error| ImageError::io("run", busybox, error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut names: Vec<String> = text
        .lines()
        .filter(|name| {
            !name.is_empty() && !name.contains('/') && *name != "busybox" && !name.starts_with('.')
        })
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    let is_system = ["sh", "init"].iter().all(|needed| names.iter().any(|name| name == needed));
    if is_system { Ok(names) } else { Err(ImageError::NoApplets { path: busybox.to_owned() }) }
}

/// An ELF file of the host's byte order without an interpreter (elf(5): no `PT_INTERP`).
fn is_static(path: &Path) -> io::Result<bool> {
    let image = std::fs::read(path)?;
    Ok(has_interpreter(&image) == Some(false))
}

/// None when it is no ELF file.
fn has_interpreter(image: &[u8]) -> Option<bool> {
    const PT_INTERP: u64 = 3;
    if image.get(..4)? != b"\x7fELF" {
        return None;
    }
    let is_64 = *image.get(4)? == 2;
    let field = |offset: u64, length: usize| -> Option<u64> {
        let offset = usize::try_from(offset).ok()?;
        let bytes = image.get(offset..offset.checked_add(length)?)?;
        let mut number = [0; 8];
        number[..length].copy_from_slice(bytes);
        Some(u64::from_le_bytes(number))
    };
    let (table, size, count) = if is_64 {
        (field(0x20, 8)?, field(0x36, 2)?, field(0x38, 2)?)
    } else {
        (field(0x1c, 4)?, field(0x2a, 2)?, field(0x2c, 2)?)
    };
    for index in 0..count {
        if field(table.checked_add(index * size)?, 4)? == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interpreter_is_seen_and_text_is_no_program() {
        let this_test = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(has_interpreter(&this_test), Some(true));
        assert_eq!(has_interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(has_interpreter(b"\x7fELF"), None);
    }
}
