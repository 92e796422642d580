//! `thinnet convert`, and `inspect` on files from elsewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use thinnet::{
    Keep,
    exchange::{
        onnx::{self, Export},
        torch::{self, StateDict, StateDictSpec},
    },
    nn::{Activation, Loss, Mlp, Scaling},
};

use crate::program::{self, succeeds};

const TOML: &str = "\
# The nn.Sequential of make.py.
input_drop = 0.2
hidden = [
    { activation = \"relu\", drop = 0.5 },
    { activation = \"tanh\" },
]
";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

/// Returns a folder with these fixtures and `layers.toml`.
fn folder(fixtures: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for name in fixtures {
        fs::copy(fixture(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("layers.toml"), TOML).unwrap();
    folder
}

/// Checks that the run fails with one line that contains these words, and does not write `out`.
fn fails(folder: &Path, arguments: &[&str], code: i32, words: &str) {
    let stderr = program::fails(folder, arguments, code);
    assert!(stderr.contains(words), "{stderr}");
    assert!(!folder.join("out").exists());
}

fn inspect(folder: &Path, file: &str) -> Value {
    serde_json::from_str(&succeeds(folder, &["inspect", file, "--json"])).unwrap()
}

#[test]
fn a_state_dict_is_converted_to_a_model_and_back() {
    let folder = folder(&["sequential.safetensors"]);
    let folder = folder.path();
    let input = "sequential.safetensors";
    let text = succeeds(folder, &["convert", input, "m", "--architecture=layers.toml"]);
    let mlp = Mlp::load(folder.join("m")).unwrap();
    let layers = StateDictSpec::new()
        .input_keep(Keep::from_drop(0.2).unwrap())
        .hidden(Activation::Relu, Keep::HALF)
        .hidden(Activation::Tanh, Keep::ONE);
    assert_eq!(
        mlp,
        StateDict::read(folder.join(input)).and_then(|file| file.network(Some(&layers))).unwrap()
    );
    for part in ["m: a model", "8-70-24-3", "softmax_cross_entropy", &mlp.digest()] {
        assert!(text.contains(part), "{part}: {text}");
    }

    let text = succeeds(folder, &["convert", "m", "t"]);
    let expression = "nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 70), nn.ReLU(), nn.Dropout(0.5)";
    assert!(
        text.contains("t: a state dict, weights scaled for inverted dropout")
            && text.contains(expression)
    );
    let tensors = |file: &str| {
        let bytes = fs::read(folder.join(file)).unwrap();
        StateDict::from_bytes(&bytes).unwrap().tensors()
    };
    assert_eq!(tensors("t"), tensors(input));
    succeeds(folder, &["convert", "t", "again"]);
    assert_eq!(fs::read(folder.join("again")).unwrap(), fs::read(folder.join("m")).unwrap());

    succeeds(folder, &["convert", "m", "p", "--scaling=paper"]);
    let shown = succeeds(folder, &["inspect", "p"]);
    let weights =
        "weights        scaled as in the paper; the digest is that of the weights scaled for";
    assert!(shown.contains(weights), "{shown}");
    assert_eq!(fs::read(folder.join("p")).unwrap(), torch::to_bytes(&mlp, Scaling::Paper).unwrap());
    let arguments = ["convert", "p", "q", "--architecture=layers.toml"];
    succeeds(folder, &[&arguments[..], &["--scaling=paper", "--loss=squared_error"]].concat());
    let q = Mlp::load(folder.join("q")).unwrap();
    assert_eq!(q.loss(), Loss::SquaredError);
    assert_eq!(q.weights(2).unwrap(), mlp.weights(2).unwrap(), "its inputs are all kept");
}

#[test]
fn a_graph_and_its_model_give_the_same_inspection() {
    let folder = folder(&["mlp_script_train.onnx", "sigmoid_dynamo.onnx"]);
    let folder = folder.path();
    succeeds(folder, &["convert", "mlp_script_train.onnx", "m", "--loss=squared_error"]);
    let mlp = Mlp::load(folder.join("m")).unwrap();
    assert_eq!((mlp.loss(), mlp.keeps()[1]), (Loss::SquaredError, Keep::HALF));
    succeeds(folder, &["convert", "mlp_script_train.onnx", "c"]);
    succeeds(folder, &["convert", "c", "t"]);
    let (graph, model, dict) =
        (inspect(folder, "mlp_script_train.onnx"), inspect(folder, "c"), inspect(folder, "t"));
    assert_eq!((&graph["kind"], &dict["kind"]), (&json!("ONNX graph"), &json!("state dict")));
    assert_eq!((&dict["scaling"], &model["scaling"]), (&json!("inverted"), &Value::Null));
    assert_eq!((&graph["format"], &model["format"]), (&Value::Null, &json!(2)));
    for field in ["layers", "digest", "parameters", "inputs"] {
        assert!(!graph[field].is_null(), "{field}");
        assert_eq!(graph[field], model[field], "{field}");
        assert_eq!(dict[field], model[field], "{field}");
    }
    // The graph ends in a linear layer, which does not imply a loss.
    assert_eq!((&graph["loss"], &dict["loss"]), (&Value::Null, &model["loss"]));
    assert_eq!(inspect(folder, "sigmoid_dynamo.onnx")["loss"], "binary_cross_entropy");
    let text = succeeds(folder, &["inspect", "mlp_script_train.onnx"]);
    for part in ["ONNX graph", "8-70-24-3", "loss           not stated"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("formats"));
    let arguments = ["convert", "sigmoid_dynamo.onnx", "out", "--loss=squared_error"];
    fails(folder, &arguments, 1, "binary_cross_entropy");
}

/// Every node is listed, even if one of them is refused.
#[test]
fn a_graph_is_inspected_node_by_node() {
    let folder = folder(&["normalised_script_train.onnx", "bad_prelu.onnx", "sklearn_values.onnx"]);
    let folder = folder.path();
    let roles = |found: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let nodes = found["nodes"].as_array().unwrap().iter();
        nodes.map(|node| (text(&node["operator"]), text(&node["role"]))).collect()
    };
    let found = inspect(folder, "normalised_script_train.onnx");
    let roles_of = roles(&found);
    for (operator, role) in [
        ("Flatten", "identity"),
        ("BatchNormalization", "folded"),
        ("Relu", "network"),
        ("Dropout", "network"),
        ("Gemm", "network"),
    ] {
        let expected = (operator.to_owned(), role.to_owned());
        assert!(roles_of.contains(&expected), "{operator}: {roles_of:?}");
    }
    // `convert` prints the same note.
    let note = found["notes"][0].as_str().unwrap();
    assert!(note.contains("exported in training mode"), "{note}");
    let run = program::run(folder, &["convert", "normalised_script_train.onnx", "m"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.success() && said.starts_with("note: node `/norm1/"), "{said}");
    // The output that is imported does not need the nodes of the labels.
    let text = succeeds(folder, &["inspect", "sklearn_values.onnx"]);
    assert!(text.contains("folded into layer 2") && !text.contains("note:"), "{text}");

    let run = program::run(folder, &["inspect", "bad_prelu.onnx"]);
    assert_eq!(run.status.code(), Some(1));
    let (shown, error) =
        (String::from_utf8(run.stdout).unwrap(), String::from_utf8(run.stderr).unwrap());
    assert!(shown.contains("refused") && shown.contains("after a refused node"), "{shown}");
    assert!(error.contains("(`PRelu`): unsupported operator: expected one of Gemm"), "{error}");
    let run = program::run(folder, &["inspect", "bad_prelu.onnx", "--json"]);
    let refused: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert!(refused["refused"].as_str().unwrap().contains("(`PRelu`)"));
    let of_refused = roles(&refused);
    assert_eq!(of_refused.iter().filter(|(_, role)| role == "refused").count(), 1);
}

/// The file that contains the weights is an input, just like the graph.
#[test]
fn external_data_of_a_graph_is_not_overwritten() {
    let folder = folder(&["bad_external.onnx"]);
    let folder = folder.path();
    let (input, data) = ("bad_external.onnx", "bad_external.onnx.data");
    fails(
        folder,
        &["convert", input, "out"],
        1,
        "put `bad_external.onnx.data` in the graph's folder",
    );
    let zeros = vec![0; 1 << 16];
    fs::write(folder.join(data), &zeros).unwrap();
    for output in [data, "./bad_external.onnx.data"] {
        fails(folder, &["convert", input, output], 2, "expected different files");
        assert_eq!(fs::read(folder.join(data)).unwrap(), zeros);
    }
    succeeds(folder, &["convert", input, "m"]);
}

/// From each kind of file. Only the ending of the name decides on the format.
#[test]
fn every_network_can_be_exported_as_a_graph() {
    let folder = folder(&["sequential.safetensors", "mlp_script_train.onnx"]);
    let folder = folder.path();
    let dict = ["convert", "sequential.safetensors", "--architecture=layers.toml"];
    succeeds(folder, &[&dict[..], &["m"]].concat());
    succeeds(folder, &["convert", "m", "t"]);
    let mlp = Mlp::load(folder.join("m")).unwrap();
    let bytes = onnx::to_bytes(&mlp, &Export::new()).unwrap();
    let text = succeeds(folder, &["convert", "m", "g.onnx"]);
    let digest = format!("digest         {}\n", mlp.digest());
    for part in ["g.onnx: an ONNX graph, opset 13\n", "8-70-24-3", "bernoulli(0.8)", &digest] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("PyTorch") && !text.contains("training_mode"), "{text}");
    succeeds(folder, &[&dict[..], &["d.ONNX"]].concat());
    succeeds(folder, &["convert", "t", "e.Onnx"]);
    for name in ["g.onnx", "d.ONNX", "e.Onnx"] {
        assert!(fs::read(folder.join(name)).unwrap() == bytes, "{name}");
    }
    let text = succeeds(folder, &["convert", "t", "g.onnx", "--dropout"]);
    let call = r#"session.run(None, {"input": x, "training_mode": np.array(True)})"#;
    for part in ["g.onnx: an ONNX graph, opset 13, with Dropout nodes\n", call] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let bytes = onnx::to_bytes(&mlp, &Export::new().dropout(true)).unwrap();
    assert!(fs::read(folder.join("g.onnx")).unwrap() == bytes);
    // From a graph from elsewhere, with its keep rates.
    succeeds(folder, &["convert", "mlp_script_train.onnx", "of.onnx", "--dropout"]);
    succeeds(folder, &["convert", "mlp_script_train.onnx", "of"]);
    let of = Mlp::load(folder.join("of")).unwrap();
    let bytes = onnx::to_bytes(&of, &Export::new().dropout(true)).unwrap();
    assert!(fs::read(folder.join("of.onnx")).unwrap() == bytes);
}

#[test]
fn a_graph_that_thinnet_wrote_converts_back() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mlp = Mlp::builder(5)
        .input_noise(Keep::new(0.8).unwrap())
        .hidden(7, Activation::Relu, Keep::HALF)
        .hidden(3, Activation::Logistic, Keep::ONE)
        .sparse_input()
        .output(2, Loss::SquaredError)
        .seed(4)
        .build()
        .unwrap();
    mlp.save(folder.join("m")).unwrap();
    for dropout in [&[][..], &["--dropout"]] {
        succeeds(folder, &[&["convert", "m", "g.onnx"][..], dropout].concat());
        let (graph, model) = (inspect(folder, "g.onnx"), inspect(folder, "m"));
        assert_eq!(graph["kind"], "ONNX graph");
        // This includes keep rates, loss and sparse input, which the nodes alone do not state.
        let fields =
            ["layers", "digest", "parameters", "inputs", "outputs", "loss", "sparse_input"];
        for field in fields {
            assert_eq!(graph[field], model[field], "{field}");
        }
        succeeds(folder, &["inspect", "g.onnx"]);
        succeeds(folder, &["convert", "g.onnx", "again"]);
        assert_eq!(fs::read(folder.join("again")).unwrap(), fs::read(folder.join("m")).unwrap());
    }
}

#[test]
fn settings_that_do_not_apply_to_a_graph_are_refused() {
    let folder = folder(&["sequential.safetensors", "mlp_script.onnx"]);
    let folder = folder.path();
    let none = Mlp::builder(2).hidden(3, Activation::Tanh, Keep::ONE);
    let none = none.output(2, Loss::SoftmaxCrossEntropy).build().unwrap();
    none.save(folder.join("none")).unwrap();
    let some = Mlp::builder(2).input_noise(Keep::HALF).output(1, Loss::SquaredError);
    some.build().unwrap().save(folder.join("some")).unwrap();
    let layers = "--architecture=layers.toml";
    let all = "--dropout: the network in none has no dropout: expected a keep rate below 1";
    let ending = "--dropout is for ONNX graphs, but out is not named like one: expected an OUT";
    for (arguments, words) in [
        (&["convert", "some", "out", "--dropout"][..], ending),
        (&["convert", "mlp_script.onnx", "out", "--dropout"], ending),
        (&["convert", "sequential.safetensors", "out", layers, "--dropout"], ending),
        (&["convert", "none", "g.onnx", "--dropout"], all),
        (
            &["convert", "some", "g.onnx", "--scaling=inverted"],
            "--scaling is for state dicts, but OUT is an ONNX graph: expected no --scaling",
        ),
        (
            &["convert", "some", "g.onnx", "--scaling=paper", "--dropout"],
            "--scaling is for state dicts",
        ),
        (&["convert", "mlp_script.onnx", "g.onnx", "--scaling=paper"], "expected no --scaling"),
        (&["convert", "some", "g.onnx", "--loss=squared_error"], "expected no --loss"),
        (
            &["convert", "some", "g.ort"],
            "the ending of the name is that of ONNX Runtime's own format",
        ),
        (&["convert", "sequential.safetensors", "g.onnx"], "expected --architecture FILE.toml"),
        (&["convert", "mlp_script.onnx", "./mlp_script.onnx"], "expected different files"),
    ] {
        fails(folder, arguments, 2, words);
        assert!(!folder.join("g.onnx").exists(), "{arguments:?}");
    }
    // --scaling still applies to a state dict that is read.
    let form = ["convert", "sequential.safetensors", "g.onnx", layers, "--scaling=paper"];
    succeeds(folder, &form);
}

#[test]
fn a_state_dict_without_a_description_is_listed() {
    let folder = folder(&["normalised.safetensors"]);
    let found = inspect(folder.path(), "normalised.safetensors");
    assert_eq!(found["kind"], "tensors");
    assert_eq!(found["tensors"][0], json!({"name": "norm1.bias", "dtype": "F32", "shape": [20]}));
    let text = succeeds(folder.path(), &["inspect", "normalised.safetensors"]);
    assert!(text.contains("norm1.num_batches_tracked") && text.contains("--architecture"));
}

#[test]
fn a_checkpoint_is_exported_with_pending_factors_applied() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    succeeds(
        folder,
        &["train", "--hidden=8", "--epochs=1", "--out=m", "--checkpoint=c", "-q", "--threads=1"],
    );
    // Only the model has the settings of the run.
    let mut mlp = Mlp::load(folder.join("m")).unwrap();
    mlp.set_notes("").unwrap();
    mlp.save(folder.join("m")).unwrap();
    succeeds(folder, &["convert", "c", "of_c"]);
    succeeds(folder, &["convert", "m", "of_m"]);
    assert_eq!(fs::read(folder.join("of_c")).unwrap(), fs::read(folder.join("of_m")).unwrap());
}

#[test]
fn refusals_are_one_line() {
    let names = ["named.safetensors", "bad_prelu.onnx", "mlp_script.onnx"];
    let folder = folder(&names);
    let folder = folder.path();
    let [dict, prelu, graph] = names;
    let layers = "--architecture=layers.toml";
    fails(folder, &["convert", dict, "out"], 2, "expected --architecture FILE.toml");
    fails(folder, &["convert", prelu, "out"], 1, "bad_prelu.onnx: node `/1/PRelu`");
    fails(
        folder,
        &["convert", graph, "out", layers],
        2,
        "network, but mlp_script.onnx is an ONNX graph: expected no --architecture",
    );
    fails(
        folder,
        &["convert", graph, "out", "--scaling=paper"],
        2,
        "--scaling is for state dicts that do not",
    );
    fails(
        folder,
        &["convert", graph, "out", "--scaling=half"],
        2,
        "expected one of inverted, paper",
    );
    fails(folder, &["convert", graph, "out", "--loss=hinge"], 2, "expected one of softmax");
    fails(folder, &["convert", graph, graph], 2, "expected different files");
    fails(folder, &["convert", graph, "none/out"], 1, "OUT none/out");
    fails(folder, &["convert", "gone", "out"], 1, "gone");
    for (file, kind) in [(graph, "an ONNX graph"), (dict, "a state dict")] {
        let expected = format!("{kind}: expected a model (`thinnet convert` converts it to one)");
        fails(folder, &["predict", "--model", file], 1, &expected);
    }
    fs::write(folder.join("text.onnx"), "neither").unwrap();
    fails(folder, &["convert", "text.onnx", "out"], 1, "not an ONNX model");
    for (toml, words) in [
        ("hidden = [", "layers.toml: line 1: "),
        ("\nwidth = 7\n", "layers.toml: line 2: unknown field `width`"),
        (
            "loss = \"squared_error\"\ninput_keep = \"x\"",
            "layers.toml: line 2: invalid type: string \"x\", expected a number, in `input_keep = \"x\"`",
        ),
        ("input_keep = 1.5", "keep rate 1.5: expected a number above 0 and at most 1"),
        ("hidden = [{ activation = \"swoosh\" }]", "activation `swoosh`: expected one of relu"),
    ] {
        fs::write(folder.join("layers.toml"), toml).unwrap();
        fails(folder, &["convert", dict, "out", layers], 1, words);
    }
    fs::File::create(folder.join("layers.toml")).unwrap().set_len(1 << 33).unwrap();
    fails(folder, &["convert", dict, "out", layers], 1, "larger than 1048576 bytes");
    let model = Mlp::builder(2).output(1, Loss::SquaredError).build().unwrap();
    model.save(folder.join("m")).unwrap();
    fails(folder, &["convert", "m", "out", "--loss=squared_error"], 2, "expected no --loss");
}

/// They are recognised by their contents, whatever their names are.
#[test]
fn refusals_of_torch_save_files_say_how_to_convert_them() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let mut zip = b"PK\x03\x04".to_vec();
    zip.resize(26, 0);
    zip.extend([16, 0, 0, 0]);
    zip.extend(b"archive/data.pkl\x80\x02}q\x00.");
    let legacy = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec();
    for (bytes, name) in [(&zip, "m.pt"), (&legacy, "m.pth"), (&zip, "m.onnx"), (&legacy, "m.bin")]
    {
        fs::write(folder.join(name), bytes).unwrap();
        let line = format!(
            "import torch; from safetensors.torch import save_file; \
             save_file(torch.load(\"{name}\", \
             map_location=\"cpu\"), \"m.safetensors\")"
        );
        fails(folder, &["convert", name, "out"], 1, &line);
        fails(folder, &["convert", name, "out", "--architecture=none.toml"], 1, &line);
        fails(folder, &["inspect", name], 1, &line);
        for command in ["eval", "predict", "calibration", "profile"] {
            fails(folder, &[command, "--model", name], 1, &line);
        }
        fails(folder, &["train", "--resume", name, "--checkpoint=new", "--quiet"], 1, &line);
        for error in [
            Mlp::load(folder.join(name)).unwrap_err(),
            StateDict::read(folder.join(name)).and_then(|file| file.network(None)).unwrap_err(),
        ] {
            assert!(error.to_string().contains("import torch"), "{error}");
        }
    }
}

/// Sparse files of 8 GiB. To read one would take long and need too much memory.
#[test]
fn large_files_that_are_not_networks_are_refused_by_their_first_bytes() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    for (name, first, words) in [
        ("zeros", "", "zeros: a file of unknown format: expected a thinnet model or checkpoint, "),
        ("table.csv", "a,b,c\n1,2,3\n", "a file of unknown format: "),
        ("zeros.onnx", "", "not an ONNX model: its first byte is 0"),
    ] {
        fs::write(folder.join(name), first).unwrap();
        let file = fs::File::options().write(true).open(folder.join(name)).unwrap();
        file.set_len(1 << 33).unwrap();
        fails(folder, &["convert", name, "out"], 1, words);
        fails(folder, &["inspect", name], 1, words);
    }
    fails(folder, &["predict", "--model=zeros"], 1, "zeros: not a safetensors file");
    // A file that never ends.
    #[cfg(target_os = "linux")]
    for (arguments, words) in [
        (&["inspect", "/dev/zero"][..], "/dev/zero: a file of unknown format: "),
        (&["predict", "--model=/dev/zero"], "/dev/zero: not a safetensors file: expected a header"),
    ] {
        fails(folder, arguments, 1, words);
    }
}
