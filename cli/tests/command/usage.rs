//! The command `thinnet` as a user runs it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{Isa, data::npy, nn::Mlp, tensor::Matrix};

use crate::program::run;

/// A small training on the embedded digits.
const SMALL: [&str; 4] = ["train", "--hidden=32", "--epochs=1", "--threads=2"];

/// Returns the stdout of a run that must succeed.
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the only error line of a run that must fail and leave no file behind.
fn fails(arguments: &[&str], code: i32) -> String {
    let folder = TempDir::new().unwrap();
    let line = fails_in(folder.path(), arguments, code);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{arguments:?}");
    line
}

fn fails_in(folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let errors: Vec<_> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{arguments:?}: {stderr}");
    assert_eq!(stderr.lines().last(), Some(errors[0]), "{arguments:?}");
    if code == 2 {
        assert_eq!(stderr.lines().count(), 1, "{arguments:?}: {stderr}");
    }
    errors[0].to_owned()
}

/// Returns the report of a small training.
fn report(folder: &Path, more: &[&str]) -> Value {
    let mut arguments = SMALL.to_vec();
    arguments.extend(more);
    arguments.push("--report=report.json");
    succeeds(folder, &arguments);
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

/// Writes IDX files of `rows` images of 2 x 2 pixels in 2 classes.
fn write_idx(folder: &Path, prefix: &str, rows: u8) {
    let mut images = vec![0, 0, 8, 3, 0, 0, 0, rows, 0, 0, 0, 2, 0, 0, 0, 2];
    let mut labels = vec![0, 0, 8, 1, 0, 0, 0, rows];
    for row in 0..rows {
        let class = row % 2;
        images.extend([255 * class, 255 * (1 - class), 9, row]);
        labels.push(class);
    }
    fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
    fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
}

#[test]
fn a_run_writes_a_report_a_model_and_a_plot() {
    let folder = TempDir::new().unwrap();
    let outputs = ["--epochs=3", "--evaluate-every=2", "--out=model.safetensors", "--plot=c.svg"];
    let arguments = ["train", "--hidden=32,16", "--keep-input=0.8", "--report=report.json"];
    let stdout = succeeds(folder.path(), &[&arguments[..], &outputs[..]].concat());
    let report: Value =
        serde_json::from_slice(&fs::read(folder.path().join("report.json")).unwrap()).unwrap();

    let number = |pointer: &str| {
        report.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}"))
    };
    assert!((0.01..0.5).contains(&number("/test_error")));
    assert!(number("/train_loss") > 0.0 && number("/seconds") > 0.0);
    assert_eq!(number("/steps"), 3.0 * 63.0);
    assert!(number("/step_ms/min") > 0.0 && number("/step_ms/median") >= number("/step_ms/min"));
    assert!(number("/threads") >= 1.0);
    assert_eq!(report["isa"], Isa::detect().name());
    assert_eq!(number("/seed"), 1.0);
    assert_eq!(number("/keep/input/k"), 52429.0);
    assert_eq!(number("/keep/input/rate"), 52429.0 / 65536.0);
    assert_eq!((number("/keep/hidden/k"), number("/keep/hidden/rate")), (32768.0, 0.5));
    assert_eq!(report["thinnet"], env!("CARGO_PKG_VERSION"));
    assert_eq!(number("/mask_format"), f64::from(thinnet::mask::FORMAT));
    assert_eq!(report["settings"]["hidden"], serde_json::json!([32, 16]));
    assert_eq!(report["settings"]["schedule"], "linear");
    let densities = report["densities"].as_array().unwrap();
    assert_eq!(densities.len(), 3);
    assert!(densities.iter().all(|d| d.as_f64().is_some_and(|d| d > 0.0 && d < 0.5)));
    let curves = report["curves"].as_array().unwrap();
    assert_eq!(curves.len(), 3);
    assert!(curves[0]["test_error"].is_null() && curves[1]["test_error"].is_number());
    assert_eq!(curves[2]["test_error"], report["test_error"]);
    assert_eq!(curves[2]["train_loss"], report["train_loss"]);

    let model = Mlp::load(folder.path().join("model.safetensors")).unwrap();
    assert_eq!(model.widths(), [784, 32, 16, 10]);
    assert_eq!(model.digest(), report["digest"].as_str().unwrap());
    assert!(stdout.contains(&model.digest()), "{stdout}");
    let picture = fs::read_to_string(folder.path().join("c.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));

    // An evaluation of the file agrees with the report.
    let eval = ["eval", "--model=model.safetensors", "--json", "--threads=1"];
    let eval: Value = serde_json::from_str(&succeeds(folder.path(), &eval)).unwrap();
    assert_eq!(eval["test_error"], report["test_error"]);
    assert_eq!(eval["wrong"], report["test_wrong"]);
    assert_eq!(eval["loss"], report["test_loss"]);
    assert_eq!((eval["rows"].as_u64(), &eval["digest"]), (Some(2000), &report["digest"]));
    let plain = succeeds(folder.path(), &["eval", "--model", "model.safetensors"]);
    assert!(plain.contains(&eval["wrong"].to_string()), "{plain}");
    // No other file was left.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let folder = TempDir::new().unwrap();
    for &isa in Isa::ALL {
        if !isa.is_available() {
            eprintln!("skipped: this CPU does not support {isa}");
            continue;
        }
        let isa = format!("--isa={isa}");
        // The layers are wide enough for several threads.
        let digest = |threads: &str| {
            let mut arguments = vec!["train", "--hidden=256,128", "--epochs=1", "--report=r.json"];
            arguments.extend([isa.as_str(), threads, "--quiet"]);
            succeeds(folder.path(), &arguments);
            let report = fs::read(folder.path().join("r.json")).unwrap();
            let report: Value = serde_json::from_slice(&report).unwrap();
            assert_eq!(format!("--isa={}", report["isa"].as_str().unwrap()), isa);
            assert_eq!(format!("--threads={}", report["threads"]), threads);
            report["digest"].clone()
        };
        let one = digest("--threads=1");
        assert_eq!(one, digest("--threads=2"), "{isa}");
        assert_eq!(one, digest("--threads=3"), "{isa}");
    }
}

#[test]
fn settings_reach_the_trainer() {
    let folder = TempDir::new().unwrap();
    let base = report(folder.path(), &[]);
    assert_eq!(report(folder.path(), &[])["digest"], base["digest"]);
    for settings in [
        &["--seed=2"][..],
        &["--keep-input=1"],
        &["--keep=1"],
        &["--batch=100"],
        &["--learning-rate=0.01"],
        &["--schedule=constant"],
        &["--schedule=cosine"],
        &["--schedule=paper"],
        &["--momentum=0.5"],
        &["--nesterov"],
        &["--weight-decay=0.01"],
        &["--optimiser=adam"],
        &["--optimiser=adamw"],
        &["--optimiser=adagrad"],
        &["--max-norm=1"],
        &["--max-norm-paper=1"],
        &["--initialisation=glorot"],
        &["--initialisation=fan_in"],
        &["--initialisation=paper"],
        &["--activation=tanh"],
        &["--maxout=3"],
        &["--held-out=500"],
    ] {
        let other = report(folder.path(), settings);
        assert_ne!(other["digest"], base["digest"], "{settings:?}");
        assert!(other["test_error"].as_f64().unwrap() < 0.8, "{settings:?}");
    }
    for (optimiser, options) in [
        ("adam", &["--beta1=0.5", "--beta2=0.9", "--epsilon=0.01", "--weight-decay=0.01"][..]),
        ("adamw", &["--beta1=0.5", "--beta2=0.9", "--epsilon=0.01", "--weight-decay=0"]),
        ("adagrad", &["--initial-accumulator=0.1", "--epsilon=0.1", "--weight-decay=0.01"]),
        ("sparse_adam", &["--beta1=0.5", "--beta2=0.9", "--epsilon=0.01"]),
    ] {
        let name = format!("--optimiser={optimiser}");
        let base = report(folder.path(), &[&name]);
        assert_eq!(base["settings"]["optimiser"], optimiser);
        for option in options {
            let other = report(folder.path(), &[&name, option]);
            assert_ne!(other["digest"], base["digest"], "{name} {option}");
        }
    }
    let held_out = report(folder.path(), &["--held-out=500"]);
    assert_eq!(held_out["data"]["train_rows"], 7500);
    assert_eq!(held_out["data"]["test_rows"], 500);
    assert_eq!(held_out["data"]["test_set"], "held_out");
}

#[test]
fn a_folder_of_idx_files_is_read() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    write_idx(&data, "train", 40);
    // Held-out rows replace the test set, which does not exist.
    let mut arguments = vec!["train", "--data=data", "--hidden=8", "--batch=64", "--quiet"];
    arguments.extend(["--held-out=10", "--out=m", "--keep-input=1"]);
    assert!(succeeds(folder.path(), &arguments).contains("held-out error"));
    let line = fails_in(folder.path(), &["eval", "--model=m", "--data=data"], 1);
    assert!(line.contains("no IDX images"), "{line}");
    write_idx(&data, "t10k", 20);
    let stdout = succeeds(folder.path(), &["eval", "--model=m", "--data=data"]);
    assert!(stdout.contains("20"), "{stdout}");
    // The network was trained on other images.
    let line = fails_in(folder.path(), &["eval", "--model=m"], 1);
    assert!(
        line.contains("the network has 4 inputs, but the rows of --data digits have 784 columns"),
        "{line}"
    );
    let line = fails_in(folder.path(), &["train", "--data=data", "--held-out=40"], 2);
    assert!(line.contains("--held-out 40") && line.contains("40 training rows"), "{line}");
}

#[test]
fn arrays_are_read() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let at = |name: &str| folder.join(name);
    // The class is 1 if the first number is larger than the second.
    let rows: Vec<f32> = (0..400).map(|i| (i * 37 % 101) as f32 / 100.0 - 0.3).collect();
    let labels: Vec<u32> = rows.chunks(4).map(|x| u32::from(x[0] > x[1])).collect();
    let rows = Matrix::from_rows(&rows, 100, 4).unwrap();
    npy::write_matrix(at("x.npy"), rows.view()).unwrap();
    npy::write_labels(at("y.npy"), &labels).unwrap();
    let files = ["--data=x.npy", "--labels=y.npy"];
    let train = ["train", "--hidden=16", "--batch=10", "--epochs=3", "--quiet", "--keep-input=1"];
    let held_out = [&train[..], &files, &["--held-out=20", "--out=m"]].concat();
    assert!(succeeds(folder, &held_out).contains("held-out error"));

    let eval = [&["eval", "--model=m", "--json"][..], &files].concat();
    let eval: Value = serde_json::from_str(&succeeds(folder, &eval)).unwrap();
    assert_eq!(eval["rows"], 100);
    let labelled = succeeds(folder, &[&["predict", "--model=m"][..], &files].concat());
    let wrong = labelled.lines().filter(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        fields[1] != fields[2]
    });
    assert_eq!(eval["wrong"], wrong.count());
    // Without labels, the predictions are the same.
    let bare = succeeds(folder, &["predict", "--model=m", "--data=x.npy"]);
    for (bare, line) in bare.lines().zip(labelled.lines()) {
        let mut fields: Vec<&str> = line.split('\t').collect();
        fields[1] = "-";
        assert_eq!(bare, fields.join("\t"));
    }
    let json = succeeds(folder, &["predict", "--model=m", "--data=x.npy", "--json", "--limit=7"]);
    assert!(json.lines().count() == 7 && !json.contains("label"), "{json}");
    let eval = [&["eval", "--model=m", "--json", "--limit=7"][..], &files].concat();
    let eval: Value = serde_json::from_str(&succeeds(folder, &eval)).unwrap();
    assert_eq!(eval["rows"], 7);
    // Four columns alone do not make a 2 x 2 image.
    let calibration = ["calibration", "--model=m", "--samples=5", "--limit=50"];
    let calibrated = succeeds(folder, &[&calibration[..], &files].concat());
    assert!(calibrated.contains("columns shuffled") && calibrated.contains("outside the ranges"));
    assert!(!calibrated.contains("rotated") && !calibrated.contains("digit"), "{calibrated}");
    // Labels must be classes of the network.
    let with_others: Vec<u32> = (0..100).map(|row| if row == 7 { 2 } else { row % 2 }).collect();
    npy::write_labels(at("others.npy"), &with_others).unwrap();
    for command in ["eval", "predict", "calibration", "profile"] {
        let arguments = [command, "--model=m", "--data=x.npy", "--labels=others.npy"];
        let line = fails_in(folder, &arguments, 1);
        assert!(line.contains("row 7 has class 2, but --model m has 2 classes"), "{line}");
    }
    // Training needs two classes.
    npy::write_labels(at("zeros.npy"), &[0; 100]).unwrap();
    let one_class = ["train", "--data=x.npy", "--labels=zeros.npy", "--held-out=20"];
    let line = fails_in(folder, &one_class, 1);
    assert!(
        line.contains("every training row has label 0: expected at least two classes"),
        "{line}"
    );

    // The same rows in a folder give the same network.
    fs::create_dir(at("own.npy")).unwrap();
    for (from, to) in [("x", "x_train"), ("y", "y_train"), ("x", "x_test"), ("y", "y_test")] {
        fs::copy(at(&format!("{from}.npy")), at(&format!("own.npy/{to}.npy"))).unwrap();
    }
    let of_folder = [&train[..], &["--data=own.npy", "--held-out=20", "--out=n"]].concat();
    succeeds(folder, &of_folder);
    let [m, n] = ["m", "n"].map(|name| {
        let mut mlp = Mlp::load(at(name)).unwrap();
        mlp.set_notes("").unwrap();
        mlp
    });
    assert_eq!(m, n);
    assert!(succeeds(folder, &[&train[..], &["--data=own.npy"]].concat()).contains("test error"));

    fs::write(at("bad.npy"), "text").unwrap();
    npy::write_labels(at("short.npy"), &labels[1..]).unwrap();
    let cases: [(&[&str], &str, i32); 9] = [
        (&["train", "--data=x.npy"], "expected --labels FILE.npy", 2),
        (&["train", "--data=x.npy", "--labels=y.npy"], "expected --held-out N", 2),
        (
            &["train", "--labels=y.npy"],
            "--labels y.npy: cannot be used with the built-in digits",
            2,
        ),
        (&["eval", "--model=m", "--data=x.npy"], "expected --labels FILE.npy", 2),
        (&["predict", "--model=m", "--data=bad.npy"], "bad.npy: truncated", 1),
        (&["predict", "--model=m", "--data=none.npy"], "none.npy: ", 1),
        (
            &["predict", "--model=m", "--data=y.npy"],
            "y.npy: shape [100] has one dimension: expected two or more, rows first",
            1,
        ),
        (
            &["eval", "--model=m", "--data=x.npy", "--labels=short.npy"],
            "short.npy: 99 labels: expected 100",
            1,
        ),
        (
            &["eval", "--model=m", "--data=x.npy", "--labels=x.npy"],
            "x.npy: shape [100, 4]: expected one dimension",
            1,
        ),
    ];
    for (arguments, part, code) in cases {
        let line = fails_in(folder, arguments, code);
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn the_demo_compares_two_networks() {
    let folder = TempDir::new().unwrap();
    let stdout = succeeds(folder.path(), &["demo", "--epochs=1", "--plot=demo.svg"]);
    for part in ["no dropout", "test error %", "median step ms", "the same 63 updates", "demo.svg"]
    {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    // Without a subcommand, the demo runs too.
    fs::remove_file(folder.path().join("demo.svg")).unwrap();
    let stdout = succeeds(folder.path(), &["--epochs=1", "--plot=demo.svg", "--quiet"]);
    assert!(stdout.contains("no dropout"), "{stdout}");
    let picture = fs::read_to_string(folder.path().join("demo.svg")).unwrap();
    assert!(picture.starts_with("<svg"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn wrong_arguments_give_one_line_that_names_them() {
    let cases: [(&[&str], &str); 45] = [
        (&["trian"], "'trian'"),
        (&["train", "--epoch", "3"], "'--epochs'"),
        (&["train", "--keep", "0"], "--keep <P>': keep rate 0: expected"),
        (&["train", "--keep", "-0.5"], "--keep <P>'"),
        (&["train", "--keep", "nan"], "--keep <P>'"),
        (&["train", "--keep-input", "1.5"], "--keep-input <P>'"),
        (&["train", "--keep", "0.9999999"], "rounds to 65536"),
        (&["train", "--keep", "half"], "expected a number above 0 and at most 1"),
        (&["train", "--hidden", "32,x"], "--hidden <N,N,..>'"),
        (&["train", "--hidden", "0"], "--hidden <N,N,..>'"),
        (&["train", "--hidden", ""], "--hidden"),
        (&["train", "--batch", "0"], "--batch <N>'"),
        (&["train", "--epochs", "-1"], "--epochs <N>'"),
        (&["train", "--threads", "0"], "expected a whole number from 1 to 1024"),
        (&["demo", "--threads", "0"], "--threads <N>'"),
        (&["train", "--isa", "sse9"], "--isa <NAME>' [possible values: auto"),
        (&["train", "--activation", "step"], "relu"),
        (&["train", "--activation", "leaky_relu(0)"], "leaky_relu slope 0"),
        (&["train", "--maxout", "1"], "expected a whole number from 2 to 256"),
        (&["train", "--maxout", "257"], "expected a whole number from 2 to 256"),
        (&["train", "--maxout", "2", "--activation", "tanh"], "cannot be used with"),
        (&["train", "--schedule", "stairs"], "cosine"),
        (&["train", "--learning-rate", "-1"], "--learning-rate <X>'"),
        (
            &["train", "--learning-rate", "1e39"],
            "'1e39' for '--learning-rate <X>': it rounds to inf",
        ),
        (&["train", "--learning-rate", "inf"], "--learning-rate <X>': expected a number from 0 to"),
        (&["train", "--max-norm", "1e-50"], "--max-norm <C>': expected a number from 1e-15"),
        (&["train", "--momentum", "0.999999999"], "it rounds to 1 in single precision: expected"),
        (&["train", "--activation", "leaky_relu(1e39)"], "leaky_relu slope 1e39: expected"),
        (&["train", "--momentum", "1"], "a number of at least 0 and below 1"),
        (&["train", "--max-norm", "0"], "from 1e-15 to 3.4e38"),
        (&["train", "--max-norm", "1", "--max-norm-paper", "2"], "cannot be used with"),
        (&["train", "--schedule", "paper", "--momentum", "0.9"], "--momentum 0.9"),
        (&["train", "--optimiser", "lion"], "[possible values: sgd, adam, adamw, adagrad"),
        (
            &["train", "--beta1", "0.9"],
            "--beta1 0.9 cannot be used with --optimiser sgd: expected --optimiser adam or adamw",
        ),
        (
            &["train", "--optimiser", "adam", "--momentum", "0.9"],
            "--momentum 0.9 cannot be used with --optimiser adam: expected --optimiser sgd",
        ),
        (
            &["train", "--optimiser", "adagrad", "--nesterov"],
            "--nesterov cannot be used with --optimiser adagrad: expected --optimiser sgd",
        ),
        (
            &["train", "--optimiser", "adamw", "--initial-accumulator", "0.5"],
            "--initial-accumulator 0.5 cannot be used with --optimiser adamw",
        ),
        (
            &["train", "--optimiser", "sparse_adam", "--weight-decay", "0.5"],
            "--weight-decay 0.5 cannot be used with --optimiser sparse_adam: expected --optimiser sgd or adam",
        ),
        (
            &["train", "--optimiser", "adam", "--schedule", "paper"],
            "--schedule paper cannot be used with --optimiser adam",
        ),
        (&["train", "--beta2", "1"], "--beta2 <X>': expected a number of at least 0 and below 1"),
        (&["train", "--epsilon", "0"], "--epsilon <X>': expected a number from 1.2e-38"),
        (&["train", "--out", "same", "--report", "./same"], "--out and --report"),
        (&["train", "--held-out", "8000"], "fewer than the 8000"),
        (&["train", "--seed", "-3"], "--seed"),
        (&["eval"], "--model <FILE>"),
    ];
    for (arguments, part) in cases {
        let line = fails(arguments, 2);
        assert!(line.contains(part), "{line}");
    }
    if let Some(isa) = Isa::ALL.iter().find(|isa| !isa.is_available()) {
        let line = fails(&["train", "--isa", isa.name()], 2);
        assert!(line.contains("not available on this CPU"), "{line}");
    }
}

#[test]
fn what_needs_every_weight_is_refused_by_an_optimiser_that_leaves_out_some() {
    for [flag, value] in
        [["--max-norm", "1"], ["--clip-norm", "1"], ["--l1", "0.1"], ["--average", "ema:0.9"]]
    {
        let line = fails(&["train", "--optimiser", "sparse_adam", flag, value, "--quiet"], 1);
        let words =
            "sparse_adam leaves out the weights of inputs that are 0, so it does not support";
        assert!(line.contains(words), "{line}");
    }
}

/// A count that would need too much memory or time is refused before anything is allocated.
#[test]
fn counts_beyond_their_maximum_are_refused() {
    let most = u64::MAX.to_string();
    for (command, flag, range) in [
        ("calibration", "--bins", "1 to 1000"),
        ("calibration", "--samples", "1 to 1000000"),
        ("predict", "--limit", "1 to 4294967295"),
        ("profile", "--steps", "1 to 1000000"),
        ("profile", "--batch", "1 to 1000000"),
        ("train", "--epochs", "1 to 1000000"),
        ("train", "--checkpoint-every", "1 to 1000000"),
        ("train", "--threads", "1 to 1024"),
        ("train", "--hidden", "1 to 1000000, at most 1000 of them"),
    ] {
        for value in [&*most, "1000000000000"] {
            let line = fails(&[command, flag, value], 2);
            let named = line.contains(&format!("'{value}' for '{flag} <"));
            assert!(named && line.contains(range), "{line}");
        }
    }
    // Each width is accepted, but the layer between them is too large.
    let line = fails(&["train", "--hidden", "1000000,1000000", "--quiet"], 1);
    assert!(line.contains("not enough memory for weights (1000000 x 1000000 elements)"), "{line}");
}

#[test]
fn files_that_cannot_be_read_or_written_are_refused_before_training() {
    let cases: [(&[&str], &str); 10] = [
        (&["train", "--data", "nowhere"], "--data nowhere: no such folder"),
        (&["train", "--data", "."], "no IDX images or NPY images in this folder"),
        (&["train", "--data", "gone.csv"], "--data gone.csv: no such folder"),
        (
            &["train", "--out", "no/such/m.safetensors"],
            "--out no/such/m.safetensors: no such folder: no/such",
        ),
        (&["train", "--report", "no/r.json", "--out", "m"], "--report no/r.json"),
        (&["train", "--report", "new/"], "not of a folder"),
        (&["train", "--plot", "."], "--plot .: expected the name of a file, not of a folder"),
        (&["train", "--out", ""], "--out"),
        (&["demo", "--plot", "no/c.svg"], "--plot no/c.svg"),
        (&["eval", "--model", "no.safetensors"], "no.safetensors"),
    ];
    for (arguments, part) in cases {
        let line = fails(arguments, if part == "--out" { 2 } else { 1 });
        assert!(line.contains(part), "{line}");
    }
    let folder = TempDir::new().unwrap();
    for (file, part) in [
        (
            "table.csv",
            "numpy.save(\"table.npy\", numpy.loadtxt(\"table.csv\", delimiter=\",\", skiprows=1))",
        ),
        ("table.tsv", "numpy.loadtxt(\"table.tsv\", delimiter=\"\\t\", skiprows=1)"),
        ("x.npz", "numpy.save(\"x.npy\", numpy.load(\"x.npz\")[\"NAME\"])"),
        (
            "m.safetensors",
            "not a folder (expected a folder of IDX, NPY or svmlight files, a file whose name",
        ),
    ] {
        fs::write(folder.path().join(file), "1,2\n").unwrap();
        for command in [&["train"][..], &["predict", "--model", "m"]] {
            if command[0] == "predict" {
                let mlp = Mlp::builder(2).output(2, thinnet::nn::Loss::SoftmaxCrossEntropy);
                mlp.build().unwrap().save(folder.path().join("m")).unwrap();
            }
            let line = fails_in(folder.path(), &[command, &["--data", file]].concat(), 1);
            assert!(line.contains(part) && line.contains("ends in .npy"), "{line}");
        }
    }
    let arguments = ["train", "--data=x.npy", "--labels=table.csv", "--held-out=1"];
    let line = fails_in(folder.path(), &arguments, 1);
    assert!(
        line.contains("--labels table.csv: tables cannot be read: expected a .npy file"),
        "{line}"
    );
    fs::write(folder.path().join("text"), "no model").unwrap();
    let line = fails_in(folder.path(), &["eval", "--model", "text"], 1);
    assert!(line.contains("not a safetensors file"), "{line}");
    write_idx(folder.path(), "train", 0);
    let line = fails_in(folder.path(), &["train", "--data", "."], 1);
    assert!(line.contains("no rows"), "{line}");
}

#[test]
fn a_run_that_diverges_writes_nothing() {
    let mut arguments = SMALL.to_vec();
    arguments.extend(["--learning-rate=1e30", "--out=m", "--report=r", "--plot=p"]);
    let line = fails(&arguments, 1);
    assert!(line.contains("try a --learning-rate below 1e30"), "{line}");
    arguments.push("--quiet");
    fails(&arguments, 1);
}

#[test]
fn help_and_version_are_results() {
    let folder = TempDir::new().unwrap();
    assert!(succeeds(folder.path(), &["--version"]).contains(env!("CARGO_PKG_VERSION")));
    for arguments in [&["--help"][..], &["demo", "--help"], &["train", "-h"], &["eval", "--help"]] {
        assert!(succeeds(folder.path(), arguments).contains("Examples:"));
    }
}

#[test]
fn help_has_at_most_100_columns() {
    let folder = TempDir::new().unwrap();
    for command in [
        None,
        Some("demo"),
        Some("train"),
        Some("eval"),
        Some("predict"),
        Some("calibration"),
        Some("inspect"),
        Some("convert"),
        Some("quantize"),
        Some("profile"),
        Some("completions"),
        Some("man"),
    ] {
        for help in ["-h", "--help"] {
            let arguments: Vec<_> = command.into_iter().chain([help]).collect();
            let text = succeeds(folder.path(), &arguments);
            for line in text.lines() {
                assert!(line.chars().count() <= 100, "{arguments:?}: {line}");
            }
        }
    }
}

/// With `--quiet`, stderr is empty and stdout is unchanged.
#[test]
fn quiet_does_not_change_results() {
    let folder = TempDir::new().unwrap();
    let run = |more: &str| {
        let mut arguments = SMALL.to_vec();
        arguments.push(more);
        let output = run(folder.path(), &arguments);
        assert!(output.status.success());
        output
    };
    assert!(run("--quiet").stderr.is_empty());
    let loud = String::from_utf8(run("--seed=1").stderr).unwrap();
    assert!(loud.contains("epoch 1 of 1") && loud.contains("--out is not given"), "{loud}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::program::survives_a_closed_pipe;

    #[test]
    fn a_closed_pipe_is_not_an_error() {
        let folder = TempDir::new().unwrap();
        for arguments in [&[&SMALL[..], &["--quiet"]].concat()[..], &["--help"]] {
            survives_a_closed_pipe(folder.path(), arguments);
        }
    }

    #[test]
    fn a_link_keeps_pointing_to_the_file_that_is_written() {
        let folder = TempDir::new().unwrap();
        let [file, link] = ["file", "link"].map(|name| folder.path().join(name));
        fs::write(&file, "old").unwrap();
        symlink(&file, &link).unwrap();
        report(folder.path(), &["--plot=link"]);
        assert_eq!(fs::read_link(&link).unwrap(), file);
        assert!(fs::read_to_string(&file).unwrap().starts_with("<svg"));
        // Both names are the same file.
        let line = fails_in(folder.path(), &["train", "--out=file", "--plot=link"], 2);
        assert!(line.contains("--out and --plot"), "{line}");
    }

    #[test]
    fn devices_are_not_replaced_by_files() {
        let line = fails(&["train", "--out=/dev/null"], 1);
        assert!(line.contains("--out /dev/null: a device: expected a regular file"), "{line}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_to_is_refused() {
        let folder = TempDir::new().unwrap();
        let locked: PathBuf = folder.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
        if fs::write(locked.join("probe"), "").is_ok() {
            eprintln!("skipped: this user can write to any folder");
            return;
        }
        let line = fails_in(folder.path(), &["train", "--out=locked/m"], 1);
        assert!(
            line.contains("--out locked/m") && line.contains("no file can be made in"),
            "{line}"
        );
    }
}
