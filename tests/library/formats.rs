//! Files of every format number, and the digest that they hold.
//!
//! `tests/fixtures/format2` was written when 2 became the number, and stays as it
//! is: from the first published version on, every later one reads the files of
//! those before it. `tests/fixtures/format1` is of an earlier, unpublished state,
//! which is refused by its number.

use std::path::Path;

use sha2::{Digest, Sha256};
use thinnet::{
    Error, Isa, Keep,
    checkpoint::{self, Contents},
    data::Batch,
    exchange::torch::{self, StateDict},
    nn::{Activation, Loss, Mlp, Scaling, Targets},
    tensor::MatrixView,
    train::{
        Adagrad, Adam, MaxNorm, Optimiser, Provenance, Schedule, Sgd, Trainer, TrainerBuilder,
    },
};

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Quarters, which every format keeps exactly.
fn quarters(from: i32, n: usize) -> Vec<f32> {
    (from..).take(n).map(|i| i as f32 / 4.0).collect()
}

fn model() -> Mlp {
    let mut mlp = Mlp::builder(3)
        .input_noise(Keep::from_k(52429).unwrap())
        .sparse_input()
        .hidden(4, "leaky_relu(0.25)".parse().unwrap(), Keep::HALF)
        .hidden(2, Activation::Tanh, Keep::ONE)
        .output(2, Loss::SoftmaxCrossEntropy)
        .build()
        .unwrap();
    for (layer, (inputs, outputs)) in [(3, 4), (4, 2), (2, 2)].into_iter().enumerate() {
        mlp.set_weights(layer, &quarters(-3, inputs * outputs)).unwrap();
        mlp.set_bias(layer, &quarters(layer as i32, outputs)).unwrap();
    }
    mlp
}

/// On the portable backend, which every machine has.
fn builder() -> TrainerBuilder {
    let mut mlp = Mlp::builder(2)
        .hidden(3, Activation::Relu, Keep::HALF)
        .output(1, Loss::SquaredError)
        .build()
        .unwrap();
    mlp.set_weights(0, &quarters(1, 6)).unwrap();
    mlp.set_weights(1, &quarters(-1, 3)).unwrap();
    let sgd = Sgd::new(Schedule::constant(0.125)).momentum(Schedule::constant(0.5));
    Trainer::builder(mlp, sgd, 2)
        .max_norm(MaxNorm::Engine(1.0))
        .seed(7)
        .with_isa(Isa::Portable)
        .unwrap()
}

fn settings() -> Provenance {
    [("data".to_owned(), "abc".to_owned())].into()
}

/// After a step, at whose end norms of weights are above the bound.
fn trainer() -> Trainer {
    let mut trainer = builder().build().unwrap();
    let (x, y) = ([1.0, 0.5, -0.25, 2.0], [0.0, 1.0]);
    let batch = Batch::dense(MatrixView::new(&x, 2, 2).unwrap());
    let values = Targets::Values(MatrixView::new(&y, 2, 1).unwrap());
    trainer.step(&batch, values).unwrap();
    trainer
}

fn resume(bytes: &[u8]) -> Result<(Trainer, String), Error> {
    builder().resume_from_bytes(bytes, &settings())
}

/// Header and data, and where the data starts.
pub fn header(bytes: &[u8]) -> (&str, usize) {
    let n = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (std::str::from_utf8(&bytes[8..8 + n]).unwrap(), 8 + n)
}

/// The file with another header and the digest that its bytes have.
pub fn with_header(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (text, data) = header(bytes);
    assert!(text.contains(from), "{from} in {text}");
    let text = text.replace(from, to);
    let mut changed = (text.len() as u64).to_le_bytes().to_vec();
    changed.extend(text.as_bytes());
    changed.extend(&bytes[data..]);
    with_digest(changed)
}

/// The file with number `index` of a tensor changed, and the digest that its
/// bytes have.
fn with_number(bytes: &[u8], tensor: &str, index: usize, x: f32) -> Vec<u8> {
    let (text, data) = header(bytes);
    let said: serde_json::Value = serde_json::from_str(text).unwrap();
    let at = data + said[tensor]["data_offsets"][0].as_u64().unwrap() as usize + 4 * index;
    let mut changed = bytes.to_vec();
    changed[at..at + 4].copy_from_slice(&x.to_le_bytes());
    with_digest(changed)
}

