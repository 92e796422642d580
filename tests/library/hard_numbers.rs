//! Numbers and shapes at the edge: what happens is stated, and happens.

use thinnet::{
    Dropout, Error, Keep,
    data::Batch,
    mask::{Domain, Mask, MaskSpec, Streams, scalar},
    nn::{Activation, Loss, Mlp, Targets},
    predict::Predictor,
    tensor::{Matrix, MatrixView},
    train::{Schedule, Sgd, Trainer},
};

use crate::backend;

fn trainer(mlp: Mlp, learning_rate: f64, rows: usize) -> Trainer {
    let sgd = Sgd::new(Schedule::constant(learning_rate));
    Trainer::builder(mlp, sgd, rows).with_isa(backend::isa()).unwrap().build().unwrap()
}

fn classifier(inputs: usize, width: usize, keep: Keep, classes: usize) -> Mlp {
    let mlp = Mlp::builder(inputs).hidden(width, Activation::Relu, keep);
    mlp.output(classes, Loss::SoftmaxCrossEntropy).seed(1).build().unwrap()
}

fn view(x: &[f32], columns: usize) -> MatrixView<'_> {
    MatrixView::new(x, x.len() / columns, columns).unwrap()
}

/// A network that returns its input.
fn identity(width: usize) -> Mlp {
    let mut mlp = Mlp::builder(width).output(width, Loss::SquaredError).build().unwrap();
    let eye = (0..width * width).map(|i| f32::from(u8::from(i % (width + 1) == 0)));
    mlp.set_weights(0, &eye.collect::<Vec<_>>()).unwrap();
    mlp
}

#[test]
fn denormals_are_computed_with_and_never_flushed() {
    let tiny = f32::from_bits(1);
    let x: Vec<f32> = (0..40).map(|i| f32::from_bits(i + 1)).collect();
    let predictor = Predictor::new(identity(40)).with_isa(backend::isa()).unwrap();
    let mut workspace = predictor.workspace(1).unwrap();
    let y = predictor.predict(&Batch::dense(view(&x, 40)), &mut workspace).unwrap();
    assert_eq!(y.row(0).unwrap(), x);

    let mut dropped = x.clone();
    let op = Dropout::new(Keep::HALF).with_isa(backend::isa()).unwrap();
    let streams = Streams::new(1, Domain::Training, 0, 0);
    op.forward_in_place(streams, &mut dropped).unwrap();
    assert!(dropped.iter().zip(&x).all(|(y, x)| *y == 0.0 || *y == 2.0 * x));
    assert!(dropped.contains(&(2.0 * tiny)) || dropped.contains(&(4.0 * tiny)));

    let mut trainer = trainer(identity(40), 0.5, 1);
    let targets = Targets::Values(view(&x, 40));
    assert_eq!(trainer.step(&Batch::dense(view(&x, 40)), targets).unwrap(), 0.0);
    // The caller's own arithmetic still has denormals after all this.
    assert!(std::hint::black_box(tiny) * std::hint::black_box(1.0) == tiny);
    assert!(std::hint::black_box(f32::MIN_POSITIVE) * 0.5 > 0.0);
}

#[test]
fn dropped_infinities_and_nans_are_zero_and_kept_ones_stay() {
    let op = Dropout::new(Keep::HALF).with_isa(backend::isa()).unwrap();
    let streams = Streams::new(2, Domain::Training, 0, 0);
    let mask = op.draw(streams, 200).unwrap();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let mut x = vec![value; 200];
        op.forward_in_place(streams, &mut x).unwrap();
        for (unit, y) in x.into_iter().enumerate() {
            let want = if mask.get(0, unit) { value * 2.0 } else { 0.0 };
            assert!(y.to_bits() == want.to_bits() || y.is_nan() && want.is_nan());
        }
    }
}

