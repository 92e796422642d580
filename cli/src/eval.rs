//! `thinnet eval` measures the error of a saved network on a test set.

use serde::Serialize;
use thinnet::predict::{Predictor, evaluate};

use crate::{
    baseline::Baseline, console, machine::Machine, model::ModelAndData, outputs, progress::percent,
    recipe,
};

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet eval --model digits.safetensors
  thinnet eval --model mnist.safetensors --data mnist --json";

/// The arguments of `thinnet eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    model_and_data: ModelAndData,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Machine")]
    machine: Machine,
}

/// The results as `--json` prints them.
#[derive(Debug, Serialize)]
struct Results {
    rows: usize,
    wrong: usize,
    test_error: f64,
    baseline: Baseline,
    loss: f64,
    digest: String,
}

/// Runs `thinnet eval`.
///
/// # Errors
/// A file cannot be read, or the network does not fit the data.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let [] = outputs::open(&arguments.model_and_data.files(), [])?;
    let (mlp, test) = arguments.model_and_data.read()?;
    let predictor = Predictor::new(mlp).with_isa(arguments.machine.isa)?;
    let mut workspace = predictor.workspace(recipe::EVALUATION_BATCH.min(test.rows()))?;
    let pool = arguments.machine.pool()?;
    let evaluation = pool.install(|| evaluate(&predictor, &test, &mut workspace))?;
    let results = Results {
        rows: evaluation.rows,
        wrong: evaluation.wrong.len(),
        test_error: evaluation.error_rate(),
        baseline: Baseline::new(&test, &test)?,
        loss: evaluation.loss,
        digest: predictor.network().digest(),
    };
    if let Some(warning) = results.baseline.warning(results.wrong) {
        console::remark(&warning);
    }
    console::results(&if arguments.json {
        serde_json::to_string_pretty(&results)? + "\n"
    } else {
        let Results { rows, wrong, test_error, baseline, loss, .. } = results;
        let (error, baseline) = (percent(test_error), baseline.text());
        format!(
            "rows           {rows}\nwrong          {wrong}\ntest error     {error}\n\
             baseline       {baseline}\nloss           {loss:.6}\n"
        )
    })
}
