//! Masks are what their definition says, and random.

use serde::Deserialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use thinnet::{
    Isa, Keep,
    mask::{Domain, Mask, MaskSpec, Streams, request_seed, scalar},
};

use crate::backend;

/// A case of `oracle/masks.json`, which `oracle/masks.py` made: a plain Python
/// program that shares nothing with this crate.
#[derive(Deserialize)]
struct Case {
    kind: String,
    seed: String,
    domain: u64,
    layer: u64,
    step: String,
    row: String,
    k: u32,
    width: usize,
    hash: String,
    words: Vec<String>,
}

fn hex(text: &str) -> u64 {
    u64::from_str_radix(text, 16).unwrap()
}

fn domain(number: u64) -> Domain {
    let all = [
        Domain::Training,
        Domain::Prediction,
        Domain::Shuffling,
        Domain::Initialisation,
        Domain::Other,
    ];
    all.into_iter().find(|&domain| domain as u64 == number).unwrap()
}

#[test]
fn known_answers_from_an_independent_program() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../oracle/masks.json")).unwrap();
    assert!(cases.len() >= 100);
    for case in cases {
        let streams =
            Streams::new(hex(&case.seed), domain(case.domain), case.layer, hex(&case.step));
        let (row, keep) = (hex(&case.row), Keep::from_k(case.k).unwrap());
        let want: Vec<u64> = case.words.iter().map(|word| hex(word)).collect();
        let spec = MaskSpec::new(keep, streams).starting_at(row);
        assert_eq!(streams.hash(row), hex(&case.hash));
        if case.kind == "stream" {
            assert!(
                scalar::words(keep, &mut streams.rng(row), case.width).eq(want.iter().copied())
            );
            for isa in Isa::available() {
                let mask = Mask::draw(spec.with_isa(isa).unwrap(), 3, case.width).unwrap();
                assert_eq!(mask.row(0).unwrap().words(), want);
            }
        } else {
            let mask = Mask::draw_sparse(spec, 1, case.width).unwrap();
            assert_eq!(mask.row(0).unwrap().words(), want);
            for unit in 0..case.width {
                let kept = scalar::kept_at(keep, streams.hash(row), unit as u64);
                assert_eq!(kept, mask.get(0, unit));
            }
        }
    }
}

/// `splitmix64(splitmix64(base, 1) ^ id, 1)` of `oracle/masks.py`.
#[test]
fn request_seeds_are_hashes_of_base_and_number() {
    assert_eq!(request_seed(0, 0), 0xa706_dd2f_4d19_7e6f);
    assert_eq!(request_seed(9, 3), 0x8200_33d5_b597_a6a1);
    assert_eq!(request_seed(u64::MAX, 12_345_678_901), 0x214c_2fe6_4a61_90c9);
}

const KEEPS: [u32; 8] = [655, 6554, 16384, 32768, 49152, 52429, 58982, 64881];
const ROWS: usize = 512;
const WIDTH: usize = 1024;

fn draw(keep: Keep, seed: u64, layer: u64, step: u64) -> Mask {
    let streams = Streams::new(seed, Domain::Training, layer, step);
    let spec = MaskSpec::new(keep, streams).with_isa(backend::isa()).unwrap();
    Mask::draw(spec, ROWS, WIDTH).unwrap()
}

fn draw_sparse(keep: Keep, seed: u64, layer: u64, step: u64) -> Mask {
    let streams = Streams::new(seed, Domain::Training, layer, step);
    Mask::draw_sparse(MaskSpec::new(keep, streams), ROWS, WIDTH).unwrap()
}

/// A sum of many bits is near normal: it lies more than 6 standard deviations
/// from its mean with probability 2e-9. About 1,100 are looked at, so a false
/// alarm would have had probability 2e-6; with these fixed seeds there is none.
fn is_near(count: usize, mean: f64, variance: f64, what: &str) {
    let deviation = (count as f64 - mean) / variance.sqrt();
    assert!(deviation.abs() < 6.0, "{what}: {deviation} standard deviations");
}

/// `count` of n independent bits that are 1 with probability p.
fn is_binomial(count: usize, n: usize, p: f64, what: &str) {
    let n = n as f64;
    is_near(count, n * p, n * p * (1.0 - p), what);
}

#[test]
fn units_are_kept_as_often_as_the_rate_says() {
    for k in KEEPS {
        let keep = Keep::from_k(k).unwrap();
        for mask in [draw(keep, 1, 0, 0), draw_sparse(keep, 1, 0, 0)] {
            is_binomial(mask.count(), ROWS * WIDTH, keep.get(), "all units");
            for bit in 0..64 {
                let count = (0..ROWS)
                    .map(|row| (bit..WIDTH).step_by(64).filter(|&u| mask.get(row, u)).count())
                    .sum();
                is_binomial(count, ROWS * WIDTH / 64, keep.get(), "one bit of the words");
            }
        }
    }
}

