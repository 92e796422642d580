//! `thinnet calibrate`: whether a network is as often right as it says.

use std::path::PathBuf;

use comfy_table::Table;
use serde::Serialize;
use thinnet::{
    data::{Batch, Dataset},
    mask::{Domain, Streams},
    predict::{Predictor, Workspace},
    tensor::{Matrix, MatrixView},
};

use crate::{
    asking::{Answer, Sampling, Way},
    console,
    machine::Machine,
    model::ModelAndData,
    numbers,
    outputs::{self, Format},
    picture::{Axis, Curve, Panel, draw},
    recipe, table,
};

/// What stands below the help.
const EXAMPLES: &str = "\
Examples:
  thinnet calibrate --model digits.safetensors
  thinnet calibrate --model mnist.safetensors --data mnist --samples 200 --plot reliability.svg

The rows are sorted into bins of equal width by the probability of the class that they are taken
for (the confidence). Where a network is calibrated, the part of a bin's rows that it is right
about (the accuracy) is the bin's mean confidence; the expected calibration error is the mean
distance between them, weighted by the rows (Guo et al. 2017). Entropies are in nats.";

/// The arguments of `thinnet calibrate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    asked: ModelAndData,
    /// Equal bins that the confidence is sorted into, from 1 to 1000
    #[arg(
        long, value_name = "N", default_value_t = 10,
        value_parser = numbers::count(numbers::MOST_BINS), allow_negative_numbers = true,
    )]
    bins: usize,
    #[command(flatten)]
    sampling: Sampling,
    /// Draw the reliability diagram as SVG into FILE
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Machine")]
    machine: Machine,
}

/// Rows that were sorted into a bin.
#[derive(Clone, Debug, Default, Serialize)]
struct Bin {
    rows: usize,
    accuracy: f64,
    confidence: f64,
}

/// Means over some rows.
#[derive(Debug, Serialize)]
struct Means {
    rows: &'static str,
    confidence: f64,
    entropy: f64,
    mutual_information: Option<f64>,
}

/// What a way to predict says.
#[derive(Debug, Serialize)]
struct Findings {
    method: &'static str,
    test_error: f64,
    expected_calibration_error: f64,
    bins: Vec<Bin>,
    /// Of the digits, and of what is none.
    means: Vec<Means>,
}

/// Runs `thinnet calibrate`.
///
/// # Errors
/// A file that cannot be read or written, or a network that is not for such data.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let plot = arguments.plot.clone().map(|path| (Format::Svg, ("--plot", path)));
    let [plot] = outputs::open_given(&arguments.asked.files(), [plot])?;
    let (mlp, test) = arguments.asked.read()?;
    let predictor = Predictor::new(mlp).with_isa(machine.isa)?;
    let rows = test.rows();
    let most_rows = recipe::EVALUATION_BATCH.min(rows);
    let mut workspace = predictor.workspace(most_rows)?;
    let others = others(&test, rows)?;
    let ways = [Way::Scale, arguments.sampling.way()?, Way::Moments];
    let findings = machine.pool()?.install(|| {
        let mut ask = |way, x| asked(way, &predictor, x, rows, &mut workspace);
        let mut findings = Vec::new();
        for way in ways {
            let answers = ask(way, test.inputs())?;
            let mut means = vec![Means::of("digits", &answers)];
            for (name, x) in &others {
                means.push(Means::of(name, &ask(way, x.view())?));
            }
            findings.push(Findings::of(way, &answers, &test, arguments.bins, means));
        }
        anyhow::Ok(findings)
    })?;
    if let Some(plot) = &plot {
        plot.write(diagram(&findings)?.as_bytes())?;
    }
    console::results(&if arguments.json {
        serde_json::to_string_pretty(&findings)? + "\n"
    } else {
        format!("{}\n\n{}\n", reliability(&findings), means(&findings))
    })
}

/// The rows turned by a quarter, where they are square images, and noise.
fn others(data: &Dataset, rows: usize) -> anyhow::Result<Vec<(&'static str, Matrix)>> {
    let columns = data.inputs().columns();
    let side = columns.isqrt();
    let mut found = Vec::new();
    if side * side == columns {
        let mut turned = Matrix::zeroed(rows, columns)?;
        for row in 0..rows {
            let (from, to) = (data.inputs().row(row)?, turned.row_mut(row)?);
            for (i, to) in to.iter_mut().enumerate() {
                *to = from[(side - 1 - i % side) * side + i / side];
            }
        }
        found.push(("turned by 90°", turned));
    }
    let mut noise = Matrix::zeroed(rows, columns)?;
    let streams = Streams::new(0, Domain::Noise, 0, 0);
    for row in 0..rows {
        for (i, x) in noise.row_mut(row)?.iter_mut().enumerate() {
            // 24 bits, from 0 to below 1.
            *x = (streams.hash((row * columns + i) as u64) >> 40) as f32 / (1 << 24) as f32;
        }
    }
    found.push(("noise", noise));
    Ok(found)
}

