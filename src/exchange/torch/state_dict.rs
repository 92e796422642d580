//! A state dict on its way to a network.

use std::{borrow::Cow, fmt, path::Path};

use super::{
    export::KEY,
    sequential::Sequential,
    spec::{Layers, default_loss},
};
use crate::{
    abridged::Few,
    checkpoint::{Architecture, FloatType, MODEL_KEY, ReadInto, Reader, Tensor, Verify, Versions},
    error::Error,
    exchange::{
        order::{self, Found, list},
        room,
    },
    nn::{Mlp, MlpBuilder, Scaling},
};

/// The kinds of numbers that networks are kept in.
const FLOAT_TYPES: [FloatType; 3] = [FloatType::F32, FloatType::F16, FloatType::Bf16];

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

/// A state dict, in f32, f16 or bfloat16. Its header has been read; its tensors have not, and
/// go straight to the network's memory.
///
/// ```
/// use thinnet::{Keep, exchange::torch::{self, StateDict}, nn::{Activation, Loss, Mlp, Scaling}};
///
/// let mlp = Mlp::builder(4).hidden(8, Activation::Relu, Keep::HALF);
/// let mlp = mlp.output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let bytes = torch::to_bytes(&mlp, Scaling::Paper)?;
///
/// let state_dict = StateDict::from_bytes(&bytes)?;
/// assert_eq!(state_dict.tensors()[1].name, "0.weight");
/// assert_eq!(state_dict.tensors()[1].shape, [8, 4]);
/// assert_eq!(state_dict.scaling()?, Some(Scaling::Paper));
/// assert_eq!(state_dict.network(None)?, mlp);
/// # Ok::<(), thinnet::Error>(())
/// ```
pub struct StateDict<'a> {
    file: Reader<'a>,
}

impl fmt::Debug for StateDict<'_> {
    /// The first few of its tensors.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateDict")
            .field("path", &self.file.path())
            .field("tensors", &Few(self.tensors().iter()))
            .finish()
    }
}

impl StateDict<'static> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`MAX_BYTES`](crate::files::MAX_BYTES), or is
    /// no safetensors file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self { file: Reader::open(path.as_ref())? })
    }
}

impl<'a> StateDict<'a> {
    /// As [`Self::read`], of a file's bytes.
    ///
    /// # Errors
    /// Bytes that are no safetensors file.
    pub fn from_bytes(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Error> {
        Ok(Self { file: Reader::of_bytes(bytes)? })
    }

    /// The tensors, in the order of their names.
    pub fn tensors(&self) -> Vec<TensorInfo> {
        let tensors = self.file.tensors().map(|(name, dtype, shape)| TensorInfo {
            name: name.to_owned(),
            dtype: format!("{dtype:?}"),
            shape: shape.to_owned(),
        });
        tensors.collect()
    }

    /// The size of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.file.size() as u64
    }

    /// The form of the weights, where the file says it: one that [`to_bytes`](super::to_bytes)
    /// wrote does.
    ///
    /// # Errors
    /// Metadata of another version.
    pub fn scaling(&self) -> Result<Option<Scaling>, Error> {
        if !self.file.has(KEY) {
            return Ok(None);
        }
        self.architecture().map(|architecture| Some(architecture.scaling()))
    }

    /// The network with this state dict, of which the tensors are read now. A layer is
    /// `NAME.weight` `[outputs, inputs]` and `NAME.bias` `[outputs]`, which may be missing
    /// (`nn.Linear(..., bias=False)`). What [`to_bytes`](super::to_bytes) wrote needs no
    /// `layers`; where they are given, they count.
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
    /// # Errors
    /// Tensors that are not those of such layers, do not fit on each other, leave more than
    /// one order, or hold what is not finite; no `layers` and no metadata of ours; metadata
    /// with a digest that the bytes do not have (a program that changes what
    /// [`to_bytes`](super::to_bytes) wrote has to leave the metadata key `thinnet.digest`
    /// out); a file that cannot be read to its end; more memory than can be allocated.
    pub fn network(self, layers: Option<&Layers>) -> Result<Mlp, Error> {
        if let Some(layers) = layers {
            return self.described(layers);
        }
        if !self.file.has(KEY) {
            return Err(self.file.refuse(if self.file.has(MODEL_KEY) {
                "a model that thinnet saved: expected a state dict of PyTorch".to_owned()
            } else {
                format!(
                    "no metadata key `{KEY}`: expected a description of the layers too \
                     (their activations, keep rates and loss)"
                )
            }));
        }
        self.described_by_itself()
    }

    /// The network of what thinnet wrote.
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
        self.load(&found, architecture.scaling(), || architecture.builder())
    }

    /// What the metadata says of what thinnet wrote.
    fn architecture(&self) -> Result<Architecture, Error> {
        let expected = "what thinnet wrote for PyTorch";
        self.file.metadata::<Versions>(KEY, expected)?.check(|reason| self.file.refuse(reason))?;
        self.file.metadata(KEY, expected)
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
                "{got} linear layers ({names}): expected {}, for the {hidden} hidden layers \
                 described and the output layer",
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
                return Err(file.refuse(format!(
                    "the file states scaling `{said}`: expected `{given}`, as given"
                )));
            }
            (given, said) => given.or(said).unwrap_or_default(),
        };
        let outputs = found[hidden].outputs;
        let loss = layers.loss.unwrap_or_else(|| default_loss(outputs));
        loss.check_outputs(outputs).map_err(|error| file.refuse(error.to_string()))?;
        self.load(&found, scaling, || {
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
                    return Err(refuse(&format!("{weight} too")));
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
        self.file.find(&format!("{name}weight"), &[*outputs, *inputs], &FLOAT_TYPES)?;
        if *bias {
            self.file.find(&format!("{name}bias"), &[*outputs], &FLOAT_TYPES)?;
        }
        Ok(())
    }

    /// The layers in the order of `names`, which have to be theirs.
    fn named(&self, mut found: Vec<Found>, names: &[String]) -> Result<Vec<Found>, Error> {
        let mut layers = Vec::with_capacity(found.len());
        for name in names {
            let is = |layer: &Found| layer.name.trim_end_matches('.') == name;
            let Some(at) = found.iter().position(is) else {
                return Err(self
                    .file
                    .refuse(format!("no tensor {name}.weight, though `names` lists {name}")));
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
    fn load(
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
                Tensor::new(weight, vec![*outputs, *inputs], ReadInto::Weights(&mut layer.weights));
            tensors.push(weights.times(scaling.to_inverted(keep)));
            if *has_bias {
                let to = ReadInto::Values(&mut layer.bias[..*outputs]);
                tensors.push(Tensor::new(bias, vec![*outputs], to));
            }
        }
        // One that another program wrote from it has none.
        file.load(tensors, &FLOAT_TYPES, Verify::WherePresent)?;
        Ok(mlp)
    }
}
