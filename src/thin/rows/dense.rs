//! Dense rows: every number is stored.

use super::{Finiteness, Rows};
use crate::{
    simd::Lanes,
    tensor::{MatrixView, all_finite},
    thin::{
        PANEL, VECTORS,
        lists::{Entries, ListWriter},
        load_from,
    },
};

impl Rows for MatrixView<'_> {
    #[inline(always)]
    fn push<L: Lanes>(self, l: L, row: usize, b: usize, entries: Entries, to: &mut ListWriter<'_>) {
        let from = &self.at(row)[b * PANEL..];
        let (whole, rest) = from[..from.len().min(PANEL)].as_chunks();
        for (c, x) in whole.iter().enumerate() {
            entries.push(l, to, c, l.load(x));
        }
        if !rest.is_empty() {
            entries.push(l, to, whole.len(), l.load_first(rest));
        }
    }

    #[inline(always)]
    fn panel<L: Lanes>(self, l: L, row: usize, n: usize) -> [L::F; VECTORS] {
        let row = &self.at(row)[n * PANEL..];
        if let Some(panel) = row.first_chunk() {
            return load_from(l, panel, 0);
        }
        let mut panel = [0.0; PANEL];
        panel[..row.len()].copy_from_slice(row);
        load_from(l, &panel, 0)
    }

    #[inline(always)]
    fn entries(self, row: usize) -> impl Iterator<Item = (u32, f32)> {
        // Inputs are counted in 32 bits where rows are sparse.
        (0..).zip(self.at(row)).filter(|&(_, &x)| x != 0.0).map(|(column, &x)| (column, x))
    }
}

impl Finiteness for MatrixView<'_> {
    #[inline]
    fn all_finite(self) -> bool {
        MatrixView::all_finite(&self)
    }

    #[inline]
    fn non_finite(self, row: usize) -> Option<(usize, f32)> {
        let x = self.at(row);
        // Search for the number only if there is one.
        if all_finite(x) {
            return None;
        }
        x.iter().position(|x| !x.is_finite()).map(|column| (column, x[column]))
    }
}
