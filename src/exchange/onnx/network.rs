//! The network that the steps of a graph make up.

use super::{
    constant::Operand,
    elementwise::{Applied, Elementwise, broadcast},
    layer::{Layer, OfNode, Rounded, Sums},
    proto::{Node, short},
    report::{Report, Role},
    row::{Row, SIZES_UNKNOWN},
    steps::{Linear, Step},
};
use crate::{
    checkpoint::Architecture,
    error::Error,
    exchange::{order::list, room, torch::default_loss},
    memory,
    nn::{Activation, GaussianBeta, LinkFunction, Loss, Mlp, MlpBuilder, Scaling, Temperature},
    rate::Keep,
};

/// The maximum number of elementwise operations that are folded into one side of a layer.
const MAX_FOLDED: usize = 64;

/// The network, as far as the graph has been read.
pub(super) struct Draft<'a> {
    input_keep: Option<OfNode<Keep>>,
    layers: Vec<Layer<'a>>,
    /// Operations on the input or on the last layer's outputs, to be folded into the next layer.
    pending: Vec<Applied<'a>>,
    /// The loss, once its output function was read; no layer comes after that.
    loss: Option<Loss>,
    /// Whether the last step was the logarithm of a softmax.
    is_log: bool,
    /// Whether the last step was 1 - p of a logistic output.
    is_complement: bool,
    /// The index of the last step's node, if it was e^z of the last layer's outputs.
    exponential: Option<usize>,
    /// The number of steps so far.
    position: usize,
    /// The size of the file in bytes.
    size: usize,
}

impl<'a> Draft<'a> {
    pub fn new(size: usize) -> Self {
        Self {
            input_keep: None,
            layers: Vec::new(),
            pending: Vec::new(),
            loss: None,
            is_log: false,
            is_complement: false,
            exponential: None,
            position: 0,
            size,
        }
    }

    /// The number of steps so far.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Whether the last step was 1 - p of a logistic output.
    pub fn is_complement(&self) -> bool {
        self.is_complement
    }

    /// Whether the last step was e^z of the last layer's outputs.
    pub fn is_exponential(&self) -> bool {
        self.exponential.is_some()
    }

