//! `thinnet quantize`, and the other commands on the models that it writes.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;
use thinnet::{
    data::{Batch, Dataset, Split, npy},
    exchange::{
        onnx,
        torch::{self, StateDict},
    },
    nn::{IntegerMlp, Loss, Mlp, Scaling},
    predict::Predictor,
    tensor::Matrix,
};

use crate::program::{fails, run, succeeds};

/// Returns a folder with a model `m` and a checkpoint `c` of a small training.
fn trained() -> TempDir {
    let folder = TempDir::new().unwrap();
    let arguments = ["train", "--hidden=32,16", "--epochs=1", "--out=m", "--checkpoint=c", "-q"];
    succeeds(folder.path(), &arguments);
    folder
}

fn quantize(folder: &Path, more: &[&str]) -> String {
    succeeds(folder, &[&["quantize"], more].concat())
}

#[test]
fn a_model_is_rounded_for_rows_of_the_training_set() {
    let folder = trained();
    let folder = folder.path();
    let text = quantize(folder, &["m", "--out=q", "--rows=100"]);
    let mlp = Mlp::load(folder.join("m")).unwrap();
    let integer = IntegerMlp::load(folder.join("q")).unwrap();
    let digest = integer.network().digest();
    assert_ne!(digest, mlp.digest());
    for part in [
        "q: a model with 8-bit weights\nnetwork        784-32-16-10\n",
        &format!("digest         {digest}\n"),
        "order          of units: made for 100 training rows\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let train = Dataset::digits(Split::Train).unwrap();
    let rows = train.rows();
    let chosen: Vec<u32> = (0..100).map(|i| (i * rows / 100) as u32).collect();
    let batch = Batch::gather(train.inputs(), &chosen).unwrap();
    assert_eq!(integer, IntegerMlp::new(&mlp, &batch).unwrap());

    // A checkpoint has the same network, but not the settings of the run as its notes.
    quantize(folder, &["c", "--out=of_c", "--rows=100"]);
    let mut without_notes = integer.clone();
    without_notes.set_notes("").unwrap();
    assert_eq!(IntegerMlp::load(folder.join("of_c")).unwrap(), without_notes);
    // The same model gives the same bytes.
    quantize(folder, &["m", "--out=again", "--rows=100"]);
    assert_eq!(fs::read(folder.join("again")).unwrap(), fs::read(folder.join("q")).unwrap());
    let text = quantize(folder, &["m", "--out=all"]);
    assert!(text.contains("made for 2048 training rows"), "{text}");
}

/// Rows without labels are enough, and a network may predict values.
#[test]
fn rows_of_an_array_need_no_labels() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mlp = Mlp::builder(3).hidden(8, "relu".parse().unwrap(), thinnet::Keep::HALF);
    let mlp = mlp.output(1, Loss::SquaredError).build().unwrap();
    mlp.save(folder.join("m")).unwrap();
    let rows = Matrix::from_rows(&[0.5; 12], 4, 3).unwrap();
    npy::write_matrix(folder.join("x.npy"), rows.view()).unwrap();
    let text = quantize(folder, &["m", "--data=x.npy", "--out=q"]);
    assert!(text.contains("made for 4 training rows"), "{text}");
    IntegerMlp::load(folder.join("q")).unwrap();
}

#[test]
fn models_that_cannot_be_rounded_are_refused() {
    let folder = trained();
    let folder = folder.path();
    quantize(folder, &["m", "--out=q", "--rows=1"]);
    succeeds(folder, &["convert", "m", "t"]);
    Mlp::builder(3).output(2, Loss::SquaredError).build().unwrap().save(folder.join("n")).unwrap();
    for (arguments, code, words) in [
        (
            &["q", "--out=o"][..],
            1,
            "MODEL q: its weights already have 8 bits: expected a model with",
        ),
        (&["t", "--out=o"], 1, "MODEL t: a state dict that thinnet wrote: expected a model"),
        (&["n", "--out=o"], 1, "MODEL n: the network has 3 inputs, but the rows of --data digits"),
        (&["gone", "--out=o"], 1, "MODEL gone: no such file: expected a model"),
        (&["m"], 2, "--out <FILE>"),
        (&["m", "--out=o.onnx"], 2, "the ending of the name is that of ONNX"),
        (&["m", "--out=o", "--rows=2049"], 2, "2048"),
    ] {
        let line = fails(folder, &[&["quantize"], arguments].concat(), code);
        assert!(line.contains(words), "{line}");
        assert!(!folder.join("o").exists() && !folder.join("o.onnx").exists());
    }
}

