//! The trainer against PyTorch's numbers, backpropagation in f64, thinned networks
//! and the paper's own form.

use serde::Deserialize;

use super::*;
use crate::{
    nn::{
        Activation, Loss, NegativeSlope, PlainNetwork, ThinnedNetwork,
        reference::{self, Gradients, Near},
    },
    rate::Keep,
    simd::tests::on_each_isa,
    tensor::MatrixView,
    train::{MaxNorm, Schedule, reference::Descent},
};

/// Networks of at most 9 units a layer with values near 1: sums of some 20
/// rounded products in three layers, so some 60 eps, with room for the
/// exponentials' 3 ULP and cancellation.
const CLOSE: f64 = 2e-5;

fn close(got: f32, want: f64, what: &str) {
    let error = (f64::from(got) - want).abs();
    assert!(error <= CLOSE * (1.0 + want.abs()), "{what}: got {got}, want {want}");
}

/// Gradients of a layer, relative to its largest.
fn all_close(got: &[f32], want: &[f64], what: &str) {
    assert_eq!(got.len(), want.len());
    let size = want.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(got) - want).abs();
        assert!(error <= CLOSE * size + 1e-9, "{what} {i}: got {got}, want {want}");
    }
}

/// `tests/oracle/pytorch_step.json`, made by `pytorch_step.py` beside it.
#[derive(Deserialize)]
struct Oracle {
    sizes: Vec<usize>,
    rows: usize,
    keep_k: Vec<u32>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    activation: String,
    loss: String,
    x: Vec<Vec<f32>>,
    masks: Vec<Vec<Vec<u8>>>,
    weights: Vec<Vec<Vec<f32>>>,
    biases: Vec<Vec<f32>>,
    targets: serde_json::Value,
    loss_value: f64,
    weight_gradients: Vec<Vec<Vec<f64>>>,
    bias_gradients: Vec<Vec<f64>>,
    #[serde(default)]
    optimisers: Vec<Optimiser>,
}

#[derive(Deserialize)]
struct Optimiser {
    lr: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    steps: u64,
    weights: Vec<Vec<Vec<f64>>>,
    biases: Vec<Vec<f64>>,
}

impl Case {
    fn activation(&self) -> Activation {
        match self.activation.as_str() {
            "sigmoid" => Activation::Logistic,
            name => name.parse().unwrap(),
        }
    }

    fn loss(&self) -> Loss {
        match self.loss.as_str() {
            "cross_entropy" => Loss::SoftmaxCrossEntropy,
            "mse" => Loss::SquaredError,
            "bce_with_logits" => Loss::BinaryCrossEntropy,
            name => panic!("{name}"),
        }
    }

    fn network(&self, oracle: &Oracle) -> Mlp {
        let keeps: Vec<Keep> = oracle.keep_k.iter().map(|&k| Keep::from_k(k).unwrap()).collect();
        let mut mlp = Mlp::builder(oracle.sizes[0])
            .input_keep(keeps[0])
            .hidden(oracle.sizes[1], self.activation(), keeps[1])
            .hidden(oracle.sizes[2], self.activation(), keeps[2])
            .output(oracle.sizes[3], self.loss())
            .build()
            .unwrap();
        for layer in 0..3 {
            mlp.set_weights(layer, &self.weights[layer].concat()).unwrap();
            mlp.set_bias(layer, &self.biases[layer]).unwrap();
        }
        mlp
    }

    /// Puts the case's masks in the place of drawn ones.
    fn force_masks(&self, trainer: &mut Trainer) {
        for (mask, bits) in trainer.masks.iter_mut().zip(&self.masks) {
            let mask = mask.as_mut().unwrap();
            for (row, bits) in bits.iter().enumerate() {
                for (unit, &bit) in bits.iter().enumerate() {
                    mask.set(row, unit, bit == 1).unwrap();
                }
            }
        }
    }
}

