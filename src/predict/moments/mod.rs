//! Moment propagation: the mean and standard deviation of every unit are propagated
//! through dropout, linear layers and activations (assumed-density filtering; for dropout
//! Wang and Manning 2013, "Fast dropout training"), above masks of the first dropout site
//! if few of its units are active ([`strata`]).
//!
//! The moments are exact up to z of the layer above the first dropout site. Beyond it the
//! units of a layer are assumed independent given the mask, and each z normal.

mod average;
mod draws;
mod link;
mod logistic;
mod strata;

use super::{Workspace, context::Context, tallies::Tallies, uncertainty::Estimates};
use crate::{
    data::Batch,
    error::Error,
    mask::{Mask, WORD, words_of},
    nn::{self, Flow, LinkFunction, Mlp, NetworkView},
    noise::Noise,
    pass::Pass,
    rate::Keep,
    tensor::{Matrix, MatrixView},
    thin::{
        Gaps, InputBits, Lists, PANEL, Panels, ThinningBits,
        moments::{Deviations, Inputs},
    },
};
use link::Link;
use strata::{MAX_UNITS, Strata};

/// Pairs of a row and a mask per pass: as many as the kernel takes at once.
const PASS: usize = 64;

/// The memory for moment propagation.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// Lists and z hold the means for the pairs of a pass.
    flow: Flow,
    /// The deviations of each layer's inputs.
    deviations: Vec<Deviations>,
    /// The deviations of each layer's z.
    z: Vec<Panels>,
    /// The pairs' mask at the first dropout site.
    mask: Mask,
    pairs: Vec<Pair>,
    /// The pairs' rows in the batch, as [`Lists::thin`] takes them.
    requests: Vec<usize>,
    /// The active units of one row at the first site.
    active: Vec<usize>,
    strata: Strata,
    link: Link,
    /// The variances of the logits, row by row.
    variances: Matrix,
}

/// A row with one mask, or with none.
#[derive(Clone, Copy, Debug)]
struct Pair {
    row: usize,
    /// The mask's number among the row's masks.
    number: usize,
    /// The mask's probability.
    weight: f64,
    /// `weight` over the sum of the weights of the row's masks up to this one.
    share: f64,
}

/// Where dropout begins.
#[derive(Clone, Copy)]
struct Start {
    /// The first dropout site, or else the last site.
    site: usize,
    noise: Noise,
    /// The next dropout site.
    next: Option<usize>,
    /// Rows with fewer active units than this use masks.
    few: usize,
}

impl Start {
    fn of(mlp: &Mlp, link: LinkFunction) -> Self {
        let last = mlp.depth() - 1;
        let is_noisy = |&site: &usize| mlp.noise_below(site) != Noise::None;
        let site = (0..=last).find(is_noisy).unwrap_or(last);
        // Directly below the output the logits' moments are exact.
        let exact = link == LinkFunction::Identity && site == last;
        let few = if exact || !mlp.noise_below(site).drops() { 0 } else { MAX_UNITS + 1 };
        Self { site, noise: mlp.noise_below(site), next: (site + 1..=last).find(is_noisy), few }
    }
}

