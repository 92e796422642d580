//! `thinnet calibration` measures how well predicted probabilities match the observed accuracy, and
//! fits the temperature with which they do.

mod fit;

use std::path::PathBuf;

use anyhow::Context;
use comfy_table::Table;
use serde::Serialize;
use thinnet::{
    data::{Batch, Dataset, Inputs},
    metrics::{Aim, Calibration, CalibrationBin},
    predict::{Estimate, Method, Predictor, Workspace, evaluate},
};

use fit::{Changes, Chosen, Fitted};

use crate::{
    console::{self, usage},
    machine::Machine,
    memory,
    method::{Sampling, SeededMethod},
    model::ModelAndData,
    numbers,
    outputs::{self, Format},
    picture::{Curve, Panel, Weight, draw},
    probes::{self, Probe},
    recipe, table,
};

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet calibration --model digits.safetensors
  thinnet calibration --model mnist.safetensors --data mnist --samples 200 --plot reliability.svg
  thinnet calibration --model digits.safetensors --fit --out calibrated.safetensors
  thinnet calibration --model fraud.safetensors --data held --fit --threshold 1:50 --out new.safetensors

--fit finds the temperature T with the lowest log loss of softmax(z / T) on these rows, where z are the
outputs of the full network before the softmax. The network must not have been trained on them. The
model in --out has the temperature, and all commands that predict with it apply it: mc divides the
outputs of each thinned network. Apart from rounding, weight scaling predicts the same classes as
before. Log loss and calibration error are printed before and after, then the tables for the network
with the temperature.

--threshold chooses, for a network with two classes, the probability of class 1 above which these rows
are best classified as 1: those with the largest F1 of class 1, or with the lowest cost if class 1 for a
row of class 0 costs 1, and class 0 for a row of class 1 costs 50. The model keeps it, and it decides the
predicted class wherever one is printed, and the error, precision, recall and F1. It does not affect
probabilities, nor what is computed from them: log loss, calibration error, entropy, ROC-AUC.

The rows are sorted into bins of equal width by the probability of the predicted class (the
confidence). If a network is calibrated, the accuracy in each bin equals the bin's mean confidence.
The expected calibration error is the mean absolute difference between the two, weighted by the
number of rows (Guo et al. 2017). The 95 % intervals of the accuracy are Wilson's. Bins with fewer
than 30 rows are marked with *, and hollow in the diagram.

The network also predicts rows unlike its training data, on which it should be less certain:
rows whose columns were shuffled independently (which changes nothing if columns are independent);
rows whose numbers lie outside the range of their column, by 0.5 to 1 times its width; and, if the data
are square images (IDX files or the digits), images rotated by 90°. For each kind of row, the mean
confidence, the mean entropy of the class probabilities and the mean mutual information (how much the
thinned networks disagree) are printed, the latter two in nats.";

/// With fewer rows than this, an accuracy is uncertain: its interval is up to a third wide.
const FEW: usize = 30;

/// The arguments of `thinnet calibration`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    model_and_data: ModelAndData,
    /// Number of bins of equal width for the confidence, from 1 to 1000
    #[arg(
        long, value_name = "N", default_value_t = 10,
        value_parser = numbers::count(numbers::MAX_BINS),
    )]
    bins: usize,
    #[command(flatten)]
    sampling: Sampling,
    /// Fit the temperature, by which the outputs before the softmax are divided, to these rows
    #[arg(long)]
    fit: bool,
    /// Choose the probability above which the answer is class 1: AIM is f1, or the costs of a false
    /// positive and of a false negative, such as 1:50
    #[arg(long, value_name = "AIM")]
    threshold: Option<Aim>,
    /// Save the model with the temperature and the threshold in this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw the reliability diagram into this file (SVG)
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Machine")]
    machine: Machine,
}

/// The rows that were sorted into one bin. If there are none, the means are NaN, which is `null` in
/// JSON.
#[derive(Clone, Debug, Serialize)]
struct Bin {
    rows: usize,
    accuracy: f64,
    /// The 95 % interval; from 0 to 1 if there are no rows.
    accuracy_interval: [f64; 2],
    confidence: f64,
}

