//! Rows with their targets.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Batches, Inputs, OwnedInputs, OwnedTargets, idx, npy, source::Source};
use crate::{
    abridged::Few,
    error::{Error, at_most, check_total_weight, check_weights},
    memory::reserve,
    nn::{TargetKind, Targets},
    tensor::{Matrix, MatrixView},
};

/// Which of a folder's two sets to read.
///
/// ```
/// use thinnet::data::{Dataset, Split};
///
/// let names = Dataset::file_names(Split::Test);
/// assert!(names.contains(&"t10k-images-idx3-ubyte.gz".to_owned()));
/// assert!(names.contains(&"x_test.npy".to_owned()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Split {
    /// `train-*`, `x_train.npy`
    Train,
    /// `t10k-*` or `test-*`, `x_test.npy`
    Test,
}

/// The most classes, 2^20: a larger label is probably not a class at all.
pub const MAX_CLASSES: usize = 1 << 20;

/// The number of floats hashed at once.
const PIECE: usize = 1024;

/// Rows of inputs with their targets, and a weight per row if the rows count differently. The readers
/// scale bytes to numbers from 0 to 1.
///
/// The rows are dense (a [`Matrix`]) or sparse (a [`CsrMatrix`](super::CsrMatrix)). Sparse rows train and
/// predict to the bit like the same rows as a dense matrix, and give the same errors.
///
/// ```
/// use thinnet::{data::{CsrMatrix, Dataset, OwnedTargets}, tensor::Matrix};
///
/// let inputs = Matrix::from_rows(&[0.0, 0.5, 1.0, 0.5], 2, 2)?;
/// let data = Dataset::new(inputs.clone(), vec![0, 2])?;
/// assert_eq!((data.rows(), data.classes()), (2, 3));
/// assert_eq!(data.class_counts()?, [1, 0, 1]);
///
/// // For a regression.
/// let values = OwnedTargets::Values(Matrix::from_rows(&[1.5, -2.0], 2, 1)?);
/// let data = Dataset::new(inputs, values)?.with_weights(vec![1.0, 3.0])?;
/// assert_eq!(data.weights(), Some(&[1.0, 3.0][..]));
///
/// // Sparse rows.
/// let words = CsrMatrix::new(vec![0, 1, 3], vec![1, 0, 3], vec![5.0, 7.0, 9.0], 4)?;
/// let data = Dataset::new(words, vec![1, 0])?;
/// assert_eq!((data.rows(), data.inputs().columns()), (2, 4));
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone)]
pub struct Dataset {
    inputs: OwnedInputs,
    targets: OwnedTargets,
    weights: Option<Vec<f64>>,
    /// 0 unless the targets are classes.
    classes: usize,
    /// Height and width.
    image_shape: Option<[usize; 2]>,
}

impl fmt::Debug for Dataset {
    /// The first few targets and weights, and the first few numbers of the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inputs, targets, weights, classes, image_shape } = self;
        f.debug_struct("Dataset")
            .field("inputs", inputs)
            .field("targets", targets)
            .field("weights", &weights.as_ref().map(|weights| Few(weights.iter())))
            .field("classes", classes)
            .field("image_shape", image_shape)
            .finish()
    }
}

impl Dataset {
    /// A data set of your own rows, dense or sparse, and targets. If they are classes, as of a `Vec<u32>`, the number
    /// of classes is the largest label + 1.
    ///
    /// # Errors
    /// The number of targets is not the number of rows, a label is not below [`MAX_CLASSES`], a value
    /// is not finite, or a bit is not from 0 to 1.
    pub fn new(
        inputs: impl Into<OwnedInputs>,
        targets: impl Into<OwnedTargets>,
    ) -> Result<Self, Error> {
        let (inputs, targets) = (inputs.into(), targets.into());
        let what = match targets {
            OwnedTargets::Classes(_) => "labels of a data set",
            _ => "targets of a data set",
        };
        crate::error::same_size(what, inputs.rows(), targets.rows())?;
        let classes = targets.check()?;
        Ok(Self { inputs, targets, weights: None, classes, image_shape: None })
    }