    /// Takes the next step, and returns the row after it.
    pub fn take(
        &mut self,
        index: usize,
        node: &Node<'a>,
        step: Step<'a>,
        row: &Row,
        report: &mut Report,
    ) -> Result<Row, String> {
        self.position += 1;
        let may_follow =
            matches!(step, Step::Reshape(_) | Step::Nothing(_) | Step::Log | Step::Normals);
        if self.loss.is_some() && !may_follow {
            return Err("comes after the output function".to_owned());
        }
        self.is_complement = false;
        let exponential = self.exponential.take();
        if let Some(fixed) = row.fixed
            && !step.is_of_any_rows(row)
        {
            return Err(format!(
                "takes the output of a Reshape to {fixed} rows, but the graph's input may have \
                 any number: expected 0 or -1 as the first size of its shape"
            ));
        }
        let mut row = row.clone();
        let (role, detail) = match step {
            Step::Nothing(why) => (Role::Identity, why.to_owned()),
            Step::Reshape(other) => {
                row = other;
                (Role::Identity, "keeps the elements of a row as they are".to_owned())
            }
            Step::Linear(linear) => {
                let (inputs, outputs) = (linear.inputs, linear.outputs);
                // The product has the same first dimensions, all of size 1.
                row.fixed = None;
                if let Some(last) = row.dims.last_mut() {
                    let columns = last.replace(outputs);
                    self.linear(node, linear, columns)?;
                }
                let layer = self.layers.len() - 1;
                (Role::Network, format!("layer {layer}, from {inputs} to {outputs} units"))
            }
            Step::Elementwise(op) => {
                let (applied, dims) = Applied::new(op, &row.dims, node.describe(), index)?;
                row.dims = dims;
                let last = self.layers.last().map(Layer::activation);
                let of_logistic = self.pending.is_empty() && last == Some(Activation::Logistic);
                self.is_complement = of_logistic && applied.op.is_complement()?;
                let layer = self.elementwise(applied)?;
                (Role::Folded, format!("folded into layer {layer}"))
            }
            Step::Activation(activation) => {
                self.activation(node, OfNode { value: activation, index }, &row, report)?;
                let layer = self.layers.len() - 1;
                (Role::Network, format!("{activation} of layer {layer}"))
            }
            Step::Dropout(keep) if !keep.drops() => (Role::Identity, "drops nothing".to_owned()),
            Step::Dropout(keep) => {
                self.dropout(node, OfNode { value: keep, index }, &row, report)?;
                let of = match self.layers.len().checked_sub(1) {
                    None => "the inputs".to_owned(),
                    Some(layer) => format!("the outputs of layer {layer}"),
                };
                (Role::Network, format!("keep rate {keep} of {of}"))
            }
            Step::Softmax { is_log } => {
                self.end(Loss::SoftmaxCrossEntropy)?;
                self.is_log = is_log;
                (Role::Network, output_function(Loss::SoftmaxCrossEntropy))
            }
            Step::Log if self.loss == Some(Loss::SoftmaxCrossEntropy) && !self.is_log => {
                self.is_log = true;
                (Role::Identity, "the logarithm of the softmax, which is the loss's".to_owned())
            }
            Step::Exp => {
                self.end(Loss::Poisson)?;
                self.exponential = Some(index);
                (Role::Network, output_function(Loss::Poisson))
            }
            Step::Normals => {
                let loss = Loss::GaussianNll(GaussianBeta::DEFAULT);
                let part = exponential
                    .ok_or("expected it only directly after an Exp of the last layer")?;
                report.set(part, Role::Network, output_function(loss));
                self.loss = Some(loss);
                (Role::Network, output_function(loss))
            }
            Step::Log => return Err("expected a Log only directly after a Softmax".to_owned()),
            Step::TwoClasses { complement_first } => {
                let detail = "two classes: a softmax over 0 and the logit";
                for part in self.two_classes(complement_first)? {
                    report.set(part, Role::Network, detail);
                }
                row.dims = vec![Some(2)];
                (Role::Network, detail.to_owned())
            }
        };
        report.set(index, role, detail);
        Ok(row)
    }

    fn linear(
        &mut self,
        node: &Node<'a>,
        linear: Box<Linear<'a>>,
        columns: Option<usize>,
    ) -> Result<(), String> {
        let (inputs, outputs) = (linear.inputs, linear.outputs);
        if let Some(columns) = columns.filter(|&columns| columns != inputs) {
            let name = short(linear.weight.name);
            return Err(format!("{name} takes {inputs} inputs: expected {columns}"));
        }
        if let Some((Operand::Floats(bias), _)) = &linear.bias {
            broadcast(bias, &mut [Some(outputs)])?;
        }
        self.add_layer(node, Sums::Linear(linear))
    }

    /// Adds a layer, into which the pending operations are folded.
    fn add_layer(&mut self, node: &Node<'a>, sums: Sums<'a>) -> Result<(), String> {
        let layer = Layer {
            node: node.describe(),
            sums,
            before: std::mem::take(&mut self.pending),
            after: Vec::new(),
            activation: None,
            keep: None,
            two_classes: None,
        };
        memory::push("layers", &mut self.layers, layer).map_err(|error| error.to_string())?;
        // After each layer, because many layers can share one large tensor.
        room::check(&self.widths(), self.size)
    }

