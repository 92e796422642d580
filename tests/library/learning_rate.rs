//! The learning rate, set between steps.

use thinnet::{
    checkpoint::Contents,
    train::{
        Adagrad, Adam, AdamW, LearningRate, Optimiser, Schedule, Sgd, SparseAdam, Trainer,
        TrainerBuilder,
    },
};

use crate::{
    formats::with_header,
    resume::{settings, step, with},
};

/// Every optimiser, with settings that matter beside the learning rate.
fn optimisers(rate: Schedule) -> [Optimiser; 5] {
    let momentum = Schedule::constant(0.9);
    [
        Sgd::new(rate.clone()).momentum(momentum).weight_decay(1e-3).into(),
        Adam::new(rate.clone()).weight_decay(1e-3).into(),
        AdamW::new(rate.clone()).weight_decay(0.1).into(),
        Adagrad::new(rate.clone()).initial_accumulator(0.1).into(),
        SparseAdam::new(rate).into(),
    ]
}

fn builders(rate: Schedule) -> impl Iterator<Item = TrainerBuilder> {
    optimisers(rate)
        .into_iter()
        .flat_map(|optimiser| [with(optimiser.clone()), with(optimiser).paper_rates()])
}

fn build(builder: TrainerBuilder) -> Trainer {
    builder.build().unwrap()
}

fn digest(trainer: &Trainer) -> String {
    trainer.network().unwrap().digest()
}

/// The bytes of a checkpoint: everything that training goes on from.
fn bytes(trainer: &Trainer) -> Vec<u8> {
    trainer.to_bytes(&settings(), "").unwrap()
}

/// A schedule whose rates are exactly half of those of another.
fn falling(from: f64) -> Schedule {
    Schedule::InverseTime { from, time: 4.0 }
}

#[test]
fn every_optimiser_is_tested() {
    let names = optimisers(falling(0.1)).map(|optimiser| optimiser.name());
    assert!(Optimiser::ALL.iter().all(|optimiser| names.contains(&optimiser.name())));
}

#[test]
fn a_scaled_schedule_trains_like_one_with_scaled_rates() {
    for (whole, half) in builders(falling(0.125)).zip(builders(falling(0.0625))) {
        let (mut scaled, mut half) = (build(whole), build(half));
        scaled.scale_learning_rate(0.25).unwrap();
        scaled.scale_learning_rate(2.0).unwrap();
        for _ in 0..6 {
            assert_eq!(scaled.learning_rate(), half.learning_rate());
            assert_eq!(step(&mut scaled), step(&mut half));
            assert_eq!(digest(&scaled), digest(&half));
        }
    }
}

#[test]
fn a_rate_that_is_set_trains_like_a_constant_one() {
    let constant = builders(Schedule::constant(0.03));
    for (falling, constant) in builders(falling(0.125)).zip(constant) {
        let (mut set, mut constant) = (build(falling), build(constant));
        // What the rate was before does not matter.
        set.scale_learning_rate(0.5).unwrap();
        set.set_learning_rate(0.03).unwrap();
        for _ in 0..6 {
            assert_eq!((set.learning_rate(), constant.learning_rate()), (0.03, 0.03));
            assert_eq!(step(&mut set), step(&mut constant));
            assert_eq!(digest(&set), digest(&constant));
        }
        set.scale_learning_rate(0.5).unwrap();
        assert_eq!(set.learning_rate(), 0.015);
    }
}

#[test]
fn a_factor_of_one_changes_no_bit() {
    for builder in builders(falling(0.1)) {
        let (mut scaled, mut untouched) = (build(builder.clone()), build(builder));
        for t in 0..6 {
            match t % 3 {
                0 => scaled.scale_learning_rate(1.0).unwrap(),
                1 => {
                    scaled.set_learning_rate(7.0).unwrap();
                    scaled.follow_schedule();
                }
                _ => {
                    scaled.scale_learning_rate(0.0).unwrap();
                    scaled.follow_schedule();
                }
            }
            assert_eq!(step(&mut scaled), step(&mut untouched));
            assert_eq!(bytes(&scaled), bytes(&untouched));
        }
    }
}

#[test]
fn a_rate_of_zero_holds_the_parameters() {
    for optimiser in optimisers(falling(0.1)) {
        // Without max-norm, which would project the weights again.
        let mlp = build(with(optimiser.clone())).into_network();
        let mut trainer = build(Trainer::builder(mlp, optimiser, 8));
        step(&mut trainer);
        let before = digest(&trainer);
        trainer.scale_learning_rate(0.0).unwrap();
        step(&mut trainer);
        assert_eq!(digest(&trainer), before);
        trainer.set_learning_rate(0.1).unwrap();
        step(&mut trainer);
        assert_ne!(digest(&trainer), before);
    }
}

/// What a caller may do before step `t`.
fn change(trainer: &mut Trainer, t: u64) {
    match t {
        3 => trainer.scale_learning_rate(0.3).unwrap(),
        5 => trainer.scale_learning_rate(0.7).unwrap(),
        7 => trainer.set_learning_rate(0.1 / 3.0).unwrap(),
        9 => trainer.scale_learning_rate(0.1).unwrap(),
        11 => trainer.follow_schedule(),
        _ => (),
    }
}

