//! A hint to the operating system about the pages of a large buffer, as `prefetch` is one to the CPU.

use std::mem::MaybeUninit;

/// Bytes from which huge pages are asked for. Linux has them in 2 MiB on most machines; NumPy asks for
/// them from 4 MiB on, too.
const LARGE: usize = 4 << 20;

/// Asks for huge pages for the whole pages of memory that nothing has been written to, if it is large:
/// otherwise a product that reads weights at random places waits for an address translation in each.
/// A system that does not have them, or reserves them for others, leaves everything as it is.
pub(crate) fn ask_for_huge<T>(memory: &mut [MaybeUninit<T>]) {
    if size_of_val(memory) >= LARGE {
        advise(memory);
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
#[expect(unsafe_code, reason = "the system call takes an address")]
fn advise<T>(memory: &mut [MaybeUninit<T>]) {
    use rustix::{
        mm::{Advice, madvise},
        param::page_size,
    };
    let first = memory.as_mut_ptr().cast::<u8>();
    let skipped = first.align_offset(page_size());
    let length = size_of_val(memory).saturating_sub(skipped) / page_size() * page_size();
    // SAFETY: the range is within `memory`, and this advice does not change what memory contains.
    // An error means that there are no huge pages.
    let _ = unsafe { madvise(first.wrapping_add(skipped).cast(), length, Advice::LinuxHugepage) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise<T>(_memory: &mut [MaybeUninit<T>]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_can_be_asked_for() {
        for bytes in [0, 1, LARGE - 1, LARGE, LARGE + 12_345] {
            let mut memory = Vec::<u8>::with_capacity(bytes);
            ask_for_huge(memory.spare_capacity_mut());
            memory.resize(bytes, 7);
            assert!(memory.iter().all(|&byte| byte == 7));
        }
    }
}