impl From<CalibrationBin> for Bin {
    fn from(bin: CalibrationBin) -> Self {
        let [accuracy, confidence] =
            [bin.accuracy, bin.confidence].map(|mean| mean.unwrap_or(f64::NAN));
        let accuracy_interval = wilson(accuracy, bin.rows);
        Self { rows: bin.rows, accuracy, accuracy_interval, confidence }
    }
}

impl Bin {
    /// Whether it has so few rows that its accuracy is uncertain.
    fn is_few(&self) -> bool {
        (1..FEW).contains(&self.rows)
    }
}

/// Returns Wilson's 95 % score interval (1927) of a probability, given the fraction `part` that was
/// observed in `n` rows.
fn wilson(part: f64, n: usize) -> [f64; 2] {
    // The 0.975 quantile of the normal distribution, squared.
    let z2 = 1.959_964 * 1.959_964;
    if n == 0 {
        return [0.0, 1.0];
    }
    let n = n as f64;
    let centre = part + z2 / (2.0 * n);
    let half = (z2 * (part * (1.0 - part) / n + z2 / (4.0 * n * n))).sqrt();
    let of = |end: f64| (end / (1.0 + z2 / n)).clamp(0.0, 1.0);
    [of(centre - half), of(centre + half)]
}

/// The parts of a row's answer that are used here.
#[derive(Clone, Copy, Debug)]
struct Answer {
    /// The class that is decided for.
    class: usize,
    /// The most probable class, which is another one if a threshold says so.
    most_probable: usize,
    /// The probability of the most probable class.
    probability: f64,
    entropy: f64,
    mutual_information: Option<f64>,
    /// The probability of the label, if the row is one of the data.
    of_label: Option<f64>,
}

impl Answer {
    fn of(estimate: Estimate<'_>, label: Option<u32>) -> anyhow::Result<Self> {
        let class = estimate.class().zip(estimate.entropy());
        let (class, entropy) = class.context("the outputs of the network are not classes")?;
        let p = estimate.mean();
        let most_probable = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
        Ok(Self {
            class,
            most_probable,
            probability: p[most_probable],
            entropy,
            mutual_information: estimate.mutual_information(),
            of_label: label.map(|label| p[label as usize]),
        })
    }
}

/// Means over the rows of one kind.
#[derive(Debug, Serialize)]
struct Means {
    rows: &'static str,
    confidence: f64,
    entropy: f64,
    mutual_information: Option<f64>,
}

/// What was measured with one method of prediction.
#[derive(Debug, Serialize)]
struct Findings {
    method: &'static str,
    test_error: f64,
    log_loss: f64,
    expected_calibration_error: f64,
    bins: Vec<Bin>,
    /// The means over the data, and over each kind of altered rows.
    means: Vec<Means>,
}