#[test]
fn the_rate_in_force_is_in_the_checkpoint() {
    for builder in builders(falling(0.1)) {
        let mut unbroken = build(builder.clone());
        for t in 0..13 {
            change(&mut unbroken, t);
            let saved = bytes(&unbroken);
            let (mut resumed, _) = builder.clone().resume_from_bytes(&saved, &settings()).unwrap();
            assert_eq!(resumed.learning_rate().to_bits(), unbroken.learning_rate().to_bits());
            let training = Contents::from_bytes(&saved).unwrap().training.unwrap();
            assert_eq!(training.learning_rate.is_default(), !(3..11).contains(&t), "{t}");
            assert_eq!(step(&mut resumed), step(&mut unbroken));
            assert_eq!(bytes(&resumed), bytes(&unbroken));
        }
    }
}

#[test]
fn rates_that_no_optimiser_can_use_are_refused_and_change_nothing() {
    for builder in builders(falling(0.1)) {
        let mut trainer = build(builder);
        step(&mut trainer);
        trainer.scale_learning_rate(0.5).unwrap();
        let before = bytes(&trainer);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1e-9, -1.0, 1e39] {
            let messages = [
                trainer.set_learning_rate(value).unwrap_err().to_string(),
                trainer.scale_learning_rate(value * 20.0).unwrap_err().to_string(),
            ];
            assert!(messages[0].ends_with(&format!("got {value:?}")), "{}", messages[0]);
            assert!(messages.iter().all(|text| text.contains("learning rate")), "{messages:?}");
            assert_eq!(bytes(&trainer), before);
        }
        // 0 times infinity would be NaN.
        trainer.set_learning_rate(1e30).unwrap();
        trainer.scale_learning_rate(0.0).unwrap();
        for factor in [f64::NAN, f64::INFINITY] {
            assert!(trainer.scale_learning_rate(factor).is_err());
        }
    }
    let mut adam = build(with(Adam::default()));
    let message = adam.set_learning_rate(1e38).unwrap_err().to_string();
    assert!(message.ends_with("expected numbers from 0 to 3.4e38 * (1 - beta1), got 1e38"));
    let mut adamw = build(with(AdamW::default().weight_decay(1e10)));
    adamw.set_learning_rate(1e28).unwrap();
    let message = adamw.set_learning_rate(1e29).unwrap_err().to_string();
    let words = "learning rate: expected at most 3.4e38 when multiplied by the weight decay";
    assert_eq!(message, format!("{words}, got 1e29"));
}

#[test]
fn inconsistent_rates_of_a_checkpoint_are_refused() {
    let builder = || with(optimisers(falling(0.125))[1].clone());
    let mut trainer = build(builder());
    trainer.scale_learning_rate(0.5).unwrap();
    let saved = bytes(&trainer);
    let rate = r#"{\"factor\":0.5,\"kind\":\"scaled\"}"#;
    let resume = |to: &str| {
        let changed = with_header(&saved, rate, to);
        builder().resume_from_bytes(&changed, &settings()).map(|(trainer, _)| trainer)
    };
    let resumed = resume(r#"{\"factor\":0.25,\"kind\":\"scaled\"}"#).unwrap();
    assert_eq!(resumed.learning_rate(), 0.03125);
    let resumed = resume(r#"{\"kind\":\"fixed\",\"rate\":0.25}"#).unwrap();
    assert_eq!(resumed.learning_rate(), 0.25);
    // What is not written by this crate, but says the same as nothing.
    let resumed = resume(r#"{\"factor\":1,\"kind\":\"scaled\"}"#).unwrap();
    assert_eq!(bytes(&resumed), bytes(&build(builder())));

    let refused = [
        (r#"{\"factor\":-0.5,\"kind\":\"scaled\"}"#, "at least 0, got -0.5"),
        (r#"{\"factor\":1e999,\"kind\":\"scaled\"}"#, "number out of range"),
        (r#"{\"factor\":1e40,\"kind\":\"scaled\"}"#, "3.4e38 * (1 - beta1), got 1.25e39"),
        (r#"{\"kind\":\"fixed\",\"rate\":-1e-9}"#, "at least 0, got -1e-9"),
        (r#"{\"kind\":\"fixed\",\"rate\":1e38}"#, "3.4e38 * (1 - beta1), got 1e38"),
        (r#"{\"kind\":\"fixed\",\"factor\":1}"#, "unknown field `factor`"),
        (r#"{\"kind\":\"free\",\"rate\":1}"#, "unknown variant `free`"),
    ];
    for (to, words) in refused {
        let message = resume(to).map(drop).unwrap_err().in_file("a-file").to_string();
        assert!(message.starts_with("a-file: ") && message.contains(words), "{message}");
    }
    let text = resume(r#"{\"kind\":\"fixed\",\"rate\":1e38}"#).map(drop).unwrap_err().to_string();
    assert!(text.contains("learning rate"), "{text}");
    assert_eq!(LearningRate::Fixed { rate: 0.01 }.to_string(), "0.01 at every step");
}
