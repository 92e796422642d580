//! `thinnet quantize` rounds the weights of a saved network to 8 bits.

use std::path::PathBuf;

use thinnet::{
    data::{Batch, Split},
    exchange::FileKind,
    nn::IntegerMlp,
};

use crate::{
    convert,
    given::{self, Given},
    inputs,
    numbers::{self, counted},
    outputs::{self, Format},
    source::Data,
};

/// The most rows of which the library makes use.
const MAX_ROWS: usize = 2048;

/// The text at the end of the help.
const EXAMPLES: &str = "\
Examples:
  thinnet quantize digits.safetensors --out digits-8bit.safetensors
  thinnet quantize mnist.safetensors --data mnist --out mnist-8bit.safetensors
  thinnet eval --model digits-8bit.safetensors

Every weight becomes a multiple, from -127 to 127, of a scale that all weights into its unit share.
Predictions round each layer's inputs likewise, with a scale for each row, so an answer does not
depend on the other rows of its batch; sums are exact. If all hidden units are ReLU, leaky ReLU or
identity, the outputs before the softmax have the same bits on every machine.
The training rows of --data only decide in which order the units are stored: units that are active
for the same rows become neighbours, which makes predictions faster and does not change them.
A network with 8-bit weights cannot be trained. Keep MODEL.";

/// The arguments of `thinnet quantize`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A model or checkpoint with f32 weights
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    data: Data,
    /// The output file, a model
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Number of training rows to look at, from 1 to 2048, equally spaced [default: 2048, or all if
    /// there are fewer]
    #[arg(long, value_name = "N", value_parser = numbers::count(MAX_ROWS))]
    rows: Option<usize>,
}

/// Runs `thinnet quantize`.
///
/// # Errors
/// A file cannot be read or written, is not such a model, or the model does not fit the data.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { model, data, out, .. } = arguments;
    let mut reads = data.files();
    reads.push(("MODEL", model.clone()));
    let [output] = outputs::open(&reads, [(Format::Safetensors, ("--out", out.clone()))])?;
    let given = Given::open(model).map_err(|error| {
        inputs::explain(&[(format!("MODEL {}", model.display()), model, given::EXPECTED)], error)
    })?;
    let kind = given.kind();
    anyhow::ensure!(
        kind == FileKind::Thinnet,
        "MODEL {}: {kind}: expected a model (`thinnet convert` converts it to one)",
        model.display()
    );
    let contents = given.contents()?;
    anyhow::ensure!(
        !contents.integer_weights,
        "MODEL {}: its weights already have 8 bits: expected a model with f32 weights",
        model.display()
    );
    let mlp = contents.network;
    let data = data.like(Split::Train, &mlp, &format!("MODEL {}", model.display()))?;
    let (rows, _) = data.read_rows(Split::Train, mlp.loss(), mlp.inputs())?;
    let rows = rows.view();
    anyhow::ensure!(
        mlp.inputs() == rows.columns(),
        "MODEL {}: the network has {} inputs, but the rows of --data {data} have {} columns",
        model.display(),
        mlp.inputs(),
        rows.columns(),
    );
    let all = rows.rows();
    let count = arguments.rows.unwrap_or(MAX_ROWS).min(all);
    // `numbers` and the data's own reader allow no more rows than a u32 can number.
    let spaced = |i: usize| (i as u64 * all as u64 / count as u64) as u32;
    let chosen: Vec<u32> = (0..count).map(spaced).collect();
    let integer = IntegerMlp::new(&mlp, &Batch::gather(rows, &chosen)?)?;
    output.save(|path| integer.save(path))?;
    let how = format!("order          of units: made for {}\n", counted(count, "training row"));
    convert::say(&output, "a model with 8-bit weights", integer.network(), &how)
}
