//! Training that goes on from another run with other settings.

use thinnet::{
    Keep, Sigma,
    checkpoint::Contents,
    data::Batch,
    nn::{Activation, IntegerMlp, Loss, Mlp, MlpBuilder},
    tensor::MatrixView,
    train::{
        Adagrad, Adam, AdamW, Averaging, MaxNorm, Optimiser, Schedule, Sgd, Trainer, TrainerBuilder,
    },
};

use crate::{
    backend,
    formats::with_header,
    resume::{settings, step, with},
};

/// The network of [`with`], with other noise.
fn network(noise: impl Fn(MlpBuilder) -> MlpBuilder) -> Mlp {
    noise(Mlp::builder(20)).output(3, Loss::SoftmaxCrossEntropy).seed(2).build().unwrap()
}

fn without_dropout() -> Mlp {
    network(|mlp| {
        let mlp = mlp.hidden(70, Activation::Relu, Keep::ONE);
        mlp.hidden(30, Activation::Logistic, Keep::ONE)
    })
}

fn builder(mlp: Mlp, optimiser: impl Into<Optimiser>) -> TrainerBuilder {
    Trainer::builder(mlp, optimiser, 8).with_isa(backend::isa()).unwrap()
}

fn bytes(trainer: &Trainer) -> Vec<u8> {
    trainer.to_bytes(&settings(), "epoch 1").unwrap()
}

fn digest(trainer: &Trainer) -> String {
    trainer.network().unwrap().digest()
}

fn trained(builder: TrainerBuilder, steps: usize) -> Trainer {
    let mut trainer = builder.build().unwrap();
    for _ in 0..steps {
        step(&mut trainer);
    }
    trainer
}

fn sgd(rate: f64) -> Sgd {
    Sgd::new(Schedule::constant(rate)).momentum(Schedule::constant(0.9))
}

#[test]
fn with_the_same_settings_it_is_the_run_resumed() {
    for optimiser in Optimiser::ALL {
        let builders: [&dyn Fn() -> TrainerBuilder; 3] =
            [&|| with(optimiser.clone()), &|| with(optimiser.clone()).paper_rates(), &|| {
                builder(without_dropout(), optimiser.clone()).seed(3)
            }];
        for builder in builders {
            for steps in [0, 1, 7] {
                let mut unbroken = trained(builder(), steps);
                if steps == 7 {
                    unbroken.scale_learning_rate(0.3).unwrap();
                }
                let saved = bytes(&unbroken);
                let (mut resumed, notes) = builder().continue_from_bytes(&saved).unwrap();
                assert_eq!((resumed.steps(), &*notes), (steps as u64, "epoch 1"));
                assert_eq!(bytes(&resumed), saved);
                assert_eq!(step(&mut resumed), step(&mut unbroken));
                assert_eq!(bytes(&resumed), bytes(&unbroken));
            }
        }
    }
}

#[test]
fn it_goes_on_with_other_rates() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let mut unbroken = trained(with(sgd(0.1)), 5);
    unbroken.save(&path, &settings(), "").unwrap();
    let falling = Schedule::Linear { from: 0.0625, to: 0.0, steps: 4 };
    let later = Sgd::new(falling.clone().starting_at(5)).momentum(Schedule::constant(0.9));
    let (mut tuned, _) = with(later).continue_from(&path).unwrap();
    for t in 0..4 {
        unbroken.set_learning_rate(falling.at(t)).unwrap();
        assert_eq!(tuned.learning_rate(), falling.at(t));
        assert_eq!(step(&mut tuned), step(&mut unbroken));
        assert_eq!(digest(&tuned), digest(&unbroken));
    }
    // A checkpoint of it resumes like any other.
    let saved = bytes(&tuned);
    let later = Sgd::new(falling.starting_at(5)).momentum(Schedule::constant(0.9));
    let (resumed, _) = with(later).resume_from_bytes(&saved, &settings()).unwrap();
    assert_eq!(bytes(&resumed), saved);
}

#[test]
fn a_rate_that_was_set_stays_only_with_the_same_schedule() {
    let mut trainer = trained(with(sgd(0.1)), 2);
    trainer.set_learning_rate(0.025).unwrap();
    let saved = bytes(&trainer);
    let rate =
        |optimiser: Sgd| with(optimiser).continue_from_bytes(&saved).unwrap().0.learning_rate();
    assert_eq!(rate(sgd(0.1)), 0.025);
    assert_eq!(rate(sgd(0.1).momentum(Schedule::constant(0.5))), 0.025);
    assert_eq!(rate(sgd(0.2)), 0.2);
}

