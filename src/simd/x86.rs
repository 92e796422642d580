//! Code shared by the x86-64 backends.
#![cfg(target_arch = "x86_64")]
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::lanes::{Half, LANES, Lanes, Lines};

/// Prefetches cache lines that will be needed soon.
#[inline(always)]
pub(super) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: a prefetch has no effect that a program can see; every x86-64 has SSE.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) }
    }
}

/// A backend whose float vector can be split into four SSE vectors.
pub(super) trait Quarters: Lanes {
    /// Lanes 0 to 3, 4 to 7, 8 to 11 and 12 to 15.
    fn quarters(self, x: Self::F) -> [__m128; 4];
}

/// When dropped, orders this thread's streaming stores before everything that follows.
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

// The number of fences this thread has executed: all that a test can observe of them.
#[cfg(test)]
thread_local!(pub(super) static FENCES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

/// Implements [`Lanes::stream_lines`].
///
/// A streaming store is not ordered with the thread's other stores. Another thread
/// that learns through an ordinary store, a lock or a `join` that the data is written
/// could still read the old contents. `core::arch` therefore requires an `sfence` on
/// the same thread before anything else accesses the memory. No caller can access it
/// without one:
///
/// - these are the only streaming stores, and they write only to `to`, which is
///   borrowed exclusively until this function returns or unwinds;
/// - both ways out drop `fence` on the thread that did the stores. It never leaves this
///   function, so nobody can forget it or move it elsewhere;
/// - `line` runs between the stores and may be any safe code. It cannot access `to`,
///   and if it panics, unwinding drops `fence`. If it never returns, the borrow never
///   ends.
#[inline(always)]
pub(super) fn stream_lines<L: Quarters>(l: L, to: &mut [[f32; LANES]], lines: &impl Lines<L>) {
    let fence = Fence;
    // Whether the first quarter is aligned, and so all of them: they are 16 bytes apart.
    let aligned = to.as_ptr().addr().is_multiple_of(size_of::<__m128>());
    for (i, to) in to.iter_mut().enumerate() {
        let quarters = l.quarters(lines.line(l, i));
        for (x, to) in quarters.into_iter().zip(to.as_chunks_mut::<4>().0) {
            // SAFETY: 4 elements are written of 4, streamed only if aligned and
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

/// The sums of lanes i and i + 4 of a, then those of b.
///
/// # Safety
/// The CPU has AVX.
#[inline(always)]
unsafe fn fold2(a: __m256, b: __m256) -> __m256 {
    // SAFETY: the caller promises AVX.
    unsafe {
        _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b))
    }
}

/// The sums of four 8-lane vectors, each added up by halves.
///
/// # Safety
/// The CPU has AVX.
#[inline(always)]
unsafe fn fold4(a: __m256, b: __m256, c: __m256, d: __m256) -> __m128 {
    // SAFETY: the caller promises AVX.
    unsafe {
        // Four partial sums of a, then four of b; the same for c and d.
        let (ab, cd) = (fold2(a, b), fold2(c, d));
        // Two partial sums of a, two of c, two of b, two of d.
        let acbd =
            _mm256_add_ps(_mm256_shuffle_ps::<0x44>(ab, cd), _mm256_shuffle_ps::<0xEE>(ab, cd));
        let sums = _mm256_add_ps(acbd, _mm256_movehdup_ps(acbd));
        let (ac, bd) = (_mm256_castps256_ps128(sums), _mm256_extractf128_ps::<1>(sums));
        _mm_movelh_ps(_mm_unpacklo_ps(ac, bd), _mm_unpackhi_ps(ac, bd))
    }
}

/// The sums of `parts[first]` to `parts[first + 3]`.
///
/// # Safety
/// The CPU has AVX.
#[inline(always)]
pub(super) unsafe fn fold_parts(parts: &[Half; LANES], first: usize) -> __m128 {
    // SAFETY: 8 elements are read of 8; the caller promises AVX.
    unsafe {
        fold4(
            _mm256_loadu_ps(parts[first].as_ptr()),
            _mm256_loadu_ps(parts[first + 1].as_ptr()),
            _mm256_loadu_ps(parts[first + 2].as_ptr()),
            _mm256_loadu_ps(parts[first + 3].as_ptr()),
        )
    }
}
