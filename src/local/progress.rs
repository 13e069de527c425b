//! What a person sees while things start: steps with their durations, on stderr.

use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// Steps, one after the other: a spinner on a terminal, a line per finished step anywhere.
#[derive(Debug, Default)]
pub(super) struct Progress {
    current: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Shows `name` while `work` goes on, and how long it took when it succeeded.
    pub(super) async fn step<T, E>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let began = Instant::now();
        let _spinner = self.spin(name);
        let outcome = work.await;
        if outcome.is_ok() {
            self.say(format_args!("{name:<28} {}", seconds(began.elapsed())));
        }
        outcome
    }

    /// Says a line, above the spinner if there is one.
    pub(super) fn say(&self, line: impl Display) {
        let write = || {
            // Progress that nobody can read is no reason to stop.
            let _unread = writeln!(anstream::stderr(), "{line}");
        };
        match self.bar() {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// A spinner until the guard is dropped, also when the work is given up.
    fn spin(&self, name: &str) -> impl Drop {
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(name.to_owned());
            bar.enable_steady_tick(TICK);
            self.replace(Some(bar));
        }
        Spinner(self)
    }

    fn bar(&self) -> Option<ProgressBar> {
        self.current.lock().ok()?.clone()
    }

    fn replace(&self, bar: Option<ProgressBar>) {
        if let Ok(mut current) = self.current.lock()
            && let Some(old) = std::mem::replace(&mut *current, bar)
        {
            old.finish_and_clear();
        }
    }
}

struct Spinner<'a>(&'a Progress);

impl Drop for Spinner<'_> {
    fn drop(&mut self) {
        self.0.replace(None);
    }
}

/// `0.4 s`, `41 s`.
pub(super) fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} s", duration.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        assert_eq!(seconds(Duration::from_millis(420)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(41)), "41 s");
    }
}
