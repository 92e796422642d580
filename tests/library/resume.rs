//! A resumed run equals an uninterrupted one.

use thinnet::{
    Isa, Keep, Noise, Sigma,
    data::Batch,
    mask::{Domain, Streams},
    nn::{Activation, Loss, Mlp, Targets},
    tensor::MatrixView,
    train::{
        Adagrad, Adam, Averaging, MaxNorm, Optimiser, Provenance, Schedule, Sgd, Trainer,
        TrainerBuilder,
    },
};

use crate::{backend, rounding::fuses};

fn mlp(width: usize) -> Mlp {
    Mlp::builder(20)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(width, Activation::Relu, Keep::HALF)
        .hidden(30, Activation::Logistic, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .seed(1)
        .build()
        .unwrap()
}

fn sgd(learning_rate: f64) -> Sgd {
    Sgd::new(Schedule::Linear { from: learning_rate, to: 0.0, steps: 40 })
        .momentum(Schedule::paper_momentum())
        .nesterov()
        .weight_decay(1e-4)
}

pub fn with(optimiser: impl Into<Optimiser>) -> TrainerBuilder {
    let optimiser = optimiser.into();
    // It leaves out weights, so it does not support max-norm.
    let is_sparse = optimiser.name() == "sparse_adam";
    let builder = Trainer::builder(mlp(70), optimiser, 8).seed(5);
    let builder = if is_sparse { builder } else { builder.max_norm(MaxNorm::Paper(1.0)) };
    builder.with_isa(backend::isa()).unwrap()
}

fn builder() -> TrainerBuilder {
    with(sgd(0.3))
}

pub fn settings() -> Provenance {
    [("data".to_owned(), "abc".to_owned()), ("batch".to_owned(), "8".to_owned())].into()
}

/// Step `t` of the run, on data that depends on t alone.
pub fn step(trainer: &mut Trainer) -> f32 {
    let streams = Streams::new(9, Domain::Other, 0, trainer.steps());
    let x: Vec<f32> = (0..160).map(|i| streams.hash(i) as f32 / u64::MAX as f32).collect();
    let classes: Vec<u32> = (0..8).map(|i| (streams.hash(1000 + i) % 3) as u32).collect();
    let batch = Batch::dense(MatrixView::new(&x, 8, 20).unwrap());
    trainer.step(&batch, Targets::Classes(&classes)).unwrap()
}

fn checkpoint() -> Vec<u8> {
    let mut trainer = builder().build().unwrap();
    for _ in 0..5 {
        step(&mut trainer);
    }
    trainer.to_bytes(&settings(), "epoch 1").unwrap()
}

#[test]
fn a_run_resumed_at_any_step_ends_like_an_uninterrupted_one() {
    resumed_anywhere(&builder);
}

#[test]
fn with_any_optimiser_too() {
    for optimiser in Optimiser::ALL {
        resumed_anywhere(&|| with(optimiser.clone()));
        resumed_anywhere(&|| with(optimiser.clone()).paper_rates());
    }
    resumed_anywhere(&|| with(Adagrad::default().initial_accumulator(0.1)).paper_rates());
}

#[test]
fn with_every_option_too() {
    let gaussian = || Noise::from(Sigma::new(0.5).unwrap());
    let noisy = || {
        Mlp::builder(20)
            .input_noise(gaussian())
            .hidden(70, Activation::Relu, gaussian())
            .hidden(30, Activation::Logistic, gaussian())
            .output(3, Loss::SoftmaxCrossEntropy)
            .seed(1)
            .build()
            .unwrap()
    };
    let warm = Averaging::Exponential { decay: 0.9, warm_up: true, every: 1 };
    let seldom = Averaging::Exponential { decay: 0.5, warm_up: false, every: 3 };
    for average in [warm, seldom, Averaging::tail(10), Averaging::Tail { from: 4, every: 5 }] {
        resumed_anywhere(&|| {
            let builder = Trainer::builder(noisy(), Adam::default(), 8).seed(5);
            let builder = builder.max_norm(MaxNorm::Engine(0.9)).clip_value(0.001).average(average);
            builder.with_isa(backend::isa()).unwrap()
        });
    }
    for optimiser in Optimiser::ALL.iter().filter(|one| one.name() != "sparse_adam") {
        let with = || with(optimiser.clone());
        resumed_anywhere(&|| with().clip_value(0.01).average(warm));
        resumed_anywhere(&|| with().clip_norm(0.3).l1(0.001).average(warm));
    }
}

/// The average is in the file if the settings say so, and only then. Before it has moved, it is 0.
#[test]
fn averages_that_saving_could_not_have_written_are_refused() {
    let from = |from: u64| builder().average(Averaging::tail(from));
    let saved = |from_step: u64| {
        let mut trainer = from(from_step).build().unwrap();
        for _ in 0..5 {
            step(&mut trainer);
        }
        trainer.to_bytes(&settings(), "").unwrap()
    };
    // After five steps, the average of those after the first three has the fourth in it.
    let (moved, not_yet) = (saved(3), saved(4));
    let resume = |bytes: &[u8], builder: TrainerBuilder| {
        builder.resume_from_bytes(bytes, &settings()).map(drop).map_err(|error| error.to_string())
    };
    resume(&moved, from(3)).unwrap();
    resume(&not_yet, from(4)).unwrap();
    for (what, other, words) in [
        (
            r#",\"average\",\"average_rest\"]"#,
            "]",
            r#"states ["velocity"] of the optimiser: expected ["velocity", "average", "average_rest"]"#,
        ),
        (r#",\"average_rest\"]"#, "]", r#"expected ["velocity", "average", "average_rest"]"#),
        (r#"\"tail averaging\""#, r#"\"averages\""#, r#"expected ["velocity"]"#),
        (r#"\"tail averaging\""#, r#"\"averaging\""#, r#"expected ["velocity", "average"]"#),
        ("average.layers.1.bias", "averaged.layers.1.bias", "average.layers.1.bias"),
        (
            "average_rest.layers.0.weight",
            "averaged.layers.0.weight",
            "average_rest.layers.0.weight",
        ),
        // A file that claims an earlier step.
        (r#"\"from\\\":3"#, r#"\"from\\\":4"#, "average.layers"),
    ] {
        let error =
            resume(&altered(&moved, what, other), from(if what.contains("from") { 4 } else { 3 }));
        let error = error.unwrap_err();
        assert!(error.contains(words), "{what}: {error}");
    }
}

fn resumed_anywhere(builder: &dyn Fn() -> TrainerBuilder) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let mut unbroken = builder().build().unwrap();
    let mut losses = Vec::new();
    for t in 0..40 {
        unbroken.save(&path, &settings(), &format!("at {t}")).unwrap();
        let (mut resumed, notes) = builder().resume(&path, &settings()).unwrap();
        let [average, same] = [&unbroken, &resumed].map(|trainer| {
            trainer.averaged_network().map_or_else(|error| error.to_string(), |mlp| mlp.digest())
        });
        assert_eq!(average, same);
        assert_eq!((resumed.steps(), notes), (t, format!("at {t}")));
        assert_eq!(resumed.network().unwrap().digest(), unbroken.network().unwrap().digest());
        losses.push(step(&mut unbroken));
        assert_eq!(step(&mut resumed), losses[t as usize]);
        assert_eq!(resumed.network().unwrap().digest(), unbroken.network().unwrap().digest());
        // Saved again, the same training gives the same bytes.
        let bytes = resumed.to_bytes(&settings(), "").unwrap();
        assert_eq!(bytes, unbroken.to_bytes(&settings(), "").unwrap());
    }
    assert!(losses[39] != losses[38]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
}

fn refused(builder: TrainerBuilder, settings: &Provenance, words: [&str; 2]) {
    let error = builder.resume_from_bytes(&checkpoint(), settings);
    let message = error.map(drop).unwrap_err().in_file("a-file").to_string();
    assert!(message.starts_with("a-file: "), "{message}");
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn another_network_is_refused() {
    refused(
        Trainer::builder(mlp(71), sgd(0.3), 8).seed(5).with_isa(backend::isa()).unwrap(),
        &settings(),
        ["-70 relu (keep 0.", "-71 relu (keep 0."],
    );
}

#[test]
fn other_settings_of_the_trainer_are_refused() {
    refused(
        with(sgd(0.2)),
        &settings(),
        ["`learning rate` was 0.3", "is 0.2 to 0.0 in a straight line"],
    );
    refused(with(sgd(0.3).weight_decay(0.0)), &settings(), ["weight decay", "0.0001"]);
    refused(
        builder().max_norm(MaxNorm::Engine(1.0)),
        &settings(),
        ["`max-norm` was 1.0 times", "is 1.0 now"],
    );
    refused(builder().paper_rates(), &settings(), ["paper's rates", "true"]);
    refused(
        builder().average(Averaging::exponential(0.9)),
        &settings(),
        ["`averaging` was not set", "is exponential with decay 0.9 now"],
    );
    refused(builder().clip_norm(0.5), &settings(), ["`clip by norm` was not set", "is 0.5 now"]);
    refused(builder().l1(0.5), &settings(), ["`l1 penalty` was not set", "is 0.5 now"]);
    refused(builder().clip_value(0.5), &settings(), ["`clip by value` was not set", "is 0.5 now"]);
    refused(with(Adam::default()), &settings(), ["`optimiser` was sgd", "is adam now"]);
    refused(builder().seed(6), &settings(), ["mask seed", "6"]);
}

#[test]
fn other_settings_of_the_caller_are_refused() {
    let mut other = settings();
    other.insert("data".to_owned(), "xyz".to_owned());
    refused(builder(), &other, ["`data` was abc", "xyz"]);
    other.remove("data");
    refused(builder(), &other, ["`data` was abc", "not set"]);
    let mut more = settings();
    more.insert("shuffle".to_owned(), "yes".to_owned());
    refused(builder(), &more, ["`shuffle` was not set", "yes"]);
    let mut clash = settings();
    clash.insert("mask seed".to_owned(), "5".to_owned());
    let error = builder().build().unwrap().to_bytes(&clash, "").unwrap_err().to_string();
    assert!(error.contains("mask seed"), "{error}");
}

#[test]
fn a_setting_with_the_value_none_is_still_a_setting() {
    let mut more = settings();
    more.insert("day".to_owned(), "none".to_owned());
    refused(builder(), &more, ["`day` was not set", "none"]);
    // As it stands: only the trainer's own are described.
    more.insert("day".to_owned(), r#"{"kind":"constant","value":1}"#.to_owned());
    refused(builder(), &more, ["`day` was not set", r#"is {"kind":"#]);
}

#[test]
fn a_step_beyond_the_maximum_is_refused() {
    let broken = altered(&checkpoint(), r#"\"step\":5"#, r#"\"step\":18446744073709551615"#);
    let error = builder().resume_from_bytes(&broken, &settings());
    assert!(error.map(drop).unwrap_err().to_string().contains("step 18446744073709551615"));
}

/// The file with another text in its header.
pub fn altered(bytes: &[u8], text: &str, other: &str) -> Vec<u8> {
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + n]).unwrap();
    assert!(header.contains(text), "{header}");
    let header = header.replace(text, other);
    let mut broken = (header.len() as u64).to_le_bytes().to_vec();
    broken.extend(header.as_bytes());
    broken.extend(&bytes[8 + n..]);
    broken
}

#[test]
fn the_backend_may_change_if_the_bits_do_not() {
    let resume =
        |isa: Isa| builder().with_isa(isa).unwrap().resume_from_bytes(&checkpoint(), &settings());
    for isa in Isa::available() {
        let same = fuses(isa) == fuses(backend::isa());
        assert_eq!(resume(isa).is_ok(), same, "{isa}");
    }
}

#[test]
fn models_and_checkpoints_are_told_apart() {
    let model = mlp(70).to_bytes().unwrap();
    let error = builder().resume_from_bytes(&model, &settings());
    assert!(error.map(drop).unwrap_err().to_string().contains("expected a checkpoint"));
    let error = Mlp::from_bytes(&checkpoint()).unwrap_err();
    assert!(error.to_string().contains("expected a model"));
}

#[test]
fn truncated_and_altered_checkpoints_are_refused() {
    let bytes = checkpoint();
    let resume = |bytes: &[u8]| builder().resume_from_bytes(bytes, &settings()).map(drop);
    for end in (0..bytes.len()).step_by(97) {
        assert!(resume(&bytes[..end]).is_err(), "{end}");
    }
    resume(&bytes).unwrap();
    // The last tensor's last element, a velocity.
    let mut broken = bytes.clone();
    let end = broken.len();
    broken[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(resume(&broken).unwrap_err().to_string().contains("velocity"));
}
