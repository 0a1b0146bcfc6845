/// Why two questions must not share an answer, however close their embeddings are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Difference {
    /// They are not in the same language.
    Language,
    /// One names a number that the other does not.
    Numbers,
    /// One names a day, a month or a season that the other does not.
    Dates,
    /// Codes, versions, addresses and other texts with digits or signs are not the same.
    Ids,
    /// Amounts are told in other units or currencies.
    Units,
    /// One denies what the other does not.
    Negation,
    /// One says the opposite of a word of the other.
    Antonym,
    /// They name other people, places or products.
    ProperNoun,
    /// All, some, only, at least, at most, more, less: they speak of another part.
    Quantifier,
    /// One asks whether it may be, the other whether it must be.
    Modality,
    /// One asks about the past, the other does not.
    Tense,
    /// They ask for something else: when, where, who, how much, why.
    QuestionWord,
    /// Some words of one stand in the place of others.
    Substitution,
    /// One narrows its question with words that the other does not have.
    Qualifier,
    /// The same words in an order that turns their roles round.
    Order,
}

impl Difference {
    /// Every reason.
    pub const ALL: [Self; 15] = [
        Self::Language,
        Self::Numbers,
        Self::Dates,
        Self::Ids,
        Self::Units,
        Self::Negation,
        Self::Antonym,
        Self::ProperNoun,
        Self::Quantifier,
        Self::Modality,
        Self::Tense,
        Self::QuestionWord,
        Self::Substitution,
        Self::Qualifier,
        Self::Order,
    ];

    /// The reason as a metric's label has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Language => "language",
            Self::Numbers => "numbers",
            Self::Dates => "dates",
            Self::Ids => "ids",
            Self::Units => "units",
            Self::Negation => "negation",
            Self::Antonym => "antonym",
            Self::ProperNoun => "proper_noun",
            Self::Quantifier => "quantifier",
            Self::Modality => "modality",
            Self::Tense => "tense",
            Self::QuestionWord => "question_word",
            Self::Substitution => "substitution",
            Self::Qualifier => "qualifier",
            Self::Order => "order",
        }
    }
}
