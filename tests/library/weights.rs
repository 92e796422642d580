//! Weights of rows in training and in evaluation.

use thinnet::{
    Error, Keep,
    data::{Batch, Batches, Dataset, OwnedTargets},
    metrics::{Metric, Metrics},
    nn::{Activation, Loss, Mlp, TargetKind, Targets},
    predict::{Predictor, evaluate, evaluate_with},
    tensor::Matrix,
    train::{LayerGradient, Schedule, Sgd, Trainer},
};

use crate::backend::isa;

const INPUTS: usize = 9;
const OUTPUTS: usize = 3;

/// Two networks with the same rows, one with a weight of 3 and the other with three copies, differ in
/// the order of their sums of some 20 terms, and in a factor that is rounded once; the same holds for a
/// row of weight 0 that is left out, where only the factor differs. Relative to the largest number of a
/// layer's gradient, with room for cancellation.
const CLOSE: f32 = 1e-5;

/// Numbers in [-1, 1).
fn numbers(seed: usize, n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + seed * 53) % 101) as f32 / 50.5 - 1.0).collect()
}

fn inputs(rows: usize) -> Matrix {
    Matrix::from_rows(&numbers(1, rows * INPUTS), rows, INPUTS).unwrap()
}

fn targets(loss: Loss, rows: usize) -> OwnedTargets {
    let numbers: Vec<f32> = numbers(2, rows * OUTPUTS).iter().map(|t| t.abs()).collect();
    let matrix = Matrix::from_rows(&numbers, rows, OUTPUTS).unwrap();
    match loss.target_kind() {
        TargetKind::Classes => {
            OwnedTargets::Classes((0..rows as u32).map(|row| row * 5 % 7 % 3).collect())
        }
        TargetKind::Binary => OwnedTargets::Binary(matrix),
        _ => OwnedTargets::Values(matrix),
    }
}

/// The same targets, row by row.
fn chosen(targets: &OwnedTargets, rows: &[usize]) -> OwnedTargets {
    let copy = |matrix: &Matrix| {
        let numbers: Vec<f32> =
            rows.iter().flat_map(|&row| matrix.row(row).unwrap()).copied().collect();
        Matrix::from_rows(&numbers, rows.len(), OUTPUTS).unwrap()
    };
    match targets {
        OwnedTargets::Classes(classes) => {
            OwnedTargets::Classes(rows.iter().map(|&row| classes[row]).collect())
        }
        OwnedTargets::Values(values) => OwnedTargets::Values(copy(values)),
        OwnedTargets::Binary(bits) => OwnedTargets::Binary(copy(bits)),
        other => panic!("{other:?}"),
    }
}

fn network(loss: Loss, keep: Keep) -> Mlp {
    let mlp = Mlp::builder(INPUTS).input_noise(keep).hidden(70, Activation::Tanh, keep);
    mlp.output(OUTPUTS * loss.outputs_per_target(), loss).seed(4).build().unwrap()
}

fn trainer(loss: Loss, keep: Keep, rows: usize) -> Trainer {
    let sgd = Sgd::new(Schedule::constant(0.1)).momentum(Schedule::constant(0.9));
    Trainer::builder(network(loss, keep), sgd, rows).with_isa(isa()).unwrap().build().unwrap()
}

fn are_close(got: &(f32, Vec<LayerGradient>), want: &(f32, Vec<LayerGradient>), what: &str) {
    assert!((got.0 - want.0).abs() <= CLOSE * want.0.abs(), "{what}: {} {}", got.0, want.0);
    for (got, want) in got.1.iter().zip(&want.1) {
        for (got, want) in [(&got.weights, &want.weights), (&got.bias, &want.bias)] {
            let size = want.iter().fold(0f32, |most, g| most.max(g.abs()));
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() <= CLOSE * size, "{what}: got {got}, want {want}");
            }
        }
    }
}

/// Batches in one chunk, and in several.
#[test]
fn weights_of_1_change_no_bit() {
    for &loss in Loss::ALL {
        for rows in [1, 20, 700] {
            let (x, t, ones) = (inputs(rows), targets(loss, rows), vec![1.0; rows]);
            let run = |weights: Option<&[f64]>| {
                let mut trainer = trainer(loss, Keep::HALF, rows);
                let mut losses = Vec::new();
                for _ in 0..4 {
                    let batch = Batch::dense(x.view());
                    let batch = weights.map_or(batch, |w| batch.with_weights(w).unwrap());
                    losses.push(trainer.step(&batch, t.view()).unwrap().to_bits());
                }
                (losses, trainer.network().unwrap().digest())
            };
            assert_eq!(run(Some(&ones)), run(None), "{loss} {rows}");
        }
    }
}

