//! Compares the rules with the optimisers' formulas in f64, on every backend.

use proptest::{prelude::*, test_runner::RngSeed};

use super::*;
use crate::{
    simd::{Isa, Kernel, LANES, Lanes, tests::on_each_isa},
    train::reference::Reference,
};

/// A line of parameters, their gradients, and a line for each number of their state.
#[derive(Clone, Debug)]
struct Line {
    w: [f32; LANES],
    g: [f32; LANES],
    states: Vec<[f32; LANES]>,
}

/// A step on a line, by the rule of the weights or of the biases.
struct Step<'a> {
    isa: Isa,
    decays: bool,
    line: &'a mut Line,
}

impl Step<'_> {
    /// Takes step `t` with the schedule's learning rate.
    fn of(self, optimiser: &Optimiser, t: u64, p: f64) {
        optimiser.rules(t, optimiser.learning_rate().at(t), p, self);
    }
}

impl RuleVisitor for Step<'_> {
    type Output = ();

    fn visit<const N: usize, R: Rule<N>>(self, weights: R, biases: R) {
        let rule = if self.decays { weights } else { biases };
        self.isa.dispatch(OnLanes { rule, line: self.line });
    }
}

struct OnLanes<'a, R, const N: usize> {
    rule: R,
    line: &'a mut Line,
}

impl<R: Rule<N>, const N: usize> Kernel for OnLanes<'_, R, N> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let Line { w, g, states } = self.line;
        let mut state = [l.splat(0.0); N];
        for (state, from) in state.iter_mut().zip(&*states) {
            *state = l.load(from);
        }
        let (new, state) = self.rule.step(l, l.load(g), l.load(w), state);
        l.store(new, w);
        for (state, to) in state.into_iter().zip(states) {
            l.store(state, to);
        }
    }
}

/// Each optimiser with settings that all matter. The betas are exact in f32.
fn all() -> Vec<Optimiser> {
    let rate = Schedule::Linear { from: 0.05, to: 0.01, steps: 2000 };
    let momentum = Schedule::constant(0.75);
    let adam = Adam::new(rate.clone()).betas(0.875, 0.96875).epsilon(1e-3);
    let adamw = AdamW::new(rate.clone()).betas(0.875, 0.96875).epsilon(1e-3);
    let adagrad = Adagrad::new(Schedule::InverseTime { from: 0.1, time: 100.0 }).epsilon(1e-3);
    vec![
        Sgd::new(rate.clone()).into(),
        Sgd::new(rate.clone()).momentum(momentum.clone()).weight_decay(0.25).into(),
        Sgd::new(rate.clone()).momentum(momentum).nesterov().weight_decay(0.25).into(),
        adam.clone().into(),
        adam.weight_decay(0.25).into(),
        adamw.clone().weight_decay(0.0).into(),
        adamw.weight_decay(0.25).into(),
        adagrad.clone().into(),
        adagrad.weight_decay(0.25).into(),
        SparseAdam::new(rate).betas(0.875, 0.96875).epsilon(1e-3).into(),
    ]
}

/// The error of a dozen roundings of numbers of at most 4, divided by at least 1/8.
const CLOSE: f64 = 12.0 * 4.0 * 8.0 * (f32::EPSILON as f64) / 2.0;

#[test]
fn the_list_above_has_every_optimiser() {
    for optimiser in Optimiser::ALL {
        assert!(all().iter().any(|one| one.name() == optimiser.name()), "{optimiser}");
    }
}

