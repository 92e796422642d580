//! Ctrl-C and SIGTERM, noticed where it suits.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// Watches for the two signals from now to the end of the process. The first
/// that comes is only noted; a second one ends the process at once.
#[derive(Debug)]
pub struct Signals {
    /// The number of the signal that came, or 0.
    caught: Arc<AtomicUsize>,
}

impl Signals {
    /// Begins to watch.
    ///
    /// # Errors
    /// What the system says.
    pub fn watch() -> anyhow::Result<Self> {
        let caught = Arc::new(AtomicUsize::new(0));
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: only the second signal finds the flag set.
            flag::register_conditional_default(signal, Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            flag::register_usize(signal, Arc::clone(&caught), signal as usize)?;
        }
        Ok(Self { caught })
    }

    /// The signal that came, if one did.
    pub fn caught(&self) -> Option<u8> {
        match self.caught.load(Ordering::SeqCst) {
            0 => None,
            signal => u8::try_from(signal).ok(),
        }
    }
}