#[test]
fn a_weight_of_3_is_three_copies_without_dropout() {
    for &loss in Loss::ALL {
        for rows in [4, 300] {
            let (x, t) = (inputs(rows), targets(loss, rows));
            let weights: Vec<f64> = (0..rows).map(|row| [1.0, 3.0, 0.0, 2.0][row % 4]).collect();
            let copies: Vec<usize> =
                (0..rows).flat_map(|row| std::iter::repeat_n(row, weights[row] as usize)).collect();
            let batch = Batch::dense(x.view()).with_weights(&weights).unwrap();
            let weighted = trainer(loss, Keep::ONE, rows).gradients(&batch, t.view()).unwrap();
            let indices: Vec<u32> = copies.iter().map(|&row| row as u32).collect();
            let batch = Batch::gather(x.view(), &indices).unwrap();
            let copied = chosen(&t, &copies);
            let mut trainer = trainer(loss, Keep::ONE, copies.len());
            let copied = trainer.gradients(&batch, copied.view()).unwrap();
            are_close(&weighted, &copied, loss.name());
        }
    }
}

/// The masks of the other rows are the same: they depend on the row's index in the batch.
#[test]
fn a_weight_of_0_leaves_the_row_out_with_dropout() {
    for &loss in Loss::ALL {
        let (rows, first, end) = (30, 7, 25);
        let (x, t) = (inputs(rows), targets(loss, rows));
        let weights: Vec<f64> =
            (0..rows).map(|row| f64::from(u8::from((first..end).contains(&row)))).collect();
        let batch = Batch::dense(x.view()).with_weights(&weights).unwrap();
        let weighted = trainer(loss, Keep::HALF, rows).gradients(&batch, t.view()).unwrap();
        let kept: Vec<usize> = (first..end).collect();
        let batch = Batch::dense(x.view().subrows(first..end).unwrap()).starting_at(first as u64);
        let t = chosen(&t, &kept);
        let without = trainer(loss, Keep::HALF, rows).gradients(&batch, t.view()).unwrap();
        are_close(&weighted, &without, loss.name());
    }
}

/// The loss is `sum w L / sum w`, so weights may have any scale.
#[test]
fn only_the_ratios_of_weights_matter() {
    let (rows, loss) = (10, Loss::SquaredError);
    let (x, t) = (inputs(rows), targets(loss, rows));
    let weights: Vec<f64> = (1..=rows).map(|row| row as f64).collect();
    let found = [1.0, 1e-200, 1e300].map(|scale| {
        let weights: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let batch = Batch::dense(x.view()).with_weights(&weights).unwrap();
        trainer(loss, Keep::HALF, rows).gradients(&batch, t.view()).unwrap()
    });
    are_close(&found[1], &found[0], "tiny");
    are_close(&found[2], &found[0], "huge");
}

#[test]
fn what_weights_cannot_be_is_refused() {
    let (rows, loss) = (3, Loss::SquaredError);
    let (x, t) = (inputs(rows), targets(loss, rows));
    let data = || Dataset::new(x.clone(), t.clone()).unwrap();
    let batches = || Batches::new(x.view(), t.view(), 2).unwrap();
    for (weights, message) in [
        (vec![1.0, 2.0], "weights of rows: expected 3, got 2"),
        (vec![1.0, 2.0, -0.5], "weight at row 2: expected a finite number of at least 0, got -0.5"),
        (
            vec![1.0, f64::NAN, 1.0],
            "weight at row 1: expected a finite number of at least 0, got NaN",
        ),
        (
            vec![f64::INFINITY, 1.0, 1.0],
            "weight at row 0: expected a finite number of at least 0, got inf",
        ),
    ] {
        let error = data().with_weights(weights.clone()).unwrap_err().to_string();
        assert_eq!(error, message);
        let error = Batch::dense(x.view()).with_weights(&weights).unwrap_err().to_string();
        assert_eq!(error, message);
        assert_eq!(batches().with_weights(&weights).unwrap_err().to_string(), message);
    }
    let mut trainer = trainer(loss, Keep::HALF, rows);
    let before = trainer.network().unwrap().digest();
    let predictor = Predictor::new(network(loss, Keep::HALF));
    let mut workspace = predictor.workspace(rows).unwrap();
    for (weights, sum) in
        [(vec![0.0; 3], "0.0"), (vec![1e308; 3], "inf"), (vec![1e-300; 3], "3e-300")]
    {
        let message = format!(
            "sum of the weights of rows: expected a finite number of at least 1e-290, got {sum}"
        );
        let batch = Batch::dense(x.view()).with_weights(&weights).unwrap();
        let refused = [
            trainer.step(&batch, t.view()).map(drop),
            trainer.gradients(&batch, t.view()).map(drop),
            evaluate(&predictor, &data().with_weights(weights.clone()).unwrap(), &mut workspace)
                .map(drop),
        ];
        for error in refused {
            assert_eq!(error.unwrap_err().to_string(), message);
        }
    }
    assert_eq!((trainer.steps(), trainer.network().unwrap().digest()), (0, before));
}