fn asked(
    way: Way,
    predictor: &Predictor,
    x: MatrixView<'_>,
    rows: usize,
    workspace: &mut Workspace,
) -> anyhow::Result<Vec<Answer>> {
    let order: Vec<u32> = (0..rows as u32).collect();
    let mut answers = Vec::new();
    for chosen in order.chunks(recipe::EVALUATION_BATCH) {
        let batch = Batch::gather(x, chosen)?;
        answers.extend(way.answers(predictor, &batch, chosen, workspace)?);
    }
    Ok(answers)
}

impl Means {
    fn of(rows: &'static str, answers: &[Answer]) -> Self {
        let mean = |number: fn(&Answer) -> Option<f64>| {
            let sum: Option<f64> = answers.iter().map(number).sum();
            sum.map(|sum| sum / answers.len().max(1) as f64)
        };
        let known = |number| mean(number).unwrap_or(f64::NAN);
        Self {
            rows,
            confidence: known(|answer| Some(answer.probability)),
            entropy: known(|answer| Some(answer.entropy)),
            mutual_information: mean(|answer| answer.mutual_information),
        }
    }
}

impl Findings {
    fn of(way: Way, answers: &[Answer], data: &Dataset, bins: usize, means: Vec<Means>) -> Self {
        let mut found = vec![Bin::default(); bins];
        let mut wrong = 0;
        for (answer, &label) in answers.iter().zip(data.labels()) {
            let right = answer.class == label as usize;
            let bin = (answer.probability * bins as f64) as usize;
            let bin = &mut found[bin.min(bins - 1)];
            bin.rows += 1;
            // Sums, for the time being.
            bin.accuracy += f64::from(right);
            bin.confidence += answer.probability;
            wrong += usize::from(!right);
        }
        let all = answers.len().max(1) as f64;
        let apart: f64 = found.iter().map(|bin| (bin.accuracy - bin.confidence).abs()).sum();
        for bin in &mut found {
            let rows = bin.rows.max(1) as f64;
            (bin.accuracy, bin.confidence) = (bin.accuracy / rows, bin.confidence / rows);
        }
        Self {
            method: way.name(),
            test_error: wrong as f64 / all,
            expected_calibration_error: apart / all,
            bins: found,
            means,
        }
    }
}

fn percent(part: f64) -> String {
    format!("{:.2}", 100.0 * part)
}

/// The bins that have rows, and below them the errors.
fn reliability(findings: &[Findings]) -> Table {
    let mut table = table::new(
        ["confidence, %", "method", "rows", "mean confidence, %", "accuracy, %"],
        &[0, 1],
    );
    for found in findings {
        let bins = found.bins.len() as f64;
        for (i, bin) in found.bins.iter().enumerate().filter(|(_, bin)| bin.rows > 0) {
            let edge = |i: usize| 100.0 * i as f64 / bins;
            table.add_row([
                format!("{:.0} to {:.0}", edge(i), edge(i + 1)),
                found.method.to_owned(),
                bin.rows.to_string(),
                percent(bin.confidence),
                percent(bin.accuracy),
            ]);
        }
    }
    table
}

fn means(findings: &[Findings]) -> Table {
    let header = [
        "method",
        "rows",
        "test error, %",
        "expected calibration error, %",
        "mean confidence, %",
        "mean entropy",
        "mean mutual information",
    ];
    let mut table = table::new(header, &[0, 1]);
    for found in findings {
        for (i, means) in found.means.iter().enumerate() {
            let of_digits = |part| if i == 0 { percent(part) } else { String::new() };
            table.add_row([
                found.method.to_owned(),
                means.rows.to_owned(),
                of_digits(found.test_error),
                of_digits(found.expected_calibration_error),
                percent(means.confidence),
                format!("{:.4}", means.entropy),
                means.mutual_information.map_or(String::new(), |mean| format!("{mean:.4}")),
            ]);
        }
    }
    table
}

/// Accuracy over confidence, as the text of an SVG file.
fn diagram(findings: &[Findings]) -> anyhow::Result<String> {
    let curve = |found: &Findings| {
        let bins = found.bins.iter().filter(|bin| bin.rows > 0);
        let points = bins.map(|bin| (100.0 * bin.confidence, 100.0 * bin.accuracy)).collect();
        let error = percent(found.expected_calibration_error);
        Curve::new(format!("{}: expected calibration error {error} %", found.method), points)
    };
    let calibrated = Curve::new("calibrated".to_owned(), vec![(0.0, 0.0), (100.0, 100.0)]);
    let curves = findings.iter().map(curve).chain([calibrated]).collect();
    let panel = Panel { x: "mean confidence, %", y: "accuracy, %", axis: Axis::Parts, curves };
    draw("How often it is right, and how often it says so", &[panel])
}
