//! Writes networks as ONNX graphs: the nodes of a network.

use std::{io::Write, path::Path};

use super::{message::Message, proto::MAX_OF_GRAPH};
use crate::{
    checkpoint::{self, Architecture, NOTES, Tensor, WriteFrom},
    error::Error,
    files::write_atomically_with,
    memory::{ensure_room, reserve},
    nn::{Activation, LinkFunction, Mlp, Temperature},
    noise::Noise,
    rate::Keep,
};

/// The version of the standard operators in the graphs that are written: the first in which all of
/// them have today's meaning. ONNX 1.8 (November 2020) and programs of that time, such as ONNX
/// Runtime 1.6, support it. A network with a GELU is written with opset 20 instead (ONNX 1.15,
/// October 2023), the first that has this operator.
pub const OPSET: u32 = 13;

/// The version of the file format for [`OPSET`]. From version 4 on an input of the graph may have
/// an initialiser, which is its default.
const IR_VERSION: u64 = 7;

/// Opset and version of the file format for a network with a GELU.
const WITH_GELU: (u32, u64) = (20, 9);

/// The metadata key of the description of the network.
pub(super) const KEY: &str = "thinnet.onnx";

/// The graph's inputs and its output.
const INPUT: &str = "input";
const TRAINING_MODE: &str = "training_mode";
const OUTPUT: &str = "output";

/// The output of a node that computes the training mode. ONNX Runtime's optimiser removes a
/// `Dropout` of opset 12 or 13 of which only one input is the output of a node, whatever its
/// training_mode is. So the `Dropout` of the graph's input takes two initialisers, and those after
/// layers take the output of the layer and this.
const VARIABLE_MODE: &str = "training_mode.variable";

/// The kinds of elements of tensors, and of attributes.
const FLOAT: u64 = 1;
const INT: u64 = 2;
const STRING: u64 = 3;
const BOOL: u64 = 9;

/// The maximum size of a file in bytes: protocol buffers have lengths of 31 bits.
const MAX_BYTES: u64 = (1 << 31) - 1;

/// An upper bound of the bytes for a layer's nodes and the heads of its tensors.
const MAX_BYTES_OF_LAYER: usize = 8192;

/// Options for writing a graph.
///
/// ```
/// use thinnet::{Keep, exchange::onnx, nn::{Activation, Loss, Mlp}};
///
/// let mlp = Mlp::builder(4).hidden(8, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let plain = onnx::to_bytes(&mlp, &onnx::Export::new())?;
/// let with_dropout = onnx::to_bytes(&mlp, &onnx::Export::new().dropout(true))?;
/// assert!(plain.len() < with_dropout.len());
/// # Ok::<(), thinnet::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Export {
    dropout: bool,
}

impl Export {
    /// A graph without dropout.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether `Dropout` nodes are written, one at each site that drops units. They do nothing
    /// unless a run sets the graph's second input, `training_mode`, a boolean that is false by
    /// default. Then each unit of each row is dropped with the network's rate, 1 - k/65536, and
    /// the others are divided by k/65536: each row goes through its own thinned network. The other
    /// program draws the masks; they are not those of [`mask`](crate::mask).
    ///
    /// In ONNX Runtime (which warns that `training_mode` is not a constant; that is intended):
    ///
    /// ```text
    /// session.run(None, {"input": x})                                    # predicts
    /// session.run(None, {"input": x, "training_mode": np.array(True)})   # a sample
    /// ```
    ///
    /// The graph of a network without dropout has neither such nodes nor that input.
    #[must_use]
    pub fn dropout(mut self, dropout: bool) -> Self {
        self.dropout = dropout;
        self
    }
}

