//! A thread that statements of SQLite's run on: a lock that another process holds, or a slow disk, stops it alone.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

type ThreadError = Box<dyn Error + Send + Sync + 'static>;

/// The thread, which ends with the last clone.
#[derive(Clone)]
pub(in crate::db) struct SqliteThread {
    jobs: Sender<Job>,
}

impl SqliteThread {
    /// Starts a thread.
    pub(in crate::db) fn start() -> std::io::Result<Self> {
        let (jobs, waiting) = channel();
        thread::Builder::new().name("sqlite".to_owned()).spawn(move || work(&waiting))?;
        Ok(Self { jobs })
    }

    /// Runs a task after those before it; one whose caller has given up meanwhile is not begun.
    pub(in crate::db) async fn run<R: Send + 'static>(
        &self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ThreadError> {
        let (reply, answer) = oneshot::channel();
        let job = move || {
            if reply.is_closed() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(task)).map_err(|panic| words(&*panic));
            // The caller may have given up; then nobody hears of it.
            let _unheard = reply.send(outcome);
        };
        self.jobs.send(Box::new(job)).map_err(|_ended| "the thread of SQLite has ended")?;
        Ok(answer.await.map_err(|_ended| "the thread of SQLite has ended")??)
    }
}

fn work(jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        job();
    }
}

/// What a panic says, where its text is part of the program; any other may hold what users wrote.
fn words(panic: &(dyn Any + Send)) -> &'static str {
    panic.downcast_ref::<&'static str>().copied().unwrap_or("a statement of SQLite panicked")
}

impl SpawnBlocking for SqliteThread {
    fn spawn_blocking<'a, R>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>>
    where
        R: Send + 'static,
    {
        let thread = self.clone();
        Box::pin(async move { thread.run(task).await })
    }

    /// A thread that cannot be started is one whose every task fails.
    fn get_runtime() -> Self {
        Self::start().unwrap_or_else(|_error| Self { jobs: channel().0 })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    /// A task that panics fails alone.
    #[actix_rt::test]
    async fn the_thread_outlives_a_panic() {
        let thread = SqliteThread::start().unwrap();
        let failed = thread.run(|| std::panic::panic_any("a broken statement")).await;
        assert_eq!(failed.unwrap_err().to_string(), "a broken statement");
        assert_eq!(thread.run(|| 7).await.unwrap(), 7);
    }

    /// What waits behind a slow task and is given up costs no work; what has begun goes on.
    #[actix_rt::test]
    async fn a_task_that_is_given_up_before_its_turn_never_runs() {
        let thread = SqliteThread::start().unwrap();
        let (release, held) = channel::<()>();
        let ran = Arc::new(AtomicU32::new(0));
        let count = |by: u32| {
            let ran = ran.clone();
            move || ran.fetch_add(by, Ordering::Relaxed)
        };
        let begun = count(1);
        let slow = thread.run(move || {
            let _released = held.recv();
            begun()
        });
        let given_up = Duration::from_millis(20);
        assert!(tokio::time::timeout(given_up, slow).await.is_err());
        assert!(tokio::time::timeout(given_up, thread.run(count(10))).await.is_err());
        drop(release);
        thread.run(|| ()).await.unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 1);
    }
}
