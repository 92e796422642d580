//! Sparse rows from svmlight files against the same rows from NPY files.

use std::{fmt::Write, fs, path::Path};

use tempfile::TempDir;
use thinnet::{
    data::npy,
    mask::{Domain, Streams},
    tensor::Matrix,
};

use crate::program::{fails, succeeds};

const ROWS: usize = 240;
const COLUMNS: usize = 90;

/// Writes the same rows, of which one number in eight is not 0, and the one in the column of its class, as x.npy and y.npy and as rows.svm, with
/// this index of the first column. Column 0 and the last one occur.
fn write(folder: &Path, first_index: usize) {
    let streams = Streams::new(1, Domain::Other, 0, 0);
    let mut numbers = vec![0.0; ROWS * COLUMNS];
    let (mut labels, mut text) = (Vec::new(), String::new());
    for row in 0..ROWS {
        let label = row as u32 % 3;
        labels.push(label);
        write!(text, "{label}").unwrap();
        for column in 0..COLUMNS {
            let bits = streams.hash((row * COLUMNS + column) as u64);
            if bits.is_multiple_of(8) || column == label as usize {
                let uniform = (bits >> 40) as f32 / (1 << 24) as f32;
                let x = if column < 3 { 2.0 + uniform } else { uniform };
                numbers[row * COLUMNS + column] = x;
                write!(text, " {}:{x}", column + first_index).unwrap();
            }
        }
        text.push('\n');
    }
    let rows = Matrix::from_rows(&numbers, ROWS, COLUMNS).unwrap();
    npy::write_matrix(folder.join("x.npy"), rows.view()).unwrap();
    npy::write_labels(folder.join("y.npy"), &labels).unwrap();
    fs::write(folder.join("rows.svm"), text).unwrap();
}

const TRAIN: [&str; 7] = [
    "train",
    "--hidden=16",
    "--epochs=20",
    "--batch=16",
    "--optimizer=adam",
    "--schedule=constant",
    "--quiet",
];

#[test]
fn sparse_rows_train_and_answer_like_the_same_rows_from_arrays() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for first_index in [0, 1] {
        write(folder, first_index);
        let options = ["--first-index=0"];
        let options = if first_index == 0 { &options[..] } else { &[] };
        let svm = [&["--data=rows.svm"], options].concat();
        let arrays = ["--data=x.npy", "--labels=y.npy"];
        let held_out = ["--held-out=60", "--validation=0.2"];
        let sparse_input = if first_index == 0 { "--no-sparse-input" } else { "--sparse-input" };
        let train = [&TRAIN[..], &held_out, &[sparse_input]].concat();
        succeeds(folder, &[&train[..], &svm, &["--out=sparse"]].concat());
        succeeds(folder, &[&train[..], &arrays, &["--out=dense"]].concat());
        for command in [
            &["eval", "--model=dense"][..],
            &["eval", "--model=sparse", "--confusion"],
            &["predict", "--model=sparse", "--json"],
            &["predict", "--model=dense", "--samples=20", "--limit=7"],
            &["predict", "--model=dense", "--method=moments", "--limit=3"],
        ] {
            let [of_svm, of_arrays] = [&svm[..], &arrays].map(|data| {
                let said = succeeds(folder, &[command, data].concat());
                said.replace("rows.svm", "x.npy")
            });
            assert!(of_svm.lines().count() > 2, "{of_svm}");
            assert_eq!(of_svm, of_arrays, "{command:?}");
        }
        // The networks are the same.
        let [sparse, dense] = ["sparse", "dense"].map(|model| {
            let model = format!("--model={model}");
            succeeds(folder, &["predict", &model, "--json", "--data=x.npy"])
        });
        assert_eq!(sparse, dense);
        let quantize = |data: &str, out: &str| {
            succeeds(folder, &[&["quantize", "dense", data, out][..], options].concat())
        };
        quantize("--data=rows.svm", "--out=integer");
        let line = fails(folder, &["predict", "--model=dense", "--data=x.npy", "--columns=3"], 2);
        assert!(line.contains("--columns: cannot be used with --data x.npy"), "{line}");
    }
}

