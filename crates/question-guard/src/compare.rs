use super::ask;
use super::difference::Difference;
use super::meaning::{Item, Kind, Meaning};
use super::order::order_differs;

/// The first reason why two questions must not share an answer.
pub fn differ(one: &Meaning, other: &Meaning) -> Option<Difference> {
    if one.vietnamese != other.vietnamese {
        return Some(Difference::Language);
    }
    let (mut left, mut right) = leftovers(&one.items, &other.items);
    let (mut asks, mut other_asks) = (one.asks, other.asks);
    // "How many days" is a "how long"; "how many hours" is not "how many days".
    for (one, left, asks, other) in [(one, &mut left, &mut asks, other), (other, &mut right, &mut other_asks, one)] {
        if let Some(unit) = one.counted_time.filter(|_| other.asks & ask::HOW_LONG != 0 && other.counted_time.is_none())
        {
            left.retain(|item| (item.kind, item.key) != (Kind::Unit, unit));
            *asks = *asks & !ask::COUNTS | ask::HOW_LONG;
        }
    }
    let suggested = match (asks, other_asks) {
        (0, _) => one.suggested & other.suggested | other.copula,
        (_, 0) => one.suggested & other.suggested | one.copula,
        _ => 0,
    };
    let has = |kind: Kind| left.iter().chain(&right).any(|item| item.kind == kind);
    let reasons = [
        (has(Kind::Number), Difference::Numbers),
        (has(Kind::Date), Difference::Dates),
        (has(Kind::Id), Difference::Ids),
        (has(Kind::Unit), Difference::Units),
        (one.negations != other.negations, Difference::Negation),
        (has(Kind::Scope), Difference::Quantifier),
        (modality_differs(one, other), Difference::Modality),
        (tense_differs(one, other), Difference::Tense),
        (ask::differ(asks, other_asks, one.implied & other.implied | suggested), Difference::QuestionWord),
    ];
    let plain = reasons.into_iter().find_map(|(holds, reason)| holds.then_some(reason));
    plain
        .or_else(|| words_differ(one, &left, &right))
        .or_else(|| order_differs(one, other).then_some(Difference::Order))
}

/// What each has that the other has not, each as often as it is said.
fn leftovers(one: &[Item], other: &[Item]) -> (Vec<Item>, Vec<Item>) {
    let sorted = |items: &[Item]| {
        let mut items = items.to_vec();
        items.sort_unstable_by_key(|item| (item.kind, item.key));
        items
    };
    let (one, other) = (sorted(one), sorted(other));
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let (mut ones, mut others) = (one.iter().peekable(), other.iter().peekable());
    loop {
        let order = match (ones.peek(), others.peek()) {
            (None, None) => return (left, right),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(one), Some(other)) => (one.kind, one.key).cmp(&(other.kind, other.key)),
        };
        match order {
            std::cmp::Ordering::Less => left.extend(ones.next()),
            std::cmp::Ordering::Greater => right.extend(others.next()),
            std::cmp::Ordering::Equal => {
                ones.next();
                others.next();
            }
        }
    }
}

/// May and must turn an answer round; a "must" alone only where yes or no is the answer.
fn modality_differs(one: &Meaning, other: &Meaning) -> bool {
    let other_may = if one.must { other.can } else { one.can };
    one.must != other.must && (other_may || ask::is_yes_or_no(one.asks) || ask::is_yes_or_no(other.asks))
}

/// As with modality: "did it" and "will it", and "did it" and "does it" where yes or no is the answer.
fn tense_differs(one: &Meaning, other: &Meaning) -> bool {
    let may_or_will = (one.can, one.future, other.can, other.future);
    if one.perfect && other.future || other.perfect && one.future {
        return true;
    }
    if matches!(may_or_will, (true, false, false, true) | (false, true, true, false)) {
        return true;
    }
    let future = if one.past { other.future } else { one.future };
    let (then, now) = if one.past { (one, other) } else { (other, one) };
    let was_and_is = !then.present && now.present && !now.past && now.asks & ask::WHO == 0;
    one.past != other.past && (was_and_is || future || ask::is_yes_or_no(one.asks) || ask::is_yes_or_no(other.asks))
}

fn words_differ(read: &Meaning, left: &[Item], right: &[Item]) -> Option<Difference> {
    if left.is_empty() && right.is_empty() {
        return None;
    }
    let opposite = |one: &Item| right.iter().any(|other| read.lexicon.are_opposite(one.key, other.key));
    Some(match left.iter().any(opposite) {
        true => Difference::Antonym,
        false if left.iter().chain(right).any(|item| item.name) => Difference::ProperNoun,
        false if left.is_empty() || right.is_empty() => Difference::Qualifier,
        false => Difference::Substitution,
    })
}
