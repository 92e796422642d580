//! Matrices of f32, and views of them.

mod buffer;
mod matrix;

pub(crate) use buffer::AlignedBuffer;
pub use matrix::{Matrix, MatrixView};
pub(crate) use matrix::{all_finite, padded};
