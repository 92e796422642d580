//! The decision threshold of a network decides classes and bits, and nothing else.

use thinnet::{
    Keep,
    checkpoint::{Contents, Model},
    data::{Batch, Dataset},
    exchange::{
        onnx::{self, Export},
        torch::{self, StateDict},
    },
    metrics::{Aim, Metric, Metrics, Row, threshold},
    nn::{Activation, IntegerMlp, Loss, Mlp, Scaling, Targets, Temperature},
    predict::{Estimates, MonteCarlo, Predictor, Seeds, evaluate_with},
    tensor::{Matrix, MatrixView},
    train::{Provenance, Schedule, Sgd, Trainer},
};

use crate::formats::with_header;

/// The rows -1, -0.9, ... 1 in one column.
fn rows() -> Vec<f32> {
    (-10..=10).map(|i| i as f32 / 10.0).collect()
}

/// A network whose probability of yes is the logistic of 3 x.
fn network(loss: Loss) -> Mlp {
    let outputs = if loss == Loss::SoftmaxCrossEntropy { 2 } else { 1 };
    let mut mlp = Mlp::builder(1)
        .hidden(2, Activation::Identity, Keep::HALF)
        .output(outputs, loss)
        .build()
        .unwrap();
    mlp.set_weights(0, &[1.0, 1.0]).unwrap();
    let weights: &[f32] = if outputs == 2 { &[0.0, 0.0, 1.5, 1.5] } else { &[1.5, 1.5] };
    mlp.set_weights(1, weights).unwrap();
    mlp
}

/// The mean probability of yes and the answer of each row.
fn answers(estimates: Estimates<'_>) -> Vec<(f64, bool)> {
    let of = |answer: thinnet::predict::Estimate<'_>| {
        let (p, yes) = match answer.class() {
            Some(class) => (answer.mean()[1], class == 1),
            None => (answer.mean()[0], answer.bits().unwrap().next().unwrap()),
        };
        let owned = answer.to_prediction();
        let of_owned = owned.class.map_or_else(|| owned.bits.unwrap()[0], |class| class == 1);
        assert_eq!(of_owned, yes);
        (p, yes)
    };
    estimates.iter().map(of).collect()
}

#[test]
fn every_way_to_predict_decides_by_it_and_keeps_its_probabilities() {
    let x = rows();
    let batch = Batch::dense(MatrixView::new(&x, 21, 1).unwrap());
    for loss in [Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy] {
        let all_ways = |mlp: &Mlp| {
            let predictor = Predictor::new(mlp);
            let mut workspace = predictor.workspace(21).unwrap();
            let seeds: Vec<u64> = (0..21).collect();
            let samples = MonteCarlo::new(9).unwrap();
            let mut ways = answers(predictor.weight_scaling(&batch, &mut workspace).unwrap());
            let seeds = Seeds::Each(&seeds);
            let sampled = predictor.monte_carlo(&batch, &samples, seeds, &mut workspace);
            ways.extend(answers(sampled.unwrap()));
            ways.extend(answers(predictor.moments(&batch, &mut workspace).unwrap()));
            ways
        };
        let mut mlp = network(loss);
        let before = all_ways(&mlp);
        assert!(before.iter().all(|&(p, yes)| yes == (p > 0.5)));
        for threshold in [-1.0, 0.0, 0.2, 0.5, 0.9, 1.0] {
            mlp.set_threshold(Some(threshold)).unwrap();
            let after = all_ways(&mlp);
            for (&(p, _), &(q, yes)) in before.iter().zip(&after) {
                assert_eq!((q, yes), (p, p > threshold));
            }
        }
        mlp.set_threshold(None).unwrap();
        assert_eq!(all_ways(&mlp), before);
    }
}

