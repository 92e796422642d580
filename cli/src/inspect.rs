//! `thinnet inspect` shows the contents of a model file, a checkpoint, a state dict or an ONNX graph.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use comfy_table::Table;
use serde::Serialize;
use thinnet::{
    Error, Noise,
    checkpoint::{self, Contents, TrainingState},
    exchange::{FileKind, torch::TensorInfo},
    mask,
    metrics::Metric,
    nn::{Mlp, Scaling},
    train::{Epoch, LearningRate, SavedFit, describe_setting},
};

use crate::{
    console,
    given::{self, Given, scaled},
    inputs,
    nodes::{Nodes, Refused},
    notes::Notes,
    outputs,
    progress::percent,
    report::StoredKeep,
    table,
    train::{HELD_OUT, NONE, VALIDATION},
};

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet inspect digits.safetensors
  thinnet inspect run.ckpt --json
  thinnet inspect network.onnx
  thinnet inspect digits.safetensors --notes > run.toml && thinnet train --config run.toml

If a state dict does not describe its network, its tensors are listed. For an ONNX graph, the role of
each node in the network is listed. If the graph is refused, the node that caused it is marked and the
exit code is 1.
`formats` are the versions of the file format and of the generator of the dropout masks.
The digest is the SHA-256 of the parameters, as little-endian f32 in the order of their names.";

/// The arguments of `thinnet inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A model (`thinnet train --out`), a checkpoint (`thinnet train --checkpoint`), a PyTorch
    /// state dict in safetensors, or an ONNX graph
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print only the notes of the network. Those of a network that `thinnet train` saved are the settings
    /// of the run, in the form of --config
    #[arg(long, conflicts_with = "json")]
    notes: bool,
}

/// The contents of a file as `--json` prints them.
#[derive(Debug, Serialize)]
struct Inspection {
    kind: &'static str,
    bytes: u64,
    /// The format of the file, if it is one of thinnet's own.
    format: Option<u32>,
    mask_format: Option<u32>,
    inputs: usize,
    outputs: usize,
    sparse_input: bool,
    /// Whether the weights in the file have 8 bits.
    integer_weights: bool,
    /// The form of the weights in the file, if either form is possible.
    scaling: Option<Scaling>,
    /// `None` if an ONNX graph does not state it.
    loss: Option<String>,
    /// By which the logits are divided: 1 if none was set.
    temperature: f32,
    /// Of two classes: the probability of class 1 above which it is the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    /// The notes of the network.
    #[serde(skip_serializing_if = "String::is_empty")]
    notes: String,
    layers: Vec<Layer>,
    parameters: usize,
    digest: String,
    training: Option<Training>,
    /// The nodes of an ONNX graph.
    #[serde(flatten)]
    nodes: Option<Nodes>,
}

/// A layer with weights.
#[derive(Debug, Serialize)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// `None` in the output layer, whose activation follows from the loss.
    activation: Option<String>,
    /// The keep rate of its inputs: 1 if none is dropped.
    keep: StoredKeep,
    /// The noise on its inputs.
    noise: Noise,
    parameters: usize,
}

/// The tensors of a state dict that does not describe its network, as `--json` prints them.
#[derive(Debug, Serialize)]
struct Tensors {
    kind: &'static str,
    bytes: u64,
    tensors: Vec<Tensor>,
}

/// A tensor.
#[derive(Debug, Serialize)]
struct Tensor {
    name: String,
    dtype: String,
    shape: Vec<usize>,
}

/// The training state in a checkpoint.
#[derive(Debug, Serialize)]
struct Training {
    step: u64,
    optimiser: String,
    /// The learning rate in force, if it is not that of the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<LearningRate>,
    settings: BTreeMap<String, String>,
    /// The notes as JSON if they are JSON, otherwise as a string.
    notes: serde_json::Value,
}

