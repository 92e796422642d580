//! `thinnet convert` imports networks from PyTorch and ONNX, and exports them.

use std::path::{Path, PathBuf};

use thinnet::{
    Noise,
    exchange::{
        FileKind,
        onnx::{self, Export},
        torch::{self, Sequential, StateDictSpec},
    },
    nn::{Activation, Loss, Mlp, Scaling, Temperature},
};

use crate::{
    console::{self, usage},
    given::{self, Given, scaled},
    help::listed,
    inputs, loss,
    outputs::{self, Format, Output},
    recipe::PAPER,
};

/// The first text after the options in the help.
const EXAMPLES: &str = "\
Examples:
  thinnet convert network.onnx network.safetensors
  thinnet convert state_dict.safetensors network.safetensors --architecture network.toml
  thinnet convert digits.safetensors state_dict.safetensors
  thinnet convert digits.safetensors digits.onnx --dropout

Here network.toml describes nn.Sequential(nn.Dropout(0.2), nn.Linear(784, 256), nn.ReLU(),
nn.Dropout(0.5), nn.Linear(256, 10)):
  input_drop = 0.2
  hidden = [{ activation = \"relu\", drop = 0.5 }]";

/// The second: what an architecture file can contain.
fn keys() -> String {
    format!(
        "\
Activations are {}. Here logistic is nn.Sigmoid, and gelu_tanh is nn.GELU(approximate='tanh'). \
A number in parentheses can be any above 0.
Optional keys are `loss` ({}), `scaling` (inverted, paper), `sparse_input` (true, for inputs that \
are mostly 0, such as bags of words or one-hot columns: faster, with other dropout masks), and \
`names`, the names of the layers in order ([\"fc1\", \"out\"]). `input_keep` and `keep` give keep \
rates in place of drop rates.",
        listed(Activation::ALL),
        listed(Loss::ALL)
    )
}

/// The third: what the exported files are good for.
const EXPORTS: &str = "\
A state dict with --scaling inverted (the default) fits the nn.Sequential that is printed:
  model.load_state_dict(safetensors.torch.load_file(\"state_dict.safetensors\"))
An ONNX graph makes the same predictions as the network in any runtime, and converts back to the \
same network. With --dropout it also has Dropout nodes, which are off unless a run turns them on:
  session.run(None, {\"input\": x, \"training_mode\": np.array(True)})";

/// The maximum size of an architecture file: 1 MiB.
const MAX_TOML_BYTES: u64 = 1 << 20;

/// The arguments of `thinnet convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n{}\n\n{EXPORTS}\n\n{PAPER}", keys()))]
pub struct Arguments {
    /// A thinnet model or checkpoint, an ONNX graph, or a PyTorch state dict in safetensors
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// The output file: an ONNX graph if its name ends in .onnx; otherwise a state dict if IN is a
    /// model or checkpoint, and a model if it is not
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// A description of what a state dict does not contain: activations, drop rates, loss
    #[arg(long, value_name = "FILE.toml")]
    architecture: Option<PathBuf>,
    /// The scaling of a state dict's weights. `inverted`, as in PyTorch: kept units are scaled up in
    /// training; `paper`: weights are scaled down for prediction [default: inverted, or that of
    /// FILE.toml]
    #[arg(long, value_name = "FORM")]
    scaling: Option<Scaling>,
    /// The loss, if IN does not state it [default: softmax_cross_entropy; squared_error if there is
    /// one output]
    #[arg(long, value_name = "NAME", value_parser = loss::loss)]
    loss: Option<Loss>,
    /// Add Dropout nodes to an ONNX graph, for Monte-Carlo predictions in other runtimes
    #[arg(long)]
    dropout: bool,
}

/// Runs `thinnet convert`.
///
/// # Errors
/// A file cannot be read, does not contain such a network, or cannot be written.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let input = arguments.input.as_path();
    let mut reads = vec![("IN", arguments.input.clone())];
    reads.extend(arguments.architecture.clone().map(|file| ("--architecture", file)));
    let format = Format::of_network(&arguments.output);
    let to_onnx = format == Format::Onnx;
    if arguments.dropout && !to_onnx {
        return Err(usage(format!(
            "--dropout is for ONNX graphs, but {} is not named like one: expected an OUT that ends in .onnx",
            arguments.output.display()
        )));
    }
    let [output] = outputs::open(&reads, [(format, ("OUT", arguments.output.clone()))])?;
    let given = Given::open(input).map_err(|error| {
        inputs::explain(&[(format!("IN {}", input.display()), input, given::EXPECTED)], error)
    })?;
    let kind = given.kind();
    let network = match kind {
        FileKind::Thinnet => {
            // --scaling is the form of the weights in the state dict that is written.
            if to_onnx && arguments.scaling.is_some() {
                return Err(usage(
                    "--scaling is for state dicts, but OUT is an ONNX graph: expected no --scaling",
                ));
            }
            arguments.only(kind, &["--scaling"])?;
            let contents = given.contents()?;
            if contents.integer_weights {
                console::remark(&format!(
                    "note: {} has 8-bit weights: {} gets f32 weights, each an 8-bit weight times its \
                     scale",
                    input.display(),
                    output.given().display()
                ));
            }
            contents.network
        }
        FileKind::Onnx => {
            arguments.only(kind, &["--loss"])?;
            output.check_against("a data file of IN", &given.data_files_of_graph()?)?;
            let import = given.graph(arguments.loss)?;
            for note in &import.report.notes {
                console::remark(&format!("note: {note}"));
            }
            import.network?
        }
        FileKind::DescribedStateDict if arguments.architecture.is_none() => {
            arguments.only(kind, &["--architecture"])?;
            given.network(None)?
        }
        _ => {
            let Some(file) = &arguments.architecture else {
                return Err(usage(format!(
                    "{}: {kind}, which does not describe its network: expected --architecture FILE.toml",
                    input.display()
                )));
            };
            let mut layers = read_spec(file)?;
            if let Some(scaling) = arguments.scaling {
                layers = layers.scaling(scaling);
            }
            if let Some(loss) = arguments.loss {
                layers = layers.loss(loss);
            }
            given.network(Some(&layers))?
        }
    };
    let (what, how) = if to_onnx {
        arguments.save_graph(&network, &output)?
    } else if kind == FileKind::Thinnet {
        let scaling = arguments.scaling.unwrap_or_default();
        output.save(|path| torch::save(&network, scaling, path))?;
        // The module fits only weights scaled for inverted dropout.
        let module = (scaling == Scaling::Inverted).then(|| Sequential::from(&network));
        let module = module.map(|module| format!("PyTorch        {module}\n"));
        // A module has no temperature of its own.
        let temperature = Some(network.temperature())
            .filter(|&temperature| temperature != Temperature::ONE)
            .map(|temperature| {
                format!("temperature    the last layer is divided by {temperature}\n")
            });
        let how = temperature.into_iter().chain(module).collect::<String>();
        (format!("a state dict, weights {}", scaled(scaling)), Some(how))
    } else {
        output.save(|path| network.save(path))?;
        ("a model".to_owned(), None)
    };
    say(&output, &what, &network, &how.unwrap_or_default())
}

impl Arguments {
    /// Writes an ONNX graph. Returns what was written, and how to turn on dropout in it.
    fn save_graph(
        &self,
        network: &Mlp,
        output: &Output,
    ) -> anyhow::Result<(String, Option<String>)> {
        if self.dropout && network.noises().iter().all(|noise| *noise == Noise::None) {
            return Err(usage(format!(
                "--dropout: the network in {} has no dropout: expected a keep rate below 1",
                self.input.display()
            )));
        }
        let export = Export::new().dropout(self.dropout);
        output.save(|path| onnx::save(network, &export, path))?;
        let what = format!("an ONNX graph, opset {}", onnx::OPSET);
        if !self.dropout {
            return Ok((what, None));
        }
        let call = r#"session.run(None, {"input": x, "training_mode": np.array(True)})"#;
        let how = format!("ONNX Runtime   {call} draws thinned networks\n");
        Ok((what + ", with Dropout nodes", Some(how)))
    }

    /// Refuses the settings that were given but are not in `known`.
    fn only(&self, kind: FileKind, known: &[&str]) -> anyhow::Result<()> {
        let given = [
            ("--architecture", self.architecture.is_some()),
            ("--scaling", self.scaling.is_some()),
            ("--loss", self.loss.is_some()),
        ];
        match given.into_iter().find(|(flag, given)| *given && !known.contains(flag)) {
            None => Ok(()),
            Some((flag, _)) => Err(usage(format!(
                "{flag} is for state dicts that do not describe their network{}, but {} is {kind}: \
                 expected no {flag}",
                if flag == "--loss" { " and for ONNX graphs" } else { "" },
                self.input.display()
            ))),
        }
    }
}

/// Reads the description of a network in TOML.
fn read_spec(file: &Path) -> anyhow::Result<StateDictSpec> {
    let name = file.display();
    let input = (format!("--architecture {name}"), file, "a TOML file");
    let bytes = inputs::read(input, MAX_TOML_BYTES)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| anyhow::anyhow!("{name} is not UTF-8 text: expected TOML"))?;
    toml::from_str(&text).map_err(|error| {
        let line = inputs::line_of(&text, error.span().map_or(0, |span| span.start));
        let text = text.lines().nth(line - 1).unwrap_or_default().trim();
        // In the words of TOML, not in those of this program's parser.
        let message = error
            .message()
            .replace("expected f64", "expected a number")
            .replace("expected a sequence", "expected an array")
            .replace("unknown variant", "unknown name");
        anyhow::anyhow!("{name}: line {line}: {message}, in `{text}`")
    })
}

/// Prints what was written, and how it was made or can be used elsewhere.
///
/// # Errors
/// Those of stdout.
pub fn say(output: &Output, what: &str, network: &Mlp, how: &str) -> anyhow::Result<()> {
    let widths: Vec<_> = network.widths().iter().map(usize::to_string).collect();
    let noises: Vec<_> = network.noises().iter().map(ToString::to_string).collect();
    console::results(&format!(
        "{}: {what}\nnetwork        {}\nnoise          {}\nloss           {}\ndigest         \
         {}\n{how}",
        output.given().display(),
        widths.join("-"),
        noises.join(", "),
        network.loss(),
        network.digest()
    ))
}