/// Returns the network as an ONNX graph of f32 with opset [`OPSET`]. Its output is that of
/// [`Predictor::predict`](crate::predict::Predictor::predict), except for the rounding of sums in
/// another order.
///
/// | value | is |
/// |---|---|
/// | `input` | f32 `[rows, inputs]`, any number of rows |
/// | `layers.0.weight`, `layers.0.bias` | initialisers, `[outputs, inputs]` and `[outputs]`, as in model files |
/// | `layers.0.gemm` | W x + b |
/// | `layers.0.relu`, `.leaky_relu`, `.sigmoid`, `.tanh`, `.gelu`, `.elu`, `.softplus` | the activation, unless it is the identity |
/// | `layers.0.sigmoid`, `layers.0.silu` | for SiLU, the logistic of `layers.0.gemm` and the product of the two |
/// | `layers.1.div` | z / T of the last layer, if the network's [`Temperature`] T is not 1; T is `layers.1.temperature` |
/// | `input.dropout`, `layers.0.dropout` | with [`Export::dropout`]; the drop rate is `layers.0.dropout.ratio` |
/// | `output` | f32 `[rows, outputs]`: probabilities, by `Softmax` or `Sigmoid`; for Poisson's loss rates, by `Exp`; for `gaussian_nll`, means and variances; otherwise the values |
/// | `layers.1.exp`, `layers.1.is_mean` | for `gaussian_nll`, e^z of all outputs, and which of them are means: `Where` takes the means from z and the variances from e^z |
///
/// Nodes have the names of their outputs, except that the last one, whose output is `output`, is
/// named after its layer. The metadata contains the keep rates, the loss, the temperature, whether
/// the input is sparse, and the [notes](Mlp::set_notes), so that this library reads the same network, bit
/// for bit. Equal networks give equal bytes.
///
/// ```
/// use thinnet::{Keep, exchange::onnx, nn::{Activation, Loss, Mlp}};
///
/// let mlp = Mlp::builder(4).hidden(8, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let bytes = onnx::to_bytes(&mlp, &onnx::Export::new().dropout(true))?;
/// assert_eq!(onnx::Model::from_bytes(bytes).network(None)?, mlp);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// A parameter is NaN or infinite; with [`Export::dropout`], a site has noise other than dropout; the
/// file would have more than 2147483647 bytes, the limit of protocol buffers, or more than 4000 nodes
/// or initialisers, the limit of the reader; the memory cannot be allocated.
pub fn to_bytes(mlp: &Mlp, export: &Export) -> Result<Vec<u8>, Error> {
    let model = of_network(mlp, export)?;
    // At most `MAX_BYTES`.
    let mut bytes = reserve("bytes of an ONNX file", model.size() as usize)?;
    model.write(|part| {
        bytes.extend_from_slice(part);
        Ok(())
    })?;
    Ok(bytes)
}

/// Writes the same to a file, which appears complete or not at all.
///
/// # Errors
/// As [`to_bytes`], or the file cannot be written.
pub fn save(mlp: &Mlp, export: &Export, path: impl AsRef<Path>) -> Result<(), Error> {
    let path = path.as_ref();
    let model = of_network(mlp, export)?;
    write_atomically_with(path, |file| {
        model.write(|part| file.write_all(part).map_err(|source| Error::io(path, source)))
    })
}

fn of_network<'m>(mlp: &'m Mlp, export: &Export) -> Result<Message<'m>, Error> {
    let layers = MAX_BYTES_OF_LAYER.saturating_mul(mlp.depth());
    ensure_room("ONNX graph", layers.saturating_add(mlp.outputs()))?;
    let network = (&Architecture::from(mlp), mlp.notes());
    model(network, checkpoint::saved_network(mlp), export)
}

/// `ModelProto` of a network with these notes. `parameters` are the weights and biases of each layer in
/// turn.
fn model<'m>(
    (network, notes): (&Architecture, &'m str),
    parameters: Vec<Tensor<WriteFrom<'m>>>,
    export: &Export,
) -> Result<Message<'m>, Error> {
    network.ensure_no_maxout("an ONNX graph")?;
    let is_gelu = |f: &Activation| matches!(f, Activation::Gelu | Activation::GeluTanh);
    let has_gelu = network.activations().iter().any(is_gelu);
    let (opset, ir_version) = if has_gelu { WITH_GELU } else { (OPSET, IR_VERSION) };
    let opset = Message::new().int(2, opset.into());
    let metadata = Message::new().bytes(1, KEY).bytes(2, checkpoint::sorted_json(network)?);
    let mut model = Message::new()
        .int(1, ir_version)
        .bytes(2, "thinnet")
        .bytes(3, env!("CARGO_PKG_VERSION"))
        .message(7, graph(network, parameters, export)?)
        .message(8, opset)
        .message(14, metadata);
    if !notes.is_empty() {
        model = model.message(14, Message::new().bytes(1, NOTES).bytes(2, notes));
    }
    if model.size() > MAX_BYTES {
        let (what, why) = ("the ONNX file", "the limit of protocol buffers");
        return Err(Error::FileTooLarge { what, size: model.size(), most: MAX_BYTES, why });
    }
    Ok(model)
}

