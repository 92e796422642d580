//! `thinnet train --loss`, and the commands for models of every loss.

use std::{f64::consts::TAU, fs, path::Path};

use serde_json::Value;
use tempfile::TempDir;
use thinnet::{
    data::npy,
    mask::{Domain, Streams},
    nn::Mlp,
    tensor::Matrix,
};

use crate::program::{fails, run, succeeds, thinnet};

const COLUMNS: usize = 3;

/// How far a figure of printed predictions, which are rounded to f32, may be from that of `eval`, relative
/// to 1 plus its size.
const ROUNDING: f64 = 1e-5;

/// The names of the targets that [`write`] writes.
const TARGETS: [&str; 5] = ["value", "values", "bit", "bits", "counts"];

/// Writes 300 training rows and 100 test rows for each kind of targets, each kind in a folder of its own
/// name; and the training rows again as x.npy, with their targets in a file of that name.
fn write(folder: &Path) {
    let streams = Streams::new(3, Domain::Other, 0, 0);
    // Numbers from -1 to 1.
    let next = |number: usize| (streams.hash(number as u64) >> 40) as f32 / (1 << 23) as f32 - 1.0;
    for (set, first, rows) in [("train", 0, 300), ("test", 300, 100)] {
        let mut inputs = Vec::new();
        let mut targets: [Vec<f32>; 5] = Default::default();
        for row in first..first + rows {
            let [x0, x1, x2, noise] = [0, 1, 2, 3].map(|column| next(4 * row + column));
            inputs.extend([x0, x1, x2]);
            let value = 2.0 * x0 - x1 + 0.3 * noise * (0.2 + x2.abs());
            let bit = |is_one: bool| f32::from(u8::from(is_one));
            targets[0].push(value);
            targets[1].extend([value, x1 + 2.0 * x2 + 0.1 * noise]);
            targets[2].push(bit(value > 0.0));
            targets[3].extend([bit(value > 0.0), bit(x2 > 0.2)]);
            targets[4].push(((1.0 + 1.5 * x0).exp() + noise).round().max(0.0));
        }
        let inputs = Matrix::from_rows(&inputs, rows, COLUMNS).unwrap();
        for (name, targets) in TARGETS.iter().zip(targets) {
            let own = folder.join(name);
            fs::create_dir_all(&own).unwrap();
            let targets = Matrix::from_rows(&targets, rows, targets.len() / rows).unwrap();
            npy::write_matrix(own.join(format!("x_{set}.npy")), inputs.view()).unwrap();
            npy::write_matrix(own.join(format!("y_{set}.npy")), targets.view()).unwrap();
            if set == "train" {
                npy::write_matrix(folder.join("x.npy"), inputs.view()).unwrap();
                npy::write_matrix(folder.join(format!("{name}.npy")), targets.view()).unwrap();
            }
        }
    }
}

/// 10 steps per epoch.
const TRAINING: [&str; 12] = [
    "train",
    "--hidden=32",
    "--epochs=40",
    "--batch=30",
    "--keep-input=1",
    "--keep=0.9",
    "--optimiser=adam",
    "--learning-rate=0.01",
    "--no-max-norm",
    "--threads=1",
    "--quiet",
    "--report=report.json",
];

/// A loss, its targets, its main metric, and the columns that `predict` prints after those of the targets.
const LOSSES: [(&str, &str, &str, &str); 9] = [
    ("squared_error", "values", "rmse", "mean_0 mean_1"),
    ("huber:0.5", "value", "rmse", "mean"),
    ("binary-cross-entropy", "bit", "error_rate", "bit probability"),
    ("binary_cross_entropy", "bits", "error_rate", "bit_0 bit_1 probability_0 probability_1"),
    ("poisson", "counts", "poisson_deviance", "mean noise_std"),
    ("gaussian-nll", "value", "gaussian_nll", "mean noise_std"),
    ("gaussian_nll(0.5)", "values", "gaussian_nll", "mean_0 mean_1 noise_std_0 noise_std_1"),
    ("quantile:0.1,0.5,0.9", "value", "pinball_loss", "quantile_0.1 quantile_0.5 quantile_0.9"),
    (
        "quantile:0.25,0.75",
        "values",
        "pinball_loss",
        "quantile_0.25_0 quantile_0.25_1 quantile_0.75_0 quantile_0.75_1",
    ),
];

