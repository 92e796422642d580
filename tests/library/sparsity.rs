//! The KL penalty on mean activations, against its formula in f64.

use thinnet::{
    Error, Keep, Sigma,
    data::Batch,
    nn::{Activation, Loss, Mlp, PlainNetwork, Targets, ThinnedNetwork},
    tensor::MatrixView,
    train::{Adam, Provenance, Schedule, Sgd, Trainer, TrainerBuilder},
};

use crate::backend::isa;

const INPUTS: usize = 5;
const ROWS: usize = 12;
const SEED: u64 = 3;
const RHO: f64 = 0.2;
const BETA: f64 = 0.5;

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect()
}

fn network(keep: Keep, hidden: [usize; 2], loss: Loss) -> Mlp {
    let mlp = Mlp::builder(INPUTS)
        .input_noise(keep)
        .hidden(hidden[0], Activation::Logistic, keep)
        .hidden(hidden[1], Activation::Logistic, keep);
    mlp.output(2, loss).seed(8).build().unwrap()
}

fn builder(mlp: Mlp, rows: usize) -> TrainerBuilder {
    let sgd = Sgd::new(Schedule::constant(0.1));
    Trainer::builder(mlp, sgd, rows).seed(SEED).with_isa(isa()).unwrap()
}

/// The mean loss of the thinned networks of step 0, plus the penalty.
fn objective(
    network: &PlainNetwork,
    thinned: &[ThinnedNetwork],
    keep: Keep,
    x: &[f32],
    t: &[f32],
) -> f64 {
    let rows = thinned.len();
    let depth = network.layers.len();
    // The sum of a unit's activations, and in how many rows it is kept.
    let mut units: Vec<Vec<[f64; 2]>> =
        network.layers.iter().map(|layer| vec![[0.0; 2]; layer.bias.len()]).collect();
    let mut loss = 0.0;
    for (row, thinned) in thinned.iter().enumerate() {
        let mut y: Vec<f64> = x[row * INPUTS..][..INPUTS].iter().map(|&x| x.into()).collect();
        for (l, layer) in network.layers.iter().enumerate() {
            let mut inputs = vec![0.0; y.len()];
            for &unit in &thinned.standing()[l] {
                inputs[unit] = y[unit] / keep.get();
                if l > 0 {
                    units[l - 1][unit][0] += y[unit];
                    units[l - 1][unit][1] += 1.0;
                }
            }
            let sum = |(w, b): (&Vec<f64>, &f64)| {
                w.iter().zip(&inputs).map(|(w, x)| w * x).sum::<f64>() + b
            };
            let z = layer.weights.iter().zip(&layer.bias).map(sum);
            y = if l + 1 < depth {
                z.map(|z| 1.0 / (1.0 + (-z).exp())).collect()
            } else {
                z.collect()
            };
        }
        let squares = y.iter().zip(&t[2 * row..]).map(|(y, &t)| (y - f64::from(t)).powi(2));
        loss += squares.sum::<f64>() / 2.0 / rows as f64;
    }
    let kl = |&[sum, count]: &[f64; 2]| {
        let mean = sum / count;
        if count == 0.0 {
            return 0.0;
        }
        RHO * (RHO / mean).ln() + (1.0 - RHO) * ((1.0 - RHO) / (1.0 - mean)).ln()
    };
    loss + BETA * units[..depth - 1].iter().flatten().map(kl).sum::<f64>()
}

