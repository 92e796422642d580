//! The oracle and what it checks: `oracles/npy_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::npy_reader;

fuzz_target!(|bytes: &[u8]| npy_reader::check(bytes));