fn report(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("report.json")).unwrap()).unwrap()
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let numbers: Vec<f64> = numbers.collect();
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The main metric, by its formula, of lines of D targets and the columns after them.
fn figure(metric: &str, loss: &str, targets: usize, lines: &[Vec<f64>]) -> f64 {
    let of_target = |target: usize| {
        // The target and the column so many groups of D after it.
        let pairs = |group: usize| {
            lines.iter().map(move |line| (line[target], line[target + group * targets]))
        };
        match metric {
            "rmse" => mean(pairs(1).map(|(t, y)| (t - y).powi(2))).sqrt(),
            "error_rate" => mean(pairs(1).zip(pairs(2)).map(|((t, bit), (_, p))| {
                assert_eq!(bit, f64::from(u8::from(p > 0.5)));
                f64::from(u8::from(bit != t))
            })),
            "poisson_deviance" => mean(pairs(1).map(|(t, y)| {
                let log = if t > 0.0 { t * (t / y).ln() } else { 0.0 };
                2.0 * (log - t + y)
            })),
            "gaussian_nll" => mean(pairs(1).zip(pairs(2)).map(|((t, y), (_, std))| {
                let v = std * std;
                ((TAU * v).ln() + (t - y).powi(2) / v) / 2.0
            })),
            "pinball_loss" => {
                let levels = loss.split_once(':').unwrap().1.split(',');
                let levels: Vec<f64> = levels.map(|level| level.parse().unwrap()).collect();
                mean(levels.iter().zip(1..).map(|(q, group)| {
                    mean(pairs(group).map(|(t, y)| f64::max(q * (t - y), (q - 1.0) * (t - y))))
                }))
            }
            other => panic!("{other}"),
        }
    };
    mean((0..targets).map(of_target))
}

