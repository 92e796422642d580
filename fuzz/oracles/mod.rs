//! The oracles of the fuzz targets, as plain functions: the fuzzer calls them
//! on what it makes up, and `cargo test` on the committed seeds
//! (`tests/corpus.rs` of the main crate includes this file).

use arbitrary::{Arbitrary, Unstructured};

pub mod checkpoint_reader;
pub mod dropout;
pub mod file_contents;
pub mod idx_reader;
pub mod integer_reader;
pub mod mask_words;
pub mod model_reader;
pub mod npy_reader;
pub mod onnx_external;
pub mod onnx_reader;
pub mod sparse_rows;
pub mod svmlight_reader;
pub mod table_reader;
pub mod torch_reader;
pub mod training;
mod twin;

/// A target's name, and its oracle on the bytes of an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 14] = [
    ("checkpoint_reader", checkpoint_reader::check),
    ("dropout", |bytes| dropout::check(decoded(bytes))),
    ("idx_reader", idx_reader::check),
    ("integer_reader", integer_reader::check),
    ("mask_words", |bytes| mask_words::check(decoded(bytes))),
    ("model_reader", model_reader::check),
    ("npy_reader", npy_reader::check),
    ("onnx_external", onnx_external::check),
    ("onnx_reader", onnx_reader::check),
    ("sparse_rows", |bytes| sparse_rows::check(decoded(bytes))),
    ("svmlight_reader", svmlight_reader::check),
    ("table_reader", table_reader::check),
    ("torch_reader", torch_reader::check),
    ("training", |bytes| training::check(decoded(bytes))),
];

/// A structured case from an input's bytes, as libfuzzer-sys makes it.
pub fn decoded<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> T {
    T::arbitrary_take_rest(Unstructured::new(bytes)).expect("the bytes of a case")
}
