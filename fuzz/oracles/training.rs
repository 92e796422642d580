//! A small network of any shape, any data, some steps. Each step ends in an
//! error that leaves everything as it was, or in a finite loss and parameters
//! that are finite or reported; the first gradient is that of plain f64
//! backpropagation with the rows' masks and noise, within a bound computed along
//! with it; the first update is the optimiser's formula, bit for bit; max-norm
//! holds; all fused instruction sets, and 1 and 2 threads, give the same bits; an
//! average of the parameters changes none of them.

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};
use rayon::{ThreadPool, ThreadPoolBuilder};
use thinnet::{
    Isa, Keep, Noise, Sigma,
    data::Batch,
    mask::{Domain, Streams},
    nn::{
        Activation, GaussianBeta, HuberDelta, Initialisation, Loss, Mlp, QuantileLevels,
        TargetKind, Targets, ThinnedNetwork,
    },
    tensor::MatrixView,
    train::{
        Adagrad, Adam, AdamW, Averaging, LayerGradient, MaxNorm, Optimiser, Provenance, RateChange,
        Schedule, Sgd, SparseAdam, Trainer, TrainerBuilder,
    },
};

use super::twin::{self, Gradients};

/// How far a projected unit's norm can be above the bound: sums of at most 400
/// rounded squares, their root, a quotient and a product.
const NORM: f64 = 1e-4;

/// Products and squares of numbers between these roots neither underflow nor
/// overflow in f32.
const PLAIN_NORMS: std::ops::Range<f64> = 1e-15..1e18;

/// Two threads, for the networks that are worth them.
static POOL: LazyLock<ThreadPool> =
    LazyLock::new(|| ThreadPoolBuilder::new().num_threads(2).build().unwrap());

/// Numbers drawn from a short list by position, so that few bytes make much
/// data.
#[derive(Clone, Debug)]
struct Pattern {
    values: Vec<f32>,
    /// How many of 8 are zero instead.
    zeros: u64,
}

impl<'a> Arbitrary<'a> for Pattern {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let zeros = u.int_in_range(0..=7u8)?.into();
        let mut values = Vec::new();
        for _ in 0..u.int_in_range(1..=8u8)? {
            let size = f32::from(u.arbitrary::<i8>()?) / 64.0;
            values.push(match u.int_in_range(0..=15u8)? {
                0 => size * 1e-40,
                1 => size * 1e-20,
                2 => size * 1e20,
                3 => size * 1e38,
                4 => f32::from_bits(u.arbitrary()?),
                _ => size,
            });
        }
        Ok(Self { values, zeros })
    }
}

impl Pattern {
    fn at(&self, streams: Streams, i: usize) -> f32 {
        let hash = streams.hash(i as u64);
        if hash % 8 < self.zeros {
            return 0.0;
        }
        self.values[(hash >> 32) as usize % self.values.len()]
    }
}

/// A network, an optimiser and data.
#[derive(Clone, Debug)]
pub struct Case {
    /// Large enough for two threads.
    wide: bool,
    inputs: usize,
    input_noise: Noise,
    sparse: bool,
    hidden: Vec<(usize, Activation, Noise)>,
    outputs: usize,
    loss: Loss,
    initialisation: Initialisation,
    weight_factor: f32,
    biases: Pattern,
    learning_rate: Schedule,
    momentum: Schedule,
    nesterov: bool,
    weight_decay: f64,
    max_norm: Option<MaxNorm>,
    paper_rates: bool,
    steps: u64,
    rows: usize,
    first_row: u64,
    x: Pattern,
    t: Pattern,
    bad_target: bool,
    seed: u64,
    kind: Kind,
    betas: [f64; 2],
    epsilon: f64,
    accumulator: f64,
    /// Of each hidden unit; those with several are maxout units instead of what `hidden` says.
    pieces: usize,
    /// The mean that each hidden unit should have, and the penalty.
    sparsity: Option<[f64; 2]>,
    average: Option<Averaging>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Sgd,
    Adam,
    AdamW,
    Adagrad,
    SparseAdam,
}

