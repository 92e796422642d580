//! The oracle and what it checks: `oracles/torch_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::torch_reader;

fuzz_target!(|bytes: &[u8]| torch_reader::check(bytes));
