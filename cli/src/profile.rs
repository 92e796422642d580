//! `thinnet profile` measures where the time of a training step goes.

use std::fmt::Write;

use comfy_table::Table;
use thinnet::{
    checkpoint::Model,
    profile::{Cost, Profile},
    train::{Optimiser, Schedule},
};

use crate::{
    console,
    machine::Machine,
    model::ModelAndData,
    numbers::{self, counted},
    optimiser::{self, Options},
    outputs,
    plan::LrSchedule,
    table,
};

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet profile --model digits.safetensors
  thinnet profile --model mnist.safetensors --data mnist --batch 512 --json

The command trains a copy of the network with learning rate 0, which takes as long as any other rate,
and reports the median time of each part of a step. `check` validates the batch (sizes, finite numbers),
`masks` draws the dropout masks, and `input lists` lists the active inputs. `up 1` is the forward pass
(product 1: inputs times weights). `down 2+3, update` is the backward pass, fused with the update
(product 2: gradients of the inputs; product 3: gradients of the weights; the first layer needs only
product 3). `other` is the rest of the step: waiting for threads and for the system's scheduler, close
to 0 on an idle machine.
`path` is the kernel that a layer uses: lists, few rows (small batches) or narrow (at most 16 outputs).
`dense %` is the percentage of its inputs, in blocks of 64, that are multiplied as matrices instead of
lists because all of them are active.
`in %` and `out %` are the percentages of its inputs and outputs that are active: kept by dropout and,
for network inputs and ReLU units, not 0.
`dense GFLOP/s` is the speed that a dense implementation would need to take the same time. The two
floors are lower bounds for the time on this machine: `FMA floor` is the time for the operations on
active units at its peak rate of fused multiply-adds, and `memory floor` the time to read and write the
weights and the optimiser's state at its peak bandwidth.
`over floor` is the time divided by the larger of the two. Nothing else should run at the same time.";

/// The arguments of `thinnet profile`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    #[command(flatten)]
    model_and_data: ModelAndData,
    /// Rows per batch, from 1 to 1000000
    #[arg(
        long, value_name = "N", default_value_t = 128,
        value_parser = numbers::count(numbers::MAX_BATCH),
    )]
    batch: usize,
    /// Number of steps to measure, from 1 to 1000000
    #[arg(
        long, value_name = "N", default_value_t = 100,
        value_parser = numbers::count(numbers::MAX_STEPS),
    )]
    steps: usize,
    /// Optimiser
    #[arg(long, value_name = "NAME", default_value = "sgd", value_parser = optimiser::parser())]
    optimiser: Optimiser,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten, next_help_heading = "Machine")]
    machine: Machine,
}

/// Runs `thinnet profile`.
///
/// # Errors
/// A file cannot be read, or the network does not fit the data.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let [] = outputs::open(&arguments.model_and_data.files(), [])?;
    let (model, test) = arguments.model_and_data.read()?;
    if let Model::Integer(_) = model {
        console::remark(
            "note: 8-bit weights are not trained: these are the steps of the same network with f32 weights",
        );
    }
    let Arguments { batch, steps, .. } = *arguments;
    let choice = Options::default().choose(&arguments.optimiser, LrSchedule::Constant)?;
    let optimiser = choice.with(Schedule::constant(0.0));
    let (pool, isa) = (arguments.machine.pool()?, arguments.machine.isa);
    let found =
        pool.install(|| Profile::measure(model.network(), optimiser, &test, batch, steps, isa))?;
    console::results(&if arguments.json {
        serde_json::to_string_pretty(&found)? + "\n"
    } else {
        text(&found)
    })
}

/// Returns the text that is printed without `--json`.
fn text(found: &Profile) -> String {
    let mut text = String::new();
    let (floors, ms) = (found.floors, 1e3 * found.seconds);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "machine   {}, {}: {:.0} GFLOP/s of fused multiply-adds, {:.1} GB/s of weights and \
         state\n\
         step      {ms:.2} ms for {} rows, median of {}: {:.0} dense GFLOP/s, {:.2} times the peak\n{}",
        counted(found.threads, "thread"),
        found.isa,
        floors.fma_gflops,
        floors.memory_gbytes,
        found.rows,
        found.steps,
        found.dense_gflops,
        found.dense_gflops / floors.fma_gflops,
        table(found),
    );
    text
}

/// Returns a table with a row per part of the step.
fn table(found: &Profile) -> Table {
    let header = [
        "layer",
        "path",
        "dense\n%",
        "in %",
        "out %",
        "part",
        "ms",
        "share\n%",
        "dense\nGFLOP/s",
        "MB",
        "FMA\nfloor ms",
        "memory\nfloor ms",
        "over\nfloor",
    ];
    let mut table = table::new(header, &[0, 1, 5]);
    let of_step = |part: &str, seconds: f64| {
        let numbers = [ms(seconds), share(seconds / found.seconds)];
        row([""; 5].map(str::to_owned), part, numbers)
    };
    table.add_row(of_step("check", found.check_seconds));
    table.add_row(of_step("masks", found.mask_seconds));
    table.add_row(of_step("input lists", found.list_seconds));
    for (index, layer) in found.layers.iter().enumerate() {
        let name = format!("{index}: {}-{}", layer.inputs, layer.outputs);
        let (density_in, density_out) = (percent(layer.density_in), percent(layer.density_out));
        let (path, dense) = (layer.path.to_string(), percent(layer.dense_blocks));
        let first = [name, path, dense, density_in, density_out];
        let down = if index == 0 { "down 3, update" } else { "down 2+3, update" };
        table.add_row(row(first, "up 1", cost(&layer.up)));
        table.add_row(row([""; 5].map(str::to_owned), down, cost(&layer.down)));
    }
    table.add_row(of_step("loss", found.loss_seconds));
    table.add_row(of_step("other", found.other_seconds));
    table
}

/// Returns a row of the table: the cells about the layer, the part's name and its numbers.
fn row<const N: usize>(layer: [String; 5], part: &str, numbers: [String; N]) -> Vec<String> {
    layer.into_iter().chain([part.to_owned()]).chain(numbers).collect()
}

fn cost(cost: &Cost) -> [String; 7] {
    [
        ms(cost.seconds),
        share(cost.share),
        format!("{:.0}", cost.dense_gflops),
        format!("{:.1}", cost.bytes / 1e6),
        ms(cost.arithmetic_floor_seconds),
        ms(cost.memory_floor_seconds),
        format!("{:.1}", cost.over_floor()),
    ]
}

fn ms(seconds: f64) -> String {
    format!("{:.3}", 1e3 * seconds)
}

/// With one more digit than densities have, so that the printed shares add up to 100.
fn share(part: f64) -> String {
    format!("{:.1}", 100.0 * part)
}

fn percent(part: f64) -> String {
    format!("{:.0}", 100.0 * part)
}
