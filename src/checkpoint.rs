//! Model files: safetensors in and out.
//!
//! Parameters are named and shaped as PyTorch's `nn.Linear` has them:
//! `layers.0.weight` `[outputs, inputs]`, `layers.0.bias`, and so on, f32,
//! little-endian. The architecture stands in one metadata key, `thinnet`, as
//! one JSON string with sorted keys, so that the same model gives the same
//! bytes.
#![forbid(unsafe_code)]

use std::{
    collections::HashMap,
    fs::File,
    io::{Read, Write},
    path::Path,
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    mask,
    nn::{Activation, Loss, Mlp, little_endian},
    rate::Keep,
};

/// The number of this file format.
pub const FORMAT: u32 = 1;

/// The largest file that is read: 16 GiB.
pub const MOST_BYTES: u64 = 1 << 34;

/// The metadata key.
const KEY: &str = "thinnet";

/// What the metadata says; the fields stand in the order of their names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Architecture {
    format: u32,
    hidden: Vec<Hidden>,
    input_keep_k: Keep,
    inputs: usize,
    loss: Loss,
    mask_format: u32,
    outputs: usize,
    scaling: Scaling,
    sparse_input: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hidden {
    activation: Activation,
    keep_k: Keep,
    width: usize,
}

/// Which form the weights are in.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Scaling {
    Inverted,
}

impl Mlp {
    /// The model file's bytes.
    ///
    /// # Errors
    /// Parameters that are NaN or infinite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let widths = self.widths();
        let hidden = self.layers[..self.depth() - 1]
            .iter()
            .map(|layer| Hidden {
                activation: layer.activation,
                keep_k: layer.keep,
                width: layer.weights.outputs(),
            })
            .collect();
        let architecture = Architecture {
            format: FORMAT,
            hidden,
            input_keep_k: self.input_keep,
            inputs: self.inputs(),
            loss: self.loss,
            mask_format: mask::FORMAT,
            outputs: self.outputs(),
            scaling: Scaling::Inverted,
            sparse_input: self.sparse_input,
        };
        let mut tensors = Vec::new();
        for (name, layer, is_bias) in self.names() {
            let (outputs, inputs) = (widths[layer + 1], widths[layer]);
            let (values, shape) = if is_bias {
                (self.bias(layer)?.to_vec(), vec![outputs])
            } else {
                (self.weights(layer)?, vec![outputs, inputs])
            };
            if values.iter().any(|x| !x.is_finite()) {
                return Err(Error::setting("parameters", name, "finite numbers to be saved"));
            }
            tensors.push((name, shape, little_endian(&values)));
        }
        let unwritable = |reason: String| Error::Setting {
            name: "model",
            value: reason,
            expected: "a model that safetensors can hold",
        };
        let json = serde_json::to_string(&architecture).map_err(|e| unwritable(e.to_string()))?;
        let views = tensors
            .iter()
            .map(|(name, shape, bytes)| {
                Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes)?))
            })
            .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
        let metadata = HashMap::from([(KEY.to_owned(), json)]);
        views
            .and_then(|views| safetensors::serialize(views, Some(metadata)))
            .map_err(|e| unwritable(e.to_string()))
    }

    /// A model from a file's bytes; `path` names them in errors.
    ///
    /// # Errors
    /// Bytes that are no model file of this version, or whose tensors do not
    /// fit the architecture that they state.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Format { path: path.to_owned(), reason };
        let not_safetensors =
            |e: safetensors::SafeTensorError| refuse(format!("not a safetensors file: {e}"));
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let json = metadata.metadata().as_ref().and_then(|map| map.get(KEY)).ok_or_else(|| {
            refuse(format!("no metadata key `{KEY}`: expected a model that thinnet saved"))
        })?;
        let architecture: Architecture =
            serde_json::from_str(json).map_err(|e| refuse(format!("metadata `{KEY}`: {e}")))?;
        for (what, got, expected) in [
            ("format", architecture.format, FORMAT),
            ("mask format", architecture.mask_format, mask::FORMAT),
        ] {
            if got != expected {
                return Err(refuse(format!("{what} {got}: expected {expected}")));
            }
        }
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        // Sizes are held against the file's tensors before anything is made.
        let mut widths = vec![architecture.inputs];
        widths.extend(architecture.hidden.iter().map(|hidden| hidden.width));
        widths.push(architecture.outputs);
        let layers = widths.len() - 1;
        if tensors.len() != 2 * layers {
            return Err(refuse(format!("{} tensors: expected {}", tensors.len(), 2 * layers)));
        }
        let mut parameters = Vec::with_capacity(layers);
        for layer in 0..layers {
            let read = |name: String, shape: &[usize]| -> Result<Vec<f32>, Error> {
                let tensor = tensors.tensor(&name).map_err(|e| refuse(format!("{name}: {e}")))?;
                if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
                    let (dtype, got) = (tensor.dtype(), tensor.shape());
                    return Err(refuse(format!(
                        "{name} is {dtype:?} {got:?}: expected F32 {shape:?}"
                    )));
                }
                let (words, _) = tensor.data().as_chunks::<4>();
                let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
                match values.iter().position(|x| !x.is_finite()) {
                    None => Ok(values),
                    Some(i) => {
                        Err(refuse(format!("{name} holds {}: expected finite numbers", values[i])))
                    }
                }
            };
            let (inputs, outputs) = (widths[layer], widths[layer + 1]);
            parameters.push((
                read(format!("layers.{layer}.weight"), &[outputs, inputs])?,
                read(format!("layers.{layer}.bias"), &[outputs])?,
            ));
        }
        let mut builder = Self::builder(architecture.inputs)
            .input_keep(architecture.input_keep_k)
            .output(architecture.outputs, architecture.loss);
        if architecture.sparse_input {
            builder = builder.sparse_input();
        }
        for hidden in &architecture.hidden {
            builder = builder.hidden(hidden.width, hidden.activation, hidden.keep_k);
        }
        let mut mlp = builder.build_zeroed()?;
        for (layer, (weights, bias)) in parameters.iter().enumerate() {
            mlp.set_weights(layer, weights)?;
            mlp.set_bias(layer, bias)?;
        }
        Ok(mlp)
    }

    /// Saves the model. The file appears whole or not at all: it is written
    /// beside its place, flushed to the disk, and renamed.
    ///
    /// # Errors
    /// Parameters that are not finite, or what the system says.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        write_atomically(path, &self.to_bytes()?)
    }

    /// Loads a model that [`Self::save`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`MOST_BYTES`], or as
    /// [`Self::from_bytes`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MOST_BYTES {
            let reason = format!("larger than {MOST_BYTES} bytes");
            return Err(Error::Format { path: path.to_owned(), reason });
        }
        Self::from_bytes(&bytes, path)
    }
}

/// Writes a file so that it is there whole or not at all, and stays there after
/// a power cut.
///
/// # Errors
/// What the system says; a file that stood there stays as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let io = |source| Error::Io { path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".thinnet-");
    // Readable as any new file, not by its owner alone; the umask applies.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|e| io(e.error))?;
    // The rename itself; systems that cannot open a folder have no need of it.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}
