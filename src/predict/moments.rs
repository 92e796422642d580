//! Moment propagation: one pass that carries mean and variance of every unit
//! through dropout, linear layers and activations (assumed-density filtering;
//! for dropout Wang and Manning 2013, "Fast dropout training").
//!
//! Exact up to z of the layer above the first site that drops. Beyond it the
//! units of a layer are taken to be independent, and each z to be normal.

use super::{Network, Workspace, uncertainty::Estimates};
use crate::{
    data::Batch,
    error::Error,
    nn::{Flow, Loss, Mlp},
    tensor::{Matrix, MatrixView},
    thin::{
        InputBits, Panels,
        moments::{Inputs, Variances},
    },
};

/// What moment propagation needs besides the flow, whose lists and z hold means.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// Of the inputs of each layer.
    variances: Vec<Variances>,
    /// Of z of each layer.
    z: Vec<Panels>,
    /// Of the logits, row by row.
    logits: Matrix,
    /// Of one row: e^(z - largest z).
    exponentials: Vec<f64>,
}

impl Moments {
    /// Those of a workspace, made where they are not there yet.
    fn of<'w>(
        there: &'w mut Option<Self>,
        mlp: &Mlp,
        most_rows: usize,
    ) -> Result<&'w mut Self, Error> {
        Ok(match there {
            Some(moments) => moments,
            None => there.insert(Self::new(mlp, most_rows)?),
        })
    }

    fn new(mlp: &Mlp, most_rows: usize) -> Result<Self, Error> {
        let widths = mlp.widths();
        let variances = widths[..mlp.depth()].iter();
        let variances = variances.map(|&width| Variances::with_capacity(most_rows, width));
        let z = widths[1..].iter().map(|&width| Panels::with_capacity(most_rows, width));
        Ok(Self {
            variances: variances.collect::<Result<_, _>>()?,
            z: z.collect::<Result<_, _>>()?,
            logits: Matrix::zeroed(most_rows, mlp.outputs())?,
            exponentials: Vec::with_capacity(mlp.outputs()),
        })
    }

    /// Up through the network: means of the logits in `flow`, variances here.
    fn up(&mut self, network: Network<'_>, batch: &Batch<'_>, flow: &mut Flow) {
        let Network { mlp, isa, .. } = network;
        let (rows, last) = (batch.rows(), mlp.depth() - 1);
        let parallel = network.parallel(rows);
        flow.enter(mlp, isa, parallel, rows, InputBits::All, &|row| batch.at(row));
        // Without a site that drops, the last layer adds up variances of 0.
        let first = (0..last).find(|&site| mlp.keep_below(site).drops()).unwrap_or(last);
        flow.forward(mlp, None, isa, parallel, 0..first, |_| None, |_| None, |_| ());
        self.variances[first].drop_known(mlp.keep_below(first), &flow.lists[first]);
        for (index, layer) in mlp.layers.iter().enumerate().skip(first) {
            let (lists, above) = flow.lists.split_at_mut(index + 1);
            let (variances, variances_above) = self.variances.split_at_mut(index + 1);
            let x = Inputs { means: &lists[index], variances: &variances[index] };
            let z = [&mut flow.z[index], &mut self.z[index]];
            match (above.first_mut(), variances_above.first_mut()) {
                (Some(means), Some(variances)) => {
                    layer.forward_moments(isa, parallel, x, z, means, variances);
                }
                _ => layer.output_moments(isa, parallel, x, z),
            }
        }
    }
}

/// Means and variances of the logits of a batch that was checked.
pub(super) fn logits<'w>(
    network: Network<'_>,
    batch: &Batch<'_>,
    workspace: &'w mut Workspace,
) -> Result<[MatrixView<'w>; 2], Error> {
    let Network { mlp, isa, .. } = network;
    let Workspace { flow, predictions, moments, .. } = workspace;
    let moments = Moments::of(moments, mlp, predictions.rows())?;
    moments.up(network, batch, flow);
    // The identity is squared error's link.
    let last = mlp.depth() - 1;
    Loss::SquaredError.predictions(isa, &mut flow.z[last], predictions);
    Loss::SquaredError.predictions(isa, &mut moments.z[last], &mut moments.logits);
    Ok([predictions.first_rows(batch.rows()), moments.logits.first_rows(batch.rows())])
}

