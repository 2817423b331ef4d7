//! Which mounts lie below a folder, as /proc/self/mountinfo tells it (proc_pid_mountinfo(5)).

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mount points at or below `path` in the caller's mount namespace; `path` must be free of symbolic links
/// (`canonicalize` it). A mount in another namespace is not seen.
pub fn below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let text = std::fs::read("/proc/self/mountinfo")?;
    Ok(mount_points(&text).into_iter().filter(|point| point.starts_with(path)).collect())
}

/// The fifth field of every line, unescaped.
fn mount_points(mountinfo: &[u8]) -> Vec<PathBuf> {
    mountinfo
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescape(field))))
        .collect()
}

/// The kernel writes blank, tab, newline and backslash as `\` and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                plain.push(byte);
                rest = &tail[3..];
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_and_unescaped() {
        let text = b"22 1 254:0 / / rw - ext4 /dev/vda rw\n30 22 0:5 / /srv/a\\040b\\134c rw - tmpfs x rw\n";
        assert_eq!(mount_points(text), [PathBuf::from("/"), PathBuf::from("/srv/a b\\c")]);
    }

    #[test]
    fn a_folder_with_no_mount_has_none_below_and_the_root_has_some() {
        let folder = tempfile::tempdir().unwrap();
        assert!(below(folder.path()).unwrap().is_empty());
        assert!(!below(Path::new("/")).unwrap().is_empty());
    }
}
