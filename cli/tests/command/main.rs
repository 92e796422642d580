//! The command as users and their machines treat it. `cargo test --test command kill` runs the tests
//! of one file.

mod calibration;
mod config;
mod convert;
mod data;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod kill;
mod loss;
mod measures;
mod noise;
mod objective;
#[cfg(unix)]
mod outputs;
mod program;
mod quantize;
#[cfg(unix)]
mod refused_saves;
mod resume;
mod row_weights;
mod show;
mod sparse;
mod training_page;
mod usage;
#[cfg(unix)]
mod validation;
