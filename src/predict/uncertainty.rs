//! What a prediction says, and how sure it is.

use crate::{
    error::{Error, below},
    nn::Loss,
};

/// Estimates of the rows of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Estimates<'w> {
    tallies: &'w Tallies,
}

/// What is known of one row's outputs: for the probabilities of classes or
/// bits, or for values, over the thinned networks that were asked.
///
/// How sure a regression is:
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
/// // Asked where it has learned, and far from there.
/// let predictor = Predictor::new(trainer.into_network());
/// let mut workspace = predictor.workspace(2)?;
/// let asked = Batch::dense(MatrixView::new(&[-0.5, 2.0], 2, 1)?);
/// let samples = MonteCarlo::new(500)?.keep_samples();
/// let answers = predictor.monte_carlo(&asked, &samples, Seeds::Each(&[1, 2]), &mut workspace)?;
/// let (near, far) = (answers.row(0)?, answers.row(1)?);
/// let [low, high] = near.interval(0, 1.96)?; // 95 % where values are normal
/// let band = [near.quantile(0, 0.025)?, near.quantile(0, 0.975)?]; // 95 % of the samples
/// println!("{:.2}, {low:.2} to {high:.2}; {band:.2?}", near.mean()[0]);
/// assert!(low < (-1.5f64).sin() && (-1.5f64).sin() < high);
/// let [near, far] = [near, far].map(|answer| answer.deviation(0));
/// assert!(near? < far?);
///
/// // The same in one pass, without samples.
/// let answers = predictor.moments(&asked, &mut workspace)?;
/// assert!(answers.row(0)?.deviation(0)? < answers.row(1)?.deviation(0)?);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Estimate<'w> {
    loss: Loss,
    samples: usize,
    mean: &'w [f64],
    /// Empty where it is not known.
    variance: &'w [f64],
    expected_entropy: f64,
    /// `[outputs][samples]`, each output's ascending; empty where they were not
    /// kept.
    kept: &'w [f32],
}

impl<'w> Estimates<'w> {
    /// How many rows.
    pub fn rows(self) -> usize {
        self.tallies.counts.len()
    }

    /// One row's.
    ///
    /// # Errors
    /// There is no such row.
    pub fn row(self, row: usize) -> Result<Estimate<'w>, Error> {
        below("row of the estimates", self.rows(), row)?;
        let Tallies { loss, outputs, counts, mean, squares, entropies, kept, each, spread } =
            self.tallies;
        let (outputs, samples) = (*outputs, counts[row]);
        let kept = &kept[row * outputs * each..][..outputs * each];
        let variance = &squares[row * outputs..][..outputs];
        Ok(Estimate {
            loss: *loss,
            samples,
            mean: &mean[row * outputs..][..outputs],
            variance: if *spread { variance } else { &[] },
            expected_entropy: entropies[row],
            kept: &kept[..outputs * samples.min(*each)],
        })
    }

    /// All rows'.
    pub fn iter(self) -> impl Iterator<Item = Estimate<'w>> {
        (0..self.rows()).filter_map(move |row| self.row(row).ok())
    }
}

