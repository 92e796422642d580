//! The oracle and what it checks: `oracles/training.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::training;

fuzz_target!(|case: training::Case| training::check(case));