/// As the documentation says: over all bytes, with zeros for the digits.
pub fn with_digest(mut bytes: Vec<u8>) -> Vec<u8> {
    const START: &str = r#"{"__metadata__":{"thinnet.digest":""#;
    assert!(header(&bytes).0.starts_with(START));
    let place = 8 + START.len()..8 + START.len() + 64;
    bytes[place.clone()].fill(b'0');
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    bytes[place].copy_from_slice(digest.as_bytes());
    bytes
}

#[test]
fn models_of_format_2_are_read_and_written() {
    let path = fixture("format2/model.safetensors");
    let loaded = Mlp::load(&path).unwrap();
    assert_eq!(loaded, model());
    assert!(loaded.sparse_input());
    let rates: Vec<u32> = loaded.keeps().iter().map(|keep| keep.k()).collect();
    assert_eq!(rates, [52429, 32768, 65536]);
    assert_eq!(loaded.weights(1).unwrap(), quarters(-3, 8));
    assert_eq!(loaded.bias(2).unwrap(), [0.5, 0.75]);
    assert_eq!(Contents::read(&path).unwrap().network, loaded);
    // As long as the number is 2.
    assert_eq!(checkpoint::FORMAT, 2);
    assert_eq!(model().to_bytes().unwrap(), std::fs::read(path).unwrap());
}

