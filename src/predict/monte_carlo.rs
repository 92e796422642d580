//! Monte-Carlo prediction: samples thinned networks and aggregates their predictions row
//! by row.
//!
//! In the thin products, a request's samples are rows like any others. Whatever precedes
//! the first mask, that is the lists into the first dropout site, is computed once per
//! request. Each pass thins these lists for as many pairs of request and sample as it has
//! room for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Workspace, context::Context, tallies::Tallies, uncertainty::Estimates};
use crate::{
    abridged::Few,
    data::Batch,
    error::{Error, same_size},
    mask::{Domain, Streams, request_seed},
    nn::{Drawn, Flow, Mlp},
    noise::Noise,
    tensor::Matrix,
    thin::{InputRows, ThinningBits},
};

/// Rows per pass: as many as the products take at once.
const PASS: usize = 128;

/// Samples taken between two checks of a request's convergence.
const ROUND: usize = 16;

/// The number of thinned networks that a prediction samples (Monte-Carlo model averaging,
/// section 7.5 of the paper), and when it may stop early.
///
/// ```
/// # use thinnet::predict::MonteCarlo;
/// let fifty = MonteCarlo::new(50)?;
/// let as_many_as_it_takes = MonteCarlo::new(10_000)?.tolerance(0.01)?;
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct MonteCarlo {
    samples: usize,
    tolerance: Option<f64>,
    keep_samples: bool,
}

/// The settings as read from a file; missing fields default to those of
/// [`MonteCarlo::new`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    samples: usize,
    tolerance: Option<f64>,
    #[serde(default)]
    keep_samples: bool,
}

impl TryFrom<Unchecked> for MonteCarlo {
    type Error = Error;

    fn try_from(said: Unchecked) -> Result<Self, Error> {
        let settings = Self { keep_samples: said.keep_samples, ..Self::new(said.samples)? };
        said.tolerance.map_or(Ok(settings), |tolerance| settings.tolerance(tolerance))
    }
}

impl MonteCarlo {
    /// Samples `samples` thinned networks for each row.
    ///
    /// # Errors
    /// `samples` is 0.
    pub fn new(samples: usize) -> Result<Self, Error> {
        if samples == 0 {
            return Err(Error::Zero { what: "samples", expected: "at least one" });
        }
        Ok(Self { samples, tolerance: None, keep_samples: false })
    }

    /// Stops early for a row once, for each output with its n samples y so far,
    ///
    /// `sqrt(sum (y - mean)² + 2 d²) / n <= tolerance`
    ///
    /// which is checked after every 16 samples. This is the standard error of the mean if
    /// two more samples were at distance d: a few equal samples say little about the next
    /// one.
    ///
    /// - For **probabilities** d is 1. So at least sqrt(2) / tolerance samples are taken,
    ///   and the root mean square error is at most about `tolerance`: for an output that
    ///   is 1 with a probability of 0.2 % to 50 % and otherwise 0, the mean is off by at
    ///   most twice the tolerance in at least 93 % of rows.
    /// - For **values** (regression) the scale is not known beforehand: d is the
    ///   distance between the smallest and the largest sample, at least 64 samples are
    ///   taken, and a row with an output whose samples are all equal takes all of them.
    ///   Events with a probability below 1 in 20 may still be missed. If the network predicts
    ///   variances too, only the means count.
    ///
    /// # Errors
    /// `tolerance` is negative or not finite.
    pub fn tolerance(self, tolerance: f64) -> Result<Self, Error> {
        if !(tolerance.is_finite() && tolerance >= 0.0) {
            let expected = "a finite number of at least 0";
            return Err(Error::OutOfRange { what: "tolerance", value: tolerance, expected });
        }
        Ok(Self { tolerance: Some(tolerance), ..self })
    }

    /// Keeps every sample, for [`sample`](super::Estimate::sample),
    /// [`quantile`](super::Estimate::quantile) and
    /// [`log_likelihood`](super::Estimate::log_likelihood). This takes memory for 2 x
    /// rows x outputs x samples numbers (once in sampling order, once sorted); without
    /// it, memory does not depend on the number of samples.
    #[must_use]
    pub fn keep_samples(self) -> Self {
        Self { keep_samples: true, ..self }
    }

