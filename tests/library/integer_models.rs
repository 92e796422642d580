//! Model files of networks with 8-bit weights: exact round trips, stable bytes, and a clear refusal
//! of each kind of malformed file.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use thinnet::{
    Error, Keep,
    checkpoint::{Contents, Model},
    data::Batch,
    exchange::{FileKind, torch::StateDict},
    nn::{Activation, IntegerMlp, Loss, Mlp},
    tensor::MatrixView,
    train::{Provenance, Schedule, Sgd, Trainer},
};

use crate::formats::{header, with_digest, with_header};

fn mlp() -> Mlp {
    let mut mlp = Mlp::builder(5)
        .input_noise(Keep::from_k(52429).unwrap())
        .hidden(7, Activation::Relu, Keep::HALF)
        .hidden(3, "leaky_relu(0.25)".parse().unwrap(), Keep::ONE)
        .output(2, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    for (layer, (inputs, outputs)) in [(5, 7), (7, 3), (3, 2)].into_iter().enumerate() {
        let weights: Vec<f32> = (0..inputs * outputs).map(|i| (i % 23) as f32 - 9.5).collect();
        mlp.set_weights(layer, &weights).unwrap();
        let bias: Vec<f32> = (0..outputs).map(|i| i as f32 / 4.0 - 0.5).collect();
        mlp.set_bias(layer, &bias).unwrap();
    }
    mlp
}

fn integer() -> IntegerMlp {
    let rows: Vec<f32> = (0..60).map(|i| (i % 7) as f32 - 3.0).collect();
    IntegerMlp::new(&mlp(), &Batch::dense(MatrixView::new(&rows, 12, 5).unwrap())).unwrap()
}

/// The file with some bytes of a tensor replaced from byte `at` on, and the digest that it has then.
fn with_bytes(tensor: &str, at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = integer().to_bytes().unwrap();
    let (text, data) = header(&file);
    let said: serde_json::Value = serde_json::from_str(text).unwrap();
    let from = data + said[tensor]["data_offsets"][0].as_u64().unwrap() as usize + at;
    file[from..][..bytes.len()].copy_from_slice(bytes);
    with_digest(file)
}

/// Checks that all readers refuse the file in the same words.
fn refused(file: &[u8], words: &str) {
    for error in [
        IntegerMlp::from_bytes(file).map(drop),
        Model::from_bytes(file).map(drop),
        Model::from_bytes_unverified(file).map(drop),
        Contents::from_bytes(file).map(drop),
        Contents::from_bytes_unverified(file).map(drop),
    ] {
        let message = error.unwrap_err().in_file("a-file").to_string();
        assert!(message.starts_with("a-file: ") && message.contains(words), "{message}");
    }
}

fn refused_with(from: &str, to: &str, words: &str) {
    refused(&with_header(&integer().to_bytes().unwrap(), from, to), words);
}

#[test]
fn a_model_survives_the_round_trip_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let integer = integer();
    integer.save(&path).unwrap();
    assert_eq!(IntegerMlp::load(&path).unwrap(), integer);
    for model in [Model::load(&path).unwrap(), Model::load_unverified(&path).unwrap()] {
        assert_eq!(model.network(), integer.network());
        assert_eq!(model, Model::Integer(integer.clone()));
    }
    let contents = Contents::read(&path).unwrap();
    assert!(contents.integer_weights && contents.training.is_none());
    assert_eq!(&contents.network, integer.network());
    assert!(!Contents::from_bytes(&mlp().to_bytes().unwrap()).unwrap().integer_weights);
    let first = std::fs::read(&path).unwrap();
    IntegerMlp::load(&path).unwrap().save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first, "the same model gives the same bytes");
    assert_eq!(integer.to_bytes().unwrap(), first);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
}

/// A file that is larger than the reader's buffers.
#[test]
fn a_larger_model_survives_the_round_trip_exactly() {
    let mlp = Mlp::builder(150).hidden(9000, Activation::Relu, Keep::HALF);
    let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).seed(1).build().unwrap();
    let row = [0.5; 150];
    let rows = Batch::dense(MatrixView::new(&row, 1, 150).unwrap());
    let integer = IntegerMlp::new(&mlp, &rows).unwrap();
    assert_eq!(IntegerMlp::from_bytes(&integer.to_bytes().unwrap()).unwrap(), integer);
}

