//! A layer of the network that a graph is, and its parameters.

use super::{
    constant::Operand,
    elementwise::{Affine, Applied, check_finite, spread},
    proto::short,
    steps::Linear,
};
use crate::{
    memory::zeros,
    nn::{Activation, Layer as Filled},
    rate::Keep,
};

/// A layer, as far as the graph has been read.
pub(super) struct Layer<'a> {
    /// The node, for errors.
    pub node: String,
    pub sums: Sums<'a>,
    /// The operations on its inputs.
    pub before: Vec<Applied<'a>>,
    /// The operations on its sums, before the activation.
    pub after: Vec<Applied<'a>>,
    pub activation: Option<OfNode<Activation>>,
    pub keep: Option<OfNode<Keep>>,
    /// If its output is the logit of one of two classes, whose other logit is 0: whether it is
    /// that of the second class.
    pub two_classes: Option<bool>,
}

/// A property of a layer, and the index of the node that it comes from.
#[derive(Clone, Copy)]
pub(super) struct OfNode<T> {
    pub value: T,
    pub index: usize,
}

/// The sums of a layer, without the operations that are folded into them.
pub(super) enum Sums<'a> {
    /// W x + b
    Linear(Box<Linear<'a>>),
    /// x itself, with this number of units: an extra layer for a scale, shift or activation.
    Inputs(usize),
}

impl Layer<'_> {
    /// The activation; the identity if the graph has none.
    pub fn activation(&self) -> Activation {
        self.activation.map_or(Activation::Identity, |activation| activation.value)
    }

    /// The keep rate of the units.
    pub fn keep(&self) -> Keep {
        self.keep.map_or(Keep::ONE, |keep| keep.value)
    }

    /// The number of its units.
    pub fn outputs(&self) -> usize {
        if self.two_classes.is_some() { 2 } else { self.sums.outputs() }
    }

    /// Sets the parameters of a layer of the network. With x' = a x + c before the sums
    /// z = α W x' + β b, and s z + t after them, the weights are s α W a and the biases
    /// s (α W c + β b) + t.
    pub fn fill(&self, into: &mut Filled, rounded: &mut Rounded) -> Result<(), String> {
        let before = Affine::of(&self.before, self.sums.inputs())?;
        let after = Affine::of(&self.after, self.sums.outputs())?;
        // The other logit of two classes stays 0.
        let first = usize::from(self.two_classes == Some(true));
        let mut biases = match &self.sums {
            Sums::Inputs(n) => fill_diagonal(*n, before, after.as_ref(), first, into)?,
            Sums::Linear(linear) => {
                fill_linear(linear, before.as_ref(), after.as_ref(), first, into, rounded)?
            }
        };
        if let Some(Affine { scale, shift }) = after {
            for (b, (s, t)) in biases.iter_mut().zip(scale.iter().zip(shift)) {
                *b = *b * s + t;
            }
        }
        let (name, bias) = match &self.sums {
            Sums::Linear(linear) => (linear.weight.name, linear.bias),
            Sums::Inputs(_) => ("a shift", None),
        };
        let is_double = matches!(bias, Some((Operand::Floats(bias), _)) if bias.is_double());
        for (to, b) in into.bias[first..].iter_mut().zip(biases) {
            *to = representable(name, b)?;
            if is_double {
                rounded.see(name, b, *to);
            }
        }
        Ok(())
    }
}

impl Sums<'_> {
    pub fn inputs(&self) -> usize {
        match self {
            Self::Linear(linear) => linear.inputs,
            Self::Inputs(n) => *n,
        }
    }

    fn outputs(&self) -> usize {
        match self {
            Self::Linear(linear) => linear.outputs,
            Self::Inputs(n) => *n,
        }
    }
}

