//! `thinnet calibration` fits temperatures and chooses thresholds.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{
    Keep,
    checkpoint::Model,
    data::npy,
    nn::{Activation, Loss, Mlp},
    tensor::Matrix,
};

use crate::program::run;

const ROWS: usize = 400;

/// Writes rows whose only number is x, from -2 to 2, of class 1 with probability logistic(x - 1) (in
/// every ten neighbours, so many), and a network whose logit is 5 (x - 1): too sure.
fn write(folder: &Path, classes: usize) {
    let x: Vec<f32> = (0..ROWS).map(|row| 4.0 * row as f32 / ROWS as f32 - 2.0).collect();
    let share = |x: f32| 1.0 / (1.0 + (1.0 - x).exp());
    let label = |(row, &x): (usize, &f32)| u32::from((row * 7 % 10) as f32 + 0.5 < 10.0 * share(x));
    let labels: Vec<u32> = x.iter().enumerate().map(label).collect();
    npy::write_matrix(folder.join("x.npy"), Matrix::from_rows(&x, ROWS, 1).unwrap().view())
        .unwrap();
    npy::write_labels(folder.join("y.npy"), &labels).unwrap();
    let builder = Mlp::builder(1).hidden(1, Activation::Identity, Keep::new(0.9).unwrap());
    let mut mlp = builder.output(classes, Loss::SoftmaxCrossEntropy).build().unwrap();
    mlp.set_weights(0, &[1.0]).unwrap();
    let mut weights = vec![0.0; classes];
    weights[1] = 5.0;
    mlp.set_weights(1, &weights).unwrap();
    weights[1] = -5.0;
    mlp.set_bias(1, &weights).unwrap();
    mlp.save(folder.join("m")).unwrap();
}

/// Runs a command on those rows. Returns its exit code, stdout and stderr.
fn on_rows(folder: &Path, command: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let arguments = [&[command, "--data=x.npy", "--labels=y.npy"], more].concat();
    let output = run(folder, &arguments);
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out, err)
}

fn json(folder: &Path, command: &str, more: &[&str]) -> Value {
    let (code, out, err) = on_rows(folder, command, &[more, &["--json"]].concat());
    assert_eq!(code, Some(0), "{err}");
    serde_json::from_str(&out).unwrap()
}

#[test]
fn a_fitted_temperature_is_saved_and_applied() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, 2);
    let original = fs::read(folder.join("m")).unwrap();
    let found = json(folder, "calibration", &["--model=m", "--fit", "--out=new"]);
    assert_eq!(fs::read(folder.join("m")).unwrap(), original);
    let temperature = found["temperature"].as_f64().unwrap();
    assert!((temperature - 5.0).abs() < 1.0, "{temperature}");
    assert_eq!(found["temperature_before"], 1.0);
    let saved = Model::load(folder.join("new")).unwrap();
    assert_eq!(saved.network().temperature().get(), temperature as f32);

    // As measured again with the saved model, and before with the other.
    let again = json(folder, "calibration", &["--model=new"]);
    assert_eq!(found["after"], again);
    let before = json(folder, "calibration", &["--model=m"]);
    for (i, method) in ["scale", "mc", "moments"].into_iter().enumerate() {
        let [before, after] = [&before[i], &again[i]];
        assert_eq!((&before["method"], &after["method"]), (&method.into(), &method.into()));
        for name in ["log_loss", "expected_calibration_error"] {
            assert_eq!(found["before"][i][name], before[name]);
            let [before, after] = [before, after].map(|figures| figures[name].as_f64().unwrap());
            let expected = if method == "scale" { 0.7 * before } else { f64::INFINITY };
            assert!(after < expected, "{method} {name}: {before} {after}");
        }
    }
    assert_eq!(before[0]["test_error"], again[0]["test_error"]);
    let eval = json(folder, "eval", &["--model=new"]);
    assert_eq!(eval["loss"], again[0]["log_loss"]);
    assert_eq!(eval["digest"], json(folder, "eval", &["--model=m"])["digest"]);
    let shown = run(folder, &["inspect", "new"]).stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(&format!("\ntemperature    {}\n", temperature as f32)), "{shown}");

    // Fitted again, it is the same, whatever the model has.
    let (code, out, _) = on_rows(folder, "calibration", &["--model=new", "--fit"]);
    assert_eq!(code, Some(0));
    let line =
        format!("temperature    {t}, fitted to 400 rows (before: {t})\n", t = temperature as f32);
    assert!(out.starts_with(&line), "{out}");
}

#[test]
fn a_threshold_is_saved_and_decides_classes() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, 2);
    let more = ["--model=m", "--fit", "--threshold=1:6", "--out=new"];
    let found = json(folder, "calibration", &more);
    let chosen = found["threshold"]["threshold"].as_f64().unwrap();
    // A yes pays from 1 / 7 on. Labels come in tenths: from 15 % on, 2 in 10 are 1.
    assert!((chosen - 0.15).abs() < 0.05, "{chosen}");
    assert_eq!(found["threshold"]["aim"], "1:6");
    assert_eq!(Model::load(folder.join("new")).unwrap().network().threshold(), Some(chosen));
    let eval = json(folder, "eval", &["--model=new", "--confusion"]);
    assert_eq!(eval["threshold"].as_f64(), Some(chosen));
    let cost = (eval["confusion_matrix"][0][1].as_f64().unwrap()
        + 6.0 * eval["confusion_matrix"][1][0].as_f64().unwrap())
        / ROWS as f64;
    assert!((cost - found["threshold"]["value"].as_f64().unwrap()).abs() < 1e-12, "{cost}");
    assert_eq!(eval["test_error"], found["after"][0]["test_error"]);
    let (_, out, _) = on_rows(folder, "predict", &["--model=new"]);
    for line in out.lines() {
        let cells: Vec<_> = line.split('\t').collect();
        let p: f64 = cells[5].parse().unwrap();
        assert_eq!(cells[2] == "1", p > chosen, "{line}");
    }
    // Another temperature makes another threshold necessary.
    let (code, _, err) =
        on_rows(folder, "calibration", &["--model=new", "--fit", "--limit=300", "--out=newer"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(err.contains("--threshold chooses one"), "{err}");
    assert_eq!(Model::load(folder.join("newer")).unwrap().network().threshold(), None);
    // The model's own temperature stays if none is fitted.
    let f1 = json(folder, "calibration", &["--model=new", "--threshold=f1", "--out=f1"]);
    assert!(f1.get("temperature").is_none());
    let saved = Model::load(folder.join("f1")).unwrap();
    assert_eq!(
        saved.network().temperature(),
        Model::load(folder.join("new")).unwrap().network().temperature()
    );
}

#[test]
fn what_cannot_be_fitted_is_refused_and_writes_nothing() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, 3);
    for (more, words) in [
        (&["--out=new"][..], "--out saves what --fit and --threshold find"),
        (&["--threshold=f1", "--out=new"], "the network has 3 classes: expected two"),
        (&["--threshold=5", "--out=new"], "expected f1, or the costs"),
        (&["--fit", "--out=m"], "--model and --out are both m"),
        // The first rows are all of class 0, and recognised.
        (&["--fit", "--limit=10", "--out=new"], "--fit: no temperature"),
    ] {
        let (code, out, err) = on_rows(folder, "calibration", &[&["--model=m"], more].concat());
        assert_ne!(code, Some(0), "{out}");
        assert!(err.contains(words), "{words}: {err}");
        assert!(!folder.join("new").exists());
    }
}
