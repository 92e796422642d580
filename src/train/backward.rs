//! The backward pass, from the gradient of the logits to that of every parameter.

use super::updates::Updates;
use crate::{
    error::Error,
    memory::zeros,
    nn::{Activation, Flow, Mlp, UnitVisitor},
    noise::Noise,
    optimiser::RuleVisitor,
    parallel::PerThread,
    pass::Pass,
    rate::Keep,
    simd::Supported,
    tensor::AlignedBuffer,
    thin::{
        ByInput, InputRows, Kept, LayerState, PANEL, Panel, Panels, ProductPath, Tiles, Unit,
        backward::BelowUnit,
        maxout::{self, Maxima},
        sparse::{self, SparseColumns, SparseRows},
        sparsity::{self, Sparsity},
        update::{self, Parameters, Rule, StepOptions, Sum},
        visit::{Active, LayerBelow, Operands},
    },
};

/// The buffers of the backward pass.
#[derive(Clone, Debug)]
pub(super) struct Backward {
    by_input: PerThread<ByInput>,
    rows: usize,
    /// The first layer's inputs if they are sparse rows.
    columns: SparseColumns,
    /// What the first layer needs of all rows of a batch that goes in chunks.
    whole: Whole,
    /// The bias gradient of each layer, padded to whole panels.
    bias_gradients: Vec<AlignedBuffer<f32>>,
    /// One panel per tile, for the layer with the most tiles.
    squares: AlignedBuffer<f32>,
}

/// The first layer's inputs, which are sparse, and the gradient of its z: 4 bytes per row and output, where
/// a gradient of the weights over earlier chunks would take 4 bytes per input and output.
#[derive(Clone, Debug)]
struct Whole {
    rows: SparseRows,
    dz: Panels,
}

/// How a layer's parameters are updated.
pub(super) struct LayerStep<'a> {
    pub updates: &'a Updates,
    /// The number of the step.
    pub t: u64,
    /// The keep rate of the layer's inputs.
    pub keep_of_inputs: Keep,
    /// The layer's state between steps.
    pub state: &'a mut LayerState,
    /// The gradient of the weights over earlier parts of the batch.
    pub before: Option<&'a Tiles>,
    /// Whether the parts of the batch were [kept](Backward::keep) instead: in the first layer.
    pub whole: bool,
}

impl Backward {
    pub fn with_capacity(mlp: &Mlp, rows: usize) -> Result<Self, Error> {
        let tiles = mlp.layers.iter().map(|l| l.weights.blocks() * l.weights.panels()).max();
        let bias_gradients = mlp.layers.iter().map(|layer| AlignedBuffer::zeroed(layer.bias.len()));
        Ok(Self {
            by_input: PerThread::new(ByInput::with_capacity(rows)?),
            rows,
            columns: SparseColumns::default(),
            whole: Whole {
                rows: SparseRows::new(mlp.inputs()),
                dz: Panels::with_capacity(0, mlp.layers[0].weights.outputs())?,
            },
            bias_gradients: bias_gradients.collect::<Result<_, _>>()?,
            squares: AlignedBuffer::zeroed(tiles.unwrap_or(0) * PANEL)?,
        })
    }

    /// Allocates the memory that the thread pool of this call needs.
    pub fn prepare(&mut self) -> Result<(), Error> {
        self.by_input.prepare(|| ByInput::with_capacity(self.rows))
    }

    /// Allocates the memory that these rows need as sparse rows, in chunks that are updated as a whole or
    /// not.
    pub fn prepare_sparse(
        &mut self,
        mlp: &Mlp,
        inputs: InputRows<'_>,
        whole: bool,
    ) -> Result<(), Error> {
        let (rows, entries) = (inputs.rows(), inputs.count().all);
        self.columns.prepare(entries)?;
        if whole {
            let Whole { rows: all, dz } = &mut self.whole;
            all.prepare(rows, entries)?;
            if dz.capacity() < rows {
                *dz = Panels::with_capacity(rows, mlp.layers[0].weights.outputs())?;
            }
            dz.set_rows(rows);
        }
        Ok(())
    }

    /// Keeps what the first layer needs of a chunk, after those before it.
    pub fn keep(&mut self, flow: &Flow) {
        let Whole { rows, dz } = &mut self.whole;
        if let Some(more) = flow.sparse_inputs() {
            dz.copy_rows(rows.rows(), &flow.z[0]);
            rows.extend(more);
        }
    }

    /// Forgets the gradients of the batch before.
    pub fn clear(&mut self) {
        for gradient in &mut self.bias_gradients {
            gradient.fill(0.0);
        }
    }

    /// Adds to the bias gradient of the output layer, from the gradient of the logits.
    pub fn begin(&mut self, isa: Supported, flow: &Flow) {
        if let (Some(dz), Some(to)) = (flow.z.last(), self.bias_gradients.last_mut()) {
            update::bias_gradient(isa, dz, to.as_chunks_mut().0);
        }
    }

