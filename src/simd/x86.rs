//! What the backends of x86-64 share.

use std::arch::x86_64::*;

use super::lanes::{LANES, Lanes, Lines};

/// A backend whose vector comes apart into four of SSE.
pub(super) trait Quarters: Lanes {
    /// Lanes 0 to 3, 4 to 7, 8 to 11 and 12 to 15.
    fn quarters(self, x: Self::F) -> [__m128; 4];
}

/// Orders the streaming stores of this thread before what follows when it is
/// dropped.
struct Fence;

impl Drop for Fence {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: every x86-64 has SSE.
        unsafe { _mm_sfence() };
        #[cfg(test)]
        FENCES.set(FENCES.get() + 1);
    }
}

// How many fences this thread has passed: all that a test can see of them.
#[cfg(test)]
thread_local!(pub(super) static FENCES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

/// [`Lanes::stream_lines`].
///
/// A streaming store is not ordered with the thread's other stores. Another thread
/// that is told "it is written" by an ordinary store, a lock or a `join` could still
/// read what stood there before. So `core::arch` asks for an `sfence` by the same
/// thread before anything else accesses the memory. No caller can get there without
/// one:
///
/// - these are the only streaming stores, and they go to `to` alone, which is
///   borrowed exclusively until this function returns or unwinds;
/// - both ways out drop `fence`, on the thread that stored. It never leaves this
///   function, so that nobody can forget it or take it elsewhere;
/// - `line` runs between the stores, and may be any safe code. It cannot reach `to`,
///   and where it panics, the unwinding drops `fence`. Where it never returns, the
///   borrow never ends.
#[inline(always)]
pub(super) fn stream_lines<L: Quarters>(l: L, to: &mut [[f32; LANES]], lines: &impl Lines<L>) {
    let fence = Fence;
    // Of the first quarter, and so of all: they are 16 bytes apart.
    let aligned = to.as_ptr().addr().is_multiple_of(size_of::<__m128>());
    for (i, to) in to.iter_mut().enumerate() {
        let quarters = l.quarters(lines.line(l, i));
        for (x, to) in quarters.into_iter().zip(to.as_chunks_mut::<4>().0) {
            // SAFETY: 4 elements are written of 4, streamed only where aligned and
            // before `fence` is dropped; every x86-64 has SSE.
            unsafe {
                if aligned {
                    _mm_stream_ps(to.as_mut_ptr(), x);
                } else {
                    _mm_storeu_ps(to.as_mut_ptr(), x);
                }
            }
        }
    }
    drop(fence);
}
