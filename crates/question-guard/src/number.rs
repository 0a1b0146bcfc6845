/// A decimal number as it was written: 3.10 is not 3.1, since both may be versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    digits: u64,
    decimals: u8,
}

impl Number {
    /// A whole number.
    pub fn whole(digits: u64) -> Self {
        Self { digits, decimals: 0 }
    }

    /// Reads "10", "10,000", "10.000" or "1,5"; none where it is anything else, such as "2.4.1" or an id.
    pub fn read(text: &str) -> Option<Self> {
        let is_separator = |sign: char| sign == '.' || sign == ',';
        let mut groups = text.split(is_separator);
        let first = groups.next()?;
        let is_digits = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(first) || (first.len() > 2 && first.starts_with('0')) {
            return None;
        }
        let separators = text.matches(is_separator).count();
        let thousands = separators > 0
            && (1..=3).contains(&first.len())
            && !first.starts_with('0')
            && groups.clone().all(|group| is_digits(group) && group.len() == 3)
            && text.matches('.').count().min(text.matches(',').count()) == 0;
        let last = text.rfind(is_separator);
        let decimals = match last {
            Some(at) if !thousands => {
                let (whole, fraction) = (text.get(..at)?, text.get(at + 1..)?);
                if !is_digits(fraction) || (separators > 1 && !whole_in_thousands(whole, text.get(at..=at)?)) {
                    return None;
                }
                u8::try_from(fraction.len()).ok()?
            }
            _ => 0,
        };
        let mut digits: u64 = 0;
        for digit in text.bytes().filter(u8::is_ascii_digit) {
            digits = digits.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        Some(Self { digits, decimals })
    }

    /// This number of hundreds, thousands, millions: times ten to a power.
    pub fn times_ten_to(self, power: u8) -> Option<Self> {
        let zeros = power.saturating_sub(self.decimals);
        let digits = self.digits.checked_mul(10_u64.checked_pow(u32::from(zeros))?)?;
        Some(Self { digits, decimals: self.decimals.saturating_sub(power) })
    }

    /// What stands for it among the words.
    pub fn key(self) -> u64 {
        super::hash::then(self.digits, u64::from(self.decimals) + 1)
    }
}

/// "1,234" before the ".56" of "1,234.56".
fn whole_in_thousands(whole: &str, decimal_sign: &str) -> bool {
    !whole.contains(decimal_sign)
        && whole.split([',', '.']).enumerate().all(|(at, group)| match at {
            0 => (1..=3).contains(&group.len()),
            _ => group.len() == 3,
        })
}

/// What stands for each number that is written in digits, whatever surrounds it.
pub fn numbers(text: &str) -> impl Iterator<Item = u64> {
    let written = text.split(|sign: char| !sign.is_ascii_digit() && !matches!(sign, '.' | ','));
    let bare = written.map(|digits| digits.trim_matches(['.', ','])).filter(|digits| !digits.is_empty());
    bare.map(|digits| Number::read(digits).map_or_else(|| super::hash::word(digits), Number::key))
}
