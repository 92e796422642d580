//! The protocol between the driver of `benches/peers` and a worker: a line of
//! JSON in, a line of JSON out. `benches/peers/README.md` tells of it.

mod batches;
pub mod case;
pub mod files;
mod race;
mod serve;
mod work;

pub use batches::in_batches;
pub use race::faster;
pub use serve::serve;
pub use work::Work;

use std::error::Error;

/// What goes wrong is told as text to the driver or to a person.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
