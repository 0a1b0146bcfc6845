//! Carries alerts from the store to the operator's webhook (B8). Whatever happens to a process, each is delivered at
//! last, or given up with a line in the log: it stays in the store until then, and any process may take it.

use std::cell::Cell;
use std::time::Duration;

use chrono::Utc;
use gateway_wire::VendorRequest;

use super::LedgerState;
use crate::db::{At, OutgoingAlert, StoreError};
use crate::failure::FailureKind;
use crate::providers::upstream::{Outbound, Upstream};
use crate::secret::Secret;

/// How often is looked for alerts that are due.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How long a receiver may take to answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a process has an alert to itself.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(30);

/// Deliveries under way in one process.
const MAX_DELIVERIES: usize = 4;

/// Attempts before an alert is given up: some eighteen minutes.
const MAX_ATTEMPTS: i32 = 12;

/// The longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// The operator's webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Its address, which may hold a secret.
    pub url: Secret,
    /// Sent as `Authorization: Bearer …`.
    pub token: Option<Secret>,
    /// The way out.
    pub outbound: Outbound,
}

/// The webhook as one thread reaches it.
pub(super) struct AlertSender {
    webhook: Webhook,
    upstream: Upstream,
    under_way: Cell<usize>,
}

impl AlertSender {
    pub(super) fn new(webhook: Webhook) -> Self {
        Self { upstream: Upstream::anywhere(&webhook.outbound), webhook, under_way: Cell::new(0) }
    }

    /// Posts an alert once; an error says what went wrong, and whether and when it may be tried again.
    async fn post(&self, alert: &OutgoingAlert) -> Result<(), DeliveryFailure> {
        let request = VendorRequest {
            path: self.webhook.url.expose().to_owned(),
            headers: vec![("idempotency-key", alert.id.to_string())],
            body: alert.event.clone().into(),
            dropped_params: Vec::new(),
        };
        let sent =
            tokio::time::timeout(RESPONSE_TIMEOUT, self.upstream.send(&request, self.webhook.token.as_ref(), &[]));
        match sent.await.unwrap_or(Err(FailureKind::FirstByteTimeout)) {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => {
                Err(DeliveryFailure::by(FailureKind::Status(answer.status), answer.retry_after, alert.attempts))
            }
            Err(failure) => Err(DeliveryFailure::by(failure, None, alert.attempts)),
        }
    }
}

/// An alert that was not taken.
#[derive(Debug, PartialEq)]
struct DeliveryFailure {
    failure: FailureKind,
    /// When to try again; never, where there is none.
    again: Option<Duration>,
}

impl DeliveryFailure {
    /// A receiver that is away, slow, busy or broken may do better later, one that understood and refuses will not.
    fn by(failure: FailureKind, asked: Option<Duration>, attempts: i32) -> Self {
        let hopeless =
            matches!(failure, FailureKind::Status(status) if status < 500 && ![408, 425, 429].contains(&status));
        let doubled = Duration::from_secs(1) * 2_u32.saturating_pow(attempts.saturating_sub(1).clamp(0, 30) as u32);
        let wait = doubled.max(asked.unwrap_or_default()).min(MAX_WAIT);
        Self { failure, again: (!hopeless && attempts < MAX_ATTEMPTS).then_some(wait) }
    }
}

impl LedgerState {
    /// Delivers the alerts that are due, one after the other.
    pub(super) async fn deliver_alerts(&self, alert_sender: &AlertSender) {
        if alert_sender.under_way.get() >= MAX_DELIVERIES {
            return;
        }
        alert_sender.under_way.set(alert_sender.under_way.get() + 1);
        let delivered = self.deliver_all(alert_sender).await;
        alert_sender.under_way.set(alert_sender.under_way.get() - 1);
        if let Err(error) = delivered {
            // That the store is away it tells by itself, once.
            if !error.is_away() {
                log::warn!("alerts: {error}; they wait in the store");
            }
            self.stats.fail(&error.to_string());
        }
    }

    async fn deliver_all(&self, alert_sender: &AlertSender) -> Result<(), StoreError> {
        while let Some(alert) = self.store.claim_alert(soon(Duration::ZERO), soon(CLAIM_TIMEOUT)).await? {
            let metrics = &self.ledger.metrics;
            match alert_sender.post(&alert).await {
                Ok(()) => {
                    self.store.remove_alert(alert.id).await?;
                    metrics.alert_webhook("delivered");
                }
                Err(DeliveryFailure { again: Some(wait), .. }) => {
                    self.store.put_off_alert(alert.id, soon(wait)).await?;
                    metrics.alert_webhook("failed");
                }
                Err(DeliveryFailure { failure, again: None }) => {
                    let OutgoingAlert { id, event, attempts } = alert;
                    log::error!(
                        id = id.to_string(), attempts = attempts, reason = failure.as_str(), status = failure.status(),
                        event = event; "an alert was dropped: the webhook does not accept it"
                    );
                    self.store.remove_alert(id).await?;
                    metrics.alert_webhook("given_up");
                }
            }
        }
        Ok(())
    }
}

fn soon(wait: Duration) -> At {
    (Utc::now() + wait).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::ConnectCause;

    /// B8: what may pass is tried again, ever later and not for ever.
    #[test]
    fn b8_attempts_are_spread_out_and_bounded() {
        let waits: Vec<_> = (1..=MAX_ATTEMPTS)
            .map(|attempts| {
                DeliveryFailure::by(FailureKind::Status(500), None, attempts).again.map(|wait| wait.as_secs())
            })
            .collect();
        let waits: Vec<_> = waits.into_iter().map(Option::unwrap_or_default).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 0], "0 stands for never");
    }

    #[test]
    fn b8_a_receiver_that_refuses_is_not_asked_again() {
        let again = |failure, asked| DeliveryFailure::by(failure, asked, 1).again.map(|wait| wait.as_secs());
        for failure in
            [FailureKind::Connect(ConnectCause::Refused), FailureKind::FirstByteTimeout, FailureKind::Status(503)]
        {
            assert_eq!(again(failure, None), Some(1), "{failure:?}");
        }
        for status in [301, 400, 401, 404] {
            assert_eq!(again(FailureKind::Status(status), None), None, "{status}");
        }
        let busy = FailureKind::Status(429);
        assert_eq!(again(busy, Some(Duration::from_secs(20))), Some(20), "as the receiver asks");
        assert_eq!(again(busy, Some(Duration::from_secs(9_000))), Some(300), "within reason");
    }
}
