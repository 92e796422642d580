//! Matrices of f32 and their views.

mod buffer;
mod matrix;

pub(crate) use buffer::AlignedBuffer;
pub(crate) use matrix::padded;
pub use matrix::{Matrix, MatrixView};
