//! Numbers as bytes, and bytes as text.

use std::fmt::Write;

/// The bytes in hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The elements as little-endian bytes, written to the start of `to`, which must
/// be long enough.
pub(crate) fn write_little_endian<'b>(x: &[f32], to: &'b mut [u8]) -> &'b [u8] {
    for (x, to) in x.iter().zip(to.as_chunks_mut::<4>().0) {
        *to = x.to_le_bytes();
    }
    &to[..size_of_val(x)]
}

/// The elements as little-endian bytes.
pub(crate) fn little_endian(x: &[f32]) -> Vec<u8> {
    x.iter().flat_map(|x| x.to_le_bytes()).collect()
}
