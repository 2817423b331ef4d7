//! From clone to execve for a program that exec runs inside: the second linear list, beside init's.

use crate::runtime::channel::{self, Failure, step};
use crate::runtime::confinement;
use crate::runtime::exec::{ExecSpec, Streams};
use crate::runtime::init::{self, strings};
use crate::runtime::secrets;
use crate::runtime::start_spec::StartSpec;
use crate::runtime::user::{self, User};
use nix::sched::CloneFlags;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

#[derive(Debug, Serialize, Deserialize)]
pub struct Go;

#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// With the master.
    Terminal,
    Failed {
        step: String,
        errno: i32,
    },
}

#[derive(Debug)]
pub struct Inside {
    pub start: StartSpec,
    pub spec: ExecSpec,
    pub channel: OwnedFd,
    pub init: OwnedFd,
    pub is_namespaced: bool,
    pub tasks: Vec<OwnedFd>,
    pub streams: Option<Streams>,
    pub secrets: Option<OwnedFd>,
    pub seccomp: Vec<u8>,
}

pub fn run(inside: Inside) -> ! {
    let channel = inside.channel.try_clone();
    let Err(failure) = steps(inside);
    if let Ok(channel) = channel {
        let report = Report::Failed { step: failure.step, errno: failure.errno };
        let _ = channel::send(&channel, &report, &[]);
    }
    linux::process::end(127)
}

fn steps(inside: Inside) -> Result<Infallible, Failure> {
    let Inside { start, spec, channel, init, is_namespaced, tasks, streams, secrets, seccomp } = inside;

    // 1. Its cgroups, then its namespaces; the limits on us are set from outside meanwhile.
    for file in tasks {
        rustix::io::write(&file, b"0").map_err(step("enter a cgroup"))?;
    }
    let user = if is_namespaced { CloneFlags::CLONE_NEWUSER } else { CloneFlags::empty() };
    let all = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWNET
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWCGROUP;
    nix::sched::setns(&init, all | user).map_err(step("enter the container's namespaces"))?;
    drop(init);
    rustix::process::chdir("/").map_err(step("enter the root"))?;
    if channel::receive::<Go>(&channel)?.is_none() {
        linux::process::end(0);
    }

    // 2. A session of its own, root inside for what follows, standard streams.
    rustix::process::setsid().map_err(step("start a session"))?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    become_user(&User::root())?;
    let user = user::find(spec.user.as_deref()).map_err(step("find the user"))?;
    let (stdin, stdout, stderr) = match streams {
        Some(streams) => (streams.stdin, streams.stdout, streams.stderr),
        None => terminal(&spec, &user, &channel)?,
    };
    nix::unistd::dup2_stdin(&stdin).map_err(step("set standard input"))?;
    nix::unistd::dup2_stdout(&stdout).map_err(step("set standard output"))?;
    nix::unistd::dup2_stderr(&stderr).map_err(step("set standard error"))?;
    linux::process::close_on_exec_from(3).map_err(step("close descriptors"))?;

    // 3. The same bounds as init's, then the user.
    confinement::drop_capabilities()?;
    if !seccomp.is_empty() {
        linux::seccomp::load(&seccomp).map_err(step("load the seccomp filter"))?;
    }
    become_user(&user)?;
    enter_folder(&spec, &user)?;

    // 4. Die with the helper (set last: a change of ids clears it), and become the program.
    let kill = rustix::process::Signal::KILL;
    rustix::process::set_parent_process_death_signal(Some(kill)).map_err(step("tie to the helper"))?;
    linux::process::default_signals();
    let variables = variables(&start, &spec, secrets::read(secrets)?, &user);
    let environment = strings(variables.iter().map(|(name, value)| format!("{name}={value}")))?;
    let path = variables.get("PATH").map_or("", String::as_str);
    execute(&strings(spec.arguments)?, &environment, path)
}

/// A terminal of the container's own devpts, owned by the user.
fn terminal(spec: &ExecSpec, user: &User, channel: &OwnedFd) -> Result<(OwnedFd, OwnedFd, OwnedFd), Failure> {
    let (master, slave, _) = init::open_terminal()?;
    if let Some(window) = spec.terminal {
        linux::process::set_window(&slave, window.columns, window.rows).map_err(step("set the window"))?;
    }
    rustix::fs::fchown(&slave, Some(rustix::fs::Uid::from_raw(user.uid)), None)
        .map_err(step("give the terminal"))?;
    rustix::process::ioctl_tiocsctty(&slave).map_err(step("take the terminal"))?;
    channel::send(channel, &Report::Terminal, &[master.as_fd()])?;
    let copy = || slave.try_clone().map_err(step("copy the terminal"));
    Ok((copy()?, copy()?, copy()?))
}

fn become_user(user: &User) -> Result<(), Failure> {
    let groups: Vec<nix::unistd::Gid> = user.groups.iter().map(|gid| (*gid).into()).collect();
    nix::unistd::setgroups(&groups).map_err(step("set groups"))?;
    let (uid, gid) = (user.uid.into(), user.gid.into());
    nix::unistd::setresgid(gid, gid, gid).map_err(step(format!("become group {}", user.gid)))?;
    nix::unistd::setresuid(uid, uid, uid).map_err(step(format!("become user {}", user.uid)))
}

/// A folder that was asked for must be there; a home may be missing.
fn enter_folder(spec: &ExecSpec, user: &User) -> Result<(), Failure> {
    match &spec.folder {
        Some(folder) => rustix::process::chdir(folder.as_str()).map_err(step(format!("enter {folder}"))),
        None => rustix::process::chdir(user.home.as_str())
            .or_else(|_| rustix::process::chdir("/"))
            .map_err(step("enter a folder")),
    }
}

fn variables(
    start: &StartSpec,
    spec: &ExecSpec,
    secrets: BTreeMap<String, String>,
    user: &User,
) -> BTreeMap<String, String> {
    let mut all = init::variables(start);
    all.insert("HOME".to_owned(), user.home.clone());
    all.insert("USER".to_owned(), user.name.clone());
    all.extend(start.environment.clone());
    all.extend(secrets);
    all.extend(spec.environment.clone());
    all
}

/// Searches PATH as execvp does, inside the container.
fn execute(arguments: &[CString], environment: &[CString], path: &str) -> Result<Infallible, Failure> {
    let Some(program) = arguments.first() else {
        return Err(Failure { step: "execute nothing".to_owned(), errno: libc::EINVAL });
    };
    let name = program.to_string_lossy().into_owned();
    let found = locate(&name, path);
    let file: &CStr = found.as_deref().unwrap_or(program);
    nix::unistd::execve(file, arguments, environment).map_err(step(format!("execute {name}")))
}

fn locate(name: &str, path: &str) -> Option<CString> {
    if name.contains('/') {
        return None;
    }
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    let candidates = folders.map(|folder| Path::new(folder).join(name));
    let found = candidates.into_iter().find(|candidate| {
        use std::os::unix::fs::PermissionsExt;
        candidate.metadata().is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    })?;
    CString::new(found.to_string_lossy().into_owned()).ok()
}
