//! How the figures of several classes or bits become one.

use std::{fmt, str::FromStr};

use super::row::Outputs;
use crate::{
    error::{Error, below},
    nn::TargetKind,
};

/// Which classes or bits a precision, a recall or an F1 is about.
///
/// In a metric's name, it is written in parentheses: `f1(3)`, `f1(macro)`. [`Self::Usual`] is not
/// written.
///
/// ```
/// use thinnet::metrics::{Average, Metric};
///
/// assert_eq!("f1".parse::<Metric>()?, Metric::F1(Average::Usual));
/// assert_eq!("recall(3)".parse::<Metric>()?, Metric::Recall(Average::Of(3)));
/// assert_eq!(Metric::F1(Average::Micro).to_string(), "f1(micro)");
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Average {
    /// Class 1 if there are two classes, the bit if there is one; otherwise [`Self::Macro`].
    #[default]
    Usual,
    /// This class or bit.
    Of(usize),
    /// The mean over all bits, or over all classes that are the label or the prediction of some row.
    Macro,
    /// The mean weighted by how many rows have the class or the bit.
    Weighted,
    /// Of the counts summed over all classes or bits.
    Micro,
}

impl Average {
    /// Checks that there is such a class or bit, and decides what is usual.
    pub(super) fn of(self, outputs: Outputs) -> Result<Self, Error> {
        match self {
            Self::Usual if outputs.questions() == 1 => Ok(Self::Of(outputs.first_question())),
            Self::Usual => Ok(Self::Macro),
            Self::Of(output) => {
                let classes = outputs.kind() == TargetKind::Classes;
                below(if classes { "class" } else { "bit" }, outputs.number, output)?;
                Ok(self)
            }
            average => Ok(average),
        }
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usual => f.write_str("usual"),
            Self::Of(output) => output.fmt(f),
            Self::Macro => f.write_str("macro"),
            Self::Weighted => f.write_str("weighted"),
            Self::Micro => f.write_str("micro"),
        }
    }
}

impl FromStr for Average {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let named = [Self::Usual, Self::Macro, Self::Weighted, Self::Micro];
        let number = || text.parse().ok().map(Self::Of);
        named.into_iter().find(|average| average.to_string() == text).or_else(number).ok_or_else(
            || Error::UnknownName {
                what: "average",
                name: text.to_owned(),
                expected: "usual, macro, weighted, micro, the number of a class or bit",
            },
        )
    }
}
