//! Reads a state dict as a network.

use std::{borrow::Cow, fmt, path::Path};

use super::{
    export::KEY,
    sequential::Sequential,
    state_dict_spec::{StateDictSpec, default_loss},
};
use crate::{
    abridged::Few,
    checkpoint::{
        Architecture, ElementType, FloatType, INTEGER_KEY, MODEL_KEY, ReadInto, Reader, Tensor,
        Verify, Versions,
    },
    error::Error,
    exchange::{
        order::{self, Found, list},
        room,
    },
    nn::{Mlp, MlpBuilder, Scaling},
};

/// The kinds of numbers that are read.
const FLOAT_TYPES: [ElementType; 3] =
    [ElementType::F32, ElementType::Float(FloatType::F16), ElementType::Float(FloatType::Bf16)];

/// The name, the kind of element (such as `F32`) and the shape of a tensor in a file.
///
/// ```
/// use thinnet::{exchange::torch::{self, StateDict}, nn::{Loss, Mlp, Scaling}};
///
/// let mlp = Mlp::builder(4).output(2, Loss::SoftmaxCrossEntropy).build()?;
/// let bytes = torch::to_bytes(&mlp, Scaling::Inverted)?;
/// let tensors = StateDict::from_bytes(&bytes)?.tensors();
/// let weight = &tensors[1];
/// assert_eq!((&weight.name[..], &weight.dtype[..]), ("0.weight", "F32"));
/// assert_eq!(weight.shape, [2, 4]);
/// # Ok::<(), thinnet::Error>(())
/// ```
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

/// A state dict in f32, f16 or bfloat16. Its header has been read. Its tensors are read
/// straight into the memory of the network.
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
    /// not a safetensors file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self { file: Reader::open(path.as_ref())? })
    }
}

impl<'a> StateDict<'a> {
    /// Reads the header of a file in memory.
    ///
    /// # Errors
    /// The bytes are not a safetensors file.
    pub fn from_bytes(bytes: impl Into<Cow<'a, [u8]>>) -> Result<Self, Error> {
        Ok(Self { file: Reader::of_bytes(bytes)? })
    }

    /// The tensors in the order of their names.
    pub fn tensors(&self) -> Vec<TensorInfo> {
        let tensors = self.file.tensors().map(|(name, dtype, shape)| TensorInfo {
            name: name.to_owned(),
            dtype: format!("{dtype:?}"),
            shape: shape.to_owned(),
        });
        tensors.collect()
    }

