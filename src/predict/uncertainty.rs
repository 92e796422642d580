//! Predictions and their uncertainty.

use std::{fmt, ops::Range};

use serde::{Serialize, Serializer};

use super::{Prediction, TargetNoise, tallies::Tallies};
use crate::{
    abridged::Few,
    error::{Error, below},
    metrics::{check_precision, log_likelihood, normal_log_likelihood},
    nn::{Decision, LinkFunction, Loss, PredictionKind},
    tensor::MatrixView,
};

/// The loss that learned noise needs, in words.
const LEARNED: &str = "one that learns the noise of targets, gaussian_nll or poisson";
/// The loss that a density of learned noise needs.
const NORMAL: &str = "one that learns normal noise of targets, gaussian_nll";

/// The estimates for the rows of a batch.
///
/// ```
/// use thinnet::{data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView};
///
/// let predictor = Predictor::new(Mlp::builder(3).output(2, Loss::SoftmaxCrossEntropy).build()?);
/// let mut workspace = predictor.workspace(2)?;
/// let batch = Batch::dense(MatrixView::new(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 2, 3)?);
/// let answers = predictor.moments(&batch, &mut workspace)?;
/// assert_eq!(answers.rows(), 2);
/// for answer in answers {
///     println!("class {:?}, {:?}", answer.class(), answer.mean());
/// }
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Estimates<'w> {
    pub(super) tallies: &'w Tallies,
}

/// The estimate for one row: the distribution over thinned networks of the probabilities
/// of classes or bits, or of values. [`PredictionKind`] says what predictions are for each loss.
///
/// The variance of a target is split by the law of total variance: [`Self::variance`] is what the
/// thinned networks disagree about, [`Self::noise_variance`] is what they say on average is noise,
/// and [`Self::total_variance`] is the sum.
///
/// The uncertainty of a regression:
///
/// ```
/// use thinnet::{
///     Keep,
///     data::Batch,
///     nn::{Activation, Loss, Mlp, Targets},
///     predict::{MonteCarlo, Predictor, Seeds},
///     tensor::MatrixView,
///     train::{Schedule, Sgd, Trainer},
/// };
///
/// // y = sin 3x, known at 40 places from -1 to 0.5.
/// let mlp = Mlp::builder(1)
///     .hidden(64, Activation::Tanh, Keep::new(0.9)?)
///     .hidden(64, Activation::Relu, Keep::new(0.9)?)
///     .output(1, Loss::SquaredError)
///     .build()?;
/// let sgd = Sgd::new(Schedule::constant(0.02)).momentum(Schedule::constant(0.9));
/// let mut trainer = Trainer::builder(mlp, sgd, 40).build()?;
/// let x: Vec<f32> = (0..40).map(|i| -1.0 + 1.5 * i as f32 / 39.0).collect();
/// let y: Vec<f32> = x.iter().map(|x| (3.0 * x).sin()).collect();
/// let (x, y) = (MatrixView::new(&x, 40, 1)?, MatrixView::new(&y, 40, 1)?);
/// for _ in 0..1000 {
///     trainer.step(&Batch::dense(x), Targets::Values(y))?;
/// }
///
/// // Predict where it has learned, and far from there.
/// let predictor = Predictor::new(trainer.into_network());
/// let mut workspace = predictor.workspace(2)?;
/// let asked = Batch::dense(MatrixView::new(&[-0.5, 2.0], 2, 1)?);
/// let samples = MonteCarlo::new(500)?.keep_samples();
/// let answers = predictor.monte_carlo(&asked, &samples, Seeds::Each(&[1, 2]), &mut workspace)?;
/// let (near, far) = (answers.row(0)?, answers.row(1)?);
/// // Where the curve lies: 1.96 standard deviations, 95 % of a normal distribution.
/// let [low, high] = near.interval(0, 1.96)?;
/// let band = [near.quantile(0, 0.025)?, near.quantile(0, 0.975)?]; // 95 % of the samples
/// println!("{:.2}, {low:.2} to {high:.2}; {band:.2?}", near.mean()[0]);
/// assert!(low < (-1.5f64).sin() && (-1.5f64).sin() < high);
/// // Where a new target lies, if the targets' noise has a standard deviation of 0.1.
/// let precision = 1.0 / (0.1 * 0.1);
/// let [lower, higher] = near.predictive_interval(0, 1.96, precision)?;
/// assert!(lower < low && high < higher);
/// let likely = near.log_likelihood(&[-1.0], precision)?;
/// assert!(likely > near.log_likelihood(&[1.0], precision)?);
/// assert!(near.std_dev(0)? < far.std_dev(0)?);
///
/// // The same in one pass, without samples.
/// let answers = predictor.moments(&asked, &mut workspace)?;
/// assert!(answers.row(0)?.std_dev(0)? < answers.row(1)?.std_dev(0)?);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Estimate<'w> {
    loss: Loss,
    threshold: Option<f64>,
    samples: usize,
    /// The number of predictions.
    outputs: usize,
    mean: &'w [f64],
    /// Empty if it is not known.
    variance: &'w [f64],
    /// The mean of the variances of noise; empty if the network states none.
    noise: &'w [f64],
    expected_entropy: f64,
    /// `[samples][outputs]`, in sampling order; empty if samples were not kept.
    kept: &'w [f32],
    /// `[outputs][samples]`, ascending within each output.
    sorted: &'w [f32],
}

