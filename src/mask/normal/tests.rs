use super::*;
use crate::{
    mask::{Domain, Streams, scalar},
    simd::tests::on_each_isa,
};

/// Rows in one slice, `[rows][width]`.
struct Slice<'a> {
    width: usize,
    out: &'a mut [f32],
}

impl NormalRows for Slice<'_> {
    #[inline(always)]
    fn take<L: Lanes>(&mut self, l: L, row: usize, block: usize, normals: [L::F; 2]) {
        let mut lines = [[0.0; LANES]; 2];
        l.store(normals[0], &mut lines[0]);
        l.store(normals[1], &mut lines[1]);
        let to = &mut self.out[row * self.width..][..self.width][block * BLOCK..];
        let n = to.len().min(BLOCK);
        to[..n].copy_from_slice(&lines.as_flattened()[..n]);
    }
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn vectors_equal_the_scalar_definition_bit_for_bit() {
    let streams = Streams::new(7, Domain::Training, 2, 9);
    on_each_isa(|isa| {
        // Miri is a thousand times slower.
        let sample = if cfg!(miri) { 4 } else { 1 };
        for width in [33, 1, 15, 31, 32, 64, 300].into_iter().step_by(sample) {
            for rows in [9, 1, 2, 7, 8, 17].into_iter().step_by(sample) {
                let first_row = u64::MAX - 2;
                let mut out = vec![f32::NAN; rows * width];
                let to = Slice { width, out: &mut out };
                isa.dispatch(Normals { hash: streams.hashes(first_row), rows, width, to });
                for (row, got) in out.chunks(width).enumerate() {
                    let mut rng = streams.rng(first_row.wrapping_add(row as u64));
                    let want: Vec<f32> = scalar::normals(&mut rng, width).collect();
                    assert_eq!(bits(got), bits(&want), "{isa} width {width} row {row}");
                }
            }
        }
    });
}