    /// Adds an extra layer for the pending operations, or for an activation or dropout that
    /// cannot belong to the last layer. Each unit has one input, and weight 0 for the others.
    fn extra_layer(
        &mut self,
        node: &Node<'a>,
        row: &Row,
        report: &mut Report,
    ) -> Result<(), String> {
        let n = row.columns().ok_or(SIZES_UNKNOWN)?;
        self.add_layer(node, Sums::Inputs(n))?;
        report.notes.push(format!(
            "{} needs an extra layer before it, with {n} by {n} weights that are 0 off the \
             diagonal",
            node.describe()
        ));
        Ok(())
    }

    /// Adds an elementwise operation, and returns the index of the layer that it will be folded
    /// into.
    fn elementwise(&mut self, applied: Applied<'a>) -> Result<usize, String> {
        let layers = self.layers.len();
        let sums = self.layers.last_mut().filter(|layer| {
            layer.activation.is_none() && layer.keep.is_none() && self.pending.is_empty()
        });
        let (into, layer) = match sums {
            Some(layer) => (&mut layer.after, layers - 1),
            None => (&mut self.pending, layers),
        };
        if into.len() == MAX_FOLDED {
            return Err(format!(
                "more than {MAX_FOLDED} elementwise operations one after another: expected at most \
                 {MAX_FOLDED}"
            ));
        }
        into.push(applied);
        Ok(layer)
    }

    fn activation(
        &mut self,
        node: &Node<'a>,
        activation: OfNode<Activation>,
        row: &Row,
        report: &mut Report,
    ) -> Result<(), String> {
        // A ReLU before dropout, and before a division by the keep rate, is one after it.
        let commutes = matches!(activation.value, Activation::Relu | Activation::LeakyRelu(_));
        let is_relu = |activation: Activation| activation == Activation::Relu;
        match self.layers.last() {
            Some(Layer { activation: Some(first), .. }) if self.pending.is_empty() => {
                // A second ReLU changes nothing, even after dropout.
                if !is_relu(first.value) || !is_relu(activation.value) {
                    self.extra_layer(node, row, report)?;
                }
            }
            Some(layer) if self.pending.is_empty() && (layer.keep.is_none() || commutes) => {}
            _ => self.extra_layer(node, row, report)?,
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.activation = Some(activation);
        }
        Ok(())
    }

    fn dropout(
        &mut self,
        node: &Node<'a>,
        keep: OfNode<Keep>,
        row: &Row,
        report: &mut Report,
    ) -> Result<(), String> {
        // A shift after the dropout site would make a dropped unit other than 0.
        let mut shifts = false;
        for applied in &self.pending {
            shifts |= !applied.op.keeps_zero()?;
        }
        let taken = self.site().is_some();
        if taken || shifts {
            self.extra_layer(node, row, report)?;
        }
        *self.site() = Some(keep);
        Ok(())
    }

    /// The dropout of the last layer's outputs, or of the inputs.
    fn site(&mut self) -> &mut Option<OfNode<Keep>> {
        match self.layers.last_mut() {
            Some(layer) => &mut layer.keep,
            None => &mut self.input_keep,
        }
    }

    /// Takes the output function of this loss.
    fn end(&mut self, loss: Loss) -> Result<(), String> {
        match self.layers.last() {
            None => Err("comes before the first layer".to_owned()),
            Some(layer)
                if layer.activation.is_some()
                    || layer.keep.is_some()
                    || !self.pending.is_empty() =>
            {
                Err("comes after an activation or dropout: expected a layer before it".to_owned())
            }
            Some(_) => {
                self.loss = Some(loss);
                Ok(())
            }
        }
    }

    /// Makes p and 1 - p of the last layer two classes, and returns the indices of the nodes that
    /// computed them.
    fn two_classes(
        &mut self,
        complement_first: bool,
    ) -> Result<impl Iterator<Item = usize> + use<>, String> {
        let layer = self.layers.last_mut().ok_or("comes before the first layer")?;
        let complement = self.pending.pop().map(|complement| complement.index);
        let logistic = layer.activation.take().map(|logistic| logistic.index);
        layer.two_classes = Some(complement_first);
        self.loss = Some(Loss::SoftmaxCrossEntropy);
        Ok(logistic.into_iter().chain(complement))
    }

