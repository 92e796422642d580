//! Writes the settings of a run as the text of a file for `--config`.

use clap::{Arg, ArgMatches, Command, parser::ValueSource};
use serde_json::Value;
use thinnet::{Isa, nn::MAX_NOTES};

use super::{SUBCOMMAND, is_replaced, is_setting};
use crate::{plan::Plan, recipe};

/// The start of the settings in the notes of a network, before this program's version.
pub const SETTINGS: &str = "# The settings of this run of thinnet train ";

/// The headings of the flags that do not determine the network.
const OTHER_HEADINGS: [&str; 3] = ["Output", "Checkpoints", "Machine"];

/// The id of the flag whose default is not clap's.
const MAX_NORM: &str = "max_norm_paper";

/// Returns the settings of a run as the text of a file with which `--config` repeats it: the flags that
/// were `given`, and the values that the others have. Flags about outputs, checkpoints and the machine
/// are left out, except for the instruction set that rounds differently.
///
/// # Errors
/// A value is not UTF-8 text, or the text is too long for the notes of a network.
pub fn written(
    mut command: Command,
    given: &ArgMatches,
    plan: &Plan,
    isa: Isa,
) -> anyhow::Result<String> {
    command.build();
    let train = command.find_subcommand(SUBCOMMAND);
    let train = train.ok_or_else(|| anyhow::anyhow!("there is no subcommand {SUBCOMMAND}"))?;
    let plan = serde_json::to_value(plan)?;
    let mut text =
        format!("{SETTINGS}{}: flags, as --config reads them.\n", env!("CARGO_PKG_VERSION"));
    for argument in train.get_arguments() {
        let heading = argument.get_help_heading().unwrap_or_default();
        if !is_setting(argument) || OTHER_HEADINGS.contains(&heading) {
            continue;
        }
        let value = value(train, given, &plan, argument)?;
        if let (Some(value), Some(name)) = (value, argument.get_long()) {
            text += &format!("{name} = {value}\n");
        }
    }
    if isa == Isa::Portable {
        text += &format!("isa = {}\n", quoted(isa.name())?);
    }
    let n = text.len();
    anyhow::ensure!(n <= MAX_NOTES, "{n} bytes of text: expected at most {MAX_NOTES}");
    Ok(text)
}

/// Returns the value of a flag as TOML, if it has one: `true` if it takes none, and is set. That of the plan
/// comes first, because it is complete: `early-stopping = "loss"` also has a number of validations.
fn value(
    train: &Command,
    given: &ArgMatches,
    plan: &Value,
    argument: &Arg,
) -> anyhow::Result<Option<String>> {
    let id = argument.get_id().as_str();
    let is_given = given.value_source(id) == Some(ValueSource::CommandLine);
    if !is_given && is_replaced(train, given, argument) {
        return Ok(None);
    }
    if !argument.get_action().takes_values() {
        let is_set = given.get_flag(id) || plan.get(id) == Some(&Value::Bool(true));
        return Ok(is_set.then(|| "true".to_owned()));
    }
    let mut texts = Vec::new();
    for word in given.get_raw(id).into_iter().flatten() {
        let text = word.to_str();
        texts.push(text.ok_or_else(|| {
            let (name, value) = (argument.get_long().unwrap_or(id), word.display());
            anyhow::anyhow!("--{name} {value} is not UTF-8 text")
        })?);
    }
    let values = match plan.get(id) {
        Some(Value::Array(values)) => values.iter().map(scalar).collect(),
        Some(value) => scalar(value).map(|value| vec![value]),
        None => None,
    };
    let is_list = matches!(plan.get(id), Some(Value::Array(_)));
    let values: Vec<String> = match values {
        Some(values) => values,
        None if texts.is_empty() && id == MAX_NORM => vec![number(recipe::MAX_NORM_PAPER)],
        None => texts.into_iter().map(str::to_owned).collect(),
    };
    let values = values.iter().map(|text| toml(text)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(match &*values {
        [] => None,
        [value] if !is_list => Some(value.clone()),
        values => Some(format!("[{}]", values.join(", "))),
    })
}

/// Returns the text of a number or a string.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(whole) if !whole.is_f64() => Some(whole.to_string()),
        Value::Number(real) => real.as_f64().map(number),
        _ => None,
    }
}

/// Returns the shortest text of a number that gives it again.
fn number(value: f64) -> String {
    format!("{value:?}")
}

/// Returns a value in TOML: a number if that has the same text, and else a string.
fn toml(text: &str) -> anyhow::Result<String> {
    let is_whole = text.parse::<i64>().is_ok_and(|whole| whole.to_string() == text);
    let is_real = text.parse::<f64>().is_ok_and(|real| real.is_finite() && number(real) == text);
    if is_whole || is_real { Ok(text.to_owned()) } else { quoted(text) }
}

/// Returns a string in TOML. JSON differs only in that it can contain the control character DEL.
fn quoted(text: &str) -> anyhow::Result<String> {
    Ok(serde_json::to_string(text)?.replace('\u{7f}', "\\u007f"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_again_as_they_were_written() {
        for (text, written) in [
            ("0.5", "0.5"),
            ("0.50", "\"0.50\""),
            ("1e-8", "1e-8"),
            ("128", "128"),
            ("-1", "-1"),
            ("007", "\"007\""),
            ("18446744073709551615", "\"18446744073709551615\""),
            ("nan", "\"nan\""),
            ("true", "\"true\""),
            ("a \"b\"\\\n\u{1}\u{7f}é\u{2028}", "\"a \\\"b\\\"\\\\\\n\\u0001\\u007fé\u{2028}\""),
        ] {
            assert_eq!(toml(text).unwrap(), written);
            let table: toml::Table = toml::from_str(&format!("x = {written}")).unwrap();
            let read = match &table["x"] {
                toml::Value::String(text) => text.clone(),
                toml::Value::Float(real) => number(*real),
                other => other.as_integer().unwrap().to_string(),
            };
            assert_eq!(read, text);
        }
    }
}
