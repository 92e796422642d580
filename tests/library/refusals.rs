//! Bad input through the library: a clear error, and nothing changed.

use std::path::Path;

use thinnet::{
    Dropout, Error, Isa, Keep,
    data::{Batch, Dataset, Split},
    mask::{Domain, Mask, MaskSpec, Streams},
    nn::{Activation, Loss, Mlp, Targets, ThinnedNetwork},
    predict::{Predictor, evaluate},
    tensor::{Matrix, MatrixView},
    train::{Adagrad, Adam, AdamW, MaxNorm, Optimiser, Schedule, Sgd, Trainer, TrainerBuilder},
};

use crate::backend;

fn mlp(loss: Loss) -> Mlp {
    Mlp::builder(3).hidden(4, Activation::Relu, Keep::HALF).output(2, loss).build().unwrap()
}

fn sgd() -> Sgd {
    Sgd::new(Schedule::constant(0.1)).momentum(Schedule::constant(0.9))
}

/// What a step refuses, it refuses before anything is touched: the step after
/// it is the one that an undisturbed trainer does.
#[test]
fn a_refused_step_changes_nothing() {
    const GOOD: [f32; 6] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
    fn view(x: &[f32], columns: usize) -> MatrixView<'_> {
        MatrixView::new(x, x.len() / columns, columns).unwrap()
    }
    let cases: [(Loss, &[f32], usize, Targets<'_>, &str); 17] = [
        (
            Loss::SoftmaxCrossEntropy,
            &[],
            3,
            Targets::Classes(&[]),
            "rows of a batch: expected at least one, got 0",
        ),
        (
            Loss::SoftmaxCrossEntropy,
            &[0.0; 9],
            3,
            Targets::Classes(&[0; 3]),
            "rows of a batch: expected at most 2, got 3",
        ),
        (Loss::SoftmaxCrossEntropy, &[0.0; 4], 2, Targets::Classes(&[0; 2]), "expected 3, got 2"),
        (
            Loss::SoftmaxCrossEntropy,
            &[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0],
            3,
            Targets::Classes(&[0; 2]),
            "row 1, column 1 is NaN",
        ),
        (
            Loss::SoftmaxCrossEntropy,
            &[0.0, 0.0, f32::INFINITY],
            3,
            Targets::Classes(&[0]),
            "row 0, column 2 is inf",
        ),
        (Loss::SoftmaxCrossEntropy, &GOOD, 3, Targets::Classes(&[0]), "expected 2, got 1"),
        (Loss::SoftmaxCrossEntropy, &GOOD, 3, Targets::Classes(&[0, 2]), "class 2 at row 1"),
        (
            Loss::SoftmaxCrossEntropy,
            &GOOD,
            3,
            Targets::Values(view(&[0.0; 4], 2)),
            "takes `Classes`",
        ),
        (Loss::SquaredError, &GOOD, 3, Targets::Classes(&[0, 1]), "takes `Values`"),
        (Loss::SquaredError, &GOOD, 3, Targets::Values(view(&[0.0; 6], 3)), "expected 2, got 3"),
        (
            Loss::SquaredError,
            &GOOD,
            3,
            Targets::Values(view(&[0.0, 1.0, f32::NEG_INFINITY, 0.0], 2)),
            "row 1, column 0 is -inf",
        ),
        (
            Loss::BinaryCrossEntropy,
            &GOOD,
            3,
            Targets::Binary(view(&[0.0, 1.0, 1.0, 1.5], 2)),
            "target 1.5 at row 1, column 1",
        ),
        (
            Loss::BinaryCrossEntropy,
            &GOOD,
            3,
            Targets::Binary(view(&[0.0, f32::NAN, 1.0, 1.0], 2)),
            "target NaN",
        ),
        (
            Loss::Poisson,
            &GOOD,
            3,
            Targets::Values(view(&[0.0, 1.0, 2.0, -0.5], 2)),
            "target -0.5 at row 1, column 1: expected a number of at least 0",
        ),
        (
            Loss::Poisson,
            &GOOD,
            3,
            Targets::Values(view(&[0.0, f32::INFINITY, 2.0, 1.0], 2)),
            "row 0, column 1 is inf",
        ),
        // Finite inputs whose loss is not.
        (Loss::Poisson, &[3e38; 6], 3, Targets::Values(view(&[3e38; 4], 2)), "loss of step 0"),
        (
            Loss::SquaredError,
            &[3e38; 6],
            3,
            Targets::Values(view(&[-3e38; 4], 2)),
            "loss of step 0",
        ),
    ];
    for (loss, x, columns, targets, word) in cases {
        let mut disturbed = Trainer::builder(mlp(loss), sgd(), 2)
            .seed(1)
            .with_isa(backend::isa())
            .unwrap()
            .build()
            .unwrap();
        let mut calm = disturbed.clone();
        let batch = Batch::dense(MatrixView::new(x, x.len() / columns, columns).unwrap());
        let before = disturbed.network().unwrap().digest();
        let message = disturbed.step(&batch, targets).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
        assert_eq!((disturbed.steps(), disturbed.network().unwrap().digest()), (0, before));
        let good = Batch::dense(view(&GOOD, 3));
        let bits = [0.0, 1.0, 1.0, 0.0];
        let targets = match loss {
            Loss::SquaredError | Loss::Poisson => Targets::Values(view(&bits, 2)),
            Loss::BinaryCrossEntropy => Targets::Binary(view(&bits, 2)),
            _ => Targets::Classes(&[0, 1]),
        };
        for _ in 0..2 {
            let want = calm.step(&good, targets).unwrap();
            assert_eq!(disturbed.step(&good, targets).unwrap(), want);
        }
        assert_eq!(
            disturbed.network().unwrap().digest(),
            calm.network().unwrap().digest(),
            "velocities too"
        );
    }
}

