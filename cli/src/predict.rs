//! `thinnet predict` predicts the target of each row of a data set with a saved network.

mod values;

use std::fmt::Write;

use anyhow::Context;
use serde::Serialize;
use thinnet::{
    data::{Batch, OwnedTargets},
    predict::{Estimates, Predictor},
};

use crate::{
    console, loss, machine::Machine, method::MethodArguments, model::ModelAndData, outputs, recipe,
};
use values::Predicted;

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet predict --model digits.safetensors --limit 10
  thinnet predict --model mnist.safetensors --data mnist --json > predictions.jsonl
  thinnet predict --model own.safetensors --data rows.npy
  List the rows that the network gets wrong:
    thinnet predict --model digits.safetensors | awk '$2 != $3'
  List the rows that the thinned networks disagree about most:
    thinnet predict --model digits.safetensors --samples 100 | sort -grk6 | head

If the network has classes, each line has, separated by tabs, the row's number (from 0), its label
(- if there is none), the predicted class and its probability. With --method mc or moments, these
are followed by the entropy of the class probabilities and by the mutual information, which measures
how much the thinned networks disagree (both in nats; one sample has no mutual information, which is
then - or null); with mc, also by the number of samples. The probabilities of all classes come last,
in order of class. With --json, each line is an object with the same values.

For other networks, the first line has the names of the columns: row; target (- if there is none);
mean, the predicted value (for a count, its mean), or bit and probability, that the bit is 1, or the
quantiles by their levels, such as quantile_0.1. With --method mc or moments, model_std is the
standard deviation over the thinned networks. noise_std is that of the target's noise, if the
network states it (gaussian_nll and poisson), and total_std, with mc or moments, that of both
together. For bits, these methods also give entropy and mutual_information, summed over the bits. If
a row has several targets, their columns are numbered from 0. With --json, each line is an object of
these names, with an array for the targets. If --data is a folder, its test set is used. A row whose
prediction is not finite is an error.";

/// The arguments of `thinnet predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    model_and_data: ModelAndData,
    #[command(flatten)]
    method: MethodArguments,
    /// Print one JSON object per row
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Machine")]
    machine: Machine,
}

/// One line of the output.
#[derive(Debug, Serialize)]
struct Prediction {
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<u32>,
    class: usize,
    probability: f32,
    /// `None` with weight scaling, which does not know it.
    #[serde(flatten)]
    uncertainty: Option<Uncertainty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<usize>,
    /// The probability of each class.
    probabilities: Vec<f32>,
}

/// How uncertain a prediction is, in nats.
#[derive(Debug, Serialize)]
struct Uncertainty {
    entropy: Option<f64>,
    /// `None` for a single sample.
    mutual_information: Option<f64>,
}

/// Runs `thinnet predict`.
///
/// # Errors
/// A file cannot be read, or the network does not fit the data.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let method = arguments.method.seeded()?;
    let [] = outputs::open(&arguments.model_and_data.files(), [])?;
    let (model, inputs, targets, rows) = arguments.model_and_data.read_rows()?;
    let predictor = Predictor::from_model(model)?.with_isa(machine.isa)?;
    let max_rows = recipe::EVALUATION_BATCH.min(rows);
    let mut workspace = predictor.workspace(max_rows)?;
    let predicted = Predicted::from(predictor.network());
    let has_classes = loss::has_classes(predictor.network().loss());
    machine.pool()?.install(|| {
        let first = Batch::new(inputs.view().subrows(0..rows)?);
        for batch in first.chunks(max_rows)? {
            let answers = method.answers(&predictor, &batch, &mut workspace)?;
            let (first, targets) = (batch.first_row(), targets.as_ref());
            let answers = (answers, method.has_uncertainty());
            console::results(&if has_classes {
                let labels = targets.map(OwnedTargets::classes).transpose()?;
                lines(first, labels, answers, arguments.json)?
            } else {
                values::lines(first, &predicted, targets, answers, arguments.json)?
            })?;
        }
        Ok(())
    })
}

/// Returns a line for each answer of a network with classes; the first answer is about row `first`.
fn lines(
    first: u64,
    labels: Option<&[u32]>,
    (answers, has_uncertainty): (Estimates<'_>, bool),
    json: bool,
) -> anyhow::Result<String> {
    let mut text = String::new();
    for (row, answer) in (first..).zip(answers) {
        let class = answer.class().context("the outputs of the network are not classes")?;
        let probabilities: Vec<f32> = answer.mean().iter().map(|&p| p as f32).collect();
        let line = Prediction {
            row,
            label: labels.map(|labels| labels[row as usize]),
            class,
            probability: probabilities[class],
            uncertainty: has_uncertainty.then(|| Uncertainty {
                entropy: answer.entropy(),
                mutual_information: answer.mutual_information(),
            }),
            samples: answer.samples(),
            probabilities,
        };
        if json {
            text.push_str(&serde_json::to_string(&line)?);
        } else {
            // Writing to a string cannot fail.
            let Prediction { class, probability, .. } = line;
            let label = line.label.map_or("-".to_owned(), |label| label.to_string());
            let _ = write!(text, "{row}\t{label}\t{class}\t{probability:.6}");
            if let Some(Uncertainty { entropy, mutual_information }) = line.uncertainty {
                for number in [entropy, mutual_information] {
                    let number = number.map_or("-".to_owned(), |number| format!("{number:.6}"));
                    let _ = write!(text, "\t{number}");
                }
            }
            if let Some(samples) = line.samples {
                let _ = write!(text, "\t{samples}");
            }
            for probability in &line.probabilities {
                let _ = write!(text, "\t{probability:.6}");
            }
        }
        text.push('\n');
    }
    Ok(text)
}
