//! The one error type of the library.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{metrics::Metric, noise::Noise, simd::Isa};

/// What can go wrong, with one variant per cause. Each message names the offending value and what was
/// expected.
///
/// Errors can be cloned, for example if one failure concerns several callers.
///
/// ```
/// use thinnet::{Error, Keep, tensor::MatrixView};
///
/// let error = Keep::new(1.5).unwrap_err();
/// assert!(matches!(error, Error::KeepOutOfRange { value: 1.5 }));
/// assert_eq!(error.to_string(), "keep rate 1.5: expected a number above 0 and at most 1");
///
/// // A 2 x 2 matrix has four elements.
/// let error = MatrixView::new(&[1.0, 2.0, 3.0], 2, 2).unwrap_err();
/// assert!(matches!(error, Error::Size { expected: 4, got: 3, .. }));
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A keep rate outside `0 < keep <= 1`, or not a number.
    #[error("keep rate {value}: expected a number above 0 and at most 1")]
    KeepOutOfRange {
        /// The rate that was given.
        value: f64,
    },
    /// A keep rate is given as a text that is not a number.
    #[error("keep rate `{text}`: expected a number above 0 and at most 1")]
    KeepText {
        /// The text that was given.
        text: String,
    },
    /// A keep rate that rounds to 0 or 1 as a multiple of 1/65536, but is neither.
    #[error(
        "keep rate {value} rounds to {rounded}/65536: expected 1, or a rate from 1/65536 to 65535/65536"
    )]
    KeepNotRepresentable {
        /// The rate that was given.
        value: f64,
        /// What it rounds to: 0 or 65536.
        rounded: u32,
    },
    /// A standard deviation of Gaussian noise outside 0 to 65536, or not a number.
    #[error("sigma {value}: expected a number from 0 to 65536")]
    Sigma {
        /// The standard deviation that was given.
        value: f64,
    },
    /// A standard deviation of Gaussian noise is given as a text that is not a number.
    #[error("sigma `{text}`: expected a number from 0 to 65536")]
    SigmaText {
        /// The text that was given.
        text: String,
    },
    /// Two sizes that must be equal differ.
    #[error("{what}: expected {expected}, got {got}")]
    Size {
        /// Which size.
        what: &'static str,
        /// What it must be.
        expected: usize,
        /// What was given.
        got: usize,
    },
    /// An index that is not below its bound.
    #[error("{what}: expected an index below {bound}, got {index}")]
    Index {
        /// Index of what.
        what: &'static str,
        /// The bound.
        bound: usize,
        /// What was given.
        index: usize,
    },
    /// A count or a position is larger than its maximum.
    #[error("{what}: expected at most {most}, got {got}")]
    TooMany {
        /// What is counted.
        what: &'static str,
        /// The maximum.
        most: usize,
        /// What was given.
        got: usize,
    },
    /// Something is too large to be allocated.
    #[error("not enough memory for {what} ({})", shape_text(shape))]
    TooLarge {
        /// What was to be allocated.
        what: &'static str,
        /// Its rows and columns. A list has one row.
        shape: [usize; 2],
    },
    /// There is none of something of which at least one is needed.
    #[error("{what}: expected {expected}, got 0")]
    Zero {
        /// What there is none of.
        what: &'static str,
        /// How many are needed.
        expected: &'static str,
    },
    /// A number outside its range.
    // `{:?}` prints 1e-60 in this form, not as 62 digits.
    #[error("{what}: expected {expected}, got {value:?}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// The number that was given.
        value: f64,
        /// The range that it must be in.
        expected: &'static str,
    },
    /// A schedule with rates outside their range.
    #[error("{what}: expected {expected}, got {schedule}")]
    Schedule {
        /// The setting that it is the schedule of.
        what: &'static str,
        /// The schedule that was given.
        schedule: String,
        /// What its numbers must be.
        expected: &'static str,
    },
    /// A number that an [`Activation`](crate::nn::Activation), a [`Loss`](crate::nn::Loss) or a
    /// [`Temperature`](crate::nn::Temperature) cannot have.
    #[error("{parameter} {value}: expected {expected}")]
    Parameter {
        /// Which number, and of which activation or loss.
        parameter: &'static str,
        /// The number as it was given.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A drop rate that is not 1 - k/65536 for any k from 1 to 65536.
    #[error("drop rate {value}: expected 0, or a number from 1/65536 to 65535/65536")]
    DropRate {
        /// The rate that was given.
        value: f64,
    },
    /// A numerator of a keep rate outside its range.
    #[error("keep rate of {k}/65536: expected a numerator from 1 to 65536")]
    KeepNumerator {
        /// The numerator that was given.
        k: u32,
    },
    /// Bernoulli noise in a file that keeps every unit, which must be written as no noise.
    #[error(
        "Bernoulli noise with keep_k {keep_k}: expected a smaller number, or noise of kind `none`"
    )]
    BernoulliKeepsAll {
        /// The numerator of its keep rate.
        keep_k: u32,
    },
    /// Gaussian noise in a file, with a sigma that saving does not write.
    #[error(
        "Gaussian noise with sigma {sigma}: expected a number above 0 that single precision can hold \
         exactly, or noise of kind `none`"
    )]
    SavedSigma {
        /// Its standard deviation.
        sigma: f64,
    },
    /// A temperature in a file that saving does not write.
    #[error(
        "temperature {temperature}: expected a number other than 1 that single precision can hold \
         exactly, or none for 1"
    )]
    SavedTemperature {
        /// The temperature.
        temperature: f64,
    },
    /// Noise other than dropout where only dropout has a meaning.
    #[error(
        "dropout site {site} has noise {noise}, which {what} does not support: expected none or \
         bernoulli(KEEP) (site 0 is the input)"
    )]
    NotDropout {
        /// What does not support it.
        what: &'static str,
        /// The site: 0 is the input, 1 the first hidden layer.
        site: usize,
        /// Its noise.
        noise: Noise,
    },
    /// Maxout units with too few or too many pieces.
    #[error("{pieces} pieces of a maxout unit: expected from 2 to 256")]
    Pieces {
        /// The number of pieces that was given.
        pieces: usize,
    },
    /// Maxout units with an activation.
    #[error("maxout units with the activation {activation}: expected identity, or no pieces")]
    MaxoutActivation {
        /// The activation.
        activation: String,
    },
    /// A network has maxout units where they are not supported.
    #[error(
        "hidden layer {layer} has maxout units of {pieces} pieces, which {what} does not support (layer 0 \
         is the first)"
    )]
    Maxout {
        /// What does not support them.
        what: &'static str,
        /// The hidden layer.
        layer: usize,
        /// The number of pieces of its units.
        pieces: usize,
    },
    /// Both a keep rate and a drop rate are given for the same units.
    #[error(
        "both a keep rate ({keep}) and a drop rate ({drop}) are given: expected only one of the two"
    )]
    KeepAndDrop {
        /// The keep rate.
        keep: f64,
        /// The drop rate.
        drop: f64,
    },
    /// A layer is added after the output layer.
    #[error(
        "{call} is called after `output`: expected the hidden layers first, then one output layer"
    )]
    LayerAfterOutput {
        /// The call that came too late.
        call: String,
    },
    /// A network has no output layer.
    #[error("no output layer: call `output` before `build`")]
    NoOutputLayer,
    /// A file describes a network without layers.
    #[error("`layers` is empty: expected at least the output layer")]
    NoLayers,
    /// A file describes a network whose output layer has an activation or noise.
    #[error(
        "the output layer has activation {activation} and noise {noise}: expected identity without \
         noise, because its activation follows from the loss"
    )]
    OutputLayer {
        /// Its activation.
        activation: String,
        /// Its noise.
        noise: Noise,
    },
    /// Softmax cross-entropy over one output.
    #[error(
        "softmax_cross_entropy with 1 output: expected at least two classes (a softmax over one class \
         is always 1; two classes can share one output with binary_cross_entropy)"
    )]
    OneClass,
    /// An output layer whose units cannot be shared out among targets.
    #[error("{loss} with {outputs} outputs: expected {per_target} for each target")]
    OutputsPerTarget {
        /// The loss.
        loss: &'static str,
        /// How many outputs a target has.
        per_target: usize,
        /// How many outputs the layer has.
        outputs: usize,
    },
    /// A sparsity penalty with something that it does not support.
    #[error("a sparsity penalty with {what}: expected {expected}")]
    Sparsity {
        /// What it does not support.
        what: String,
        /// What it needs.
        expected: &'static str,
    },
    /// An operation needs a network with another loss.
    #[error("loss {loss}: expected {expected}")]
    LossKind {
        /// The network's loss.
        loss: &'static str,
        /// The loss that is needed, and why.
        expected: &'static str,
    },
    /// An estimate has no variance.
    #[error("this estimate has no variance: use moments, or monte_carlo with at least two samples")]
    NoVariance,
    /// The samples of an estimate were not kept.
    #[error("the samples were not kept: call MonteCarlo::keep_samples before the prediction")]
    NoSamples,
    /// The caller's provenance has a name that the trainer uses itself.
    #[error("setting `{name}`: expected a name that the trainer does not use itself")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// A network cannot be trained, or rounded to 8 bits, because some of its parameters are not
    /// finite.
    #[error("layer {layer} has NaN or infinite parameters: expected finite numbers")]
    NonFiniteLayer {
        /// The layer, from 0.
        layer: usize,
    },
    /// The parameters cannot be written to a file.
    #[error("cannot write the parameters: {reason}")]
    UnwritableParameters {
        /// Which ones, and what was expected of them.
        reason: String,
    },
    /// A weight that is larger than bfloat16's largest number.
    #[error("weight {weight:?} is too large for bfloat16")]
    BeyondBf16 {
        /// The weight.
        weight: f32,
    },
    /// A scale of 8-bit weights that is not a normal number above 0, or with which a weight could be
    /// infinite.
    #[error(
        "the weights into unit {unit} of layer {layer} have the scale {scale:?}: expected a number from \
         1.1754944e-38 to 2.6584558e36"
    )]
    IntegerScale {
        /// The layer, from 0.
        layer: usize,
        /// The unit of the layer, from 0.
        unit: usize,
        /// The scale, which the weights are multiples of.
        scale: f32,
    },
    /// A file would be too large to be read back.
    #[error("{what} would have {size} bytes: expected at most {most}, {why}")]
    FileTooLarge {
        /// Which file.
        what: &'static str,
        /// How many bytes it would have.
        size: u64,
        /// The maximum.
        most: u64,
        /// What sets that bound.
        why: &'static str,
    },
    /// The metadata cannot be written as JSON.
    #[error("cannot write the metadata as JSON: {reason}")]
    Metadata {
        /// The message of the serialiser.
        reason: String,
    },
    /// An array of the crate `ndarray` is not stored row by row without gaps.
    #[error(
        "an array has strides {strides:?}: expected standard layout (C order without gaps); \
         Matrix::copy_of_ndarray accepts any layout"
    )]
    ArrayLayout {
        /// Elements from one row to the next, and from one column to the next.
        strides: [isize; 2],
    },
    /// An input or a target that is NaN or infinite.
    #[error("{what} at row {row}, column {column} is {value}: expected a finite number")]
    NonFinite {
        /// Inputs or targets.
        what: &'static str,
        /// Row in the batch, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value found.
        value: f32,
    },
    /// A sum in a hidden layer that is NaN or infinite.
    #[error(
        "the {what} into unit {unit} of layer {layer} is {value} for row {row}: expected a finite \
         number (inputs or weights may be too large)"
    )]
    NonFiniteSum {
        /// The sum or its standard deviation.
        what: &'static str,
        /// Row in the batch, from 0.
        row: usize,
        /// The layer, from 0.
        layer: usize,
        /// The unit of the layer, from 0.
        unit: usize,
        /// The value found.
        value: f32,
    },
    /// A workspace is used with a network of another shape.
    #[error(
        "the workspace was made for {made_for} {what}, but the network has {got}: make one with this \
         predictor's `workspace`"
    )]
    OtherWorkspace {
        /// What differs.
        what: &'static str,
        /// How many the workspace was made for.
        made_for: usize,
        /// How many the network has.
        got: usize,
    },
    /// A class label that the output layer does not have.
    #[error("class {class} at row {row}: expected a class from 0 to {}", classes.saturating_sub(1))]
    Class {
        /// Row in the batch, from 0.
        row: usize,
        /// The label found.
        class: u32,
        /// How many classes the network has.
        classes: usize,
    },
    /// A target that the loss cannot have: a bit outside `[0, 1]`, or a negative count.
    #[error("target {value} at row {row}, column {column}: expected {expected}")]
    Target {
        /// Row in the batch, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value found.
        value: f32,
        /// What it must be.
        expected: &'static str,
    },
    /// A sparse row ends before its start.
    #[error(
        "sparse row {row} starts at entry {start} and ends at entry {end}: expected an end \
         at or after its start"
    )]
    SparseStarts {
        /// The row, from 0.
        row: usize,
        /// Where it starts.
        start: usize,
        /// Where the next one starts.
        end: usize,
    },
    /// The columns of a sparse row are not strictly ascending.
    #[error(
        "column {column} comes after column {before} in sparse row {row}: expected ascending columns"
    )]
    SparseOrder {
        /// The row, from 0.
        row: usize,
        /// A column.
        before: u32,
        /// The column after it, which is not larger.
        column: u32,
    },
    /// A matrix of the crate `sprs` is stored by columns.
    #[error(
        "a matrix of the crate `sprs` is in CSC storage (by columns): expected CSR (by rows), as its \
         method to_csr gives it"
    )]
    SparseColumns,
    /// A matrix of the crate `sprs` is a slice of another.
    #[error(
        "rows of the crate `sprs` are a slice of a matrix, from entry {start}: expected all rows; \
         CsrView::subrows gives some of them"
    )]
    SparseSlice {
        /// The first of the slice's entries in the whole matrix.
        start: usize,
    },
    /// A sparse row has several entries of the same column.
    #[error("column {column} occurs twice in sparse row {row}: expected each column at most once")]
    SparseDuplicate {
        /// The row, from 0.
        row: usize,
        /// The column.
        column: u32,
    },
    /// A column of a sparse row does not exist.
    #[error("column {column} in sparse row {row}: expected a column below {columns}")]
    SparseColumn {
        /// The row, from 0.
        row: usize,
        /// The column.
        column: u32,
        /// The number of columns.
        columns: usize,
    },
    /// A column of TF-IDF in a file that is used by more rows than there are.
    #[error(
        "column {column} has {frequency} rows out of {rows} in the frequencies of TF-IDF: expected at \
         most {rows}"
    )]
    DocumentFrequency {
        /// The column.
        column: usize,
        /// The number of training rows that use it.
        frequency: u64,
        /// The number of training rows.
        rows: u64,
    },
    /// A number of a row that cannot be used, for example by a metric.
    #[error("{what} at row {row}{}: expected {expected}, got {value:?}", column_text(*column))]
    RowNumber {
        /// Which number.
        what: &'static str,
        /// The row, from 0.
        row: usize,
        /// Column, from 0; `None` if a row has one such number.
        column: Option<usize>,
        /// The number that was given.
        value: f64,
        /// What it must be.
        expected: &'static str,
    },
    /// A weight that the loss of a class or of an output's bits cannot be multiplied by.
    #[error(
        "weight of {of} {output}: expected a number from 0 to 3.4028235e38 (the largest in single \
         precision), got {value:?}"
    )]
    OutputWeight {
        /// What has the weight: a class, or the bits of an output.
        of: &'static str,
        /// The class or output, from 0.
        output: usize,
        /// The weight that was given.
        value: f64,
    },
    /// Probabilities of classes that do not add up to 1.
    #[error("the probabilities of row {row} add up to {sum:?}: expected 1")]
    RowSum {
        /// The row, from 0.
        row: usize,
        /// Their sum.
        sum: f64,
    },
    /// A figure that does not exist for these rows, such as the recall of a class without rows.
    #[error("{metric} is undefined: {reason}")]
    UndefinedMetric {
        /// The metric.
        metric: &'static str,
        /// Why there is no such figure.
        reason: String,
    },
    /// A network that cannot have a decision threshold.
    #[error(
        "a decision threshold for {outputs} outputs with loss {loss}: expected two classes or one bit"
    )]
    ThresholdOutputs {
        /// The network's loss.
        loss: &'static str,
        /// The number of its outputs.
        outputs: usize,
    },
    /// No temperature can be fitted to these rows.
    #[error("no temperature: {reason}: expected {expected}")]
    NoTemperature {
        /// Why there is none.
        reason: &'static str,
        /// What the rows must be like.
        expected: &'static str,
    },
    /// A metric of a network whose targets it does not fit.
    #[error("metric {metric} does not support loss {loss}, which takes targets of kind `{kind}`")]
    MetricKind {
        /// The metric.
        metric: String,
        /// The network's loss.
        loss: &'static str,
        /// The kind of targets that the loss takes.
        kind: &'static str,
    },
    /// A run has no validation set, but something that needs one.
    #[error("{what} without a validation set: expected Fit::validation too")]
    NoValidation {
        /// What needs one.
        what: &'static str,
    },
    /// Metrics that are merged, or asked for, are not those that were measured.
    #[error("{from}: expected {into}")]
    OtherMetrics {
        /// The metrics and outputs that were measured.
        into: String,
        /// The metrics and outputs that were given.
        from: String,
    },
    /// The targets are not of the kind that the network's loss takes.
    #[error("targets of kind `{got}`: the network's loss takes `{expected}`")]
    TargetKind {
        /// The kind the loss takes.
        expected: &'static str,
        /// The kind that was given.
        got: &'static str,
    },
    /// The targets of a data set are not of the kind that is needed.
    #[error("the data set has targets of kind `{got}`: expected `{expected}`")]
    DataKind {
        /// The kind that is needed.
        expected: &'static str,
        /// The kind that the data set has.
        got: &'static str,
    },
    /// Rows are sparse where all their numbers are needed.
    #[error("the rows are sparse: expected dense rows")]
    SparseRows,
    /// The loss of a step is NaN or infinite. The parameters are unchanged.
    #[error("the loss of step {step} is {loss}: expected a finite number (parameters unchanged)")]
    NonFiniteLoss {
        /// The step that was refused.
        step: u64,
        /// Its loss.
        loss: f32,
    },
    /// The gradient of a step has NaN or infinite elements, and was to be measured before the update.
    /// The parameters are unchanged.
    #[error(
        "the norm of the gradient of step {step} is {norm}: expected a finite number (parameters \
         unchanged)"
    )]
    NonFiniteGradient {
        /// The step that was refused.
        step: u64,
        /// The norm of its gradient.
        norm: f64,
    },
    /// An optimiser that leaves out weights is used with a setting that needs all of them.
    #[error(
        "{optimiser} leaves out the weights of inputs that are 0, so it does not support max-norm, averages, \
         an L1 penalty or a limit on the norm of the gradient"
    )]
    EveryWeight {
        /// The optimiser's name.
        optimiser: &'static str,
    },
    /// The averaged network is wanted, but the trainer keeps no average.
    #[error("the parameters are not averaged: call `average` on the trainer's builder")]
    NotAveraged,
    /// An earlier update made some parameters NaN or infinite.
    #[error(
        "layer {layer} has had NaN or infinite parameters since step {step}: train again with a lower \
         learning rate or scaled inputs, or resume an earlier checkpoint"
    )]
    NonFiniteParameters {
        /// The layer, from 0.
        layer: usize,
        /// The step whose update overflowed.
        step: u64,
    },
    /// This CPU does not support the instruction set.
    #[error(
        "instruction set {requested} is not available on this CPU: expected one of {available}"
    )]
    IsaUnavailable {
        /// The requested instruction set.
        requested: Isa,
        /// The instruction sets that the CPU supports, separated by commas.
        available: String,
    },
    /// A name is not one of the known names.
    #[error("{what} `{name}`: expected one of {expected}")]
    UnknownName {
        /// What is named.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The known names, separated by commas.
        expected: &'static str,
    },
    /// A metric of which neither larger nor smaller figures are better cannot be watched.
    #[error(
        "{metric} cannot be watched, because neither larger nor smaller figures are better: expected loss \
         or another metric"
    )]
    Unwatchable {
        /// The metric.
        metric: Metric,
    },
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's error. The message already contains it, so
        /// [`std::error::Error::source`] does not return it; otherwise it would be printed twice
        /// with the whole chain.
        // `thiserror` does not take a field with a raw name for the source. The error is shared, so
        // that a clone still has the system's error number.
        r#source: Arc<io::Error>,
    },
    /// A file that is not what it has to be.
    #[error("{}{reason}", prefix(path.as_deref()))]
    Format {
        /// The file; `None` where bytes were read, until [`Error::in_file`] names it.
        path: Option<PathBuf>,
        /// What is wrong with it and what was expected.
        reason: String,
    },
    /// Another run is writing the file.
    #[error("{}: another run is writing this file: expected a different file for each run", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint of a run with other settings than the one that resumes it.
    #[error(
        "{}`{what}` was {saved} when the checkpoint was saved and is {now} now: resume with the same \
         data and settings",
        prefix(path.as_deref())
    )]
    Resume {
        /// The checkpoint; `None` as in [`Error::Format`].
        path: Option<PathBuf>,
        /// What differs.
        what: String,
        /// Its value in the checkpoint.
        saved: String,
        /// Its value now.
        now: String,
    },
    /// A byte that cannot separate the cells of a table.
    #[error(
        "delimiter {:?}: expected an ASCII character other than a quote, a line end and 0",
        char::from(*delimiter)
    )]
    Delimiter {
        /// The byte that was given.
        delimiter: u8,
    },
    /// More thinned networks than can be enumerated.
    #[error(
        "{units} units can be dropped: expected at most {most} to enumerate all thinned networks"
    )]
    TooManyThinned {
        /// Units with a keep rate below 1.
        units: usize,
        /// The limit.
        most: usize,
    },
}

