//! The path of small networks against that of the lists: the same bits and the same errors.

use super::*;
use crate::{
    Keep,
    mask::{Domain, Streams},
    nn::{Activation, Loss},
    simd::tests::on_each_isa,
};

const WIDTHS: [usize; 12] = [1, 2, 13, 15, 16, 17, 63, 64, 65, 128, 130, 200];

/// Evenly distributed numbers.
struct Numbers(Streams, u64);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(Streams::new(seed, Domain::Other, 0, 0), 0)
    }

    /// The next one below `n`.
    fn below(&mut self, n: usize) -> usize {
        self.1 += 1;
        (self.0.hash(self.1) >> 32) as usize % n
    }

    /// The next one from -2 to 2, which may also be 0, -0 or denormal.
    fn input(&mut self) -> f32 {
        match self.below(8) {
            0 => 0.0,
            1 => -0.0,
            2 => -1e-40,
            _ => self.below(1 << 16) as f32 / f32::from(1u16 << 14) - 2.0,
        }
    }
}

/// A network that is small for at least one row.
fn network(numbers: &mut Numbers, activation: Activation, loss: Loss, hidden: usize) -> Mlp {
    loop {
        let mut width = || WIDTHS[numbers.below(WIDTHS.len())];
        let mut mlp = Mlp::builder(width()).input_noise(Keep::HALF);
        for _ in 0..hidden {
            mlp = mlp.hidden(width(), activation, Keep::HALF);
        }
        let outputs = width().max(2) * loss.outputs_per_target();
        let mut mlp = mlp.output(outputs, loss).seed(numbers.1).build().unwrap();
        for layer in &mut mlp.layers {
            let units = layer.weights.outputs();
            layer.bias[..units].iter_mut().for_each(|b| *b = numbers.input());
        }
        if Small::new(&mlp).is_some() {
            return mlp;
        }
    }
}

/// Bits, in which one NaN is like any other.
fn bits(view: MatrixView<'_>) -> Vec<u32> {
    view.iter().flatten().map(|y| if y.is_nan() { f32::NAN } else { *y }.to_bits()).collect()
}

/// Compares all results of a predictor with and without the path for small networks; returns
/// whether they are predictions and not an error.
fn compare<M: Borrow<Mlp>>(predictor: &Predictor<M>, x: &[f32], rows: usize) -> bool {
    let batch = Batch::dense(MatrixView::new(x, rows, predictor.network().inputs()).unwrap());
    let mut small = predictor.workspace(rows).unwrap();
    assert!(small.small.as_ref().is_some_and(|small| small.suits(rows)));
    let mut lists = Workspace { small: None, ..small.clone() };
    let all = [&mut small, &mut lists].map(|workspace| {
        let logits = predictor.logits(&batch, workspace).map(bits);
        let predictions = predictor.predict(&batch, workspace).map(bits);
        [logits, predictions].map(|answer| answer.map_err(|error| error.to_string()))
    });
    let name = (predictor.isa, predictor.network().widths(), predictor.network().activations());
    assert_eq!(all[0], all[1], "{name:?}");
    let predicted = all.as_flattened().iter().all(Result::is_ok);
    if predicted && predictor.rounded.is_none() {
        assert_eq!(small.flow.lists[0].density(), 0.0, "{name:?} filled lists");
    }
    predicted
}

/// Runs the test for networks of all activations, losses and depths.
fn on_each_network(mut body: impl FnMut(&mut Numbers, Predictor<&Mlp>, usize)) {
    let mut numbers = Numbers::new(1);
    for &activation in Activation::ALL {
        for &loss in Loss::ALL {
            for hidden in 0..4 {
                let mlp = network(&mut numbers, activation, loss, hidden);
                let most = path_rows(&mlp);
                let rows = numbers.below(most) + 1;
                on_each_isa(|isa| {
                    body(&mut numbers, Predictor::new(&mlp).with_isa(isa).unwrap(), rows);
                });
            }
        }
    }
}

