//! Predictions with the network inside a trainer, between two steps.

use thinnet::{
    Keep, Noise, Sigma,
    data::{Batch, Dataset},
    metrics::{Metric, Metrics},
    nn::{Activation, Loss, Mlp, Targets},
    predict::{MonteCarlo, Network, Predictor, Seeds, evaluate_with},
    tensor::{Matrix, MatrixView},
    train::{MaxNorm, Schedule, Sgd, Trainer},
};

use crate::backend::isa;

const ROWS: usize = 30;

/// Inputs of 9 columns.
fn inputs() -> Vec<f32> {
    (0..ROWS * 9).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect()
}

fn labels() -> Vec<u32> {
    (0..ROWS as u32).map(|row| (row * 7 % 5) % 3).collect()
}

/// A trainer after a few steps; the weights of small networks may take another path.
fn trained(width: usize, noise: Noise, max_norm: Option<f64>) -> Trainer {
    let mlp = Mlp::builder(9)
        .input_noise(noise)
        .hidden(width, Activation::Relu, noise)
        .hidden(width, Activation::Gelu, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .seed(2)
        .build()
        .unwrap();
    let sgd = Sgd::new(Schedule::constant(0.5)).momentum(Schedule::constant(0.9));
    let mut builder = Trainer::builder(mlp, sgd, ROWS).seed(3).with_isa(isa()).unwrap();
    if let Some(c) = max_norm {
        builder = builder.max_norm(MaxNorm::Engine(c));
    }
    let mut trainer = builder.build().unwrap();
    let (x, labels) = (inputs(), labels());
    let batch = Batch::dense(MatrixView::new(&x, ROWS, 9).unwrap());
    for _ in 0..5 {
        trainer.step(&batch, Targets::Classes(&labels)).unwrap();
    }
    trainer
}

/// What every method and an evaluation say about all rows, in batches of `size`.
fn said<N: Network>(predictor: &Predictor<N>, size: usize) -> Vec<f64> {
    let x = inputs();
    let mut workspace = predictor.workspace(size).unwrap();
    let mut all: Vec<f64> = Vec::new();
    let samples = MonteCarlo::new(9).unwrap();
    for part in Batch::dense(MatrixView::new(&x, ROWS, 9).unwrap()).chunks(size).unwrap() {
        let ids: Vec<u64> = (0..part.rows() as u64).map(|row| part.first_row() + row).collect();
        let probabilities = predictor.predict(&part, &mut workspace).unwrap();
        all.extend(probabilities.iter().flatten().map(|&p| f64::from(p)));
        let logits = predictor.logits(&part, &mut workspace).unwrap();
        all.extend(logits.iter().flatten().map(|&z| f64::from(z)));
        let seeds = Seeds::Each(&ids);
        for answer in &predictor.monte_carlo(&part, &samples, seeds, &mut workspace).unwrap() {
            all.extend(answer.mean());
        }
        for answer in &predictor.moments(&part, &mut workspace).unwrap() {
            all.extend(answer.mean());
            all.extend(answer.variance().unwrap());
        }
    }
    let data = Dataset::new(Matrix::from_rows(&x, ROWS, 9).unwrap(), labels()).unwrap();
    let wanted = [Metric::Brier, Metric::RocAuc];
    let mut metrics = Metrics::new(&wanted, Loss::SoftmaxCrossEntropy, 3).unwrap();
    let found = evaluate_with(predictor, &data, &mut metrics, &mut workspace).unwrap();
    all.extend([found.loss, found.error_rate.unwrap()]);
    all.extend(metrics.figures().map(|(_, figure)| figure.unwrap().value));
    all
}

#[test]
fn predictions_in_place_are_those_of_a_copy() {
    for noise in [Noise::from(Keep::new(0.75).unwrap()), Sigma::new(0.5).unwrap().into()] {
        // 5 units are few enough for the path of small networks, which the copy takes.
        for (width, size) in [(5, 2), (5, ROWS), (100, 1), (100, 8)] {
            let trainer = trained(width, noise, None);
            let before = trainer.to_bytes(&Default::default(), "").unwrap();
            let copy = Predictor::new(trainer.network().unwrap()).with_isa(isa()).unwrap();
            let in_place = said(&trainer.predictor(), size);
            assert!(in_place == said(&copy, size), "{noise}, {width} units, {size} rows");
            assert!(trainer.to_bytes(&Default::default(), "").unwrap() == before, "unchanged");
        }
    }
}

#[test]
fn pending_factors_apply_to_predictions_in_place() {
    let dropout = Noise::from(Keep::new(0.75).unwrap());
    for (noise, width, size) in
        [(dropout, 5, 2), (dropout, 100, 8), (Noise::None, 5, 2), (Noise::None, 100, 8)]
    {
        let trainer = trained(width, noise, Some(0.3));
        let copy = Predictor::new(trainer.network().unwrap()).with_isa(isa()).unwrap();
        let (in_place, copied) = (said(&trainer.predictor(), size), said(&copy, size));
        assert_eq!(in_place.len(), copied.len());
        // Sums of at most 100 products, rounded twice per product at most, through three layers.
        for (i, (a, b)) in in_place.iter().zip(&copied).enumerate() {
            let close = (a - b).abs() <= 1e-4 * (1.0 + b.abs());
            assert!(close, "number {i}, {width} units: {a} in place, {b} in the copy");
        }
        let without = said(&trained(width, noise, None).predictor(), size);
        assert!(without != in_place, "the bound is reached");
    }
}
