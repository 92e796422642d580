//! The user's own data: labels that are not classes, and files that are pipes.

use std::{fs, path::Path};

use tempfile::TempDir;
use thinnet::{data::npy, tensor::Matrix};

use crate::program::{fails, run};

const TRAIN: [&str; 7] = [
    "train",
    "--data=x.npy",
    "--labels=y.npy",
    "--held-out=33",
    "--hidden=4",
    "--epochs=1",
    "--quiet",
];

/// Returns a folder with a table of 333 rows. They have these labels in turn, except row 17.
fn table(labels: &[u32], of_row_17: u32) -> TempDir {
    let folder = TempDir::new().unwrap();
    let rows: Vec<f32> = (0..333 * 4).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
    let rows = Matrix::from_rows(&rows, 333, 4).unwrap();
    npy::write_matrix(folder.path().join("x.npy"), rows.view()).unwrap();
    let mut labels: Vec<u32> = labels.iter().copied().cycle().take(333).collect();
    labels[17] = of_row_17;
    npy::write_labels(folder.path().join("y.npy"), &labels).unwrap();
    folder
}

fn warning(folder: &Path) -> String {
    let output = run(folder, &TRAIN);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr
}

#[test]
fn a_label_that_is_not_a_class_is_refused_before_a_network_is_built() {
    for label in [1 << 20, 20_000_000, u32::MAX] {
        let line = fails(table(&[0, 1, 2], label).path(), &TRAIN, 1);
        let part = format!("y.npy: class {label} at row 17: expected a class from 0 to 1048575");
        assert!(line.contains(&part), "{line}");
    }
    for label in [1024, 900_000, (1 << 20) - 1] {
        let line = fails(table(&[0, 1, 2], label).path(), &TRAIN, 1);
        let part = format!(
            "--labels y.npy: row 17 has label {label}, which would need {} outputs, but",
            label + 1
        );
        assert!(line.contains(&part) && line.contains("only 4 different labels occur"), "{line}");
    }
}

#[test]
fn classes_without_a_row_get_a_warning() {
    assert_eq!(warning(table(&[0, 1, 2], 1).path()), "");
    let from_1: Vec<u32> = (1..=10).collect();
    let line = warning(table(&from_1, 1).path());
    assert!(
        line.contains("--labels y.npy: 1 of 11 classes has no training row; the first is class 0")
    );
    let line = warning(table(&[0, 1], 1023).path());
    assert!(line.contains("1021 of 1024 classes have no training row; the first is class 2"));
    // Many classes with a few rows each are accepted.
    let many: Vec<u32> = (0..300).map(|i| 15 * i).collect();
    let line = warning(table(&many, 0).path());
    assert!(line.contains("4186 of 4486 classes"), "{line}");
}

/// The labels are not at fault if the rows cannot be read, or have labels of their own.
#[test]
fn labels_are_refused_only_where_they_are_the_cause() {
    let folder = table(&[0, 1, 2], 1);
    let folder = folder.path();
    fs::write(folder.join("x.csv"), "a,b").unwrap();
    fs::write(folder.join("x.parquet"), "PAR1").unwrap();
    fs::create_dir(folder.join("own")).unwrap();
    for (data, words, code) in [
        ("x.csv", "--data x.csv: tables cannot be read", 1),
        ("x.parquet", "--data x.parquet: not a folder", 1),
        ("gone", "--data gone: no such folder or file", 1),
        ("own", "--labels y.npy: cannot be used with --data own, which has its own labels", 2),
        ("digits", "--labels y.npy: cannot be used with the built-in digits", 2),
    ] {
        let line = fails(folder, &["train", "--data", data, "--labels=y.npy"], code);
        assert!(line.contains(words), "{line}");
    }
    // The other file may be the one with the wrong number of rows.
    npy::write_matrix(folder.join("x.npy"), Matrix::from_rows(&[], 0, 3).unwrap().view()).unwrap();
    let line = fails(folder, &TRAIN, 1);
    assert!(line.contains("y.npy: 333 labels: expected 0, one for each row of x.npy"), "{line}");
}

#[test]
fn the_argument_of_a_file_that_is_missing_or_a_folder_is_named() {
    let folder = table(&[0, 1, 2], 1);
    let folder = folder.path();
    fs::create_dir(folder.join("d")).unwrap();
    for (arguments, words) in [
        (&["eval", "--model=gone"][..], "--model gone: no such file: expected a model"),
        (&["eval", "--model=d"], "--model d: a folder: expected a model"),
        (&["inspect", "gone"], "FILE gone: no such file: expected a model, a checkpoint"),
        (&["convert", "d", "m"], "IN d: a folder: expected a model, a checkpoint"),
        (&["train", "--resume=d"], "--resume d: a folder: expected a checkpoint"),
        (&["train", "--out=x.npy/m"], "--out x.npy/m: not a folder: x.npy"),
        (
            &["train", "--data=x.npy", "--labels=gone.npy", "--held-out=9"],
            "--labels gone.npy: no such file: expected a .npy file of labels",
        ),
        (
            &["train", "--data=gone.npy", "--labels=y.npy", "--held-out=9"],
            "--data gone.npy: no such",
        ),
    ] {
        let line = fails(folder, arguments, 1);
        assert!(line.contains(words), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn a_table_is_read_through_a_pipe() {
    use std::{
        io::Write,
        process::{Command, Stdio},
    };

    use crate::program::thinnet;

    let folder = table(&[0, 1, 2], 0);
    let folder = folder.path();
    let train = [&TRAIN[..], &["--out=m"]].concat();
    assert!(run(folder, &train).status.success());
    let predict = ["predict", "--model=m", "--data"];
    let expected = run(folder, &[&predict[..], &["x.npy"]].concat());
    assert!(expected.status.success() && !expected.stdout.is_empty());

    // A named pipe.
    assert!(Command::new("mkfifo").arg(folder.join("pipe")).status().unwrap().success());
    let child = thinnet(folder)
        .args(predict)
        .arg("pipe")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    fs::write(folder.join("pipe"), fs::read(folder.join("x.npy")).unwrap()).unwrap();
    assert_eq!(child.wait_with_output().unwrap(), expected);

    // Standard input, as a pipe and as a file.
    let mut child = thinnet(folder)
        .args(predict)
        .arg("/dev/stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes = fs::read(folder.join("x.npy")).unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    assert_eq!(child.wait_with_output().unwrap(), expected);
    let file = fs::File::open(folder.join("x.npy")).unwrap();
    let output = thinnet(folder).args(predict).arg("/dev/stdin").stdin(file).output().unwrap();
    assert_eq!(output, expected);
}
