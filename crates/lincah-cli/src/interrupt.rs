//! Ctrl-C and other requests to end.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};

/// Whether whoever runs stops by itself when asked.
static STOPS_BY_ITSELF: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on a first request to end removes temporary files and ends the process, unless somebody [listens](asked_to_stop); a second
/// always does.
pub(crate) fn remove_temporary_files_when_stopped() -> anyhow::Result<()> {
    static SET: Once = Once::new();
    static FAILED: OnceLock<String> = OnceLock::new();
    SET.call_once(|| {
        let handler = || {
            if ASKED.swap(true, Ordering::Relaxed) || !STOPS_BY_ITSELF.load(Ordering::Relaxed) {
                lincah::remove_temporary_files();
                std::process::exit(1);
            }
        };
        if let Err(error) = ctrlc::set_handler(handler) {
            let _ = FAILED.set(error.to_string());
        }
    });
    match FAILED.get() {
        Some(error) => anyhow::bail!("Ctrl-C cannot be listened to: {error}"),
        None => Ok(()),
    }
}

/// Whether to go on: `Break` after a request to end, which from the first call on no longer ends the process by itself.
pub(crate) fn asked_to_stop() -> ControlFlow<()> {
    STOPS_BY_ITSELF.store(true, Ordering::Relaxed);
    if ASKED.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}
