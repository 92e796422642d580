//! The one error type of the library.

use std::{io, path::PathBuf, sync::Arc};

use crate::{rate::Keep, simd::Isa};

/// What can go wrong, one variant a cause; each message names the offending
/// value and what was expected.
///
/// A copy can be made for each of several callers whom one failure concerns.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A keep rate outside `0 < keep <= 1`, or not a number.
    #[error("keep rate {value}: expected a number above 0 and at most 1")]
    KeepOutOfRange {
        /// The rate that was given.
        value: f64,
    },
    /// A text that is no number where a keep rate has to be.
    #[error("keep rate `{text}`: expected a number above 0 and at most 1")]
    KeepText {
        /// The text that was given.
        text: String,
    },
    /// A keep rate that no multiple of 1/65536 other than 0 or 1 is near.
    #[error(
        "keep rate {value} rounds to {rounded}/65536: expected 1, or a rate from 1/65536 to 65535/65536"
    )]
    KeepNotRepresentable {
        /// The rate that was given.
        value: f64,
        /// What it rounds to: 0 or 65536.
        rounded: u32,
    },
    /// Two sizes that have to agree do not.
    #[error("{what}: expected {expected}, got {got}")]
    Size {
        /// Which size.
        what: &'static str,
        /// What it has to be.
        expected: usize,
        /// What was given.
        got: usize,
    },
    /// An index that is not below its bound.
    #[error("{what} {index}: expected one below {bound}")]
    Index {
        /// Index of what.
        what: &'static str,
        /// The bound.
        bound: usize,
        /// What was given.
        index: usize,
    },
    /// More than there is room for.
    #[error("{what} {got}: expected at most {most}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The most that there is room for.
        most: usize,
        /// What was given.
        got: usize,
    },
    /// Something too large to be allocated.
    #[error("{what} of {}: more than can be allocated", shape_text(shape))]
    TooLarge {
        /// What was to be made.
        what: &'static str,
        /// Its sizes.
        shape: [usize; 2],
    },
    /// None of what there has to be at least one of.
    #[error("{what} 0: expected {expected}")]
    Zero {
        /// What there is none of.
        what: &'static str,
        /// How many there have to be.
        expected: &'static str,
    },
    /// A number outside its range.
    #[error("{what} {value}: expected {expected}")]
    OutOfRange {
        /// Which number.
        what: &'static str,
        /// The number that was given.
        value: f64,
        /// The range it has to be in.
        expected: &'static str,
    },
    /// A schedule with rates outside their range.
    #[error("{what} {schedule}: expected {expected}")]
    Schedule {
        /// What it is the schedule of.
        what: &'static str,
        /// The schedule that was given.
        schedule: String,
        /// What its numbers have to be.
        expected: &'static str,
    },
    /// A slope of [`LeakyRelu`](crate::nn::Activation::LeakyRelu) that is none.
    #[error("slope of leaky_relu {slope}: expected {expected}")]
    NegativeSlope {
        /// The slope as it was given.
        slope: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// A drop rate that is no 1 - k/65536 with a k from 1.
    #[error("drop rate {value}: expected 0, or a number from 1/65536 to 65535/65536")]
    DropRate {
        /// The rate that was given.
        value: f64,
    },
    /// A numerator of a keep rate outside its range.
    #[error("k of a keep rate {k}: expected a number from 1 to 65536")]
    KeepNumerator {
        /// The numerator that was given.
        k: u32,
    },
    /// Noise in a file that keeps every unit, which has another way to be said.
    #[error(
        "keep_k of Bernoulli noise {keep_k}: expected a number below it, or noise of kind `none`"
    )]
    BernoulliKeepsAll {
        /// The numerator of its keep rate.
        keep_k: u32,
    },
    /// A keep rate and a drop rate of the same units.
    #[error("keep rate {keep} beside the drop rate {drop}: expected one of the two")]
    KeepAndDrop {
        /// The keep rate.
        keep: f64,
        /// The drop rate.
        drop: f64,
    },
    /// A layer after the output layer.
    #[error("call {call}: expected the hidden layers first, then one output layer")]
    LayerAfterOutput {
        /// The call that came too late.
        call: String,
    },
    /// A network without an output layer.
    #[error("output layer missing: expected a call of `output` before `build`")]
    NoOutputLayer,
    /// A file of a network without a layer.
    #[error("layers []: expected at least the output layer")]
    NoLayers,
    /// A file of a network whose output layer has an activation, or drops units.
    #[error(
        "activation of the output layer {activation} with keep rate {keep}: expected identity \
         without noise: what follows is the loss's"
    )]
    OutputLayer {
        /// Its activation.
        activation: String,
        /// Its keep rate.
        keep: Keep,
    },
    /// Softmax cross-entropy over one output.
    #[error(
        "softmax_cross_entropy outputs 1: expected at least two classes (a softmax over one is \
         always 1: two classes can be one output with binary_cross_entropy)"
    )]
    OneClass,
    /// A network with another loss than what is asked for needs.
    #[error("loss {loss}: expected {expected}")]
    LossKind {
        /// The network's loss.
        loss: &'static str,
        /// The loss that is needed, and why.
        expected: &'static str,
    },
    /// The variance of an answer that has none.
    #[error("variance not known: expected moments, or monte_carlo with two samples or more")]
    NoVariance,
    /// The samples of an answer that were not kept.
    #[error("samples not kept: expected MonteCarlo::keep_samples")]
    NoSamples,
    /// A setting of the caller's with a name that the trainer uses itself.
    #[error("setting {name}: expected a name that the trainer does not use")]
    ReservedName {
        /// The name.
        name: String,
    },
    /// A network to be trained whose parameters are not all finite.
    #[error("parameters layer {layer} holds NaN or infinity: expected finite numbers")]
    NonFiniteLayer {
        /// The layer, from 0.
        layer: usize,
    },
    /// Parameters that no file may hold.
    #[error("parameters {reason}: expected numbers that can be read again")]
    UnwritableParameters {
        /// Which ones, and what was expected of them.
        reason: String,
    },
    /// A weight that is larger than bfloat16's largest number.
    #[error("weight {weight}: expected a number that bfloat16 has")]
    BeyondBf16 {
        /// The weight.
        weight: f32,
    },
    /// A file that would be too large to be read again.
    #[error("{what} {size}: expected at most {most}, {why}")]
    FileTooLarge {
        /// Bytes of which file.
        what: &'static str,
        /// How many it would have.
        size: u64,
        /// The most that it may have.
        most: u64,
        /// What sets that bound.
        why: &'static str,
    },
    /// Metadata that JSON cannot hold.
    #[error("file {reason}: expected metadata that JSON can hold")]
    Metadata {
        /// What the serialiser said.
        reason: String,
    },
    /// An array of the crate `ndarray` that is not row by row without gaps.
    #[error(
        "layout of an array with the strides {strides:?}: expected standard layout (C order \
         without gaps), or a call of Matrix::copy_of_ndarray"
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
    /// A class label that the output layer does not have.
    #[error("class {class} at row {row}: expected one of 0 to {}", classes.saturating_sub(1))]
    Class {
        /// Row in the batch, from 0.
        row: usize,
        /// The label found.
        class: u32,
        /// How many classes the network has.
        classes: usize,
    },
    /// A binary target outside `[0, 1]`.
    #[error("target {value} at row {row}, column {column}: expected a number from 0 to 1")]
    Target {
        /// Row in the batch, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value found.
        value: f32,
    },
    /// Targets of another kind than the network's loss takes.
    #[error("targets are {got}: the network's loss takes {expected}")]
    TargetKind {
        /// The kind the loss takes.
        expected: &'static str,
        /// The kind that was given.
        got: &'static str,
    },
    /// The loss of a step is NaN or infinite; the parameters are as they were.
    #[error("the loss of step {step} is {loss}: expected a finite number (parameters unchanged)")]
    NonFiniteLoss {
        /// The step that was refused.
        step: u64,
        /// Its loss.
        loss: f32,
    },
    /// An earlier update made parameters that are NaN or infinite.
    #[error("layer {layer} holds NaN or infinite parameters since step {step}")]
    NonFiniteParameters {
        /// The layer, from 0.
        layer: usize,
        /// The step whose update overflowed.
        step: u64,
    },
    /// An instruction set that this CPU does not have.
    #[error(
        "instruction set {requested} is not available on this CPU: expected one of {available}"
    )]
    IsaUnavailable {
        /// The set that was asked for.
        requested: Isa,
        /// The sets the CPU has, separated by commas.
        available: String,
    },
    /// A name that is none of the known ones.
    #[error("{what} `{name}`: expected one of {expected}")]
    UnknownName {
        /// What is named.
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The known names, separated by commas.
        expected: &'static str,
    },
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said. The message tells it, so it is not what
        /// [`std::error::Error::source`] gives: whoever prints the whole chain
        /// would print it twice.
        // Written raw, the name is none that `thiserror` takes for the source. Shared, and
        // not its kind and text alone, so that a copy still has the system's number.
        r#source: Arc<io::Error>,
    },
    /// A file that is not what it has to be.
    #[error("{}: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what was expected.
        reason: String,
    },
    /// A file that another run writes again and again.
    #[error("{}: another run is writing this file: expected a file of its own for each run", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A checkpoint of another training than the one to be resumed.
    #[error("{}: {what} was {saved} when it was saved, and is {now} now: expected the same", path.display())]
    Resume {
        /// The checkpoint.
        path: PathBuf,
        /// What differs.
        what: String,
        /// Its value in the checkpoint.
        saved: String,
        /// Its value now.
        now: String,
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

fn shape_text([rows, columns]: &[usize; 2]) -> String {
    format!("{rows} x {columns} elements")
}

impl Error {
    /// What the system said of a file or folder.
    pub fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { path: path.into(), source: Arc::new(source) }
    }

    /// The same of a batch whose row 0 is row `first` of a whole.
    pub(crate) fn in_batch(self, first: usize) -> Self {
        match self {
            Self::NonFinite { what, row, column, value } => {
                Self::NonFinite { what, row: first + row, column, value }
            }
            other => other,
        }
    }
}

