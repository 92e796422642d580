use super::*;
use crate::{
    nn::{Activation, Loss},
    noise::Noise,
    tensor::MatrixView,
};

/// A network without hidden layers.
fn linear(inputs: usize, weights: &[f32], bias: &[f32]) -> Mlp {
    let mut mlp = Mlp::builder(inputs).output(bias.len(), Loss::SquaredError).build().unwrap();
    mlp.set_weights(0, weights).unwrap();
    mlp.set_bias(0, bias).unwrap();
    mlp
}

fn integer(mlp: &Mlp) -> Result<IntegerMlp, Error> {
    let row = vec![0.0; mlp.inputs()];
    IntegerMlp::new(mlp, &Batch::dense(MatrixView::new(&row, 1, row.len()).unwrap()))
}

#[test]
fn weights_are_rounded_to_nearest_and_halves_to_even() {
    let weights = [127.0, -0.5, 0.5, 1.5, 2.5, -2.500001, 63.4999, -127.0];
    let integer = integer(&linear(8, &weights, &[0.0])).unwrap();
    let layer = &integer.layers()[0];
    assert_eq!(layer.weights, [127, 0, 0, 2, 2, -3, 63, -127]);
    assert_eq!((&*layer.scales, &*layer.order), (&[1.0][..], &[0][..]));
    let products = layer.weights.iter().map(|&q| f32::from(q)).collect::<Vec<_>>();
    assert_eq!(integer.network().weights(0).unwrap(), products);
}

#[test]
fn the_scale_of_zeros_and_of_tiny_weights_is_1() {
    let tiny = f32::MIN_POSITIVE * 126.0;
    let small = f32::MIN_POSITIVE * 127.0;
    let integer = integer(&linear(1, &[0.0, tiny, small], &[1.0, 2.0, 3.0])).unwrap();
    assert_eq!(integer.layers()[0].scales, [1.0, 1.0, f32::MIN_POSITIVE]);
    assert_eq!(integer.layers()[0].weights, [0, 0, 127]);
    assert_eq!(integer.plain_logits(&[0.0]).unwrap(), [1.0, 2.0, 3.0]);
    assert_eq!(scale_of([].into_iter()), 1.0);
    assert_eq!(scale_of([-tiny, 0.0].into_iter()), 1.0);
    assert_eq!(scale_of([-small, 0.0].into_iter()), f32::MIN_POSITIVE);
}

#[test]
fn a_row_that_is_not_finite_gives_nan() {
    let integer = integer(&linear(2, &[1.0, 0.0], &[0.5])).unwrap();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for row in [[bad, 1.0], [1.0, bad]] {
            assert!(integer.plain_logits(&row).unwrap()[0].is_nan(), "{row:?}");
        }
    }
}

/// Each by hand: t = 2 / 127, v = (127, -32 from -31.75), s = 4 / 127, q = (127, 64 from 63.5).
#[test]
fn sums_follow_the_definition() {
    let integer = integer(&linear(2, &[4.0, 2.0], &[0.25])).unwrap();
    let (t, s) = (2.0_f32 / 127.0, 4.0_f32 / 127.0);
    let want = (127 * 127 - 32 * 64) as f32 * (t * s) + 0.25;
    assert_eq!(integer.plain_logits(&[2.0, -0.5]).unwrap(), [want]);
}

#[test]
fn parameters_that_are_not_finite_are_refused() {
    let expected = "layer 0 has NaN or infinite parameters: expected finite numbers";
    for bad in [f32::NAN, f32::INFINITY] {
        for mlp in [linear(2, &[bad, 1.0], &[0.0]), linear(2, &[1.0, 1.0], &[bad])] {
            assert_eq!(integer(&mlp).unwrap_err().to_string(), expected);
        }
    }
}

/// 127 times the scale of the largest f32 rounds to infinity.
#[test]
fn weights_whose_products_could_overflow_are_refused() {
    let most = SCALES.end() * 127.0;
    assert!(integer(&linear(1, &[1.0, most], &[0.0; 2])).is_ok());
    let error = integer(&linear(1, &[1.0, f32::MAX], &[0.0; 2])).unwrap_err();
    assert!(matches!(error, Error::IntegerScale { layer: 0, unit: 1, .. }), "{error}");
    let stated = [f32::MIN_POSITIVE, f32::MAX / 128.0].map(|scale| format!("{scale:e}"));
    assert!(stated.iter().all(|scale| error.to_string().contains(scale)), "{error}");
}

#[test]
fn sums_that_could_overflow_are_refused() {
    let wide = |inputs| linear(inputs, &vec![1.0; inputs], &[0.0]);
    let integer_at_most = integer(&wide(MAX_INPUTS)).unwrap();
    let sum = integer_at_most.plain_logits(&vec![1.0; MAX_INPUTS]).unwrap()[0];
    assert!((sum / MAX_INPUTS as f32 - 1.0).abs() < 1e-6, "{sum}");
    let error = integer(&wide(MAX_INPUTS + 1)).unwrap_err().to_string();
    let expected = "inputs of a layer with 8-bit weights: expected at most 133144, got 133145";
    assert_eq!(error, expected);
}

#[test]
fn calibration_rows_are_checked() {
    let mlp = linear(2, &[1.0, 1.0], &[0.0]);
    for rows in [&[0.5][..], &[0.5, f32::NAN]] {
        let rows = MatrixView::new(rows, 1, rows.len()).unwrap();
        assert!(IntegerMlp::new(&mlp, &Batch::dense(rows)).is_err());
    }
}

/// With 8 bits a network still computes about the same.
#[test]
fn logits_are_close_to_those_of_the_network() {
    for &unit in Activation::ALL {
        let mlp = Mlp::builder(20).hidden(30, unit, Noise::None).hidden(30, unit, Noise::None);
        let mlp = mlp.output(3, Loss::SquaredError).seed(1).build().unwrap();
        let integer = integer(&mlp).unwrap();
        let row: Vec<f32> = (0..20).map(|k| (k as f32).sin()).collect();
        let exact: Vec<f64> = row.iter().map(|&x| x.into()).collect();
        let exact = crate::nn::PlainNetwork::from(&mlp).logits(&exact).unwrap();
        let largest = exact.iter().fold(0.0, |max: f64, z| max.max(z.abs()));
        for (z, exact) in integer.plain_logits(&row).unwrap().iter().zip(exact) {
            assert!((f64::from(*z) - exact).abs() < 0.05 * largest, "{unit}: {z} is not {exact}");
        }
    }
}

#[test]
fn a_copy_is_equal() {
    let integer = integer(&linear(2, &[1.0, 0.5], &[0.25])).unwrap();
    assert_eq!(integer.try_clone().unwrap(), integer);
}