#[test]
fn every_loss_learns_and_its_predictions_have_the_figures_that_are_printed() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    for (loss, targets, metric, columns) in LOSSES {
        let more = [
            format!("--loss={loss}"),
            format!("--data={targets}"),
            "--out=m".to_owned(),
            "--plot=p.svg".to_owned(),
            "--log=log.jsonl".to_owned(),
        ];
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let said = succeeds(folder, &[&TRAINING, &more[..]].concat());
        let report = report(folder);
        let [value, baseline] =
            ["value", "baseline"].map(|name| report["metrics"][metric][name].as_f64().unwrap());
        assert!(baseline > 0.0 && value < 0.7 * baseline, "{loss}: {value}, {baseline}");
        assert!(said.contains(&format!("test           {metric} {value:.6}\n")), "{said}");
        assert!(said.contains(&format!("baseline       {baseline:.6} (")), "{said}");
        let network = Mlp::load(folder.join("m")).unwrap();
        assert_eq!(report["settings"]["loss"], network.loss().to_string());
        assert_eq!(report["data"]["targets"], network.targets());
        assert!(report.get("test_error").is_none() && report["data"].get("classes").is_none());

        // The curves, in three places.
        let curves = report["curves"].as_array().unwrap();
        let of_point = |point: &Value| match metric {
            "error_rate" => point["test_error"].as_f64().unwrap(),
            metric => point["test_metrics"][metric].as_f64().unwrap(),
        };
        assert!(curves.len() == 40 && of_point(&curves[0]) > of_point(&curves[39]), "{loss}");
        assert!((of_point(&curves[39]) - value).abs() < ROUNDING * (1.0 + value.abs()), "{loss}");
        let log = fs::read_to_string(folder.join("log.jsonl")).unwrap();
        let last: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
        assert_eq!((log.lines().count(), of_point(&last)), (40, of_point(&curves[39])));
        let svg = fs::read_to_string(folder.join("p.svg")).unwrap();
        assert!(svg.contains(&format!("thinnet train: {metric} {value:.6} after")), "{loss}");

        // The same network on the same rows.
        let data = format!("--data={targets}");
        let eval: Value =
            serde_json::from_str(&succeeds(folder, &["eval", "--model=m", &data, "--json"]))
                .unwrap();
        assert_eq!(eval["metrics"], report["metrics"], "{loss}");
        assert_eq!(eval["loss"], report["test_loss"]);
        let text = succeeds(folder, &["eval", "--model=m", &data]);
        assert!(text.contains(metric) && !text.contains("wrong"), "{text}");

        // What is printed about each row gives that figure.
        let number = network.targets();
        let printed = succeeds(folder, &["predict", "--model=m", &data]);
        let (header, rows) = printed.split_once('\n').unwrap();
        let of_targets = if number == 1 { "target" } else { "target_0 target_1" };
        assert_eq!(header.replace('\t', " "), format!("row {of_targets} {columns}"));
        let lines: Vec<Vec<f64>> = rows
            .lines()
            .map(|line| line.split('\t').skip(1).map(|number| number.parse().unwrap()).collect())
            .collect();
        assert_eq!(lines.len(), 100);
        // Bits and counts are whole numbers.
        let is_whole = !rows.lines().next().unwrap().split('\t').nth(1).unwrap().contains('.');
        assert_eq!(is_whole, ["bit", "bits", "counts"].contains(&targets), "{rows}");
        let found = figure(metric, loss, number, &lines);
        assert!((found - value).abs() < ROUNDING * (1.0 + value.abs()), "{loss}: {found}, {value}");
        uncertainty(folder, &data, loss, &lines);
    }
}

/// Checks what `predict --json` says with other methods about a model `m`, whose predictions with weight
/// scaling are those of `lines`.
fn uncertainty(folder: &Path, data: &str, loss: &str, lines: &[Vec<f64>]) {
    for method in [&["--samples=20"][..], &["--method=moments"]] {
        let arguments = [&["predict", "--model=m", data, "--json", "--limit=9"], method].concat();
        let text = succeeds(folder, &arguments);
        assert_eq!(text.lines().count(), 9);
        for (row, line) in text.lines().enumerate() {
            let answer: Value = serde_json::from_str(line).unwrap();
            let object = answer.as_object().unwrap();
            assert_eq!(
                (&answer["row"], answer.get("samples").is_some()),
                (&row.into(), method.len() == 1 && method[0] == "--samples=20")
            );
            let numbers = |name: &str| -> Vec<f64> {
                object[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
            };
            let targets = numbers("target");
            assert_eq!(targets, lines[row][..targets.len()]);
            let stds: Vec<_> = object.keys().filter(|key| key.starts_with("model_std")).collect();
            let predictions =
                if loss.starts_with("quantile") { loss.split(',').count() } else { 1 };
            assert_eq!(stds.len(), predictions, "{loss}");
            for std in stds {
                let std = numbers(std);
                assert!(std.len() == targets.len() && std.iter().all(|&std| std > 0.0), "{line}");
            }
            let has_noise = loss.starts_with("gaussian") || loss == "poisson";
            assert_eq!(object.contains_key("noise_std"), has_noise);
            assert_eq!(object.contains_key("mutual_information"), loss.starts_with("binary"));
            if has_noise {
                let all = ["model_std", "noise_std", "total_std"].map(numbers);
                for target in 0..targets.len() {
                    let [model, noise, total] = [&all[0], &all[1], &all[2]].map(|std| std[target]);
                    let sum = (model * model + noise * noise).sqrt();
                    assert!((sum - total).abs() < ROUNDING * (1.0 + sum), "{line}");
                }
            }
        }
    }
}

#[test]
fn a_killed_run_of_every_loss_resumes_to_the_same_digest() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    for (i, (loss, targets, _, _)) in LOSSES.into_iter().enumerate() {
        let checkpoint = format!("c{i}");
        let arguments = [
            "--data=x.npy".to_owned(),
            format!("--targets={targets}.npy"),
            format!("--loss={loss}"),
            "--held-out=60".to_owned(),
            "--validation=0.25".to_owned(),
            "--early-stopping=loss:30".to_owned(),
            "--average=ema:0.9".to_owned(),
        ];
        let mut arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        arguments.splice(0..0, TRAINING);
        succeeds(folder, &arguments);
        let unbroken = report(folder);
        let mut child = thinnet(folder)
            .args(&arguments)
            .args(["--checkpoint", &checkpoint, "--checkpoint-every=1"])
            .spawn()
            .unwrap();
        while !folder.join(&checkpoint).exists() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let resume = format!("--resume={checkpoint}");
        succeeds(folder, &[&arguments[..], &[&resume]].concat());
        let resumed = report(folder);
        assert!(resumed["resumed_at_step"].as_u64().unwrap() < 240, "{loss}");
        for part in ["digest", "curves", "metrics", "test_loss", "settings", "data"] {
            assert_eq!(resumed[part], unbroken[part], "{loss}: {part}");
        }
        // Another loss for the same targets.
        let other = match targets {
            "bit" | "bits" => "--loss=squared-error",
            _ => "--loss=huber:0.25",
        };
        arguments.retain(|argument| !argument.starts_with("--loss"));
        let line = fails(folder, &[&arguments[..], &[other, &resume]].concat(), 1);
        assert!(line.contains("resume with the same --data, --loss, --hidden"), "{line}");
    }
}

