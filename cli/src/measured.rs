//! Metrics of a set of rows, with their baselines.

use serde::Serialize;
use thinnet::{
    Error,
    metrics::{Better, Figure, Metric, Metrics},
};

use crate::table;

/// A metric of a set of rows.
#[derive(Debug, Serialize)]
pub struct Measured {
    value: Option<f64>,
    baseline: Option<f64>,
    /// The constant prediction that the baseline is of.
    baseline_of: &'static str,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    undefined: Option<String>,
}

impl Measured {
    /// Makes it of a figure, which may be undefined.
    fn new(metric: Metric, figure: Result<Figure, Error>) -> Result<Self, Error> {
        let baseline_of = metric.baseline();
        match figure {
            Ok(Figure { value, baseline, .. }) => {
                Ok(Self { value: Some(value), baseline, baseline_of, undefined: None })
            }
            Err(error @ Error::UndefinedMetric { .. }) => {
                let undefined = Some(error.to_string());
                Ok(Self { value: None, baseline: None, baseline_of, undefined })
            }
            Err(error) => Err(error),
        }
    }

    /// Makes a list of all metrics, with their names.
    ///
    /// # Errors
    /// There is not enough memory.
    pub fn all(metrics: &Metrics) -> Result<Vec<(String, Self)>, Error> {
        let named =
            |(metric, figure): (Metric, _)| Ok((metric.to_string(), Self::new(metric, figure)?));
        metrics.figures().map(named).collect()
    }
}

impl Measured {
    /// Returns the value in words.
    pub fn value_text(&self) -> String {
        self.value.map_or("undefined".to_owned(), |value| format!("{value:.6}"))
    }

    /// Returns the baseline in words, with what it is of.
    pub fn baseline_text(&self) -> String {
        let baseline = self.baseline.map_or("undefined".to_owned(), |value| format!("{value:.6}"));
        format!("{baseline} ({})", self.baseline_of)
    }
}

/// Returns a warning if the first metric is no better than its baseline.
pub fn warning(measured: &[(String, Measured)]) -> Option<String> {
    let (name, Measured { value, baseline, baseline_of, .. }) = measured.first()?;
    let (value, baseline) = ((*value)?, (*baseline)?);
    let metric: Metric = name.parse().ok()?;
    let is_better = match metric.better() {
        Better::Larger => value > baseline,
        // Without any error there is nothing to improve.
        Better::Smaller => value < baseline || value == 0.0,
        _ => true,
    };
    (!is_better).then(|| {
        format!(
            "warning: the network is no better than a constant prediction: {name} {value:.6}, and \
             {baseline:.6} with the {baseline_of}"
        )
    })
}

/// Returns the table of the metrics, and below it the reasons for those that are undefined.
pub fn text(measured: &[(String, Measured)]) -> String {
    let mut table = table::new(["metric", "value", "baseline", "baseline of"], &[0, 3]);
    let number = |value: f64| format!("{value:.6}");
    let mut reasons = String::new();
    for (metric, Measured { value, baseline, baseline_of, undefined }) in measured {
        table.add_row([
            metric.clone(),
            value.map_or("undefined".to_owned(), number),
            baseline.map_or(String::new(), number),
            (*baseline_of).to_owned(),
        ]);
        if let Some(reason) = undefined {
            reasons += &format!("{reason}\n");
        }
    }
    format!("{table}\n{reasons}")
}
