//! Moment propagation against its formulas in f64, against what is exact, and
//! against Monte-Carlo.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};
use thinnet::{
    Keep,
    data::{Batch, Dataset, Split},
    nn::{Activation, Loss, Mlp, Slope, Targets},
    predict::{MonteCarlo, Predictor, Seeds},
    tensor::MatrixView,
    train::{Schedule, Sgd, Trainer},
};

use crate::backend::isa;

/// Sums of some hundred f32 products, and the normal integral, against f64.
const ROUNDING: f64 = 5e-5;

fn keep(rate: f64) -> Keep {
    Keep::new(rate).unwrap()
}

/// 5 Gauss-Hermite points and their weights, for the standard normal density.
const POINTS: [(f64, f64); 5] = [
    (-2.856970013872806, 0.01125741132772069),
    (-1.355626179974266, 0.22207592200561264),
    (0.0, 0.5333333333333333),
    (1.355626179974266, 0.22207592200561264),
    (2.856970013872806, 0.01125741132772069),
];

/// Mean and variance of f of a normal number.
fn quadrature(f: impl Fn(f64) -> f64, mean: f64, variance: f64) -> (f64, f64) {
    let y = |point: f64| f(mean + variance.sqrt() * point);
    let first: f64 = POINTS.iter().map(|&(point, weight)| weight * y(point)).sum();
    let spread = POINTS.iter().map(|&(point, weight)| weight * (y(point) - first).powi(2));
    (first, spread.sum())
}

fn activated(activation: Activation, mean: f64, variance: f64) -> (f64, f64) {
    match activation {
        Activation::Relu if variance == 0.0 => (mean.max(0.0), 0.0),
        Activation::Relu => {
            let (normal, deviation) = (Normal::standard(), variance.sqrt());
            let a = mean / deviation;
            let (above, density) = (normal.cdf(a), normal.pdf(a));
            let first = mean * above + deviation * density;
            let second = (mean * mean + variance) * above + mean * deviation * density;
            (first, second - first * first)
        }
        Activation::Identity => (mean, variance),
        Activation::LeakyRelu(slope) => {
            let a = f64::from(slope.get());
            let (first, spread) = activated(Activation::Relu, mean, variance);
            let above = match variance {
                0.0 => f64::from(u8::from(mean > 0.0)),
                _ => Normal::standard().cdf(mean / variance.sqrt()),
            };
            let both = a * a * variance + (1.0 - a).powi(2) * spread;
            (a * mean + (1.0 - a) * first, both + 2.0 * a * (1.0 - a) * variance * above)
        }
        other => quadrature(|z| other.value(z), mean, variance),
    }
}

/// Mean and variance of each logit, in the plainest loops.
fn twin(mlp: &Mlp, activations: &[Activation], x: &[f32]) -> Vec<(f64, f64)> {
    let mut units: Vec<(f64, f64)> = x.iter().map(|&x| (f64::from(x), 0.0)).collect();
    for layer in 0..mlp.depth() {
        let p = mlp.keeps()[layer].get();
        for (mean, variance) in &mut units {
            *variance = *variance / p + *mean * *mean * (1.0 - p) / p;
        }
        let (w, b) = (mlp.weights(layer).unwrap(), mlp.bias(layer).unwrap());
        let z = w.chunks(units.len()).zip(b).map(|(w, &b)| {
            let both = w.iter().zip(&units);
            both.fold((f64::from(b), 0.0), |(mean, variance), (&w, &(m, v))| {
                (mean + f64::from(w) * m, variance + f64::from(w).powi(2) * v)
            })
        });
        let z: Vec<_> = z.collect();
        units = match activations.get(layer) {
            Some(&f) => {
                z.into_iter().map(|(mean, variance)| activated(f, mean, variance)).collect()
            }
            None => z,
        };
    }
    units
}

fn close(got: f64, want: f64, size: f64, what: &str) {
    assert!((got - want).abs() <= ROUNDING * size, "{what}: {got}, not {want}");
}

/// Rows of which a third is 0.
fn rows(count: usize) -> Vec<f32> {
    (0..count * 100).map(|i| if i % 3 == 0 { 0.0 } else { (i as f32 * 0.7).sin() }).collect()
}

