//! Backpropagation in f64 through the thinned networks of a batch, with a bound on how
//! far f32 arithmetic can be from each number: the reference of the library's own tests.

use thinnet::nn::{Activation, Loss, Mlp, PlainLayer, PlainNetwork, Targets, ThinnedNetwork};

#[path = "../../src/nn/reference/mod.rs"]
mod reference;

pub use reference::Gradients;

/// The gradients; `None` where a number is so large that f32 can overflow, or the loss
/// so uncertain that nothing is to be learnt.
pub fn gradients(
    mlp: &Mlp,
    thinned: &[ThinnedNetwork],
    x: &[&[f32]],
    targets: Targets<'_>,
) -> Option<Gradients> {
    let (network, keeps) = (PlainNetwork::from(mlp), mlp.keeps());
    let factors = reference::factors(&network, x.len(), |row, site, unit| {
        let kept = thinned[row].masks()[site].get(0, unit);
        if kept { f64::from(keeps[site].scale()) } else { 0.0 }
    });
    let gradients = reference::gradients(&network, &factors, x, targets);
    gradients.are_known().then_some(gradients)
}
