//! The shape of a row on its way through a graph.

use super::sizes::{Size, Sizes, place};

/// The dimensions of a row, those behind the first one of the tensor, which
/// counts the rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// `None` where a size is not stated.
    pub dims: Vec<Option<usize>>,
    /// The kind of the elements where they are whole numbers.
    pub integer: Option<i64>,
    /// The number of rows that the graph was made for, where it is stated.
    pub rows: Option<usize>,
    /// The number of rows that a `Reshape` made of any number, and inferred a size: of
    /// another number it makes other rows.
    pub fixed: Option<i64>,
}

/// The most dimensions of a row; exporters come to a few.
const MOST_DIMENSIONS: usize = 16;

impl Row {
    /// One dimension of `columns`.
    pub fn flat(columns: Option<usize>) -> Self {
        Self { dims: vec![columns], integer: None, rows: None, fixed: None }
    }

    /// One of these dimensions.
    pub fn of(shape: &[usize]) -> Self {
        let dims = shape.iter().map(|&size| Some(size)).collect();
        Self { dims, integer: None, rows: None, fixed: None }
    }

    /// The elements of the row, where they are known.
    pub fn columns(&self) -> Option<usize> {
        product(&self.dims)
    }

    /// Whether a matrix can be multiplied with it as one vector.
    pub fn is_vector(&self) -> bool {
        match &self.dims[..] {
            [] => false,
            [ones @ .., _] => ones.iter().all(|&size| size == Some(1)),
        }
    }

    /// The same elements in other dimensions.
    fn with(&self, dims: Vec<Option<usize>>) -> Self {
        Self { dims, ..*self }
    }

    /// What `Shape` says.
    pub fn shape(&self) -> Sizes {
        let dims = self.dims.iter().map(|size| Some(Size::of(i64::try_from((*size)?).ok()?)));
        Sizes::vector([Some(Size::ROWS)].into_iter().chain(dims).collect())
    }

    /// Whether a number as often as `shape` says meets elements of rows alone, and
    /// makes no more of them.
    pub fn covers(&self, shape: &Sizes) -> bool {
        let mut own = self.shape().items.into_iter().rev();
        let one = Some(Size::of(1));
        shape.is_vector
            && shape.items.iter().rev().all(|&size| match own.next() {
                Some(own) => size.is_some() && (size == own || size == one),
                None => false,
            })
    }

    /// Whether dimension `axis` of the tensor ends before or at `end`.
    pub fn ends_within(&self, axis: i64, end: i64) -> bool {
        match place(axis, self.dims.len() + 1) {
            None => false,
            // More rows than that there cannot be.
            Some(0) => end >= i64::from(i32::MAX),
            Some(at) => match self.dims[at - 1] {
                Some(size) => usize::try_from(end).is_ok_and(|end| end >= size),
                None => end == i64::MAX,
            },
        }
    }

    /// The elements of a row side by side, from dimension `axis` of the tensor on.
    pub fn flatten(&self, axis: i64) -> Result<Self, String> {
        let rank = self.dims.len() + 1;
        if axis != 1 && place(axis, rank) != Some(1) {
            return Err(format!("axis {axis}: expected 1, which keeps the rows"));
        }
        Ok(self.with(vec![self.columns()]))
    }

    /// The same elements in the shape of a `Reshape`, whose first dimension has to
    /// be the rows. 0 means the size as it is, unless it is `literal`.
    pub fn reshape(&self, shape: &Sizes, literal: bool) -> Result<Self, String> {
        let text = || describe(shape);
        let [rows, rest @ ..] = &shape.items[..] else {
            return Err("shape []: expected rows and columns".to_owned());
        };
        let known = self.columns();
        let mut dims = Vec::with_capacity(rest.len());
        // At most one size is inferred from the others.
        let mut inferred = None;
        for (at, size) in rest.iter().enumerate() {
            dims.push(match size.map(Size::number) {
                None => None,
                Some(None) => {
                    return Err(format!("shape {}: expected rows first, and alone", text()));
                }
                Some(Some(0)) if !literal => *self.dims.get(at).ok_or_else(|| {
                    format!("shape {}: 0 at {}, where there is no dimension", text(), at + 1)
                })?,
                Some(Some(-1)) if inferred.is_none() => {
                    inferred = Some(at);
                    // For the product of the others.
                    Some(1)
                }
                Some(Some(size)) if size >= 1 => Some(
                    usize::try_from(size).map_err(|_| format!("shape {}: too large", text()))?,
                ),
                Some(Some(_)) => {
                    return Err(format!("shape {}: expected sizes above 0", text()));
                }
            });
        }
        let others = product(&dims);
        let mut fixed = self.fixed;
        let any_rows = match rows.map(|size| (size, size.number())) {
            Some((size, _)) if size == Size::ROWS => true,
            Some((_, Some(0))) if !literal => true,
            Some((_, Some(0))) => {
                return Err(format!("shape {} with allowzero: no rows", text()));
            }
            Some((_, Some(-1))) if inferred.is_none() => false,
            // As many as the graph was made for.
            Some((_, Some(rows @ 1..))) => match self.rows {
                Some(stated) if i64::try_from(stated) != Ok(rows) => {
                    return Err(format!(
                        "shape {}: {rows} rows, of an input with {stated}: expected 0 or -1 for \
                         the rows",
                        text()
                    ));
                }
                Some(_) => false,
                // Where all sizes stand there, it fails for another number of rows.
                None => {
                    fixed = inferred.map(|_| rows).or(fixed);
                    false
                }
            },
            _ => {
                return Err(format!(
                    "shape {}: expected the rows first, as many as there are",
                    text()
                ));
            }
        };
        if let Some(at) = inferred {
            dims[at] = match (known, others) {
                (Some(known), Some(others)) => {
                    if others == 0 || known % others != 0 {
                        return Err(format!("shape {}: expected to divide {known}", text()));
                    }
                    Some(known / others)
                }
                _ => None,
            };
            if known.is_none() && !any_rows {
                return Err(format!("shape {}: expected an input whose shape is stated", text()));
            }
            return Ok(Self { fixed, ..self.with(dims) });
        }
        match (known, others) {
            (Some(known), Some(others)) if known != others => {
                Err(format!("{others} columns: expected the {known} of a row"))
            }
            (None, Some(others)) if !any_rows => {
                Err(format!("{others} columns: expected an input whose shape is stated"))
            }
            (_, None) if !any_rows => {
                Err(format!("shape {}: expected an input whose shape is stated", text()))
            }
            _ => Ok(self.with(dims)),
        }
    }