/// The weights are those that max-norm left, and nothing is pending any more.
/// An average goes on with the same setting. Another one can start, but not have started.
#[test]
fn an_average_goes_on_or_starts_later() {
    let averaging = |average| with(sgd(0.1)).average(average);
    let same = Averaging::exponential(0.9);
    let mut unbroken = trained(averaging(same), 7);
    let saved = bytes(&unbroken);
    let (plain, _) = with(sgd(0.1)).continue_from_bytes(&saved).unwrap();
    assert_eq!((plain.steps(), digest(&plain)), (7, digest(&unbroken)));
    let (mut later, _) = averaging(Averaging::tail(7)).continue_from_bytes(&saved).unwrap();
    step(&mut later);
    assert_eq!(later.averaged_network().unwrap().digest(), digest(&later));
    for other in [Averaging::exponential(0.8), Averaging::tail(6)] {
        let error = averaging(other).continue_from_bytes(&saved).map(drop).unwrap_err().to_string();
        assert!(error.contains("no such average of the first 7 updates"), "{error}");
    }
    let (mut resumed, _) = averaging(same).continue_from_bytes(&saved).unwrap();
    assert_eq!(step(&mut resumed), step(&mut unbroken));
    assert_eq!(bytes(&resumed), bytes(&unbroken));
}

/// Before the first update, the optimiser's state is what the settings say, not something learned.
#[test]
fn at_step_0_the_state_is_that_of_the_new_settings() {
    let adagrad = |first| Adagrad::new(Schedule::constant(0.1)).initial_accumulator(first);
    let saved = bytes(&trained(with(adagrad(0.25)), 0));
    let others: [&dyn Fn() -> TrainerBuilder; 3] = [
        &|| with(adagrad(4.0)),
        &|| with(adagrad(0.0)),
        // For the paper's weights, the accumulator of weights is another one.
        &|| with(adagrad(0.25)).paper_rates(),
    ];
    for other in others {
        let (mut tuned, _) = other().continue_from_bytes(&saved).unwrap();
        let mut fresh = other().build().unwrap();
        assert!(bytes(&tuned) == bytes(&fresh));
        assert_eq!(step(&mut tuned), step(&mut fresh));
        assert!(bytes(&tuned) == bytes(&fresh));
    }
    // Later, it is the state of the run.
    let one = trained(with(adagrad(0.25)), 1);
    let (tuned, _) = with(adagrad(4.0)).continue_from_bytes(&bytes(&one)).unwrap();
    let (same, _) = with(adagrad(0.25)).continue_from_bytes(&bytes(&one)).unwrap();
    let [tuned, same] = [tuned, same].map(|mut trainer| {
        step(&mut trainer);
        digest(&trainer)
    });
    assert_eq!(tuned, same);
}

#[test]
fn it_goes_on_without_max_norm() {
    let before = trained(with(sgd(0.5)).max_norm(MaxNorm::Engine(0.5)), 5);
    let mlp = before.network().unwrap();
    let free = || Trainer::builder(mlp.clone(), sgd(0.1), 8).with_isa(backend::isa()).unwrap();
    let (mut tuned, _) = free().continue_from_bytes(&bytes(&before)).unwrap();
    assert_eq!(digest(&tuned), before.network().unwrap().digest());
    let norm = |trainer: &Trainer| {
        let weights = trainer.network().unwrap().weights(0).unwrap();
        let norm = |w: &[f32]| w.iter().map(|w| w * w).sum::<f32>().sqrt();
        weights.chunks(20).map(norm).fold(0.0, f32::max)
    };
    assert!((norm(&tuned) - 0.5).abs() < 1e-3, "{}", norm(&tuned));
    // It could be saved, and read by a run without max-norm.
    let saved = bytes(&tuned);
    let (resumed, _) = free().resume_from_bytes(&saved, &settings()).unwrap();
    assert_eq!(bytes(&resumed), saved);
    for _ in 0..40 {
        step(&mut tuned);
    }
    assert!(norm(&tuned) > 0.6, "{}", norm(&tuned));
    // With another bound, that one holds after the next step.
    let tighter = with(sgd(0.1)).max_norm(MaxNorm::Engine(0.25));
    let (mut tuned, _) = tighter.continue_from_bytes(&bytes(&before)).unwrap();
    step(&mut tuned);
    assert!(norm(&tuned) < 0.2501, "{}", norm(&tuned));
}

#[test]
fn parameters_alone_start_a_new_run() {
    let folder = tempfile::tempdir().unwrap();
    let (checkpoint, model) = (folder.path().join("checkpoint"), folder.path().join("model"));
    let before = trained(with(sgd(0.5)), 5);
    before.save(&checkpoint, &settings(), "").unwrap();
    let network = before.network().unwrap();
    network.save(&model).unwrap();
    let fresh = Trainer::builder(network.clone(), Adam::default(), 8).with_isa(backend::isa());
    let fresh = fresh.unwrap().build().unwrap();
    for path in [checkpoint, model] {
        let mlp = network.clone();
        let mut other = without_dropout();
        other.set_weights(0, &[0.25; 1400]).unwrap();
        // With the noise of the builder's network, not of the file's.
        let dense = builder(other, Adam::default()).parameters_from(&path).unwrap();
        let dense = dense.build().unwrap().into_network();
        assert_eq!(dense.noises(), without_dropout().noises());
        for layer in 0..3 {
            assert_eq!(dense.weights(layer).unwrap(), mlp.weights(layer).unwrap());
            assert_eq!(dense.bias(layer).unwrap(), mlp.bias(layer).unwrap());
        }
        let mut blank = mlp;
        blank.set_weights(0, &[0.0; 1400]).unwrap();
        let started = builder(blank, Adam::default()).parameters_from(&path).unwrap();
        let started = started.build().unwrap();
        assert_eq!((started.steps(), bytes(&started)), (0, bytes(&fresh)));
    }
}

