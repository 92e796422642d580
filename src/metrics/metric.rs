//! The list of metrics.

use serde::{Deserialize, Serialize};

use super::{
    Average, Better, Figure, Measure, absolute, agreement, brier, calibration, error_rate,
    gaussian, log_loss, pinball, poisson,
    prior::Prior,
    quantile_coverage, ranking,
    row::{Outputs, Row},
    squared, top_k,
};
use crate::{
    error::Error,
    named::{names, text_in_files},
    nn::Loss,
};

/// Generates the enum of the metrics and that of their sums from one list.
///
/// A line `Variant = "name" in module` says that `module` has a type of the variant's name that is a
/// [`Measure`] and has `new(outputs)`. `Variant(field: Type = usual)` has a setting, which is written
/// after the name in parentheses, and which `new` takes too. `also` gives the form of that text, for
/// messages.
macro_rules! metrics {
    (
        $(#[$about:meta])*
        pub enum $enum:ident {
            $(
                $(#[$doc:meta])*
                $metric:ident $(($field:ident: $type:ty = $usual:expr))? = $name:literal
                    $(also $form:literal)? in $module:ident,
            )+
        }
    ) => {
        $(#[$about])*
        pub enum $enum {
            $($(#[$doc])* $metric $(($type))?,)+
        }

        names! {
            /// All metrics, each with its usual setting.
            ALL of $enum;
            /// The name without the setting.
            name;
            $($metric $(($usual))? => $name $(also $form)?,)+
        }

        impl $enum {
            /// Whether it has figures for networks with this loss.
            pub fn supports(self, loss: Loss) -> bool {
                match self {
                    $(Self::$metric { .. } => <$module::$metric as Measure>::supports(loss),)+
                }
            }

            /// The constant prediction that its baseline is of, such as `majority class`.
            pub const fn baseline(self) -> &'static str {
                match self {
                    $(Self::$metric { .. } => <$module::$metric as Measure>::BASELINE,)+
                }
            }

            /// Which of two figures is better.
            pub const fn better(self) -> Better {
                match self {
                    $(Self::$metric { .. } => <$module::$metric as Measure>::BETTER,)+
                }
            }

            /// Whether bits must be 0 or 1.
            pub(super) const fn only_bits(self) -> bool {
                match self {
                    $(Self::$metric { .. } => <$module::$metric as Measure>::ONLY_BITS,)+
                }
            }
        }

        impl std::fmt::Display for $enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())?;
                match self {
                    $($(Self::$metric($field) => $field.write(f),)?)+
                    _ => Ok(()),
                }
            }
        }

        impl std::str::FromStr for $enum {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let unknown = || Error::UnknownName {
                    what: "metric",
                    name: text.to_owned(),
                    expected: Self::NAMES,
                };
                match split(text) {
                    $(($name, None) => Ok(Self::$metric $(($usual))?),)+
                    $($(
                        ($name, Some(setting)) => {
                            let $field: $type = setting.parse().map_err(|_| unknown())?;
                            Ok(Self::$metric($field))
                        }
                    )?)+
                    _ => Err(unknown()),
                }
            }
        }

        /// The sums of a metric.
        #[derive(Clone)]
        pub(super) enum Running {
            $($metric($module::$metric),)+
        }

        impl Running {
            pub fn new(metric: $enum, outputs: Outputs) -> Result<Self, Error> {
                match metric {
                    $(
                        $enum::$metric $(($field))? => {
                            $module::$metric::new(outputs $(, $field)?).map(Self::$metric)
                        }
                    )+
                }
            }

            pub fn reserve(&mut self, rows: usize) -> Result<(), Error> {
                match self {
                    $(Self::$metric(sums) => sums.reserve(rows),)+
                }
            }

            pub fn add(&mut self, row: &Row<'_>) {
                match self {
                    $(Self::$metric(sums) => sums.add(row),)+
                }
            }

            /// Adds the rows of another one of the same metric.
            pub fn merge(&mut self, other: &Self) {
                match (self, other) {
                    $((Self::$metric(to), Self::$metric(from)) => to.merge(from),)+
                    _ => {}
                }
            }

            pub fn figure(&self, prior: &Prior) -> Result<Figure, Error> {
                match self {
                    $(Self::$metric(sums) => sums.figure(prior),)+
                }
            }
        }
    };
}