#[test]
fn progress_and_early_stopping_are_about_the_metrics_of_the_loss() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let arguments = [
        "train",
        "--data=x.npy",
        "--targets=value.npy",
        "--held-out=60",
        "--validation=0.25",
        "--loss=quantile:0.1,0.5,0.9",
        "--metrics=mae,pinball_loss",
        "--early-stopping=mae:1",
        "--plateau=pinball_loss:1",
        "--hidden=16",
        "--batch=30",
        "--optimiser=adam",
        "--learning-rate=0.05",
        "--epochs=300",
        "--report=report.json",
    ];
    let output = run(folder, &arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("validation pinball_loss 0."), "{said}");
    assert!(!said.contains("error"), "{said}");
    let report = report(folder);
    assert_eq!(report["ending"], "early_stopping");
    let names: Vec<_> = report["metrics"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["mae", "pinball_loss"]);
    let figures = report["curves"][0]["validation"]["metrics"].as_object().unwrap();
    assert!(figures["mae"].as_f64().unwrap() > 0.0 && figures.contains_key("quantile_coverage"));
}

#[test]
fn targets_that_the_loss_cannot_have_are_refused_with_row_and_value() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let changed = |name: &str, of: &str, row: usize, to: f32| {
        let mut targets = npy::read_inputs(folder.join(of)).unwrap();
        targets.row_mut(row).unwrap()[0] = to;
        npy::write_matrix(folder.join(name), targets.view()).unwrap();
    };
    changed("two.npy", "bit.npy", 7, 2.0);
    changed("negative.npy", "counts.npy", 9, -1.0);
    changed("nan.npy", "value.npy", 11, f32::NAN);
    let short = Matrix::zeroed(12, 1).unwrap();
    npy::write_matrix(folder.join("short.npy"), short.view()).unwrap();
    fs::create_dir(folder.join("mixed")).unwrap();
    for (from, to) in [
        ("value/x_train.npy", "x_train.npy"),
        ("value/y_train.npy", "y_train.npy"),
        ("value/x_test.npy", "x_test.npy"),
        ("values/y_test.npy", "y_test.npy"),
    ] {
        fs::copy(folder.join(from), folder.join("mixed").join(to)).unwrap();
    }
    let train = |more: &[&str], code| {
        fails(folder, &[&["train", "--epochs=1", "--hidden=4"], more].concat(), code)
    };
    let with = |targets: &str, loss: &str| {
        let targets = format!("--targets={targets}");
        train(&["--data=x.npy", &targets, "--held-out=60", "--loss", loss], 1)
    };
    for (targets, loss, words) in [
        (
            "two.npy",
            "binary-cross-entropy",
            "two.npy: target 2 at row 7, column 0: expected a number from 0 to 1",
        ),
        (
            "negative.npy",
            "poisson",
            "--targets negative.npy: target -1 at row 9, column 0: expected a number of at least 0 (loss poisson)",
        ),
        (
            "nan.npy",
            "squared-error",
            "nan.npy: element 0 of row 11 is NaN: expected a finite number",
        ),
        (
            "short.npy",
            "huber",
            "short.npy: 12 rows of targets: expected 300, one for each row of x.npy",
        ),
        (
            "value.npy",
            "softmax",
            "value.npy: shape [300, 1]: expected one dimension of labels (--loss names a loss for other targets)",
        ),
        ("gone.npy", "huber", "--targets gone.npy: no such file: expected a .npy file of targets"),
        ("table.csv", "huber", "--targets table.csv: tables cannot be read"),
    ] {
        let line = with(targets, loss);
        assert!(line.contains(words), "{line}");
    }
    let line = train(&["--data=mixed", "--loss=huber"], 1);
    assert!(
        line.contains(
            "--data mixed: the test rows have 2 targets each, but the training rows have 1"
        ),
        "{line}"
    );
    let line = train(&["--loss=binary-cross-entropy"], 1);
    assert!(line.contains("--data digits: target ") && line.contains("expected 0 or 1"), "{line}");
    let value = ["--data=x.npy", "--targets=value.npy", "--held-out=60"];
    let line = train(&[&value[..], &["--loss=huber", "--validation=values"]].concat(), 1);
    assert!(line.contains("--validation values: its rows have 2 targets each"), "{line}");
}