/// From a fixed seed, so that every run has the same cases.
fn fixed() -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_14),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(fixed())]

    #[test]
    fn rules_equal_their_formulas(
        w in prop::array::uniform16(-2.0f32..2.0),
        g in prop::array::uniform16(-2.0f32..2.0),
        // At least 1/64, for the numbers whose roots are divisors.
        states in prop::collection::vec(prop::array::uniform16(0.015625f32..2.0), 2),
        t in prop::sample::select(vec![0, 1, 9, 999, 1 << 40]),
        decays in any::<bool>(),
    ) {
        for optimiser in all() {
            let n = optimiser.states(1.0).len();
            let line = Line { w, g, states: states[..n].to_vec() };
            on_each_isa(|isa| {
                let mut got = line.clone();
                Step { isa, decays, line: &mut got }.of(&optimiser, t, 1.0);
                for i in 0..LANES {
                    let mut state: Vec<f64> = line.states.iter().map(|s| s[i].into()).collect();
                    let (w, g) = (w[i].into(), g[i].into());
                    let want = optimiser.formula().step(t, decays, w, g, &mut state);
                    let wants = [want].into_iter().chain(state);
                    let gots = [got.w[i]].into_iter().chain(got.states.iter().map(|s| s[i]));
                    for (got, want) in gots.zip(wants) {
                        let error = (f64::from(got) - want).abs();
                        assert!(error <= CLOSE, "{isa} {optimiser:?} {t}: {got}, want {want}");
                    }
                }
            });
        }
    }
}

/// Padding: its gradient, state and parameter are 0.
#[test]
fn zeros_stay_zero() {
    for optimiser in all().iter().chain(Optimiser::ALL) {
        on_each_isa(|isa| {
            for decays in [false, true] {
                let states = vec![[0.0; LANES]; optimiser.states(1.0).len()];
                let mut line = Line { w: [0.0; LANES], g: [0.0; LANES], states };
                for t in 0..3 {
                    Step { isa, decays, line: &mut line }.of(optimiser, t, 0.5);
                }
                let all = line.states.iter().flatten().chain(&line.w);
                assert!(all.map(|x| x.to_bits()).all(|bits| bits == 0), "{optimiser}");
            }
        });
    }
}

/// A state that overflows is never left next to a parameter that looks trained.
#[test]
fn where_the_state_overflows_the_parameter_does() {
    for optimiser in all() {
        on_each_isa(|isa| {
            for g in [3e19, -1e25, 3e38, f32::INFINITY] {
                let states = vec![[3e38; LANES]; optimiser.states(1.0).len()];
                let mut line = Line { w: [1.0; LANES], g: [g; LANES], states };
                Step { isa, decays: true, line: &mut line }.of(&optimiser, 9, 1.0);
                let finite = line.states.iter().flatten().all(|x| x.is_finite());
                assert!(finite || !line.w[0].is_finite(), "{isa} {optimiser:?} {g}: {line:?}");
            }
        });
    }
}

/// Over many steps, with PyTorch's betas, corrections and sums stay consistent.
#[test]
fn a_constant_gradient_moves_by_the_learning_rate() {
    let reference = Reference::plain;
    for optimiser in [Optimiser::from(Adam::default()), AdamW::default().weight_decay(0.0).into()] {
        let reference = reference(optimiser.clone());
        on_each_isa(|isa| {
            let g: [f32; LANES] = std::array::from_fn(|i| 10.0f32.powi(i as i32 - 5));
            let mut line = Line { w: [0.0; LANES], g, states: vec![[0.0; LANES]; 2] };
            let mut w = [0.0; LANES];
            let mut states = reference.initial(LANES);
            for t in 0..1000 {
                Step { isa, decays: true, line: &mut line }.of(&optimiser, t, 1.0);
                let g = g.map(f64::from);
                reference.weights(t, &mut w, &g, &mut states);
            }
            for (i, (&got, want)) in line.w.iter().zip(w).enumerate() {
                // Each step is 0.001 within 1e-6 of it, and rounded to the spacing of a w below 1.
                assert!(
                    (f64::from(got) - want).abs() <= 1000.0 * (1e-9 + 3e-8),
                    "{i}: {got} {want}"
                );
                assert!((want + 1.0).abs() < 2e-3, "{want}");
            }
        });
    }
}
