//! Ctrl-C, SIGTERM and SIGUSR1 ask a run to save and stop; a second Ctrl-C ends it at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

/// Installs the handlers and returns the flag that they set.
pub(crate) fn stop_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    // Registered first, so that it acts only when the flag was already set by an earlier signal.
    signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&stop))
        .context("cannot install the handler of Ctrl-C")?;
    for signal in [SIGINT, SIGTERM, SIGUSR1] {
        signal_hook::flag::register(signal, Arc::clone(&stop))
            .with_context(|| format!("cannot install the handler of signal {signal}"))?;
    }
    Ok(stop)
}