fn shape_text(shape: &[usize; 2]) -> String {
    match shape {
        [1, elements] => format!("{elements} elements"),
        [rows, columns] => format!("{rows} x {columns} elements"),
    }
}

fn column_text(column: Option<usize>) -> String {
    column.map(|column| format!(", column {column}")).unwrap_or_default()
}

/// The name of the file, as a message starts with it.
fn prefix(path: Option<&Path>) -> String {
    path.map(|path| format!("{}: ", path.display())).unwrap_or_default()
}

impl Error {
    /// The system's error about a file or folder.
    pub fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source: Arc::new(source) }
    }

    /// Adds the name of a file to an error about its bytes. Functions that read bytes, such as
    /// [`Mlp::from_bytes`](crate::nn::Mlp::from_bytes), do not know where the bytes come from, so
    /// their errors do not name a file. An error that already names a file, or that does not
    /// concern one, is returned unchanged.
    ///
    /// ```
    /// use thinnet::nn::Mlp;
    ///
    /// let error = Mlp::from_bytes(b"").unwrap_err();
    /// let reason = error.to_string();
    /// assert_eq!(error.in_file("a/model").to_string(), format!("a/model: {reason}"));
    /// ```
    #[must_use]
    pub fn in_file(mut self, file: impl AsRef<Path>) -> Self {
        if let Self::Format { path, .. } | Self::Resume { path, .. } = &mut self
            && path.is_none()
        {
            *path = Some(file.as_ref().to_owned());
        }
        self
    }

    /// An error in the contents of a file, or of bytes.
    pub(crate) fn format<'p>(path: impl Into<Option<&'p Path>>, reason: impl Into<String>) -> Self {
        Self::Format { path: path.into().map(Path::to_owned), reason: reason.into() }
    }

    /// The system's error while reading or writing a file, or bytes.
    pub(crate) fn transfer(path: Option<&Path>, source: io::Error) -> Self {
        match path {
            Some(path) => Self::io(path, source),
            None => Self::format(None, source.to_string()),
        }
    }

    /// Changes the row number of an error in a batch to that in the data set; `first` is the number
    /// of the batch's first row.
    pub(crate) fn in_batch(mut self, first: usize) -> Self {
        if let Self::NonFinite { row, .. } | Self::NonFiniteSum { row, .. } = &mut self {
            *row += first;
        }
        self
    }
}

