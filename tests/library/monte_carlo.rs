//! Monte-Carlo prediction against the thinned networks themselves, one by one
//! and in f64, and against networks with the same Gaussian noise.

use thinnet::{
    Isa, Keep, Noise, Sigma,
    data::Batch,
    mask::{Domain, Mask, MaskSpec, Streams, request_seed, scalar},
    nn::{Activation, Ensemble, Loss, Mlp, PlainNetwork, PredictionKind, ThinnedNetwork},
    predict::{Estimate, MonteCarlo, Predictor, Seeds, TargetNoise},
    tensor::MatrixView,
};

use crate::backend::isa;

/// Sums of some hundred f32 products against f64.
const ROUNDING: f64 = 2e-5;

fn keep(rate: f64) -> Keep {
    Keep::new(rate).unwrap()
}

fn kept(rate: f64) -> Noise {
    keep(rate).into()
}

fn gaussian(sigma: f64) -> Noise {
    Sigma::new(sigma).unwrap().into()
}

/// Networks in which the first mask or noise comes at the input, at a sparse input or at a hidden
/// layer.
fn networks(loss: Loss) -> Vec<Mlp> {
    let build = |input: Noise, sparse: bool, hidden: [Noise; 2]| {
        let mut builder = Mlp::builder(100)
            .input_noise(input)
            .hidden(130, Activation::Relu, hidden[0])
            .hidden(70, Activation::Tanh, hidden[1])
            .output(3 * loss.outputs_per_target(), loss)
            .seed(4);
        if sparse {
            builder = builder.sparse_input();
        }
        builder.build().unwrap()
    };
    let maxout = |input: Noise, hidden: [Noise; 2]| {
        let builder = Mlp::builder(100)
            .input_noise(input)
            .hidden_maxout(130, 3, hidden[0])
            .hidden_maxout(70, 2, hidden[1]);
        builder.output(3 * loss.outputs_per_target(), loss).seed(4).build().unwrap()
    };
    vec![
        build(kept(0.8), false, [kept(0.5), kept(0.75)]),
        build(kept(0.8), true, [kept(0.5), Noise::None]),
        build(Noise::None, false, [kept(0.5), kept(0.7)]),
        build(Noise::None, false, [Noise::None, kept(0.6)]),
        build(gaussian(0.5), false, [gaussian(1.0), gaussian(0.3)]),
        build(kept(0.8), true, [gaussian(0.7), kept(0.75)]),
        build(Noise::None, false, [gaussian(0.4), Noise::None]),
        maxout(Noise::None, [kept(0.5), kept(0.7)]),
        maxout(kept(0.8), [gaussian(0.7), kept(0.75)]),
    ]
}

/// Rows of which a third is 0.
fn rows(count: usize) -> Vec<f32> {
    (0..count * 100).map(|i| if i % 3 == 0 { 0.0 } else { (i as f32 * 0.7).sin() }).collect()
}

fn view(x: &[f32]) -> Batch<'_> {
    Batch::dense(MatrixView::new(x, x.len() / 100, 100).unwrap())
}

/// What the network of sample `number` predicts, with the noise of every site from its definition.
fn sample(mlp: &Mlp, seed: u64, number: u64, x: &[f32]) -> Vec<f64> {
    let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
    let streams = |site: usize| Streams::new(seed, Domain::Prediction, site as u64, number);
    let is_gaussian = |noise: &Noise| matches!(noise, Noise::Gaussian(_));
    if mlp.noises().iter().any(is_gaussian) {
        let factors: Vec<Vec<f64>> = (0..mlp.depth())
            .map(|site| {
                let (mut rng, width, hash) =
                    (streams(site).rng(0), mlp.widths()[site], streams(site).hash(0));
                match mlp.noises()[site] {
                    Noise::Gaussian(sigma) => {
                        let normals = scalar::normals(&mut rng, width);
                        normals.map(|z| f64::from(1.0 + sigma.get() * z)).collect()
                    }
                    noise => {
                        let keep = noise.keep();
                        let words: Vec<u64> = scalar::words(keep, &mut rng, width).collect();
                        let kept = |unit: usize| match site == 0 && mlp.sparse_input() {
                            true => scalar::kept_at(keep, hash, unit as u64),
                            false => words[unit / 64] >> (unit % 64) & 1 == 1,
                        };
                        let factor = |unit| if kept(unit) { keep.scale().into() } else { 0.0 };
                        (0..width).map(factor).collect()
                    }
                }
            })
            .collect();
        let plain = PlainNetwork::from(mlp);
        let z = plain.logits_scaled(&x, |site, unit| factors[site][unit]).unwrap();
        return mlp.loss().link(&z);
    }
    let masks =
        mlp.keeps().into_iter().zip(mlp.widths()).enumerate().map(|(site, (keep, width))| {
            let streams = streams(site);
            let spec = MaskSpec::new(keep, streams).with_isa(isa()).unwrap();
            let sparse = site == 0 && mlp.sparse_input();
            if sparse { Mask::draw_sparse(spec, 1, width) } else { Mask::draw(spec, 1, width) }
                .unwrap()
        });
    let thinned = ThinnedNetwork::from_masks(mlp, masks.collect()).unwrap();
    thinned.predict(&x).unwrap()
}

