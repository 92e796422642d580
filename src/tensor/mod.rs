//! Aligned buffers, matrices and their views.

mod buffer;
mod matrix;

pub use buffer::AlignedBuffer;
pub(crate) use matrix::padded;
pub use matrix::{Matrix, MatrixView};
