//! `thinnet train --row-weights`.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{data::npy, tensor::Matrix};

use crate::program::{fails, succeeds};

const ROWS: usize = 60;

/// Writes rows of two classes, which a line separates but for every tenth row.
fn write(folder: &Path) {
    let rows: Vec<f32> = (0..2 * ROWS).map(|number| (7.3 * number as f32).sin()).collect();
    let labels: Vec<u32> = rows
        .chunks(2)
        .enumerate()
        .map(|(row, x)| u32::from((x[0] > 0.0) != (row % 10 == 0)))
        .collect();
    let rows = Matrix::from_rows(&rows, ROWS, 2).unwrap();
    npy::write_matrix(folder.join("x.npy"), rows.view()).unwrap();
    npy::write_labels(folder.join("y.npy"), &labels).unwrap();
}

/// Writes numbers as one dimension of f64.
fn write_weights(folder: &Path, weights: &[f64]) {
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}", weights.len());
    header += &" ".repeat(118 - header.len() - 1);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(header.bytes());
    weights.iter().for_each(|weight| bytes.extend(weight.to_le_bytes()));
    fs::write(folder.join("w.npy"), bytes).unwrap();
}

/// 2 epochs of 3 steps.
fn train(more: &[&str]) -> Vec<String> {
    let flags = "train --data=x.npy --labels=y.npy --held-out=12 --hidden=8 --keep-input=1 --keep=1 \
                 --epochs=2 --batch=16 --threads=1 --quiet --report=report.json";
    flags.split_whitespace().chain(more.iter().copied()).map(str::to_owned).collect()
}

fn report(folder: &Path, more: &[&str]) -> Value {
    let words = train(more);
    succeeds(folder, &words.iter().map(String::as_str).collect::<Vec<_>>());
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

fn refused(folder: &Path, more: &[&str]) -> String {
    let words = train(more);
    fails(folder, &words.iter().map(String::as_str).collect::<Vec<_>>(), 1)
}

#[test]
fn rows_count_by_their_weights_in_training_and_validation_but_not_in_the_test() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let plain = report(folder, &[]);
    assert!(plain["settings"].get("row_weights").is_none());
    let weighted = ["--row-weights=w.npy"];
    write_weights(folder, &[1.0; ROWS]);
    let ones = report(folder, &weighted);
    assert_eq!(ones["digest"], plain["digest"]);
    assert_eq!(ones["settings"]["row_weights"], "w.npy");
    let weights: Vec<f64> = (0..ROWS).map(|row| if row % 10 == 0 { 0.0 } else { 1.5 }).collect();
    write_weights(folder, &weights);
    let cleaned = report(folder, &weighted);
    assert_ne!(cleaned["digest"], plain["digest"]);
    // The test set counts all its rows, so that its figures can be compared between runs.
    let [error, wrong] = ["test_error", "test_wrong"].map(|name| cleaned[name].as_f64().unwrap());
    assert_eq!(error, wrong / 12.0);
    // With all validation rows but the odd ones at 0, the figures are those of the odd ones.
    let validation = ["--validation=24", "--metrics=error_rate", "--row-weights=w.npy"];
    let found = report(folder, &validation);
    let curve = found["curves"].as_array().unwrap();
    let share = curve[0]["validation"]["metrics"]["error_rate"].as_f64();
    let share = share.unwrap_or_else(|| panic!("{}", curve[0]));
    // Of fewer than 24 rows.
    assert!((1..24).any(|rows| (share * f64::from(rows)).fract().abs() < 1e-9), "{share}");
}

#[test]
fn files_without_a_weight_for_each_row_are_refused() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let weighted = ["--row-weights=w.npy"];
    let error = refused(folder, &weighted);
    assert_eq!(
        error,
        "error: --row-weights w.npy: no such file: expected a .npy file of numbers\n"
    );
    let with = |row: usize, weight: f64| {
        let mut weights = [1.0; ROWS];
        weights[row] = weight;
        weights.to_vec()
    };
    for (weights, words) in [
        (with(3, -0.5), "row 3"),
        (with(59, f64::NAN), "NaN"),
        (with(0, f64::INFINITY), "inf"),
        (vec![1.0; ROWS - 1], "expected 60, got 59"),
        (vec![0.0; ROWS], "every weight is 0"),
        (vec![], "every weight is 0"),
    ] {
        write_weights(folder, &weights);
        let error = refused(folder, &weighted);
        assert!(error.starts_with("error: --row-weights w.npy: "), "{error}");
        assert!(error.contains(words), "{words}: {error}");
    }
    let error = refused(folder, &["--row-weights=x.npy"]);
    assert!(error.contains("x.npy") && error.contains("one dimension of numbers"), "{error}");
    fs::write(folder.join("w.npy"), "no array").unwrap();
    assert!(refused(folder, &weighted).contains("w.npy"));
    // It is never overwritten.
    let error = fails(folder, &["train", "--row-weights=w.npy", "--report=w.npy"], 2);
    assert!(error.contains("--row-weights"), "{error}");
}

#[test]
fn a_run_resumes_only_with_the_same_weights() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    write_weights(folder, &[2.0; ROWS]);
    let weighted = "--row-weights=w.npy";
    report(folder, &[weighted, "--checkpoint=run.ckpt"]);
    report(folder, &[weighted, "--resume=run.ckpt"]);
    let mut weights = [2.0; ROWS];
    weights[ROWS / 2] = 3.0;
    assert!(refused(folder, &["--resume=run.ckpt"]).contains("data"));
    write_weights(folder, &weights);
    let error = refused(folder, &[weighted, "--resume=run.ckpt"]);
    assert!(error.contains("data"), "{error}");
}
