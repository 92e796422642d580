//! Sparse rows against the same rows as a dense matrix: the same bits, and the same errors.

use proptest::prelude::*;
use serde::Deserialize;
use thinnet::{
    Error, Isa, Keep, Noise, Sigma,
    data::{Batch, CsrMatrix, CsrView, Dataset, OwnedInputs, OwnedTargets},
    mask::{Domain, Streams},
    nn::{Activation, Loss, Mlp, Targets},
    predict::{Estimates, MonteCarlo, Predictor, Seeds},
    tensor::{Matrix, MatrixView},
    train::{
        Adagrad, Averaging, MaxNorm, Optimiser, Provenance, Schedule, Sgd, SparseAdam, Trainer,
    },
};

use crate::{backend, cases};

/// Some rows in both forms.
pub struct Both {
    dense: Vec<f32>,
    starts: Vec<usize>,
    columns: Vec<u32>,
    pub values: Vec<f32>,
    rows: usize,
    width: usize,
}

impl Both {
    /// Rows in which about a fraction `density` of the numbers are stored, a tenth of these being zeros
    /// of either sign; the others are from -1 to 1. A quarter of the rows is empty.
    pub fn new(seed: u64, rows: usize, width: usize, density: f64) -> Self {
        let streams = Streams::new(seed, Domain::Other, 0, 0);
        let uniform = |i: usize| (streams.hash(i as u64) >> 11) as f64 / (1u64 << 53) as f64;
        let mut both = Self {
            dense: vec![0.0; rows * width],
            starts: vec![0],
            columns: Vec::new(),
            values: Vec::new(),
            rows,
            width,
        };
        for row in 0..rows {
            let density = if uniform(row) < 0.25 { 0.0 } else { density };
            for column in 0..width {
                let at = rows + 3 * (row * width + column);
                if uniform(at) >= density {
                    continue;
                }
                let x = (2.0 * uniform(at + 1) - 1.0) as f32;
                let x = if uniform(at + 2) < 0.1 { 0.0 * x } else { x };
                both.dense[row * width + column] = x;
                both.columns.push(column as u32);
                both.values.push(x);
            }
            both.starts.push(both.values.len());
        }
        both
    }

    /// Writes a number over that of one of the entries, in both forms.
    pub fn set(&mut self, entry: usize, x: f32) {
        self.values[entry] = x;
        let row = self.starts.partition_point(|&start| start <= entry) - 1;
        self.dense[row * self.width + self.columns[entry] as usize] = x;
    }

    pub fn dense(&self) -> MatrixView<'_> {
        MatrixView::new(&self.dense, self.rows, self.width).unwrap()
    }

    fn csr(&self) -> CsrView<'_> {
        CsrView::new(&self.starts, &self.columns, &self.values, self.width).unwrap()
    }

    /// A data set of the rows with these targets and weights, dense and sparse.
    pub fn sets(&self, targets: &OwnedTargets, weights: &[f64]) -> [Dataset; 2] {
        let Self { starts, columns, values, width, .. } = self;
        let dense = Matrix::from_rows(&self.dense, self.rows, self.width).unwrap();
        let csr = CsrMatrix::new(starts.clone(), columns.clone(), values.clone(), *width).unwrap();
        [OwnedInputs::from(dense), csr.into()].map(|inputs| {
            let data = Dataset::new(inputs, targets.clone()).unwrap();
            data.with_weights(weights.to_vec()).unwrap()
        })
    }

    /// All rows as a batch, dense and sparse.
    fn batches(&self) -> [Batch<'_>; 2] {
        [Batch::dense(self.dense()), Batch::csr(self.csr())]
    }
}

/// The bits of a number; those of a NaN are alike.
fn bits(x: impl Into<f64>) -> u64 {
    let x = x.into();
    if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }
}

fn bits_of(x: MatrixView<'_>) -> Vec<u64> {
    x.iter().flatten().map(|&x| bits(x)).collect()
}