/// The most rows for which the network is small.
fn path_rows(mlp: &Mlp) -> usize {
    let small = Small::new(mlp).unwrap();
    (1..).find(|&rows| !small.suits(rows)).unwrap() - 1
}

#[test]
fn predictions_have_the_bits_of_the_lists() {
    on_each_network(|numbers, predictor, rows| {
        let inputs = predictor.network().inputs();
        let mut x: Vec<f32> = (0..rows * inputs).map(|_| numbers.input()).collect();
        assert!(compare(&predictor, &x, rows));
        // Rows without zeros, and one of zeros alone.
        x.iter_mut().for_each(|x| *x = if *x == 0.0 { 1.0 } else { *x });
        assert!(compare(&predictor, &x, rows));
        x[..inputs].fill(0.0);
        assert!(compare(&predictor, &x, rows));
    });
}

#[test]
fn numbers_that_are_not_finite_are_refused_or_propagate_as_in_the_lists() {
    on_each_network(|numbers, predictor, rows| {
        let inputs = predictor.network().inputs();
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            let mut x: Vec<f32> = (0..rows * inputs).map(|_| numbers.input()).collect();
            x[numbers.below(rows * inputs)] = value;
            let refused = !compare(&predictor, &x, rows);
            assert!(refused || value == f32::MAX);
            assert!(compare(&predictor.clone().allow_non_finite_inputs(), &x, rows));
        }
    });
}

#[test]
fn sums_that_overflow_are_refused_as_in_the_lists() {
    let mut refused = 0;
    on_each_network(|numbers, predictor, rows| {
        let mut mlp = predictor.network().clone();
        let layer = numbers.below(mlp.depth());
        mlp.layers[layer].weights.scale_outputs(&[[3e38; 64]; 4]);
        let predictor = Predictor { mlp, ..Predictor::new(Mlp::clone(predictor.network())) }
            .with_isa(predictor.isa.isa())
            .unwrap();
        let x: Vec<f32> =
            (0..rows * predictor.network().inputs()).map(|_| 4.0 * numbers.input()).collect();
        refused += usize::from(!compare(&predictor, &x, rows));
        assert!(compare(&predictor.clone().allow_non_finite_inputs(), &x, rows));
    });
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_sum_that_underflows_to_minus_0_is_0() {
    on_each_isa(|isa| {
        let mut mlp = Mlp::builder(2).output(1, Loss::SquaredError).build().unwrap();
        mlp.set_weights(0, &[-1e-30, 1e-30]).unwrap();
        mlp.set_bias(0, &[-0.0]).unwrap();
        let predictor = Predictor::new(&mlp).with_isa(isa).unwrap();
        for x in [[1e-30, 0.0], [1e-30, 1e-30], [0.0, -1e-30]] {
            assert!(compare(&predictor, &x, 1));
            let mut workspace = predictor.workspace(1).unwrap();
            let batch = Batch::dense(MatrixView::new(&x, 1, 2).unwrap());
            assert_eq!(bits(predictor.predict(&batch, &mut workspace).unwrap()), [0], "{isa}");
        }
    });
}

#[test]
fn larger_batches_wider_layers_and_rounded_weights_take_the_lists() {
    let of = |inputs, hidden| {
        let mlp = Mlp::builder(inputs).hidden(hidden, Activation::Relu, Keep::HALF);
        mlp.output(1, Loss::SquaredError).build().unwrap()
    };
    for (inputs, hidden) in [(257, 1), (1, 257), (256, 256)] {
        assert!(Small::new(&of(inputs, hidden)).is_none(), "{inputs}-{hidden}-1");
    }
    assert_eq!(path_rows(&of(13, 50)), 8);
    assert_eq!(path_rows(&of(200, 150)), 2);
    let mlp = of(13, 50);
    let predictor = Predictor::new(&mlp).bf16_weights().unwrap();
    let x: Vec<f32> = (0..13).map(|i| (i as f32).sin()).collect();
    assert!(compare(&predictor, &x, 1));
}
