//! PyTorch's state dicts, in safetensors.

use std::path::Path;

use super::{
    layers::{Layers, default_loss},
    order::{self, Found, list},
    room,
    sequential::Sequential,
};
use crate::{
    checkpoint::{
        Architecture, From as Source, Kind, MODEL_KEY, Reader, Tensor, To, Verify, Versions, Writer,
    },
    error::Error,
    nn::{Mlp, MlpBuilder, Scaling},
};

/// The metadata key of what [`to_torch`] writes.
pub(super) const KEY: &str = "thinnet.torch";

/// A tensor of a file: its name, its kind of element (`F32`) and its shape.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// The name.
    pub name: String,
    /// The kind of element, as safetensors writes it.
    pub dtype: String,
    /// The shape.
    pub shape: Vec<usize>,
}

/// The tensors that a safetensors file holds, in the order of their names;
/// `path` names the bytes in errors.
///
/// # Errors
/// Bytes that are no safetensors file.
pub fn torch_tensors(bytes: &[u8], path: &Path) -> Result<Vec<TensorInfo>, Error> {
    Ok(tensors(&Reader::of_bytes(bytes, path)?))
}

/// As [`torch_tensors`], from a file, of which the header alone is read.
///
/// # Errors
/// The file cannot be read, or as [`torch_tensors`].
pub fn load_torch_tensors(path: &Path) -> Result<Vec<TensorInfo>, Error> {
    Ok(tensors(&Reader::open(path)?))
}

fn tensors(file: &Reader<'_>) -> Vec<TensorInfo> {
    let tensors = file.tensors().map(|(name, dtype, shape)| TensorInfo {
        name: name.to_owned(),
        dtype: format!("{dtype:?}"),
        shape: shape.to_owned(),
    });
    tensors.collect()
}

/// The form of the weights that a state dict says: one that [`to_torch`] wrote.
/// `path` names the bytes in errors.
///
/// # Errors
/// Bytes that are no safetensors file, or metadata of another version.
pub fn torch_scaling(bytes: &[u8], path: &Path) -> Result<Option<Scaling>, Error> {
    StateDict { file: Reader::of_bytes(bytes, path)? }.scaling()
}

/// As [`torch_scaling`], from a file, of which the header alone is read.
///
/// # Errors
/// The file cannot be read, or as [`torch_scaling`].
pub fn load_torch_scaling(path: &Path) -> Result<Option<Scaling>, Error> {
    StateDict { file: Reader::open(path)? }.scaling()
}

/// The network with this state dict, f32, f16 or bfloat16; `path` names the
/// bytes in errors. A layer is `NAME.weight` `[outputs, inputs]` and `NAME.bias`
/// `[outputs]`, which may be missing (`nn.Linear(..., bias=False)`). What
/// [`to_torch`] wrote needs no `layers`; where they are given, they count.
///
/// # Order
/// Without [`Layers::names`] the layers are taken in the one order in which each
/// has as many inputs as the one before has outputs, and in which numbers ascend
/// among names that differ in their numbers only (`fc1`, `fc2`; `layers.0.linear`,
/// `layers.1.linear`). Weights stored `[inputs, outputs]`, as other programs do,
/// are the network backwards in PyTorch's eyes. So the order also has to be the only
/// one either way, unless there is one layer, a layer that is not square has a bias,
/// or all layers are square: a transposed file with square layers alone, or with
/// one layer, cannot be told from PyTorch's. `names` is for the rest.
///
/// ```
/// use std::path::Path;
/// use thinnet::{Keep, exchange, nn::{Activation, Loss, Mlp, Scaling}};
///
/// let mlp = Mlp::builder(4).hidden(8, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let bytes = exchange::to_torch(&mlp, Scaling::Inverted)?;
/// assert_eq!(exchange::from_torch(&bytes, Path::new("m"), None)?, mlp);
/// let layers = exchange::Layers::new().hidden(Activation::Relu, Keep::HALF);
/// assert_eq!(exchange::from_torch(&bytes, Path::new("m"), Some(&layers))?, mlp);
/// # Ok::<(), thinnet::Error>(())
/// ```
///
/// # Errors
/// Bytes that are no safetensors file; tensors that are not those of such
/// layers, do not fit on each other, leave more than one order, or hold what is not
/// finite; no `layers` and
/// no metadata of ours; metadata with a digest that the bytes do not have (a
/// program that changes what [`to_torch`] wrote has to leave the metadata key
/// `thinnet.digest` out); more memory than can be allocated.
pub fn from_torch(bytes: &[u8], path: &Path, layers: Option<&Layers>) -> Result<Mlp, Error> {
    read(Reader::of_bytes(bytes, path)?, layers)
}

fn read(file: Reader<'_>, layers: Option<&Layers>) -> Result<Mlp, Error> {
    let source = StateDict { file };
    if let Some(layers) = layers {
        return source.described(layers);
    }
    if !source.file.has(KEY) {
        return Err(source.file.refuse(if source.file.has(MODEL_KEY) {
            "a model that thinnet saved: expected a state dict of PyTorch".to_owned()
        } else {
            format!(
                "no metadata key `{KEY}`: expected a description of the layers beside it (their \
                 activations, keep rates and loss)"
            )
        }));
    }
    source.described_by_itself()
}

