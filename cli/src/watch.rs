//! Validation rows, and what is measured on them during training.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Serialize, Serializer};
use thinnet::{
    Error,
    metrics::{Metric, Metrics},
    nn::{Loss, TargetKind},
    train::{EarlyStopping, Watched},
};

use crate::{console::usage, loss, numbers};

/// The patience of `--early-stopping`, unless another is given.
const STOPPING_PATIENCE: usize = 10;

/// The patience of `--plateau`, unless another is given.
const PLATEAU_PATIENCE: usize = 5;

/// The factor of `--plateau`, unless another is given.
const PLATEAU_FACTOR: f64 = 0.1;

/// The options about validation.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Watch {
    /// Validate on rows of their own: a share of the training rows, above 0 and below 1, such as 0.1; a
    /// number of them; or the test set of another folder. Training rows are drawn at random; if they have
    /// classes, or one bit each, from each class in proportion to its size. The test set is then only measured at the end
    #[arg(long, value_name = "SHARE|N|DIR", help_heading = "Validation")]
    pub validation: Option<ValidationRows>,
    #[arg(
        long, value_name = "METRIC[:N]", requires = "validation", help_heading = "Validation",
        help = format!(
            "End the run after N validations in a row without a better figure of METRIC, which is `loss` \
             or a metric as for --metrics, and keep the network with the best one [default N: \
             {STOPPING_PATIENCE}]"
        ),
    )]
    pub early_stopping: Option<Stopping>,
    #[arg(
        long, value_name = "METRIC[:N[:FACTOR]]", requires = "validation",
        help_heading = "Validation",
        help = format!(
            "Multiply the learning rate by FACTOR after N validations in a row without a better figure \
             of METRIC [default N: {PLATEAU_PATIENCE}, default FACTOR: {PLATEAU_FACTOR}]"
        ),
    )]
    pub plateau: Option<Plateau>,
    /// Metrics, separated by commas: measured with each validation, and on the test set at the end
    /// beside their baselines. `thinnet eval --help` lists them
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Validation")]
    pub metrics: Vec<Metric>,
}

impl Watch {
    /// Checks that a network with this loss and so many outputs has these figures.
    ///
    /// # Errors
    /// It does not have one of them. The error names the option.
    pub fn check(&self, loss: Loss, outputs: usize) -> anyhow::Result<()> {
        let metric = |watched| match watched {
            Watched::Metric(metric) => vec![metric],
            _ => Vec::new(),
        };
        let stopping = self.early_stopping.map(|stopping| metric(stopping.watched));
        let plateau = self.plateau.map(|plateau| metric(plateau.watched));
        for (option, metrics) in [
            ("--metrics", self.metrics.clone()),
            ("--early-stopping", stopping.unwrap_or_default()),
            ("--plateau", plateau.unwrap_or_default()),
        ] {
            Metrics::new(&metrics, loss, outputs)
                .map_err(|error| anyhow::anyhow!("{option}: {error}"))?;
        }
        Ok(())
    }

    /// Returns the metrics that the loop measures: the error of classes or bits or the usual metrics of
    /// values, and those that were asked for if there are validation rows.
    pub fn measured(&self, loss: Loss) -> Vec<Metric> {
        let measured = match loss.target_kind() {
            TargetKind::Values => Metric::usual(loss, 1).to_vec(),
            _ => vec![Metric::ErrorRate],
        };
        let wanted = self.validation.iter().flat_map(|_| &self.metrics);
        united(measured, wanted)
    }

    /// Returns the metrics of the trained network: those that were asked for. Unless there are classes,
    /// whose error is stated anyway, the headline of the loss comes first, or all its usual metrics.
    pub fn at_the_end(&self, loss: Loss, outputs: usize) -> Vec<Metric> {
        let first = match (loss::has_classes(loss), self.metrics.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => Metric::usual(loss, outputs).to_vec(),
            (false, false) => vec![loss::headline(loss)],
        };
        united(first, &self.metrics)
    }

