//! Ctrl-C, SIGTERM and SIGHUP, noticed where it suits.

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

/// What asks a process to end. SIGHUP comes when its terminal is closed.
#[cfg(unix)]
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];
#[cfg(not(unix))]
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Watches for these signals from now to the end of the process, but not for those
/// that were ignored when it started: by `nohup`, or by a shell that started it in the
/// background. The first that comes is only noted; a second one ends the process at
/// once.
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
        let caught_before = Arc::new(AtomicBool::new(false));
        let ignored = ignored();
        for signal in SIGNALS.into_iter().filter(|signal| ignored >> (signal - 1) & 1 == 0) {
            // In this order: only the second signal finds the flag set.
            flag::register_conditional_default(signal, Arc::clone(&caught_before))?;
            flag::register(signal, Arc::clone(&caught_before))?;
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

/// The signals that this process ignores, signal n in bit n - 1. Only Linux tells
/// without unsafe code; elsewhere none are said to be.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignored(&status).unwrap_or_default()
}

/// The mask of ignored signals in a Linux process's status.
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
