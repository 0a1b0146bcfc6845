//! The accounts of several replicas against a model of the store, in random interleavings.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::account::{Account, BudgetLimit, LeaseGrant};
use super::accounts::Accounts;
use super::reservation::{Claim, Reservation};
use crate::clock::Moment;
use crate::money::amount::PicoUsd;
use crate::money::period::{BudgetPeriod, PeriodWindow};
use crate::scope::{Scope, ScopeKind};

fn usd(picos: i128) -> PicoUsd {
    PicoUsd::from_picos(picos)
}

fn budget(limit: i128, period: &str) -> BudgetLimit {
    let window = PeriodWindow { name: period.into(), start: None, end: None };
    BudgetLimit { limit: usd(limit), period: BudgetPeriod::Month, window }
}

fn account(kind: ScopeKind, budget: &BudgetLimit) -> Arc<Account> {
    Arc::new(Account::new(Scope::new(kind, "a"), budget))
}

/// A grant beside others, for long.
fn granted(added: i128, spent: i128) -> LeaseGrant {
    let good_until = Moment::now() + Duration::from_secs(3_600);
    LeaseGrant { added: usd(added), total: usd(added + 1_000), spent: usd(spent), good_until }
}

/// The store's rule in a few lines: a grant never takes more than the limit leaves beside what is spent and granted.
struct Model {
    limit: i128,
    spent: i128,
    granted: Vec<i128>,
}