/// A model remembers the first index of its training rows: a file of other rows may not show it.
#[test]
fn a_model_reads_other_rows_as_it_read_those_of_its_training() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, 0);
    let text = fs::read_to_string(folder.join("rows.svm")).unwrap();
    let later = text.lines().map(|line| {
        let (label, entries) = line.split_once(' ').unwrap();
        let shifted = entries.split_whitespace().map(|entry| {
            let (index, value) = entry.split_once(':').unwrap();
            format!(" {}:{value}", index.parse::<u32>().unwrap() + 1)
        });
        format!("{label}{}\n", shifted.collect::<String>())
    });
    fs::write(folder.join("later.svm"), later.collect::<String>()).unwrap();
    // Files for either, which say different things to them.
    let some = text.lines().filter(|line| !line.contains(" 0:") && !line.contains(" 89:"));
    let some: String = some.map(|line| format!("{line}\n")).collect();
    assert!(some.lines().count() > 20);
    fs::write(folder.join("some.svm"), some).unwrap();
    let train = ["train", "--hidden=16", "--epochs=5", "--batch=16", "--held-out=60", "--quiet"];
    succeeds(folder, &[&train[..], &["--data=rows.svm", "--first-index=0", "--out=0"]].concat());
    // The default, and the same rows.
    succeeds(folder, &[&train[..], &["--data=later.svm", "--out=1"]].concat());
    succeeds(folder, &["quantize", "0", "--data=rows.svm", "--out=0-8bit"]);
    succeeds(folder, &["convert", "0", "0.onnx"]);
    succeeds(folder, &["convert", "0.onnx", "0-again"]);
    let all = |model: &str, data: &str| {
        succeeds(folder, &["predict", "--json", "--model", model, "--data", data])
    };
    // The notes are the only difference of the models.
    let said = all("0", "rows.svm");
    assert_eq!(said, all("1", "later.svm"));
    let of_some = [("0", 0), ("1", 1), ("0-8bit", 0), ("0-again", 0)].map(|(model, first)| {
        let [right, wrong] = [first, 1 - first].map(|index| format!("--first-index={index}"));
        let words = ["predict", "--json", "--data=some.svm", "--model", model];
        let said = succeeds(folder, &words);
        assert_eq!(said, succeeds(folder, &[&words[..], &[&right]].concat()));
        let line = fails(folder, &[&words[..], &[&wrong]].concat(), 2);
        let words = format!(
            "--first-index {}: --model {model} was trained on svmlight files with --first-index {first}",
            1 - first
        );
        assert!(line.contains(&words), "{line}");
        said
    });
    assert_ne!(of_some[0], of_some[1]);
    assert_eq!(of_some[0], of_some[3]);
    for command in ["eval", "calibration", "profile"] {
        let words = [command, "--model=0", "--data=rows.svm"];
        let more: &[&str] = if command == "profile" { &["--steps=1", "--batch=8"] } else { &[] };
        succeeds(folder, &[&words[..], more].concat());
        let line = fails(folder, &[&words[..], &["--first-index=1"]].concat(), 2);
        assert!(line.contains("expected 0, or no --first-index"), "{line}");
    }
    let quantize = ["quantize", "0", "--data=rows.svm", "--first-index=1", "--out=no"];
    let line = fails(folder, &quantize, 2);
    assert!(line.contains("--first-index 1: MODEL 0 was trained"), "{line}");
    assert!(!folder.join("no").exists());
    // An index that the model cannot have.
    let line = fails(folder, &["eval", "--model=1", "--data=rows.svm"], 1);
    assert!(line.contains("expected a whole number from 1 to"), "{line}");
    // A run is repeated from its notes, which state the first index.
    let notes = succeeds(folder, &["inspect", "--notes", "1"]);
    assert!(notes.contains("\nfirst-index = 1\n"), "{notes}");
    fs::write(folder.join("run.toml"), notes).unwrap();
    succeeds(folder, &["train", "--quiet", "--config=run.toml", "--out=again"]);
    assert!(fs::read(folder.join("1")).unwrap() == fs::read(folder.join("again")).unwrap());
    // Models without it are as free as before.
    let dense = ["--data=x.npy", "--labels=y.npy", "--out=dense"];
    succeeds(folder, &[&train[..], &dense].concat());
    for first_index in ["--first-index=0", "--first-index=1"] {
        succeeds(folder, &["predict", "--model=dense", "--data=some.svm", first_index]);
    }
}

