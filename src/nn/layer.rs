//! A layer: weights, biases, activation, and the keep rate of its outputs.

use super::activation::{Activation, WithUnit};
use crate::{
    error::Error,
    mask::Mask,
    rate::Keep,
    simd::Isa,
    tensor::AlignedBuffer,
    thin::{
        Bf16, Element, Lists, PANEL, Panel, Panels, Tiles, Unit,
        forward::{self, Epilogue, Scale, Weights},
        moments::{self, Deviations, Inputs},
    },
};

/// z = W x + b, y = f(z), and dropout of y.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Layer {
    /// W
    pub weights: Tiles,
    /// b, filled up to whole panels with zeros.
    pub bias: AlignedBuffer<f32>,
    /// f; [`Activation::Identity`] in an output layer.
    pub activation: Activation,
    /// The keep rate of y; [`Keep::ALL`] in an output layer.
    pub keep: Keep,
}

impl Layer {
    pub fn zeroed(
        inputs: usize,
        outputs: usize,
        activation: Activation,
        keep: Keep,
    ) -> Result<Self, Error> {
        let weights = Tiles::zeroed(inputs, outputs)?;
        let bias = AlignedBuffer::zeroed(outputs.next_multiple_of(PANEL))?;
        Ok(Self { weights, bias, activation, keep })
    }

    /// A copy.
    ///
    /// # Errors
    /// More than can be allocated.
    pub fn try_clone(&self) -> Result<Self, Error> {
        let Self { activation, keep, .. } = *self;
        let (weights, bias) = (self.weights.try_clone()?, self.bias.try_clone()?);
        Ok(Self { weights, bias, activation, keep })
    }

    pub fn bias_panels(&self) -> &[Panel] {
        self.bias.as_chunks().0
    }

    /// Weights as product 1 takes them, the layer's own or the same ones kept
    /// otherwise, with the factors of a training's weights that are pending.
    fn with<'a, E: Element>(
        &'a self,
        w: &'a Tiles<E>,
        pending: Option<&'a [Panel]>,
    ) -> Weights<'a, E> {
        Weights { w, scale: Scale { bias: self.bias_panels(), pending } }
    }

    /// A hidden layer forward: lists in, the next layer's lists out. Without a
    /// mask the outputs are neither dropped nor scaled. `halves` are the layer's
    /// weights, to be used in their place.
    #[expect(clippy::too_many_arguments, reason = "a product has three operands")]
    pub fn forward(
        &self,
        isa: Isa,
        parallel: bool,
        halves: Option<&Tiles<Bf16>>,
        pending: Option<&[Panel]>,
        x: &Lists,
        mask: Option<&Mask>,
        z: &mut Panels,
        out: &mut Lists,
    ) {
        let width = self.weights.outputs();
        let keep = if mask.is_some() { self.keep } else { Keep::ALL };
        let f = self.activation;
        if let Some(halves) = halves {
            let weights = self.with(halves, pending);
            f.hand_to(Hidden { isa, parallel, weights, x, width, keep, mask, z, out });
        } else {
            let weights = self.with(&self.weights, pending);
            f.hand_to(Hidden { isa, parallel, weights, x, width, keep, mask, z, out });
        }
    }

    /// The output layer forward: lists in, logits out.
    pub fn output(
        &self,
        isa: Isa,
        parallel: bool,
        halves: Option<&Tiles<Bf16>>,
        pending: Option<&[Panel]>,
        x: &Lists,
        z: &mut Panels,
    ) {
        if let Some(halves) = halves {
            forward::output(isa, parallel, self.with(halves, pending), x, z);
        } else {
            forward::output(isa, parallel, self.with(&self.weights, pending), x, z);
        }
    }
}

impl Layer {
    /// As [`Layer::forward`] for means and deviations, which the outputs' dropout
    /// has its part in.
    pub fn forward_moments(
        &self,
        isa: Isa,
        parallel: bool,
        x: Inputs<'_>,
        z: [&mut Panels; 2],
        means: &mut Lists,
        deviations: &mut Deviations,
    ) {
        let weights = self.with(&self.weights, None);
        let keep = self.keep;
        let out = (means, deviations);
        self.activation.hand_to(HiddenMoments { isa, parallel, weights, x, keep, z, out });
    }

    /// As [`Layer::output`] for means and deviations.
    pub fn output_moments(&self, isa: Isa, parallel: bool, x: Inputs<'_>, z: [&mut Panels; 2]) {
        moments::output(isa, parallel, self.with(&self.weights, None), x, z);
    }
}

/// [`Layer::forward`], to be told the unit.
struct Hidden<'a, E: Element> {
    isa: Isa,
    parallel: bool,
    weights: Weights<'a, E>,
    x: &'a Lists,
    width: usize,
    keep: Keep,
    mask: Option<&'a Mask>,
    z: &'a mut Panels,
    out: &'a mut Lists,
}

impl<E: Element> WithUnit for Hidden<'_, E> {
    type Output = ();

    fn with<U: Unit>(self, unit: U) {
        let Self { isa, parallel, weights, x, width, keep, mask, z, out } = self;
        let epilogue = Epilogue { unit, width, keep, mask };
        forward::hidden(isa, parallel, weights, x, &epilogue, z, out);
    }
}

/// [`Layer::forward_moments`], to be told the unit.
struct HiddenMoments<'a> {
    isa: Isa,
    parallel: bool,
    weights: Weights<'a>,
    x: Inputs<'a>,
    keep: Keep,
    z: [&'a mut Panels; 2],
    out: (&'a mut Lists, &'a mut Deviations),
}

impl WithUnit for HiddenMoments<'_> {
    type Output = ();

    fn with<U: Unit>(self, unit: U) {
        let Self { isa, parallel, weights, x, keep, z, out: (means, deviations) } = self;
        moments::hidden(isa, parallel, weights, x, unit, keep, z, means, deviations);
    }
}
