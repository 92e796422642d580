//! Aligned buffers, matrices and their views.
#![forbid(unsafe_code)]

mod buffer;
mod matrix;

pub use buffer::AlignedBuffer;
pub(crate) use matrix::padded;
pub use matrix::{Matrix, MatrixView};
