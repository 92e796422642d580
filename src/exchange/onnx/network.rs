//! The network that the steps of a chain are.

use std::path::Path;

use super::{
    graph::{Floats, Graph},
    proto::{Node, ValueInfo, kind, short},
    steps::{Linear, Norm, Step},
};
use crate::{
    error::Error,
    exchange::{layers::default_loss, room},
    memory::{self, reserve, zeros},
    nn::{Activation, Loss, Mlp, MlpBuilder},
    rate::Keep,
};

/// A layer, as far as the chain has come.
struct Layer<'a> {
    node: Node<'a>,
    linear: Linear<'a>,
    /// What is added to the bias.
    more: Option<Floats<'a>>,
    norm: Option<Box<Norm<'a>>>,
    activation: Option<Activation>,
    keep: Option<Keep>,
}

/// The network, as far as the chain has come.
#[derive(Default)]
struct Draft<'a> {
    input_keep: Option<Keep>,
    layers: Vec<Layer<'a>>,
    /// What the last layer's link says of the loss; nothing comes after it.
    loss: Option<Loss>,
    /// Numbers in a row, once that is known.
    columns: Option<usize>,
    /// Whether the rows are known to have one dimension.
    is_flat: bool,
    /// Bytes of the file.
    size: usize,
}

/// The loss that a graph says by its end.
pub(super) fn stated_loss(graph: &Graph<'_>, size: usize) -> Result<Option<Loss>, String> {
    Draft::of(graph, size).map(|(draft, _)| draft.loss)
}

/// The network of a graph; the loss where the graph does not say it, or to be
/// the one that it says.
pub(super) fn read(
    graph: &Graph<'_>,
    loss: Option<Loss>,
    path: &Path,
    size: usize,
) -> Result<Mlp, Error> {
    let refuse = |reason: String| Error::Format { path: path.to_owned(), reason };
    let (draft, widths) = Draft::of(graph, size).map_err(refuse)?;
    let (inputs, outputs) = (widths[0], widths[widths.len() - 1]);
    let loss = draft.loss(loss, outputs).map_err(refuse)?;
    loss.check_outputs(outputs).map_err(|error| refuse(error.to_string()))?;
    let mut mlp = draft.builder(inputs, outputs, loss).build_zeroed()?;
    for (index, layer) in draft.layers.iter().enumerate() {
        layer.fill(&mut mlp.layers[index]).map_err(|reason| refuse(layer.node.refuse(reason)))?;
    }
    Ok(mlp)
}

impl<'a> Draft<'a> {
    /// The network that the chain of a graph is, with the widths of its layers.
    fn of(graph: &Graph<'a>, size: usize) -> Result<(Self, Vec<usize>), String> {
        let (chain, input) = graph.chain()?;
        let mut draft = Self { size, ..Self::default() };
        draft.input(input)?;
        for link in chain {
            link.step(graph.opset)
                .and_then(|step| draft.take(link.node, step))
                .map_err(|reason| link.node.refuse(reason))?;
        }
        let widths = draft.widths()?;
        Ok((draft, widths))
    }

    /// What the graph says of its input.
    fn input(&mut self, input: &ValueInfo<'_>) -> Result<(), String> {
        let name = short(input.name);
        match input.kind {
            None | Some(kind::F32 | kind::F16 | kind::F64 | kind::BF16) => {}
            Some(other) => {
                let got = kind::name(other);
                return Err(format!("input {name} is {got}: expected a kind of float"));
            }
        }
        self.is_flat = true;
        let Some(shape) = &input.shape else { return Ok(()) };
        let [_, rest @ ..] = &shape[..] else {
            return Err(format!("input {name} has no dimensions: expected rows and columns"));
        };
        if rest.is_empty() {
            return Err(format!("input {name} has one dimension: expected rows and columns"));
        }
        self.is_flat = rest.len() == 1;
        self.columns = rest.iter().try_fold(1_usize, |n, size| {
            n.checked_mul(usize::try_from((*size)?).ok().filter(|&size| size > 0)?)
        });
        Ok(())
    }

    /// Takes the next step.
    fn take(&mut self, node: Node<'a>, step: Step<'a>) -> Result<(), String> {
        if self.loss.is_some() && !matches!(step, Step::Identity | Step::Reshape(_) | Step::Flatten)
        {
            return Err("stands behind the last softmax or logistic function".to_owned());
        }
        match step {
            Step::Identity => Ok(()),
            Step::Flatten | Step::Reshape(None) => {
                self.is_flat = true;
                Ok(())
            }
            Step::Reshape(Some(columns)) => self.reshape(columns),
            Step::Linear(linear) => self.linear(node, *linear),
            Step::Add(bias) => self.add(bias),
            Step::Norm(norm) => self.norm(norm),
            Step::Activation(activation) => self.activation(activation),
            Step::Dropout(keep) => self.dropout(keep),
            Step::Softmax { axis } => self.softmax(axis),
        }
    }