impl<'w> Estimate<'w> {
    /// How many thinned networks were asked: none by weight scaling and by moment
    /// propagation.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The mean of each output.
    pub fn mean(&self) -> &'w [f64] {
        self.mean
    }

    /// The variance of each output from one thinned network to the next: of
    /// samples `sum (y - mean)² / (samples - 1)`, and 0 for a single one. None for
    /// weight scaling, which does not know it.
    pub fn variance(&self) -> Option<&'w [f64]> {
        (self.variance.len() == self.mean.len()).then_some(self.variance)
    }

    /// The standard deviation of an output, sqrt(variance).
    ///
    /// # Errors
    /// There is no such output, or weight scaling was asked.
    pub fn deviation(&self, output: usize) -> Result<f64, Error> {
        below("output", self.mean.len(), output)?;
        let variance = self.variance().ok_or_else(|| {
            Error::setting("variance", "not known", "monte_carlo or moments to be asked")
        })?;
        Ok(variance[output].sqrt())
    }

    /// The output with the largest mean, the first of equal ones: the class, for
    /// softmax cross-entropy.
    pub fn class(&self) -> usize {
        let y = self.mean;
        (1..y.len()).fold(0, |best, i| if y[i] > y[best] { i } else { best })
    }

    /// The predictive entropy in nats, that of the mean probabilities: of the
    /// classes, or added up over the bits. None for squared error.
    pub fn entropy(&self) -> Option<f64> {
        self.loss.entropy(self.mean.iter().copied())
    }

    /// The mean of the thinned networks' own entropies, in nats: what they
    /// themselves are unsure of. None for squared error and for weight scaling.
    pub fn expected_entropy(&self) -> Option<f64> {
        self.variance()?;
        (self.loss != Loss::SquaredError).then_some(self.expected_entropy)
    }

    /// Entropy less expected entropy, in nats: what the thinned networks do not
    /// agree on (Houlsby et al. 2011, who call it the information that the
    /// parameters would give). None for squared error and for weight scaling.
    pub fn mutual_information(&self) -> Option<f64> {
        // Rounding can take it below 0, which it never is.
        Some((self.entropy()? - self.expected_entropy()?).max(0.0))
    }

    /// The mean of an output, less and plus `deviations` standard deviations:
    /// 1.96 for 95 % where the thinned networks' values are normal.
    ///
    /// # Errors
    /// As [`Self::deviation`].
    pub fn interval(&self, output: usize, deviations: f64) -> Result<[f64; 2], Error> {
        let spread = deviations * self.deviation(output)?;
        Ok([self.mean[output] - spread, self.mean[output] + spread])
    }

    /// The value that the part `part` of the samples does not exceed, between two
    /// samples on the straight line through them (NumPy's default).
    ///
    /// # Errors
    /// There is no such output, `part` is not from 0 to 1, or the samples were not
    /// kept: see [`keep_samples`](super::MonteCarlo::keep_samples).
    pub fn quantile(&self, output: usize, part: f64) -> Result<f64, Error> {
        below("output", self.mean.len(), output)?;
        if !(0.0..=1.0).contains(&part) {
            return Err(Error::setting("part of the samples", part, "a number from 0 to 1"));
        }
        let each = self.kept.len() / self.mean.len();
        let sorted = &self.kept[output * each..][..each];
        let Some(last) = sorted.len().checked_sub(1) else {
            return Err(Error::setting("samples", "not kept", "MonteCarlo::keep_samples"));
        };
        let place = part * last as f64;
        let (below, rest) = (place as usize, place.fract());
        let (a, b) = (f64::from(sorted[below]), f64::from(sorted[(below + 1).min(last)]));
        Ok(a + (b - a) * rest)
    }
}

/// What the samples of each row said so far.
#[derive(Clone, Debug)]
pub(super) struct Tallies {
    loss: Loss,
    outputs: usize,
    /// Of each row.
    counts: Vec<usize>,
    /// `[rows][outputs]`
    mean: Vec<f64>,
    /// `[rows][outputs]`: sums of squared distances from the mean, in the end
    /// variances.
    squares: Vec<f64>,
    /// Of each row: the mean entropy of a sample.
    entropies: Vec<f64>,
    /// `[rows][outputs][each]` samples, where they are kept.
    kept: Vec<f32>,
    each: usize,
    /// Whether variances and entropies are known.
    spread: bool,
}

impl Tallies {
    pub fn new(loss: Loss, outputs: usize) -> Self {
        Self {
            loss,
            outputs,
            counts: Vec::new(),
            mean: Vec::new(),
            squares: Vec::new(),
            entropies: Vec::new(),
            kept: Vec::new(),
            each: 0,
            spread: true,
        }
    }

    /// No samples of `rows` rows yet, of which `each` are to be kept; memory is
    /// made for `most_rows`.
    pub fn clear(
        &mut self,
        loss: Loss,
        rows: usize,
        most_rows: usize,
        each: usize,
    ) -> Result<(), Error> {
        (self.loss, self.each, self.spread) = (loss, each, true);
        let outputs = self.outputs;
        zeros(&mut self.counts, 0, [rows, 1], most_rows)?;
        zeros(&mut self.mean, 0.0, [rows, outputs], most_rows)?;
        zeros(&mut self.squares, 0.0, [rows, outputs], most_rows)?;
        zeros(&mut self.entropies, 0.0, [rows, 1], most_rows)?;
        let size = outputs.checked_mul(each);
        let size = size.ok_or(Error::TooLarge { what: "samples", shape: [outputs, each] })?;
        zeros(&mut self.kept, 0.0, [rows, size], if each == 0 { 0 } else { most_rows })
    }

