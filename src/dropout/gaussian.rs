//! Multiplicative Gaussian noise on its own.

use super::{GROUP, GROUPS_PER_LEAF, ROW};
use crate::{
    error::{Error, same_size},
    mask::{
        Streams,
        normal::{BLOCK, NormalRows, Normals, factors},
    },
    parallel::{Runs, divide, in_pool},
    sigma::Sigma,
    simd::{Isa, LANES, Lanes},
};

/// Multiplication by Gaussian noise with mean 1 (section 10 of the paper).
///
/// | | formula |
/// |---|---|
/// | forward | y = x (1 + sigma z) |
/// | backward | dx = dy (1 + sigma z) |
///
/// with z standard normal, one number per element: a pure function of the streams, with the same
/// bits on every machine ([`scalar::normal_pair`]). Nothing is scaled at test time, as the mean of
/// the noise is 1. Unlike [`Dropout`](crate::Dropout), it leaves no unit out, so it saves no work.
///
/// In a network, it is the noise [`Noise::Gaussian`](crate::Noise::Gaussian) of a dropout site.
///
/// Large slices are divided over the caller's rayon pool; outside a pool, the work stays on the
/// calling thread. The result is the same. Rows are those of [`ROW`] elements.
///
/// ```
/// use thinnet::{Keep, dropout::GaussianDropout, mask::{Domain, Streams}};
///
/// let noise = GaussianDropout::new(Keep::HALF);
/// let streams = Streams::new(1, Domain::Training, 0, 0);
/// let mut x = vec![1.0; 10_000];
/// noise.forward_in_place(streams, &mut x);
/// let mean = x.iter().sum::<f32>() / 10_000.0;
/// assert!((mean - 1.0).abs() < 0.05);
/// ```
///
/// [`scalar::normal_pair`]: crate::mask::scalar::normal_pair
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaussianDropout {
    sigma: Sigma,
    isa: Isa,
}

impl GaussianDropout {
    /// Noise with this standard deviation, or with the variance of dropout at a keep rate, on
    /// the CPU's fastest instruction set.
    pub fn new(sigma: impl Into<Sigma>) -> Self {
        Self { sigma: sigma.into(), isa: Isa::detect() }
    }

    /// The same on another instruction set.
    ///
    /// # Errors
    /// This CPU does not support it.
    pub fn with_isa(self, isa: Isa) -> Result<Self, Error> {
        Ok(Self { isa: isa.require()?, ..self })
    }

    /// The standard deviation.
    pub fn sigma(&self) -> Sigma {
        self.sigma
    }

    /// Writes the standard normal numbers z that the streams define for a slice of this length.
    pub fn draw(&self, streams: Streams, z: &mut [f32]) {
        self.run(streams, z, &|_, y| Plain { y });
    }

    /// y = x (1 + sigma z)
    ///
    /// # Errors
    /// x and y differ in length.
    pub fn forward(&self, streams: Streams, x: &[f32], y: &mut [f32]) -> Result<(), Error> {
        same_size("elements of y", x.len(), y.len())?;
        let sigma = self.sigma.get();
        self.run(streams, y, &|first, y| Product { sigma, x: Some(&x[first..][..y.len()]), y });
        Ok(())
    }

    /// x <- x (1 + sigma z)
    pub fn forward_in_place(&self, streams: Streams, x: &mut [f32]) {
        let sigma = self.sigma.get();
        self.run(streams, x, &|_, y| Product { sigma, x: None, y });
    }

    /// dx = dy (1 + sigma z), with the streams that forward used.
    ///
    /// # Errors
    /// dy and dx differ in length.
    pub fn backward(&self, streams: Streams, dy: &[f32], dx: &mut [f32]) -> Result<(), Error> {
        self.forward(streams, dy, dx)
    }

    /// dy <- dy (1 + sigma z), with the streams that forward used.
    pub fn backward_in_place(&self, streams: Streams, dy: &mut [f32]) {
        self.forward_in_place(streams, dy);
    }

    /// Hands the numbers of eight rows at a time to what `take` makes of the first element's
    /// index and the rows.
    fn run<'y, T: NormalRows>(
        &self,
        streams: Streams,
        y: &'y mut [f32],
        take: &(impl Fn(usize, &'y mut [f32]) -> T + Sync),
    ) {
        divide(in_pool(), GROUPS_PER_LEAF, Runs { data: y, size: GROUP }, &|first, groups| {
            for (i, y) in groups.data.chunks_mut(GROUP).enumerate() {
                let group = first + i;
                let rows = y.len().div_ceil(ROW);
                let width = y.len().min(ROW);
                let hash = streams.hashes((8 * group) as u64);
                self.isa.dispatch(Normals { hash, rows, width, to: take(group * GROUP, y) });
            }
        });
    }
}

/// The elements of `row` from a block on, at most 32.
fn block_of(row: usize, block: usize, len: usize) -> std::ops::Range<usize> {
    let first = (row * ROW + block * BLOCK).min(len);
    first..(first + BLOCK).min((row + 1) * ROW).min(len)
}

/// y = z
struct Plain<'a> {
    y: &'a mut [f32],
}

impl NormalRows for Plain<'_> {
    #[inline(always)]
    fn take<L: Lanes>(&mut self, l: L, row: usize, block: usize, normals: [L::F; 2]) {
        let at = block_of(row, block, self.y.len());
        store(l, normals, &mut self.y[at]);
    }
}

/// y = x (1 + sigma z); in place if x is `None`.
struct Product<'a> {
    sigma: f32,
    x: Option<&'a [f32]>,
    y: &'a mut [f32],
}

impl NormalRows for Product<'_> {
    #[inline(always)]
    fn take<L: Lanes>(&mut self, l: L, row: usize, block: usize, normals: [L::F; 2]) {
        let at = block_of(row, block, self.y.len());
        let y = &mut self.y[at.clone()];
        let x = match self.x {
            Some(x) => load(l, &x[at]),
            None => load(l, y),
        };
        let r = factors(l, self.sigma, normals);
        store(l, [l.mul(x[0], r[0]), l.mul(x[1], r[1])], y);
    }
}

/// Loads up to 32 elements; those that are missing are 0.
#[inline(always)]
fn load<L: Lanes>(l: L, from: &[f32]) -> [L::F; 2] {
    let mut part = [[0.0; LANES]; 2];
    let lines = match from.as_chunks::<LANES>().0 {
        [a, b] => [a, b],
        _ => {
            part.as_flattened_mut()[..from.len()].copy_from_slice(from);
            [&part[0], &part[1]]
        }
    };
    [l.load(lines[0]), l.load(lines[1])]
}

/// Stores up to 32 elements.
#[inline(always)]
fn store<L: Lanes>(l: L, x: [L::F; 2], to: &mut [f32]) {
    if let [a, b] = to.as_chunks_mut::<LANES>().0 {
        l.store(x[0], a);
        l.store(x[1], b);
    } else {
        let mut part = [[0.0; LANES]; 2];
        l.store(x[0], &mut part[0]);
        l.store(x[1], &mut part[1]);
        to.copy_from_slice(&part.as_flattened()[..to.len()]);
    }
}

#[cfg(test)]
mod tests;