    fn reshape(&mut self, columns: usize) -> Result<(), String> {
        match self.columns {
            Some(known) if known == columns => {
                self.is_flat = true;
                Ok(())
            }
            Some(known) => Err(format!("{columns} columns: expected the {known} of a row")),
            None => Err(format!("{columns} columns: expected an input whose shape is stated")),
        }
    }

    fn linear(&mut self, node: Node<'a>, linear: Linear<'a>) -> Result<(), String> {
        if !self.is_flat {
            return Err("takes more than two dimensions: expected a Flatten before".to_owned());
        }
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        if let Some(columns) = self.columns.filter(|&columns| columns != inputs) {
            let name = short(linear.weight.name);
            return Err(format!("{name} takes {inputs} inputs: expected {columns}"));
        }
        if let Some((bias, _)) = &linear.bias {
            check_vector(bias, outputs)?;
        }
        self.columns = Some(outputs);
        let (more, norm, activation, keep) = (None, None, None, None);
        let layer = Layer { node, linear, more, norm, activation, keep };
        memory::push("layers", &mut self.layers, layer).map_err(|error| error.to_string())?;
        // At once: many layers can share one large tensor.
        room::check(&self.all_widths(), self.size)
    }

    /// The layer that something is folded into.
    fn last(&mut self) -> Result<&mut Layer<'a>, String> {
        self.layers.last_mut().ok_or_else(|| "stands before the first layer".to_owned())
    }

    /// The layer whose sums are still to be changed by an affine function.
    fn foldable(&mut self) -> Result<&mut Layer<'a>, String> {
        let layer = self.last()?;
        if layer.activation.is_some() || layer.keep.is_some() {
            let what = if layer.keep.is_some() { "dropout" } else { "an activation" };
            return Err(format!(
                "stands behind {what}: expected it right behind a layer, to be folded into it"
            ));
        }
        Ok(layer)
    }

    fn add(&mut self, bias: Floats<'a>) -> Result<(), String> {
        let layer = self.foldable()?;
        if layer.norm.is_some() || layer.more.is_some() {
            return Err("a layer's second addition: expected one".to_owned());
        }
        check_vector(&bias, layer.linear.outputs)?;
        layer.more = Some(bias);
        Ok(())
    }

    fn norm(&mut self, norm: Box<Norm<'a>>) -> Result<(), String> {
        let layer = self.foldable()?;
        if layer.norm.is_some() {
            return Err("a layer's second normalisation: expected one".to_owned());
        }
        for vector in [&norm.scale, &norm.bias, &norm.mean, &norm.variance] {
            check_vector(vector, layer.linear.outputs)?;
        }
        layer.norm = Some(norm);
        Ok(())
    }

    fn activation(&mut self, activation: Activation) -> Result<(), String> {
        let layer = self.last()?;
        if let Some(first) = layer.activation {
            return Err(format!("stands behind the activation {first}: expected one a layer"));
        }
        // A ReLU of what is dropped or divided is the ReLU dropped or divided.
        let commutes = matches!(activation, Activation::Relu | Activation::LeakyRelu(_));
        if layer.keep.is_some() && !commutes {
            return Err("stands behind dropout: expected it before".to_owned());
        }
        layer.activation = Some(activation);
        Ok(())
    }

    fn dropout(&mut self, keep: Keep) -> Result<(), String> {
        if !keep.drops() {
            return Ok(());
        }
        let site = match self.layers.last_mut() {
            Some(layer) => &mut layer.keep,
            None => &mut self.input_keep,
        };
        if site.replace(keep).is_some() {
            return Err("a second dropout at one place: expected one".to_owned());
        }
        Ok(())
    }

    fn softmax(&mut self, axis: i64) -> Result<(), String> {
        let layer = self.last()?;
        if layer.activation.is_some() || layer.keep.is_some() {
            return Err("stands behind an activation or dropout: expected a layer".to_owned());
        }
        if axis != 1 && axis != -1 {
            return Err(format!("axis {axis}: expected 1 or -1, a row's columns"));
        }
        self.loss = Some(Loss::SoftmaxCrossEntropy);
        Ok(())
    }

    /// The widths of all layers, the last of which is an output layer.
    fn widths(&mut self) -> Result<Vec<usize>, String> {
        let layer = self.layers.last_mut();
        let layer = layer.ok_or("no layer with weights: expected a Gemm or a MatMul")?;
        if layer.keep.is_some_and(Keep::drops) {
            return Err("dropout of the outputs: expected none behind the last layer".to_owned());
        }
        match layer.activation.take() {
            None => {}
            Some(Activation::Logistic) => self.loss = Some(Loss::BinaryCrossEntropy),
            Some(other) => {
                return Err(format!(
                    "the activation {other} behind the last layer: expected none, a Softmax, a \
                     LogSoftmax or a Sigmoid"
                ));
            }
        }
        Ok(self.all_widths())
    }

    fn all_widths(&self) -> Vec<usize> {
        let first = self.layers.first().map(|layer| layer.linear.inputs);
        first.into_iter().chain(self.layers.iter().map(|layer| layer.linear.outputs)).collect()
    }

    /// The loss: as the graph ends, else as was `asked`, else the usual one.
    fn loss(&self, asked: Option<Loss>, outputs: usize) -> Result<Loss, String> {
        match (self.loss, asked) {
            (Some(said), Some(asked)) if said != asked => {
                Err(format!("ends as networks with the loss {said} do, not {asked}"))
            }
            (said, asked) => Ok(said.or(asked).unwrap_or_else(|| default_loss(outputs))),
        }
    }

    /// The network as its builder takes it.
    fn builder(&self, inputs: usize, outputs: usize, loss: Loss) -> MlpBuilder {
        let mut builder = Mlp::builder(inputs).input_keep(self.input_keep.unwrap_or(Keep::ALL));
        for layer in &self.layers[..self.layers.len() - 1] {
            builder = builder.hidden(
                layer.linear.outputs,
                layer.activation.unwrap_or(Activation::Identity),
                layer.keep.unwrap_or(Keep::ALL),
            );
        }
        builder.output(outputs, loss)
    }
}

