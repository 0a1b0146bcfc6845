//! The connections that one thread keeps to an origin between two requests.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::address::Origin;
use super::connection::Connection;

/// Connections that no request of an interval needed, and that are kept all the same.
const SPARE_CONNECTIONS: usize = 16;

/// Idle connections, the one used last at the end.
pub(super) struct Pool<C = Box<Connection>> {
    keep_alive: Duration,
    idle: RefCell<Vec<Idle<C>>>,
}

struct Idle<C> {
    connection: C,
    origin: Rc<Origin>,
    since: Instant,
    until: Instant,
}

impl<C> Pool<C> {
    /// A pool that gives a connection up after it was idle for so long.
    pub(super) fn new(keep_alive: Duration) -> Self {
        Self { keep_alive, idle: RefCell::default() }
    }

    /// A connection to this origin that should still stand.
    pub(super) fn take(&self, origin: &Rc<Origin>, now: Instant) -> Option<C> {
        let mut idle = self.idle.borrow_mut();
        loop {
            let at = idle.iter().rposition(|idle| Rc::ptr_eq(&idle.origin, origin) || idle.origin == *origin)?;
            let found = idle.remove(at);
            if now < found.until {
                return Some(found.connection);
            }
        }
    }

    /// Keeps a connection for the next request; `told` is how long the other side says that it will.
    pub(super) fn put(&self, connection: C, origin: Rc<Origin>, told: Option<Duration>, now: Instant) {
        let until = now + told.unwrap_or(self.keep_alive).min(self.keep_alive);
        self.idle.borrow_mut().push(Idle { connection, origin, since: now, until });
    }

    /// Gives up what has been idle for too long, and what a burst left behind: of the connections that nobody used since
    /// `since` only a few are kept.
    pub(super) fn close_spare(&self, since: Instant, now: Instant) {
        let mut idle = self.idle.borrow_mut();
        idle.retain(|idle| now < idle.until);
        let unused = idle.iter().filter(|idle| idle.since < since).count();
        let mut spare = unused.saturating_sub(SPARE_CONNECTIONS);
        idle.retain(|idle| {
            let goes = spare > 0 && idle.since < since;
            spare -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin() -> Rc<Origin> {
        Rc::new(Origin::split("http://x.example").unwrap().0)
    }

    fn after(begun: Instant, seconds: u64) -> Instant {
        begun + Duration::from_secs(seconds)
    }

    /// D7: connections that a burst needed are given up once it has passed, and not while it lasts.
    #[test]
    fn d7_connections_of_a_burst_are_given_up() {
        let (pool, origin, begun) = (Pool::new(Duration::from_secs(60)), origin(), Instant::now());
        (0..1000).for_each(|n| pool.put(n, origin.clone(), None, after(begun, 1)));
        pool.close_spare(begun, after(begun, 15));
        assert_eq!(pool.idle.borrow().len(), 1000, "they were used in this interval");
        pool.close_spare(after(begun, 15), after(begun, 30));
        assert_eq!(pool.idle.borrow().len(), SPARE_CONNECTIONS, "nobody used them");
        pool.close_spare(after(begun, 30), after(begun, 61));
        assert_eq!(pool.idle.borrow().len(), 0, "idle for too long");
    }

    /// J 7: a connection is not used when its server may have closed it, as it told or as it is configured.
    #[test]
    fn j7_a_connection_is_kept_no_longer_than_its_server_keeps_it() {
        let (pool, origin, begun) = (Pool::new(Duration::from_secs(50)), origin(), Instant::now());
        let told = |seconds| Some(Duration::from_secs(seconds));
        pool.put('a', origin.clone(), told(4), begun);
        assert_eq!(pool.take(&origin, after(begun, 3)), Some('a'));
        pool.put('a', origin.clone(), told(4), begun);
        assert_eq!(pool.take(&origin, after(begun, 4)), None);
        pool.put('a', origin.clone(), told(300), begun);
        assert_eq!(pool.take(&origin, after(begun, 50)), None, "longer than the configuration allows");
    }

    #[test]
    fn the_connection_used_last_is_taken_first_and_of_its_origin_alone() {
        let (pool, origin, now) = (Pool::new(Duration::from_secs(50)), origin(), Instant::now());
        let other = Rc::new(Origin::split("https://x.example").unwrap().0);
        pool.put('a', origin.clone(), None, now);
        pool.put('b', origin.clone(), None, now);
        pool.put('c', other.clone(), None, now);
        assert_eq!(
            (pool.take(&origin, now), pool.take(&origin, now), pool.take(&origin, now)),
            (Some('b'), Some('a'), None)
        );
        assert_eq!(pool.take(&other, now), Some('c'));
    }
}