    /// Returns the figure that the run is about: that of early stopping, of a plateau, or the headline of
    /// the loss.
    pub fn main(&self, loss: Loss) -> Watched {
        let stopping = self.early_stopping.map(|stopping| stopping.watched);
        let plateau = self.plateau.map(|plateau| plateau.watched);
        stopping.or(plateau).unwrap_or(loss::headline(loss).into())
    }
}

/// Adds the metrics that are not there yet.
fn united<'a>(mut all: Vec<Metric>, more: impl IntoIterator<Item = &'a Metric>) -> Vec<Metric> {
    for metric in more {
        if !all.contains(metric) {
            all.push(*metric);
        }
    }
    all
}

/// The value of `--validation`.
#[derive(Clone, Debug, PartialEq)]
pub enum ValidationRows {
    /// This share of the training rows.
    Share(f64),
    /// So many training rows.
    Rows(usize),
    /// The test set of this folder.
    Folder(PathBuf),
}

/// Where validation rows come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Given<'a> {
    /// So many training rows.
    HeldOut(usize),
    /// The test set of this folder.
    Folder(&'a Path),
}

impl ValidationRows {
    /// Returns how many of `rows` training rows are held out, or the folder.
    ///
    /// # Errors
    /// It would be none of them, or all.
    pub fn of(&self, rows: usize) -> anyhow::Result<Given<'_>> {
        let held_out = match self {
            Self::Share(share) => (share * rows as f64).round() as usize,
            Self::Rows(held_out) => *held_out,
            Self::Folder(folder) => return Ok(Given::Folder(folder)),
        };
        if held_out == 0 || held_out >= rows {
            return Err(usage(format!(
                "--validation {self}: expected at least one of the {rows} training rows, and fewer than \
                 all of them"
            )));
        }
        Ok(Given::HeldOut(held_out))
    }
}

impl FromStr for ValidationRows {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected a share above 0 and below 1, a whole number of rows, or a folder";
        if let Ok(share) = text.parse::<f64>() {
            return match numbers::count(numbers::MAX_ROWS)(text) {
                Ok(rows) => Ok(Self::Rows(rows)),
                Err(_) if share > 0.0 && share < 1.0 => Ok(Self::Share(share)),
                Err(_) => Err(expected.to_owned()),
            };
        }
        if text.is_empty() { Err(expected.to_owned()) } else { Ok(Self::Folder(text.into())) }
    }
}

impl fmt::Display for ValidationRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => share.fmt(f),
            Self::Rows(rows) => rows.fmt(f),
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

/// The value of `--early-stopping`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    /// What is watched.
    pub watched: Watched,
    patience: usize,
}

impl Stopping {
    /// Returns the setting of the library's loop.
    ///
    /// # Errors
    /// Those of [`EarlyStopping::new`], which its parser does not let happen.
    pub fn setting(self) -> Result<EarlyStopping, Error> {
        EarlyStopping::new(self.watched, self.patience)
    }

    fn checked(self) -> Result<Self, String> {
        self.setting().map(|_| self).map_err(|error| error.to_string())
    }
}

impl FromStr for Stopping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let watched = watched(parts.next())?;
        let patience = patience(parts.next(), STOPPING_PATIENCE)?;
        match parts.next() {
            None => Self { watched, patience }.checked(),
            Some(_) => Err("expected METRIC or METRIC:N".to_owned()),
        }
    }
}

impl fmt::Display for Stopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.watched, self.patience)
    }
}

/// The value of `--plateau`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// What is watched.
    pub watched: Watched,
    patience: usize,
    factor: f64,
}

impl Plateau {
    /// Returns the setting of the library's loop.
    ///
    /// # Errors
    /// Those of [`thinnet::train::Plateau::new`], which its parser does not let happen.
    pub fn setting(self) -> Result<thinnet::train::Plateau, Error> {
        thinnet::train::Plateau::new(self.watched, self.patience, self.factor)
    }

    fn checked(self) -> Result<Self, String> {
        self.setting().map(|_| self).map_err(|error| error.to_string())
    }
}

