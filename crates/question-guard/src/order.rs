//! Whether questions of the same words give them other places: who does what to whom.

use super::ask;
use super::hash;
use super::meaning::{Item, Kind, Meaning};

/// The same words: whether their places tell other roles.
pub fn order_differs(one: &Meaning, other: &Meaning) -> bool {
    let (a, b) = (&one.items, &other.items);
    if agents_differ(one, other) {
        return true;
    }
    let turn = Turn::find(a, b);
    if let Some(turn) = &turn {
        if let Some(spared) = turn.swaps_a_pair(one, other) {
            let without = |roles: &[(u64, u64)]| -> Vec<(u64, u64)> {
                roles.iter().copied().filter(|(_, word)| !spared.contains(word)).collect()
            };
            return roles_differ(&without(&one.roles), &without(&other.roles));
        }
        match turn.moves_a_clause(one, other) {
            Some(true) => return asks_whom(one, other) || roles_differ(&one.roles, &other.roles),
            Some(false) => return true,
            None if turn.is_pair() => return true,
            None => {}
        }
    }
    let actors = inversion(a, b, |item| item.actor);
    let turned = actors.is_some_and(|turned| turned != (one.passive != other.passive));
    // The first word's capital letter tells nothing; the other question may tell that it is a name.
    let named = |item: &Item| a.iter().chain(b).any(|same| same.key == item.key && same.name);
    let names_turned = inversion(a, b, |item| !item.actor && named(item)) == Some(true)
        && one.passive == other.passive
        && !names_are_bound(a, b, named);
    let kinds = [Kind::Number, Kind::Unit, Kind::Id];
    let same_order = a.len() == b.len() && a.iter().zip(b).all(|(one, other)| one.key == other.key);
    turned
        || turned_round(one, other, turn.as_ref())
        || names_turned
        || !same_order && names_are_bound_otherwise(a, b, named)
        || !same_order && one.done_to_speaker != other.done_to_speaker
        || kinds.into_iter().any(|kind| inversion(a, b, |item| item.kind == kind) == Some(true))
        || roles_differ(&one.roles, &other.roles)
        || one.vietnamese && syllables_swapped(a, b)
}

/// Whether "by" and "bị" tell another doer than the other question's order does.
fn agents_differ(one: &Meaning, other: &Meaning) -> bool {
    let place = |meaning: &Meaning, key: u64| meaning.items.iter().position(|item| item.key == key);
    let does = |passive: &Meaning, active: &Meaning, (before, agent): (u64, u64)| {
        let same_order = passive.items.iter().zip(&active.items).all(|(one, other)| one.key == other.key);
        let spared = active.passive || (passive.vietnamese && same_order);
        spared || place(active, agent) <= place(active, before)
    };
    match (one.agent, other.agent) {
        (Some(agent), None) => !does(one, other, agent),
        (None, Some(agent)) => !does(other, one, agent),
        (Some(agent), Some(also)) => agent != also && agent == (also.1, also.0),
        (None, None) => false,
    }
}

/// Two neighbouring parts that stand the other way round in the other question; all else is in its place.
struct Turn<'a> {
    /// The parts, as the first question has them.
    head: &'a [Item],
    tail: &'a [Item],
    /// The same parts, as the other question has them.
    other_head: &'a [Item],
    other_tail: &'a [Item],
    /// Nothing comes before them.
    first: bool,
    /// Nothing comes after them.
    last: bool,
}

impl<'a> Turn<'a> {
    fn find(a: &'a [Item], b: &'a [Item]) -> Option<Self> {
        let same = |(one, other): &(&Item, &Item)| one.key == other.key;
        let before = a.iter().zip(b).take_while(same).count();
        let (a, b) = (a.get(before..)?, b.get(before..)?);
        let after = a.iter().rev().zip(b.iter().rev()).take_while(same).count();
        let (a, b) = (a.get(..a.len() - after)?, b.get(..b.len().checked_sub(after)?)?);
        let equal =
            |one: &[Item], other: &[Item]| one.iter().map(|item| item.key).eq(other.iter().map(|item| item.key));
        (1..a.len()).find_map(|at| {
            let (head, tail) = a.split_at(at);
            let (other_tail, other_head) = b.split_at_checked(tail.len())?;
            (equal(head, other_head) && equal(tail, other_tail)).then_some(Self {
                head,
                tail,
                other_head,
                other_tail,
                first: before == 0,
                last: after == 0,
            })
        })
    }

    /// "A and B" for "B and A": the words whose roles that changes.
    fn swaps_a_pair(&self, one: &Meaning, other: &Meaning) -> Option<[u64; 2]> {
        let (head, tail) = (self.head.first()?, self.tail.first()?);
        let (other_head, other_tail) = (self.other_head.first()?, self.other_tail.first()?);
        let roles = |meaning: &Meaning, item: &Item| -> Vec<u64> {
            let either = ["between", "or", "hoặc"].map(hash::word);
            let own = meaning.roles.iter().filter(|(role, word)| *word == item.key && !either.contains(role));
            own.map(|(role, _)| *role).collect()
        };
        let stand_free = self.first || (head.lead.apart && other_tail.lead.apart);
        let first = roles(one, head);
        let denied = one.negations > 0 && !first.is_empty();
        (self.is_pair()
            && stand_free
            && !denied
            && first == roles(other, other_tail)
            && roles(one, tail).is_empty()
            && roles(other, other_head).is_empty())
        .then_some([head.key, tail.key])
    }