/// Runs `thinnet calibration`.
///
/// # Errors
/// A file cannot be read or written, or the network does not fit the data.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let plot = arguments.plot.clone().map(|path| (Format::Svg, ("--plot", path)));
    let out = arguments.out.clone().map(|path| (Format::Safetensors, ("--out", path)));
    let [plot, out] = outputs::open_given(&arguments.model_and_data.files(), [plot, out])?;
    if out.is_some() && !arguments.fit && arguments.threshold.is_none() {
        return Err(usage("--out saves what --fit and --threshold find: expected one of them"));
    }
    let (mut model, test) = arguments.model_and_data.read_classifier()?;
    let probes = probes::of(&test)?;
    let [scale, moments] =
        [Method::WeightScaling, Method::Moments].map(SeededMethod::without_samples);
    let mut methods = vec![scale, arguments.sampling.seeded()?];
    // Moments do not go through maxout units.
    if model.network().pieces().iter().all(|&pieces| pieces == 1) {
        methods.push(moments);
    } else {
        machine
            .remark("the network has maxout units: without moments, which do not support them\n");
    }
    let measure = |predictor: &Predictor, probes: &[Probe]| {
        let mut workspace = predictor.workspace(recipe::EVALUATION_BATCH.min(test.rows()))?;
        let found = methods.iter().map(|&method| {
            Findings::of(method, predictor, &test, probes, arguments.bins, &mut workspace)
        });
        found.collect::<anyhow::Result<Vec<_>>>()
    };
    let (changes, findings) = machine.pool()?.install(|| {
        let mut changes = Changes::default();
        if arguments.fit {
            let predictor = Predictor::from_model(model.clone())?.with_isa(machine.isa)?;
            let fitted = Fitted::new(&predictor, &test, &measure(&predictor, &[])?)?;
            let had_threshold = model.network().threshold().is_some();
            model.set_temperature(fitted.temperature)?;
            if had_threshold && model.network().threshold().is_none() {
                machine.remark(
                    "the model's threshold was one of other probabilities, and is removed: --threshold \
                     chooses one\n",
                );
            }
            changes.temperature = Some(fitted);
        }
        if let Some(aim) = arguments.threshold {
            let predictor = Predictor::from_model(model.clone())?.with_isa(machine.isa)?;
            let chosen = Chosen::new(&predictor, &test, aim)?;
            model.set_threshold(Some(chosen.threshold))?;
            changes.threshold = Some(chosen);
        }
        if let Some(out) = &out {
            out.save(|path| model.save(path))?;
        }
        let predictor = Predictor::from_model(model)?.with_isa(machine.isa)?;
        anyhow::Ok((changes, measure(&predictor, &probes)?))
    })?;
    if let Some(plot) = &plot {
        plot.write(diagram(&findings)?.as_bytes())?;
    }
    console::results(&if arguments.json {
        let text = if changes.any() {
            serde_json::to_string_pretty(&changes.results(&findings))
        } else {
            serde_json::to_string_pretty(&findings)
        };
        text? + "\n"
    } else {
        let changes = changes.text(&findings);
        let few = findings.iter().flat_map(|found| &found.bins).any(Bin::is_few);
        let note = if few { format!("\n* fewer than {FEW} rows") } else { String::new() };
        format!("{changes}{}{note}\n\n{}\n", reliability(&findings), means(&findings))
    })
}

