//! Gaussian noise at the sites of a network: what it does to predictions, what refuses it, and how
//! it is saved.

use proptest::prelude::*;
use thinnet::{
    Keep, Noise, Sigma,
    data::Batch,
    exchange::{onnx, torch},
    mask::{Domain, Streams},
    nn::{Activation, Ensemble, Loss, Mlp, MlpBuilder, Scaling, Targets, ThinnedNetwork},
    predict::{MonteCarlo, Predictor, Seeds},
    tensor::MatrixView,
    train::{Adam, MaxNorm, Optimiser, Provenance, Schedule, Sgd, Trainer},
};

use crate::{backend::isa, cases};

fn gaussian(sigma: f64) -> Noise {
    Sigma::new(sigma).unwrap().into()
}

/// Numbers in [-1, 1).
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let streams = Streams::new(seed, Domain::Other, 0, 0);
    (0..n as u64).map(|i| (streams.hash(i) as f64 / (1u64 << 63) as f64 - 1.0) as f32).collect()
}

/// y = W2 (r1 (W1 (r0 x) + b1)) + b2 with 20 inputs, 30 hidden units and 2 outputs.
fn linear(input: Noise, hidden: Noise) -> Mlp {
    let mlp = Mlp::builder(20)
        .input_noise(input)
        .hidden(30, Activation::Identity, hidden)
        .output(2, Loss::SquaredError);
    let mut mlp = mlp.seed(3).build().unwrap();
    mlp.set_bias(0, &numbers(1, 30)).unwrap();
    mlp.set_bias(1, &numbers(2, 2)).unwrap();
    mlp
}

/// Mean and variance of each output of [`linear`], from the definition: with h = W1 (r0 x) + b1 of
/// mean m and covariance C = W1 diag(v0 x²) W1', the outputs' covariance is W2 (C + v1 diag(C +
/// m²)) W2'. `independent` leaves out the covariances of different hidden units, as moments do.
fn expected(mlp: &Mlp, x: &[f32], independent: bool) -> Vec<(f64, f64)> {
    let f64s = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
    let [w1, w2] = [0, 1].map(|layer| f64s(&mlp.weights(layer).unwrap()));
    let [b1, b2] = [0, 1].map(|layer| f64s(mlp.bias(layer).unwrap()));
    let [v0, v1] = [0, 1].map(|site| mlp.noises()[site].variance());
    let x = f64s(x);
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let row = |unit: usize| &w1[unit * 20..][..20];
    let m: Vec<f64> = (0..30).map(|unit| dot(row(unit), &x) + b1[unit]).collect();
    let c = |i: usize, j: usize| {
        let products = row(i).iter().zip(row(j)).zip(&x);
        products.map(|((a, b), x)| v0 * a * b * x * x).sum::<f64>()
    };
    let output = |w: &[f64], b: f64| {
        let mut variance = 0.0;
        for i in 0..30 {
            for j in 0..30 {
                if i == j || !independent {
                    variance += w[i] * w[j] * c(i, j);
                }
            }
            variance += w[i] * w[i] * v1 * (c(i, i) + m[i] * m[i]);
        }
        (dot(w, &m) + b, variance)
    };
    w2.chunks_exact(30).zip(b2).map(|(w, b)| output(w, b)).collect()
}

/// The sites: both, the input alone, the hidden layer alone, and one of each kind.
fn linear_networks() -> [Mlp; 4] {
    [
        linear(gaussian(0.5), gaussian(1.0)),
        linear(gaussian(1.0), Noise::None),
        linear(Noise::None, gaussian(0.7)),
        linear(Keep::HALF.into(), gaussian(1.0)),
    ]
}

/// A mean of n samples is off by more than 6 standard errors with a probability of 2e-9; so is a
/// variance, whose standard error is sqrt((m4 - m2²) / n) with the samples' own moments.
#[test]
fn samples_of_a_linear_network_have_the_mean_and_variance_of_the_formula() {
    const SAMPLES: usize = 20_000;
    let x = numbers(5, 20);
    let batch = Batch::dense(MatrixView::new(&x, 1, 20).unwrap());
    for mlp in linear_networks() {
        let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(1).unwrap();
        let settings = MonteCarlo::new(SAMPLES).unwrap().keep_samples();
        let seeds = Seeds::Each(&[11]);
        let answers = predictor.monte_carlo(&batch, &settings, seeds, &mut workspace).unwrap();
        let answer = answers.row(0).unwrap();
        for (output, (mean, variance)) in expected(&mlp, &x, false).into_iter().enumerate() {
            let power = |power| {
                let of = |n| f64::from(answer.sample(n).unwrap()[output]) - mean;
                (0..SAMPLES).map(|n| of(n).powi(power)).sum::<f64>() / SAMPLES as f64
            };
            let [off, m2, m4] = [power(1), power(2), power(4)];
            let n = SAMPLES as f64;
            assert!(off.abs() < 6.0 * (variance / n).sqrt(), "mean {off}, {:?}", mlp.noises());
            let error = ((m4 - m2 * m2) / n).sqrt();
            assert!((m2 - variance).abs() < 6.0 * error, "{m2} {variance} {:?}", mlp.noises());
        }
    }
}

