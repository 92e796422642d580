//! `thinnet train` with validation rows: `--validation`, `--early-stopping`, `--plateau`, `--metrics`,
//! `--log`.

use std::{fs, path::Path, process::Stdio, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{
    checkpoint::Contents,
    data::{Dataset, npy},
    mask::{Domain, Streams},
    nn::Mlp,
    predict::{Predictor, evaluate},
    tensor::Matrix,
    train::SavedFit,
};

use crate::program::{fails, run, thinnet};

const COLUMNS: usize = 8;

/// The largest relative difference of a loss that is measured in the trainer from that of the saved
/// network, whose weights are multiplied by max-norm's factors before they are rounded.
const ROUNDING: f64 = 1e-5;

/// 400 rows of noise with random labels: what is learned of them makes validation rows worse.
fn write(folder: &Path) {
    let streams = Streams::new(7, Domain::Other, 0, 0);
    let next = |number: usize| (streams.hash(number as u64) >> 40) as f32 / (1 << 24) as f32;
    let rows: Vec<f32> = (0..400 * COLUMNS).map(|number| 2.0 * next(number) - 1.0).collect();
    let labels: Vec<u32> = (0..400).map(|row| u32::from(next(400 * COLUMNS + row) < 0.5)).collect();
    let rows = Matrix::from_rows(&rows, 400, COLUMNS).unwrap();
    npy::write_matrix(folder.join("x.npy"), rows.view()).unwrap();
    npy::write_labels(folder.join("y.npy"), &labels).unwrap();
}

/// 225 training, 75 validation and 100 held-out rows: 8 steps per epoch.
const TRAINING: [&str; 9] = [
    "train",
    "--data=x.npy",
    "--labels=y.npy",
    "--held-out=100",
    "--validation=0.25",
    "--hidden=32",
    "--batch=32",
    "--schedule=constant",
    "--threads=1",
];

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("r.json")).unwrap()).unwrap()
}

/// Returns the report and the stdout of a run that must succeed.
fn train(folder: &Path, more: &[&str]) -> (Value, String) {
    let output = run(folder, &[&TRAINING[..], &["--report=r.json", "--quiet"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (report(folder), String::from_utf8(output.stdout).unwrap())
}

/// Returns the lines of a log, without times.
fn log(path: &Path) -> Vec<Value> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let seconds = line.as_object_mut().unwrap().remove("seconds");
        assert!(seconds.unwrap().as_f64().unwrap() > 0.0);
        line
    };
    fs::read_to_string(path).unwrap().lines().map(line).collect()
}

#[test]
fn the_best_network_on_the_validation_rows_is_kept() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let more = ["--early-stopping=loss:4", "--metrics=roc_auc,brier", "--epochs=60"];
    let files = ["--out=m", "--log=l.jsonl", "--plot=p.svg"];
    let (report, said) = train(folder, &[&more[..], &files].concat());
    assert_eq!(report["ending"], "early_stopping");
    let curves = report["curves"].as_array().unwrap();
    let losses: Vec<f64> =
        curves.iter().map(|point| point["validation"]["loss"].as_f64().unwrap()).collect();
    let best = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap() + 1;
    assert_eq!(report["best_epoch"], best);
    assert!(losses.len() == best + 4 && losses.len() < 60, "{losses:?}");
    assert!(curves.iter().all(|point| point["test_error"].is_null()));
    let figures = &curves[best - 1]["validation"]["metrics"];
    assert_eq!(figures.as_object().unwrap().len(), 3, "{figures}");
    let lines = [
        format!("validation     loss {:.6}, ", losses[best - 1]),
        format!("after epoch {best}, whose network was kept"),
        format!("ended early    after {} of 60 epochs, because loss no longer", losses.len()),
        "metric".to_owned(),
    ];
    for line in lines {
        assert!(said.contains(&line), "{line}: {said}");
    }

    // The same rows, held out by the library, and the network in the file.
    let data = Dataset::from_npy_files(folder.join("x.npy"), folder.join("y.npy")).unwrap();
    let (rest, test) = data.hold_out(100, 1).unwrap();
    let (train, validation) = rest.hold_out(75, 1).unwrap();
    assert_eq!(report["data"]["train_rows"], train.rows());
    assert_eq!(
        (&report["data"]["validation_rows"], &report["data"]["test_rows"]),
        (&75.into(), &100.into())
    );
    let mlp = Mlp::load(folder.join("m")).unwrap();
    assert_eq!(mlp.digest(), report["digest"].as_str().unwrap());
    let predictor = Predictor::new(mlp);
    let loss = |rows: &Dataset| {
        evaluate(&predictor, rows, &mut predictor.workspace(100).unwrap()).unwrap().loss
    };
    let found = loss(&validation);
    assert!((found / losses[best - 1] - 1.0).abs() < ROUNDING, "{found} {losses:?}");
    assert_eq!(report["test_loss"], loss(&test));
    for metric in ["roc_auc", "brier"] {
        let found = &report["metrics"][metric];
        assert!(found["value"].is_number() && found["baseline"].is_number(), "{found}");
    }

    let logged = log(&folder.join("l.jsonl"));
    assert_eq!(logged, *curves);
    let picture = fs::read_to_string(folder.join("p.svg")).unwrap();
    for text in ["validation, whole network", &format!("the network of epoch {best} was kept")] {
        assert!(picture.contains(text), "{text}");
    }
}