fn says(result: Result<(), Error>, word: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(word), "{message}");
}

/// The ranges of the settings, as errors state them.
const BOUND: &str = "a number from 1e-15 to 3.4e38, also after multiplication by the keep rate of a layer's inputs \
     if it is for the paper's weights";
const DECAY: &str = "a number from 0 to 3.4e38, also after division by the square of the keep rate of a layer's \
     inputs if it is for the paper's weights";
const EPSILON: &str = "a number from 1.2e-38 to 3.4e38, also after division by the keep rate of a \
     layer's inputs if it is for the paper's weights";
const BETA: &str = "a number of at least 0 and below 1, in single precision too";

/// The message about a number outside its range, which starts with `value`.
fn out(what: &str, range: &str, value: &str) -> String {
    format!("{what}: expected {range}, got {value}")
}

#[test]
fn settings_out_of_range_are_refused() {
    let with = |sgd: Sgd| Trainer::builder(mlp(Loss::SoftmaxCrossEntropy), sgd, 2);
    let build = |sgd: Sgd| with(sgd).build().map(drop);
    let bounded = |max_norm| with(sgd()).max_norm(max_norm).build().map(drop);
    says(build(Sgd::new(Schedule::constant(f64::NAN))), "learning rate");
    says(build(Sgd::new(Schedule::constant(-0.1))), "-0.1");
    says(build(Sgd::new(Schedule::constant(1e39))), "learning rate");
    let linear = Schedule::Linear { from: 0.1, to: f64::INFINITY, steps: 1 };
    says(build(Sgd::new(linear)), "inf");
    says(build(sgd().momentum(Schedule::constant(1.0))), "momentum");
    let saturating = Schedule::Saturating { from: 0.5, to: 0.9, time: 0.0 };
    says(build(sgd().momentum(saturating)), "momentum");
    says(build(sgd().weight_decay(-1.0)), &out("weight decay", DECAY, "-1.0"));
    says(bounded(MaxNorm::Paper(0.0)), &out("max-norm", BOUND, "0.0"));
    says(bounded(MaxNorm::Engine(f64::NAN)), &out("max-norm", BOUND, "NaN"));
    says(bounded(MaxNorm::Engine(1e-60)), &out("max-norm", BOUND, "1e-60"));
    says(build(sgd().weight_decay(1e39)), &out("weight decay", DECAY, "1e39"));
    let no_rows = Trainer::builder(mlp(Loss::SoftmaxCrossEntropy), sgd(), 0);
    says(no_rows.build().map(drop), "rows of the largest batch: expected at least one, got 0");
    says(build(sgd().momentum(Schedule::constant(1.0 - 1e-12))), "momentum");
    // A schedule says what it lacks.
    let (from, to) = (0.1, 0.0);
    for (schedule, part) in [
        (
            Schedule::Linear { from, to, steps: 0 },
            "expected at least one step, got 0.1 to 0.0 in a straight line over 0 steps",
        ),
        (
            Schedule::Cosine { from, to, steps: 0 },
            "expected at least one step, got 0.1 to 0.0 in half a cosine wave over 0 steps",
        ),
        (
            Schedule::Linear { from, to: f64::NAN, steps: 1 },
            "expected finite rates, got 0.1 to NaN in a straight line over 1 steps",
        ),
        (Schedule::Cosine { from: -1e-9, to, steps: 1 }, "expected finite numbers of at least 0"),
        (
            Schedule::InverseTime { from, time: 0.0 },
            "expected a finite time above 0, got 0.1 / (1 + t / 0.0) at step t",
        ),
        (Schedule::InverseTime { from, time: f64::INFINITY }, "expected a finite time above 0"),
        (Schedule::Saturating { from, to, time: -1.0 }, "expected a finite time above 0"),
        (Schedule::Saturating { from, to, time: f64::NAN }, "expected a finite time above 0"),
        (Schedule::constant(f64::INFINITY), "expected finite rates"),
    ] {
        for (sgd, name) in
            [(Sgd::new(schedule.clone()), "learning rate"), (sgd().momentum(schedule), "momentum")]
        {
            let message = build(sgd).unwrap_err().to_string();
            let negative =
                name == "momentum" && message.contains("numbers of at least 0 and below 1");
            assert!(message.starts_with(name) && (message.contains(part) || negative), "{message}");
        }
    }
    // In range for the paper's weights, out of it for the engine's at this keep rate.
    let rare = |optimiser: Optimiser| {
        let mlp = Mlp::builder(1).input_noise(Keep::from_k(1).unwrap());
        let mlp = mlp.output(1, Loss::SquaredError).build().unwrap();
        Trainer::builder(mlp, optimiser, 1)
    };
    let built = |builder: TrainerBuilder| builder.build().map(drop);
    let decayed = || sgd().weight_decay(1e30).into();
    built(rare(decayed()).max_norm(MaxNorm::Engine(1e-14))).unwrap();
    says(built(rare(sgd().into()).max_norm(MaxNorm::Paper(1e-14))), &out("max-norm", BOUND, "1.5"));
    says(built(rare(decayed()).paper_rates()), &out("weight decay", DECAY, "4.29"));
    for (optimiser, words) in [
        (Adam::default().epsilon(1e34).into(), out("epsilon", EPSILON, "6.55")),
        (Adam::default().weight_decay(1e30).into(), out("weight decay", DECAY, "4.29")),
        (AdamW::default().epsilon(1e34).into(), out("epsilon", EPSILON, "6.55")),
        (Adagrad::default().epsilon(1e34).into(), out("epsilon", EPSILON, "6.55")),
        (Adagrad::default().weight_decay(1e30).into(), out("weight decay", DECAY, "4.29")),
        (
            Adagrad::default().initial_accumulator(1e30).into(),
            out("initial accumulator", DECAY, "4.29"),
        ),
    ] {
        let optimiser: Optimiser = optimiser;
        built(rare(optimiser.clone())).unwrap();
        says(built(rare(optimiser).paper_rates()), &words);
    }
    // The same fraction is removed from the weights in both forms.
    built(rare(AdamW::default().weight_decay(1e38).into()).paper_rates()).unwrap();
    let mut broken = mlp(Loss::SquaredError);
    broken.set_weights(1, &[0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
    says(Trainer::builder(broken, sgd(), 1).build().map(drop), "layer 1 has NaN");
}

#[test]
fn settings_of_any_optimiser_out_of_range_are_refused() {
    let build = |optimiser: Optimiser| {
        let mlp = mlp(Loss::SoftmaxCrossEntropy);
        Trainer::builder(mlp, optimiser, 2).build().map(drop)
    };
    let adam = Adam::default;
    says(build(adam().betas(1.0, 0.999).into()), &out("beta1", BETA, "1.0"));
    says(build(adam().betas(-0.1, 0.999).into()), &out("beta1", BETA, "-0.1"));
    says(build(adam().betas(0.9, f64::NAN).into()), &out("beta2", BETA, "NaN"));
    // 1 in single precision.
    says(build(adam().betas(0.9, 1.0 - 1e-9).into()), &out("beta2", BETA, "0.999999999"));
    says(build(adam().epsilon(0.0).into()), &out("epsilon", EPSILON, "0.0"));
    says(build(adam().epsilon(1e-40).into()), &out("epsilon", EPSILON, "1e-40"));
    says(build(adam().weight_decay(-1.0).into()), &out("weight decay", DECAY, "-1.0"));
    says(
        build(Adam::new(Schedule::constant(-1.0)).into()),
        "learning rate: expected numbers from 0 to 3.4e38 * (1 - beta1), got -1.0",
    );
    // A first step would be larger than any f32.
    says(
        build(Adam::new(Schedule::constant(1e38)).into()),
        "learning rate: expected numbers from 0 to 3.4e38 * (1 - beta1), got 1e38",
    );
    build(Adam::new(Schedule::constant(1e37)).into()).unwrap();
    let adamw = AdamW::default;
    says(build(adamw().betas(0.9, 1.5).into()), &out("beta2", BETA, "1.5"));
    says(build(adamw().epsilon(f64::INFINITY).into()), &out("epsilon", EPSILON, "inf"));
    says(build(adamw().weight_decay(f64::NAN).into()), &out("weight decay", DECAY, "NaN"));
    let fast = AdamW::new(Schedule::Linear { from: 0.0, to: 1e10, steps: 2 });
    says(build(fast.weight_decay(1e30).into()), "expected at most 3.4e38 when multiplied");
    let adagrad = Adagrad::default;
    says(build(adagrad().epsilon(-1e-10).into()), &out("epsilon", EPSILON, "-1e-10"));
    says(
        build(adagrad().initial_accumulator(-0.5).into()),
        &out("initial accumulator", DECAY, "-0.5"),
    );
    says(build(adagrad().weight_decay(1e39).into()), &out("weight decay", DECAY, "1e39"));
    says(
        build(Adagrad::new(Schedule::constant(1e39)).into()),
        "learning rate: expected finite numbers of at least 0, got 1e39",
    );
    for optimiser in Optimiser::ALL {
        build(optimiser.clone()).unwrap();
    }
}

#[test]
fn impossible_networks_are_refused() {
    let relu = Activation::Relu;
    says(Mlp::builder(3).build().map(drop), "output layer");
    says(
        Mlp::builder(0).output(1, Loss::SquaredError).build().map(drop),
        "inputs: expected at least one unit, got 0",
    );
    says(
        Mlp::builder(1).output(0, Loss::SquaredError).build().map(drop),
        "layer width: expected at least one unit, got 0",
    );
    let empty = Mlp::builder(1).hidden(0, relu, Keep::HALF).output(1, Loss::SquaredError);
    says(empty.build().map(drop), "layer width: expected at least one unit, got 0");
    // Layers after the output layer.
    let output = || Mlp::builder(3).output(2, Loss::SquaredError);
    let late = "expected the hidden layers first, then one output layer";
    for (builder, call) in [
        (output().output(5, Loss::SquaredError), "`output` of 5 units"),
        (output().hidden(4, relu, Keep::HALF), "`hidden` of 4 units"),
        (output().hidden(4, relu, Keep::HALF).output(1, Loss::SquaredError), "`hidden` of 4 units"),
    ] {
        // Nor can a file of settings be made of it.
        let message = serde_json::to_string(&builder).unwrap_err().to_string();
        assert!(message.contains(late), "{message}");
        says(builder.clone().build().map(drop), late);
        let called = format!("{call} is called after `output`: {late}");
        says(builder.build().map(drop), &called);
    }
    let anywhere = output().input_noise(Keep::ONE).input_noise(Keep::HALF).sparse_input().seed(1);
    assert_eq!(anywhere.build().unwrap().keeps(), [Keep::HALF], "the last call counts");
    let one_class = Mlp::builder(3).output(1, Loss::SoftmaxCrossEntropy);
    says(one_class.build().map(drop), "softmax_cross_entropy with 1 output: expected at least two");
    let huge = Mlp::builder(usize::MAX / 2).output(usize::MAX / 2, Loss::SquaredError);
    says(huge.build().map(drop), "not enough memory");
    let mut mlp = mlp(Loss::SquaredError);
    says(mlp.set_weights(0, &[0.0; 11]), "expected 12, got 11");
    says(mlp.set_weights(2, &[0.0; 11]), "layer: expected an index below 2, got 2");
    says(mlp.set_bias(1, &[0.0; 3]), "expected 2, got 3");
    says(mlp.weights(2).map(drop), "layer: expected an index below 2, got 2");
    let masks = vec![Mask::ones(1, 3).unwrap(), Mask::ones(1, 5).unwrap()];
    says(ThinnedNetwork::from_masks(&mlp, masks).map(drop), "expected 4, got 5");
}

#[test]
fn predictions_refuse_what_does_not_fit() {
    let predictor = Predictor::new(mlp(Loss::SoftmaxCrossEntropy));
    let predictor = predictor.with_isa(backend::isa()).unwrap();
    let mut workspace = predictor.workspace(1).unwrap();
    let mut predict = |x: &[f32], columns: usize| {
        let batch = Batch::dense(MatrixView::new(x, x.len() / columns, columns).unwrap());
        predictor.predict(&batch, &mut workspace).map(drop)
    };
    says(predict(&[0.0; 6], 3), "rows of a batch: expected at most 1, got 2");
    says(predict(&[0.0; 4], 4), "expected 3, got 4");
    says(predict(&[0.0, f32::NAN, 0.0], 3), "row 0, column 1 is NaN");
    // No rows are no error: there is nothing to predict.
    predict(&[], 3).unwrap();
    let other = Mlp::builder(3).output(5, Loss::SoftmaxCrossEntropy).build().unwrap();
    let x = [0.0; 3];
    let batch = Batch::dense(MatrixView::new(&x, 1, 3).unwrap());
    let wider = Mlp::builder(3).hidden(5, Activation::Relu, Keep::HALF);
    let wider = wider.output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
    let deeper = Mlp::builder(3).hidden(4, Activation::Relu, Keep::HALF);
    let deeper = deeper.hidden(4, Activation::Relu, Keep::HALF);
    let deeper = deeper.output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
    for other in [other, wider, deeper] {
        let mut foreign = Predictor::new(other).workspace(1).unwrap();
        says(predictor.predict(&batch, &mut foreign).map(drop), "workspace was made for");
    }
    let data = Dataset::new(Matrix::from_rows(&[0.0; 3], 1, 3).unwrap(), vec![7]).unwrap();
    says(evaluate(&predictor, &data, &mut workspace).map(drop), "class 7");
    let none = Dataset::new(Matrix::zeroed(0, 3).unwrap(), Vec::new()).unwrap();
    says(
        evaluate(&predictor, &none, &mut workspace).map(drop),
        "rows of the data: expected at least one, got 0",
    );
    let values = Predictor::new(mlp(Loss::SquaredError));
    says(
        evaluate(&values, &data, &mut workspace).map(drop),
        "targets of kind `Classes`: the network's loss takes `Values`",
    );
    says(
        Batch::gather(data.inputs(), &[0, 1]).map(drop),
        "row of a batch: expected an index below 1, got 1",
    );
}

#[test]
fn an_unsupported_instruction_set_is_refused() {
    for &isa in Isa::ALL {
        if isa.is_available() {
            eprintln!("skipped: this CPU has {isa}");
            continue;
        }
        says(Dropout::new(Keep::HALF).with_isa(isa).map(drop), isa.name());
        let streams = Streams::new(0, Domain::Training, 0, 0);
        says(MaskSpec::new(Keep::HALF, streams).with_isa(isa).map(drop), isa.name());
        let sgd = Sgd::new(Schedule::constant(0.1));
        let trainer = Trainer::builder(mlp(Loss::SquaredError), sgd, 1);
        says(trainer.with_isa(isa).map(drop), isa.name());
        let predictor = Predictor::new(mlp(Loss::SquaredError));
        says(predictor.with_isa(isa).map(drop), isa.name());
    }
    says("mmx".parse::<Isa>().map(drop), "mmx");
    says("swish".parse::<Activation>().map(drop), "swish");
}

#[test]
fn missing_or_mismatched_data_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Dataset::from_idx_folder(folder.path(), Split::Train).map(drop);
    says(missing, "train-images-idx3-ubyte");
    says(Dataset::from_idx_files(Path::new("no-such"), Path::new("file")).map(drop), "no-such");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", &[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 7, 255]);
    write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 2, 1, 2]);
    let counts = Dataset::from_idx_folder(folder.path(), Split::Train).map(drop);
    says(counts, "2 labels: expected 1");
    write("train-labels-idx1-ubyte", &[0, 0, 8, 1, 0, 0, 0, 1, 9]);
    let data = Dataset::from_idx_folder(folder.path(), Split::Train).unwrap();
    assert_eq!((data.rows(), data.classes(), data.labels().unwrap()), (1, 10, &[9][..]));
    assert_eq!(data.dense_inputs().unwrap().row(0).unwrap(), [7.0 / 255.0, 1.0]);
    says(data.split_at(2).map(drop), "row to split at: expected at most 1, got 2");
}

#[test]
fn non_finite_inputs_pass_if_they_are_allowed() {
    let predictor = Predictor::new(mlp(Loss::SquaredError)).allow_non_finite_inputs();
    let predictor = predictor.with_isa(backend::isa()).unwrap();
    let mut workspace = predictor.workspace(1).unwrap();
    let x = [f32::NAN, 0.0, 0.0];
    let batch = Batch::dense(MatrixView::new(&x, 1, 3).unwrap());
    let y = predictor.predict(&batch, &mut workspace).unwrap();
    assert!(y.row(0).unwrap().iter().all(|y| y.is_nan()), "a kept NaN stays NaN");
}
