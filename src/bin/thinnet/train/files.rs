//! The files that `thinnet train` leaves: network, report, picture.

use std::path::{Path, PathBuf};

use super::{Arguments, checkpoints::Checkpoints};
use crate::{
    fit::Fit,
    outputs::{Output, all_different},
    picture::{Axis, Curve, Panel, draw},
    progress::percent,
    report::Report,
};

/// The files to be written.
pub struct Outputs {
    /// The network.
    pub model: Option<Output>,
    /// The report.
    pub report: Option<Output>,
    /// The learning curves.
    pub plot: Option<Output>,
}

impl Outputs {
    /// Looks whether they could be written now.
    ///
    /// # Errors
    /// As [`Output::check`], or two are one file, those of checkpoints among them.
    pub fn check(arguments: &Arguments, checkpoints: Option<&Checkpoints>) -> anyhow::Result<Self> {
        let check = |flag, path: &Option<PathBuf>| {
            path.as_deref().map(|path| Output::check(flag, path)).transpose()
        };
        let outputs = Self {
            model: check("--out", &arguments.out)?,
            report: check("--report", &arguments.report)?,
            plot: check("--plot", &arguments.plot)?,
        };
        let own = [&outputs.model, &outputs.report, &outputs.plot].into_iter().flatten();
        let all: Vec<_> = checkpoints.into_iter().flat_map(Checkpoints::files).chain(own).collect();
        all_different(&all)?;
        Ok(outputs)
    }

    /// Writes them all; where one fails the others are written still.
    ///
    /// # Errors
    /// What the system says, of all that failed.
    pub fn write(&self, report: &Report<'_>, fit: &Fit) -> anyhow::Result<()> {
        let written = [
            self.model.as_ref().map(|file| file.write(&fit.predictor.network().to_bytes()?)),
            self.report.as_ref().map(|file| file.write(&report.to_bytes()?)),
            self.plot.as_ref().map(|file| file.write(picture(fit, report)?.as_bytes())),
        ];
        let failures: Vec<_> = written
            .into_iter()
            .flatten()
            .filter_map(Result::err)
            .map(|error| error.to_string())
            .collect();
        anyhow::ensure!(failures.is_empty(), "{}", failures.join("; "));
        Ok(())
    }

    /// The names and paths of those that were asked for.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [("model", &self.model), ("report", &self.report), ("curves", &self.plot)]
            .into_iter()
            .filter_map(|(name, output)| Some((name, output.as_ref()?.given())))
    }
}

/// The learning curves.
fn picture(fit: &Fit, report: &Report<'_>) -> anyhow::Result<String> {
    let error = Curve::test_error("", &fit.curves);
    let loss = Curve::train_loss(&fit.curves);
    let name = if report.data.test_set == "test" { "test error, %" } else { "held-out error, %" };
    let end = percent(report.test_error);
    let title = format!("thinnet train: {end} wrong after {} updates", report.steps);
    let panel = |y, curve| Panel { x: "epoch", y, axis: Axis::Whole, curves: vec![curve] };
    draw(&title, &[panel(name, error), panel("training loss", loss)])
}