#[test]
fn options_that_do_not_fit_the_loss_are_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let value =
        ["train", "--data=x.npy", "--targets=value.npy", "--held-out=60", "--hidden=4", "--quiet"];
    for (more, words, code) in [
        (
            &["--loss=huber", "--label-smoothing=0.1"][..],
            "--label-smoothing: cannot be used with --loss huber(1): expected --loss softmax_cross",
            2,
        ),
        (&["--loss=poisson", "--class-weight=balanced"], "--class-weight: cannot be used with", 2),
        (
            &["--loss=huber", "--positive-weight=2"],
            "--positive-weight: cannot be used with --loss huber(1): expected --loss binary_cross",
            2,
        ),
        (&["--loss=binary-cross-entropy", "--positive-weight=0"], "or balanced", 2),
        (&["--loss=huber", "--metrics=f1"], "--metrics: ", 1),
        (&["--loss=huber", "--validation=9", "--early-stopping=f1"], "--early-stopping: ", 1),
        (&["--loss=huber", "--validation=9", "--plateau=error_rate"], "--plateau: ", 1),
        (&["--loss=mse"], "expected one of softmax_cross_entropy, squared_error", 2),
        (&["--loss=quantile:0.9,0.1"], "each larger than the one before", 2),
        (&["--loss=huber:0"], "--loss", 2),
        (&["--loss=huber", "--labels=value.npy"], "--labels", 2),
    ] {
        let line = fails(folder, &[&value[..], more].concat(), code);
        assert!(line.contains(words), "{line}");
    }
    let rows = ["train", "--data=x.npy", "--held-out=60", "--loss=huber"];
    let line = fails(folder, &rows, 2);
    assert!(
        line.contains("expected --targets FILE.npy too, with the targets of each row"),
        "{line}"
    );
    for data in ["digits", "value"] {
        let arguments = ["train", "--loss=huber", "--data", data, "--targets=value.npy"];
        let line = fails(folder, &arguments, 2);
        assert!(line.contains("--targets value.npy: cannot be used with"), "{line}");
    }
    // Inputs are never overwritten.
    for (data, out) in [
        (&["--data=value"][..], "--out=value/y_train.npy"),
        (&["--data=x.npy", "--targets=value.npy", "--held-out=60"], "--out=./value.npy"),
    ] {
        let before = fs::read(folder.join("value.npy")).unwrap();
        let line = fails(folder, &[&["train", "--loss=huber", out], data].concat(), 2);
        assert!(line.contains("--out") && line.contains("value"), "{line}");
        assert!(fs::read(folder.join("value.npy")).unwrap() == before);
    }
}