    /// The maximum number of samples per row.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Whether a row with `done` samples, whose means are known to within `error`, needs
    /// no more.
    fn suffices(&self, done: usize, error: impl FnOnce() -> f64) -> bool {
        let looked_at = done.is_multiple_of(ROUND);
        done >= self.samples || looked_at && self.tolerance.is_some_and(|most| error() <= most)
    }

    /// The number of samples to take after the first `done` before the next check.
    fn round(&self, done: usize) -> usize {
        let left = self.samples - done;
        if self.tolerance.is_some() { left.min(ROUND - done % ROUND) } else { left }
    }
}

/// Seeds that determine which thinned networks predict the rows of a batch: sample s of a
/// row uses the masks of [`Domain::Prediction`] with the row's seed, step s and row 0. So
/// the prediction for a row does not depend on its batch.
///
/// ```
/// use thinnet::predict::Seeds;
///
/// let requests = [17, 4, 99];
/// let seeds = Seeds::Numbered { base: 1, ids: &requests };
/// // The same row with the same number gets the same answer, whatever the batch.
/// assert_eq!(seeds, Seeds::Numbered { base: 1, ids: &[17, 4, 99] });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Seeds<'a> {
    /// One seed per row.
    Each(&'a [u64]),
    /// One shared seed, and an id for each row: the row's seed is [`request_seed`]`(base,
    /// id)`.
    Numbered {
        /// The shared seed.
        base: u64,
        /// The rows' ids.
        ids: &'a [u64],
    },
}

impl fmt::Debug for Seeds<'_> {
    /// Formats the first few seeds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Each(seeds) => f.debug_tuple("Each").field(&Few(seeds.iter())).finish(),
            Self::Numbered { base, ids } => f
                .debug_struct("Numbered")
                .field("base", base)
                .field("ids", &Few(ids.iter()))
                .finish(),
        }
    }
}

impl Seeds<'_> {
    fn check(self, rows: usize) -> Result<(), Error> {
        match self {
            Self::Each(seeds) => same_size("seeds for the rows of a batch", rows, seeds.len()),
            Self::Numbered { ids, .. } => same_size("ids for the rows of a batch", rows, ids.len()),
        }
    }

    fn of(self, row: usize) -> u64 {
        match self {
            Self::Each(seeds) => seeds[row],
            Self::Numbered { base, ids } => request_seed(base, ids[row]),
        }
    }
}

/// The memory for a pass.
#[derive(Clone, Debug)]
pub(super) struct Samples {
    flow: Flow,
    /// What was drawn for every site.
    drawn: Vec<Drawn>,
    predictions: Matrix,
    /// The pairs of the pass: row in the batch, number of the sample.
    requests: Vec<usize>,
    numbers: Vec<u64>,
    /// The pairs' row hashes at one site.
    hashes: Vec<u64>,
}

impl Samples {
    fn new(mlp: &Mlp) -> Result<Self, Error> {
        Ok(Self {
            flow: Flow::with_capacity(mlp, PASS)?.watched(),
            drawn: vec![Drawn::Nothing; mlp.depth()],
            predictions: Matrix::zeroed(PASS, mlp.outputs())?,
            requests: Vec::with_capacity(PASS),
            numbers: Vec::with_capacity(PASS),
            hashes: Vec::with_capacity(PASS),
        })
    }

    /// Chooses the pairs of the next pass by taking from each row in turn the samples it
    /// still needs. Returns whether there are any.
    fn choose(&mut self, settings: &MonteCarlo, rows: usize, tallies: &Tallies) -> bool {
        self.requests.clear();
        self.numbers.clear();
        for row in 0..rows {
            let done = tallies.samples(row);
            if settings.suffices(done, || tallies.error_bound(row)) {
                continue;
            }
            let room = PASS - self.requests.len();
            for sample in (done..).take(settings.round(done).min(room)) {
                self.requests.push(row);
                self.numbers.push(sample as u64);
            }
            if self.requests.len() == PASS {
                break;
            }
        }
        !self.requests.is_empty()
    }

    /// Computes the pairs' hashes at `site`.
    fn hash(&mut self, seeds: Seeds<'_>, site: usize) {
        self.hashes.clear();
        self.hashes.extend(self.requests.iter().zip(&self.numbers).map(|(&row, &sample)| {
            Streams::new(seeds.of(row), Domain::Prediction, site as u64, sample).hash(0)
        }));
    }

