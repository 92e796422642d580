//! The numbers that training multiplies units by, from the scalar definitions.

use super::{
    super::{Domain, Keep, Mlp, Noise, PlainNetwork, Streams, scalar},
    Rows, factors,
};

/// The factors of `rows` rows: 0 and 1 / p for dropout, 1 + sigma z for Gaussian noise.
pub fn drawn(mlp: &Mlp, seed: u64, step: u64, first_row: u64, rows: usize) -> Vec<Rows> {
    let site = |row: usize, (site, width): (usize, usize)| -> Vec<f32> {
        let streams = Streams::new(seed, Domain::Training, site as u64, step);
        let row = first_row.wrapping_add(row as u64);
        let noise = mlp.noises()[site];
        if let Noise::Gaussian(sigma) = noise {
            let mut rng = streams.rng(row);
            return scalar::normals(&mut rng, width).map(|z| 1.0 + sigma.get() * z).collect();
        }
        let keep = noise.keep();
        let kept = bits(keep, streams, row, width, site == 0 && mlp.sparse_input());
        kept.map(|kept| if kept { keep.scale() } else { 0.0 }).collect()
    };
    let widths = &mlp.widths()[..mlp.depth()];
    let row = |row| widths.iter().copied().enumerate().map(move |at| (row, at));
    let all: Vec<Vec<_>> = (0..rows).map(|i| row(i).map(|(i, at)| site(i, at)).collect()).collect();
    factors(&PlainNetwork::from(mlp), rows, |row, layer, unit| all[row][layer][unit].into())
}

/// Whether each unit of a row is kept.
fn bits(
    keep: Keep,
    streams: Streams,
    row: u64,
    width: usize,
    sparse: bool,
) -> impl Iterator<Item = bool> {
    let words: Vec<u64> = scalar::words(keep, &mut streams.rng(row), width).collect();
    (0..width).map(move |unit| {
        if sparse {
            scalar::kept_at(keep, streams.hash(row), unit as u64)
        } else {
            words[unit / 64] >> (unit % 64) & 1 == 1
        }
    })
}
