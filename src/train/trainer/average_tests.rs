//! Averaged parameters.

use super::{
    update_tests::{in_chunks, networks, parameters, with_batch},
    *,
};
use crate::{
    optimiser::{Adam, Schedule},
    simd::tests::on_each_isa,
    train::{Averaging, MaxNorm},
};

const STEPS: u64 = 12;

/// How far an average of at most 12 numbers of at most 4 may be from the same in f64. Each step has
/// three roundings of numbers of at most 8, and its rate has one.
const CLOSE: f64 = 12.0 * 4.0 * 8.0 * (f32::EPSILON as f64) / 2.0;

fn builder(mlp: &Mlp) -> TrainerBuilder {
    let adam = Adam::new(Schedule::constant(0.02));
    Trainer::builder(mlp.clone(), adam, 9).max_norm(MaxNorm::Engine(0.9))
}

fn step(trainer: &mut Trainer) {
    let mlp = trainer.network().unwrap();
    with_batch(&mlp, trainer.steps(), |batch, targets| trainer.step(batch, targets).unwrap());
}

fn averages() -> [Averaging; 4] {
    [
        Averaging::exponential(0.75),
        Averaging::Exponential { decay: 0.9, warm_up: true, every: 2 },
        Averaging::tail(4),
        Averaging::Tail { from: 1, every: 3 },
    ]
}

/// The average is that of the networks that the trainer shows after each update, which max-norm has
/// projected.
#[test]
fn the_average_is_that_of_the_projected_networks() {
    on_each_isa(|isa| {
        for (mlp, average) in networks().iter().cycle().zip(averages()) {
            for chunk in [9, 4] {
                let mut trainer = in_chunks(builder(mlp).average(average), isa, chunk);
                let mut want = Vec::new();
                for updates in 1..=STEPS {
                    step(&mut trainer);
                    let now = parameters(&trainer.network().unwrap());
                    assert!(now.iter().all(|w| w.abs() <= 4.0));
                    let rate = f64::from(average.rate(updates));
                    if want.is_empty() && rate > 0.0 {
                        want = vec![0.0; now.len()];
                    }
                    for (want, &now) in want.iter_mut().zip(&now) {
                        *want += rate * (f64::from(now) - *want);
                    }
                    let got = parameters(&trainer.averaged_network().unwrap());
                    if want.is_empty() {
                        assert_eq!(got, now, "nothing is averaged yet");
                    }
                    for (&got, want) in got.iter().zip(&want) {
                        assert!((f64::from(got) - want).abs() <= CLOSE, "{isa} {got} {want}");
                    }
                }
                let now = parameters(&trainer.network().unwrap());
                let apart =
                    now.iter().zip(&want).filter(|(w, e)| (f64::from(**w) - **e).abs() > 1e-3);
                assert!(apart.count() * 2 > now.len(), "the average differs from the last network");
            }
        }
    });
}

/// Training is the same with an average and without, and whether it is looked at or not.
#[test]
fn training_does_not_depend_on_the_average() {
    on_each_isa(|isa| {
        for mlp in networks() {
            let mut plain = in_chunks(builder(&mlp), isa, 9);
            let mut averaged = in_chunks(builder(&mlp).average(Averaging::tail(0)), isa, 9);
            let mut watched = averaged.clone();
            for _ in 0..STEPS {
                for trainer in [&mut plain, &mut averaged, &mut watched] {
                    step(trainer);
                }
                // What is published is what the next step will have kept.
                let published = watched.averaged_network().unwrap();
                let mut next = watched.clone();
                step(&mut next);
                for (layer, state) in published.layers.iter().zip(&next.states) {
                    let average = &state.average[0];
                    assert!(
                        layer.weights == average.weights && layer.bias == average.bias,
                        "{isa}"
                    );
                }
            }
            for trainer in [&averaged, &watched] {
                assert_eq!(trainer.mlp, plain.mlp, "{isa}");
                for (one, other) in trainer.states.iter().zip(&plain.states) {
                    assert!(one.pending == other.pending && other.average.is_empty());
                    for (one, other) in one.optimiser.iter().zip(&other.optimiser) {
                        assert!(one.weights == other.weights && one.bias == other.bias);
                    }
                }
            }
            let [one, other] =
                [&averaged, &watched].map(|t| t.averaged_network().unwrap().digest());
            assert_eq!(one, other);
        }
    });
}

#[test]
fn a_trainer_without_an_average_says_so() {
    let trainer = in_chunks(builder(&networks()[0]), Isa::Portable, 9);
    assert!(matches!(trainer.averaged_network(), Err(Error::NotAveraged)));
}

/// The average of parameters that overflowed is not published.
#[test]
fn an_average_that_is_not_finite_is_refused() {
    let average = Averaging::exponential(0.5);
    let mut trainer = in_chunks(builder(&networks()[0]).average(average), Isa::Portable, 9);
    step(&mut trainer);
    trainer.mlp.layers[1].weights.fill(f32::INFINITY);
    let error = trainer.averaged_network().unwrap_err();
    assert!(matches!(error, Error::NonFiniteLayer { layer: 1 }), "{error}");
}