/// Moments of the predictions of a batch that was checked.
pub(super) fn estimate<'w>(
    network: Network<'_>,
    batch: &Batch<'_>,
    workspace: &'w mut Workspace,
) -> Result<Estimates<'w>, Error> {
    let mlp = network.mlp;
    logits(network, batch, workspace)?;
    let Workspace { predictions, moments, tallies, .. } = workspace;
    let moments = Moments::of(moments, mlp, predictions.rows())?;
    let Moments { logits, exponentials, .. } = moments;
    tallies.clear(mlp.loss(), batch.rows(), predictions.rows(), 0)?;
    for row in 0..batch.rows() {
        let (z, variances) = (predictions.at(row), logits.at(row));
        tallies.set(row, |mean, variance| match mlp.loss() {
            Loss::SoftmaxCrossEntropy => softmax(z, variances, exponentials, mean, variance),
            Loss::SquaredError => identity(z, variances, mean, variance),
            Loss::BinaryCrossEntropy => logistic(z, variances, mean, variance),
        });
    }
    Ok(tallies.estimates())
}

fn identity(z: &[f32], variances: &[f32], mean: &mut [f64], variance: &mut [f64]) -> f64 {
    for (i, (&z, &v)) in z.iter().zip(variances).enumerate() {
        (mean[i], variance[i]) = (f64::from(z), f64::from(v));
    }
    0.0
}

/// Mean and variance of softmax(z) and its mean entropy, z normal and independent
/// of each other: the third-degree spherical-radial cubature (Arasaratnam and
/// Haykin 2009), the 2 N points z ± sqrt(N v_j) e_j with equal weights, exact for
/// polynomials up to degree 3.
fn softmax(
    z: &[f32],
    variances: &[f32],
    e: &mut Vec<f64>,
    mean: &mut [f64],
    variance: &mut [f64],
) -> f64 {
    /// e to this times any sum of exponentials is a number.
    const FARTHEST: f64 = 600.0;
    let n = z.len() as f64;
    let top = f64::from(z.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    e.clear();
    e.extend(z.iter().map(|&z| libm::exp(f64::from(z) - top)));
    let sum: f64 = e.iter().sum();
    // Of e times its logarithm.
    let products: f64 = e.iter().zip(z).map(|(e, &z)| e * (f64::from(z) - top)).sum();
    let mut entropy = 0.0;
    mean.fill(0.0);
    variance.fill(0.0);
    for (j, (&z, &v)) in z.iter().zip(variances).enumerate() {
        let far = (n * f64::from(v)).sqrt().min(FARTHEST);
        for step in [-far, far] {
            // Only output j is another than at the mean.
            let moved = e[j] * libm::exp(step);
            let sum = (sum - e[j]).max(0.0) + moved;
            let logarithm = f64::from(z) - top;
            let products = products - e[j] * logarithm + moved * (logarithm + step);
            entropy += libm::log(sum) - products / sum;
            for (i, &e) in e.iter().enumerate() {
                let p = if i == j { moved } else { e } / sum;
                mean[i] += p;
                variance[i] += p * p;
            }
        }
    }
    for (mean, variance) in mean.iter_mut().zip(variance) {
        *mean /= 2.0 * n;
        *variance = (*variance / (2.0 * n) - *mean * *mean).max(0.0);
    }
    entropy / (2.0 * n)
}

/// Mean and variance of each logistic(z), and the sum of the mean entropies, by
/// Gauss-Hermite quadrature with 5 points.
fn logistic(z: &[f32], variances: &[f32], mean: &mut [f64], variance: &mut [f64]) -> f64 {
    const POINTS: [(f64, f64); 5] = [
        (-2.856_970_013_872_806, 0.011_257_411_327_720_69),
        (-1.355_626_179_974_266, 0.222_075_922_005_612_64),
        (0.0, 0.533_333_333_333_333_3),
        (1.355_626_179_974_266, 0.222_075_922_005_612_64),
        (2.856_970_013_872_806, 0.011_257_411_327_720_69),
    ];
    let mut entropy = 0.0;
    for (i, (&z, &v)) in z.iter().zip(variances).enumerate() {
        let deviation = f64::from(v).sqrt();
        let (mut first, mut second) = (0.0, 0.0);
        for (point, weight) in POINTS {
            let p = 1.0 / (1.0 + libm::exp(-(f64::from(z) + deviation * point)));
            first += weight * p;
            second += weight * p * p;
            let own = Loss::BinaryCrossEntropy.entropy(std::iter::once(p));
            entropy += weight * own.unwrap_or(0.0);
        }
        (mean[i], variance[i]) = (first, (second - first * first).max(0.0));
    }
    entropy
}