impl FromStr for Plateau {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let watched = watched(parts.next())?;
        let patience = patience(parts.next(), PLATEAU_PATIENCE)?;
        let factor = match parts.next() {
            None => Some(PLATEAU_FACTOR),
            Some(text) => text.parse().ok().filter(|&factor| factor > 0.0 && factor < 1.0),
        };
        let factor = factor.ok_or("the factor: expected a number above 0 and below 1")?;
        match parts.next() {
            None => Self { watched, patience, factor }.checked(),
            Some(_) => Err("expected METRIC, METRIC:N or METRIC:N:FACTOR".to_owned()),
        }
    }
}

impl fmt::Display for Plateau {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.watched, self.patience, self.factor)
    }
}

/// Parses the name of what is watched.
fn watched(text: Option<&str>) -> Result<Watched, String> {
    text.unwrap_or_default().parse().map_err(|error| format!("{error}; or loss"))
}

/// Parses the number of validations.
fn patience(text: Option<&str>, usual: usize) -> Result<usize, String> {
    let Some(text) = text else { return Ok(usual) };
    numbers::count(numbers::MAX_EPOCHS)(text)
        .map_err(|expected| format!("the number of validations: {expected}"))
}

/// Values that are serialised as the text on the command line.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}
as_text!(ValidationRows, Stopping, Plateau);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_rows_are_a_share_a_number_or_a_folder() {
        let parse = |text: &str| text.parse::<ValidationRows>();
        assert_eq!(parse("0.1"), Ok(ValidationRows::Share(0.1)));
        assert_eq!(parse("1000"), Ok(ValidationRows::Rows(1000)));
        assert_eq!(parse("./1000"), Ok(ValidationRows::Folder("./1000".into())));
        for text in ["", "0", "1.0", "1.5", "-0.1", "-3", "NaN", "inf", "1e3"] {
            assert!(parse(text).unwrap_err().starts_with("expected a share"), "{text}");
        }
        for (text, given) in [
            ("0.1", Given::HeldOut(5)),
            ("44", Given::HeldOut(44)),
            ("rows", Given::Folder("rows".as_ref())),
        ] {
            assert_eq!(parse(text).unwrap().of(45).unwrap(), given);
        }
        for text in ["45", "0.001", "0.999"] {
            let error = parse(text).unwrap().of(45).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("45 training rows"), "{error}");
        }
    }

    #[test]
    fn a_figure_that_is_best_in_between_is_refused() {
        for error in [
            "quantile_coverage:3".parse::<Stopping>().unwrap_err(),
            "quantile_coverage".parse::<Plateau>().unwrap_err(),
        ] {
            assert!(
                error.contains("quantile_coverage") && error.contains("expected loss"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_watched_is_written_as_it_is_read() {
        for (text, full) in [("loss", "loss:10"), ("f1(macro):3", "f1(macro):3")] {
            assert_eq!(text.parse::<Stopping>().unwrap().to_string(), full);
        }
        for (text, full) in [
            ("roc_auc", "roc_auc:5:0.1"),
            ("loss:2", "loss:2:0.1"),
            ("top_k_accuracy(3):2:0.5", "top_k_accuracy(3):2:0.5"),
        ] {
            assert_eq!(text.parse::<Plateau>().unwrap().to_string(), full);
        }
        for (text, words) in [
            ("auc", "expected one of error_rate"),
            ("auc", "or loss"),
            ("", "metric ``"),
            ("loss:0", "the number of validations: expected a whole number from 1 to 1000000"),
            ("loss:", "the number of validations"),
            ("loss:3:0.5:1", "expected METRIC"),
        ] {
            for error in
                [text.parse::<Stopping>().unwrap_err(), text.parse::<Plateau>().unwrap_err()]
            {
                assert!(error.contains(words), "{text}: {error}");
            }
        }
        assert!("loss:3:0.5".parse::<Stopping>().is_err());
        for factor in ["0", "1", "-1", "x", ""] {
            let error = format!("loss:3:{factor}").parse::<Plateau>().unwrap_err();
            assert!(error.contains("above 0 and below 1"), "{error}");
        }
    }
}