/// Masks of the inputs are drawn for the entries of sparse rows only, unless a flag says otherwise.
#[test]
fn masks_of_sparse_rows_cost_by_their_entries() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, 1);
    let train = ["train", "--hidden=16", "--epochs=2", "--batch=16", "--held-out=60", "--quiet"];
    let (svm, arrays) = (["--data=rows.svm"], ["--data=x.npy", "--labels=y.npy"]);
    let digest = |data: &[&str], options: &[&str], out: &str| {
        let out = format!("--out={out}");
        let said = succeeds(folder, &[&train[..], data, options, &[&out]].concat());
        said.lines().find_map(|line| line.strip_prefix("digest")).unwrap().trim().to_owned()
    };
    let sparse = digest(&svm, &[], "sparse");
    let dense = digest(&arrays, &[], "dense");
    assert_ne!(sparse, dense);
    assert_eq!(digest(&svm, &["--sparse-input"], "sparse-again"), sparse);
    assert_eq!(digest(&svm, &["--no-sparse-input"], "dense-again"), dense);
    assert_eq!(digest(&arrays, &["--sparse-input"], "sparse-arrays"), sparse);
    // Without dropout there are no masks, and with Gaussian noise none of this kind.
    let without = digest(&arrays, &["--keep-input=1"], "without");
    assert_eq!(digest(&svm, &["--keep-input=1"], "without-sparse"), without);
    let gaussian = digest(&arrays, &["--noise=gaussian"], "gaussian");
    assert_eq!(digest(&svm, &["--noise=gaussian"], "gaussian-sparse"), gaussian);
    for (model, is_sparse) in [("sparse", true), ("dense", false), ("dense-again", false)] {
        assert_eq!(succeeds(folder, &["inspect", model]).contains("sparse input"), is_sparse);
    }
    // The notes say which, so that the run can be repeated.
    for (model, line) in
        [("sparse", "\nsparse-input = true\n"), ("dense-again", "\nno-sparse-input = true\n")]
    {
        let notes = succeeds(folder, &["inspect", "--notes", model]);
        assert!(notes.contains(line), "{notes}");
        assert_eq!(notes.matches("sparse-input").count(), 1);
        fs::write(folder.join("run.toml"), notes).unwrap();
        succeeds(folder, &["train", "--quiet", "--config=run.toml", "--out=again"]);
        assert!(fs::read(folder.join(model)).unwrap() == fs::read(folder.join("again")).unwrap());
    }
    // A flag replaces the other one of a file.
    succeeds(folder, &["train", "--config=run.toml", "--sparse-input", "--quiet", "--out=again"]);
    assert!(succeeds(folder, &["inspect", "again"]).contains("sparse input"));
    // A resumed run has to agree.
    let begin = [&train[..], &svm].concat();
    succeeds(folder, &[&begin[..], &["--checkpoint=c"]].concat());
    let line = fails(folder, &[&begin[..], &["--no-sparse-input", "--resume=c"]].concat(), 1);
    assert!(line.contains("the network was") && line.contains("--no-sparse-input"), "{line}");
    succeeds(folder, &[&begin[..], &["--sparse-input", "--resume=c"]].concat());
    for (options, words) in [
        (&["--sparse-input", "--no-sparse-input"][..], "cannot be used with"),
        (
            &["--sparse-input", "--noise=gaussian"],
            "--sparse-input: cannot be used with --noise gauss",
        ),
    ] {
        let line = fails(folder, &[&begin[..], options].concat(), 2);
        assert!(line.contains(words), "{line}");
    }
}

