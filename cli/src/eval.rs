//! `thinnet eval` measures a saved network on a test set.

use std::collections::BTreeMap;

use serde::Serialize;
use thinnet::{
    metrics::{Metric, Metrics},
    predict::{Predictor, evaluate_with},
};

use crate::{
    baseline::Baseline,
    console,
    fit::error_rate,
    loss,
    machine::Machine,
    measured::{self, Measured},
    model::ModelAndData,
    outputs,
    progress::percent,
    recipe, table,
};

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet eval --model digits.safetensors
  thinnet eval --model mnist.safetensors --data mnist --json
  thinnet eval --model digits.safetensors --metrics 'top_k_accuracy(2),f1(macro),recall(9)'

Each metric is printed beside its baseline, the figure of a constant prediction: the most frequent
class, the share of each class as its probability, or the mean or quantiles of the targets. An error
of 2 % is no success if 2 % of the rows belong to the rarer class. A figure that these rows do not
have, such as the recall of a class without rows, is printed as undefined, with the reason.

Metrics for classes: error_rate, accuracy, top_k_accuracy(K), log_loss, brier,
calibration_error(BINS), precision, recall, f1, roc_auc, average_precision. With two classes,
precision, recall and f1 are those of class 1; with more, they are the mean over all classes. In
parentheses they take the number of a class, macro, weighted or micro.
For bits (binary_cross_entropy): the same without top_k_accuracy.
For values: rmse, mae, r2 (for quantile those of the median); for gaussian_nll also gaussian_nll; for
poisson also poisson_deviance; for quantile pinball_loss and quantile_coverage.";

/// The arguments of `thinnet eval`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    model_and_data: ModelAndData,
    /// The metrics to print, separated by commas [default: the usual ones for the loss]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    metrics: Option<Vec<Metric>>,
    /// Also print the confusion matrix: for each class, how many of its rows were predicted as each
    #[arg(long)]
    confusion: bool,
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
    #[serde(flatten)]
    classes: Option<OfClasses>,
    loss: f64,
    /// The decision threshold of the network, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<f64>,
    metrics: BTreeMap<String, Measured>,
    /// `[label][predicted]`
    #[serde(skip_serializing_if = "Option::is_none")]
    confusion_matrix: Option<Vec<Vec<u64>>>,
    digest: String,
}

/// What only classes have.
#[derive(Debug, Serialize)]
struct OfClasses {
    wrong: usize,
    test_error: f64,
    baseline: Baseline,
}

/// Runs `thinnet eval`.
///
/// # Errors
/// A file cannot be read, or the network does not fit the data or the metrics.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let [] = outputs::open(&arguments.model_and_data.files(), [])?;
    let (model, test) = arguments.model_and_data.read()?;
    let (loss, outputs) = (model.network().loss(), model.network().outputs());
    let wanted = arguments.metrics.as_deref().unwrap_or(Metric::usual(loss, outputs));
    let mut metrics = Metrics::new(wanted, loss, outputs)
        .map_err(|error| anyhow::anyhow!("--metrics: {error}"))?;
    if arguments.confusion {
        metrics =
            metrics.with_confusion().map_err(|error| anyhow::anyhow!("--confusion: {error}"))?;
    }
    let predictor = Predictor::from_model(model)?.with_isa(arguments.machine.isa)?;
    let mut workspace = predictor.workspace(recipe::EVALUATION_BATCH.min(test.rows()))?;
    let pool = arguments.machine.pool()?;
    let evaluation =
        pool.install(|| evaluate_with(&predictor, &test, &mut metrics, &mut workspace))?;
    let measured = Measured::all(&metrics)?;
    // All rows have weight 1, so these are whole numbers.
    let confusion_matrix: Option<Vec<Vec<u64>>> = metrics
        .confusion()
        .map(|matrix| matrix.rows().map(|row| row.map(|rows| rows as u64).collect()).collect());
    let classes = if loss::has_classes(loss) {
        let (wrong, test_error) = (evaluation.wrong.len(), error_rate(&evaluation));
        Some(OfClasses { wrong, test_error, baseline: Baseline::new(&test, &test)? })
    } else {
        None
    };
    let warning = match &classes {
        Some(classes) => classes.baseline.warning(classes.wrong),
        None => measured::warning(&measured),
    };
    if let Some(warning) = warning {
        console::remark(&warning);
    }
    let (threshold, rows) = (predictor.network().threshold(), evaluation.rows);
    console::results(&if arguments.json {
        let results = Results {
            rows,
            classes,
            loss: evaluation.loss,
            threshold,
            metrics: measured.into_iter().collect(),
            confusion_matrix,
            digest: predictor.network().digest(),
        };
        serde_json::to_string_pretty(&results)? + "\n"
    } else {
        let errors = classes.map_or(String::new(), |OfClasses { wrong, test_error, baseline }| {
            let (error, baseline) = (percent(test_error), baseline.text());
            format!("wrong          {wrong}\ntest error     {error}\nbaseline       {baseline}\n")
        });
        let threshold = threshold.map_or(String::new(), |threshold| {
            format!("threshold      {threshold:.6} of class 1's probability\n")
        });
        format!(
            "rows           {rows}\n{errors}loss           {:.6}\n{threshold}\n{}{}",
            evaluation.loss,
            measured::text(&measured),
            confusion_matrix.map_or(String::new(), |matrix| confusion(&matrix)),
        )
    })
}

/// Returns the confusion matrix as a table, with a column for each predicted class.
fn confusion(matrix: &[Vec<u64>]) -> String {
    let classes = (0..matrix.len()).map(|class| class.to_string());
    let header = std::iter::once("label, predicted as".to_owned()).chain(classes);
    let mut table = table::new(header, &[0]);
    for (label, rows) in (0..).zip(matrix) {
        table.add_row(std::iter::once(&label).chain(rows).map(u64::to_string));
    }
    format!("\n{table}\n")
}
