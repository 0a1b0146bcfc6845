use proptest::prelude::*;

use super::grants::{Ask, Grants, RedisGrant, Take};
use super::minute::{Minute, NotTaken};
use super::parallel::{NoPlace, Parallel};
use super::tally::Tally;

const LIMIT: u64 = 10;

/// E6: no sixty seconds hold more than the limit, whenever and however much is taken.
#[test]
fn e6_no_minute_holds_more_than_the_limit() {
    proptest!(|(steps in prop::collection::vec((0_u64..20_000, 1_u64..5), 1..200))| {
        let (mut tally, mut now, mut taken) = (Tally::default(), 0, Vec::<(u64, u64)>::new());
        for (pause, amount) in steps {
            now += pause;
            match tally.take(LIMIT, amount, now) {
                Ok(_) => taken.push((now, amount)),
                Err(wait) => {
                    // After the wait it fits, and a second before it does not.
                    let mut later = Tally::default();
                    taken.iter().for_each(|(at, amount)| { later.add(*amount, *at); });
                    prop_assert!(later.used(now + wait) + amount <= LIMIT);
                }
            }
            let minute: u64 = taken.iter().filter(|(at, _)| at + 60_000 > now).map(|(_, amount)| amount).sum();
            prop_assert!(minute <= LIMIT, "{minute} at {now}");
        }
    });
}

/// E5: what is given back can be taken again, and no refusal takes anything.
#[test]
fn e5_what_is_given_back_can_be_taken_again() {
    let minute = Minute::default();
    let ticket = minute.take_here(LIMIT, 8, 0).unwrap();
    assert!(matches!(minute.take_here(LIMIT, 3, 0), Err(NotTaken::Full(_))));
    assert_eq!(minute.left_here(LIMIT, 0).remaining, 2);
    minute.settle(&ticket, 5, 100);
    assert_eq!(minute.left_here(LIMIT, 100).remaining, 5);
    // What was used beyond the estimate counts.
    let ticket = minute.take_here(LIMIT, 5, 100).unwrap();
    minute.settle(&ticket, 9, 200);
    assert_eq!(minute.left_here(LIMIT, 200).remaining, 0);
    assert!(
        matches!(minute.take_here(LIMIT, 1, 60_900), Err(NotTaken::Full(_))),
        "the overrun is a minute old at 61 s"
    );
    assert!(minute.take_here(LIMIT, 1, 61_000).is_ok());
}

/// An estimate above the whole limit waits for an empty minute, and is not refused for ever.
#[test]
fn a_request_above_the_whole_limit_takes_all_of_it() {
    let minute = Minute::default();
    assert!(minute.take_here(LIMIT, 50, 0).is_ok());
    assert!(matches!(minute.take_here(LIMIT, 50, 0), Err(NotTaken::Full(_))));
    assert!(minute.take_here(LIMIT, 50, 61_000).is_ok());
}

fn granted(amount: u64, second: u64, lasts: u64) -> RedisGrant {
    RedisGrant { amount, second, lasts, free: 3, wait: 7_000, reset: 9_000 }
}

/// E6: a grant ends by the clock of who gave it, and what is left of it goes back.
#[test]
fn e6_a_grant_ends_and_its_rest_goes_back() {
    let mut grants = Grants::default();
    assert_eq!(grants.take(1, 1_000), Take::Short);
    grants.want(1);
    let ask = grants.ask(80, 1, 1_000);
    assert_eq!((ask.want, ask.least, ask.hold), (1, 1, 0));
    grants.granted(&ask, granted(5, 42, 1_500), 1_000, 1_000);
    assert_eq!(grants.take(2, 2_000), Take::Taken(vec![(42, 2)]));
    assert_eq!(grants.remaining(), 3 + 3);
    assert_eq!(grants.take(1, 2_500), Take::Short, "it lasted from the question on");
    assert_eq!(grants.news(2_500), Some(Ask { want: 0, least: 0, hold: 0, unused: vec![(42, 3)] }));
    assert_eq!(grants.news(2_500), None);
    // A request that ends later gives back what it did not use to the same second.
    grants.give_back(&[(42, 2)], 1, 3_000);
    assert_eq!(grants.news(3_000).unwrap().unused, [(42, 1)]);
}

/// A refusal is believed for a moment, so that clients over their limit do not reach Redis each time.
#[test]
fn a_refusal_is_believed_for_a_moment() {
    let mut grants = Grants::default();
    let ask = grants.ask(80, 4, 0);
    grants.granted(&ask, granted(0, 42, 1_000), 0, 0);
    assert_eq!(grants.take(4, 100), Take::Refused(6_900));
    assert_eq!(grants.take(3, 100), Take::Short, "less might fit");
    assert_eq!(grants.take(4, 250), Take::Short, "others may have given back");
}

/// What was asked for together is granted together, and twice as much the next time, up to a part of the limit.
#[test]
fn the_next_grant_follows_what_was_taken() {
    let mut grants = Grants::default();
    (0..3).for_each(|_| grants.want(1));
    let ask = grants.ask(80, 1, 0);
    assert_eq!((ask.want, ask.least), (3, 1));
    grants.granted(&ask, granted(4, 42, 1_000), 0, 0);
    for _ in 0..3 {
        assert_eq!(grants.take(1, 0), Take::Taken(vec![(42, 1)]));
        assert!(!grants.is_low());
    }
    assert_eq!(grants.take(1, 0), Take::Taken(vec![(42, 1)]));
    assert!(grants.is_low() && !grants.is_low(), "asked ahead once");
    assert_eq!(grants.ask(80, 0, 0).want, 8);
    (0..2).for_each(|_| grants.overrun(4, 0));
    let ask = grants.ask(80, 0, 0);
    assert_eq!(ask.hold, 8, "what was spent beyond any grant is told");
    grants.unanswered(&ask);
    assert_eq!(grants.ask(80, 0, 0).hold, 8, "and told again where nobody knows whether it was heard");
}

/// D7: places come back on every ending, are held within what was granted, and are renewed.
#[test]
fn d7_places_are_held_renewed_and_given_up() {
    let places = Parallel::default();
    assert_eq!(places.take_granted(9, 0), Err(NoPlace::Short));
    let ask = places.ask(0).unwrap();
    assert_eq!((ask.want, ask.hold, ask.unused.len()), (1, 0, 0));
    places.answered(&ask, Some(granted(2, 10, 9_000)), 0, 0);
    assert!(places.take_granted(9, 1).is_ok() && places.take_granted(9, 1).is_ok());
    assert_eq!(places.take_granted(9, 1), Err(NoPlace::Short));
    assert_eq!(places.news(100), None, "all are in use");
    let renewal = places.news(5_000).unwrap();
    assert_eq!((renewal.want, renewal.hold, renewal.unused.clone()), (0, 2, vec![(10, 2)]));
    places.answered(&renewal, Some(granted(0, 15, 9_000)), 5_000, 5_000);
    places.release();
    assert_eq!(places.news(5_200), None, "it was in use since Redis was told last");
    let given_up = places.news(5_400).unwrap();
    assert_eq!((given_up.hold, given_up.unused), (1, vec![(15, 2)]));
    // After an outage those under way are told of again.
    places.answered(&renewal, None, 6_000, 6_000);
    assert_eq!(places.take_granted(9, 6_000), Err(NoPlace::Short));
    let again = places.ask(6_000).unwrap();
    assert_eq!((again.want, again.hold, again.unused.len()), (2, 1, 0));
}
