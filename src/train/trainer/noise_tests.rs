//! Training with Gaussian noise against backpropagation in f64 with the same noise.

use super::{
    tests::{allowed, numbers, small_targets},
    *,
};
use crate::{
    Keep, Noise, Sigma,
    nn::{Activation, EluAlpha, Loss, NegativeSlope, PlainNetwork, reference},
    optimiser::{Schedule, Sgd},
    simd::tests::on_each_isa,
    tensor::MatrixView,
};

/// Gaussian noise at the sites of a network of 6-9-7-3 units, with dropout or nothing at others.
fn noises() -> [[Noise; 3]; 3] {
    let gaussian = |sigma| Noise::from(Sigma::new(sigma).unwrap());
    [
        [gaussian(0.5), gaussian(1.0), gaussian(0.7)],
        [Keep::new(0.8).unwrap().into(), gaussian(1.5), Noise::None],
        [Noise::None, gaussian(0.1), Keep::HALF.into()],
    ]
}

fn network([input, first, second]: [Noise; 3], activation: Activation, loss: Loss) -> Mlp {
    let mut mlp = Mlp::builder(6)
        .input_noise(input)
        .hidden(9, activation, first)
        .hidden(7, activation, second)
        .output(3 * loss.outputs_per_target(), loss)
        .seed(4)
        .build()
        .unwrap();
    for layer in 0..3 {
        let outputs = mlp.bias(layer).unwrap().len();
        mlp.set_bias(layer, &numbers(layer as u64, outputs)).unwrap();
    }
    mlp
}

#[test]
fn gradients_are_those_of_backpropagation_with_the_noise_held() {
    on_each_isa(gradients_with_the_noise_held);
}

fn gradients_with_the_noise_held(isa: Isa) {
    let x = numbers(5, 24);
    let batch = Batch::dense(MatrixView::new(&x, 4, 6).unwrap()).starting_at(10);
    let rows: Vec<&[f32]> = x.chunks_exact(6).collect();
    let leaky = Activation::LeakyRelu(NegativeSlope::new(1.5).unwrap());
    let elu = Activation::Elu(EluAlpha::new(2.0).unwrap());
    for &activation in Activation::ALL.iter().chain(&[leaky, elu]) {
        for (&loss, noises) in Loss::ALL.iter().zip(noises().into_iter().cycle()) {
            let mlp = network(noises, activation, loss);
            let factors = reference::drawn(&mlp, 3, 0, 10, 4);
            small_targets(loss, |targets| {
                let plain = PlainNetwork::from(&mlp);
                let want = reference::gradients(&plain, &factors, &rows, targets);
                assert!(want.are_known());
                let sgd = Sgd::new(Schedule::constant(0.1));
                let trainer = Trainer::builder(mlp.clone(), sgd, 4).seed(3).with_isa(isa).unwrap();
                let (got, gradients) = trainer.build().unwrap().gradients(&batch, targets).unwrap();
                let what = format!("{isa} {activation} {loss} {noises:?}");
                allowed((got, &gradients), &want, &what);
            });
        }
    }
}

/// Networks of several panels, with more rows than a task takes and with few, divided or not.
#[test]
fn steps_with_noise_do_not_depend_on_threads() {
    let [noises, ..] = noises();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for activation in [Activation::Relu, Activation::Tanh, Activation::Gelu] {
        let mlp = Mlp::builder(70)
            .input_noise(noises[0])
            .hidden(300, activation, noises[1])
            .hidden(200, activation, noises[2])
            .output(3, Loss::SoftmaxCrossEntropy);
        let mlp = mlp.seed(2).build().unwrap();
        let mut fused = None;
        on_each_isa(|isa| {
            let sgd = Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9));
            let trainer = Trainer::builder(mlp.clone(), sgd, 150).seed(7).with_isa(isa).unwrap();
            let run = |mut trainer: Trainer| {
                for rows in [150, 1, 40] {
                    let x = numbers(rows as u64, 70 * rows);
                    let classes: Vec<u32> = (0..rows as u32).map(|row| row % 3).collect();
                    let batch = Batch::dense(MatrixView::new(&x, rows, 70).unwrap());
                    trainer.step(&batch, Targets::Classes(&classes)).unwrap();
                }
                trainer.network().unwrap().digest()
            };
            let trainer = trainer.build().unwrap();
            assert!(pool.install(|| trainer.pass(150).parallel));
            let alone = run(trainer.clone());
            assert_eq!(pool.install(|| run(trainer)), alone);
            if isa != Isa::Portable {
                assert_eq!(*fused.get_or_insert_with(|| alone.clone()), alone, "{isa}");
            }
        });
    }
}
