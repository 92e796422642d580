//! Writes the seeds that are files of networks: `seeds/integer_reader`, `seeds/model_reader`,
//! `seeds/checkpoint_reader`, `seeds/onnx_external`, `seeds/onnx_reader` and
//! `seeds/torch_reader`.
//!
//! ```sh
//! cargo run --example files
//! ```
//!
//! A name that starts with `bad-` says that the reader has to refuse the file;
//! `tests/corpus.rs` of the main crate holds it to that.

use std::{error::Error, fs, path::Path};

use thinnet::{
    Keep, Sigma,
    data::Batch,
    exchange::torch,
    nn::{Activation, IntegerMlp, Loss, Mlp, Scaling},
    tensor::MatrixView,
};
use thinnet_fuzz::{
    checkpoint_reader::{settings, step, trainer_builder},
    file_contents::with_digest,
};

#[path = "../../tests/hostile_files/mod.rs"]
mod hostile_files;

/// The largest seed: the fuzzer changes small inputs best.
const MAX_BYTES: usize = 4096;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The file with another header: a u64 of its length, JSON, then the tensors.
fn with_header(file: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk::<8>().expect("a file with a length");
    let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header = change(std::str::from_utf8(header).expect("JSON"));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(tensors);
    bytes
}

/// The file with another text in its header, in all places, and its digest.
fn replaced(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    with_digest(&with_header(file, |header| {
        assert!(header.contains(from), "{from} in {header}");
        header.replace(from, to)
    }))
}

/// The file with the last element of its last tensor replaced, and its digest.
fn with_last(file: &[u8], x: f32) -> Vec<u8> {
    let mut bytes = file[..file.len() - 4].to_vec();
    bytes.extend(x.to_le_bytes());
    with_digest(&bytes)
}

/// The file with one bit of its last element changed, and the old digest.
fn flipped(file: &[u8]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes
}