/// Runs `thinnet inspect`.
///
/// # Errors
/// A file cannot be read or is none of these; or an ONNX graph cannot be converted to a network, in
/// which case its nodes are printed first.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = &arguments.file;
    let [] = outputs::open(&[("FILE", file.clone())], [])?;
    let given = Given::open(file).map_err(|error| {
        inputs::explain(&[(format!("FILE {}", file.display()), file, given::EXPECTED)], error)
    })?;
    let bytes = given.size();
    let mut scaling = None;
    let mut says_loss = true;
    let mut integer_weights = false;
    let mut nodes = None;
    let without_notes = || anyhow::anyhow!("FILE {}: no notes of a network", file.display());
    let (kind, network, training) = match given.kind() {
        FileKind::Onnx => {
            let import = given.graph(None)?;
            let report = Nodes::from(import.report);
            let network = match import.network {
                Ok(network) => network,
                Err(error) if arguments.notes => return Err(error.into()),
                Err(error) => {
                    refused(bytes, report, &error, arguments.json)?;
                    return Err(error.into());
                }
            };
            nodes = Some(report);
            says_loss = import.loss.is_some();
            ("ONNX graph", network, None)
        }
        FileKind::DescribedStateDict => {
            scaling = given.scaling()?;
            ("state dict", given.network(None)?, None)
        }
        FileKind::StateDict if arguments.notes => return Err(without_notes()),
        FileKind::StateDict => {
            let tensors = Tensors::new(bytes, given.tensors()?);
            return console::results(&if arguments.json {
                serde_json::to_string_pretty(&tensors)? + "\n"
            } else {
                tensors.text()
            });
        }
        _ => {
            let Contents { network, integer_weights: integer, training, .. } = given.contents()?;
            integer_weights = integer;
            (if training.is_some() { "checkpoint" } else { "model" }, network, training)
        }
    };
    if arguments.notes {
        return match network.notes() {
            "" => Err(without_notes()),
            notes => console::results(notes),
        };
    }
    let notes = training.as_ref().map(|training| training.notes.clone());
    let mut inspection = Inspection::new(kind, bytes, &network, training);
    inspection.integer_weights = integer_weights;
    inspection.scaling = scaling;
    inspection.loss = inspection.loss.filter(|_| says_loss);
    inspection.nodes = nodes;
    console::results(&if arguments.json {
        serde_json::to_string_pretty(&inspection)? + "\n"
    } else {
        inspection.text(&notes.unwrap_or_default())
    })
}

/// Prints the nodes of a graph that cannot be converted to a network.
fn refused(bytes: u64, nodes: Nodes, error: &Error, json: bool) -> anyhow::Result<()> {
    let kind = "ONNX graph";
    console::results(&if json {
        let refused = Refused { kind, bytes, refused: error.to_string(), nodes };
        serde_json::to_string_pretty(&refused)? + "\n"
    } else {
        format!("{:15}{kind}, {bytes} bytes, refused\n{}", "kind", nodes.text())
    })
}

impl Inspection {
    fn new(kind: &'static str, bytes: u64, mlp: &Mlp, training: Option<TrainingState>) -> Self {
        let widths = mlp.widths();
        let (activations, pieces) = (mlp.activations(), mlp.pieces());
        let pieces_of = |layer: usize| pieces.get(layer).copied().unwrap_or(1);
        let unit = |layer: usize| match pieces_of(layer) {
            1 => activations.get(layer).map(ToString::to_string),
            pieces => Some(format!("maxout({pieces})")),
        };
        let layer = |(index, noise): (usize, Noise)| Layer {
            inputs: widths[index],
            outputs: widths[index + 1],
            activation: unit(index),
            keep: StoredKeep::from(noise.keep()),
            noise,
            parameters: (widths[index] + 1) * widths[index + 1] * pieces_of(index),
        };
        let has_format = kind != "ONNX graph";
        Self {
            kind,
            bytes,
            // Files of thinnet's other format versions are not read.
            format: has_format.then_some(checkpoint::FORMAT),
            mask_format: has_format.then_some(mask::FORMAT),
            inputs: mlp.inputs(),
            outputs: mlp.outputs(),
            sparse_input: mlp.sparse_input(),
            integer_weights: false,
            scaling: None,
            loss: Some(mlp.loss().to_string()),
            temperature: mlp.temperature().get(),
            threshold: mlp.threshold(),
            notes: mlp.notes().to_owned(),
            layers: mlp.noises().into_iter().enumerate().map(layer).collect(),
            parameters: mlp.parameters(),
            digest: mlp.digest(),
            training: training.map(|training| {
                let TrainingState { step, learning_rate, optimiser, settings, notes, .. } =
                    training;
                Training {
                    step,
                    optimiser,
                    learning_rate: (!learning_rate.is_default()).then_some(learning_rate),
                    settings,
                    notes: serde_json::from_str(&notes).unwrap_or(notes.into()),
                }
            }),
            nodes: None,
        }
    }

