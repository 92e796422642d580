//! The table: 20,000 rows of 30 numbers, of which 1.7 % are positive.

use std::path::Path;

use thinnet::{
    Error,
    data::{Dataset, npy},
    tensor::Matrix,
};

const ROWS: usize = 20_000;
const COLUMNS: usize = 30;
const POSITIVE: usize = ROWS * 17 / 1000;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number above 0, and at most 1.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// A number with the normal distribution, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// The rows, the positive ones as class 1: those with the largest scores. A score is a sum of products,
/// squares and waves of some of the columns, and noise.
pub fn make() -> Result<Dataset, Error> {
    let mut random = Random(1);
    let (mut numbers, mut scores) = (Vec::new(), Vec::new());
    for _ in 0..ROWS {
        let x: [f64; COLUMNS] = std::array::from_fn(|_| random.normal());
        let waves = (2.0 * x[7]).sin() + (x[8] + x[9]).cos();
        let products = x[0] * x[1] + x[2] * x[3] * x[4] - 0.5 * (x[5] * x[5] + x[6].abs());
        scores.push(products + waves + 0.7 * (x[10] + x[11]) + 0.5 * random.normal());
        numbers.extend(x.map(|x| x as f32));
    }
    let mut sorted = scores.clone();
    sorted.sort_by(f64::total_cmp);
    let least = sorted[ROWS - POSITIVE];
    let classes = scores.into_iter().map(|score| u32::from(score >= least));
    Dataset::new(Matrix::from_rows(&numbers, ROWS, COLUMNS)?, classes.collect::<Vec<_>>())
}

/// Writes the rows and classes of a data set as NPY files, for other programs.
pub fn write(folder: &Path, name: &str, data: &Dataset) -> Result<(), Error> {
    npy::write_matrix(folder.join(format!("x_{name}.npy")), data.dense_inputs()?)?;
    npy::write_labels(folder.join(format!("y_{name}.npy")), data.labels()?)
}
