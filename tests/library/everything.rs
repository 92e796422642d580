//! A run with every option of training, interrupted and resumed at every step.

use thinnet::{
    Sigma,
    metrics::Metric,
    nn::{Activation, Loss, Mlp},
    train::{
        Adam, Averaging, EarlyStopping, Ending, Fit, Fitted, MaxNorm, Plateau, Schedule, Trainer,
        TrainerBuilder,
    },
};

use crate::{
    backend::isa,
    fit::{data, end},
};

const EPOCHS: usize = 60;

/// The options of the trainer, one by one.
type Choice = fn(TrainerBuilder) -> TrainerBuilder;

const OPTIONS: [(&str, Choice); 6] = [
    ("clipping by value", |builder| builder.clip_value(0.02)),
    ("clipping by norm", |builder| builder.clip_norm(0.15)),
    ("an L1 penalty", |builder| builder.l1(1e-3)),
    ("weights of classes", |builder| builder.class_weights(vec![0.7, 1.6])),
    ("smoothed labels", |builder| builder.label_smoothing(0.1)),
    ("max-norm", |builder| builder.max_norm(MaxNorm::Engine(0.9))),
];

/// A trainer with Gaussian noise, warm-up and all options but the one named `without`.
fn builder(average: Averaging, without: &str) -> TrainerBuilder {
    let sigma = Sigma::new(0.5).unwrap();
    let mlp = Mlp::builder(6)
        .input_noise(Sigma::new(0.2).unwrap())
        .hidden(40, Activation::Relu, sigma)
        .hidden(20, Activation::Tanh, sigma)
        .output(2, Loss::SoftmaxCrossEntropy)
        .seed(4)
        .build()
        .unwrap();
    let falling = Schedule::Linear { from: 0.02, to: 0.0, steps: 300 };
    let adam = Adam::new(falling.with_warm_up(0.0, 9)).weight_decay(1e-3);
    let builder = Trainer::builder(mlp, adam, 8).seed(5).average(average).with_isa(isa()).unwrap();
    let options = OPTIONS.iter().filter(|(name, _)| *name != without);
    options.fold(builder, |builder, (_, choose)| choose(builder))
}

#[test]
fn a_run_with_every_option_resumed_at_every_step_ends_like_an_unbroken_one() {
    let weights = (0..45).map(|row| f64::from(row % 4)).collect();
    let (train, validation) = (data(1, 45).with_weights(weights).unwrap(), data(2, 60));
    let fit = Fit::new(&train)
        .validation(&validation)
        .metrics(&[Metric::ErrorRate])
        .early_stopping(EarlyStopping::new(Metric::RocAuc, 6).unwrap())
        .plateau(Plateau::new(Metric::RocAuc, 2, 0.5).unwrap())
        .shuffle_seed(3)
        .epochs(EPOCHS);
    let same = |one: &Fitted, other: &Fitted| {
        assert_eq!(one.network.digest(), other.network.digest());
        assert_eq!(one.history, other.history);
        assert_eq!((one.ending, one.best_epoch), (other.ending, other.best_epoch));
    };
    for average in [Averaging::exponential(0.9), Averaging::tail(20)] {
        let builder = |without| builder(average, without);
        let unbroken = fit.clone().run(builder("").build().unwrap()).unwrap();
        // Everything happens: the run ends early, not at its best epoch, after the rate was lowered.
        let epochs = unbroken.history.epochs();
        let best = unbroken.best_epoch.unwrap();
        assert_eq!(unbroken.ending, Ending::EarlyStopping, "{average}");
        assert!(epochs.len() == best + 6 && best + 6 < EPOCHS, "{average}: {best}");
        let last = epochs.last().unwrap();
        let of_schedule = 0.02 * (1.0 - (last.steps - 1 - 9) as f64 / 300.0);
        assert!(last.learning_rate < 0.6 * of_schedule, "{average}: {}", last.learning_rate);
        // Each option changes the result.
        for (name, _) in OPTIONS {
            let other = fit.clone().epochs(3).run(builder(name).build().unwrap()).unwrap();
            let all = fit.clone().epochs(3).run(builder("").build().unwrap()).unwrap();
            assert_ne!(other.network.digest(), all.network.digest(), "{name}");
        }

        let mut chain = fit.clone().start(builder("").build().unwrap()).unwrap();
        let mut point = 0;
        while !chain.is_done() {
            let bytes = chain.to_bytes("").unwrap();
            chain = fit.clone().resume_from_bytes(builder(""), &bytes).unwrap().0;
            assert!(chain.to_bytes("").unwrap() == bytes, "saved again at point {point}");
            if point % 13 == 0 {
                let (one, _) = fit.clone().resume_from_bytes(builder(""), &bytes).unwrap();
                same(&end(one).finish().unwrap(), &unbroken);
            }
            chain.advance().unwrap();
            point += 1;
        }
        same(&chain.finish().unwrap(), &unbroken);
    }
}
