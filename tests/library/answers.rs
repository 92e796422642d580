//! What an answer says where the network's sums overflow, and what it owns.

use thinnet::{
    Error, Isa, Keep,
    data::{Batch, Dataset, OwnedTargets},
    nn::{Activation, GaussianBeta, Loss, Mlp, PlainNetwork, PredictionKind, TargetKind},
    predict::{Estimate, Method, MonteCarlo, Predictor, Seeds, TargetNoise, Workspace, evaluate},
    tensor::{Matrix, MatrixView},
};

use crate::backend::isa;

const INPUTS: usize = 6;

fn network(activation: Activation, loss: Loss) -> Mlp {
    Mlp::builder(INPUTS)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(70, activation, Keep::HALF)
        .hidden(30, activation, Keep::HALF)
        .output(3 * loss.outputs_per_target(), loss)
        .seed(5)
        .build()
        .unwrap()
}

fn learns_noise(loss: Loss) -> bool {
    matches!(loss.prediction_kind(), PredictionKind::Rates | PredictionKind::Normals)
}

fn methods() -> [Method; 4] {
    let samples = MonteCarlo::new(40).unwrap();
    [
        Method::WeightScaling,
        Method::MonteCarlo(samples.keep_samples()),
        Method::MonteCarlo(samples.tolerance(0.1).unwrap()),
        Method::Moments,
    ]
}

const SEEDS: Seeds<'_> = Seeds::Each(&[1, 2, 3]);

/// Three rows, of which the one in the middle is this.
fn rows(middle: [f32; INPUTS]) -> Vec<f32> {
    let ordinary = [0.5, -1.0, 0.25, 2.0, -0.75, 1.5];
    [ordinary, middle, ordinary].concat()
}

fn view(x: &[f32]) -> Batch<'_> {
    Batch::dense(MatrixView::new(x, x.len() / INPUTS, INPUTS).unwrap())
}

