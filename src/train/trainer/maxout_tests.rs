//! Training of maxout units against backpropagation in f64 and against finite differences.

use serde::Deserialize;

use super::{
    tests::{all_close, allowed, close, numbers, small_targets},
    *,
};
use crate::{
    Keep, Noise, Sigma,
    exchange::torch::Sequential,
    nn::{Activation, Loss, PlainLayer, PlainNetwork, reference},
    optimiser::{Adam, Schedule, Sgd},
    simd::tests::on_each_isa,
    tensor::MatrixView,
    train::MaxNorm,
};

fn gaussian(sigma: f64) -> Noise {
    Sigma::new(sigma).unwrap().into()
}

fn sgd() -> Optimiser {
    Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9)).into()
}

/// Networks of 6 inputs, with maxout layers below and above other layers and each other.
fn networks(loss: Loss) -> Vec<Mlp> {
    let builder = |input: Noise| Mlp::builder(6).input_noise(input).seed(4);
    let outputs = 3 * loss.outputs_per_target();
    let networks = [
        builder(Keep::new(0.8).unwrap().into()).hidden_maxout(9, 3, Keep::HALF).hidden_maxout(
            7,
            2,
            Keep::new(0.7).unwrap(),
        ),
        builder(Noise::None).hidden_maxout(9, 5, Keep::ONE).hidden(7, Activation::Relu, Keep::HALF),
        builder(Keep::HALF.into()).hidden(9, Activation::Gelu, Keep::ONE).hidden_maxout(
            70,
            2,
            gaussian(0.4),
        ),
        builder(gaussian(0.3)).hidden_maxout(16, 8, gaussian(1.0)).hidden_maxout(7, 3, Noise::None),
    ];
    let build = |builder: crate::nn::MlpBuilder| {
        let mut mlp = builder.output(outputs, loss).build().unwrap();
        for layer in 0..3 {
            let outputs = mlp.bias(layer).unwrap().len();
            mlp.set_bias(layer, &numbers(layer as u64, outputs)).unwrap();
        }
        mlp
    };
    networks.map(build).into()
}

#[test]
fn gradients_are_those_of_backpropagation() {
    on_each_isa(|isa| {
        let x = numbers(5, 24);
        let batch = Batch::dense(MatrixView::new(&x, 4, 6).unwrap()).starting_at(10);
        let rows: Vec<&[f32]> = x.chunks_exact(6).collect();
        for &loss in Loss::ALL {
            for (index, mlp) in networks(loss).into_iter().enumerate() {
                let factors = reference::drawn(&mlp, 3, 0, 10, 4);
                small_targets(loss, |targets| {
                    let plain = PlainNetwork::from(&mlp);
                    let want = reference::gradients(&plain, &factors, &rows, targets);
                    assert!(want.are_known());
                    let trainer = Trainer::builder(mlp.clone(), sgd(), 4).seed(3);
                    let mut trainer = trainer.with_isa(isa).unwrap().build().unwrap();
                    let (got, gradients) = trainer.gradients(&batch, targets).unwrap();
                    allowed((got, &gradients), &want, &format!("{isa} {loss} {index}"));
                });
            }
        }
    });
}

/// The gradient of every parameter is the slope of the loss of the plain network, of which nothing but
/// the forward formula is used.
#[test]
fn gradients_are_finite_differences() {
    /// Of the quotient in f64, beside the rounding of the gradient in f32.
    const ERROR: f64 = 1e-5;
    let x = numbers(5, 24);
    let batch = Batch::dense(MatrixView::new(&x, 4, 6).unwrap());
    let mlp = Mlp::builder(6).hidden_maxout(9, 3, Keep::ONE).hidden_maxout(5, 2, Keep::ONE);
    let mlp = mlp.output(3, Loss::SoftmaxCrossEntropy).seed(8).build().unwrap();
    let targets = Targets::Classes(&[2, 0, 1, 2]);
    let trainer = Trainer::builder(mlp.clone(), sgd(), 4).build();
    let (_, gradients) = trainer.unwrap().gradients(&batch, targets).unwrap();
    let loss = |plain: &PlainNetwork| {
        let of_row = |(row, x): (usize, &[f32])| {
            let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
            plain.loss_of(&plain.logits(&x).unwrap(), targets, row).unwrap() / 4.0
        };
        x.chunks_exact(6).enumerate().map(of_row).sum::<f64>()
    };
    let mut plain = PlainNetwork::from(&mlp);
    let (mut zeros, mut all) = (0, 0);
    for (layer, gradient) in gradients.iter().enumerate() {
        let inputs = mlp.widths()[layer];
        for (i, &got) in gradient.weights.iter().chain(&gradient.bias).enumerate() {
            let mut slope = |step: f64| {
                let mut change = |step: f64| {
                    let PlainLayer { weights, bias, .. } = &mut plain.layers[layer];
                    match i.checked_sub(gradient.weights.len()) {
                        None => weights[i / inputs][i % inputs] += step,
                        Some(output) => bias[output] += step,
                    }
                };
                change(step);
                let value = loss(&plain);
                plain = PlainNetwork::from(&mlp);
                value
            };
            let want = (slope(1e-6) - slope(-1e-6)) / 2e-6;
            assert!((f64::from(got) - want).abs() < ERROR, "layer {layer}, {i}: {got} {want}");
            zeros += usize::from(got == 0.0);
            all += 1;
        }
    }
    assert!(zeros > 0 && zeros < all / 2, "{zeros} of {all} are 0");
}

