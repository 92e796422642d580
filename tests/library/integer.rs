//! Networks with 8-bit weights compute what their definition says.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thinnet::{
    Keep,
    data::Batch,
    nn::{IntegerMlp, Loss, Mlp},
    tensor::MatrixView,
};

/// A case of `oracle/integer.json`, which `oracle/integer.py` made: a plain Python program that
/// shares nothing with this crate, and says how weights and rows are drawn.
#[derive(Deserialize)]
struct Case {
    seed: u64,
    widths: Vec<usize>,
    units: Vec<String>,
    biases: bool,
    positive: bool,
    rows: usize,
    sha256: String,
}

/// Output `n` of SplitMix64 started at `start`, from 1.
fn splitmix64(start: u64, n: u64) -> u64 {
    let z = start.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

struct Draws<'a> {
    case: &'a Case,
    n: u64,
}

impl Draws<'_> {
    fn next(&mut self) -> u64 {
        self.n += 1;
        splitmix64(self.case.seed, self.n)
    }

    /// The number that a draw stands for.
    fn number(&self, draw: u64) -> f64 {
        let x = ((draw >> 40) as f64 - 8388608.0) / 8388608.0;
        if self.case.positive { f64::from((x / 8.0 + 7.0 / 8.0) as f32) } else { x }
    }

    fn weight(&mut self) -> f32 {
        let draw = self.next();
        (self.number(draw) / 4.0) as f32
    }

    fn input(&mut self, row: usize) -> f32 {
        let draw = self.next();
        let zeros = match () {
            () if self.case.positive => 0,
            () if row.is_multiple_of(3) => 6,
            () => 2,
        };
        if draw % 8 < zeros || row % 100 == 99 {
            return 0.0;
        }
        let exponent = [0, 0, 0, 7, -7, 40, -120, -130][row % 8];
        (self.number(draw) * 2.0_f64.powi(exponent)) as f32
    }
}

/// The network of a case, and its rows.
fn network_and_rows(case: &Case) -> (IntegerMlp, Vec<f32>) {
    let (inputs, depth) = (case.widths[0], case.widths.len() - 1);
    let mut mlp = Mlp::builder(inputs);
    for (&width, unit) in case.widths[1..].iter().zip(&case.units) {
        mlp = mlp.hidden(width, unit.parse().unwrap(), Keep::ONE);
    }
    let mut mlp = mlp.output(case.widths[depth], Loss::SquaredError).build().unwrap();
    let mut draws = Draws { case, n: 0 };
    for (layer, pair) in case.widths.windows(2).enumerate() {
        let weights: Vec<f32> = (0..pair[0] * pair[1]).map(|_| draws.weight()).collect();
        mlp.set_weights(layer, &weights).unwrap();
        let bias = |_| if case.biases { draws.weight() } else { 0.0 };
        let bias: Vec<f32> = (0..pair[1]).map(bias).collect();
        mlp.set_bias(layer, &bias).unwrap();
    }
    let rows: Vec<f32> = (0..case.rows * inputs).map(|i| draws.input(i / inputs)).collect();
    let calibration = MatrixView::new(&rows[..20 * inputs], 20, inputs).unwrap();
    (IntegerMlp::new(&mlp, &Batch::dense(calibration)).unwrap(), rows)
}

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../oracle/integer.json")).unwrap();
    assert_eq!(cases.len(), 4);
    cases
}

/// The digest of logits, in hexadecimal.
fn digest(logits: impl Iterator<Item = f32>) -> String {
    let bytes: Vec<u8> = logits.flat_map(f32::to_le_bytes).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_plain_logits_are_those_of_an_independent_program() {
    for case in cases() {
        let (integer, rows) = network_and_rows(&case);
        let rows = rows.chunks(case.widths[0]);
        let logits = rows.flat_map(|row| integer.plain_logits(row).unwrap());
        assert_eq!(digest(logits), case.sha256, "{:?}", case.units);
    }
}
