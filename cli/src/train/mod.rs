//! `thinnet train` trains a network on labelled rows.

mod arguments;
mod checkpoints;
mod config;
mod files;
mod log;
mod objective;
mod positive;
mod resume_command;
mod row_weights;

pub use arguments::Arguments;
pub use checkpoints::{HELD_OUT, NONE, VALIDATION};
pub use config::{SETTINGS, expanded};
pub use objective::Objective;
pub use row_weights::RowWeights;

use std::fmt::Write;

use clap::{ArgMatches, CommandFactory};
use thinnet::{data::Dataset, train::Ending};

use crate::{
    console,
    fit::{Fitting, Rows, Trained},
    health, loss, measured,
    numbers::counted,
    outputs::Output,
    plan::Plan,
    progress::{Progress, percent},
    report::{Data, OfClasses, Report, StepMs},
};
use checkpoints::{Checkpoints, Saver, settings};
use config::written;
use files::Outputs;
use log::Log;

/// Runs `thinnet train` with the arguments that were `given`.
///
/// # Errors
/// An output cannot be written, the data cannot be read, or training diverges.
pub fn run(arguments: &Arguments, given: &ArgMatches) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let mut plan = arguments.plan()?;
    let (outputs, checkpoints) = Outputs::open(arguments)?;
    if outputs.model.is_some() {
        match written(crate::arguments::Arguments::command(), given, &plan, machine.isa) {
            Ok(settings) => plan.notes = settings,
            Err(error) => {
                console::remark(&format!("warning: the settings will not be in the model: {error}"))
            }
        }
    }
    let (loss, held_out) = (plan.loss, arguments.held_out.map(|rows| (rows, plan.seed)));
    let (train, test) =
        arguments.data.read_pair(loss, held_out, &arguments.objective.row_weights)?;
    let (train, validation) = match &arguments.watch.validation {
        Some(rows) => {
            let (train, validation) =
                arguments.data.validation_rows(rows, loss, (train, &test), plan.seed)?;
            (train, Some(validation))
        }
        None => (train, None),
    };
    let rows = Rows { train: &train, validation: validation.as_ref(), test: &test };
    let pool = machine.pool()?;
    let (threads, isa) = (machine.threads(), machine.isa);
    machine.remark(&format!(
        "{} training{} and {} {} rows of {} inputs; {}, {isa}",
        train.rows(),
        rows.validation.map_or(String::new(), |rows| format!(", {} validation", rows.rows())),
        test.rows(),
        arguments.test_set(),
        train.inputs().columns(),
        counted(threads, "thread")
    ));
    if outputs.model.is_none() && checkpoints.is_none() {
        machine.remark("the network will not be saved, because --out is not given");
    }

    let (fit, saved) =
        pool.install(|| fit(arguments, &plan, rows, checkpoints.as_ref(), outputs.log.as_ref()))?;
    let data = describe(arguments, rows, &fit);
    let classes = OfClasses::of(&fit, &train, &test)?;
    let report = Report::new(data, classes, &plan, &fit, (threads, isa));
    let warning = match &report.classes {
        Some(classes) => classes.baseline.warning(classes.test_wrong),
        None => measured::warning(&fit.metrics).map(|warning| {
            let advice = health::large_targets(loss, &train);
            advice.map_or(warning.clone(), |advice| format!("{warning}; {advice}"))
        }),
    };
    if let Some(warning) = warning {
        console::remark(&warning);
    }
    let written = outputs.write(&report, &fit);
    let mut text = results(arguments, &report, &fit);
    if written.is_ok() {
        for (name, path) in outputs.list() {
            line(&mut text, name, path.display());
        }
    }
    if !fit.metrics.is_empty() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{}", measured::text(&fit.metrics));
    }
    // The results are shown even if a file could not be written.
    let shown = console::results(&text);
    saved.and(written).and(shown)
}