/// A network of several panels, whose pieces begin anywhere in a panel.
fn wide(second: Noise) -> Mlp {
    let mlp = Mlp::builder(70)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden_maxout(150, 3, Keep::HALF)
        .hidden_maxout(80, 2, second)
        .output(3, Loss::SoftmaxCrossEntropy);
    mlp.seed(2).build().unwrap()
}

/// What steps of some sizes leave: the digest, and the bits of the losses. `chunk` is the number of rows
/// that go through the network together.
fn steps(mlp: &Mlp, optimiser: Optimiser, isa: Isa, chunk: usize) -> (String, Vec<u32>) {
    let mut builder = Trainer::builder(mlp.clone(), optimiser, 150).seed(7);
    builder.chunk = chunk;
    let builder = builder.max_norm(MaxNorm::Engine(0.9)).clip_value(0.01);
    let mut trainer = builder.with_isa(isa).unwrap().build().unwrap();
    let mut losses = Vec::new();
    for (step, rows) in [150, 1, 40].into_iter().enumerate() {
        let x = numbers(step as u64, 70 * rows);
        let classes: Vec<u32> = (0..rows as u32).map(|row| row % 3).collect();
        let batch = Batch::dense(MatrixView::new(&x, rows, 70).unwrap());
        losses.push(trainer.step(&batch, Targets::Classes(&classes)).unwrap().to_bits());
    }
    (trainer.network().unwrap().digest(), losses)
}

#[test]
fn steps_depend_neither_on_threads_nor_on_chunks_nor_on_a_fused_backend() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for second in [Noise::None, Keep::HALF.into(), gaussian(0.5)] {
        let mlp = wide(second);
        for optimiser in [sgd(), Adam::new(Schedule::constant(0.01)).into()] {
            let mut fused = None;
            on_each_isa(|isa| {
                let alone = steps(&mlp, optimiser.clone(), isa, 128);
                assert_eq!(pool.install(|| steps(&mlp, optimiser.clone(), isa, 128)), alone);
                assert_eq!(steps(&mlp, optimiser.clone(), isa, 16), alone, "chunks");
                if isa != Isa::Portable {
                    assert_eq!(*fused.get_or_insert_with(|| alone.clone()), alone, "{isa}");
                }
            });
        }
    }
}

/// Max-norm bounds the weights of each piece, and not of all pieces of a unit together.
#[test]
fn max_norm_is_of_each_piece() {
    const BOUND: f64 = 0.5;
    let mlp = Mlp::builder(6).hidden_maxout(9, 3, Keep::ONE);
    let mlp = mlp.output(3, Loss::SoftmaxCrossEntropy).seed(1).build().unwrap();
    let builder = Trainer::builder(mlp, sgd(), 4).max_norm(MaxNorm::Engine(BOUND));
    let mut trainer = builder.build().unwrap();
    let x = numbers(5, 24);
    let batch = Batch::dense(MatrixView::new(&x, 4, 6).unwrap());
    trainer.step(&batch, Targets::Classes(&[2, 0, 1, 2])).unwrap();
    let weights = trainer.network().unwrap().weights(0).unwrap();
    let norm = |w: &[f32]| w.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
    let norms: Vec<f64> = weights.chunks_exact(6).map(norm).collect();
    // Of 27 pieces with weights of deviation 0.58, all but a few begin beyond the bound.
    let near = norms.iter().filter(|&&norm| (norm - BOUND).abs() < 1e-6).count();
    assert!(norms.iter().all(|&norm| norm < BOUND + 1e-6) && near > 20, "{norms:?}");
}

