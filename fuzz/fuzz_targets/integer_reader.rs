//! The oracle and what it checks: `oracles/integer_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::integer_reader;

fuzz_target!(|bytes: &[u8]| integer_reader::check(bytes));
