//! `thinnet train --config`, and the settings in the model file.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{
    data::npy,
    nn::{Loss, MAX_NOTES, Mlp},
    tensor::Matrix,
};

use crate::program::{fails, run, succeeds, thinnet};

/// Flags of all kinds, on the command line.
const FLAGS: [&str; 15] = [
    "--hidden=16,16",
    "--keep-input=0.9",
    "--epochs=2",
    "--batch=100",
    "--seed=18446744073709551615",
    "--optimizer=sgd",
    "--nesterov",
    "--momentum=0.5",
    "--learning-rate=0.05",
    "--max-norm-paper=2",
    "--validation=0.25",
    "--metrics=error_rate,log_loss",
    "--early-stopping=loss:3",
    "--threads=1",
    "--quiet",
];

/// The same in a file.
const FILE: &str = r#"# A comment.
hidden = [16, 16]
keep-input = 0.9
epochs = 2
batch = 1_00
seed = "18446744073709551615"
optimizer = "sgd"
nesterov = true
momentum = 5e-1
learning-rate = 0.05
max-norm-paper = 2
validation = 0.25
metrics = ["error_rate", "log_loss"]
early-stopping = "loss:3"
threads = 0x1
quiet = true
"#;

fn report(folder: &Path, arguments: &[&str]) -> Value {
    succeeds(folder, &[&["train", "--report=report.json"], arguments].concat());
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

#[test]
fn a_file_of_flags_is_like_the_flags() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    fs::write(folder.join("run.toml"), FILE).unwrap();
    let by_flags = report(folder, &FLAGS);
    let by_file = report(folder, &["--config", "run.toml"]);
    assert_eq!(by_file["digest"], by_flags["digest"]);
    assert_eq!(by_file["settings"], by_flags["settings"]);
}

/// A flag of the command line replaces its own in the file, under either spelling, and those that it
/// excludes. It can also need one in the file.
#[test]
fn flags_of_the_command_line_come_first() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let text = FILE.replace("early-stopping = \"loss:3\"\n", "");
    fs::write(folder.join("run.toml"), text).unwrap();
    let replaced = ["--epochs=1", "--no-max-norm", "--optimiser", "sgd", "--early-stopping=loss:2"];
    let mut flags = FLAGS.to_vec();
    flags.retain(|flag| {
        !["--epochs", "--max-norm", "--optimizer", "--early"]
            .iter()
            .any(|one| flag.starts_with(one))
    });
    flags.extend(replaced);
    let by_flags = report(folder, &flags);
    let by_file = report(folder, &[&replaced[..], &["--config=run.toml"]].concat());
    assert_eq!(by_file["digest"], by_flags["digest"]);
    assert_eq!(by_file["settings"], by_flags["settings"]);
    assert_eq!(by_file["settings"]["epochs"], 1);
    assert!(by_file["settings"]["max_norm"].is_null());
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_its_line() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (text, expected) in [
        ("\nepoch = 3\n", "line 2: unexpected argument '--epoch' found; tip: a similar argument"),
        ("epochs = 0", "line 1: invalid value '0' for '--epochs <N>': expected"),
        ("seed = 1\nepochs = true", "line 2: `epochs` is true: expected a number, a string, or"),
        ("nesterov = 1", "line 1: `nesterov` is a number: expected true or false"),
        ("[network]\nhidden = 8", "line 1: unexpected argument '--network' found"),
        ("[epochs]\n", "line 1: `epochs` is a section: expected a number"),
        ("hidden = [[8]]", "line 1: `hidden` is a list of other things: expected numbers or"),
        ("hidden = [8, 0]", "line 1: invalid value '8,0' for '--hidden <N,N,..>'"),
        ("keep = nan", "line 1: invalid value 'NaN' for '--keep <P>'"),
        ("config = \"other.toml\"", "line 1: `config` cannot be in this file: expected another"),
        ("help = true", "line 1: `help` cannot be in this file"),
        ("epochs = 1\nepochs = 2", "line 2: duplicate key"),
        ("epochs 3", "line 1: "),
        ("max-norm = 1\nno-max-norm = true", "'--max-norm <C>' cannot be used with"),
    ] {
        fs::write(folder.join("run.toml"), text).unwrap();
        let error = fails(folder, &["train", "--config=run.toml"], 2);
        assert!(error.starts_with("error: --config run.toml: "), "{error}");
        assert!(error.contains(expected), "{text}: {error}");
    }
    fs::write(folder.join("run.toml"), b"epochs = \"\xff\"").unwrap();
    assert!(fails(folder, &["train", "--config=run.toml"], 1).contains("not UTF-8 text"));
    let error = fails(folder, &["train", "--config=none.toml"], 1);
    assert!(error.contains("--config none.toml: no such file: expected a TOML file"), "{error}");
    let error = fails(folder, &["train", "--config", "."], 1);
    assert!(error.contains("--config .: a folder"), "{error}");
    // It is never overwritten.
    fs::write(folder.join("run.toml"), "epochs = 1").unwrap();
    let error = fails(folder, &["train", "--config=run.toml", "--report=run.toml"], 2);
    assert!(error.contains("--config"), "{error}");
    assert_eq!(fs::read_to_string(folder.join("run.toml")).unwrap(), "epochs = 1");
}