#[test]
fn a_huge_learning_rate_is_reported_and_never_goes_unnoticed() {
    for learning_rate in [1e3, 1e10, 1e20, 1e30, 1e38] {
        let mut trainer = trainer(classifier(3, 20, Keep::HALF, 2), learning_rate, 2);
        let x = [0.5, -1.0, 2.0, 1.5, 0.25, -0.75];
        let batch = Batch::dense(view(&x, 3));
        let mut failed = None;
        for step in 0..200 {
            let before = trainer.network().unwrap().digest();
            match trainer.step(&batch, Targets::Classes(&[0, 1])) {
                Ok(loss) => assert!(loss.is_finite()),
                Err(error) => {
                    assert!(matches!(
                        error,
                        Error::NonFiniteLoss { .. } | Error::NonFiniteParameters { .. }
                    ));
                    assert_eq!(
                        (trainer.steps(), trainer.network().unwrap().digest()),
                        (step, before)
                    );
                    failed = Some(error);
                    break;
                }
            }
        }
        // Either every number stayed finite, or it was said.
        assert!(failed.is_some() || trainer.ensure_finite().is_ok());
        let finite = (0..2).all(|layer| {
            trainer.network().unwrap().weights(layer).unwrap().iter().all(|w| w.is_finite())
        });
        assert_eq!(finite, trainer.ensure_finite().is_ok());
    }
}

#[test]
fn rows_of_zeros_give_the_bias_and_move_only_biases() {
    let mut mlp = classifier(5, 9, Keep::HALF, 3);
    mlp.set_bias(1, &[0.5, -0.5, 0.25]).unwrap();
    let before = mlp.clone();
    let mut trainer = trainer(mlp, 0.1, 4);
    let x = [0.0; 20];
    trainer.step(&Batch::dense(view(&x, 5)), Targets::Classes(&[0, 1, 2, 0])).unwrap();
    let after = trainer.network().unwrap();
    assert_eq!(after.weights(0).unwrap(), before.weights(0).unwrap());
    assert_eq!(after.weights(1).unwrap(), before.weights(1).unwrap());
    assert_eq!(after.bias(0).unwrap(), before.bias(0).unwrap());
    assert_ne!(after.bias(1).unwrap(), before.bias(1).unwrap());
}

#[test]
fn if_every_unit_of_a_row_is_dropped_only_the_bias_learns() {
    // Keep 1/65536 and 20 units: all 8 rows of this step lose every unit.
    let keep = Keep::from_k(1).unwrap();
    let spec = MaskSpec::new(keep, Streams::new(0, Domain::Training, 1, 0));
    let mask = Mask::draw(spec.with_isa(backend::isa()).unwrap(), 8, 20);
    assert_eq!(mask.unwrap().count(), 0);
    let mlp = classifier(3, 20, keep, 4);
    let before = mlp.clone();
    let mut trainer = trainer(mlp, 0.1, 8);
    let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
    let classes = Targets::Classes(&[0, 1, 2, 3, 0, 1, 2, 2]);
    let loss = trainer.step(&Batch::dense(view(&x, 3)), classes).unwrap();
    assert!((f64::from(loss) - 4f64.ln()).abs() < 1e-6, "equal logits: ln 4, got {loss}");
    for layer in 0..2 {
        assert_eq!(
            trainer.network().unwrap().weights(layer).unwrap(),
            before.weights(layer).unwrap()
        );
    }
    assert_eq!(trainer.densities().nth(1), Some(0.0));
    // Class 2 was there three times, class 3 once.
    let network = trainer.network().unwrap();
    let bias = network.bias(1).unwrap();
    assert!(bias[2] > 0.0 && bias[3] < 0.0 && bias[0] == 0.0);
}

#[test]
fn width_one_and_batch_one_learn() {
    let mlp = Mlp::builder(1).hidden(1, Activation::Identity, Keep::ONE);
    let mlp = mlp.output(1, Loss::SquaredError).seed(3).build().unwrap();
    let mut trainer = trainer(mlp, 0.1, 1);
    let (x, t) = ([0.7], [-0.4]);
    let mut last = f32::MAX;
    for _ in 0..300 {
        last = trainer.step(&Batch::dense(view(&x, 1)), Targets::Values(view(&t, 1))).unwrap();
    }
    assert!(last < 1e-6, "{last}");
}

