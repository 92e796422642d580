//! The token of a backend, which proves that the CPU has its features.
#![cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]

#[cfg(target_arch = "aarch64")]
pub(super) use std::arch::is_aarch64_feature_detected as is_detected;
#[cfg(target_arch = "x86_64")]
pub(super) use std::arch::is_x86_feature_detected as is_detected;

/// Generates the token of a backend and its implementation of a trait `Backend`, which runs kernels
/// of a trait: `Avx2 runs Kernel as Backend: "avx2"`. Both use a
/// single list of features, so the features enabled are those that were detected. The list
/// includes features that others imply, because rustc enables those as well; .ci/features
/// checks it against rustc. Every x86-64 CPU has SSE and SSE2.
macro_rules! backend {
    ($(#[$doc:meta])* $token:ident runs $kernel:path as $backend:path: $($feature:tt),+) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $token(());

        $(#[target_feature(enable = $feature)])+
        fn with_features<K: $kernel>(token: $token, kernel: K) -> K::Output {
            kernel.run(token)
        }

        impl $backend for $token {
            fn detect() -> Option<Self> {
                ($($crate::simd::backend::is_detected!($feature))&&+).then_some(Self(()))
            }
            #[inline]
            fn run<K: $kernel>(self, kernel: K) -> K::Output {
                // SAFETY: only `detect` makes a token, and only if the CPU has every feature
                // that `with_features` enables.
                unsafe { with_features(self, kernel) }
            }
        }
    };
}
pub(super) use backend;
