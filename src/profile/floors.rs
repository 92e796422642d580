//! Lower bounds for a step's time on this machine: measured arithmetic and memory rates.

use std::{hint::black_box, time::Instant};

use crate::{
    error::Error,
    parallel::{Runs, divide},
    simd::{Isa, Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
};

/// The peak rates behind the two lower bounds for a step's time.
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
    /// The peak rate of multiply-adds in registers on all threads together, in 10^9
    /// floating-point operations per second; a fused multiply-add counts as two.
    pub fma_gflops: f64,
    /// The peak rate at which they updated as many weights and velocities as the network
    /// has, doing nothing else, in 10^9 bytes read and written per second.
    pub memory_gbytes: f64,
}

/// The number of attempts, of which the fastest counts.
const ATTEMPTS: usize = 7;

/// Rounds per arithmetic attempt: a few milliseconds.
const ROUNDS: usize = 1 << 19;

/// N independent chains of multiply-adds.
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

/// The rate of N chains on each thread, in 10^9 operations per second.
fn chains<const N: usize>(isa: Isa, threads: usize) -> f64 {
    let mut results = vec![0.0; threads];
    let start = Instant::now();
    divide(threads > 1, 1, Runs { data: &mut results, size: 1 }, &|_, result| {
        for result in result.data {
            *result = isa.dispatch(Chains::<N>);
        }
    });
    black_box(&results);
    // As a usize, it would overflow 32 bits on machines with many threads.
    let operations = (2 * LANES * N * ROUNDS) as f64 * threads as f64;
    operations / start.elapsed().as_secs_f64() / 1e9
}

/// The minimum memory traffic of an update: weights and velocities in and out.
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
    /// Measures the floors on the caller's thread pool, for a network with this many
    /// parameters.
    pub(super) fn measure(isa: Isa, threads: usize, parameters: usize) -> Result<Self, Error> {
        let size = parameters.next_multiple_of(LANES);
        let (mut w, mut v) = (AlignedBuffer::zeroed(size)?, AlignedBuffer::zeroed(size)?);
        let run = (size / LANES).div_ceil(threads) * LANES;
        let mut floors = Self { fma_gflops: 0.0, memory_gbytes: 0.0 };
        for _ in 0..ATTEMPTS {
            // The number of chains that saturates the arithmetic units and still fits
            // in registers depends on the backend.
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
