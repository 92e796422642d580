//! The network that the steps of a graph are.

use super::{
    elementwise::{Applied, Elementwise},
    layer::{Layer, Rounded, Sums},
    proto::{Node, short},
    report::{Report, Role},
    row::Row,
    steps::{Linear, Step},
};
use crate::{
    checkpoint::Architecture,
    error::Error,
    exchange::{order::list, room, torch::default_loss},
    memory,
    nn::{Activation, Loss, Mlp, MlpBuilder, Scaling},
    rate::Keep,
};

/// The most elementwise operations that are folded into one side of a layer.
const MAX_FOLDED: usize = 64;

/// The network, as far as the way has come.
pub(super) struct Draft<'a> {
    input_keep: Option<Keep>,
    layers: Vec<Layer<'a>>,
    /// What is done to the input or to the last layer's outputs, to be folded into
    /// the next layer.
    pending: Vec<Applied<'a>>,
    /// What the last link says of the loss; nothing comes after it.
    loss: Option<Loss>,
    /// Whether the graph's last step so far is the logarithm of a softmax already.
    is_log: bool,
    /// Whether the last step was 1 - p of a logistic output.
    is_complement: bool,
    /// The nodes of the last activation, elementwise operation and dropout.
    activation_at: usize,
    elementwise_at: usize,
    dropout_at: usize,
    /// The steps that were taken.
    position: usize,
    /// Bytes of the file.
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
            activation_at: 0,
            elementwise_at: 0,
            dropout_at: 0,
            position: 0,
            size,
        }
    }

    /// How many steps were taken.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Whether the last step was 1 - p of a logistic output.
    pub fn is_complement(&self) -> bool {
        self.is_complement
    }

    /// Takes the next step, and says what the row is behind it.
    pub fn take(
        &mut self,
        index: usize,
        node: &Node<'a>,
        step: Step<'a>,
        row: &Row,
        report: &mut Report,
    ) -> Result<Row, String> {
        self.position += 1;
        if self.loss.is_some() && !matches!(step, Step::Reshape(_) | Step::Nothing(_) | Step::Log) {
            return Err("comes after the last softmax or logistic function".to_owned());
        }
        self.is_complement = false;
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
                (Role::Identity, "leaves a row's elements as they are".to_owned())
            }
            Step::Linear(linear) => {
                let (inputs, outputs) = (linear.inputs, linear.outputs);
                // Ones before the last dimension stay.
                row.fixed = None;
                if let Some(last) = row.dims.last_mut() {
                    let columns = last.replace(outputs);
                    self.linear(node, linear, columns)?;
                }
                let layer = self.layers.len() - 1;
                (Role::Network, format!("layer {layer}, from {inputs} to {outputs} units"))
            }
            Step::Elementwise(op) => {
                let (applied, dims) = Applied::new(op, &row.dims, node.describe())?;
                row.dims = dims;
                let last = self.layers.last().and_then(|layer| layer.activation);
                let of_logistic = self.pending.is_empty() && last == Some(Activation::Logistic);
                self.is_complement = of_logistic && applied.op.is_complement()?;
                let layer = self.elementwise(applied)?;
                self.elementwise_at = index;
                (Role::Folded, format!("folded into layer {layer}"))
            }
            Step::Activation(activation) => {
                self.activation(node, activation, &row, report)?;
                self.activation_at = index;
                let layer = self.layers.len() - 1;
                (Role::Network, format!("{activation} of layer {layer}"))
            }
            Step::Dropout(keep) if !keep.drops() => (Role::Identity, "drops nothing".to_owned()),
            Step::Dropout(keep) => {
                self.dropout(node, keep, &row, report)?;
                self.dropout_at = index;
                let of = match self.layers.len().checked_sub(1) {
                    None => "the inputs".to_owned(),
                    Some(layer) => format!("the outputs of layer {layer}"),
                };
                (Role::Network, format!("keep rate {keep} of {of}"))
            }
            Step::Softmax { is_log } => {
                self.softmax()?;
                self.is_log = is_log;
                (Role::Network, output_function(Loss::SoftmaxCrossEntropy))
            }
            Step::Log if self.loss == Some(Loss::SoftmaxCrossEntropy) && !self.is_log => {
                self.is_log = true;
                (Role::Identity, "the logarithm of the softmax, which is the loss's".to_owned())
            }
            Step::Log => return Err("expected a Log only directly after a Softmax".to_owned()),
            Step::TwoClasses { complement_first } => {
                self.two_classes(complement_first)?;
                row.dims = vec![Some(2)];
                let detail = "two classes: a softmax over 0 and the logit";
                for part in [self.activation_at, self.elementwise_at] {
                    report.set(part, Role::Network, detail);
                }
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
        if let Some((bias, _)) = &linear.bias {
            let units = [Some(outputs)];
            let (_, known) = Applied::new(Elementwise::Add(*bias), &units, String::new())?;
            debug_assert_eq!(known, units);
        }
        self.add_layer(node, Sums::Linear(linear))
    }

    /// A new layer, into which goes what is pending.
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
        // At once: many layers can share one large tensor.
        room::check(&self.widths(), self.size)
    }

    /// A layer of its own for what is pending, or for an activation or dropout that
    /// does not belong to the last layer: each unit has one input, and weight 0 from the
    /// others.
    fn own_layer(&mut self, node: &Node<'a>, row: &Row, report: &mut Report) -> Result<(), String> {
        let n = row.columns().ok_or("expected an input whose shape is stated")?;
        self.add_layer(node, Sums::Inputs(n))?;
        report.notes.push(format!(
            "{} needs an extra layer before it, with {n} by {n} weights that are 0 off the \
             diagonal",
            node.describe()
        ));
        Ok(())
    }

    /// Puts an elementwise operation where it will be folded, and says into which
    /// layer.
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
            return Err(format!("more than {MAX_FOLDED} elementwise operations at one place"));
        }
        into.push(applied);
        Ok(layer)
    }

    fn activation(
        &mut self,
        node: &Node<'a>,
        activation: Activation,
        row: &Row,
        report: &mut Report,
    ) -> Result<(), String> {
        // A ReLU of what is dropped or divided is the ReLU dropped or divided.
        let commutes = matches!(activation, Activation::Relu | Activation::LeakyRelu(_));
        match self.layers.last() {
            Some(Layer { activation: Some(first), .. }) if self.pending.is_empty() => {
                // The ReLU of a ReLU, dropped or not.
                if (*first, activation) == (Activation::Relu, Activation::Relu) {
                    return Ok(());
                }
                self.own_layer(node, row, report)?;
            }
            Some(layer) if self.pending.is_empty() && (layer.keep.is_none() || commutes) => {}
            _ => self.own_layer(node, row, report)?,
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.activation = Some(activation);
        }
        Ok(())
    }

    fn dropout(
        &mut self,
        node: &Node<'a>,
        keep: Keep,
        row: &Row,
        report: &mut Report,
    ) -> Result<(), String> {
        // What is shifted behind the last site would not be 0 where it is dropped.
        let mut shifts = false;
        for applied in &self.pending {
            shifts |= !applied.op.keeps_zero()?;
        }
        let taken = self.site().is_some();
        if taken || shifts {
            self.own_layer(node, row, report)?;
        }
        *self.site() = Some(keep);
        Ok(())
    }

    /// The dropout of what the last layer makes.
    fn site(&mut self) -> &mut Option<Keep> {
        match self.layers.last_mut() {
            Some(layer) => &mut layer.keep,
            None => &mut self.input_keep,
        }
    }

    fn softmax(&mut self) -> Result<(), String> {
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
                self.loss = Some(Loss::SoftmaxCrossEntropy);
                Ok(())
            }
        }
    }

    fn two_classes(&mut self, complement_first: bool) -> Result<(), String> {
        self.pending.clear();
        let layer = self.layers.last_mut().ok_or("comes before the first layer")?;
        layer.activation = None;
        layer.two_classes = Some(complement_first);
        self.loss = Some(Loss::SoftmaxCrossEntropy);
        Ok(())
    }

    /// Sees to the end of the way: the last layer is an output layer. An error is with
    /// the node that stands in the way, where there is one.
    pub fn finish(&mut self, report: &mut Report) -> Result<(), (Option<usize>, String)> {
        let Some(layer) = self.layers.last_mut() else {
            let reason = "no layer with weights: expected a Gemm or a MatMul";
            return Err((None, reason.to_owned()));
        };
        if layer.keep.is_some() {
            let reason = "drops outputs of the network: expected no dropout after the last layer";
            return Err((Some(self.dropout_at), reason.to_owned()));
        }
        if !self.pending.is_empty() {
            let reason = "scales or shifts the output of the last activation: expected a layer \
                 after it, to fold it into";
            return Err((Some(self.elementwise_at), reason.to_owned()));
        }
        match layer.activation.take() {
            None => Ok(()),
            Some(Activation::Logistic) => {
                self.loss = Some(Loss::BinaryCrossEntropy);
                let detail = output_function(Loss::BinaryCrossEntropy);
                report.set(self.activation_at, Role::Network, detail);
                Ok(())
            }
            Some(other) => {
                let reason = format!(
                    "the activation {other} after the last layer: expected none, a Softmax, a \
                     LogSoftmax or a Sigmoid"
                );
                Err((Some(self.activation_at), reason))
            }
        }
    }

    /// The units of the input and of each layer.
    fn widths(&self) -> Vec<usize> {
        let first = self.layers.first().map(|layer| layer.sums.inputs());
        first.into_iter().chain(self.layers.iter().map(Layer::outputs)).collect()
    }

    /// The loss that the graph says by its end.
    pub fn stated_loss(&self) -> Option<Loss> {
        self.loss
    }

    /// The network; the loss where the graph does not say it, or to be the one that
    /// it says. `said` is what thinnet wrote of it.
    pub fn build(
        &self,
        asked: Option<Loss>,
        said: Option<&Architecture>,
        report: &mut Report,
        refuse: impl Fn(String) -> Error,
    ) -> Result<Mlp, Error> {
        let outputs = self.layers.last().map_or(0, Layer::outputs);
        if let Some(said) = said {
            self.check_said(said).map_err(&refuse)?;
        }
        let loss = self.loss(said.map(Architecture::loss), asked, outputs).map_err(&refuse)?;
        loss.check_outputs(outputs).map_err(|error| refuse(error.to_string()))?;
        let builder = said.map_or_else(|| self.builder(outputs, loss), Architecture::builder);
        let mut mlp = builder.build_zeroed()?;
        let mut rounded = Rounded::default();
        for (layer, into) in self.layers.iter().zip(&mut mlp.layers) {
            let fill = layer.fill(into, &mut rounded);
            fill.map_err(|reason| refuse(format!("{}: {reason}", layer.node)))?;
        }
        report.notes.extend(rounded.note());
        Ok(mlp)
    }

    /// Whether what thinnet wrote of the network is what the graph is.
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
        let got: Vec<_> =
            hidden.iter().map(|layer| layer.activation.unwrap_or(Activation::Identity)).collect();
        if activations != got {
            return here("activations", texts(&activations), texts(&got));
        }
        // A graph without dropout leaves the rates to the metadata.
        let got = self.keeps();
        if got.iter().any(|keep| keep.drops()) && said.keeps() != got {
            return here("keep rates", texts(&said.keeps()), texts(&got));
        }
        let link = Some(said.loss()).filter(|&loss| loss != Loss::SquaredError);
        if link != self.loss {
            let got = self.loss.map_or("no output function".to_owned(), output_function);
            return here("the loss", said.loss().to_string(), got);
        }
        Ok(())
    }

    fn keeps(&self) -> Vec<Keep> {
        let hidden = &self.layers[..self.layers.len().saturating_sub(1)];
        [self.input_keep]
            .into_iter()
            .chain(hidden.iter().map(|layer| layer.keep))
            .map(|keep| keep.unwrap_or(Keep::ONE))
            .collect()
    }

    /// The loss: as the graph or its metadata says, else as was `asked`, else the
    /// usual one.
    fn loss(
        &self,
        said: Option<Loss>,
        asked: Option<Loss>,
        outputs: usize,
    ) -> Result<Loss, String> {
        match (said.or(self.loss), asked) {
            (Some(said), Some(asked)) if said != asked => Err(format!(
                "the graph ends like a network with loss {said}: expected no other loss, got \
                 {asked}"
            )),
            (said, asked) => Ok(said.or(asked).unwrap_or_else(|| default_loss(outputs))),
        }
    }

    /// The network as its builder takes it.
    fn builder(&self, outputs: usize, loss: Loss) -> MlpBuilder {
        let inputs = self.layers.first().map_or(0, |layer| layer.sums.inputs());
        let mut builder = Mlp::builder(inputs).input_keep(self.input_keep.unwrap_or(Keep::ONE));
        for layer in &self.layers[..self.layers.len().saturating_sub(1)] {
            builder = builder.hidden(
                layer.outputs(),
                layer.activation.unwrap_or(Activation::Identity),
                layer.keep.unwrap_or(Keep::ONE),
            );
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
