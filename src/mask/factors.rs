//! The numbers that Gaussian noise multiplies the units of a site by.

use super::{
    WORD,
    normal::{BLOCK, NormalRows, Normals, factors},
};
use crate::{
    error::{Error, at_most},
    parallel::Runs,
    pass::Pass,
    sigma::Sigma,
    simd::{LANES, Lanes},
    tensor::AlignedBuffer,
};

/// Rows per task: the streams of eight rows are drawn together.
const GROUP: usize = 8;

/// r = 1 + sigma z for some rows of one site, row by row, with z from the row's stream: the numbers
/// by which [`GaussianDropout`](crate::dropout::GaussianDropout) multiplies.
#[derive(Clone, Debug)]
pub(crate) struct Factors {
    values: AlignedBuffer<f32>,
    capacity: usize,
    width: usize,
}

impl Factors {
    /// Allocates memory for at most `rows` rows of `width` units.
    pub fn with_capacity(rows: usize, width: usize) -> Result<Self, Error> {
        let size = width.div_ceil(WORD).checked_mul(WORD).and_then(|row| row.checked_mul(rows));
        let size = size.ok_or(Error::TooLarge { what: "noise", shape: [rows, width] })?;
        Ok(Self { values: AlignedBuffer::zeroed(size)?, capacity: rows, width })
    }

    /// Draws `rows` rows; `hash(i)` is the row hash of row i.
    ///
    /// # Errors
    /// There are more rows than there is memory for.
    pub fn redraw(
        &mut self,
        pass: Pass,
        sigma: Sigma,
        rows: usize,
        hash: impl Fn(usize) -> u64 + Sync,
    ) -> Result<(), Error> {
        at_most("rows of noise", self.capacity, rows)?;
        let (width, stride, sigma) = (self.width, self.stride(), sigma.get());
        let groups = Runs { data: &mut self.values[..rows * stride], size: GROUP * stride };
        pass.each(groups, &|group, to| {
            let rows = to.data.len() / stride;
            let hash = |row| hash(GROUP * group + row);
            let to = Group { sigma, stride, rows: to.data };
            pass.dispatch(Normals { hash, rows, width, to });
        });
        Ok(())
    }

    /// The numbers of 64 neighbouring units of a row, starting with unit `64 block`.
    #[inline]
    pub fn block(&self, row: usize, block: usize) -> &[f32; WORD] {
        &self.values.as_chunks().0[row * self.stride() / WORD + block]
    }

    /// The length of a row, padded to whole blocks.
    fn stride(&self) -> usize {
        self.width.next_multiple_of(WORD)
    }
}

/// Rows to be written.
struct Group<'a> {
    sigma: f32,
    stride: usize,
    rows: &'a mut [f32],
}

impl NormalRows for Group<'_> {
    #[inline(always)]
    fn take<L: Lanes>(&mut self, l: L, row: usize, block: usize, normals: [L::F; 2]) {
        let at = row * self.stride + block * BLOCK;
        let lines = self.rows[at..][..BLOCK].as_chunks_mut::<LANES>().0;
        for (line, r) in lines.iter_mut().zip(factors(l, self.sigma, normals)) {
            l.store(r, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{
        dropout::GaussianDropout,
        mask::{Domain, Streams},
        miri::scaled,
        simd::tests::on_each_isa,
    };

    #[test]
    fn factors_are_those_of_the_operation() {
        let sigma = Sigma::new(0.75).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let widths = scaled(&[1, 31, 32, 64, 65, 200][..], &[31, 65], &[65]);
        let all_rows = scaled(&[21, 1, 9][..], &[1, 9], &[1]);
        for &width in widths {
            let mut factors = Factors::with_capacity(21, width).unwrap();
            for &rows in all_rows {
                let streams = Streams::new(3, Domain::Training, 2, 5);
                // Row i of the operation has the stream of row i.
                let one = |row: usize| {
                    let mut all = vec![1.0; 4096 * (row + 1)];
                    GaussianDropout::new(sigma).forward_in_place(streams, &mut all);
                    (row, all[4096 * row..][..width].to_vec())
                };
                let wanted: BTreeMap<_, _> =
                    BTreeSet::from([0, rows / 2, rows - 1]).into_iter().map(one).collect();
                on_each_isa(|isa| {
                    for parallel in [false, true] {
                        let pass = Pass { isa: isa.supported(), parallel };
                        pool.install(|| factors.redraw(pass, sigma, rows, streams.hashes(0)))
                            .unwrap();
                        for (&row, want) in &wanted {
                            let got = (0..width).map(|k| factors.block(row, k / WORD)[k % WORD]);
                            assert!(got.eq(want.iter().copied()), "{isa} {width} {rows} {row}");
                        }
                    }
                });
            }
            let pass = Pass { isa: crate::Isa::detect().supported(), parallel: false };
            assert!(factors.redraw(pass, sigma, 22, |_| 0).is_err());
        }
    }
}
