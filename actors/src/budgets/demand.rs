//! Requests that wait for a slice of one budget: one of them asks the store for all.

use std::sync::{Mutex, PoisonError};

use tokio::sync::MutexGuard;

use crate::money::amount::PicoUsd;

/// What is waited for.
#[derive(Debug, Default)]
pub struct Demand {
    asking: tokio::sync::Mutex<()>,
    waiting: Mutex<PendingDemand>,
}

#[derive(Debug, Default)]
struct PendingDemand {
    amount: PicoUsd,
    /// How often the store was asked.
    round: u64,
}

impl Demand {
    /// Waits for the turn to ask the store, and gives how much for; nothing where another has asked for this amount too.
    pub async fn turn(&self, amount: PicoUsd) -> Option<(MutexGuard<'_, ()>, PicoUsd)> {
        let joined = self.with(|waiting| {
            waiting.amount = waiting.amount.plus(amount);
            waiting.round
        });
        let turn = self.asking.lock().await;
        self.with(|waiting| {
            (waiting.round == joined).then(|| {
                waiting.round += 1;
                (turn, std::mem::take(&mut waiting.amount))
            })
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut PendingDemand) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn picos(amount: i128) -> PicoUsd {
        PicoUsd::from_picos(amount)
    }

    /// Who comes while the store is asked waits, and the first of them asks for all; who comes later asks anew.
    #[tokio::test]
    async fn one_asks_for_all_that_wait() {
        let demand = Demand::default();
        let (first, amount) = demand.turn(picos(1)).await.unwrap();
        assert_eq!(amount, picos(1));
        let (mut second, mut third) = (Box::pin(demand.turn(picos(2))), Box::pin(demand.turn(picos(3))));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        drop(first);
        let (turn, amount) = second.await.unwrap();
        assert_eq!(amount, picos(5));
        drop(turn);
        assert!(third.await.is_none());
        assert_eq!(demand.turn(picos(4)).await.unwrap().1, picos(4));
    }
}