/// `Ok`, or the two sizes that differ.
pub(crate) fn same_size(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::Size { what, expected, got }) }
}

/// `Ok`, or the first weight of a row that is negative or not finite, or another number of weights than
/// of `rows`.
pub(crate) fn check_weights(rows: usize, weights: &[f64]) -> Result<(), Error> {
    same_size("weights of rows", rows, weights.len())?;
    weights.iter().enumerate().try_for_each(|(row, &weight)| check_weight(weight, row))
}

/// The sum of the weights of rows, if it can be divided by, and also by the number of rows.
pub(crate) fn check_total_weight(sum: f64) -> Result<f64, Error> {
    if sum >= 1e-290 && sum.is_finite() {
        return Ok(sum);
    }
    let expected = "a finite number of at least 1e-290";
    Err(Error::OutOfRange { what: "sum of the weights of rows", value: sum, expected })
}

/// `Ok`, or the weight of a row that is negative or not finite.
pub(crate) fn check_weight(weight: f64, row: usize) -> Result<(), Error> {
    if weight.is_finite() && weight >= 0.0 {
        return Ok(());
    }
    let (what, expected) = ("weight", "a finite number of at least 0");
    Err(Error::RowNumber { what, row, column: None, value: weight, expected })
}

/// `Ok`, or the maximum and a number above it.
pub(crate) fn at_most(what: &'static str, most: usize, got: usize) -> Result<(), Error> {
    if got <= most { Ok(()) } else { Err(Error::TooMany { what, most, got }) }
}

