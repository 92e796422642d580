//! Moment propagation against its formulas in f64, against what is exact, and
//! against Monte-Carlo.

use statrs::distribution::{Continuous, ContinuousCDF, Normal};
use thinnet::{
    Keep,
    data::{Batch, Dataset, Split},
    nn::{Activation, EluAlpha, Loss, Mlp, NegativeSlope, PredictionKind, TargetKind, Targets},
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

/// What the units without an exact form are off by: the project's stated error for
/// each mean and deviation, which in a sum of 130 weights of some 0.1 adds up to less
/// than this.
const SQUASHED: f64 = 2e-3;

/// Mean and variance of f of a normal number: the trapezoid rule, 40 points a
/// deviation.
fn integral(f: impl Fn(f64) -> f64, mean: f64, variance: f64) -> (f64, f64) {
    let nodes = || (-360..=360).map(|i| f64::from(i) / 40.0);
    let weight = |x: f64| (-0.5 * x * x).exp();
    let sum: f64 = nodes().map(weight).sum();
    let y = |x: f64| f(mean + variance.sqrt() * x);
    let first = nodes().map(|x| weight(x) * y(x)).sum::<f64>() / sum;
    let spread = nodes().map(|x| weight(x) * (y(x) - first).powi(2));
    (first, spread.sum::<f64>() / sum)
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
        other => integral(|z| other.value(z), mean, variance),
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
        // More active units than have masks.
        for (input, hidden) in [(0.8, [0.5, 0.75]), (1.0, [0.5, 0.7]), (1.0, [1.0, 0.6])] {
            let leaky = |slope: f32| Activation::LeakyRelu(NegativeSlope::new(slope).unwrap());
            for activation in Activation::ALL.iter().chain(&[leaky(0.3), leaky(1.5)]) {
                for outputs in [3, 70] {
                    let mlp = Mlp::builder(100)
                        .input_noise(keep(input))
                        .hidden(260, *activation, keep(hidden[0]))
                        .hidden(200, Activation::Relu, keep(hidden[1]))
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
                            let closed = matches!(
                                activation,
                                Activation::Relu | Activation::LeakyRelu(_) | Activation::Identity
                            );
                            let error = if closed { 1.0 } else { SQUASHED / ROUNDING };
                            let got = f64::from(means.row(row).unwrap()[output]);
                            close(got, mean, error * (1.0 + mean.abs()), "mean");
                            let got = f64::from(variances.row(row).unwrap()[output]);
                            close(got, variance, error * (1.0 + variance), "variance");
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
fn with_dropout_only_below_the_output_they_are_exact() {
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
        assert_eq!((answer.samples(), answer.entropy()), (None, None));
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

fn network(loss: Loss) -> Mlp {
    Mlp::builder(100)
        .input_noise(keep(0.8))
        .hidden(130, Activation::Relu, Keep::HALF)
        .output(7 * loss.outputs_per_target(), loss)
        .seed(4)
        .build()
        .unwrap()
}

fn entropy(p: &[f64]) -> f64 {
    p.iter().map(|&p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum()
}

/// The error of the logistic's moments for a normal logit.
const LOGISTIC: f64 = 1e-7;

#[test]
fn bits_are_those_of_the_integral() {
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
            let (mean, variance) = integral(logistic, z, v);
            assert!((answer.mean()[i] - mean).abs() < LOGISTIC, "{:?} {mean}", answer.mean());
            assert!((answer.variance().unwrap()[i] - variance).abs() < LOGISTIC);
            own += integral(|z| entropy(&[logistic(z), 1.0 - logistic(z)]), z, v).0;
        }
        assert!((answer.expected_entropy().unwrap() - own).abs() < 7.0 * LOGISTIC);
    }
}

/// Nothing is dropped: the moments are those of one network.
#[test]
fn without_dropout_there_is_no_variance() {
    let x = rows(3);
    for &loss in Loss::ALL {
        let mlp = Mlp::builder(100)
            .hidden(70, Activation::Relu, Keep::ONE)
            .hidden(70, Activation::Tanh, Keep::ONE)
            .output(4 * loss.outputs_per_target(), loss)
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
            let normal = loss.prediction_kind() == PredictionKind::Normals;
            let variances = answer.noise_variance().filter(|_| normal).unwrap_or(&[]);
            let got: Vec<f64> = answer.mean().iter().chain(variances).copied().collect();
            assert_eq!(got.len(), want.len());
            for (got, y) in got.into_iter().zip(want) {
                close(got, f64::from(y), 0.1, "mean");
            }
            assert!(answer.variance().unwrap().iter().all(|&v| v < 1e-15));
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
        .input_noise(keep(0.8))
        .hidden(128, Activation::Relu, Keep::HALF)
        .hidden(128, Activation::Relu, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .seed(1)
        .build()
        .unwrap();
    let sgd = Sgd::new(Schedule::constant(0.05)).momentum(Schedule::constant(0.9));
    let mut trainer =
        Trainer::builder(mlp, sgd, 100).with_isa(isa()).unwrap().seed(1).build().unwrap();
    let order: Vec<u32> = (0..train.rows() as u32).collect();
    for _ in 0..3 {
        for rows in order.chunks(100) {
            let classes: Vec<u32> =
                rows.iter().map(|&i| train.labels().unwrap()[i as usize]).collect();
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
        let class = sampled.class().unwrap();
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

/// A network that adds its inputs up: `weights` rows of an output each.
fn linear(inputs: usize, input: Keep, weights: &[f32], loss: Loss) -> Mlp {
    let outputs = weights.len() / inputs;
    let mut mlp = Mlp::builder(inputs).input_noise(input).output(outputs, loss).build().unwrap();
    mlp.set_weights(0, weights).unwrap();
    mlp
}

/// What one row says: means, variances, mutual information.
fn one_row(mlp: &Mlp, x: &[f32]) -> (Vec<f64>, Vec<f64>, Option<f64>) {
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(1).unwrap();
    let batch = Batch::dense(MatrixView::new(x, 1, x.len()).unwrap());
    let answers = predictor.moments(&batch, &mut workspace).unwrap();
    let answer = answers.row(0).unwrap();
    (answer.mean().to_vec(), answer.variance().unwrap().to_vec(), answer.mutual_information())
}

/// What few masks leave to rounding.
const ENUMERATED: f64 = 1e-6;

/// One input that is there or not: logits [80, 0] or [0, 0].
#[test]
fn one_input_is_kept_or_dropped() {
    let mlp = linear(1, Keep::HALF, &[40.0, 0.0], Loss::SoftmaxCrossEntropy);
    let (mean, variance, information) = one_row(&mlp, &[1.0]);
    for (got, want) in mean.iter().zip([0.75, 0.25]) {
        assert!((got - want).abs() < ENUMERATED, "{mean:?}");
    }
    assert!(variance.iter().all(|v| (v - 0.0625).abs() < ENUMERATED), "{variance:?}");
    let want = entropy(&[0.75, 0.25]) - 0.5 * 2f64.ln();
    assert!((information.unwrap() - want).abs() < ENUMERATED, "{information:?}");
}

/// The same beside many inputs that say next to nothing: half of the balanced masks
/// drop it, give or take one of 64.
#[test]
fn one_input_decides_among_many() {
    for (inputs, drop) in [(13, 0.5), (40, 0.5), (64, 0.3), (20, 0.02)] {
        let rate = Keep::from_drop(drop).unwrap();
        let mut bits = vec![1e-3; inputs];
        bits[inputs / 2] = 40.0;
        let classes = [bits.clone(), vec![0.0; inputs]].concat();
        for (loss, weights) in
            [(Loss::BinaryCrossEntropy, bits), (Loss::SoftmaxCrossEntropy, classes)]
        {
            let (mean, variance, _) =
                one_row(&linear(inputs, rate, &weights, loss), &vec![1.0; inputs]);
            let want = 1.0 - drop / 2.0;
            assert!((mean[0] - want).abs() < 0.02, "{loss} {inputs} {drop}: {mean:?}, not {want}");
            let want = drop * (1.0 - drop) / 4.0;
            assert!((variance[0] - want).abs() < 0.01, "{loss} {inputs} {drop}: {variance:?}");
        }
    }
}

/// Four units that say the same of one input, of 16 masks: the logits are c 2 [50, -50,
/// 0] with c of them kept.
#[test]
fn few_hidden_units_are_enumerated() {
    for (units, rate) in [(1, 0.5), (4, 0.5), (4, 0.9), (12, 0.75)] {
        let keep = keep(rate);
        let mut mlp = Mlp::builder(1)
            .hidden(units, Activation::Identity, keep)
            .output(3, Loss::SoftmaxCrossEntropy)
            .build()
            .unwrap();
        mlp.set_weights(0, &vec![1.0; units]).unwrap();
        let rows = [vec![50.0; units], vec![-50.0; units], vec![0.0; units]];
        mlp.set_weights(1, &rows.concat()).unwrap();
        let (mean, variance, information) = one_row(&mlp, &[1.0]);
        // Without a unit all classes are alike, else the first is certain.
        let none = (1.0 - keep.get()).powi(units as i32);
        let first = 1.0 - none * 2.0 / 3.0;
        assert!((mean[0] - first).abs() < ENUMERATED, "{units}: {mean:?}, not {first}");
        assert!(
            (mean[1] - none / 3.0).abs() < ENUMERATED && (mean[2] - none / 3.0).abs() < ENUMERATED
        );
        let spread = none * (1.0 - none) * 4.0 / 9.0;
        assert!((variance[0] - spread).abs() < ENUMERATED, "{variance:?}, not {spread}");
        let want = entropy(&[first, none / 3.0, none / 3.0]) - none * 3f64.ln();
        assert!((information.unwrap() - want).abs() < ENUMERATED, "{information:?}, not {want}");
    }
    // The figures that were published for four at 0.5.
    let none: f64 = 1.0 / 16.0;
    assert!((1.0 - none * 2.0 / 3.0 - 0.9583).abs() < 1e-4);
}

/// Wide logits that nothing was divided by: every answer is one.
#[test]
fn bytes_that_were_not_divided_have_probabilities() {
    let data = Dataset::digits(Split::Test).unwrap();
    let mlp = Mlp::builder(784)
        .input_noise(keep(0.8))
        .hidden(64, Activation::Relu, Keep::HALF)
        .output(10, Loss::SoftmaxCrossEntropy)
        .seed(3)
        .build()
        .unwrap();
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(64).unwrap();
    for first in (0..256).step_by(64) {
        let row = |row| data.dense_inputs().unwrap().row(row).unwrap().iter().map(|x| x * 255.0);
        let bytes: Vec<f32> = (first..first + 64).flat_map(row).collect();
        let batch = Batch::dense(MatrixView::new(&bytes, 64, 784).unwrap());
        for answer in predictor.moments(&batch, &mut workspace).unwrap().iter() {
            let mean = answer.mean();
            assert!(mean.iter().all(|p| (0.0..=1.0).contains(p)), "{mean:?}");
            assert!((mean.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{mean:?}");
            assert!(answer.variance().unwrap().iter().all(|v| (0.0..=0.25).contains(v)));
            let (entropy, own) = (answer.entropy().unwrap(), answer.expected_entropy().unwrap());
            assert!(own >= 0.0 && entropy >= own - 1e-12, "{entropy} {own}");
        }
    }
}

/// Where the result is a number, so is what it is made from.
#[test]
fn squares_neither_overflow_nor_vanish() {
    // 100 equal inputs of which half is dropped: 80 of them, variance 80 (x w)².
    for (x, w) in [(1e20f32, 1e-20f32), (1e-20, 1e20), (1e30, 1e-30), (1e-30, 1.0), (1e15, 1e4)] {
        for activation in
            [None, Some(Activation::Identity), Some(Activation::LeakyRelu(NegativeSlope::DEFAULT))]
        {
            let mut row = [x; 100];
            row[80..].fill(0.0);
            let mut mlp = Mlp::builder(100).input_noise(Keep::HALF);
            if let Some(activation) = activation {
                mlp = mlp.hidden(1, activation, Keep::ONE);
            }
            let mut mlp = mlp.output(1, Loss::SquaredError).build().unwrap();
            mlp.set_weights(0, &[w; 100]).unwrap();
            if activation.is_some() {
                mlp.set_weights(1, &[1.0]).unwrap();
            }
            let (mean, variance, _) = one_row(&mlp, &row);
            let size = f64::from(x) * f64::from(w);
            assert!(
                (mean[0] / (80.0 * size) - 1.0).abs() < 1e-4,
                "{x} {w} {activation:?}: {mean:?}"
            );
            let want = 80.0 * size * size;
            assert!(
                (variance[0] / want - 1.0).abs() < 1e-4,
                "{x} {w} {activation:?}: {variance:?}"
            );
        }
    }
    let (_, variance, _) = one_row(&linear(1, Keep::HALF, &[1e-20], Loss::SquaredError), &[1e20]);
    assert!((variance[0] - 1.0).abs() < 1e-6, "{variance:?}");
}

/// A table whose target is a smooth function of all columns, and a network with 50
/// hidden units that was trained on it.
fn table(columns: usize, input: Keep, hidden: &[Keep]) -> (Mlp, Vec<f32>) {
    const ROWS: usize = 400;
    let x: Vec<f32> = (0..ROWS * columns)
        .map(|i| (i as f32 * 0.754_877_7).fract() + ((i * i) as f32 * 0.569_840_3).fract() - 1.0)
        .map(|x| 2.0 * x)
        .collect();
    let y = x.chunks(columns).map(|x| {
        let sum: f32 = x.iter().enumerate().map(|(i, x)| x * (i as f32 + 1.0).sin()).sum();
        sum.sin() + 0.5 * x[0] * x[1] + 0.3 * x[2]
    });
    let y: Vec<f32> = y.collect();
    let mut builder = Mlp::builder(columns).input_noise(input);
    for &keep in hidden {
        builder = builder.hidden(50, Activation::Relu, keep);
    }
    let mlp = builder.output(1, Loss::SquaredError).seed(1).build().unwrap();
    let sgd = Sgd::new(Schedule::constant(0.02)).momentum(Schedule::constant(0.9));
    let mut trainer =
        Trainer::builder(mlp, sgd, 40).with_isa(isa()).unwrap().seed(1).build().unwrap();
    for _ in 0..60 {
        for (x, y) in x.chunks(40 * columns).zip(y.chunks(40)) {
            let batch = Batch::dense(MatrixView::new(x, 40, columns).unwrap());
            let y = MatrixView::new(y, 40, 1).unwrap();
            trainer.step(&batch, Targets::Values(y)).unwrap();
        }
    }
    (trainer.into_network(), x)
}

/// Of the first rows: the median ratio of deviations to those of samples, and the mean
/// distances of moments and of weight scaling from the samples' mean, over deviations.
fn against_samples(mlp: &Mlp, x: &[f32], rows: usize, samples: usize) -> [f64; 3] {
    let columns = mlp.inputs();
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let batch = Batch::dense(MatrixView::new(&x[..rows * columns], rows, columns).unwrap());
    let [mut sampling, mut scaling, mut moments] =
        std::array::from_fn(|_| predictor.workspace(rows).unwrap());
    let ids: Vec<u64> = (0..rows as u64).collect();
    let settings = MonteCarlo::new(samples).unwrap();
    let seeds = Seeds::Numbered { base: 5, ids: &ids };
    let sampled = predictor.monte_carlo(&batch, &settings, seeds, &mut sampling).unwrap();
    let scaled = predictor.weight_scaling(&batch, &mut scaling).unwrap();
    let answers = predictor.moments(&batch, &mut moments).unwrap();
    let (mut ratios, mut errors) = (Vec::new(), [0.0; 2]);
    for ((answer, sampled), scaled) in answers.iter().zip(sampled.iter()).zip(scaled.iter()) {
        let deviation = sampled.std_dev(0).unwrap();
        ratios.push(answer.std_dev(0).unwrap() / deviation);
        for (error, other) in errors.iter_mut().zip([answer, scaled]) {
            *error += (other.mean()[0] - sampled.mean()[0]).abs() / deviation / rows as f64;
        }
    }
    ratios.sort_by(f64::total_cmp);
    [ratios[rows / 2], errors[0], errors[1]]
}

/// 2,000 samples know a deviation to 2 to 6 % in one standard error (the more the rarer
/// units are dropped), the median of 20 rows to a quarter of that; the bounds are those
/// that are promised, far beyond it.
#[test]
fn few_inputs_have_the_deviations_of_samples() {
    for (columns, hidden) in [(8, 1), (8, 0), (16, 1), (40, 0)] {
        for drop in [0.005, 0.05, 0.2] {
            let rate = Keep::from_drop(drop).unwrap();
            let hidden = if hidden == 1 { rate } else { Keep::ONE };
            let (mlp, x) = table(columns, rate, &[hidden]);
            let [ratio, error, scaled] = against_samples(&mlp, &x, 20, 2000);
            eprintln!("{columns} {drop} {hidden}: {ratio:.3} {error:.4} {scaled:.4}");
            assert!((0.8..1.25).contains(&ratio), "{columns} {drop}: {ratio}");
            // What the samples' own mean is off by, sqrt(2 / (pi n)), is in both.
            assert!(error <= scaled + 0.018, "{columns} {drop}: {error}, scaled {scaled}");
        }
    }
}

/// Prints what docs/PERFORMANCE.md says of tables: `cargo test --release --test library
/// -- --ignored --nocapture tables_beside`.
#[test]
#[ignore = "20,000 samples of 100 rows for each of 24 networks"]
fn tables_beside_20_000_samples() {
    println!(
        "| network | drop | deviations | mean | mean, weight scaling |\n|---|---|---|---|---|"
    );
    for columns in [8, 16, 40, 100] {
        for layers in [0, 1, 2] {
            for drop in [0.005, 0.05, 0.2] {
                let rate = Keep::from_drop(drop).unwrap();
                let hidden = match layers {
                    0 => vec![Keep::ONE],
                    layers => vec![rate; layers],
                };
                let (mlp, x) = table(columns, rate, &hidden);
                let [ratio, error, scaled] = against_samples(&mlp, &x, 100, 20_000);
                println!(
                    "| {columns}-{hidden:?} | {drop} | {ratio:.3} | {error:.4} | {scaled:.4} |"
                );
                if columns == 8 && layers < 2 {
                    assert!((0.8..1.25).contains(&ratio), "{columns} {drop}: {ratio}");
                    assert!(error <= scaled + 0.006, "{columns} {drop}: {error} {scaled}");
                }
            }
        }
    }
}

/// Rows with few active units, with some, with many and with none share a batch.
#[test]
fn an_answer_depends_only_on_its_row() {
    const ROWS: usize = 90;
    let mut x = rows(ROWS);
    for (row, x) in x.chunks_mut(100).enumerate() {
        let active = [100, 5, 40, 0, 12, 64, 13][row % 7];
        x[active..].fill(0.0);
    }
    for loss in [Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy] {
        let mlp = network(loss);
        let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(ROWS).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let bits = |predictor: &Predictor<&Mlp>, workspace: &mut _, x: &[f32]| -> Vec<u64> {
            let answers = predictor.moments(&view(x), workspace).unwrap();
            let rows = answers.iter().flat_map(|answer| {
                let own = [answer.expected_entropy().unwrap()];
                let all = answer.mean().iter().chain(answer.variance().unwrap()).copied();
                all.chain(own).collect::<Vec<_>>()
            });
            rows.map(f64::to_bits).collect()
        };
        let together = bits(&predictor, &mut workspace, &x);
        let serial = predictor.clone().serial();
        assert_eq!(pool.install(|| bits(&serial, &mut workspace, &x)), together);
        assert_eq!(pool.install(|| bits(&predictor, &mut workspace, &x)), together);
        let mut alone = predictor.workspace(1).unwrap();
        for (row, want) in x.chunks(100).zip(together.chunks(together.len() / ROWS)) {
            assert_eq!(bits(&predictor, &mut alone, row), want);
        }
    }
}

/// Allowed, it reaches every figure of its row, and no other row.
#[test]
fn nan_reaches_every_figure() {
    for &loss in Loss::ALL {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for active in [3, 30, 100] {
                let mlp = network(loss);
                let predictor =
                    Predictor::new(&mlp).with_isa(isa()).unwrap().allow_non_finite_inputs();
                let mut workspace = predictor.workspace(2).unwrap();
                let mut x = rows(2);
                x[active..100].fill(0.0);
                x[1] = value;
                let Ok(answers) = predictor.moments(&view(&x), &mut workspace) else { continue };
                let [bad, good] = [0, 1].map(|row| answers.row(row).unwrap());
                let finite = |x: &[f64]| x.iter().all(|x| x.is_finite());
                assert!(finite(good.mean()) && finite(good.variance().unwrap()));
                let unknown = |x: &[f64]| x.iter().all(|x| x.is_nan());
                let bare = loss.target_kind() == TargetKind::Values;
                assert!(unknown(bad.mean()) || value.is_infinite() && bare);
                assert!(unknown(bad.variance().unwrap()), "{loss} {value} {active}");
                assert!(bad.expected_entropy().is_none_or(f64::is_nan), "{loss} {value} {active}");
            }
        }
    }
}

#[test]
fn impossible_requests_are_refused_by_name() {
    let predictor = Predictor::new(network(Loss::SoftmaxCrossEntropy));
    let mut workspace = predictor.workspace(2).unwrap();
    let message = |x: &[f32], workspace: &mut _| {
        predictor.moments(&view(x), workspace).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(message(&rows(3), &mut workspace), "rows of a batch: expected at most 2, got 3");
    let mut bad = rows(2);
    bad[100] = f32::INFINITY;
    assert!(message(&bad, &mut workspace).contains("row 1, column 0"));
    assert!(predictor.logit_moments(&view(&bad), &mut workspace).is_err());
    assert_eq!(predictor.moments(&view(&[]), &mut workspace).unwrap().rows(), 0);
}

#[test]
fn moments_of_an_elu_whose_variance_could_overflow_are_refused() {
    for (alpha, is_read) in [(1e18, true), (1.1e18, false), (1e25, false)] {
        let elu = Activation::Elu(EluAlpha::new(alpha).unwrap());
        // More units than are enumerated.
        let mlp = Mlp::builder(2).hidden(100, Activation::Tanh, Keep::HALF);
        let mlp = mlp.hidden(3, elu, Keep::HALF).output(1, Loss::SquaredError).build().unwrap();
        let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(1).unwrap();
        let batch = Batch::dense(MatrixView::new(&[0.3, -0.8], 1, 2).unwrap());
        let answer = predictor.moments(&batch, &mut workspace);
        match answer {
            Ok(_) => assert!(is_read, "{alpha}"),
            Err(error) => {
                let error = error.to_string();
                assert!(!is_read && error.contains("NaN"), "{alpha}: {error}");
            }
        }
    }
}
