//! Gzipped files with any number of members, as `gzip -d` reads them.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The first byte of every member.
pub(super) const FIRST_BYTE: u8 = 0x1f;

/// The decompressed contents of consecutive members. Zeros after the last one are padding, as left
/// by tapes and other devices; anything else there is an error, where gzip only warns.
pub(super) struct Members<R> {
    /// `None` at the end.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Members<R> {
    pub fn new(from: R) -> Self {
        Self { member: Some(GzDecoder::new(from)) }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let length = member.read(to)?;
            if length > 0 || to.is_empty() {
                return Ok(length);
            }
            // The member's checksum was correct.
            self.member = match self.member.take().map(GzDecoder::into_inner) {
                Some(from) => next(from)?,
                None => None,
            };
        }
        Ok(0)
    }
}

/// The next member, or `None` at the end.
fn next<R: BufRead>(mut from: R) -> io::Result<Option<GzDecoder<R>>> {
    if peek(&mut from)? == Some(FIRST_BYTE) {
        return Ok(Some(GzDecoder::new(from)));
    }
    while let Some(byte) = peek(&mut from)? {
        if byte != 0 {
            let reason =
                "extra bytes after the last gzip member: expected another member, or zeros";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let buffer = from.fill_buf()?;
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        from.consume(zeros);
    }
    Ok(None)
}

/// Peeks at the next byte.
pub(super) fn peek(from: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        match from.fill_buf() {
            Ok(bytes) => return Ok(bytes.first().copied()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