fn noise(u: &mut Unstructured<'_>) -> Result<Noise> {
    let k = match u.int_in_range(0..=7u8)? {
        0 => Keep::ONE_K,
        1 => Keep::ONE_K / 2,
        2 => 52429,
        3 => 49152,
        4 => 1,
        5 => Keep::ONE_K - 1,
        6 => {
            let sigma = *u.choose(&[1.0, 0.5, 1e-30, 30.0, 65536.0, 0.0])?;
            return Ok(Sigma::new(sigma).unwrap().into());
        }
        _ => u32::from(u.arbitrary::<u16>()?) + 1,
    };
    Ok(Keep::from_k(k).unwrap().into())
}

fn is_gaussian(noise: Noise) -> bool {
    matches!(noise, Noise::Gaussian(_))
}

fn schedule(u: &mut Unstructured<'_>, values: &[f64]) -> Result<Schedule> {
    let kind = u.int_in_range(0..=7u8)?;
    let from = *u.choose(values)?;
    let value = |u: &mut Unstructured<'_>| u.choose(values).copied();
    Ok(match kind {
        0 => Schedule::Linear { from, to: value(u)?, steps: u.arbitrary::<u8>()?.into() },
        1 => Schedule::Cosine { from, to: value(u)?, steps: u.arbitrary::<u8>()?.into() },
        2 => Schedule::InverseTime { from, time: u.arbitrary::<u8>()?.into() },
        3 => Schedule::Saturating { from, to: value(u)?, time: u.arbitrary::<u8>()?.into() },
        4 => Schedule::constant(u.arbitrary()?),
        5 => {
            let (peak, to, steps) = (value(u)?, value(u)?, u.arbitrary::<u8>()?.into());
            let rise = f64::from(u.arbitrary::<u8>()?) / 255.0;
            let cycle = Schedule::OneCycle { from, peak, to, steps, rise };
            let stairs = Schedule::StepDecay { from, factor: 0.5, every: 1 };
            let phase = u.arbitrary::<u8>()?.into();
            Schedule::sequence([(phase, cycle)], stairs).with_warm_up(value(u)?, 2)
        }
        6 => {
            let (step, rate) = (u.arbitrary::<u8>()?.into(), value(u)?);
            let changes = vec![RateChange { step, rate }];
            Schedule::PiecewiseConstant { from, changes }
        }
        _ => Schedule::constant(from),
    })
}

