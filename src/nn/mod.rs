//! Networks: layers, activations, losses and initialisation.
//!
//! [`crate::train`] and [`crate::predict`] run batches through a network; `flow` and `view`, here,
//! are the forward pass that they share.

mod activation;
mod builder;
mod convention;
mod digest;
mod drawn;
mod ensemble;
mod flow;
mod init;
pub(crate) mod integer;
mod layer;
mod loss;
mod mlp;
mod notes;
mod parameter;
mod plain;
#[cfg(test)]
pub(crate) mod reference;
mod rounded;
mod small;
mod temperature;
mod thinned;
mod threshold;
mod units;
mod view;

// For `reference`.
#[cfg(test)]
use crate::{
    mask::{Domain, Streams, scalar},
    noise::Noise,
    rate::Keep,
};
pub(crate) use activation::UnitVisitor;
pub use activation::{Activation, EluAlpha, NegativeSlope};
pub use builder::MlpBuilder;
pub(crate) use builder::check_pieces;
pub(crate) use convention::max_norm_from_paper;
pub use convention::{PaperMlp, Scaling};
pub(crate) use drawn::Drawn;
pub use ensemble::Ensemble;
pub(crate) use flow::Flow;
pub use init::Initialisation;
pub use integer::IntegerMlp;
pub(crate) use integer::{IntegerLayer, MAX_INPUTS, SCALES, WITH_8_BITS};
pub(crate) use layer::Layer;
pub use loss::{
    GaussianBeta, HuberDelta, Loss, PredictionKind, QuantileLevels, TargetKind, Targets,
};
pub(crate) use loss::{Link, LinkFunction, PositiveWeights, SmoothedSoftmax, TrainedLoss, pinball};
pub use mlp::Mlp;
pub use notes::MAX_NOTES;
pub(crate) use notes::{MAX_PREPROCESSOR, Notes};
pub use plain::{PlainLayer, PlainNetwork};
pub(crate) use rounded::Rounded;
pub(crate) use small::Small;
pub use temperature::Temperature;
pub use thinned::ThinnedNetwork;
pub(crate) use threshold::{Decision, check_threshold};
pub(crate) use view::NetworkView;
