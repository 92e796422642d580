//! 10,000 handwritten digits of MNIST, as the four files that the set is known by:
//! gzipped IDX, 8-bit grey levels of 28 x 28 pixels and labels 0 to 9.
//!
//! The pixels and labels are MNIST's (Yann LeCun, Corinna Cortes and Christopher J. C.
//! Burges) and are commonly given as CC BY-SA 3.0, as is this package: see `NOTICE`.
//! `thinnet` reads them as `Dataset::digits`; no other use is intended.

/// A file of the set.
#[derive(Debug, Clone, Copy)]
pub struct File {
    /// Its name in the set.
    pub name: &'static str,
    /// Its content: gzipped IDX.
    pub bytes: &'static [u8],
}

macro_rules! file {
    ($name:literal) => {
        File { name: $name, bytes: include_bytes!(concat!("../data/", $name)) }
    };
}

/// The first 8,000 training images.
pub const TRAIN_IMAGES: File = file!("train-images-idx3-ubyte.gz");
/// Their labels.
pub const TRAIN_LABELS: File = file!("train-labels-idx1-ubyte.gz");
/// Every fifth of the 10,000 test images: 2,000.
pub const TEST_IMAGES: File = file!("t10k-images-idx3-ubyte.gz");
/// Their labels.
pub const TEST_LABELS: File = file!("t10k-labels-idx1-ubyte.gz");
