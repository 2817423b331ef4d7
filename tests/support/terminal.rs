//! A terminal for a command: what a person sees and types.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};

/// Our end, and a command that has the other as its controlling terminal and its three streams.
pub fn on_terminal(command: &Command, columns: u16) -> (File, Child) {
    let size = nix::pty::Winsize { ws_row: 30, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = nix::pty::openpty(Some(&size), None).unwrap();
    let stream = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
    // A session of its own, so that Ctrl-C reaches it as a signal; setsid(1) executes it in place.
    let mut led = Command::new("setsid");
    led.arg("--ctty").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => led.env(name, value),
            None => led.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        led.current_dir(folder);
    }
    let child = led.stdin(stream(&pty.slave)).stdout(stream(&pty.slave)).stderr(stream(&pty.slave)).spawn();
    (File::from(pty.master), child.unwrap())
}

/// Reads until `wanted` was said.
#[track_caller]
pub fn hear(terminal: &mut File, wanted: &str) -> String {
    let mut heard = String::new();
    let mut buffer = [0; 4096];
    while !heard.contains(wanted) {
        let mut fds = [nix::poll::PollFd::new(terminal.as_fd(), nix::poll::PollFlags::POLLIN)];
        assert_ne!(nix::poll::poll(&mut fds, 20_000u16).unwrap(), 0, "no `{wanted}` in: {heard}");
        let count = terminal.read(&mut buffer).unwrap_or(0);
        assert_ne!(count, 0, "ended without `{wanted}`: {heard}");
        heard.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    heard
}