#[test]
fn rare_bits_can_be_weighted() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    // Of 300 rows, 60 are ones.
    let rare: Vec<u32> = (0..300).map(|row| u32::from(row % 5 == 0)).collect();
    npy::write_labels(folder.join("rare.npy"), &rare).unwrap();
    let digest = |more: &[&str]| {
        let data = ["--data=x.npy", "--targets=rare.npy", "--held-out=50"];
        let loss = ["--loss=binary-cross-entropy", "--metrics=recall"];
        let arguments = [&TRAINING[..], &data, &loss, more].concat();
        assert!(run(folder, &arguments).status.success());
        let report = report(folder);
        (report["digest"].clone(), report["metrics"]["recall"]["value"].as_f64().unwrap())
    };
    let (plain, recall) = digest(&[]);
    let (balanced, recall_of_balanced) = digest(&["--positive-weight=balanced", "--checkpoint=c"]);
    // 50 ones and 200 zeros are left: held-out rows are drawn from both in proportion.
    assert_eq!(report(folder)["settings"]["positive_weight"], "balanced");
    assert_eq!(digest(&["--positive-weight=4"]).0, balanced);
    assert!(balanced != plain && recall_of_balanced > recall, "{recall_of_balanced}, {recall}");
    assert_eq!(digest(&["--positive-weight=4", "--resume=c"]).0, balanced);
    for other in [&["--positive-weight=5"][..], &[]] {
        let data = ["--data=x.npy", "--targets=rare.npy", "--held-out=50", "--metrics=recall"];
        let loss = ["--loss=binary-cross-entropy", "--resume=c"];
        let line = fails(folder, &[&TRAINING[..], &data, &loss, other].concat(), 1);
        assert!(line.contains("resume with the same --positive-weight"), "{line}");
    }
}

#[test]
fn a_network_that_is_no_better_than_a_constant_gets_a_warning() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    for (loss, targets, words) in [
        ("--loss=squared-error", "value", "rmse"),
        ("--loss=quantile:0.1,0.9", "value", "pinball_loss"),
        ("--loss=poisson", "counts", "poisson_deviance"),
    ] {
        let untrained = ["train", "--epochs=1", "--learning-rate=0", "--quiet", "--out=m", loss];
        let output = run(folder, &[&untrained[..], &["--data", targets]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        let warning =
            format!("warning: the network is no better than a constant prediction: {words} ");
        assert!(output.status.success() && said.starts_with(&warning), "{said}");
        let output = run(folder, &["eval", "--model=m", "--data", targets]);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), said);
    }
    // The usual cause, except of counts, which cannot be scaled.
    for (loss, targets, is_scaled) in
        [("--loss=huber", "value", true), ("--loss=poisson", "counts", false)]
    {
        let mut numbers = npy::read_inputs(folder.join(format!("{targets}.npy"))).unwrap();
        (0..300).for_each(|row| numbers.row_mut(row).unwrap()[0] *= 100.0);
        npy::write_matrix(folder.join("large.npy"), numbers.view()).unwrap();
        let rows = ["--data=x.npy", "--targets=large.npy", "--held-out=60"];
        let untrained = ["train", "--epochs=1", "--learning-rate=0", "--quiet", loss];
        let output = run(folder, &[&untrained[..], &rows].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("warning: the network is no better"), "{said}");
        assert_eq!(said.contains("; the targets reach "), is_scaled, "{said}");
    }
}

