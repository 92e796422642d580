//! Metrics of a set of rows, with their baselines.

use serde::Serialize;
use thinnet::{
    Error,
    metrics::{Figure, Metric, Metrics},
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
