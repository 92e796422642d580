//! Reads the file of `thinnet train --config FILE.toml`.
//!
//! The flags of the file become words of the command line, so that each has one definition and one check.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgMatches, Command, error::ErrorKind};
use toml::de::{DeTable, DeValue};

use super::{CONFIG, SUBCOMMAND, is_replaced, is_setting};
use crate::{
    console::{one_line, usage},
    inputs,
};

/// The largest file.
const MAX_BYTES: u64 = 1 << 20;

/// Returns the command line `words` with the flags of the file that `--config` names, if it does. A flag
/// of the command line replaces the same flag in the file, and those that it cannot be used with.
///
/// # Errors
/// The file cannot be read, or a flag in it is unknown or has a value that is refused; the error names the
/// line.
pub fn expanded(mut words: Vec<OsString>, mut command: Command) -> anyhow::Result<Vec<OsString>> {
    if words.get(1).is_none_or(|word| word != SUBCOMMAND) {
        return Ok(words);
    }
    command.build();
    // A mistake in the command line is reported later, with the flags of the file.
    let lenient = command.clone().ignore_errors(true).try_get_matches_from(&words);
    let Ok(matches) = lenient else { return Ok(words) };
    let (Some(given), Some(train)) =
        (matches.subcommand_matches(SUBCOMMAND), command.find_subcommand(SUBCOMMAND))
    else {
        return Ok(words);
    };
    let Some(path) = given.get_one::<PathBuf>(CONFIG) else { return Ok(words) };
    let name = format!("--config {}", path.display());
    let expected = "a TOML file with a line `flag = value` for each flag";
    let bytes = inputs::read((name.clone(), path, expected), MAX_BYTES)?;
    let text = str::from_utf8(&bytes)
        .map_err(|_| anyhow::anyhow!("{name}: not UTF-8 text: expected {expected}"))?;
    let refuse = |at: usize, reason: &str| {
        usage(format!("{name}: line {}: {reason}", inputs::line_of(text, at)))
    };
    let table = DeTable::parse(text)
        .map_err(|error| refuse(error.span().map_or(0, |span| span.start), error.message()))?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let (mut all, mut wanted) = (Vec::new(), Vec::new());
    for (key, value) in entries {
        let refuse = |reason: String| refuse(key.span().start, &reason);
        let key = key.get_ref();
        let argument = find(train, key).ok_or_else(|| refuse(unknown(&command, key)))?;
        let word = word(key, argument, value.get_ref()).map_err(refuse)?;
        let Some(word) = word else { continue };
        if let Err(error) = parse(&command, [&word])
            // What is missing may be elsewhere.
            && error.kind() != ErrorKind::MissingRequiredArgument
        {
            return Err(refuse(one_line(&error.to_string())));
        }
        if !is_replaced(train, given, argument) {
            wanted.push(OsString::from(&word));
        }
        all.push(word);
    }
    if let Err(error) = parse(&command, &all)
        && error.kind() == ErrorKind::ArgumentConflict
    {
        return Err(usage(format!("{name}: {}", one_line(&error.to_string()))));
    }
    words.splice(2..2, wanted);
    Ok(words)
}

/// Parses these words after the subcommand.
fn parse<'a>(
    command: &Command,
    words: impl IntoIterator<Item = &'a String>,
) -> Result<ArgMatches, clap::Error> {
    let start = [command.get_name(), SUBCOMMAND].map(String::from);
    command.clone().try_get_matches_from(start.into_iter().chain(words.into_iter().cloned()))
}

/// Returns the flag with this name.
fn find<'a>(train: &'a Command, key: &str) -> Option<&'a Arg> {
    train.get_arguments().find(|argument| {
        let names = argument.get_long_and_visible_aliases().unwrap_or_default();
        names.contains(&key) && is_setting(argument)
    })
}

/// Returns why a key is refused that is no flag, with clap's suggestion if it has one.
fn unknown(command: &Command, key: &str) -> String {
    let error = parse(command, [&format!("--{key}=")]).err();
    let error = error.filter(|error| error.kind() == ErrorKind::UnknownArgument);
    match error {
        Some(error) => one_line(&error.to_string()),
        None => format!("`{key}` cannot be in this file: expected another flag of `thinnet train`"),
    }
}

/// Returns the word that sets a flag; none if the file says that it is not set.
fn word(key: &str, argument: &Arg, value: &DeValue<'_>) -> Result<Option<String>, String> {
    match (argument.get_action().takes_values(), value) {
        (false, DeValue::Boolean(is_set)) => Ok(is_set.then(|| format!("--{key}"))),
        (false, _) => Err(format!("`{key}` is {}: expected true or false", kind(value))),
        (true, DeValue::Array(values)) => {
            let values = values.iter().map(|value| text(value.get_ref()));
            let values = values.collect::<Option<Vec<_>>>().ok_or_else(|| {
                format!("`{key}` is a list of other things: expected numbers or strings in it")
            })?;
            Ok(Some(format!("--{key}={}", values.join(","))))
        }
        (true, value) => match text(value) {
            Some(text) => Ok(Some(format!("--{key}={text}"))),
            None => Err(format!(
                "`{key}` is {}: expected a number, a string, or a list of these",
                kind(value)
            )),
        },
    }
}

/// Returns the text of a number or a string.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            Some(i128::from_str_radix(number.as_str(), number.radix()).ok()?.to_string())
        }
        DeValue::Float(number) => Some(format!("{:?}", number.as_str().parse::<f64>().ok()?)),
        _ => None,
    }
}

/// The kind of a value, in words.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(true) => "true",
        DeValue::Boolean(false) => "false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
