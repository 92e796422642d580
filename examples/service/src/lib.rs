//! An HTTP service around one network.
//!
//! A request flows from [`api`] (what may be asked) into [`gather`] (a bounded
//! queue, and a thread that gathers requests into batches and predicts) and back;
//! [`metrics`] counts.

pub mod api;
pub mod gather;
pub mod metrics;
