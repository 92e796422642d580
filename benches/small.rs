//! Small networks beside plain loops: times per call, and the ratio of thinnet's to the loop's.
//!
//! The networks are 6-64-8-4 and 100-128-128-10 (softmax), 13-50-1 (squared error) and 30-64-64-1
//! (binary cross-entropy), with ReLU units, normal inputs and random targets. A case is a training
//! step on 128 rows, the prediction of one row by weight scaling, or the mean and variance of one
//! row over 1,000 thinned networks. "0.8 / 0.5" are the keep rates of inputs and of hidden units.
//! Training is by SGD with momentum 0.9 and max-norm 2 (the paper's).
//!
//! The comparison is fair in these respects:
//!
//! - The plain loop (`plain.rs`) has all sizes as constants, and is compiled for the instructions
//!   of the instruction set that thinnet uses, with fused multiply-adds where those have them.
//! - It does the same work with the same masks, drawn by the library: `Mask::redraw` for all rows
//!   of a batch at once, and for one row per sample, as the samples' streams are defined. So both
//!   have the same results, which are compared before they are timed. In the cases "own bits", it
//!   takes the masks of samples from one generator of its own (xoshiro256++) instead, which does not
//!   start a stream for each sample; its results are then others.
//! - Both run on the calling thread, outside a pool, in turns within one process.
//!
//! thinnet alone checks that inputs and targets are finite and that no sum overflowed, and fills in
//! entropies.
//!
//! `cargo bench --bench small -- NAME` compares all results, and times the cases whose name contains
//! NAME.

mod plain;

use std::{hint::black_box, time::Instant};

use plain::{
    Binary, Bits, Hidden, Layers, Narrow, Output, Predict, Samples, Sgd, Site, Softmax, Squared,
    Step, Wide, on,
};
use thinnet::{
    Isa, Keep,
    data::Batch,
    mask::{
        Domain, Mask, MaskSpec, Streams,
        rand_xoshiro::{Xoshiro256PlusPlus, rand_core::Rng},
        scalar,
    },
    nn::{Activation, Loss, Mlp, Targets},
    predict::{MonteCarlo, Predictor, Seeds},
    tensor::MatrixView,
    train::{MaxNorm, Schedule, Trainer},
};

/// Rows of the data, and of a batch.
const ROWS: usize = 1024;
const BATCH: usize = 128;

const RATE: f64 = 0.01;
const MOMENTUM: f64 = 0.9;
const SEED: u64 = 1;

/// The paper's bound on the norm of the weights into a unit.
const NORM: f64 = 2.0;

const SAMPLES: usize = 1000;

/// The turns of a case, and the seconds of either side in one.
const TURNS: usize = 41;
const TURN: f64 = 2e-3;

/// The steps whose losses are compared; each depends on those before.
const COMPARED: u64 = 60;

/// Both sum in orders of their own.
const TOLERANCE: f64 = 1e-4;

type Small = Hidden<6, 64, Wide<6, 64>, Hidden<64, 8, Narrow<64, 8>, Output<8, 4, Softmax>>>;
type Table = Hidden<13, 50, Wide<13, 50>, Output<50, 1, Squared>>;
type Medical = Hidden<30, 64, Wide<30, 64>, Hidden<64, 64, Wide<64, 64>, Output<64, 1, Binary>>>;
type Larger =
    Hidden<100, 128, Wide<100, 128>, Hidden<128, 128, Wide<128, 128>, Output<128, 10, Softmax>>>;

fn main() {
    // `cargo bench` passes `--bench`.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = wanted.as_deref().unwrap_or("");
    let both = [0.8, 0.5];
    println!("{:52} {:>8} {:>8}   ours / plain (quartiles)", "microseconds", "ours", "plain");
    for isa in Isa::available() {
        let run = |name: &str, [input, hidden]: [f64; 2]| Case {
            name: format!("{isa}, {name}, {input} / {hidden}"),
            wanted,
            isa,
            keeps: [input, hidden].map(|keep| Keep::new(keep).unwrap()),
        };
        run("6-64-8-4", both).all::<6, Small>(Loss::SoftmaxCrossEntropy);
        run("13-50-1", both).all::<13, Table>(Loss::SquaredError);
        run("13-50-1", [1.0, 0.8]).all::<13, Table>(Loss::SquaredError);
        run("30-64-64-1", both).all::<30, Medical>(Loss::BinaryCrossEntropy);
        run("100-128-128-10", both).all::<100, Larger>(Loss::SoftmaxCrossEntropy);
    }
}

