//! Memory that may be refused.
#![forbid(unsafe_code)]

use crate::error::Error;

/// An empty vector with room for `len` elements; `what` names them in the error.
pub(crate) fn reserve<T>(what: &'static str, len: usize) -> Result<Vec<T>, Error> {
    let mut elements = Vec::new();
    elements.try_reserve_exact(len).map_err(|_| Error::TooLarge { what, shape: [1, len] })?;
    Ok(elements)
}
