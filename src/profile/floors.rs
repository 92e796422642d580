//! What a step cannot beat on this machine: arithmetic and memory, measured.

use std::{hint::black_box, time::Instant};

use crate::{
    error::Error,
    parallel::{Runs, divide},
    simd::{Isa, Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// The two floors under a step's time.
///
/// ```
/// use thinnet::{Isa, data::Dataset, profile::Profile, nn::{Loss, Mlp}, tensor::Matrix};
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let data = Dataset::new(Matrix::from_rows(&[1.0; 4], 1, 4)?, vec![1])?;
/// let floors = Profile::measure(&mlp, &data, 8, 5, Isa::detect())?.floors;
/// println!("{:.0} GFLOP/s, {:.1} GB/s", floors.fma_gflops, floors.memory_gbytes);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Floors {
    /// The fastest that all threads together multiplied and added in registers,
    /// in 10^9 floating-point operations a second; a fused multiply-add is two.
    pub fma_gflops: f64,
    /// The fastest that they updated as many weights and velocities as the
    /// network has, all else left out, in 10^9 bytes a second, read and written.
    pub memory_gbytes: f64,
}

/// Attempts, of which the fastest counts.
const ATTEMPTS: usize = 7;

/// Rounds of an attempt at arithmetic: some milliseconds.
const ROUNDS: usize = 1 << 19;

/// Multiply-adds that wait for no other.
struct Chains<const N: usize>;

impl<const N: usize> Kernel for Chains<N> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> f32 {
        let (half, one) = (l.splat(black_box(0.5)), l.splat(black_box(1.0)));
        let mut x = [one; N];
        for _ in 0..ROUNDS {
            for x in &mut x {
                *x = l.mul_add(*x, half, one);
            }
        }
        let mut sum = one;
        for x in x {
            sum = l.add(sum, x);
        }
        l.sum(sum)
    }
}

/// 10^9 operations a second of N chains on each thread.
fn chains<const N: usize>(isa: Isa, threads: usize) -> f64 {
    let mut results = vec![0.0; threads];
    let start = Instant::now();
    divide(threads > 1, 1, Runs { data: &mut results, size: 1 }, &|_, result| {
        for result in result.data {
            *result = isa.dispatch(Chains::<N>);
        }
    });
    black_box(&results);
    // As a usize it would not fit 32 bits on machines of many threads.
    let operations = (2 * LANES * N * ROUNDS) as f64 * threads as f64;
    operations / start.elapsed().as_secs_f64() / 1e9
}

/// The least that an update has to move: weights and velocities in and out.
struct Stream<'a> {
    w: &'a mut [f32],
    v: &'a mut [f32],
}

impl Kernel for Stream<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let half = l.splat(0.5);
        let (w, v) = (self.w.as_chunks_mut::<LANES>().0, self.v.as_chunks_mut::<LANES>().0);
        for (w, v) in w.iter_mut().zip(v) {
            let new = l.mul_add(l.load(v), half, l.load(w));
            l.store(new, v);
            l.store(l.mul(new, half), w);
        }
    }
}

impl Floors {
    /// Measures them on the pool that the caller is in, for a network of so many
    /// parameters.
    pub(super) fn measure(isa: Isa, threads: usize, parameters: usize) -> Result<Self, Error> {
        let size = parameters.next_multiple_of(LANES);
        let (mut w, mut v) = (AlignedBuffer::zeroed(size)?, AlignedBuffer::zeroed(size)?);
        let run = (size / LANES).div_ceil(threads) * LANES;
        let mut floors = Self { fma_gflops: 0.0, memory_gbytes: 0.0 };
        for _ in 0..ATTEMPTS {
            // How many chains keep the units busy and stay in registers depends
            // on the backend.
            let rates =
                [chains::<4>(isa, threads), chains::<6>(isa, threads), chains::<12>(isa, threads)];
            floors.fma_gflops = rates.into_iter().fold(floors.fma_gflops, f64::max);
            let work = (Runs { data: &mut w[..], size: run }, Runs { data: &mut v[..], size: run });
            let start = Instant::now();
            divide(threads > 1, 1, work, &|_, (w, v)| {
                isa.dispatch(Stream { w: w.data, v: v.data });
            });
            let rate = (16 * size) as f64 / start.elapsed().as_secs_f64() / 1e9;
            floors.memory_gbytes = floors.memory_gbytes.max(rate);
        }
        Ok(floors)
    }
}
