//! Networks that PyTorch and scikit-learn wrote: `tests/fixtures/make.py` made the files, and
//! `expected.json` with their outputs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, tensor::TensorView};
use serde_json::Value;
use thinnet::{
    Error, Keep,
    data::Batch,
    exchange::{
        FileKind,
        onnx::Model,
        torch::{self, Sequential, StateDict, StateDictSpec},
    },
    nn::{Activation, Loss, Mlp, NegativeSlope, Scaling},
    predict::{MonteCarlo, Predictor, Seeds},
    tensor::MatrixView,
};

/// The maximum difference of two engines that add up f32 in different orders, relative to the
/// row's largest output.
const ORDER: f64 = 1e-5;

/// The same if PyTorch computes in f16, with 11 bits: each of the three layers rounds its inputs,
/// its sum and its activation by 2^-11 of their values. The outputs are sums of 24 such values,
/// whose errors partly cancel.
const F16: f64 = 4e-3;

/// The same in bfloat16, with 8 bits: 2^3 times as much.
const BF16: f64 = 8.0 * F16;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn expected(name: &str) -> Value {
    let all = fs::read(fixture("expected.json")).unwrap();
    let mut all: Value = serde_json::from_slice(&all).unwrap();
    assert!(all[name].is_object(), "{name}");
    all[name].take()
}

fn rows(of: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(of.clone()).unwrap()
}

/// Checks that the rows are equal within `tolerance` of each row's largest value.
fn assert_close(name: &str, ours: &MatrixView<'_>, theirs: &[Vec<f64>], tolerance: f64) {
    assert_eq!((ours.rows(), ours.columns()), (theirs.len(), theirs[0].len()), "{name}");
    for (row, theirs) in theirs.iter().enumerate() {
        let most = theirs.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
        for (&a, b) in ours.row(row).unwrap().iter().zip(theirs) {
            let difference = (f64::from(a) - b).abs();
            assert!(difference <= tolerance * most, "{name}, row {row}: {a} is not {b}");
        }
    }
}

/// Compares the network's logits and predictions with those of the fixture.
fn agrees(name: &str, mlp: &Mlp) {
    let expected = expected(name);
    let inputs = rows(&expected["inputs"]);
    let x: Vec<f32> = inputs.iter().flatten().map(|&x| x as f32).collect();
    let x = MatrixView::new(&x, inputs.len(), inputs[0].len()).unwrap();
    let predictor = Predictor::new(mlp.clone());
    let mut workspace = predictor.workspace(inputs.len()).unwrap();
    let mut compared = 0;
    let low = if name.contains("bf16") { BF16 } else { F16 };
    for (what, tolerance) in [("logits", ORDER), ("low_precision", low), ("probabilities", ORDER)] {
        let Some(theirs) = expected.get(what).map(rows) else { continue };
        let batch = Batch::dense(x);
        let ours = if what == "probabilities" {
            predictor.predict(&batch, &mut workspace).unwrap()
        } else {
            predictor.logits(&batch, &mut workspace).unwrap()
        };
        assert_close(&format!("{name} {what}"), &ours, &theirs, tolerance);
        compared += 1;
    }
    assert!(compared > 0, "{name}");
}

fn from_torch(bytes: &[u8], layers: Option<&StateDictSpec>) -> Result<Mlp, Error> {
    StateDict::from_bytes(bytes)?.network(layers)
}

fn torch(name: &str, layers: &StateDictSpec) -> Mlp {
    let path = fixture(&format!("{name}.safetensors"));
    assert_eq!(FileKind::read(&path).unwrap(), FileKind::StateDict);
    StateDict::read(&path).and_then(|file| file.network(Some(layers))).unwrap()
}

fn onnx(name: &str, loss: Option<Loss>) -> Mlp {
    let path = fixture(&format!("{name}.onnx"));
    assert_eq!(FileKind::read(&path).unwrap(), FileKind::Onnx);
    Model::read(&path).unwrap().network(loss).unwrap()
}

fn refused(name: &str, layers: Option<&StateDictSpec>, words: &str) {
    let path = fixture(&format!("{name}.safetensors"));
    let message =
        StateDict::read(&path).and_then(|file| file.network(layers)).unwrap_err().to_string();
    assert!(message.starts_with(&format!("{}: ", path.display())), "{message}");
    assert!(message.contains(words), "{message}");
}

