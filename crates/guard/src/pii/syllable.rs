//! Whether a word can be a Vietnamese syllable.

const ONSETS: [&str; 27] = [
    "ngh", "ng", "nh", "ch", "gh", "gi", "kh", "ph", "qu", "th", "tr", "b", "c", "d", "g", "h", "k", "l", "m", "n",
    "p", "r", "s", "t", "v", "x", "",
];
/// Rimes without diacritics, sorted.
const RIMES: [&str; 98] = [
    "a", "ac", "ach", "ai", "am", "an", "ang", "anh", "ao", "ap", "at", "au", "ay", "e", "ec", "ech", "em", "en",
    "eng", "enh", "eo", "ep", "et", "eu", "i", "ia", "ich", "iec", "iem", "ien", "ieng", "iep", "iet", "ieu", "im",
    "in", "inh", "ip", "it", "iu", "o", "oa", "oac", "oach", "oai", "oam", "oan", "oang", "oanh", "oap", "oat", "oay",
    "oc", "oe", "oen", "oeo", "oet", "oi", "om", "on", "ong", "op", "ot", "u", "ua", "uan", "uang", "uat", "uay", "uc",
    "ue", "uech", "uenh", "ui", "um", "un", "ung", "uoc", "uoi", "uom", "uon", "uong", "uop", "uot", "uou", "up", "ut",
    "uu", "uy", "uya", "uych", "uyen", "uyet", "uynh", "uyt", "uyu", "y", "yen",
];
const MORE_RIMES: [&str; 8] = ["yem", "yet", "yeu", "uo", "uau", "oong", "uc", "eng"];

/// Whether a word, in lower case and without diacritics, is one.
pub(crate) fn is_syllable(folded: &str) -> bool {
    ONSETS.iter().any(|onset| {
        folded.strip_prefix(onset).is_some_and(|rime| RIMES.binary_search(&rime).is_ok() || MORE_RIMES.contains(&rime))
    })
}
