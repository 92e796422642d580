//! An allocator that refuses one large request: what a machine without memory does, at every place in turn.
//!
//! Set it as the `#[global_allocator]` of a test program. It refuses on the thread that asks for it and leaves the
//! others alone, so tests may run at the same time.
#![expect(unsafe_code, reason = "an allocator of its own")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    ptr,
};

/// The smallest request that is refused, in bytes. Smaller ones may abort the process.
pub const LARGE: usize = 64 << 10;

thread_local! {
    /// Large requests that are still granted before one is refused.
    static GRANTED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Counts a request; whether it is the one to be refused.
fn refused(size: usize) -> bool {
    if size < LARGE {
        return false;
    }
    let refused = GRANTED.try_with(|granted| {
        let left = granted.get();
        granted.set(left.and_then(|left| left.checked_sub(1)));
        left == Some(0)
    });
    refused.unwrap_or(false)
}

/// See the head of this file.
pub struct Failing;

// SAFETY: every call goes to the system's allocator as it came, or ends in the null pointer that says "no memory".
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refused(layout.size()) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if refused(size) {
            return ptr::null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Calls `work` again and again: the first time its first large request is refused, then the second, and so on, until
/// it makes fewer. Each time but the last it has to end in an error. Returns how many requests were refused.
///
/// Where a request is made that cannot fail (`vec![0; n]`, `to_vec`, `collect`), the process aborts with "memory
/// allocation failed", and so does the test.
///
/// # Panics
/// `work` succeeds though a request was refused, or fails though none was.
pub fn refuse_each<T, E: std::fmt::Display>(mut work: impl FnMut() -> Result<T, E>) -> usize {
    let mut granted = 0;
    loop {
        GRANTED.set(Some(granted));
        let ended = work().map(drop).map_err(|error| error.to_string());
        let all_granted = GRANTED.replace(None).is_some();
        match ended {
            Ok(()) if all_granted => return granted,
            Ok(()) => panic!("large request {granted} was refused, and nobody said so"),
            Err(error) => assert!(!all_granted, "no request was refused: {error}"),
        }
        granted += 1;
    }
}