    /// "And" stands between them both ways.
    fn is_pair(&self) -> bool {
        let joined = |items: &[Item]| items.first().is_some_and(|item| item.lead.joined);
        joined(self.tail) && joined(self.other_head)
    }

    /// "If A, B" for "B if A", "in A, B" for "B in A"; `Some(false)` where the condition is another one.
    fn moves_a_clause(&self, one: &Meaning, other: &Meaning) -> Option<bool> {
        let fronted = |front: &[Item]| self.first && front.last().is_some_and(|last| last.ends);
        let (front, moved) = match (fronted(self.head), fronted(self.other_tail)) {
            (true, _) => (self.head.first()?, self.other_head.first()?),
            (false, true) => (self.other_tail.first()?, self.tail.first()?),
            (false, false) => return None,
        };
        match (one.condition, other.condition) {
            (Some(one), Some(other)) => Some(one == other),
            _ => (front.lead.link != 0 && front.lead.link == moved.lead.link).then_some(true),
        }
    }

    /// Two things side by side that nothing binds, before a third: "the dog the cat bites".
    fn is_bare(&self) -> bool {
        let bound = |items: &[Item]| items.first().is_some_and(|item| item.lead.link != 0 || item.lead.joined);
        let ends = |items: &[Item]| items.last().is_some_and(|item| item.ends);
        let vague =
            |items: &[Item]| items.iter().all(|item| item.degree || !matches!(item.kind, Kind::Content | Kind::Id));
        let parts = [self.head, self.tail, self.other_head, self.other_tail];
        !self.last
            && !parts.iter().any(|part| bound(part))
            && !ends(self.head)
            && !ends(self.other_tail)
            && !parts.iter().any(|part| vague(part))
    }
}

/// Whether names hang on the same words in both ("in Berlin"), but for one at most.
fn names_are_bound(a: &[Item], b: &[Item], named: impl Fn(&Item) -> bool) -> bool {
    let bound = |items: &[Item]| -> (Vec<(u64, u64)>, usize) {
        let begins = |at: &usize| {
            items.get(*at).is_some_and(&named) && !at.checked_sub(1).and_then(|at| items.get(at)).is_some_and(&named)
        };
        let begun = (0..items.len()).filter(begins).filter_map(|at| items.get(at));
        let mut links: Vec<(u64, u64)> = begun.map(|item| (item.key, item.lead.link)).collect();
        links.sort_unstable();
        let free = links.iter().filter(|(_, link)| *link == 0).count();
        (links, free)
    };
    let ((a, free), (b, _)) = (bound(a), bound(b));
    a == b && free <= 1
}

/// Whether "in" stands before a name in one alone, and before another name in the other alone.
fn names_are_bound_otherwise(a: &[Item], b: &[Item], named: impl Fn(&Item) -> bool) -> bool {
    let bound_here = |items: &[Item], also: &[Item]| {
        let is_bound = |item: &&Item| named(item) && item.lead.link != 0;
        items.iter().filter(is_bound).any(|item| !also.iter().any(|same| same.key == item.key && same.lead.link != 0))
    };
    bound_here(a, b) && bound_here(b, a)
}

fn asks_whom(one: &Meaning, other: &Meaning) -> bool {
    one.asks & other.asks & ask::WHO != 0 && one.whom != other.whom
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
fn turned_round(one: &Meaning, other: &Meaning, turn: Option<&Turn<'_>>) -> bool {
    if one.items.iter().map(|item| item.key).eq(other.items.iter().map(|item| item.key)) {
        return false;
    }
    let alike = one.links == other.links && one.passive == other.passive;
    let one_clause = one.passive == other.passive && one.condition.is_none() && other.condition.is_none();
    let exchanged = one_clause && are_exchanged(&one.items, &other.items);
    asks_whom(one, other) || exchanged || alike && turn.is_none_or(Turn::is_bare)
}

/// Two things that nothing binds have changed places round a third: "does the wolf eat the fox".
fn are_exchanged(one: &[Item], other: &[Item]) -> bool {
    let moved: Vec<(usize, (&Item, &Item))> =
        one.iter().zip(other).enumerate().filter(|(_, (one, other))| one.key != other.key).collect();
    let bare = |item: &Item| item.kind == Kind::Content && item.lead.link == 0;
    match moved[..] {
        [(first, (a, b)), (last, (c, d))] => {
            let within = |items: &[Item]| !items.iter().take(last).skip(first).any(|item| item.ends);
            last > first + 1
                && within(one)
                && within(other)
                && a.key == d.key
                && b.key == c.key
                && [a, b, c, d].into_iter().all(bare)
        }
        _ => false,
    }
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
