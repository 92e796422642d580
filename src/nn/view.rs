//! Views of a network and its layers, as used in a forward pass.

use super::{
    Drawn, Layer, Mlp, Rounded,
    activation::{Identity, UnitVisitor},
};
use crate::{
    mask::Mask,
    noise::Noise,
    pass::Pass,
    rate::Keep,
    thin::{
        Bf16, Element, LayerState, Lists, Panel, Panels, Slope, Tiles, Unit,
        forward::{self, Epilogue, Floats, Operands, Scale, Weights},
        integer::{self, Integers, QuadLists, QuadTiles},
        maxout::{self, Maxima},
        moments::{self, Deviations, Inputs},
        noise::{self, LeavesSlope},
        sparse::{SparseRows, forward::SparseFloats},
    },
};

/// A network as used in a forward pass, with its own weights or with replacements.
#[derive(Clone, Copy)]
pub(crate) struct NetworkView<'a> {
    pub mlp: &'a Mlp,
    /// What is used instead of the layers' own weights.
    pub rounded: Option<&'a Rounded>,
    /// The training state of each layer, with factors pending on its weights.
    pub states: Option<&'a [LayerState]>,
    /// Whether a backward pass follows the forward pass.
    pub backward: bool,
}

impl<'a> From<&'a Mlp> for NetworkView<'a> {
    /// The network with its own weights, for predictions.
    fn from(mlp: &'a Mlp) -> Self {
        Self { mlp, rounded: None, states: None, backward: false }
    }
}

impl<'a> NetworkView<'a> {
    /// Whether its products are those of integers.
    pub fn has_integers(self) -> bool {
        matches!(self.rounded, Some(Rounded::Integers(_)))
    }

    /// How many times as fast as those of f32 numbers its products are, roughly: a pass that takes
    /// less time is worth dividing among threads only if it has more of them.
    pub fn relative_speed(self) -> usize {
        if self.has_integers() { 4 } else { 1 }
    }

    /// The view of layer `index`.
    #[inline]
    pub fn layer(self, index: usize) -> LayerView<'a> {
        LayerView {
            layer: &self.mlp.layers[index],
            weights: match self.rounded {
                None => LayerWeights::Floats(&self.mlp.layers[index].weights),
                Some(Rounded::Bf16(layers)) => LayerWeights::Bf16(&layers[index]),
                Some(Rounded::Integers(layers)) => LayerWeights::Integers(&layers[index]),
            },
            pending: self.states.map(|states| states[index].pending.as_chunks().0),
            backward: self.backward,
        }
    }
}

/// The weights of a layer that product 1 uses.
#[derive(Clone, Copy)]
pub(crate) enum LayerWeights<'a> {
    Floats(&'a Tiles),
    Bf16(&'a Tiles<Bf16>),
    Integers(&'a QuadTiles),
}

/// The inputs of a layer.
#[derive(Clone, Copy)]
pub(crate) struct LayerInputs<'a> {
    pub lists: &'a Lists,
    /// What counts instead if they are sparse rows.
    pub sparse: Option<&'a SparseRows>,
    /// The same, rounded to integers, if the weights are.
    pub quads: &'a QuadLists,
}

/// A layer as used in a forward pass, with its own weights or with replacements.
#[derive(Clone, Copy)]
pub(crate) struct LayerView<'a> {
    pub layer: &'a Layer,
    /// w
    pub weights: LayerWeights<'a>,
    /// The factors that max-norm left pending on the weights during training.
    pub pending: Option<&'a [Panel]>,
    /// Whether a backward pass follows, which finds what it needs of f'(z) in z's place.
    pub backward: bool,
}