fn view(x: &[f32]) -> Batch<'_> {
    Batch::dense(MatrixView::new(x, x.len() / 100, 100).unwrap())
}

#[test]
fn the_logits_moments_are_those_of_the_formulas() {
    // Few rows and many, more than one part of a pass.
    for count in [1, 20, 150] {
        let x = rows(count);
        for (input, hidden) in [(0.8, [0.5, 0.75]), (1.0, [0.5, 0.7]), (1.0, [1.0, 0.6])] {
            let leaky = |slope: f32| Activation::LeakyRelu(Slope::new(slope).unwrap());
            for activation in Activation::ALL.iter().chain(&[leaky(0.3), leaky(1.5)]) {
                for outputs in [3, 70] {
                    let mlp = Mlp::builder(100)
                        .input_keep(keep(input))
                        .hidden(130, *activation, keep(hidden[0]))
                        .hidden(66, Activation::Relu, keep(hidden[1]))
                        .output(outputs, Loss::SquaredError)
                        .seed(4)
                        .build()
                        .unwrap();
                    let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
                    let mut workspace = predictor.workspace(count).unwrap();
                    let [means, variances] =
                        predictor.logit_moments(&view(&x), &mut workspace).unwrap();
                    for row in [0, count / 2, count - 1] {
                        let want =
                            twin(&mlp, &[*activation, Activation::Relu], &x[row * 100..][..100]);
                        for (output, &(mean, variance)) in want.iter().enumerate() {
                            let got = f64::from(means.row(row).unwrap()[output]);
                            close(got, mean, 1.0 + mean.abs(), "mean");
                            let got = f64::from(variances.row(row).unwrap()[output]);
                            close(got, variance, 1.0 + variance, "variance");
                        }
                    }
                }
            }
        }
    }
}

/// With one hidden layer and dropout on it alone,
/// Var z_j = sum_i W_ji² h_i² (1 - p) / p. Of 4,000 samples the mean is off by more
/// than 5 of its standard errors with probability below 6e-7 an output; their
/// variance, whose own standard error is variance sqrt(2 / n) for the nearly normal
/// sums here, by more than 6 with less. Seeds are fixed.
#[test]
fn with_dropout_below_the_output_alone_they_are_exact() {
    const SAMPLES: usize = 4000;
    let p = 0.6;
    let mlp = Mlp::builder(100)
        .hidden(200, Activation::Relu, keep(p))
        .output(5, Loss::SquaredError)
        .seed(2)
        .build()
        .unwrap();
    let p = keep(p).get();
    let x = rows(4);
    let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(4).unwrap();
    let mut sampling = predictor.workspace(4).unwrap();
    let settings = MonteCarlo::new(SAMPLES).unwrap();
    let seeds = Seeds::Each(&[1, 2, 3, 4]);
    let sampled = predictor.monte_carlo(&view(&x), &settings, seeds, &mut sampling).unwrap();
    let answers = predictor.moments(&view(&x), &mut workspace).unwrap();
    let (w, w_out) = (mlp.weights(0).unwrap(), mlp.weights(1).unwrap());
    let (b, b_out) = (mlp.bias(0).unwrap(), mlp.bias(1).unwrap());
    for (row, (answer, sampled)) in answers.iter().zip(sampled.iter()).enumerate() {
        let x = &x[row * 100..][..100];
        let h = w.chunks(100).zip(b).map(|(w, &b)| {
            let z = w.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).sum::<f64>();
            (z + f64::from(b)).max(0.0)
        });
        let h: Vec<f64> = h.collect();
        assert_eq!((answer.samples(), answer.entropy()), (0, None));
        for (j, (w, &b)) in w_out.chunks(200).zip(b_out).enumerate() {
            let terms = || w.iter().zip(&h).map(|(&w, h)| f64::from(w) * h);
            let mean = f64::from(b) + terms().sum::<f64>();
            let variance: f64 = terms().map(|t| t * t * (1.0 - p) / p).sum();
            close(answer.mean()[j], mean, 1.0, "mean");
            close(answer.variance().unwrap()[j], variance, 1.0, "variance");
            let n = SAMPLES as f64;
            let error = (variance / n).sqrt();
            assert!((sampled.mean()[j] - mean).abs() < 5.0 * error);
            assert!(
                (sampled.variance().unwrap()[j] / variance - 1.0).abs() < 6.0 * (2.0 / n).sqrt()
            );
        }
    }
}