/// `GraphProto`
fn graph<'m>(
    network: &Architecture,
    parameters: Vec<Tensor<WriteFrom<'m>>>,
    export: &Export,
) -> Result<Message<'m>, Error> {
    if export.dropout {
        Noise::ensure_dropout("an ONNX graph with dropout", network.noises())?;
    }
    let is_written = |keep: &Keep| export.dropout && keep.drops();
    let keeps = network.keeps().into_iter();
    let keeps: Vec<_> = keeps.map(|keep| Some(keep).filter(is_written)).collect();
    let nodes = nodes(network, &keeps);
    let mut initialisers: Vec<_> = parameters.into_iter().map(weights).collect();
    for (layer, keep) in keeps.iter().enumerate() {
        initialisers.extend(keep.map(|keep| ratio(layer, keep)));
    }
    if network.temperature() != Temperature::ONE {
        let name = temperature_name(network.depth() - 1);
        let number = network.temperature().get().to_le_bytes();
        initialisers.push(tensor(&name, FLOAT, &[]).bytes(9, number));
    }
    let widths = network.widths();
    if network.loss().link_function() == LinkFunction::Normals {
        let outputs = widths.last().copied().unwrap_or_default();
        let is_mean: Vec<u8> = (0..outputs).map(|output| u8::from(output < outputs / 2)).collect();
        let name = is_mean_name(network.depth() - 1);
        initialisers.push(tensor(&name, BOOL, &[outputs]).bytes(9, is_mean));
    }
    let mut inputs = vec![rows(INPUT, widths.first())];
    if keeps.iter().any(Option::is_some) {
        initialisers.push(tensor(TRAINING_MODE, BOOL, &[]).bytes(9, [0]));
        inputs.push(value(TRAINING_MODE, BOOL, Message::new()));
    }
    for (what, got) in [
        ("nodes of an ONNX graph", nodes.len()),
        ("initialisers of an ONNX graph", initialisers.len()),
    ] {
        if got > MAX_OF_GRAPH {
            return Err(Error::TooMany { what, most: MAX_OF_GRAPH, got });
        }
    }
    Ok(repeated(1, nodes.into_iter().map(Node::message))
        .bytes(2, "thinnet")
        .and(repeated(5, initialisers))
        .and(repeated(11, inputs))
        .message(12, rows(OUTPUT, widths.last())))
}

/// A node with one output.
struct Node {
    operator: &'static str,
    name: String,
    inputs: Vec<String>,
    output: String,
    attribute: Message<'static>,
}

impl Node {
    /// `NodeProto`
    fn message<'m>(self) -> Message<'m> {
        let inputs = self.inputs.iter().fold(Message::new(), |all, input| all.bytes(1, input));
        let outputs = inputs.bytes(2, self.output);
        outputs.bytes(3, self.name).bytes(4, self.operator).and(self.attribute)
    }
}

/// The chain of nodes that a row passes through, as far as it is written.
struct Chain {
    nodes: Vec<Node>,
    /// The name of the row's value.
    value: String,
}

impl Chain {
    /// Adds a node that takes the row and these constants.
    fn push<const N: usize>(
        &mut self,
        operator: &'static str,
        name: String,
        constants: [String; N],
        attribute: Message<'static>,
    ) {
        let row = std::mem::replace(&mut self.value, name.clone());
        let inputs = [row].into_iter().chain(constants).collect();
        self.nodes.push(Node { operator, output: name.clone(), name, inputs, attribute });
    }
}

