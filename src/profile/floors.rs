//! Lower bounds for a step's time on this machine: measured arithmetic and memory rates.

use std::{hint::black_box, time::Instant};

use crate::{
    error::Error,
    optimiser::{Optimiser, RuleVisitor},
    parallel::{Runs, divide},
    simd::{Isa, Kernel, LANES, Lanes},
    tensor::AlignedBuffer,
    thin::update::Rule,
};

/// The peak rates behind the two lower bounds for a step's time.
///
/// ```
/// use thinnet::{Isa, data::Dataset, profile::Profile, nn::{Loss, Mlp}, tensor::Matrix};
/// use thinnet::train::{Schedule, Sgd};
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let data = Dataset::new(Matrix::from_rows(&[1.0; 4], 1, 4)?, vec![1])?;
/// let sgd = Sgd::new(Schedule::constant(0.0));
/// let floors = Profile::measure(&mlp, sgd, &data, 8, 5, Isa::detect())?.floors;
/// println!("{:.0} GFLOP/s, {:.1} GB/s", floors.fma_gflops, floors.memory_gbytes);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Floors {
    /// The peak rate of multiply-adds in registers on all threads together, in 10^9
    /// floating-point operations per second; a fused multiply-add counts as two.
    pub fma_gflops: f64,
    /// The peak rate at which they updated as many weights, with as many numbers of an
    /// optimiser's state, as the network has, doing nothing else, in 10^9 bytes read and
    /// written per second.
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

/// The minimum memory traffic of an update: weights and the optimiser's state in and out.
struct Stream<'a, const N: usize> {
    w: &'a mut [f32],
    state: [&'a mut [f32]; N],
}

impl<const N: usize> Kernel for Stream<'_, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let half = l.splat(0.5);
        let mut state = self.state.map(|state| state.as_chunks_mut::<LANES>().0);
        for (i, w) in self.w.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut new = l.load(w);
            for state in &mut state {
                new = l.mul_add(l.load(&state[i]), half, new);
                l.store(new, &mut state[i]);
            }
            l.store(l.mul(new, half), w);
        }
    }
}

/// The rate of [`Stream`], as a visitor of an optimiser's rules.
struct Traffic {
    isa: Isa,
    threads: usize,
    parameters: usize,
}

impl RuleVisitor for Traffic {
    type Output = Result<f64, Error>;

    fn visit<const N: usize, R: Rule<N>>(self, _: R, _: R) -> Self::Output {
        let Self { isa, threads, parameters } = self;
        let size = parameters.next_multiple_of(LANES);
        let run = (size / LANES).div_ceil(threads) * LANES;
        let mut w = AlignedBuffer::zeroed(size)?;
        // One array, because an array of buffers cannot be made where each may fail.
        let mut all = AlignedBuffer::zeroed(size * N)?;
        let mut rate = 0.0f64;
        for _ in 0..ATTEMPTS {
            let mut rest = &mut all[..];
            let state = [(); N].map(|()| {
                let (state, others) = std::mem::take(&mut rest).split_at_mut(size);
                rest = others;
                Runs { data: state, size: run }
            });
            let work = (Runs { data: &mut w[..], size: run }, state);
            let start = Instant::now();
            divide(threads > 1, 1, work, &|_, (w, state)| {
                isa.dispatch(Stream { w: w.data, state: state.map(|state| state.data) });
            });
            let bytes = bytes_per_weight(N) * size as f64;
            rate = rate.max(bytes / start.elapsed().as_secs_f64() / 1e9);
        }
        Ok(rate)
    }
}

/// The bytes that an update reads and writes per weight, with N numbers of state each.
pub(super) fn bytes_per_weight(states: usize) -> f64 {
    8.0 * (1.0 + states as f64)
}

impl Floors {
    /// Measures the floors on the caller's thread pool, for a network with this many
    /// parameters and this optimiser.
    pub(super) fn measure(
        isa: Isa,
        threads: usize,
        parameters: usize,
        optimiser: &Optimiser,
    ) -> Result<Self, Error> {
        let memory_gbytes = optimiser.rules(0, 0.0, 1.0, Traffic { isa, threads, parameters })?;
        let mut floors = Self { fma_gflops: 0.0, memory_gbytes };
        for _ in 0..ATTEMPTS {
            // The number of chains that saturates the arithmetic units and still fits
            // in registers depends on the backend.
            let rates =
                [chains::<4>(isa, threads), chains::<6>(isa, threads), chains::<12>(isa, threads)];
            floors.fma_gflops = rates.into_iter().fold(floors.fma_gflops, f64::max);
        }
        Ok(floors)
    }
}
