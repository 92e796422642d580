//! Maxima and their gradients against plain loops.

use super::*;
use crate::{
    mask::{Domain, Streams},
    parallel::in_pool,
    simd::{Isa, tests::on_each_isa},
    thin::Lists,
};

/// Units and pieces around the widths of vectors and panels, also such that pieces begin anywhere in
/// a panel.
const SHAPES: [[usize; 2]; 13] = [
    [1, 2],
    [1, 256],
    [5, 3],
    [15, 2],
    [16, 5],
    [17, 4],
    [63, 3],
    [64, 2],
    [65, 3],
    [80, 2],
    [100, 7],
    [130, 4],
    [240, 5],
];

const ROWS: usize = 7;

/// Few different numbers, so that many are equal, with NaN, infinities and both zeros among them.
fn crowded(seed: u64, n: usize) -> Vec<f32> {
    let streams = Streams::new(seed, Domain::Other, 0, 0);
    let some = [-0.0, 0.0, 1.5, -2.0, 0.25, f32::NEG_INFINITY, f32::INFINITY, f32::NAN];
    (0..n)
        .map(|i| match streams.hash(i as u64) {
            h if h >> 8 & 7 == 0 => some[(h & 7) as usize],
            h => some[(h % 5) as usize],
        })
        .collect()
}

fn panels(dense: &[f32], width: usize) -> Panels {
    let mut panels = Panels::with_capacity(ROWS + 2, width).unwrap();
    panels.set_rows(ROWS);
    for (row, numbers) in dense.chunks_exact(width).enumerate() {
        for (unit, &number) in numbers.iter().enumerate() {
            panels.at_mut(unit / PANEL, row)[unit % PANEL] = number;
        }
    }
    panels
}

/// The first piece with the largest z; NaN is the largest.
fn winner(z: &[f32], units: usize, unit: usize) -> usize {
    let pieces: Vec<f32> = z.iter().skip(unit).step_by(units).copied().collect();
    if let Some(nan) = pieces.iter().position(|z| z.is_nan()) {
        return nan;
    }
    let largest = pieces.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    pieces.iter().position(|&z| z == largest).unwrap()
}

/// Leaves the values as they are.
struct Nothing;

impl Finish for Nothing {
    fn finish(&self, _: Pass, _: FinishPanel<'_>) {}
}

fn check(pass: Pass, isa: Isa) {
    for [units, pieces] in SHAPES {
        let outputs = units * pieces;
        let dense = crowded(outputs as u64, ROWS * outputs);
        let mut z = panels(&dense, outputs);
        let mut maxima = Maxima::with_capacity(ROWS + 2, units, pieces).unwrap();
        let mut out = Lists::with_capacity(ROWS + 2, units).unwrap();
        hidden(pass, &z, &Nothing, &mut maxima, &mut out);
        for (row, z) in dense.chunks_exact(outputs).enumerate() {
            for unit in 0..units {
                let got = maxima.values.get(row, unit);
                let want = z[winner(z, units, unit) * units + unit];
                let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                assert!(same, "{isa} {units} {pieces} {row} {unit}: {got} {want}");
            }
        }
        let dh = crowded(1 + outputs as u64, ROWS * units);
        let (to, _) = maxima.gradients_mut();
        *to = panels(&dh, units);
        spread(pass, &maxima, &mut z);
        for (row, (of_row, dh)) in
            dense.chunks_exact(outputs).zip(dh.chunks_exact(units)).enumerate()
        {
            for output in 0..z.panels() * PANEL {
                let (unit, piece) = (output % units, output / units);
                let wins = output < outputs && winner(of_row, units, unit) == piece;
                let want = if wins { dh[unit] } else { 0.0 };
                let got = z.get(row, output);
                let same = got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan();
                assert!(same, "{isa} {units} {pieces} {row} {output}: {got} {want}");
            }
        }
    }
}

#[test]
fn maxima_and_their_gradients_are_those_of_plain_loops() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    on_each_isa(|isa| {
        check(Pass { isa: isa.supported(), parallel: false }, isa);
        pool.install(|| {
            assert!(in_pool());
            check(Pass { isa: isa.supported(), parallel: true }, isa);
        });
    });
}