impl fmt::Debug for Estimates<'_> {
    /// Formats the first few rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Estimates").field(&Few(self.iter())).finish()
    }
}

impl fmt::Debug for Estimate<'_> {
    /// Formats the first few outputs and samples.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Estimate")
            .field("loss", &self.loss)
            .field("samples", &self.samples())
            .field("mean", &Few(self.mean.iter()))
            .field("variance", &self.variance().map(|variance| Few(variance.iter())))
            .field("noise_variance", &self.noise_variance().map(|noise| Few(noise.iter())))
            .field("expected_entropy", &self.expected_entropy)
            .field("kept", &Few(self.kept.iter()))
            .finish_non_exhaustive()
    }
}

impl Serialize for Estimate<'_> {
    /// Serialises the estimate as its [`Prediction`].
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_prediction().serialize(serializer)
    }
}

impl<'w> Estimates<'w> {
    /// The number of rows.
    pub fn rows(self) -> usize {
        self.tallies.counts.len()
    }

    /// The estimate for one row.
    ///
    /// # Errors
    /// There is no such row.
    pub fn row(self, row: usize) -> Result<Estimate<'w>, Error> {
        below("row of the estimates", self.rows(), row)?;
        Ok(self.at(row))
    }

    /// The estimate for a row that is known to exist.
    fn at(self, row: usize) -> Estimate<'w> {
        let tallies = self.tallies;
        let (outputs, samples, each) = (tallies.outputs, tallies.counts[row], tallies.each);
        let room = row * outputs * each;
        let kept_samples = outputs * samples.min(each);
        let (predictions, means) = (&tallies.mean[row * outputs..][..outputs], tallies.means());
        let variance = &tallies.squares[row * outputs..][..means];
        let noise = match tallies.loss.prediction_kind() {
            // The variance of a Poisson distribution is its mean.
            PredictionKind::Rates => predictions,
            PredictionKind::Normals => &predictions[means..],
            _ => &[],
        };
        Estimate {
            loss: tallies.loss,
            threshold: tallies.threshold,
            samples,
            outputs,
            mean: &predictions[..means],
            noise,
            variance: if tallies.spread { variance } else { &[] },
            expected_entropy: tallies.entropies[row],
            kept: &tallies.kept[room..][..kept_samples],
            sorted: &tallies.sorted[room..][..kept_samples],
        }
    }

    /// Iterates over the estimates of all rows.
    pub fn iter(self) -> EstimateIter<'w> {
        EstimateIter { estimates: self, rows: 0..self.rows() }
    }
}

impl<'w> IntoIterator for &Estimates<'w> {
    type Item = Estimate<'w>;
    type IntoIter = EstimateIter<'w>;

    fn into_iter(self) -> EstimateIter<'w> {
        self.iter()
    }
}

impl<'w> IntoIterator for Estimates<'w> {
    type Item = Estimate<'w>;
    type IntoIter = EstimateIter<'w>;

    fn into_iter(self) -> EstimateIter<'w> {
        self.iter()
    }
}

/// An iterator over the rows of [`Estimates`], in order.
///
/// ```
/// use thinnet::{data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView};
///
/// let predictor = Predictor::new(Mlp::builder(1).output(2, Loss::SoftmaxCrossEntropy).build()?);
/// let mut workspace = predictor.workspace(3)?;
/// let batch = Batch::dense(MatrixView::new(&[0.1, 0.2, 0.3], 3, 1)?);
/// let classes: Vec<_> =
///     predictor.moments(&batch, &mut workspace)?.iter().map(|answer| answer.class()).collect();
/// assert_eq!(classes.len(), 3);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct EstimateIter<'w> {
    estimates: Estimates<'w>,
    rows: Range<usize>,
}

