//! Networks with 8-bit weights compute what their definition says.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use thinnet::{
    Isa, Keep, Noise, Sigma,
    data::Batch,
    dropout::GaussianDropout,
    mask::{Domain, Mask, MaskSpec, Streams},
    nn::{Activation, IntegerMlp, Loss, Mlp},
    predict::{MonteCarlo, Predictor, Seeds},
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

/// For every instruction set, split of the batch and number of threads.
#[test]
fn the_predictors_logits_are_those_of_the_independent_program() {
    for case in cases() {
        let (integer, rows) = network_and_rows(&case);
        let rows = MatrixView::new(&rows, case.rows, case.widths[0]).unwrap();
        for isa in Isa::available() {
            let predictor = Predictor::from_integers(integer.clone()).unwrap();
            let predictor = predictor.with_isa(isa).unwrap();
            for (split, threads) in [(1, 1), (2, 2), (7, 1), (64, 3), (301, 2), (4000, 3)] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut workspace = predictor.workspace(split.min(case.rows)).unwrap();
                let logits: Vec<f32> = pool.install(|| {
                    let parts = Batch::dense(rows).chunks(split).unwrap();
                    parts
                        .flat_map(|part| {
                            let logits = predictor.logits(&part, &mut workspace).unwrap();
                            logits.iter().flatten().copied().collect::<Vec<_>>()
                        })
                        .collect()
                });
                let digest = digest(logits.into_iter());
                assert_eq!(digest, case.sha256, "{:?}, {isa}, {split}, {threads}", case.units);
            }
        }
    }
}

/// The factors of a site's units in the only sample of a row with this seed.
fn factors(mlp: &Mlp, site: usize, noise: Noise, seed: u64) -> Vec<f32> {
    let streams = Streams::new(seed, Domain::Prediction, site as u64, 0);
    let mut factors = vec![1.0; mlp.widths()[site]];
    match noise {
        Noise::Bernoulli(keep) => {
            let spec = MaskSpec::new(keep, streams);
            let draw = if site == 0 && mlp.sparse_input() { Mask::draw_sparse } else { Mask::draw };
            let mask = draw(spec, 1, factors.len()).unwrap();
            for (unit, factor) in factors.iter_mut().enumerate() {
                *factor = if mask.get(0, unit) { keep.scale() } else { 0.0 };
            }
        }
        Noise::Gaussian(sigma) => {
            GaussianDropout::new(sigma).forward_in_place(streams, &mut factors);
        }
        _ => {}
    }
    factors
}

/// A sample is the definition with the masks or factors of a thinned network.
#[test]
fn samples_are_those_of_thinned_networks() {
    let leaky = "leaky_relu(0.3)".parse().unwrap();
    let [keep, half] = [0.7, 0.5].map(|p| Noise::from(Keep::new(p).unwrap()));
    let gaussian = Noise::Gaussian(Sigma::new(0.6).unwrap());
    for (sparse, noises) in [
        (false, [keep, half, keep]),
        (true, [keep, half, gaussian]),
        (false, [Noise::None, half, keep]),
        (false, [Noise::None, Noise::None, half]),
        (false, [gaussian, half, Noise::None]),
        (false, [Noise::None, gaussian, gaussian]),
    ] {
        let mut mlp = Mlp::builder(45).input_noise(noises[0]);
        if sparse {
            mlp = mlp.sparse_input();
        }
        let mlp = mlp
            .hidden(70, Activation::Relu, noises[1])
            .hidden(51, leaky, noises[2])
            .output(5, Loss::SquaredError)
            .seed(3)
            .build()
            .unwrap();
        let rows: Vec<f32> = (0..30 * 45).map(|i| ((i * 37 % 101) as f32 - 50.0) / 32.0).collect();
        let rows = MatrixView::new(&rows, 30, 45).unwrap();
        let integer = IntegerMlp::new(&mlp, &Batch::dense(rows)).unwrap();
        let seeds: Vec<u64> = (100..130).collect();
        let sample = |(row, &seed): (usize, &u64)| {
            let factors = [0, 1, 2].map(|site| factors(&mlp, site, noises[site], seed));
            let row = rows.row(row).unwrap();
            integer.plain_logits_scaled(row, |site, unit| factors[site][unit]).unwrap()
        };
        let expected: Vec<f64> = seeds.iter().enumerate().flat_map(sample).map(f64::from).collect();
        for isa in Isa::available() {
            let predictor = Predictor::from_integers(integer.clone()).unwrap();
            let predictor = predictor.with_isa(isa).unwrap();
            for split in [1, 8, 30] {
                let mut workspace = predictor.workspace(split).unwrap();
                let one = MonteCarlo::new(1).unwrap();
                let mut found = Vec::new();
                let parts = Batch::dense(rows).chunks(split).unwrap();
                for (part, seeds) in parts.zip(seeds.chunks(split)) {
                    let seeds = Seeds::Each(seeds);
                    let answers =
                        predictor.monte_carlo(&part, &one, seeds, &mut workspace).unwrap();
                    found.extend(answers.into_iter().flat_map(|answer| answer.mean().to_vec()));
                }
                assert_eq!(found, expected, "{isa}, {split}, {sparse}, {noises:?}");
            }
        }
    }
}