fn close(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() <= ROUNDING * want.abs().max(1.0), "{what}: {got}, not {want}");
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn entropy(loss: Loss, p: &[f64]) -> Option<f64> {
    let term = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    match loss {
        Loss::SoftmaxCrossEntropy => Some(p.iter().map(|&p| term(p)).sum()),
        Loss::BinaryCrossEntropy => Some(p.iter().map(|&p| term(p) + term(1.0 - p)).sum()),
        _ => None,
    }
}

#[test]
fn estimates_are_those_of_the_thinned_networks_that_the_seed_names() {
    const SAMPLES: usize = 37;
    let x = rows(5);
    for &loss in Loss::ALL {
        for mlp in networks(loss) {
            let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
            let mut workspace = predictor.workspace(5).unwrap();
            let settings = MonteCarlo::new(SAMPLES).unwrap().keep_samples();
            let seeds = Seeds::Numbered { base: 9, ids: &[3, 1, 4, 1, 5] };
            let answers =
                predictor.monte_carlo(&view(&x), &settings, seeds, &mut workspace).unwrap();
            assert_eq!(answers.rows(), 5);
            for (row, (answer, id)) in answers.iter().zip([3, 1, 4, 1, 5]).enumerate() {
                let x = &x[row * 100..][..100];
                let seed = request_seed(9, id);
                let said: Vec<_> = (0..SAMPLES as u64).map(|s| sample(&mlp, seed, s, x)).collect();
                assert_eq!(answer.samples(), Some(SAMPLES));
                for output in 0..3 {
                    let of_output = || said.iter().map(|y| y[output]);
                    let m = mean(of_output());
                    close(answer.mean()[output], m, "mean");
                    let variance = mean(of_output().map(|y| (y - m) * (y - m)));
                    let variance = variance * SAMPLES as f64 / (SAMPLES - 1) as f64;
                    close(answer.variance().unwrap()[output], variance, "variance");
                    let [low, high] = answer.interval(output, 2.0).unwrap();
                    close(high - low, 4.0 * answer.variance().unwrap()[output].sqrt(), "interval");
                    let mut sorted: Vec<f64> = of_output().collect();
                    sorted.sort_by(f64::total_cmp);
                    // 9 / 36 of the way.
                    close(answer.quantile(output, 0.25).unwrap(), sorted[9], "quartile");
                    close(answer.quantile(output, 0.0).unwrap(), sorted[0], "least");
                    close(answer.quantile(output, 1.0).unwrap(), sorted[36], "most");
                    for (number, y) in said.iter().enumerate() {
                        let sample = answer.sample(number).unwrap();
                        close(sample[output].into(), y[output], "sample");
                    }
                    let between = sorted[0] + 0.5 * (sorted[1] - sorted[0]);
                    let part = 0.5 / 36.0;
                    close(answer.quantile(output, part).unwrap(), between, "between");
                }
                if loss.prediction_kind() == PredictionKind::Normals {
                    let t = [0.5, -0.25, 1.0];
                    let density = |y: &Vec<f64>| -> f64 {
                        let normal = |d: usize| {
                            let (distance, v) = (t[d] - y[d], y[3 + d]);
                            (-0.5 * distance * distance / v).exp()
                                / (std::f64::consts::TAU * v).sqrt()
                        };
                        (0..3).map(normal).product()
                    };
                    for target in 0..3 {
                        let noise = mean(said.iter().map(|y| y[3 + target]));
                        close(answer.noise_variance().unwrap()[target], noise, "noise");
                        let total = answer.variance().unwrap()[target] + noise;
                        close(answer.total_variance(target).unwrap(), total, "total variance");
                    }
                    let want = mean(said.iter().map(density)).ln();
                    let t = t.map(|t| t as f32);
                    let got = answer.log_likelihood(&t, TargetNoise::Learned).unwrap();
                    close(got, want, "log-likelihood");
                }
                let Some(whole) = entropy(loss, answer.mean()) else {
                    assert_eq!((answer.entropy(), answer.expected_entropy()), (None, None));
                    assert_eq!(answer.mutual_information(), None);
                    continue;
                };
                let own = mean(said.iter().map(|y| entropy(loss, y).unwrap()));
                close(answer.entropy().unwrap(), whole, "entropy");
                close(answer.expected_entropy().unwrap(), own, "expected entropy");
                close(answer.mutual_information().unwrap(), whole - own, "mutual information");
            }
        }
    }
}

