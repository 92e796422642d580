//! `thinnet inspect`: what a model file or a checkpoint holds.

use std::{collections::BTreeMap, fmt::Write, path::PathBuf};

use comfy_table::Table;
use serde::Serialize;
use thinnet::{
    Keep,
    checkpoint::{self, Contents, TrainingState},
    mask,
    nn::{Activation, Mlp},
};

use crate::{console, course::Course, progress::percent, report::StoredKeep, table};

/// What stands below the help.
const EXAMPLES: &str = "\
Examples:
  thinnet inspect digits.safetensors
  thinnet inspect run.ckpt --json

The digest is SHA-256 over the parameters as little-endian f32 in the order of their names.";

/// The arguments of `thinnet inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A model (`thinnet train --out`) or a checkpoint (`thinnet train --checkpoint`)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Inspection {
    kind: &'static str,
    bytes: u64,
    format: u32,
    mask_format: u32,
    inputs: usize,
    outputs: usize,
    sparse_input: bool,
    loss: &'static str,
    layers: Vec<Layer>,
    parameters: usize,
    digest: String,
    training: Option<Training>,
}

/// A layer with weights.
#[derive(Debug, Serialize)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// `None` in the output layer, which has the loss.
    activation: Option<&'static str>,
    /// Of its inputs.
    keep: StoredKeep,
    parameters: usize,
}

/// Where the training of a checkpoint stands.
#[derive(Debug, Serialize)]
struct Training {
    step: u64,
    settings: BTreeMap<String, String>,
    /// As JSON where it is that, else as the text that it is.
    notes: serde_json::Value,
}

/// Runs `thinnet inspect`.
///
/// # Errors
/// A file that cannot be read, or is neither.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let contents = Contents::read(&arguments.file)?;
    let bytes = std::fs::metadata(&arguments.file)?.len();
    let notes = contents.training.as_ref().map(|training| training.notes.clone());
    let inspection = Inspection::new(bytes, &contents.network, contents.training);
    console::results(&if arguments.json {
        serde_json::to_string_pretty(&inspection)? + "\n"
    } else {
        inspection.text(&notes.unwrap_or_default())
    })
}

impl Inspection {
    fn new(bytes: u64, mlp: &Mlp, training: Option<TrainingState>) -> Self {
        let widths = mlp.widths();
        let activations = mlp.activations();
        let layer = |(index, keep): (usize, Keep)| Layer {
            inputs: widths[index],
            outputs: widths[index + 1],
            activation: activations.get(index).copied().map(Activation::name),
            keep: StoredKeep::from(keep),
            parameters: (widths[index] + 1) * widths[index + 1],
        };
        Self {
            kind: if training.is_some() { "checkpoint" } else { "model" },
            bytes,
            // Files of other formats are not read.
            format: checkpoint::FORMAT,
            mask_format: mask::FORMAT,
            inputs: mlp.inputs(),
            outputs: mlp.outputs(),
            sparse_input: mlp.sparse_input(),
            loss: mlp.loss().name(),
            layers: mlp.keeps().into_iter().enumerate().map(layer).collect(),
            parameters: mlp.parameters(),
            digest: mlp.digest(),
            training: training.map(|TrainingState { step, settings, notes, .. }| Training {
                step,
                settings,
                notes: serde_json::from_str(&notes).unwrap_or(notes.into()),
            }),
        }
    }

    /// What is printed without `--json`.
    fn text(&self, notes: &str) -> String {
        let widths = self.layers.iter().map(|layer| format!("-{}", layer.outputs));
        let mut text = String::new();
        // Writing to a string cannot fail.
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(text, "{name:15}{value}");
        };
        line("kind", &format_args!("{}, {} bytes", self.kind, self.bytes));
        line("formats", &format_args!("file {}, masks {}", self.format, self.mask_format));
        let sparse = if self.sparse_input { " (sparse input)" } else { "" };
        let widths: String = widths.collect();
        line("network", &format_args!("{}{widths}{sparse}", self.inputs));
        line("loss", &self.loss);
        line("parameters", &self.parameters);
        line("digest", &self.digest);
        if let Some(training) = &self.training {
            line("step", &training.step);
            // What `thinnet train` writes there.
            if let Ok(course) = Course::from_notes(notes, self.layers.len(), "".as_ref()) {
                line("epochs done", &course.curves.len());
                if let Some(error) = course.curves.iter().rev().find_map(|done| done.test_error) {
                    line("test error", &percent(error));
                }
            }
            for (name, value) in &training.settings {
                line("setting", &format_args!("{name}: {value}"));
            }
        }
        let _ = writeln!(text, "{}", self.table());
        text
    }

    /// The layers, a row each.
    fn table(&self) -> Table {
        let header =
            ["layer", "inputs", "outputs", "activation", "keep rate of inputs", "parameters"];
        let mut table = table::new(header, &[3, 4]);
        for (index, layer) in self.layers.iter().enumerate() {
            table.add_row([
                index.to_string(),
                layer.inputs.to_string(),
                layer.outputs.to_string(),
                layer.activation.unwrap_or("none").to_owned(),
                format!("{:.6} ({}/65536)", layer.keep.rate, layer.keep.k),
                layer.parameters.to_string(),
            ]);
        }
        table
    }
}
