//! B6: budgets at the end of a month, over several processes that share a store, by a clock that the test sets.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use gateway_testkit::database::Place;
use gateway_testkit::on_both_stores;

use super::OpenStore;
use super::usage::usage;
use crate::budgets::account::LeaseGrant;
use crate::budgets::accounts::{Accounts, MonthlyLimits};
use crate::budgets::reservation::Reservation;
use crate::clock::Moment;
use crate::db::{LeaseRequest, Store};
use crate::keys::virtual_key::VirtualKey;
use crate::money::amount::PicoUsd;
use crate::scope::{Scope, ScopeKind};

/// What one request costs; the team's limit pays for two.
const COST: i128 = 400;
const LIMIT: i128 = 1_000;

fn picos(amount: i128) -> PicoUsd {
    PicoUsd::from_picos(amount)
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// One process.
struct Node<'a> {
    accounts: Accounts,
    store: &'a Store,
    name: &'static str,
    key: VirtualKey,
}

impl<'a> Node<'a> {
    fn new(name: &'static str, zone: Tz, store: &'a Store) -> Self {
        let accounts = Accounts::new(zone);
        let teams = [("red".to_owned(), picos(LIMIT))].into();
        accounts.publish(MonthlyLimits { teams, ..MonthlyLimits::default() });
        let key = VirtualKey { team_id: Some("red".to_owned()), ..crate::keys::virtual_key::tests::key() };
        Self { accounts, store, name, key }
    }

    /// Makes one attempt of a request that arrived at a moment, and tells whether the budget allows it.
    async fn attempt(&self, arrived: DateTime<Utc>) -> bool {
        let claims = || self.accounts.claims(&self.key, arrived);
        let mut held = Reservation::take(claims(), picos(COST), Moment::now());
        if let Err(refusal) = &held
            && refusal.shortage.ask_store
        {
            let claim = &refusal.claim;
            let request = LeaseRequest {
                scope: claim.account.scope(),
                period: &claim.budget.window.name,
                replica: self.name,
                want: picos(COST),
                at_least: picos(COST),
                limit: claim.budget.limit,
                stands: Duration::from_secs(30),
            };
            let lease = self.store.lease(request).await.unwrap();
            let good_until = Moment::now() + Duration::from_secs(3_600);
            let granted = LeaseGrant { added: lease.added, total: lease.granted_total, spent: lease.spent, good_until };
            claim.account.granted(granted, picos(COST), Moment::now());
            held = Reservation::take(claims(), picos(COST), Moment::now());
        }
        let Ok(held) = held else { return false };
        held.settle(picos(COST));
        let mut row = usage(self.name, i64::try_from(COST).unwrap(), &[]);
        self.accounts.charge(&self.key, arrived, &mut row.charges);
        self.store.record_usage(&[&row]).await.unwrap();
        claims().iter().for_each(|claim| claim.account.written(picos(COST)));
        true
    }
}

async fn spent(store: &Store, period: &str) -> PicoUsd {
    let team = Scope::new(ScopeKind::Team, "red");
    let figures = store.budget_figures(Duration::from_secs(3_600)).await.unwrap();
    figures.iter().find(|of| of.scope == team && &*of.period == period).map(|of| of.spent).unwrap_or_default()
}

on_both_stores! {
    /// B6, M-4: the new month begins once, on every process and without a restart, where the budget's zone says so; what
    /// arrived before is billed to the month in which it arrived, however late its attempts are.
    async fn b6_a_month_ends_once_on_every_process(place) {
        let store = place.store().await;
        let zones = [
            (Tz::UTC, "2027-01-31T23:59:59.999Z", "2027-02-01T00:00:00Z", ["2027-01", "2027-02"]),
            (chrono_tz::Asia::Ho_Chi_Minh, "2027-03-31T16:59:59.999Z", "2027-03-31T17:00:00Z", ["2027-03", "2027-04"]),
        ];
        for (zone, before, after, [old, new]) in zones {
            let (before, after) = (at(before), at(after));
            let (one, two) = (Node::new("one", zone, &store), Node::new("two", zone, &store));
            assert!(one.attempt(before).await);
            // The second attempt of a request that arrived before, after others of the new month.
            assert!(two.attempt(after).await && one.attempt(after).await);
            assert_eq!((spent(&store, old).await, spent(&store, new).await), (picos(COST), picos(2 * COST)), "{zone}");
            assert!(two.attempt(before).await, "the old month has room");
            assert_eq!((spent(&store, old).await, spent(&store, new).await), (picos(2 * COST), picos(2 * COST)), "{zone}");
            // Neither month has any left, on either process and in either order.
            for moment in [before, after, before] {
                assert!(!one.attempt(moment).await && !two.attempt(moment).await, "{zone} {moment}");
            }
        }
    }
}