    /// Predicts with the thinned networks of this pass, from the first dropout site on. Below it is
    /// what the flow has, or the batch's rows.
    fn pass(
        &mut self,
        context: Context<'_>,
        seeds: Seeds<'_>,
        (from, rows): (&Flow, InputRows<'_>),
        first: usize,
    ) -> Result<(), Error> {
        let (mlp, pass) = (context.network.mlp, context.pass(self.requests.len()));
        let sparse = first == 0 && mlp.sparse_input();
        for site in first + usize::from(sparse)..mlp.depth() {
            self.hash(seeds, site);
            let (hashes, rows) = (&self.hashes, self.requests.len());
            self.drawn[site].redraw(pass, mlp.noise_below(site), rows, |row| hashes[row])?;
        }
        let keep = mlp.keep_below(first);
        let bits = if sparse {
            self.hash(seeds, first);
            ThinningBits::Sparse { keep, hashes: &self.hashes }
        } else {
            self.drawn[first].mask().map_or(ThinningBits::All, ThinningBits::Mask)
        };
        let (from, drawn) = ((from, rows, &*self.requests), |site: usize| &self.drawn[site]);
        self.flow.thin(pass, context.network, first, from, (bits, drawn(first)));
        self.flow.forward(pass, context.network, first..mlp.depth(), drawn, |_| ());
        context.gate(&self.flow, first..mlp.depth(), |pair| self.requests[pair])?;
        let logits = &mut self.flow.z[mlp.depth() - 1];
        mlp.link().predictions(pass.isa, logits, &mut self.predictions);
        for (pair, &row) in self.requests.iter().enumerate() {
            context.gate_predictions(mlp.loss().link_function(), row, self.predictions.at(pair))?;
        }
        Ok(())
    }
}

/// Predicts by sampling for the rows of a batch that has been checked.
pub(super) fn estimate<'w>(
    context: Context<'_>,
    batch: &Batch<'_>,
    settings: &MonteCarlo,
    seeds: Seeds<'_>,
    workspace: &'w mut Workspace,
) -> Result<Estimates<'w>, Error> {
    let mlp = context.network.mlp;
    let rows = batch.rows();
    seeds.check(rows)?;
    let Workspace { flow, predictions, samples, tallies, .. } = workspace;
    let samples = match samples {
        Some(samples) => samples,
        None => samples.insert(Samples::new(mlp)?),
    };
    samples.flow.check(mlp, rows.min(PASS))?;
    for (site, drawn) in samples.drawn.iter_mut().enumerate() {
        drawn.prepare(mlp.noise_below(site), PASS, mlp.layers[site].weights.inputs())?;
    }
    let first = (0..mlp.depth()).find(|&site| mlp.noise_below(site) != Noise::None);
    if let Some(first) = first {
        samples.flow.prepare_thinned(context.network, first, batch.inputs())?;
    }
    // Without noise there is only one network, so one sample.
    let most = if first.is_some() { settings.samples } else { 1 };
    let kept = if settings.keep_samples { most } else { 0 };
    tallies.clear(mlp, rows, predictions.rows(), kept)?;
    if settings.tolerance.is_some() && !mlp.loss().link_function().gives_probabilities() {
        tallies.with_ranges(predictions.rows())?;
    }
    if first.is_some() && settings.samples == 1 {
        tallies.without_spread();
    }

    let pass = context.pass(rows);
    flow.enter_below(pass, context.network, first, batch.inputs());
    let alike = first.unwrap_or(mlp.depth());
    flow.forward_whole(pass, context.network, 0..alike);
    context.gate(flow, 0..alike, |row| row)?;
    let Some(first) = first else {
        mlp.link().predictions(pass.isa, &mut flow.z[mlp.depth() - 1], predictions);
        for row in 0..rows {
            context.gate_predictions(mlp.loss().link_function(), row, predictions.at(row))?;
            tallies.add(row, predictions.at(row));
        }
        return Ok(tallies.finish());
    };
    while samples.choose(settings, rows, tallies) {
        samples.pass(context, seeds, (flow, batch.inputs()), first)?;
        for (i, &row) in samples.requests.iter().enumerate() {
            tallies.add(row, samples.predictions.at(i));
        }
    }
    Ok(tallies.finish())
}
