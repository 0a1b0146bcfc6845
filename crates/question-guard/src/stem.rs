/// What an English word's forms share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stem<'a> {
    /// Its letters but for the ending.
    pub text: &'a str,
    /// Which vowel it has lost, where that tells words apart: "care" is not "car", "party" is not "part".
    pub vowel: Vowel,
}

/// The vowel that a stem has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vowel {
    /// None that matters.
    None,
    /// The "e" of a short word: "rate", "rating".
    E,
    /// "y" or "ie": "study", "studies", "movie".
    Y,
}

/// The part of an English word (in small letters) that its forms share; rough, but the same for each of them: "approval",
/// "approved" and "approves" have one stem, and so have "cancel" and "cancellation". Endings that tell people apart
/// (employer, employee) stay.
pub fn stem(word: &str) -> Stem<'_> {
    let whole = Stem { text: word, vowel: Vowel::None };
    if word.len() < 4 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) || KEPT.binary_search(&word).is_ok() {
        return whole;
    }
    let mut stem = word;
    if let Some(cut) = stem.strip_suffix('s')
        && !stem.ends_with("ss")
        && !stem.ends_with("us")
        && !stem.ends_with("is")
    {
        stem = cut;
    }
    let mut vowel = Vowel::None;
    for (ending, left) in ENDINGS {
        if let Some(cut) = stem.strip_suffix(ending)
            && cut.len() >= left
            && (ending != "al" || cut.ends_with(['v', 'w', 's']) || cut.ends_with("rr"))
        {
            stem = cut;
            vowel = match ending {
                "ing" | "ed" if is_short(cut) => Vowel::E,
                "ies" | "ie" => Vowel::Y,
                _ => Vowel::None,
            };
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
    match stem.strip_suffix(['e', 'y', 'i']).filter(|cut| cut.len() >= 3) {
        Some(text) if stem.ends_with('e') => Stem { text, vowel: if is_short(text) { Vowel::E } else { vowel } },
        Some(text) => Stem { text, vowel: Vowel::Y },
        None => Stem { text: stem, vowel },
    }
}

/// One vowel between consonants, as in "rat" and "stor": such words have a silent "e" or none.
fn is_short(text: &str) -> bool {
    let is_vowel = |letter: &u8| matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u');
    match text.as_bytes() {
        [first, head @ .., vowel, last] => {
            !is_vowel(first)
                && !head.iter().any(is_vowel)
                && is_vowel(vowel)
                && !is_vowel(last)
                && !matches!(last, b'w' | b'x' | b'y' | b's' | b'z')
        }
        _ => false,
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

/// Words that mean something else than their stem does, or whose stem is another word; in order.
const KEPT: [&str; 141] = [
    "abortion",
    "accounting",
    "active",
    "allowed",
    "andy",
    "apartment",
    "apartments",
    "appeal",
    "appeals",
    "apple",
    "apples",
    "basement",
    "being",
    "billion",
    "billions",
    "born",
    "building",
    "buildings",
    "canned",
    "canning",
    "coming",
    "companion",
    "concerning",
    "confident",
    "confidential",
    "conversation",
    "conversations",
    "cookie",
    "cookies",
    "cops",
    "costly",
    "customs",
    "daily",
    "damages",
    "department",
    "departments",
    "detailed",
    "doctorate",
    "during",
    "economic",
    "economics",
    "eighty",
    "even",
    "evening",
    "evenings",
    "evenly",
    "every",
    "exception",
    "exceptions",
    "faulty",
    "fill",
    "filled",
    "fills",
    "following",
    "gbps",
    "general",
    "generally",
    "goods",
    "greed",
    "herr",
    "herring",
    "hourly",
    "hrs",
    "information",
    "installment",
    "installments",
    "inventory",
    "jane",
    "julie",
    "kindly",
    "lately",
    "locate",
    "located",
    "locating",
    "means",
    "medical",
    "meeting",
    "meetings",
    "million",
    "millions",
    "mine",
    "mins",
    "monthly",
    "mostly",
    "national",
    "nationals",
    "need",
    "news",
    "normally",
    "operation",
    "operations",
    "option",
    "options",
    "organisation",
    "organization",
    "paste",
    "pasted",
    "pasting",
    "permitted",
    "personal",
    "police",
    "policing",
    "presentation",
    "presentations",
    "quite",
    "really",
    "roll",
    "rolls",
    "savings",
    "seconds",
    "settings",
    "several",
    "situated",
    "specification",
    "specifications",
    "spending",
    "statement",
    "statements",
    "station",
    "stations",
    "terminal",
    "terminals",
    "theme",
    "themes",
    "tony",
    "training",
    "trainings",
    "treaty",
    "typically",
    "unite",
    "united",
    "unity",
    "used",
    "usually",
    "verse",
    "verses",
    "warrant",
    "warrants",
    "weekly",
    "wondering",
    "yearly",
];
