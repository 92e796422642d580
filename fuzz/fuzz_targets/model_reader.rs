//! The oracle and what it checks: `oracles/model_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::model_reader;

fuzz_target!(|bytes: &[u8]| model_reader::check(bytes));
