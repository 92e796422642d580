//! `thinnet convert`: networks from PyTorch and ONNX, and to PyTorch.

use std::path::{Path, PathBuf};

use thinnet::{
    exchange::{self, FileKind, Layers, Sequential},
    files,
    nn::{Loss, Mlp, Scaling},
};

use crate::{
    console::{self, usage},
    given::Given,
    outputs::{self, Format, Output},
};

/// What stands below the help.
const EXAMPLES: &str = "\
Examples:
  thinnet convert network.onnx network.safetensors
  thinnet convert state_dict.safetensors network.safetensors --architecture network.toml
  thinnet convert digits.safetensors state_dict.safetensors

Where network.toml holds, for nn.Sequential(nn.Dropout(0.2), nn.Linear(784, 256), nn.ReLU(),
nn.Dropout(0.5), nn.Linear(256, 10)):
  input_drop = 0.2
  hidden = [{ activation = \"relu\", drop = 0.5 }]
Activations are relu, leaky_relu(0.01) (with any slope), logistic (nn.Sigmoid), tanh and identity.
Where they are not the default: `loss` (softmax_cross_entropy, squared_error,
binary_cross_entropy), `scaling` (inverted, paper), `sparse_input` (true), `names` of the layers in
their order ([\"fc1\", \"out\"]); `input_keep` and `keep` are the rates of keeping instead.

A state dict with inverted weights is for the nn.Sequential that is printed: in Python
  model.load_state_dict(safetensors.torch.load_file(\"state_dict.safetensors\"))";

/// The longest description of a network that is read: 1 MiB.
const MOST_TOML_BYTES: u64 = 1 << 20;

/// The arguments of `thinnet convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// An ONNX graph, or a state dict of PyTorch in safetensors, of which a model is made; or a
    /// model or checkpoint of thinnet, of which a state dict is made
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The file to be written
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// What a state dict does not say: activations, drop rates, loss
    #[arg(long, value_name = "FILE.toml")]
    architecture: Option<PathBuf>,
    /// The form of a state dict's weights, `inverted` as PyTorch's or `paper` [default: inverted,
    /// or what FILE.toml says]
    #[arg(long, value_name = "FORM")]
    scaling: Option<Scaling>,
    /// The loss where IN does not say it [default: softmax_cross_entropy, of one output
    /// squared_error]
    #[arg(long, value_name = "NAME")]
    loss: Option<Loss>,
}

/// Runs `thinnet convert`.
///
/// # Errors
/// A file that cannot be read, is no such network, or cannot be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let input = arguments.input.as_path();
    let mut reads = vec![("IN", arguments.input.clone())];
    reads.extend(arguments.architecture.clone().map(|file| ("--architecture", file)));
    let output = (Format::Safetensors, ("OUT", arguments.output.clone()));
    let [output] = outputs::open(&reads, [output])?;
    let given = Given::open(input)?;
    let kind = given.kind();
    let made = match kind {
        FileKind::Thinnet => {
            arguments.only(kind, &["--scaling"])?;
            let network = given.contents()?.network;
            let scaling = arguments.scaling.unwrap_or_default();
            output.save(|path| exchange::save_torch(&network, scaling, path))?;
            let what = format!("a state dict, weights {scaling}");
            // With weights in another form it is not that module.
            let for_python = scaling == Scaling::Inverted;
            return console::results(&text(&output, &what, &network, for_python));
        }
        FileKind::Onnx => {
            arguments.only(kind, &["--loss"])?;
            given.graph(arguments.loss)?
        }
        FileKind::Exported if arguments.architecture.is_none() => {
            arguments.only(kind, &["--architecture"])?;
            given.state_dict(None)?
        }
        _ => {
            let Some(file) = &arguments.architecture else {
                return Err(usage(format!(
                    "{}: {kind} without its architecture: expected --architecture FILE.toml",
                    input.display()
                )));
            };
            let mut layers = read_layers(file)?;
            if let Some(scaling) = arguments.scaling {
                layers = layers.scaling(scaling);
            }
            if let Some(loss) = arguments.loss {
                layers = layers.loss(loss);
            }
            given.state_dict(Some(&layers))?
        }
    };
    output.save(|path| made.save(path))?;
    console::results(&text(&output, "a model", &made, false))
}

impl Arguments {
    /// Whether no other settings than these were given.
    fn only(&self, kind: FileKind, known: &[&str]) -> anyhow::Result<()> {
        let given = [
            ("--architecture", self.architecture.is_some()),
            ("--scaling", self.scaling.is_some()),
            ("--loss", self.loss.is_some()),
        ];
        match given.into_iter().find(|(flag, given)| *given && !known.contains(flag)) {
            None => Ok(()),
            Some((flag, _)) => Err(usage(format!(
                "{flag}: {} is {kind}, which says this itself: expected no {flag}",
                self.input.display()
            ))),
        }
    }
}

/// The description of a network in TOML.
fn read_layers(file: &Path) -> anyhow::Result<Layers> {
    let name = file.display();
    let text = String::from_utf8(files::read_if(file, MOST_TOML_BYTES, |_| Ok(()))?)
        .map_err(|_| anyhow::anyhow!("{name}: not UTF-8: expected TOML"))?;
    toml::from_str(&text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        anyhow::anyhow!("{name}: line {line}: {}", error.message())
    })
}

/// What was written.
fn text(output: &Output, what: &str, network: &Mlp, for_python: bool) -> String {
    let widths: Vec<_> = network.widths().iter().map(usize::to_string).collect();
    let keeps: Vec<_> = network.keeps().iter().map(ToString::to_string).collect();
    let mut text = format!(
        "{}: {what}\nnetwork        {}\nkeep rates     {}\nloss           {}\ndigest         {}\n",
        output.given().display(),
        widths.join("-"),
        keeps.join(", "),
        network.loss(),
        network.digest()
    );
    if for_python {
        text += &format!("PyTorch        {}\n", Sequential::from(network));
    }
    text
}