    /// Makes the last layer the output layer. An error comes with the index of the node at
    /// fault, if there is one.
    pub fn finish(&mut self, report: &mut Report) -> Result<(), (Option<usize>, String)> {
        let Some(layer) = self.layers.last_mut() else {
            let reason = "no layer with weights: expected a Gemm or a MatMul";
            return Err((None, reason.to_owned()));
        };
        if let Some(keep) = layer.keep {
            let reason = "drops outputs of the network: expected no dropout after the last layer";
            return Err((Some(keep.index), reason.to_owned()));
        }
        if let Some(last) = self.pending.last() {
            let reason = "scales or shifts the output of the last activation: expected a layer \
                 after this node, into which the operation can be folded";
            return Err((Some(last.index), reason.to_owned()));
        }
        match layer.activation.take() {
            None => Ok(()),
            Some(OfNode { value: Activation::Logistic, index }) => {
                self.loss = Some(Loss::BinaryCrossEntropy);
                let detail = output_function(Loss::BinaryCrossEntropy);
                report.set(index, Role::Network, detail);
                Ok(())
            }
            Some(OfNode { value: other, index }) => {
                let reason = format!(
                    "the activation {other} after the last layer: expected none, a Softmax, a \
                     LogSoftmax, a Sigmoid or an Exp"
                );
                Err((Some(index), reason))
            }
        }
    }

    /// The widths of the input and of each layer.
    fn widths(&self) -> Vec<usize> {
        let first = self.layers.first().map(|layer| layer.sums.inputs());
        first.into_iter().chain(self.layers.iter().map(Layer::outputs)).collect()
    }

    /// The loss that follows from the end of the graph.
    pub fn stated_loss(&self) -> Option<Loss> {
        self.loss
    }

    /// The network. `asked` is its loss if the graph states none; if it states one, they have to
    /// be equal. `said` is the description that thinnet wrote.
    pub fn build(
        &mut self,
        asked: Option<Loss>,
        said: Option<&Architecture>,
        report: &mut Report,
        refuse: impl Fn(String) -> Error,
    ) -> Result<Mlp, Error> {
        let outputs = self.layers.last().map_or(0, Layer::outputs);
        if let Some(said) = said {
            self.check_said(said).map_err(&refuse)?;
            self.take_temperature(said.temperature(), report).map_err(&refuse)?;
        }
        let loss = self.loss(said.map(Architecture::loss), asked, outputs).map_err(&refuse)?;
        loss.check_outputs(outputs).map_err(|error| refuse(error.to_string()))?;
        let mut mlp = match said {
            Some(said) => said.zeroed()?,
            None => self.builder(outputs, loss).build_zeroed()?,
        };
        let mut rounded = Rounded::default();
        for (layer, into) in self.layers.iter().zip(&mut mlp.layers) {
            let fill = layer.fill(into, &mut rounded);
            fill.map_err(|reason| refuse(format!("{}: {reason}", layer.node)))?;
        }
        report.notes.extend(rounded.note());
        Ok(mlp)
    }