/// All nodes in the order in which they run. `keeps` are the keep rates of each layer's inputs;
/// `None` if no `Dropout` is written there.
fn nodes(network: &Architecture, keeps: &[Option<Keep>]) -> Vec<Node> {
    let none = Message::new;
    let mut chain = Chain { nodes: Vec::new(), value: INPUT.to_owned() };
    if keeps.iter().skip(1).any(Option::is_some) {
        chain.nodes.push(Node {
            operator: "And",
            name: VARIABLE_MODE.to_owned(),
            inputs: vec![TRAINING_MODE.to_owned(); 2],
            output: VARIABLE_MODE.to_owned(),
            attribute: none(),
        });
    }
    let activations = network.activations();
    for (layer, keep) in keeps.iter().enumerate() {
        if keep.is_some() {
            let mode = if layer == 0 { TRAINING_MODE } else { VARIABLE_MODE };
            let constants = [ratio_name(layer), mode.to_owned()];
            chain.push("Dropout", dropout_name(layer), constants, none());
        }
        let name = |what: &str| format!("layers.{layer}.{what}");
        let transposed = attribute("transB", INT, Message::new().int(3, 1));
        chain.push("Gemm", name("gemm"), [name("weight"), name("bias")], transposed);
        if layer == activations.len() && network.temperature() != Temperature::ONE {
            chain.push("Div", name("div"), [temperature_name(layer)], none());
        }
        match activations.get(layer) {
            Some(Activation::Relu) => chain.push("Relu", name("relu"), [], none()),
            Some(Activation::LeakyRelu(slope)) => {
                let alpha = attribute("alpha", FLOAT, Message::new().float(2, slope.get()));
                chain.push("LeakyRelu", name("leaky_relu"), [], alpha);
            }
            Some(Activation::Logistic) => chain.push("Sigmoid", name("sigmoid"), [], none()),
            Some(Activation::Tanh) => chain.push("Tanh", name("tanh"), [], none()),
            Some(Activation::Identity) => {}
            Some(Activation::Silu) => {
                let z = [name("gemm")];
                chain.push("Sigmoid", name("sigmoid"), [], none());
                chain.push("Mul", name("silu"), z, none());
            }
            Some(Activation::Gelu) => chain.push("Gelu", name("gelu"), [], none()),
            Some(Activation::GeluTanh) => {
                let tanh = attribute("approximate", STRING, Message::new().bytes(4, "tanh"));
                chain.push("Gelu", name("gelu"), [], tanh);
            }
            Some(Activation::Elu(alpha)) => {
                let alpha = attribute("alpha", FLOAT, Message::new().float(2, alpha.get()));
                chain.push("Elu", name("elu"), [], alpha);
            }
            Some(Activation::Softplus) => chain.push("Softplus", name("softplus"), [], none()),
            // The output layer: the link function of the loss follows it.
            None => match network.loss().link_function() {
                LinkFunction::Softmax => {
                    let axis = attribute("axis", INT, Message::new().int(3, 1));
                    chain.push("Softmax", name("softmax"), [], axis);
                }
                LinkFunction::Logistic => chain.push("Sigmoid", name("sigmoid"), [], none()),
                LinkFunction::Exponential => chain.push("Exp", name("exp"), [], none()),
                LinkFunction::Normals => {
                    let means = chain.value.clone();
                    chain.push("Exp", name("exp"), [], none());
                    let name = name("normals");
                    let variances = std::mem::replace(&mut chain.value, name.clone());
                    let inputs = vec![is_mean_name(layer), means, variances];
                    let (operator, output) = ("Where", name.clone());
                    chain.nodes.push(Node { operator, name, inputs, output, attribute: none() });
                }
                LinkFunction::Identity => {}
            },
        }
    }
    if let Some(last) = chain.nodes.last_mut() {
        last.output = OUTPUT.to_owned();
    }
    chain.nodes
}

/// The name of the node that drops inputs of a layer.
fn dropout_name(layer: usize) -> String {
    match layer.checked_sub(1) {
        None => format!("{INPUT}.dropout"),
        Some(below) => format!("layers.{below}.dropout"),
    }
}

fn ratio_name(layer: usize) -> String {
    format!("{}.ratio", dropout_name(layer))
}

fn temperature_name(layer: usize) -> String {
    format!("layers.{layer}.temperature")
}

fn is_mean_name(layer: usize) -> String {
    format!("layers.{layer}.is_mean")
}

/// The drop rate of a layer's inputs. As an f32 it is exact, as is its difference from 1, so that
/// a division by that rounds once.
fn ratio<'m>(layer: usize, keep: Keep) -> Message<'m> {
    let ratio = (1.0 - keep.get()) as f32;
    tensor(&ratio_name(layer), FLOAT, &[]).bytes(9, ratio.to_le_bytes())
}

