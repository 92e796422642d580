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
    let len = elements.len() + 1;
    elements.try_reserve(1).map_err(|_| Error::TooLarge { what, shape: [1, len] })?;
    elements.push(element);
    Ok(())
}

/// Makes room for at least `len` elements in all; `what` names the elements in the error.
pub(crate) fn at_least<T>(
    what: &'static str,
    elements: &mut Vec<T>,
    len: usize,
) -> Result<(), Error> {
    let more = len.saturating_sub(elements.len());
    elements.try_reserve(more).map_err(|_| Error::TooLarge { what, shape: [1, len] })
}

/// Appends an element for which there is room: see [`at_least`].
#[inline(always)]
pub(crate) fn push_within<T>(elements: &mut Vec<T>, element: T) {
    debug_assert!(elements.len() < elements.capacity(), "no room was made for an element");
    elements.push(element);
}

/// Checks that this many bytes can be allocated now. Called before parsing or writing
/// text, which aborts if memory runs out.
pub(crate) fn ensure_room(what: &'static str, bytes: usize) -> Result<(), Error> {
    let room: Vec<u8> = reserve(what, bytes)?;
    // Keeps the compiler from optimising the allocation away.
    black_box(&room);
    Ok(())
}