impl<'a> Arbitrary<'a> for Case {
    /// Every choice is a byte, so that `seeds.py` can write cases.
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let wide = u.int_in_range(0..=31u8)? == 31;
        let width = |u: &mut Unstructured<'_>| match wide {
            true => Ok(400 - usize::from(u.int_in_range(0..=50u8)?)),
            false => Ok(usize::from(u.int_in_range(1..=80u8)?)),
        };
        let (inputs, input_noise) = (width(u)?, noise(u)?);
        // A sparse input has no Gaussian noise.
        let sparse = u.int_in_range(0..=1u8)? == 1 && !is_gaussian(input_noise);
        let layers = u.int_in_range(0..=3u8)?;
        let hidden = (0..if wide { 1 } else { layers })
            .map(|_| Ok((width(u)?, *u.choose(Activation::ALL)?, noise(u)?)))
            .collect::<Result<_>>()?;
        let outputs: usize = u.int_in_range(1..=80u8)?.into();
        let loss = match *u.choose(Loss::ALL)? {
            Loss::Huber(_) => {
                Loss::Huber(HuberDelta::new(*u.choose(&[1.0, 0.25, 1e-30, 1e30])?).unwrap())
            }
            Loss::GaussianNll(_) => {
                Loss::GaussianNll(GaussianBeta::new(*u.choose(&[0.0, 0.5, 1.0])?).unwrap())
            }
            Loss::Quantile(_) => {
                let all: [&[f32]; 4] = [&[0.1, 0.5, 0.9], &[0.5], &[1e-30, 0.25], &[0.05, 0.95]];
                Loss::Quantile(QuantileLevels::new(u.choose(&all)?).unwrap())
            }
            loss => loss,
        };
        // A softmax is over two classes or more.
        let least = if loss.target_kind() == TargetKind::Classes { 2 } else { 1 };
        Ok(Self {
            wide,
            inputs,
            input_noise,
            sparse,
            hidden,
            outputs: least.max(outputs).next_multiple_of(loss.outputs_per_target()),
            loss,
            initialisation: *u.choose(Initialisation::ALL)?,
            weight_factor: *u.choose(&[1.0, 0.1, 3.0, 1e-20, 1e-38, 1e18, 1e37, 1.0])?,
            biases: u.arbitrary()?,
            learning_rate: schedule(u, &[0.1, 1.0, 0.01, 1e-9, 0.0, 1e10, 3e38])?,
            momentum: schedule(u, &[0.9, 0.0, 0.5, 0.99, 0.999_999_999])?,
            nesterov: u.int_in_range(0..=1u8)? == 1,
            weight_decay: *u.choose(&[0.0, 1e-4, 0.1, 1e20, 3e38])?,
            max_norm: match u.int_in_range(0..=5u8)? {
                0 => Some(MaxNorm::Engine(1.0)),
                1 => Some(MaxNorm::Paper(2.0)),
                2 => Some(MaxNorm::Engine(*u.choose(&[0.01, 1e-10, 1e10, 1e-38])?)),
                _ => None,
            },
            paper_rates: u.int_in_range(0..=1u8)? == 1,
            steps: u.int_in_range(1..=4u8)?.into(),
            rows: if wide { 9 } else { u.int_in_range(1..=9u8)?.into() },
            first_row: *u.choose(&[0, 1, 100, u64::MAX - 3])?,
            x: u.arbitrary()?,
            t: u.arbitrary()?,
            bad_target: u.int_in_range(0..=15u8)? == 15,
            seed: u.arbitrary()?,
            // Where the bytes end, the first of each.
            kind: *u.choose(&[
                Kind::Sgd,
                Kind::Adam,
                Kind::AdamW,
                Kind::Adagrad,
                Kind::SparseAdam,
            ])?,
            betas: *u.choose(&[[0.9, 0.999], [0.0, 0.0], [0.5, 0.99], [0.9, 0.999_999_999]])?,
            epsilon: *u.choose(&[1e-8, 1.0, 1e-37, 1e30, 0.0])?,
            accumulator: *u.choose(&[0.0, 0.1, 1e30, -1.0])?,
            pieces: *u.choose(&[1, 2, 5])?,
            sparsity: *u.choose(&[None, Some([0.05, 0.1]), Some([0.5, 1e30]), Some([0.0, 1.0])])?,
            average: match u.int_in_range(0..=2u8)? {
                1 => Some(Averaging::exponential(0.9)),
                2 => Some(Averaging::tail(1)),
                _ => None,
            },
        })
    }
}

/// The data of one step.
struct Data {
    x: Vec<f32>,
    classes: Vec<u32>,
    t: Vec<f32>,
}

impl Case {
    fn targets(&self) -> usize {
        self.outputs / self.loss.outputs_per_target()
    }

    fn network(&self) -> Mlp {
        let mut builder = Mlp::builder(self.inputs).input_noise(self.input_noise);
        if self.sparse {
            builder = builder.sparse_input();
        }
        for &(width, activation, noise) in &self.hidden {
            builder = match self.pieces {
                1 => builder.hidden(width, activation, noise),
                pieces => builder.hidden_maxout(width, pieces, noise),
            };
        }
        let builder = builder.output(self.outputs, self.loss).seed(self.seed);
        let mut mlp = builder.initialisation(self.initialisation).build().unwrap();
        for layer in 0..mlp.depth() {
            let streams = Streams::new(self.seed, Domain::Other, layer as u64, u64::MAX);
            let factor = |w: f32| (w * self.weight_factor).clamp(f32::MIN, f32::MAX);
            let weights: Vec<f32> = mlp.weights(layer).unwrap().into_iter().map(factor).collect();
            let biases: Vec<f32> = (0..mlp.bias(layer).unwrap().len())
                .map(|unit| self.biases.at(streams, unit))
                .map(|b| if b.is_finite() { b } else { 0.0 })
                .collect();
            mlp.set_weights(layer, &weights).unwrap();
            mlp.set_bias(layer, &biases).unwrap();
        }
        mlp
    }

