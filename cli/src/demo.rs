//! `thinnet demo` trains the same network without and with dropout.

use std::path::PathBuf;

use comfy_table::Table;
use thinnet::{
    Keep,
    nn::{Activation, Initialisation, Loss},
    train::Provenance,
};

use crate::{
    comparison, console,
    fit::{Fitting, Rows, Trained, error_rate},
    machine::Machine,
    numbers::{self, counted},
    optimiser::Choice,
    outputs::{self, Format},
    picture::{Curve, Panel, draw},
    plan::{NoiseKind, Plan},
    progress::Progress,
    recipe,
    source::Data,
    table,
    train::{Objective, RowWeights},
    watch::Watch,
};

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet demo
  thinnet demo --epochs 10 --seed 2 --plot curves.svg

The demo trains a 784-1024-1024-1024-10 network on 8,000 MNIST digits, without and with dropout, and
measures the error on 2,000 others.";

/// The arguments of `thinnet demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
// These arguments are flattened into those without a subcommand, whose group has the same name.
#[group(skip)]
pub struct Arguments {
    /// Epochs of each of the two training runs, from 1 to 1000000
    #[arg(
        long, value_name = "N", default_value_t = recipe::DEMO_EPOCHS,
        value_parser = numbers::count(numbers::MAX_EPOCHS),
    )]
    epochs: usize,
    /// Random seed for the weights, the dropout masks and the order of the rows
    #[arg(long, value_name = "S", default_value_t = recipe::SEED, value_parser = numbers::seed)]
    seed: u64,
    /// Draw both learning curves into this file (SVG)
    #[arg(long, value_name = "FILE", default_value = "thinnet-demo.svg")]
    plot: PathBuf,
    #[command(flatten, next_help_heading = "Machine")]
    machine: Machine,
}

impl Arguments {
    /// The plan of one of the two training runs.
    fn plan(&self, input_keep: Keep, hidden_keep: Keep) -> Plan {
        Plan {
            hidden: recipe::HIDDEN.to_vec(),
            activation: Activation::Relu,
            maxout: None,
            noise: NoiseKind::Bernoulli,
            input_keep,
            hidden_keep,
            initialisation: Initialisation::He,
            batch: recipe::BATCH,
            epochs: self.epochs,
            learning_rate: recipe::DEMO_LEARNING_RATE,
            schedule: recipe::LR_SCHEDULE,
            optimiser: Choice::Sgd {
                momentum: Some(recipe::MOMENTUM),
                nesterov: false,
                weight_decay: recipe::WEIGHT_DECAY,
            },
            objective: Objective::default(),
            loss: Loss::SoftmaxCrossEntropy,
            max_norm: None,
            seed: self.seed,
            evaluate_every: 1,
            watch: Watch::default(),
            sparse_input: false,
            svmlight: None,
            notes: String::new(),
        }
    }
}

/// Runs `thinnet demo`.
///
/// # Errors
/// The plot cannot be written, or training fails.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let machine = &arguments.machine;
    let plot = (Format::Svg, ("--plot", arguments.plot.clone()));
    let [plot] = outputs::open(&[], [plot])?;
    let (train, test) =
        Data::digits().read_pair(Loss::SoftmaxCrossEntropy, None, &RowWeights::default())?;
    let pool = machine.pool()?;
    let plans = [
        ("no dropout", arguments.plan(Keep::ONE, Keep::ONE)),
        ("dropout", arguments.plan(recipe::KEEP_INPUT.parse()?, recipe::KEEP.parse()?)),
    ];
    let steps = plans[0].1.steps(train.rows());
    machine.remark(&format!(
        "Training a 784-1024-1024-1024-10 ReLU network twice on {} digits, {steps} updates each, in \
         alternating epochs: without dropout, and with keep rates {} (input) and {} (hidden). {}, {}.",
        train.rows(),
        recipe::KEEP_INPUT,
        recipe::KEEP,
        counted(machine.threads(), "thread"),
        machine.isa,
    ));

    // The two take turns, so that other load on the machine slows both equally.
    let (fits, verdict) = pool.install(|| {
        let mut progress = Progress::new("", "test", arguments.epochs, 2 * steps, machine.quiet);
        let rows = Rows { train: &train, validation: None, test: &test };
        let start = |plan| Fitting::new(plan, rows, machine.isa, Provenance::new());
        let mut fittings = [start(&plans[0].1)?, start(&plans[1].1)?];
        for _ in 0..arguments.epochs {
            for (fitting, (name, _)) in fittings.iter_mut().zip(&plans) {
                progress.turn(name);
                fitting.epoch(&mut progress)?;
            }
        }
        let [without, with] = fittings;
        let fits = [without.finish()?, with.finish()?];
        let verdict = comparison::sentence(&fits[0], &fits[1]);
        anyhow::Ok((fits, verdict))
    })?;
    let names = plans.each_ref().map(|(name, _)| *name);
    let written = plot.write(picture(&names, &fits)?.as_bytes());
    let mut text = format!("{}\n\n{verdict}\n", table(&names, &fits));
    if written.is_ok() {
        text += &format!("Learning curves: {}\n", plot.given().display());
    }
    // The table is shown even if the plot could not be written.
    let shown = console::results(&text);
    written.and(shown)
}

/// Returns a table with a row per network.
fn table(names: &[&str], fits: &[Trained]) -> Table {
    let header = ["network", "test error %", "median step ms", "active inputs %, layer by layer"];
    let mut table = table::new(header, &[0]);
    for (name, fit) in names.iter().zip(fits) {
        let densities: Vec<_> =
            fit.densities.iter().map(|density| format!("{:.0}", 100.0 * density)).collect();
        table.add_row([
            (*name).to_owned(),
            format!("{:.2}", 100.0 * error_rate(&fit.evaluation)),
            format!("{:.2}", fit.step_ms_median().unwrap_or(f64::NAN)),
            densities.join("  "),
        ]);
    }
    table
}

/// Returns both learning curves as the text of an SVG file.
fn picture(names: &[&str], fits: &[Trained]) -> anyhow::Result<String> {
    let curves =
        names.iter().zip(fits).map(|(name, fit)| Curve::test_error(name, &fit.curves)).collect();
    let panel = Panel { x: "epoch", y: "test error, %", note: "", mark: None, curves };
    draw("The same network without and with dropout", &[panel])
}
