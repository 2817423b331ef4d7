//! The program as a file that nobody can write, whoever gets hold of it.
//!
//! Between clone and execve a process in a container is this program. A container's root could open it through
//! /proc/PID/exe, keep it, and write it once it is no longer busy (CVE-2019-5736); with a user namespace the file's
//! owner forbids that, in a privileged container nothing else does.
//!
//! The file is executed from a clone of its mount that is read-only and attached nowhere. After execve nobody holds
//! that mount by a descriptor, and the kernel changes the flags of no mount that is in no namespace. Its pages are
//! those of the page cache: no copy is made.

use crate::runtime::error::{Result, call, file};
use linux::mount::{READ_ONLY, Reach};
use rustix::fs::{CWD, MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::mount::{OpenTreeFlags, open_tree};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

/// Opens `program` for execution through /proc/self/fd.
pub fn open(program: &Path) -> Result<OwnedFd> {
    // A program that lies on no mount of ours (a memfd, another mount namespace) is copied.
    mount(program).or_else(|_| copy(program))
}

fn mount(program: &Path) -> std::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, program, flags)?;
    linux::mount::set_flags(tree.as_fd(), READ_ONLY, Reach::One)?;
    Ok(tree)
}

fn copy(program: &Path) -> Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut copy = File::from(memfd_create("bayplan", flags).map_err(call("make a memory file"))?);
    let mut source = File::open(program).map_err(file("open", program))?;
    std::io::copy(&mut source, &mut copy).map_err(call("copy the program"))?;
    let seals = SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    fcntl_add_seals(&copy, seals).map_err(call("seal the program"))?;
    // Executing a file that is open for writing is refused (ETXTBSY): hand over one that is not.
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    File::open(path).map(OwnedFd::from).map_err(call("open the sealed program"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fcntl_get_seals;
    use std::io::{Read, Write};

    /// `true` in a memory file: on no mount.
    fn on_no_mount() -> (File, std::path::PathBuf) {
        let program = std::fs::read("/bin/true").unwrap();
        let mut memory = File::from(memfd_create("true", MemfdFlags::empty()).unwrap());
        memory.write_all(&program).unwrap();
        let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd()).into();
        (memory, path)
    }

    #[test]
    fn a_program_on_no_mount_is_copied_and_nobody_can_write_the_copy() {
        let (_memory, path) = on_no_mount();
        let opened = open(&path).unwrap();
        let seals = fcntl_get_seals(&opened).unwrap();
        assert!(seals.contains(SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL));
        let fd = format!("/proc/self/fd/{}", opened.as_raw_fd());
        let written = File::options().write(true).open(&fd).and_then(|mut file| file.write(b"x"));
        assert_eq!(written.unwrap_err().raw_os_error(), Some(libc::EPERM));
        let (mut copy, mut program) = (vec![], vec![]);
        File::open(&fd).unwrap().read_to_end(&mut copy).unwrap();
        File::open("/bin/true").unwrap().read_to_end(&mut program).unwrap();
        assert!(copy == program, "the copy is whole");
        assert!(std::process::Command::new(&fd).status().unwrap().success(), "the copy can be executed");
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_with_its_path() {
        let error = open(Path::new("/nowhere/bayplan")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/bayplan"), "{error}");
    }
}