/// The format is published with number 2 of the file formats.
#[test]
fn the_committed_file_is_read_and_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format2");
    let path = path.join("integer.safetensors");
    let loaded = IntegerMlp::load(&path).unwrap();
    assert_eq!(loaded.network(), integer().network());
    assert_eq!(loaded.to_bytes().unwrap(), std::fs::read(path).unwrap());
}

#[test]
fn tensors_have_the_documented_names_types_and_shapes() {
    let bytes = integer().to_bytes().unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut found: Vec<_> = tensors
        .tensors()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.dtype(), tensor.shape().to_vec()))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [(5, 7), (7, 3), (3, 2)].into_iter().enumerate().flat_map(|(i, (k, n))| {
        let tensor = |what: &str, dtype, shape| (format!("layers.{i}.{what}"), dtype, shape);
        let order = (i < 2).then(|| tensor("order", Dtype::U32, vec![n]));
        [Some(tensor("bias", Dtype::F32, vec![n])), order]
            .into_iter()
            .flatten()
            .chain([tensor("scale", Dtype::F32, vec![n]), tensor("weight", Dtype::I8, vec![n, k])])
    });
    assert_eq!(found, expected.collect::<Vec<_>>());
    for (name, tensor) in tensors.tensors() {
        let at = tensor.data().as_ptr() as usize - bytes.as_ptr() as usize;
        assert!(at.is_multiple_of(tensor.dtype().bitsize() / 8), "{name} is at byte {at}");
    }
}

#[test]
fn any_order_of_the_units_is_kept_and_does_not_change_results() {
    let units: Vec<u8> = [3_u32, 6, 0, 1, 5, 4, 2].into_iter().flat_map(u32::to_le_bytes).collect();
    let file = with_bytes("layers.0.order", 0, &units);
    let other = IntegerMlp::from_bytes(&file).unwrap();
    assert_ne!(other, integer());
    assert_eq!(other.network(), integer().network());
    assert_eq!(other.to_bytes().unwrap(), file);
    let row = [1.0, -0.5, 0.0, 2.0, 0.25];
    assert_eq!(other.plain_logits(&row).unwrap(), integer().plain_logits(&row).unwrap());
}

#[test]
fn an_order_that_is_no_permutation_is_refused() {
    let third = |unit: u32| with_bytes("layers.1.order", 8, &unit.to_le_bytes());
    let good = IntegerMlp::from_bytes(&integer().to_bytes().unwrap()).unwrap();
    let first = with_bytes("layers.1.order", 0, &[0; 12]);
    let expected = "expected each unit from 0 to 2 once";
    refused(&first, &format!("layers.1.order: unit 0 occurs twice: {expected}"));
    refused(&third(3), &format!("layers.1.order: unit 3: {expected}"));
    refused(&third(u32::MAX), expected);
    assert_eq!(good, integer());
}

#[test]
fn weights_and_scales_that_rounding_cannot_give_are_refused() {
    let weight = with_bytes("layers.1.weight", 4, &[0x80]);
    refused(&weight, "layers.1.weight holds -128: expected 8-bit weights from -127 to 127");
    let expected = "expected scales from 1.1754944e-38 to 2.6584558e36";
    for bad in [
        0.0,
        -1.0,
        f32::NAN,
        f32::INFINITY,
        f32::MIN_POSITIVE / 2.0,
        f32::MAX / 127.0,
        f32::NEG_INFINITY,
    ] {
        let file = with_bytes("layers.2.scale", 4, &bad.to_le_bytes());
        refused(&file, &format!("layers.2.scale holds {bad}: {expected}"));
    }
    let most = with_bytes("layers.2.scale", 4, &(f32::MAX / 128.0).to_le_bytes());
    let weights = IntegerMlp::from_bytes(&most).unwrap().network().weights(2).unwrap();
    assert!(weights.iter().all(|weight| weight.is_finite()));
    for bad in [f32::NAN, f32::INFINITY] {
        let file = with_bytes("layers.0.bias", 0, &bad.to_le_bytes());
        refused(&file, &format!("layers.0.bias holds {bad}: expected finite numbers"));
    }
}

