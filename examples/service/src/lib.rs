//! An HTTP service around one network.
//!
//! A request goes from [`api`], which checks it, into [`gather`], a bounded queue with a thread that
//! gathers requests into batches and predicts, and back. [`metrics`] counts answers and measures
//! latency.

pub mod api;
pub mod gather;
pub mod metrics;
