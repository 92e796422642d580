//! A buffer aligned to cache lines.

use std::{
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use bytemuck::Pod;
use wide::f32x16;

use crate::{abridged::Few, error::Error, simd::pages};

/// Bytes per cache line, and the alignment of every buffer.
pub(crate) const LINE: usize = 64;

/// A buffer of plain elements, 64-byte aligned and initially zero.
///
/// The memory is a vector of `wide::f32x16`, which is one cache line on every
/// build, so the alignment needs no unsafe code. The last line is padded with
/// zeros that are not part of any slice. A large buffer asks for huge pages.
pub(crate) struct AlignedBuffer<T> {
    lines: Vec<f32x16>,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Pod> AlignedBuffer<T> {
    /// Allocates `len` zeros.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn zeroed(len: usize) -> Result<Self, Error> {
        const {
            assert!(size_of::<T>() > 0 && LINE.is_multiple_of(size_of::<T>()));
        }
        let mut buffer = Self { lines: Vec::new(), len: 0, element: PhantomData };
        buffer.grow(len)?;
        Ok(buffer)
    }

    /// Appends zeros until there are `len` elements; a longer buffer stays unchanged.
    ///
    /// # Errors
    /// There is not enough memory; the buffer stays unchanged.
    pub(crate) fn grow(&mut self, len: usize) -> Result<(), Error> {
        let too_large = || Error::TooLarge { what: "an aligned buffer", shape: [1, len] };
        let lines = len.checked_mul(size_of::<T>()).ok_or_else(too_large)?.div_ceil(LINE);
        let more = lines.saturating_sub(self.lines.len());
        self.lines.try_reserve_exact(more).map_err(|_| too_large())?;
        pages::ask_for_huge(self.lines.spare_capacity_mut());
        self.lines.resize(self.lines.len() + more, f32x16::ZERO);
        self.len = self.len.max(len);
        Ok(())
    }

    /// Copies the buffer, returning an error where `clone` would abort.
    ///
    /// # Errors
    /// There is not enough memory.
    pub(crate) fn try_clone(&self) -> Result<Self, Error> {
        let mut copy = Self::zeroed(self.len)?;
        copy.copy_from_slice(self);
        Ok(copy)
    }
}

impl<T: Pod> Deref for AlignedBuffer<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let all: &[T] = bytemuck::cast_slice(&self.lines);
        &all[..self.len]
    }
}

impl<T: Pod> DerefMut for AlignedBuffer<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        let all: &mut [T] = bytemuck::cast_slice_mut(&mut self.lines);
        &mut all[..self.len]
    }
}

impl<T> Clone for AlignedBuffer<T> {
    fn clone(&self) -> Self {
        Self { lines: self.lines.clone(), len: self.len, element: PhantomData }
    }
}

impl<T: Pod + PartialEq> PartialEq for AlignedBuffer<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Pod + fmt::Debug> fmt::Debug for AlignedBuffer<T> {
    /// Shows the first few elements and the total count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Few(self.iter()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_zero_and_exactly_as_long_as_asked() {
        for len in [0, 1, 15, 16, 17, 63, 64, 65, 1000] {
            let floats = AlignedBuffer::<f32>::zeroed(len).unwrap();
            let bytes = AlignedBuffer::<u8>::zeroed(len).unwrap();
            assert_eq!(floats.as_ptr().align_offset(LINE), 0);
            assert_eq!((floats.len(), bytes.len()), (len, len));
            assert!(floats.iter().all(|&x| x.to_bits() == 0) && bytes.iter().all(|&x| x == 0));
        }
    }

    #[test]
    fn grows_by_zeros_and_keeps_what_was_there() {
        let mut buffer = AlignedBuffer::<f32>::zeroed(3).unwrap();
        buffer.fill(7.0);
        for len in [17, 5, 100] {
            buffer.grow(len).unwrap();
            assert_eq!(buffer.len(), len.max(17));
            assert!(buffer[..3].iter().all(|&x| x == 7.0));
            assert!(buffer[3..].iter().all(|&x| x.to_bits() == 0));
        }
        assert!(buffer.grow(usize::MAX).is_err() && buffer.len() == 100);
    }

    #[test]
    fn debug_shows_the_first_elements_and_how_many_there_are() {
        let mut buffer = AlignedBuffer::<f32>::zeroed(3).unwrap();
        buffer[1] = 2.5;
        assert_eq!(format!("{buffer:?}"), "[0.0, 2.5, 0.0]");
        buffer.grow(40_000).unwrap();
        let shown = "[0.0, 2.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, .. 40000 in all]";
        assert_eq!(format!("{buffer:?}"), shown);
    }

    #[test]
    fn refuses_what_cannot_be_allocated() {
        assert!(AlignedBuffer::<f32>::zeroed(usize::MAX).is_err());
        assert!(AlignedBuffer::<u8>::zeroed(usize::MAX).is_err());
    }
}