/// Flags of all kinds that a model file is to repeat. Each run also has --hidden=8 and --epochs=1.
const RUNS: [&[&str]; 7] = [
    &[],
    &["--validation=0.1", "--early-stopping=loss", "--plateau=f1(macro):2", "--metrics=f1,brier"],
    &[
        "--optimizer=adam",
        "--beta2=0.99",
        "--schedule=cosine",
        "--no-max-norm",
        "--warmup=5",
        "--average=tail:3",
        "--class-weight=balanced",
        "--label-smoothing=0.10",
        "--l1=1e-7",
        "--clip-norm=5",
    ],
    &["--optimiser=adagrad", "--initial-accumulator=0.1", "--maxout=2", "--max-norm=3"],
    &["--schedule=paper", "--noise=gaussian", "--isa=portable", "--seed=18446744073709551615"],
    &["--activation=leaky_relu(0.2)", "--nesterov", "--held-out=100", "--initialisation=fan_in"],
    &[
        "--data=x 'é'.npy",
        "--targets=y.npy",
        "--row-weights=w.npy",
        "--held-out=5",
        "--loss=quantile:0.1,0.90",
        "--metrics=pinball_loss",
    ],
];

/// Writes 40 rows with two targets each, and their weights.
fn write_rows(folder: &Path) {
    let rows: Vec<f32> = (0..80).map(|number| (number as f32).sin()).collect();
    let rows = Matrix::from_rows(&rows, 40, 2).unwrap();
    for name in ["x 'é'.npy", "y.npy"] {
        npy::write_matrix(folder.join(name), rows.view()).unwrap();
    }
    let weights: Vec<u32> = (0..40).map(|row| row % 3).collect();
    npy::write_labels(folder.join("w.npy"), &weights).unwrap();
}

/// Runs a command that may warn.
fn runs(folder: &Path, words: &[&str]) {
    let output = run(folder, words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
}

#[test]
fn a_model_file_has_settings_that_repeat_the_run() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write_rows(folder);
    for flags in RUNS {
        let outputs = ["train", "--quiet", "--out=first.safetensors", "--threads=1"];
        runs(folder, &[&outputs[..], &["--hidden=8", "--epochs=1"], flags].concat());
        let settings = succeeds(folder, &["inspect", "first.safetensors", "--notes"]);
        fs::write(folder.join("again.toml"), &settings).unwrap();
        runs(folder, &["train", "--quiet", "--config=again.toml", "--out=again.safetensors"]);
        let [first, again] =
            ["first", "again"].map(|name| fs::read(folder.join(format!("{name}.safetensors"))));
        assert_eq!(again.unwrap(), first.unwrap(), "{flags:?}: {settings}");
        let table: toml::Table = toml::from_str(&settings).unwrap();
        for absent in ["out", "threads", "quiet", "config"] {
            assert!(!table.contains_key(absent), "{settings}");
        }
    }
}