    /// Updates layer `index` and computes the gradient of the layer below it. Returns whether a
    /// parameter is now NaN or infinite.
    pub fn update(
        &mut self,
        pass: Pass,
        mlp: &mut Mlp,
        flow: &mut Flow,
        index: usize,
        step: LayerStep<'_>,
    ) -> bool {
        let (activation, backward) = self.layer(pass, mlp, flow, index, step.whole);
        let layer = &mut mlp.layers[index];
        let overflowed = activation.dispatch(Update {
            backward,
            step,
            weights: &mut layer.weights,
            bias: layer.bias.as_chunks_mut().0,
        });
        self.spread(pass, flow, index);
        overflowed
    }

    /// Updates layer `index` by the gradient in `step`, to which no further rows are added, and by
    /// that of its biases. Returns whether a parameter is now NaN or infinite.
    pub fn apply(
        &mut self,
        pass: Pass,
        mlp: &mut Mlp,
        flow: &mut Flow,
        index: usize,
        step: LayerStep<'_>,
    ) -> bool {
        flow.lists[index].set_rows(0);
        let layer = &mut mlp.layers[index];
        let operands = Operands {
            x: Active::Lists(&flow.lists[index]),
            dz: &flow.z[index],
            outputs: layer.weights.outputs(),
            path: ProductPath::FewRows,
            by_input: &self.by_input,
        };
        let backward = LayerBackward {
            pass,
            operands,
            noise: Noise::None,
            below: None,
            bias_gradient: self.bias_gradients[index].as_chunks().0,
            squares: self.squares.as_chunks_mut().0,
        };
        let (weights, bias) = (&mut layer.weights, layer.bias.as_chunks_mut().0);
        // Without a layer below, its unit is not used.
        Update { backward, step, weights, bias }.below(&Kept)
    }

    /// Computes the gradients of layer `index` and of the layer below it.
    pub fn collect(
        &mut self,
        pass: Pass,
        mlp: &Mlp,
        flow: &mut Flow,
        index: usize,
        pending: &[Panel],
        to: Sum<'_>,
    ) {
        let weights = &mlp.layers[index].weights;
        let (activation, backward) = self.layer(pass, mlp, flow, index, false);
        activation.dispatch(Collect { backward, weights, pending, to });
        self.spread(pass, flow, index);
    }

    /// If the layer below layer `index` is a maxout layer, computes the gradient of its z and biases from
    /// that of its units.
    fn spread(&mut self, pass: Pass, flow: &mut Flow, index: usize) {
        let Some(below) = index.checked_sub(1) else { return };
        if let Some(maxima) = &flow.maxima[below] {
            maxout::spread(pass, maxima, &mut flow.z[below]);
            let to = self.bias_gradient_mut(below);
            update::bias_gradient(pass.isa, &flow.z[below], to);
        }
    }

    /// Adds the gradient of the sparsity penalty of the units below layer `index`, of which the first has
    /// none, to that of their sums and biases.
    pub fn add_sparsity(
        &mut self,
        pass: Pass,
        sparsity: Sparsity,
        keep: Keep,
        flow: &mut Flow,
        index: usize,
    ) {
        let below = flow.z[..index].last_mut().zip(self.bias_gradients[..index].last_mut());
        if let Some((dz, biases)) = below {
            let biases = biases.as_chunks_mut().0;
            sparsity::add_gradient(pass, sparsity, keep, &flow.lists[index], dz, biases);
        }
    }

    /// The bias gradient of layer `index`, padded to whole panels with zeros.
    pub fn bias_gradient_mut(&mut self, index: usize) -> &mut [Panel] {
        self.bias_gradients[index].as_chunks_mut().0
    }

    /// The bias gradient of layer `index`.
    pub fn bias_gradient(&self, index: usize, outputs: usize) -> Result<Vec<f32>, Error> {
        let mut bias = zeros("bias gradient", [1, outputs])?;
        bias.copy_from_slice(&self.bias_gradients[index][..outputs]);
        Ok(bias)
    }

