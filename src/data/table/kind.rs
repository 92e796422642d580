//! The kinds of columns.

use serde::{Deserialize, Serialize};

use super::{
    Table,
    cell::{Looks, date, looks, number, present},
};

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ColumnKind {
    /// Numbers.
    Numeric,
    /// Numbers x that become sign(x) ln(1 + |x|), for amounts of very different sizes.
    Log,
    /// Dates, with or without a time of day, that become days since 1970-01-01 (UTC): `2024-02-29`,
    /// `2024-02-29 18:30`, `2024-02-29T18:30:05Z` (ISO 8601).
    Date,
    /// Names of categories.
    Categorical,
    /// The column is left out.
    Ignored,
}

impl ColumnKind {
    /// The number that a present cell of such a column is, for kinds whose cells are numbers. The error says
    /// what was expected.
    pub(super) fn number(self, cell: &str) -> Result<f64, &'static str> {
        match self {
            Self::Date => date(cell),
            // libm has the same bits on every machine.
            Self::Log => number(cell).map(|x| libm::log1p(x.abs()).copysign(x)),
            _ => number(cell),
        }
    }

    /// Finds the kind of a column from the cells that are not missing: numeric if they are numbers; a date
    /// if they are dates; ignored if there are none; otherwise categorical.
    ///
    /// Infinities and numbers with commas count as numbers here, so that they are refused later, and do not
    /// silently turn a column of numbers into one of names.
    pub(super) fn of_column(table: &Table, column: usize) -> Self {
        let (mut numbers, mut dates) = (false, false);
        for row in 0..table.rows() {
            match present(table.at(row, column)).map(looks) {
                None => {}
                Some(Looks::Number | Looks::AlmostNumber) => numbers = true,
                Some(Looks::Date) => dates = true,
                Some(Looks::Text) => return Self::Categorical,
            }
        }
        match (numbers, dates) {
            (true, true) => Self::Categorical,
            (true, false) => Self::Numeric,
            (false, true) => Self::Date,
            (false, false) => Self::Ignored,
        }
    }
}