fn bits_of_estimates(estimates: Estimates<'_>) -> Vec<u64> {
    let of_row = |row: usize| {
        let answer = estimates.row(row).unwrap();
        let figures =
            [answer.entropy(), answer.expected_entropy(), answer.samples().map(|n| n as f64)];
        let numbers = answer.mean().iter().chain(answer.variance().unwrap_or(&[])).copied();
        numbers.chain(figures.into_iter().map(|x| x.unwrap_or(-1.0))).map(bits).collect::<Vec<_>>()
    };
    (0..estimates.rows()).flat_map(of_row).collect()
}

/// What each way to predict says, or the error. The first row alone too, as one row may take another
/// path.
fn answers(predictor: &Predictor<&Mlp>, batch: &Batch<'_>) -> Vec<Result<Vec<u64>, String>> {
    let mut w = predictor.workspace(batch.rows()).unwrap();
    let mut all = Vec::new();
    let first = batch.chunks(1).unwrap().next().unwrap();
    for batch in [batch, &first] {
        all.push(predictor.predict(batch, &mut w).map(bits_of));
        all.push(predictor.logits(batch, &mut w).map(bits_of));
        all.push(predictor.weight_scaling(batch, &mut w).map(bits_of_estimates));
        let ids: Vec<u64> = (0..batch.rows() as u64).collect();
        let seeds = Seeds::Numbered { base: 5, ids: &ids };
        let five = MonteCarlo::new(5).unwrap();
        all.push(predictor.monte_carlo(batch, &five, seeds, &mut w).map(bits_of_estimates));
    }
    // A row with few active units takes thousands of passes.
    let two = batch.chunks(2).unwrap().next().unwrap();
    all.push(predictor.moments(&two, &mut w).map(bits_of_estimates));
    let both =
        |[means, variances]: [MatrixView<'_>; 2]| [bits_of(means), bits_of(variances)].concat();
    all.push(predictor.logit_moments(&two, &mut w).map(both));
    all.into_iter().map(|answer| answer.map_err(|error: Error| error.to_string())).collect()
}

pub fn any_noise() -> impl Strategy<Value = Noise> {
    prop::sample::select(vec![
        Noise::None,
        Noise::from(Keep::HALF),
        Noise::from(Keep::new(0.8).unwrap()),
        Noise::from(Sigma::new(0.7).unwrap()),
    ])
}

pub fn any_density() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0.0, 0.02, 0.3, 0.9, 1.0])
}

