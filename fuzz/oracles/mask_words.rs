//! Masks equal the scalar definition, row by row, on every instruction set of
//! this CPU; bits beyond the width are 0.

use arbitrary::{Arbitrary, Unstructured};
use thinnet::{
    Isa, Keep,
    mask::{Domain, Mask, MaskSpec, Streams, WORD, scalar, words_of},
};

/// What names a mask: any number of each kind, sizes small enough to be quick.
#[derive(Debug)]
pub struct Case {
    seed: u64,
    domain: Domain,
    layer: u64,
    step: u64,
    first_row: u64,
    keep: Keep,
    rows: usize,
    width: usize,
}

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let domains = [
            Domain::Training,
            Domain::Prediction,
            Domain::Shuffling,
            Domain::Initialisation,
            Domain::Other,
        ];
        Ok(Self {
            keep: Keep::from_k(u.int_in_range(1..=Keep::ONE_K)?).unwrap(),
            rows: u.int_in_range(0..=40)?,
            width: u.int_in_range(0..=300)?,
            domain: *u.choose(&domains)?,
            first_row: u.arbitrary()?,
            seed: u.arbitrary()?,
            layer: u.arbitrary()?,
            step: u.arbitrary()?,
        })
    }
}

fn nothing_beyond_the_width(words: &[u64], width: usize) {
    assert_eq!(words.len(), words_of(width));
    if !width.is_multiple_of(WORD) {
        assert_eq!(words[width / WORD] >> (width % WORD), 0);
    }
}

/// See the head of this file.
pub fn check(case: Case) {
    let Case { seed, domain, layer, step, first_row, keep, rows, width } = case;
    let streams = Streams::new(seed, domain, layer, step);
    let row_number = |row: usize| first_row.wrapping_add(row as u64);

    let spec = MaskSpec::new(keep, streams).starting_at(first_row);
    for isa in Isa::available() {
        let spec = spec.with_isa(isa).unwrap();
        let mask = Mask::draw(spec, rows, width).unwrap();
        assert_eq!((mask.rows(), mask.width()), (rows, width));
        for row in 0..rows {
            let words = mask.row(row).unwrap().words();
            let want: Vec<u64> =
                scalar::words(keep, &mut streams.rng(row_number(row)), width).collect();
            assert_eq!(words, want, "{isa} row {row}");
            nothing_beyond_the_width(words, width);
        }
        // Fewer rows into the same memory are the same rows.
        let mut fewer = mask.clone();
        fewer.redraw(spec, rows / 2).unwrap();
        assert_eq!(fewer.to_bytes(), mask.to_bytes()[..rows / 2 * words_of(width) * 8]);
    }

    let sparse = Mask::draw_sparse(spec, rows, width).unwrap();
    for row in 0..rows {
        let hash = streams.hash(row_number(row));
        for unit in 0..width {
            assert_eq!(sparse.get(row, unit), scalar::kept_at(keep, hash, unit as u64));
        }
        nothing_beyond_the_width(sparse.row(row).unwrap().words(), width);
    }
}