/// `Ok`, or the two sizes that differ.
pub(crate) fn same_size(what: &'static str, expected: usize, got: usize) -> Result<(), Error> {
    if expected == got { Ok(()) } else { Err(Error::Size { what, expected, got }) }
}

/// `Ok`, or more than there is room for.
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
    fn copies_say_the_same_and_keep_the_os_error_code() {
        let error = crate::files::read("nowhere/to/be/found".as_ref()).unwrap_err();
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
    fn each_cause_is_told_in_these_words() {
        let told: Vec<(Error, &str)> = vec![
            (
                Error::Zero { what: "layer width", expected: "at least one unit" },
                "layer width 0: expected at least one unit",
            ),
            (
                Error::OutOfRange {
                    what: "quantile q",
                    value: 1.5,
                    expected: "a number from 0 to 1",
                },
                "quantile q 1.5: expected a number from 0 to 1",
            ),
            (
                Error::Schedule {
                    what: "momentum",
                    schedule: "1.0 at every step".to_owned(),
                    expected: "numbers from 0 to below 1",
                },
                "momentum 1.0 at every step: expected numbers from 0 to below 1",
            ),
            (
                Error::NegativeSlope { slope: "0".to_owned(), expected: "a finite number above 0" },
                "slope of leaky_relu 0: expected a finite number above 0",
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
                "k of a keep rate 0: expected a number from 1 to 65536",
            ),
            (
                Error::BernoulliKeepsAll { keep_k: 65536 },
                "keep_k of Bernoulli noise 65536: expected a number below it, or noise of kind \
                 `none`",
            ),
            (
                Error::KeepAndDrop { keep: 0.8, drop: 0.2 },
                "keep rate 0.8 beside the drop rate 0.2: expected one of the two",
            ),
            (
                Error::LayerAfterOutput { call: "hidden(3, relu, 1)".to_owned() },
                "call hidden(3, relu, 1): expected the hidden layers first, then one output layer",
            ),
            (
                Error::NoOutputLayer,
                "output layer missing: expected a call of `output` before `build`",
            ),
            (Error::NoLayers, "layers []: expected at least the output layer"),
            (
                Error::OutputLayer { activation: "relu".to_owned(), keep: Keep::HALF },
                "activation of the output layer relu with keep rate 0.5000 (32768/65536): expected \
                 identity without noise: what follows is the loss's",
            ),
            (
                Error::OneClass,
                "softmax_cross_entropy outputs 1: expected at least two classes (a softmax over one \
                 is always 1: two classes can be one output with binary_cross_entropy)",
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
                "variance not known: expected moments, or monte_carlo with two samples or more",
            ),
            (Error::NoSamples, "samples not kept: expected MonteCarlo::keep_samples"),
            (
                Error::ReservedName { name: "seed".to_owned() },
                "setting seed: expected a name that the trainer does not use",
            ),
            (
                Error::NonFiniteLayer { layer: 1 },
                "parameters layer 1 holds NaN or infinity: expected finite numbers",
            ),
            (
                Error::UnwritableParameters {
                    reason: "layers.0.bias holds NaN: expected finite numbers".to_owned(),
                },
                "parameters layers.0.bias holds NaN: expected finite numbers: expected numbers that \
                 can be read again",
            ),
            (
                Error::BeyondBf16 { weight: 3.4e38 },
                "weight 340000000000000000000000000000000000000: expected a number that bfloat16 has",
            ),
            (
                Error::FileTooLarge {
                    what: "bytes of a file",
                    size: 1 << 35,
                    most: 1 << 34,
                    why: "which can be read again",
                },
                "bytes of a file 34359738368: expected at most 17179869184, which can be read again",
            ),
            (
                Error::Metadata { reason: "key must be a string".to_owned() },
                "file key must be a string: expected metadata that JSON can hold",
            ),
            (
                Error::ArrayLayout { strides: [1, -2] },
                "layout of an array with the strides [1, -2]: expected standard layout (C order \
                 without gaps), or a call of Matrix::copy_of_ndarray",
            ),
        ];
        for (error, words) in told {
            assert_eq!(error.to_string(), words, "{error:?}");
        }
    }

    #[test]
    fn a_chain_of_errors_tells_what_the_system_said_once() {
        let error = crate::files::read("nowhere/to/be/found".as_ref()).unwrap_err();
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
