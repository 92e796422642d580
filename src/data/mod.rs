//! Data sets: readers for IDX, NPY and svmlight files, the embedded digits, held-out rows, and
//! batches in a seeded order. Batches of dense or sparse rows.

mod batch;
mod batches;
mod csr;
mod dataset;
#[cfg(feature = "digits")]
mod digits;
mod gzip;
mod hold_out;
pub mod idx;
pub mod npy;
mod shuffle;
mod source;
pub mod svmlight;
mod targets;

pub use batch::Batch;
pub use batches::{BatchIter, Batches};
pub use csr::{CsrMatrix, CsrView};
pub use dataset::{Dataset, MAX_CLASSES, Split};
pub use shuffle::epoch_order;
pub use source::MAX_ELEMENTS;
pub use targets::OwnedTargets;
