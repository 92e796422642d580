//! What `thinnet calibration` changes in a model: `--fit` the temperature, `--threshold` the threshold.

use serde::Serialize;
use thinnet::{
    data::{Batch, Dataset},
    metrics::{Aim, threshold},
    nn::Temperature,
    predict::Predictor,
};

use super::{Findings, percent};
use crate::{memory, recipe, table};

/// What was found, to be changed in the model.
#[derive(Default)]
pub struct Changes {
    pub temperature: Option<Fitted>,
    pub threshold: Option<Chosen>,
}

/// A temperature that was fitted, and the figures without it.
pub struct Fitted {
    pub temperature: Temperature,
    /// The one that the model had.
    temperature_before: Temperature,
    rows: usize,
    before: Vec<Figures>,
}

/// What a temperature is to improve.
#[derive(Clone, Copy, Debug, Serialize)]
struct Figures {
    method: &'static str,
    log_loss: f64,
    expected_calibration_error: f64,
}

impl From<&Findings> for Figures {
    fn from(found: &Findings) -> Self {
        let &Findings { method, log_loss, expected_calibration_error, .. } = found;
        Self { method, log_loss, expected_calibration_error }
    }
}

/// A decision threshold that was chosen.
#[derive(Clone, Debug, Serialize)]
pub struct Chosen {
    pub threshold: f64,
    aim: String,
    /// The F1 or the mean cost of the rows that it was chosen on.
    value: f64,
    /// That of always answering the better one of the two classes.
    baseline: f64,
}

/// The results as `--json` prints them.
#[derive(Debug, Serialize)]
pub struct Results<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature_before: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'a [Figures]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold: Option<&'a Chosen>,
    /// With the temperature and the threshold.
    after: &'a [Findings],
}

impl Fitted {
    /// Fits the temperature. `before` was measured without it.
    ///
    /// # Errors
    /// No temperature is the best for these rows.
    pub fn new(predictor: &Predictor, data: &Dataset, before: &[Findings]) -> anyhow::Result<Self> {
        let mut workspace = predictor.workspace(recipe::EVALUATION_BATCH.min(data.rows()))?;
        let temperature = predictor
            .fit_temperature(data, &mut workspace)
            .map_err(|error| anyhow::anyhow!("--fit: {error}"))?;
        Ok(Self {
            temperature,
            temperature_before: predictor.network().temperature(),
            rows: data.rows(),
            before: before.iter().map(Figures::from).collect(),
        })
    }

    fn text(&self, after: &[Findings]) -> String {
        let header = [
            "method",
            "log loss before",
            "after",
            "expected calibration error before, %",
            "after, %",
        ];
        let mut table = table::new(header, &[0]);
        for (before, after) in self.before.iter().zip(after) {
            table.add_row([
                before.method.to_owned(),
                format!("{:.4}", before.log_loss),
                format!("{:.4}", after.log_loss),
                percent(before.expected_calibration_error),
                percent(after.expected_calibration_error),
            ]);
        }
        format!(
            "temperature    {}, fitted to {} rows (before: {})\n{table}\n\n",
            self.temperature, self.rows, self.temperature_before
        )
    }
}

impl Chosen {
    /// Chooses the threshold for the probabilities of class 1 by weight scaling.
    ///
    /// # Errors
    /// The network does not have two classes, or the aim is not defined for these rows.
    pub fn new(predictor: &Predictor, data: &Dataset, aim: Aim) -> anyhow::Result<Self> {
        let classes = predictor.network().outputs();
        anyhow::ensure!(
            classes == 2,
            "--threshold: the network has {classes} classes: expected two"
        );
        let mut workspace = predictor.workspace(recipe::EVALUATION_BATCH.min(data.rows()))?;
        let mut scores = memory::reserve("probabilities", data.rows())?;
        for batch in Batch::new(data.inputs()).chunks(recipe::EVALUATION_BATCH)? {
            let answers = predictor.weight_scaling(&batch, &mut workspace)?;
            scores.extend(answers.iter().map(|answer| answer.mean()[1]));
        }
        let mut positive = memory::reserve("labels", data.rows())?;
        positive.extend(data.labels()?.iter().map(|&label| label == 1));
        let found = threshold(&scores, &positive, data.weights(), aim)
            .map_err(|error| anyhow::anyhow!("--threshold {aim}: {error}"))?;
        Ok(Self {
            threshold: found.threshold,
            aim: aim.to_string(),
            value: found.value,
            baseline: found.baseline,
        })
    }

    fn text(&self) -> String {
        let Self { threshold, aim, value, baseline } = self;
        let what = if aim == "f1" { "F1" } else { "mean cost" };
        format!(
            "threshold      {threshold:.6}: class 1 if its probability is larger ({what} {value:.4} on \
             these rows, {baseline:.4} if all have the same answer)\n\n"
        )
    }
}

impl Changes {
    /// Whether there are any.
    pub fn any(&self) -> bool {
        self.temperature.is_some() || self.threshold.is_some()
    }

    /// Returns what `--json` prints.
    pub fn results<'a>(&'a self, after: &'a [Findings]) -> Results<'a> {
        let fitted = self.temperature.as_ref();
        Results {
            temperature: fitted.map(|fitted| fitted.temperature.get()),
            temperature_before: fitted.map(|fitted| fitted.temperature_before.get()),
            before: fitted.map(|fitted| &fitted.before[..]),
            threshold: self.threshold.as_ref(),
            after,
        }
    }

    /// Returns the text that is printed without `--json`.
    pub fn text(&self, after: &[Findings]) -> String {
        let temperature = self.temperature.as_ref().map(|fitted| fitted.text(after));
        let threshold = self.threshold.as_ref().map(Chosen::text);
        temperature.into_iter().chain(threshold).collect()
    }
}
