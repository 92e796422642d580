//! Networks as ONNX graphs, compared with graphs that Python built and ONNX Runtime ran
//! (`tests/fixtures/make_out.py`), and read by an independent decoder.

use std::{collections::HashMap, fs, path::Path};

use proptest::prelude::*;
use serde_json::json;
use thinnet::{
    Keep,
    data::Batch,
    exchange::onnx::{self, Export},
    nn::{
        Activation, EluAlpha, GaussianBeta, HuberDelta, Loss, Mlp, MlpBuilder, NegativeSlope,
        PredictionKind,
    },
    predict::Predictor,
    tensor::MatrixView,
};

use crate::cases;

fn leaky(slope: f32) -> Activation {
    Activation::LeakyRelu(NegativeSlope::new(slope).unwrap())
}

/// The means are those of the graph, and the variances e^z: changes of the mask, which is 1, 1, 0, 0,
/// or of what the node chooses from are refused.
#[test]
fn means_and_variances_are_chosen_by_a_mask() {
    let loss = Loss::GaussianNll(GaussianBeta::new(0.5).unwrap());
    let mlp = Mlp::builder(3).hidden(5, Activation::Relu, Keep::HALF).output(4, loss);
    let mlp = mlp.seed(2).build().unwrap();
    comes_back(&mlp, true);
    let bytes = onnx::to_bytes(&mlp, &Export::new()).unwrap();
    let without_metadata = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let at = bytes.windows(12).rposition(|window| window == b"thinnet.onnx").unwrap();
        bytes[at] = b'T';
        onnx::Model::from_bytes(bytes)
    };
    let model = without_metadata(&bytes);
    let import = model.import(None).unwrap();
    let plain = Loss::GaussianNll(GaussianBeta::DEFAULT);
    assert_eq!(import.loss, Some(plain));
    let network = model.network(None).unwrap();
    assert_eq!((network.loss(), network.digest()), (plain, mlp.digest()));
    assert_eq!(model.network(Some(loss)).unwrap().loss(), loss);
    assert!(model.network(Some(Loss::Poisson)).is_err());

    let mask = b"layers.1.is_mean\x4a\x04\x01\x01\x00\x00";
    let at = bytes.windows(mask.len()).position(|window| window == mask).unwrap() + mask.len() - 4;
    for other in [[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0; 4], [1; 4], [1, 2, 0, 0]] {
        let mut changed = bytes.clone();
        changed[at..at + 4].copy_from_slice(&other);
        let error = without_metadata(&changed).network(None).unwrap_err().to_string();
        assert!(error.contains("Where") && error.contains("chooses between values"), "{error}");
    }
    // From e^z first.
    let inputs = b"\x0a\x0dlayers.1.gemm\x0a\x0clayers.1.exp";
    let at = bytes.windows(inputs.len()).position(|window| window == inputs).unwrap();
    let mut changed = bytes.clone();
    changed[at..at + inputs.len()].copy_from_slice(b"\x0a\x0clayers.1.exp\x0a\x0dlayers.1.gemm");
    let error = without_metadata(&changed).network(None).unwrap_err().to_string();
    assert!(error.contains("chooses between values"), "{error}");
}

fn keep(k: u32) -> Keep {
    Keep::from_k(k).unwrap()
}

/// A network with the parameters of `make_out.py`: small multiples of 1/8.
fn filled(builder: MlpBuilder) -> Mlp {
    let mut mlp = builder.build().unwrap();
    for (layer, pair) in mlp.widths().windows(2).enumerate() {
        let &[inputs, outputs] = pair else { unreachable!() };
        let weight = |i: usize| (7 * (i / inputs) + 3 * (i % inputs) + layer) % 11;
        let eighths = |number: usize, zero: f32| (number as f32 - zero) / 8.0;
        let weights: Vec<_> = (0..inputs * outputs).map(|i| eighths(weight(i), 5.0)).collect();
        let biases: Vec<_> = (0..outputs).map(|i| eighths((5 * i + layer) % 7, 3.0)).collect();
        mlp.set_weights(layer, &weights).unwrap();
        mlp.set_bias(layer, &biases).unwrap();
    }
    mlp
}

