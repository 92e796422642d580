//! The oracle and what it checks: `oracles/table_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::table_reader;

fuzz_target!(|bytes: &[u8]| table_reader::check(bytes));
