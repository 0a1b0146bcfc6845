//! Memory of a burst, given back to the operating system.

use std::hint::black_box;
use std::time::Duration;

/// How often memory is given back. What was freed less than ten seconds ago, the allocator keeps.
pub const GIVE_BACK: Duration = Duration::from_secs(20);

/// Bytes that no thread has at hand, so that the allocator looks for them in what is common to all.
const BLOCK: usize = 32 << 20;

/// Has the allocator give back what was freed a while ago. It does so only where memory is freed to what all threads have
/// in common: a process that is idle after a burst would keep it for good (J 30). The block is never touched.
pub fn give_back() {
    // The first one marks what is free, the second one finds it due.
    for _ in 0..2 {
        drop(black_box(Vec::<u8>::with_capacity(black_box(BLOCK))));
    }
}
