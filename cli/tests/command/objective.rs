//! The options of `thinnet train` that apply with any optimiser: weights of classes, label smoothing,
//! warm-up, clipping, an L1 penalty, averages.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{fails, succeeds};

/// 2 epochs of 8 steps.
const TRAINING: [&str; 7] = [
    "train",
    "--hidden=8",
    "--epochs=2",
    "--batch=1000",
    "--threads=1",
    "--quiet",
    "--report=report.json",
];

/// An option, its name in the report, its value there, and another value of it.
const OPTIONS: [(&str, &str, &str, &str); 7] = [
    ("--class-weight=balanced", "class_weight", "\"balanced\"", "--class-weight=w.txt"),
    ("--label-smoothing=0.1", "label_smoothing", "0.1", "--label-smoothing=0.2"),
    ("--l1=0.001", "l1", "0.001", "--l1=0.002"),
    ("--warmup=5", "warmup", "5", "--warmup=6"),
    ("--clip-norm=0.25", "clip_norm", "0.25", "--clip-norm=0.5"),
    ("--clip-value=0.01", "clip_value", "0.01", "--clip-value=0.02"),
    (
        "--average=ema:0.5",
        "average",
        r#"{"decay":0.5,"every":1,"kind":"exponential","warm_up":false}"#,
        "--average=tail:4",
    ),
];

fn report(folder: &Path, more: &[&str]) -> Value {
    succeeds(folder, &[&TRAINING, more].concat());
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

/// A weight for each of the ten digits.
fn write_weights(folder: &Path, separator: &str) {
    let weights: Vec<_> = (0..10).map(|class| format!("{}", 0.5 + f64::from(class))).collect();
    fs::write(folder.join("w.txt"), weights.join(separator) + "\n").unwrap();
}

#[test]
fn each_option_changes_the_result_and_is_in_the_report() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write_weights(folder, "\n");
    let plain = report(folder, &[]);
    assert_eq!(plain["settings"]["label_smoothing"], 0.0);
    assert!(plain["settings"]["class_weight"].is_null());
    for (option, name, value, other) in OPTIONS {
        let with = report(folder, &[option]);
        assert_eq!(with["settings"][name].to_string(), value);
        let others = report(folder, &[other]);
        assert!(
            with["digest"] != plain["digest"] && others["digest"] != with["digest"],
            "{option}"
        );
    }
    let neutral = ["--label-smoothing=0", "--l1=0", "--clip-norm=1e30", "--clip-value=1e30"];
    assert_eq!(report(folder, &neutral)["digest"], plain["digest"]);
    let of_files = ["\n", " ", ", ", "\r\n", "\t"].map(|separator| {
        write_weights(folder, separator);
        report(folder, &["--class-weight=w.txt"])["digest"].to_string()
    });
    assert!(of_files.iter().all(|digest| *digest == of_files[0]));
}

#[test]
fn a_run_resumes_only_with_the_same_options() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write_weights(folder, " ");
    let all: Vec<&str> = OPTIONS.iter().map(|option| option.0).collect();
    let whole = report(folder, &[&all[..], &["--checkpoint=c"]].concat());
    // The run is finished: it writes its outputs again.
    let again = report(folder, &[&all[..], &["--resume=c"]].concat());
    assert_eq!(again["digest"], whole["digest"]);
    for (i, (option, _, _, other)) in OPTIONS.iter().enumerate() {
        let (flag, _) = option.split_once('=').unwrap();
        for other in [Some(*other), None] {
            let mut changed = all.clone();
            changed.splice(i..=i, other);
            let error = fails(folder, &[&TRAINING, &changed[..], &["--resume=c"]].concat(), 1);
            assert!(error.contains("resume with the same") && error.contains(flag), "{error}");
        }
    }
}

#[test]
fn values_that_cannot_be_used_are_refused() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (option, value, expected) in [
        ("--label-smoothing", "1", "at least 0 and below 1"),
        ("--label-smoothing", "NaN", "at least 0 and below 1"),
        ("--l1", "-1", "from 0 to 3.4e38"),
        ("--warmup", "0", "from 1 to 1000000"),
        ("--clip-norm", "0", "from 1.2e-38 to 3.4e38"),
        ("--clip-value", "inf", "from 1.2e-38 to 3.4e38"),
        ("--average", "ema", "expected ema:DECAY, such as ema:0.999"),
        ("--average", "ema:1", "at least 0 and below 1"),
        ("--average", "tail:-1", "a number of steps after tail:"),
    ] {
        let argument = format!("{option}={value}");
        let error = fails(folder, &["train", &argument], 2);
        assert!(error.contains(option) && error.contains(expected), "{error}");
    }
    for (contents, expected) in [
        (&b"1 2 3"[..], "3 numbers: expected 10, one for each class"),
        (b"", "0 numbers: expected 10"),
        (b"1 1 1 1 1 1 1 1 1 1 1", "more than 10 numbers"),
        (b"1 1 x 1 1 1 1 1 1 1", "the weight of class 2 is \"x\": expected a number from 0"),
        (b"1 1 1 -1 1 1 1 1 1 1", "the weight of class 3 is \"-1\""),
        (b"\x93NUMPY\x01\0", "not text: expected a text file of numbers"),
        (b"0 0 0 0 0 0 0 0 0 0", "weights of classes above 0"),
    ] {
        fs::write(folder.join("w.txt"), contents).unwrap();
        let error = fails(folder, &[&TRAINING, &["--class-weight=w.txt"][..]].concat(), 1);
        assert!(error.contains(expected), "{error}");
    }
    let error = fails(folder, &[&TRAINING, &["--class-weight=none.txt"][..]].concat(), 1);
    assert!(error.contains("--class-weight none.txt: no such file: expected a text"), "{error}");
    // The weights are never overwritten.
    let error =
        fails(folder, &[&TRAINING, &["--class-weight=w.txt", "--out=w.txt"][..]].concat(), 2);
    assert!(error.contains("--class-weight"), "{error}");
    assert!(fs::read(folder.join("w.txt")).unwrap().starts_with(b"0 0"));
}