/// A network with this noise on the inputs; `sparse` declares them sparse if that is possible.
fn mlp(inputs: usize, hidden: usize, noise: Noise, sparse: bool, seed: u64) -> Mlp {
    let mut builder = Mlp::builder(inputs)
        .input_noise(noise)
        .hidden(hidden, Activation::Relu, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .seed(seed);
    if sparse && !matches!(noise, Noise::Gaussian(_)) {
        builder = builder.sparse_input();
    }
    builder.build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..cases::fixed() })]

    /// Every way to predict, with weights of each kind, on every backend; also where numbers are
    /// refused, or allowed although they are not finite.
    #[test]
    fn predictions_have_the_bits_of_dense_rows(
        isa in prop::sample::select(Isa::available().collect::<Vec<_>>()),
        inputs in 1usize..300,
        hidden in 1usize..140,
        rows in 1usize..12,
        density in any_density(),
        noise in any_noise(),
        sparse: bool,
        bad in prop::option::weighted(0.3, (any::<usize>(), prop::sample::select(vec![
            f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX,
        ]))),
        seed: u64,
    ) {
        let mut x = Both::new(seed, rows, inputs, density);
        if let Some((entry, bad)) = bad && !x.values.is_empty() {
            x.set(entry % x.values.len(), bad);
        }
        let mlp = mlp(inputs, hidden, noise, sparse, seed);
        let typical = Both::new(seed ^ 1, 20, inputs, 0.3);
        let [dense, csr] = typical.batches();
        let plain = || Predictor::new(&mlp).with_isa(isa).unwrap();
        let pairs = [
            [plain(), plain()],
            [plain().allow_non_finite_inputs(), plain().allow_non_finite_inputs()],
            [plain().bf16_weights().unwrap(), plain().bf16_weights().unwrap()],
            [plain().integer_weights(&dense).unwrap(), plain().integer_weights(&csr).unwrap()],
        ];
        let [dense, csr] = x.batches();
        for (kind, [of_dense, of_csr]) in pairs.iter().enumerate() {
            let (want, got) = (answers(of_dense, &dense), answers(of_csr, &csr));
            prop_assert!(want == got, "kind {}: {:?} and {:?}", kind, want, got);
        }
    }

    /// Every optimiser, with everything that looks at the inputs.
    #[test]
    fn training_has_the_bits_of_dense_rows(
        optimiser in prop::sample::select(Optimiser::ALL.to_vec()),
        inputs in 1usize..300,
        hidden in 1usize..140,
        // From some 200 rows on, a batch goes through the network in chunks.
        rows in prop::sample::select(vec![1usize, 2, 7, 40, 300]),
        density in any_density(),
        noise in any_noise(),
        sparse: bool,
        max_norm: bool,
        clip: bool,
        seed: u64,
    ) {
        let x = Both::new(seed, rows, inputs, density);
        let mlp = mlp(inputs, hidden, noise, sparse, seed);
        let classes: Vec<u32> = (0..rows as u32).map(|row| row % 3).collect();
        let order: Vec<u32> = (0..rows as u32).rev().collect();
        let weights: Vec<f64> = (0..rows).map(|row| 1.0 + (row % 4) as f64).collect();
        let targets = Targets::Classes(&classes);
        let takes_all = optimiser.name() != "sparse_adam";
        let train = |batches: [Batch<'_>; 2]| {
            let mut builder = Trainer::builder(mlp.clone(), optimiser.clone(), rows).seed(seed);
            let (max_norm, clip) = (max_norm && takes_all, clip && takes_all);
            if max_norm {
                builder = builder.max_norm(MaxNorm::Engine(1.0));
            }
            if clip {
                builder = builder.clip_norm(0.5);
            }
            let mut trainer = builder.with_isa(backend::isa()).unwrap().build().unwrap();
            let mut losses = Vec::new();
            for batch in [batches[0], batches[1], batches[0]] {
                losses.push(bits(trainer.step(&batch, targets).unwrap()));
            }
            let weighted = batches[1].with_weights(&weights).unwrap();
            let (loss, gradients) = trainer.gradients(&weighted, targets).unwrap();
            losses.push(bits(loss));
            let of_layers = gradients.iter().flat_map(|g| g.weights.iter().chain(&g.bias));
            let gradients: Vec<u32> = of_layers.map(|g| g.to_bits()).collect();
            let densities: Vec<u64> = trainer.densities().map(f64::to_bits).collect();
            (losses, gradients, densities, checkpoint(&trainer))
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let gathered = Batch::gather(x.dense(), &order).unwrap().starting_at(9);
        let want = train([Batch::dense(x.dense()), gathered]);
        let gathered = Batch::gather(x.csr(), &order).unwrap().starting_at(9);
        let got = pool.install(|| train([Batch::csr(x.csr()), gathered]));
        prop_assert!(want == got);
    }

    /// Rows keep their place in parts of a batch.
    #[test]
    fn parts_predict_what_the_whole_batch_does(
        rows in 1usize..12,
        size in 1usize..5,
        density in any_density(),
        seed: u64,
    ) {
        let x = Both::new(seed, rows, 100, density);
        let mlp = mlp(100, 20, Noise::None, false, seed);
        let predictor = Predictor::new(&mlp);
        let mut workspace = predictor.workspace(rows).unwrap();
        let order: Vec<u32> = (0..rows as u32).rev().collect();
        for whole in [Batch::csr(x.csr()), Batch::gather(x.csr(), &order).unwrap()] {
            let want = bits_of(predictor.predict(&whole, &mut workspace).unwrap());
            let parts = whole.chunks(size).unwrap();
            let got: Vec<u64> = parts
                .flat_map(|part| bits_of(predictor.predict(&part, &mut workspace).unwrap()))
                .collect();
            prop_assert!(want == got);
        }
    }
}

