//! The output files of `thinnet train`, checked at its start and written at its end.

use std::path::Path;

use super::{Arguments, checkpoints::Checkpoints};
use crate::{
    fit::Trained,
    outputs::{self, Format, Named, Output},
    picture::{Curve, Panel, draw},
    progress::percent,
    report::Report,
};

/// The files that are written at the end.
pub struct Outputs {
    /// The network.
    pub model: Option<Output>,
    /// The report.
    pub report: Option<Output>,
    /// The learning curves.
    pub plot: Option<Output>,
}

impl Outputs {
    /// Checks that they and the checkpoints can be written.
    ///
    /// # Errors
    /// Those of [`outputs::open_given`] and [`Checkpoints::open`].
    pub fn open(arguments: &Arguments) -> anyhow::Result<(Self, Option<Checkpoints>)> {
        let mut reads = arguments.data.files();
        let checkpoint = Checkpoints::file(arguments)?;
        if let Some(resumed) = &arguments.resume
            // The checkpoint is the only file that may be both read and written.
            && !checkpoint.as_ref().is_some_and(|(_, file)| outputs::are_same(file, resumed))
        {
            reads.push(("--resume", resumed.clone()));
        }
        let file = |format, flag, path: &Option<_>| Some((format, (flag, path.clone()?)));
        let [checkpoint, model, report, plot] = outputs::open_given(
            &reads,
            [
                checkpoint.map(|named: Named| (Format::Safetensors, named)),
                file(Format::Safetensors, "--out", &arguments.out),
                file(Format::Json, "--report", &arguments.report),
                file(Format::Svg, "--plot", &arguments.plot),
            ],
        )?;
        let resumed = arguments.resume.as_deref();
        let checkpoints = checkpoint.map(|file| Checkpoints::open(resumed, file)).transpose()?;
        Ok((Self { model, report, plot }, checkpoints))
    }

    /// Writes all of them. If one cannot be written, the others still are.
    ///
    /// # Errors
    /// The system's errors, for all files that could not be written.
    pub fn write(&self, report: &Report<'_>, fit: &Trained) -> anyhow::Result<()> {
        let written = [
            self.model.as_ref().map(|file| file.save(|path| fit.predictor.network().save(path))),
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

    /// Returns the names and paths of the outputs that were requested.
    pub fn list(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [("model", &self.model), ("report", &self.report), ("curves", &self.plot)]
            .into_iter()
            .filter_map(|(name, output)| Some((name, output.as_ref()?.given())))
    }
}

/// Returns the learning curves as the text of an SVG file.
fn picture(fit: &Trained, report: &Report<'_>) -> anyhow::Result<String> {
    let error = Curve::test_error("", &fit.curves);
    let loss = Curve::train_loss(&fit.curves);
    let name = if report.data.test_set == "test" { "test error, %" } else { "held-out error, %" };
    let end = percent(report.test_error);
    let title = format!("thinnet train: {end} wrong after {} updates", report.steps);
    let panel = |y, curve| Panel { x: "epoch", y, note: "", curves: vec![curve] };
    draw(&title, &[panel(name, error), panel("training loss", loss)])
}
