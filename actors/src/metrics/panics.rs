//! What is told of a panic: one line in the log, and a count in the metrics.

use std::panic::{PanicHookInfo, set_hook};
use std::sync::LazyLock;
use std::thread;

use prometheus::IntCounter;

static PANICS: LazyLock<Option<IntCounter>> = LazyLock::new(|| {
    IntCounter::new("gateway_panics_total", "Panics of the process, each of which ended one task").ok()
});

/// How many panics the process has survived.
pub(crate) fn counter() -> Option<IntCounter> {
    PANICS.clone()
}

/// From now on a panic of any thread is one line in the log, instead of some on standard error.
pub fn log_panics() {
    set_hook(Box::new(told));
}

fn told(panic: &PanicHookInfo<'_>) {
    if let Some(panics) = &*PANICS {
        panics.inc();
    }
    // Any other text is put together at run time, and may hold what a user wrote (H1).
    let what = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("the text is withheld");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = thread::current();
    log::error!(thread = thread.name().unwrap_or("unnamed"); "a task panicked at {place}: {what}");
}