/// Everything that lasts beyond a step.
fn checkpoint(trainer: &Trainer) -> Vec<u8> {
    trainer.to_bytes(&Provenance::new(), "").unwrap()
}

/// Rows of a thousand columns and more touch few weights, which several threads update.
#[test]
fn few_of_many_columns_train_like_dense_rows() {
    const WIDTH: usize = 9_000;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let x = [1, 2].map(|seed| Both::new(seed, 60, WIDTH, 0.005));
    let classes: Vec<u32> = (0..60).map(|row| row % 3).collect();
    let targets = Targets::Classes(&classes);
    let rate = Schedule::constant(0.1);
    let optimisers: [Optimiser; 7] = [
        Sgd::new(rate.clone()).into(),
        Sgd::new(rate.clone()).nesterov().into(),
        Sgd::new(rate.clone()).momentum(Schedule::constant(0.9)).into(),
        Sgd::new(rate.clone()).weight_decay(0.01).into(),
        Adagrad::new(rate.clone()).initial_accumulator(0.1).into(),
        Adagrad::new(rate.clone()).weight_decay(0.01).into(),
        SparseAdam::new(rate).into(),
    ];
    let declared = [false, true, false, false, true, true, true];
    for (optimiser, sparse) in optimisers.iter().zip(declared) {
        for (averaging, clip) in [(false, false), (true, false), (false, true)] {
            if averaging && optimiser.name() == "sparse_adam" {
                continue;
            }
            let mlp = mlp(WIDTH, 70, Keep::HALF.into(), sparse, 1);
            let run = |batch: fn(&Both) -> Batch<'_>| {
                let mut builder = Trainer::builder(mlp.clone(), optimiser.clone(), 60).seed(3);
                if averaging {
                    builder = builder.average(Averaging::exponential(0.9));
                }
                if clip {
                    builder = builder.clip_value(1e-3);
                }
                let mut trainer = builder.with_isa(backend::isa()).unwrap().build().unwrap();
                for x in [&x[0], &x[1], &x[0]] {
                    trainer.step(&batch(x), targets).unwrap();
                }
                checkpoint(&trainer)
            };
            let want = run(|x| Batch::dense(x.dense()));
            assert!(pool.install(|| run(|x| Batch::csr(x.csr()))) == want, "{optimiser:?}");
        }
    }
}

/// SparseAdam's runs on sparse rows.
#[derive(Deserialize)]
struct Oracle {
    columns: usize,
    steps: usize,
    batches: Vec<OracleBatch>,
    /// `[classes][columns]`
    weights: Vec<Vec<f32>>,
    bias: Vec<f32>,
    runs: Vec<OracleRun>,
}

#[derive(Deserialize)]
struct OracleBatch {
    rows: Vec<OracleRow>,
    classes: Vec<u32>,
}

#[derive(Deserialize)]
struct OracleRow {
    columns: Vec<u32>,
    values: Vec<f32>,
}