#[test]
fn empty_batches_are_refused_in_training_but_not_in_prediction() {
    let mut trainer = trainer(classifier(3, 5, Keep::HALF, 2), 0.1, 1);
    let empty = Batch::dense(MatrixView::new(&[], 0, 3).unwrap());
    let error = trainer.step(&empty, Targets::Classes(&[])).unwrap_err().to_string();
    assert!(error.contains("rows of a batch: expected at least one, got 0"), "{error}");
    let predictor = Predictor::new(trainer.network().unwrap());
    let mut workspace = predictor.workspace(0).unwrap();
    assert_eq!(predictor.predict(&empty, &mut workspace).unwrap().rows(), 0);
    let op = Dropout::new(Keep::HALF);
    op.forward(Streams::new(0, Domain::Training, 0, 0), &[], &mut []).unwrap();
    assert_eq!(Mask::ones(0, 0).unwrap().count(), 0);
    // Words are drawn as they are asked for, of however wide a row.
    let rng = &mut Streams::new(0, Domain::Training, 0, 0).rng(0);
    assert_eq!(scalar::words(Keep::HALF, rng, usize::MAX).take(3).count(), 3);
}

#[test]
fn sizes_near_overflow_are_errors() {
    let mut sizes = vec![usize::MAX, usize::MAX / 2, usize::MAX / 4 + 1, isize::MAX as usize];
    // Of the memory that 32 bits can count to, a quarter may be there.
    #[cfg(target_pointer_width = "64")]
    sizes.push(usize::MAX / 16);
    for size in sizes {
        assert!(Matrix::zeroed(size, 3).is_err());
        assert!(Matrix::zeroed(3, size).is_err());
        assert!(MatrixView::new(&[], size, 3).is_err());
        assert!(Mask::ones(size, 65).is_err());
        let mlp = Mlp::builder(3).output(size, Loss::SquaredError).build();
        assert!(mlp.is_err());
        let mlp = Mlp::builder(size).output(3, Loss::SquaredError).build();
        assert!(mlp.is_err());
        let small = Mlp::builder(3).output(3, Loss::SquaredError).build().unwrap();
        assert!(Predictor::new(&small).workspace(size).is_err());
        // A trainer's memory does not grow with the batch.
        let sgd = Sgd::new(Schedule::constant(0.1));
        assert!(Trainer::builder(small, sgd, size).build().is_ok());
    }
    #[cfg(target_pointer_width = "64")]
    assert!(Mask::ones(1, usize::MAX).is_err());
}

#[test]
fn the_largest_and_smallest_logits_give_finite_losses() {
    for loss in [Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy] {
        for size in [1e-45f32, 1.0, 1e4, 1e30] {
            let mut mlp = Mlp::builder(1).output(3, loss).build().unwrap();
            mlp.set_weights(0, &[size, -size, 0.0]).unwrap();
            let mut trainer = trainer(mlp, 0.0, 1);
            let x = [1.0];
            let batch = Batch::dense(view(&x, 1));
            let bits = [0.0, 1.0, 0.5];
            let targets = match loss {
                Loss::SoftmaxCrossEntropy => Targets::Classes(&[1]),
                _ => Targets::Binary(view(&bits, 3)),
            };
            let (got, gradient) = trainer.gradients(&batch, targets).unwrap();
            assert!(got.is_finite() && got >= 0.0);
            assert!(gradient[0].weights.iter().all(|g| g.is_finite()));
            if size == 1e4 {
                // -ln softmax = 2e4; for bits (1e4 + 1e4 + ln 2) / 3.
                let want = if loss == Loss::SoftmaxCrossEntropy { 2e4 } else { 2e4 / 3.0 };
                assert!((got - want).abs() < 1.0, "{got}");
            }
        }
    }
}