impl<'a> LayerView<'a> {
    /// What is applied to the sums.
    fn scale(self) -> Scale<'a> {
        Scale { bias: self.layer.bias_panels(), pending: self.pending }
    }

    /// The parameters as f32.
    fn in_floats(self) -> Weights<'a> {
        Weights { w: &self.layer.weights, scale: self.scale() }
    }

    /// The forward pass of a hidden layer, from its inputs to the lists of the next layer. `drawn`
    /// is for its outputs; if it is nothing, they are neither dropped nor scaled. `z` is left as
    /// described in [`forward::hidden`]. With integer weights, the outputs are left in `z` instead,
    /// without what was drawn for them: see [`integer::hidden`]. In a maxout layer, which has no integer
    /// weights, `z` is left complete, and the maxima as `z` otherwise.
    pub fn forward(
        self,
        pass: Pass,
        x: LayerInputs<'_>,
        drawn: &Drawn,
        (z, maxima): (&mut Panels, Option<&mut Maxima>),
        out: &mut Lists,
    ) {
        if let Some(maxima) = maxima {
            return self.forward_maxout(pass, x, drawn, (z, maxima), out);
        }
        match self.weights {
            LayerWeights::Floats(w) => self.forward_floats(pass, w, x, drawn, z, out),
            LayerWeights::Bf16(w) => self.forward_floats(pass, w, x, drawn, z, out),
            LayerWeights::Integers(w) => {
                let operands = Integers { w, x: x.quads };
                self.layer.activation.dispatch(HiddenIntegers { pass, operands, y: z });
            }
        }
    }

    fn forward_floats<E: Element>(
        self,
        pass: Pass,
        w: &Tiles<E>,
        LayerInputs { lists, sparse, .. }: LayerInputs<'_>,
        drawn: &Drawn,
        z: &mut Panels,
        out: &mut Lists,
    ) {
        match sparse {
            Some(x) => self.forward_operands(pass, SparseFloats { w, x }, drawn, z, out),
            None => self.forward_operands(pass, Floats { w, x: lists }, drawn, z, out),
        }
    }

    fn forward_operands<O: Operands>(
        self,
        pass: Pass,
        operands: O,
        drawn: &Drawn,
        z: &mut Panels,
        out: &mut Lists,
    ) {
        let (mask, factors) = (drawn.mask(), drawn.factors());
        let keep = if mask.is_some() { self.layer.noise.keep() } else { Keep::ONE };
        let leave_slope = self.backward && factors.is_some();
        let (to_z, to) = (&mut *z, &mut *out);
        let hidden =
            Hidden { view: self, pass, operands, keep, mask, leave_slope, z: to_z, out: to };
        self.layer.activation.dispatch(hidden);
        if let Some(factors) = factors {
            noise::multiply(pass, factors, out, self.backward.then_some(z));
        }
    }

    /// [`Self::forward`] for a maxout layer.
    fn forward_maxout(
        self,
        pass: Pass,
        x: LayerInputs<'_>,
        drawn: &Drawn,
        (z, maxima): (&mut Panels, &mut Maxima),
        out: &mut Lists,
    ) {
        self.output(pass, x, z);
        let (mask, factors) = (drawn.mask(), drawn.factors());
        let keep = if mask.is_some() { self.layer.noise.keep() } else { Keep::ONE };
        let (width, backward) = (self.layer.units(), self.backward);
        if backward && factors.is_some() {
            let epilogue = Epilogue { unit: LeavesSlope(Identity), width, keep, mask, backward };
            maxout::hidden(pass, z, &epilogue, maxima, out);
        } else {
            let epilogue = Epilogue { unit: Identity, width, keep, mask, backward };
            maxout::hidden(pass, z, &epilogue, maxima, out);
        }
        if let Some(factors) = factors {
            noise::multiply(pass, factors, out, backward.then_some(maxima.values_mut()));
        }
    }

    /// The forward pass of the output layer, from its inputs to the logits.
    #[inline]
    pub fn output(self, pass: Pass, x: LayerInputs<'_>, z: &mut Panels) {
        match self.weights {
            LayerWeights::Floats(w) => self.output_floats(pass, w, x, z),
            LayerWeights::Bf16(w) => self.output_floats(pass, w, x, z),
            LayerWeights::Integers(w) => {
                forward::output(pass, Integers { w, x: x.quads }, self.scale(), z);
            }
        }
    }

    #[inline]
    fn output_floats<E: Element>(
        self,
        pass: Pass,
        w: &Tiles<E>,
        LayerInputs { lists, sparse, .. }: LayerInputs<'_>,
        z: &mut Panels,
    ) {
        match sparse {
            Some(x) => forward::output(pass, SparseFloats { w, x }, self.scale(), z),
            None => forward::output(pass, Floats { w, x: lists }, self.scale(), z),
        }
    }

    /// Like [`Self::forward`], but for means and deviations, with f32 weights; they include the
    /// noise on the layer's outputs.
    pub fn forward_moments(
        self,
        pass: Pass,
        x: Inputs<'_>,
        z: [&mut Panels; 2],
        means: &mut Lists,
        deviations: &mut Deviations,
    ) {
        let (weights, noise) = (self.in_floats(), self.layer.noise);
        let out = (means, deviations);
        self.layer.activation.dispatch(HiddenMoments { pass, weights, x, noise, z, out });
    }

    /// Like [`Self::output`], but for means and deviations, with f32 weights.
    pub fn output_moments(self, pass: Pass, x: Inputs<'_>, z: [&mut Panels; 2]) {
        moments::output(pass, self.in_floats(), x, z);
    }
}

/// [`LayerView::forward_operands`] as a visitor of the unit.
struct Hidden<'a, O: Operands> {
    view: LayerView<'a>,
    pass: Pass,
    operands: O,
    keep: Keep,
    mask: Option<&'a Mask>,
    /// Whether f'(z) is left in z's place even if it is a function of y.
    leave_slope: bool,
    z: &'a mut Panels,
    out: &'a mut Lists,
}

impl<O: Operands> UnitVisitor for Hidden<'_, O> {
    type Output = ();

    fn visit<U: Unit>(self, unit: U) {
        let Self { view, pass, operands, keep, mask, leave_slope, z, out } = self;
        let (width, backward) = (view.layer.weights.outputs(), view.backward);
        let scale = view.scale();
        if leave_slope && !U::Slope::KEPT {
            let unit = LeavesSlope(unit);
            let epilogue = Epilogue { unit, width, keep, mask, backward };
            forward::hidden(pass, operands, scale, &epilogue, z, out);
        } else {
            let epilogue = Epilogue { unit, width, keep, mask, backward };
            forward::hidden(pass, operands, scale, &epilogue, z, out);
        }
    }
}

/// The same with integer weights.
struct HiddenIntegers<'a> {
    pass: Pass,
    operands: Integers<'a>,
    y: &'a mut Panels,
}

impl UnitVisitor for HiddenIntegers<'_> {
    type Output = ();

    fn visit<U: Unit>(self, unit: U) {
        let Self { pass, operands, y } = self;
        integer::hidden(pass, operands, &unit, y);
    }
}

/// [`LayerView::forward_moments`] as a visitor of the unit.
struct HiddenMoments<'a> {
    pass: Pass,
    weights: Weights<'a>,
    x: Inputs<'a>,
    noise: Noise,
    z: [&'a mut Panels; 2],
    out: (&'a mut Lists, &'a mut Deviations),
}

impl UnitVisitor for HiddenMoments<'_> {
    type Output = ();

    fn visit<U: Unit>(self, unit: U) {
        let Self { pass, weights, x, noise, z, out } = self;
        let epilogue = moments::Epilogue { values: &unit, moments: unit.moments(pass.isa), noise };
        moments::hidden(pass, weights, x, &epilogue, z, out);
    }
}