/// A row of weight 0 whose loss overflows would leave NaN in the weights, as its inputs do.
#[test]
fn a_loss_that_is_not_finite_is_refused_with_weight_0() {
    let loss = Loss::SquaredError;
    let (mut x, t) = (inputs(2), targets(loss, 2));
    x.row_mut(1).unwrap().fill(f32::MAX);
    let mlp = Mlp::builder(INPUTS).hidden(70, Activation::Relu, Keep::ONE);
    let mlp = mlp.output(OUTPUTS, loss).seed(4).build().unwrap();
    let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 2);
    let mut trainer = trainer.with_isa(isa()).unwrap().build().unwrap();
    let batch = Batch::dense(x.view()).with_weights(&[1.0, 0.0]).unwrap();
    let before = trainer.network().unwrap().digest();
    let error = trainer.step(&batch, t.view()).unwrap_err();
    assert!(matches!(error, Error::NonFiniteLoss { step: 0, .. }), "{error}");
    assert_eq!(trainer.network().unwrap().digest(), before);
}

/// Three copies of a row, or one that counts three times.
#[test]
fn an_evaluation_takes_targets_of_any_kind_and_weights() {
    for &loss in Loss::ALL {
        let rows = 50;
        let (x, t) = (inputs(rows), targets(loss, rows));
        let weights: Vec<f64> = (0..rows).map(|row| [1.0, 3.0, 0.0, 2.0][row % 4]).collect();
        let copies: Vec<usize> =
            (0..rows).flat_map(|row| std::iter::repeat_n(row, weights[row] as usize)).collect();
        let numbers: Vec<f32> =
            copies.iter().flat_map(|&row| x.row(row).unwrap()).copied().collect();
        let copied = Matrix::from_rows(&numbers, copies.len(), INPUTS).unwrap();
        let copied = Dataset::new(copied, chosen(&t, &copies)).unwrap();
        let data = Dataset::new(x, t.clone()).unwrap().with_weights(weights.clone()).unwrap();

        let predictor = Predictor::new(network(loss, Keep::HALF)).with_isa(isa()).unwrap();
        let metric =
            if loss.target_kind() == TargetKind::Values { Metric::Mae } else { Metric::LogLoss };
        let of = |data: &Dataset, size: usize| {
            let mut workspace = predictor.workspace(size).unwrap();
            let outputs = OUTPUTS * loss.outputs_per_target();
            let mut metrics = Metrics::new(&[metric], loss, outputs).unwrap();
            let found = evaluate_with(&predictor, data, &mut metrics, &mut workspace).unwrap();
            assert_eq!(found, evaluate(&predictor, data, &mut workspace).unwrap());
            (found, metrics.figure(metric).unwrap().value)
        };
        let ((found, figure), (want, of_copies)) = (of(&data, 7), of(&copied, 64));
        assert_eq!((found.rows, want.rows), (rows, copies.len()));
        // Exact sums, rounded once.
        assert_eq!((found.loss, found.error_rate, figure), (want.loss, want.error_rate, of_copies));
        if metric == Metric::LogLoss {
            assert_eq!(found.loss, figure);
        }
        assert_eq!(found.error_rate.is_some(), loss.target_kind() != TargetKind::Values);
        assert_eq!(found.wrong.is_empty(), loss.target_kind() == TargetKind::Values);

        // The loss that a step reports, but for the rounding of its arithmetic.
        let mut trainer = trainer(loss, Keep::ONE, rows);
        let batch = Batch::new(data.inputs()).with_weights(&weights).unwrap();
        let (of_step, _) = trainer.gradients(&batch, data.targets()).unwrap();
        assert!((f64::from(of_step) - found.loss).abs() <= 1e-5 * found.loss.abs(), "{loss}");
    }
}

/// Rows whose batches are gathered from a data set, and given by hand.
#[test]
fn the_batches_of_a_data_set_train_with_its_weights() {
    let (rows, loss) = (40, Loss::BinaryCrossEntropy);
    let weights: Vec<f64> = (0..rows).map(|row| row as f64 / 8.0 + 0.5).collect();
    let data = Dataset::new(inputs(rows), targets(loss, rows)).unwrap();
    let weighted = data.clone().with_weights(weights.clone()).unwrap();
    assert_ne!(data.fingerprint(), weighted.fingerprint());
    let mut one = trainer(loss, Keep::HALF, 16);
    for (batch, targets) in &weighted.batches(3, 5, 16).unwrap() {
        one.step(&batch, targets).unwrap();
    }
    let mut order = vec![0; rows];
    thinnet::data::epoch_order(3, 5, &mut order);
    let mut other = trainer(loss, Keep::HALF, 16);
    for rows in order.chunks(16) {
        let chosen_rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
        let weights: Vec<f64> = chosen_rows.iter().map(|&row| weights[row]).collect();
        let batch = Batch::gather(data.inputs(), rows).unwrap().with_weights(&weights).unwrap();
        let targets = chosen(&targets(loss, data.rows()), &chosen_rows);
        other.step(&batch, targets.view()).unwrap();
    }
    assert_eq!(one.network().unwrap().digest(), other.network().unwrap().digest());
    let Targets::Binary(_) = data.targets() else { panic!("{:?}", data.targets()) };
    assert!(data.labels().is_err() && data.class_counts().is_err());
}
