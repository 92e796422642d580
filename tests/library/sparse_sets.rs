//! Data sets of sparse rows against the same rows as a dense matrix: the same bits, and the same errors.

use proptest::prelude::*;
use thinnet::{
    Error, Keep, Noise,
    data::{CsrMatrix, Dataset, Inputs, OwnedTargets},
    metrics::{Metric, Metrics},
    nn::{Activation, Loss, Mlp, TargetKind, Targets},
    predict::{Predictor, evaluate_with},
    tensor::Matrix,
    train::{
        Adam, Averaging, EarlyStopping, Fit, Fitted, Optimiser, Plateau, Schedule, Trainer,
        TrainerBuilder, Watched,
    },
};

use crate::{
    backend::isa,
    cases,
    csr::{Both, any_density, any_noise},
    fit::end,
};

/// Targets that a network with this loss could learn, one for each row.
fn targets(rows: usize, loss: Loss) -> OwnedTargets {
    let classes: Vec<u32> = (0..rows as u32).map(|row| row * 7 / 3 % 2).collect();
    OwnedTargets::from(classes).into_kind(loss.target_kind()).unwrap()
}

fn weights(rows: usize) -> Vec<f64> {
    (0..rows).map(|row| 0.5 + (row % 4) as f64).collect()
}

/// All numbers of the rows of a data set, with their zeros.
fn numbers(data: &Dataset) -> Vec<u32> {
    match data.inputs() {
        Inputs::Dense(rows) => rows.iter().flatten().map(|x| x.to_bits()).collect(),
        Inputs::Sparse(rows) => (0..rows.rows())
            .flat_map(|row| {
                let (columns, values) = rows.row(row).unwrap();
                let mut all = vec![0; rows.columns()];
                for (&column, x) in columns.iter().zip(values) {
                    all[column as usize] = x.to_bits();
                }
                all
            })
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// The targets as text, which is short for few rows.
fn told(targets: Targets<'_>) -> String {
    format!("{targets:?}")
}

fn assert_same_rows(dense: &Dataset, sparse: &Dataset) {
    assert!(dense.dense_inputs().is_ok() && sparse.dense_inputs().is_err());
    assert_eq!(numbers(dense), numbers(sparse));
    assert_eq!(told(dense.targets()), told(sparse.targets()));
    assert_eq!(dense.weights(), sparse.weights());
    assert_eq!((dense.rows(), dense.classes()), (sparse.rows(), sparse.classes()));
    assert_eq!(dense.inputs().columns(), sparse.inputs().columns());
}

#[test]
fn parts_of_a_sparse_set_have_the_rows_of_those_of_a_dense_one() {
    for (rows, density) in [(8, 0.3), (9, 1.0), (5, 0.0)] {
        let both = Both::new(3, rows, 70, density);
        for loss in [Loss::SoftmaxCrossEntropy, Loss::SquaredError, Loss::BinaryCrossEntropy] {
            let [dense, sparse] = both.sets(&targets(rows, loss), &weights(rows));
            assert_same_rows(&dense, &sparse);
            for part in [0, 1, rows / 2, rows] {
                let both = [&dense, &sparse].map(|data| data.hold_out(part, 5).unwrap());
                assert_same_rows(&both[0].0, &both[1].0);
                assert_same_rows(&both[0].1, &both[1].1);
                let both = [&dense, &sparse].map(|data| data.split_at(part).unwrap());
                assert_same_rows(&both[0].0, &both[1].0);
                assert_same_rows(&both[0].1, &both[1].1);
            }
            assert_eq!(
                dense.hold_out(rows + 1, 5).unwrap_err().to_string(),
                sparse.hold_out(rows + 1, 5).unwrap_err().to_string()
            );
            let batches = [&dense, &sparse].map(|data| data.batches(2, 3, 3).unwrap());
            assert_eq!(batches[0].len(), batches[1].len());
            for ((dense, of_dense), (sparse, of_sparse)) in batches[0].iter().zip(&batches[1]) {
                assert_eq!(told(of_dense), told(of_sparse));
                assert_eq!(dense.weights(), sparse.weights());
                assert_eq!(
                    [dense.rows(), dense.columns(), dense.first_row() as usize],
                    [sparse.rows(), sparse.columns(), sparse.first_row() as usize]
                );
            }
        }
        let [dense, sparse] =
            both.sets(&targets(rows, Loss::SoftmaxCrossEntropy), &weights(rows)).map(|data| {
                let data = data.into_kind(TargetKind::Binary).unwrap();
                Dataset::new(data.clone().into_parts().0, data.into_parts().1).unwrap()
            });
        assert_same_rows(&dense, &sparse);
    }
    let error = Dataset::new(CsrMatrix::new(vec![0, 0], vec![], vec![], 3).unwrap(), vec![0, 1]);
    assert_eq!(error.unwrap_err().to_string(), "labels of a data set: expected 1, got 2");
}

/// From Python:
///
/// ```python
/// h = hashlib.sha256(struct.pack('<3Q', 2, 4, 2))  # rows, columns, classes
/// h.update(struct.pack('<8f', 0, 5, 0, 0, 7, 0, 0, 9))  # if dense
/// h.update(b'sparse' + struct.pack('<QIf', 1, 1, 5) + struct.pack('<QIfIf', 2, 0, 7, 3, 9))  # if sparse
/// h.update(struct.pack('<2I', 1, 0))
/// ```
#[test]
fn fingerprints_are_those_of_the_documented_bytes() {
    let dense = Matrix::from_rows(&[0.0, 5.0, 0.0, 0.0, 7.0, 0.0, 0.0, 9.0], 2, 4).unwrap();
    let dense = Dataset::new(dense, vec![1, 0]).unwrap();
    let csr = |starts: [usize; 3], columns: &[u32], values: &[f32], width| {
        let rows = CsrMatrix::new(starts.to_vec(), columns.to_vec(), values.to_vec(), width);
        Dataset::new(rows.unwrap(), vec![1, 0]).unwrap()
    };
    let sparse = csr([0, 1, 3], &[1, 0, 3], &[5.0, 7.0, 9.0], 4);
    let of_dense = "c07355879d9328fd345f0c331de6493be3532dbfcdf78367e82b7a343215ec0a";
    let of_sparse = "29cd1faab8e74ecdab202b38b9d5410e1040d979cdae21d620d3ee34629cecab";
    assert_eq!([dense.fingerprint(), sparse.fingerprint()], [of_dense, of_sparse]);
    // Other rows, another width, another stored zero.
    for other in [
        csr([0, 2, 3], &[1, 3, 0], &[5.0, 9.0, 7.0], 4),
        csr([0, 1, 3], &[2, 0, 3], &[5.0, 7.0, 9.0], 4),
        csr([0, 1, 3], &[1, 0, 3], &[5.0, 7.0, 8.0], 4),
        csr([0, 1, 3], &[1, 0, 3], &[5.0, 7.0, 9.0], 5),
        csr([0, 2, 4], &[1, 2, 0, 3], &[5.0, 0.0, 7.0, 9.0], 4),
        sparse.clone().with_weights(vec![1.0, 1.0]).unwrap(),
    ] {
        assert_ne!(other.fingerprint(), of_sparse);
    }
    assert_eq!(sparse.clone().fingerprint(), of_sparse);
}

/// A trainer for rows of `inputs` numbers.
fn builder(
    inputs: usize,
    noise: Noise,
    loss: Loss,
    optimiser: Optimiser,
    seed: u64,
) -> TrainerBuilder {
    let outputs = if loss == Loss::SoftmaxCrossEntropy { 2 } else { 1 };
    let mlp = Mlp::builder(inputs)
        .input_noise(noise)
        .hidden(20, Activation::Relu, Keep::HALF)
        .output(outputs, loss)
        .seed(seed)
        .build()
        .unwrap();
    let builder = Trainer::builder(mlp, optimiser, 8).seed(seed).with_isa(isa()).unwrap();
    builder.average(Averaging::exponential(0.9))
}

/// The bits of a fitted network, and the text of all that was measured in the run, in which floats are
/// exact.
fn outcome(fitted: &Fitted) -> (String, String) {
    let Fitted { history, ending, best_epoch, steps, .. } = fitted;
    let digest = fitted.network.digest().to_string();
    (digest, format!("{:?}, {ending:?}, {best_epoch:?}, {steps}", history.epochs()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..cases::fixed() })]

    /// Training with validation, early stopping and a plateau; evaluation with metrics; the temperature.
    /// Also where a number is not finite, in either set.
    #[test]
    fn a_run_on_a_sparse_set_has_the_bits_of_one_on_a_dense_set(
        optimiser in prop::sample::select(Optimiser::ALL.to_vec()),
        loss in prop::sample::select(vec![
            Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy, Loss::SquaredError,
        ]),
        inputs in 1usize..200,
        rows in 10usize..40,
        density in any_density(),
        noise in any_noise(),
        bad in prop::option::weighted(0.3, (any::<usize>(), any::<bool>(), prop::sample::select(vec![
            f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX,
        ]))),
        seed: u64,
    ) {
        let mut x = [Both::new(seed, rows, inputs, density), Both::new(seed ^ 1, 30, inputs, density)];
        if let Some((entry, of_validation, bad)) = bad {
            let x = &mut x[usize::from(of_validation)];
            if !x.values.is_empty() {
                x.set(entry % x.values.len(), bad);
            }
        }
        let [train, validation] = [(&x[0], rows), (&x[1], 30)]
            .map(|(x, rows)| x.sets(&targets(rows, loss), &weights(rows)));
        let usual = Metric::usual(loss, if loss == Loss::SoftmaxCrossEntropy { 2 } else { 1 });
        let run = |i: usize| -> Result<_, Error> {
            let fit = Fit::new(&train[i])
                .validation(&validation[i])
                .metrics(usual)
                .early_stopping(EarlyStopping::new(Watched::Loss, 2).unwrap())
                .plateau(Plateau::new(Watched::Loss, 1, 0.5).unwrap())
                .shuffle_seed(seed)
                .epochs(6);
            let builder = builder(inputs, noise, loss, optimiser.clone(), seed);
            let fitted = fit.run(builder.build()?)?;
            let predictor = Predictor::new(&fitted.network);
            let mut workspace = predictor.workspace(7)?;
            let mut metrics = Metrics::new(usual, loss, predictor.network().outputs())?;
            let found = evaluate_with(&predictor, &validation[i], &mut metrics, &mut workspace)?;
            let figures: Vec<_> = metrics
                .figures()
                .map(|(metric, figure)| format!("{metric}: {:?}", figure.map_err(|e| e.to_string())))
                .collect();
            let temperature = predictor.fit_temperature(&validation[i], &mut workspace);
            let temperature = temperature.map(|t| t.get().to_bits()).map_err(|e| e.to_string());
            Ok((outcome(&fitted), format!("{found:?}"), figures, temperature))
        };
        let [want, got] = [run(0), run(1)].map(|run| run.map_err(|error| error.to_string()));
        prop_assert!(want == got, "{:?}\nand\n{:?}", want, got);
    }
}

/// A run on sparse rows that is interrupted and resumed at every step ends like an unbroken one on dense
/// rows. Its checkpoints belong to the sparse rows alone.
#[test]
fn a_run_on_sparse_rows_resumed_at_every_step_ends_like_an_unbroken_one_on_dense_rows() {
    let loss = Loss::SoftmaxCrossEntropy;
    let [train, validation] = [(1, 45), (2, 60)].map(|(seed, rows)| {
        Both::new(seed, rows, 130, 0.1).sets(&targets(rows, loss), &weights(rows))
    });
    let fit = |i: usize| {
        Fit::new(&train[i])
            .validation(&validation[i])
            .metrics(&[Metric::ErrorRate])
            .early_stopping(EarlyStopping::new(Metric::RocAuc, 6).unwrap())
            .plateau(Plateau::new(Metric::RocAuc, 2, 0.5).unwrap())
            .shuffle_seed(3)
            .epochs(20)
    };
    let adam = || Optimiser::from(Adam::new(Schedule::constant(0.01)).weight_decay(1e-3));
    let builder = || builder(130, Keep::HALF.into(), loss, adam(), 7);
    let unbroken = outcome(&fit(0).run(builder().build().unwrap()).unwrap());
    let mut chain = fit(1).start(builder().build().unwrap()).unwrap();
    let mut point = 0;
    while !chain.is_done() {
        let bytes = chain.to_bytes("").unwrap();
        chain = fit(1).resume_from_bytes(builder(), &bytes).unwrap().0;
        assert!(chain.to_bytes("").unwrap() == bytes, "saved again at point {point}");
        if point % 13 == 0 {
            let (one, _) = fit(1).resume_from_bytes(builder(), &bytes).unwrap();
            assert_eq!(outcome(&end(one).finish().unwrap()), unbroken);
            let error = fit(0).resume_from_bytes(builder(), &bytes).map(drop).unwrap_err();
            assert!(error.to_string().contains("data for training (SHA-256)"), "{error}");
        }
        chain.advance().unwrap();
        point += 1;
    }
    assert!(point > 30);
    assert_eq!(outcome(&chain.finish().unwrap()), unbroken);
}