/// Calls `f` with the case's targets.
fn with_targets<T>(case: &Case, f: impl FnOnce(Targets<'_>) -> T) -> T {
    if case.loss() == Loss::SoftmaxCrossEntropy {
        let classes: Vec<u32> = serde_json::from_value(case.targets.clone()).unwrap();
        return f(Targets::Classes(&classes));
    }
    let rows: Vec<Vec<f32>> = serde_json::from_value(case.targets.clone()).unwrap();
    let flat = rows.concat();
    let view = MatrixView::new(&flat, rows.len(), rows[0].len()).unwrap();
    match case.loss() {
        Loss::SquaredError => f(Targets::Values(view)),
        _ => f(Targets::Binary(view)),
    }
}

#[test]
fn loss_gradients_and_updates_match_pytorch() {
    let oracle: Oracle =
        serde_json::from_str(include_str!("../../../tests/oracle/pytorch_step.json")).unwrap();
    assert_eq!(oracle.cases.len(), 12);
    on_each_isa(|isa| {
        for case in &oracle.cases {
            let what = format!("{isa} {} {}", case.activation, case.loss);
            let x = case.x.concat();
            let batch = Batch::dense(MatrixView::new(&x, oracle.rows, oracle.sizes[0]).unwrap());
            with_targets(case, |targets| {
                let sgd = Sgd::new(Schedule::constant(0.1));
                let trainer = Trainer::builder(case.network(&oracle), sgd, oracle.rows)
                    .with_isa(isa)
                    .unwrap();
                let mut trainer = trainer.build().unwrap();
                case.force_masks(&mut trainer);
                let loss = trainer.forward(&batch, targets, &mut |_| ()).unwrap();
                close(loss, case.loss_value, &what);
                let gradients = trainer.collect(oracle.rows).unwrap();
                for (layer, got) in gradients.iter().enumerate() {
                    all_close(&got.weights, &case.weight_gradients[layer].concat(), &what);
                    all_close(&got.bias, &case.bias_gradients[layer], &what);
                }
                for optimiser in &case.optimisers {
                    let mut sgd = Sgd::new(Schedule::constant(optimiser.lr))
                        .momentum(Schedule::constant(optimiser.momentum))
                        .weight_decay(optimiser.weight_decay);
                    if optimiser.nesterov {
                        sgd = sgd.nesterov();
                    }
                    let trainer = Trainer::builder(case.network(&oracle), sgd, oracle.rows);
                    let mut trainer = trainer.with_isa(isa).unwrap().build().unwrap();
                    case.force_masks(&mut trainer);
                    for _ in 0..optimiser.steps {
                        trainer.forward(&batch, targets, &mut |_| ()).unwrap();
                        trainer.update(oracle.rows, &mut |_| ());
                    }
                    let network = trainer.network().unwrap();
                    for layer in 0..3 {
                        let got = network.weights(layer).unwrap();
                        for (got, want) in got.into_iter().zip(optimiser.weights[layer].concat()) {
                            close(got, want, &what);
                        }
                        let got = network.bias(layer).unwrap();
                        for (&got, &want) in got.iter().zip(&optimiser.biases[layer]) {
                            close(got, want, &what);
                        }
                    }
                }
            });
        }
    });
    assert_eq!(oracle.cases.iter().map(|case| case.optimisers.len()).sum::<usize>(), 3);
}

/// Numbers in [-1, 1) from the noise streams.
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let streams = Streams::new(seed, Domain::Other, 0, 0);
    let half = (1u64 << 63) as f64;
    (0..n).map(|i| (streams.hash(i as u64) as f64 / half - 1.0) as f32).collect()
}

fn small(activation: Activation, loss: Loss, sparse: bool) -> Mlp {
    let builder = Mlp::builder(6)
        .input_keep(Keep::new(0.8).unwrap())
        .hidden(9, activation, Keep::HALF)
        .hidden(7, activation, Keep::new(0.7).unwrap())
        .output(3, loss)
        .seed(4);
    let builder = if sparse { builder.sparse_input() } else { builder };
    let mut mlp = builder.build().unwrap();
    for layer in 0..3 {
        let outputs = mlp.bias(layer).unwrap().len();
        mlp.set_bias(layer, &numbers(layer as u64, outputs)).unwrap();
    }
    mlp
}

