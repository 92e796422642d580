//! Labelled rows.

use std::path::{Path, PathBuf};

use super::idx::{self, Idx};
use crate::{
    error::{Error, below},
    tensor::{Matrix, MatrixView},
};

/// Which of the two sets of a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// `train-*`
    Train,
    /// `t10k-*` or `test-*`
    Test,
}

/// Rows of inputs from 0 to 1, each with a class.
#[derive(Clone, Debug)]
pub struct Dataset {
    inputs: Matrix,
    labels: Vec<u32>,
    classes: usize,
}

impl Dataset {
    /// Labelled rows of one's own; the number of classes is the largest label
    /// and one.
    ///
    /// # Errors
    /// Not a label for each row.
    pub fn new(inputs: Matrix, labels: Vec<u32>) -> Result<Self, Error> {
        crate::error::same_size("labels of a data set", inputs.rows(), labels.len())?;
        let most = labels.iter().max().map_or(0, |&most| u64::from(most) + 1);
        let classes = usize::try_from(most)
            .map_err(|_| Error::setting("class", most - 1, "one that can be counted to"))?;
        Ok(Self { inputs, labels, classes })
    }

    /// Images and labels in IDX, plain or gzipped; bytes become x / 255.
    ///
    /// # Errors
    /// A file that cannot be read or is no such file, or another number of
    /// labels than images.
    pub fn from_idx_files(images: &Path, labels: &Path) -> Result<Self, Error> {
        Self::from_idx(idx::read(images, 3)?, idx::read(labels, 1)?, labels)
    }

    /// The files of MNIST's names in a folder: `train-images-idx3-ubyte` and so
    /// on, `t10k-` or `test-` for [`Split::Test`], with or without `.gz`.
    ///
    /// # Errors
    /// There are no such files, or as [`Self::from_idx_files`].
    pub fn from_idx_folder(folder: &Path, split: Split) -> Result<Self, Error> {
        let find = |what: &str| -> Result<PathBuf, Error> {
            let prefixes: &[&str] = match split {
                Split::Train => &["train"],
                Split::Test => &["t10k", "test"],
            };
            let mut tried = Vec::new();
            for prefix in prefixes {
                for dot in ["-", "."] {
                    for gz in ["", ".gz"] {
                        tried.push(format!(
                            "{prefix}-{what}{dot}idx{}-ubyte{gz}",
                            if what == "images" { 3 } else { 1 }
                        ));
                    }
                }
            }
            tried.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(
                || Error::Format {
                    path: folder.to_owned(),
                    reason: format!("no IDX {what} there: expected one of {}", tried.join(", ")),
                },
            )
        };
        Self::from_idx_files(&find("images")?, &find("labels")?)
    }

    pub(super) fn from_idx(images: Idx, labels: Idx, path: &Path) -> Result<Self, Error> {
        let (rows, columns) = match images.dimensions[..] {
            [rows, height, width] => (rows, height.saturating_mul(width)),
            _ => (0, 0),
        };
        if labels.elements.len() != rows {
            return Err(Error::Format {
                path: path.to_owned(),
                reason: format!("{} labels: expected {rows}, one an image", labels.elements.len()),
            });
        }
        // Rows are padded to cache lines and bytes become floats, so that a small
        // file of small images could ask for much.
        let padded = columns.next_multiple_of(16).saturating_mul(rows);
        if padded > idx::MOST_ELEMENTS {
            return Err(Error::Format {
                path: path.to_owned(),
                reason: format!(
                    "{rows} images of {columns} pixels take {padded} floats: expected at most {}",
                    idx::MOST_ELEMENTS
                ),
            });
        }
        let mut inputs = Matrix::zeroed(rows, columns)?;
        for (row, image) in images.elements.chunks_exact(columns.max(1)).enumerate() {
            for (x, &byte) in inputs.at_mut(row).iter_mut().zip(image) {
                *x = f32::from(byte) / 255.0;
            }
        }
        Self::new(inputs, labels.elements.iter().map(|&label| u32::from(label)).collect())
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    /// How many classes: the largest label and one.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The rows.
    pub fn inputs(&self) -> MatrixView<'_> {
        self.inputs.view()
    }

    /// The class of each row.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// SHA-256 over shape, inputs and labels, in hexadecimal: what a checkpoint
    /// remembers of its data.
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for size in [self.rows(), self.inputs.columns(), self.classes] {
            hash.update((size as u64).to_le_bytes());
        }
        for row in 0..self.rows() {
            hash.update(crate::nn::little_endian(self.inputs.at(row)));
        }
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
        crate::nn::hexadecimal(&hash.finalize())
    }

    /// The rows before `middle`, and those from it on: to hold rows out.
    ///
    /// # Errors
    /// There are not as many rows, or the copies cannot be allocated.
    pub fn split_at(&self, middle: usize) -> Result<(Self, Self), Error> {
        below("row to split at", self.rows().saturating_add(1), middle)?;
        let part = |from: usize, to: usize| -> Result<Self, Error> {
            let mut inputs = Matrix::zeroed(to - from, self.inputs.columns())?;
            for row in from..to {
                inputs.at_mut(row - from).copy_from_slice(self.inputs.at(row));
            }
            let labels = self.labels[from..to].to_vec();
            Ok(Self { inputs, labels, classes: self.classes })
        };
        Ok((part(0, middle)?, part(middle, self.rows())?))
    }
}
