//! An actor's address with admission of our own, since actix's mailbox capacity holds nobody back.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::dev::MessageResponse;
use actix::{Actor, Addr, Context, Handler, Message};
use tokio::sync::oneshot;

use super::stats::{ActorReport, ActorStats, Queued};

/// Which actor did not answer, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the actor {actor} {kind}")]
pub struct AskError {
    /// The actor's name.
    pub actor: Arc<str>,
    /// Why it did not.
    pub kind: AskErrorKind,
}

/// Why an actor did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskErrorKind {
    /// As many messages wait as the mailbox may hold, so this one was not sent.
    #[error("has a full mailbox; retry later or raise its mailbox size")]
    Full,
    /// No answer came within the mailbox's timeout; if the handler had not started, it never will.
    #[error("did not answer in time")]
    Timeout,
    /// The actor has stopped, or its handler panicked.
    #[error("has stopped")]
    Closed,
}

/// How long a mailbox may become, and how long an asker waits.
#[derive(Clone, Copy, Debug)]
pub struct MailboxSettings {
    /// Messages that may wait; one more is refused (0 = no limit).
    pub limit: usize,
    /// How long an asker waits for an answer.
    pub ask_timeout: Duration,
}

/// A bounded way to reach one actor: it refuses what would wait too long, and lets no ask wait for ever.
///
/// The actor needs `takes_parcels!(TheActor);` beside its handlers.
pub struct Mailbox<A: Actor<Context = Context<A>>> {
    addr: Arc<RwLock<Addr<A>>>,
    /// Starts the actor again where it has ended.
    start: Option<Start<A>>,
    stats: Arc<ActorStats>,
    timeout: Duration,
}

type Start<A> = Arc<dyn Fn() -> Addr<A> + Send + Sync>;

impl<A: Actor<Context = Context<A>>> Mailbox<A> {
    /// A mailbox in front of `addr`, counted by `stats`, whose asks are given up after `timeout`.
    pub fn new(addr: Addr<A>, stats: Arc<ActorStats>, timeout: Duration) -> Self {
        Self { addr: Arc::new(RwLock::new(addr)), start: None, stats, timeout }
    }

    /// A mailbox that starts its actor, and starts it again with the first message after it has ended. `start` is called on
    /// the thread that posts.
    pub fn restarting(
        start: impl Fn() -> Addr<A> + Send + Sync + 'static,
        stats: Arc<ActorStats>,
        timeout: Duration,
    ) -> Self {
        let addr = start();
        Self { start: Some(Arc::new(start)), ..Self::new(addr, stats, timeout) }
    }

    /// Sends a message and waits for its answer; an ask that is given up before its handler starts costs no work.
    ///
    /// # Errors
    /// Fails when the mailbox is full, the actor has stopped, or no answer comes within the timeout.
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, AskError>
    where
        A: Handler<M> + Handler<Parcel<A>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let (reply, answer) = oneshot::channel();
        self.post(message, Some(reply))?;
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => {
                self.is_alive();
                Err(self.error(AskErrorKind::Closed))
            }
            Err(_) => Err(self.error(AskErrorKind::Timeout)),
        }
    }

    /// Sends a message without waiting for its handler; an actor that stops before it starts drops the message.
    ///
    /// # Errors
    /// Fails when the mailbox is full or the actor has stopped.
    pub fn tell<M>(&self, message: M) -> Result<(), AskError>
    where
        A: Handler<M> + Handler<Parcel<A>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        self.post(message, None)
    }

    /// Whether the actor takes messages. One that has ended is started again, where that is possible.
    pub fn is_alive(&self) -> bool {
        let alive = self.addr().connected();
        self.stats.alive.store(alive, Ordering::Relaxed);
        alive
    }

    /// The same mailbox for somebody who waits no longer than `longest`.
    #[must_use]
    pub fn within(&self, longest: Duration) -> Self {
        Self { timeout: self.timeout.min(longest), ..self.clone() }
    }

    /// The actor's counters of this moment; `state` is null.
    pub fn report(&self) -> ActorReport {
        self.is_alive();
        self.stats.report()
    }

    /// The counters that this mailbox keeps.
    pub fn stats(&self) -> &Arc<ActorStats> {
        &self.stats
    }

    fn post<M>(&self, message: M, reply: Option<oneshot::Sender<M::Result>>) -> Result<(), AskError>
    where
        A: Handler<M> + Handler<Parcel<A>>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let addr = self.addr();
        if !addr.connected() {
            self.is_alive();
            return Err(self.error(AskErrorKind::Closed));
        }
        let place = self.stats.queue().ok_or_else(|| self.error(AskErrorKind::Full))?;
        #[expect(clippy::disallowed_methods, reason = "the one way, once there is a place")]
        addr.do_send(Parcel::new(message, reply, place));
        Ok(())
    }

    /// The actor's address, past the limit of this mailbox; that of a new one, where the former has ended and can be
    /// started again.
    pub(crate) fn addr(&self) -> Addr<A> {
        let addr = self.addr.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(start) = self.start.as_ref().filter(|_| !addr.connected()) else { return addr };
        let mut current = self.addr.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been first.
        if !current.connected() {
            *current = start();
            self.stats.restarted();
            log::warn!(actor = self.stats.name(); "an actor ended and was restarted");
        }
        current.clone()
    }

    fn error(&self, kind: AskErrorKind) -> AskError {
        AskError { actor: self.stats.name.clone(), kind }
    }
}

impl<A: Actor<Context = Context<A>>> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self { addr: self.addr.clone(), start: self.start.clone(), stats: self.stats.clone(), timeout: self.timeout }
    }
}

impl<A: Actor<Context = Context<A>>> fmt::Debug for Mailbox<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox").field("actor", &self.stats.name).field("timeout", &self.timeout).finish()
    }
}

/// What travels through actix's own mailbox: a message with its place in ours, so that the place is given back when the
/// handler starts and also when the message is dropped unhandled.
pub struct Parcel<A: Actor> {
    open: Open<A, A::Context>,
}

type Open<A, C> = Box<dyn FnOnce(&mut A, &mut C) + Send>;

impl<A: Actor> Message for Parcel<A> {
    type Result = ();
}

impl<A: Actor> Parcel<A> {
    fn new<M>(message: M, reply: Option<oneshot::Sender<M::Result>>, place: Queued) -> Self
    where
        A: Handler<M>,
        M: Message + Send + 'static,
        M::Result: Send,
    {
        let open = move |actor: &mut A, context: &mut A::Context| {
            drop(place);
            // Nobody waits for the answer any more, so the work is not worth doing.
            if reply.as_ref().is_some_and(oneshot::Sender::is_closed) {
                return;
            }
            <A as Handler<M>>::handle(actor, message, context).handle(context, reply);
        };
        Self { open: Box::new(open) }
    }

    /// Hands the message to its handler, unless its asker has given up.
    pub fn open(self, actor: &mut A, context: &mut A::Context) {
        (self.open)(actor, context);
    }
}

impl<A: Actor> fmt::Debug for Parcel<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parcel")
    }
}

/// Lets a [`Mailbox`] deliver to the named actor; one line for each actor, as Rust allows no blanket `impl` here.
macro_rules! takes_parcels {
    ($actor:ty) => {
        impl actix::Handler<$crate::runtime::mailbox::Parcel<$actor>> for $actor {
            type Result = ();

            fn handle(&mut self, parcel: $crate::runtime::mailbox::Parcel<$actor>, context: &mut actix::Context<Self>) {
                parcel.open(self, context);
            }
        }
    };
}
pub(crate) use takes_parcels;