metrics! {
    /// A metric, a number that says how good predictions are.
    ///
    /// | | targets | formula, averaged over the rows by weight | baseline |
    /// |---|---|---|---|
    /// | `ErrorRate` | classes, bits | the fraction of wrong classes or bits | majority class |
    /// | `Accuracy` | classes, bits | 1 - error rate | majority class |
    /// | `TopKAccuracy(k)` | classes | whether the label is among the k most probable classes | the k most frequent classes |
    /// | `LogLoss` | classes, bits | -ln p of the label; of the bits t the mean of -t ln p - (1 - t) ln(1 - p) | prior probabilities |
    /// | `Brier` | classes, bits | sum over classes of (p - 1 for the label)², half of it for two classes; of the bits the mean of (p - t)² | prior probabilities |
    /// | `CalibrationError(bins)` | classes, bits | [`Calibration`](super::Calibration) | 0 |
    /// | `Precision(average)` | classes, bits | of the rows predicted as the class, the fraction that is of the class | majority class |
    /// | `Recall(average)` | classes, bits | of the rows of the class, the fraction predicted as it | majority class |
    /// | `F1(average)` | classes, bits | 2 P R / (P + R), with precision P and recall R | majority class |
    /// | `RocAuc` | classes, bits | [`roc_auc`](super::roc_auc) of the class 1 of two, else the mean over each class against the others | 0.5 |
    /// | `AveragePrecision` | classes, bits | [`average_precision`](super::average_precision), likewise | the share of the class |
    /// | `Rmse` | values | sqrt(mean (t - y)²), averaged over outputs | mean of targets |
    /// | `Mae` | values | mean abs(t - y), averaged over outputs | mean of targets |
    /// | `R2` | values | 1 - sum (t - y)² / sum (t - mean t)², averaged over outputs | 0, the mean of targets |
    /// | `GaussianNll` | values, for `gaussian_nll` | (ln 2 pi v + (t - y)² / v) / 2 with variance v, averaged over targets | mean and variance of targets |
    /// | `PinballLoss` | values, for `quantile` | the loss, max(q (t - y), (q - 1) (t - y)), averaged over levels q and targets | quantiles of targets |
    /// | `QuantileCoverage` | values, for `quantile` with two levels or more | whether t is from the lowest to the highest quantile, averaged over targets | quantiles of targets |
    /// | `PoissonDeviance` | counts, for Poisson's loss | 2 (t ln(t / y) - t + y), averaged over outputs | mean of targets |
    ///
    /// The baselines are computed from the targets of the same rows. Of equal probabilities, the
    /// first class is the prediction, and a bit is 1 if its probability is above 0.5. The quantile of
    /// level q of the targets is the least one that a fraction q of them is at most. The coverage is
    /// right if it is the difference of the two levels, and too large above it; quantiles that have
    /// crossed cover nothing. For `quantile`, y is the median for the metrics of values, which need
    /// the level 0.5. These are
    /// scikit-learn's definitions, with four differences: a probability of 0 for the label has an
    /// infinite log loss, not one of 36; among equal probabilities, top-k prefers the first classes,
    /// not the last; a rate of 0 has an infinite deviance, or 0 if the count is 0, and is not an
    /// error; and a figure that is 0 / 0 is an error.
    ///
    /// In files and on the command line, a metric is written as its name, with the setting in
    /// parentheses: `top_k_accuracy(3)`, `f1(macro)`.
    ///
    /// ```
    /// use thinnet::{metrics::Metric, nn::Loss};
    ///
    /// assert_eq!("top_k_accuracy(3)".parse::<Metric>()?, Metric::TopKAccuracy(3));
    /// assert_eq!(Metric::usual(Loss::SquaredError, 1), [Metric::Rmse, Metric::Mae, Metric::R2]);
    /// assert!(Metric::Rmse.supports(Loss::Poisson) && !Metric::Rmse.supports(Loss::BinaryCrossEntropy));
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    #[non_exhaustive]
    pub enum Metric {
        /// The error rate.
        ErrorRate = "error_rate" in error_rate,
        /// The accuracy.
        Accuracy = "accuracy" in error_rate,
        /// The accuracy of the k most probable classes, of which there must be more than k.
        TopKAccuracy(k: usize = 5) = "top_k_accuracy" also "top_k_accuracy(K)" in top_k,
        /// The log loss, or cross-entropy, in nats.
        LogLoss = "log_loss" in log_loss,
        /// The Brier score.
        Brier = "brier" in brier,
        /// The expected calibration error, with this number of bins.
        CalibrationError(bins: usize = 10) = "calibration_error" also "calibration_error(BINS)"
            in calibration,
        /// The precision.
        Precision(average: Average = Average::Usual) = "precision"
            also "precision(CLASS|macro|weighted|micro)" in agreement,
        /// The recall.
        Recall(average: Average = Average::Usual) = "recall"
            also "recall(CLASS|macro|weighted|micro)" in agreement,
        /// The harmonic mean of precision and recall.
        F1(average: Average = Average::Usual) = "f1" also "f1(CLASS|macro|weighted|micro)"
            in agreement,
        /// The area under the ROC curve.
        RocAuc = "roc_auc" in ranking,
        /// Average precision.
        AveragePrecision = "average_precision" in ranking,
        /// The root mean squared error.
        Rmse = "rmse" in squared,
        /// The mean absolute error.
        Mae = "mae" in absolute,
        /// The coefficient of determination, R².
        R2 = "r2" in squared,
        /// The mean deviance of counts from their rates.
        PoissonDeviance = "poisson_deviance" in poisson,
        /// The negative log-likelihood of values with predicted means and variances, in nats.
        GaussianNll = "gaussian_nll" in gaussian,
        /// The quantile loss.
        PinballLoss = "pinball_loss" in pinball,
        /// The fraction of targets between the lowest and the highest predicted quantile.
        QuantileCoverage = "quantile_coverage" in quantile_coverage,
    }
}
text_in_files!(Metric);

