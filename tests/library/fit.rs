//! The loop of training.

use std::ops::ControlFlow;

use thinnet::{
    Error, Keep,
    checkpoint::Contents,
    data::Dataset,
    mask::{Domain, Streams},
    metrics::{Better, Metric},
    nn::{Activation, Loss, Mlp, Targets},
    predict::{Predictor, evaluate},
    tensor::Matrix,
    train::{
        Adam, Averaging, EarlyStopping, Ending, Event, Fit, FitRun, MaxNorm, Plateau, Provenance,
        Schedule, Trainer, TrainerBuilder, Watched,
    },
};

use crate::backend::isa;

/// Rows whose class can be learned in part: a fifth of the labels are random.
pub fn data(seed: u64, rows: usize) -> Dataset {
    let streams = Streams::new(seed, Domain::Other, 0, 0);
    let mut number = 0;
    let mut next = || {
        number += 1;
        (streams.hash(number) >> 40) as f32 / (1 << 24) as f32
    };
    let (mut x, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let row: Vec<f32> = (0..6).map(|_| next() - 0.5).collect();
        let learned = row[0] * row[1] + row[2] > 0.0;
        labels.push(u32::from(if next() < 0.2 { next() < 0.5 } else { learned }));
        x.extend(row);
    }
    Dataset::new(Matrix::from_rows(&x, rows, 6).unwrap(), labels).unwrap()
}

fn builder() -> TrainerBuilder {
    let keep = Keep::new(0.75).unwrap();
    let mlp = Mlp::builder(6)
        .input_noise(keep)
        .hidden(40, Activation::Relu, keep)
        .output(2, Loss::SoftmaxCrossEntropy)
        .seed(4)
        .build()
        .unwrap();
    let adam = Adam::new(Schedule::Linear { from: 0.01, to: 0.0, steps: 1000 });
    let builder = Trainer::builder(mlp, adam, 8).max_norm(MaxNorm::Engine(2.0)).seed(5);
    builder.with_isa(isa()).unwrap()
}

fn trainer() -> Trainer {
    builder().build().unwrap()
}

/// A run in which everything is switched on and happens: the rate is lowered, and the run ends
/// before its last epoch.
fn everything<'a>(train: &'a Dataset, validation: &'a Dataset) -> Fit<'a> {
    Fit::new(train)
        .validation(validation)
        .metrics(&[Metric::ErrorRate])
        .early_stopping(EarlyStopping::new(Metric::RocAuc, 6).unwrap())
        .plateau(Plateau::new(Watched::Loss, 2, 0.5).unwrap())
        .shuffle_seed(3)
        .epochs(40)
}