    /// Without the dimensions `axes` of the tensor, or all of size 1.
    pub fn squeeze(&self, axes: Option<&[i64]>) -> Result<Self, String> {
        let rank = self.dims.len() + 1;
        let Some(axes) = axes else {
            if self.dims.contains(&None) {
                return Err("without axes: expected an input whose shape is stated".to_owned());
            }
            if self.rows == Some(1) {
                return Err("without axes, of 1 row, which goes too: expected axes".to_owned());
            }
            let dims = self.dims.iter().copied().filter(|&size| size != Some(1));
            return Ok(self.with(dims.collect()));
        };
        let mut dims: Vec<_> = self.dims.iter().copied().map(Some).collect();
        for &axis in axes {
            let at = place(axis, rank).and_then(|at| at.checked_sub(1));
            let Some(at) = at else {
                return Err(format!("axis {axis}: expected one behind the rows"));
            };
            match dims[at] {
                Some(None | Some(1)) => dims[at] = None,
                Some(Some(size)) => return Err(format!("axis {axis} has size {size}: expected 1")),
                None => return Err(format!("axis {axis} twice: expected it once")),
            }
        }
        Ok(self.with(dims.into_iter().flatten().collect()))
    }

    /// With dimensions of size 1 at `axes` of the tensor that it becomes.
    pub fn unsqueeze(&self, axes: &[i64]) -> Result<Self, String> {
        let rank = self.dims.len() + 1 + axes.len();
        if rank > MOST_DIMENSIONS {
            return Err(format!("to {rank} dimensions: expected at most {MOST_DIMENSIONS}"));
        }
        let mut is_new = vec![false; rank];
        for &axis in axes {
            match place(axis, rank) {
                Some(at) if at > 0 && !is_new[at] => is_new[at] = true,
                _ => return Err(format!("axis {axis}: expected one behind the rows, once")),
            }
        }
        let mut rest = self.dims.iter().copied();
        let dims =
            is_new[1..].iter().filter_map(|&new| if new { Some(Some(1)) } else { rest.next() });
        Ok(self.with(dims.collect()))
    }

    /// In another order of dimensions that leaves the elements in theirs.
    pub fn transpose(&self, perm: &[i64]) -> Result<Self, String> {
        let rank = self.dims.len() + 1;
        let places: Option<Vec<usize>> = perm.iter().map(|&axis| place(axis, rank)).collect();
        let places = places.filter(|places| {
            let mut sorted = places.clone();
            sorted.sort_unstable();
            sorted.into_iter().eq(0..rank)
        });
        let Some([0, places @ ..]) = places.as_deref() else {
            return Err(format!("perm {perm:?}: expected the rows to stay first"));
        };
        let kept: Vec<_> = places.iter().filter(|&&at| self.dims[at - 1] != Some(1)).collect();
        if !kept.is_sorted() {
            return Err(format!(
                "perm {perm:?} changes the order of a row's elements: expected them as they come"
            ));
        }
        Ok(self.with(places.iter().map(|&at| self.dims[at - 1]).collect()))
    }

    /// Item `index` of dimension `axis`, which has to be its only one.
    pub fn gather(&self, axis: i64, index: &Sizes) -> Result<Self, String> {
        let at = place(axis, self.dims.len() + 1).and_then(|at| at.checked_sub(1));
        let Some(at) = at else { return Err(format!("axis {axis}: expected one behind the rows")) };
        let size = self.dims[at].map_or("?".to_owned(), |size| size.to_string());
        match (self.dims[at], &index.numbers()?[..]) {
            (Some(1), [0 | -1]) => {}
            (_, index) => {
                return Err(format!(
                    "takes {index:?} of axis {axis}, which has size {size}: expected a size of 1"
                ));
            }
        }
        let mut row = self.clone();
        if !index.is_vector {
            row.dims.remove(at);
        }
        Ok(row)
    }
}

/// The product of the sizes, where all are known.
fn product(dims: &[Option<usize>]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |n, size| n.checked_mul((*size)?))
}

/// A shape as errors show it.
fn describe(shape: &Sizes) -> String {
    let items = shape.items.iter().map(|item| match item {
        None => "?".to_owned(),
        Some(size) => match size.number() {
            Some(number) => number.to_string(),
            None if *size == Size::ROWS => "rows".to_owned(),
            None => "a multiple of rows".to_owned(),
        },
    });
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}
