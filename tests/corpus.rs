//! Runs the committed inputs of the fuzz targets through the same oracles, without a fuzzer.

use std::path::{Path, PathBuf};

use thinnet::{
    Keep,
    data::{
        npy::Npy,
        svmlight::Svmlight,
        table::{Csv, Preprocessor},
    },
    exchange::{
        onnx,
        torch::{StateDict, StateDictSpec},
    },
    nn::{Activation, IntegerMlp, Loss, Mlp},
};

#[path = "../fuzz/oracles/mod.rs"]
mod oracles;

/// The seeds of a target, with their names; there are some.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let files: Vec<(String, Vec<u8>)> = entries(&folder().join(target))
        .into_iter()
        .map(|path| (name(&path), std::fs::read(&path).unwrap()))
        .collect();
    assert!(!files.is_empty(), "{target} has no seeds");
    files
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn replay(target: &str) {
    let (_, check) = oracles::TARGETS.into_iter().find(|(name, _)| *name == target).unwrap();
    for (name, bytes) in seeds(target) {
        // Seen where the oracle panics.
        println!("{target}/{name}");
        check(&bytes);
    }
}

macro_rules! replay {
    ($($target:ident)*) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed_and_has_seeds() {
            let targets: Vec<&str> = oracles::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(targets, [$(stringify!($target)),*]);
            let folders: Vec<String> = entries(&folder()).iter().map(|path| name(path)).collect();
            assert_eq!(folders, targets);
        }
    };
}

replay! {
    checkpoint_reader dropout idx_reader integer_reader mask_words model_reader npy_reader
    onnx_external onnx_reader sparse_rows svmlight_reader table_reader torch_reader training
}

/// Each is a network so small that the bound on its rounding errors is tight.
#[test]
fn every_activation_and_loss_has_a_sharp_seed() {
    let seeds = seeds("training");
    let case = |name: &str| {
        let sharp = format!("sharp-{name}");
        let (_, bytes) = seeds.iter().find(|(name, _)| *name == sharp).expect(&sharp);
        format!("{:?}", oracles::decoded::<oracles::training::Case>(bytes))
    };
    for activation in Activation::ALL {
        let case = case(activation.name());
        assert!(case.contains(&format!("hidden: [(2, {activation:?}, ")), "{case}");
    }
    for loss in Loss::ALL {
        let case = case(loss.name());
        assert!(case.contains("hidden: []") && case.contains(&format!("loss: {loss:?}")), "{case}");
    }
}

/// Good seeds pass the reader, and malformed ones are refused.
#[test]
fn files_are_refused_where_their_names_say_so() {
    for (name, bytes) in seeds("model_reader") {
        let read = Mlp::from_bytes(&bytes).map(drop);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("integer_reader") {
        let read = IntegerMlp::from_bytes(&bytes).map(drop);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("npy_reader") {
        let npy = Npy::from_bytes(&bytes);
        // Each is a matrix or labels.
        let read = npy.and_then(|npy| npy.labels().map(drop).or_else(|_| npy.matrix().map(drop)));
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("checkpoint_reader") {
        let read = oracles::checkpoint_reader::resume(&bytes).map(drop);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("onnx_external") {
        let read = oracles::onnx_external::read(&bytes).map(drop);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("onnx_reader") {
        let read = onnx::Model::from_bytes(&bytes).network(None).map(drop);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("svmlight_reader") {
        let read = Svmlight::new().from_bytes(&bytes).map(drop);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("table_reader") {
        let read = match std::str::from_utf8(&bytes) {
            Ok(json) if json.starts_with('{') => Preprocessor::from_json(json).map(drop),
            _ => Csv::new().from_bytes(&bytes).map(drop),
        };
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
    for (name, bytes) in seeds("torch_reader") {
        let layers = StateDictSpec::new().hidden(Activation::Relu, Keep::HALF);
        let read =
            StateDict::from_bytes(&bytes).and_then(|file| file.network(Some(&layers))).map(drop);
        assert_eq!(read.is_err(), name.starts_with("bad-"), "{name}: {read:?}");
    }
}
