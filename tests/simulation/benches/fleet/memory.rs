//! What the daemon has allocated. What AWS has, which is in the same process, is not counted.

use std::{
    alloc::System,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use tracking_allocator::{AllocationGroupId, AllocationRegistry, AllocationTracker, Allocator};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Counts from now on.
pub fn count() {
    // It is set once.
    let _ = AllocationRegistry::set_global_tracker(Counter);
    AllocationRegistry::enable_tracking();
}

/// Bytes that there are.
pub fn now() -> usize {
    NOW.load(Relaxed)
}

/// The most that there have been since [`count_most`].
pub fn most() -> usize {
    MOST.load(Relaxed)
}

/// Finds the most from now on.
pub fn count_most() {
    MOST.store(now(), Relaxed);
}

struct Counter;

impl AllocationTracker for Counter {
    fn allocated(&self, _: usize, size: usize, _: usize, group: AllocationGroupId) {
        if group == AllocationGroupId::ROOT {
            MOST.fetch_max(NOW.fetch_add(size, Relaxed) + size, Relaxed);
        }
    }

    fn deallocated(
        &self,
        _: usize,
        size: usize,
        _: usize,
        group: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        if group == AllocationGroupId::ROOT {
            NOW.fetch_sub(size, Relaxed);
        }
    }
}