impl Metric {
    /// The metrics that are usually wanted for a network with this loss and number of outputs.
    pub const fn usual(loss: Loss, outputs: usize) -> &'static [Self] {
        const BINARY: &[Metric] = &[
            Metric::ErrorRate,
            Metric::LogLoss,
            Metric::Brier,
            Metric::CalibrationError(10),
            Metric::Precision(Average::Usual),
            Metric::Recall(Average::Usual),
            Metric::F1(Average::Usual),
            Metric::RocAuc,
            Metric::AveragePrecision,
        ];
        // The scores of all classes of all rows may be more than there is memory for.
        const CLASSES: &[Metric] = &[
            Metric::ErrorRate,
            Metric::LogLoss,
            Metric::Brier,
            Metric::CalibrationError(10),
            Metric::F1(Average::Usual),
        ];
        const VALUES: &[Metric] = &[Metric::Rmse, Metric::Mae, Metric::R2];
        const COUNTS: &[Metric] = &[Metric::PoissonDeviance, Metric::Rmse, Metric::Mae, Metric::R2];
        const NORMALS: &[Metric] = &[Metric::GaussianNll, Metric::Rmse, Metric::Mae, Metric::R2];
        const QUANTILES: &[Metric] = &[Metric::PinballLoss, Metric::QuantileCoverage];
        const WITH_MEDIAN: &[Metric] =
            &[Metric::PinballLoss, Metric::QuantileCoverage, Metric::Mae];
        const ONE_QUANTILE: &[Metric] = &[Metric::PinballLoss];
        const MEDIAN: &[Metric] = &[Metric::PinballLoss, Metric::Mae];
        match loss {
            Loss::SoftmaxCrossEntropy if outputs > 2 => CLASSES,
            Loss::SoftmaxCrossEntropy | Loss::BinaryCrossEntropy => BINARY,
            Loss::SquaredError | Loss::Huber(_) => VALUES,
            Loss::Poisson => COUNTS,
            Loss::GaussianNll(_) => NORMALS,
            Loss::Quantile(levels) => match (levels.as_slice().len(), levels.median()) {
                (1, None) => ONE_QUANTILE,
                (1, Some(_)) => MEDIAN,
                (_, None) => QUANTILES,
                (_, Some(_)) => WITH_MEDIAN,
            },
        }
    }
}

/// A name, and the text in parentheses after it if there is one.
fn split(text: &str) -> (&str, Option<&str>) {
    let setting = text.strip_suffix(')').and_then(|text| text.split_once('('));
    setting.map_or((text, None), |(name, setting)| (name, Some(setting)))
}

/// A setting of a metric, as it is written after the name.
trait Setting {
    fn write(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result;
}

impl Setting for usize {
    fn write(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({self})")
    }
}

impl Setting for Average {
    fn write(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Usual => Ok(()),
            average => write!(f, "({average})"),
        }
    }
}