/// Also those that nobody gave.
#[test]
fn every_setting_is_written_where_the_network_goes() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let train = ["train", "--quiet", "--out=m", "--hidden=8,8", "--epochs=1", "--validation=20"];
    succeeds(folder, &[&train[..], &["--early-stopping=loss"]].concat());
    let settings = succeeds(folder, &["inspect", "m", "--notes"]);
    let lines: Vec<_> = settings.lines().collect();
    assert!(lines[0].starts_with("# The settings of this run of thinnet train "), "{settings}");
    for line in [
        "data = \"digits\"",
        "hidden = [8, 8]",
        "activation = \"relu\"",
        "keep-input = 0.8",
        "batch = 128",
        "seed = 1",
        "optimiser = \"sgd\"",
        "learning-rate = 0.1",
        "momentum = 0.9",
        "weight-decay = 0.0",
        "loss = \"softmax_cross_entropy\"",
        "max-norm-paper = 1.5",
        "validation = 20",
        "early-stopping = \"loss:10\"",
    ] {
        assert!(lines.contains(&line), "{line} in {settings}");
    }
    // In the other forms of inspect, and in a file made from this one.
    let json: Value = serde_json::from_str(&succeeds(folder, &["inspect", "m", "--json"])).unwrap();
    assert_eq!(json["notes"], settings);
    assert!(succeeds(folder, &["inspect", "m"]).ends_with(&format!("\nnotes\n{settings}")));
    runs(folder, &["quantize", "m", "--out=q.safetensors"]);
    assert_eq!(succeeds(folder, &["inspect", "q.safetensors", "--notes"]), settings);
    succeeds(folder, &["convert", "m", "m.onnx"]);
    assert_eq!(succeeds(folder, &["inspect", "m.onnx", "--notes"]), settings);
}

#[test]
fn notes_of_other_programs_are_shown_without_harm() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut mlp = Mlp::builder(1).output(1, Loss::SquaredError).build().unwrap();
    mlp.save(folder.join("none")).unwrap();
    let error = fails(folder, &["inspect", "none", "--notes"], 1);
    assert!(error.contains("FILE none: no notes of a network"), "{error}");
    mlp.set_notes("a\u{1b}[31mb\nc\u{9b}").unwrap();
    mlp.save(folder.join("m")).unwrap();
    let text = succeeds(folder, &["inspect", "m"]);
    assert!(text.ends_with("\nnotes\na\\u{1b}[31mb\nc\\u{9b}\n"), "{text}");
    assert!(fails(folder, &["inspect", "m", "--notes", "--json"], 2).contains("--notes"));
}

/// The network is not lost.
#[cfg(unix)]
#[test]
fn settings_that_cannot_be_kept_give_a_warning() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let weights = OsStr::from_bytes(b"w\xff.txt");
    fs::write(folder.join(weights), "1 ".repeat(10)).unwrap();
    let class_weight = OsStr::from_bytes(b"--class-weight=w\xff.txt");
    let many = format!("--metrics={}", vec!["f1"; MAX_NOTES / 6].join(","));
    for (flag, words) in [
        (class_weight, "--class-weight w\u{fffd}.txt is not UTF-8 text"),
        (many.as_ref(), "expected at most 32768"),
    ] {
        let train = ["train", "--quiet", "--out=m", "--hidden=8", "--epochs=1", "--validation=20"];
        let output = thinnet(folder).args(train).arg(flag).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let warning = "warning: the settings will not be in the model: ";
        assert!(said.starts_with(warning) && said.contains(words), "{said}");
        assert_eq!(Mlp::load(folder.join("m")).unwrap().notes(), "");
    }
}