#[test]
fn a_run_that_diverges_advises_to_scale_large_targets() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let mut targets = npy::read_inputs(folder.join("value.npy")).unwrap();
    (0..300).for_each(|row| targets.row_mut(row).unwrap()[0] *= 1e15);
    npy::write_matrix(folder.join("large.npy"), targets.view()).unwrap();
    let rows = ["train", "--data=x.npy", "--targets=large.npy", "--held-out=60", "--quiet"];
    let line = fails(folder, &[&rows[..], &["--loss=squared-error", "--hidden=8"]].concat(), 1);
    assert!(line.contains("training diverged") || line.contains("training cannot start"), "{line}");
    assert!(
        line.contains("the targets reach ") && line.contains("(column 0): scale them"),
        "{line}"
    );
}

#[test]
fn labels_are_numbers_for_a_regression_and_other_commands_know_the_loss() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    write(folder);
    let labels: Vec<u32> = (0..300).map(|row| row % 5).collect();
    npy::write_labels(folder.join("labels.npy"), &labels).unwrap();
    let train = ["train", "--data=x.npy", "--held-out=60", "--hidden=4", "--epochs=1", "--out=m"];
    let of_labels = [&train[..], &["--labels=labels.npy", "--loss=squared-error"]].concat();
    assert!(run(folder, &of_labels).status.success());
    assert_eq!(Mlp::load(folder.join("m")).unwrap().targets(), 1);
    let of_values = [&train[..], &["--targets=values.npy", "--loss=quantile:0.25,0.75"]].concat();
    assert!(run(folder, &of_values).status.success());

    // Another number of targets, and none.
    for command in ["eval", "predict", "profile"] {
        let line = fails(folder, &[command, "--model=m", "--data=value"], 1);
        assert!(
            line.contains(
                "--data value: the rows have 1 target each, but --model m predicts 2 (loss quantile(0.25,0.75))"
            ),
            "{line}"
        );
    }
    let text = succeeds(folder, &["predict", "--model=m", "--data=x.npy", "--limit=3"]);
    assert!(text.lines().nth(2).unwrap().starts_with("1\t-\t-\t"), "{text}");
    let json = succeeds(folder, &["predict", "--model=m", "--data=x.npy", "--limit=3", "--json"]);
    assert!(json.starts_with("{\"row\":0,\"quantile_0.25\":["), "{json}");
    // The network is refused before its data is read.
    for data in ["--data=values", "--data=nowhere"] {
        let line = fails(folder, &["calibration", "--model=m", data], 1);
        assert!(
            line.contains("--model m: the network has the loss quantile: expected softmax"),
            "{line}"
        );
    }
    let line = fails(folder, &["eval", "--model=m", "--data=values", "--confusion"], 1);
    assert!(line.contains("--confusion: ") && line.contains("quantile"), "{line}");
    let line = fails(folder, &["eval", "--model=m", "--data=values", "--metrics=f1"], 1);
    assert!(line.contains("--metrics: ") && line.contains("quantile"), "{line}");

    // The others take it as it is.
    assert!(succeeds(folder, &["inspect", "m"]).contains(" quantile(0.25,0.75)\n"));
    succeeds(folder, &["profile", "--model=m", "--data=values", "--steps=1", "--batch=10"]);
    succeeds(folder, &["quantize", "m", "--data=values", "--out=q"]);
    let predicted = succeeds(folder, &["predict", "--model=q", "--data=values", "--limit=3"]);
    assert!(predicted.starts_with("row\ttarget_0\ttarget_1\tquantile_0.25_0\t"), "{predicted}");
}