    /// The size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.file.size() as u64
    }

    /// The form of the weights, if the file states it. Files that
    /// [`to_bytes`](super::to_bytes) writes do.
    ///
    /// # Errors
    /// The metadata is of another version.
    pub fn scaling(&self) -> Result<Option<Scaling>, Error> {
        if !self.file.has(KEY) {
            return Ok(None);
        }
        self.architecture().map(|architecture| Some(architecture.scaling()))
    }

    /// Reads the tensors and makes the network. A layer is `NAME.weight` `[outputs, inputs]` and
    /// `NAME.bias` `[outputs]`, which may be missing (`nn.Linear(..., bias=False)`). Files that
    /// [`to_bytes`](super::to_bytes) writes need no `spec`; if one is given, it overrides the
    /// metadata.
    ///
    /// # Order
    /// Without [`StateDictSpec::names`] the layers are sorted so that each has as many inputs as
    /// the one before has outputs, and that numbers ascend among names that differ only in their
    /// numbers (`fc1`, `fc2`; `layers.0.linear`, `layers.1.linear`). There must be only one such
    /// order. Weights that another program stored as `[inputs, outputs]` look like the reversed
    /// network. So the transposed weights must have no such order either, unless there is only
    /// one layer, or all layers are square, or a layer that is not square has a bias. A
    /// transposed file with one layer, or with only square ones, cannot be recognised. `names`
    /// resolves all other cases.
    ///
    /// # Errors
    /// The tensors are not those of such layers, do not fit together, allow more than one order,
    /// or hold NaN or infinity. There is neither a `spec` nor metadata by thinnet. The digest in
    /// the metadata is not that of the tensors (a program that changes a file by
    /// [`to_bytes`](super::to_bytes) has to remove the metadata key `thinnet.digest`). The file
    /// cannot be read to its end. The network needs more memory than can be allocated.
    pub fn network(self, spec: Option<&StateDictSpec>) -> Result<Mlp, Error> {
        if let Some(spec) = spec {
            return self.described(spec);
        }
        if !self.file.has(KEY) {
            let is_model = [MODEL_KEY, INTEGER_KEY].into_iter().any(|key| self.file.has(key));
            return Err(self.file.refuse(if is_model {
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

    /// The network of a file that thinnet wrote.
    fn described_by_itself(self) -> Result<Mlp, Error> {
        let file = &self.file;
        let architecture = self.architecture()?;
        file.check_count(2 * architecture.depth())?;
        architecture
            .check_no_temperature(file, "the parameters of a state dict include the temperature")?;
        let sequential = Sequential::new(
            &architecture.widths(),
            &architecture.keeps(),
            &architecture.activations(),
            &architecture.pieces(),
        );
        let layers = architecture.shapes().into_iter().zip(sequential.names());
        let found: Vec<_> = layers
            .map(|([outputs, inputs], name)| Found { name, inputs, outputs, bias: true })
            .collect();
        found.iter().try_for_each(|layer| self.shapes(layer))?;
        let notes = file.notes()?.to_owned();
        let mut mlp = self.load(&found, architecture.scaling(), || architecture.builder())?;
        mlp.set_threshold(architecture.threshold())?;
        mlp.set_notes(&notes)?;
        Ok(mlp)
    }

    /// The description in the metadata of a file that thinnet wrote.
    fn architecture(&self) -> Result<Architecture, Error> {
        let expected = "what thinnet wrote for PyTorch";
        self.file.metadata::<Versions>(KEY, expected)?.check(|reason| self.file.refuse(reason))?;
        self.file.metadata(KEY, expected)
    }

    /// The network of a state dict with this description.
    fn described(self, spec: &StateDictSpec) -> Result<Mlp, Error> {
        let file = &self.file;
        let mut found = self.linear_layers()?;
        let hidden = spec.hidden.len();
        // Checked before sorting, so that a file cannot make that take long.
        if found.len() != hidden + 1 {
            let names: Vec<_> = found.iter().map(|layer| format!("{}weight", layer.name)).collect();
            let (got, names) = (found.len(), list(&names));
            return Err(file.refuse(format!(
                "{got} linear layers ({names}): expected {}, one for each of the hidden layers in \
                 the description ({hidden}) and one for the output",
                hidden + 1
            )));
        }
        match &spec.names {
            Some(names) => found = self.named(found, names)?,
            None => order::sort(&mut found).map_err(|reason| file.refuse(reason))?,
        }
        order::check(&found).map_err(|reason| file.refuse(reason))?;
        let scaling = match (spec.scaling, self.scaling()?) {
            (Some(given), Some(said)) if given != said => {
                return Err(file.refuse(format!(
                    "the file states scaling `{said}`: expected `{given}`, as given"
                )));
            }
            (given, said) => given.or(said).unwrap_or_default(),
        };
        let outputs = found[hidden].outputs;
        let loss = spec.loss.unwrap_or_else(|| default_loss(outputs));
        loss.check_outputs(outputs).map_err(|error| file.refuse(error.to_string()))?;
        self.load(&found, scaling, || {
            let mut builder = Mlp::builder(found[0].inputs);
            if let Some(keep) = spec.input_keep {
                builder = builder.input_noise(keep);
            }
            if spec.sparse_input {
                builder = builder.sparse_input();
            }
            for (layer, &(activation, keep)) in found.iter().zip(&spec.hidden) {
                builder = builder.hidden(layer.outputs, activation, keep);
            }
            builder.output(outputs, loss)
        })
    }

    /// The layers in the file, whose tensors all belong to linear layers.
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
                return Err(refuse(
                    "a `weight` or a `bias` of a linear layer (networks with other modules, such as \
                     BatchNorm1d, can be imported from ONNX)",
                ));
            }
        }
        if layers.is_empty() {
            return Err(self.file.refuse("no tensors: expected those of linear layers".to_owned()));
        }
        layers.iter().try_for_each(|layer| self.shapes(layer))?;
        Ok(layers)
    }

    /// Checks the shapes of a layer's weight and bias. The bias of a layer that is not square
    /// shows which way its weights are stored.
    fn shapes(&self, layer: &Found) -> Result<(), Error> {
        let Found { name, inputs, outputs, bias } = layer;
        self.file.find(&format!("{name}weight"), &[*outputs, *inputs], &FLOAT_TYPES)?;
        if *bias {
            self.file.find(&format!("{name}bias"), &[*outputs], &FLOAT_TYPES)?;
        }
        Ok(())
    }

    /// The layers in the order of `names`, which must be those of all layers.
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

    /// The network with the parameters of these layers.
    fn load(
        self,
        found: &[Found],
        scaling: Scaling,
        builder: impl FnOnce() -> MlpBuilder,
    ) -> Result<Mlp, Error> {
        let file = self.file;
        let shapes: Vec<_> = found.iter().map(|layer| [layer.outputs, layer.inputs]).collect();
        room::check_shapes(&shapes, file.size()).map_err(|reason| file.refuse(reason))?;
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
        // Files that other programs wrote have no digest.
        file.load(tensors, &FLOAT_TYPES, Verify::WherePresent)?;
        Ok(mlp)
    }
}