#[derive(Deserialize)]
struct OracleRun {
    settings: OracleSettings,
    loss: f64,
    weights: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

#[derive(Deserialize)]
struct OracleSettings {
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
}

/// `tests/oracle/pytorch_sparse_adam.json`, generated by `pytorch_sparse_adam.py` next to it.
#[test]
fn sparse_adam_takes_the_steps_of_pytorch() {
    let oracle: Oracle =
        serde_json::from_str(include_str!("../oracle/pytorch_sparse_adam.json")).unwrap();
    let batches: Vec<CsrMatrix> = oracle
        .batches
        .iter()
        .map(|batch| {
            let mut starts = vec![0];
            for row in &batch.rows {
                starts.push(starts.last().unwrap() + row.values.len());
            }
            let columns = batch.rows.iter().flat_map(|row| row.columns.clone()).collect();
            let values = batch.rows.iter().flat_map(|row| row.values.clone()).collect();
            CsrMatrix::new(starts, columns, values, oracle.columns).unwrap()
        })
        .collect();
    for run in &oracle.runs {
        let mut mlp = Mlp::builder(oracle.columns)
            .output(oracle.weights.len(), Loss::SoftmaxCrossEntropy)
            .build()
            .unwrap();
        mlp.set_weights(0, &oracle.weights.concat()).unwrap();
        mlp.set_bias(0, &oracle.bias).unwrap();
        let OracleSettings { learning_rate, beta1, beta2, epsilon } = run.settings;
        let adam = SparseAdam::new(Schedule::constant(learning_rate));
        let adam = adam.betas(beta1, beta2).epsilon(epsilon);
        let builder = Trainer::builder(mlp, adam, 12).with_isa(backend::isa()).unwrap();
        let mut trainer = builder.build().unwrap();
        let mut loss = f32::NAN;
        for step in 0..oracle.steps {
            let number = step % batches.len();
            let targets = Targets::Classes(&oracle.batches[number].classes);
            loss = trainer.step(&Batch::csr(batches[number].view()), targets).unwrap();
        }
        assert!((f64::from(loss) - run.loss).abs() < 1e-6, "{loss}, want {}", run.loss);
        let network = trainer.network().unwrap();
        let weights = network.weights(0).unwrap();
        let got = weights.iter().chain(network.bias(0).unwrap());
        let want = run.weights.iter().flatten().chain(&run.bias);
        assert_eq!(weights.len(), run.weights.concat().len());
        for (i, (&got, want)) in got.zip(want).enumerate() {
            assert!((f64::from(got) - want).abs() < 3e-6, "{i}: {got}, want {want}");
        }
        // The last column has no entries.
        let last = oracle.columns - 1;
        for (class, first) in oracle.weights.iter().enumerate() {
            assert_eq!(weights[class * oracle.columns + last], first[last]);
        }
    }
}

/// What needs every weight in each step does not go with an optimiser that leaves out some.
#[test]
fn sparse_adam_refuses_what_needs_every_weight() {
    let builder = || {
        let mlp = mlp(9, 5, Noise::None, false, 1);
        Trainer::builder(mlp, SparseAdam::default(), 4)
    };
    let words = "sparse_adam leaves out the weights of inputs that are 0, so it does not support \
                 max-norm, averages, an L1 penalty or a limit on the norm of the gradient";
    for builder in [
        builder().max_norm(MaxNorm::Engine(1.0)),
        builder().average(Averaging::tail(0)),
        builder().l1(1e-3),
        builder().clip_norm(1.0),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), words);
    }
    builder().clip_value(1.0).build().unwrap();
}

/// As with dense rows.
#[test]
fn an_update_that_overflows_is_reported_with_its_layer() {
    let x = Both::new(3, 6, 300, 0.1);
    let mut trainer = Trainer::builder(
        Mlp::builder(300).output(3, Loss::SquaredError).build().unwrap(),
        Sgd::new(Schedule::constant(3e38)),
        6,
    )
    .build()
    .unwrap();
    let targets = Targets::Values(MatrixView::new(&[100.0; 18], 6, 3).unwrap());
    trainer.step(&Batch::csr(x.csr()), targets).unwrap();
    let error = trainer.step(&Batch::csr(x.csr()), targets).unwrap_err();
    let found = matches!(error, Error::NonFiniteParameters { layer: 0, step: 0 });
    assert!(found, "{error}");
}