pub fn end(mut run: FitRun<'_>) -> FitRun<'_> {
    while run.advance().unwrap().is_some() {}
    run
}

#[test]
fn a_run_has_the_bits_of_a_loop_by_hand() {
    let (train, validation) = (data(1, 45), data(2, 300));
    for steps in [None, Some(15)] {
        let mut fit = Fit::new(&train).validation(&validation).shuffle_seed(3).epochs(4);
        if let Some(steps) = steps {
            fit = fit.steps(steps);
        }
        let fitted = fit.run(trainer()).unwrap();

        let mut by_hand = trainer();
        let mut workspace = by_hand.predictor().workspace(256).unwrap();
        let mut epochs = Vec::new();
        for epoch in 0..4 {
            let (mut sum, mut rows) = (0.0, 0);
            let mut rate = f64::NAN;
            for (batch, targets) in &train.batches(3, epoch, 8).unwrap() {
                if steps.is_some_and(|steps| by_hand.steps() == steps) {
                    break;
                }
                rate = by_hand.learning_rate();
                let loss = by_hand.step(&batch, targets).unwrap();
                sum += f64::from(loss) * batch.rows() as f64;
                rows += batch.rows();
            }
            if rows > 0 {
                let found = evaluate(&by_hand.predictor(), &validation, &mut workspace).unwrap();
                epochs.push((by_hand.steps(), rate, sum / rows as f64, found.loss));
            }
        }
        assert_eq!(fitted.steps, steps.unwrap_or(24));
        assert_eq!((fitted.ending, fitted.best_epoch), (Ending::Complete, None));
        assert_eq!(fitted.network.digest(), by_hand.into_network().digest());
        assert_eq!(fitted.history.epochs().len(), epochs.len());
        for (i, (epoch, by_hand)) in fitted.history.epochs().iter().zip(&epochs).enumerate() {
            let loss = epoch.validation.as_ref().unwrap().loss;
            let found = (epoch.steps, epoch.learning_rate, epoch.train_loss, loss);
            assert_eq!((epoch.epoch, found), (i + 1, *by_hand));
        }
    }
}

#[test]
fn a_run_resumed_at_any_point_ends_like_an_unbroken_one() {
    let (train, validation) = (data(1, 45), data(2, 60));
    let fit = everything(&train, &validation);
    let mut run = fit.clone().start(trainer()).unwrap();
    let mut saved = vec![run.to_bytes("0").unwrap()];
    while run.advance().unwrap().is_some() {
        saved.push(run.to_bytes(&saved.len().to_string()).unwrap());
    }
    let unbroken = run.finish().unwrap();
    let epochs = unbroken.history.epochs();
    let best = unbroken.best_epoch.unwrap();
    assert_eq!(unbroken.ending, Ending::EarlyStopping);
    assert!(epochs.len() == best + 6 && best + 6 < 40, "best after epoch {best}");
    let rate = |epoch: usize| epochs[epoch].learning_rate;
    assert!(rate(epochs.len() - 1) < 0.5 * rate(0), "a plateau was found");

    let mut chain = fit.clone().start(trainer()).unwrap();
    for (point, bytes) in saved.iter().enumerate() {
        let (resumed, note) = fit.clone().resume_from_bytes(builder(), bytes).unwrap();
        assert_eq!(note, point.to_string());
        assert!(resumed.to_bytes(&note).unwrap() == *bytes, "saved again at point {point}");
        // From every 7th point to the end, and from every point to the next.
        if point % 7 == 0 || point + 2 > saved.len() {
            let ended = end(resumed).finish().unwrap();
            assert_eq!(ended.network.digest(), unbroken.network.digest(), "from point {point}");
            assert_eq!(ended.history, unbroken.history);
            assert_eq!((ended.ending, ended.best_epoch), (unbroken.ending, unbroken.best_epoch));
        }
        let bytes = chain.to_bytes("").unwrap();
        chain = fit.clone().resume_from_bytes(builder(), &bytes).unwrap().0;
        chain.advance().unwrap();
    }
    assert!(chain.is_done());
    assert_eq!(chain.finish().unwrap().network.digest(), unbroken.network.digest());
}

/// At a coverage of 1 the intervals are too wide.
#[test]
fn a_figure_that_is_best_in_between_is_not_watched() {
    for error in [
        EarlyStopping::new(Metric::QuantileCoverage, 5).unwrap_err(),
        Plateau::new(Metric::QuantileCoverage, 5, 0.1).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("quantile_coverage") && error.contains("expected loss"), "{error}");
    }
    for metric in Metric::ALL {
        let can = EarlyStopping::new(*metric, 5).is_ok() && Plateau::new(*metric, 5, 0.1).is_ok();
        assert_eq!(can, metric.better() != Better::Neither, "{metric}");
    }
}

