//! The error of a run that is resumed with other settings, in terms of the options that set them.

use thinnet::Error;

/// The setting that holds the digest of the test data, if there are also validation data.
pub const TEST_DATA: &str = "data for testing (SHA-256)";

/// Names the options of a setting that differs, where its name is not itself an option. The loop's
/// validation set is called `measured` by the command.
pub fn explain(error: Error, measured: &str) -> anyhow::Error {
    let Error::Resume { path: Some(path), what, saved, now } = &error else {
        return error.into();
    };
    // The loop's names of what a flag sets.
    for (setting, flag) in [
        ("batch", "--batch"),
        ("epochs", "--epochs"),
        ("epochs between validations", "--evaluate-every"),
        ("metrics", "--metrics"),
        ("early stopping", "--early-stopping"),
        ("plateau", "--plateau"),
    ] {
        if what == setting {
            let (path, saved, now) = (Some(path.clone()), saved.clone(), now.clone());
            return Error::Resume { path, what: flag.to_owned(), saved, now }.into();
        }
    }
    let path = path.display();
    let (name, options) = match what.as_str() {
        "data for validation (SHA-256)" | "data for training (SHA-256)" | TEST_DATA => {
            let set = match what.as_str() {
                TEST_DATA => "test",
                "data for training (SHA-256)" => "training",
                _ => measured,
            };
            return anyhow::anyhow!(
                "{path}: the {set} data are not those of the saved run (SHA-256 {saved} then, {now} \
                 now): resume with the same --data, --labels, --targets, --validation, --first-index, \
                 --columns and --log-counts"
            );
        }
        "arithmetic" => {
            let other = if now.contains("portable") {
                "an --isa other than portable"
            } else {
                "--isa portable"
            };
            return anyhow::anyhow!(
                "{path}: the arithmetic was {saved} when the checkpoint was saved and is {now} now: \
                 resume with {other}"
            );
        }
        "network" => {
            let flags = "--data, --loss, --hidden, --activation, --maxout, --keep-input, --keep, \
                         --sparse-input and --no-sparse-input";
            ("network", flags)
        }
        "learning rate" => ("learning rate", "--learning-rate, --schedule and --warmup"),
        "class weights" => ("weights of the classes", "--class-weight"),
        "positive weights" => ("weights of ones", "--positive-weight"),
        "label smoothing" => ("label smoothing", "--label-smoothing"),
        "l1 penalty" => ("L1 penalty", "--l1"),
        "clip by norm" => ("bound on the norm of the gradient", "--clip-norm"),
        "averaging" | "tail averaging" => ("average of the parameters", "--average"),
        "clip by value" => ("bound on elements of the gradient", "--clip-value"),
        "momentum" => ("momentum", "--momentum and --schedule"),
        "paper's rates" => ("scaling of learning rates as in the paper", "--schedule"),
        "max-norm" => ("max-norm", "--max-norm, --max-norm-paper or --no-max-norm"),
        "optimiser" => ("optimiser", "--optimiser"),
        "nesterov" => ("setting of Nesterov momentum", "--nesterov"),
        "weight decay" => ("weight decay", "--weight-decay"),
        "initial accumulator" => ("initial accumulator", "--initial-accumulator"),
        "beta1" => ("first decay rate", "--beta1"),
        "beta2" => ("second decay rate", "--beta2"),
        "epsilon" => ("epsilon", "--epsilon"),
        "mask seed" => ("seed", "--seed"),
        _ => return error.into(),
    };
    anyhow::anyhow!(
        "{path}: the {name} was {saved} when the checkpoint was saved and is {now} now: resume with \
         the same {options}"
    )
}
