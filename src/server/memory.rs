//! Memory of a burst, given back to the operating system.

use std::hint::black_box;
use std::time::Duration;

/// How often memory is given back. What was freed less than a second ago, the allocator keeps (its `purge_delay`).
pub const PURGE_INTERVAL: Duration = Duration::from_secs(20);

/// More bytes than a thread has at hand (512 KiB at most), so that the allocator takes them from what is common to all.
/// What the block takes is not given back, so it is as small as may be.
const BLOCK: usize = 1 << 20;

/// Has the allocator give back what was freed a while ago. It does so only where memory is freed to what all threads have
/// in common: a process that is idle after a burst would keep it for good (J 30). The block is never touched.
pub fn give_back() {
    // The first one marks what is free, the second one finds it due.
    for _ in 0..2 {
        drop(black_box(Vec::<u8>::with_capacity(black_box(BLOCK))));
    }
}