impl Moments {
    /// The workspace's memory for moments, allocated on first use.
    fn of<'w>(
        there: &'w mut Option<Self>,
        mlp: &Mlp,
        max_rows: usize,
    ) -> Result<&'w mut Self, Error> {
        Ok(match there {
            Some(moments) => moments,
            None => there.insert(Self::new(mlp, max_rows)?),
        })
    }

    fn new(mlp: &Mlp, max_rows: usize) -> Result<Self, Error> {
        let widths = mlp.widths();
        // Without noise below a site, its units have no deviations.
        let first = Start::of(mlp, LinkFunction::Identity).site;
        let deviations = widths[..mlp.depth()].iter().enumerate().map(|(site, &width)| {
            Deviations::with_capacity(if site < first { 0 } else { PASS }, width)
        });
        let z = widths[1..].iter().map(|&width| Panels::with_capacity(PASS, width));
        Ok(Self {
            flow: Flow::with_capacity(mlp, PASS)?,
            deviations: deviations.collect::<Result<_, _>>()?,
            z: z.collect::<Result<_, _>>()?,
            mask: Mask::ones(PASS, widths[..mlp.depth()].iter().copied().max().unwrap_or(0))?,
            pairs: Vec::with_capacity(PASS),
            requests: Vec::with_capacity(PASS),
            active: Vec::with_capacity(MAX_UNITS),
            strata: Strata::new(),
            link: Link::new(mlp.outputs())?,
            variances: Matrix::zeroed(max_rows, mlp.outputs())?,
        })
    }

    /// The forward pass through the layers from `below` on, starting from the pass's
    /// lists into it; `site` is the next dropout site, if any. The means of the logits
    /// end up in the flow, the deviations here.
    fn forward(
        &mut self,
        context: Context<'_>,
        pass: Pass,
        below: usize,
        site: Option<usize>,
    ) -> Result<(), Error> {
        let network = context.network;
        let mlp = network.mlp;
        self.flow.forward_whole(pass, network, below..site.unwrap_or(mlp.depth()));
        if let Some(site) = site {
            self.forward_with_deviations(pass, network, site);
        }
        let row = |pair: usize| self.requests[pair];
        context.gate(&self.flow, below..mlp.depth(), row)?;
        if context.finite
            && let Some(site) = site
        {
            for (layer, deviations) in self.z.iter().enumerate().skip(site) {
                deviations.check_finite(pass.isa, |pair, unit, value| Error::NonFiniteSum {
                    what: "standard deviation of the sum",
                    row: row(pair),
                    layer,
                    unit,
                    value,
                })?;
            }
        }
        Ok(())
    }

    fn forward_with_deviations(&mut self, pass: Pass, network: NetworkView<'_>, site: usize) {
        let mlp = network.mlp;
        self.deviations[site].of_known(mlp.noise_below(site), &self.flow.lists[site]);
        for index in site..mlp.depth() {
            let layer = network.layer(index);
            let (lists, above) = self.flow.lists.split_at_mut(index + 1);
            let (deviations, deviations_above) = self.deviations.split_at_mut(index + 1);
            let x = Inputs { means: &lists[index], deviations: &deviations[index] };
            let z = [&mut self.flow.z[index], &mut self.z[index]];
            match (above.first_mut(), deviations_above.first_mut()) {
                (Some(means), Some(deviations)) => {
                    layer.forward_moments(pass, x, z, means, deviations);
                }
                _ => layer.output_moments(pass, x, z),
            }
        }
    }

    /// Whether row `row` has few active units; if so, they are listed in `active`.
    fn find_active(&mut self, lists: &Lists, row: usize, few: usize) -> bool {
        let blocks = || (0..lists.blocks()).map(|b| (b, lists.block(b).of(row).0));
        if blocks().map(|(_, offsets)| offsets.len()).sum::<usize>() >= few {
            return false;
        }
        self.active.clear();
        for (b, offsets) in blocks() {
            self.active.extend(offsets.iter().map(|&offset| b * PANEL + usize::from(offset)));
        }
        true
    }

    /// Stores mask number `number` of the row's active units for the next pair, and
    /// returns its weight.
    fn put_mask(&mut self, start: Start, number: usize) -> f64 {
        let (masks, weights) = self.strata.of(self.active.len(), start.noise.keep(), start.site);
        let words = words_of(self.mask.width());
        let row = &mut self.mask.words_mut()[self.pairs.len() * words..][..words];
        row.fill(0);
        // Bit i of a mask is the row's i-th active unit.
        for (i, &unit) in self.active.iter().enumerate() {
            row[unit / WORD] |= (masks[number] >> i & 1) << (unit % WORD);
        }
        weights[number]
    }

    /// Tallies the rows of the batch with few active units, with masks of those; or,
    /// without masks, the other rows, with noise taken by its moments.
    fn add_rows(
        &mut self,
        context: Context<'_>,
        start: Start,
        masked: bool,
        from: &Lists,
        to: &mut Tallies,
    ) -> Result<(), Error> {
        for row in 0..from.rows() {
            if self.find_active(from, row, start.few) != masked {
                continue;
            }
            let masks = if masked {
                self.strata.of(self.active.len(), start.noise.keep(), start.site).0.len()
            } else {
                1
            };
            let mut total = 0.0;
            for number in 0..masks {
                let weight = if masked { self.put_mask(start, number) } else { 1.0 };
                total += weight;
                self.pairs.push(Pair { row, number, weight, share: weight / total });
                if self.pairs.len() == PASS {
                    self.pass(context, start, masked, from, to)?;
                }
            }
        }
        self.pass(context, start, masked, from, to)
    }

    /// Predicts for the pairs, with or without the masks that were stored, and tallies
    /// the results.
    fn pass(
        &mut self,
        context: Context<'_>,
        start: Start,
        masked: bool,
        from: &Lists,
        to: &mut Tallies,
    ) -> Result<(), Error> {
        self.requests.clear();
        self.requests.extend(self.pairs.iter().map(|pair| pair.row));
        let pass = context.pass(self.pairs.len());
        let (keep, bits, site) = if masked {
            (start.noise.keep(), ThinningBits::Mask(&self.mask), start.next)
        } else {
            let site = (start.noise != Noise::None).then_some(start.site);
            (Keep::ONE, ThinningBits::All, site)
        };
        self.flow.lists[start.site].thin(pass, keep, from, &self.requests, bits);
        self.forward(context, pass, start.site, site)?;
        let last = context.network.mlp.depth() - 1;
        for (i, pair) in self.pairs.iter().enumerate() {
            self.link.take(i, &self.flow.z[last], site.map(|_| &self.z[last]));
            let entropy = self.link.moments(context.isa, pair.number, pair.weight);
            to.mix(pair.row, pair.share, [&self.link.mean, &self.link.variance], entropy);
        }
        self.pairs.clear();
        Ok(())
    }
}

