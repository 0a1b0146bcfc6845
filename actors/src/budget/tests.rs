//! The accounts of several replicas against a model of the store, in random interleavings.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::account::{Account, Granted, Terms};
use super::period::{BudgetPeriod, Stretch};
use super::reservation::{Claim, Reservation};
use super::scope::{Scope, ScopeKind};
use crate::money::PicoUsd;

fn usd(picos: i128) -> PicoUsd {
    PicoUsd::from_picos(picos)
}

fn terms(limit: i128, period: &str) -> Terms {
    let stretch = Stretch { name: period.into(), end: None };
    Terms { limit: usd(limit), period: BudgetPeriod::Month, stretch }
}

fn account(kind: ScopeKind, terms: &Terms) -> Arc<Account> {
    Arc::new(Account::new(Scope::new(kind, "a"), terms))
}

/// The store's rule in a few lines: a grant never takes more than the limit leaves beside what is spent and granted.
struct Model {
    limit: i128,
    spent: i128,
    granted: Vec<i128>,
}

impl Model {
    fn lease(&mut self, replica: usize, want: i128) -> Granted {
        let free = self.limit - self.spent - self.granted.iter().sum::<i128>();
        let added = want.max(free / 4).min(free).max(0);
        self.granted[replica] += added;
        Granted { added: usd(added), spent: usd(self.spent) }
    }

    fn write(&mut self, replica: usize, cost: i128) {
        self.spent += cost;
        self.granted[replica] = (self.granted[replica] - cost).max(0);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserve {
        replica: usize,
        amount: i128,
    },
    /// Ends a request; `part` of a hundred is what it cost of its reservation.
    End {
        which: usize,
        part: i128,
    },
    Flush {
        replica: usize,
    },
    ReturnIdle {
        replica: usize,
    },
    Kill {
        replica: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3usize, 1..400i128).prop_map(|(replica, amount)| Step::Reserve { replica, amount }),
        4 => (any::<usize>(), 0..=100i128).prop_map(|(which, part)| Step::End { which, part }),
        2 => (0..3usize).prop_map(|replica| Step::Flush { replica }),
        1 => (0..3usize).prop_map(|replica| Step::ReturnIdle { replica }),
        1 => (0..3usize).prop_map(|replica| Step::Kill { replica }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// B1, B2: whatever the order of reservations, ends, flushes and deaths, what is settled stays within the limit, and
    /// once all requests have ended nothing is reserved and the whole rest can be spent by any replica.
    #[test]
    fn b1_b2_three_replicas_never_exceed_the_limit(steps in prop::collection::vec(step(), 1..200)) {
        let terms = terms(1_000, "2026-11");
        let now = Instant::now();
        let mut store = Model { limit: 1_000, spent: 0, granted: vec![0; 3] };
        let mut replicas: Vec<Arc<Account>> = (0..3).map(|_| account(ScopeKind::Key, &terms)).collect();
        // The rows of each replica's journal that are not in the store.
        let mut journals: Vec<Vec<i128>> = vec![Vec::new(); 3];
        let mut open: Vec<(usize, Reservation)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve { replica, amount } => {
                    let claims = || vec![Claim { account: replicas[replica].clone(), terms: terms.clone() }];
                    let first = Reservation::take(claims(), usd(amount), now);
                    let taken = first.or_else(|_| {
                        let granted = store.lease(replica, amount);
                        replicas[replica].granted("2026-11", granted, usd(amount), now);
                        Reservation::take(claims(), usd(amount), now)
                    });
                    open.extend(taken.ok().map(|reservation| (replica, reservation)));
                }
                Step::End { which, part } if !open.is_empty() => {
                    let (replica, reservation) = open.swap_remove(which % open.len());
                    let cost = reservation.amount().picos() * part / 100;
                    journals[replica].push(cost);
                    reservation.settle(usd(cost));
                }
                Step::End { .. } => {}
                Step::Flush { replica } => {
                    for cost in journals[replica].drain(..) {
                        store.write(replica, cost);
                        replicas[replica].written("2026-11", usd(cost));
                    }
                }
                Step::ReturnIdle { replica } => {
                    if let Some((_, idle)) = replicas[replica].take_idle(Duration::ZERO, now) {
                        store.granted[replica] -= idle.picos();
                    }
                }
                // Its requests end with it, unsettled; another process takes up its journal and releases its slice.
                Step::Kill { replica } => {
                    open.retain(|(of, _)| *of != replica);
                    journals[replica].drain(..).for_each(|cost| store.write(replica, cost));
                    store.granted[replica] = 0;
                    replicas[replica] = account(ScopeKind::Key, &terms);
                }
            }
            let settled = store.spent + journals.iter().flatten().sum::<i128>();
            prop_assert!(settled <= 1_000, "settled {settled}");
            prop_assert!(store.spent + store.granted.iter().sum::<i128>() <= 1_000);
        }
        open.clear();
        for replica in 0..3 {
            prop_assert_eq!(replicas[replica].balance().reserved, usd(0));
            journals[replica].drain(..).for_each(|cost| store.write(replica, cost));
            let idle = replicas[replica].take_idle(Duration::ZERO, now).map_or(0, |(_, idle)| idle.picos());
            store.granted[replica] -= idle;
            prop_assert_eq!(store.granted[replica], 0, "nothing leaks");
        }
        let rest = store.limit - store.spent;
        prop_assert_eq!(store.lease(0, rest).added, usd(rest), "the rest can be spent");
    }
}

