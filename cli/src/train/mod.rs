//! `thinnet train` trains a network on labelled rows.

mod arguments;
mod checkpoints;
mod files;
mod resume_command;

pub use arguments::Arguments;
pub use checkpoints::{HELD_OUT, NONE};

use std::fmt::Write;

use thinnet::data::Dataset;

use crate::{
    baseline::Baseline,
    console,
    fit::{Fitting, Trained},
    numbers::counted,
    plan::Plan,
    progress::{Progress, percent},
    report::{Data, Report, StepMs},
};
use checkpoints::{Checkpoints, Saver, settings};
use files::Outputs;

/// Runs `thinnet train`.
///
/// # Errors
/// An output cannot be written, the data cannot be read, or training diverges.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let plan = arguments.plan()?;
    let (outputs, checkpoints) = Outputs::open(arguments)?;
    let (train, test) =
        arguments.data.read_pair(arguments.held_out.map(|rows| (rows, plan.seed)))?;
    let pool = machine.pool()?;
    let (threads, isa) = (machine.threads(), machine.isa);
    machine.remark(&format!(
        "{} training and {} {} rows of {} inputs; {}, {isa}",
        train.rows(),
        test.rows(),
        arguments.test_set(),
        train.inputs().columns(),
        counted(threads, "thread")
    ));
    if outputs.model.is_none() && checkpoints.is_none() {
        machine.remark("the network will not be saved, because --out is not given");
    }

    let (fit, saved) =
        pool.install(|| fit(arguments, &plan, &train, &test, checkpoints.as_ref()))?;
    let data = describe(arguments, &train, &test, &fit);
    let baseline = Baseline::new(&train, &test)?;
    let report = Report::new(data, baseline, &plan, &fit, (threads, isa));
    if let Some(warning) = baseline.warning(report.test_wrong) {
        console::remark(&warning);
    }
    let written = outputs.write(&report, &fit);
    let mut text = results(arguments, &report);
    if written.is_ok() {
        for (name, path) in outputs.list() {
            line(&mut text, name, path.display());
        }
    }
    // The results are shown even if a file could not be written.
    let shown = console::results(&text);
    saved.and(written).and(shown)
}

/// Trains. Returns the result, and whether the final checkpoint could be saved.
fn fit(
    arguments: &Arguments,
    plan: &Plan,
    train: &Dataset,
    test: &Dataset,
    checkpoints: Option<&Checkpoints>,
) -> anyhow::Result<(Trained, anyhow::Result<()>)> {
    let (machine, steps) = (&arguments.machine, plan.steps(train.rows()));
    let settings = settings(plan, arguments.held_out);
    let resumed = checkpoints.and_then(|checkpoints| checkpoints.resumed.as_deref());
    let mut fitting = match resumed {
        None => Fitting::new(plan, train, test, machine.isa, settings)?,
        Some(file) => Fitting::resume(plan, train, test, machine.isa, (file, settings))?,
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
        Progress::new("training", arguments.test_set(), plan.epochs, steps, machine.quiet);
    progress.skip(fitting.steps());
    let mut saver = match checkpoints {
        Some(open) => Some(Saver::new(&open.file, arguments.checkpoint_every)?),
        None => None,
    };
    while !fitting.is_done() {
        fitting.advance(&mut progress)?;
        if let Some(saver) = &mut saver {
            saver.after(&fitting, &progress)?;
        }
    }
    let saved = saver.map_or(Ok(()), |saver| saver.save(&fitting));
    Ok((fitting.finish()?, saved))
}

fn describe(arguments: &Arguments, train: &Dataset, test: &Dataset, fit: &Trained) -> Data {
    Data {
        source: arguments.data.to_string(),
        train_rows: train.rows(),
        test_rows: test.rows(),
        test_set: if arguments.held_out.is_some() { "held_out" } else { "test" },
        inputs: train.inputs().columns(),
        classes: fit.predictor.network().outputs(),
    }
}

/// Returns the text for stdout.
fn results(arguments: &Arguments, report: &Report<'_>) -> String {
    let mut text = String::new();
    let (wrong, rows) = (report.test_wrong, report.data.test_rows);
    let name = format!("{} error", arguments.test_set());
    line(
        &mut text,
        &name,
        format_args!("{} ({wrong} of {rows} wrong)", percent(report.test_error)),
    );
    line(&mut text, "baseline", report.baseline.text());
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
