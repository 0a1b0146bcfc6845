//! Name patterns in which `*` stands for any text.

use memchr::memchr;

/// Whether `name` fits `pattern`; everything but `*` stands for itself.
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.as_bytes(), name.as_bytes());
    // What follows the newest star, and where it was last tried; the leftmost place that fits leaves the most room.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        match (pattern.split_first(), name.split_first()) {
            (Some((b'*', [])), _) | (None, None) => return true,
            (Some((b'*', rest)), _) => {
                star = Some((rest, name));
                pattern = rest;
            }
            (Some((one, rest)), Some((other, rest_of_name))) if one == other => (pattern, name) = (rest, rest_of_name),
            _ => {
                let Some((after, [_, next @ ..])) = star else { return false };
                // What follows the star begins nowhere before this.
                let begins = match after {
                    [] | [b'*', ..] => Some(0),
                    [first, ..] => memchr(*first, next),
                };
                let Some(next) = begins.and_then(|at| next.get(at..)) else { return false };
                star = Some((after, next));
                (pattern, name) = (after, next);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name) in [
            ("*", ""),
            ("*", "gpt-4o"),
            ("gpt-*", "gpt-"),
            ("gpt-*", "gpt-4o"),
            ("*-mini", "gpt-4o-mini"),
            ("*4*mini*", "gpt-4o-mini-2024"),
            ("a*b*b", "abb"),
            ("*ab", "aab"),
            ("a*bc*bd", "abcbcbd"),
            ("*é*", "café au lait"),
            ("**", "x"),
            ("gpt-4o", "gpt-4o"),
        ] {
            assert!(matches_pattern(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("gpt-*", "GPT-4"),
            ("gpt-4o", "gpt-4o-mini"),
            ("a*a", "a"),
            ("a*b*b", "ab"),
            ("g.t", "gpt"),
            ("*ab*", "acb"),
        ] {
            assert!(!matches_pattern(pattern, name), "{pattern} {name}");
        }
    }
}
