//! The oracle and what it checks: `oracles/sparse_rows.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::sparse_rows;

fuzz_target!(|case: sparse_rows::Case| sparse_rows::check(case));