impl<'w> Iterator for EstimateIter<'w> {
    type Item = Estimate<'w>;

    fn next(&mut self) -> Option<Estimate<'w>> {
        self.rows.next().map(|row| self.estimates.at(row))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl DoubleEndedIterator for EstimateIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.rows.next_back().map(|row| self.estimates.at(row))
    }
}

impl ExactSizeIterator for EstimateIter<'_> {}

impl<'w> Estimate<'w> {
    /// The number of thinned networks sampled. None for weight scaling and moment
    /// propagation, which do not sample.
    pub fn samples(&self) -> Option<usize> {
        (self.samples > 0).then_some(self.samples)
    }

    /// The mean of each output; of normal distributions, of the D outputs that are means.
    pub fn mean(&self) -> &'w [f64] {
        self.mean
    }

    /// The variance of each target's noise, as the network states it: the mean over the thinned
    /// networks of their variances of the target (aleatoric uncertainty). None if the loss does not
    /// learn it ([`PredictionKind`]).
    pub fn noise_variance(&self) -> Option<&'w [f64]> {
        (!self.noise.is_empty()).then_some(self.noise)
    }

    /// The variance of a target: [`Self::variance`] plus [`Self::noise_variance`], the law of total
    /// variance (Kendall and Gal 2017, equation 9).
    ///
    /// ```
    /// # use thinnet::{Keep, data::Batch, nn::{Activation, Mlp}, tensor::MatrixView};
    /// use thinnet::predict::{MonteCarlo, Predictor, Seeds};
    ///
    /// # let mlp = Mlp::builder(3)
    /// #     .hidden(20, Activation::Relu, Keep::HALF)
    /// #     .output(2, "gaussian_nll".parse()?)
    /// #     .build()?;
    /// # let row = [0.1, 0.2, 0.3];
    /// let predictor = Predictor::new(mlp);
    /// let mut workspace = predictor.workspace(1)?;
    /// let batch = Batch::dense(MatrixView::new(&row, 1, 3)?);
    /// let fifty = MonteCarlo::new(50)?;
    /// let answers = predictor.monte_carlo(&batch, &fifty, Seeds::Each(&[7]), &mut workspace)?;
    /// let answer = answers.row(0)?;
    /// let (disagreement, noise) = (answer.variance().unwrap()[0], answer.noise_variance().unwrap()[0]);
    /// assert_eq!(answer.total_variance(0)?, disagreement + noise);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such target, the variance is not known, or the loss learns no noise.
    pub fn total_variance(&self, target: usize) -> Result<f64, Error> {
        let variance = self.variance_of(target)?;
        let noise = self.noise_variance().ok_or_else(|| self.needs(LEARNED))?;
        Ok(variance + noise[target])
    }

    fn needs(&self, expected: &'static str) -> Error {
        Error::LossKind { loss: self.loss.name(), expected }
    }

    /// The variance of each output over the thinned networks: for samples `sum (y -
    /// mean)² / (samples - 1)`, and 0 without dropout. None for weight scaling, and for a
    /// single sample of a network with dropout, since neither gives a variance.
    pub fn variance(&self) -> Option<&'w [f64]> {
        (self.variance.len() == self.mean.len()).then_some(self.variance)
    }

    /// The standard deviation of an output, sqrt(variance).
    ///
    /// # Errors
    /// There is no such output, or the variance is not known.
    pub fn std_dev(&self, output: usize) -> Result<f64, Error> {
        Ok(self.variance_of(output)?.sqrt())
    }

    fn variance_of(&self, output: usize) -> Result<f64, Error> {
        below("output", self.mean.len(), output)?;
        let variance = self.variance().ok_or(Error::NoVariance)?;
        Ok(variance[output])
    }

    /// The class with the largest mean, the first of equal ones; if the network has a
    /// [decision threshold](crate::nn::Mlp::set_threshold), class 1 if its mean is larger than
    /// that, else class 0. None if the outputs are not classes (only softmax cross-entropy has
    /// classes), or if a mean is NaN.
    pub fn class(&self) -> Option<usize> {
        let y = self.mean;
        if self.loss.link_function() != LinkFunction::Softmax || y.iter().any(|y| y.is_nan()) {
            return None;
        }
        Some(Decision(self.threshold).class(y))
    }

    /// Whether each bit is 1: whether its mean is larger than 0.5, or than the network's
    /// [decision threshold](crate::nn::Mlp::set_threshold) if it has one. None if the outputs are
    /// not bits (only binary cross-entropy has bits), or if a mean is NaN.
    ///
    /// ```
    /// use thinnet::{data::Batch, nn::{Loss, Mlp}, predict::Predictor, tensor::MatrixView};
    ///
    /// let mut mlp = Mlp::builder(1).output(2, Loss::BinaryCrossEntropy).build()?;
    /// mlp.set_weights(0, &[1.0, -1.0])?;
    /// let predictor = Predictor::new(mlp);
    /// let mut workspace = predictor.workspace(1)?;
    /// let batch = Batch::dense(MatrixView::new(&[2.0], 1, 1)?);
    /// let answer = predictor.weight_scaling(&batch, &mut workspace)?.row(0)?;
    /// assert!(answer.bits().unwrap().eq([true, false]));
    /// assert_eq!(answer.class(), None);
    /// # Ok::<(), thinnet::Error>(())
    /// ```
    pub fn bits(&self) -> Option<impl ExactSizeIterator<Item = bool> + use<'w>> {
        let y = self.mean;
        if self.loss.link_function() != LinkFunction::Logistic || y.iter().any(|y| y.is_nan()) {
            return None;
        }
        let decision = Decision(self.threshold);
        Some(y.iter().map(move |&y| decision.bit(y)))
    }

    /// The predictive entropy in nats, that is the entropy of the mean probabilities: of
    /// the classes, or summed over the bits. None for values.
    pub fn entropy(&self) -> Option<f64> {
        self.loss.link_function().entropy(self.mean.iter().copied())
    }

    /// The mean entropy of the individual thinned networks, in nats: the uncertainty
    /// within each of them. None for values or if the variance is not known.
    pub fn expected_entropy(&self) -> Option<f64> {
        self.variance()?;
        self.loss.link_function().gives_probabilities().then_some(self.expected_entropy)
    }

    /// The mutual information, predictive entropy minus expected entropy, in nats: how
    /// far the thinned networks disagree (Houlsby et al. 2011: the information that the
    /// prediction carries about the parameters). None for values or if the
    /// variance is not known.
    pub fn mutual_information(&self) -> Option<f64> {
        let difference = self.entropy()? - self.expected_entropy()?;
        // Rounding can make the difference slightly negative. NaN stays NaN.
        Some(if difference < 0.0 { 0.0 } else { difference })
    }

    /// The interval of `z` standard deviations of the thinned networks on either side of
    /// an output's mean: `z` is 1.96 for 95 % if their values are normally distributed.
    ///
    /// It covers the mean of the target, as far as the thinned networks know it. It does
    /// not cover the target itself, whose noise is not included. See
    /// [`Self::predictive_interval`].
    ///
    /// # Errors
    /// There is no such output, the variance is not known, or `z` is negative or not
    /// finite.
    pub fn interval(&self, output: usize, z: f64) -> Result<[f64; 2], Error> {
        let variance = self.variance_of(output)?;
        self.around(output, z, variance)
    }

    /// The interval of `z` standard deviations for a target with noise:
    ///
    /// `mean ± z sqrt(variance + noise variance)`
    ///
    /// A number is the noise's precision, 1 / variance, tau in Gal and Ghahramani 2016. To estimate
    /// a trained network's noise variance, take the mean squared error on held-out rows minus the
    /// mean variance there. With [`TargetNoise::Learned`], the sum of the variances is
    /// [`Self::total_variance`].
    ///
    /// # Errors
    /// As for [`Self::interval`]; also if a precision is given but the predictions are not values, or
    /// it is not positive and finite; or if the noise is to be learned, but the loss does not.
    pub fn predictive_interval(
        &self,
        output: usize,
        z: f64,
        noise: impl Into<TargetNoise>,
    ) -> Result<[f64; 2], Error> {
        let variance = match noise.into() {
            TargetNoise::Precision(precision) => {
                let noise = 1.0 / self.check_precision(precision)?;
                self.variance_of(output)? + noise
            }
            TargetNoise::Learned => self.total_variance(output)?,
        };
        self.around(output, z, variance)
    }

    fn around(&self, output: usize, z: f64, variance: f64) -> Result<[f64; 2], Error> {
        if !(z.is_finite() && z >= 0.0) {
            let expected = "a finite number of at least 0 (1.96 for 95 %)";
            return Err(Error::OutOfRange {
                what: "number of standard deviations z",
                value: z,
                expected,
            });
        }
        let half = z * variance.sqrt();
        Ok([self.mean[output] - half, self.mean[output] + half])
    }

    fn check_precision(&self, precision: f64) -> Result<f64, Error> {
        if self.loss.prediction_kind() != PredictionKind::Values {
            return Err(self.needs("a loss of values, whose targets have noise"));
        }
        check_precision(precision)
    }

    /// The outputs of sample `number`, all from the same thinned network: a sample of
    /// their joint distribution. Samples are in the order in which they were taken.
    ///
    /// # Errors
    /// There is no such sample, or samples were not kept: see
    /// [`keep_samples`](super::MonteCarlo::keep_samples).
    pub fn sample(&self, number: usize) -> Result<&'w [f32], Error> {
        let outputs = self.outputs;
        let samples = self.kept_samples()?;
        below("sample", samples, number)?;
        Ok(&self.kept[number * outputs..][..outputs])
    }

    fn kept_samples(&self) -> Result<usize, Error> {
        match self.kept.len() / self.outputs {
            0 => Err(Error::NoSamples),
            samples => Ok(samples),
        }
    }

    /// The log density of the target `t`, whose D outputs have noise of precision
    /// `precision` (1 / variance), tau, under the mixture of the T samples y:
    ///
    /// `ln (1/T sum_s exp(-tau/2 |t - y_s|²)) + D/2 ln tau - D/2 ln 2 pi`
    ///
    /// (Gal and Ghahramani 2016, the predictive log-likelihood of regression), computed
    /// without overflow. With [`TargetNoise::Learned`], it is the density under the mixture of the
    /// normal distributions that the samples are ([`normal_log_likelihood`]). For classification, the
    /// log likelihood of a label is the
    /// logarithm of its class's mean.
    ///
    /// # Errors
    /// The target does not have one value per output, or has a non-finite value; samples
    /// were not kept; a precision is given but the predictions are not values, or it is not positive
    /// and finite; or the noise is to be learned, but the predictions are not normal distributions.
    pub fn log_likelihood(
        &self,
        target: &[f32],
        noise: impl Into<TargetNoise>,
    ) -> Result<f64, Error> {
        let samples = || MatrixView::new(self.kept, self.kept_samples()?, self.outputs);
        match noise.into() {
            TargetNoise::Precision(precision) => {
                self.check_precision(precision)?;
                log_likelihood(samples()?, target, precision)
            }
            TargetNoise::Learned if self.loss.prediction_kind() == PredictionKind::Normals => {
                normal_log_likelihood(samples()?, target)
            }
            TargetNoise::Learned => Err(self.needs(NORMAL)),
        }
    }

    /// The `q` quantile of the samples, with q from 0 to 1: 0.5 is the median. It is
    /// interpolated linearly between samples (NumPy's default). NaN if any sample is NaN.
    ///
    /// # Errors
    /// There is no such output, `q` is not from 0 to 1, or samples were not kept: see
    /// [`keep_samples`](super::MonteCarlo::keep_samples).
    pub fn quantile(&self, output: usize, q: f64) -> Result<f64, Error> {
        below("output", self.outputs, output)?;
        if !(0.0..=1.0).contains(&q) {
            let expected = "a number from 0 to 1";
            return Err(Error::OutOfRange { what: "quantile q", value: q, expected });
        }
        let samples = self.kept_samples()?;
        let sorted = &self.sorted[output * samples..][..samples];
        let last = samples - 1;
        // The total order puts NaN at either end, by its sign.
        if sorted[0].is_nan() || sorted[last].is_nan() {
            return Ok(f64::NAN);
        }
        let place = q * last as f64;
        let (below, rest) = (place as usize, place.fract());
        let (a, b) = (f64::from(sorted[below]), f64::from(sorted[(below + 1).min(last)]));
        // Between equal infinities, or exactly at the lower sample, there is nothing to
        // add.
        Ok(if rest == 0.0 || a == b { a } else { a + (b - a) * rest })
    }

    /// Copies everything but the samples into an owned [`Prediction`].
    pub fn to_prediction(&self) -> Prediction {
        Prediction {
            class: self.class(),
            bits: self.bits().map(Iterator::collect),
            mean: self.mean.to_vec(),
            variance: self.variance().map(<[f64]>::to_vec),
            noise_variance: self.noise_variance().map(<[f64]>::to_vec),
            entropy: self.entropy(),
            expected_entropy: self.expected_entropy(),
            mutual_information: self.mutual_information(),
            samples: self.samples(),
        }
    }
}