/// Targets of four rows and three outputs for a loss.
fn small_targets<T>(loss: Loss, f: impl FnOnce(Targets<'_>) -> T) -> T {
    let values = numbers(77, 12);
    let bits: Vec<f32> = values.iter().map(|&x| f32::from(u8::from(x > 0.0))).collect();
    match loss {
        Loss::SoftmaxCrossEntropy => f(Targets::Classes(&[2, 0, 1, 2])),
        Loss::SquaredError => f(Targets::Values(MatrixView::new(&values, 4, 3).unwrap())),
        Loss::BinaryCrossEntropy => f(Targets::Binary(MatrixView::new(&bits, 4, 3).unwrap())),
    }
}

/// What backpropagation gives for the rows of `x`, each with its thinned network's mask;
/// a kept unit is multiplied by its site's factor.
fn backpropagated(
    network: &PlainNetwork,
    thinned: &[ThinnedNetwork],
    kept: &[f64],
    x: &[f32],
    targets: Targets<'_>,
) -> Gradients {
    let factors = reference::factors(network, thinned.len(), |row, site, unit| {
        if thinned[row].masks()[site].get(0, unit) { kept[site] } else { 0.0 }
    });
    let x: Vec<&[f32]> = x.chunks_exact(x.len() / thinned.len()).collect();
    let gradients = reference::gradients(network, &factors, &x, targets);
    assert!(gradients.are_known());
    gradients
}

#[test]
fn gradients_are_those_of_backpropagation_with_the_mask_held() {
    on_each_isa(gradients_of_thinned_networks);
}

fn gradients_of_thinned_networks(isa: Isa) {
    let x = numbers(5, 24);
    let batch = Batch::dense(MatrixView::new(&x, 4, 6).unwrap()).starting_at(10);
    let leaky = |slope: f32| Activation::LeakyRelu(NegativeSlope::new(slope).unwrap());
    for &activation in Activation::ALL.iter().chain(&[leaky(0.3), leaky(1.5)]) {
        for (&loss, sparse) in Loss::ALL.iter().zip([false, true, false]) {
            small_targets(loss, |targets| {
                let mlp = small(activation, loss, sparse);
                let thinned: Vec<_> =
                    (10..14).map(|row| ThinnedNetwork::of(&mlp, 3, 0, row).unwrap()).collect();
                let scales: Vec<f64> = mlp.keeps().iter().map(|keep| keep.scale().into()).collect();
                let plain = PlainNetwork::from(&mlp);
                let want = backpropagated(&plain, &thinned, &scales, &x, targets);
                let sgd = Sgd::new(Schedule::constant(0.1));
                let mut trainer =
                    Trainer::builder(mlp, sgd, 4).seed(3).with_isa(isa).unwrap().build().unwrap();
                let (got, gradients) = trainer.gradients(&batch, targets).unwrap();
                assert!(want.loss.allows(got), "{activation} {loss}: {got} {:?}", want.loss);
                for (layer, (got, (dw, db))) in gradients.iter().zip(&want.layers).enumerate() {
                    let what = format!("{isa} {activation} {loss} {layer}");
                    let dw: Vec<Near> = dw.concat();
                    assert_eq!((got.weights.len(), got.bias.len()), (dw.len(), db.len()));
                    let pairs = got.weights.iter().zip(&dw).chain(got.bias.iter().zip(db));
                    for (i, (&got, want)) in pairs.enumerate() {
                        assert!(want.allows(got), "{what}, {i}: {got} {want:?}");
                    }
                }
            });
        }
    }
}

#[test]
fn row_logits_match_the_thinned_network() {
    on_each_isa(logits_of_thinned_networks);
}

fn logits_of_thinned_networks(isa: Isa) {
    let x = numbers(6, 24);
    let batch = Batch::dense(MatrixView::new(&x, 4, 6).unwrap()).starting_at(3);
    for sparse in [false, true] {
        let mlp = small(Activation::Tanh, Loss::SoftmaxCrossEntropy, sparse);
        let sgd = Sgd::new(Schedule::constant(0.0));
        let mut trainer =
            Trainer::builder(mlp.clone(), sgd, 4).seed(8).with_isa(isa).unwrap().build().unwrap();
        for step in 0..3 {
            trainer.draw(&batch).unwrap();
            // The loss takes the logits' place, so they are made again here.
            trainer.forward(&batch, Targets::Classes(&[0, 1, 2, 0]), &mut |_| ()).unwrap();
            let last = trainer.mlp.depth() - 1;
            let (lists, z) = (&trainer.flow.lists[last], &mut trainer.flow.z[last]);
            let pass = Pass { isa, parallel: false };
            NetworkView::from(&trainer.mlp).layer(last).output(pass, lists, z);
            for row in 0..4 {
                let thinned = ThinnedNetwork::of(&mlp, 8, step, 3 + row as u64).unwrap();
                let row_x: Vec<f64> = x[row * 6..][..6].iter().map(|&x| f64::from(x)).collect();
                for (unit, want) in thinned.logits(&row_x).unwrap().into_iter().enumerate() {
                    close(trainer.flow.z[last].get(row, unit), want, "logit");
                }
            }
            trainer.step(&batch, Targets::Classes(&[0, 1, 2, 0])).unwrap();
        }
    }
}

/// Training as the paper writes it, in f64 and the plainest loops: units are
/// dropped and not scaled, and max-norm with c on the weights into each unit.
#[test]
fn paper_form_trained_by_paper_rules_is_the_same_network() {
    on_each_isa(trained_in_both_forms);
}

fn trained_in_both_forms(isa: Isa) {
    let descent = Descent { rate: 0.2, momentum: 0.8, decay: 0.003, max_norm: 0.9 };
    let x = numbers(5, 24);
    let batch = Batch::dense(MatrixView::new(&x, 4, 6).unwrap());
    let (activation, loss) = (Activation::Tanh, Loss::SoftmaxCrossEntropy);
    let targets = Targets::Classes(&[2, 0, 1, 2]);
    let mlp = small(activation, loss, false);
    let sgd = Sgd::new(Schedule::constant(descent.rate))
        .momentum(Schedule::constant(descent.momentum))
        .weight_decay(descent.decay)
        .max_norm(MaxNorm::Paper(descent.max_norm))
        .paper_rates();
    let mut trainer =
        Trainer::builder(mlp.clone(), sgd, 4).seed(3).with_isa(isa).unwrap().build().unwrap();

    let mut paper = PlainNetwork::from(mlp.clone().into_paper().paper_weights());
    let mut velocity = paper.clone();
    for layer in &mut velocity.layers {
        layer.bias.fill(0.0);
        layer.weights.iter_mut().for_each(|row| row.fill(0.0));
    }
    for step in 0..5 {
        trainer.step(&batch, targets).unwrap();
        let thinned: Vec<_> =
            (0..4).map(|row| ThinnedNetwork::of(&mlp, 3, step, row).unwrap()).collect();
        // The paper's form is not scaled.
        let gradients = backpropagated(&paper, &thinned, &[1.0; 3], &x, targets);
        let layers = paper.layers.iter_mut().zip(&mut velocity.layers).zip(gradients.layers);
        for ((layer, v), (dw, db)) in layers {
            let values = |of: &[Near]| of.iter().map(|x| x.value).collect::<Vec<_>>();
            for ((w, v), g) in layer.weights.iter_mut().zip(&mut v.weights).zip(&dw) {
                descent.weights(w, v, &values(g));
            }
            descent.biases(&mut layer.bias, &mut v.bias, &values(&db));
        }
    }
    let got = trainer.network().unwrap().into_paper();
    let got = PlainNetwork::from(got.paper_weights());
    for (got, want) in got.layers.iter().zip(&paper.layers) {
        let pairs = got.weights.iter().flatten().zip(want.weights.iter().flatten());
        for (&got, &want) in pairs.chain(got.bias.iter().zip(&want.bias)) {
            close(got as f32, want, "paper's parameter");
        }
    }
}

#[test]
fn parameters_that_overflow_are_reported_at_the_next_step() {
    on_each_isa(overflow);
}

fn overflow(isa: Isa) {
    let mlp = Mlp::builder(1).output(1, Loss::SquaredError).build().unwrap();
    let sgd = Sgd::new(Schedule::constant(3e38));
    let mut trainer = Trainer::builder(mlp, sgd, 1).with_isa(isa).unwrap().build().unwrap();
    let x = [1e3];
    let batch = Batch::dense(MatrixView::new(&x, 1, 1).unwrap());
    let target = [-1e3];
    let target = Targets::Values(MatrixView::new(&target, 1, 1).unwrap());
    assert!(trainer.step(&batch, target).unwrap().is_finite());
    assert!(trainer.ensure_finite().is_err());
    let error = trainer.step(&batch, target).unwrap_err();
    assert!(matches!(error, Error::NonFiniteParameters { layer: 0, step: 0 }), "{error}");
}