    fn optimiser(&self) -> Optimiser {
        let (rate, decay) = (self.learning_rate.clone(), self.weight_decay);
        let [beta1, beta2] = self.betas;
        let epsilon = self.epsilon;
        match self.kind {
            Kind::Sgd => {
                let sgd = Sgd::new(rate).momentum(self.momentum.clone()).weight_decay(decay);
                if self.nesterov { sgd.nesterov() } else { sgd }.into()
            }
            Kind::Adam => {
                Adam::new(rate).betas(beta1, beta2).epsilon(epsilon).weight_decay(decay).into()
            }
            Kind::AdamW => {
                AdamW::new(rate).betas(beta1, beta2).epsilon(epsilon).weight_decay(decay).into()
            }
            Kind::Adagrad => {
                let adagrad = Adagrad::new(rate).initial_accumulator(self.accumulator);
                adagrad.epsilon(epsilon).weight_decay(decay).into()
            }
            Kind::SparseAdam => SparseAdam::new(rate).betas(beta1, beta2).epsilon(epsilon).into(),
        }
    }

    fn builder(&self, mlp: &Mlp, isa: Isa) -> TrainerBuilder {
        let mut builder = Trainer::builder(mlp.clone(), self.optimiser(), self.rows);
        if let Some(max_norm) = self.max_norm {
            builder = builder.max_norm(max_norm);
        }
        if let Some([rho, beta]) = self.sparsity {
            builder = builder.sparsity(rho, beta);
        }
        if let Some(average) = self.average {
            builder = builder.average(average);
        }
        let builder = if self.paper_rates { builder.paper_rates() } else { builder };
        builder.seed(self.seed).with_isa(isa).unwrap()
    }

    fn data(&self, step: u64) -> Data {
        let streams = |site| Streams::new(self.seed, Domain::Other, site, step);
        let draw = |pattern: &Pattern, site: u64, n: usize| -> Vec<f32> {
            (0..n).map(|i| pattern.at(streams(site), i)).collect()
        };
        let outputs = self.outputs as u64;
        let mut classes: Vec<u32> =
            (0..self.rows as u64).map(|i| (streams(100).hash(i) % outputs) as u32).collect();
        let mut t = draw(&self.t, 101, self.rows * self.targets());
        if self.bad_target {
            classes[0] = self.outputs as u32;
        } else if self.loss.target_kind() == TargetKind::Binary {
            let bit = |t: &mut f32| *t = if t.is_nan() { 0.5 } else { t.clamp(0.0, 1.0) };
            t.iter_mut().for_each(bit);
        } else if self.loss == Loss::Poisson {
            t.iter_mut().for_each(|t| *t = t.abs());
        }
        Data { x: draw(&self.x, 102, self.rows * self.inputs), classes, t }
    }

    fn batch<'a>(&self, data: &'a Data) -> (Batch<'a>, Targets<'a>) {
        let t = MatrixView::new(&data.t, self.rows, self.targets()).unwrap();
        let targets = match self.loss.target_kind() {
            TargetKind::Classes => Targets::Classes(&data.classes),
            TargetKind::Values => Targets::Values(t),
            _ => Targets::Binary(t),
        };
        let x = MatrixView::new(&data.x, self.rows, self.inputs).unwrap();
        (Batch::dense(x).starting_at(self.first_row), targets)
    }
}

/// All parameters of a layer: weights, then biases.
fn parameters(mlp: &Mlp, layer: usize) -> Vec<f32> {
    let mut parameters = mlp.weights(layer).unwrap();
    parameters.extend(mlp.bias(layer).unwrap());
    parameters
}

fn is_finite(mlp: &Mlp) -> bool {
    (0..mlp.depth()).all(|layer| parameters(mlp, layer).iter().all(|x| x.is_finite()))
}

/// The state of a trainer, the optimiser's included; an error's text where it
/// cannot be saved.
fn state(trainer: &Trainer) -> (u64, String, std::result::Result<Vec<u8>, String>) {
    let bytes = trainer.to_bytes(&Provenance::new(), "").map_err(|error| error.to_string());
    (trainer.steps(), trainer.network().unwrap().digest(), bytes)
}

/// What can be compared of a result.
fn outcome(result: std::result::Result<f32, thinnet::Error>) -> std::result::Result<u32, String> {
    result.map(f32::to_bits).map_err(|error| error.to_string())
}

