//! The answers of a network whose targets are not classes, as named columns of numbers.

use std::fmt::Write;

use serde::ser::{Serialize, SerializeMap, Serializer};
use thinnet::{
    data::OwnedTargets,
    nn::{Loss, Mlp, PredictionKind, Targets},
    predict::{Estimate, Estimates},
};

/// What a network predicts.
pub struct Predicted {
    kind: PredictionKind,
    /// The number of targets of a row.
    targets: usize,
    /// The names of the predictions, of which there are so many for each target, and those of their
    /// standard deviations.
    names: Vec<[String; 2]>,
}

impl From<&Mlp> for Predicted {
    fn from(mlp: &Mlp) -> Self {
        let names = match mlp.loss() {
            Loss::Quantile(levels) => levels
                .as_slice()
                .iter()
                .map(|level| [format!("quantile_{level}"), format!("model_std_{level}")])
                .collect(),
            Loss::BinaryCrossEntropy => vec![["probability", "model_std"].map(str::to_owned)],
            _ => vec![["mean", "model_std"].map(str::to_owned)],
        };
        Self { kind: mlp.loss().prediction_kind(), targets: mlp.targets(), names }
    }
}

/// One or more numbers about a row, which are unknown where they are `None`.
enum Numbers {
    /// One number about the row.
    One(Option<f64>),
    /// One for each of its targets.
    Each(Vec<Option<f64>>),
}

impl Numbers {
    fn slice(&self) -> &[Option<f64>] {
        match self {
            Self::One(number) => std::slice::from_ref(number),
            Self::Each(numbers) => numbers,
        }
    }
}

/// The columns of a row, in order, with their names.
struct Row<'a> {
    number: u64,
    columns: Vec<(&'a str, Numbers)>,
    samples: Option<usize>,
}

impl<'a> Row<'a> {
    /// Returns that of an answer. The target is among the columns if it is known, or if `always`.
    fn new(
        number: u64,
        predicted: &'a Predicted,
        target: Option<&[f32]>,
        (answer, has_uncertainty): (&Estimate<'_>, bool),
        always: bool,
    ) -> Self {
        let &Predicted { kind, targets, ref names } = predicted;
        let mut columns = Vec::new();
        let mut add = |name: &'a str, numbers: Numbers| columns.push((name, numbers));
        let each = |numbers: Option<&[f64]>, of: fn(f64) -> f64| {
            Numbers::Each(match numbers {
                Some(numbers) => numbers.iter().map(|&number| Some(of(number))).collect(),
                None => vec![None; targets],
            })
        };
        if let Some(target) = target {
            add("target", Numbers::Each(target.iter().map(|&t| Some(f64::from(t))).collect()));
        } else if always {
            add("target", Numbers::Each(vec![None; targets]));
        }
        let part = |numbers: &[f64], i: usize| -> Vec<f64> {
            numbers.iter().skip(i * targets).take(targets).copied().collect()
        };
        if let Some(bits) = answer.bits() {
            let number = |is_one| Some(f64::from(u8::from(is_one)));
            add("bit", Numbers::Each(bits.map(number).collect()));
        }
        for (i, [name, _]) in names.iter().enumerate() {
            add(name, each(Some(&part(answer.mean(), i)), |mean| mean));
        }
        if has_uncertainty {
            for (i, [_, name]) in names.iter().enumerate() {
                let variances = answer.variance().map(|variances| part(variances, i));
                add(name, each(variances.as_deref(), f64::sqrt));
            }
        }
        if let Some(noise) = answer.noise_variance() {
            add("noise_std", each(Some(noise), f64::sqrt));
            if has_uncertainty {
                let total = (0..targets).map(|target| answer.total_variance(target).ok());
                add("total_std", Numbers::Each(total.map(|total| total.map(f64::sqrt)).collect()));
            }
        }
        if has_uncertainty && kind == PredictionKind::Bits {
            add("entropy", Numbers::One(answer.entropy()));
            add("mutual_information", Numbers::One(answer.mutual_information()));
        }
        Self { number, columns, samples: answer.samples() }
    }

    /// Adds the names of the columns, separated by tabs. Those of several targets are numbered.
    fn write_header(&self, text: &mut String) {
        text.push_str("row");
        for (name, numbers) in &self.columns {
            match numbers {
                Numbers::Each(each) if each.len() > 1 => {
                    // Writing to a string cannot fail.
                    (0..each.len()).for_each(|target| {
                        let _ = write!(text, "\t{name}_{target}");
                    });
                }
                _ => {
                    let _ = write!(text, "\t{name}");
                }
            }
        }
        if self.samples.is_some() {
            text.push_str("\tsamples");
        }
        text.push('\n');
    }

    /// Adds the numbers, separated by tabs.
    fn write(&self, text: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(text, "{}", self.number);
        for number in self.columns.iter().flat_map(|(_, numbers)| numbers.slice()) {
            let _ = match number {
                // A count or a bit.
                Some(number) if number.fract() == 0.0 && number.abs() < 1e6 => {
                    write!(text, "\t{number:.0}")
                }
                // `{:?}` prints 1e30 as 1e30, not as 31 digits.
                Some(number) => write!(text, "\t{:?}", *number as f32),
                None => write!(text, "\t-"),
            };
        }
        if let Some(samples) = self.samples {
            let _ = write!(text, "\t{samples}");
        }
        text.push('\n');
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("row", &self.number)?;
        let single = |number: &Option<f64>| number.map(|number| number as f32);
        for (name, numbers) in &self.columns {
            match numbers {
                Numbers::One(number) => map.serialize_entry(name, &single(number))?,
                Numbers::Each(numbers) => {
                    let numbers: Vec<_> = numbers.iter().map(single).collect();
                    map.serialize_entry(name, &numbers)?;
                }
            }
        }
        if let Some(samples) = self.samples {
            map.serialize_entry("samples", &samples)?;
        }
        map.end()
    }
}

/// Returns a line for each answer; the first answer is about row `first`. Without `json`, the names of the
/// columns are above row 0.
///
/// # Errors
/// Serialisation fails, which these types do not let happen.
pub fn lines(
    first: u64,
    predicted: &Predicted,
    targets: Option<&OwnedTargets>,
    (answers, has_uncertainty): (Estimates<'_>, bool),
    json: bool,
) -> anyhow::Result<String> {
    let mut text = String::new();
    let targets = targets.map(OwnedTargets::view);
    for (number, answer) in (first..).zip(answers) {
        let target = match targets {
            Some(Targets::Values(targets) | Targets::Binary(targets)) => {
                Some(targets.row(number as usize)?)
            }
            _ => None,
        };
        let row = Row::new(number, predicted, target, (&answer, has_uncertainty), !json);
        if json {
            text += &serde_json::to_string(&row)?;
            text.push('\n');
        } else {
            if number == 0 {
                row.write_header(&mut text);
            }
            row.write(&mut text);
        }
    }
    Ok(text)
}
