//! The order of layers, from their names, shapes and biases.
//!
//! PyTorch stores weights as `[outputs, inputs]`. A file with `[inputs, outputs]` looks like the
//! reversed network. So an order is accepted only if something rules that out.

use std::collections::BTreeMap;

/// A linear layer in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The prefix of `weight` and `bias`, with its dot.
    pub name: String,
    pub inputs: usize,
    pub outputs: usize,
    /// Whether the file has a bias of `outputs` numbers.
    pub bias: bool,
}

impl Found {
    /// Inputs and outputs if the weights are `[outputs, inputs]`.
    fn as_stored(&self) -> (usize, usize) {
        (self.inputs, self.outputs)
    }

    /// Inputs and outputs if the weights are `[inputs, outputs]`.
    fn transposed(&self) -> (usize, usize) {
        (self.outputs, self.inputs)
    }

    fn is_square(&self) -> bool {
        self.inputs == self.outputs
    }
}

/// The maximum number of steps of a search. Two hundred layers without numbers in their names take
/// that many; numbered layers take one each.
const MAX_STEPS: usize = 1 << 22;

/// Sorts the layers from input to output: in the only order in which each takes as many inputs as
/// the one before has outputs, and in which numbers ascend among names that differ in nothing else
/// (`fc1`, `fc2`; `blocks.0.fc1`, `blocks.0.fc2`, `blocks.1.fc1`). Weights that may be transposed
/// are refused, unless all of them are square.
///
/// Numbered layers that do not fit together are left in the order of their numbers; [`check`] then
/// names the first that does not fit.
pub(super) fn sort(layers: &mut [Found]) -> Result<(), String> {
    if layers.len() < 2 {
        return Ok(());
    }
    let numbered = queues(layers);
    let mut found = search(layers, &numbered, Found::as_stored);
    if layers.iter().any(|layer| layer.bias && !layer.is_square()) {
        // The bias shows which way the weights are stored. Then the shapes may determine the order,
        // whatever the numbers mean.
        if matches!(found, Orders::None) {
            let any: Vec<_> = (0..layers.len()).map(|index| vec![index]).collect();
            found = search(layers, &any, Found::as_stored);
        }
    } else if !layers.iter().all(Found::is_square) {
        let transposed = search(layers, &numbered, Found::transposed);
        match (&found, transposed) {
            (_, Orders::None) | (Orders::Many, _) => {}
            (Orders::One(_), _) => {
                return Err(refusal(
                    layers,
                    "no bias says whether these are [outputs, inputs] or [inputs, outputs], and \
                     they fit together both ways",
                ));
            }
            (Orders::None, _) => {
                return Err(refusal(
                    layers,
                    "apparently transposed: in the order of their names they fit together only as \
                     [inputs, outputs]",
                ));
            }
        }
    }
    let order = match (found, &numbered[..]) {
        (Orders::One(order), _) => order,
        (Orders::None, [all]) => all.clone(),
        (Orders::None, _) => {
            return Err(refusal(
                layers,
                "no order fits both their shapes and the numbers in their names",
            ));
        }
        (Orders::Many, _) => {
            return Err(refusal(layers, "names and shapes allow more than one order"));
        }
    };
    let sorted: Vec<_> = order.into_iter().map(|index| layers[index].clone()).collect();
    layers.clone_from_slice(&sorted);
    Ok(())
}

/// Refuses layers if one does not take as many inputs as the one before has outputs.
pub(super) fn check(layers: &[Found]) -> Result<(), String> {
    let misfit = layers.windows(2).find(|pair| pair[0].outputs != pair[1].inputs);
    let Some([below, Found { name, inputs, outputs, .. }]) = misfit else { return Ok(()) };
    let mut reason = format!(
        "{name}weight is [{outputs}, {inputs}]: expected {} inputs, the outputs of {}",
        below.outputs,
        below.name.trim_end_matches('.')
    );
    if layers.windows(2).all(|pair| pair[0].inputs == pair[1].outputs) {
        reason += "; all weights would fit transposed, as [inputs, outputs]";
    }
    Err(reason)
}

/// A number in a name: how many digits it has, and the digits, without leading zeros. It compares
/// like the number, which may have any length.
type Number<'a> = (usize, &'a str);

