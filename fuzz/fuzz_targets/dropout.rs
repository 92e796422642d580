//! The oracle and what it checks: `oracles/dropout.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::dropout;

fuzz_target!(|case: dropout::Case| dropout::check(case));
