//! Fallible memory allocation.

use std::hint::black_box;

use bytemuck::Zeroable;

use crate::error::Error;

/// An empty vector with capacity for `len` elements; `what` names the elements in the error.
pub(crate) fn reserve<T>(what: &'static str, len: usize) -> Result<Vec<T>, Error> {
    let mut elements = Vec::new();
    elements.try_reserve_exact(len).map_err(|_| Error::TooLarge { what, shape: [1, len] })?;
    Ok(elements)
}

/// A vector of zeros, `[rows][columns]`; `what` names the elements in the error.
pub(crate) fn zeros<T: Zeroable + Clone>(
    what: &'static str,
    shape: [usize; 2],
) -> Result<Vec<T>, Error> {
    let too_large = || Error::TooLarge { what, shape };
    let size = shape[0].checked_mul(shape[1]).ok_or_else(too_large)?;
    let mut elements = reserve(what, size).map_err(|_| too_large())?;
    elements.resize(size, T::zeroed());
    Ok(elements)
}

/// Appends an element; `what` names the elements in the error.
pub(crate) fn push<T>(what: &'static str, elements: &mut Vec<T>, element: T) -> Result<(), Error> {
    reserve_more(what, elements, 1)?;
    elements.push(element);
    Ok(())
}

/// Appends an element for which there is room: see [`reserve_more`].
#[inline(always)]
pub(crate) fn push_within<T>(elements: &mut Vec<T>, element: T) {
    debug_assert!(elements.len() < elements.capacity(), "no room was made for an element");
    elements.push(element);
}

/// Makes room for `more` elements; `what` names the elements in the error.
pub(crate) fn reserve_more<T>(
    what: &'static str,
    elements: &mut Vec<T>,
    more: usize,
) -> Result<(), Error> {
    let len = elements.len().saturating_add(more);
    elements.try_reserve(more).map_err(|_| Error::TooLarge { what, shape: [1, len] })
}

/// Checks that this many bytes can be allocated now. Called before parsing or writing
/// text, which aborts if memory runs out.
pub(crate) fn ensure_room(what: &'static str, bytes: usize) -> Result<(), Error> {
    let room: Vec<u8> = reserve(what, bytes)?;
    // Keeps the compiler from optimising the allocation away.
    black_box(&room);
    Ok(())
}
