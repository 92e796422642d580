//! The reader of model files with 8-bit weights never panics on any bytes; what it loads saves again
//! to bytes that load equal, with the same tensors. Its f32 weights and its logits are those that the
//! tensors in the input give by the definition, in loops that share nothing with the library; the
//! predictor's are the same if all units are piecewise linear, on every instruction set, and a row is
//! refused if and only if one of its sums is not finite. Bytes are given the digest that they have;
//! where they had another, they are refused.

use thinnet::{
    Error, Isa,
    checkpoint::{Contents, Model},
    data::Batch,
    nn::{Activation, IntegerMlp},
    predict::Predictor,
    tensor::MatrixView,
};

use super::file_contents::{self, Tensors};

/// See the head of this file.
pub fn check(bytes: &[u8]) {
    let given = IntegerMlp::from_bytes(bytes);
    let fixed = &file_contents::with_digest(bytes);
    let integer = IntegerMlp::from_bytes(fixed);
    assert!(given.is_err() || (fixed == bytes && integer.is_ok()));
    let Ok(integer) = integer else { return };
    let another = file_contents::with_another_digest(fixed);
    let model = Model::from_bytes_unverified(&another).unwrap();
    assert_eq!(model, Model::Integer(integer.clone()));
    let contents = Contents::from_bytes(fixed).unwrap();
    assert!(contents.integer_weights && contents.network == *integer.network());
    let saved = integer.to_bytes().unwrap();
    let again = IntegerMlp::from_bytes(&saved).unwrap();
    assert_eq!(again, integer);
    assert_eq!(again.to_bytes().unwrap(), saved);
    let (given, _) = file_contents::read(fixed, "thinnet.integer");
    let (kept, _) = file_contents::read(&saved, "thinnet.integer");
    assert_eq!(given, kept);

    let layers = Layer::all(&integer, &given);
    for (index, layer) in layers.iter().enumerate() {
        let weights = integer.network().weights(index).unwrap();
        let products = layer
            .weights
            .iter()
            .zip(&layer.scales)
            .flat_map(|(q, s)| q.iter().map(move |&q| f32::from(q) * s));
        assert!(weights.iter().zip(products).all(|(w, product)| w.to_bits() == product.to_bits()));
    }
    let linear = [Activation::Relu, Activation::Identity];
    let is_linear = |f: &Activation| linear.contains(f) || matches!(f, Activation::LeakyRelu(_));
    let exact = integer.network().activations().iter().all(is_linear);
    for row in rows(integer.network().inputs()) {
        let mut sums = vec![row.clone()];
        for layer in &layers {
            let z = layer.sums(sums.last().unwrap());
            sums.push(z);
        }
        let logits = integer.plain_logits(&row).unwrap();
        assert!(same(&logits, sums.last().unwrap()), "{logits:?} for {row:?}");
        for isa in Isa::available() {
            let predictor = Predictor::from_integers(integer.clone()).unwrap();
            check_predictor(predictor.with_isa(isa).unwrap(), &row, &sums, exact);
        }
    }
}

/// Checks the logits of a row, whose sums in each layer follow the row in `sums`.
fn check_predictor(predictor: Predictor, row: &[f32], sums: &[Vec<f32>], exact: bool) {
    let batch = Batch::dense(MatrixView::new(row, 1, row.len()).unwrap());
    let mut workspace = predictor.workspace(1).unwrap();
    let finite = sums.iter().flatten().all(|z| z.is_finite());
    let refused = match predictor.logits(&batch, &mut workspace) {
        Ok(_) => false,
        Err(Error::NonFinite { row: 0, .. } | Error::NonFiniteSum { row: 0, .. }) => true,
        Err(error) => panic!("{error}"),
    };
    let predictor = predictor.allow_non_finite_inputs();
    let logits = predictor.logits(&batch, &mut workspace).unwrap();
    let logits = logits.row(0).unwrap();
    if exact {
        assert_eq!(refused, !finite, "{row:?}");
        assert!(same(logits, sums.last().unwrap()), "{logits:?} for {row:?}");
    }
    assert!(refused || logits.iter().all(|z| z.is_finite()));
}

/// Whether all numbers have the same bits; all NaN count as the same.
fn same(one: &[f32], other: &[f32]) -> bool {
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    one.len() == other.len() && one.iter().zip(other).all(same)
}

/// Some rows: zeros, small fractions with zeros in between, and numbers of very different sizes.
fn rows(inputs: usize) -> Vec<Vec<f32>> {
    let fraction = |k: usize| ((k * 37 + 11) % 64) as f32 / 8.0 - 4.0;
    let row = |x: &dyn Fn(usize) -> f32| (0..inputs).map(x).collect();
    vec![
        row(&|_| 0.0),
        row(&|k| if k % 3 == 0 { fraction(k) } else { 0.0 }),
        row(&|k| fraction(k) * 2.0_f32.powi(60 - (k % 150) as i32)),
        row(&|k| fraction(k) * 2.0_f32.powi(-124)),
        row(&|k| if k == 0 { f32::MAX } else { -1.0 }),
    ]
}

/// A layer as the tensors of a file have it, and the unit of its inputs.
struct Layer {
    weights: Vec<Vec<i8>>,
    scales: Vec<f32>,
    bias: Vec<f32>,
    below: Activation,
}

impl Layer {
    fn all(integer: &IntegerMlp, tensors: &Tensors) -> Vec<Self> {
        let units = integer.network().activations();
        let below = [Activation::Identity].into_iter().chain(units).enumerate();
        below
            .map(|(index, below)| {
                let tensor = |what: &str| &tensors[&format!("layers.{index}.{what}")];
                let floats = |what: &str| -> Vec<f32> {
                    let words = tensor(what).1.chunks_exact(4);
                    words.map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect()
                };
                let (shape, weights) = tensor("weight");
                let row = |row: &[u8]| row.iter().map(|&byte| byte as i8).collect();
                Self {
                    weights: weights.chunks_exact(shape[1]).map(row).collect(),
                    scales: floats("scale"),
                    bias: floats("bias"),
                    below,
                }
            })
            .collect()
    }

    /// The sums of this layer, from those of the layer below it.
    fn sums(&self, below: &[f32]) -> Vec<f32> {
        let x: Vec<f32> = below.iter().map(|&z| self.below.value(z.into()) as f32).collect();
        let most = x.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
        let t = match () {
            () if x.iter().any(|x| !x.is_finite()) => f32::NAN,
            () if most < f32::MIN_POSITIVE => 1.0,
            () => most,
        };
        let rounded = |x: &f32| (x / t).round_ties_even().clamp(-127.0, 127.0) as i64;
        let sum = |(n, q): (usize, &Vec<i8>)| {
            let sum: i64 = q.iter().zip(&x).map(|(&q, x)| i64::from(q) * rounded(x)).sum();
            let scaled = sum as f32 * (t * self.scales[n]);
            scaled + self.bias[n]
        };
        self.weights.iter().enumerate().map(sum).collect()
    }
}
