//! Abridged `Debug` output for long lists of numbers: the first few, and the total count.
//! Without it, a network in a failing test or in a log would print millions of them.

use std::fmt;

/// The maximum number of elements shown.
const FEW: usize = 8;

/// The first few elements, as a list that ends with the total count if there are more.
pub(crate) struct Few<I>(pub I);

impl<T: fmt::Debug, I: ExactSizeIterator<Item = T> + Clone> fmt::Debug for Few<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.0.clone().take(FEW));
        if self.0.len() > FEW {
            list.entry(&format_args!(".. {} in all", self.0.len()));
        }
        list.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_shown_whole_and_many_by_their_number() {
        let shown = |n: u32| format!("{:?}", Few(0..n as u16));
        assert_eq!(shown(0), "[]");
        assert_eq!(shown(8), "[0, 1, 2, 3, 4, 5, 6, 7]");
        assert_eq!(shown(9), "[0, 1, 2, 3, 4, 5, 6, 7, .. 9 in all]");
        assert_eq!(format!("{:.1?}", Few([0.25, 1.0].iter())), "[0.2, 1.0]");
    }
}
