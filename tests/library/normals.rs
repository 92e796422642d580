//! The normal numbers are what their definition says, and normal.

use serde::Deserialize;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};
use thinnet::{
    Isa, Keep, Sigma,
    dropout::GaussianDropout,
    mask::{Domain, Streams, scalar},
};

use crate::backend;

/// `oracle/normals.json`, which `oracle/normals.py` made: a plain Python program that shares
/// nothing with this crate.
#[derive(Deserialize)]
struct Cases {
    pairs: Vec<Pair>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Pair {
    draw: String,
    bits: [String; 2],
}

#[derive(Deserialize)]
struct Row {
    seed: String,
    step: String,
    row: String,
    bits: Vec<String>,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

#[test]
fn known_answers_from_an_independent_program() {
    let cases: Cases = serde_json::from_str(include_str!("../oracle/normals.json")).unwrap();
    assert!(cases.pairs.len() > 200 && cases.rows.len() >= 12);
    for case in cases.pairs {
        let got = scalar::normal_pair(hex(&case.draw)).map(|x| u64::from(x.to_bits()));
        assert_eq!(got, case.bits.map(|bits| hex(&bits)), "draw {}", case.draw);
    }
    for case in cases.rows {
        let streams = Streams::new(hex(&case.seed), Domain::Training, 2, hex(&case.step));
        let mut rng = streams.rng(hex(&case.row));
        let normals = scalar::normals(&mut rng, case.bits.len());
        assert!(normals.map(|x| u64::from(x.to_bits())).eq(case.bits.iter().map(|bits| hex(bits))));
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let streams = Streams::new(5, Domain::Training, 0, 1);
    for len in [1, 100, 5000, 70_000] {
        let drawn = |isa| {
            let mut z = vec![0.0; len];
            GaussianDropout::new(Keep::HALF).with_isa(isa).unwrap().draw(streams, &mut z);
            z.iter().map(|z| z.to_bits()).collect::<Vec<_>>()
        };
        let portable = drawn(Isa::Portable);
        assert!(Isa::available().all(|isa| drawn(isa) == portable), "{len} elements");
    }
}

const ROWS: usize = 256;
const WIDTH: usize = 4096;
const N: usize = ROWS * WIDTH;

fn draw(seed: u64, layer: u64, step: u64) -> Vec<f64> {
    let streams = Streams::new(seed, Domain::Training, layer, step);
    let op = GaussianDropout::new(Sigma::new(1.0).unwrap()).with_isa(backend::isa()).unwrap();
    let mut z = vec![0.0; N];
    op.draw(streams, &mut z);
    z.into_iter().map(f64::from).collect()
}

/// The mean of N numbers of this variance is near normal: it lies more than 6 standard
/// deviations from its expectation with probability 2e-9. Fewer than 400 are looked at, so a false
/// alarm would have had probability 8e-7; with these fixed seeds there is none.
fn is_near(numbers: impl Iterator<Item = f64>, mean: f64, variance: f64, what: &str) {
    let (sum, n) = numbers.fold((0.0, 0), |(sum, n), x| (sum + x, n + 1));
    let deviation = (sum / f64::from(n) - mean) / (variance / f64::from(n)).sqrt();
    assert!(deviation.abs() < 6.0, "{what}: {deviation} standard deviations");
}

#[test]
fn moments_are_those_of_the_standard_normal_distribution() {
    let z = draw(1, 0, 0);
    // E z^2n = (2 n - 1)!!, so the variances are those of 1, 3 - 1, 15, 105 - 9, ...
    is_near(z.iter().copied(), 0.0, 1.0, "mean");
    is_near(z.iter().map(|z| z.powi(2)), 1.0, 2.0, "variance");
    is_near(z.iter().map(|z| z.powi(3)), 0.0, 15.0, "third moment");
    is_near(z.iter().map(|z| z.powi(4)), 3.0, 96.0, "fourth moment");
    is_near(z.iter().map(|z| z.powi(6)), 15.0, 10170.0, "sixth moment");
    for unit in 0..64 {
        let every = || z.iter().skip(unit).step_by(64);
        is_near(every().copied(), 0.0, 1.0, "mean of a unit");
        is_near(every().map(|z| z * z), 1.0, 2.0, "variance of a unit");
    }
}

#[test]
fn tails_are_right_on_both_sides_up_to_4_sigma() {
    let z = draw(2, 1, 7);
    let normal = Normal::standard();
    for limit in [0.0, 0.5, 1.0, 2.0, 3.0, 3.5, 4.0] {
        let p = normal.sf(limit);
        for (what, sign) in [("above", 1.0), ("below", -1.0)] {
            let beyond = z.iter().map(|z| f64::from(u8::from(sign * z > limit)));
            is_near(beyond, p, p * (1.0 - p), &format!("{what} {limit}"));
        }
    }
    let largest = z.iter().fold(0.0f64, |most, z| most.max(z.abs()));
    // Beyond 4.2 lies one of 37,000, about 28; beyond 6.5 one of 10^10.
    assert!((4.2..6.5).contains(&largest), "{largest}");
}

/// 1000 cells of equal probability: the statistic exceeds its 1 - 1e-9 quantile with
/// probability 1e-9.
fn is_uniform(counts: &[u32], n: usize, what: &str) {
    let expected = n as f64 / counts.len() as f64;
    let statistic: f64 =
        counts.iter().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
    let limit = ChiSquared::new((counts.len() - 1) as f64).unwrap().inverse_cdf(1.0 - 1e-9);
    assert!(statistic < limit, "{what}: chi-square {statistic}, limit {limit}");
}

#[test]
fn chi_square_of_a_thousand_cells_and_of_pairs() {
    let z = draw(3, 2, 1);
    let normal = Normal::standard();
    let cell = |z: f64, cells: usize| ((normal.cdf(z) * cells as f64) as usize).min(cells - 1);
    let mut counts = [0; 1000];
    for &z in &z {
        counts[cell(z, 1000)] += 1;
    }
    is_uniform(&counts, N, "1000 cells");
    // Neighbours, the two numbers of a draw, and the same unit of neighbouring rows.
    for distance in [1, 16, WIDTH] {
        let mut counts = vec![0; 900];
        let firsts = (0..N - distance).filter(|i| distance != 16 || i % 32 < 16);
        let mut n = 0;
        for i in firsts {
            counts[cell(z[i], 30) * 30 + cell(z[i + distance], 30)] += 1;
            n += 1;
        }
        is_uniform(&counts, n, &format!("pairs {distance} apart"));
    }
}

#[test]
fn sites_steps_and_seeds_are_independent() {
    let z = draw(4, 1, 1);
    for (what, other) in
        [("seed", draw(5, 1, 1)), ("layer", draw(4, 2, 1)), ("step", draw(4, 1, 2))]
    {
        let pairs = || z.iter().zip(&other);
        is_near(pairs().map(|(a, b)| a * b), 0.0, 1.0, what);
        is_near(pairs().map(|(a, b)| (a * a - 1.0) * (b * b - 1.0)), 0.0, 4.0, what);
    }
}

#[test]
fn noise_keeps_the_expectation_and_has_the_variance_of_dropout() {
    for keep in [0.5, 0.8] {
        let keep = Keep::new(keep).unwrap();
        let op = GaussianDropout::new(keep);
        let mut y = vec![1.0; N];
        op.forward_in_place(Streams::new(6, Domain::Training, 0, 0), &mut y);
        let variance = 1.0 / keep.get() - 1.0;
        is_near(y.iter().map(|&y| f64::from(y)), 1.0, variance, "mean");
        let squares = y.iter().map(|&y| (f64::from(y) - 1.0).powi(2));
        is_near(squares, variance, 2.0 * variance * variance, "variance");
    }
}
