use super::ask;
use super::difference::Difference;
use super::meaning::{Item, Kind, Meaning};

/// The first reason why two questions must not share an answer.
pub fn differ(one: &Meaning, other: &Meaning) -> Option<Difference> {
    if one.vietnamese != other.vietnamese {
        return Some(Difference::Language);
    }
    let (left, right) = leftovers(&one.items, &other.items);
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
        (ask::differ(one.asks, other.asks, one.implied & other.implied), Difference::QuestionWord),
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
    if matches!(may_or_will, (true, false, false, true) | (false, true, true, false)) {
        return true;
    }
    let future = if one.past { other.future } else { one.future };
    one.past != other.past && (future || ask::is_yes_or_no(one.asks) || ask::is_yes_or_no(other.asks))
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

/// The same words: whether their places tell other roles.
fn order_differs(one: &Meaning, other: &Meaning) -> bool {
    let (a, b) = (&one.items, &other.items);
    let actors = inversion(a, b, |item| item.actor);
    let turned = actors.is_some_and(|turned| turned != (one.passive != other.passive));
    // The first word's capital letter tells nothing; the other question may tell that it is a name.
    let named = |item: &Item| a.iter().chain(b).any(|same| same.key == item.key && same.name);
    let kinds = [Kind::Number, Kind::Unit, Kind::Id];
    turned
        || turned_round(one, other)
        || inversion(a, b, |item| !item.actor && named(item)) == Some(true)
        || kinds.into_iter().any(|kind| inversion(a, b, |item| item.kind == kind) == Some(true))
        || roles_differ(&one.roles, &other.roles)
        || one.vietnamese && syllables_swapped(a, b)
}

/// Whether the items of a class stand in another order; none where there are not two different ones.
fn inversion(one: &[Item], other: &[Item], class: impl Fn(&Item) -> bool) -> Option<bool> {
    let keys =
        |items: &'_ [Item]| -> Vec<u64> { items.iter().filter(|item| class(item)).map(|item| item.key).collect() };
    let (one, other) = (keys(one), keys(other));
    let first = one.first()?;
    one.iter().any(|key| key != first).then(|| one != other)
}

/// Whether both give a role ("from", "before", "not") and each gives it to a word to which the other does not.
fn roles_differ(one: &[(u64, u64)], other: &[(u64, u64)]) -> bool {
    let foreign = |roles: &[(u64, u64)], also: &[(u64, u64)], role: u64| {
        roles.iter().any(|(own, word)| *own == role && !also.contains(&(role, *word)))
    };
    let differs = one.iter().any(|(role, _)| foreign(one, other, *role) && foreign(other, one, *role));
    let from = |roles: &[(u64, u64)], also: &[(u64, u64)]| {
        roles.iter().any(|(role, word)| {
            also.iter().any(|(another, same)| another != role && same == word) && !also.contains(&(*role, *word))
        })
    };
    differs || from(one, other) && from(other, one)
}

/// Whether the same things stand in an order that no moved part explains: "if A, B" is "B if A", but "A sues B" is not
/// "B sues A".
fn turned_round(one: &Meaning, other: &Meaning) -> bool {
    let keys = |meaning: &Meaning| -> Vec<u64> { meaning.items.iter().map(|item| item.key).collect() };
    let (a, b) = (keys(one), keys(other));
    let first = a.iter().zip(&b).take_while(|(one, other)| one == other).count();
    let (a, b) = (a.get(first..).unwrap_or_default(), b.get(first..).unwrap_or_default());
    let last = a.iter().rev().zip(b.iter().rev()).take_while(|(one, other)| one == other).count();
    let (a, b) =
        (a.get(..a.len() - last).unwrap_or_default(), b.get(..b.len().saturating_sub(last)).unwrap_or_default());
    if a.is_empty() {
        return false;
    }
    let asks_whom = one.asks & other.asks & ask::WHO != 0 && one.whom != other.whom;
    let moved = (1..a.len()).any(|at| {
        let (head, tail) = a.split_at(at);
        b.starts_with(tail) && b.ends_with(head)
    });
    asks_whom || !moved && one.links == other.links && one.passive == other.passive
}

/// Syllables of words that no list knows: "công nhân" is not "nhân công".
fn syllables_swapped(one: &[Item], other: &[Item]) -> bool {
    let has = |items: &[Item], first: u64, second: u64| {
        items.windows(2).any(|pair| matches!(pair, [before, after] if before.key == first && after.key == second))
    };
    one.windows(2).any(|pair| match pair {
        [first, second] if first.unknown && second.unknown => {
            let (first, second) = (first.key, second.key);
            has(other, second, first) && !has(other, first, second) && !has(one, second, first)
        }
        _ => false,
    })
}
