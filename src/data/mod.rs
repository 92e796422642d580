//! Data: readers, the embedded digits, batches.

mod batch;
mod dataset;
#[cfg(feature = "digits")]
mod digits;
mod gzip;
mod hold_out;
pub mod idx;
pub mod npy;
mod shuffle;
mod source;

pub use batch::Batch;
pub use dataset::{Dataset, MOST_CLASSES, Split};
pub use shuffle::{epoch_order, shuffle};
pub use source::MOST_ELEMENTS;