/// Sets weights s a on the diagonal, from output `first` on, and returns the biases c.
fn fill_diagonal(
    n: usize,
    before: Option<Affine>,
    after: Option<&Affine>,
    first: usize,
    into: &mut Filled,
) -> Result<Vec<f64>, String> {
    let scale = |affine: Option<&Affine>, unit: usize| affine.map_or(1.0, |a| a.scale[unit]);
    for unit in 0..n {
        let weight = scale(before.as_ref(), unit) * scale(after, unit);
        into.weights.set(unit + first, unit, representable("a scale", weight)?);
    }
    match before {
        Some(Affine { shift, .. }) => Ok(shift),
        None => zeros("biases", [1, n]).map_err(|error| error.to_string()),
    }
}

/// Sets the weights s α W a, from output `first` on, and returns the biases α W c + β b.
fn fill_linear(
    linear: &Linear<'_>,
    before: Option<&Affine>,
    after: Option<&Affine>,
    first: usize,
    into: &mut Filled,
    rounded: &mut Rounded,
) -> Result<Vec<f64>, String> {
    let Linear { weight, by_output, inputs, outputs, alpha, bias } = linear;
    let (inputs, outputs, alpha) = (*inputs, *outputs, f64::from(*alpha));
    let elements = weight.elements()?;
    let name = weight.name;
    let zeros = || zeros("biases", [1, outputs]).map_err(|error| error.to_string());
    let mut sums: Option<Vec<f64>> = before.map(|_| zeros()).transpose()?;
    for (index, w) in elements.iter().enumerate() {
        let (output, input) = if *by_output {
            (index / inputs, index % inputs)
        } else {
            (index % outputs, index / outputs)
        };
        let mut scaled = check_finite(name, w)? * alpha;
        if let (Some(before), Some(sums)) = (before, &mut sums) {
            sums[output] += scaled * before.shift[input];
            scaled *= before.scale[input];
        }
        if let Some(after) = after {
            scaled *= after.scale[output];
        }
        let single = representable(name, scaled)?;
        if weight.is_double() {
            rounded.see(name, scaled, single);
        }
        into.weights.set(output + first, input, single);
    }
    match (bias, sums) {
        (None, None) => zeros(),
        (None, Some(sums)) => Ok(sums),
        (Some((bias, beta)), sums) => {
            let mut biases = spread(bias, &[outputs], outputs)?;
            biases.iter_mut().for_each(|b| *b *= f64::from(*beta));
            for (b, sum) in biases.iter_mut().zip(sums.unwrap_or_default()) {
                *b += sum;
            }
            Ok(biases)
        }
    }
}

/// The largest change of an f64 that became an f32.
#[derive(Default)]
pub(super) struct Rounded {
    largest: Option<(f64, f64, String)>,
}

impl Rounded {
    /// Records a number of the layer with the weights `name`, and what it became.
    fn see(&mut self, name: &str, number: f64, single: f32) {
        let change = (number - f64::from(single)).abs();
        if self.largest.as_ref().is_none_or(|(largest, ..)| change > *largest) {
            let name = match &mut self.largest {
                Some((.., last)) if *last == short(name) => std::mem::take(last),
                _ => short(name),
            };
            self.largest = Some((change, number, name));
        }
    }

    /// The note in the report, if there was an f64.
    pub fn note(self) -> Option<String> {
        let (change, number, name) = self.largest?;
        if change == 0.0 {
            return Some("DOUBLE numbers were converted to f32 without rounding".to_owned());
        }
        Some(format!(
            "DOUBLE numbers were rounded to f32: the largest change is {change:.2e}, to {number} \
             in the layer with weights {name}"
        ))
    }
}

/// A parameter of the layer with the weights `name` as an f32.
fn representable(name: &str, x: f64) -> Result<f32, String> {
    let rounded = x as f32;
    if rounded.is_finite() {
        return Ok(rounded);
    }
    Err(format!(
        "{} becomes {x} once the operations around it are folded in: expected a finite f32",
        short(name)
    ))
}