/// `Ok`, or an index that is too large.
pub(crate) fn below(what: &'static str, bound: usize, index: usize) -> Result<(), Error> {
    if index < bound { Ok(()) } else { Err(Error::Index { what, bound, index }) }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn clones_have_the_same_message_and_os_error_code() {
        let error = crate::nn::Mlp::load("nowhere/to/be/found").unwrap_err();
        let copy = error.clone();
        assert_eq!(copy.to_string(), error.to_string());
        let number = |error| match error {
            Error::Io { source, .. } => (source.raw_os_error(), source.kind()),
            other => panic!("{other}"),
        };
        assert!(number(copy.clone()).0.is_some());
        assert_eq!(number(copy), number(error));
    }

    #[test]
    fn each_cause_has_its_message() {
        let told: Vec<(Error, &str)> = vec![
            (
                Error::Size { what: "rows of the targets", expected: 3, got: 2 },
                "rows of the targets: expected 3, got 2",
            ),
            (
                Error::Index { what: "row of a matrix", bound: 10, index: 12 },
                "row of a matrix: expected an index below 10, got 12",
            ),
            (
                Error::TooMany { what: "rows of a batch", most: 256, got: 300 },
                "rows of a batch: expected at most 256, got 300",
            ),
            (
                Error::TooLarge { what: "labels", shape: [1, 8000] },
                "not enough memory for labels (8000 elements)",
            ),
            (
                Error::TooLarge { what: "a matrix", shape: [300, 784] },
                "not enough memory for a matrix (300 x 784 elements)",
            ),
            (
                Error::NonFinite { what: "input", row: 3, column: 17, value: f32::NAN },
                "input at row 3, column 17 is NaN: expected a finite number",
            ),
            (
                Error::NonFiniteSum {
                    what: "sum",
                    row: 3,
                    layer: 1,
                    unit: 17,
                    value: f32::INFINITY,
                },
                "the sum into unit 17 of layer 1 is inf for row 3: expected a finite number (inputs or \
                 weights may be too large)",
            ),
            (
                Error::OtherWorkspace { what: "inputs", made_for: 784, got: 4 },
                "the workspace was made for 784 inputs, but the network has 4: make one with this \
                 predictor's `workspace`",
            ),
            (
                Error::Class { row: 3, class: 10, classes: 10 },
                "class 10 at row 3: expected a class from 0 to 9",
            ),
            (
                Error::RowNumber {
                    what: "weight",
                    row: 3,
                    column: None,
                    value: -1.0,
                    expected: "a finite number of at least 0",
                },
                "weight at row 3: expected a finite number of at least 0, got -1.0",
            ),
            (
                Error::RowNumber {
                    what: "probability",
                    row: 3,
                    column: Some(1),
                    value: 1.5,
                    expected: "a number from 0 to 1",
                },
                "probability at row 3, column 1: expected a number from 0 to 1, got 1.5",
            ),
            (
                Error::OutputWeight { of: "class", output: 3, value: -1.0 },
                "weight of class 3: expected a number from 0 to 3.4028235e38 (the largest in single \
                 precision), got -1.0",
            ),
            (
                Error::RowSum { row: 3, sum: 1.25 },
                "the probabilities of row 3 add up to 1.25: expected 1",
            ),
            (
                Error::UndefinedMetric { metric: "recall", reason: "no row is of class 1".into() },
                "recall is undefined: no row is of class 1",
            ),
            (
                Error::MetricKind {
                    metric: "f1(macro)".into(),
                    loss: "squared_error",
                    kind: "Values",
                },
                "metric f1(macro) does not support loss squared_error, which takes targets of kind \
                 `Values`",
            ),
            (
                Error::OtherMetrics {
                    into: "error of 2 outputs".into(),
                    from: "error of 3 outputs".into(),
                },
                "error of 3 outputs: expected error of 2 outputs",
            ),
            (
                Error::TargetKind { expected: "Classes", got: "Values" },
                "targets of kind `Values`: the network's loss takes `Classes`",
            ),
            (
                Error::DataKind { expected: "Classes", got: "Values" },
                "the data set has targets of kind `Values`: expected `Classes`",
            ),
            (Error::SparseRows, "the rows are sparse: expected dense rows"),
            (
                Error::NonFiniteGradient { step: 7, norm: f64::INFINITY },
                "the norm of the gradient of step 7 is inf: expected a finite number (parameters \
                 unchanged)",
            ),
            (
                Error::EveryWeight { optimiser: "sparse_adam" },
                "sparse_adam leaves out the weights of inputs that are 0, so it does not support \
                 max-norm, averages, an L1 penalty or a limit on the norm of the gradient",
            ),
            (
                Error::NotAveraged,
                "the parameters are not averaged: call `average` on the trainer's builder",
            ),
            (
                Error::NonFiniteParameters { layer: 1, step: 7 },
                "layer 1 has had NaN or infinite parameters since step 7: train again with a lower \
                 learning rate or scaled inputs, or resume an earlier checkpoint",
            ),
            (
                Error::Resume {
                    path: Some("run.ckpt".into()),
                    what: "--epochs".to_owned(),
                    saved: "10".to_owned(),
                    now: "20".to_owned(),
                },
                "run.ckpt: `--epochs` was 10 when the checkpoint was saved and is 20 now: resume with \
                 the same data and settings",
            ),
            (
                Error::Zero { what: "layer width", expected: "at least one unit" },
                "layer width: expected at least one unit, got 0",
            ),
            (
                Error::OutOfRange {
                    what: "quantile q",
                    value: 1.5,
                    expected: "a number from 0 to 1",
                },
                "quantile q: expected a number from 0 to 1, got 1.5",
            ),
            (
                Error::Schedule {
                    what: "momentum",
                    schedule: "1.0 at every step".to_owned(),
                    expected: "numbers of at least 0 and below 1",
                },
                "momentum: expected numbers of at least 0 and below 1, got 1.0 at every step",
            ),
            (
                Error::Parameter {
                    parameter: "leaky_relu slope",
                    value: "0".to_owned(),
                    expected: "a finite number above 0",
                },
                "leaky_relu slope 0: expected a finite number above 0",
            ),
            (
                Error::KeepText { text: "half".to_owned() },
                "keep rate `half`: expected a number above 0 and at most 1",
            ),
            (
                Error::DropRate { value: 1.0 },
                "drop rate 1: expected 0, or a number from 1/65536 to 65535/65536",
            ),
            (
                Error::KeepNumerator { k: 0 },
                "keep rate of 0/65536: expected a numerator from 1 to 65536",
            ),
            (
                Error::BernoulliKeepsAll { keep_k: 65536 },
                "Bernoulli noise with keep_k 65536: expected a smaller number, or noise of kind \
                 `none`",
            ),
            (
                Error::SavedSigma { sigma: 0.1 },
                "Gaussian noise with sigma 0.1: expected a number above 0 that single precision can \
                 hold exactly, or noise of kind `none`",
            ),
            (
                Error::NotDropout {
                    what: "a thinned network",
                    site: 1,
                    noise: crate::Sigma::from(crate::Keep::HALF).into(),
                },
                "dropout site 1 has noise gaussian(1), which a thinned network does not support: \
                 expected none or bernoulli(KEEP) (site 0 is the input)",
            ),
            (
                Error::KeepAndDrop { keep: 0.8, drop: 0.2 },
                "both a keep rate (0.8) and a drop rate (0.2) are given: expected only one of the two",
            ),
            (
                Error::LayerAfterOutput { call: "hidden(3, relu, 1)".to_owned() },
                "hidden(3, relu, 1) is called after `output`: expected the hidden layers first, then \
                 one output layer",
            ),
            (Error::NoOutputLayer, "no output layer: call `output` before `build`"),
            (Error::NoLayers, "`layers` is empty: expected at least the output layer"),
            (
                Error::OutputLayer {
                    activation: "relu".to_owned(),
                    noise: crate::Keep::HALF.into(),
                },
                "the output layer has activation relu and noise bernoulli(0.5): expected identity \
                 without noise, because its activation follows from the loss",
            ),
            (
                Error::OneClass,
                "softmax_cross_entropy with 1 output: expected at least two classes (a softmax over \
                 one class is always 1; two classes can share one output with \
                 binary_cross_entropy)",
            ),
            (
                Error::OutputsPerTarget { loss: "gaussian_nll", per_target: 2, outputs: 3 },
                "gaussian_nll with 3 outputs: expected 2 for each target",
            ),
            (
                Error::Sparsity { what: "weights of rows".to_owned(), expected: "none" },
                "a sparsity penalty with weights of rows: expected none",
            ),
            (
                Error::LossKind {
                    loss: "squared_error",
                    expected: "softmax_cross_entropy, which has classes",
                },
                "loss squared_error: expected softmax_cross_entropy, which has classes",
            ),
            (
                Error::NoVariance,
                "this estimate has no variance: use moments, or monte_carlo with at least two samples",
            ),
            (
                Error::NoSamples,
                "the samples were not kept: call MonteCarlo::keep_samples before the prediction",
            ),
            (
                Error::ReservedName { name: "seed".to_owned() },
                "setting `seed`: expected a name that the trainer does not use itself",
            ),
            (
                Error::NonFiniteLayer { layer: 1 },
                "layer 1 has NaN or infinite parameters: expected finite numbers",
            ),
            (
                Error::UnwritableParameters {
                    reason: "layers.0.bias holds NaN: expected finite numbers".to_owned(),
                },
                "cannot write the parameters: layers.0.bias holds NaN: expected finite numbers",
            ),
            (Error::BeyondBf16 { weight: 3.4e38 }, "weight 3.4e38 is too large for bfloat16"),
            (
                Error::IntegerScale { layer: 1, unit: 17, scale: 0.0 },
                "the weights into unit 17 of layer 1 have the scale 0.0: expected a number from \
                 1.1754944e-38 to 2.6584558e36",
            ),
            (
                Error::FileTooLarge {
                    what: "the file",
                    size: 1 << 35,
                    most: 1 << 34,
                    why: "the largest that can be read back",
                },
                "the file would have 34359738368 bytes: expected at most 17179869184, the largest that \
                 can be read back",
            ),
            (
                Error::Metadata { reason: "key must be a string".to_owned() },
                "cannot write the metadata as JSON: key must be a string",
            ),
            (
                Error::ArrayLayout { strides: [1, -2] },
                "an array has strides [1, -2]: expected standard layout (C order without gaps); \
                 Matrix::copy_of_ndarray accepts any layout",
            ),
        ];
        for (error, words) in told {
            assert_eq!(error.to_string(), words, "{error:?}");
        }
    }

    #[test]
    fn a_chain_of_errors_has_the_message_of_the_system_once() {
        let error = crate::nn::Mlp::load("nowhere/to/be/found").unwrap_err();
        assert!(matches!(&error, Error::Io { source, .. } if source.raw_os_error().is_some()));
        let mut chain = error.to_string();
        let mut next = error.source();
        while let Some(error) = next {
            chain += &format!(": {error}");
            next = error.source();
        }
        assert_eq!(chain.matches("os error").count(), 1, "{chain}");
    }
}