/// Predicts all rows. `labels` are theirs, or none.
fn predict_all(
    method: SeededMethod,
    predictor: &Predictor,
    x: Inputs<'_>,
    labels: &[u32],
    workspace: &mut Workspace,
) -> anyhow::Result<Vec<Answer>> {
    let mut answers = memory::reserve("answers", x.rows())?;
    for batch in Batch::new(x).chunks(recipe::EVALUATION_BATCH)? {
        for estimate in method.answers(predictor, &batch, workspace)? {
            let label = labels.get(answers.len()).copied();
            answers.push(Answer::of(estimate, label)?);
        }
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
    /// Measures a method on the data, and on the altered rows `probes`.
    fn of(
        method: SeededMethod,
        predictor: &Predictor,
        data: &Dataset,
        probes: &[Probe],
        bins: usize,
        workspace: &mut Workspace,
    ) -> anyhow::Result<Self> {
        let answers = predict_all(method, predictor, data.inputs(), data.labels()?, workspace)?;
        let mut means = vec![Means::of("data", &answers)];
        for (name, x) in probes {
            let answers = predict_all(method, predictor, x.view().into(), &[], workspace);
            let answers =
                answers.map_err(|error| anyhow::anyhow!("altered rows ({name}): {error}"))?;
            means.push(Means::of(name, &answers));
        }
        let log_loss = if method.has_uncertainty() {
            let losses = answers.iter().filter_map(|answer| answer.of_label).map(|p| -p.ln());
            losses.sum::<f64>() / answers.len().max(1) as f64
        } else {
            // From the logits: a probability may round to 0.
            evaluate(predictor, data, workspace)?.loss
        };
        let mut calibration = Calibration::new(bins)?;
        let mut wrong = 0;
        for (answer, &label) in answers.iter().zip(data.labels()?) {
            let right = answer.most_probable == label as usize;
            calibration.add(answer.probability, right, 1.0)?;
            wrong += usize::from(answer.class != label as usize);
        }
        Ok(Self {
            method: method.name(),
            test_error: wrong as f64 / answers.len().max(1) as f64,
            log_loss,
            expected_calibration_error: calibration.error()?,
            bins: calibration.bins().map(Bin::from).collect(),
            means,
        })
    }
}

fn percent(part: f64) -> String {
    format!("{:.2}", 100.0 * part)
}

/// Returns a table of the bins that have rows.
fn reliability(findings: &[Findings]) -> Table {
    let mut table = table::new(
        [
            "confidence, %",
            "method",
            "rows",
            "mean confidence, %",
            "accuracy, %",
            "95 % interval, %",
        ],
        &[0, 1],
    );
    for found in findings {
        let bins = found.bins.len() as f64;
        let decimals = usize::from(100 % found.bins.len() != 0);
        for (i, bin) in found.bins.iter().enumerate().filter(|(_, bin)| bin.rows > 0) {
            let edge = |i: usize| 100.0 * i as f64 / bins;
            table.add_row([
                format!("{:.decimals$} to {:.decimals$}", edge(i), edge(i + 1)),
                found.method.to_owned(),
                format!("{}{}", bin.rows, if bin.is_few() { " *" } else { "" }),
                percent(bin.confidence),
                percent(bin.accuracy),
                bin.accuracy_interval.map(percent).join(" to "),
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
        "log loss",
        "expected calibration error, %",
        "mean confidence, %",
        "mean entropy",
        "mean mutual information",
    ];
    let mut table = table::new(header, &[0, 1]);
    for found in findings {
        for (i, means) in found.means.iter().enumerate() {
            let of_data = |part| if i == 0 { percent(part) } else { String::new() };
            table.add_row([
                found.method.to_owned(),
                means.rows.to_owned(),
                of_data(found.test_error),
                if i == 0 { format!("{:.4}", found.log_loss) } else { String::new() },
                of_data(found.expected_calibration_error),
                percent(means.confidence),
                format!("{:.4}", means.entropy),
                means.mutual_information.map_or(String::new(), |mean| format!("{mean:.4}")),
            ]);
        }
    }
    table
}

/// Returns the reliability diagram, accuracy over confidence, as the text of an SVG file.
fn diagram(findings: &[Findings]) -> anyhow::Result<String> {
    let curve = |found: &Findings| {
        let points = found.bins.iter().filter(|bin| bin.rows > 0).map(|bin| {
            let interval = bin.accuracy_interval.map(|end| 100.0 * end);
            let weight = Weight { rows: bin.rows, few: bin.is_few(), interval };
            ((100.0 * bin.confidence, 100.0 * bin.accuracy), weight)
        });
        let error = percent(found.expected_calibration_error);
        Curve::bins(format!("{}: expected calibration error {error} %", found.method), points)
    };
    let calibrated = Curve::line("calibrated", vec![(0.0, 0.0), (100.0, 100.0)]);
    let curves = findings.iter().map(curve).chain([calibrated]).collect();
    let note = format!(
        "Area of a circle: number of rows; hollow: fewer than {FEW}. Bars: 95 % intervals (Wilson)."
    );
    let panel =
        Panel { x: "mean confidence, %", y: "accuracy, %", note: &note, mark: None, curves };
    draw("Reliability: accuracy against confidence", &[panel])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe 1998, table I: intervals of 81 of 263, 15 of 148, 0 of 20 and 1 of 29.
    #[test]
    fn intervals_are_wilsons() {
        for (k, n, want) in [
            (81.0, 263, [0.2553, 0.3662]),
            (15.0, 148, [0.0624, 0.1605]),
            (0.0, 20, [0.0, 0.1611]),
            (1.0, 29, [0.0061, 0.1718]),
        ] {
            for (got, want) in wilson(k / n as f64, n).into_iter().zip(want) {
                assert!((got - want).abs() < 5e-5, "{k} of {n}: {got}, {want}");
            }
        }
        assert_eq!(wilson(0.0, 0), [0.0, 1.0]);
    }
}
