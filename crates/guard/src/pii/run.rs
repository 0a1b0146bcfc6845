//! Groups of digits that may form one number.

use crate::pii::token::Kind;
use crate::pii::view::View;

/// Longer numbers are nobody's.
pub(crate) const MAX_DIGITS: usize = 19;
const MAX_GROUPS: usize = 20;

/// What stands between two groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    Space,
    Dot,
    Dash,
}

/// Digits in groups.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) digits: Vec<u8>,
    /// Digits of each group.
    pub(crate) groups: Vec<usize>,
    /// What stands after each group but the last.
    pub(crate) separators: Vec<Separator>,
    /// One past the token of each group.
    pub(crate) ends: Vec<usize>,
}

impl Run {
    /// The groups from a number on.
    pub(crate) fn collect(view: &View<'_>, place: usize) -> Self {
        let mut run = Self::default();
        let mut index = place;
        while let Some(token) = view.number(index) {
            let is_full =
                run.digits.len() + usize::from(token.chars) > MAX_DIGITS + 3 || run.groups.len() == MAX_GROUPS;
            run.digits.extend(view.text(token).bytes().map(|byte| byte.wrapping_sub(b'0')));
            run.groups.push(usize::from(token.chars));
            run.ends.push(index + 1);
            if is_full {
                break;
            }
            let Some((separator, next)) = separator(view, index + 1) else { break };
            run.separators.push(separator);
            index = next;
        }
        run.separators.truncate(run.groups.len().saturating_sub(1));
        run
    }

    /// Leaves the first groups alone.
    pub(crate) fn truncate(&mut self, count: usize) {
        self.digits.truncate(self.groups.iter().take(count).sum());
        self.groups.truncate(count);
        self.separators.truncate(count.saturating_sub(1));
        self.ends.truncate(count);
    }

    pub(crate) fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or_default()
    }

    /// The value of some digits.
    pub(crate) fn value(&self, from: usize, to: usize) -> u64 {
        self.digits.get(from..to).unwrap_or_default().iter().fold(0, |value, digit| value * 10 + u64::from(*digit))
    }

    pub(crate) fn starts_with(&self, digits: &[u8]) -> bool {
        self.digits.starts_with(digits)
    }

    /// Whether the groups have the sizes of a date.
    pub(crate) fn is_date(&self) -> bool {
        let is_split = self.separators.iter().all(|separator| *separator != Separator::Space);
        is_split && matches!(self.groups.as_slice(), [1 | 2, 1 | 2, 4] | [4, 1 | 2, 1 | 2])
    }

    /// Whether dots stand as in an amount: 1.500.000.
    pub(crate) fn is_amount(&self) -> bool {
        self.groups.len() > 1
            && self.separators.iter().all(|separator| *separator == Separator::Dot)
            && self.groups.first().is_some_and(|first| *first <= 3)
            && self.groups.iter().skip(1).all(|group| *group == 3)
            && self.digits.first() != Some(&0)
    }

    /// Whether one digit stands in each group.
    pub(crate) fn is_spelled(&self) -> bool {
        self.groups.iter().all(|group| *group == 1)
    }
}

/// What joins the groups before and after `index`, and where the next group begins.
fn separator(view: &View<'_>, index: usize) -> Option<(Separator, usize)> {
    let (separator, next) = match view.kind(index)? {
        Kind::Symbol('.') => (Separator::Dot, index + 1),
        Kind::Symbol('-') => (Separator::Dash, index + 1),
        Kind::Space if view.get(index)?.chars <= 2 && !view.get(index)?.is_tab => {
            let is_dash = view.is_symbol(index + 1, '-') && view.is_space(index + 2);
            (Separator::Space, if is_dash { index + 3 } else { index + 1 })
        }
        _ => return None,
    };
    view.number(next).map(|_| (separator, next))
}