    /// Returns the text that is printed without `--json`.
    fn text(&self, notes: &str) -> String {
        let widths = self.layers.iter().map(|layer| format!("-{}", layer.outputs));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(text, "{name:15}{value}");
        };
        line("kind", &format_args!("{}, {} bytes", self.kind, self.bytes));
        if let (Some(file), Some(masks)) = (self.format, self.mask_format) {
            line("formats", &format_args!("file {file}, masks {masks}"));
        }
        let sparse = if self.sparse_input { " (sparse input)" } else { "" };
        let widths: String = widths.collect();
        line("network", &format_args!("{}{widths}{sparse}", self.inputs));
        if self.integer_weights {
            line(
                "weights",
                &"8 bits; the digest is that of the products with their scales, in f32",
            );
        }
        if let Some(scaling) = self.scaling {
            let digest = match scaling {
                Scaling::Inverted => "",
                _ => "; the digest is that of the weights scaled for inverted dropout",
            };
            line("weights", &format_args!("{}{digest}", scaled(scaling)));
        }
        let unknown = "not stated (choose one with thinnet convert --loss)";
        line("loss", &self.loss.as_deref().unwrap_or(unknown));
        if self.temperature != 1.0 {
            line("temperature", &self.temperature);
        }
        if let Some(threshold) = self.threshold {
            line("threshold", &format_args!("{threshold:.6}"));
        }
        line("parameters", &self.parameters);
        line("digest", &self.digest);
        if let Some(training) = &self.training {
            line("step", &training.step);
            line("optimiser", &training.optimiser);
            if let Some(rate) = &training.learning_rate {
                line("learning rate", rate);
            }
            // The notes are those of the library's loop, and of `thinnet train` in them.
            if let Some(saved) = SavedFit::from_notes(notes) {
                let epochs = saved.history.epochs();
                line("epochs done", &epochs.len());
                let error = |done: &Epoch| done.figure(Metric::ErrorRate);
                let own =
                    Notes::parse(&saved.notes, [self.layers.len(), epochs.len()], "".as_ref());
                if let (Ok(_), Some(error)) = (own, epochs.iter().rev().find_map(error)) {
                    let held_out = training.settings.get(HELD_OUT).is_some_and(|rows| rows != NONE);
                    if training.settings.contains_key(VALIDATION) {
                        line("validation", &format_args!("{} wrong", percent(error)));
                    } else {
                        let name = if held_out { "held-out error" } else { "test error" };
                        line(name, &percent(error));
                    }
                }
                if let Some(best) = saved.best_epoch {
                    line("best epoch", &best);
                }
            }
            for (name, value) in &training.settings {
                line("setting", &format_args!("{name}: {}", describe_setting(name, value)));
            }
        }
        let _ = writeln!(text, "{}", self.table());
        if let Some(nodes) = &self.nodes {
            text += &nodes.text();
        }
        if !self.notes.is_empty() {
            text += &format!("\nnotes\n{}\n", printable(self.notes.trim_end()));
        }
        text
    }

    /// Returns a table with a row per layer.
    fn table(&self) -> Table {
        let header = ["layer", "inputs", "outputs", "activation", "noise of inputs", "parameters"];
        let mut table = table::new(header, &[3, 4]);
        for (index, layer) in self.layers.iter().enumerate() {
            table.add_row([
                index.to_string(),
                layer.inputs.to_string(),
                layer.outputs.to_string(),
                layer.activation.clone().unwrap_or_else(|| "none".to_owned()),
                match layer.noise {
                    Noise::None | Noise::Bernoulli(_) => {
                        format!("keep {:.6} ({}/65536)", layer.keep.rate, layer.keep.k)
                    }
                    other => other.to_string(),
                },
                layer.parameters.to_string(),
            ]);
        }
        table
    }
}

/// Returns text with its control characters, which could change a terminal, as escape sequences.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '\n' => shown.push(character),
            _ if character.is_control() => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

impl Tensors {
    fn new(bytes: u64, tensors: Vec<TensorInfo>) -> Self {
        let tensor = |TensorInfo { name, dtype, shape, .. }| Tensor { name, dtype, shape };
        let tensors = tensors.into_iter().map(tensor).collect();
        Self { kind: "tensors", bytes, tensors }
    }

    /// Returns the text that is printed without `--json`.
    fn text(&self) -> String {
        let mut table = table::new(["tensor", "type", "shape"], &[0, 1, 2]);
        for Tensor { name, dtype, shape } in &self.tensors {
            table.add_row([name.clone(), dtype.clone(), format!("{shape:?}")]);
        }
        format!(
            "kind           tensors, {} bytes (thinnet convert --architecture converts them to a \
             model)\n{table}\n",
            self.bytes
        )
    }
}