/// All steps; after each one its loss or error and the digest.
fn train(case: &Case, mut trainer: Trainer) -> Vec<(std::result::Result<u32, String>, String)> {
    let mut before = state(&trainer);
    let step = |step: u64| {
        let data = case.data(step);
        let (batch, targets) = case.batch(&data);
        let result = outcome(trainer.step(&batch, targets));
        let after = state(&trainer);
        match &result {
            Err(_) => assert_eq!(after, before, "an error changes nothing"),
            Ok(loss) => {
                assert!(f32::from_bits(*loss).is_finite());
                assert_eq!(after.0, before.0 + 1);
                let finite = is_finite(&trainer.network().unwrap());
                assert_eq!(trainer.ensure_finite().is_ok(), finite, "overflow is reported");
                assert_eq!(after.2.is_ok(), finite, "{:?}", after.2);
                if finite {
                    norms_are_bounded(case, &trainer.network().unwrap());
                }
            }
        }
        before = after;
        (result, before.1.clone())
    };
    (0..case.steps).map(step).collect()
}

fn norms_are_bounded(case: &Case, mlp: &Mlp) {
    let Some(max_norm) = case.max_norm else { return };
    for (layer, keep) in mlp.keeps().into_iter().enumerate() {
        let bound = max_norm.bound(keep);
        for w in mlp.weights(layer).unwrap().chunks_exact(mlp.widths()[layer]) {
            let norm = w.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>().sqrt();
            if PLAIN_NORMS.contains(&norm) {
                assert!(norm <= bound * (1.0 + NORM), "layer {layer}: norm {norm} above {bound}");
            }
        }
    }
}

/// The twin's first gradient; `None` where something is refused or extreme.
fn first_gradient(case: &Case, mlp: &Mlp) -> Option<Gradients> {
    let data = case.data(0);
    let (_, targets) = case.batch(&data);
    targets.check(case.loss, case.outputs, case.rows).ok()?;
    // The twin does not know the penalty on the means of units.
    if case.sparsity.is_some() || !data.x.iter().all(|x| x.is_finite()) {
        return None;
    }
    let x: Vec<&[f32]> = data.x.chunks_exact(case.inputs).collect();
    let twin = twin::gradients(mlp, case.seed, case.first_row, &x, targets)?;
    let of = |i: u64| ThinnedNetwork::of(mlp, case.seed, 0, case.first_row.wrapping_add(i));
    let thinned: std::result::Result<Vec<_>, _> = (0..case.rows as u64).map(of).collect();
    assert_eq!(thinned.is_err(), mlp.noises().into_iter().any(is_gaussian));
    let Ok(thinned) = thinned else { return Some(twin) };
    // With dropout alone, the twin's loss is the mean loss of the thinned networks.
    let loss = |(row, x): (usize, &&[f32])| {
        let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let logits = thinned[row].logits(&x).unwrap();
        thinned[row].network().loss_of(&logits, targets, row).unwrap()
    };
    let mean = x.iter().enumerate().map(loss).sum::<f64>() / case.rows as f64;
    assert!((mean - twin.loss.value).abs() <= twin.loss.error + 1e-12 * mean.abs());
    Some(twin)
}

/// The first gradient against the twin's, the first update against the formula.
fn first_step(case: &Case, mlp: &Mlp, twin: Option<&Gradients>, trainer: &mut Trainer) {
    let data = case.data(0);
    let (batch, targets) = case.batch(&data);
    let before = state(trainer);
    let got = trainer.gradients(&batch, targets);
    assert_eq!(state(trainer), before, "gradients change nothing");

    let (loss, layers) = match (got, twin) {
        (Ok(got), Some(twin)) => {
            assert!(twin.loss.allows(got.0), "loss {} for {:?}", got.0, twin.loss);
            for (layer, (got, (weights, bias))) in got.1.iter().zip(&twin.layers).enumerate() {
                let all = got.weights.iter().zip(weights.iter().flatten());
                let all = all.chain(got.bias.iter().zip(bias));
                for (i, (&got, want)) in all.enumerate() {
                    assert!(want.allows(got), "layer {layer}, {i}: {got} for {want:?}");
                }
            }
            got
        }
        (Err(error), Some(_)) => panic!("an error where nothing is large: {error}"),
        (Ok(got), None) => got,
        (Err(error), None) => {
            assert_eq!(outcome(trainer.step(&batch, targets)), Err(error.to_string()));
            return;
        }
    };
    assert_eq!(outcome(trainer.step(&batch, targets)), Ok(loss.to_bits()));
    if case.max_norm.is_none() && trainer.isa() != Isa::Portable {
        update_is_the_formula(case, mlp, &layers, &trainer.network().unwrap());
    }
}