/// By row and column, whether the rows were chosen or not.
#[test]
fn an_input_that_is_not_finite_is_named() {
    let mut x = Both::new(3, 6, 90, 0.5);
    let row = (0..6).find(|&row| x.starts[row + 1] - x.starts[row] > 5).unwrap();
    let entry = x.starts[row] + 4;
    x.set(entry, f32::NAN);
    x.set(entry + 1, f32::INFINITY);
    let words =
        format!("input at row {row}, column {} is NaN: expected a finite number", x.columns[entry]);
    let predictor = Predictor::new(mlp(90, 5, Noise::None, false, 1));
    let mut workspace = predictor.workspace(6).unwrap();
    let mut trainer = Trainer::builder(predictor.network().clone(), Optimiser::ALL[0].clone(), 6)
        .build()
        .unwrap();
    let targets = Targets::Classes(&[0; 6]);
    for batch in x.batches() {
        assert_eq!(predictor.predict(&batch, &mut workspace).unwrap_err().to_string(), words);
        assert_eq!(trainer.step(&batch, targets).unwrap_err().to_string(), words);
    }
    // The last row comes first.
    let order = [5, 4, 3, 2, 1, 0];
    let batch = Batch::gather(x.csr(), &order).unwrap();
    let error = predictor.predict(&batch, &mut workspace).unwrap_err().to_string();
    assert!(error.starts_with(&format!("input at row {}, column", 5 - row)), "{error}");
    // A part without it is not refused.
    let others: Vec<u32> = (0..6).filter(|&other| other as usize != row).collect();
    let batch = Batch::gather(x.csr(), &others).unwrap();
    predictor.predict(&batch, &mut workspace).unwrap();
    for (from, to) in [(0, row), (row + 1, 6)] {
        let part = Batch::csr(x.csr().subrows(from..to).unwrap());
        predictor.predict(&part, &mut workspace).unwrap();
    }
}

#[test]
fn rows_that_do_not_exist_and_other_widths_are_refused() {
    let x = Both::new(3, 6, 90, 0.5);
    let error = Batch::gather(x.csr(), &[0, 6]).unwrap_err().to_string();
    assert_eq!(error, "row of a batch: expected an index below 6, got 6");
    let predictor = Predictor::new(mlp(91, 5, Noise::None, false, 1));
    let mut workspace = predictor.workspace(6).unwrap();
    let error = predictor.predict(&Batch::csr(x.csr()), &mut workspace).unwrap_err().to_string();
    assert_eq!(error, "columns of a batch: expected 91, got 90");
}

/// What is not stored is 0, and what is stored has its column, up to the last.
#[test]
fn entries_of_wide_rows_have_their_columns() {
    const WIDTH: usize = 100_000;
    let mut weights = vec![0.0; WIDTH];
    let columns = [0, 63, 64, 65_535, 65_536, 99_999];
    for (i, &column) in columns.iter().enumerate() {
        weights[column as usize] = (1 << i) as f32;
    }
    let mut mlp = Mlp::builder(WIDTH).output(1, Loss::SquaredError).build().unwrap();
    mlp.set_weights(0, &weights).unwrap();
    let predictor = Predictor::new(mlp);
    let mut workspace = predictor.workspace(1).unwrap();
    for set in 0..1_u32 << columns.len() {
        let chosen: Vec<u32> =
            (0..columns.len()).filter(|i| set >> i & 1 == 1).map(|i| columns[i]).collect();
        let (starts, values) = ([0, chosen.len()], vec![1.0; chosen.len()]);
        let row = CsrView::new(&starts, &chosen, &values, WIDTH).unwrap();
        let y = predictor.predict(&Batch::csr(row), &mut workspace).unwrap();
        assert_eq!(y.row(0).unwrap(), [set as f32]);
    }
}