/// As [`from_torch`], from a file.
///
/// # Errors
/// The file cannot be read, is larger than [`MAX_BYTES`](crate::files::MAX_BYTES), or as
/// [`from_torch`].
pub fn load_torch(path: &Path, layers: Option<&Layers>) -> Result<Mlp, Error> {
    read(Reader::open(path)?, layers)
}

/// The network as a state dict of its [`Sequential`], f32, which PyTorch reads
/// with `model.load_state_dict(safetensors.torch.load_file(path))`. The metadata
/// says the rest, for [`from_torch`]. Weights in the paper's form (W / p) are
/// rounded once, and are not what `nn.Dropout` takes.
///
/// # Errors
/// Parameters that are NaN or infinite, more bytes than can be allocated, or a
/// file that is too large to be read again.
pub fn to_torch(mlp: &Mlp, scaling: Scaling) -> Result<Vec<u8>, Error> {
    writer(mlp, scaling)?.into_bytes()
}

/// As [`to_torch`], straight into a file, which appears whole or not at all.
///
/// # Errors
/// As [`to_torch`], or what the system says.
pub fn save_torch(mlp: &Mlp, scaling: Scaling, path: &Path) -> Result<(), Error> {
    writer(mlp, scaling)?.save(path)
}

fn writer(mlp: &Mlp, scaling: Scaling) -> Result<Writer<'_>, Error> {
    let mut tensors = Vec::with_capacity(2 * mlp.depth());
    for (index, name) in Sequential::from(mlp).names().enumerate() {
        let layer = &mlp.layers[index];
        let (inputs, outputs) = (layer.weights.inputs(), layer.weights.outputs());
        let [weight, bias] = ["weight", "bias"].map(|what| format!("{name}{what}"));
        let weights = Source::Weights(&layer.weights);
        let factor = match scaling {
            Scaling::Paper => 1.0 / mlp.keep_below(index).get(),
            Scaling::Inverted => 1.0,
        };
        tensors.push(Tensor::new(weight, vec![outputs, inputs], weights).times(factor));
        tensors.push(Tensor::new(bias, vec![outputs], Source::Values(&layer.bias[..outputs])));
    }
    Writer::new(tensors, KEY, &Architecture::from(mlp).with_scaling(scaling))
}

/// A file on its way to a network.
struct StateDict<'a> {
    file: Reader<'a>,
}

/// The kinds of numbers that networks are kept in.
const KINDS: [Kind; 3] = [Kind::F32, Kind::F16, Kind::Bf16];