/// Logarithms of counts, against rows whose logarithms are in the file.
#[test]
fn logarithms_of_counts_are_remembered() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let (mut counts, mut logarithms) = (String::new(), String::new());
    let streams = Streams::new(2, Domain::Other, 0, 0);
    for row in 0..ROWS {
        for text in [&mut counts, &mut logarithms] {
            write!(text, "{}", row % 3).unwrap();
        }
        for index in 1..=COLUMNS {
            let bits = streams.hash((row * COLUMNS + index) as u64);
            if bits.is_multiple_of(8) || index == row % 3 + 1 || index == COLUMNS {
                let count = 1 + (bits >> 32) % 5;
                write!(counts, " {index}:{count}").unwrap();
                // Rounded from double precision, as the library does.
                write!(logarithms, " {index}:{}", (count as f64).ln_1p() as f32).unwrap();
            }
        }
        counts.push('\n');
        logarithms.push('\n');
    }
    fs::write(folder.join("counts.svm"), &counts).unwrap();
    fs::write(folder.join("logarithms.svm"), logarithms).unwrap();
    let train = [&TRAIN[..], &["--held-out=60"]].concat();
    let data = ["--data=counts.svm", "--log-counts"];
    let said = [
        (&data[..], "--out=logarithmic"),
        (&["--data=logarithms.svm"], "--out=plain"),
        (&["--data=counts.svm"], "--out=counts"),
    ]
    .map(|(data, out)| {
        let said = succeeds(folder, &[&train[..], data, &[out, "--report=r.json"]].concat());
        said.lines().find(|line| line.starts_with("digest")).unwrap().to_owned()
    });
    assert_eq!(said[0], said[1]);
    assert_ne!(said[0], said[2]);
    let notes = succeeds(folder, &["inspect", "--notes", "logarithmic"]);
    assert!(notes.contains("\nlog-counts = true\n"), "{notes}");
    fs::write(folder.join("run.toml"), notes).unwrap();
    succeeds(folder, &["train", "--config=run.toml", "--quiet", "--out=again"]);
    let [model, again] = ["logarithmic", "again"].map(|name| fs::read(folder.join(name)).unwrap());
    assert!(model == again);
    // Other rows are taken as counts, with or without the flag.
    succeeds(folder, &["quantize", "logarithmic", "--data=counts.svm", "--out=integer"]);
    succeeds(folder, &["quantize", "plain", "--data=logarithms.svm", "--out=integer-plain"]);
    for [model, same] in [["logarithmic", "plain"], ["integer", "integer-plain"]] {
        let [model, same] = [model, same].map(|name| format!("--model={name}"));
        for command in [&["predict", "--json"][..], &["predict", "--samples=9"], &["eval"]] {
            let of = |more: &[&str]| {
                let said = succeeds(folder, &[command, more].concat());
                said.replace("counts.svm", "logarithms.svm")
            };
            let expected = of(&[&same, "--data=logarithms.svm"]);
            assert_eq!(of(&[&model, "--data=counts.svm"]), expected);
            assert_eq!(of(&[&model, "--data=counts.svm", "--log-counts"]), expected);
        }
    }
    // A model of unknown rows takes the flag.
    let [dense, labels] = ["--data=x.npy", "--labels=y.npy"];
    self::write(folder, 1);
    succeeds(folder, &[&train[..], &[dense, labels, "--out=dense"]].concat());
    succeeds(folder, &["predict", "--model=dense", "--data=counts.svm", "--log-counts"]);
    fs::write(folder.join("negative.svm"), "0 1:1\n1 3:2 4:-1\n").unwrap();
    for (arguments, words, code) in [
        (
            &["predict", "--model=counts", "--data=counts.svm", "--log-counts"][..],
            "--log-counts: --model counts was trained on svmlight files without it",
            2,
        ),
        (
            &["predict", "--model=logarithmic", dense],
            "--data x.npy: not in svmlight format, but --model logarithmic was trained on svmlight files with \
             --log-counts: expected such files",
            1,
        ),
        (&["eval", "--model=logarithmic"], "--data digits: not in svmlight format", 1),
        (
            &["predict", "--model=logarithmic", "--data=negative.svm"],
            "negative.svm: count at row 1, column 3: expected a finite number of at least 0, got -1.0 (--log-counts)",
            1,
        ),
        (
            &["train", "--log-counts", dense, labels, "--held-out=9"],
            "--log-counts: cannot be used with --data x.npy",
            2,
        ),
    ] {
        let line = fails(folder, arguments, code);
        assert!(line.contains(words), "{line}");
    }
    // A resumed run has to agree.
    let begin = [&train[..], &["--data=counts.svm"]].concat();
    succeeds(folder, &[&begin[..], &["--log-counts", "--checkpoint=c"]].concat());
    let line = fails(folder, &[&begin[..], &["--resume=c"]].concat(), 1);
    assert!(line.contains("--columns and --log-counts"), "{line}");
}