/// A network on an instruction set.
struct Case<'a> {
    name: String,
    wanted: &'a str,
    isa: Isa,
    keeps: [Keep; 2],
}

/// Normal inputs, and the targets of the rows.
struct Data<const K: usize> {
    x: Vec<[f32; K]>,
    targets: Vec<f32>,
    classes: Vec<u32>,
}

impl<const K: usize> Data<K> {
    fn random(loss: Loss, outputs: usize) -> Self {
        let mut rng = Streams::new(SEED, Domain::Other, 0, 0).rng(0);
        let mut x = vec![[0.0; K]; ROWS];
        for (x, z) in x.as_flattened_mut().iter_mut().zip(scalar::normals(&mut rng, ROWS * K)) {
            *x = z;
        }
        let classes: Vec<u32> =
            (0..ROWS).map(|_| (rng.next_u64() % outputs.max(2) as u64) as u32).collect();
        let value = |(x, &class): (&[f32; K], &u32)| match loss {
            Loss::SquaredError => x[0] + class as f32,
            _ => class as f32,
        };
        let targets = x.iter().zip(&classes).map(value).collect();
        Self { x, targets, classes }
    }

    fn view(&self) -> MatrixView<'_> {
        MatrixView::new(self.x.as_flattened(), ROWS, K).unwrap()
    }

    /// The next batch, again and again.
    fn batch(&self, step: u64) -> std::ops::Range<usize> {
        let first = step as usize * BATCH % ROWS;
        first..first + BATCH
    }

    fn targets(&self, loss: Loss, rows: std::ops::Range<usize>) -> Targets<'_> {
        let values = MatrixView::new(&self.targets[rows.clone()], BATCH, 1).unwrap();
        match loss {
            Loss::SoftmaxCrossEntropy => Targets::Classes(&self.classes[rows]),
            Loss::BinaryCrossEntropy => Targets::Binary(values),
            _ => Targets::Values(values),
        }
    }
}

/// The sites of a network, with masks for some rows.
fn sites(mlp: &Mlp, rows: usize) -> Vec<Site> {
    let site = |(keep, width): (Keep, usize)| {
        let mask = || Bits::Mask(Mask::ones(rows, width).unwrap());
        Site { bits: if keep == Keep::ONE { Bits::All } else { mask() }, keep }
    };
    mlp.keeps().into_iter().zip(mlp.widths()).map(site).collect()
}

/// Draws the masks of a step or a sample.
fn draw(isa: Isa, domain: Domain, step: u64, rows: usize, sites: &mut [Site]) {
    for (number, site) in sites.iter_mut().enumerate() {
        if let Bits::Mask(mask) = &mut site.bits {
            let streams = Streams::new(SEED, domain, number as u64, step);
            let spec = MaskSpec::new(site.keep, streams).with_isa(isa).unwrap();
            mask.redraw(spec, rows).unwrap();
        }
    }
}

/// The same from one generator for all samples.
fn draw_own(rng: &mut Xoshiro256PlusPlus, sites: &mut [Site]) {
    for site in sites {
        if let Bits::Own(words) = &mut site.bits {
            let drawn = scalar::words(site.keep, rng, 64 * words.len());
            words.iter_mut().zip(drawn).for_each(|(to, word)| *to = word);
        }
    }
}

fn near(what: &str, ours: &[f64], plain: &[f64]) {
    assert_eq!(ours.len(), plain.len(), "{what}");
    let largest = plain.iter().fold(1e-3, |most: f64, x| most.max(x.abs()));
    for (ours, plain) in ours.iter().zip(plain) {
        let off = (ours - plain).abs();
        assert!(off <= TOLERANCE * largest, "{what}: thinnet {ours}, the plain loop {plain}");
    }
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().copied().map(f64::from).collect()
}