/// Tallies the moments of the predictions for a batch that has been checked, through this
/// link.
fn gather(
    context: Context<'_>,
    batch: &Batch<'_>,
    link: nn::Link,
    workspace: &mut Workspace,
) -> Result<(), Error> {
    // Moments are those of the f32 weights.
    let network = NetworkView { rounded: None, ..context.network };
    let context = Context { network, ..context };
    let mlp = network.mlp;
    let Workspace { flow, predictions, moments, tallies, .. } = workspace;
    let (rows, max_rows) = (batch.rows(), predictions.rows());
    let start = Start::of(mlp, link.function);
    mlp.ensure_no_maxout(
        "moment propagation above the first dropout site",
        start.site..mlp.depth(),
    )?;
    let moments = Moments::of(moments, mlp, max_rows)?;
    moments.link.set(link)?;
    // A refused batch may have left pairs behind.
    moments.pairs.clear();
    tallies.clear(mlp, rows, max_rows, 0)?;
    let pass = context.pass(rows);
    if start.site == 0 {
        flow.prepare_lists()?;
        moments.flow.prepare_lists()?;
        flow.enter_lists(pass, network, batch.inputs(), InputBits::All, Gaps::Nothing);
    } else {
        flow.prepare(network, batch.inputs())?;
        flow.enter_whole(pass, network, batch.inputs());
    }
    flow.forward_whole(pass, network, 0..start.site);
    context.gate(flow, 0..start.site, |row| row)?;
    let from = &flow.lists[start.site];
    moments.add_rows(context, start, true, from, tallies)?;
    moments.add_rows(context, start, false, from, tallies)?;
    for row in 0..rows {
        for moments in tallies.moments(row) {
            context.gate_predictions(link.function, row, moments)?;
        }
    }
    Ok(())
}

/// The moments of the predictions for a batch that has been checked.
pub(super) fn estimate<'w>(
    context: Context<'_>,
    batch: &Batch<'_>,
    workspace: &'w mut Workspace,
) -> Result<Estimates<'w>, Error> {
    gather(context, batch, context.network.mlp.link(), workspace)?;
    Ok(workspace.tallies.estimates())
}

/// The means and variances of the logits for a batch that has been checked.
pub(super) fn logits<'w>(
    context: Context<'_>,
    batch: &Batch<'_>,
    workspace: &'w mut Workspace,
) -> Result<[MatrixView<'w>; 2], Error> {
    gather(context, batch, nn::Link::LOGITS, workspace)?;
    let Workspace { predictions, moments, tallies, .. } = workspace;
    let variances = &mut Moments::of(moments, context.network.mlp, predictions.rows())?.variances;
    for row in 0..batch.rows() {
        let [means, squares] = tallies.moments(row);
        for (to, &z) in predictions.at_mut(row).iter_mut().zip(means) {
            *to = z as f32;
        }
        let to = variances.at_mut(row).iter_mut();
        for (column, (to, &v)) in to.zip(squares).enumerate() {
            *to = v as f32;
            // The square of a finite deviation may overflow.
            if context.finite && !to.is_finite() {
                let (what, value) = ("variance of a logit", *to);
                return Err(Error::NonFinite { what, row, column, value });
            }
        }
    }
    Ok([predictions.first_rows(batch.rows()), variances.first_rows(batch.rows())])
}
