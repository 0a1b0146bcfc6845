/// The part of an English word (in small letters) that its forms share; rough, but the same for each of them: "approval",
/// "approved" and "approves" have one stem, and so have "cancel" and "cancellation". Endings that tell people apart
/// (employer, employee) stay.
pub fn stem(word: &str) -> &str {
    if word.len() < 4 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) || KEPT.contains(&word) {
        return word;
    }
    let mut stem = word;
    if let Some(cut) = stem.strip_suffix('s')
        && !stem.ends_with("ss")
        && !stem.ends_with("us")
        && !stem.ends_with("is")
    {
        stem = cut;
    }
    for (ending, left) in ENDINGS {
        if let Some(cut) = stem.strip_suffix(ending)
            && cut.len() >= left
        {
            stem = cut;
            break;
        }
    }
    // "installing" has lost its ending, "cancell" one letter too few.
    let bytes = stem.as_bytes();
    if let [.., before, last] = bytes
        && before == last
        && !matches!(last, b's' | b'e' | b'o')
        && bytes.len() > 3
    {
        stem = &stem[..stem.len() - 1];
    }
    // "calculated" without its ending, as "calculation" is.
    if let Some(cut) = stem.strip_suffix("at")
        && cut.len() >= 5
    {
        stem = cut;
    }
    match stem.strip_suffix(['e', 'y', 'i']) {
        Some(cut) if cut.len() >= 3 => cut,
        _ => stem,
    }
}

/// Endings, longest first, and how many letters must be left before them.
const ENDINGS: [(&str, usize); 11] = [
    ("ation", 5),
    ("ment", 4),
    ("ions", 4),
    ("ate", 5),
    ("ion", 4),
    ("ing", 3),
    ("ies", 3),
    ("ed", 3),
    ("ly", 4),
    ("al", 4),
    ("ie", 3),
];

/// Words that mean something else than their stem does, or whose stem is another word.
const KEPT: [&str; 31] = [
    "seconds",
    "being",
    "during",
    "need",
    "personal",
    "used",
    "news",
    "goods",
    "means",
    "building",
    "meeting",
    "united",
    "million",
    "billion",
    "mine",
    "mins",
    "hrs",
    "gbps",
    "every",
    "eighty",
    "hourly",
    "weekly",
    "monthly",
    "yearly",
    "daily",
    "information",
    "organisation",
    "organization",
    "faulty",
    "spending",
    "permitted",
];
