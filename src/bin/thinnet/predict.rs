//! `thinnet predict`: what a saved network takes each row for.

use std::fmt::Write;

use serde::Serialize;
use thinnet::{
    data::{Batch, Dataset},
    predict::Predictor,
    tensor::MatrixView,
};

use crate::{console, machine::Machine, model::ModelAndData, numbers, recipe};

/// What stands below the help.
const EXAMPLES: &str = "\
Examples:
  thinnet predict --model digits.safetensors --limit 10
  thinnet predict --model mnist.safetensors --data mnist --json > predictions.jsonl
  The rows that it gets wrong:
    thinnet predict --model digits.safetensors | awk '$2 != $3'

Each line holds a row's number (from 0), its label, the class that the network takes it for, and
the probability that it gives to that class, separated by tabs; or a JSON object of these.";

/// The arguments of `thinnet predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    asked: ModelAndData,
    /// The first N rows [default: all]
    #[arg(long, value_name = "N", value_parser = numbers::count, allow_negative_numbers = true)]
    limit: Option<usize>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Machine")]
    machine: Machine,
}

/// A line of what is printed.
#[derive(Debug, Serialize)]
struct Prediction {
    row: u32,
    label: u32,
    class: usize,
    probability: f32,
}

/// Runs `thinnet predict`.
///
/// # Errors
/// A file that cannot be read, or a network that is not for such data.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let (mlp, test) = arguments.asked.read()?;
    let predictor = Predictor::new(mlp).with_isa(machine.isa)?;
    let rows = test.rows().min(arguments.limit.unwrap_or(usize::MAX));
    let most_rows = recipe::EVALUATION_BATCH.min(rows);
    let mut workspace = predictor.workspace(most_rows)?;
    let order: Vec<u32> = (0..rows as u32).collect();
    machine.pool()?.install(|| {
        for chosen in order.chunks(most_rows) {
            let batch = Batch::gather(test.inputs(), chosen)?;
            let probabilities = predictor.predict(&batch, &mut workspace)?;
            console::results(&lines(chosen, &test, probabilities, arguments.json)?)?;
        }
        Ok(())
    })
}

/// A line for each of these rows.
fn lines(
    chosen: &[u32],
    data: &Dataset,
    probabilities: MatrixView<'_>,
    json: bool,
) -> anyhow::Result<String> {
    let mut text = String::new();
    for (index, &row) in chosen.iter().enumerate() {
        let p = probabilities.row(index)?;
        anyhow::ensure!(
            p.iter().all(|p| p.is_finite()),
            "row {row}: the network's output is NaN or infinite, expected probabilities"
        );
        let class = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
        let label = data.labels()[row as usize];
        let line = Prediction { row, label, class, probability: p[class] };
        // Writing to a string cannot fail.
        let _ = if json {
            writeln!(text, "{}", serde_json::to_string(&line)?)
        } else {
            writeln!(text, "{row}\t{label}\t{class}\t{:.6}", line.probability)
        };
    }
    Ok(text)
}