fn softmax(z: &[f64]) -> Vec<f64> {
    Loss::SoftmaxCrossEntropy.link(z)
}

fn entropy(p: &[f64]) -> f64 {
    p.iter().map(|&p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum()
}

fn network(loss: Loss) -> Mlp {
    Mlp::builder(100)
        .input_keep(keep(0.8))
        .hidden(130, Activation::Relu, Keep::HALF)
        .output(7, loss)
        .seed(4)
        .build()
        .unwrap()
}

#[test]
fn class_probabilities_are_those_of_the_cubature_s_points() {
    let x = rows(3);
    let mlp = network(Loss::SoftmaxCrossEntropy);
    let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    let mut others = predictor.workspace(3).unwrap();
    let [means, variances] = predictor.logit_moments(&view(&x), &mut others).unwrap();
    let answers = predictor.moments(&view(&x), &mut workspace).unwrap();
    for (row, answer) in answers.iter().enumerate() {
        let z: Vec<f64> = means.row(row).unwrap().iter().map(|&z| f64::from(z)).collect();
        let mut points = Vec::new();
        for (j, &v) in variances.row(row).unwrap().iter().enumerate() {
            for sign in [-1.0, 1.0] {
                let mut z = z.clone();
                z[j] += sign * (7.0 * f64::from(v)).sqrt();
                points.push(softmax(&z));
            }
        }
        let mean = |f: &dyn Fn(&[f64]) -> f64| {
            points.iter().map(|p| f(p)).sum::<f64>() / points.len() as f64
        };
        for i in 0..7 {
            let m = mean(&|p| p[i]);
            close(answer.mean()[i], m, 1e-4, "mean");
            close(answer.variance().unwrap()[i], mean(&|p| (p[i] - m).powi(2)), 1e-4, "variance");
        }
        assert!((answer.mean().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let own = mean(&entropy);
        close(answer.expected_entropy().unwrap(), own, 1e-4, "expected entropy");
        let disagreement = entropy(answer.mean()) - own;
        close(answer.mutual_information().unwrap(), disagreement, 1e-4, "mutual information");
    }
}

#[test]
fn bits_are_those_of_the_quadrature() {
    let x = rows(2);
    let mlp = network(Loss::BinaryCrossEntropy);
    let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(2).unwrap();
    let mut others = predictor.workspace(2).unwrap();
    let [means, variances] = predictor.logit_moments(&view(&x), &mut others).unwrap();
    let answers = predictor.moments(&view(&x), &mut workspace).unwrap();
    for (row, answer) in answers.iter().enumerate() {
        let mut own = 0.0;
        for i in 0..7 {
            let (z, v) = (means.row(row).unwrap()[i], variances.row(row).unwrap()[i]);
            let (z, v) = (f64::from(z), f64::from(v));
            let logistic = |z: f64| 1.0 / (1.0 + (-z).exp());
            let (mean, variance) = quadrature(logistic, z, v);
            close(answer.mean()[i], mean, 1e-4, "mean");
            close(answer.variance().unwrap()[i], variance, 1e-4, "variance");
            own += quadrature(|z| entropy(&[logistic(z), 1.0 - logistic(z)]), z, v).0;
        }
        close(answer.expected_entropy().unwrap(), own, 1e-4, "expected entropy");
    }
}

/// Nothing is dropped: the moments are those of one network.
#[test]
fn without_dropout_there_is_no_variance() {
    let x = rows(3);
    for &loss in Loss::ALL {
        let mlp = Mlp::builder(100)
            .hidden(70, Activation::Relu, Keep::ALL)
            .hidden(70, Activation::Tanh, Keep::ALL)
            .output(4, loss)
            .build()
            .unwrap();
        let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(3).unwrap();
        let want: Vec<Vec<f32>> = {
            let y = predictor.predict(&view(&x), &mut workspace).unwrap();
            (0..3).map(|row| y.row(row).unwrap().to_vec()).collect()
        };
        let answers = predictor.moments(&view(&x), &mut workspace).unwrap();
        for (answer, want) in answers.iter().zip(want) {
            for (i, y) in want.into_iter().enumerate() {
                close(answer.mean()[i], f64::from(y), 0.1, "mean");
                assert!(answer.variance().unwrap()[i] < 1e-15);
            }
        }
    }
}

/// What the assumption of independence costs a deep network that was trained: the
/// probability of the class that the mean of 10,000 samples names, over test
/// digits. The bounds are what was measured, and a little more.
#[test]
fn the_error_of_a_deep_network_stays_as_it_was_measured() {
    const DIGITS: usize = 60;
    let (train, test) =
        (Dataset::digits(Split::Train).unwrap(), Dataset::digits(Split::Test).unwrap());
    let mlp = Mlp::builder(784)
        .input_keep(keep(0.8))
        .hidden(128, Activation::Relu, Keep::HALF)
        .hidden(128, Activation::Relu, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .seed(1)
        .build()
        .unwrap();
    let sgd = Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9));
    let mut trainer = Trainer::builder(mlp, sgd, 100).isa(isa()).seed(1).build().unwrap();
    let order: Vec<u32> = (0..train.rows() as u32).collect();
    for _ in 0..3 {
        for rows in order.chunks(100) {
            let classes: Vec<u32> = rows.iter().map(|&i| train.labels()[i as usize]).collect();
            let batch = Batch::gather(train.inputs(), rows).unwrap();
            trainer.step(&batch, Targets::Classes(&classes)).unwrap();
        }
    }
    let predictor = Predictor::new(trainer.into_network()).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(DIGITS).unwrap();
    let mut sampling = predictor.workspace(DIGITS).unwrap();
    let ids: Vec<u64> = (0..DIGITS as u64).collect();
    let batch = Batch::gather(test.inputs(), &order[..DIGITS]).unwrap();
    let settings = MonteCarlo::new(10_000).unwrap();
    let seeds = Seeds::Numbered { base: 1, ids: &ids };
    let sampled = predictor.monte_carlo(&batch, &settings, seeds, &mut sampling).unwrap();
    let answers = predictor.moments(&batch, &mut workspace).unwrap();
    let mut errors = Vec::new();
    let mut ratios = Vec::new();
    for (answer, sampled) in answers.iter().zip(sampled.iter()) {
        let class = sampled.class();
        errors.push((answer.mean()[class] - sampled.mean()[class]).abs());
        ratios
            .push((answer.variance().unwrap()[class] / sampled.variance().unwrap()[class]).sqrt());
    }
    errors.sort_by(f64::total_cmp);
    ratios.sort_by(f64::total_cmp);
    let at = |sorted: &[f64], part: f64| sorted[(part * (DIGITS - 1) as f64) as usize];
    for part in [0.0, 0.25, 0.5, 0.75, 0.9, 1.0] {
        let (error, ratio) = (at(&errors, part), at(&ratios, part));
        eprintln!("quantile {part}: error {error:.4}, ratio of standard deviations {ratio:.3}");
    }
    assert!(at(&errors, 0.5) < 0.045 && at(&errors, 1.0) < 0.16, "{errors:?}");
}

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    let predictor = Predictor::new(network(Loss::SoftmaxCrossEntropy));
    let mut workspace = predictor.workspace(2).unwrap();
    let message = |x: &[f32], workspace: &mut _| {
        predictor.moments(&view(x), workspace).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(message(&rows(3), &mut workspace), "rows of a batch 3: expected at most 2");
    let mut bad = rows(2);
    bad[100] = f32::INFINITY;
    assert!(message(&bad, &mut workspace).contains("row 1, column 0"));
    assert!(predictor.logit_moments(&view(&bad), &mut workspace).is_err());
    assert_eq!(predictor.moments(&view(&[]), &mut workspace).unwrap().rows(), 0);
}
