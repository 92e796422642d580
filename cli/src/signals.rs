//! Ctrl-C, SIGTERM and SIGHUP, noted when they arrive and handled between two steps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

/// The signals that ask a process to end. SIGHUP arrives when its terminal is closed.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Watches for these signals until the end of the process, except those that were already ignored
/// when it started (by `nohup`, or by a shell that started it in the background). The first signal is
/// only noted; a second one ends the process at once.
#[derive(Debug)]
pub struct Signals {
    /// The number of the signal that arrived, or 0.
    caught: Arc<AtomicUsize>,
}

impl Signals {
    /// Begins to watch.
    ///
    /// # Errors
    /// The system's error.
    pub fn watch() -> anyhow::Result<Self> {
        let caught = Arc::new(AtomicUsize::new(0));
        let caught_before = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for signal in SIGNALS.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            // The order matters: only the second signal must find the flag set.
            flag::register_conditional_default(signal, Arc::clone(&caught_before))?;
            flag::register(signal, Arc::clone(&caught_before))?;
            flag::register_usize(signal, Arc::clone(&caught), signal as usize)?;
        }
        Ok(Self { caught })
    }

    /// Returns the signal that arrived, if any.
    pub fn caught(&self) -> Option<u8> {
        match self.caught.load(Ordering::SeqCst) {
            0 => None,
            signal => u8::try_from(signal).ok(),
        }
    }
}

/// Returns the signals that this process ignores, signal n in bit n - 1. Only on Linux can this be
/// found out without unsafe code; elsewhere the result is 0.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignored(&status).unwrap_or_default()
}

/// Parses the mask of ignored signals in the status of a Linux process.
fn parse_ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\nSigCgt:\t0\n";
        assert_eq!(parse_ignored(status), Some(0x1003));
        assert_eq!(parse_ignored("Name:\tthinnet\n"), None);
    }
}