/// B1: a request that fits one of its budgets and not the other takes nothing from either.
#[test]
fn b1_a_request_fits_all_of_its_budgets_or_takes_from_none() {
    let (wide, narrow) = (terms(100, "p"), terms(10, "p"));
    let (key, team) = (account(ScopeKind::Key, &wide), account(ScopeKind::Team, &narrow));
    let now = Instant::now();
    key.granted("p", Granted { added: usd(100), spent: usd(0) }, usd(0), now);
    team.granted("p", Granted { added: usd(10), spent: usd(0) }, usd(0), now);
    let claims = || {
        vec![
            Claim { account: key.clone(), terms: wide.clone() },
            Claim { account: team.clone(), terms: narrow.clone() },
        ]
    };
    let refusal = Reservation::take(claims(), usd(11), now).unwrap_err();
    assert_eq!((refusal.claim.account.scope().kind, refusal.shortage.free), (ScopeKind::Team, usd(10)));
    assert_eq!(key.balance().reserved, usd(0));
    let held = Reservation::take(claims(), usd(10), now).unwrap();
    assert!(Reservation::take(claims(), usd(1), now).is_err());
    held.settle(usd(4));
    assert_eq!((key.balance().spent, team.balance().slice), (usd(4), usd(6)));
}

/// B6: a request that straddles the end of a month takes nothing from the new one.
#[test]
fn b6_a_new_month_begins_with_nothing_spent() {
    let (november, december) = (terms(10, "2026-11"), terms(10, "2026-12"));
    let account = account(ScopeKind::User, &november);
    let now = Instant::now();
    let claims = |terms: &Terms| vec![Claim { account: account.clone(), terms: terms.clone() }];
    account.granted("2026-11", Granted { added: usd(10), spent: usd(0) }, usd(0), now);
    let straddling = Reservation::take(claims(&november), usd(10), now).unwrap();
    assert!(Reservation::take(claims(&december), usd(10), now).unwrap_err().shortage.ask_store);
    account.granted("2026-12", Granted { added: usd(10), spent: usd(0) }, usd(0), now);
    straddling.settle(usd(10));
    account.granted("2026-11", Granted { added: usd(10), spent: usd(0) }, usd(0), now);
    let balance = account.balance();
    assert_eq!((&*balance.stretch.name, balance.spent, balance.slice), ("2026-12", usd(0), usd(10)));
}

/// A used-up budget is not asked for again with every request, and a raised limit is noticed at once.
#[test]
fn the_store_is_not_asked_again_for_what_it_does_not_have() {
    let tight = terms(10, "p");
    let account = account(ScopeKind::Key, &tight);
    let now = Instant::now();
    let short = |terms: &Terms, at| {
        let claims = vec![Claim { account: account.clone(), terms: terms.clone() }];
        Reservation::take(claims, usd(5), at).unwrap_err().shortage.ask_store
    };
    assert!(short(&tight, now));
    account.granted("p", Granted { added: usd(0), spent: usd(4) }, usd(5), now);
    assert!(!short(&tight, now));
    assert!(short(&tight, now + Duration::from_secs(1)));
    assert!(short(&terms(20, "p"), now));
}

/// The store's word may come before the word that a cost was written, which then counts twice until the next lease: the
/// budget must not be held to be used up because of it.
#[test]
fn a_cost_counted_twice_for_a_moment_strands_no_money() {
    let limit = terms(10, "p");
    let account = account(ScopeKind::Key, &limit);
    let now = Instant::now();
    let claims = || vec![Claim { account: account.clone(), terms: limit.clone() }];
    account.granted("p", Granted { added: usd(4), spent: usd(0) }, usd(4), now);
    Reservation::take(claims(), usd(4), now).unwrap().settle(usd(4));
    account.granted("p", Granted { added: usd(6), spent: usd(4) }, usd(6), now);
    account.written("p", usd(4));
    assert_eq!(account.balance().spent, usd(8), "four, twice");
    assert!(Reservation::take(claims(), usd(6), now).unwrap_err().shortage.ask_store);
    account.granted("p", Granted { added: usd(0), spent: usd(4) }, usd(6), now);
    assert!(Reservation::take(claims(), usd(6), now).is_ok());
}
