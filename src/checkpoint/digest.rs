//! The digest of a file: SHA-256 of all its bytes, with 64 zeros in place of the digest's own
//! digits.
//!
//! Its metadata key is the first thing in the header, so the digits are at the same offset in every
//! file and can be written last.

use sha2::{Digest, Sha256};

use crate::bytes::hexadecimal;

/// The metadata key.
pub(super) const KEY: &str = "thinnet.digest";

/// How every header with a digest starts, up to the digits.
pub(super) const START: &str = r#"{"__metadata__":{"thinnet.digest":""#;

/// What is hashed in place of the digits.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The range of the digits in the file, after the header's length.
pub(super) const PLACE: u64 = (size_of::<u64>() + START.len()) as u64;

/// A digest in progress: it has hashed a file's header and takes its data.
pub(super) struct Running(Sha256);

impl Running {
    /// Starts from a header, with the digits filled in or not; `None` if they are not in their
    /// place.
    pub fn new(header: &[u8]) -> Option<Self> {
        let rest = header.strip_prefix(START.as_bytes())?.get(BLANK.len()..)?;
        let mut hash = Sha256::new();
        hash.update((header.len() as u64).to_le_bytes());
        hash.update(START);
        hash.update(BLANK);
        hash.update(rest);
        Some(Self(hash))
    }

    /// Hashes the next bytes of data.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest's digits.
    pub fn finish(self) -> String {
        hexadecimal(&self.0.finalize())
    }
}
