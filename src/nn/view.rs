//! Views of a network and its layers, as used in a forward pass.

use super::{Layer, Mlp, activation::UnitVisitor};
use crate::{
    mask::Mask,
    pass::Pass,
    rate::Keep,
    thin::{
        Bf16, Element, LayerState, Lists, Panel, Panels, Tiles, Unit,
        forward::{self, Epilogue, Scale, Weights},
        moments::{self, Deviations, Inputs},
    },
};

/// A network as used in a forward pass, with its own weights or with replacements.
#[derive(Clone, Copy)]
pub(crate) struct NetworkView<'a> {
    pub mlp: &'a Mlp,
    /// The weights of each layer as bfloat16, to be used instead of its own.
    pub bf16: Option<&'a [Tiles<Bf16>]>,
    /// The training state of each layer, with factors pending on its weights.
    pub states: Option<&'a [LayerState]>,
    /// Whether a backward pass follows the forward pass.
    pub backward: bool,
}

impl<'a> From<&'a Mlp> for NetworkView<'a> {
    /// The network with its own weights, for predictions.
    fn from(mlp: &'a Mlp) -> Self {
        Self { mlp, bf16: None, states: None, backward: false }
    }
}

impl<'a> NetworkView<'a> {
    /// The view of layer `index`.
    pub fn layer(self, index: usize) -> LayerView<'a> {
        LayerView {
            layer: &self.mlp.layers[index],
            bf16: self.bf16.map(|layers| &layers[index]),
            pending: self.states.map(|states| states[index].pending.as_chunks().0),
            backward: self.backward,
        }
    }
}

/// A layer as used in a forward pass, with its own weights or with replacements.
#[derive(Clone, Copy)]
pub(crate) struct LayerView<'a> {
    pub layer: &'a Layer,
    /// The weights as bfloat16, to be used instead of the layer's own.
    pub bf16: Option<&'a Tiles<Bf16>>,
    /// The factors that max-norm left pending on the weights during training.
    pub pending: Option<&'a [Panel]>,
    /// Whether a backward pass follows, which finds what it needs of f'(z) in z's place.
    pub backward: bool,
}

impl<'a> LayerView<'a> {
    fn with<E: Element>(self, w: &'a Tiles<E>) -> Weights<'a, E> {
        Weights { w, scale: Scale { bias: self.layer.bias_panels(), pending: self.pending } }
    }

    /// The forward pass of a hidden layer, from its input lists to those of the next layer. Without
    /// a mask, outputs are neither dropped nor scaled. `z` is left as described in
    /// [`forward::hidden`].
    pub fn forward(
        self,
        pass: Pass,
        x: &Lists,
        mask: Option<&Mask>,
        z: &mut Panels,
        out: &mut Lists,
    ) {
        let Self { layer, backward, .. } = self;
        let width = layer.weights.outputs();
        let keep = if mask.is_some() { layer.noise.keep() } else { Keep::ONE };
        let f = layer.activation;
        if let Some(bf16) = self.bf16 {
            let weights = self.with(bf16);
            f.dispatch(Hidden { pass, weights, x, width, keep, mask, backward, z, out });
        } else {
            let weights = self.with(&layer.weights);
            f.dispatch(Hidden { pass, weights, x, width, keep, mask, backward, z, out });
        }
    }

    /// The forward pass of the output layer, from its input lists to the logits.
    pub fn output(self, pass: Pass, x: &Lists, z: &mut Panels) {
        if let Some(bf16) = self.bf16 {
            forward::output(pass, self.with(bf16), x, z);
        } else {
            forward::output(pass, self.with(&self.layer.weights), x, z);
        }
    }

    /// Like [`Self::forward`], but for means and deviations, with f32 weights; they include the
    /// dropout of the layer's outputs.
    pub fn forward_moments(
        self,
        pass: Pass,
        x: Inputs<'_>,
        z: [&mut Panels; 2],
        means: &mut Lists,
        deviations: &mut Deviations,
    ) {
        let (weights, keep) = (self.with(&self.layer.weights), self.layer.noise.keep());
        let out = (means, deviations);
        self.layer.activation.dispatch(HiddenMoments { pass, weights, x, keep, z, out });
    }

    /// Like [`Self::output`], but for means and deviations, with f32 weights.
    pub fn output_moments(self, pass: Pass, x: Inputs<'_>, z: [&mut Panels; 2]) {
        moments::output(pass, self.with(&self.layer.weights), x, z);
    }
}

/// [`LayerView::forward`] as a visitor of the unit.
struct Hidden<'a, E: Element> {
    pass: Pass,
    weights: Weights<'a, E>,
    x: &'a Lists,
    width: usize,
    keep: Keep,
    mask: Option<&'a Mask>,
    backward: bool,
    z: &'a mut Panels,
    out: &'a mut Lists,
}

impl<E: Element> UnitVisitor for Hidden<'_, E> {
    type Output = ();

    fn visit<U: Unit>(self, unit: U) {
        let Self { pass, weights, x, width, keep, mask, backward, z, out } = self;
        let epilogue = Epilogue { unit, width, keep, mask, backward };
        forward::hidden(pass, weights, x, &epilogue, z, out);
    }
}

/// [`LayerView::forward_moments`] as a visitor of the unit.
struct HiddenMoments<'a> {
    pass: Pass,
    weights: Weights<'a>,
    x: Inputs<'a>,
    keep: Keep,
    z: [&'a mut Panels; 2],
    out: (&'a mut Lists, &'a mut Deviations),
}

impl UnitVisitor for HiddenMoments<'_> {
    type Output = ();

    fn visit<U: Unit>(self, unit: U) {
        let Self { pass, weights, x, keep, z, out } = self;
        moments::hidden(pass, weights, x, &unit, keep, z, out);
    }
}