/// A network with every activation, and the smallest and largest keep rates.
fn every() -> Mlp {
    filled(
        Mlp::builder(3)
            .input_noise(keep(49152))
            .sparse_input()
            .hidden(5, leaky(0.125), Keep::HALF)
            .hidden(4, Activation::Identity, Keep::ONE)
            .hidden(6, Activation::Relu, keep(1))
            .hidden(3, Activation::Logistic, keep(65535))
            .hidden(4, Activation::Tanh, Keep::ONE)
            .output(2, Loss::SoftmaxCrossEntropy),
    )
}

/// The bytes of a fixture, with this version of the library instead of that of the script.
fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let bytes = fs::read(path).unwrap();
    let start = b"\x08\x07\x12\x07thinnet";
    let version = |version: &str| [&[26, version.len() as u8], version.as_bytes()].concat();
    let rest = bytes.strip_prefix(&[&start[..], &version("0.1.0")].concat()[..]).unwrap();
    [&start[..], &version(env!("CARGO_PKG_VERSION")), rest].concat()
}

#[test]
fn graphs_are_those_that_protocol_buffers_wrote_and_onnx_runtime_ran() {
    let (plain, dropout) = (Export::new(), Export::new().dropout(true));
    let one = || Mlp::builder(4);
    let bits = filled(one().input_noise(keep(52429)).output(2, Loss::BinaryCrossEntropy));
    let values = filled(one().output(2, Loss::SquaredError));
    for (name, mlp, export) in [
        ("out_every", &every(), &plain),
        ("out_every_dropout", &every(), &dropout),
        ("out_bits", &bits, &dropout),
        ("out_values", &values, &dropout),
    ] {
        let bytes = onnx::to_bytes(mlp, export).unwrap();
        assert!(bytes == fixture(&format!("{name}.onnx")), "{name}");
        assert_eq!(onnx::to_bytes(mlp, export).unwrap(), bytes, "{name}");
    }
    // Without dropout the graph is the same.
    assert!(onnx::to_bytes(&values, &plain).unwrap() == fixture("out_values.onnx"));
}

/// A field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Field<'a> {
    Int(u64),
    Bytes(&'a [u8]),
    Float(f32),
}

fn varint(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = rest[0];
        *rest = &rest[1..];
        value |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return value;
        }
    }
    unreachable!()
}