/// Trains. Returns the result, and whether the final checkpoint and the log could be written.
fn fit(
    arguments: &Arguments,
    plan: &Plan,
    rows: Rows<'_>,
    checkpoints: Option<&Checkpoints>,
    log: Option<&Output>,
) -> anyhow::Result<(Trained, anyhow::Result<()>)> {
    let (machine, steps) = (&arguments.machine, plan.steps(rows.train.rows()));
    let settings = checkpoints.map(|_| settings(plan, arguments.held_out, rows.test));
    let settings = settings.unwrap_or_default();
    let resumed = checkpoints.and_then(|checkpoints| checkpoints.resumed.as_deref());
    let mut fitting = match resumed {
        None => Fitting::new(plan, rows, machine.isa, settings)?,
        Some(file) => Fitting::resume(plan, rows, machine.isa, (file, settings))?,
    };
    if let Some(file) = resumed {
        let (file, step) = (file.display(), fitting.steps());
        machine.remark(&if fitting.is_done() {
            format!("the run in {file} is finished: only the outputs will be written")
        } else {
            format!("resuming after step {step} of {steps}")
        });
    }
    let mut progress =
        Progress::new("training", arguments.measured_set(), plan.epochs, steps, machine.quiet)
            .of(loss::headline(plan.loss));
    progress.skip(fitting.steps());
    let mut saver = match checkpoints {
        Some(open) => Some(Saver::new(&open.file, arguments.checkpoint_every)?),
        None => None,
    };
    let mut log = log.map(|file| Log::begin(file, &fitting)).transpose()?;
    while !fitting.is_done() {
        fitting.advance(&mut progress)?;
        if let Some(log) = &mut log {
            log.after(&fitting, &progress)?;
        }
        if let Some(saver) = &mut saver {
            saver.after(&fitting, &progress)?;
        }
    }
    let saved = saver.map_or(Ok(()), |saver| saver.save(&fitting));
    let logged = log.map_or(Ok(()), |log| log.finish(&fitting));
    Ok((fitting.finish()?, saved.and(logged)))
}

fn describe(arguments: &Arguments, rows: Rows<'_>, fit: &Trained) -> Data {
    let network = fit.predictor.network();
    let has_classes = loss::has_classes(network.loss());
    Data {
        source: arguments.data.to_string(),
        train_rows: rows.train.rows(),
        validation_rows: rows.validation.map(Dataset::rows),
        test_rows: rows.test.rows(),
        test_set: if arguments.held_out.is_some() { "held_out" } else { "test" },
        inputs: rows.train.inputs().columns(),
        classes: has_classes.then_some(network.outputs()),
        targets: (!has_classes).then_some(network.targets()),
    }
}

/// Returns the text for stdout.
fn results(arguments: &Arguments, report: &Report<'_>, fit: &Trained) -> String {
    let mut text = String::new();
    match (&report.classes, fit.metrics.first()) {
        (Some(OfClasses { test_error, test_wrong, baseline }), _) => {
            let name = format!("{} error", arguments.test_set());
            let (error, rows) = (percent(*test_error), report.data.test_rows);
            line(&mut text, &name, format_args!("{error} ({test_wrong} of {rows} wrong)"));
            line(&mut text, "baseline", baseline.text());
        }
        (None, Some((metric, measured))) => {
            let value = measured.value_text();
            line(&mut text, arguments.test_set(), format_args!("{metric} {value}"));
            line(&mut text, "baseline", measured.baseline_text());
        }
        (None, None) => {}
    }
    let epochs = fit.curves.len();
    let kept = fit.best_epoch.unwrap_or(epochs);
    let kept_point = fit.curves.iter().find(|point| point.epoch == kept);
    if let Some(figures) = kept_point.and_then(|point| point.validation.as_ref()) {
        let which = if fit.best_epoch.is_some() { ", whose network was kept" } else { "" };
        let figures = figures.text();
        line(&mut text, "validation", format_args!("{figures} after epoch {kept}{which}"));
    }
    if fit.ending == Ending::EarlyStopping {
        let watched = report.settings.watch.main(report.settings.loss);
        let all = report.settings.epochs;
        line(
            &mut text,
            "ended early",
            format_args!("after {epochs} of {all} epochs, because {watched} no longer improved"),
        );
    }
    line(&mut text, "training loss", format_args!("{:.6}", report.train_loss));
    line(&mut text, "updates", format_args!("{} in {:.1} s", report.steps, report.seconds));
    if let StepMs { median: Some(median), min: Some(min) } = report.step_ms {
        line(&mut text, "step", format_args!("{median:.3} ms (median; fastest {min:.3} ms)"));
    }
    line(&mut text, "digest", &report.digest);
    text
}

/// Adds a line of results.
fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name:15}{value}");
}
