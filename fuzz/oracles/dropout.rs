//! Every form of the dropout operation (bits drawn or stored, in place or not,
//! forward or backward) equals the plain loop bit for bit, on every instruction
//! set of this CPU.

use arbitrary::{Arbitrary, Unstructured};
use thinnet::{
    Dropout, Isa, Keep,
    dropout::ROW,
    mask::{Domain, Streams, scalar},
};

/// The most elements: three groups of the eight rows that one kernel call
/// covers, and a rest.
const MAX_LEN: usize = 3 * 8 * ROW + 100;

#[derive(Debug)]
pub struct Case {
    keep: Keep,
    seed: u64,
    step: u64,
    /// Bit patterns of f32: `pattern` again and again, up to the length.
    pattern: Vec<u32>,
    len: usize,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let keep = Keep::from_k(u.int_in_range(1..=Keep::ONE_K)?).unwrap();
        let (seed, step) = (u.arbitrary()?, u.arbitrary()?);
        // Most cases short, so that they are many.
        let len = match u.int_in_range(0..=255)? {
            0u8 => u.int_in_range(0..=MAX_LEN)?,
            1..=8 => u.int_in_range(0..=2 * ROW)?,
            _ => u.int_in_range(0..=200)?,
        };
        let mut pattern: Vec<u32> = u.arbitrary()?;
        if pattern.is_empty() {
            pattern.push(f32::NAN.to_bits());
        }
        Ok(Self { keep, seed, step, pattern, len })
    }
}

/// The formula in the plainest loop.
fn naive(keep: Keep, streams: Streams, x: &[f32]) -> Vec<u32> {
    if !keep.drops() {
        return bits(x);
    }
    let mut y = Vec::new();
    for (row, x) in x.chunks(ROW).enumerate() {
        let words: Vec<u64> = scalar::words(keep, &mut streams.rng(row as u64), x.len()).collect();
        for (unit, &x) in x.iter().enumerate() {
            let kept = words[unit / 64] >> (unit % 64) & 1 == 1;
            y.push(if kept { canonical(x * keep.scale()) } else { 0 });
        }
    }
    y
}

/// The bits, with one pattern for every NaN: IEEE 754 leaves a product's
/// payload open, and Rust its sign.
fn canonical(x: f32) -> u32 {
    if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().copied().map(canonical).collect()
}

/// See the head of this file.
pub fn check(case: Case) {
    let Case { keep, seed, step, pattern, len } = case;
    let streams = Streams::new(seed, Domain::Training, 1, step);
    let x: Vec<f32> = pattern.iter().cycle().take(len).map(|&bits| f32::from_bits(bits)).collect();
    let want = naive(keep, streams, &x);
    for isa in Isa::available() {
        let op = Dropout::new(keep).with_isa(isa).unwrap();
        let mask = op.draw(streams, len).unwrap();
        let fresh = || vec![f32::NAN; len];

        let mut y = fresh();
        op.forward(streams, &x, &mut y).unwrap();
        assert_eq!(bits(&y), want, "{isa}: drawn");
        let mut y = fresh();
        op.forward(&mask, &x, &mut y).unwrap();
        assert_eq!(bits(&y), want, "{isa}: stored");
        let mut y = fresh();
        op.backward(streams, &x, &mut y).unwrap();
        assert_eq!(bits(&y), want, "{isa}: backward, drawn");
        let mut y = x.clone();
        op.forward_in_place(streams, &mut y).unwrap();
        assert_eq!(bits(&y), want, "{isa}: drawn, in place");
        let mut y = x.clone();
        op.backward_in_place(&mask, &mut y).unwrap();
        assert_eq!(bits(&y), want, "{isa}: backward, stored, in place");

        // Bits of another length are refused, and nothing is written.
        let mut y = vec![7.0; len + 1];
        if keep.drops() {
            assert!(op.forward_in_place(&mask, &mut y).is_err());
        }
        assert!(op.forward(streams, &x, &mut y).is_err());
        assert!(y.iter().all(|&y| y == 7.0));
    }
}
