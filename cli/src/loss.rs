//! What follows from the loss: how it is written, the targets that it takes, the outputs of the network,
//! the figure that a run is about.

use thinnet::{
    Error,
    data::Dataset,
    metrics::Metric,
    nn::{Loss, TargetKind, Targets},
};

use crate::numbers::counted;

/// The value of `--loss` unless another is given.
pub const USUAL: &str = "softmax";

/// Parses a loss: the library's name, with `-` or `_`, and its setting after a colon or in parentheses.
/// `softmax` is short for `softmax_cross_entropy`.
pub fn loss(text: &str) -> Result<Loss, String> {
    let (name, setting) = match text.split_once(':') {
        Some((name, setting)) => (name, Some(setting)),
        None => (text, None),
    };
    let name =
        if name == USUAL { "softmax_cross_entropy".to_owned() } else { name.replace('-', "_") };
    let full = setting.map_or(name.clone(), |setting| format!("{name}({setting})"));
    full.parse().map_err(|error: Error| error.to_string())
}

/// Whether the targets are classes.
pub fn has_classes(loss: Loss) -> bool {
    loss.target_kind() == TargetKind::Classes
}

/// Returns the figure that a network with this loss is judged by.
pub fn headline(loss: Loss) -> Metric {
    // The first does not depend on the number of outputs.
    Metric::usual(loss, 1).first().copied().unwrap_or(Metric::ErrorRate)
}

/// Returns the number of targets of a row; 0 if they are classes.
pub fn columns(data: &Dataset) -> usize {
    match data.targets() {
        Targets::Values(targets) | Targets::Binary(targets) => targets.columns(),
        _ => 0,
    }
}

/// Returns the number of outputs of a network for these rows.
pub fn outputs(loss: Loss, train: &Dataset, test: &Dataset) -> usize {
    if has_classes(loss) {
        return train.classes().max(test.classes());
    }
    columns(train).saturating_mul(loss.outputs_per_target())
}

/// Checks that the loss can have the targets of these rows, which are of its kind. Classes are not
/// checked here.
///
/// # Errors
/// It cannot: the error has the value, and begins with `name`.
pub fn check(loss: Loss, data: &Dataset, name: impl FnOnce() -> String) -> anyhow::Result<()> {
    if has_classes(loss) {
        return Ok(());
    }
    let checked = data.targets().check(loss, outputs(loss, data, data), data.rows());
    checked.map_err(|error| anyhow::anyhow!("{}: {error} (loss {})", name(), loss.name()))
}

/// Checks that the rows of a set have as many targets as those of another, or are classes.
///
/// # Errors
/// They do not.
pub fn check_columns(
    (name, data): (&str, &Dataset),
    (other_name, other): (&str, &Dataset),
) -> anyhow::Result<()> {
    let [found, expected] = [data, other].map(columns);
    anyhow::ensure!(
        found == expected,
        "{name} have {} each, but {other_name} have {expected}",
        counted(found, "target")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_written_with_a_colon_or_as_the_library_writes_them() {
        for (text, name) in [
            ("softmax", "softmax_cross_entropy"),
            ("softmax-cross-entropy", "softmax_cross_entropy"),
            ("binary-cross-entropy", "binary_cross_entropy"),
            ("squared_error", "squared_error"),
            ("huber", "huber(1)"),
            ("huber:0.5", "huber(0.5)"),
            ("gaussian-nll:0.5", "gaussian_nll(0.5)"),
            ("quantile:0.1,0.9", "quantile(0.1,0.9)"),
            ("quantile(0.1,0.9)", "quantile(0.1,0.9)"),
            ("poisson", "poisson"),
        ] {
            assert_eq!(loss(text).unwrap().to_string(), name);
        }
        // What a report or a settings file says can be given again.
        for &one in Loss::ALL {
            assert_eq!(loss(&one.to_string()), Ok(one));
        }
        for (text, words) in [
            ("mse", "expected one of softmax_cross_entropy, squared_error"),
            ("softmax:1", "softmax_cross_entropy(1)"),
            ("quantile:0.9,0.1", "each larger than the one before"),
            ("huber:-1", "-1"),
            ("", "expected one of"),
        ] {
            let error = loss(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn each_loss_has_its_headline() {
        for &loss in Loss::ALL {
            for outputs in [2, 3, 12] {
                assert_eq!(headline(loss), Metric::usual(loss, outputs)[0]);
            }
        }
    }
}