#[test]
fn other_tensors_are_refused() {
    let i8 = r#""dtype":"I8","shape":[7,5]"#;
    let u8 = r#""dtype":"U8","shape":[7,5]"#;
    refused_with(i8, u8, "layers.0.weight is U8 [7, 5]: expected I8 [7, 5]");
    let turned = r#""dtype":"I8","shape":[5,7]"#;
    refused_with(i8, turned, "layers.0.weight is I8 [5, 7]: expected I8 [7, 5]");
    refused_with("layers.0.scale", "layers.0.scales", "tensor layers.0.scale is missing");
    refused_with("layers.1.order", "layers.2.order", "tensor layers.1.order is missing");
    let u32 = r#""dtype":"U32","shape":[3]"#;
    refused_with(
        u32,
        r#""dtype":"F32","shape":[3]"#,
        "layers.1.order is F32 [3]: expected U32 [3]",
    );
    // With another tensor, and without one.
    let more = r#","more":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}}"#;
    let file = integer().to_bytes().unwrap();
    let (text, _) = header(&file);
    let whole = text.trim_end();
    let longer = format!("{}{more}", &whole[..whole.len() - 1]);
    refused(&with_header(&file, whole, &longer), "12 tensors: expected 11");
}

#[test]
fn too_many_inputs_are_refused() {
    refused_with(
        r#"\"width\":5"#,
        r#"\"width\":133145"#,
        "layer 0 has 133145 inputs: expected at most 133144",
    );
    refused_with(r#"\"width\":5"#, r#"\"width\":133144"#, "layers.0.weight is I8 [7, 5]");
}

#[test]
fn other_metadata_is_refused() {
    refused_with(
        r#"\"definition\":1"#,
        r#"\"definition\":2"#,
        "definition 2 of 8-bit networks: this version of thinnet reads only 1",
    );
    refused_with(r#"\"definition\":1"#, r#"\"definition\":1,\"x\":1"#, "unknown field `x`");
    refused_with(
        r#"\"format\":2"#,
        r#"\"format\":3,\"new\":1"#,
        "file format 3: this version of thinnet reads only 2",
    );
    refused_with(r#"\"mask_format\":1"#, r#"\"mask_format\":9"#, "mask format 9");
    refused_with("inverted", "paper", "scaling `paper`: expected `inverted`");
}

#[test]
fn a_truncated_file_or_one_with_any_one_bit_changed_is_refused() {
    let bytes = integer().to_bytes().unwrap();
    for end in 0..bytes.len() {
        assert!(Model::from_bytes(&bytes[..end]).is_err(), "{end}");
    }
    let mut changed = bytes.clone();
    for bit in 0..8 * bytes.len() {
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(IntegerMlp::from_bytes(&changed).is_err(), "bit {bit}");
        assert!(Model::from_bytes(&changed).is_err(), "bit {bit}");
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(IntegerMlp::from_bytes(&changed).unwrap(), integer());
}

#[test]
fn readers_of_other_files_say_what_to_do() {
    let says = |error: Result<(), Error>, words: &str| {
        let message = error.unwrap_err().in_file("a-file").to_string();
        assert!(message.starts_with("a-file: ") && message.contains(words), "{message}");
    };
    let file = integer().to_bytes().unwrap();
    let words = "a model with 8-bit weights: expected one with f32 weights, such as the one from which \
                 `thinnet quantize` made it (in a program, `IntegerMlp::load` reads this one)";
    says(Mlp::from_bytes(&file).map(drop), words);
    let words = "a model with f32 weights: expected one with 8-bit weights (`thinnet quantize` makes \
                 one from it)";
    says(IntegerMlp::from_bytes(&mlp().to_bytes().unwrap()).map(drop), words);

    let trainer = || Trainer::builder(mlp(), Sgd::new(Schedule::constant(0.1)), 8);
    let none = Provenance::new();
    let words = "a model, which cannot be resumed";
    says(trainer().resume_from_bytes(&file, &none).map(drop), words);
    let checkpoint = trainer().build().unwrap().to_bytes(&none, "").unwrap();
    says(IntegerMlp::from_bytes(&checkpoint).map(drop), "a training checkpoint: expected a model");
    says(Model::from_bytes(&checkpoint).map(drop), "a training checkpoint: expected a model");

    assert_eq!(FileKind::from_bytes(&file).unwrap(), FileKind::Thinnet);
    let state_dict = StateDict::from_bytes(&file[..]).unwrap();
    says(state_dict.network(None).map(drop), "a model that thinnet saved: expected a state dict");
}
