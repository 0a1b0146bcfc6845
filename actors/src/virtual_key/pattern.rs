//! Name patterns in which `*` stands for any text.

/// Whether `name` fits `pattern`; everything but `*` stands for itself.
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    // Most patterns of a long list fail here.
    if !pattern.starts_with('*') && pattern.as_bytes().first() != name.as_bytes().first() {
        return false;
    }
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    // The leftmost place of each middle part leaves the most room for those after it.
    for part in parts {
        match name.find(part) {
            Some(at) => name = name.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    name.ends_with(tail)
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
            ("**", "x"),
            ("gpt-4o", "gpt-4o"),
        ] {
            assert!(matches_pattern(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("gpt-*", "GPT-4"), ("gpt-4o", "gpt-4o-mini"), ("a*a", "a"), ("a*b*b", "ab"), ("g.t", "gpt")]
        {
            assert!(!matches_pattern(pattern, name), "{pattern} {name}");
        }
    }
}