/// The first update of a parameter from the optimiser's initial state, with the fused roundings of
/// the kernels; p is the factor between the weights that the settings are for and the engine's.
fn updated(case: &Case, p: f64, decays: bool, w: f32, g: f32) -> f32 {
    let (rate, decay) = (case.learning_rate.at(0), if decays { case.weight_decay } else { 0.0 });
    let decayed = |g: f32| {
        let decay = (decay / (p * p)) as f32;
        if decay == 0.0 { g } else { decay.mul_add(w, g) }
    };
    let adam = |w: f32, g: f32, epsilon: f64| {
        // The corrections of the first step are 1 - beta.
        let [beta1, beta2] = case.betas.map(|beta| f64::from(beta as f32));
        let m = (beta1 as f32).mul_add(0.0, (1.0 - beta1) as f32 * g);
        let v = (beta2 as f32).mul_add(0.0, (1.0 - beta2) as f32 * g * g);
        let divisor = v.sqrt().mul_add((1.0 / (1.0 - beta2).sqrt()) as f32, (epsilon / p) as f32);
        (-(rate * p / (1.0 - beta1)) as f32).mul_add(v.mul_add(0.0, m) / divisor, w)
    };
    match case.kind {
        Kind::Sgd => {
            let (g, momentum) = (decayed(g), case.momentum.at(0) as f32);
            let v = momentum.mul_add(0.0, g);
            let direction = if case.nesterov { momentum.mul_add(v, g) } else { v };
            (-(rate * p * p) as f32).mul_add(direction, w)
        }
        Kind::Adam => adam(w, decayed(g), case.epsilon),
        Kind::AdamW => {
            let shrinkage = (rate * decay) as f32;
            let w = if shrinkage == 0.0 { w } else { (-shrinkage).mul_add(w, w) };
            adam(w, g, case.epsilon)
        }
        Kind::Adagrad => {
            let g = decayed(g);
            let s = g.mul_add(g, (case.accumulator / (p * p)) as f32);
            let direction = s.mul_add(0.0, g) / (s.sqrt() + (case.epsilon / p) as f32);
            (-(rate * p) as f32).mul_add(direction, w)
        }
        // ε is not corrected. A gradient of 0 changes nothing, as if the input were left out.
        Kind::SparseAdam => {
            adam(w, g, case.epsilon / (1.0 - f64::from(case.betas[1] as f32)).sqrt())
        }
    }
}

/// The first update is that of [`updated`].
fn update_is_the_formula(case: &Case, old: &Mlp, gradients: &[LayerGradient], new: &Mlp) {
    if !is_finite(new) {
        return;
    }
    for (layer, keep) in old.keeps().into_iter().enumerate() {
        let p = if case.paper_rates { keep.get() } else { 1.0 };
        let gradient = &gradients[layer];
        let weights = old.weights(layer).unwrap();
        let weights = weights.iter().zip(&gradient.weights);
        let biases = old.bias(layer).unwrap().iter().zip(&gradient.bias);
        let want: Vec<u32> = weights
            .map(|(&w, &g)| updated(case, p, true, w, g))
            .chain(biases.map(|(&b, &g)| updated(case, 1.0, false, b, g)))
            .map(f32::to_bits)
            .collect();
        let got: Vec<u32> = parameters(new, layer).into_iter().map(f32::to_bits).collect();
        assert_eq!(got, want, "layer {layer}");
    }
}

/// See the head of this file.
pub fn check(case: Case) {
    let mlp = case.network();
    let twin = first_gradient(&case, &mlp);
    let mut fused = None;
    for isa in Isa::available() {
        let trainer = match case.builder(&mlp, isa).build() {
            Ok(trainer) => trainer,
            // A setting outside its range: the same for all.
            Err(_) => return,
        };
        first_step(&case, &mlp, twin.as_ref(), &mut trainer.clone());
        let alone = train(&case, trainer.clone());
        if case.wide {
            assert_eq!(POOL.install(|| train(&case, trainer)), alone, "{isa}: 2 threads");
        }
        if isa != Isa::Portable {
            assert_eq!(fused.get_or_insert_with(|| alone.clone()), &alone, "{isa}");
        }
        if case.average.is_some() {
            let without = Case { average: None, ..case.clone() };
            let trainer = without.builder(&mlp, isa).build().unwrap();
            assert_eq!(train(&without, trainer), alone, "{isa}: without the average");
        }
    }
}
