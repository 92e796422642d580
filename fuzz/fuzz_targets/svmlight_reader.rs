//! The oracle and what it checks: `oracles/svmlight_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::svmlight_reader;

fuzz_target!(|bytes: &[u8]| svmlight_reader::check(bytes));