fn weights(parameters: Tensor<WriteFrom<'_>>) -> Message<'_> {
    tensor(&parameters.name, FLOAT, &parameters.shape).numbers(9, parameters)
}

/// A repeated field of messages.
fn repeated<'m>(field: u32, messages: impl IntoIterator<Item = Message<'m>>) -> Message<'m> {
    messages.into_iter().fold(Message::new(), |all, one| all.message(field, one))
}

/// The field of a node with an `AttributeProto` of this kind and value.
fn attribute(name: &str, kind: u64, value: Message<'static>) -> Message<'static> {
    Message::new().message(5, Message::new().bytes(1, name).and(value).int(20, kind))
}

/// `TensorProto`, without its numbers.
fn tensor<'m>(name: &str, kind: u64, shape: &[usize]) -> Message<'m> {
    let dims = shape.iter().fold(Message::new(), |dims, &size| dims.int(1, size as u64));
    dims.int(2, kind).bytes(8, name)
}

/// `ValueInfoProto` of f32 with this number of columns, and any number of rows.
fn rows<'m>(name: &str, columns: Option<&usize>) -> Message<'m> {
    let columns = columns.copied().unwrap_or_default() as u64;
    let dimensions = [Message::new().bytes(2, "rows"), Message::new().int(1, columns)];
    value(name, FLOAT, repeated(1, dimensions))
}

/// `ValueInfoProto` of elements of this kind, with a `TensorShapeProto`.
fn value<'m>(name: &str, kind: u64, shape: Message<'m>) -> Message<'m> {
    let of_tensor = Message::new().int(1, kind).message(2, shape);
    Message::new().bytes(1, name).message(2, Message::new().message(1, of_tensor))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network of these widths without the memory of its parameters.
    fn of_widths(widths: &[usize]) -> Result<Message<'static>, Error> {
        let none = serde_json::json!({"kind": "none"});
        let layer = |&width: &usize| serde_json::json!({"kind": "dense", "activation": "identity", "noise": none, "width": width});
        let said = serde_json::json!({
            "format": checkpoint::FORMAT,
            "input": {"noise": none, "sparse": false, "width": widths[0]},
            "layers": widths[1..].iter().map(layer).collect::<Vec<_>>(),
            "loss": "squared_error",
            "mask_format": crate::mask::FORMAT,
            "scaling": "inverted",
        });
        let network: Architecture = serde_json::from_value(said).unwrap();
        let tensors = widths.windows(2).enumerate().flat_map(|(layer, pair)| {
            let (weight, bias) = (format!("layers.{layer}.weight"), format!("layers.{layer}.bias"));
            [
                Tensor::new(weight, vec![pair[1], pair[0]], WriteFrom::Values(&[])),
                Tensor::new(bias, vec![pair[1]], WriteFrom::Values(&[])),
            ]
        });
        model((&network, ""), tensors.collect(), &Export::new())
    }

    /// The largest file of at most 2^31 - 1 bytes, and one weight more.
    #[test]
    fn what_protocol_buffers_cannot_hold_is_refused_before_it_is_written() {
        let size = |inputs: usize| of_widths(&[inputs, 1, 1]).map(|model| model.size());
        let some = (1 << 29) - 1000;
        let fits = some + ((MAX_BYTES - size(some).unwrap()) / 4) as usize;
        assert!(size(fits).is_ok_and(|size| size + 4 > MAX_BYTES));
        for inputs in [fits + 1, 4 * fits, usize::MAX / 8] {
            let message = size(inputs).unwrap_err().to_string();
            assert!(message.starts_with("the ONNX file would have "), "{message}");
            assert!(message.contains("expected at most 2147483647"), "{message}");
        }
    }

    #[test]
    fn more_nodes_and_tensors_than_are_read_again_are_refused() {
        assert!(of_widths(&[1; MAX_OF_GRAPH / 2 + 1]).is_ok());
        let error = of_widths(&[1; MAX_OF_GRAPH / 2 + 2]).err();
        let Some(Error::TooMany { what, most: MAX_OF_GRAPH, got }) = error else {
            panic!("{error:?}")
        };
        assert_eq!((what, got), ("initialisers of an ONNX graph", MAX_OF_GRAPH + 2));
    }
}
