//! Matrices of f32, and views of them.

mod buffer;
mod matrix;

pub(crate) use buffer::AlignedBuffer;
pub(crate) use matrix::padded;
pub use matrix::{Matrix, MatrixView};
