use super::*;
use crate::{
    mask::{Domain, scalar},
    rate::Keep,
    simd::tests::on_each_isa,
};

fn streams() -> Streams {
    Streams::new(3, Domain::Training, 1, 4)
}

/// The numbers z of a slice, by the scalar definition.
fn normals(len: usize) -> Vec<f32> {
    (0..len.div_ceil(ROW))
        .flat_map(|row| {
            let mut rng = streams().rng(row as u64);
            scalar::normals(&mut rng, ROW.min(len - row * ROW)).collect::<Vec<_>>()
        })
        .collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn equals_the_plain_loop_in_every_form_and_at_every_length() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    let lengths = [0, 1, 15, 16, 31, 32, 33, 4095, 4096, 4097, 32767, 32769, 100_001];
    on_each_isa(|isa| {
        let op = GaussianDropout::new(Sigma::new(0.7).unwrap()).with_isa(isa).unwrap();
        for len in lengths {
            let x: Vec<f32> = (0..len)
                .map(|i| match i % 7 {
                    0 => f32::INFINITY,
                    1 => -0.0,
                    _ => i as f32 - 5.5,
                })
                .collect();
            let z = normals(len);
            let product = |(x, z): (&f32, &f32)| x * (1.0 + 0.7 * z);
            let want: Vec<f32> = x.iter().zip(&z).map(product).collect();

            let mut y = vec![7.0; len];
            op.draw(streams(), &mut y);
            assert_eq!(bits(&y), bits(&z), "{isa} {len}");
            op.forward(streams(), &x, &mut y).unwrap();
            assert_eq!(bits(&y), bits(&want), "{isa} {len}");
            op.backward(streams(), &x, &mut y).unwrap();
            assert_eq!(bits(&y), bits(&want), "{isa} {len}");
            let mut y = x.clone();
            pool.install(|| op.forward_in_place(streams(), &mut y));
            assert_eq!(bits(&y), bits(&want), "{isa} {len}");
            let mut y = x.clone();
            op.backward_in_place(streams(), &mut y);
            assert_eq!(bits(&y), bits(&want), "{isa} {len}");
        }
    });
}

#[test]
fn without_noise_nothing_changes_and_nan_stays() {
    let op = GaussianDropout::new(Keep::ONE);
    let x = [1.5, -0.0, f32::NAN, f32::MIN_POSITIVE];
    let mut y = x;
    op.forward_in_place(streams(), &mut y);
    assert_eq!(bits(&y), bits(&x));
    let noisy = GaussianDropout::new(Keep::HALF);
    noisy.forward(streams(), &x, &mut y).unwrap();
    assert!(y[2].is_nan());
    assert!(noisy.forward(streams(), &x, &mut y[..3]).is_err());
}
