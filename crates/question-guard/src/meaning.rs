use super::lexicon::{ENGLISH, Lexicon, VIETNAMESE};
use super::reader::Reader;
use super::tokens::Tokens;

/// What a question comes to, once its politeness and its choice among words of the same meaning are taken out.
pub struct Meaning {
    /// The words it was read with.
    pub lexicon: &'static Lexicon,
    /// Whether those are Vietnamese.
    pub vietnamese: bool,
    /// What it speaks of, in its order.
    pub items: Vec<Item>,
    /// Which word has which role: what follows "from", "before", "not".
    pub roles: Vec<(u64, u64)>,
    /// Bits of `ask`.
    pub asks: u16,
    /// Bits of `ask` that its nouns imply.
    pub implied: u16,
    /// Bits of `ask` that its nouns imply where it asks for nothing by itself.
    pub suggested: u16,
    /// Bits of `ask` that it asks for by "is" alone ("là bao nhiêu").
    pub copula: u16,
    /// How many words bind its parts ("of", "if", "is"): a question that is turned round fairly needs other ones.
    pub links: usize,
    /// "Who does … ?": whom it is done to.
    pub whom: bool,
    /// How often it denies.
    pub negations: usize,
    /// It must be so.
    pub must: bool,
    /// It may be so.
    pub can: bool,
    /// It was so.
    pub past: bool,
    /// It will be so.
    pub future: bool,
    /// It tells who does it after what is done.
    pub passive: bool,
    /// What comes before "by" or "bị", and who does it.
    pub agent: Option<(u64, u64)>,
    /// What comes first after "if".
    pub condition: Option<u64>,
    /// The speaker follows a verb ("nợ tôi").
    pub done_to_speaker: bool,
    /// "How many days": their unit.
    pub counted_time: Option<u64>,
    /// It speaks in the present ("is it", "does it").
    pub present: bool,
    /// "Has it …?"
    pub perfect: bool,
}

/// One thing that a question speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub kind: Kind,
    pub key: u64,
    /// Written as a name.
    pub name: bool,
    /// Acts, so that its place tells who does what to whom.
    pub actor: bool,
    /// A word that no list knows.
    pub unknown: bool,
    /// How it hangs on what comes before it.
    pub lead: Lead,
    /// A clause ends after it.
    pub ends: bool,
    /// The highest degree ("tallest"), which may stand before or after its thing.
    pub degree: bool,
}

/// What stands between a thing and the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lead {
    /// The last word that binds them ("of", "in"); 0 for none.
    pub link: u64,
    /// "and", "or".
    pub joined: bool,
    /// Some word, or a role ("from", "between"), or nothing comes before it.
    pub apart: bool,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Number,
    Date,
    Id,
    Unit,
    Scope,
    Content,
}

impl Meaning {
    /// Reads a question.
    pub fn read(text: &str) -> Self {
        let tokens = Tokens::read(text);
        let vietnamese = is_vietnamese(&tokens);
        let lexicon: &'static Lexicon = if vietnamese { &VIETNAMESE } else { &ENGLISH };
        let meaning = Self {
            lexicon,
            vietnamese,
            items: Vec::with_capacity(tokens.len()),
            roles: Vec::new(),
            asks: 0,
            implied: 0,
            suggested: 0,
            copula: 0,
            links: 0,
            whom: false,
            negations: 0,
            must: false,
            can: false,
            past: false,
            future: false,
            passive: false,
            agent: None,
            condition: None,
            done_to_speaker: false,
            counted_time: None,
            present: false,
            perfect: false,
        };
        Reader::new(meaning).read(&tokens)
    }
}

/// Letters that only Vietnamese has, or a word of its list that is not written in plain letters.
fn is_vietnamese(tokens: &Tokens) -> bool {
    tokens.iter().any(|(_, word)| {
        !word.is_ascii()
            && (word.contains(|letter: char| {
                matches!(letter, 'đ' | 'ă' | 'ơ' | 'ư') || ('\u{1ea0}'..='\u{1ef9}').contains(&letter)
            }) || VIETNAMESE.knows(word))
    })
}