/// All of an answer, bit for bit.
fn bits(answer: &Estimate<'_>) -> Vec<u64> {
    let numbers = answer.mean().iter().chain(answer.variance().unwrap()).copied();
    let entropies = [answer.entropy(), answer.expected_entropy()].map(|h| h.unwrap_or(-1.0));
    numbers
        .chain(entropies)
        .map(f64::to_bits)
        .chain([answer.samples().unwrap() as u64, answer.class().unwrap() as u64])
        .collect()
}

/// More than a pass of 128 rows, in other orders, with other threads.
#[test]
fn an_answer_does_not_depend_on_the_batch_that_it_is_in() {
    let x = rows(40);
    let ids: Vec<u64> = (0..40).map(|i| i * 7).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for mlp in networks(Loss::SoftmaxCrossEntropy) {
        for settings in
            [MonteCarlo::new(21).unwrap(), MonteCarlo::new(100).unwrap().tolerance(0.02).unwrap()]
        {
            let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
            let together = || {
                let mut workspace = predictor.workspace(40).unwrap();
                let seeds = Seeds::Numbered { base: 1, ids: &ids };
                let all = predictor.monte_carlo(&view(&x), &settings, seeds, &mut workspace);
                all.unwrap().iter().map(|answer| bits(&answer)).collect::<Vec<_>>()
            };
            let want = together();
            assert_eq!(pool.install(together), want, "in a pool");
            let mut workspace = predictor.workspace(1).unwrap();
            for (row, want) in want.iter().enumerate() {
                let seeds = [request_seed(1, ids[row])];
                let alone = view(&x[row * 100..][..100]);
                let alone = predictor
                    .monte_carlo(&alone, &settings, Seeds::Each(&seeds), &mut workspace)
                    .unwrap();
                assert_eq!(bits(&alone.row(0).unwrap()), *want, "row {row} alone");
            }
        }
    }
}

#[test]
fn a_tolerance_ends_the_sampling_where_the_mean_is_known_well_enough() {
    let x = rows(8);
    let mlp = &networks(Loss::SoftmaxCrossEntropy)[0];
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(8).unwrap();
    let seeds = Seeds::Each(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let settings = MonteCarlo::new(200).unwrap().tolerance(0.02).unwrap();
    let error = |answer: &Estimate<'_>| {
        let n = answer.samples().unwrap() as f64;
        let bound = |v: &f64| (v * (n - 1.0) + 2.0).sqrt() / n;
        answer.variance().unwrap().iter().map(bound).fold(0.0, f64::max)
    };
    let answers = predictor.monte_carlo(&view(&x), &settings, seeds, &mut workspace).unwrap();
    let used: Vec<usize> = answers.iter().map(|answer| answer.samples().unwrap()).collect();
    let all: Vec<_> = answers.iter().map(|answer| bits(&answer)).collect();
    for answer in answers.iter() {
        let n = answer.samples().unwrap();
        assert!(n == 200 || n % 16 == 0 && error(&answer) <= 0.02);
    }
    let distinct: std::collections::BTreeSet<_> = used.iter().collect();
    assert!(distinct.len() > 1 && used.iter().any(|&n| n < 200), "{used:?}");
    for (row, &n) in used.iter().enumerate() {
        let fixed = MonteCarlo::new(n).unwrap();
        let answers = predictor.monte_carlo(&view(&x), &fixed, seeds, &mut workspace).unwrap();
        assert_eq!(bits(&answers.row(row).unwrap()), all[row], "{n} samples without a tolerance");
        if n > 16 {
            let fewer = MonteCarlo::new(n - n % 16 - if n % 16 == 0 { 16 } else { 0 }).unwrap();
            let answers = predictor.monte_carlo(&view(&x), &fewer, seeds, &mut workspace).unwrap();
            assert!(error(&answers.row(row).unwrap()) > 0.02, "{n} samples: one round too many");
        }
    }
}

