//! Parts of help texts that follow from the library.

use std::fmt::Display;

/// All values as they are written, separated by commas.
pub fn listed(all: &[impl Display]) -> String {
    let texts: Vec<_> = all.iter().map(|one| one.to_string()).collect();
    texts.join(", ")
}
