//! The signals by which a person or a supervisor ends us.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What the person wants.
#[derive(Debug, Clone)]
pub(super) struct Signals {
    /// Cancelled by the first signal: end everything.
    pub(super) stop: CancellationToken,
    /// Cancelled by the second: at once.
    pub(super) hurry: CancellationToken,
}

impl Signals {
    /// Listens from now on; the default action is gone.
    pub(super) fn listen() -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let signals = Self {
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
        };
        let heard = signals.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                if heard.stop.is_cancelled() {
                    heard.hurry.cancel();
                }
                heard.stop.cancel();
            }
        });
        Ok(signals)
    }
}