impl StateDict<'_> {
    /// What [`to_torch`] wrote.
    fn described_by_itself(self) -> Result<Mlp, Error> {
        let file = &self.file;
        let architecture = self.architecture()?;
        file.check_count(2 * architecture.depth())?;
        let sequential = Sequential::new(
            &architecture.widths(),
            &architecture.keeps(),
            &architecture.activations(),
        );
        let found: Vec<_> = architecture
            .widths()
            .windows(2)
            .zip(sequential.names())
            .map(|(pair, name)| Found { name, inputs: pair[0], outputs: pair[1], bias: true })
            .collect();
        found.iter().try_for_each(|layer| self.shapes(layer))?;
        self.network(&found, architecture.scaling(), || architecture.builder())
    }

    /// What the metadata of [`to_torch`] says.
    fn architecture(&self) -> Result<Architecture, Error> {
        let expected = "what thinnet wrote for PyTorch";
        self.file.metadata::<Versions>(KEY, expected)?.check(|reason| self.file.refuse(reason))?;
        self.file.metadata(KEY, expected)
    }

    /// The form of the weights, of what [`to_torch`] wrote.
    fn scaling(&self) -> Result<Option<Scaling>, Error> {
        if !self.file.has(KEY) {
            return Ok(None);
        }
        self.architecture().map(|architecture| Some(architecture.scaling()))
    }

    /// A state dict, of which `layers` says the rest.
    fn described(self, layers: &Layers) -> Result<Mlp, Error> {
        let file = &self.file;
        let mut found = self.linear_layers()?;
        let hidden = layers.hidden.len();
        // Before they are sorted, so that a file cannot make that long.
        if found.len() != hidden + 1 {
            let names: Vec<_> = found.iter().map(|layer| format!("{}weight", layer.name)).collect();
            let (got, names) = (found.len(), list(&names));
            return Err(file.refuse(format!(
                "{got} linear layers ({names}): expected {}, the {hidden} hidden layers described \
                 and an output layer",
                hidden + 1
            )));
        }
        match &layers.names {
            Some(names) => found = self.named(found, names)?,
            None => order::sort(&mut found).map_err(|reason| file.refuse(reason))?,
        }
        order::check(&found).map_err(|reason| file.refuse(reason))?;
        let scaling = match (layers.scaling, self.scaling()?) {
            (Some(given), Some(said)) if given != said => {
                return Err(file.refuse(format!("weights {said}: expected {given} ones")));
            }
            (given, said) => given.or(said).unwrap_or_default(),
        };
        let outputs = found[hidden].outputs;
        let loss = layers.loss.unwrap_or_else(|| default_loss(outputs));
        loss.check_outputs(outputs).map_err(|error| file.refuse(error.to_string()))?;
        self.network(&found, scaling, || {
            let mut builder = Mlp::builder(found[0].inputs);
            if let Some(keep) = layers.input_keep {
                builder = builder.input_keep(keep);
            }
            if layers.sparse_input {
                builder = builder.sparse_input();
            }
            for (layer, &(activation, keep)) in found.iter().zip(&layers.hidden) {
                builder = builder.hidden(layer.outputs, activation, keep);
            }
            builder.output(outputs, loss)
        })
    }

    /// The file's layers, all of whose tensors are those of linear ones.
    fn linear_layers(&self) -> Result<Vec<Found>, Error> {
        let mut layers = Vec::new();
        for (name, dtype, shape) in self.file.tensors() {
            let refuse = |expected: &str| {
                self.file.refuse(format!("{name} is {dtype:?} {shape:?}: expected {expected}"))
            };
            let of = |what: &str| {
                let layer = name.strip_suffix(what)?;
                (layer.is_empty() || layer.ends_with('.')).then(|| layer.to_owned())
            };
            if let Some(layer) = of("weight") {
                let [outputs, inputs] = shape[..] else {
                    return Err(refuse("the weight of a linear layer, [outputs, inputs]"));
                };
                if inputs == 0 || outputs == 0 {
                    return Err(refuse("at least one input and one output"));
                }
                let bias = format!("{layer}bias");
                let bias = self.file.has_tensor(&bias);
                layers.push(Found { name: layer, inputs, outputs, bias });
            } else if let Some(layer) = of("bias") {
                let weight = format!("{layer}weight");
                if !self.file.has_tensor(&weight) {
                    return Err(refuse(&format!("{weight} beside it")));
                }
            } else {
                return Err(refuse("a `weight` or a `bias` of a linear layer"));
            }
        }
        if layers.is_empty() {
            return Err(self.file.refuse("no tensors: expected those of linear layers".to_owned()));
        }
        layers.iter().try_for_each(|layer| self.shapes(layer))?;
        Ok(layers)
    }

    /// Whether the layer's weight and bias have its shapes. A bias says which way
    /// the weights of a layer are stored that is not square.
    fn shapes(&self, layer: &Found) -> Result<(), Error> {
        let Found { name, inputs, outputs, bias } = layer;
        self.file.find(&format!("{name}weight"), &[*outputs, *inputs], &KINDS)?;
        if *bias {
            self.file.find(&format!("{name}bias"), &[*outputs], &KINDS)?;
        }
        Ok(())
    }

    /// The layers in the order of `names`, which have to be theirs.
    fn named(&self, mut found: Vec<Found>, names: &[String]) -> Result<Vec<Found>, Error> {
        let mut layers = Vec::with_capacity(found.len());
        for name in names {
            let is = |layer: &Found| layer.name.trim_end_matches('.') == name;
            let Some(at) = found.iter().position(is) else {
                return Err(self.file.refuse(format!("no tensor {name}.weight: expected one")));
            };
            layers.push(found.swap_remove(at));
        }
        match found.first() {
            None => Ok(layers),
            Some(Found { name, .. }) => {
                let expected = list(names);
                Err(self
                    .file
                    .refuse(format!("{name}weight: expected only layers named {expected}")))
            }
        }
    }

    /// The network, with the parameters of these layers.
    fn network(
        self,
        found: &[Found],
        scaling: Scaling,
        builder: impl FnOnce() -> MlpBuilder,
    ) -> Result<Mlp, Error> {
        let file = self.file;
        let inputs = found.first().map(|layer| layer.inputs);
        let widths: Vec<_> =
            inputs.into_iter().chain(found.iter().map(|layer| layer.outputs)).collect();
        room::check(&widths, file.size()).map_err(|reason| file.refuse(reason))?;
        let mut mlp = builder().build_zeroed()?;
        let keeps = mlp.keeps();
        let mut tensors = Vec::with_capacity(2 * found.len());
        for ((layer, keep), Found { name, inputs, outputs, bias: has_bias }) in
            mlp.layers.iter_mut().zip(keeps).zip(found)
        {
            let [weight, bias] = ["weight", "bias"].map(|what| format!("{name}{what}"));
            let weights =
                Tensor::new(weight, vec![*outputs, *inputs], To::Weights(&mut layer.weights));
            tensors.push(weights.times(scaling.to_inverted(keep)));
            if *has_bias {
                let to = To::Values(&mut layer.bias[..*outputs]);
                tensors.push(Tensor::new(bias, vec![*outputs], to));
            }
        }
        // One that another program wrote from it has none.
        file.load(tensors, &KINDS, Verify::WherePresent)?;
        Ok(mlp)
    }
}