impl Case<'_> {
    /// Compares and times all that the network is for.
    fn all<const K: usize, A: Layers<K>>(self, loss: Loss) {
        let widths: Vec<usize> = A::widths();
        let (&outputs, hidden) = widths.split_last().unwrap();
        let [input, keep] = self.keeps;
        let mut mlp = Mlp::builder(K).input_noise(input);
        for &width in hidden {
            mlp = mlp.hidden(width, Activation::Relu, keep);
        }
        let mlp = mlp.output(outputs, loss).seed(SEED).build().unwrap();
        let data = Data::<K>::random(loss, outputs);
        self.step::<K, A>(&mlp, &data);
        self.predict::<K, A>(&mlp, &data);
        self.samples::<K, A>(&mlp, &data);
    }

    /// The network as plain loops.
    fn plain<const K: usize, A: Layers<K>>(mlp: &Mlp) -> Box<A> {
        let parameters = |layer| (mlp.weights(layer).unwrap(), mlp.bias(layer).unwrap().to_vec());
        Box::new(A::new(&mut (0..mlp.depth()).map(parameters)))
    }

    fn step<const K: usize, A: Layers<K>>(&self, mlp: &Mlp, data: &Data<K>) {
        let isa = self.isa;
        let sgd = thinnet::train::Sgd::new(Schedule::constant(RATE));
        let sgd = sgd.momentum(Schedule::constant(MOMENTUM));
        let trainer = Trainer::builder(mlp.try_clone().unwrap(), sgd, BATCH).seed(SEED);
        let trainer = trainer.max_norm(MaxNorm::Paper(NORM)).with_isa(isa).unwrap();
        let mut trainer = trainer.build().unwrap();
        let mut ours = |step: u64| {
            let rows = data.batch(step);
            let batch = Batch::dense(data.view().subrows(rows.clone()).unwrap());
            trainer.step(&batch, data.targets(mlp.loss(), rows)).unwrap()
        };

        let mut layers = Self::plain::<K, A>(mlp);
        let sgd = |keep: Keep| Sgd {
            learning_rate: RATE as f32,
            momentum: MOMENTUM as f32,
            max_norm: Some((NORM * keep.get()) as f32),
        };
        let sgd: Vec<Sgd> = mlp.keeps().into_iter().map(sgd).collect();
        let mut sites = sites(mlp, BATCH);
        let mut plain = |step: u64| {
            draw(isa, Domain::Training, step, BATCH, &mut sites);
            let rows = data.batch(step);
            let (x, targets) = (&data.x[rows.clone()], &data.targets[rows]);
            on(isa, Step { layers: &mut *layers, x, targets, sites: &sites, sgd: &sgd })
        };

        let name = format!("{}, step on {BATCH} rows", self.name);
        for step in 0..COMPARED {
            near(&name, &[ours(step).into()], &[plain(step).into()]);
        }
        let next = COMPARED..;
        let (mut ours_next, mut plain_next) = (next.clone(), next);
        self.compare(
            &name,
            || ours_next.next().map(&mut ours),
            || plain_next.next().map(&mut plain),
        );
    }

    fn predict<const K: usize, A: Layers<K>>(&self, mlp: &Mlp, data: &Data<K>) {
        let isa = self.isa;
        let predictor = Predictor::new(mlp).with_isa(isa).unwrap();
        let mut workspace = predictor.workspace(1).unwrap();
        let mut ours = |row: usize, to: &mut [f32]| {
            let batch = Batch::dense(data.view().subrows(row..row + 1).unwrap());
            let predictions = predictor.predict(&batch, &mut workspace).unwrap();
            to.copy_from_slice(predictions.row(0).unwrap());
        };
        let layers = Self::plain::<K, A>(mlp);
        let plain = |row: usize, to: &mut [f32]| {
            let predictions = on(isa, Predict { layers: &*layers, x: &data.x[row] });
            to.copy_from_slice(predictions.as_ref());
        };

        let name = format!("{}, one row", self.name);
        let [mut y, mut plain_y] = [0; 2].map(|_| vec![0.0; mlp.outputs()]);
        for row in 0..ROWS {
            ours(row, &mut y);
            plain(row, &mut plain_y);
            near(&name, &wide(&y), &wide(&plain_y));
        }
        let (mut ours_row, mut plain_row) = ((0..ROWS).cycle(), (0..ROWS).cycle());
        self.compare(
            &name,
            || {
                ours(ours_row.next().unwrap(), &mut y);
                black_box(&y);
            },
            || {
                plain(plain_row.next().unwrap(), &mut plain_y);
                black_box(&plain_y);
            },
        );
    }

    fn samples<const K: usize, A: Layers<K>>(&self, mlp: &Mlp, data: &Data<K>) {
        let isa = self.isa;
        let predictor = Predictor::new(mlp).with_isa(isa).unwrap();
        let mut workspace = predictor.workspace(1).unwrap();
        let settings = MonteCarlo::new(SAMPLES).unwrap();
        let mut ours = || {
            let batch = Batch::dense(data.view().subrows(0..1).unwrap());
            let seeds = Seeds::Each(&[SEED]);
            let answers = predictor.monte_carlo(&batch, &settings, seeds, &mut workspace).unwrap();
            let answer = answers.row(0).unwrap();
            [answer.mean().to_vec(), answer.variance().unwrap().to_vec()]
        };
        let layers = Self::plain::<K, A>(mlp);
        let plain = |sites: &mut [Site], draw: &mut dyn FnMut(&mut [Site], u64)| {
            let (layers, x) = (&*layers, &data.x[0]);
            on(isa, Samples { layers, x, samples: SAMPLES, sites, draw })
        };
        let name = format!("{}, {SAMPLES} samples", self.name);
        let mut same = sites(mlp, 1);
        let draw_same = &mut |sites: &mut [Site], sample| {
            draw(isa, Domain::Prediction, sample, 1, sites);
        };
        let [mean, variance] = ours();
        let [plain_mean, plain_variance] = plain(&mut same, draw_same);
        near(&name, &mean, &plain_mean);
        near(&name, &variance, &plain_variance);
        self.compare(&name, &mut ours, || plain(&mut same, draw_same));

        let mut own = sites(mlp, 1);
        for (site, width) in own.iter_mut().zip(mlp.widths()) {
            if site.keep != Keep::ONE {
                site.bits = Bits::Own(vec![0; width.div_ceil(64)]);
            }
        }
        let mut rng = Streams::new(SEED, Domain::Other, 0, 0).rng(1);
        let draw_own = &mut |sites: &mut [Site], _| draw_own(&mut rng, sites);
        self.compare(&format!("{name}, own bits"), &mut ours, || plain(&mut own, draw_own));
    }

    /// Times both in turns if the case is wanted, and prints the medians of their times and of the turns' ratios.
    fn compare<T, U>(&self, name: &str, mut ours: impl FnMut() -> T, mut plain: impl FnMut() -> U) {
        if !name.contains(self.wanted) {
            return;
        }
        let once = seconds(20, &mut ours).max(seconds(20, &mut plain));
        let calls = ((TURN / once) as u32).max(1);
        let mut turns: Vec<[f64; 3]> = (0..TURNS)
            .map(|turn| {
                // Either is first in half of the turns.
                let (ours, plain) = if turn % 2 == 0 {
                    let ours = seconds(calls, &mut ours);
                    (ours, seconds(calls, &mut plain))
                } else {
                    let plain = seconds(calls, &mut plain);
                    (seconds(calls, &mut ours), plain)
                };
                [ours, plain, ours / plain]
            })
            .collect();
        let mut quartile = |column: usize, of_four: usize| {
            turns.sort_unstable_by(|a, b| f64::total_cmp(&a[column], &b[column]));
            turns[of_four * (TURNS - 1) / 4][column]
        };
        let [ours, plain] = [0, 1].map(|column| 1e6 * quartile(column, 2));
        let [low, middle, high] = [1, 2, 3].map(|of_four| quartile(2, of_four));
        println!("{name:52} {ours:8.2} {plain:8.2}   {middle:.2} ({low:.2} to {high:.2})");
    }
}

/// The seconds of one of some calls.
fn seconds<T>(calls: u32, call: &mut impl FnMut() -> T) -> f64 {
    let before = Instant::now();
    for _ in 0..calls {
        black_box(call());
    }
    before.elapsed().as_secs_f64() / f64::from(calls)
}
