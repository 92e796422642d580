//! `thinnet train --config`.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{fails, succeeds};

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