#[test]
fn moments_of_a_linear_network_are_those_of_the_formula() {
    let x = numbers(5, 20);
    let batch = Batch::dense(MatrixView::new(&x, 1, 20).unwrap());
    // Dropout on few inputs is taken by masks, and not by this formula.
    for mlp in &linear_networks()[..3] {
        let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(1).unwrap();
        let [means, variances] = predictor.logit_moments(&batch, &mut workspace).unwrap();
        for (output, (mean, variance)) in expected(mlp, &x, true).into_iter().enumerate() {
            let got = [means, variances].map(|of| f64::from(of.row(0).unwrap()[output]));
            assert!((got[0] - mean).abs() < 1e-5, "{got:?} {mean}");
            assert!((got[1] / variance - 1.0).abs() < 1e-5, "{got:?} {variance}");
        }
        let mut scaling = predictor.workspace(1).unwrap();
        let plain = predictor.predict(&batch, &mut scaling).unwrap();
        assert_eq!(plain.row(0).unwrap(), means.row(0).unwrap(), "nothing is scaled");
    }
}

/// The median ratio of the deviations of deep networks, of which 2,000 samples know each to 2 %.
#[test]
fn moments_of_a_deep_network_are_near_those_of_samples() {
    const ROWS: usize = 20;
    let x = numbers(6, ROWS * 100);
    let batch = Batch::dense(MatrixView::new(&x, ROWS, 100).unwrap());
    let ids: Vec<u64> = (0..ROWS as u64).collect();
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
        let mlp = Mlp::builder(100)
            .input_noise(gaussian(0.5))
            .hidden(200, activation, gaussian(1.0))
            .hidden(200, activation, gaussian(1.0))
            .output(1, Loss::SquaredError);
        let predictor = Predictor::new(mlp.seed(8).build().unwrap()).with_isa(isa()).unwrap();
        let [mut first, mut second] = [0; 2].map(|_| predictor.workspace(ROWS).unwrap());
        let seeds = Seeds::Numbered { base: 3, ids: &ids };
        let settings = MonteCarlo::new(2000).unwrap();
        let samples = predictor.monte_carlo(&batch, &settings, seeds, &mut first).unwrap();
        let moments = predictor.moments(&batch, &mut second).unwrap();
        let mut ratios: Vec<f64> = Vec::new();
        for (sampled, answer) in samples.iter().zip(moments.iter()) {
            let deviation = sampled.std_dev(0).unwrap();
            ratios.push(answer.std_dev(0).unwrap() / deviation);
            let off = (answer.mean()[0] - sampled.mean()[0]).abs();
            assert!(off < 0.25 * deviation, "{activation}: {off} of {deviation}");
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ROWS / 2];
        assert!((0.85..1.15).contains(&median), "{activation}: {median}");
    }
}

proptest! {
    #![proptest_config(cases::fixed())]

    /// The mean of n factors is off by more than 6 sigma / sqrt(n) with a probability of 2e-9, in
    /// any of 256 cases with 1e-6.
    #[test]
    fn expected_activations_are_preserved(
        x in -1e3f32..1e3,
        sigma in 0.01f64..3.0,
        seed: u64,
    ) {
        let (samples, width) = (40, 70);
        let mlp = Mlp::builder(width).input_noise(gaussian(sigma)).output(1, Loss::SquaredError);
        let mut mlp = mlp.build().unwrap();
        mlp.set_weights(0, &vec![1.0 / width as f32; width]).unwrap();
        let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(1).unwrap();
        let row = vec![x; width];
        let batch = Batch::dense(MatrixView::new(&row, 1, width).unwrap());
        let settings = MonteCarlo::new(samples).unwrap();
        let answers = predictor
            .monte_carlo(&batch, &settings, Seeds::Each(&[seed]), &mut workspace)
            .unwrap();
        let x = f64::from(x);
        let bound = 6.0 * sigma * x.abs() / ((samples * width) as f64).sqrt();
        // And the rounding of 70 products and sums.
        let rounding = 100.0 * (1.0 + 6.0 * sigma) * x.abs() * f64::from(f32::EPSILON);
        let off = (answers.row(0).unwrap().mean()[0] - x).abs();
        prop_assert!(off <= bound + rounding, "{off} {bound}");
    }
}

