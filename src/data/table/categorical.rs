//! Columns of names.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The largest number of categories of a column.
pub const MAX_CATEGORIES: usize = 1 << 20;

/// A column of names that was fitted to training rows. See [`Preprocessor`](super::Preprocessor).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Categorical {
    /// The categories with an output of their own, in ascending order.
    categories: Vec<String>,
    /// Whether there are outputs for other categories, and for missing ones.
    other: bool,
    missing: bool,
}

/// The names of a column's training rows.
#[derive(Default)]
pub(super) struct Counts<'a> {
    rows: HashMap<&'a str, usize>,
    pub missing: bool,
}

impl<'a> Counts<'a> {
    /// Counts a cell; none is a missing one.
    pub fn count(&mut self, cell: Option<&'a str>) -> Result<(), Error> {
        let Some(cell) = cell else {
            self.missing = true;
            return Ok(());
        };
        let shape = [1, self.rows.len() + 1];
        let too_large = |_| Error::TooLarge { what: "categories of a column", shape };
        self.rows.try_reserve(1).map_err(too_large)?;
        *self.rows.entry(cell).or_default() += 1;
        Ok(())
    }

    /// The names that at least `least` rows have: of those, the `most` that most rows have.
    pub fn fit(self, least: usize, most: usize) -> Categorical {
        let all = self.rows.len();
        let mut kept: Vec<(&str, usize)> =
            self.rows.into_iter().filter(|&(_, rows)| rows >= least).collect();
        // Of those that equally many rows have, the first by name.
        kept.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        kept.truncate(most);
        kept.sort_unstable();
        let other = kept.len() < all;
        let categories = kept.into_iter().map(|(name, _)| name.to_owned()).collect();
        Categorical { categories, other, missing: self.missing }
    }
}

impl Categorical {
    /// Checks what was read. The error is the reason.
    pub fn check(&self) -> Result<(), String> {
        let n = self.categories.len();
        if n > MAX_CATEGORIES {
            return Err(format!("{n} categories: expected at most {MAX_CATEGORIES}"));
        }
        match self.categories.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(format!(
                "category {:?} comes after {:?}: expected ascending names",
                pair[1], pair[0]
            )),
            None => Ok(()),
        }
    }

    /// The number of outputs.
    pub fn width(&self) -> usize {
        self.categories.len() + usize::from(self.other) + usize::from(self.missing)
    }

    /// Whether all training rows have the same output.
    pub fn is_constant(&self) -> bool {
        self.width() <= 1
    }

    /// The categories with an output of their own.
    pub fn categories(&self) -> &[String] {
        &self.categories
    }

    /// The name of an output of the column `name`.
    pub fn output_name(&self, name: &str, output: usize) -> String {
        match self.categories.get(output) {
            Some(category) => format!("{name}={category}"),
            None if self.other && output == self.categories.len() => format!("{name}: other"),
            None => format!("{name}: missing"),
        }
    }

    /// The output that is 1; none is a missing cell, and no output a category that the training rows
    /// say nothing about.
    #[inline]
    pub fn encode(&self, cell: Option<&str>) -> Option<usize> {
        let n = self.categories.len();
        let other = self.other.then_some(n);
        match cell {
            None if self.missing => Some(n + usize::from(self.other)),
            None => other,
            Some(cell) => {
                self.categories.binary_search_by(|name| name.as_str().cmp(cell)).ok().or(other)
            }
        }
    }
}
