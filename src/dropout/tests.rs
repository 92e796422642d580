use super::*;
use crate::{
    mask::{Domain, scalar},
    simd::tests::on_each_isa,
};

fn streams() -> Streams {
    Streams::new(3, Domain::Training, 1, 4)
}

/// The formula as a plain loop.
fn naive(keep: Keep, x: &[f32]) -> Vec<f32> {
    let mut y = Vec::new();
    for (row, x) in x.chunks(ROW).enumerate() {
        let words: Vec<u64> =
            scalar::words(keep, &mut streams().rng(row as u64), x.len()).collect();
        for (unit, &x) in x.iter().enumerate() {
            let kept = words[unit / 64] >> (unit % 64) & 1 == 1;
            y.push(if kept { x * keep.scale() } else { 0.0 });
        }
    }
    y
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn equals_the_plain_loop_in_every_form_and_at_every_length() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let lengths = [0, 1, 15, 16, 17, 63, 64, 65, 4095, 4096, 4097, 32767, 32768, 32769, 100_001];
    on_each_isa(|isa| {
        for keep in [Keep::HALF, Keep::new(0.8).unwrap(), Keep::from_k(1).unwrap(), Keep::ONE] {
            let op = Dropout::new(keep).with_isa(isa).unwrap();
            for len in lengths {
                let x: Vec<f32> = (0..len)
                    .map(|i| match i % 7 {
                        0 => f32::NAN,
                        1 => f32::INFINITY,
                        2 => -0.0,
                        _ => i as f32 - 5.5,
                    })
                    .collect();
                let want = if keep.drops() { bits(&naive(keep, &x)) } else { bits(&x) };
                let mask = op.draw(streams(), len).unwrap();
                let mut y = vec![7.0; len];
                op.forward(streams(), &x, &mut y).unwrap();
                assert_eq!(bits(&y), want, "{isa} {keep} {len}");
                y.fill(7.0);
                op.forward(&mask, &x, &mut y).unwrap();
                assert_eq!(bits(&y), want, "{isa} {keep} {len} stored");
                y.copy_from_slice(&x);
                op.backward_in_place(streams(), &mut y).unwrap();
                assert_eq!(bits(&y), want, "{isa} {keep} {len} in place");
                pool.install(|| {
                    y.copy_from_slice(&x);
                    op.backward_in_place(&mask, &mut y).unwrap();
                    assert_eq!(bits(&y), want, "{isa} {keep} {len} stored, in place, in a pool");
                    y.copy_from_slice(&x);
                    op.forward_in_place(streams(), &mut y).unwrap();
                    assert_eq!(bits(&y), want, "{isa} {keep} {len} in place, in a pool");
                    y.fill(7.0);
                    op.forward(streams(), &x, &mut y).unwrap();
                    assert_eq!(bits(&y), want, "{isa} {keep} {len} in a pool");
                    y.fill(7.0);
                    op.forward(&mask, &x, &mut y).unwrap();
                    assert_eq!(bits(&y), want, "{isa} {keep} {len} stored, in a pool");
                });
            }
        }
    });
}

/// Streaming and ordinary stores write the same values, whatever the slices' alignment.
#[test]
fn large_slices_are_streamed_and_equal_what_is_done_in_place() {
    let x: Vec<f32> = (0..STREAMED + 100).map(|i| i as f32).collect();
    let mut y = vec![7.0; x.len()];
    on_each_isa(|isa| {
        let op = Dropout::new(Keep::HALF).with_isa(isa).unwrap();
        for from in [0, 1, 4, 7] {
            let (x, y) = (&x[from..][..STREAMED + 37], &mut y[from..][..STREAMED + 37]);
            let mut want = x.to_vec();
            op.forward_in_place(streams(), &mut want).unwrap();
            op.forward(streams(), x, y).unwrap();
            assert_eq!(bits(y), bits(&want), "{isa} from {from}");
            let mask = op.draw(streams(), x.len()).unwrap();
            y.fill(7.0);
            op.forward(&mask, x, y).unwrap();
            assert_eq!(bits(y), bits(&want), "{isa} from {from} stored");
        }
    });
}

#[test]
fn lengths_that_differ_are_refused_and_nothing_is_written() {
    let op = Dropout::new(Keep::HALF);
    let mut y = [7.0; 4];
    assert!(op.forward(streams(), &[1.0; 5], &mut y).is_err());
    let mask = op.draw(streams(), 5).unwrap();
    assert!(op.forward(&mask, &[1.0; 4], &mut y).is_err());
    assert!(op.forward_in_place(&mask, &mut y).is_err());
    assert_eq!(y, [7.0; 4]);
    let all = Dropout::new(Keep::ONE);
    assert!(all.forward_in_place(&mask, &mut y).is_err());
    // Stored bits are used whatever the rate.
    let mut stored = Mask::ones(1, 4).unwrap();
    stored.set(0, 2, false).unwrap();
    all.forward_in_place(&stored, &mut y).unwrap();
    assert_eq!(y, [7.0, 7.0, 0.0, 7.0]);
}
