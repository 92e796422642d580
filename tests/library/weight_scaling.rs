//! Weight scaling as estimates: the numbers of `predict`, and what it does not know.

use thinnet::{
    Keep,
    data::Batch,
    nn::{Activation, Loss, Mlp, PredictionKind, TargetKind},
    predict::{MonteCarlo, Predictor, Seeds},
    tensor::MatrixView,
};

use crate::backend::isa;

const ROWS: usize = 5;

fn predictor(loss: Loss) -> Predictor {
    let mlp = Mlp::builder(20)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(70, Activation::Relu, Keep::HALF)
        .output(3 * loss.outputs_per_target(), loss)
        .seed(2)
        .build()
        .unwrap();
    Predictor::new(mlp).with_isa(isa()).unwrap()
}

fn inputs() -> Vec<f32> {
    (0..ROWS * 20).map(|i| (i as f32 * 0.7).sin()).collect()
}

/// -sum p ln p, of classes or of each bit and its opposite.
fn entropy(loss: Loss, p: &[f32]) -> Option<f64> {
    let term = |p: f64| -p * p.ln();
    let p = p.iter().map(|&p| f64::from(p));
    match loss {
        Loss::SoftmaxCrossEntropy => Some(p.map(term).sum()),
        Loss::BinaryCrossEntropy => Some(p.map(|p| term(p) + term(1.0 - p)).sum()),
        _ => None,
    }
}

#[test]
fn estimates_are_the_predictions() {
    let x = inputs();
    for &loss in Loss::ALL {
        let predictor = predictor(loss);
        let mut workspace = predictor.workspace(ROWS).unwrap();
        // Fewer rows than the workspace takes, and all of them.
        for rows in [2, ROWS, 0] {
            let batch = Batch::dense(MatrixView::new(&x[..20 * rows], rows, 20).unwrap());
            let predictions = predictor.predict(&batch, &mut workspace).unwrap();
            let want: Vec<Vec<f32>> =
                (0..rows).map(|row| predictions.row(row).unwrap().to_vec()).collect();
            let answers = predictor.weight_scaling(&batch, &mut workspace).unwrap();
            assert_eq!(answers.rows(), rows);
            for (answer, want) in answers.iter().zip(&want) {
                let normal = loss.prediction_kind() == PredictionKind::Normals;
                let variances = answer.noise_variance().filter(|_| normal).unwrap_or(&[]);
                let all = answer.mean().iter().chain(variances).copied();
                assert!(all.eq(want.iter().map(|&y| f64::from(y))));
                let most = want.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                // Bits and values are no classes.
                let class = (loss == Loss::SoftmaxCrossEntropy).then_some(most);
                assert_eq!(answer.class().map(|class| want[class]), class);
                assert_eq!(answer.entropy().is_some(), loss.target_kind() != TargetKind::Values);
                if let Some(entropy) = entropy(loss, want) {
                    // The last digits of ln.
                    assert!((answer.entropy().unwrap() - entropy).abs() < 1e-12);
                }
            }
        }
    }
}

/// Not a 0 that would say that it is sure; and the other ways know it again.
#[test]
fn weight_scaling_does_not_know_how_far_networks_agree() {
    let x = inputs();
    let batch = Batch::dense(MatrixView::new(&x, ROWS, 20).unwrap());
    let predictor = predictor(Loss::SoftmaxCrossEntropy);
    let mut workspace = predictor.workspace(ROWS).unwrap();
    let settings = MonteCarlo::new(20).unwrap().keep_samples();
    let seeds = Seeds::Each(&[1, 2, 3, 4, 5]);
    for _ in 0..2 {
        let answers = predictor.weight_scaling(&batch, &mut workspace).unwrap();
        for answer in answers.iter() {
            assert_eq!((answer.samples(), answer.variance()), (None, None));
            assert_eq!((answer.expected_entropy(), answer.mutual_information()), (None, None));
            for error in [answer.std_dev(0).unwrap_err(), answer.interval(0, 2.0).unwrap_err()] {
                assert!(error.to_string().contains("this estimate has no variance"), "{error}");
            }
            assert!(
                answer
                    .std_dev(3)
                    .unwrap_err()
                    .to_string()
                    .contains("output: expected an index below 3, got 3")
            );
            assert!(answer.quantile(0, 0.5).unwrap_err().to_string().contains("keep_samples"));
        }
        let answers = predictor.monte_carlo(&batch, &settings, seeds, &mut workspace).unwrap();
        for answer in answers.iter() {
            let deviation = answer.std_dev(1).unwrap();
            assert!(deviation > 0.0 && deviation == answer.variance().unwrap()[1].sqrt());
            assert!(answer.samples() == Some(20) && answer.mutual_information().is_some());
            assert!(answer.quantile(0, 0.5).is_ok());
        }
        let answers = predictor.moments(&batch, &mut workspace).unwrap();
        for answer in answers.iter() {
            assert!(answer.std_dev(0).unwrap() > 0.0 && answer.samples().is_none());
            assert!(answer.quantile(0, 0.5).is_err());
        }
    }
}

#[test]
fn bad_batches_are_refused_as_by_predict() {
    let predictor = predictor(Loss::SquaredError);
    let mut workspace = predictor.workspace(1).unwrap();
    let bad = [f32::NAN; 20];
    for (x, rows) in [(&[0.0; 19][..], 1), (&[0.0; 40], 2), (&bad, 1)] {
        let batch = Batch::dense(MatrixView::new(x, rows, x.len() / rows).unwrap());
        let want = predictor.predict(&batch, &mut workspace).unwrap_err().to_string();
        let got = predictor.weight_scaling(&batch, &mut workspace).unwrap_err().to_string();
        assert_eq!(got, want);
    }
}
