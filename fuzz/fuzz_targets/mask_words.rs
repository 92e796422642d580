//! The oracle and what it checks: `oracles/mask_words.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::mask_words;

fuzz_target!(|case: mask_words::Case| mask_words::check(case));
