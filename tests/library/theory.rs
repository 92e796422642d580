//! The paper's theory, exactly: with all thinned networks enumerated.

use rand_xoshiro::rand_core::Rng;
use thinnet::{
    Keep,
    data::Batch,
    mask::{Domain, Streams},
    nn::{Activation, Ensemble, Loss, Mlp, PlainNetwork, ThinnedNetwork},
    predict::Predictor,
    tensor::MatrixView,
};

use crate::backend;

fn numbers(seed: u64, n: usize) -> Vec<f64> {
    let mut rng = Streams::new(seed, Domain::Other, 0, 0).rng(0);
    (0..n).map(|_| (rng.next_u64() >> 11) as f64 / (1u64 << 52) as f64 - 1.0).collect()
}

/// f64 sums of at most 2^12 terms near 1.
const EXACT: f64 = 1e-10;

#[test]
fn probabilities_of_all_thinned_networks_sum_to_one() {
    let mlp = Mlp::builder(5)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(7, Activation::Relu, Keep::new(0.3).unwrap())
        .output(2, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let ensemble = Ensemble::enumerate(&mlp).unwrap();
    assert_eq!((ensemble.count(), ensemble.members().count()), (1 << 12, 1 << 12));
    let sum: f64 = ensemble.members().map(|m| m.unwrap().log_probability().exp()).sum();
    assert!((sum - 1.0).abs() < EXACT);
}

#[test]
fn the_mean_of_a_linear_network_is_weight_scaling() {
    let mlp = Mlp::builder(4)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(5, Activation::Identity, Keep::HALF)
        .hidden(3, Activation::Identity, Keep::new(0.7).unwrap())
        .output(2, Loss::SquaredError)
        .seed(3)
        .build()
        .unwrap();
    let ensemble = Ensemble::enumerate(&mlp).unwrap();
    let scaled = PlainNetwork::from(&mlp);
    for seed in 0..5 {
        let x = numbers(seed, 4);
        let mean = ensemble.mean(&x).unwrap();
        for (mean, scaled) in mean.iter().zip(scaled.predict(&x).unwrap()) {
            assert!((mean - scaled).abs() < EXACT, "{mean} {scaled}");
        }
    }
}

#[test]
fn the_normalised_geometric_mean_of_softmax_is_weight_scaling() {
    // Exact for one layer of softmax on dropped inputs, at any keep rate: the
    // mean of log-probabilities is linear in the logits.
    for keep in [Keep::HALF, Keep::new(0.8).unwrap()] {
        let mlp = Mlp::builder(8)
            .input_noise(keep)
            .output(4, Loss::SoftmaxCrossEntropy)
            .initialisation(thinnet::nn::Initialisation::Glorot)
            .build()
            .unwrap();
        let ensemble = Ensemble::enumerate(&mlp).unwrap();
        let scaled = PlainNetwork::from(&mlp);
        for seed in 0..5 {
            let x = numbers(seed, 8);
            let geometric = ensemble.geometric_mean(&x).unwrap();
            let arithmetic = ensemble.mean(&x).unwrap();
            let mut apart = 0.0f64;
            for ((g, a), s) in geometric.iter().zip(&arithmetic).zip(scaled.predict(&x).unwrap()) {
                assert!((g - s).abs() < EXACT, "{g} {s}");
                apart = apart.max((a - s).abs());
            }
            // The arithmetic mean is another thing: the test can tell them apart.
            assert!(apart > 1e-4);
        }
    }
}

#[test]
fn sampled_thinned_networks_converge_to_the_arithmetic_mean() {
    let mlp = Mlp::builder(4)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(8, Activation::Relu, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .seed(1)
        .build()
        .unwrap();
    let x = numbers(9, 4);
    let mean = Ensemble::enumerate(&mlp).unwrap().mean(&x).unwrap();
    for samples in [100, 10_000] {
        let mut sums = [(0.0, 0.0); 3];
        for sample in 0..samples {
            let p = ThinnedNetwork::of(&mlp, 5, sample, 0).unwrap().predict(&x).unwrap();
            for ((sum, square), p) in sums.iter_mut().zip(p) {
                *sum += p;
                *square += p * p;
            }
        }
        for ((sum, square), want) in sums.into_iter().zip(&mean) {
            let n = samples as f64;
            let variance = square / n - (sum / n) * (sum / n);
            // 6 standard errors: exceeded with probability 2e-9 a check.
            let bound = 6.0 * (variance / n).sqrt();
            assert!((sum / n - want).abs() < bound, "{samples}: {} {want}", sum / n);
        }
    }
}

#[test]
fn both_forms_of_a_network_predict_the_same() {
    let mlp = Mlp::builder(6)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(9, Activation::Relu, Keep::HALF)
        .hidden(9, Activation::Logistic, Keep::new(0.6).unwrap())
        .output(3, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let paper = mlp.clone().into_paper();
    let back = paper.clone().into_inverted();
    let x = numbers(2, 6);
    let x32: Vec<f32> = x.iter().map(|&x| x as f32).collect();
    let predictor = Predictor::new(back).with_isa(backend::isa()).unwrap();
    let mut workspace = predictor.workspace(1).unwrap();
    let batch = Batch::dense(MatrixView::new(&x32, 1, 6).unwrap());
    let got = predictor.predict(&batch, &mut workspace).unwrap();
    for (unit, want) in paper.predict(&x).unwrap().into_iter().enumerate() {
        assert!((f64::from(got.row(0).unwrap()[unit]) - want).abs() < 1e-6);
    }
    let norms = |mlp: &Mlp| mlp.weights(1).unwrap().iter().map(|w| w * w).sum::<f32>().sqrt();
    let ratio = norms(&mlp) / norms(paper.paper_weights());
    assert!((ratio - 0.5).abs() < 1e-5, "W = p W_paper: {ratio}");
}

#[test]
fn thinned_networks_contain_the_kept_units() {
    let mlp = Mlp::builder(6)
        .input_noise(Keep::HALF)
        .hidden(9, Activation::Relu, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let thinned = ThinnedNetwork::of(&mlp, 1, 2, 3).unwrap();
    let standing = thinned.standing();
    for site in 0..2 {
        let kept: Vec<usize> = thinned.masks()[site].row(0).unwrap().iter().collect();
        assert_eq!(standing[site], kept);
        assert_eq!(thinned.network().layers[site].weights.len(), standing[site + 1].len());
    }
    let weights = mlp.weights(0).unwrap();
    for (i, &n) in standing[1].iter().enumerate() {
        for (j, &k) in standing[0].iter().enumerate() {
            let want = f64::from(weights[n * 6 + k]) * 2.0;
            assert_eq!(thinned.network().layers[0].weights[i][j], want);
        }
    }
    assert!((thinned.log_probability() - 15.0 * 0.5f64.ln()).abs() < EXACT);
    assert!(thinned.predict(&[0.0; 5]).is_err());
    let wide = Mlp::builder(17).input_noise(Keep::HALF).output(1, Loss::SquaredError);
    let linear = Mlp::builder(2).input_noise(Keep::HALF).output(2, Loss::SquaredError);
    let linear = Ensemble::enumerate(&linear.build().unwrap()).unwrap();
    assert!(linear.geometric_mean(&[0.0; 2]).is_err(), "values are no probabilities");
    let error = Ensemble::enumerate(&wide.build().unwrap()).unwrap_err().to_string();
    assert!(error.contains("17") && error.contains("16"), "{error}");
}