/// With the true mean and variance of all 2^12 thinned networks known, the mean
/// of n samples is off by more than 5 standard errors with probability below 6e-7
/// for each of 6 outputs; the seeds are fixed.
#[test]
fn the_mean_tends_to_that_of_all_thinned_networks() {
    let mlp = Mlp::builder(4)
        .input_noise(keep(0.8))
        .hidden(8, Activation::Relu, Keep::HALF)
        .output(3, Loss::SoftmaxCrossEntropy)
        .seed(3)
        .build()
        .unwrap();
    let x = [0.9f32, -0.4, 0.3, 1.2, 0.1, 0.6, -1.0, 0.5];
    let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(2).unwrap();
    let settings = MonteCarlo::new(20_000).unwrap();
    let batch = Batch::dense(MatrixView::new(&x, 2, 4).unwrap());
    let answers =
        predictor.monte_carlo(&batch, &settings, Seeds::Each(&[1, 2]), &mut workspace).unwrap();
    let ensemble = Ensemble::enumerate(&mlp).unwrap();
    for (answer, x) in answers.iter().zip(x.chunks(4)) {
        let x: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let want = ensemble.mean(&x).unwrap();
        for ((got, want), variance) in
            answer.mean().iter().zip(want).zip(answer.variance().unwrap())
        {
            let error = (variance / 20_000.0).sqrt();
            assert!((got - want).abs() < 5.0 * error + 1e-6, "{got}, not {want} ± {error}");
        }
    }
}

