//! The oracle and what it checks: `oracles/checkpoint_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::checkpoint_reader;

fuzz_target!(|bytes: &[u8]| checkpoint_reader::check(bytes));
