//! The digest of a file: SHA-256 over all its bytes, with 64 zeros in the place
//! of the digest's own digits.
//!
//! Its metadata key is the first thing in the header, so that the digits stand
//! in the same place in every file and can be written last.

use sha2::{Digest, Sha256};

use crate::bytes::hexadecimal;

/// The metadata key.
pub(super) const KEY: &str = "thinnet.digest";

/// How every header with a digest starts, up to the digits.
pub(super) const START: &str = r#"{"__metadata__":{"thinnet.digest":""#;

/// What is hashed in the place of the digits.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Where the digits stand in the file, behind the header's length.
pub(super) const PLACE: u64 = (size_of::<u64>() + START.len()) as u64;

/// A digest that has seen a file's header, and takes its data.
pub(super) struct Running(Sha256);

impl Running {
    /// From a header with or without its digits; `None` where they do not stand
    /// in their place.
    pub fn new(header: &[u8]) -> Option<Self> {
        let rest = header.strip_prefix(START.as_bytes())?.get(BLANK.len()..)?;
        let mut hash = Sha256::new();
        hash.update((header.len() as u64).to_le_bytes());
        hash.update(START);
        hash.update(BLANK);
        hash.update(rest);
        Some(Self(hash))
    }

    /// Takes the next bytes of data.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digits.
    pub fn finish(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}
