use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use tokio::sync::oneshot;

use super::mailbox::{AskError, AskErrorKind, Mailbox, takes_parcels};
use super::registry::{ActorRegistry, Role};
use super::stats::ActorStats;

const LONG: Duration = Duration::from_secs(60);

/// Answers `Double`, waits for a signal on `Wait`, panics on `Panic`.
struct Worker {
    stats: Arc<ActorStats>,
    doubled: Rc<Cell<u32>>,
}

impl Actor for Worker {
    type Context = Context<Self>;
}

takes_parcels!(Worker);

struct Double(u32);

impl Message for Double {
    type Result = u32;
}

impl Handler<Double> for Worker {
    type Result = u32;

    fn handle(&mut self, Double(number): Double, _: &mut Context<Self>) -> u32 {
        let _handling = self.stats.handling();
        self.doubled.set(self.doubled.get() + 1);
        number * 2
    }
}

struct Wait(oneshot::Receiver<()>);

impl Message for Wait {
    type Result = ();
}

impl Handler<Wait> for Worker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Wait(signal): Wait, _: &mut Context<Self>) -> Self::Result {
        let handling = self.stats.handling();
        Box::pin(async move {
            let _handling = handling;
            signal.await.unwrap();
        })
    }
}

struct Panic;

impl Message for Panic {
    type Result = ();
}

impl Handler<Panic> for Worker {
    type Result = ();

    fn handle(&mut self, _: Panic, _: &mut Context<Self>) {
        let _handling = self.stats.handling();
        panic!("on purpose");
    }
}

fn start(limit: usize, timeout: Duration) -> (Mailbox<Worker>, Rc<Cell<u32>>) {
    let stats = ActorStats::new("worker", "test", limit);
    let doubled = Rc::new(Cell::new(0));
    let addr = Worker { stats: stats.clone(), doubled: doubled.clone() }.start();
    (Mailbox::new(addr, stats, timeout), doubled)
}

fn error(kind: AskErrorKind) -> AskError {
    AskError { actor: "worker".into(), kind }
}

#[actix_rt::test]
async fn an_ask_is_answered_counted_and_timed() {
    let (mailbox, _) = start(1, LONG);
    assert_eq!(mailbox.ask(Double(21)).await, Ok(42));
    let report = mailbox.report();
    assert_eq!((report.handled, report.failed, report.mailbox_depth, report.alive), (1, 0, 0, true));
    assert_eq!((report.name.as_str(), report.place.as_str(), report.mailbox_limit), ("worker", "test", 1));
}

/// The actor runs on this same thread, so nothing that is told here starts before the next await.
#[actix_rt::test]
async fn a_full_mailbox_refuses_and_takes_again_once_handlers_have_started() {
    let (mailbox, doubled) = start(2, LONG);
    assert_eq!(mailbox.tell(Double(1)), Ok(()));
    assert_eq!(mailbox.clone().tell(Double(1)), Ok(()));
    assert_eq!(mailbox.tell(Double(1)), Err(error(AskErrorKind::Full)));
    assert_eq!(mailbox.ask(Double(1)).await, Err(error(AskErrorKind::Full)));
    assert_eq!(mailbox.stats().mailbox_depth(), 2);
    while mailbox.stats().mailbox_depth() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(mailbox.ask(Double(2)).await, Ok(4));
    assert_eq!(doubled.get(), 3);
}