/// The fields of a message, with their numbers.
fn fields(mut rest: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let tag = varint(&mut rest);
        let value = match tag & 7 {
            0 => Field::Int(varint(&mut rest)),
            2 => {
                let length = varint(&mut rest) as usize;
                let (bytes, more) = rest.split_at(length);
                rest = more;
                Field::Bytes(bytes)
            }
            5 => {
                let (four, more) = rest.split_first_chunk().unwrap();
                rest = more;
                Field::Float(f32::from_le_bytes(*four))
            }
            wire => panic!("wire type {wire}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

/// The values of a repeated field.
fn all(message: &[u8], number: u64) -> Vec<Field<'_>> {
    fields(message).into_iter().filter(|(n, _)| *n == number).map(|(_, value)| value).collect()
}

fn messages(message: &[u8], number: u64) -> Vec<&[u8]> {
    let bytes = |field| if let Field::Bytes(bytes) = field { bytes } else { panic!("{field:?}") };
    all(message, number).into_iter().map(bytes).collect()
}

fn message(of: &[u8], number: u64) -> &[u8] {
    let found = messages(of, number);
    assert_eq!(found.len(), 1, "field {number}");
    found[0]
}

fn texts(message: &[u8], number: u64) -> Vec<String> {
    messages(message, number).into_iter().map(|b| String::from_utf8(b.to_vec()).unwrap()).collect()
}

/// A graph's nodes as "op(inputs) -> output", its tensors, and its inputs.
struct Graph {
    nodes: Vec<String>,
    tensors: HashMap<String, (Vec<u64>, Vec<f32>)>,
    inputs: Vec<String>,
    metadata: serde_json::Value,
}

fn graph(mlp: &Mlp, export: &Export) -> Graph {
    let bytes = onnx::to_bytes(mlp, export).unwrap();
    let has_gelu = mlp.activations().iter().any(|f| f.name().starts_with("gelu"));
    let (ir_version, opset) = if has_gelu { (9, 20) } else { (7, onnx::OPSET) };
    assert_eq!(all(&bytes, 1), [Field::Int(ir_version)]);
    assert_eq!(fields(message(&bytes, 8)), [(2, Field::Int(opset.into()))]);
    let entry = message(&bytes, 14);
    assert_eq!(texts(entry, 1), ["thinnet.onnx"]);
    let metadata = serde_json::from_slice(message(entry, 2)).unwrap();
    let graph = message(&bytes, 7);
    let nodes = messages(graph, 1).into_iter().map(|node| {
        let mut text = format!("{}({})", texts(node, 4)[0], texts(node, 1).join(", "));
        for attribute in messages(node, 5) {
            for (number, value) in fields(attribute) {
                if let (2, Field::Float(value)) = (number, value) {
                    text += &format!(" {}={value}", texts(attribute, 1)[0]);
                } else if let (3, Field::Int(value)) = (number, value) {
                    text += &format!(" {}={value}", texts(attribute, 1)[0]);
                }
            }
            for value in texts(attribute, 4) {
                text += &format!(" {}={value}", texts(attribute, 1)[0]);
            }
        }
        format!("{}: {text} -> {}", texts(node, 3)[0], texts(node, 2)[0])
    });
    let tensors = messages(graph, 5).into_iter().map(|tensor| {
        let dimension = |field| if let Field::Int(size) = field { size } else { panic!() };
        let shape = all(tensor, 1).into_iter().map(dimension).collect();
        let raw = message(tensor, 9).as_chunks().0.iter().map(|four| f32::from_le_bytes(*four));
        (texts(tensor, 8)[0].clone(), (shape, raw.collect()))
    });
    Graph {
        nodes: nodes.collect(),
        tensors: tensors.collect(),
        inputs: messages(graph, 11).into_iter().map(|input| texts(input, 1)[0].clone()).collect(),
        metadata,
    }
}

#[test]
fn every_activation_and_loss_has_its_node() {
    for &activation in &[Activation::ALL, &[leaky(1.0), leaky(2.5)]].concat() {
        for &loss in Loss::ALL {
            let outputs = 4 * loss.outputs_per_target();
            let mlp = Mlp::builder(70)
                .hidden(3, activation, Keep::HALF)
                .output(outputs, loss)
                .seed(1)
                .build()
                .unwrap();
            let found = graph(&mlp, &Export::new());
            assert_eq!(found.inputs, ["input"]);
            let of_activation = match activation {
                Activation::Relu => Some(("Relu", "relu", String::new())),
                Activation::LeakyRelu(a) => {
                    Some(("LeakyRelu", "leaky_relu", format!(" alpha={}", a.get())))
                }
                Activation::Logistic => Some(("Sigmoid", "sigmoid", String::new())),
                Activation::Tanh => Some(("Tanh", "tanh", String::new())),
                // A Mul follows.
                Activation::Silu => Some(("Sigmoid", "sigmoid", String::new())),
                Activation::Gelu => Some(("Gelu", "gelu", String::new())),
                Activation::GeluTanh => Some(("Gelu", "gelu", " approximate=tanh".to_owned())),
                Activation::Elu(a) => Some(("Elu", "elu", format!(" alpha={}", a.get()))),
                Activation::Softplus => Some(("Softplus", "softplus", String::new())),
                _ => None,
            };
            let of_loss = match loss {
                Loss::SoftmaxCrossEntropy => Some(("Softmax", "softmax", " axis=1")),
                Loss::BinaryCrossEntropy => Some(("Sigmoid", "sigmoid", "")),
                Loss::Poisson | Loss::GaussianNll(_) => Some(("Exp", "exp", "")),
                _ => None,
            };
            let gemm = |layer: usize, from: &str, to: &str| {
                format!(
                    "layers.{layer}.gemm: Gemm({from}, layers.{layer}.weight, \
                     layers.{layer}.bias) transB=1 -> {to}"
                )
            };
            let mut expected = vec![gemm(0, "input", "layers.0.gemm")];
            let mut hidden = "layers.0.gemm".to_owned();
            if let Some((op, name, attribute)) = of_activation {
                let name = format!("layers.0.{name}");
                expected.push(format!("{name}: {op}({hidden}){attribute} -> {name}"));
                hidden = name;
            }
            if activation == Activation::Silu {
                let product = "Mul(layers.0.sigmoid, layers.0.gemm)";
                hidden = "layers.0.silu".to_owned();
                expected.push(format!("{hidden}: {product} -> {hidden}"));
            }
            let to = if of_loss.is_some() { "layers.1.gemm" } else { "output" };
            expected.push(gemm(1, &hidden, to));
            if let Some((op, name, attribute)) = of_loss {
                let normal = loss.prediction_kind() == PredictionKind::Normals;
                let to = if normal { "layers.1.exp" } else { "output" };
                expected.push(format!("layers.1.{name}: {op}(layers.1.gemm){attribute} -> {to}"));
                if normal {
                    let inputs = "layers.1.is_mean, layers.1.gemm, layers.1.exp";
                    expected.push(format!("layers.1.normals: Where({inputs}) -> output"));
                }
            }
            assert_eq!(found.nodes, expected);
            for (layer, (inputs, outputs)) in [(70, 3), (3, outputs as u64)].into_iter().enumerate()
            {
                let (shape, numbers) = &found.tensors[&format!("layers.{layer}.weight")];
                assert_eq!(
                    (&shape[..], numbers),
                    (&[outputs, inputs][..], &mlp.weights(layer).unwrap())
                );
                let (shape, numbers) = &found.tensors[&format!("layers.{layer}.bias")];
                assert_eq!((&shape[..], &numbers[..]), (&[outputs][..], mlp.bias(layer).unwrap()));
            }
            let masks = found.tensors.keys().filter(|name| name.ends_with("is_mean")).count();
            assert_eq!(found.tensors.len(), 4 + masks);
            assert_eq!(found.metadata["loss"], loss.to_string());
            assert_eq!(found.metadata["layers"][0]["activation"], activation.to_string());
            let noise = json!({"keep_k": 32768, "kind": "bernoulli"});
            assert_eq!(found.metadata["layers"][0]["noise"], noise, "though no node drops");
        }
    }
}

#[test]
fn a_node_drops_at_each_site_with_the_rate_to_the_bit() {
    let found = graph(&every(), &Export::new().dropout(true));
    assert_eq!(found.inputs, ["input", "training_mode"]);
    let dropout: Vec<_> = found.nodes.iter().filter(|node| node.contains("Dropout")).collect();
    let mode = "training_mode.variable";
    let node = |site: &str, from: &str, mode: &str| {
        let name = format!("{site}.dropout");
        format!("{name}: Dropout({from}, {name}.ratio, {mode}) -> {name}")
    };
    // None or two inputs of each are outputs of nodes: see VARIABLE_MODE.
    let expected = [
        node("input", "input", "training_mode"),
        node("layers.0", "layers.0.leaky_relu", mode),
        node("layers.2", "layers.2.relu", mode),
        node("layers.3", "layers.3.sigmoid", mode),
    ];
    assert_eq!(dropout, expected.iter().collect::<Vec<_>>());
    for (site, k) in [("input", 49152), ("layers.0", 32768), ("layers.2", 1), ("layers.3", 65535)] {
        let (shape, ratio) = &found.tensors[&format!("{site}.dropout.ratio")];
        assert!(shape.is_empty() && ratio.len() == 1);
        // Exact, and so is 1 minus it, the keep rate.
        assert_eq!(f64::from(ratio[0]), 1.0 - f64::from(k) / 65536.0);
        assert_eq!(1.0 - ratio[0], k as f32 / 65536.0);
    }
    assert_eq!(found.nodes[0], format!("{mode}: And(training_mode, training_mode) -> {mode}"));
    let plain = graph(&every(), &Export::new());
    assert_eq!(plain.inputs, ["input"]);
    assert_eq!(plain.nodes.len(), found.nodes.len() - 1 - expected.len());
    assert!(plain.tensors.keys().all(|name| !name.ends_with("ratio") && name != "training_mode"));
    assert_eq!(plain.metadata, found.metadata);
}

#[test]
fn saved_files_equal_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    let wide = Mlp::builder(130).hidden(90, Activation::Tanh, Keep::HALF);
    let wide = wide.output(3, Loss::SquaredError).seed(2).build().unwrap();
    for mlp in [&wide, &every()] {
        for export in [Export::new(), Export::new().dropout(true)] {
            onnx::save(mlp, &export, &path).unwrap();
            assert!(fs::read(&path).unwrap() == onnx::to_bytes(mlp, &export).unwrap());
        }
    }
    let gone = folder.path().join("gone/net.onnx");
    let message = onnx::save(&wide, &Export::new(), &gone).unwrap_err().to_string();
    assert!(message.contains("no such folder"), "{message}");
}

#[test]
fn parameters_that_are_not_finite_are_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.onnx");
    fs::write(&path, "as it was").unwrap();
    for (number, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        for name in ["layers.1.weight", "layers.1.bias"] {
            let mut mlp = every();
            if name.ends_with("weight") {
                mlp.set_weights(1, &[&[0.0; 19][..], &[number]].concat()).unwrap();
            } else {
                mlp.set_bias(1, &[0.0, 1.0, 2.0, number]).unwrap();
            }
            let words = format!("{name} holds {text}: expected finite numbers");
            for result in [
                onnx::to_bytes(&mlp, &Export::new()).map(drop),
                onnx::save(&mlp, &Export::new(), &path),
            ] {
                let message = result.unwrap_err().to_string();
                assert!(message.contains(&words), "{message}");
            }
        }
    }
    assert_eq!(fs::read(&path).unwrap(), b"as it was");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

fn comes_back(mlp: &Mlp, dropout: bool) {
    let bytes = onnx::to_bytes(mlp, &Export::new().dropout(dropout)).unwrap();
    let import = onnx::Model::from_bytes(bytes).import(None).unwrap();
    let again = import.network.unwrap();
    assert_eq!(&again, mlp);
    assert_eq!(again.digest(), mlp.digest());
    assert_eq!(import.loss, Some(mlp.loss()));
    let of = |mlp: &Mlp| onnx::to_bytes(mlp, &Export::new().dropout(true)).unwrap();
    assert!(of(&again) == of(mlp));
}

fn any_keep() -> impl Strategy<Value = Keep> {
    prop_oneof![
        Just(Keep::ONE),
        prop::sample::select(vec![1, 2, 32768, 65535]).prop_map(keep),
        (1..=Keep::ONE_K).prop_map(keep),
    ]
}

fn any_activation() -> impl Strategy<Value = Activation> {
    let slopes = prop::sample::select(vec![1.0, f32::MIN_POSITIVE, 1e-45, f32::MAX, 0.01, 2.0]);
    let alphas = slopes.clone().prop_map(|alpha| Activation::Elu(EluAlpha::new(alpha).unwrap()));
    prop_oneof![prop::sample::select(Activation::ALL), slopes.prop_map(leaky), alphas]
}

proptest! {
    #![proptest_config(cases::fixed())]

    /// With its keep rates and its loss, and with sparse or dense inputs.
    #[test]
    fn networks_come_back_bit_for_bit(
        (inputs, input_keep, sparse) in (1usize..80, any_keep(), any::<bool>()),
        hidden in prop::collection::vec((1usize..80, any_activation(), any_keep()), 0..5),
        (outputs, loss) in (2usize..70, prop::sample::select(Loss::ALL)),
        seed: u64,
        odd in prop::sample::select(vec![-0.0, 1e-45, f32::MAX, f32::MIN, 0.1]),
    ) {
        let mut builder = Mlp::builder(inputs).input_noise(input_keep);
        if sparse {
            builder = builder.sparse_input();
        }
        for (width, activation, keep) in hidden {
            builder = builder.hidden(width, activation, keep);
        }
        let outputs = outputs.next_multiple_of(loss.outputs_per_target());
        let mut mlp = builder.output(outputs, loss).seed(seed).build().unwrap();
        for layer in 0..mlp.depth() {
            let mut biases = mlp.bias(layer).unwrap().to_vec();
            biases[0] = odd;
            mlp.set_bias(layer, &biases).unwrap();
            let mut weights = mlp.weights(layer).unwrap();
            *weights.last_mut().unwrap() = odd;
            mlp.set_weights(layer, &weights).unwrap();
        }
        comes_back(&mlp, false);
        comes_back(&mlp, true);
    }
}

/// Networks that a graph without metadata does not determine: a logistic layer before the output,
/// identity layers, a slope of 1, one output.
#[test]
fn networks_that_look_like_others_come_back() {
    for dropout in [false, true] {
        comes_back(&every(), dropout);
        let huber = Loss::Huber(HuberDelta::new(0.3).unwrap());
        for loss in [Loss::SquaredError, Loss::BinaryCrossEntropy, huber] {
            for activation in [Activation::Logistic, Activation::Identity, leaky(1.0)] {
                let mlp = Mlp::builder(1)
                    .input_noise(keep(1))
                    .hidden(1, Activation::Identity, keep(65535))
                    .hidden(2, activation, Keep::HALF)
                    .output(1, loss);
                comes_back(&mlp.build().unwrap(), dropout);
            }
            comes_back(&Mlp::builder(1).output(1, loss).build().unwrap(), dropout);
        }
        // Close to the maximum number of nodes.
        let deep = (0..1000)
            .fold(Mlp::builder(1), |builder, _| builder.hidden(1, Activation::Tanh, Keep::HALF));
        comes_back(&deep.output(1, Loss::SquaredError).build().unwrap(), dropout);
    }
}

/// The metadata of another network, another version, or another form of weights.
#[test]
fn metadata_that_is_not_the_graphs_is_refused() {
    let bytes = onnx::to_bytes(&every(), &Export::new().dropout(true)).unwrap();
    for (text, other, words) in [
        (r#""format":2"#, r#""format":3"#, "format 3"),
        (r#""mask_format":1"#, r#""mask_format":2"#, "mask format 2"),
        (r#""width":6"#, r#""width":7"#, "widths [3, 5, 4, 7, 3, 4, 2]"),
        ("leaky_relu(0.125)", "leaky_relu(0.126)", "leaky_relu(0.126)"),
        (r#""tanh""#, r#""relu""#, "activations"),
        (r#""keep_k":32768"#, r#""keep_k":32769"#, "keep rates"),
        (r#""softmax_cross_entropy""#, r#""binary_cross_entropy" "#, "binary_cross_entropy"),
        (r#""scaling":"inverted""#, r#""scaling":"paper"   "#, "weights paper"),
        (r#""sparse":true"#, r#""sparse":  10"#, "invalid type"),
        (r#""sparse":true"#, r#""sparks":true"#, "unknown field `sparks`"),
    ] {
        assert_eq!(text.len(), other.len());
        let mut changed = bytes.clone();
        let at = bytes.windows(text.len()).rposition(|window| window == text.as_bytes()).unwrap();
        changed[at..at + text.len()].copy_from_slice(other.as_bytes());
        let model = onnx::Model::from_bytes(changed);
        let message = model.network(None).unwrap_err().to_string();
        assert!(message.starts_with("metadata `thinnet.onnx`"), "{message}");
        assert!(message.contains(words), "{message}");
    }
}

/// The training mode may be an input without a default.
#[test]
fn a_mode_without_a_default_is_read_too() {
    let mlp = every();
    let mut bytes = onnx::to_bytes(&mlp, &Export::new().dropout(true)).unwrap();
    // Renames the initialiser, which then is unused.
    let name = b"\x42\x0dtraining_mode\x4a\x01\x00";
    let at: Vec<_> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(name)).collect();
    assert_eq!(at.len(), 1);
    bytes[at[0] + 2] = b'T';
    assert_eq!(onnx::Model::from_bytes(bytes).network(None).unwrap(), mlp);
}

/// Pseudorandom numbers: SplitMix64.
struct Draws(u64);

impl Draws {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `least` to `most`.
    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.bits() % (most - least + 1)
    }

    /// A number from -1 to 1.
    fn signed(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn keep(&mut self) -> Keep {
        match self.between(0, 5) {
            0 => Keep::ONE,
            1 => Keep::HALF,
            2 => keep([1, 2, 65535][self.between(0, 2) as usize]),
            _ => keep(self.between(1, 65535) as u32),
        }
    }

    fn network(&mut self) -> Mlp {
        let mut width = || self.between(1, 200) as usize;
        let (inputs, outputs) = (width(), width());
        let mut builder = Mlp::builder(inputs).input_noise(self.keep());
        for _ in 0..self.between(0, 4) {
            let activation = match self.between(0, Activation::ALL.len() as u64) {
                0 => leaky(self.between(1, 300) as f32 / 100.0),
                other => Activation::ALL[other as usize - 1],
            };
            builder = builder.hidden(self.between(1, 200) as usize, activation, self.keep());
        }
        let loss = Loss::ALL[self.between(0, Loss::ALL.len() as u64 - 1) as usize];
        let outputs = outputs.max(if loss == Loss::SoftmaxCrossEntropy { 2 } else { 1 });
        let outputs = outputs.next_multiple_of(loss.outputs_per_target());
        let mut mlp = builder.output(outputs, loss).seed(self.bits()).build().unwrap();
        for layer in 0..mlp.depth() {
            let biases: Vec<_> = mlp.bias(layer).unwrap().iter().map(|_| self.signed()).collect();
            mlp.set_bias(layer, &biases).unwrap();
        }
        mlp
    }
}

/// Half of a test: `tests/fixtures/check_out.py` runs the graphs in ONNX Runtime. This writes
/// N.onnx, N.dropout.onnx, and N.json with rows and the outputs of the library to
/// `target/tmp/onnx_out`.
#[test]
#[ignore = "for tests/fixtures/check_out.py"]
fn two_hundred_networks_for_onnx_runtime() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx_out");
    fs::create_dir_all(&folder).unwrap();
    let mut draws = Draws(17);
    for number in 0..200 {
        let mlp = draws.network();
        let rows = draws.between(1, 9) as usize;
        let x: Vec<_> = (0..rows * mlp.inputs()).map(|_| 2.0 * draws.signed()).collect();
        let view = MatrixView::new(&x, rows, mlp.inputs()).unwrap();
        let predictor = Predictor::new(mlp.clone());
        let mut workspace = predictor.workspace(rows).unwrap();
        let mut numbers = |logits: bool| -> Vec<Vec<f32>> {
            let batch = Batch::dense(view);
            let found = if logits {
                predictor.logits(&batch, &mut workspace).unwrap()
            } else {
                predictor.predict(&batch, &mut workspace).unwrap()
            };
            (0..rows).map(|row| found.row(row).unwrap().to_vec()).collect()
        };
        let said = json!({
            "inputs": (0..rows).map(|row| view.row(row).unwrap().to_vec()).collect::<Vec<_>>(),
            "logits": numbers(true),
            "predictions": numbers(false),
            "keep_k": mlp.keeps().iter().map(|keep| keep.k()).collect::<Vec<_>>(),
            "loss": mlp.loss().name(),
        });
        fs::write(folder.join(format!("{number}.json")), said.to_string()).unwrap();
        for (ending, export) in
            [("onnx", Export::new()), ("dropout.onnx", Export::new().dropout(true))]
        {
            onnx::save(&mlp, &export, folder.join(format!("{number}.{ending}"))).unwrap();
        }
    }
}