    /// Gives each row a weight, in training and in evaluation: a row of weight 3 counts like three
    /// copies of it, and one of weight 0 like none. Without weights, each row counts once.
    ///
    /// # Errors
    /// There is not one weight per row, or a weight is negative, infinite or NaN.
    pub fn with_weights(self, weights: Vec<f64>) -> Result<Self, Error> {
        check_weights(self.rows(), &weights)?;
        Ok(Self { weights: Some(weights), ..self })
    }

    /// The same rows without weights, so that each counts once: for example held-out rows, if only
    /// training is to be weighted.
    #[must_use]
    pub fn without_weights(self) -> Self {
        Self { weights: None, ..self }
    }

    /// Reads images and labels from IDX files, plain or gzipped; bytes become x / 255.
    ///
    /// # Errors
    /// A file cannot be read or is not in this format, or there are not as many labels as images.
    pub fn from_idx_files(
        images: impl AsRef<Path>,
        labels: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        let (images, labels) = (images.as_ref(), labels.as_ref());
        Self::from_idx(Source::open(images)?, || Source::open(labels))
    }

    /// Reads the files with MNIST's names in a folder: `train-images-idx3-ubyte` and so on, `t10k-`
    /// or `test-` for [`Split::Test`], with or without `.gz`.
    ///
    /// # Errors
    /// There are no such files, or as for [`Self::from_idx_files`].
    pub fn from_idx_folder(folder: impl AsRef<Path>, split: Split) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let find = |what| find(folder, &format!("IDX {what}"), &idx_names(split, what));
        Self::from_idx_files(find("images")?, find("labels")?)
    }

    /// Reads rows and labels from NPY files: a matrix, or images as an array of more dimensions,
    /// and one integer per row. Bytes become x / 255; other elements are not scaled: see
    /// [`npy::Npy::inputs`] and [`npy::Npy::labels`].
    ///
    /// # Errors
    /// A file cannot be read or is not in this format, or there are not as many labels as rows.
    pub fn from_npy_files(
        inputs: impl AsRef<Path>,
        labels: impl AsRef<Path>,
    ) -> Result<Self, Error> {
        Self::from_npy_targets(inputs, labels, TargetKind::Classes)
    }

    /// Like [`Self::from_npy_files`], but reads targets of any kind. Values and bits are the rows of a
    /// matrix, or one per row if the array has one dimension; they are not scaled.
    ///
    /// # Errors
    /// As for [`Self::from_npy_files`]; or a value is not finite, or a bit is not from 0 to 1.
    pub fn from_npy_targets(
        inputs: impl AsRef<Path>,
        targets: impl AsRef<Path>,
        kind: TargetKind,
    ) -> Result<Self, Error> {
        let (inputs, path) = (inputs.as_ref(), targets.as_ref());
        let matrix = npy::read_inputs(inputs)?;
        let targets = npy::read_targets_of(path, inputs, matrix.rows(), kind)?;
        Self::new(matrix, targets).map_err(|error| match error {
            Error::Class { .. } | Error::NonFinite { .. } | Error::Target { .. } => {
                Error::format(path, error.to_string())
            }
            error => error,
        })
    }

    /// Reads the NPY files with the usual names in a folder: `x_train.npy` and `y_train.npy`, or
    /// `train-images.npy` and `train-labels.npy`; for [`Split::Test`] `x_test.npy`,
    /// `t10k-images.npy`, `test-images.npy` and so on.
    ///
    /// # Errors
    /// There are no such files, or as for [`Self::from_npy_files`].
    pub fn from_npy_folder(folder: impl AsRef<Path>, split: Split) -> Result<Self, Error> {
        Self::from_npy_folder_of(folder.as_ref(), split, TargetKind::Classes)
    }

    fn from_npy_folder_of(folder: &Path, split: Split, kind: TargetKind) -> Result<Self, Error> {
        let find = |what| find(folder, &format!("NPY {what}"), &npy_names(split, what));
        Self::from_npy_targets(find("images")?, find("labels")?, kind)
    }

    /// Reads a folder of either kind: as [`Self::from_idx_folder`] does, or, if it has no IDX
    /// images, as [`Self::from_npy_folder`] does.
    ///
    /// # Errors
    /// The folder has files of neither kind, or as for the kind that it has.
    pub fn from_folder(folder: impl AsRef<Path>, split: Split) -> Result<Self, Error> {
        Self::from_folder_targets(folder, split, TargetKind::Classes)
    }

    /// Like [`Self::from_folder`], but reads targets of any kind, as [`Self::from_npy_targets`] does from
    /// NPY files. The labels of IDX files become numbers, as in [`OwnedTargets::into_kind`].
    ///
    /// # Errors
    /// As for [`Self::from_folder`] and for these.
    pub fn from_folder_targets(
        folder: impl AsRef<Path>,
        split: Split,
        kind: TargetKind,
    ) -> Result<Self, Error> {
        let folder = folder.as_ref();
        let [idx, npy] = [idx_names, npy_names].map(|names| names(split, "images"));
        if find(folder, "IDX images", &idx).is_ok() {
            let data = Self::from_idx_folder(folder, split)?.into_kind(kind);
            return data.map_err(|error| Error::format(folder, error.to_string()));
        }
        find(folder, "IDX images or NPY images", &[idx, npy].concat())?;
        Self::from_npy_folder_of(folder, split, kind)
    }

    /// The same rows with [targets of a kind](OwnedTargets::into_kind).
    ///
    /// # Errors
    /// As for [`OwnedTargets::into_kind`].
    pub fn into_kind(self, kind: TargetKind) -> Result<Self, Error> {
        let classes = if kind == TargetKind::Classes { self.classes } else { 0 };
        Ok(Self { targets: self.targets.into_kind(kind)?, classes, ..self })
    }

    /// The names of the files, of both kinds, that [`Self::from_folder`] looks for.
    pub fn file_names(split: Split) -> Vec<String> {
        let mut names = Vec::new();
        for what in ["images", "labels"] {
            names.extend([idx_names, npy_names].iter().flat_map(|names| names(split, what)));
        }
        names
    }

    /// The labels are opened only after the images have been read: both may be pipes from one
    /// writer.
    pub(super) fn from_idx<'a>(
        images: Source<'_>,
        labels: impl FnOnce() -> Result<Source<'a>, Error>,
    ) -> Result<Self, Error> {
        let (inputs, shape) = idx::images(images)?;
        let classes = idx::labels(labels()?, inputs.rows())?;
        Ok(Self { image_shape: Some(shape), ..Self::new(inputs, classes)? })
    }

    /// Height and width of the images in the rows, if the source gives them: IDX files and the
    /// embedded digits do; NPY files and your own rows do not.
    pub fn image_shape(&self) -> Option<[usize; 2]> {
        self.image_shape
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.inputs.rows()
    }

    /// The number of classes: the largest label + 1, or 0 if the targets are not classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of rows in each class.
    ///
    /// # Errors
    /// The targets are not classes, or there is not enough memory.
    pub fn class_counts(&self) -> Result<Vec<usize>, Error> {
        let labels = self.labels()?;
        let mut counts = reserve("class counts", self.classes)?;
        counts.resize(self.classes, 0);
        labels.iter().for_each(|&class| counts[class as usize] += 1);
        Ok(counts)
    }

    /// The weight of each class with which all classes count the same: `n / (k n_c)`, with n rows of k
    /// classes and n_c rows of class c, as scikit-learn's `balanced`. Rows count by their
    /// [weights](Self::with_weights). A class without rows is not among the k, and gets 0.
    ///
    /// ```
    /// use thinnet::{data::Dataset, tensor::Matrix};
    ///
    /// let data = Dataset::new(Matrix::zeroed(4, 1)?, vec![0, 2, 0, 0])?;
    /// assert_eq!(data.balanced_weights()?, [4.0 / 6.0, 0.0, 2.0]);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// The targets are not classes, the sum of the weights of the rows is 0 or infinite, or there is not
    /// enough memory.
    pub fn balanced_weights(&self) -> Result<Vec<f64>, Error> {
        let labels = self.labels()?;
        let mut counts: Vec<f64> = reserve("weights of classes", self.classes)?;
        counts.resize(self.classes, 0.0);
        for (row, &class) in labels.iter().enumerate() {
            counts[class as usize] += self.weights.as_ref().map_or(1.0, |weights| weights[row]);
        }
        let all = check_total_weight(counts.iter().sum())?;
        let occur = counts.iter().filter(|&&count| count > 0.0).count() as f64;
        for count in &mut counts {
            *count = if *count > 0.0 { all / (occur * *count) } else { 0.0 };
        }
        Ok(counts)
    }

    /// The rows, dense or sparse.
    pub fn inputs(&self) -> Inputs<'_> {
        self.inputs.view()
    }

    /// The rows as a dense matrix, for code that needs all of their numbers.
    ///
    /// # Errors
    /// The rows are sparse.
    pub fn dense_inputs(&self) -> Result<MatrixView<'_>, Error> {
        self.inputs().dense()
    }

    /// The targets of the rows.
    pub fn targets(&self) -> Targets<'_> {
        self.targets.view()
    }

    /// The class of each row.
    ///
    /// # Errors
    /// The targets are not classes.
    pub fn labels(&self) -> Result<&[u32], Error> {
        self.targets.classes()
    }

    /// The weight of each row, if they were given weights.
    pub fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// The targets of `rows` rows, in which those of this data set, which has rows, follow one another
    /// again and again.
    pub(crate) fn repeated_targets(&self, rows: usize) -> Result<OwnedTargets, Error> {
        self.targets.copy((0..rows).map(|row| row % self.rows()))
    }

    /// The rows, their targets, and their weights.
    pub fn into_parts(self) -> (OwnedInputs, OwnedTargets, Option<Vec<f64>>) {
        (self.inputs, self.targets, self.weights)
    }

    /// The batches of an epoch: the rows in [the order of that epoch](super::epoch_order), `size`
    /// at a time, the remainder last.
    ///
    /// ```
    /// use thinnet::{data::Dataset, nn::Targets, tensor::Matrix};
    ///
    /// let data = Dataset::new(Matrix::zeroed(5, 3)?, vec![0, 1, 2, 3, 4])?;
    /// let mut labels = Vec::new();
    /// for (batch, targets) in &data.batches(1, 0, 2)? {
    ///     let Targets::Classes(classes) = targets else { unreachable!() };
    ///     assert_eq!((batch.columns(), batch.rows()), (3, classes.len()));
    ///     labels.extend_from_slice(classes);
    /// }
    /// assert_ne!(labels, data.labels()?);
    /// labels.sort();
    /// assert_eq!(labels, data.labels()?);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// Each batch has the [weights](super::Batch::weights) of its rows. A [`Batches`] can be reshuffled for
    /// the next epoch.
    ///
    /// # Errors
    /// As for [`Batches::new`].
    pub fn batches(&self, seed: u64, epoch: u64, size: usize) -> Result<Batches<'_>, Error> {
        let mut batches = Batches::new(self.inputs(), self.targets(), size)?;
        if let Some(weights) = &self.weights {
            batches = batches.with_weights(weights)?;
        }
        batches.shuffle(seed, epoch);
        Ok(batches)
    }

    /// SHA-256 of the shape, inputs, targets and weights, in hexadecimal; a checkpoint stores it to identify
    /// its data.
    ///
    /// Sparse rows are identified by their entries: they have another fingerprint than the same rows as a
    /// dense matrix, or with other zeros stored.
    pub fn fingerprint(&self) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for size in [self.rows(), self.inputs().columns(), self.classes] {
            hash.update((size as u64).to_le_bytes());
        }
        let add_rows = |hash: &mut Sha256, rows: &Matrix| {
            for piece in rows.iter().flat_map(|row| row.chunks(PIECE)) {
                hash.update(crate::bytes::little_endian(piece));
            }
        };
        match &self.inputs {
            OwnedInputs::Dense(rows) => add_rows(&mut hash, rows),
            OwnedInputs::Sparse(rows) => {
                hash.update("sparse");
                let rows = rows.view().inner();
                for row in 0..rows.rows() {
                    let (columns, values) = rows.at(row);
                    hash.update((columns.len() as u64).to_le_bytes());
                    for (column, value) in columns.iter().zip(values) {
                        hash.update(column.to_le_bytes());
                        hash.update(value.to_le_bytes());
                    }
                }
            }
        }
        match &self.targets {
            OwnedTargets::Classes(labels) => {
                labels.iter().for_each(|label| hash.update(label.to_le_bytes()));
            }
            OwnedTargets::Values(numbers) | OwnedTargets::Binary(numbers) => {
                hash.update(self.targets().kind().name());
                hash.update((numbers.columns() as u64).to_le_bytes());
                add_rows(&mut hash, numbers);
            }
        }
        if let Some(weights) = &self.weights {
            hash.update("weights");
            weights.iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        }
        crate::bytes::hexadecimal(&hash.finalize())
    }

    /// The rows before `middle` and the rows from it on, in order. To hold rows out for validation,
    /// use [`Self::hold_out`], which chooses them at random.
    ///
    /// # Errors
    /// There are fewer than `middle` rows, or there is not enough memory for the copies.
    pub fn split_at(&self, middle: usize) -> Result<(Self, Self), Error> {
        at_most("row to split at", self.rows(), middle)?;
        Ok((self.copy(0..middle)?, self.copy(middle..self.rows())?))
    }

    /// A copy of some rows, which must exist; it has as many classes as the whole.
    pub(super) fn copy(
        &self,
        rows: impl ExactSizeIterator<Item = usize> + Clone,
    ) -> Result<Self, Error> {
        let weights = self.weights.as_ref().map(|weights| {
            let mut copy = reserve("weights of rows", rows.len())?;
            copy.extend(rows.clone().map(|row| weights[row]));
            Ok(copy)
        });
        Ok(Self {
            inputs: self.inputs.copy(rows.clone())?,
            targets: self.targets.copy(rows)?,
            weights: weights.transpose()?,
            ..*self
        })
    }
}

