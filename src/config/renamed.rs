//! Configuration keys that have a new name. The old one is refused, in the file and in the environment.

use toml::{Table, Value};

use super::Problem;
use super::layers::remove;

/// Old and new paths of the renamed keys.
pub(super) const RENAMED: [(&str, &str); 12] = [
    ("store.wait_at_start", "store.wait_for_store"),
    ("store.patience_ms", "store.query_timeout_ms"),
    ("cache.semantic.hub_patience_ms", "cache.semantic.hub_timeout_ms"),
    ("cache.semantic.patience_ms", "cache.semantic.embed_timeout_ms"),
    ("budgets.log_all", "budgets.log_unbudgeted"),
    ("budgets.shorten", "budgets.shorten_answers"),
    ("budgets.least_output_tokens", "budgets.min_output_tokens"),
    ("budgets.idle_ms", "budgets.lease_idle_ms"),
    ("budgets.abandon_ms", "budgets.orphan_lease_ms"),
    ("server.admin_guesses_per_minute", "server.admin_attempts_per_minute"),
    ("actors.limit_keeper.mailbox", "actors.redis_limiter.mailbox"),
    ("actors.limit_keeper.ask_timeout_ms", "actors.redis_limiter.ask_timeout_ms"),
];

/// Takes the old keys out of the table of a file and reports each with its new name.
pub(super) fn refuse_in_file(file: &mut Table, problems: &mut Vec<Problem>) {
    for (old, new) in RENAMED {
        let path: Vec<String> = old.split('.').map(str::to_owned).collect();
        if remove(file, &path) {
            problems.push(Problem::new(old, format!("this key was renamed to {new}")));
            remove_if_empty(file, &path[..path.len() - 1]);
        }
    }
}

/// Removes a table that held old keys only, as its own name may be old too.
fn remove_if_empty(file: &mut Table, path: &[String]) {
    let table = path.split_first().and_then(|(first, rest)| {
        let first = file.get(first)?;
        rest.iter().try_fold(first, |table, name| table.get(name))
    });
    if table.and_then(Value::as_table).is_some_and(Table::is_empty) {
        remove(file, path);
    }
}

/// The problem of an environment variable that sets an old key.
pub(super) fn refused_variable(name: &str, path: &[String]) -> Option<Problem> {
    let path = path.join(".");
    let (_, new) = RENAMED.into_iter().find(|(old, _)| *old == path)?;
    Some(Problem::new(name, format!("this variable was renamed to {}", variable(new))))
}

/// The environment variable of a key.
pub(super) fn variable(path: &str) -> String {
    format!("GATEWAY_{}", path.replace('.', "__").to_uppercase())
}