#[test]
fn gradients_are_the_differences_of_the_loss_and_the_penalty() {
    for (keep, hidden) in
        [(Keep::ONE, [4, 3]), (Keep::HALF, [4, 3]), (Keep::new(0.8).unwrap(), [66, 2])]
    {
        let mlp = network(keep, hidden, Loss::SquaredError);
        let (x, t) = (numbers(ROWS * INPUTS), numbers(ROWS * 2));
        let thinned: Vec<_> =
            (0..ROWS).map(|row| ThinnedNetwork::of(&mlp, SEED, 0, row as u64).unwrap()).collect();
        let batch = Batch::dense(MatrixView::new(&x, ROWS, INPUTS).unwrap());
        let targets = Targets::Values(MatrixView::new(&t, ROWS, 2).unwrap());
        let mut trainer = builder(mlp.clone(), ROWS).sparsity(RHO, BETA).build().unwrap();
        let (loss, gradients) = trainer.gradients(&batch, targets).unwrap();
        let (plain_loss, plain) =
            builder(mlp.clone(), ROWS).build().unwrap().gradients(&batch, targets).unwrap();
        // The loss that is reported is without the penalty, and the output layer's gradient the same.
        assert_eq!(loss, plain_loss);
        assert_eq!(gradients[2], plain[2]);
        assert_ne!(gradients[0], plain[0]);
        let mut network = PlainNetwork::from(&mlp);
        let h = 1e-5;
        let mut difference = |l: usize, n: usize, k: Option<usize>| {
            let mut at = |moved: f64| {
                let layer = &mut network.layers[l];
                let to = match k {
                    Some(k) => &mut layer.weights[n][k],
                    None => &mut layer.bias[n],
                };
                let before = *to;
                *to += moved;
                let found = objective(&network, &thinned, keep, &x, &t);
                let layer = &mut network.layers[l];
                *match k {
                    Some(k) => &mut layer.weights[n][k],
                    None => &mut layer.bias[n],
                } = before;
                found
            };
            (at(h) - at(-h)) / (2.0 * h)
        };
        for (l, gradient) in gradients.iter().enumerate() {
            let inputs = gradient.weights.len() / gradient.bias.len();
            for (n, &bias) in gradient.bias.iter().enumerate() {
                // In f32 sums of a hundred terms of the order of 1; the difference is off by 1e-9.
                let close = |got: f32, want: f64| {
                    assert!((f64::from(got) - want).abs() <= 2e-6, "{keep} {l} {n}: {got} {want}");
                };
                close(bias, difference(l, n, None));
                for k in 0..inputs {
                    close(gradient.weights[n * inputs + k], difference(l, n, Some(k)));
                }
            }
        }
    }
}