impl Model {
    fn lease(&mut self, replica: usize, want: i128) -> LeaseGrant {
        let free = self.limit - self.spent - self.granted.iter().sum::<i128>();
        let added = want.max(free / 4).min(free).max(0);
        self.granted[replica] += added;
        LeaseGrant { total: usd(self.granted[replica]), ..granted(added, self.spent) }
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
        let budget = budget(1_000, "2026-11");
        let now = Moment::now();
        let mut store = Model { limit: 1_000, spent: 0, granted: vec![0; 3] };
        let mut replicas: Vec<Arc<Account>> = (0..3).map(|_| account(ScopeKind::Key, &budget)).collect();
        // The rows of each replica's journal that are not in the store.
        let mut journals: Vec<Vec<i128>> = vec![Vec::new(); 3];
        let mut open: Vec<(usize, Reservation)> = Vec::new();
        for step in steps {
            match step {
                Step::Reserve { replica, amount } => {
                    let claims = || vec![Claim { account: replicas[replica].clone(), budget: budget.clone() }];
                    let first = Reservation::take(claims(), usd(amount), now);
                    let taken = first.or_else(|_| {
                        let granted = store.lease(replica, amount);
                        replicas[replica].granted(granted, usd(amount), now);
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
                        replicas[replica].written(usd(cost));
                    }
                }
                Step::ReturnIdle { replica } => {
                    if let Some(idle) = replicas[replica].take_idle(Duration::ZERO, now) {
                        store.granted[replica] -= idle.picos();
                    }
                }
                // Its requests end with it, unsettled; another process takes up its journal and releases its slice.
                Step::Kill { replica } => {
                    open.retain(|(of, _)| *of != replica);
                    journals[replica].drain(..).for_each(|cost| store.write(replica, cost));
                    store.granted[replica] = 0;
                    replicas[replica] = account(ScopeKind::Key, &budget);
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
            let idle = replicas[replica].take_idle(Duration::ZERO, now).map_or(0, |idle| idle.picos());
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
    let (wide, narrow) = (budget(100, "p"), budget(10, "p"));
    let (key, team) = (account(ScopeKind::Key, &wide), account(ScopeKind::Team, &narrow));
    let now = Moment::now();
    key.granted(granted(100, 0), usd(0), now);
    team.granted(granted(10, 0), usd(0), now);
    let claims = || {
        vec![
            Claim { account: key.clone(), budget: wide.clone() },
            Claim { account: team.clone(), budget: narrow.clone() },
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

/// B6, J 5: each period has an account of its own: a request that straddles the end of a month takes nothing from the new
/// one, and what the old one held goes back and is forgotten.
#[test]
fn b6_j5_a_new_month_begins_with_nothing_spent_and_the_old_one_ends() {
    let accounts = Accounts::new(chrono_tz::Tz::UTC);
    let at = |period| {
        let budget = budget(10, period);
        vec![Claim { account: accounts.account(Scope::new(ScopeKind::User, "a"), &budget), budget }]
    };
    let (november, december) = (at("2026-11"), at("2026-12"));
    let (old, new) = (november[0].account.clone(), december[0].account.clone());
    assert_eq!((&*old.window().name, &*new.window().name), ("2026-11", "2026-12"));
    let (now, idle) = (Moment::now(), Duration::from_secs(5));
    old.granted(granted(10, 0), usd(0), now);
    let straddling = Reservation::take(november, usd(4), now).unwrap();
    assert!(Reservation::take(december, usd(10), now).unwrap_err().shortage.ask_store);
    new.granted(granted(10, 0), usd(0), now);
    straddling.settle(usd(3));
    assert_eq!((old.balance().slice, old.balance().spent), (usd(7), usd(3)));
    assert_eq!((new.balance().slice, new.balance().spent), (usd(10), usd(0)));

    drop((old, new));
    let later = now + idle + idle;
    let names = |of: Vec<Arc<Account>>| of.iter().map(|of| of.window().name.to_string()).collect::<Vec<_>>();
    assert!(accounts.forget_over(idle, later).is_empty(), "they hold something");
    for account in accounts.all() {
        assert!(account.take_idle(idle, later).is_some());
    }
    assert_eq!(names(accounts.forget_over(idle, later)), ["2026-12"], "the other has what is not written");
    let held = at("2026-11");
    held[0].account.written(usd(3));
    assert!(accounts.forget_over(idle, later).is_empty(), "somebody may still reserve in it");
    drop(held);
    assert!(accounts.forget_over(idle, now).is_empty(), "it was used a moment ago");
    assert_eq!(names(accounts.forget_over(idle, later)), ["2026-11"]);
    assert!(accounts.all().is_empty());
}

/// A used-up budget is not asked for again with every request, and a raised limit is noticed at once.
#[test]
fn the_store_is_not_asked_again_for_what_it_does_not_have() {
    let tight = budget(10, "p");
    let account = account(ScopeKind::Key, &tight);
    let now = Moment::now();
    let short = |budget: &BudgetLimit, at| {
        let claims = vec![Claim { account: account.clone(), budget: budget.clone() }];
        Reservation::take(claims, usd(5), at).unwrap_err().shortage.ask_store
    };
    assert!(short(&tight, now));
    account.granted(granted(0, 4), usd(5), now);
    assert!(!short(&tight, now));
    assert!(short(&tight, now + Duration::from_secs(1)));
    assert!(short(&budget(20, "p"), now));
}

/// The store's word may come before the word that a cost was written, which then counts twice until the next lease: the
/// budget must not be held to be used up because of it.
#[test]
fn a_cost_counted_twice_for_a_moment_strands_no_money() {
    let limit = budget(10, "p");
    let account = account(ScopeKind::Key, &limit);
    let now = Moment::now();
    let claims = || vec![Claim { account: account.clone(), budget: limit.clone() }];
    account.granted(granted(4, 0), usd(4), now);
    Reservation::take(claims(), usd(4), now).unwrap().settle(usd(4));
    account.granted(granted(6, 4), usd(6), now);
    account.written(usd(4));
    assert_eq!(account.balance().spent, usd(8), "four, twice");
    assert!(Reservation::take(claims(), usd(6), now).unwrap_err().shortage.ask_store);
    account.granted(granted(0, 4), usd(6), now);
    assert!(Reservation::take(claims(), usd(6), now).is_ok());
}

/// B1: a process that could not renew its lease for long spends nothing of it any more, until the store grants anew.
#[test]
fn b1_a_slice_that_was_not_renewed_is_not_spent() {
    let limit = budget(100, "p");
    let account = account(ScopeKind::Key, &limit);
    let now = Moment::now();
    let (minute, second) = (Duration::from_secs(60), Duration::from_secs(1));
    let take = |amount, at| {
        Reservation::take(vec![Claim { account: account.clone(), budget: limit.clone() }], usd(amount), at)
    };
    account.granted(LeaseGrant { good_until: now + minute, ..granted(50, 0) }, usd(50), now);
    let under_way = take(10, now + (minute - second)).unwrap();
    let refused = take(10, now + minute).unwrap_err().shortage;
    assert_eq!((refused.free, refused.ask_store), (usd(0), true));
    assert!(take(0, now + minute).is_ok(), "what costs nothing needs no budget");
    // Too late: the store may have given it to others.
    account.renewed(now + 5 * minute, now + minute);
    assert!(take(10, now + minute).is_err());
    // What is under way is not given back.
    assert_eq!(account.take_lapsed(now + minute), Some(usd(40)));
    assert_eq!(account.take_lapsed(now + minute), None);
    under_way.settle(usd(10));
    account.granted(LeaseGrant { good_until: now + 3 * minute, ..granted(5, 10) }, usd(5), now + minute);
    let held = take(5, now + 2 * minute).unwrap();
    // In time it goes on, and an end that was known already is not drawn nearer.
    account.renewed(now + 4 * minute, now + 2 * minute);
    account.renewed(now + minute, now + 2 * minute);
    held.settle(usd(0));
    assert!(take(5, now + (4 * minute - second)).is_ok());
    assert_eq!(account.take_idle(60 * minute, now + minute), None);
    assert_eq!(account.take_idle(60 * minute, now + 4 * minute), Some(usd(5)));
}

/// B1: a lease that is not there any more when it is renewed was given to others; one that came since stands.
#[test]
fn b1_a_slice_whose_lease_is_gone_is_not_spent() {
    let limit = budget(100, "p");
    let account = account(ScopeKind::Key, &limit);
    let now = Moment::now();
    let minute = Duration::from_secs(60);
    let take = |amount, at| {
        Reservation::take(vec![Claim { account: account.clone(), budget: limit.clone() }], usd(amount), at)
    };
    account.granted(LeaseGrant { good_until: now + minute, ..granted(50, 0) }, usd(50), now);
    take(10, now).unwrap().settle(usd(0));
    // The renewal was asked for before the grant came.
    account.not_renewed(now + minute, now);
    take(10, now).unwrap().settle(usd(0));
    account.not_renewed(now + 2 * minute, now);
    assert!(take(10, now).is_err());
    assert_eq!(account.take_lapsed(now), Some(usd(50)));
}

/// B1: where the store knows of nothing that a process held, it was given to others.
#[test]
fn b1_a_slice_that_was_released_is_forgotten() {
    let limit = budget(100, "p");
    let account = account(ScopeKind::Key, &limit);
    let now = Moment::now();
    let take =
        |amount| Reservation::take(vec![Claim { account: account.clone(), budget: limit.clone() }], usd(amount), now);
    account.granted(granted(50, 0), usd(50), now);
    let held = take(20).unwrap();
    account.granted(LeaseGrant { total: usd(7), ..granted(7, 0) }, usd(7), now);
    assert_eq!(account.balance().slice, usd(27));
    assert!(take(8).is_err());
    held.settle(usd(20));
    assert!(take(7).is_ok());
}
