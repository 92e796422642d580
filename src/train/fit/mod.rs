//! The loop of training: epochs over a data set, validation, and what follows from it.

mod early_stopping;
mod event;
mod history;
mod notes;
mod plateau;
mod run;
mod settings;
mod watched;

pub use early_stopping::EarlyStopping;
pub use event::{Event, StepDone};
pub use history::{Epoch, History, Validation};
pub use notes::SavedFit;
pub use plateau::Plateau;
pub use run::{Ending, FitRun, Fitted};
pub use settings::Fit;
pub use watched::Watched;