/// Kills a run once its checkpoint has 2 epochs. Returns the step of the checkpoint.
fn killed(folder: &Path, more: &[&str]) -> Option<u64> {
    for name in ["c", "l.jsonl"] {
        let _ = fs::remove_file(folder.join(name));
    }
    let mut child = thinnet(folder)
        .args(TRAINING)
        .args(more)
        .args(["--quiet", "--log=l.jsonl", "--checkpoint=c", "--checkpoint-every=3"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let saved = || Contents::read(folder.join("c")).ok()?.training;
    let epochs = || Some(SavedFit::from_notes(&saved()?.notes)?.history.epochs().len());
    while epochs() < Some(2) && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    child.wait().unwrap();
    Some(saved()?.step)
}

#[test]
fn a_run_with_validation_is_resumed_with_its_log() {
    let [unbroken, folder] = [(); 2].map(|()| TempDir::new().unwrap());
    let (unbroken, folder) = (unbroken.path(), folder.path());
    let more = ["--early-stopping=roc_auc:6", "--plateau=loss:2:0.5", "--epochs=40"];
    write(unbroken);
    let (expected, _) = train(unbroken, &[&more[..], &["--log=l.jsonl"]].concat());
    let rate = |point: &Value| point["learning_rate"].as_f64().unwrap();
    let curves = expected["curves"].as_array().unwrap();
    assert!(rate(curves.last().unwrap()) < rate(&curves[0]), "no plateau: {curves:?}");

    write(folder);
    // The run is short, and may be over before it is killed.
    let killed = (0..50).any(|_| killed(folder, &more) < expected["steps"].as_u64());
    assert!(killed, "no run was killed before its end");
    // Epochs after the checkpoint, and half a line.
    let mut text = fs::read_to_string(folder.join("l.jsonl")).unwrap();
    text += "{\"epoch\":39,\"steps\":312}\n{\"epoch\":4";
    fs::write(folder.join("l.jsonl"), text).unwrap();
    let (resumed, _) = train(folder, &[&more[..], &["--resume=c", "--log=l.jsonl"]].concat());
    for name in ["digest", "curves", "best_epoch", "ending", "steps", "densities", "test_loss"] {
        assert_eq!(resumed[name], expected[name], "{name}");
    }
    assert!(resumed["resumed_at_step"].as_u64() < expected["steps"].as_u64());
    assert_eq!(log(&folder.join("l.jsonl")), *curves);

    let shown = String::from_utf8(run(folder, &["inspect", "c"]).stdout).unwrap();
    let best = format!("best epoch     {}", expected["best_epoch"]);
    assert!(shown.contains(" % wrong") && shown.contains(&best), "{shown}");

    // Other settings are refused with the flag's name.
    let resumed = |change: [&str; 2]| {
        let all = [&TRAINING[..], &more].concat();
        let changed = all.into_iter().map(|word| if word == change[0] { change[1] } else { word });
        let words: Vec<_> = changed.chain(["--resume=c", "--quiet"]).collect();
        fails(folder, &words, 1)
    };
    for (change, words) in [
        (["--validation=0.25", "--validation=80"], "`--validation` was 0.25 when the checkpoint"),
        (
            ["--early-stopping=roc_auc:6", "--early-stopping=roc_auc:7"],
            "`--early-stopping` was roc_auc",
        ),
        (["--plateau=loss:2:0.5", "--plateau=loss:2"], "`--plateau` was loss"),
    ] {
        let line = resumed(change);
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn validation_rows_may_be_those_of_a_folder() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    fs::create_dir(folder.join("v")).unwrap();
    for (from, to) in [("x.npy", "x_test.npy"), ("y.npy", "y_test.npy")] {
        fs::copy(folder.join(from), folder.join("v").join(to)).unwrap();
    }
    let base: Vec<_> =
        TRAINING.into_iter().filter(|word| !word.starts_with("--validation")).collect();
    let words = [&base[..], &["--validation=v", "--epochs=2", "--report=r.json", "-q"]].concat();
    assert!(run(folder, &words).status.success());
    let found = report(folder);
    assert_eq!(
        (&found["data"]["validation_rows"], &found["data"]["train_rows"]),
        (&400.into(), &300.into())
    );
    for point in found["curves"].as_array().unwrap() {
        assert!(point["validation"]["loss"].is_number(), "{point}");
    }
    let line = fails(folder, &[&base[..], &["--validation=gone"]].concat(), 1);
    assert!(line.contains("--validation gone: no such folder"), "{line}");
    let line =
        fails(folder, &[&base[..], &["--validation=v", "--report=v/x_test.npy"]].concat(), 2);
    assert!(
        line.contains("--report and --validation") || line.contains("--validation and --report"),
        "{line}"
    );
}

#[test]
fn what_cannot_be_validated_is_refused_before_training() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (more, words, code) in [
        (&["--early-stopping=loss"][..], "--validation", 2),
        (&["--plateau=loss"], "--validation", 2),
        (&["--validation=1.5"], "expected a share above 0 and below 1", 2),
        (&["--validation=8000"], "--validation 8000: expected at least one of the 8000", 2),
        (&["--validation=0.1", "--early-stopping=auc"], "expected one of error_rate", 2),
        (
            &["--validation=0.1", "--early-stopping=rmse"],
            "--early-stopping: metric rmse does not",
            1,
        ),
        (&["--validation=0.1", "--plateau=recall(10)"], "--plateau: class: expected an index", 1),
        (&["--metrics=rmse"], "--metrics: metric rmse does not support loss", 1),
        (&["--log=l.json"], "such as l.jsonl", 2),
        (&["--log=no/l.jsonl"], "--log no/l.jsonl", 1),
    ] {
        let line = fails(folder, &[&["train", "--hidden=8", "--quiet"], more].concat(), code);
        assert!(line.contains(words), "{more:?}: {line}");
    }
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
}

#[test]
fn without_validation_rows_the_log_has_the_test_rows() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let words = ["train", "--hidden=8", "--epochs=3", "--evaluate-every=2", "--threads=1"];
    let output = run(folder, &[&words[..], &["--log=l.jsonl", "--quiet"]].concat());
    assert!(output.status.success());
    let lines = log(&folder.join("l.jsonl"));
    let measured: Vec<_> = lines
        .iter()
        .map(|line| line["test_error"].is_number() && line["test_loss"].is_number())
        .collect();
    assert_eq!(measured, [false, true, true]);
}

#[test]
fn optimizer_is_another_spelling() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let digest = |word: &str| {
        let words = ["train", "--hidden=8", "--epochs=1", "--threads=1", "--quiet", word];
        let output = run(folder, &words);
        assert!(output.status.success());
        let said = String::from_utf8(output.stdout).unwrap();
        said.lines().find(|line| line.starts_with("digest")).unwrap().to_owned()
    };
    assert_eq!(digest("--optimizer=adam"), digest("--optimiser=adam"));
    assert_ne!(digest("--optimizer=adam"), digest("--optimizer=sgd"));
}
