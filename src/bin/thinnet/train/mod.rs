//! `thinnet train`: one network on labelled images.

mod arguments;
mod files;

pub use arguments::Arguments;

use std::fmt::Write;

use thinnet::data::Dataset;

use crate::{
    console,
    fit::{Fit, Fitting},
    progress::{Progress, percent},
    report::{Data, Report, StepMs},
};
use files::Outputs;

/// Runs `thinnet train`.
///
/// # Errors
/// Outputs that could not be written, data that cannot be read, a training that
/// diverged.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let plan = arguments.plan()?;
    let outputs = Outputs::check(arguments)?;
    let (train, test) = arguments.data.read_pair(arguments.held_out)?;
    let pool = machine.pool()?;
    let (threads, isa) = (machine.threads(), machine.isa);
    machine.remark(&format!(
        "{} training and {} {} rows of {} inputs; {threads} threads, {isa}",
        train.rows(),
        test.rows(),
        arguments.test_set().replace('_', "-"),
        train.inputs().columns()
    ));
    if outputs.model.is_none() {
        machine.remark("the network will not be kept: there is no --out");
    }

    let steps = plan.steps(train.rows());
    let fit = pool.install(|| {
        let mut progress = Progress::new("training", plan.epochs, steps, machine.quiet);
        let mut fitting = Fitting::new(&plan, &train, &test, isa)?;
        for _ in 0..plan.epochs {
            fitting.epoch(&mut progress)?;
        }
        fitting.finish()
    })?;
    let data = describe(arguments, &train, &test, &fit);
    let report = Report::new(data, &plan, &fit, threads, isa);
    let written = outputs.write(&report, &fit);
    let mut text = results(arguments, &report);
    if written.is_ok() {
        for (name, path) in outputs.list() {
            line(&mut text, name, path.display());
        }
    }
    // The numbers are shown even where a file could not be written.
    let shown = console::results(&text);
    written.and(shown)
}

fn describe(arguments: &Arguments, train: &Dataset, test: &Dataset, fit: &Fit) -> Data {
    Data {
        source: arguments.data.to_string(),
        train_rows: train.rows(),
        test_rows: test.rows(),
        test_set: arguments.test_set(),
        inputs: train.inputs().columns(),
        classes: fit.predictor.network().outputs(),
    }
}

/// What stdout says.
fn results(arguments: &Arguments, report: &Report<'_>) -> String {
    let mut text = String::new();
    let (wrong, rows) = (report.test_wrong, report.data.test_rows);
    let name = if arguments.held_out.is_some() { "held-out error" } else { "test error" };
    line(&mut text, name, format_args!("{} ({wrong} of {rows} wrong)", percent(report.test_error)));
    line(&mut text, "training loss", format_args!("{:.6}", report.train_loss));
    line(&mut text, "updates", format_args!("{} in {:.1} s", report.steps, report.seconds));
    let StepMs { median, min } = report.step_ms;
    line(&mut text, "step", format_args!("{median:.3} ms (median; fastest {min:.3} ms)"));
    line(&mut text, "digest", &report.digest);
    text
}

/// A line of results.
fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{name:15}{value}");
}