#[test]
fn the_noise_may_be_another() {
    let saved = bytes(&trained(with(sgd(0.1)), 3));
    let gaussian = network(|mlp| {
        let sigma = Sigma::new(0.5).unwrap();
        let mlp = mlp.input_noise(sigma).hidden(70, Activation::Relu, Keep::HALF);
        mlp.hidden(30, Activation::Logistic, sigma)
    });
    for mlp in [gaussian, without_dropout()] {
        let noises = mlp.noises();
        let (mut tuned, _) = builder(mlp, sgd(0.1)).continue_from_bytes(&saved).unwrap();
        step(&mut tuned);
        let contents = Contents::from_bytes(&bytes(&tuned)).unwrap();
        assert_eq!(contents.network.noises(), noises);
        assert_eq!(contents.training.unwrap().step, 4);
    }
}

/// Masks go on from the step; another seed draws others.
#[test]
fn the_seed_is_the_builders() {
    let mut before = trained(with(sgd(0.1)), 3);
    let saved = bytes(&before);
    let next = |seed: u64| {
        let (mut tuned, _) = with(sgd(0.1)).seed(seed).continue_from_bytes(&saved).unwrap();
        (tuned.seed(), step(&mut tuned))
    };
    let (same, other) = (next(before.seed()), next(99));
    assert_eq!(same, (before.seed(), step(&mut before)));
    assert_eq!(other.0, 99);
    assert_ne!(other.1, same.1);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let saved = bytes(&trained(with(Adam::default()), 2));
    let refuses = |result: Result<(), thinnet::Error>, words: &[&str]| {
        let message = result.unwrap_err().in_file("a-file").to_string();
        assert!(message.starts_with("a-file: "), "{message}");
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    };
    // AdamW has state of the same names.
    for other in [Optimiser::from(sgd(0.1)), AdamW::default().into()] {
        let words = format!("the state of the optimiser `adam`: expected that of `{other}`");
        refuses(with(other).continue_from_bytes(&saved).map(drop), &[&words]);
    }
    let wider = network(|mlp| {
        let mlp = mlp.hidden(71, Activation::Relu, Keep::ONE);
        mlp.hidden(30, Activation::Logistic, Keep::ONE)
    });
    let tanh = network(|mlp| {
        let mlp = mlp.hidden(70, Activation::Relu, Keep::ONE);
        mlp.hidden(30, Activation::Tanh, Keep::ONE)
    });
    for (mlp, name) in [(wider, "-71 relu"), (tanh, "-30 tanh")] {
        let words = ["the network 20", "-70 relu", "-30 logistic", "expected", name];
        let continued = builder(mlp.clone(), Adam::default()).continue_from_bytes(&saved);
        refuses(continued.map(drop), &words);
        let started = builder(mlp, Adam::default()).parameters_from_bytes(&saved);
        refuses(started.map(drop), &words);
    }
    let mlp = without_dropout();
    let model = mlp.to_bytes().unwrap();
    let continued = builder(mlp.clone(), Adam::default()).continue_from_bytes(&model);
    refuses(continued.map(drop), &["a model, which cannot be resumed"]);
    let rows = MatrixView::new(&[0.5; 40], 2, 20).unwrap();
    let integer = IntegerMlp::new(&mlp, &Batch::dense(rows)).unwrap().to_bytes().unwrap();
    let started = builder(mlp.clone(), Adam::default()).parameters_from_bytes(&integer);
    refuses(started.map(drop), &["8-bit weights"]);
    // One that is damaged is not called another network.
    let mut damaged = saved.clone();
    *damaged.last_mut().unwrap() ^= 1;
    refuses(with(Adam::default()).continue_from_bytes(&damaged).map(drop), &["damaged"]);
    refuses(with(sgd(0.1)).continue_from_bytes(&damaged).map(drop), &["damaged"]);
    refuses(with(sgd(0.1)).parameters_from_bytes(&damaged).map(drop), &["damaged"]);
    // The rate in force does not fit the same schedule.
    let mut trainer = trained(with(Adam::default()), 2);
    trainer.scale_learning_rate(0.5).unwrap();
    let changed = with_header(&bytes(&trainer), r#"\"factor\":0.5"#, r#"\"factor\":1e60"#);
    refuses(with(Adam::default()).continue_from_bytes(&changed).map(drop), &["learning rate"]);
}
