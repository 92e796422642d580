//! The traits of a backend: its vectors and their operations, and whether this CPU has it.

use super::Kernel;

/// Lanes per float vector: one cache line.
pub(crate) const LANES: usize = 16;

/// Half a vector.
pub(crate) type Half = [f32; LANES / 2];

/// A backend, with its own vector types for 16 f32 and 8 u64.
///
/// A value of the type is proof that the CPU has the instructions. Lane masks are
/// `u16` with lane i in bit i, as [`crate::mask::Mask`] stores them.
pub(crate) trait Lanes: Copy + Send + Sync {
    /// 16 f32.
    type F: Copy;
    /// 8 u64.
    type U: Copy;
    /// How many vectors of floats the registers hold.
    const REGISTERS: usize;

    /// Sets all lanes to x.
    fn splat(self, x: f32) -> Self::F;
    /// Loads all lanes from a cache line.
    fn load(self, from: &[f32; LANES]) -> Self::F;
    /// Loads the first lanes from at most 16 floats; the others are +0.0.
    #[inline(always)]
    fn load_first(self, from: &[f32]) -> Self::F {
        let mut line = [0.0; LANES];
        for (to, &x) in line.iter_mut().zip(from) {
            *to = x;
        }
        self.load(&line)
    }
    /// Loads all lanes from bfloat16, the upper halves of the floats' bits.
    fn load_bf16(self, from: &[u16; LANES]) -> Self::F;
    /// Stores all lanes.
    fn store(self, x: Self::F, to: &mut [f32; LANES]);
    /// Writes `lines` to `to`, bypassing the caches if the backend can and `to` is
    /// 16-byte aligned. The writes are ordered before everything that follows, even if
    /// `lines` panics: the caller need not do anything.
    #[inline(always)]
    fn stream_lines(self, to: &mut [[f32; LANES]], lines: &impl Lines<Self>) {
        for (i, to) in to.iter_mut().enumerate() {
            self.store(lines.line(self, i), to);
        }
    }
    /// x + y
    fn add(self, x: Self::F, y: Self::F) -> Self::F;
    /// x - y
    fn sub(self, x: Self::F, y: Self::F) -> Self::F;
    /// x * y
    fn mul(self, x: Self::F, y: Self::F) -> Self::F;
    /// x / y
    fn div(self, x: Self::F, y: Self::F) -> Self::F;
    /// The square root of x.
    fn sqrt(self, x: Self::F) -> Self::F;
    /// x * y + z, fused if the backend can.
    fn mul_add(self, x: Self::F, y: Self::F, z: Self::F) -> Self::F;
    /// Rounds to the nearest integer, ties to even; |x| < 2^22.
    fn round(self, x: Self::F) -> Self::F;
    /// 2^n for integers n from -126 to 127.
    fn exp2_whole(self, n: Self::F) -> Self::F;
    /// The lanes in which x < y; false for NaN.
    fn less(self, x: Self::F, y: Self::F) -> u16;
    /// The smaller of x and `high`; x if it is NaN.
    fn at_most(self, x: Self::F, high: Self::F) -> Self::F;
    /// The larger of x and `low`; x if it is NaN.
    fn at_least(self, x: Self::F, low: Self::F) -> Self::F;
    /// The lanes that hold NaN.
    fn is_nan(self, x: Self::F) -> u16;
    /// `yes` in lanes whose mask bit is set, otherwise `no`.
    fn select(self, mask: u16, yes: Self::F, no: Self::F) -> Self::F;
    /// x in lanes whose mask bit is set, otherwise +0.0.
    fn keep(self, mask: u16, x: Self::F) -> Self::F;
    /// The sum of all lanes, by adding halves to halves (lane i to i + 8, then
    /// i + 4, i + 2, i + 1) on every backend.
    fn sum(self, x: Self::F) -> f32;
    /// Adds lanes i and i + 8 of x to element i.
    fn add_halves(self, x: Self::F, to: &mut Half);
    /// The same for two vectors.
    #[inline(always)]
    fn add_halves_of_two(self, x: Self::F, y: Self::F, to: &mut [Half; 2]) {
        self.add_halves(x, &mut to[0]);
        self.add_halves(y, &mut to[1]);
    }
    /// The sums of 16 halves, each added up in the same order as in [`Self::sum`].
    fn sum_halves(self, parts: &[Half; LANES]) -> Self::F;
    /// Prefetches a cache line that will be needed soon. This is only a hint, and does
    /// nothing if the backend has no such instruction. Any address is allowed.
    #[inline(always)]
    fn prefetch(self, _line: *const f32) {}
    /// Packs the lanes whose mask bit is set to the front of `values`, and their lane
    /// numbers plus `first` to the front of `offsets`. The elements after them are
    /// unspecified.
    fn compress(
        self,
        mask: u16,
        x: Self::F,
        first: u8,
        values: &mut [f32; LANES],
        offsets: &mut [u8; LANES],
    );

    /// The bits of x as words: word i holds lane 2 i in its low half, lane 2 i + 1 in its high half.
    fn floats_as_words(self, x: Self::F) -> Self::U;
    /// The floats with the bits of x, in the order of [`Self::floats_as_words`].
    fn words_as_floats(self, x: Self::U) -> Self::F;

    /// Loads eight words.
    fn load_words(self, from: &[u64; 8]) -> Self::U;
    /// Stores eight words.
    fn store_words(self, x: Self::U, to: &mut [u64; 8]);
    /// x + y, wrapping.
    fn add_words(self, x: Self::U, y: Self::U) -> Self::U;
    /// x ^ y
    fn xor(self, x: Self::U, y: Self::U) -> Self::U;
    /// x & y
    fn and(self, x: Self::U, y: Self::U) -> Self::U;
    /// x | y
    fn or(self, x: Self::U, y: Self::U) -> Self::U;
    /// x << n, for 0 < n < 64.
    fn shift_left(self, x: Self::U, n: u32) -> Self::U;
    /// x >> n, for 0 < n < 64.
    fn shift_right(self, x: Self::U, n: u32) -> Self::U;
    /// x rotated left by n, for 0 < n < 64.
    #[inline(always)]
    fn rotate_left(self, x: Self::U, n: u32) -> Self::U {
        self.or(self.shift_left(x, n), self.shift_right(x, 64 - n))
    }
}

/// A backend as [`super::Isa`] chooses it.
pub(crate) trait Backend: Lanes {
    /// Returns the backend if this CPU supports it.
    fn detect() -> Option<Self>;
    /// Runs the kernel, compiled with the backend's instructions.
    fn run<K: Kernel>(self, kernel: K) -> K::Output;
}

/// Cache lines that are computed on demand. This is a trait because a closure that
/// returns vectors is not inlined.
pub(crate) trait Lines<L: Lanes> {
    /// Computes line `i`. Implementations are `#[inline(always)]`.
    fn line(&self, lanes: L, i: usize) -> L::F;
}
