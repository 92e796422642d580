//! Tests that the finite differences of this network's loss agree with the reference's
//! backpropagation, so everything compared with the reference rests on the loss formula alone.

use super::*;
use crate::{
    mask::{Domain, Streams},
    nn::{EluAlpha, HuberDelta, NegativeSlope, TargetKind, reference},
    rate::Keep,
    tensor::MatrixView,
};

/// The step h of the central differences, whose error is about h² = 1e-10 plus the rounding
/// error of f64, 1e-16 / h.
const STEP: f64 = 1e-5;
const CLOSE: f64 = 1e-8;

/// Numbers in [-1, 1) from the noise streams.
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let streams = Streams::new(seed, Domain::Other, 0, 0);
    let half = (1u64 << 63) as f64;
    (0..n).map(|i| (streams.hash(i as u64) as f64 / half - 1.0) as f32).collect()
}

fn network(activation: Activation, loss: Loss) -> PlainNetwork {
    let hidden = |mlp: crate::nn::MlpBuilder, width| mlp.hidden(width, activation, Keep::ONE);
    let mlp =
        hidden(hidden(Mlp::builder(4), 6), 5).output(3 * loss.outputs_per_target(), loss).seed(4);
    let mut mlp = mlp.build().unwrap();
    for layer in 0..3 {
        let outputs = mlp.bias(layer).unwrap().len();
        mlp.set_bias(layer, &numbers(layer as u64, outputs)).unwrap();
    }
    PlainNetwork::from(&mlp)
}

#[test]
fn slopes_of_the_loss_are_those_of_backpropagation() {
    let (x, t) = (numbers(5, 8), numbers(6, 6));
    let bits: Vec<f32> = t.iter().map(|&t| t.abs()).collect();
    let x: Vec<&[f32]> = x.chunks_exact(4).collect();
    let leaky = |slope: f32| Activation::LeakyRelu(NegativeSlope::new(slope).unwrap());
    let elu = |alpha: f32| Activation::Elu(EluAlpha::new(alpha).unwrap());
    // Zero for a dropped unit, else the inverse of a keep rate that depends on the site; or, for
    // the last site, a number of either sign for each unit, as Gaussian noise has.
    let noise = numbers(8, 64);
    let factor = |row: usize, site: usize, unit: usize| match site {
        2 => 1.0 + 2.0 * f64::from(noise[8 * row + unit]),
        _ if (row + 2 * site + unit).is_multiple_of(3) => 0.0,
        _ => 1.0 + 0.25 * site as f64,
    };
    for &activation in Activation::ALL.iter().chain(&[leaky(0.3), leaky(1.5), elu(0.3), elu(2.0)]) {
        for &loss in Loss::ALL.iter().chain(&[Loss::Huber(HuberDelta::new(0.3).unwrap())]) {
            let t: Vec<f32> = if loss == Loss::Poisson { bits.clone() } else { t.clone() };
            let targets = match loss.target_kind() {
                TargetKind::Classes => Targets::Classes(&[2, 0]),
                TargetKind::Values => Targets::Values(MatrixView::new(&t, 2, 3).unwrap()),
                TargetKind::Binary => Targets::Binary(MatrixView::new(&bits, 2, 3).unwrap()),
            };
            let network = network(activation, loss);
            let mean_loss = |network: &PlainNetwork| {
                let loss = |(row, x): (usize, &&[f32])| {
                    let x: Vec<f64> = x.iter().map(|&x| x.into()).collect();
                    let factor = |site, unit| factor(row, site, unit);
                    let z = network.logits_scaled(&x, factor).unwrap();
                    network.loss_of(&z, targets, row).unwrap()
                };
                x.iter().enumerate().map(loss).sum::<f64>() / x.len() as f64
            };
            let slope = |change: &dyn Fn(&mut PlainNetwork, f64)| {
                let [up, down] = [STEP, -STEP].map(|step| {
                    let mut moved = network.clone();
                    change(&mut moved, step);
                    mean_loss(&moved)
                });
                (up - down) / (2.0 * STEP)
            };
            let factors = reference::factors(&network, 2, factor);
            let got = reference::gradients(&network, &factors, &x, targets);
            let near = |got: f64, want: f64| {
                assert!((got - want).abs() <= CLOSE, "{activation} {loss}: {got}, not {want}");
            };
            near(got.loss.value, mean_loss(&network));
            for (l, (dw, db)) in got.layers.iter().enumerate() {
                for (n, db) in db.iter().enumerate() {
                    near(db.value, slope(&|network, h| network.layers[l].bias[n] += h));
                    for (k, dw) in dw[n].iter().enumerate() {
                        near(dw.value, slope(&|network, h| network.layers[l].weights[n][k] += h));
                    }
                }
            }
        }
    }
}
