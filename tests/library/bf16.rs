//! Weights read as bfloat16.

use thinnet::{
    Keep,
    data::{Batch, Dataset, Split},
    nn::{Activation, Loss, Mlp, Targets},
    predict::{MonteCarlo, Predictor, Seeds, evaluate},
    tensor::MatrixView,
    train::{Schedule, Sgd, Trainer},
};

use crate::backend::isa;

/// To nearest, ties to even.
fn rounded(w: f32) -> f32 {
    let bits = w.to_bits();
    let (down, rest) = (bits & 0xffff_0000, bits & 0xffff);
    let up = rest > 0x8000 || rest == 0x8000 && bits >> 16 & 1 == 1;
    f32::from_bits(if up { down + 0x1_0000 } else { down })
}

fn mlp() -> Mlp {
    Mlp::builder(100)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(130, Activation::Relu, Keep::HALF)
        .hidden(70, Activation::Tanh, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .seed(4)
        .build()
        .unwrap()
}

/// The same network with all weights rounded.
fn rounded_mlp() -> Mlp {
    let mut mlp = mlp();
    for layer in 0..mlp.depth() {
        let weights: Vec<f32> = mlp.weights(layer).unwrap().iter().map(|&w| rounded(w)).collect();
        mlp.set_weights(layer, &weights).unwrap();
    }
    mlp
}

/// Exactly: the order of the sums is the same.
#[test]
fn predictions_are_those_of_the_rounded_weights() {
    let x: Vec<f32> = (0..4000).map(|i| if i % 3 == 0 { 0.0 } else { (i as f32).sin() }).collect();
    let halves = Predictor::new(mlp()).with_isa(isa()).unwrap().bf16_weights().unwrap();
    let whole = Predictor::new(rounded_mlp()).with_isa(isa()).unwrap();
    let (mut of_halves, mut of_whole) =
        (halves.workspace(40).unwrap(), whole.workspace(40).unwrap());
    let settings = MonteCarlo::new(20).unwrap();
    let seeds: Vec<u64> = (0..40).collect();
    for rows in [1, 5, 40] {
        let batch = Batch::dense(MatrixView::new(&x[..rows * 100], rows, 100).unwrap());
        let got = halves.predict(&batch, &mut of_halves).unwrap();
        let want = whole.predict(&batch, &mut of_whole).unwrap();
        for row in 0..rows {
            assert_eq!(got.row(row).unwrap(), want.row(row).unwrap());
        }
        let seeds = Seeds::Each(&seeds[..rows]);
        let got = halves.monte_carlo(&batch, &settings, seeds, &mut of_halves).unwrap();
        let want = whole.monte_carlo(&batch, &settings, seeds, &mut of_whole).unwrap();
        for (got, want) in got.iter().zip(want.iter()) {
            assert_eq!((got.mean(), got.variance()), (want.mean(), want.variance()));
        }
    }
}

#[test]
fn a_weight_too_large_for_bfloat16_is_refused() {
    let mut mlp = Mlp::builder(2).output(2, Loss::SquaredError).build().unwrap();
    mlp.set_weights(0, &[1.0, 2.0, f32::MAX, 0.0]).unwrap();
    let message = Predictor::new(&mlp).bf16_weights().unwrap_err().to_string();
    assert_eq!(message, format!("weight {:?} is too large for bfloat16", f32::MAX));
}

/// What the rounding costs on 2,000 digits: at most a handful of them change, and
/// the loss by less than a hundredth of itself.
#[test]
fn bfloat16_barely_changes_the_accuracy() {
    let (train, test) =
        (Dataset::digits(Split::Train).unwrap(), Dataset::digits(Split::Test).unwrap());
    let mlp = Mlp::builder(784)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(128, Activation::Relu, Keep::HALF)
        .hidden(128, Activation::Relu, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let sgd = Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9));
    let mut trainer =
        Trainer::builder(mlp, sgd, 100).with_isa(isa()).unwrap().seed(1).build().unwrap();
    let order: Vec<u32> = (0..train.rows() as u32).collect();
    for rows in order.chunks(100) {
        let classes: Vec<u32> = rows.iter().map(|&i| train.labels().unwrap()[i as usize]).collect();
        let batch = Batch::gather(train.inputs(), rows).unwrap();
        trainer.step(&batch, Targets::Classes(&classes)).unwrap();
    }
    let mlp = trainer.into_network();
    let whole = Predictor::new(&mlp).with_isa(isa()).unwrap();
    let halves = Predictor::new(&mlp).with_isa(isa()).unwrap().bf16_weights().unwrap();
    let mut workspace = whole.workspace(200).unwrap();
    let whole = evaluate(&whole, &test, &mut workspace).unwrap();
    let halves = evaluate(&halves, &test, &mut workspace).unwrap();
    let changed = whole.wrong.len().abs_diff(halves.wrong.len());
    eprintln!(
        "wrong {} and {}, loss {} and {}",
        whole.wrong.len(),
        halves.wrong.len(),
        whole.loss,
        halves.loss
    );
    assert!(changed <= 6 && (halves.loss / whole.loss - 1.0).abs() < 0.01);
}
