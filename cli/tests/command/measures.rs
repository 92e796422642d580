//! The rows that a network is measured on, and the baseline that it is compared with.

use std::{fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{
    data::npy,
    nn::{Loss, Mlp},
    tensor::Matrix,
};

use crate::program::run;

const COLUMNS: usize = 8;

/// Writes rows of noise around `signal(class, column)`, with their classes.
fn write(folder: &Path, classes: &[u32], signal: impl Fn(u32, usize) -> f32) {
    let mut rows = Vec::new();
    for (row, &class) in classes.iter().enumerate() {
        for column in 0..COLUMNS {
            let noise = ((row * COLUMNS + column) as f32 * 12.9898).sin() * 43758.547;
            rows.push(signal(class, column) + 0.2 * noise.fract());
        }
    }
    let rows = Matrix::from_rows(&rows, classes.len(), COLUMNS).unwrap();
    npy::write_matrix(folder.join("x.npy"), rows.view()).unwrap();
    npy::write_labels(folder.join("y.npy"), classes).unwrap();
}

/// Trains on those rows. Returns whether that succeeded, and its stderr.
fn try_train(folder: &Path, more: &[&str]) -> (bool, String) {
    let mut arguments = vec!["train", "--data=x.npy", "--labels=y.npy", "--hidden=32"];
    arguments.extend(["--keep-input=1", "--report=r.json", "--out=m", "--batch=32"]);
    arguments.extend(more);
    let output = run(folder, &arguments);
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

/// Returns the report and the stderr of a run that must succeed.
fn train(folder: &Path, more: &[&str]) -> (Value, String) {
    let (ended_well, stderr) = try_train(folder, more);
    assert!(ended_well, "{stderr}");
    (serde_json::from_slice(&fs::read(folder.join("r.json")).unwrap()).unwrap(), stderr)
}

/// If the last rows were held out, only the last class would be tested, and never trained.
#[test]
fn held_out_rows_are_drawn_at_random_from_sorted_rows() {
    let folder = TempDir::new().unwrap();
    let classes: Vec<u32> = (0..3).flat_map(|class| [class; 100]).collect();
    write(folder.path(), &classes, |class, column| f32::from(column % 3 == class as usize));
    let (report, said) = train(folder.path(), &["--held-out=60", "--epochs=10", "--checkpoint=c"]);
    // The error is not called that of a test set, here or by `inspect`.
    let shown = String::from_utf8(run(folder.path(), &["inspect", "c"]).stdout).unwrap();
    for text in [&said, &shown] {
        assert!(text.contains("held-out error ") && !text.contains("test error"), "{text}");
    }
    assert!(report["test_error"].as_f64().unwrap() < 0.1, "{report}");
    // 20 of each class.
    assert_eq!(report["baseline"]["wrong"], 40);
    let (again, _) = train(folder.path(), &["--held-out=60", "--epochs=10"]);
    assert_eq!(again["digest"], report["digest"]);
}

/// An error of 5 % means nothing if 5 % of the rows belong to the other class.
#[test]
fn the_error_is_printed_next_to_that_of_a_constant_prediction() {
    let folder = TempDir::new().unwrap();
    let classes: Vec<u32> = (0..400).map(|row| u32::from(row % 20 == 7)).collect();
    write(folder.path(), &classes, |_, _| 0.5);
    // Warnings are printed even with --quiet.
    let more = ["--held-out=100", "--epochs=2", "--learning-rate=0.01", "--quiet"];
    let (report, said) = train(folder.path(), &more);
    assert_eq!(report["test_wrong"], 5);
    let baseline = &report["baseline"];
    assert_eq!((&baseline["class"], &baseline["wrong"]), (&0.into(), &5.into()));
    let warning = "warning: the network is no better than always answering class 0\n";
    assert_eq!(said, warning);

    let eval = ["eval", "--model=m", "--data=x.npy", "--labels=y.npy"];
    let output = run(folder.path(), &eval);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("baseline       5.00 % (always class 0)"), "{shown}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), warning);
    let json = [&eval[..], &["--json", "--quiet"]].concat();
    let json: Value = serde_json::from_slice(&run(folder.path(), &json).stdout).unwrap();
    assert_eq!(json["baseline"]["wrong"], 20);
}

/// Returns the standard output of an evaluation of those rows, which must succeed.
fn eval(folder: &Path, more: &[&str]) -> String {
    let arguments = [&["eval", "--model=m", "--data=x.npy", "--labels=y.npy"], more].concat();
    let output = run(folder, &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One row in 60 is of class 1, and the network always answers class 0: every metric says so, either
/// alone or beside its baseline.
#[test]
fn a_network_that_always_says_no_is_seen_to_do_so() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let classes: Vec<u32> = (0..600).map(|row| u32::from(row % 60 == 7)).collect();
    write(folder, &classes, |_, _| 0.5);
    let mut mlp = Mlp::builder(COLUMNS).output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
    mlp.set_weights(0, &[0.0; 2 * COLUMNS]).unwrap();
    mlp.set_bias(0, &[4.0, 0.0]).unwrap();
    mlp.save(folder.join("m")).unwrap();

    let shown = eval(folder, &[]);
    assert!(
        shown.contains("test error     1.67 %\nbaseline       1.67 % (always class 0)"),
        "{shown}"
    );
    let row = |metric: &str| {
        let line = shown.lines().find(|line| line.contains(&format!("│ {metric} ")));
        let cells: Vec<_> = line.unwrap().split(['│', '┆']).map(str::trim).collect();
        [cells[2], cells[3]].map(str::to_owned)
    };
    assert_eq!(row("error_rate"), ["0.016667", "0.016667"]);
    assert_eq!(row("recall"), ["0.000000", "0.000000"]);
    assert_eq!(row("roc_auc"), ["0.500000", "0.500000"]);
    assert_eq!(row("average_precision"), ["0.016667", "0.016667"]);
    assert_eq!(row("precision"), ["undefined", ""]);
    assert!(
        shown.ends_with("precision is undefined: class 1 is predicted for no row\n"),
        "{shown}"
    );

    let list = "--metrics=average_precision,recall(0),precision,log_loss";
    let json: Value = serde_json::from_str(&eval(folder, &["--json", list])).unwrap();
    let found = &json["metrics"];
    assert_eq!(found.as_object().unwrap().len(), 4);
    assert_eq!(found["average_precision"]["value"], 10.0 / 600.0);
    assert_eq!(found["recall(0)"]["value"], 1.0);
    assert_eq!(found["log_loss"]["value"], json["loss"]);
    assert_eq!(found["log_loss"]["baseline_of"], "prior probabilities");
    assert!(found["precision"]["value"].is_null() && found["precision"]["undefined"].is_string());

    let confusion = ["--confusion", "--metrics=f1(0)"];
    let shown = eval(folder, &confusion);
    for line in ["│ 0                   ┆ 590 ┆ 0 │", "│ 1                   ┆  10 ┆ 0 │"]
    {
        assert!(shown.contains(line), "{shown}");
    }
    let json: Value =
        serde_json::from_str(&eval(folder, &[&confusion[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["confusion_matrix"], serde_json::json!([[590, 0], [10, 0]]));

    for (list, code, words) in [
        ("--metrics=auc", 2, "metric `auc`: expected one of error_rate, accuracy, "),
        ("--metrics=recall(2)", 1, "--metrics: class: expected an index below 2, got 2"),
        ("--metrics=rmse", 1, "--metrics: metric rmse does not support loss softmax_cross_entropy"),
    ] {
        let output = run(folder, &["eval", "--model=m", "--data=x.npy", "--labels=y.npy", list]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && said.contains(words), "{said}");
    }
}

/// With raw numbers as inputs, the first updates leave no hidden unit above 0.
#[test]
fn a_network_whose_units_all_died_gives_a_warning() {
    let folder = TempDir::new().unwrap();
    let classes: Vec<u32> = (0..400).map(|row| row % 3).collect();
    write(folder.path(), &classes, |class, column| {
        if column == 5 { 9000.0 } else { f32::from(column % 3 == class as usize) * 500.0 }
    });
    let (_, said) = train(folder.path(), &["--held-out=100", "--epochs=10"]);
    assert!(said.contains("every unit of layer 0 (numbered from 0) is 0 for every row"), "{said}");
    assert!(said.contains("(column 5): scale them"), "{said}");
    assert!(said.contains("warning: the loss of the first batch is "), "{said}");
}

/// On rows of one class, no network can be better than a constant prediction.
#[test]
fn a_network_without_errors_gives_no_warning() {
    let folder = TempDir::new().unwrap();
    let classes: Vec<u32> = (0..300).map(|row| row % 3).collect();
    write(folder.path(), &classes, |class, column| f32::from(column % 3 == class as usize));
    let more = ["--held-out=60", "--epochs=10", "--quiet"];
    let (_, said) = train(folder.path(), &more);
    assert_eq!(said, "");
    let eval = ["eval", "--model=m", "--data=x.npy", "--labels=y.npy", "--limit=1"];
    let output = run(folder.path(), &eval);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("test error     0.00 %"), "{shown}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_diverged_run_gets_advice_that_fits_the_cause() {
    let folder = TempDir::new().unwrap();
    let classes: Vec<u32> = (0..100).map(|row| row % 2).collect();
    let diverges = |size: f32, rate: &str| {
        write(folder.path(), &classes, |class, column| {
            size * f32::from(column % 2 == class as usize)
        });
        let rate = format!("--learning-rate={rate}");
        let (ended_well, said) = try_train(folder.path(), &["--held-out=20", "--epochs=5", &rate]);
        let last = said.lines().last().unwrap().to_owned();
        assert!(!ended_well && last.contains("and no model was written: "), "{said}");
        last
    };
    // No learning rate would help.
    for (size, start) in [
        (1e20, "error: training diverged"),
        // Before any update, nothing has diverged.
        (
            3e38,
            "error: training cannot start, and no model was written: the loss of the first batch is ",
        ),
    ] {
        let said = diverges(size, "0.1");
        assert!(said.starts_with(start), "{said}");
        assert!(said.contains("the inputs reach") && said.contains("scale them"), "{said}");
        assert!(!said.contains("--learning-rate"), "{said}");
    }
    // Here the learning rate is the cause.
    let said = diverges(1.0, "1e30");
    assert!(said.starts_with("error: training diverged, and"), "{said}");
    assert!(said.ends_with("; try a --learning-rate below 1e30"), "{said}");
}
