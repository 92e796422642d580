//! What the backends of x86-64 share.
#![expect(unsafe_code, reason = "vector instructions")]

use std::arch::x86_64::*;

use super::lanes::{Half, LANES, Lanes, Lines};

/// Makes a backend's token and the function that runs kernels with it. Both come
/// from one list of features, so those that are enabled are those that were
/// detected. It names the features that others imply too, which rustc enables with
/// them; .ci/features holds it against rustc. SSE and SSE2 every x86-64 has.
macro_rules! backend {
    ($(#[$doc:meta])* $token:ident: $($feature:tt),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $token(());

        impl $token {
            pub(super) fn detect() -> Option<Self> {
                ($(std::arch::is_x86_feature_detected!($feature))&&+).then_some(Self(()))
            }
        }

        $(#[target_feature(enable = $feature)])+
        fn with_features<K: $crate::simd::Kernel>(lanes: $token, kernel: K) -> K::Output {
            kernel.run(lanes)
        }

        /// Runs the kernel compiled with the features.
        #[inline]
        pub(super) fn run<K: $crate::simd::Kernel>(lanes: $token, kernel: K) -> K::Output {
            // SAFETY: only `detect` makes a token, where the CPU has each feature
            // that `with_features` enables.
            unsafe { with_features(lanes, kernel) }
        }
    };
}
pub(super) use backend;

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

/// a's lanes i + i + 4, then b's.
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

/// The sums of four vectors of 8, each by halves.
///
/// # Safety
/// The CPU has AVX.
#[inline(always)]
unsafe fn fold4(a: __m256, b: __m256, c: __m256, d: __m256) -> __m128 {
    // SAFETY: the caller promises AVX.
    unsafe {
        // Four parts of a, then four of b; of c and d.
        let (ab, cd) = (fold2(a, b), fold2(c, d));
        // Two parts of a, two of c, two of b, two of d.
        let acbd =
            _mm256_add_ps(_mm256_shuffle_ps::<0x44>(ab, cd), _mm256_shuffle_ps::<0xEE>(ab, cd));
        let sums = _mm256_add_ps(acbd, _mm256_movehdup_ps(acbd));
        let (ac, bd) = (_mm256_castps256_ps128(sums), _mm256_extractf128_ps::<1>(sums));
        _mm_movelh_ps(_mm_unpacklo_ps(ac, bd), _mm_unpackhi_ps(ac, bd))
    }
}

/// The sums of parts `first` to `first + 3`.
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