/// The `nn.Sequential` of make.py.
fn sequential() -> StateDictSpec {
    StateDictSpec::new()
        .input_keep(Keep::from_drop(0.2).unwrap())
        .hidden(Activation::Relu, Keep::HALF)
        .hidden(Activation::Tanh, Keep::ONE)
}

fn named() -> StateDictSpec {
    let keep = Keep::from_drop(0.25).unwrap();
    StateDictSpec::new().hidden(Activation::Relu, keep).hidden(Activation::Relu, keep)
}

#[test]
fn state_dicts_of_pytorch_predict_as_pytorch_does() {
    for name in ["sequential", "sequential_f16", "sequential_bf16"] {
        let mlp = torch(name, &sequential());
        assert_eq!(mlp.widths(), [8, 70, 24, 3]);
        assert_eq!(mlp.keeps(), [Keep::new(0.8).unwrap(), Keep::HALF, Keep::ONE]);
        assert_eq!(mlp.loss(), Loss::SoftmaxCrossEntropy);
        agrees(name, &mlp);
    }
    let mlp = torch("named", &named());
    agrees("named", &mlp);
    assert_eq!(torch("named", &named().names(["fc1", "fc2", "out"])), mlp);
    let mlp = torch("no_bias", &StateDictSpec::new().hidden(Activation::Logistic, Keep::ONE));
    assert_eq!((mlp.bias(0).unwrap(), mlp.loss()), (&[0.0; 6][..], Loss::SquaredError));
    agrees("no_bias", &mlp);
}

