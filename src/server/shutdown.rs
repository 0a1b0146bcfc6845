//! The end of the process: signal, drain, flush, stop (D10).

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use gateway_actors::budgets::ledger_actor::Close;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::state::AppState;

/// How long after the drain time the process may still end what it has cut.
const CUT_TIMEOUT: Duration = Duration::from_secs(1);

/// The time in which the last rows may be written, however long the drain took.
const MIN_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long counts of tokens may take at the end; then they are estimated.
const LAST_COUNTS_TIMEOUT: Duration = Duration::from_secs(1);

/// What the process is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests are served.
    Serving,
    /// Requests under way are finished; readiness is 503.
    Draining,
    /// What still streams is ended with an error event.
    Cut,
}

/// The signals that end the process: SIGTERM, SIGINT and SIGQUIT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    /// Begins to listen; from here on no signal kills the process by itself. SIGHUP calls `on_hangup`; SIGUSR1, SIGUSR2
    /// and SIGALRM do nothing.
    ///
    /// # Errors
    /// Where the operating system refuses.
    pub fn listen(on_hangup: impl Fn() + 'static) -> std::io::Result<Self> {
        for ignored in [SignalKind::user_defined1(), SignalKind::user_defined2(), SignalKind::alarm()] {
            // A signal that was listened to once never has its default effect again.
            drop(signal(ignored)?);
        }
        let mut hangup = signal(SignalKind::hangup())?;
        actix_rt::spawn(async move {
            while hangup.recv().await.is_some() {
                on_hangup();
            }
        });
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}

/// Waits for a signal, or the end of an actor without which nothing works, then drains; a second signal forces the end.
/// Gives the process' exit code.
pub async fn on_signal(
    mut signals: Signals,
    server: ServerHandle,
    phase: watch::Sender<Phase>,
    shared: Arc<AppState>,
) -> ExitCode {
    let ended = tokio::select! {
        () = signals.next() => None,
        actor = shared.actors.required_ended() => Some(actor),
    };
    if let Some(actor) = &ended {
        log::error!(actor = actor; "a required actor ended: the process drains and exits");
    }
    phase.send_replace(Phase::Draining);
    log::info!(in_flight = shared.in_flight.count(); "draining");
    tokio::select! {
        last = drain(&server, &phase, &shared) => {
            shared.routing.budgets.ledger.counter.finish(LAST_COUNTS_TIMEOUT).await;
            tokio::join!(close_ledger(&shared, last), flush_responses(&shared, last));
            if let Some(semantic) = &shared.routing.cache.local.semantic {
                semantic.pool.close().await;
            }
            match ended {
                None => {
                    log::info!("stopped");
                    ExitCode::SUCCESS
                }
                Some(actor) => {
                    log::error!(actor = actor; "stopped because a required actor ended");
                    ExitCode::FAILURE
                }
            }
        }
        () = signals.next() => {
            log::warn!(in_flight = shared.in_flight.count(); "forced to stop");
            ExitCode::FAILURE
        }
    }
}

/// Writes the usage rows that wait, within what is left of the drain time; what the store does not take by then stays in
/// the journal for the next start.
async fn close_ledger(shared: &AppState, last: Instant) {
    match shared.routing.budgets.mailbox.within(time_to_close(last)).ask(Close).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::warn!("usage rows stay in the journal: {error}"),
        Err(error) => log::warn!("usage rows stay in the journal: {error}"),
    }
}

/// Writes the responses that wait.
async fn flush_responses(shared: &AppState, last: Instant) {
    if let Err(error) = shared.responses.flush(time_to_close(last)).await {
        log::warn!("responses may not have been stored: {error}");
    }
}

/// What is left of the drain time, or a little more.
fn time_to_close(last: Instant) -> Duration {
    last.saturating_duration_since(Instant::now()).max(MIN_CLOSE_TIMEOUT)
}

/// Waits for what is under way; gives when the drain time ends.
async fn drain(server: &ServerHandle, phase: &watch::Sender<Phase>, shared: &AppState) -> Instant {
    let settings = &shared.config.server;
    // Load balancers see the readiness before the listener closes.
    sleep(Duration::from_millis(settings.drain_delay_ms)).await;
    let last = Instant::now() + Duration::from_millis(settings.drain_timeout_ms);
    let stopping = actix_rt::spawn(server.stop(true));
    let idle = async {
        while shared.in_flight.count() > 0 || shared.bodies.bodies() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        () = idle => {}
        () = sleep_until(last) => {
            shared.metrics.cut();
            phase.send_replace(Phase::Cut);
        }
    }
    // What was cut needs a moment to send its last event.
    if timeout_at(last + CUT_TIMEOUT, stopping).await.is_err() {
        log::warn!(in_flight = shared.in_flight.count(); "requests were still under way at the end of the drain time");
    }
    last
}