#[test]
fn checkpoints_of_format_2_are_read_and_written() {
    let path = fixture("format2/checkpoint.safetensors");
    let contents = Contents::read(&path).unwrap();
    let training = contents.training.unwrap();
    assert_eq!((training.step, training.notes.as_str()), (1, "epoch 1, \"quoted\" ü"));
    assert_eq!(training.settings["data"], "abc");
    assert_eq!(training.settings["mask seed"], "7");
    assert_eq!(training.settings["max-norm"], r#"{"form":"engine","c":1.0}"#);
    assert_eq!(contents.network.weights(1).unwrap(), [-0.25, -0.3125, -0.480_957_03]);
    // Where products are not rounded before they are added, the training is
    // another one.
    if cfg!(target_arch = "x86_64") {
        let (resumed, _) = builder().resume(&path, &settings()).unwrap();
        assert_eq!(resumed.steps(), 1);
        let bytes = trainer().to_bytes(&settings(), &training.notes).unwrap();
        assert_eq!(bytes, std::fs::read(path).unwrap());
    }
}

#[test]
fn format_1_is_refused_by_its_number() {
    let path = fixture("format1/model.safetensors");
    for error in [Mlp::load(&path).map(drop), Contents::read(&path).map(drop)] {
        let message = error.unwrap_err().to_string();
        assert!(
            message.contains("file format 1: this version of thinnet reads only 2"),
            "{message}"
        );
    }
    let path = fixture("format1/checkpoint.safetensors");
    let resumed = builder().resume(&path, &settings()).map(drop);
    for error in [resumed, Contents::read(&path).map(drop)] {
        let message = error.unwrap_err().to_string();
        assert!(
            message.contains("file format 1: this version of thinnet reads only 2"),
            "{message}"
        );
    }
}

/// Also in the digest, in the lengths, in the blanks at the header's end.
#[test]
fn a_file_with_any_one_bit_changed_is_refused() {
    let model = model().to_bytes().unwrap();
    let checkpoint = trainer().to_bytes(&settings(), "notes \u{1f}").unwrap();
    for (bytes, is_model) in [(model, true), (checkpoint, false)] {
        let mut changed = bytes.clone();
        for bit in 0..8 * bytes.len() {
            changed[bit / 8] ^= 1 << (bit % 8);
            let contents = Contents::from_bytes(&changed);
            assert!(contents.is_err(), "bit {bit}");
            let other = if is_model {
                Mlp::from_bytes(&changed).map(drop)
            } else {
                resume(&changed).map(drop)
            };
            let message = other.unwrap_err().in_file("a-file").to_string();
            assert!(message.starts_with("a-file: ") || is_setting(&message), "{message}");
            changed[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(changed, bytes);
        Contents::from_bytes(&changed).unwrap();

        // The last byte is one of a parameter, which only the digest covers.
        *changed.last_mut().unwrap() ^= 1;
        let message = Contents::from_bytes(&changed).unwrap_err().to_string();
        let words = "damaged or was changed by another program (SHA-256 is ";
        assert!(message.contains(words), "{message}");
    }
}

/// Of a builder that is handed what a file says.
fn is_setting(message: &str) -> bool {
    message.contains("expected")
}

/// One whose digest was lost says the same.
#[test]
fn a_state_dict_with_a_bit_changed_is_refused_or_the_same() {
    let mlp = model();
    let bytes = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
    let mut changed = bytes.clone();
    let mut refused = 0;
    for bit in 0..8 * bytes.len() {
        changed[bit / 8] ^= 1 << (bit % 8);
        match StateDict::from_bytes(&changed).and_then(|file| file.network(None)) {
            Ok(read) => assert_eq!(read, mlp, "bit {bit}"),
            Err(_) => refused += 1,
        }
        changed[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(8 * bytes.len() - refused <= 8 * "thinnet.digest".len(), "{refused}");
}

/// PyTorch's writer drops metadata, or keeps what it is given, in any order.
#[test]
fn a_state_dict_that_was_rewritten_is_read() {
    let mlp = model();
    let bytes = torch::to_bytes(&mlp, Scaling::Inverted).unwrap();
    let (text, data) = header(&bytes);
    let read = |text: &str| {
        let mut file = (text.len() as u64).to_le_bytes().to_vec();
        file.extend(text.as_bytes());
        file.extend(&bytes[data..]);
        StateDict::from_bytes(file)?.network(None)
    };
    let start = r#"{"__metadata__":{"#;
    let with_old_digest = text.replace(start, &format!(r#"{start}"format":"pt","#));
    let refused = read(&with_old_digest).map(drop).unwrap_err().to_string();
    assert!(refused.contains("`thinnet.digest`"), "{refused}");
    let (_, after_digest) = text.split_once(r#"","thinnet.torch":"#).unwrap();
    let without = format!(r#"{start}"format":"pt","thinnet.torch":{after_digest}"#);
    assert!(read(&without).unwrap() == mlp);
}

#[test]
fn the_digest_can_be_left_out() {
    let bytes = model().to_bytes().unwrap();
    let mut changed = bytes.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let message = Contents::from_bytes(&changed).unwrap_err().to_string();
    assert!(message.contains("digest") && message.contains("damaged"), "{message}");
    let read = Contents::from_bytes_unverified(&changed).unwrap();
    assert_ne!(read.network, model());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    std::fs::write(&path, &changed).unwrap();
    assert!(Contents::read(&path).is_err());
    assert_eq!(Contents::read_unverified(&path).unwrap(), read);
    // One without a digest is of no format that has none.
    let without = with_header(&bytes, "", "");
    assert_eq!(without, bytes);
    let (text, data) = header(&bytes);
    let mut without = (text.len() as u64).to_le_bytes().to_vec();
    without.extend(text.replace("thinnet.digest", "thinnet.digits").as_bytes());
    without.extend(&bytes[data..]);
    let message = Mlp::from_bytes(&without).unwrap_err().to_string();
    assert!(message.contains("no digest"), "{message}");
}

/// What a checkpoint says that no training saves, under a digest that is right.
#[test]
fn inconsistent_checkpoints_are_refused() {
    let bytes = trainer().to_bytes(&settings(), "").unwrap();
    resume(&bytes).unwrap();
    let refused = |bytes: &[u8], words: &str| {
        let message = resume(bytes).map(drop).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    };
    for factor in [0.0, -0.0, -0.5, 1.0 + f32::EPSILON, 1e30, f32::NAN, f32::INFINITY] {
        let changed = with_number(&bytes, "pending.layers.0", 1, factor);
        refused(&changed, &format!("pending.layers.0 holds {factor}: expected factors above 0"));
        assert!(Contents::from_bytes(&changed).is_err(), "{factor}");
    }
    for factor in [f32::MIN_POSITIVE, 0.5, 1.0] {
        resume(&with_number(&bytes, "pending.layers.0", 1, factor)).unwrap();
    }
    for tensor in ["layers.0.bias", "velocity.layers.0.weight", "velocity.layers.1.bias"] {
        refused(&with_number(&bytes, tensor, 0, f32::INFINITY), tensor);
    }
    let text = r#"\"step\":1"#;
    refused(&with_header(&bytes, text, r#"\"step\":9223372036854775808"#), "step 922337203");
    resume(&with_header(&bytes, text, r#"\"step\":9223372036854775807"#)).unwrap();
    // Before the first step nothing has moved.
    refused(&with_header(&bytes, text, r#"\"step\":0"#), "expected only 1");
    let fresh = builder().build().unwrap().to_bytes(&settings(), "").unwrap();
    refused(&with_number(&fresh, "velocity.layers.0.bias", 0, 0.5), "expected only 0");
    let kind = r#"\"kind\":\"sgd\""#;
    refused(
        &with_header(&bytes, kind, r#"\"kind\":\"sgdd\""#),
        "optimiser `sgdd`: expected one of",
    );
    refused(&with_header(&bytes, kind, r#"\"kind\":\"adam\""#), "states [\"velocity\"]");
    refused(&with_header(&bytes, r#"[\"velocity\"]"#, r#"[\"moment\"]"#), "[\"moment\"]");
    let twice = with_header(
        &bytes,
        r#"\"settings\":{\"arith"#,
        r#"\"settings\":{\"momentum\":\"0\",\"arith"#,
    );
    refused(&twice, "momentum");
}

/// And not called the checkpoint of another run.
#[test]
fn damaged_settings_are_reported_as_damage() {
    let bytes = trainer().to_bytes(&settings(), "").unwrap();
    let at = bytes.windows(3).position(|bytes| bytes == b"abc").unwrap();
    let mut changed = bytes.clone();
    changed[at + 2] ^= 1;
    let message = resume(&changed).map(drop).unwrap_err().to_string();
    assert!(message.contains("digest") && message.contains("damaged"), "{message}");
    let other = resume(&with_header(&bytes, "abc", "abd")).map(drop).unwrap_err().to_string();
    assert!(other.contains("`data` was abd when the checkpoint was saved"), "{other}");
}

/// Their roots would be NaN.
#[test]
fn sums_of_squares_below_zero_are_refused() {
    for optimiser in [Optimiser::from(Adam::default()), Adagrad::default().into()] {
        let mlp = Mlp::builder(2).output(1, Loss::SquaredError).build().unwrap();
        let builder =
            || Trainer::builder(mlp.clone(), optimiser.clone(), 2).with_isa(Isa::Portable).unwrap();
        let mut trainer = builder().build().unwrap();
        let batch = Batch::dense(MatrixView::new(&[1.0, 2.0], 1, 2).unwrap());
        let values = MatrixView::new(&[1.0], 1, 1).unwrap();
        trainer.step(&batch, Targets::Values(values)).unwrap();
        let bytes = trainer.to_bytes(&Provenance::new(), "").unwrap();
        let resume =
            |bytes: &[u8]| builder().resume_from_bytes(bytes, &Provenance::new()).map(drop);
        let state = if optimiser.name() == "adam" { "second_moment" } else { "accumulator" };
        for name in [format!("{state}.layers.0.weight"), format!("{state}.layers.0.bias")] {
            resume(&with_number(&bytes, &name, 0, 0.5)).unwrap();
            for x in [-0.5, -0.0, f32::INFINITY] {
                let changed = with_number(&bytes, &name, 0, x);
                for error in [resume(&changed), Contents::from_bytes(&changed).map(drop)] {
                    let message = error.unwrap_err().to_string();
                    let words = format!("{name} holds {x}: expected finite numbers of at least 0");
                    assert!(message.contains(&words), "{message}");
                }
            }
        }
    }
}

/// Without max-norm nothing is ever pending.
#[test]
fn factors_without_max_norm_are_refused() {
    let mlp = Mlp::builder(2).output(1, Loss::SquaredError).build().unwrap();
    let sgd = Sgd::new(Schedule::constant(0.125));
    let builder = || Trainer::builder(mlp.clone(), sgd.clone(), 2).with_isa(Isa::Portable).unwrap();
    let mut trainer = builder().build().unwrap();
    let batch = Batch::dense(MatrixView::new(&[1.0, 2.0], 1, 2).unwrap());
    let values = MatrixView::new(&[1.0], 1, 1).unwrap();
    trainer.step(&batch, Targets::Values(values)).unwrap();
    let bytes = trainer.to_bytes(&Provenance::new(), "").unwrap();
    let resume = |bytes: &[u8]| builder().resume_from_bytes(bytes, &Provenance::new()).map(drop);
    resume(&bytes).unwrap();
    let changed = with_number(&bytes, "pending.layers.0", 0, 0.5);
    assert!(resume(&changed).unwrap_err().to_string().contains("expected only 1"));
}

/// What could not be read again is not saved.
#[test]
fn headers_too_long_to_be_read_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let trainer = trainer();
    trainer.save(&path, &settings(), "").unwrap();
    let before = std::fs::read(&path).unwrap();
    let message = trainer.save(&path, &settings(), &"n".repeat(17 << 20)).unwrap_err().to_string();
    assert!(message.contains("bytes of a file's header"), "{message}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