/// Whether it is one number for each of `outputs` units.
fn check_vector(vector: &Floats<'_>, outputs: usize) -> Result<(), String> {
    match vector.shape() {
        &[n] | &[1, n] if n == outputs && !vector.transposed => Ok(()),
        shape => {
            let name = short(vector.name);
            Err(format!("{name} has shape {shape:?}: expected [{outputs}]"))
        }
    }
}

/// The element, which has to be finite, of the tensor `name`.
fn finite(name: &str, x: f32) -> Result<f64, String> {
    if x.is_finite() {
        return Ok(x.into());
    }
    Err(format!("{} holds {x}: expected finite numbers", short(name)))
}

impl Layer<'_> {
    /// Puts the parameters into the layer: with z = α W x + β b + c, and y =
    /// g (z - m) + d where a normalisation follows, g = s / sqrt(v + ε).
    fn fill(&self, into: &mut crate::nn::Layer) -> Result<(), String> {
        let Linear { weight, by_output, inputs, outputs, alpha, .. } = &self.linear;
        let gains = self.norm.as_ref().map(|norm| norm.gains(*outputs)).transpose()?;
        let gain = |output: usize| gains.as_ref().map_or(1.0, |gains| gains[output]);
        for (index, w) in weight.elements().enumerate() {
            let (output, input) = if *by_output {
                (index / inputs, index % inputs)
            } else {
                (index % outputs, index / outputs)
            };
            let scaled = finite(weight.name, w)? * f64::from(*alpha) * gain(output);
            into.weights.set(output, input, representable(weight.name, scaled)?);
        }
        let mut bias = zeros("biases", [1, *outputs]).map_err(|error| error.to_string())?;
        let added = self.more.as_ref().map(|more| (more, 1.0));
        for (vector, factor) in self.linear.bias.iter().map(|(b, beta)| (b, *beta)).chain(added) {
            for (to, b) in bias.iter_mut().zip(vector.elements()) {
                *to += finite(vector.name, b)? * f64::from(factor);
            }
        }
        if let Some(norm) = &self.norm {
            let moved = norm.mean.elements().zip(norm.bias.elements());
            for (output, (to, (mean, d))) in bias.iter_mut().zip(moved).enumerate() {
                let (mean, d) = (finite(norm.mean.name, mean)?, finite(norm.bias.name, d)?);
                *to = gain(output) * (*to - mean) + d;
            }
        }
        for (to, b) in into.bias.iter_mut().zip(bias) {
            *to = representable(self.linear.weight.name, b)?;
        }
        Ok(())
    }
}

/// A parameter of the layer with the weights `name`, as f32.
fn representable(name: &str, x: f64) -> Result<f32, String> {
    let rounded = x as f32;
    if rounded.is_finite() {
        return Ok(rounded);
    }
    Err(format!("{} becomes {x} with what is folded into it: expected an f32", short(name)))
}

impl Norm<'_> {
    /// s / sqrt(v + ε)
    fn gains(&self, outputs: usize) -> Result<Vec<f64>, String> {
        let mut gains = reserve("gains", outputs).map_err(|error| error.to_string())?;
        let pairs = self.scale.elements().zip(self.variance.elements()).take(outputs);
        for (scale, variance) in pairs {
            let scale = finite(self.scale.name, scale)?;
            let variance = finite(self.variance.name, variance)? + f64::from(self.epsilon);
            if variance <= 0.0 {
                let name = short(self.variance.name);
                return Err(format!("{name} and epsilon are {variance}: expected above 0"));
            }
            gains.push(scale / variance.sqrt());
        }
        Ok(gains)
    }
}