#[test]
fn a_folder_can_hold_svmlight_files() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let data = folder.join("d");
    fs::create_dir(&data).unwrap();
    write(folder, 1);
    let text = fs::read_to_string(folder.join("rows.svm")).unwrap();
    let (train, test) = text.split_at(text.match_indices('\n').nth(179).unwrap().0 + 1);
    fs::write(data.join("train.svm"), train).unwrap();
    fs::write(data.join("test.libsvm"), test).unwrap();
    let train = [&TRAIN[..], &["--data=d"]].concat();
    succeeds(folder, &[&train[..], &["--out=m"]].concat());
    let said = succeeds(folder, &["predict", "--data=d", "--model=m", "--json"]);
    assert_eq!(said.lines().count(), 60);
    // An index that no training row has.
    fs::write(data.join("test.libsvm"), format!("{test}1 95:2\n")).unwrap();
    let line = fails(folder, &train, 1);
    assert!(line.contains("test.libsvm: index 95: expected at most 90"), "{line}");
    succeeds(folder, &[&train[..], &["--columns=95"]].concat());
    let line = fails(folder, &[&train[..], &["--first-index=2"]].concat(), 2);
    assert!(line.contains("--first-index"), "{line}");
    // These would be read, now or the next time.
    for out in ["d/test.libsvm", "d/train.svm.gz"] {
        let line = fails(folder, &[&train[..], &["--out", out]].concat(), 2);
        assert!(line.contains("expected different files"), "{line}");
    }
}

