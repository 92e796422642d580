//! The output files of `thinnet train`, checked at its start and written at its end.

use std::path::Path;

use thinnet::{data::Split, metrics::Metric, train::Watched};

use super::{Arguments, checkpoints::Checkpoints};
use crate::{
    curves::Point,
    fit::Trained,
    loss,
    outputs::{self, Format, Named, Output},
    picture::{Curve, Panel, draw},
    progress::percent,
    report::Report,
    source,
    watch::ValidationRows,
};

/// The files that are written at the end.
pub struct Outputs {
    /// The network.
    pub model: Option<Output>,
    /// The report.
    pub report: Option<Output>,
    /// The learning curves.
    pub plot: Option<Output>,
    /// The log, which is written during the run.
    pub log: Option<Output>,
}

impl Outputs {
    /// Checks that they and the checkpoints can be written.
    ///
    /// # Errors
    /// Those of [`outputs::open_given`] and [`Checkpoints::open`].
    pub fn open(arguments: &Arguments) -> anyhow::Result<(Self, Option<Checkpoints>)> {
        let mut reads = arguments.data.files();
        if let Some(ValidationRows::Folder(folder)) = &arguments.watch.validation {
            let names = source::file_names(Split::Test);
            reads.extend(names.map(|name| ("--validation", folder.join(name))));
        }
        reads.extend(arguments.objective.files());
        reads.extend(arguments.config.clone().map(|file| ("--config", file)));
        let checkpoint = Checkpoints::file(arguments)?;
        if let Some(resumed) = &arguments.resume
            // The checkpoint is the only file that may be both read and written.
            && !checkpoint.as_ref().is_some_and(|(_, file)| outputs::are_same(file, resumed))
        {
            reads.push(("--resume", resumed.clone()));
        }
        let file = |format, flag, path: &Option<_>| Some((format, (flag, path.clone()?)));
        let [checkpoint, model, report, plot, log] = outputs::open_given(
            &reads,
            [
                checkpoint.map(|named: Named| (Format::Safetensors, named)),
                file(Format::Safetensors, "--out", &arguments.out),
                file(Format::Json, "--report", &arguments.report),
                file(Format::Svg, "--plot", &arguments.plot),
                file(Format::JsonLines, "--log", &arguments.log),
            ],
        )?;
        let resumed = arguments.resume.as_deref();
        let checkpoints = checkpoint.map(|file| Checkpoints::open(resumed, file)).transpose()?;
        Ok((Self { model, report, plot, log }, checkpoints))
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
        [
            ("model", &self.model),
            ("report", &self.report),
            ("curves", &self.plot),
            ("log", &self.log),
        ]
        .into_iter()
        .filter_map(|(name, output)| Some((name, output.as_ref()?.given())))
    }
}

/// Returns the learning curves as the text of an SVG file: what the run is about, and the losses.
fn picture(fit: &Trained, report: &Report<'_>) -> anyhow::Result<String> {
    let set = match (&report.data.validation_rows, report.data.test_set) {
        (Some(_), _) => "validation",
        (None, "test") => "test",
        _ => "held-out",
    };
    let (watch, loss) = (&report.settings.watch, report.settings.loss);
    let watched = Some(watch.main(loss)).filter(|&watched| watched != Watched::Loss);
    let watched = watched.unwrap_or(loss::headline(loss).into());
    let is_error = watched == Metric::ErrorRate.into();
    let y = if is_error { format!("{set} error, %") } else { format!("{set} {watched}") };
    let figure = |point: &Point| match &point.validation {
        Some(figures) => figures.get(watched).map(|y| if is_error { 100.0 * y } else { y }),
        None if is_error => point.test_error.map(|error| 100.0 * error),
        None => point.test_metrics.as_ref()?.get(&watched.to_string()).copied().flatten(),
    };
    let measured_loss = |point: &Point| match &point.validation {
        Some(figures) => Some(figures.loss),
        None => point.test_loss,
    };
    let losses = vec![
        Curve::over_epochs("training, thinned networks".to_owned(), &fit.curves, |point| {
            Some(point.train_loss)
        }),
        Curve::over_epochs(format!("{set}, whole network"), &fit.curves, measured_loss),
    ];
    let end = match (&report.classes, fit.metrics.first()) {
        (Some(classes), _) => format!("{} wrong", percent(classes.test_error)),
        (None, Some((metric, measured))) => format!("{metric} {}", measured.value_text()),
        (None, None) => loss.to_string(),
    };
    let when = match fit.best_epoch {
        Some(epoch) => format!("with the network of epoch {epoch}"),
        None => format!("after {} updates", report.steps),
    };
    let title = format!("thinnet train: {end} {when}");
    let mark = fit.best_epoch;
    let figures = vec![Curve::over_epochs(String::new(), &fit.curves, figure)];
    draw(
        &title,
        &[
            Panel { x: "epoch", y: &y, note: "", mark, curves: figures },
            Panel { x: "epoch", y: "loss", note: "", mark, curves: losses },
        ],
    )
}
