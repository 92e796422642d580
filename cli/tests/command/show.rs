//! The commands that print results: `predict`, `calibration`, `inspect`, `profile`, `completions`,
//! `man`.

use std::{collections::HashSet, fs};

use serde_json::{Value, json};
use tempfile::TempDir;
use thinnet::nn::{Loss, Mlp};

use crate::program::{self, fails, succeeds};

/// Returns a folder with a model `m` and a checkpoint `c` of a small training.
fn trained() -> TempDir {
    let folder = TempDir::new().unwrap();
    let arguments = ["train", "--hidden=32,16", "--epochs=1", "--out=m", "--checkpoint=c", "-q"];
    succeeds(folder.path(), &arguments);
    folder
}

#[test]
fn predictions_are_one_line_per_row() {
    let folder = trained();
    let folder = folder.path();
    let text = succeeds(folder, &["predict", "--model=m"]);
    assert_eq!(text.lines().count(), 2000);
    let json = succeeds(folder, &["predict", "--model=m", "--json", "--threads=2"]);
    let mut wrong = 0;
    for (row, (text, json)) in text.lines().zip(json.lines()).enumerate() {
        let fields: Vec<f64> = text.split('\t').map(|field| field.parse().unwrap()).collect();
        let json: Value = serde_json::from_str(json).unwrap();
        let of_json = ["row", "label", "class", "probability"]
            .map(|name| json[name].as_f64().unwrap_or_else(|| panic!("{name}")));
        assert_eq!((fields.len(), fields[0]), (14, row as f64));
        let probabilities = json["probabilities"].as_array().unwrap();
        let probabilities: Vec<f64> = probabilities.iter().map(|p| p.as_f64().unwrap()).collect();
        // Printed to 6 places.
        let same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
        assert!(probabilities.len() == 10 && fields[4..].iter().zip(&probabilities).all(same));
        assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert_eq!(probabilities[of_json[2] as usize], of_json[3]);
        assert_eq!(fields[..3], of_json[..3]);
        assert!((fields[3] - of_json[3]).abs() < 1e-6);
        assert!((0.1..=1.0).contains(&of_json[3]) && of_json[2] < 10.0, "{text}");
        wrong += usize::from(fields[1] != fields[2]);
    }
    // `eval` counts the same errors.
    let eval: Value =
        serde_json::from_str(&succeeds(folder, &["eval", "--model=m", "--json"])).unwrap();
    assert_eq!(eval["wrong"], wrong);

    let five = succeeds(folder, &["predict", "--model=m", "--limit=5", "--quiet"]);
    assert!(text.starts_with(&five) && five.lines().count() == 5);
    assert_eq!(succeeds(folder, &["predict", "--model=m", "--limit=5000"]), text);
    let line = fails(folder, &["predict", "--model=m", "--limit=0"], 2);
    assert!(line.contains("--limit <N>'"), "{line}");
    let line = fails(folder, &["predict", "--model=c"], 1);
    assert!(line.contains("a training checkpoint: expected a model"), "{line}");
    let other = Mlp::builder(784).output(10, Loss::SquaredError).build().unwrap();
    other.save(folder.join("other")).unwrap();
    let line = fails(folder, &["predict", "--model=other"], 1);
    let words = "the rows have 1 target each, but --model other predicts 10 (loss squared_error)";
    assert!(line.contains(words), "{line}");
}