#[test]
fn a_rounded_model_is_inspected() {
    let folder = trained();
    let folder = folder.path();
    quantize(folder, &["m", "--out=q", "--rows=50"]);
    let of = |file: &str| -> Value {
        serde_json::from_str(&succeeds(folder, &["inspect", file, "--json"])).unwrap()
    };
    let (model, rounded) = (of("m"), of("q"));
    assert_eq!(
        (&model["integer_weights"], &rounded["integer_weights"]),
        (&json!(false), &json!(true))
    );
    for field in ["kind", "format", "layers", "parameters", "loss", "scaling"] {
        assert_eq!(model[field], rounded[field], "{field}");
    }
    let digest = IntegerMlp::load(folder.join("q")).unwrap().network().digest();
    assert_eq!(rounded["digest"], digest);
    let bytes = |found: &Value| found["bytes"].as_u64().unwrap() as f64;
    assert!(bytes(&rounded) < 0.35 * bytes(&model));
    let text = succeeds(folder, &["inspect", "q"]);
    let line =
        "weights        8 bits; the digest is that of the products with their scales, in f32\n";
    assert!(text.contains(line), "{text}");
    assert!(!succeeds(folder, &["inspect", "m"]).contains("weights  "));
}

#[test]
fn exports_have_the_products_of_weights_and_scales() {
    let folder = trained();
    let folder = folder.path();
    quantize(folder, &["m", "--out=q", "--rows=50"]);
    let network = IntegerMlp::load(folder.join("q")).unwrap().into_network();
    for name in ["t", "t.onnx"] {
        let output = run(folder, &["convert", "q", name]);
        assert!(output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        let note = format!(
            "note: q has 8-bit weights: {name} gets f32 weights, each an 8-bit weight times its scale"
        );
        assert_eq!(said.trim_end(), note);
    }
    assert_eq!(
        fs::read(folder.join("t")).unwrap(),
        torch::to_bytes(&network, Scaling::Inverted).unwrap()
    );
    assert_eq!(StateDict::read(folder.join("t")).unwrap().network(None).unwrap(), network);
    let graph = onnx::Model::read(folder.join("t.onnx")).unwrap().network(None).unwrap();
    assert_eq!(graph.digest(), network.digest());
}

/// All commands that take a model take a rounded one.
#[test]
fn a_rounded_model_predicts() {
    let folder = trained();
    let folder = folder.path();
    quantize(folder, &["m", "--out=q"]);
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&succeeds(folder, arguments)).unwrap()
    };
    let (model, rounded) = (
        json(&["eval", "--model=m", "--json"]),
        json(&["eval", "--model=q", "--json", "--threads=1"]),
    );
    let digest = IntegerMlp::load(folder.join("q")).unwrap().network().digest();
    assert_eq!((rounded["rows"].clone(), rounded["digest"].clone()), (json!(2000), json!(digest)));
    let wrong = |found: &Value| found["wrong"].as_f64().unwrap();
    assert!((wrong(&model) - wrong(&rounded)).abs() <= 20.0, "{model} {rounded}");
    assert_ne!(model["loss"], rounded["loss"]);

    // The answers are those of the library, whatever the batch and the number of threads.
    let integer = IntegerMlp::load(folder.join("q")).unwrap();
    let test = Dataset::digits(Split::Test).unwrap();
    let predictor = Predictor::from_integers(integer).unwrap();
    let mut workspace = predictor.workspace(1).unwrap();
    let lines = succeeds(folder, &["predict", "--model=q", "--limit=40", "--json", "--threads=2"]);
    for (row, line) in lines.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let one = Batch::dense(test.dense_inputs().unwrap().subrows(row..row + 1).unwrap());
        let expected = predictor.predict(&one, &mut workspace).unwrap();
        let got: Vec<f32> = serde_json::from_value(line["probabilities"].clone()).unwrap();
        assert_eq!(got, expected.row(0).unwrap());
    }
    assert_eq!(lines.lines().count(), 40);
    for more in ["--samples=20", "--method=moments"] {
        let predict =
            |model: &str| succeeds(folder, &["predict", model, "--limit=40", "--threads=2", more]);
        assert_ne!(predict("--model=q"), predict("--model=m"), "{more}");
    }
    let found = json(&["calibration", "--model=q", "--limit=200", "--samples=20", "--json"]);
    assert_eq!(found.as_array().unwrap().len(), 3);
    let line = fails(folder, &["predict", "--model=c"], 1);
    assert!(line.contains("a training checkpoint: expected a model"), "{line}");
}

/// Training goes on from f32 weights only.
#[test]
fn a_rounded_model_is_not_trained() {
    let folder = trained();
    let folder = folder.path();
    quantize(folder, &["m", "--out=q", "--rows=50"]);
    let line = fails(folder, &["train", "--resume=q", "--out=o", "-q"], 1);
    assert!(line.contains("a model, which cannot be resumed"), "{line}");
    let output = run(folder, &["profile", "--model=q", "--steps=2", "--batch=16"]);
    assert!(output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    let note = "note: 8-bit weights are not trained: these are the steps of the same network with f32 \
                weights";
    assert_eq!(said.trim_end(), note);
}