#[test]
fn a_network_without_dropout_is_sampled_once() {
    let mlp = Mlp::builder(100)
        .hidden(70, Activation::Relu, Keep::ONE)
        .output(3, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    let x = rows(2);
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(2).unwrap();
    let want = predictor.predict(&view(&x), &mut workspace).unwrap().row(1).unwrap().to_vec();
    let settings = MonteCarlo::new(50).unwrap();
    let seeds = Seeds::Each(&[1, 2]);
    let answers = predictor.monte_carlo(&view(&x), &settings, seeds, &mut workspace).unwrap();
    let answer = answers.row(1).unwrap();
    assert_eq!((answer.samples(), answer.variance()), (Some(1), Some(&[0.0; 3][..])));
    assert_eq!(answer.mean(), want.iter().map(|&y| f64::from(y)).collect::<Vec<_>>());
}

/// The same workspace with other rates and a sparse input, and other settings.
#[test]
fn a_workspace_serves_every_network_of_its_shape() {
    let x = rows(3);
    let networks = networks(Loss::SoftmaxCrossEntropy);
    let seeds = Seeds::Each(&[1, 2, 3]);
    for of_shape in networks.chunk_by(|a, b| a.pieces() == b.pieces()) {
        let mut shared = Predictor::new(&of_shape[of_shape.len() / 2]).workspace(3).unwrap();
        for mlp in of_shape.iter().chain(of_shape) {
            let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
            let some = MonteCarlo::new(5).unwrap().keep_samples();
            for settings in [MonteCarlo::new(70).unwrap(), some] {
                let mut own = predictor.workspace(3).unwrap();
                let want = predictor.monte_carlo(&view(&x), &settings, seeds, &mut own).unwrap();
                let got = predictor.monte_carlo(&view(&x), &settings, seeds, &mut shared).unwrap();
                for (got, want) in got.iter().zip(want.iter()) {
                    assert_eq!(bits(&got), bits(&want));
                    assert_eq!(got.quantile(1, 0.3).ok(), want.quantile(1, 0.3).ok());
                }
            }
        }
    }
    let mut shared = Predictor::new(&networks[3]).workspace(3).unwrap();
    let other = Mlp::builder(100).output(3, Loss::SoftmaxCrossEntropy).build().unwrap();
    let refused = Predictor::new(other).monte_carlo(
        &view(&x),
        &MonteCarlo::new(5).unwrap(),
        seeds,
        &mut shared,
    );
    assert!(refused.unwrap_err().to_string().contains("workspace"), "another shape");
}

#[test]
fn every_backend_samples_the_same_networks() {
    let x = rows(2);
    let mlp = &networks(Loss::SoftmaxCrossEntropy)[0];
    let settings = MonteCarlo::new(30).unwrap();
    let mut all = Vec::new();
    for isa in Isa::available() {
        let predictor = Predictor::new(mlp).with_isa(isa).unwrap();
        let mut workspace = predictor.workspace(2).unwrap();
        let seeds = Seeds::Each(&[5, 6]);
        let answers = predictor.monte_carlo(&view(&x), &settings, seeds, &mut workspace).unwrap();
        all.push(answers.row(1).unwrap().mean().to_vec());
    }
    for other in &all {
        for (a, b) in other.iter().zip(&all[0]) {
            close(*a, *b, "mean");
        }
    }
}

#[test]
fn impossible_requests_are_refused_by_name() {
    let refused = |result: Result<MonteCarlo, thinnet::Error>, message: &str| {
        assert_eq!(result.unwrap_err().to_string(), message);
    };
    refused(MonteCarlo::new(0), "samples: expected at least one, got 0");
    let finite = "expected a finite number of at least 0";
    let settings = MonteCarlo::new(10).unwrap();
    refused(settings.tolerance(-1.0), &format!("tolerance: {finite}, got -1.0"));
    refused(settings.tolerance(f64::NAN), &format!("tolerance: {finite}, got NaN"));
    refused(settings.tolerance(f64::INFINITY), &format!("tolerance: {finite}, got inf"));

    let x = rows(2);
    let mlp = &networks(Loss::SoftmaxCrossEntropy)[0];
    let predictor = Predictor::new(mlp);
    let mut workspace = predictor.workspace(2).unwrap();
    let mut ask = |x: &[f32], settings: &MonteCarlo, seeds: Seeds<'_>| {
        let answers = predictor.monte_carlo(&view(x), settings, seeds, &mut workspace);
        answers.map(|answers| answers.rows()).unwrap_err().to_string()
    };
    assert_eq!(
        ask(&x, &settings, Seeds::Each(&[1])),
        "seeds for the rows of a batch: expected 2, got 1"
    );
    let numbered = Seeds::Numbered { base: 1, ids: &[1, 2, 3] };
    assert_eq!(ask(&x, &settings, numbered), "ids for the rows of a batch: expected 2, got 3");
    assert_eq!(
        ask(&rows(3), &settings, Seeds::Each(&[1, 2, 3])),
        "rows of a batch: expected at most 2, got 3"
    );
    let mut bad = x.clone();
    bad[101] = f32::NAN;
    assert!(ask(&bad, &settings, Seeds::Each(&[1, 2])).contains("row 1, column 1"));
    let huge = MonteCarlo::new(usize::MAX / 2).unwrap().keep_samples();
    assert!(ask(&x, &huge, Seeds::Each(&[1, 2])).contains("not enough memory"));

    let seeds = Seeds::Each(&[1, 2]);
    let answers = predictor.monte_carlo(&view(&x), &settings, seeds, &mut workspace).unwrap();
    let answer = answers.row(1).unwrap();
    let message = |result: Result<f64, thinnet::Error>| result.unwrap_err().to_string();
    assert_eq!(message(answer.quantile(3, 0.5)), "output: expected an index below 3, got 3");
    assert!(message(answer.quantile(0, 0.5)).contains("not kept"));
    assert!(
        message(answer.quantile(0, 1.5))
            .contains("quantile q: expected a number from 0 to 1, got 1.5")
    );
    assert!(answers.row(2).is_err() && answer.interval(3, 1.0).is_err());
}

#[test]
fn an_empty_batch_has_no_answers() {
    let predictor = Predictor::new(networks(Loss::SoftmaxCrossEntropy).remove(0));
    let mut workspace = predictor.workspace(2).unwrap();
    let settings = MonteCarlo::new(10).unwrap();
    let answers =
        predictor.monte_carlo(&view(&[]), &settings, Seeds::Each(&[]), &mut workspace).unwrap();
    assert_eq!(answers.rows(), 0);
}