    /// What both forms need from layer `index`, and the activation of the layer below it. `whole` says
    /// whether the operands are those that were kept from all parts of the batch.
    fn layer<'a>(
        &'a mut self,
        pass: Pass,
        mlp: &Mlp,
        flow: &'a mut Flow,
        index: usize,
        whole: bool,
    ) -> (Activation, LayerBackward<'a>) {
        let (gradients_below, gradients) = self.bias_gradients.split_at_mut(index);
        let sparse = match flow.sparse_inputs() {
            Some(rows) if index == 0 => {
                self.columns.transpose(if whole { &self.whole.rows } else { rows });
                true
            }
            _ => {
                // 0 times an infinite dz would be NaN. If dz is not finite, neither is its sum.
                let lists = &mut flow.lists[index];
                if lists.is_padded() && !gradients[0].iter().all(|sum| sum.is_finite()) {
                    lists.unpad();
                }
                false
            }
        };
        let x =
            if sparse { Active::Sparse(&self.columns) } else { Active::Lists(&flow.lists[index]) };
        let (low, high) = flow.z.split_at_mut(index);
        let below = low.last_mut().zip(gradients_below.last_mut());
        let below = below.map(|(dz, gradient)| (dz, gradient.as_chunks_mut().0));
        let maxima = index.checked_sub(1).and_then(|below| flow.maxima[below].as_mut());
        let below = maxima.map(Maxima::gradients_mut).or(below);
        // If there is no layer below, its activation is not used.
        let layer = &mlp.layers[index.saturating_sub(1)];
        let dz = if whole { &self.whole.dz } else { &high[0] };
        let backward = LayerBackward {
            pass,
            operands: Operands {
                x,
                dz,
                outputs: mlp.layers[index].weights.outputs(),
                path: ProductPath::of(dz.rows(), mlp.layers[index].weights.outputs()),
                by_input: &self.by_input,
            },
            noise: layer.noise,
            below,
            bias_gradient: gradients[0].as_chunks().0,
            squares: self.squares.as_chunks_mut().0,
        };
        (layer.activation, backward)
    }
}

/// One layer of the backward pass.
struct LayerBackward<'a> {
    pass: Pass,
    operands: Operands<'a>,
    /// The noise on the outputs of the layer below.
    noise: Noise,
    /// dz and the bias gradient of the layer below; in a maxout layer, those of its units.
    below: Option<(&'a mut Panels, &'a mut [Panel])>,
    bias_gradient: &'a [Panel],
    squares: &'a mut [Panel],
}

impl<'a> LayerBackward<'a> {
    /// The layer below, whose units have this slope.
    fn below<'b>(&mut self, slope: &'b dyn BelowUnit) -> Option<LayerBelow<'b>>
    where
        'a: 'b,
    {
        let keep = self.noise.keep();
        // What product 1 left in z's place: see `thin::noise`.
        let unit = if self.noise.has_factors() { &Kept } else { slope };
        self.below.take().map(|(dz, bias_gradient)| LayerBelow { unit, keep, dz, bias_gradient })
    }
}

struct Update<'a> {
    backward: LayerBackward<'a>,
    step: LayerStep<'a>,
    weights: &'a mut Tiles,
    bias: &'a mut [Panel],
}

impl UnitVisitor for Update<'_> {
    type Output = bool;

    fn visit<U: Unit>(self, unit: U) -> bool {
        self.below(&unit.slope())
    }
}

impl Update<'_> {
    /// The step, for a layer below with this unit.
    fn below(self, unit: &dyn BelowUnit) -> bool {
        let Self { mut backward, step, weights, bias } = self;
        let below = backward.below(unit);
        let LayerBackward { pass, operands, bias_gradient, squares, .. } = backward;
        let LayerStep { updates, t, keep_of_inputs, state, before, .. } = step;
        let options = updates.options(t, keep_of_inputs);
        let columns = match operands.x {
            Active::Sparse(columns) if updates.leaves_untouched() && before.is_none() => {
                Some(columns)
            }
            _ => None,
        };
        let to = Parameters { weights, bias, state, bias_gradient, before, squares };
        let visitor = UpdateByRule { pass, options, columns, operands, below, to };
        updates.rules(t, keep_of_inputs, visitor)
    }
}

/// [`Update`] as a visitor of the rules.
struct UpdateByRule<'a> {
    pass: Pass,
    options: StepOptions,
    /// The inputs, if the step leaves those without entries alone.
    columns: Option<&'a SparseColumns>,
    operands: Operands<'a>,
    below: Option<LayerBelow<'a>>,
    to: Parameters<'a>,
}

impl RuleVisitor for UpdateByRule<'_> {
    type Output = bool;

    fn visit<const N: usize, R: Rule<N>>(self, weights: R, biases: R) -> bool {
        let Self { pass, options, columns, operands, below, to } = self;
        let rules = [weights, biases];
        match columns {
            Some(x) => sparse::update::layer(pass, rules, options, (x, operands.dz), to),
            None => update::layer(pass, rules, options, operands, below, to),
        }
    }
}

struct Collect<'a> {
    backward: LayerBackward<'a>,
    weights: &'a Tiles,
    pending: &'a [Panel],
    to: Sum<'a>,
}

impl UnitVisitor for Collect<'_> {
    type Output = ();

    fn visit<U: Unit>(self, unit: U) {
        let Self { mut backward, weights, pending, to } = self;
        let slope = unit.slope();
        let below = backward.below(&slope);
        update::collect(backward.pass, weights, pending, backward.operands, below, to);
    }
}