#[test]
fn metrics_of_answers_follow_it_and_others_do_not() {
    let x = rows();
    // Yes from -0.4 on, where the probability is 23 %.
    let labels: Vec<u32> = (-10..=10).map(|i| u32::from(i >= -4)).collect();
    let data = Dataset::new(Matrix::from_rows(&x, 21, 1).unwrap(), labels.clone()).unwrap();
    let mut mlp = network(Loss::SoftmaxCrossEntropy);
    let names =
        "error_rate,accuracy,precision,recall,f1,log_loss,brier,calibration_error(10),roc_auc";
    let wanted: Vec<Metric> = names.split(',').map(|name| name.parse().unwrap()).collect();
    let run = |mlp: &Mlp| {
        let predictor = Predictor::new(mlp);
        let mut workspace = predictor.workspace(21).unwrap();
        let new = || Metrics::new(&wanted, mlp.loss(), 2).unwrap().with_confusion().unwrap();
        let (mut metrics, mut others) = (new(), new());
        let found = evaluate_with(&predictor, &data, &mut metrics, &mut workspace).unwrap();
        let batch = Batch::new(data.inputs());
        let answers = predictor.weight_scaling(&batch, &mut workspace).unwrap();
        answers.measure(Targets::Classes(&labels), None, &mut others).unwrap();
        let figures: Vec<f64> =
            metrics.figures().map(|(_, figure)| figure.unwrap().value).collect();
        for ((metric, other), &figure) in others.figures().zip(&figures) {
            assert!((other.unwrap().value - figure).abs() < 1e-6, "{metric}");
        }
        let matrix: Vec<f64> = metrics.confusion().unwrap().rows().flatten().collect();
        assert_eq!(found.error_rate, Some(figures[0]));
        (found.wrong, figures, matrix)
    };
    // -0.4 to 0 are missed: at 0 both are equally probable, which is class 0.
    let (wrong, figures, matrix) = run(&mlp);
    assert_eq!((wrong, matrix), (vec![6, 7, 8, 9, 10], vec![6.0, 0.0, 5.0, 10.0]));
    let predictor = Predictor::new(&mlp);
    let mut workspace = predictor.workspace(21).unwrap();
    let found = predictor.weight_scaling(&Batch::new(data.inputs()), &mut workspace).unwrap();
    let scores: Vec<f64> = found.iter().map(|answer| answer.mean()[1]).collect();
    let positive: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
    let chosen = threshold(&scores, &positive, None, Aim::F1).unwrap();
    mlp.set_threshold(Some(chosen.threshold)).unwrap();
    let (wrong, after, matrix) = run(&mlp);
    assert_eq!((wrong, matrix), (vec![], vec![6.0, 0.0, 0.0, 15.0]));
    assert_eq!(after[..5], [0.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(after[5..], figures[5..]);
    assert_eq!(after[4], chosen.value);
}

#[test]
fn rows_of_metrics_have_thresholds_of_bits_and_two_classes() {
    let wanted = [Metric::ErrorRate, "recall".parse().unwrap()];
    let mut bits = Metrics::new(&wanted, Loss::BinaryCrossEntropy, 2).unwrap();
    bits.add(&Row::bits(&[0.3, 0.1], &[1.0, 0.0]).threshold(Some(0.2))).unwrap();
    assert_eq!(bits.figure(Metric::ErrorRate).unwrap().value, 0.0);
    bits.add(&Row::bits(&[0.3, 0.1], &[1.0, 0.0])).unwrap();
    assert_eq!(bits.figure(Metric::ErrorRate).unwrap().value, 0.25);
    let mut classes = Metrics::new(&wanted, Loss::SoftmaxCrossEntropy, 3).unwrap();
    let row = Row::class(&[0.3, 0.1, 0.6], 0).threshold(Some(0.2));
    let message = classes.add(&row).unwrap_err().to_string();
    assert!(message.contains("3 outputs") && message.contains("expected two classes"), "{message}");
    let row = Row::bits(&[0.3, 0.1], &[1.0, 0.0]).threshold(Some(f64::NAN));
    assert!(bits.add(&row).unwrap_err().to_string().contains("NaN"));
    assert_eq!(bits.rows(), 2);
}

#[test]
fn networks_with_other_outputs_and_numbers_are_refused() {
    for (loss, outputs) in
        [(Loss::SoftmaxCrossEntropy, 3), (Loss::BinaryCrossEntropy, 2), (Loss::SquaredError, 1)]
    {
        let mut mlp = Mlp::builder(1).output(outputs, loss).build().unwrap();
        let message = mlp.set_threshold(Some(0.5)).unwrap_err().to_string();
        assert!(message.contains(&format!("{outputs} outputs with loss {loss}")), "{message}");
        mlp.set_threshold(None).unwrap();
    }
    let mut mlp = network(Loss::BinaryCrossEntropy);
    for threshold in [50.0, -1.5, f64::NAN, f64::INFINITY] {
        let message = mlp.set_threshold(Some(threshold)).unwrap_err().to_string();
        assert!(message.contains("decision threshold"), "{message}");
    }
    assert_eq!(mlp.threshold(), None);
    for text in ["F1", "", "1", "1:", ":1", "1:x", "-1:1", "1:inf", "1:1:1", "nan:1"] {
        let message = text.parse::<Aim>().unwrap_err().to_string();
        assert!(message.contains("expected f1, or the costs"), "{message}");
    }
    for text in ["f1", "1:50", "0.25:0"] {
        assert_eq!(text.parse::<Aim>().unwrap().to_string(), text);
    }
}

#[test]
fn files_keep_it_and_training_and_another_temperature_remove_it() {
    let mut mlp = network(Loss::SoftmaxCrossEntropy);
    let without = mlp.to_bytes().unwrap();
    mlp.set_temperature(Temperature::new(1.5).unwrap()).unwrap();
    // Three bits more than an f32 holds.
    let chosen = 0.123_456_789_012_345_6;
    mlp.set_threshold(Some(chosen)).unwrap();
    mlp.set_temperature(mlp.temperature()).unwrap();
    let bytes = mlp.to_bytes().unwrap();
    let read = Mlp::from_bytes(&bytes).unwrap();
    assert_eq!((&read, read.threshold()), (&mlp, Some(chosen)));
    assert_eq!(mlp.try_clone().unwrap(), mlp);
    let x = rows();
    let batch = Batch::dense(MatrixView::new(&x, 21, 1).unwrap());
    let integer = IntegerMlp::new(&mlp, &batch).unwrap();
    let read = IntegerMlp::from_bytes(&integer.to_bytes().unwrap()).unwrap();
    assert_eq!((read.network().threshold(), &read), (Some(chosen), &integer));
    let mut model = Model::Integer(read);
    model.set_threshold(Some(-0.0)).unwrap();
    let Model::Integer(integer) = &model else { unreachable!() };
    let read = IntegerMlp::from_bytes(&integer.to_bytes().unwrap()).unwrap();
    assert_eq!(read.network().threshold().unwrap().to_bits(), 0);

    let graph = onnx::to_bytes(&mlp, &Export::new()).unwrap();
    assert_eq!(onnx::Model::from_bytes(graph).network(None).unwrap(), mlp);
    let state_dict = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
    let read = StateDict::from_bytes(state_dict).unwrap().network(None).unwrap();
    assert_eq!((read.threshold(), read.temperature()), (Some(chosen), Temperature::ONE));

    for number in ["1.5", "-2", "\\\"0.5\\\""] {
        let to = format!(r#"\"threshold\":{number}"#);
        let changed = with_header(&bytes, &format!(r#"\"threshold\":{chosen}"#), &to);
        assert!(Mlp::from_bytes(&changed).is_err(), "{number}");
    }
    let builder = || Trainer::builder(mlp.clone(), Sgd::new(Schedule::constant(0.1)), 4);
    let trainer = builder().build().unwrap();
    let trained = trainer.network().unwrap();
    assert_eq!(trained.threshold(), None);
    assert_eq!(trained.to_bytes().unwrap(), without);
    let checkpoint = trainer.to_bytes(&Provenance::new(), "").unwrap();
    let scaling = r#"\"scaling\":\"inverted\""#;
    let with = format!(r#"{scaling},\"threshold\":0.5"#);
    let message =
        Contents::from_bytes(&with_header(&checkpoint, scaling, &with)).unwrap_err().to_string();
    assert!(message.contains("decision threshold 0.5: expected none"), "{message}");
    mlp.set_temperature(Temperature::new(1.6).unwrap()).unwrap();
    assert_eq!(mlp.threshold(), None);
}
