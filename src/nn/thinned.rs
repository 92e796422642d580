//! Thinned networks as standalone objects.

use std::fmt;

use super::{Mlp, PlainLayer, PlainNetwork};
use crate::{
    abridged::Few,
    error::{Error, same_size},
    mask::{Domain, Mask, MaskSpec, Streams},
    noise::Noise,
};

/// One of the 2^n networks that a dropout network represents: the units kept by a row's mask,
/// and the weights between them.
///
/// ```
/// use thinnet::{Keep, nn::{Activation, Loss, Mlp, ThinnedNetwork}};
///
/// let mlp = Mlp::builder(4)
///     .hidden(6, Activation::Relu, Keep::HALF)
///     .output(2, Loss::SoftmaxCrossEntropy)
///     .build()?;
/// let thinned = ThinnedNetwork::of(&mlp, 1, 0, 0)?;
/// assert!((thinned.log_probability() - 6.0 * 0.5f64.ln()).abs() < 1e-12);
/// assert_eq!(thinned.predict(&[0.1, 0.2, 0.3, 0.4])?.len(), 2);
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone)]
pub struct ThinnedNetwork {
    masks: Vec<Mask>,
    standing: Vec<Vec<usize>>,
    network: PlainNetwork,
    log_probability: f64,
}

impl fmt::Debug for ThinnedNetwork {
    /// Shows the first few sites and layers, with the first few units of each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { masks, standing, network, log_probability } = self;
        f.debug_struct("ThinnedNetwork")
            .field("masks", &Few(masks.iter()))
            .field("standing", &Few(standing.iter().map(|units| Few(units.iter()))))
            .field("network", network)
            .field("log_probability", log_probability)
            .finish()
    }
}

/// The mask of a dropout site for one row, as drawn in training.
fn site_mask(mlp: &Mlp, seed: u64, site: usize, step: u64, row: u64) -> Result<Mask, Error> {
    let streams = Streams::new(seed, Domain::Training, site as u64, step);
    let (spec, width) = (MaskSpec::new(mlp.keep_below(site), streams), mlp.widths()[site]);
    let draw = if site == 0 && mlp.sparse_input { Mask::draw_sparse } else { Mask::draw };
    draw(spec.starting_at(row), 1, width)
}

impl ThinnedNetwork {
    /// The thinned network that training with `seed` uses for row `row` of the global batch at step
    /// `step`.
    ///
    /// # Errors
    /// A site has noise other than dropout, or there is not enough memory.
    pub fn of(mlp: &Mlp, seed: u64, step: u64, row: u64) -> Result<Self, Error> {
        let masks = (0..mlp.depth())
            .map(|site| site_mask(mlp, seed, site, step, row))
            .collect::<Result<_, _>>()?;
        Self::from_masks(mlp, masks)
    }

    /// The thinned network for the given masks: one row each for the input and for every hidden
    /// layer.
    ///
    /// # Errors
    /// The number of masks is wrong, a mask is not one row of its site's width, or a site has noise
    /// other than dropout.
    pub fn from_masks(mlp: &Mlp, masks: Vec<Mask>) -> Result<Self, Error> {
        Noise::ensure_dropout("a thinned network", mlp.noises())?;
        same_size("dropout sites", mlp.depth(), masks.len())?;
        for (mask, width) in masks.iter().zip(mlp.widths()) {
            same_size("rows of a site's mask", 1, mask.rows())?;
            same_size("units of a site's mask", width, mask.width())?;
        }
        let mut standing: Vec<Vec<usize>> =
            masks.iter().map(|mask| mask.at(0).iter().collect()).collect();
        standing.push((0..mlp.outputs()).collect());
        let whole = PlainNetwork::from(mlp);
        let layers = whole
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| {
                let scale = 1.0 / mlp.keep_below(index).get();
                let (inputs, units) = (&standing[index], &standing[index + 1]);
                // All pieces of the units that stand.
                let m = layer.weights.len() / layer.pieces;
                let pieces = 0..layer.pieces;
                let outputs: Vec<_> =
                    pieces.flat_map(|j| units.iter().map(move |&n| j * m + n)).collect();
                PlainLayer {
                    weights: outputs
                        .iter()
                        .map(|&n| inputs.iter().map(|&k| layer.weights[n][k] * scale).collect())
                        .collect(),
                    bias: outputs.iter().map(|&n| layer.bias[n]).collect(),
                    activation: layer.activation,
                    pieces: layer.pieces,
                }
            })
            .collect();
        let log_probability = masks
            .iter()
            .zip(mlp.keeps())
            .filter(|(_, keep)| keep.drops())
            .map(|(mask, keep)| {
                let (kept, all) = (mask.count() as f64, mask.width() as f64);
                kept * libm::log(keep.get()) + (all - kept) * libm::log(1.0 - keep.get())
            })
            .sum();
        let network = PlainNetwork { layers, loss: mlp.loss, temperature: mlp.temperature };
        Ok(Self { masks, standing, network, log_probability })
    }

    /// The masks: one row each for the input and for every hidden layer.
    pub fn masks(&self) -> &[Mask] {
        &self.masks
    }

    /// The kept ("standing") units of the input, of each hidden layer and of the output.
    pub fn standing(&self) -> &[Vec<usize>] {
        &self.standing
    }

    /// The thinned weights as a separate network, with the scale 1/p included; its inputs are the
    /// kept inputs.
    pub fn network(&self) -> &PlainNetwork {
        &self.network
    }

    /// The natural logarithm of the probability that dropout draws this network: the sum, over the
    /// sites with dropout, of ln p for kept units and ln(1 - p) for dropped ones.
    pub fn log_probability(&self) -> f64 {
        self.log_probability
    }

    /// The logits for a row of all inputs, of which only the kept ones are used.
    ///
    /// # Errors
    /// The length of `x` is not the whole network's number of inputs.
    pub fn logits(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        same_size("inputs of a network", self.masks[0].width(), x.len())?;
        let x: Vec<f64> = self.standing[0].iter().map(|&unit| x[unit]).collect();
        self.network.logits(&x)
    }

    /// The probabilities (or values, for squared error) for a row of all inputs.
    ///
    /// # Errors
    /// The length of `x` is not the whole network's number of inputs.
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>, Error> {
        Ok(self.network.predictions(&self.logits(x)?))
    }
}
