//! Checks of `[actors]`.

use super::ActorsSettings;

/// The smallest mailbox: requests that come in one turn of an event loop find a place together.
const MIN_MAILBOX: usize = 16;

/// An actor must have the time to answer, and a mailbox that ordinary traffic does not fill.
pub(super) fn check(actors: &ActorsSettings, wrong: &mut dyn FnMut(&str, String)) {
    for (name, settings) in [
        ("router", actors.router),
        ("provider", actors.provider),
        ("key_registry", actors.key_registry),
        ("budget_ledger", actors.budget_ledger),
        ("response_store", actors.response_store),
        ("redis_limiter", actors.redis_limiter),
        ("cache", actors.cache.actor()),
        ("metrics", actors.metrics),
        ("token_counter", actors.token_counter.actor()),
    ] {
        if settings.ask_timeout_ms == 0 {
            wrong(
                &format!("actors.{name}.ask_timeout_ms"),
                "must be at least 1: nobody would get an answer".to_owned(),
            );
        }
        if (1..MIN_MAILBOX).contains(&settings.mailbox) {
            let message =
                format!("must be at least {MIN_MAILBOX}, or 0 for no limit: ordinary traffic would be refused");
            wrong(&format!("actors.{name}.mailbox"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ActorSettings;

    /// L-2: what can never work is told before the start.
    #[test]
    fn l2_actors_without_time_or_room_are_refused() {
        let problems = |actors: &ActorsSettings| {
            let mut paths = Vec::new();
            check(actors, &mut |path, _message| paths.push(path.to_owned()));
            paths
        };
        assert!(problems(&ActorsSettings::default()).is_empty());
        let no_limit = ActorSettings { mailbox: 0, ..ActorSettings::default() };
        assert!(problems(&ActorsSettings { router: no_limit, ..ActorsSettings::default() }).is_empty());
        let hopeless = ActorSettings { mailbox: 1, ask_timeout_ms: 0 };
        let actors = ActorsSettings { router: hopeless, metrics: hopeless, ..ActorsSettings::default() };
        let names = ["router.ask_timeout_ms", "router.mailbox", "metrics.ask_timeout_ms", "metrics.mailbox"];
        assert_eq!(problems(&actors), names.map(|name| format!("actors.{name}")));
    }
}