/// In any pool, in batches far beyond what goes through the network together, and on both ways through
/// a step.
#[test]
fn the_penalty_is_of_the_whole_batch_and_the_bits_are_the_same_in_a_pool() {
    let rows = 900;
    let (x, t) = (numbers(rows * INPUTS), numbers(rows * 2));
    let batch = Batch::dense(MatrixView::new(&x, rows, INPUTS).unwrap());
    let targets = Targets::Values(MatrixView::new(&t, rows, 2).unwrap());
    let run = |sparsity: bool, complete: bool| {
        let mlp = network(Keep::new(0.8).unwrap(), [130, 70], Loss::SquaredError);
        let mut builder = builder(mlp, rows);
        if sparsity {
            builder = builder.sparsity(0.05, 0.1);
        }
        if complete {
            builder = builder.clip_norm(1e30);
        }
        let mut trainer = builder.build().unwrap();
        for _ in 0..3 {
            trainer.step(&batch, targets).unwrap();
        }
        trainer.network().unwrap().digest()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let alone = run(true, false);
    assert_eq!(alone, pool.install(|| run(true, false)));
    assert_eq!(alone, run(true, true));
    assert_ne!(alone, run(false, false));
}

#[test]
fn training_makes_units_as_sparse_as_asked() {
    let rows = 64;
    let x = numbers(rows * INPUTS);
    let batch = Batch::dense(MatrixView::new(&x, rows, INPUTS).unwrap());
    let t = vec![0.0; rows * 2];
    let targets = Targets::Values(MatrixView::new(&t, rows, 2).unwrap());
    let mlp = network(Keep::ONE, [20, 10], Loss::SquaredError);
    let adam = Adam::new(Schedule::constant(0.02));
    let trainer = Trainer::builder(mlp, adam, rows).with_isa(isa()).unwrap().sparsity(0.05, 1.0);
    let mut trainer = trainer.build().unwrap();
    for _ in 0..1500 {
        trainer.step(&batch, targets).unwrap();
    }
    let network = PlainNetwork::from(&trainer.network().unwrap());
    let layer = &network.layers[0];
    for (w, b) in layer.weights.iter().zip(&layer.bias) {
        let y = |row: usize| {
            let x = &x[row * INPUTS..][..INPUTS];
            let z = w.iter().zip(x).map(|(w, &x)| w * f64::from(x)).sum::<f64>() + b;
            1.0 / (1.0 + (-z).exp())
        };
        let mean = (0..rows).map(y).sum::<f64>() / rows as f64;
        assert!((mean - 0.05).abs() < 0.01, "{mean}");
    }
}

#[test]
fn what_has_no_such_penalty_is_refused_by_name() {
    let refused = |mlp: Mlp, rho: f64, beta: f64| {
        builder(mlp, 4).sparsity(rho, beta).build().unwrap_err().to_string()
    };
    let fine = || network(Keep::HALF, [3, 3], Loss::SquaredError);
    for rho in [0.0, 1.0, -0.5, f64::NAN] {
        let error = refused(fine(), rho, 1.0);
        assert!(
            error.starts_with(
                "mean activation rho of the sparsity penalty: expected a number above 0"
            ),
            "{error}"
        );
    }
    for beta in [-1.0, f64::NAN, f64::INFINITY] {
        let error = refused(fine(), 0.1, beta);
        assert!(
            error.starts_with("factor beta of the sparsity penalty: expected a finite"),
            "{error}"
        );
    }
    let hidden = |activation, noise: thinnet::Noise| {
        let mlp = Mlp::builder(3)
            .hidden(4, Activation::Logistic, Keep::HALF)
            .hidden(4, activation, noise);
        mlp.output(2, Loss::SoftmaxCrossEntropy).build().unwrap()
    };
    let needs = "expected logistic units in every hidden layer, of which there is at least one";
    let error = refused(hidden(Activation::Relu, Keep::HALF.into()), 0.1, 1.0);
    assert_eq!(error, format!("a sparsity penalty with relu units in layer 1: {needs}"));
    let none = Mlp::builder(3).output(2, Loss::SquaredError).build().unwrap();
    assert_eq!(
        refused(none, 0.1, 1.0),
        format!("a sparsity penalty with no hidden layer: {needs}")
    );
    let gaussian = Sigma::from(Keep::HALF).into();
    let error = refused(hidden(Activation::Logistic, gaussian), 0.1, 1.0);
    assert!(error.contains("which a sparsity penalty does not support"), "{error}");
    let classes = hidden(Activation::Logistic, Keep::HALF.into());
    let error =
        builder(classes.clone(), 4).sparsity(0.1, 1.0).class_weights(vec![1.0, 2.0]).build();
    assert_eq!(
        error.unwrap_err().to_string(),
        "a sparsity penalty with weights of classes: expected none"
    );
    // Without a penalty nothing is refused.
    assert!(
        builder(hidden(Activation::Relu, Keep::HALF.into()), 4).sparsity(0.0, 0.0).build().is_ok()
    );

    let mut trainer = builder(classes, 4).sparsity(0.1, 1.0).build().unwrap();
    let x = numbers(4 * 3);
    let weights = [1.0; 4];
    let batch = Batch::dense(MatrixView::new(&x, 4, 3).unwrap());
    let before = trainer.network().unwrap().digest();
    let weighted = batch.with_weights(&weights).unwrap();
    let error = trainer.step(&weighted, Targets::Classes(&[0, 1, 0, 1])).unwrap_err();
    assert!(matches!(error, Error::Sparsity { .. }), "{error}");
    assert_eq!((trainer.steps(), trainer.network().unwrap().digest()), (0, before));
    trainer.step(&batch, Targets::Classes(&[0, 1, 0, 1])).unwrap();
}

/// The penalty is one of the settings that a resumed run must have.
#[test]
fn a_run_resumes_with_its_penalty_alone() {
    let mlp = || network(Keep::HALF, [20, 10], Loss::SquaredError);
    let (x, t) = (numbers(ROWS * INPUTS), numbers(ROWS * 2));
    let batch = Batch::dense(MatrixView::new(&x, ROWS, INPUTS).unwrap());
    let targets = Targets::Values(MatrixView::new(&t, ROWS, 2).unwrap());
    let mut whole = builder(mlp(), ROWS).sparsity(RHO, BETA).build().unwrap();
    whole.step(&batch, targets).unwrap();
    let saved = whole.to_bytes(&Provenance::new(), "").unwrap();
    whole.step(&batch, targets).unwrap();
    let resumed =
        builder(mlp(), ROWS).sparsity(RHO, BETA).resume_from_bytes(&saved, &Provenance::new());
    let (mut resumed, _) = resumed.unwrap();
    resumed.step(&batch, targets).unwrap();
    assert_eq!(resumed.network().unwrap().digest(), whole.network().unwrap().digest());
    let other =
        builder(mlp(), ROWS).sparsity(RHO, 0.25).resume_from_bytes(&saved, &Provenance::new());
    let error = other.unwrap_err().to_string();
    assert!(error.contains("sparsity") && error.contains("beta 0.5"), "{error}");
    assert!(builder(mlp(), ROWS).resume_from_bytes(&saved, &Provenance::new()).is_err());
}