fn deep() -> MlpBuilder {
    Mlp::builder(20)
        .input_noise(gaussian(0.5))
        .hidden(70, Activation::Relu, gaussian(1.0))
        .hidden(30, Activation::Tanh, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .seed(1)
}

#[test]
fn what_has_a_meaning_for_dropout_only_names_the_site() {
    let mlp = deep().build().unwrap();
    let message = |what| {
        format!(
            "dropout site 0 has noise gaussian(0.5), which {what} does not support: expected none or \
             bernoulli(KEEP) (site 0 is the input)"
        )
    };
    let thinned = ThinnedNetwork::of(&mlp, 1, 0, 0).unwrap_err();
    assert_eq!(thinned.to_string(), message("a thinned network"));
    let ensemble = Ensemble::enumerate(&linear(gaussian(0.5), Noise::None)).unwrap_err();
    assert_eq!(ensemble.to_string(), message("an ensemble of thinned networks"));
    let sparse = deep().sparse_input().build().unwrap_err();
    assert_eq!(sparse.to_string(), message("a sparse input"));
    let graph = onnx::to_bytes(&mlp, &onnx::Export::new().dropout(true)).unwrap_err();
    assert_eq!(graph.to_string(), message("an ONNX graph with dropout"));
    // A sparse input whose noise is none, and Gaussian noise above it.
    assert!(deep().input_noise(Noise::None).sparse_input().build().is_ok());
}

#[test]
fn files_and_settings_hold_the_noise() {
    let mlp = deep().build().unwrap();
    assert_eq!(Mlp::from_bytes(&mlp.to_bytes().unwrap()).unwrap(), mlp);
    let graph = onnx::to_bytes(&mlp, &onnx::Export::new()).unwrap();
    assert_eq!(onnx::Model::from_bytes(graph).network(None).unwrap(), mlp);
    let dict = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
    assert_eq!(torch::StateDict::from_bytes(dict).unwrap().network(None).unwrap(), mlp);
    let json = serde_json::to_string(&deep()).unwrap();
    assert!(json.contains(r#""input_noise":"gaussian(0.5)""#), "{json}");
    assert_eq!(serde_json::from_str::<MlpBuilder>(&json).unwrap(), deep());
    // No weight is scaled above Gaussian noise.
    let paper = mlp.try_clone().unwrap().into_paper();
    for layer in [0, 1] {
        let weights = paper.paper_weights().weights(layer).unwrap();
        assert_eq!(weights, mlp.weights(layer).unwrap());
    }
    let last = [mlp.weights(2).unwrap()[0], paper.paper_weights().weights(2).unwrap()[0]];
    assert_eq!(2.0 * last[0], last[1]);
    assert_eq!(paper.into_inverted(), mlp);
}

fn step(trainer: &mut Trainer) {
    let x = numbers(100 + trainer.steps(), 160);
    let batch = Batch::dense(MatrixView::new(&x, 8, 20).unwrap());
    trainer.step(&batch, Targets::Classes(&[0, 1, 2, 0, 1, 2, 0, 1])).unwrap();
}

#[test]
fn a_resumed_run_equals_an_unbroken_one() {
    let sgd = Sgd::new(Schedule::constant(0.1)).momentum(Schedule::constant(0.9));
    for optimiser in [Optimiser::from(sgd), Adam::default().into()] {
        let builder = |network: MlpBuilder| {
            let trainer = Trainer::builder(network.build().unwrap(), optimiser.clone(), 8);
            let trainer = trainer.max_norm(MaxNorm::Paper(1.0)).paper_rates().seed(5);
            trainer.with_isa(isa()).unwrap()
        };
        let mut unbroken = builder(deep()).build().unwrap();
        for _ in 0..10 {
            let bytes = unbroken.to_bytes(&Provenance::new(), "").unwrap();
            let resumed = builder(deep()).resume_from_bytes(&bytes, &Provenance::new());
            let mut resumed = resumed.unwrap().0;
            step(&mut unbroken);
            step(&mut resumed);
            let state = |trainer: &Trainer| trainer.to_bytes(&Provenance::new(), "").unwrap();
            assert_eq!(state(&resumed), state(&unbroken));
            // Dropout of the same variance is another run.
            let other = builder(deep().input_noise(Keep::new(0.8).unwrap()));
            let error = other.resume_from_bytes(&bytes, &Provenance::new());
            let message = error.map(drop).unwrap_err().to_string();
            assert!(message.contains("20 (gaussian(0.5))"), "{message}");
        }
    }
}

#[test]
fn sigmas_in_files_are_those_that_saving_writes() {
    let bytes = deep().build().unwrap().to_bytes().unwrap();
    let (length, rest) = bytes.split_first_chunk().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header = std::str::from_utf8(header).unwrap();
    let said = r#"{\"kind\":\"gaussian\",\"sigma\":0.5}"#;
    assert!(header.contains(said), "{header}");
    for (sigma, words) in [
        ("0.0", "sigma 0: expected a number above 0"),
        ("-0.0", "sigma -0: expected a number above 0"),
        ("0.1", "sigma 0.1: expected a number above 0"),
        ("1e-320", "expected a number above 0"),
        ("-0.5", "sigma -0.5: expected a number from 0 to 65536"),
        ("1e300", "expected a number from 0 to 65536"),
        ("null", "null"),
        ("0.5,\\\"sigma\\\":0.5", "duplicate field `sigma`"),
        ("0.5,\\\"keep_k\\\":1", "unknown field `keep_k`"),
    ] {
        let header = header.replace(said, &said.replace("0.5", sigma));
        let file = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat();
        let message = Mlp::from_bytes(&file).unwrap_err().to_string();
        assert!(message.contains(words), "{sigma}: {message}");
    }
}