#[test]
fn weights_in_the_papers_form_are_multiplied_by_the_keep_rate() {
    let layers = StateDictSpec::new().hidden(Activation::Relu, Keep::HALF).scaling(Scaling::Paper);
    let mlp = torch("paper", &layers);
    agrees("paper", &mlp);
    let as_inverted = torch("paper", &layers.scaling(Scaling::Inverted));
    assert_ne!(as_inverted, mlp);
    // The metadata states their form.
    let bytes = torch::to_bytes(&mlp, Scaling::Paper).unwrap();
    assert!(String::from_utf8_lossy(&bytes).contains(r#"\"scaling\":\"paper\""#));
    let weights = StateDictSpec::new().hidden(Activation::Relu, Keep::HALF);
    let read = |layers: &StateDictSpec| from_torch(&bytes, Some(layers));
    assert_eq!(read(&weights).unwrap(), mlp);
    assert_eq!(read(&weights.clone().scaling(Scaling::Paper)).unwrap(), mlp);
    let message = read(&weights.scaling(Scaling::Inverted)).unwrap_err().to_string();
    assert!(
        message.contains("the file states scaling `paper`: expected `inverted`, as given"),
        "{message}"
    );
    assert_eq!(StateDict::from_bytes(&bytes).unwrap().scaling().unwrap(), Some(Scaling::Paper));
    assert_eq!(from_torch(&bytes, None).unwrap(), mlp);
}

#[test]
fn networks_for_pytorch_come_back_bit_for_bit() {
    for sparse in [false, true] {
        let builder = Mlp::builder(5)
            .input_noise(Keep::new(0.8).unwrap())
            .hidden(70, Activation::Relu, Keep::new(0.3).unwrap())
            .hidden(3, Activation::Identity, Keep::ONE)
            .hidden(9, Activation::Logistic, Keep::from_k(1).unwrap());
        let builder = if sparse { builder.sparse_input() } else { builder };
        let mlp = builder.output(2, Loss::BinaryCrossEntropy).seed(3).build().unwrap();
        let bytes = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
        assert_eq!(torch::to_bytes(&mlp, Scaling::Inverted).unwrap(), bytes);
        let again = from_torch(&bytes, None).unwrap();
        assert_eq!((&again, again.digest()), (&mlp, mlp.digest()));
        let names: Vec<_> = StateDict::from_bytes(&bytes)
            .unwrap()
            .tensors()
            .into_iter()
            .map(|tensor| (tensor.name, tensor.dtype, tensor.shape))
            .collect();
        let f32 = |name: &str, shape: &[usize]| (name.to_owned(), "F32".to_owned(), shape.to_vec());
        assert_eq!(
            names,
            [
                f32("1.bias", &[70]),
                f32("1.weight", &[70, 5]),
                f32("4.bias", &[3]),
                f32("4.weight", &[3, 70]),
                f32("5.bias", &[9]),
                f32("5.weight", &[9, 3]),
                f32("8.bias", &[2]),
                f32("8.weight", &[2, 9]),
            ]
        );
        assert!(Mlp::from_bytes(&bytes).unwrap_err().to_string().contains("`thinnet`"));
        // The paper's form is rounded once in each direction.
        let bytes = torch::to_bytes(&mlp, Scaling::Paper).unwrap();
        let again = from_torch(&bytes, None).unwrap();
        for layer in 0..mlp.depth() {
            let pairs = mlp.weights(layer).unwrap().into_iter().zip(again.weights(layer).unwrap());
            for (ours, again) in pairs {
                assert!((ours - again).abs() <= ours.abs() * f32::EPSILON, "{ours} {again}");
            }
        }
    }
}

#[test]
fn the_expression_for_pytorch_is_that_of_the_fixture() {
    assert_eq!(
        Sequential::from(&torch("sequential", &sequential())).to_string(),
        "nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 70), nn.ReLU(), nn.Dropout(0.5), \
         nn.Linear(70, 24), nn.Tanh(), nn.Linear(24, 3))"
    );
}

#[test]
fn other_state_dicts_are_refused_with_the_tensor() {
    refused("sequential", None, "expected a description of the layers");
    let short = StateDictSpec::new().hidden(Activation::Relu, Keep::HALF);
    refused(
        "sequential",
        Some(&short),
        "3 linear layers (1.weight, 4.weight, 6.weight): expected 2",
    );
    refused("normalised", Some(&sequential()), "norm1.num_batches_tracked is I64 []: expected");
    let layers = sequential().names(["1", "6", "4"]);
    refused(
        "sequential",
        Some(&layers),
        "6.weight is [3, 24]: expected 70 inputs, the outputs of 1",
    );
    let layers = sequential().names(["1", "4", "5"]);
    refused("sequential", Some(&layers), "no tensor 5.weight, though `names` lists 5");
    let layers = sequential().names(["1", "4"]);
    refused("sequential", Some(&layers), "6.weight: expected only layers named 1, 4");
    // The metadata of thinnet states which tensors there are.
    let mlp = torch("sequential", &sequential());
    let mut bytes = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
    let at = bytes.windows(6).position(|name| name == b"4.bias").unwrap();
    bytes[at..at + 6].copy_from_slice(b"4.else");
    let message = from_torch(&bytes, None).unwrap_err().to_string();
    assert_eq!(message, "tensor 4.bias is missing");
    let message = StateDict::read(fixture("gone"))
        .and_then(|file| file.network(None))
        .unwrap_err()
        .to_string();
    assert!(message.contains("gone"), "{message}");
}

/// A state dict with these weights `[rows, columns]` and biases, whose numbers are 0, 1, 2, ... in
/// each tensor.
fn state_dict(weights: &[(&str, [usize; 2])], biases: &[(&str, usize)]) -> Vec<u8> {
    let weights = weights.iter().map(|&(name, shape)| (format!("{name}.weight"), shape.to_vec()));
    let biases = biases.iter().map(|&(name, width)| (format!("{name}.bias"), vec![width]));
    let all: Vec<_> = weights
        .chain(biases)
        .map(|(name, shape)| {
            let numbers = 0..shape.iter().product::<usize>();
            (name, shape, numbers.flat_map(|x| (x as f32).to_le_bytes()).collect::<Vec<u8>>())
        })
        .collect();
    let views = all.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// Tensors of more elements than are read at once.
#[test]
fn half_precision_weights_of_large_tensors_are_all_read() {
    let numbers = || (0..2 * 9999).map(|i| (i % 127 + 1) as f32);
    let f16 = numbers().flat_map(|x| half::f16::from_f32(x).to_le_bytes()).collect::<Vec<_>>();
    let bf16 = numbers().flat_map(|x| half::bf16::from_f32(x).to_le_bytes()).collect::<Vec<_>>();
    for (dtype, weights) in [(Dtype::F16, f16), (Dtype::BF16, bf16)] {
        let views = [
            ("0.weight", TensorView::new(dtype, vec![2, 9999], &weights).unwrap()),
            ("0.bias", TensorView::new(dtype, vec![2], &weights[..4]).unwrap()),
        ];
        let file = safetensors::serialize(views, None).unwrap();
        let mlp = from_torch(&file, Some(&StateDictSpec::new())).unwrap();
        assert_eq!(mlp.weights(0).unwrap(), numbers().collect::<Vec<_>>(), "{dtype:?}");
        assert_eq!(mlp.bias(0).unwrap(), [1.0, 2.0], "{dtype:?}");
    }
}

/// A file with weights `[inputs, outputs]` looks like the reversed network.
#[test]
fn weights_that_could_be_transposed_are_refused() {
    let layers = StateDictSpec::new().hidden(Activation::Relu, Keep::HALF);
    let read = |bytes: &[u8], layers: &StateDictSpec| from_torch(bytes, Some(layers));
    let refused = |bytes: &[u8], layers: &StateDictSpec, words: &str| {
        let message = read(bytes, layers).map(|mlp| mlp.widths()).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    // 3-8-6, stored both ways.
    let turned = [("first", [3, 8]), ("second", [8, 6])];
    let stored = [("first", [8, 3]), ("second", [6, 8])];
    for weights in [turned, stored] {
        refused(
            &state_dict(&weights, &[]),
            &layers,
            "list the layers from input to output as `names`",
        );
    }
    let named = layers.clone().names(["first", "second"]);
    refused(&state_dict(&turned, &[]), &named, "all weights would fit transposed");
    let mlp = read(&state_dict(&stored, &[]), &named).unwrap();
    assert_eq!(mlp.widths(), [3, 8, 6]);
    // One bias is enough.
    let biased = read(&state_dict(&stored, &[("second", 6)]), &layers).unwrap();
    assert_eq!(biased.widths(), [3, 8, 6]);
    assert_eq!(biased.weights(0).unwrap(), mlp.weights(0).unwrap());
    refused(&state_dict(&turned, &[("second", 6)]), &layers, "second.bias is F32 [6]: expected");
    refused(&state_dict(&turned, &[("first", 8)]), &layers, "first.bias is F32 [8]: expected");
    // So are numbers anywhere in the names.
    let numbered = |one, two| [("layers.0.linear", one), ("layers.1.linear", two)];
    let mlp = read(&state_dict(&numbered([8, 3], [6, 8]), &[]), &layers).unwrap();
    assert_eq!(mlp.widths(), [3, 8, 6]);
    refused(&state_dict(&numbered([3, 8], [8, 6]), &[]), &layers, "apparently transposed");
    let palindrome = state_dict(&numbered([8, 3], [3, 8]), &[]);
    refused(&palindrome, &layers, "fit together both ways");
    let names = layers.clone().names(["layers.0.linear", "layers.1.linear"]);
    assert_eq!(read(&palindrome, &names).unwrap().widths(), [3, 8, 3]);
}

#[test]
fn layers_of_one_shape_are_ordered_by_the_numbers_in_their_names() {
    for names in [
        ["layers.2.linear", "layers.10.linear", "layers.11.linear"],
        ["blocks.0.fc1", "blocks.0.fc2", "blocks.1.fc1"],
    ] {
        // Only one has a bias, which distinguishes it.
        for at in 0..3 {
            let bytes = state_dict(&names.map(|name| (name, [2, 2])), &[(names[at], 2)]);
            let layers = StateDictSpec::new()
                .hidden(Activation::Tanh, Keep::ONE)
                .hidden(Activation::Tanh, Keep::ONE);
            let mlp = from_torch(&bytes, Some(&layers)).unwrap();
            for layer in 0..3 {
                let expected = if layer == at { [0.0, 1.0] } else { [0.0; 2] };
                assert_eq!(mlp.bias(layer).unwrap(), expected, "{names:?}");
            }
        }
    }
}

/// A softmax over one output is always 1. The error names the file.
#[test]
fn a_softmax_over_one_output_is_refused() {
    let one = Mlp::builder(3).output(1, Loss::SquaredError).build().unwrap();
    let softmax = StateDictSpec::new().loss(Loss::SoftmaxCrossEntropy);
    let bytes = torch::to_bytes(&one, Scaling::Inverted).unwrap();
    assert_eq!(from_torch(&bytes, Some(&StateDictSpec::new())).unwrap(), one);
    let message = from_torch(&bytes, Some(&softmax)).unwrap_err();
    let message = message.in_file("one.safetensors").to_string();
    let words = "one.safetensors: softmax_cross_entropy with 1 output: expected at least two";
    assert!(message.starts_with(words), "{message}");
}

#[test]
fn graphs_of_both_exporters_predict_as_pytorch_does() {
    for exporter in ["script", "dynamo"] {
        for (name, widths, loss) in [
            ("mlp", &[8, 70, 24, 3][..], Loss::SoftmaxCrossEntropy),
            ("normalised", &[8, 20, 10, 3], Loss::SoftmaxCrossEntropy),
            ("products", &[8, 12, 3], Loss::SoftmaxCrossEntropy),
            ("softmax", &[8, 6, 3], Loss::SoftmaxCrossEntropy),
            ("log_softmax", &[8, 6, 3], Loss::SoftmaxCrossEntropy),
            ("sigmoid", &[8, 6, 3], Loss::BinaryCrossEntropy),
            ("f16", &[8, 70, 24, 3], Loss::SoftmaxCrossEntropy),
        ] {
            let name = format!("{name}_{exporter}");
            let mlp = onnx(&name, None);
            assert_eq!((&mlp.widths()[..], mlp.loss()), (widths, loss), "{name}");
            assert!(mlp.keeps().iter().all(|keep| !keep.drops()), "{name}");
            agrees(&name, &mlp);
        }
    }
}

#[test]
fn dropout_of_exports_for_training_becomes_keep_rates() {
    let keep = Keep::from_drop(0.2).unwrap();
    for name in ["mlp_script_train", "mlp_dynamo_train", "opset11_train"] {
        let mlp = onnx(name, None);
        assert_eq!(mlp.keeps(), [keep, Keep::HALF, Keep::ONE], "{name}");
        assert_eq!(mlp.activations(), [Activation::Relu, Activation::Tanh], "{name}");
        agrees(name, &mlp);
    }
    for name in ["normalised_script_train", "normalised_dynamo_train"] {
        let mlp = onnx(name, None);
        assert_eq!(mlp.keeps(), [Keep::ONE, Keep::HALF, Keep::ONE], "{name}");
        agrees(name, &mlp);
    }
    // The thinned networks of an imported model differ.
    let predictor = Predictor::new(onnx("mlp_script_train", None));
    let mut workspace = predictor.workspace(1).unwrap();
    let x = MatrixView::new(&[1.0; 8], 1, 8).unwrap();
    let settings = MonteCarlo::new(50).unwrap();
    let seeds = Seeds::Each(&[1]);
    let estimates =
        predictor.monte_carlo(&Batch::dense(x), &settings, seeds, &mut workspace).unwrap();
    let estimate = estimates.iter().next().unwrap();
    assert!(estimate.mutual_information().unwrap() > 0.001);
}

/// With the running statistics after the export in training mode.
#[test]
fn batch_norm_after_an_activation_is_folded_into_the_next_layer() {
    let mlp = onnx("late_norm", None);
    assert_eq!(mlp.widths(), [8, 6, 3]);
    agrees("late_norm", &mlp);
}

/// alpha, beta, weights in both orientations, two biases, f16 as numbers, constants as nodes,
/// dropout before a ReLU.
#[test]
fn a_graph_of_everything_predicts_as_in_the_standard() {
    let mlp = onnx("standard", None);
    assert_eq!(mlp.widths(), [8, 6, 5, 4, 3]);
    let activations = [Activation::Relu, Activation::Relu, Activation::Identity];
    assert_eq!(mlp.activations(), activations);
    let keep = Keep::new(0.75).unwrap();
    assert_eq!(mlp.keeps(), [keep, Keep::HALF, Keep::ONE, Keep::ONE]);
    agrees("standard", &mlp);
}

#[test]
fn a_leaky_relu_keeps_its_slope() {
    for name in ["leaky_script", "leaky_dynamo"] {
        let mlp = onnx(name, None);
        assert_eq!(mlp.activations(), [Activation::LeakyRelu(NegativeSlope::new(0.1).unwrap())]);
        agrees(name, &mlp);
        let bytes = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
        assert_eq!(from_torch(&bytes, None).unwrap(), mlp);
    }
}

#[test]
fn networks_from_scikit_learn_predict_as_it_does() {
    let mlp = onnx("sklearn_classes", None);
    assert_eq!((mlp.widths(), mlp.loss()), (vec![8, 12, 7, 3], Loss::SoftmaxCrossEntropy));
    agrees("sklearn_classes", &mlp);
    // With the default options, and with two classes.
    agrees("sklearn_zipmap", &onnx("sklearn_zipmap", None));
    agrees("sklearn_bits", &onnx("sklearn_bits", None));
    let mlp = onnx("sklearn_values", None);
    assert_eq!((mlp.widths(), mlp.loss()), (vec![8, 12, 7, 1], Loss::SquaredError));
    agrees("sklearn_values", &mlp);
}

/// The length of a header may begin with the same byte as an ONNX file.
#[test]
fn a_truncated_state_dict_is_not_taken_for_a_graph() {
    let header = format!("{{{}}}", " ".repeat(8 + 256 - 2));
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
    assert_eq!(bytes[0], 8);
    assert_eq!(FileKind::from_bytes(&bytes).unwrap(), FileKind::StateDict);
    for end in 8..bytes.len() {
        let message = FileKind::from_bytes(&bytes[..end]).unwrap_err().to_string();
        assert!(message.starts_with("not a safetensors file"), "{end}: {message}");
    }
}

#[test]
fn other_graphs_are_refused_with_the_node() {
    for (name, words) in [
        ("bad_prelu", "(`PRelu`): unsupported operator: expected one of Gemm"),
        ("bad_external", "is stored in another file"),
        ("bad_sklearn_pairs", "(`Reshape`): makes rows of 1 elements: expected 2, as in its input"),
    ] {
        let path = fixture(&format!("{name}.onnx"));
        let message = Model::read(&path).unwrap().network(None).unwrap_err().to_string();
        assert!(message.starts_with(&format!("{}: ", path.display())), "{message}");
        assert!(message.contains(words), "{message}");
    }
    let path = fixture("softmax_script.onnx");
    let loss = |name: &str| {
        let path = fixture(name);
        Model::read(&path).unwrap().import(None).unwrap().loss
    };
    assert_eq!(loss("softmax_script.onnx"), Some(Loss::SoftmaxCrossEntropy));
    assert_eq!(loss("sigmoid_dynamo.onnx"), Some(Loss::BinaryCrossEntropy));
    assert_eq!(loss("mlp_script.onnx"), None);
    // A graph that ends in values can have been trained with any loss of values.
    let values = Model::read(fixture("mlp_script.onnx")).unwrap();
    let huber = "huber(0.3)".parse().unwrap();
    assert_eq!(values.network(Some(huber)).unwrap().loss(), huber);
    let asked = Model::read(&path).unwrap().network(Some(Loss::SquaredError));
    let message = asked.unwrap_err().to_string();
    assert!(
        message.contains("states the loss softmax_cross_entropy: expected this loss or none to be given, got squared_error"),
        "{message}"
    );
}

/// Sparse files of 8 GiB: reading one would take long and use all memory.
#[test]
fn other_files_are_refused_by_their_first_byte_or_their_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.onnx");
    for (first, words) in [(0, "its first byte is 0"), (8, "larger than 2147483648 bytes")] {
        fs::write(&path, [first]).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_len(1 << 33).unwrap();
        let message = Model::read(&path).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    fs::write(&path, "").unwrap();
    let message = Model::read(&path).unwrap_err().to_string();
    assert!(message.contains("empty"), "{message}");
}

/// None of the formats is named as the expected one.
#[test]
fn a_file_of_another_format_is_not_called_a_broken_one_of_a_known_format() {
    const KINDS: &str =
        "expected a thinnet model or checkpoint, a state dict in safetensors, or an ONNX graph";
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, reason) in [
        ("rows.npy", &b"\x93NUMPY\x01\0"[..], format!("{KINDS}; this is a NumPy array (NPY)")),
        ("empty.onnx", b"", format!("{KINDS}; this is an empty file")),
        ("a.csv", b"name,age\nn1,24\n", format!("a file of unknown format: {KINDS}")),
        ("short", b"ab", format!("a file of unknown format: {KINDS}")),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let message = format!("{}: {reason}", path.display());
        assert_eq!(FileKind::read(&path).unwrap_err().to_string(), message);
        assert_eq!(FileKind::read_whole(&path).unwrap_err().to_string(), message);
    }
    // Where only safetensors is possible, the fault is not the length that the text would state.
    for bytes in [&b"name,age\nn1,24\n"[..], b"ab"] {
        let message = Mlp::from_bytes(bytes).unwrap_err().to_string();
        assert!(message.starts_with("not a safetensors file: expected a header"), "{message}");
    }
}
