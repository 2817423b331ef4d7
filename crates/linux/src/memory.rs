//! What a small lasting process can do without until it wakes.

use std::ffi::{c_int, c_void};

/// Used frames are above the caller's; those of the calls made here are within this many bytes below.
const FRAMES: usize = 16 * 1024;
/// How far down earlier, deeper calls may have touched the stack.
const DEEPEST: usize = 1024 * 1024;
const PAGE: usize = 4096;

/// Gives back unused heap, stack that deeper calls have left, and the mapped pages of program and libraries: the page
/// cache keeps these, and a touch maps them again. For the first thread of a process that has no other.
pub fn give_back() {
    // SAFETY: malloc_trim takes any pad and touches free memory only.
    unsafe { libc::malloc_trim(0) };
    let here = 0u8;
    let last = ((&raw const here) as usize - FRAMES) & !(PAGE - 1);
    // SAFETY: the range is the unused part of this thread's stack, far below every live frame; the kernel keeps at
    // least 128 MiB below the first thread's stack free of other mappings (mmap_base), and skips what is unmapped.
    unsafe { libc::madvise((last - DEEPEST) as *mut c_void, DEEPEST, libc::MADV_DONTNEED) };
    // SAFETY: the callback has the type that the loader calls and needs no data.
    unsafe { libc::dl_iterate_phdr(Some(unmap_file_pages), std::ptr::null_mut()) };
}

/// Of one loaded object, the segments that are never written: their pages are the file's own.
unsafe extern "C" fn unmap_file_pages(object: *mut libc::dl_phdr_info, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the loader passes a valid object for the time of the call.
    let object = unsafe { &*object };
    if object.dlpi_phdr.is_null() {
        return 0;
    }
    // SAFETY: the loader says that `dlpi_phnum` headers are there, mapped as long as the object is.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)) };
    for header in headers.iter().filter(|one| one.p_type == libc::PT_LOAD && one.p_flags & libc::PF_W == 0) {
        let begin = (object.dlpi_addr + header.p_vaddr) as usize & !(PAGE - 1);
        let end = (object.dlpi_addr + header.p_vaddr + header.p_memsz) as usize;
        for advice in [libc::MADV_NOHUGEPAGE, libc::MADV_DONTNEED] {
            // SAFETY: a private file mapping without write permission since the loader made it holds no page of its
            // own: what is dropped is read from the file again, without the huge pages that one touch would map.
            unsafe { libc::madvise(begin as *mut c_void, end - begin, advice) };
        }
    }
    0
}
