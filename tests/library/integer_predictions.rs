//! Predictions with weights of 8 bits against their definition in plain loops.

use thinnet::{
    Isa, Keep,
    data::Batch,
    nn::{Activation, IntegerMlp, Loss, Mlp},
    predict::Predictor,
    tensor::MatrixView,
};

const ROWS: usize = 150;
const INPUTS: usize = 300;

fn mlp() -> Mlp {
    Mlp::builder(INPUTS)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(257, Activation::Relu, Keep::HALF)
        .hidden(70, "leaky_relu(0.25)".parse().unwrap(), Keep::new(0.75).unwrap())
        .hidden(33, Activation::Identity, Keep::ONE)
        .output(5, Loss::SquaredError)
        .seed(9)
        .build()
        .unwrap()
}

fn rows() -> Vec<f32> {
    (0..ROWS * INPUTS).map(|i| if i % 3 == 0 { 0.0 } else { (i as f32).sin() }).collect()
}

fn batch(x: &[f32]) -> Batch<'_> {
    Batch::dense(MatrixView::new(x, x.len() / INPUTS, INPUTS).unwrap())
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// On every instruction set, for any number of rows and threads, from a network or its file.
#[test]
fn logits_are_those_of_the_definition() {
    let x = rows();
    let integers = IntegerMlp::new(&mlp(), &batch(&x)).unwrap();
    let want: Vec<_> =
        x.chunks(INPUTS).map(|row| bits(&integers.plain_logits(row).unwrap())).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for isa in Isa::available() {
        let from_network = Predictor::new(mlp()).integer_weights(&batch(&x)).unwrap();
        let from_integers = Predictor::from_integers(integers.clone()).unwrap();
        for predictor in [from_network, from_integers] {
            let predictor = predictor.with_isa(isa).unwrap();
            let mut workspace = predictor.workspace(ROWS).unwrap();
            for rows in [1, 7, 64, ROWS] {
                for threads in [false, true] {
                    let mut got = Vec::new();
                    for x in x.chunks(rows * INPUTS) {
                        let mut logits = || {
                            let logits = predictor.logits(&batch(x), &mut workspace).unwrap();
                            (0..logits.rows()).map(|i| bits(logits.row(i).unwrap())).collect()
                        };
                        let logits: Vec<_> = if threads { pool.install(logits) } else { logits() };
                        got.extend(logits);
                    }
                    assert!(got == want, "{isa}, {rows} rows, threads: {threads}");
                }
            }
        }
    }
}

#[test]
fn inputs_that_are_not_finite_are_refused_or_give_nan() {
    let mut x = rows();
    let predictor = Predictor::new(mlp()).integer_weights(&batch(&x)).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    let clean = predictor.logits(&batch(&x[..3 * INPUTS]), &mut workspace).unwrap();
    let clean: Vec<_> = (0..3).map(|row| bits(clean.row(row).unwrap())).collect();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        x[INPUTS + 8] = bad;
        let three = batch(&x[..3 * INPUTS]);
        let error = predictor.logits(&three, &mut workspace).unwrap_err().to_string();
        assert!(error.contains("row 1") && error.contains("column 8"), "{error}");
        let allowing = predictor.clone().allow_non_finite_inputs();
        let logits = allowing.logits(&three, &mut workspace).unwrap();
        assert!(logits.row(1).unwrap().iter().all(|z| z.is_nan()));
        for row in [0, 2] {
            assert_eq!(bits(logits.row(row).unwrap()), clean[row]);
        }
    }
}

/// Even if the activation above would hide it. The unit is named by its index in the network, whatever
/// its place is.
#[test]
fn a_sum_that_overflows_is_refused() {
    let mut mlp = Mlp::builder(2)
        .hidden(70, Activation::Relu, Keep::ONE)
        .output(1, Loss::SquaredError)
        .build()
        .unwrap();
    // Every other unit has the first input, and units 67 and 41 overflow with the second.
    let weights = (0..70).flat_map(|unit| match unit {
        41 | 67 => [0.0, -1e30],
        _ => [f32::from(unit % 2 == 0), 0.0],
    });
    mlp.set_weights(0, &weights.collect::<Vec<_>>()).unwrap();
    let x = [1.0, 0.0, 0.5, 0.0, 1e30, 1e30];
    let batch = Batch::dense(MatrixView::new(&x, 3, 2).unwrap());
    let predictor = Predictor::new(mlp).integer_weights(&batch).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    let error = predictor.predict(&batch, &mut workspace).unwrap_err().to_string();
    for words in ["-inf", "row 2", "unit 41"] {
        assert!(error.contains(words), "{error}");
    }
}