/// Validation rows from a folder, against the same rows held out by --data's folder as its test rows.
#[test]
fn a_folder_of_validation_rows_can_hold_an_svmlight_file() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, 0);
    let text = fs::read_to_string(folder.join("rows.svm")).unwrap();
    let at = |row: usize| text.match_indices('\n').nth(row - 1).unwrap().0 + 1;
    for (name, file, rows) in [
        ("d", "train.svm", &text[..at(180)]),
        ("d", "test.svm", &text[at(180)..]),
        ("v", "test.svmlight", &text[at(120)..at(180)]),
        ("same", "test.svm", &text[at(180)..]),
        ("wide", "test.svm", "1 95:2\n"),
        ("classes", "test.svm", "7 3:2\n"),
    ] {
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::write(folder.join(name).join(file), rows).unwrap();
    }
    fs::create_dir(folder.join("empty")).unwrap();
    fs::create_dir(folder.join("dense")).unwrap();
    for (of_data, name) in [("x.npy", "x_test.npy"), ("y.npy", "y_test.npy")] {
        fs::copy(folder.join(of_data), folder.join("dense").join(name)).unwrap();
    }
    let train = [&TRAIN[..], &["--data=d", "--first-index=0"]].concat();
    let log = |options: &[&str]| {
        succeeds(folder, &[&train[..], options, &["--log=log"]].concat());
        fs::read_to_string(folder.join("log")).unwrap()
    };
    // Where both sets are the same rows, so are their losses.
    let validation = |text: &str| {
        let lines =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| line["validation"]["loss"].as_f64().unwrap()).collect::<Vec<_>>()
    };
    let of_test: Vec<_> = log(&[])
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| line["test_loss"].as_f64().unwrap())
        .collect();
    assert_eq!(of_test.len(), 20);
    assert_eq!(validation(&log(&["--validation=same"])), of_test);
    assert_ne!(validation(&log(&["--validation=v"])), of_test);
    // Logarithms are made of these counts too.
    let of_logarithms = validation(&log(&["--validation=same", "--log-counts"]));
    assert!(of_logarithms.iter().all(|loss| loss.is_finite()) && of_logarithms != of_test);
    log(&["--validation=dense"]);
    for (options, words, code) in [
        (&["--validation=wide"][..], "test.svm: index 95: expected at most 89", 1),
        (&["--validation=classes"], "--validation classes: label 7: expected a label below 3", 1),
        (&["--validation=gone"], "expected a folder of IDX, NPY or svmlight files", 1),
        (
            &["--validation=empty"],
            "empty: no IDX images or NPY images in this folder: expected one of",
            1,
        ),
        (&["--validation=empty"], "; or an svmlight file: test.svm, test.svm.gz, ", 1),
        (
            &["--validation=dense", "--log-counts"],
            "--log-counts is given: expected a folder with",
            1,
        ),
        (&["--validation=v", "--out=v/test.svm.gz"], "expected different files", 2),
    ] {
        let line = fails(folder, &[&train[..], options].concat(), code);
        assert!(line.contains(words), "{line}");
    }
    let dense = ["--data=x.npy", "--labels=y.npy", "--held-out=9", "--validation=v"];
    let line = fails(folder, &[&TRAIN[..], &dense].concat(), 1);
    assert!(line.contains("is in svmlight format, but --data x.npy is not"), "{line}");
    let line = fails(folder, &["train", "--data=empty"], 1);
    assert!(line.contains("; or an svmlight file: train.svm, train.svm.gz, "), "{line}");
}

#[test]
fn what_is_wrong_with_a_sparse_file_is_said() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder, 0);
    fs::write(folder.join("broken.svm"), "1 1:1\n0 5:x\n").unwrap();
    fs::write(folder.join("values.svm"), "1 1:1\n0.5 5:1\n").unwrap();
    for (arguments, words, code) in [
        (
            &["--data=rows.svm", "--held-out=9"][..],
            "expected a whole number from 1 to 4294967295 (--first-index 0 if the first column has index 0)",
            1,
        ),
        (&["--data=broken.svm", "--held-out=1"], "broken.svm: line 2: the value of \"5:x\"", 1),
        (&["--data=values.svm", "--held-out=1"], "values.svm: target 0.5 at row 1, column 0", 1),
        (&["--data=gone.svm", "--held-out=1"], "--data gone.svm: no such file: expected an svm", 1),
        (
            &["--data=rows.svm", "--first-index=0"],
            "rows.svm has no test set: expected --held-out",
            2,
        ),
        (&["--data=rows.svm", "--labels=y.npy"], "--data rows.svm, which has its own labels", 2),
        (&["--first-index=0"], "--first-index: cannot be used with --data digits", 2),
    ] {
        let line = fails(folder, &[&["train"], arguments].concat(), code);
        assert!(line.contains(words), "{line}");
    }
}