/// A name with each number replaced by a 0, and the numbers.
fn split(name: &str) -> (String, Vec<Number<'_>>) {
    let mut text = String::with_capacity(name.len());
    let mut numbers = Vec::new();
    let mut rest = name;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let after = from.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = from[..from.len() - after.len()].trim_start_matches('0');
        numbers.push((digits.len(), digits));
        text += before;
        text.push('0');
        rest = after;
    }
    text += rest;
    (text, numbers)
}

/// The layers as queues whose order is known: layers whose names differ only in their numbers are a
/// queue in the order of these, and every other layer is a queue of its own.
fn queues(layers: &[Found]) -> Vec<Vec<usize>> {
    let mut alike: BTreeMap<String, Vec<(Vec<Number<'_>>, usize)>> = BTreeMap::new();
    for (index, layer) in layers.iter().enumerate() {
        let (text, numbers) = split(&layer.name);
        alike.entry(text).or_default().push((numbers, index));
    }
    let mut queues = Vec::new();
    for mut group in alike.into_values() {
        without_widths(layers, &mut group);
        group.sort();
        let order = group.iter().map(|&(_, index)| index);
        if group.windows(2).all(|pair| pair[0].0 != pair[1].0) {
            queues.push(order.collect());
        } else {
            queues.extend(order.map(|index| vec![index]));
        }
    }
    queues
}

/// Removes the numbers that are widths: a number at one place of all these names that is the number
/// of inputs or outputs of each (`fc512`, `fc256`).
fn without_widths(layers: &[Found], group: &mut [(Vec<Number<'_>>, usize)]) {
    let places = group.first().map_or(0, |(numbers, _)| numbers.len());
    for place in (0..places).rev() {
        let is_width = |(numbers, index): &(Vec<Number<'_>>, usize)| {
            let Found { inputs, outputs, .. } = layers[*index];
            [inputs, outputs].iter().any(|width| width.to_string() == numbers[place].1)
        };
        if group.iter().all(is_width) {
            for (numbers, _) in &mut *group {
                numbers.remove(place);
            }
        }
    }
}

/// The orders that a search found.
enum Orders {
    None,
    One(Vec<usize>),
    /// Or the search took more than [`MAX_STEPS`].
    Many,
}

/// The orders that keep those of the queues and in which the layers fit together. `shape` returns
/// the inputs and outputs of a layer.
fn search(
    layers: &[Found],
    queues: &[Vec<usize>],
    shape: impl Fn(&Found) -> (usize, usize),
) -> Orders {
    let mut heads = vec![0; queues.len()];
    // The queue and the layer of each step.
    let mut chain: Vec<(usize, usize)> = Vec::with_capacity(layers.len());
    let mut orders = Orders::None;
    let mut next = 0;
    for _ in 0..MAX_STEPS {
        if let Some(queue) = queues.get(next) {
            let outputs = chain.last().map(|&(_, last)| shape(&layers[last]).1);
            let fits = |layer: usize| outputs.is_none_or(|n| shape(&layers[layer]).0 == n);
            match queue.get(heads[next]) {
                Some(&layer) if fits(layer) => {
                    heads[next] += 1;
                    chain.push((next, layer));
                    next = 0;
                }
                _ => next += 1,
            }
            continue;
        }
        if chain.len() == layers.len() {
            if !matches!(orders, Orders::None) {
                return Orders::Many;
            }
            orders = Orders::One(chain.iter().map(|&(_, layer)| layer).collect());
        }
        let Some((last, _)) = chain.pop() else { return orders };
        heads[last] -= 1;
        next = last + 1;
    }
    Orders::Many
}

/// The reason why these layers are refused, and what to do.
fn refusal(layers: &[Found], reason: &str) -> String {
    let all: Vec<_> = layers
        .iter()
        .map(|layer| format!("{}weight [{}, {}]", layer.name, layer.outputs, layer.inputs))
        .collect();
    format!(
        "{}: {reason}: list the layers from input to output as `names` in the description \
         (--architecture), and store weights as [outputs, inputs]",
        list(&all)
    )
}

/// The first few of the texts, and how many more there are.
pub(super) fn list(all: &[String]) -> String {
    const MAX_SHOWN: usize = 8;
    let mut text = all[..all.len().min(MAX_SHOWN)].join(", ");
    if all.len() > MAX_SHOWN {
        text += &format!(" and {} more", all.len() - MAX_SHOWN);
    }
    text
}

#[cfg(test)]
mod tests;
