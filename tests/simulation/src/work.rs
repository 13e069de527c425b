//! What AWS's work costs, by which the daemon's can be told from it.

use std::{fmt, time::Duration};

use nix::time::{ClockId, clock_gettime};
use tracking_allocator::AllocationGroupToken;

/// What AWS has cost the run's thread.
pub(crate) struct Work {
    /// CPU time.
    pub(crate) cpu: Duration,
    /// Whose is what is allocated meanwhile. All else is [`tracking_allocator::AllocationGroupId::ROOT`]'s.
    memory: Option<AllocationGroupToken>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            cpu: Duration::ZERO,
            memory: AllocationGroupToken::register(),
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("cpu", &self.cpu).finish()
    }
}

impl Work {
    /// Does some of it.
    pub(crate) fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let began = cpu_of_thread();
        let memory = self.memory.as_mut().map(AllocationGroupToken::enter);
        let done = work();
        drop(memory);
        self.cpu += cpu_of_thread().saturating_sub(began);
        done
    }
}

/// The CPU time of this thread.
#[must_use]
pub fn cpu_of_thread() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .unwrap_or_default()
}
