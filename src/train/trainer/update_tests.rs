//! Tests of what a step does to the gradient before the optimiser gets it.

use super::{tests::numbers, *};
use crate::{
    nn::{Activation, Loss},
    optimiser::{Schedule, Sgd},
    rate::Keep,
    simd::tests::on_each_isa,
    tensor::MatrixView,
    train::MaxNorm,
};

const ROWS: usize = 9;

/// Networks whose layers take all ways through products 2 and 3: thin and dense, of one panel and of
/// several, and few outputs.
fn networks() -> Vec<Mlp> {
    let network = |activation, keep: Keep, outputs| {
        Mlp::builder(20)
            .input_noise(keep)
            .hidden(70, activation, keep)
            .hidden(9, activation, keep)
            .output(outputs, Loss::SquaredError)
            .seed(2)
            .build()
            .unwrap()
    };
    vec![
        network(Activation::Relu, Keep::HALF, 3),
        network(Activation::Tanh, Keep::ONE, 3),
        network(Activation::Tanh, Keep::ONE, 66),
    ]
}

/// Inputs and targets of a step.
fn rows_of(mlp: &Mlp, step: u64) -> (Vec<f32>, Vec<f32>) {
    (numbers(step, ROWS * mlp.inputs()), numbers(step + 100, ROWS * mlp.outputs()))
}

/// Calls `f` with the batch of a step and its targets.
fn with_batch<R>(mlp: &Mlp, step: u64, f: impl FnOnce(&Batch<'_>, Targets<'_>) -> R) -> R {
    let (x, t) = rows_of(mlp, step);
    let batch = Batch::dense(MatrixView::new(&x, ROWS, mlp.inputs()).unwrap());
    f(&batch, Targets::Values(MatrixView::new(&t, ROWS, mlp.outputs()).unwrap()))
}

/// A trainer whose batches go through the network in chunks of so many rows.
fn in_chunks(builder: TrainerBuilder, isa: Isa, chunk: usize) -> Trainer {
    let mut builder = builder.with_isa(isa).unwrap();
    builder.chunk = chunk;
    builder.build().unwrap()
}

/// Every parameter, layer by layer, the biases after the weights.
fn parameters(mlp: &Mlp) -> Vec<f32> {
    let layer = |index| [mlp.weights(index).unwrap(), mlp.bias(index).unwrap().to_vec()].concat();
    (0..mlp.depth()).flat_map(layer).collect()
}

/// A step of plain gradient descent at learning rate 1 subtracts the limited gradient.
#[test]
fn a_step_uses_the_limited_gradient() {
    let bound = 0.01_f32;
    on_each_isa(|isa| {
        for mlp in networks() {
            for chunk in [ROWS, 4] {
                let sgd = Sgd::new(Schedule::constant(1.0));
                let builder = Trainer::builder(mlp.clone(), sgd, ROWS).clip_value(bound.into());
                let mut trainer = in_chunks(builder, isa, chunk);
                with_batch(&mlp, 1, |batch, targets| {
                    let (_, gradients) = trainer.gradients(batch, targets).unwrap();
                    trainer.step(batch, targets).unwrap();
                    let g: Vec<f32> = gradients
                        .iter()
                        .flat_map(|layer| layer.weights.iter().chain(&layer.bias).copied())
                        .collect();
                    let larger = g.iter().filter(|g| g.abs() > bound).count();
                    assert!(larger > 20 && larger + 20 < g.len(), "{larger} of {}", g.len());
                    let after = parameters(&trainer.network().unwrap());
                    for ((w, g), after) in parameters(&mlp).iter().zip(g).zip(after) {
                        assert_eq!(after, w - g.clamp(-bound, bound), "{isa} {g}");
                    }
                });
            }
        }
    });
}

/// A bound that no element reaches changes no bit.
#[test]
fn a_bound_that_is_not_reached_changes_nothing() {
    on_each_isa(|isa| {
        for mlp in networks() {
            for optimiser in Optimiser::ALL {
                let run = |bound: Option<f64>| {
                    let builder = Trainer::builder(mlp.clone(), optimiser.clone(), ROWS);
                    let builder = builder.max_norm(MaxNorm::Engine(0.9));
                    let builder = match bound {
                        Some(bound) => builder.clip_value(bound),
                        None => builder,
                    };
                    let mut trainer = in_chunks(builder, isa, ROWS);
                    for step in 0..3 {
                        with_batch(&mlp, step, |batch, targets| {
                            trainer.step(batch, targets).unwrap();
                        });
                    }
                    let network = trainer.network().unwrap();
                    (network.digest(), trainer.states)
                };
                let (digest, states) = run(None);
                let (same_digest, same_states) = run(Some(f32::MAX.into()));
                assert_eq!(digest, same_digest, "{isa} {optimiser}");
                for (one, other) in states.iter().zip(&same_states) {
                    for (one, other) in one.optimiser.iter().zip(&other.optimiser) {
                        assert!(one.weights == other.weights && one.bias == other.bias);
                    }
                }
            }
        }
    });
}

#[test]
fn bounds_that_cannot_work_are_refused() {
    let mlp = || Mlp::builder(2).input_noise(Keep::HALF).output(1, Loss::SquaredError).build();
    let builder = || Trainer::builder(mlp().unwrap(), Sgd::new(Schedule::constant(0.1)), 1);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-50] {
        let error = builder().clip_value(bad).build().unwrap_err().to_string();
        let expected = "largest element of the gradient: expected a number from 1.2e-38 to 3.4e38";
        assert!(error.starts_with(expected), "{error}");
        assert!(error.ends_with(&format!("got {bad:?}")), "{error}");
    }
    // Divided by the keep rate, it is too large.
    builder().clip_value(2e38).build().unwrap();
    let error = builder().clip_value(2e38).paper_rates().build().unwrap_err().to_string();
    assert!(error.ends_with("got 4e38"), "{error}");
}