/// The first of these files that the folder holds.
fn find(folder: &Path, what: &str, names: &[String]) -> Result<PathBuf, Error> {
    let there =
        names.iter().map(|name| folder.join(name)).find(|path| path.exists() && !path.is_dir());
    there.ok_or_else(|| {
        Error::format(
            folder,
            format!("no {what} in this folder: expected one of {}", names.join(", ")),
        )
    })
}

/// The prefixes of the names of MNIST's files.
fn prefixes(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => &["train"],
        Split::Test => &["t10k", "test"],
    }
}

/// MNIST's file names for `images` or `labels`.
fn idx_names(split: Split, what: &str) -> Vec<String> {
    let dimensions = if what == "images" { 3 } else { 1 };
    let mut names = Vec::new();
    for prefix in prefixes(split) {
        for dot in ["-", "."] {
            for gz in ["", ".gz"] {
                names.push(format!("{prefix}-{what}{dot}idx{dimensions}-ubyte{gz}"));
            }
        }
    }
    names
}

/// The usual names of the NPY files of `images` or `labels`.
fn npy_names(split: Split, what: &str) -> Vec<String> {
    let letter = if what == "images" { 'x' } else { 'y' };
    let set = if split == Split::Train { "train" } else { "test" };
    let of_mnist = prefixes(split).iter().map(|prefix| format!("{prefix}-{what}.npy"));
    std::iter::once(format!("{letter}_{set}.npy")).chain(of_mnist).collect()
}