/// `tests/oracle/pytorch_maxout.json`, generated by `pytorch_maxout.py` next to it.
#[derive(Deserialize)]
struct Oracle {
    module: String,
    x: Vec<Vec<f32>>,
    targets: Vec<u32>,
    weights: Vec<Vec<Vec<f32>>>,
    biases: Vec<Vec<f32>>,
    logits: Vec<Vec<f64>>,
    loss: f64,
    weight_gradients: Vec<Vec<Vec<f64>>>,
    bias_gradients: Vec<Vec<f64>>,
    rate: f64,
    steps: u64,
    weights_after: Vec<Vec<Vec<f64>>>,
    biases_after: Vec<Vec<f64>>,
}

#[test]
fn loss_gradients_and_updates_are_those_of_pytorch() {
    let text = include_str!("../../../tests/oracle/pytorch_maxout.json");
    let oracle: Oracle = serde_json::from_str(text).unwrap();
    let mut mlp = Mlp::builder(5)
        .hidden_maxout(7, 3, Noise::None)
        .hidden_maxout(6, 2, Noise::None)
        .output(4, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    assert_eq!(Sequential::from(&mlp).to_string(), oracle.module);
    for (layer, (weights, bias)) in oracle.weights.iter().zip(&oracle.biases).enumerate() {
        mlp.set_weights(layer, &weights.concat()).unwrap();
        mlp.set_bias(layer, bias).unwrap();
    }
    let plain = PlainNetwork::from(&mlp);
    for (x, want) in oracle.x.iter().zip(&oracle.logits) {
        let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        for (got, want) in plain.logits(&x).unwrap().into_iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{got} {want}");
        }
    }
    let x = oracle.x.concat();
    let batch = Batch::dense(MatrixView::new(&x, 4, 5).unwrap());
    let targets = Targets::Classes(&oracle.targets);
    on_each_isa(|isa| {
        let momentum = Schedule::constant(0.9);
        let sgd = Sgd::new(Schedule::constant(oracle.rate)).momentum(momentum);
        let trainer = Trainer::builder(mlp.clone(), sgd, 4).with_isa(isa).unwrap();
        let mut trainer = trainer.build().unwrap();
        let (loss, gradients) = trainer.gradients(&batch, targets).unwrap();
        close(loss, oracle.loss, "loss");
        for (layer, got) in gradients.iter().enumerate() {
            all_close(&got.weights, &oracle.weight_gradients[layer].concat(), "gradients");
            all_close(&got.bias, &oracle.bias_gradients[layer], "gradients of biases");
        }
        for _ in 0..oracle.steps {
            trainer.step(&batch, targets).unwrap();
        }
        let network = trainer.network().unwrap();
        for layer in 0..3 {
            let weights = oracle.weights_after[layer].concat();
            all_close(&network.weights(layer).unwrap(), &weights, "weights");
            all_close(network.bias(layer).unwrap(), &oracle.biases_after[layer], "biases");
        }
    });
}

/// Of the gradient of the pieces, every kept unit of a row has one number that is not 0, and every other
/// unit none.
#[test]
fn the_gradient_of_a_unit_goes_to_one_piece() {
    let mlp = wide(Keep::HALF.into());
    on_each_isa(|isa| {
        let trainer = Trainer::builder(mlp.clone(), sgd(), 100).seed(7).with_isa(isa).unwrap();
        let mut trainer = trainer.build().unwrap();
        let x = numbers(1, 7000);
        let classes: Vec<u32> = (0..100).map(|row| row % 3).collect();
        let batch = Batch::dense(MatrixView::new(&x, 100, 70).unwrap());
        trainer.gradients(&batch, Targets::Classes(&classes)).unwrap();
        for (layer, (units, pieces)) in [(150, 3), (80, 2)].into_iter().enumerate() {
            let Drawn::Mask(mask) = &trainer.drawn[layer + 1] else { panic!("no mask") };
            for row in 0..100 {
                let kept: Vec<usize> = mask.at(row).iter().collect();
                let dz = |output: usize| trainer.flow.z[layer].get(row, output) != 0.0;
                let mut found: Vec<usize> =
                    (0..units * pieces).filter(|&output| dz(output)).map(|n| n % units).collect();
                found.sort_unstable();
                assert_eq!(found, kept, "{isa} {layer} {row}");
            }
        }
    });
}