    pub fn samples(&self, row: usize) -> usize {
        self.counts[row]
    }

    /// Takes the row's next sample, by Welford's recurrence.
    pub fn add(&mut self, row: usize, y: &[f32]) {
        let (outputs, number) = (self.outputs, self.counts[row]);
        let n = (number + 1) as f64;
        self.counts[row] += 1;
        let mean = &mut self.mean[row * outputs..][..outputs];
        let squares = &mut self.squares[row * outputs..][..outputs];
        for ((mean, squares), &y) in mean.iter_mut().zip(squares).zip(y) {
            let before = f64::from(y) - *mean;
            *mean += before / n;
            *squares += before * (f64::from(y) - *mean);
        }
        if let Some(entropy) = self.loss.entropy(y.iter().map(|&y| f64::from(y))) {
            self.entropies[row] += (entropy - self.entropies[row]) / n;
        }
        if number < self.each {
            let kept = &mut self.kept[row * outputs * self.each..][..outputs * self.each];
            for (kept, &y) in kept.chunks_exact_mut(self.each).zip(y) {
                kept[number] = y;
            }
        }
    }

    /// Mixes moments of the row, mean and variance of each output and the mean entropy,
    /// with those that are there: they are the part `share` of all so far, 1 for the
    /// first ones.
    pub fn mix(&mut self, row: usize, share: f64, [means, variances]: [&[f64]; 2], entropy: f64) {
        let range = row * self.outputs..(row + 1) * self.outputs;
        let to = self.mean[range.clone()].iter_mut().zip(&mut self.squares[range]);
        for ((mean, variance), (&m, &v)) in to.zip(means.iter().zip(variances)) {
            let distance = m - *mean;
            *mean += share * distance;
            *variance = (1.0 - share) * (*variance + share * distance * distance) + share * v;
        }
        self.entropies[row] += share * (entropy - self.entropies[row]);
    }

    /// The row's means, whose variances are not known.
    pub fn set_mean(&mut self, row: usize, y: &[f32]) {
        self.spread = false;
        let mean = &mut self.mean[row * self.outputs..][..self.outputs];
        for (mean, &y) in mean.iter_mut().zip(y) {
            *mean = y.into();
        }
    }

    /// The largest standard error of the means of a row's outputs; infinite before
    /// there are two samples.
    pub fn standard_error(&self, row: usize) -> f64 {
        let n = self.counts[row] as f64;
        if n < 2.0 {
            return f64::INFINITY;
        }
        let squares = &self.squares[row * self.outputs..][..self.outputs];
        // A NaN stays, and nothing is enough then.
        let most = squares.iter().fold(0.0, |a: f64, &b| if a.is_nan() || b <= a { a } else { b });
        (most / (n - 1.0) / n).sqrt()
    }

    /// The samples are all there.
    pub fn finish(&mut self) -> Estimates<'_> {
        let (outputs, each) = (self.outputs, self.each);
        for (row, &count) in self.counts.iter().enumerate() {
            let degrees = count.saturating_sub(1).max(1) as f64;
            for squares in &mut self.squares[row * outputs..][..outputs] {
                *squares /= degrees;
            }
            if each > 0 {
                // Rows of the samples that were taken, without gaps.
                let kept = &mut self.kept[row * outputs * each..][..outputs * each];
                for output in 0..outputs {
                    kept.copy_within(output * each..output * each + count, output * count);
                    kept[output * count..][..count].sort_unstable_by(f32::total_cmp);
                }
            }
        }
        self.estimates()
    }

    /// What was set.
    pub fn estimates(&self) -> Estimates<'_> {
        Estimates { tallies: self }
    }
}

/// Makes `shape` zeros of `memory`, which has room for `most_rows` rows of them.
fn zeros<T: Clone>(
    memory: &mut Vec<T>,
    zero: T,
    shape: [usize; 2],
    most_rows: usize,
) -> Result<(), Error> {
    let [rows, each] = shape;
    let too_large = || Error::TooLarge { what: "estimates", shape: [most_rows, each] };
    let size = most_rows.max(rows).checked_mul(each).ok_or_else(too_large)?;
    memory.clear();
    memory.try_reserve_exact(size).map_err(|_| too_large())?;
    memory.resize(rows * each, zero);
    Ok(())
}
