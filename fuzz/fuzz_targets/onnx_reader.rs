//! The oracle and what it checks: `oracles/onnx_reader.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thinnet_fuzz::onnx_reader;

fuzz_target!(|bytes: &[u8]| onnx_reader::check(bytes));
