//! Loading of a compiled seccomp filter.

use std::io;

/// Loads classic BPF (an array of `struct sock_filter`, as libseccomp exports it) as this thread's filter. The
/// caller has CAP_SYS_ADMIN in its user namespace: no_new_privs is not set, so that setuid programs work inside.
pub fn load(program: &[u8]) -> io::Result<()> {
    const FILTER_FLAG_SPEC_ALLOW: libc::c_ulong = 1 << 2;
    let instructions: Vec<libc::sock_filter> = program
        .chunks_exact(8)
        .map(|raw| libc::sock_filter {
            code: u16::from_ne_bytes([raw[0], raw[1]]),
            jt: raw[2],
            jf: raw[3],
            k: u32::from_ne_bytes([raw[4], raw[5], raw[6], raw[7]]),
        })
        .collect();
    let len = u16::try_from(instructions.len()).map_err(|_| io::Error::from_raw_os_error(libc::E2BIG))?;
    let filter = libc::sock_fprog { len, filter: instructions.as_ptr().cast_mut() };
    // SAFETY: `filter` points to `len` instructions that live through the call; the kernel only reads them.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            FILTER_FLAG_SPEC_ALLOW,
            &raw const filter,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
