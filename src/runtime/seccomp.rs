//! The system calls that no container may make. Compiled once by libseccomp, then loaded as bytes: compiling costs
//! about 25 ms, loading 0.3.

use crate::runtime::error::{Error, Result, file};
use libseccomp::{ScmpAction, ScmpArch, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Changes with the list below, so that a stale file is never used.
const CACHE_NAME: &str = "denylist-1.bpf";

/// LXC's common denylist, and calls that only a host's administrator has use for.
const DENIED: [&str; 13] = [
    "kexec_load",
    "kexec_file_load",
    "open_by_handle_at",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "query_module",
    "get_kernel_syms",
    "swapon",
    "swapoff",
    "iopl",
    "ioperm",
];
const MNT_FORCE: u64 = 1;

/// The compiled filter in `folder`, made when it is missing.
pub fn cached(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(CACHE_NAME);
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(folder).map_err(file("make", folder))?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(file("make a file in", folder))?;
    temporary.write_all(&compile()?).map_err(file("write", &path))?;
    temporary.as_file().sync_all().map_err(file("sync", &path))?;
    temporary.persist(&path).map_err(|error| file("rename", &path)(error.error))?;
    Ok(path)
}

/// Everything is allowed but the list; 32-bit programs are covered and keep working.
fn compile() -> Result<Vec<u8>> {
    let failed = |source| Error::Seccomp { source };
    let mut filter = ScmpFilterContext::new(ScmpAction::Allow).map_err(failed)?;
    filter.set_act_badarch(ScmpAction::Errno(libc::ENOSYS)).map_err(failed)?;
    for arch in more_architectures() {
        filter.add_arch(*arch).map_err(failed)?;
    }
    filter.set_ctl_nnp(false).map_err(failed)?;
    filter.set_ctl_optimize(2).map_err(failed)?;
    for name in DENIED {
        // A name that this architecture or libseccomp does not know is no call that can be made.
        if let Ok(number) = ScmpSyscall::from_name(name) {
            filter.add_rule(ScmpAction::Errno(libc::EPERM), number).map_err(failed)?;
        }
    }
    let umount = ScmpSyscall::from_name("umount2").map_err(failed)?;
    let forced = ScmpArgCompare::new(1, ScmpCompareOp::MaskedEqual(MNT_FORCE), MNT_FORCE);
    filter.add_rule_conditional(ScmpAction::Errno(libc::EACCES), umount, &[forced]).map_err(failed)?;
    export(&filter)
}

fn export(filter: &ScmpFilterContext) -> Result<Vec<u8>> {
    use std::io::{Read, Seek};
    let path = Path::new("a temporary file");
    let mut file_of_bytes = tempfile::tempfile().map_err(file("make", path))?;
    filter.export_bpf(&mut file_of_bytes).map_err(|source| Error::Seccomp { source })?;
    file_of_bytes.rewind().map_err(file("rewind", path))?;
    let mut program = Vec::new();
    file_of_bytes.read_to_end(&mut program).map_err(file("read", path))?;
    Ok(program)
}

#[cfg(target_arch = "x86_64")]
fn more_architectures() -> &'static [ScmpArch] {
    &[ScmpArch::X86, ScmpArch::X32]
}

#[cfg(target_arch = "aarch64")]
fn more_architectures() -> &'static [ScmpArch] {
    &[ScmpArch::Arm]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn more_architectures() -> &'static [ScmpArch] {
    &[]
}
