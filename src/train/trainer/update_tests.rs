//! Tests of what a step does to the gradient before the optimiser gets it.

use super::{tests::numbers, *};
use crate::{
    nn::{Activation, Loss},
    optimiser::{Schedule, Sgd},
    rate::Keep,
    simd::tests::on_each_isa,
    tensor::MatrixView,
    train::{Averaging, MaxNorm},
};

const ROWS: usize = 9;

/// Networks whose layers take all ways through products 2 and 3: thin and dense, of one panel and of
/// several, and few outputs.
pub(super) fn networks() -> Vec<Mlp> {
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
pub(super) fn with_batch<R>(
    mlp: &Mlp,
    step: u64,
    f: impl FnOnce(&Batch<'_>, Targets<'_>) -> R,
) -> R {
    let (x, t) = rows_of(mlp, step);
    let batch = Batch::dense(MatrixView::new(&x, ROWS, mlp.inputs()).unwrap());
    f(&batch, Targets::Values(MatrixView::new(&t, ROWS, mlp.outputs()).unwrap()))
}

/// A trainer whose batches go through the network in chunks of so many rows.
pub(super) fn in_chunks(builder: TrainerBuilder, isa: Isa, chunk: usize) -> Trainer {
    let mut builder = builder.with_isa(isa).unwrap();
    builder.chunk = chunk;
    builder.build().unwrap()
}

/// Every parameter, layer by layer, the biases after the weights.
pub(super) fn parameters(mlp: &Mlp) -> Vec<f32> {
    let layer = |index| [mlp.weights(index).unwrap(), mlp.bias(index).unwrap().to_vec()].concat();
    (0..mlp.depth()).flat_map(layer).collect()
}

/// The gradient of every parameter, layer by layer, the biases after the weights.
fn flat(gradients: &[LayerGradient]) -> Vec<f32> {
    gradients.iter().flat_map(|layer| layer.weights.iter().chain(&layer.bias).copied()).collect()
}

/// The first step of plain gradient descent at learning rate 1: the gradient, and the parameters
/// before and after.
fn first_step(
    mlp: &Mlp,
    isa: Isa,
    chunk: usize,
    with: &dyn Fn(TrainerBuilder) -> TrainerBuilder,
) -> [Vec<f32>; 3] {
    let builder = Trainer::builder(mlp.clone(), Sgd::new(Schedule::constant(1.0)), ROWS);
    let mut trainer = in_chunks(with(builder), isa, chunk);
    with_batch(mlp, 1, |batch, targets| {
        let (loss, gradients) = trainer.gradients(batch, targets).unwrap();
        assert_eq!(trainer.step(batch, targets).unwrap(), loss);
        assert_eq!(trainer.steps(), 1);
        [flat(&gradients), parameters(mlp), parameters(&trainer.network().unwrap())]
    })
}

#[test]
fn a_step_scales_the_gradient_to_the_norm() {
    on_each_isa(|isa| {
        for mlp in networks() {
            for chunk in [ROWS, 4] {
                let [g, ..] = first_step(&mlp, isa, chunk, &|builder| builder);
                let norm = g.iter().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt();
                for c in [norm / 3.0, norm * 2.0] {
                    let factor = (c / (norm + 1e-6)).min(1.0) as f32;
                    let [same, before, after] =
                        first_step(&mlp, isa, chunk, &|builder| builder.clip_norm(c));
                    assert_eq!(same, g);
                    for ((w, g), after) in before.iter().zip(&g).zip(after) {
                        assert_eq!(after, w - g * factor, "{isa} {g} {factor}");
                    }
                }
            }
        }
    });
}

/// The penalty's subgradient is added for weights, not for biases, and is 0 where the weight is.
#[test]
fn a_step_adds_the_sign_of_each_weight() {
    let l1 = 0.125;
    on_each_isa(|isa| {
        for mut mlp in networks() {
            let mut weights = mlp.weights(0).unwrap();
            (weights[0], weights[1]) = (0.0, -0.0);
            mlp.set_weights(0, &weights).unwrap();
            let of_weights: Vec<f32> = (0..mlp.depth())
                .flat_map(|layer| {
                    let weights = mlp.weights(layer).unwrap();
                    let signs = weights.iter().map(|&w| if w == 0.0 { 0.0 } else { w.signum() });
                    signs.chain(mlp.bias(layer).unwrap().iter().map(|_| 0.0)).collect::<Vec<_>>()
                })
                .collect();
            for chunk in [ROWS, 4] {
                let [g, before, after] =
                    first_step(&mlp, isa, chunk, &|builder| builder.l1(l1.into()));
                for (((w, g), sign), after) in before.iter().zip(g).zip(&of_weights).zip(after) {
                    assert_eq!(after, w - (g + l1 * sign), "{isa} {g} {sign}");
                }
            }
        }
    });
}

/// What would make the norm infinite changes nothing, and is reported each time.
#[test]
fn a_gradient_without_a_norm_changes_nothing() {
    on_each_isa(|isa| {
        let rows = 3;
        let mut mlp = Mlp::builder(2)
            .hidden(3, Activation::Identity, Keep::ONE)
            .output(2, Loss::SquaredError)
            .build()
            .unwrap();
        mlp.set_weights(0, &[1e-38; 6]).unwrap();
        mlp.set_weights(1, &[3e38; 6]).unwrap();
        let builder = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), rows);
        let averaging = Averaging::exponential(0.5);
        let builder = builder.clip_norm(1.0).max_norm(MaxNorm::Engine(0.9)).average(averaging);
        let mut trainer = in_chunks(builder, isa, 2);
        let (before, x, targets) = (trainer.mlp.clone(), [1.0; 6], [1e3; 6]);
        let batch = Batch::dense(MatrixView::new(&x, rows, 2).unwrap());
        let targets = Targets::Values(MatrixView::new(&targets, rows, 2).unwrap());
        for _ in 0..2 {
            let error = trainer.step(&batch, targets).unwrap_err();
            let norm = match error {
                Error::NonFiniteGradient { step: 0, norm } => norm,
                error => panic!("{error}"),
            };
            assert!(!norm.is_finite());
            assert!(trainer.mlp == before && trainer.steps() == 0);
            assert!(trainer.states.iter().all(|state| state.pending.iter().all(|&s| s == 1.0)));
        }
        let zeros = [0.0; 6];
        let batch = Batch::dense(MatrixView::new(&zeros, rows, 2).unwrap());
        trainer.step(&batch, Targets::Values(MatrixView::new(&zeros, rows, 2).unwrap())).unwrap();
    });
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
                    let g = flat(&gradients);
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
                let is_sparse = optimiser.name() == "sparse_adam";
                let run = |bound: Option<f64>| {
                    let builder = Trainer::builder(mlp.clone(), optimiser.clone(), ROWS);
                    let builder =
                        if is_sparse { builder } else { builder.max_norm(MaxNorm::Engine(0.9)) };
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
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = builder().clip_norm(bad).build().unwrap_err().to_string();
        assert!(error.starts_with("largest norm of the gradient: expected a number"), "{error}");
    }
    for bad in [-1.0, f64::NAN, f64::INFINITY, 1e39] {
        let error = builder().l1(bad).build().unwrap_err().to_string();
        assert!(error.starts_with("l1 penalty: expected a number from 0"), "{error}");
    }
    // Divided by the keep rate, it is too large.
    builder().l1(2e38).build().unwrap();
    let error = builder().l1(2e38).paper_rates().build().unwrap_err().to_string();
    assert!(error.ends_with("got 4e38"), "{error}");
    builder().clip_value(2e38).build().unwrap();
    let error = builder().clip_value(2e38).paper_rates().build().unwrap_err().to_string();
    assert!(error.ends_with("got 4e38"), "{error}");
}