fn models() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let linear = Mlp::builder(2).output(1, Loss::SquaredError).seed(3).build()?.to_bytes()?;
    let deep = Mlp::builder(3)
        .input_noise(Keep::new(0.8)?)
        .sparse_input()
        .hidden(4, Activation::Relu, Keep::HALF)
        .hidden(2, Activation::Tanh, Keep::from_k(1)?)
        .hidden(3, Activation::Logistic, Keep::ONE)
        .output(2, Loss::SoftmaxCrossEntropy)
        .build()?
        .to_bytes()?;
    let gaussian = Mlp::builder(2)
        .input_noise(Sigma::new(0.5)?)
        .output(1, Loss::SquaredError)
        .build()?
        .to_bytes()?;
    let mut long_header = linear.clone();
    long_header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    Ok(vec![
        (
            "bad-count",
            replaced(
                &linear,
                r#"\"layers\":["#,
                r#"\"layers\":[{\"activation\":\"relu\",\"kind\":\"dense\",\"noise\":{\"kind\":\"none\"},\"width\":1},"#,
            ),
        ),
        ("bad-dtype", replaced(&linear, "F32", "I32")),
        ("bad-flipped", flipped(&linear)),
        ("bad-format", replaced(&linear, r#"\"format\":2"#, r#"\"format\":1"#)),
        ("bad-header-length", long_header),
        (
            "bad-huge-width",
            replaced(&linear, r#"\"width\":1"#, r#"\"width\":18446744073709551615"#),
        ),
        ("bad-infinite", with_last(&linear, f32::INFINITY)),
        ("bad-keep", replaced(&deep, r#"\"keep_k\":32768"#, r#"\"keep_k\":65537"#)),
        ("bad-name", replaced(&linear, "layers.0.bias", "layers.1.bias")),
        ("bad-kind", replaced(&linear, r#"\"kind\":\"dense\""#, r#"\"kind\":\"convolution\""#)),
        ("bad-no-digest", replaced(&linear, "thinnet.digest", "thinnet.digits")),
        ("bad-no-inputs", replaced(&linear, r#"\"width\":2"#, r#"\"width\":0"#)),
        (
            "bad-noise",
            replaced(
                &linear,
                r#"\"noise\":{\"kind\":\"none\"}"#,
                r#"\"noise\":{\"kind\":\"gaussian\"}"#,
            ),
        ),
        ("bad-offsets", replaced(&linear, "[4,12]", "[0,8]")),
        ("bad-shape", replaced(&linear, "[1,2]", "[2,1]")),
        ("bad-sigma", replaced(&gaussian, r#"\"sigma\":0.5"#, r#"\"sigma\":0.1"#)),
        ("bad-truncated", deep[..deep.len() - 1].to_vec()),
        (
            "bad-unknown-field",
            replaced(&linear, r#"\"kind\":\"none\""#, r#"\"kind\":\"none\",\"x\":0"#),
        ),
        ("deep", deep),
        ("gaussian", gaussian),
        ("negative-zero", with_last(&linear, -0.0)),
        ("other-metadata", replaced(&linear, r#","thinnet":"#, r#","format":"pt","thinnet":"#)),
        ("spaces", replaced(&linear, r#"\"width\":2"#, r#"  \"width\" :  2"#)),
        ("linear", linear),
    ])
}

fn integer_models() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let rounded = |mlp: &Mlp| -> Result<Vec<u8>> {
        // Rows with which the units get another order.
        let rows: Vec<f32> = (0..20 * mlp.inputs()).map(|i| (i % 7) as f32 - 3.0).collect();
        let rows = Batch::dense(MatrixView::new(&rows, 20, mlp.inputs())?);
        Ok(IntegerMlp::new(mlp, &rows)?.to_bytes()?)
    };
    let linear = Mlp::builder(2).output(1, Loss::SquaredError).seed(3).build()?;
    let f32 = linear.to_bytes()?;
    let linear = rounded(&linear)?;
    let piecewise = Mlp::builder(3)
        .input_noise(Keep::new(0.8)?)
        .hidden(9, Activation::Relu, Keep::HALF)
        .hidden(4, "leaky_relu(0.25)".parse()?, Keep::ONE)
        .hidden(3, Activation::Identity, Keep::ONE)
        .output(2, Loss::SoftmaxCrossEntropy)
        .build()?;
    let piecewise = rounded(&piecewise)?;
    let smooth = Mlp::builder(3).hidden(5, Activation::Tanh, Sigma::new(0.5)?);
    let smooth = smooth.hidden(4, Activation::Gelu, Keep::HALF).output(1, Loss::SquaredError);
    let smooth = rounded(&smooth.build()?)?;
    Ok(vec![
        ("bad-definition", replaced(&linear, r#"\"definition\":1"#, r#"\"definition\":0"#)),
        ("bad-dtype", replaced(&linear, "I8", "U8")),
        ("bad-f32-model", f32),
        ("bad-flipped", flipped(&linear)),
        ("bad-least-weight", {
            let mut bytes = linear.clone();
            *bytes.last_mut().expect("a weight") = 0x80;
            with_digest(&bytes)
        }),
        ("bad-no-digest", replaced(&linear, "thinnet.digest", "thinnet.digits")),
        ("bad-no-scale", replaced(&linear, "layers.0.scale", "layers.0.scald")),
        ("bad-order", with_tensor(&piecewise, "layers.1.order", &[0; 16])),
        ("bad-scale", with_tensor(&linear, "layers.0.scale", &[0; 4])),
        ("bad-shape", replaced(&linear, "[1,2]", "[2,1]")),
        ("bad-truncated", linear[..linear.len() - 1].to_vec()),
        ("bad-wide", replaced(&linear, r#"\"width\":2"#, r#"\"width\":133145"#)),
        ("huge-scale", with_tensor(&linear, "layers.0.scale", &(f32::MAX / 128.0).to_le_bytes())),
        ("linear", linear),
        ("piecewise", piecewise),
        ("smooth", smooth),
    ])
}

/// The file with the bytes of a tensor replaced, and its digest.
fn with_tensor(file: &[u8], name: &str, to: &[u8]) -> Vec<u8> {
    let (length, rest) = file.split_first_chunk::<8>().expect("a file with a length");
    let header = u64::from_le_bytes(*length) as usize;
    let tensors: serde_json::Value = serde_json::from_slice(&rest[..header]).expect("JSON");
    let from = tensors[name]["data_offsets"][0].as_u64().expect("a tensor of this name");
    let mut bytes = file.to_vec();
    bytes[8 + header + from as usize..][..to.len()].copy_from_slice(to);
    with_digest(&bytes)
}

fn checkpoints() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut trainer = trainer_builder().build()?;
    let fresh = trainer.to_bytes(&settings(), "")?;
    for _ in 0..3 {
        step(&mut trainer)?;
    }
    let later = trainer.to_bytes(&settings(), "epoch 1, \"quoted\" ü")?;
    Ok(vec![
        ("bad-architecture", replaced(&fresh, r#"\"keep_k\":32768"#, r#"\"keep_k\":32767"#)),
        ("bad-data", replaced(&fresh, "abc", "abd")),
        ("bad-factor", {
            let mut bytes = later.clone();
            // Of the last unit: pending.layers.1 is followed by velocities.
            let velocities = 4 * (3 * 4 + 4 + 4 * 2 + 2);
            let at = bytes.len() - velocities - 4;
            bytes[at..at + 4].copy_from_slice(&1.5_f32.to_le_bytes());
            with_digest(&bytes)
        }),
        ("bad-flipped", flipped(&later)),
        ("bad-model", trainer.network()?.to_bytes()?),
        ("bad-nan", with_last(&later, f32::NAN)),
        ("bad-negative-step", replaced(&later, r#"\"step\":3"#, r#"\"step\":-3"#)),
        ("bad-optimiser", replaced(&fresh, r#"\"kind\":\"sgd\""#, r#"\"kind\":\"adam\""#)),
        ("bad-seed", replaced(&fresh, r#"\"mask seed\":\"7\""#, r#"\"mask seed\":\"8\""#)),
        (
            "bad-states",
            replaced(&fresh, r#"[\"velocity\"]"#, r#"[\"velocity\",\"second_moment\"]"#),
        ),
        ("bad-setting-more", replaced(&fresh, r#"\"data\":"#, r#"\"day\":\"1\",\"data\":"#)),
        ("bad-truncated", later[..later.len() - 4].to_vec()),
        ("bad-velocity-name", replaced(&fresh, "velocity.layers.1.bias", "velocity.layers.2.bias")),
        ("far", replaced(&later, r#"\"step\":3"#, r#"\"step\":9007199254740993"#)),
        ("fresh", fresh),
        ("later", later),
    ])
}

/// Files from elsewhere that are read, and those of `hostile` that are small.
fn with_hostile(
    mut files: Vec<(&'static str, Vec<u8>)>,
    hostile: Vec<hostile_files::Hostile>,
) -> Vec<(&'static str, Vec<u8>)> {
    let small = hostile.into_iter().filter(|file| file.bytes.len() <= MAX_BYTES);
    files.extend(small.map(|file| {
        assert!(!file.words.is_empty(), "{} has a reason", file.name);
        (file.name, file.bytes)
    }));
    files
}

fn state_dicts() -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mlp = Mlp::builder(3)
        .input_noise(Keep::new(0.8)?)
        .hidden(4, Activation::Relu, Keep::HALF)
        .output(2, Loss::SoftmaxCrossEntropy)
        .build()?;
    let exported = torch::to_bytes(&mlp, Scaling::Inverted)?;
    let files = vec![
        ("two-layers", hostile_files::good_torch()),
        (
            "named",
            replaced(&replaced(&hostile_files::good_torch(), "\"0.", "\"fc1."), "\"2.", "\"fc2."),
        ),
        ("exported", exported),
        ("exported-paper", torch::to_bytes(&mlp, Scaling::Paper)?),
    ];
    Ok(with_hostile(files, hostile_files::torch()))
}

/// The input of `onnx_external`: a graph's length, the graph, and the other file.
fn joined(graph: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(graph.len()).unwrap_or(u16::MAX);
    [&length.to_le_bytes(), graph, data].concat()
}

/// Graphs with tensors in another file, if that has the name that the fuzz target uses and is
/// small.
fn external_tensors() -> Vec<(&'static str, Vec<u8>)> {
    use hostile_files::external::{Bad, DATA, Good, bad, good};
    let good = good().into_iter().map(|Good { name, files, inline }| {
        assert!(!inline.is_empty(), "{name} is read without the file too");
        (name, files)
    });
    let bad = bad().into_iter().map(|Bad { name, files, words }| {
        assert!(!words.is_empty(), "{name} has a reason");
        (name, files)
    });
    good.chain(bad)
        .filter(|(_, files)| files.at == DATA && files.sparse == 0)
        .map(|(name, files)| (name, joined(&files.graph, &files.data)))
        .filter(|(_, bytes)| bytes.len() <= MAX_BYTES)
        .collect()
}

fn main() -> Result<()> {
    for (target, files) in [
        ("integer_reader", integer_models()?),
        ("model_reader", models()?),
        ("checkpoint_reader", checkpoints()?),
        ("onnx_external", external_tensors()),
        ("onnx_reader", with_hostile(hostile_files::good_onnx(), hostile_files::onnx())),
        ("torch_reader", state_dicts()?),
    ] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in files {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
