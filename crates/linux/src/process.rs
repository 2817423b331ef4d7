//! Processes: fork and clone3 for single-threaded programs, ends without destructors, exit facts by pidfd.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// What a fork gave: the child sees `Child`, the parent the child's pid.
#[derive(Debug)]
pub enum Fork {
    Child,
    Parent(i32),
}

/// What clone3 gave.
#[derive(Debug)]
pub enum Clone {
    Child,
    Parent { pid: i32, pidfd: OwnedFd },
}

/// Forks. Refused with EBUSY in a process that has threads: the child would inherit locks nobody can release.
pub fn fork() -> io::Result<Fork> {
    require_single_thread()?;
    // SAFETY: the process has one thread (checked above), so no lock is held by a thread that the child lacks.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Forks a child that keeps only `keep` of the descriptors above 2, runs `body` and ends with its answer.
/// `body` is a plain function, so that it cannot carry a descriptor that is closed under it. With a cgroup v2 folder
/// the child begins there: nobody has to be moved, which would wait for a grace period of RCU.
pub fn fork_keeping(
    keep: Vec<OwnedFd>,
    argument: Vec<u8>,
    cgroup: Option<BorrowedFd<'_>>,
    body: fn(Vec<OwnedFd>, Vec<u8>) -> i32,
) -> io::Result<i32> {
    let parent = match cgroup {
        None => fork().map(|fork| match fork {
            Fork::Child => None,
            Fork::Parent(pid) => Some(pid),
        })?,
        Some(_) => clone3(0, cgroup).map(|clone| match clone {
            Clone::Child => None,
            Clone::Parent { pid, .. } => Some(pid),
        })?,
    };
    if let Some(pid) = parent {
        return Ok(pid);
    }
    let raw: Vec<RawFd> = keep.iter().map(AsRawFd::as_raw_fd).collect();
    if close_all_but(raw).is_err() {
        end(127);
    }
    end(body(keep, argument))
}

/// clone3(2) without a new stack, like fork, with `flags` (CLONE_NEW…), a pidfd and, when given, straight into a
/// cgroup v2 folder. Same refusal as [`fork`].
pub fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Clone> {
    require_single_thread()?;
    let mut pidfd: RawFd = -1;
    let mut arguments = libc::clone_args {
        flags: flags | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: libc::SIGCHLD as u64,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: 0,
    };
    if let Some(folder) = cgroup {
        arguments.flags |= 0x2_0000_0000; // CLONE_INTO_CGROUP; libc's constant has the wrong type
        arguments.cgroup = folder.as_raw_fd() as u64;
    }
    // SAFETY: `arguments` lives through the call, its size is passed, `pidfd` is a valid place for an int; without
    // CLONE_VM and stack the child goes on like after fork, and the process has one thread (checked above).
    let answer =
        unsafe { libc::syscall(libc::SYS_clone3, &raw mut arguments, size_of::<libc::clone_args>()) };
    match answer {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Clone::Child),
        pid => {
            // SAFETY: the kernel has just put this new descriptor there for us; nobody else knows it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Clone::Parent { pid: pid as i32, pidfd })
        }
    }
}

/// Ends the process at once: no destructor, no atexit, no buffer is flushed.
pub fn end(code: i32) -> ! {
    // SAFETY: _exit takes any int and does not return.
    unsafe { libc::_exit(code) }
}

/// Marks every descriptor from `first` on as close-on-exec, whoever opened it.
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: with CLOSE_RANGE_CLOEXEC nothing is closed now; only a flag is set.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// All signals back to their default action and none blocked, as a program expects after execve.
pub fn default_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is a valid action for every signal; those that refuse it (9, 19, 32, 33) answer EINVAL.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigemptyset fills the set it is given.
    unsafe { libc::sigemptyset(none.as_mut_ptr()) };
    // SAFETY: the set was filled above; the old set is not wanted.
    unsafe { libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) };
}

/// Ignores a signal. For SIGCHLD this also means that children are reaped by the kernel (wait(2)).
pub fn ignore_signal(signal: i32) {
    // SAFETY: SIG_IGN is a valid action and runs no code of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Sends any signal, real-time ones too, by pidfd.
pub fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed for the call; a null siginfo is allowed.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0u32,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The wait status of a process that is gone and was reaped by somebody else (PIDFD_INFO_EXIT, Linux 6.15);
/// `None` where the kernel cannot tell.
pub fn pidfd_exit_status(pidfd: BorrowedFd<'_>) -> Option<i32> {
    #[repr(C)]
    #[derive(Default)]
    struct PidfdInfo {
        mask: u64,
        cgroup_id: u64,
        ids: [u32; 11],
        exit_code: i32,
        rest: [u32; 4],
    }
    const PIDFD_INFO_EXIT: u64 = 1 << 3;
    // _IOWR(0xFF, 11, struct pidfd_info) with the structure's first published size, 64 bytes (linux/pidfd.h).
    const PIDFD_GET_INFO: u64 = (3 << 30) | (64 << 16) | (0xFF << 8) | 11;
    let mut facts = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the structure is larger than the 64 bytes that the request number announces, and outlives the call.
    let answer = unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as libc::Ioctl, &raw mut facts) };
    (answer == 0 && facts.mask & PIDFD_INFO_EXIT != 0).then_some(facts.exit_code)
}

/// Whether this process has no thread but the calling one.
pub fn is_single_threaded() -> bool {
    // The folder has a link for itself, one for its name, and one for each thread's folder.
    fs::metadata("/proc/self/task").is_ok_and(|folder| std::os::unix::fs::MetadataExt::nlink(&folder) == 3)
}

fn require_single_thread() -> io::Result<()> {
    if is_single_threaded() { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EBUSY)) }
}

fn close_all_but(mut keep: Vec<RawFd>) -> io::Result<()> {
    keep.sort_unstable();
    let mut first = 3u32;
    for fd in keep.into_iter().filter(|fd| *fd > 2) {
        let fd = fd as u32;
        if fd > first {
            close_range(first, fd - 1)?;
        }
        first = fd + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: only called in a fresh child whose body is a plain function over the kept descriptors: no live
    // OwnedFd stands for any of those closed here.
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The window size of a terminal, set by anyone who holds either end.
pub fn set_window(terminal: impl AsFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}
