use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::Rng};

use super::*;
use crate::{
    mask::{Domain, Streams},
    nn::Loss,
    simd::Isa,
};

/// What is known of a softmax of independent normal logits.
struct Softmax {
    mean: Vec<f64>,
    variance: Vec<f64>,
    entropy: f64,
}

impl Softmax {
    fn mutual_information(&self) -> f64 {
        entropy(&self.mean) - self.entropy
    }
}

fn entropy(p: &[f64]) -> f64 {
    p.iter().map(|&p| if p > 0.0 { -p * p.ln() } else { 0.0 }).sum()
}

fn link(loss: Loss, z: &[f64], s: &[f64], weight: f64) -> Softmax {
    let mut link = Link::new(z.len()).unwrap();
    let function = loss.link_function();
    link.set(nn::Link { function, temperature: Temperature::ONE }).unwrap();
    link.z[0].copy_from_slice(z);
    link.z[1].copy_from_slice(s);
    let entropy = link.moments(Isa::detect().supported(), 3, weight);
    Softmax { mean: link.mean.to_vec(), variance: link.variance.to_vec(), entropy }
}

/// Pairs of independent normal numbers, by Box and Muller.
struct Normal(Xoshiro256PlusPlus, Option<f64>);

impl Normal {
    fn next(&mut self) -> f64 {
        if let Some(second) = self.1.take() {
            return second;
        }
        let mut uniform = || ((self.0.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        let (size, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
        self.1 = Some(size * angle.sin());
        size * angle.cos()
    }
}

/// Logits of classes of which every tenth has the same mean, from 0 to 2.7.
fn means(classes: usize) -> Vec<f64> {
    (0..classes).map(|class| 0.3 * (class % 10) as f64).collect()
}

/// The same over draws; classes of the same mean are averaged.
fn drawn(classes: usize, deviation: f64, draws: usize) -> Softmax {
    let mut normal = Normal(Streams::new(7, Domain::Other, 0, 0).rng(0), None);
    let (z, groups) = (means(classes), classes.min(10));
    let (mut first, mut second, mut own) = (vec![0.0; groups], vec![0.0; groups], 0.0);
    let mut e = vec![0.0; classes];
    for _ in 0..draws {
        let mut top = f64::NEG_INFINITY;
        for (e, z) in e.iter_mut().zip(&z) {
            *e = z + deviation * normal.next();
            top = top.max(*e);
        }
        let (mut sum, mut products) = (0.0, 0.0);
        for e in &mut e {
            let below = *e - top;
            *e = libm::exp(below);
            sum += *e;
            products += *e * below;
        }
        own += sum.ln() - products / sum;
        for (i, e) in e.iter().enumerate() {
            first[i % groups] += e / sum;
            second[i % groups] += e / sum * (e / sum);
        }
    }
    let each = (draws * classes / groups) as f64;
    let mean: Vec<f64> = (0..classes).map(|i| first[i % groups] / each).collect();
    let variance = (0..classes).map(|i| second[i % groups] / each - mean[i] * mean[i]).collect();
    Softmax { mean, variance, entropy: own / draws as f64 }
}

/// The largest error of a mean, that of the root mean square deviation as a ratio, and
/// the ratio of mutual informations.
fn compare(classes: usize, deviation: f64, draws: usize) -> [f64; 3] {
    let want = drawn(classes, deviation, draws);
    let got = link(Loss::SoftmaxCrossEntropy, &means(classes), &vec![deviation; classes], 1.0);
    let distances = got.mean.iter().zip(&want.mean).map(|(got, want)| (got - want).abs());
    let sum = |x: &[f64]| x.iter().sum::<f64>();
    [
        distances.fold(0.0, f64::max),
        (sum(&got.variance) / sum(&want.variance)).sqrt(),
        got.mutual_information() / want.mutual_information(),
    ]
}

/// Prints docs/PERFORMANCE.md's table: `cargo test --release --lib -- --ignored
/// --nocapture softmax_error`.
#[test]
#[ignore = "draws some 10^9 normal numbers"]
fn softmax_error_is_bounded_for_every_number_of_classes() {
    println!("| classes | deviation 0.3 | 0.8 | 3 | 10 |\n|---|---|---|---|---|");
    for classes in [2, 3, 10, 100, 1000, 10_000, 100_000] {
        print!("| {classes} |");
        for deviation in [0.3, 0.8, 3.0, 10.0] {
            let draws = 40_000_000 / classes.max(40);
            let [mean, ratio, information] = compare(classes, deviation, draws);
            print!(" {mean:.1e}, {ratio:.3}, {information:.3} |");
        }
        println!();
    }
}

/// The bounds are the table's of docs/PERFORMANCE.md, and what few draws add: of
/// 20,000 the mean of a probability is off by at most 0.5 / sqrt(20,000) in one
/// standard error, 0.0035.
#[test]
fn softmax_is_close_for_few_classes_and_many() {
    for (classes, draws) in [(2, 20_000), (3, 20_000), (10, 20_000), (1000, 500)] {
        for (deviation, error) in [(0.3, 0.005), (0.8, 0.01), (3.0, 0.03)] {
            let [mean, ratio, information] = compare(classes, deviation, draws);
            assert!(mean < error, "{classes} {deviation}: {mean}");
            if deviation < 1.0 || classes <= 10 {
                assert!((ratio - 1.0).abs() < 0.05, "{classes} {deviation}: {ratio}");
                assert!((information - 1.0).abs() < 0.05, "{classes} {deviation}: {information}");
            }
        }
    }
}

#[test]
fn probabilities_are_some_at_every_size_of_logits() {
    for classes in [1, 2, 3, 7, 130] {
        for size in [0.0, 1e-3, 1.0, 30.0, 1e3, 1e20, 1e38] {
            for deviation in [0.0, 1e-12, 1.0, 40.0, 1e5, 1e38] {
                for weight in [1.0, 1e-3] {
                    let z: Vec<f64> = (0..classes).map(|i| size * ((i * i) as f64).sin()).collect();
                    let s = vec![deviation; classes];
                    let got = link(Loss::SoftmaxCrossEntropy, &z, &s, weight);
                    let sum: f64 = got.mean.iter().sum();
                    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
                    assert!(got.mean.iter().all(|p| (0.0..=1.0).contains(p)), "{:?}", got.mean);
                    assert!(got.variance.iter().all(|v| (0.0..=0.25 + 1e-9).contains(v)));
                    assert!((0.0..=(classes as f64).ln() + 1e-12).contains(&got.entropy));
                    assert!(got.mutual_information() > -1e-7, "{}", got.mutual_information());
                }
            }
        }
    }
}

#[test]
fn without_deviations_it_is_softmax_itself() {
    for z in [vec![1.5, -2.0], vec![40.0, 0.0, 39.0], vec![3e5, 3e5 - 20.0, -1e30]] {
        let got = link(Loss::SoftmaxCrossEntropy, &z, &vec![0.0; z.len()], 1.0);
        let want = Loss::SoftmaxCrossEntropy.link(&z);
        for (got, want) in got.mean.iter().zip(&want) {
            assert!((got - want).abs() < 1e-15, "{got}, not {want}");
        }
        assert!((got.entropy - entropy(&want)).abs() < 1e-14);
        assert_eq!(got.variance, vec![0.0; z.len()]);
    }
}

#[test]
fn nan_reaches_every_figure() {
    let values = [Loss::SquaredError, Loss::Poisson];
    for loss in [Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy].into_iter().chain(values) {
        for outputs in [1, 2, 3] {
            for (z, s) in [(f64::NAN, 1.0), (f64::NAN, 0.0), (0.0, f64::NAN), (f64::INFINITY, 0.0)]
            {
                let (mut means, mut deviations) = (vec![0.5; outputs], vec![0.3; outputs]);
                (means[0], deviations[0]) = (z, s);
                let got = link(loss, &means, &deviations, 1.0);
                let all = if loss == Loss::SoftmaxCrossEntropy { outputs } else { 1 };
                for output in 0..all {
                    let bare = loss == Loss::SquaredError || z.is_infinite();
                    assert!(
                        got.mean[output].is_nan() || bare && values.contains(&loss),
                        "{loss} {outputs} {z} {s}"
                    );
                    assert!(got.variance[output].is_nan(), "{loss} {outputs} {z} {s}");
                }
                assert!(got.entropy.is_nan() || values.contains(&loss));
            }
        }
    }
}

/// The integral of f(z) over a normal distribution, by the trapezoidal rule in steps of 1/64
/// deviation, whose error is below that of f64.
fn integral(m: f64, s: f64, f: impl Fn(f64) -> f64) -> f64 {
    let step = 1.0 / 64.0;
    let at = |i: i32| step * f64::from(i);
    let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    (-1920..=1920).map(|i| step * density(at(i)) * f(m + s * at(i))).sum()
}

#[test]
fn rates_of_normal_logits_are_log_normal() {
    for m in [-40.0, -1.0, 0.0, 3.0, 80.0] {
        for s in [1e-9, 1e-3, 0.3, 1.0, 4.0] {
            let got = link(Loss::Poisson, &[m], &[s], 1.0);
            let mean = integral(m, s, libm::exp);
            // Not as a difference, which would lose all digits for small deviations.
            let variance = integral(m, s, |z| (libm::exp(z - m) - mean / m.exp()).powi(2));
            let variance = variance * m.exp() * m.exp();
            assert!((got.mean[0] / mean - 1.0).abs() < 1e-13, "{m} {s}: {}", got.mean[0]);
            let error = (got.variance[0] / variance - 1.0).abs();
            assert!(error < 1e-9 || s < 1e-8 && error < 1e-6, "{m} {s}: {error}");
            assert_eq!(got.entropy, 0.0);
        }
    }
    let exact = link(Loss::Poisson, &[2.0, -3.0], &[0.0; 2], 1.0);
    assert_eq!((exact.mean, exact.variance), (Loss::Poisson.link(&[2.0, -3.0]), vec![0.0; 2]));
}