/// Both units of a pair agree with probability q = p² + (1 - p)² if they are
/// independent. In one mask each unit stands in two pairs, with its neighbour on
/// either side; the agreements of such pairs have covariance
/// p³ + (1 - p)³ - q², which is 0 for p = 1/2 alone.
fn agree(a: &Mask, b: &Mask, shift_row: usize, shift_unit: usize, p: f64, what: &str) {
    let (rows, width) = (ROWS - shift_row, WIDTH - shift_unit);
    let count = (0..rows)
        .map(|row| {
            (0..width)
                .filter(|&unit| a.get(row, unit) == b.get(row + shift_row, unit + shift_unit))
                .count()
        })
        .sum();
    let q = p * p + (1.0 - p) * (1.0 - p);
    let shared = if std::ptr::eq(a, b) { p.powi(3) + (1.0 - p).powi(3) - q * q } else { 0.0 };
    let n = (rows * width) as f64;
    is_near(count, n * q, n * (q * (1.0 - q) + 2.0 * shared), what);
}

#[test]
fn neighbours_are_independent() {
    for k in [16384, 32768, 52429] {
        let keep = Keep::from_k(k).unwrap();
        let p = keep.get();
        for draw in [draw, draw_sparse] {
            let mask = draw(keep, 1, 0, 0);
            for shift in [1, 2, 63, 64] {
                agree(&mask, &mask, 0, shift, p, "units");
            }
            for shift in [1, 2, 7, 8] {
                agree(&mask, &mask, shift, 0, p, "rows");
            }
            agree(&mask, &draw(keep, 1, 0, 1), 0, 0, p, "steps");
            agree(&mask, &draw(keep, 1, 1, 0), 0, 0, p, "layers");
            agree(&mask, &draw(keep, 2, 0, 0), 0, 0, p, "seeds");
            agree(&draw(keep, 1, 0, 1), &draw(keep, 1, 1, 0), 0, 0, p, "layer and step");
        }
    }
}

#[test]
fn bytes_of_words_pass_a_chi_square_test() {
    // Each of the 256 bytes has probability p^ones (1 - p)^zeros. A true
    // chi-square passes the bound with probability 1e-9.
    for k in [16384, 32768, 49152, 52429] {
        let keep = Keep::from_k(k).unwrap();
        let bytes = draw(keep, 3, 2, 1).to_bytes();
        let mut counts = [0.0; 256];
        bytes.iter().for_each(|&byte| counts[usize::from(byte)] += 1.0);
        // Bytes too rare for the approximation (below 5 expected) are put
        // together.
        let (mut chi, mut cells, mut rare) = (0.0, 0, (0.0, 0.0));
        for (byte, count) in counts.into_iter().enumerate() {
            let ones = (byte as u32).count_ones() as i32;
            let p = keep.get().powi(ones) * (1.0 - keep.get()).powi(8 - ones);
            let expected = p * bytes.len() as f64;
            if expected < 5.0 {
                rare = (rare.0 + count, rare.1 + expected);
            } else {
                chi += (count - expected).powi(2) / expected;
                cells += 1;
            }
        }
        if rare.1 > 0.0 {
            chi += (rare.0 - rare.1).powi(2) / rare.1;
            cells += 1;
        }
        let bound = ChiSquared::new(f64::from(cells - 1)).unwrap().inverse_cdf(1.0 - 1e-9);
        assert!(chi < bound, "k {k}: {chi}, bound {bound}");
    }
}

#[test]
fn the_packed_type_gets_counts_iterates_and_is_bytes() {
    let streams = Streams::new(1, Domain::Training, 0, 0);
    for width in [1, 63, 64, 65, 200] {
        let spec = MaskSpec::new(Keep::HALF, streams).with_isa(backend::isa()).unwrap();
        let mask = Mask::draw(spec, 5, width).unwrap();
        let words = (0..5).flat_map(|row| mask.row(row).unwrap().words());
        let bytes: Vec<u8> = words.flat_map(|word| word.to_le_bytes()).collect();
        assert_eq!(mask.to_bytes(), bytes);
        let mut count = 0;
        for row in 0..5 {
            let bits = mask.row(row).unwrap();
            let listed: Vec<usize> = bits.iter().collect();
            let wanted: Vec<usize> = (0..width).filter(|&unit| mask.get(row, unit)).collect();
            assert_eq!(listed, wanted);
            assert_eq!(bits.count(), wanted.len());
            count += wanted.len();
        }
        assert_eq!(mask.count(), count);
        assert!(!mask.get(5, 0) && !mask.get(0, width));
        assert!(mask.row(5).is_err());
    }
}
