//! The library from outside. One program, as linking one for each file would take
//! longer than running them; `cargo test --test library masks` runs those of a file.

mod answers;
#[cfg(feature = "ndarray")]
mod arrays;
#[path = "../backend/mod.rs"]
mod backend;
#[cfg(feature = "digits")]
mod bf16;
mod cases;
mod csr;
mod debug;
#[cfg(feature = "digits")]
mod determinism;
mod everything;
mod exchange;
#[cfg(unix)]
mod files;
mod fine_tuning;
mod fit;
mod formats;
#[cfg(feature = "sprs")]
mod from_sprs;
mod gaussian;
mod hard_numbers;
mod hashed;
mod idioms;
mod in_training;
mod integer;
mod integer_models;
mod integer_predictions;
mod learning_rate;
mod masks;
mod maxout;
mod metrics;
mod models;
#[cfg(feature = "digits")]
mod moments;
mod monte_carlo;
mod normals;
mod notes;
mod npy;
mod objective;
mod onnx_graphs;
mod onnx_out;
mod properties;
mod recorded;
mod refusals;
mod resume;
mod rounding;
mod settings;
mod sharing;
mod sparse_sets;
mod sparsity;
mod temperature;
mod tf_idf;
mod theory;
mod threshold;
mod weight_scaling;
mod weights;
