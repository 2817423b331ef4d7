//! The device allowlist of a cgroup v2 folder: an eBPF program of type CGROUP_DEVICE (bpf(2)).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One allowed device; `None` stands for any number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub kind: Kind,
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Which of [`READ`], [`WRITE`] and [`MAKE`] are allowed.
    pub access: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Block,
    Character,
}

pub const MAKE: u32 = 1;
pub const READ: u32 = 2;
pub const WRITE: u32 = 4;

/// Loads an allowlist and attaches it to a cgroup v2 folder. It stays until the folder is removed.
pub fn attach(cgroup: BorrowedFd<'_>, rules: &[Rule]) -> io::Result<()> {
    let program = load(&compile(rules))?;
    #[repr(C)]
    struct Attach {
        target_fd: u32,
        attach_bpf_fd: u32,
        attach_type: u32,
        attach_flags: u32,
    }
    const BPF_PROG_ATTACH: libc::c_int = 8;
    const BPF_CGROUP_DEVICE: u32 = 6;
    const BPF_F_ALLOW_MULTI: u32 = 2;
    let request = Attach {
        target_fd: cgroup.as_raw_fd() as u32,
        attach_bpf_fd: program.as_raw_fd() as u32,
        attach_type: BPF_CGROUP_DEVICE,
        attach_flags: BPF_F_ALLOW_MULTI,
    };
    // SAFETY: the structure is the part of `union bpf_attr` that this command reads, and its size is passed.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_ATTACH, &raw const request, size_of::<Attach>()) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn load(instructions: &[u64]) -> io::Result<OwnedFd> {
    #[repr(C)]
    struct Load {
        prog_type: u32,
        insn_cnt: u32,
        insns: u64,
        license: u64,
        log_level: u32,
        log_size: u32,
        log_buf: u64,
    }
    const BPF_PROG_LOAD: libc::c_int = 5;
    const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
    let request = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: instructions.len() as u32,
        insns: instructions.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
    };
    // SAFETY: the structure is the part of `union bpf_attr` that this command reads; the instructions and the
    // licence live through the call.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, BPF_PROG_LOAD, &raw const request, size_of::<Load>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// r2 = type, r3 = access, r4 = major, r5 = minor (`struct bpf_cgroup_dev_ctx`: access << 16 | type, major, minor).
fn compile(rules: &[Rule]) -> Vec<u64> {
    const LOAD_WORD: u8 = 0x61;
    const AND: u8 = 0x54;
    const SHIFT_RIGHT: u8 = 0x74;
    const MOVE_REGISTER: u8 = 0xbc;
    const MOVE: u8 = 0xb4;
    const EXIT: u8 = 0x95;
    let mut program = vec![
        instruction(LOAD_WORD, 2, 1, 0, 0),
        instruction(MOVE_REGISTER, 3, 2, 0, 0),
        instruction(AND, 2, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT, 3, 0, 0, 16),
        instruction(LOAD_WORD, 4, 1, 4, 0),
        instruction(LOAD_WORD, 5, 1, 8, 0),
    ];
    for rule in rules {
        program.extend(compile_rule(rule));
    }
    program.push(instruction(MOVE, 0, 0, 0, 0));
    program.push(instruction(EXIT, 0, 0, 0, 0));
    program
}

fn compile_rule(rule: &Rule) -> Vec<u64> {
    const JUMP_NOT_EQUAL: u8 = 0x56;
    const MOVE_REGISTER: u8 = 0xbc;
    const MOVE: u8 = 0xb4;
    const AND: u8 = 0x54;
    const EXIT: u8 = 0x95;
    let kind = match rule.kind {
        Kind::Block => 1,
        Kind::Character => 2,
    };
    // Each test jumps to the end of the rule when it fails; the offset is set below.
    let mut tests = vec![(2u8, kind)];
    tests.extend(rule.major.map(|major| (4, major)));
    tests.extend(rule.minor.map(|minor| (5, minor)));
    let mut block: Vec<(u8, u8, u8, u32)> =
        tests.iter().map(|(register, value)| (JUMP_NOT_EQUAL, *register, 0, *value)).collect();
    // No access bit outside the allowed ones may be asked for.
    block.push((MOVE_REGISTER, 6, 3, 0));
    block.push((AND, 6, 0, !rule.access & 0xffff));
    block.push((JUMP_NOT_EQUAL, 6, 0, 0));
    block.push((MOVE, 0, 0, 1));
    block.push((EXIT, 0, 0, 0));
    let length = block.len();
    block
        .into_iter()
        .enumerate()
        .map(|(place, (code, to, from, value))| {
            let offset = if code == JUMP_NOT_EQUAL { (length - place - 1) as i16 } else { 0 };
            instruction(code, to, from, offset, value)
        })
        .collect()
}

fn instruction(code: u8, to: u8, from: u8, offset: i16, value: u32) -> u64 {
    u64::from(code)
        | u64::from(to | (from << 4)) << 8
        | u64::from(offset as u16) << 16
        | u64::from(value) << 32
}