#[actix_rt::test]
async fn an_abandoned_ask_gives_its_place_back_and_costs_no_work() {
    let (mailbox, doubled) = start(1, LONG);
    tokio::select! {
        biased;
        answer = mailbox.ask(Double(1)) => panic!("answered {answer:?} before the actor could run"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(mailbox.stats().mailbox_depth(), 1);
    while mailbox.stats().mailbox_depth() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!((mailbox.report().handled, doubled.get()), (0, 0));
}

#[actix_rt::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let (mailbox, _) = start(1, Duration::from_millis(1));
    let (_never, signal) = oneshot::channel();
    assert_eq!(mailbox.ask(Wait(signal)).await, Err(error(AskErrorKind::Timeout)));
    assert_eq!(mailbox.stats().mailbox_depth(), 0);
}

#[actix_rt::test]
async fn a_message_being_handled_no_longer_takes_a_place() {
    let (mailbox, _) = start(1, LONG);
    let (go, signal) = oneshot::channel();
    mailbox.tell(Wait(signal)).unwrap();
    while mailbox.stats().mailbox_depth() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(mailbox.report().handled, 0);
    assert_eq!(mailbox.ask(Double(1)).await, Ok(2));
    go.send(()).unwrap();
    while mailbox.report().handled < 2 {
        tokio::task::yield_now().await;
    }
}

#[actix_rt::test]
async fn a_panicking_handler_shows_as_a_dead_actor_with_an_empty_mailbox() {
    let (mailbox, _) = start(8, LONG);
    mailbox.tell(Panic).unwrap();
    assert_eq!(mailbox.ask(Double(1)).await, Err(error(AskErrorKind::Closed)));
    assert_eq!(mailbox.tell(Double(1)), Err(error(AskErrorKind::Closed)));
    let report = mailbox.report();
    assert_eq!((report.alive, report.mailbox_depth, report.failed), (false, 0, 1));
    assert_eq!(report.last_error.as_deref(), Some("a handler panicked"));
}

/// M-11: an actor that ends is there again for the next message, with what its starter gives it, and counted.
#[actix_rt::test]
async fn m11_an_actor_that_panicked_is_started_again() {
    let stats = ActorStats::new("worker", "test", 8);
    let start = {
        let stats = stats.clone();
        move || Worker { stats: stats.clone(), doubled: Rc::default() }.start()
    };
    let mailbox = Mailbox::restarting(start, stats, LONG);
    for restarts in 1..=3 {
        assert_eq!(mailbox.ask(Panic).await, Err(error(AskErrorKind::Closed)));
        assert!(mailbox.is_alive());
        assert_eq!(mailbox.clone().ask(Double(2)).await, Ok(4));
        let report = mailbox.report();
        assert_eq!((report.alive, report.restarts, report.failed), (true, restarts, restarts));
    }
}

/// M-11: whoever waits for the end of an actor that nobody starts again hears of it.
#[actix_rt::test]
async fn m11_the_end_of_an_actor_is_heard_of() {
    let (mailbox, _) = start(8, LONG);
    let registry = ActorRegistry::default();
    registry.add(Role::Required, mailbox.clone());
    assert!(tokio::time::timeout(Duration::from_millis(10), registry.required_ended()).await.is_err());
    assert!(registry.missing().is_empty());
    mailbox.tell(Panic).unwrap();
    assert_eq!(tokio::time::timeout(LONG, registry.required_ended()).await.unwrap(), "worker");
    assert_eq!(registry.missing(), ["worker"]);
    assert_eq!(error(AskErrorKind::Closed).to_string(), "the actor worker has stopped");
}

#[test]
fn errors_and_restarts_are_reported() {
    let stats = ActorStats::new("cache", "control", 4);
    stats.fail("redis: connection refused");
    stats.fail("redis: timed out");
    stats.restarted();
    let report = stats.report();
    assert_eq!((report.failed, report.restarts), (2, 1));
    assert_eq!(report.last_error.as_deref(), Some("redis: timed out"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["mailbox_limit"], &json["state"]), (&4.into(), &serde_json::Value::Null));
}

/// What an actor has to show comes with its counters; one that may be missing is told as such by nobody.
#[actix_rt::test]
async fn registered_actors_are_observed_in_their_order() {
    let registry = ActorRegistry::default();
    let (mailbox, _) = start(8, LONG);
    registry.add_with_state(Role::Optional, mailbox.clone(), || serde_json::json!({ "doubled": 4 }));
    registry.add(Role::Restarted, ActorStats::new("cache", "control", 4));
    mailbox.tell(Panic).unwrap();
    assert_eq!(mailbox.ask(Double(1)).await, Err(error(AskErrorKind::Closed)));
    let reports = registry.observe().await;
    let told: Vec<_> = reports.iter().map(|report| (&*report.name, report.alive, &report.state)).collect();
    let state = serde_json::json!({ "doubled": 4 });
    assert_eq!(told, [("worker", false, &state), ("cache", true, &serde_json::Value::Null)]);
    assert!(registry.missing().is_empty());
    let names: Vec<_> = registry.stats().iter().map(|stats| stats.name().to_owned()).collect();
    assert_eq!(names, ["worker", "cache"]);
}
