//! The inputs of a node, and parameters that are inputs or attributes.

use super::{
    proto::{Attributes, Node},
    values::Value,
};

/// A node with the values of its inputs.
#[derive(Clone, Copy)]
pub(super) struct Inputs<'a, 'v> {
    pub node: &'v Node<'a>,
    /// The version of the standard operators.
    pub opset: i64,
    /// The values; `None` for an input that is omitted.
    pub values: &'v [Option<Value<'a>>],
}

impl<'a, 'v> Inputs<'a, 'v> {
    /// The input at `place`, unless it is omitted.
    pub fn get(&self, place: usize) -> Option<&'v Value<'a>> {
        self.values.get(place)?.as_ref()
    }

    /// The input at `place`.
    pub fn required(&self, place: usize) -> Result<&'v Value<'a>, String> {
        self.get(place).ok_or_else(|| format!("input {place} is missing"))
    }

    /// Refuses more than `most` inputs.
    pub fn at_most(&self, most: usize) -> Result<(), String> {
        if self.values.len() > most {
            return Err(format!("{} inputs: expected at most {most}", self.values.len()));
        }
        Ok(())
    }

    /// The whole numbers that an operator takes as the attributes `names` before opset `since`,
    /// and from then on as its inputs after the first, of which there may be `most`. `others`
    /// are its attributes in all versions.
    pub fn parameters(
        &self,
        since: i64,
        names: &[&str],
        most: usize,
        others: &[&str],
    ) -> Result<Parameters<'a, 'v>, String> {
        let are_inputs = self.opset >= since;
        self.at_most(if are_inputs { 1 + most } else { 1 })?;
        let names = if are_inputs { &[] } else { names };
        let attributes = self.node.attributes(&[names, others].concat())?;
        Ok(Parameters { inputs: *self, attributes, are_inputs })
    }

    /// The parameters of a `Slice`, one for each axis.
    pub fn slices(&self) -> Result<Vec<Slice>, String> {
        // There was no attribute `steps`.
        let parameters = self.parameters(10, &["starts", "ends", "axes"], 4, &[])?;
        let starts = parameters.required("starts", 1)?;
        let ends = parameters.required("ends", 2)?;
        let count = starts.len();
        let axes = parameters.ints("axes", 3)?.unwrap_or_else(|| (0..count as i64).collect());
        let steps = parameters.ints("steps", 4)?.unwrap_or_else(|| vec![1; count]);
        if [ends.len(), axes.len(), steps.len()] != [count; 3] {
            return Err(format!("starts {starts:?} and ends {ends:?}: expected one for each axis"));
        }
        let all = starts.into_iter().zip(ends).zip(axes).zip(steps);
        Ok(all.map(|(((start, end), axis), step)| Slice { start, end, axis, step }).collect())
    }
}

/// Whole numbers that are attributes or inputs of a node.
pub(super) struct Parameters<'a, 'v> {
    inputs: Inputs<'a, 'v>,
    pub attributes: Attributes<'a>,
    are_inputs: bool,
}

impl Parameters<'_, '_> {
    /// The numbers in the attribute `name`, or at input `place`.
    pub fn ints(&self, name: &str, place: usize) -> Result<Option<Vec<i64>>, String> {
        if !self.are_inputs {
            return self.attributes.ints(name);
        }
        self.inputs.get(place).map(|value| value.sizes()?.numbers()).transpose()
    }

    /// The same, which must be there.
    pub fn required(&self, name: &str, place: usize) -> Result<Vec<i64>, String> {
        self.ints(name, place)?.ok_or_else(|| format!("`{name}` is missing"))
    }
}

/// The part of one axis that a `Slice` takes: from `start` on before `end`, each `step`-th.
pub(super) struct Slice {
    pub start: i64,
    pub end: i64,
    pub axis: i64,
    pub step: i64,
}