#[test]
fn the_methods_of_prediction_print_their_uncertainty() {
    let folder = trained();
    let folder = folder.path();
    let predict = |more: &[&str]| {
        let arguments = [&["predict", "--model=m", "--limit=40"], more].concat();
        let text = succeeds(folder, &arguments);
        let fields =
            |line: &str| line.split('\t').map(|x| x.parse().unwrap()).collect::<Vec<f64>>();
        text.lines().map(fields).collect::<Vec<_>>()
    };
    let scale = predict(&[]);
    assert_eq!(predict(&["--method=scale"]), scale);
    let (mc, moments) = (predict(&["--samples=40"]), predict(&["--method=moments"]));
    assert_eq!(predict(&["--method=mc", "--samples=40", "--seed=1", "--threads=2"]), mc);
    assert_ne!(predict(&["--samples=40", "--seed=2"]), mc);
    for ((scale, mc), moments) in scale.iter().zip(&mc).zip(&moments) {
        assert_eq!((scale.len(), mc.len(), moments.len()), (14, 17, 16));
        assert_eq!((&mc[..2], &moments[..2]), (&scale[..2], &scale[..2]));
        for sure in [mc, moments] {
            let (entropy, information) = (sure[4], sure[5]);
            assert!(0.0 < information && information < entropy && entropy < 10f64.ln(), "{sure:?}");
        }
        assert_eq!(mc[6], 40.0);
    }
    // One sample has no mutual information, but the columns are the same.
    let one = ["predict", "--model=m", "--limit=1", "--samples=1"];
    let line = succeeds(folder, &one);
    let fields: Vec<&str> = line.trim_end().split('\t').collect();
    assert_eq!((fields.len(), fields[5], fields[6]), (17, "-", "1"), "{line}");
    assert!(fields[4].parse::<f64>().unwrap() > 0.0, "{line}");
    let json: Value =
        serde_json::from_str(&succeeds(folder, &[&one[..], &["--json"]].concat())).unwrap();
    assert!(json["entropy"].is_number() && json["mutual_information"].is_null(), "{json}");
    assert!(json.as_object().unwrap().contains_key("mutual_information"), "{json}");
    let early = predict(&["--tolerance=0.05", "--samples=200"]);
    assert!(early.iter().all(|row| row[6] == 200.0 || row[6] % 16.0 == 0.0));
    assert!(early.iter().any(|row| row[6] < 200.0), "{early:?}");
    // The prediction for a row does not depend on the other rows.
    let three = succeeds(folder, &["predict", "--model=m", "--limit=3", "--samples=40"]);
    let forty = succeeds(folder, &["predict", "--model=m", "--limit=40", "--samples=40"]);
    assert!(forty.starts_with(&three) && three.lines().count() == 3);
    let json = succeeds(folder, &["predict", "--model=m", "--limit=1", "--samples=40", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["samples"], 40);
    assert!((json["mutual_information"].as_f64().unwrap() - mc[0][5]).abs() < 1e-6);
    assert!((json["entropy"].as_f64().unwrap() - mc[0][4]).abs() < 1e-6);

    let refused = |more: &[&str], message: &str| {
        let line = fails(folder, &[&["predict", "--model=m"], more].concat(), 2);
        assert!(line.contains(message), "{line}");
    };
    refused(
        &["--method=scale", "--samples=3"],
        "--samples and --tolerance can only be used with --method mc",
    );
    refused(&["--method=moments", "--tolerance=1"], "--samples and --tolerance can only be used");
    refused(&["--samples=0"], "expected a whole number from 1 to 1000000");
    refused(&["--tolerance=-1"], "expected a number from 0 to 3.4e38");
    refused(&["--method=median"], "[possible values: scale, mc, moments]");
    refused(&["--seed=x"], "--seed <N>'");
}

#[test]
fn calibration_counts_every_row_once() {
    let folder = trained();
    let folder = folder.path();
    let arguments =
        ["calibration", "--model=m", "--limit=300", "--samples=20", "--bins=7", "--plot=p.svg"];
    let text = succeeds(folder, &arguments);
    let probes = ["data", "rotated by 90°", "columns shuffled", "outside the ranges"];
    for part in ["expected calibration error", "moments", "* fewer than 30 rows"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let svg = fs::read_to_string(folder.join("p.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("calibrated") && svg.contains("mc: "));
    let json = succeeds(folder, &[&arguments[..], &["--json", "--threads=2"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    for (found, method) in json.as_array().unwrap().iter().zip(["scale", "mc", "moments"]) {
        assert_eq!(found["method"], method);
        let bins = found["bins"].as_array().unwrap();
        let number = |bin: &Value, name: &str| bin[name].as_f64().unwrap();
        let rows: f64 = bins.iter().map(|bin| number(bin, "rows")).sum();
        assert_eq!((bins.len(), rows), (7, 300.0));
        let filled = || bins.iter().filter(|bin| bin["rows"] != 0);
        let sum = |f: &dyn Fn(&Value) -> f64| {
            filled().map(|bin| number(bin, "rows") * f(bin)).sum::<f64>() / 300.0
        };
        let right = sum(&|bin| number(bin, "accuracy"));
        assert!((1.0 - right - number(found, "test_error")).abs() < 1e-12);
        let apart = sum(&|bin| (number(bin, "accuracy") - number(bin, "confidence")).abs());
        assert!((apart - number(found, "expected_calibration_error")).abs() < 1e-12);
        let data = &found["means"][0];
        assert!((sum(&|bin| number(bin, "confidence")) - number(data, "confidence")).abs() < 1e-9);
        for (i, bin) in bins.iter().enumerate() {
            if bin["rows"] == 0 {
                // Without rows, nothing is known.
                assert!(bin["accuracy"].is_null() && bin["confidence"].is_null(), "{bin}");
                continue;
            }
            let confidence = 7.0 * number(bin, "confidence");
            assert!((i as f64..=(i + 1) as f64).contains(&confidence), "{bin}");
            let [low, high] = [0, 1].map(|end| bin["accuracy_interval"][end].as_f64().unwrap());
            let accuracy = number(bin, "accuracy");
            assert!(low <= accuracy && accuracy <= high && high - low < 1.0, "{bin}");
        }
        let asked: Vec<_> = found["means"].as_array().unwrap().iter().map(|m| &m["rows"]).collect();
        assert_eq!(asked, probes);
        assert_eq!(data["mutual_information"].is_null(), method == "scale");
    }
    let line = fails(folder, &["calibration", "--model=m", "--bins=0"], 2);
    assert!(line.contains("--bins <N>'"), "{line}");
    let line = fails(folder, &["calibration", "--model=m", "--plot=gone/p.svg"], 1);
    assert!(line.contains("--plot gone/p.svg"), "{line}");
    let line = fails(folder, &["calibration", "--model=c"], 1);
    assert!(line.contains("expected a model"), "{line}");
}

#[test]
fn a_model_and_a_checkpoint_are_inspected() {
    let folder = trained();
    let folder = folder.path();
    let inspect = |file: &str| -> Value {
        serde_json::from_str(&succeeds(folder, &["inspect", file, "--json"])).unwrap()
    };
    let (model, checkpoint) = (inspect("m"), inspect("c"));
    assert_eq!((&model["kind"], &checkpoint["kind"]), (&json!("model"), &json!("checkpoint")));
    assert!(model["training"].is_null());
    assert_eq!(model["bytes"], fs::metadata(folder.join("m")).unwrap().len());
    let digest = Mlp::load(folder.join("m")).unwrap().digest();
    for found in [&model, &checkpoint] {
        assert_eq!(found["digest"], digest);
        assert_eq!((&found["format"], &found["mask_format"]), (&json!(2), &json!(1)));
        assert_eq!((&found["inputs"], &found["outputs"]), (&json!(784), &json!(10)));
        assert_eq!(found["parameters"], 785 * 32 + 33 * 16 + 17 * 10);
        assert_eq!(found["loss"], "softmax_cross_entropy");
        assert_eq!(
            found["layers"],
            json!([
                {"inputs": 784, "outputs": 32, "activation": "relu", "parameters": 785 * 32,
                 "keep": {"k": 52429, "rate": 52429.0 / 65536.0}, "noise": "bernoulli(0.8)"},
                {"inputs": 32, "outputs": 16, "activation": "relu", "parameters": 33 * 16,
                 "keep": {"k": 32768, "rate": 0.5}, "noise": "bernoulli(0.5)"},
                {"inputs": 16, "outputs": 10, "activation": null, "parameters": 17 * 10,
                 "keep": {"k": 32768, "rate": 0.5}, "noise": "bernoulli(0.5)"},
            ])
        );
    }
    let training = &checkpoint["training"];
    assert_eq!((&training["step"], &training["settings"]["batch"]), (&json!(63), &json!("128")));
    assert_eq!(training["optimiser"], "sgd");
    assert_eq!(training["notes"]["history"].as_array().unwrap().len(), 1);

    let text = succeeds(folder, &["inspect", "m"]);
    for part in ["model", "784-32-16-10", &digest, "0.800003 (52429/65536)", "25120"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("step"));
    let text = succeeds(folder, &["inspect", "c"]);
    for part in [
        "checkpoint",
        "step           63",
        "optimiser      sgd",
        "epochs done    1",
        "batch: 128",
        "0.0 in a straight line",
        &digest,
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    fs::write(folder.join("text"), "neither").unwrap();
    assert!(fails(folder, &["inspect", "text"], 1).contains("text: a file of unknown format"));
    assert!(fails(folder, &["inspect", "gone"], 1).contains("gone: "));
}

/// A checkpoint that another program wrote, with its own text as notes.
#[test]
fn foreign_checkpoints_are_inspected() {
    use thinnet::train::{Provenance, Schedule, Sgd, Trainer};
    let folder = TempDir::new().unwrap();
    let mlp = Mlp::builder(3).sparse_input().output(2, Loss::SquaredError).build().unwrap();
    let trainer = Trainer::builder(mlp, Sgd::new(Schedule::constant(0.1)), 1).build().unwrap();
    trainer.save(folder.path().join("c"), &Provenance::new(), "half way").unwrap();
    let json = succeeds(folder.path(), &["inspect", "c", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["training"]["notes"], "half way");
    let text = succeeds(folder.path(), &["inspect", "c"]);
    assert!(text.contains("3-2 (sparse input)") && !text.contains("epochs done"), "{text}");
}

#[test]
fn a_step_is_profiled() {
    let folder = trained();
    let folder = folder.path();
    let digest = Mlp::load(folder.join("m")).unwrap().digest();
    let arguments = ["profile", "--model=m", "--batch=20", "--steps=5", "--threads=2"];
    let text = succeeds(folder, &arguments);
    for part in
        ["784-32", "32-16", "16-10", "masks", "input lists", "up 1", "down 2+3", "loss", "other"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = succeeds(folder, &[&arguments[..], &["--json"]].concat());
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&found["rows"], &found["threads"]), (&json!(20), &json!(2)));
    let layers = found["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[2]["path"]), (3, &json!("narrow")));
    let density = layers[0]["density_in"].as_f64().unwrap();
    // A fifth of the pixels are not zero, and 0.8 of those are kept.
    assert!((0.1..0.2).contains(&density), "{density}");
    let shares = |layer: &Value| {
        let share = |cost: &str| layer[cost]["share"].as_f64().unwrap();
        share("up") + share("down")
    };
    let of_layers: f64 = layers.iter().map(shares).sum();
    assert!(of_layers > 0.0, "{of_layers}");
    let seconds = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{name}"));
    let rest = ["check_seconds", "mask_seconds", "list_seconds", "loss_seconds", "other_seconds"];
    let rest: f64 = rest.into_iter().map(seconds).sum();
    // The parts add up to the whole step, except for rounding.
    assert!((of_layers + rest / seconds("seconds") - 1.0).abs() < 1e-9);
    assert_eq!(Mlp::load(folder.join("m")).unwrap().digest(), digest);
    assert!(fails(folder, &["profile", "--model=gone"], 1).contains("gone: "));
    assert!(fails(folder, &["profile", "--model=m", "--batch=0"], 2).contains("--batch"));
    assert!(fails(folder, &["profile", "--model=c"], 1).contains("expected a model"));
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let commands = [
        "demo",
        "train",
        "eval",
        "predict",
        "inspect",
        "convert",
        "quantize",
        "profile",
        "completions",
        "man",
    ];
    let mut scripts = HashSet::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = succeeds(folder, &["completions", shell]);
        assert!(commands.iter().all(|name| script.contains(name)), "{shell}");
        assert!(script.contains("checkpoint-every"), "{shell}");
        scripts.insert(script);
    }
    assert_eq!(scripts.len(), 5);
    assert!(fails(folder, &["completions", "tcsh"], 2).contains("bash"));

    let page = succeeds(folder, &["man"]);
    assert!(page.contains(".TH thinnet 1") && page.contains(env!("CARGO_PKG_VERSION")));
    for name in commands {
        assert!(page.contains(&format!("thinnet\\-{name}")), "{name}");
        let page = succeeds(folder, &["man", name]);
        assert!(page.contains(&format!(".TH thinnet-{name} 1")), "{page}");
        assert!(page.contains("Examples:"), "{name}");
        assert!(succeeds(folder, &[name, "--help"]).contains("Examples:"), "{name}");
    }
    assert!(fails(folder, &["man", "trian"], 2).contains("`trian`: expected one of demo, train"));
}

/// Help is coloured on terminals only, and not if `NO_COLOR` is set.
#[cfg(target_os = "linux")]
#[test]
fn colours_are_for_terminals() {
    // `script` of util-linux runs a command on a new terminal.
    let on_terminal = |no_color: bool| {
        let mut script = std::process::Command::new("script");
        let help = format!("'{}' eval --help", program::FILE);
        script.args(["-qec", &help, "/dev/null"]).env("TERM", "xterm").env_remove("NO_COLOR");
        script.env_remove("CLICOLOR");
        if no_color {
            script.env("NO_COLOR", "1");
        }
        let output = script.stdin(std::process::Stdio::null()).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let (Some(plain), Some(coloured)) = (on_terminal(true), on_terminal(false)) else {
        eprintln!("skipped: `script` of util-linux is not installed");
        return;
    };
    let folder = TempDir::new().unwrap();
    let piped = succeeds(folder.path(), &["eval", "--help"]).into_bytes();
    let escapes = |text: &[u8]| text.contains(&0x1b);
    assert!(escapes(&coloured) && !escapes(&plain) && !escapes(&piped));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_not_an_error() {
    let folder = trained();
    let shown: [&[&str]; 4] =
        [&["predict", "--model=m"], &["inspect", "c"], &["man", "train"], &["completions", "zsh"]];
    for arguments in shown {
        program::survives_a_closed_pipe(folder.path(), arguments);
    }
}

#[test]
fn maxout_units_are_trained_shown_and_refused_where_they_have_no_meaning() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let train = ["train", "--hidden=20", "--maxout=3", "--epochs=1", "--out=m", "-q"];
    succeeds(folder, &train);
    let inspection: Value =
        serde_json::from_str(&succeeds(folder, &["inspect", "m", "--json"])).unwrap();
    assert_eq!(inspection["layers"][0]["activation"], "maxout(3)");
    assert_eq!(inspection["layers"][0]["outputs"], 20);
    assert_eq!(inspection["layers"][0]["parameters"], 785 * 60);
    assert_eq!(inspection["parameters"], 785 * 60 + 21 * 10);
    assert!(succeeds(folder, &["inspect", "m"]).contains("maxout(3)"));
    succeeds(folder, &["predict", "--model=m", "--samples=10", "--limit=5"]);
    let findings: Value = serde_json::from_str(&succeeds(
        folder,
        &["calibration", "--model=m", "--samples=10", "--limit=200", "--json", "-q"],
    ))
    .unwrap();
    assert_eq!(findings.as_array().unwrap().len(), 2);
    succeeds(folder, &["convert", "m", "m.safetensors"]);
    let line = fails(folder, &["predict", "--model=m", "--method=moments"], 1);
    assert!(line.contains("maxout units of 3 pieces, which moment propagation"), "{line}");
    let line = fails(folder, &["convert", "m", "m.onnx"], 1);
    assert!(line.contains("maxout units of 3 pieces, which an ONNX graph"), "{line}");
}