#[test]
fn early_stopping_restores_the_best_parameters() {
    let (train, validation) = (data(1, 45), data(2, 60));
    for (watched, least_change) in
        [(Watched::Loss, 0.0), (Watched::Loss, 0.02), (Metric::RocAuc.into(), 0.0)]
    {
        let stopping = EarlyStopping::new(watched, 5).unwrap().least_change(least_change).unwrap();
        let fit = Fit::new(&train).validation(&validation).early_stopping(stopping).epochs(60);
        let mut networks = Vec::new();
        let fitted = fit
            .run_with(trainer(), |run, event| {
                if let Event::Epoch(done) = event {
                    let measured = done.validation.as_ref().unwrap();
                    let figure = match watched {
                        Watched::Metric(metric) => done.figure(metric).unwrap(),
                        _ => measured.loss,
                    };
                    networks.push((figure, run.trainer().network().unwrap().digest()));
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        // The same decisions by hand.
        let sign = if watched.better() == Better::Larger { -1.0 } else { 1.0 };
        let mut best = 0;
        let mut end = networks.len();
        for (epoch, (figure, _)) in networks.iter().enumerate() {
            if sign * figure < sign * networks[best].0 - least_change {
                best = epoch;
            } else if epoch >= best + 5 {
                end = epoch + 1;
                break;
            }
        }
        assert_eq!((networks.len(), fitted.best_epoch), (end, Some(best + 1)), "{watched}");
        assert_eq!(fitted.network.digest(), networks[best].1);
        assert_ne!(fitted.network.digest(), networks.last().unwrap().1);
    }
}

/// What is validated and kept is what is published: the averaged network.
#[test]
fn with_an_average_it_is_the_averaged_network_that_is_validated_and_kept() {
    let (train, validation) = (data(1, 45), data(2, 60));
    for average in [Averaging::exponential(0.8), Averaging::tail(15)] {
        let trainer = || builder().average(average).build().unwrap();
        let fit = Fit::new(&train).validation(&validation).metrics(&[Metric::RocAuc]).epochs(12);
        let mut networks = Vec::new();
        let watch = |run: &FitRun<'_>, event: Event<'_>| {
            if let Event::Epoch(done) = event {
                let averaged = run.trainer().averaged_network().unwrap();
                let loss = done.validation.as_ref().unwrap().loss;
                networks.push((averaged, run.trainer().network().unwrap(), loss));
            }
            ControlFlow::Continue(())
        };
        let fitted = fit.clone().run_with(trainer(), watch).unwrap();
        let mut apart = 0;
        for (averaged, raw, loss) in &networks {
            let predictor = Predictor::new(averaged.try_clone().unwrap()).with_isa(isa()).unwrap();
            let mut workspace = predictor.workspace(60).unwrap();
            let found = evaluate(&predictor, &validation, &mut workspace).unwrap();
            assert_eq!(found.loss, *loss);
            apart += usize::from(averaged.digest() != raw.digest());
        }
        // The tail begins in the third epoch.
        assert!(apart >= 10, "{apart}");
        let (last, ..) = networks.last().unwrap();
        assert_eq!(fitted.network.digest(), last.digest());

        // Also by early stopping, and after an interruption.
        let stopping = EarlyStopping::new(Watched::Loss, 20).unwrap();
        let fit = fit.early_stopping(stopping);
        let fitted = fit.clone().run(trainer()).unwrap();
        let losses = fitted.history.epochs().iter().map(|e| e.validation.as_ref().unwrap().loss);
        let best = losses.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
        assert_eq!(fitted.best_epoch, Some(best + 1));
        assert_eq!(fitted.network.digest(), networks[best].0.digest());
        let mut run = fit.clone().start(trainer()).unwrap();
        for _ in 0..40 {
            run.advance().unwrap();
        }
        let saved = run.to_bytes("").unwrap();
        let (resumed, _) = fit.resume_from_bytes(builder().average(average), &saved).unwrap();
        assert_eq!(end(resumed).finish().unwrap().network.digest(), fitted.network.digest());
    }
}

/// The mean of an epoch is sum w L / sum w over its rows, with the weights of rows and classes that
/// the losses of the steps have.
#[test]
fn the_loss_of_an_epoch_is_weighted_like_that_of_its_steps() {
    let weights: Vec<f64> = (0..45).map(|row| f64::from(1 + row % 4)).collect();
    let train = data(1, 45).with_weights(weights).unwrap();
    let validation = data(2, 60);
    let classes = [0.5, 7.0];
    for smoothing in [0.0, 0.1] {
        let settings = builder().class_weights(classes.to_vec()).label_smoothing(smoothing);
        let fit = Fit::new(&train).validation(&validation).shuffle_seed(3).epochs(2);
        let fitted = fit.run(settings.clone().build().unwrap()).unwrap();
        let mut by_hand = settings.build().unwrap();
        for (epoch, done) in fitted.history.epochs().iter().enumerate() {
            let (mut sum, mut total) = (0.0, 0.0);
            for (batch, targets) in &train.batches(3, epoch as u64, 8).unwrap() {
                let Targets::Classes(labels) = targets else { unreachable!("classes") };
                let of_rows = batch.weights().unwrap().iter().zip(labels);
                let weight: f64 = of_rows.map(|(w, &label)| w * classes[label as usize]).sum();
                sum += f64::from(by_hand.step(&batch, targets).unwrap()) * weight;
                total += weight;
            }
            // The sums are the same, up to a factor that the weights of all classes may share.
            let want = sum / total;
            assert!((done.train_loss - want).abs() <= 1e-12 * want, "{} {want}", done.train_loss);
        }
    }
}

#[test]
fn undefined_figures_are_no_improvement_and_if_there_is_no_other_an_error() {
    let train = data(1, 45);
    let one_class = Dataset::new(Matrix::zeroed(3, 6).unwrap(), vec![1, 1, 1]).unwrap();
    let fit = Fit::new(&train).validation(&one_class).metrics(&[Metric::RocAuc]).epochs(3);
    let fitted = fit.clone().run(trainer()).unwrap();
    assert_eq!(fitted.history.last().unwrap().figure(Metric::RocAuc), None);

    let stopping = |watched: Watched| EarlyStopping::new(watched, 2).unwrap();
    let run = fit.early_stopping(stopping(Metric::RocAuc.into())).epochs(10);
    let error = run.run(trainer()).unwrap_err();
    assert!(matches!(error, Error::UndefinedMetric { metric: "roc_auc", .. }), "{error}");
    assert!(error.to_string().contains("every row is of class 1"), "{error}");

    // A row that is not a number is refused, and so is its loss where the trainer allows the row.
    let x = [[0.1; 6], [f32::NAN; 6]].concat();
    let nan = Dataset::new(Matrix::from_rows(&x, 2, 6).unwrap(), vec![0, 1]).unwrap();
    let fit = Fit::new(&train).validation(&nan).epochs(5);
    let error = fit.clone().run(trainer()).unwrap_err().to_string();
    assert!(error.contains("input at row 1, column 0 is NaN"), "{error}");
    let allowing = builder().allow_non_finite_inputs().build().unwrap();
    let error = fit.run(allowing).unwrap_err().to_string();
    assert!(error.contains("log loss at row 1: expected a number, got NaN"), "{error}");
}

#[test]
fn a_callback_can_end_the_run_and_a_trainer_can_go_on() {
    let train = data(1, 45);
    let fit = Fit::new(&train).epochs(3);
    let mut saved = Vec::new();
    let stopped = fit
        .clone()
        .run_with(trainer(), |run, event| match event {
            Event::Step(step) if (step.epoch, step.index) == (2, 1) => {
                assert_eq!((step.of_epoch, step.rows), (6, 8));
                saved = run.to_bytes("").unwrap();
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    assert_eq!((stopped.ending, stopped.steps), (Ending::Stopped, 8));
    assert_eq!(stopped.history.epochs().len(), 1);
    let whole = fit.clone().run(trainer()).unwrap();
    let (resumed, _) = fit.clone().resume_from_bytes(builder(), &saved).unwrap();
    let resumed = end(resumed).finish().unwrap();
    assert_eq!(resumed.network.digest(), whole.network.digest());

    // A second run of the same trainer goes on from its step, and can be resumed too.
    let first = end(fit.clone().start(trainer()).unwrap()).into_trainer();
    let mut second = fit.clone().start(first).unwrap();
    second.advance().unwrap();
    let bytes = second.to_bytes("").unwrap();
    let (resumed, _) = fit.resume_from_bytes(builder(), &bytes).unwrap();
    let [second, resumed] = [second, resumed].map(|run| end(run).finish().unwrap());
    assert_eq!(second.steps, 36);
    assert_eq!(second.network.digest(), resumed.network.digest());
}

#[test]
fn the_best_parameters_are_in_the_checkpoint_and_make_it_larger() {
    let (train, validation) = (data(1, 45), data(2, 60));
    let with = |fit: Fit<'_>| {
        let mut run = fit.validation(&validation).start(trainer()).unwrap();
        for _ in 0..7 {
            run.advance().unwrap();
        }
        run.to_bytes("").unwrap()
    };
    let stopping = EarlyStopping::new(Watched::Loss, 2).unwrap();
    let without = with(Fit::new(&train));
    let best = with(Fit::new(&train).early_stopping(stopping));
    let more = best.len() - without.len();
    let parameters = 4 * trainer().network().unwrap().parameters();
    assert!((parameters..parameters + 2000).contains(&more), "{more} bytes more");
    let contents = Contents::from_bytes(&best).unwrap();
    assert_eq!(contents.network, Contents::from_bytes(&without).unwrap().network);

    // They are not silently lost, whatever else differs.
    for settings in [settings_of(&best), Provenance::new()] {
        let error = builder().resume_from_bytes(&best, &settings).unwrap_err().to_string();
        assert!(error.contains("Fit::resume"), "{error}");
    }
    // Fine-tuning goes on from the last parameters.
    let (tuned, _) = builder().continue_from_bytes(&best).unwrap();
    let (last, _) = builder().continue_from_bytes(&without).unwrap();
    assert_eq!(tuned.network().unwrap().digest(), last.network().unwrap().digest());
    assert!(builder().resume_from_bytes(&without, &settings_of(&without)).is_ok());
}

/// The settings in a checkpoint that are not the trainer's own.
fn settings_of(bytes: &[u8]) -> Provenance {
    let settings = |bytes: &[u8]| Contents::from_bytes(bytes).unwrap().training.unwrap().settings;
    let own = settings(&trainer().to_bytes(&Provenance::new(), "").unwrap());
    settings(bytes).into_iter().filter(|(name, _)| !own.contains_key(name)).collect()
}

#[test]
fn other_settings_and_foreign_notes_are_refused() {
    let (train, validation) = (data(1, 45), data(2, 60));
    let fit = Fit::new(&train).validation(&validation).epochs(3);
    let mut run = fit.clone().start(trainer()).unwrap();
    for _ in 0..8 {
        run.advance().unwrap();
    }
    let bytes = run.to_bytes("").unwrap();
    let refused = |fit: Fit<'_>| fit.resume_from_bytes(builder(), &bytes).unwrap_err().to_string();
    let own = Provenance::from([("columns".to_owned(), "6".to_owned())]);
    for (error, word) in [
        (refused(fit.clone().epochs(4)), "`epochs` was 3"),
        (refused(fit.clone().batch(4)), "`batch` was 8"),
        (refused(fit.clone().shuffle_seed(1)), "`shuffling seed` was 0"),
        (refused(fit.clone().evaluate_every(2)), "`epochs between validations` was 1"),
        (refused(fit.clone().metrics(&[Metric::Brier])), "`metrics` was not set"),
        (refused(fit.clone().validation(&train)), "`data for validation (SHA-256)`"),
        (refused(Fit::new(&validation).validation(&validation).epochs(3)), "`data for training"),
        (refused(fit.clone().settings(own)), "`columns` was not set"),
    ] {
        assert!(error.contains(word), "{error}");
    }

    // Not the first setting that it lacks.
    for own in ["", "epoch 3", "[]"] {
        let bytes = trainer().to_bytes(&Provenance::new(), own).unwrap();
        let error = fit.clone().resume_from_bytes(builder(), &bytes).unwrap_err().to_string();
        assert!(error.contains("the state of the run cannot be read"), "{error}");
    }

    let notes = Contents::from_bytes(&bytes).unwrap().training.unwrap().notes;
    let settings = settings_of(&bytes);
    for (from, to, word) in [
        ("{", "", "cannot be read"),
        (
            r#""first_step":0"#,
            r#""first_step":1"#,
            "epoch 1 at step 6 in place of epoch 1 at step 7",
        ),
        (r#""first_step":0"#, r#""first_step":9"#, "step 7 of a run from step 9"),
        (r#""epoch":1,"#, r#""epoch":2,"#, "epoch 2 at step 6 in place of epoch 1 at step 6"),
        (r#""weight":8.0"#, r#""weight":-8.0"#, "losses of rows of weight -8.0"),
        (r#"{"at":null"#, r#"{"at":[0.5,9]"#, "a best epoch 9"),
        (r#"{"at":null"#, r#"{"at":[0.5,1]"#, "best parameters without their figure"),
        (r#""losses":"#, r#""losses":1e999,"x":"#, "cannot be read"),
    ] {
        let changed = notes.replacen(from, to, 1);
        assert_ne!(changed, notes, "{from}");
        let trainer = fit.clone().resume_from_bytes(builder(), &bytes).unwrap().0.into_trainer();
        let bytes = trainer.to_bytes(&settings, &changed).unwrap();
        let error = fit.clone().resume_from_bytes(builder(), &bytes).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("expected a checkpoint"), "{error}");
    }
}

#[test]
fn what_cannot_be_a_run_is_refused_before_it_starts() {
    let (train, wide) = (data(1, 45), Dataset::new(Matrix::zeroed(2, 7).unwrap(), vec![0, 1]));
    let (wide, none) = (wide.unwrap(), Dataset::new(Matrix::zeroed(0, 6).unwrap(), vec![]));
    let three = Dataset::new(Matrix::zeroed(2, 6).unwrap(), vec![0, 2]).unwrap();
    let (none, stopping) = (none.unwrap(), EarlyStopping::new(Watched::Loss, 1).unwrap());
    let fit = || Fit::new(&train);
    let plateau = Plateau::new(Watched::Loss, 1, 0.5).unwrap();
    for (fit, word) in [
        (fit().epochs(0), "epochs or steps of a run: expected at least one, got 0"),
        (fit().steps(0), "epochs or steps of a run"),
        (fit().evaluate_every(0), "epochs between validations"),
        (fit().batch(0), "rows of a batch: expected at least one"),
        (fit().batch(9), "rows of a batch: expected at most 8, got 9"),
        (fit().early_stopping(stopping), "early stopping"),
        (fit().plateau(plateau), "a plateau"),
        (fit().metrics(&[Metric::Brier]), "metrics"),
        (fit().validation(&train).metrics(&[Metric::Rmse]), "rmse does not support"),
        (fit().validation(&wide), "columns of a data set: expected 6, got 7"),
        (fit().validation(&three), "class 2 at row 1"),
        (fit().validation(&none), "rows of the validation set"),
        (Fit::new(&none), "rows of the training set"),
        (Fit::new(&wide), "columns of a data set"),
    ] {
        let error = fit.start(trainer()).map(drop).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert!(EarlyStopping::new(Watched::Loss, 0).is_err());
    for change in [-1.0, f64::NAN, f64::INFINITY] {
        assert!(stopping.least_change(change).is_err() && plateau.least_change(change).is_err());
    }
    for (patience, factor) in [(0, 0.5), (1, 0.0), (1, 1.0), (1, f64::NAN)] {
        assert!(Plateau::new(Watched::Loss, patience, factor).is_err());
    }
}