/// An input of 1 that drops with probability `rate` and a linear output of weight `size`
/// beside a second output that never moves.
fn flipping(rate: f64, loss: Loss, size: f32) -> Mlp {
    let mut mlp = Mlp::builder(1).input_noise(keep(rate)).output(2, loss).build().unwrap();
    mlp.set_weights(0, &[size, 0.0]).unwrap();
    mlp
}

/// Rows whose class flips with 2 to 50 %: the means that an early stop gives are as near
/// to the truth as its tolerance says. Over 400 rows the root mean square error of a
/// sound rule is 1 tolerance, with a relative deviation of 3.5 % where errors are normal
/// and some 10 % where they are rare: 1.3 is 3 of those away. Of the rule without the
/// two unseen samples it is 1.6 at 10 % and 0.03, 3.2 at 5 % and 0.01.
#[test]
fn an_early_stop_is_within_its_tolerance() {
    const ROWS: usize = 400;
    let x = vec![1.0f32; ROWS];
    let ids: Vec<u64> = (0..ROWS as u64).collect();
    let batch = Batch::dense(MatrixView::new(&x, ROWS, 1).unwrap());
    for (rate, tolerance) in
        [(0.02, 0.03), (0.05, 0.03), (0.1, 0.03), (0.5, 0.03), (0.05, 0.01), (0.95, 0.03)]
    {
        // Softmax of [2000, 0] is [1, 0]; of [0, 0] it is [0.5, 0.5]: a step of 0.5. Of a
        // bit it is the same: 1 or 0.5.
        for loss in [Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy] {
            let predictor = Predictor::new(flipping(rate, loss, 2e3)).with_isa(isa()).unwrap();
            let mut workspace = predictor.workspace(ROWS).unwrap();
            let settings = MonteCarlo::new(20_000).unwrap().tolerance(tolerance).unwrap();
            let seeds = Seeds::Numbered { base: 1, ids: &ids };
            let answers = predictor.monte_carlo(&batch, &settings, seeds, &mut workspace).unwrap();
            let want = 0.5 + 0.5 * keep(rate).get();
            let errors = answers.iter().map(|answer| answer.mean()[0] - want);
            let squares: f64 = errors.clone().map(|e| e * e).sum();
            let rms = (squares / ROWS as f64).sqrt() / tolerance;
            let near = errors.filter(|e| e.abs() <= 2.0 * tolerance).count();
            assert!(rms < 1.3, "{loss} {rate}: rms error of {rms} tolerances");
            assert!(near * 100 >= ROWS * 90, "{loss} {rate}: {near} rows of {ROWS}");
            let least = answers.iter().filter_map(|answer| answer.samples()).min().unwrap();
            assert!(least as f64 >= 2f64.sqrt() / tolerance, "{least} samples");
        }
    }
}

/// A value that flips between 0 and 1000 with 5 %: rows that end early have seen it, and
/// one that never moves does not end early.
#[test]
fn equal_values_do_not_end_a_row_early() {
    const ROWS: usize = 200;
    let x = vec![1.0f32; ROWS];
    let ids: Vec<u64> = (0..ROWS as u64).collect();
    let batch = Batch::dense(MatrixView::new(&x, ROWS, 1).unwrap());
    let settings = MonteCarlo::new(640).unwrap().tolerance(20.0).unwrap();
    let seeds = Seeds::Numbered { base: 1, ids: &ids };
    // The second output never moves.
    let predictor = Predictor::new(flipping(0.05, Loss::SquaredError, 50.0));
    let mut workspace = predictor.workspace(ROWS).unwrap();
    let answers = predictor.monte_carlo(&batch, &settings, seeds, &mut workspace).unwrap();
    assert!(answers.iter().all(|answer| answer.samples() == Some(640)));

    let mut mlp = flipping(0.05, Loss::SquaredError, 50.0);
    mlp.set_weights(0, &[50.0, 50.0]).unwrap();
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let answers = predictor.monte_carlo(&batch, &settings, seeds, &mut workspace).unwrap();
    let used = || answers.iter().map(|answer| answer.samples().unwrap());
    assert!(used().min() >= Some(64) && used().any(|n| n < 640));
    assert!(answers.iter().all(|answer| answer.variance().unwrap()[0] > 0.0));
}
