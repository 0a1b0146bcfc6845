//! How many files and connections the process may have open (J 15).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the stores, the log, the journal and the listeners need beside the requests.
const BESIDE: u64 = 256;

/// Raises the process' limit of open files to what the system allows it, and warns where that is less than the requests
/// under way need: one connection for the client and one for the provider each.
pub fn raise_limit(max_in_flight: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok();
    let limit = if raised { maximum } else { current };
    let needed = needed(max_in_flight);
    if let Some(limit) = limit.filter(|limit| *limit < needed) {
        log::warn!(
            limit = limit, needed = needed;
            "the limit of open files is below what server.max_in_flight may need: raise it (ulimit -n), or lower server.max_in_flight"
        );
    }
}

fn needed(max_in_flight: usize) -> u64 {
    (max_in_flight as u64).saturating_mul(2).saturating_add(BESIDE)
}
