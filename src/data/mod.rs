//! Data sets: readers for IDX, NPY and svmlight files, tables from CSV files, the embedded digits, held-out
//! rows, and batches in a seeded order. Data sets and batches hold dense or sparse rows. Hashed features, TF-IDF.

mod batch;
mod batches;
mod csr;
mod dataset;
#[cfg(feature = "digits")]
mod digits;
mod gzip;
mod hashed;
mod hold_out;
pub mod idx;
mod inputs;
mod log_counts;
mod murmur;
pub mod npy;
mod shuffle;
mod source;
pub mod svmlight;
pub mod table;
mod targets;
mod tf_idf;

pub use batch::Batch;
pub use batches::{BatchIter, Batches};
pub use csr::{CsrBuilder, CsrMatrix, CsrView};
pub use dataset::{Dataset, MAX_CLASSES, Split};
pub use hashed::{FeatureHasher, MAX_HASHED_COLUMNS};
pub use inputs::{Inputs, OwnedInputs};
pub use shuffle::epoch_order;
pub use source::MAX_ELEMENTS;
pub use targets::OwnedTargets;
pub use tf_idf::{FittedTfIdf, RowNorm, TfIdf};
