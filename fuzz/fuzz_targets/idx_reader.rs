//! The oracle and what it checks: `oracles/idx_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::idx_reader;

fuzz_target!(|bytes: &[u8]| idx_reader::check(bytes));