    /// Refuses a description by thinnet that is not that of the graph.
    fn check_said(&self, said: &Architecture) -> Result<(), String> {
        let here = |what: &str, said: String, got: String| {
            Err(format!(
                "metadata `{}` states {what} {said}, but the graph has {got}: expected the same \
                 (a program that changes the graph must remove this key)",
                super::export::KEY
            ))
        };
        if said.scaling() != Scaling::Inverted {
            return here("weights", said.scaling().to_string(), Scaling::Inverted.to_string());
        }
        let (widths, got) = (said.widths(), self.widths());
        if widths != got {
            return here("widths", format!("{widths:?}"), format!("{got:?}"));
        }
        // A leaky ReLU of slope 1 is the identity in a graph.
        let plain = |activation: Activation| match activation {
            Activation::LeakyRelu(slope) if slope.get() == 1.0 => Activation::Identity,
            other => other,
        };
        let activations: Vec<_> = said.activations().into_iter().map(plain).collect();
        let hidden = &self.layers[..self.layers.len().saturating_sub(1)];
        let got: Vec<_> = hidden.iter().map(Layer::activation).collect();
        if activations != got {
            return here("activations", texts(&activations), texts(&got));
        }
        // The rates of a graph without dropout are only in the metadata.
        let got = self.keeps();
        if got.iter().any(|keep| keep.drops()) && said.keeps() != got {
            return here("keep rates", texts(&said.keeps()), texts(&got));
        }
        if said.loss().link_function() != self.link_function() {
            let got = self.loss.map_or("no output function".to_owned(), |loss| {
                format!("the {}", output_function(loss))
            });
            return here("the loss", said.loss().to_string(), got);
        }
        Ok(())
    }

    /// Takes the division by the temperature, which is the last operation before the output
    /// function, out of those that are folded into the last layer.
    fn take_temperature(
        &mut self,
        temperature: Temperature,
        report: &mut Report,
    ) -> Result<(), String> {
        if temperature == Temperature::ONE {
            return Ok(());
        }
        if let Some(layer) = self.layers.last_mut()
            && let Some(Applied { op: Elementwise::Divide(divisor), index, .. }) =
                layer.after.last()
            && divisor.one()? == Some(temperature.get().into())
        {
            report.set(*index, Role::Network, format!("temperature {temperature}"));
            layer.after.pop();
            return Ok(());
        }
        Err(format!(
            "metadata `{}` states temperature {temperature}, but no Div by it comes before the graph's \
             output function: expected the same (a program that changes the graph must remove this \
             key)",
            super::export::KEY
        ))
    }

    /// How the graph turns the last layer's outputs into predictions.
    fn link_function(&self) -> LinkFunction {
        self.loss.map_or(LinkFunction::Identity, Loss::link_function)
    }

    fn input_keep(&self) -> Keep {
        self.input_keep.map_or(Keep::ONE, |keep| keep.value)
    }

    /// The keep rates of each layer's inputs.
    fn keeps(&self) -> Vec<Keep> {
        let hidden = &self.layers[..self.layers.len().saturating_sub(1)];
        [self.input_keep()].into_iter().chain(hidden.iter().map(Layer::keep)).collect()
    }

    /// The loss that the graph or its metadata states, else the one that was `asked` for, else
    /// the default.
    fn loss(
        &self,
        said: Option<Loss>,
        asked: Option<Loss>,
        outputs: usize,
    ) -> Result<Loss, String> {
        let stated = said.or(self.loss);
        let (Some(stated), Some(asked)) = (stated, asked) else {
            return Ok(stated.or(asked).unwrap_or_else(|| default_loss(outputs)));
        };
        // A graph without metadata states no more than the link function.
        let same_link = stated.link_function() == asked.link_function();
        if stated == asked || said.is_none() && same_link {
            return Ok(asked);
        }
        Err(format!(
            "the graph or its metadata states the loss {stated}: expected this loss or none to be \
             given, got {asked}"
        ))
    }

    /// A builder with the layers of the graph.
    fn builder(&self, outputs: usize, loss: Loss) -> MlpBuilder {
        let inputs = self.layers.first().map_or(0, |layer| layer.sums.inputs());
        let mut builder = Mlp::builder(inputs).input_noise(self.input_keep());
        for layer in &self.layers[..self.layers.len().saturating_sub(1)] {
            builder = builder.hidden(layer.outputs(), layer.activation(), layer.keep());
        }
        builder.output(outputs, loss)
    }
}

/// The output function of a network with this loss, as messages name it.
fn output_function(loss: Loss) -> String {
    format!("output function of the loss {loss}")
}

/// The first few of them, as errors show them.
fn texts(all: &[impl ToString]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    list(&all)
}
