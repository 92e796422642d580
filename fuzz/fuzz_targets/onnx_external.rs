//! The oracle and what it checks: `oracles/onnx_external.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::onnx_external;

fuzz_target!(|bytes: &[u8]| onnx_external::check(bytes));
