//! Aligned buffers, matrices and their views.
#![forbid(unsafe_code)]

mod buffer;
mod matrix;

pub use buffer::AlignedBuffer;
pub use matrix::{Matrix, MatrixView};