fn refused_row<T>(result: Result<T, Error>) -> usize {
    match result {
        Err(Error::NonFinite { row, value, .. } | Error::NonFiniteSum { row, value, .. })
            if !value.is_finite() =>
        {
            row
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("answered"),
    }
}

/// Every way to predict, with an answer for three rows.
fn everywhere(
    predictor: &Predictor,
    x: &[f32],
    workspace: &mut Workspace,
    check: impl Fn(&str, Result<(), Error>),
) {
    for method in methods() {
        let answer = predictor.estimate(&view(x), &method, SEEDS, workspace);
        check(method.name(), answer.map(drop));
    }
    check("predict", predictor.predict(&view(x), workspace).map(drop));
    check("logits", predictor.logits(&view(x), workspace).map(drop));
    check("logit_moments", predictor.logit_moments(&view(x), workspace).map(drop));
}

#[test]
fn a_row_that_overflows_is_refused_by_its_number_in_every_way_to_predict() {
    // All at the largest numbers; a fill value among ordinary ones.
    let fill = [0.5, 1.0, 9.969_21e36, -1.0, 0.0, 0.3];
    for activation in [Activation::Relu, Activation::Tanh, Activation::Identity] {
        for &loss in Loss::ALL {
            let mut mlp = network(activation, loss);
            // Sums of the first layer that overflow with the fill value too.
            let large: Vec<f32> = mlp.weights(0).unwrap().iter().map(|w| w * 1e3).collect();
            mlp.set_weights(0, &large).unwrap();
            if learns_noise(loss) {
                // The rates and variances of good rows would overflow too.
                let small: Vec<f32> = mlp.weights(2).unwrap().iter().map(|w| w * 1e-3).collect();
                mlp.set_weights(2, &small).unwrap();
            }
            let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
            let mut workspace = predictor.workspace(3).unwrap();
            for middle in [[3e38; INPUTS], [-3e38; INPUTS], fill] {
                let x = rows(middle);
                everywhere(&predictor, &x, &mut workspace, |way, result| {
                    assert_eq!(refused_row(result), 1, "{way} {activation:?} {loss}");
                });
                // The workspace is as good as before.
                let good = rows([0.1; INPUTS]);
                everywhere(&predictor, &good, &mut workspace, |way, result| {
                    result.unwrap_or_else(|error| panic!("{way}: {error}"));
                });
            }
        }
    }
}

/// A finite logit whose exponential is above the largest f32.
#[test]
fn a_rate_that_overflows_is_refused_by_its_row() {
    let mut mlp = Mlp::builder(1).input_noise(Keep::HALF).output(2, Loss::Poisson).build().unwrap();
    mlp.set_weights(0, &[0.5, 1.0]).unwrap();
    let x = MatrixView::new(&[1.0, -300.0, 300.0], 3, 1).unwrap();
    for isa in Isa::available() {
        let predictor = Predictor::new(&mlp).with_isa(isa).unwrap();
        let mut workspace = predictor.workspace(3).unwrap();
        let many = MonteCarlo::new(64).unwrap();
        let answers = predictor.monte_carlo(&Batch::dense(x), &many, SEEDS, &mut workspace);
        assert_eq!(refused_row(answers), 2);
        let refused = predictor.predict(&Batch::dense(x), &mut workspace).unwrap_err().to_string();
        let words = "prediction at row 2, column 0 is inf: expected a finite number";
        // 0.5 * 300 is too large as well.
        assert_eq!(refused, words, "{isa}");
        assert!(predictor.logits(&Batch::dense(x), &mut workspace).is_ok());
        let first = Batch::dense(x.subrows(0..2).unwrap());
        let rates = predictor.predict(&first, &mut workspace).unwrap();
        assert_eq!(rates.row(1).unwrap(), [0.0; 2]);
        let t = Matrix::from_rows(&[1.0; 6], 3, 2).unwrap();
        let inputs = Matrix::from_rows(&[1.0, -300.0, 300.0], 3, 1).unwrap();
        let data = Dataset::new(inputs, OwnedTargets::Values(t)).unwrap();
        assert_eq!(refused_row(evaluate(&predictor, &data, &mut workspace)), 2);
        let allowing = predictor.allow_non_finite_inputs();
        let rates = allowing.predict(&Batch::dense(x), &mut workspace).unwrap();
        assert_eq!(rates.row(2).unwrap(), [f32::INFINITY; 2]);
    }
    // The moments are f64, which holds e^600 but not its square.
    let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    assert_eq!(refused_row(predictor.moments(&Batch::dense(x), &mut workspace)), 2);
    // Without dropout there is one network.
    let mut none = Mlp::builder(1).output(2, Loss::Poisson).build().unwrap();
    none.set_weights(0, &[0.5, 3.0]).unwrap();
    let predictor = Predictor::new(&none).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    for method in methods() {
        let answers = predictor.estimate(&Batch::dense(x), &method, SEEDS, &mut workspace);
        assert_eq!(refused_row(answers), 2, "{}", method.name());
    }
}

/// The variance overflows, the mean does not.
#[test]
fn a_variance_that_overflows_is_refused_by_its_row() {
    let loss = Loss::GaussianNll(GaussianBeta::DEFAULT);
    let mut mlp = Mlp::builder(1).input_noise(Keep::HALF).output(2, loss).build().unwrap();
    mlp.set_weights(0, &[3.0, 1.0]).unwrap();
    let x = MatrixView::new(&[1.0, -300.0, 400.0], 3, 1).unwrap();
    let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    let refused = predictor.predict(&Batch::dense(x), &mut workspace).unwrap_err().to_string();
    assert_eq!(refused, "prediction at row 2, column 1 is inf: expected a finite number");
    let many = MonteCarlo::new(64).unwrap();
    let answers = predictor.monte_carlo(&Batch::dense(x), &many, SEEDS, &mut workspace);
    assert_eq!(refused_row(answers), 2);
    assert_eq!(refused_row(predictor.moments(&Batch::dense(x), &mut workspace)), 2);
    assert!(predictor.logit_moments(&Batch::dense(x), &mut workspace).is_ok());
}

/// Against all masks of the inputs, each with its probability: the law of total variance.
#[test]
fn variance_is_split_into_disagreement_and_noise() {
    let keep = Keep::new(0.75).unwrap();
    for &loss in &[Loss::GaussianNll(GaussianBeta::DEFAULT), Loss::Poisson] {
        let outputs = 3 * loss.outputs_per_target();
        let mlp = Mlp::builder(INPUTS).input_noise(keep).hidden(20, Activation::Tanh, Keep::ONE);
        let mlp = mlp.output(outputs, loss).seed(7).build().unwrap();
        let x = [0.5, -1.0, 0.25, 2.0, -0.75, 1.5];
        let plain = PlainNetwork::from(&mlp);
        let wide: Vec<f64> = x.iter().map(|&x| x.into()).collect();
        // The probability, the means and the variances of each mask's distribution.
        let normal = loss.prediction_kind() == PredictionKind::Normals;
        let masks = (0..1u32 << INPUTS).map(|mask| {
            let kept = mask.count_ones() as i32;
            let probability = 0.75f64.powi(kept) * 0.25f64.powi(INPUTS as i32 - kept);
            let factor = |site: usize, unit: usize| match site {
                0 => f64::from(mask >> unit & 1) / 0.75,
                _ => 1.0,
            };
            let y = loss.link(&plain.logits_scaled(&wide, factor).unwrap());
            let variances = if normal { y[3..].to_vec() } else { y.clone() };
            (probability, y[..3].to_vec(), variances)
        });
        let masks: Vec<_> = masks.collect();
        let average = |of: &dyn Fn(&[f64], &[f64]) -> f64| -> f64 {
            masks.iter().map(|(p, means, variances)| p * of(means, variances)).sum()
        };
        let predictor = Predictor::new(&mlp).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(1).unwrap();
        let batch = Batch::dense(MatrixView::new(&x, 1, INPUTS).unwrap());
        let samples = MonteCarlo::new(20_000).unwrap();
        // Of 20,000 samples a mean is off by a few hundredths of a deviation.
        for (method, tolerance) in [(Method::Moments, 1e-5), (Method::MonteCarlo(samples), 0.05)] {
            let seeds = Seeds::Each(&[1]);
            let answers = predictor.estimate(&batch, &method, seeds, &mut workspace).unwrap();
            let answer = answers.row(0).unwrap();
            for target in 0..3 {
                let close = |got: f64, want: f64, what: &str| {
                    let name = method.name();
                    assert!(
                        (got - want).abs() <= tolerance * want,
                        "{loss} {name} {what}: {got}, not {want}"
                    );
                };
                let mean = average(&|m, _| m[target]);
                let disagreement = average(&|m, _| (m[target] - mean).powi(2));
                let noise = average(&|_, v| v[target]);
                // The variance of the mixture, from its second moment.
                let total = average(&|m, v| v[target] + m[target] * m[target]) - mean * mean;
                assert!((total - disagreement - noise).abs() < 1e-12);
                close(answer.variance().unwrap()[target], disagreement, "disagreement");
                close(answer.noise_variance().unwrap()[target], noise, "noise");
                close(answer.total_variance(target).unwrap(), total, "total");
                let got = answer.predictive_interval(target, 2.0, TargetNoise::Learned).unwrap();
                close(got[1] - got[0], 4.0 * total.sqrt(), "interval");
            }
        }
        // Weight scaling knows the noise alone.
        let answers = predictor.weight_scaling(&batch, &mut workspace).unwrap();
        let answer = answers.row(0).unwrap();
        assert!(answer.noise_variance().unwrap().iter().all(|&v| v > 0.0));
        assert!(matches!(answer.total_variance(0), Err(Error::NoVariance)));
    }
}

#[test]
fn noise_that_is_not_learned_or_not_given_is_refused() {
    let x = rows([0.1; INPUTS]);
    let learns = |loss: Loss| {
        let predictor = Predictor::new(network(Activation::Relu, loss)).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(3).unwrap();
        let samples = MonteCarlo::new(5).unwrap().keep_samples();
        let answers = predictor.monte_carlo(&view(&x), &samples, SEEDS, &mut workspace).unwrap();
        let answer = answers.row(1).unwrap();
        let text = |result: Result<f64, Error>| result.map_err(|error| error.to_string());
        [
            text(answer.total_variance(0)),
            text(answer.predictive_interval(0, 1.0, 2.0).map(|[low, _]| low)),
            text(answer.log_likelihood(&[0.0; 3], 2.0)),
            text(answer.log_likelihood(&[0.0; 3], TargetNoise::Learned)),
        ]
    };
    let words = |loss: &str, needs: &str| Err(format!("loss {loss}: expected {needs}"));
    let learned = "one that learns the noise of targets, gaussian_nll or poisson";
    let normal = "one that learns normal noise of targets, gaussian_nll";
    let values = "a loss of values, whose targets have noise";
    let [total, interval, with_precision, likelihood] = learns(Loss::SquaredError);
    assert!(interval.is_ok() && with_precision.is_ok());
    assert_eq!(total, words("squared_error", learned));
    assert_eq!(likelihood, words("squared_error", normal));
    let [total, interval, with_precision, likelihood] = learns(Loss::Poisson);
    assert!(total.is_ok());
    assert_eq!([interval, with_precision], [words("poisson", values), words("poisson", values)]);
    assert_eq!(likelihood, words("poisson", normal));
    let [total, interval, with_precision, likelihood] =
        learns(Loss::GaussianNll(GaussianBeta::DEFAULT));
    assert!(total.is_ok() && likelihood.is_ok());
    let refused = words("gaussian_nll", values);
    assert_eq!([interval, with_precision], [refused.clone(), refused]);
}

/// The softmax of a logit of minus infinity is a finite 0, and the logistic of either
/// infinity is 0 or 1.
#[test]
fn an_infinite_logit_does_not_give_a_certain_answer() {
    for &loss in Loss::ALL {
        for sign in [1.0, -1.0] {
            let outputs = 3 * loss.outputs_per_target();
            let mlp = Mlp::builder(1).input_noise(Keep::HALF).output(outputs, loss);
            let mut mlp = mlp.build().unwrap();
            let mut weights = vec![0.0; outputs];
            weights[..3].copy_from_slice(&[sign * 1e30, 1.0, 0.5]);
            mlp.set_weights(0, &weights).unwrap();
            let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
            let mut workspace = predictor.workspace(3).unwrap();
            let x = MatrixView::new(&[1.0, 2.0, 1e10], 3, 1).unwrap();
            for method in methods() {
                let answers = predictor.estimate(&Batch::dense(x), &method, SEEDS, &mut workspace);
                assert_eq!(refused_row(answers), 2, "{loss} {}", method.name());
            }
            assert_eq!(refused_row(predictor.predict(&Batch::dense(x), &mut workspace)), 2);
        }
    }
}

#[test]
fn if_they_are_allowed_they_reach_every_figure() {
    for &loss in Loss::ALL {
        let mlp = network(Activation::Relu, loss);
        let predictor = Predictor::new(mlp).with_isa(isa()).unwrap().allow_non_finite_inputs();
        let mut workspace = predictor.workspace(3).unwrap();
        for middle in [[3e38; INPUTS], [f32::NAN; INPUTS]] {
            let x = rows(middle);
            for method in methods() {
                let answers =
                    predictor.estimate(&view(&x), &method, SEEDS, &mut workspace).unwrap();
                let good = answers.row(0).unwrap();
                assert!(good.mean().iter().all(|y| y.is_finite()));
                let bad = answers.row(1).unwrap();
                let what = format!("{loss} {} {middle:?}", method.name());
                assert_eq!(bad.class(), None, "{what}");
                assert!(nothing_is_certain(&bad), "{what}: {bad:?}");
                let refused = serde_json::to_string(&bad.to_prediction()).unwrap_err();
                assert!(refused.to_string().contains("expected a finite number"), "{refused}");
            }
        }
    }
}

/// No figure of an answer is a finite number.
fn nothing_is_certain(answer: &Estimate<'_>) -> bool {
    let figures = [answer.entropy(), answer.expected_entropy(), answer.mutual_information()];
    let outputs = 0..answer.mean().len();
    let kept = |output| answer.quantile(output, 0.5).ok();
    let ends = |output| answer.interval(output, 1.0).ok().into_iter().flatten();
    answer.mean().iter().all(|y| !y.is_finite())
        && answer.variance().is_none_or(|variance| variance.iter().all(|v| v.is_nan()))
        && figures.iter().flatten().all(|h| h.is_nan())
        && outputs.clone().filter_map(kept).all(|y| !y.is_finite())
        && outputs.flat_map(ends).all(|y| y.is_nan())
        && !answer.log_likelihood(&[0.0; 3], 1.0).is_ok_and(f64::is_finite)
}

#[test]
fn evaluation_names_the_row_of_the_data_and_has_no_largest_loss() {
    let mut mlp = Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
    mlp.set_weights(0, &[500.0, 0.0]).unwrap();
    let predictor = Predictor::new(mlp.clone()).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(2).unwrap();
    let data = |x: &[f32], labels: &[u32]| {
        Dataset::new(Matrix::from_rows(x, x.len(), 1).unwrap(), labels.to_vec()).unwrap()
    };
    // -ln softmax of [500, 0] is 500 for class 1, as training says, and 0 for class 0.
    let found = evaluate(&predictor, &data(&[1.0, 1.0], &[1, 0]), &mut workspace).unwrap();
    assert_eq!((found.loss, &found.wrong[..]), (250.0, &[0][..]));
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(json, r#"{"rows":2,"wrong":[0],"error_rate":0.5,"loss":250.0}"#);
    let found = evaluate(&predictor, &data(&[0.001], &[1]), &mut workspace).unwrap();
    // ln(1 + e^0.5), in f32.
    assert!((found.loss - 0.974_077).abs() < 1e-6, "{}", found.loss);

    let overflows = data(&[1.0, 1.0, 0.5, 1e37, 1.0], &[0; 5]);
    assert_eq!(refused_row(evaluate(&predictor, &overflows, &mut workspace)), 3);
    let not_finite = data(&[1.0, 1.0, 0.5, 1.0, f32::NAN], &[0; 5]);
    assert_eq!(refused_row(evaluate(&predictor, &not_finite, &mut workspace)), 4);
    let allowing = Predictor::new(mlp).with_isa(isa()).unwrap().allow_non_finite_inputs();
    let found = evaluate(&allowing, &overflows, &mut workspace).unwrap();
    assert!(found.loss.is_nan() && found.wrong == [3], "{found:?}");
    let error = serde_json::to_string(&found).unwrap_err().to_string();
    assert_eq!(error, "NaN: expected a finite number");
}

#[test]
fn a_prediction_has_the_figures_of_its_estimate() {
    let x = rows([0.1; INPUTS]);
    for &loss in Loss::ALL {
        let predictor = Predictor::new(network(Activation::Relu, loss)).with_isa(isa()).unwrap();
        let mut workspace = predictor.workspace(3).unwrap();
        for method in methods() {
            let answers = predictor.estimate(&view(&x), &method, SEEDS, &mut workspace).unwrap();
            assert_eq!((answers.into_iter().len(), (&answers).into_iter().len()), (3, 3));
            assert!(
                answers
                    .iter()
                    .rev()
                    .map(|row| row.mean()[0])
                    .eq([2, 1, 0].map(|row| answers.row(row).unwrap().mean()[0]))
            );
            let answer = answers.row(1).unwrap();
            let owned = answer.to_prediction();
            let json = serde_json::to_value(&owned).unwrap();
            assert_eq!(json["mean"], serde_json::json!(answer.mean()));
            assert_eq!(serde_json::to_value(answer).unwrap(), json);
            let there = |name: &str| json.get(name).is_some();
            assert_eq!(there("variance"), method != Method::WeightScaling);
            assert_eq!(there("samples"), matches!(method, Method::MonteCarlo(_)));
            assert_eq!(there("noise_variance"), learns_noise(loss));
            assert_eq!(there("class"), loss.target_kind() == TargetKind::Classes);
            assert_eq!(there("entropy"), loss.target_kind() != TargetKind::Values);
            assert_eq!(owned.variance.as_deref(), answer.variance());
            let again: Method = serde_json::from_value(serde_json::json!(method)).unwrap();
            assert_eq!(again, method);
        }
    }
    assert!(serde_json::from_str::<Method>("{\"monte_carlo\": {\"samples\": 0}}").is_err());
}

/// One sample says nothing of how samples differ.
#[test]
fn one_sample_of_many_networks_has_no_variance() {
    let mlp = network(Activation::Relu, Loss::SoftmaxCrossEntropy);
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    let x = rows([0.1; INPUTS]);
    let one = MonteCarlo::new(1).unwrap();
    let answers = predictor.monte_carlo(&view(&x), &one, SEEDS, &mut workspace).unwrap();
    let answer = answers.row(0).unwrap();
    assert_eq!((answer.samples(), answer.variance()), (Some(1), None));
    assert_eq!((answer.mutual_information(), answer.std_dev(0).is_err()), (None, true));
}

/// Samples in the order in which they were taken, which belong together over outputs.
#[test]
fn intervals_and_likelihoods_follow_their_formulas() {
    let mlp = network(Activation::Relu, Loss::SquaredError);
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(3).unwrap();
    let x = rows([0.1; INPUTS]);
    let kept = MonteCarlo::new(30).unwrap().keep_samples();
    let answers = predictor.monte_carlo(&view(&x), &kept, SEEDS, &mut workspace).unwrap();
    let answer = answers.row(2).unwrap();
    let (mean, variance) = (answer.mean()[1], answer.variance().unwrap()[1]);
    let half = 1.5 * (variance + 1.0 / 4.0).sqrt();
    let want = [mean - half, mean + half];
    assert_eq!(answer.predictive_interval(1, 1.5, 4.0).unwrap(), want);

    let target = [0.5f32, -1.0, 0.25];
    let density = |tau: f64, y: &[f32]| {
        let squares = target.iter().zip(y).map(|(&t, &y)| (f64::from(t) - f64::from(y)).powi(2));
        (tau / std::f64::consts::TAU).powf(1.5) * (-0.5 * tau * squares.sum::<f64>()).exp()
    };
    for tau in [0.01, 1.0, 20.0] {
        let sum: f64 = (0..30).map(|i| density(tau, answer.sample(i).unwrap())).sum();
        let got = answer.log_likelihood(&target, tau).unwrap();
        // Rounding of sums of 30 terms.
        assert!((got - (sum / 30.0).ln()).abs() < 1e-10, "{got}");
    }
    // Where every term underflows: the nearest sample's, and those as near.
    let far = answer.log_likelihood(&[1e4; 3], 1e6).unwrap();
    assert!((-2e14..-1e14).contains(&far), "{far}");

    let message = |result: Result<f64, Error>| result.unwrap_err().to_string();
    assert!(message(answer.log_likelihood(&[0.0; 2], 1.0)).contains("expected 3, got 2"));
    let nan = [0.0, f32::NAN, 0.0];
    assert!(message(answer.log_likelihood(&nan, 1.0)).contains("column 1 is NaN"));
    for tau in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(message(answer.log_likelihood(&target, tau)).contains("precision"));
        assert!(answer.predictive_interval(0, 1.0, tau).is_err());
    }
    for z in [-1.0, f64::NAN, f64::INFINITY] {
        let error = answer.interval(0, z).unwrap_err().to_string();
        assert!(error.contains("expected a finite number of at least 0"), "{error}");
        assert!(answer.predictive_interval(0, z, 1.0).is_err());
    }
    assert!(
        answer.sample(30).unwrap_err().to_string().contains("expected an index below 30, got 30")
    );
    let answers = predictor.moments(&view(&x), &mut workspace).unwrap();
    let answer = answers.row(0).unwrap();
    assert!(message(answer.log_likelihood(&target, 1.0)).contains("keep_samples"));
    assert!(answer.predictive_interval(0, 2.0, 1.0).is_ok());

    let classes = network(Activation::Relu, Loss::SoftmaxCrossEntropy);
    let predictor = Predictor::new(classes).with_isa(isa()).unwrap();
    let answers = predictor.monte_carlo(&view(&x), &kept, SEEDS, &mut workspace).unwrap();
    let answer = answers.row(0).unwrap();
    assert!(message(answer.log_likelihood(&target, 1.0)).contains("a loss of values"));
    assert!(answer.predictive_interval(0, 1.0, 1.0).is_err());
}

/// 10^12 samples would be 48 TB.
#[test]
fn without_dropout_one_sample_is_kept() {
    let mlp = Mlp::builder(2).output(3, Loss::SquaredError).build().unwrap();
    let predictor = Predictor::new(mlp).with_isa(isa()).unwrap();
    let mut workspace = predictor.workspace(2).unwrap();
    let samples = MonteCarlo::new(1_000_000_000_000).unwrap().keep_samples();
    let x = MatrixView::new(&[1.0, 2.0, 3.0, 4.0], 2, 2).unwrap();
    let seeds = Seeds::Each(&[1, 2]);
    let answers = predictor.monte_carlo(&Batch::dense(x), &samples, seeds, &mut workspace).unwrap();
    let answer = answers.row(1).unwrap();
    let sample: Vec<f64> = answer.sample(0).unwrap().iter().map(|&y| y.into()).collect();
    assert_eq!((answer.samples(), answer.mean()), (Some(1), &sample[..]));
}
