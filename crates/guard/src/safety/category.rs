//! The categories of unsafe content.

use std::str::FromStr;

/// A category of unsafe content, as OpenAI's moderation has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Category {
    /// Language that harasses somebody.
    Harassment,
    /// Harassment that threatens.
    HarassmentThreatening,
    /// Hate of a group of people.
    Hate,
    /// Hate that threatens.
    HateThreatening,
    /// Advice on how to do what the law forbids.
    Illicit,
    /// Such advice on violence or weapons.
    IllicitViolent,
    /// Talk of harming oneself.
    SelfHarm,
    /// Somebody says that they want to harm themselves.
    SelfHarmIntent,
    /// Advice on how to harm oneself.
    SelfHarmInstructions,
    /// Sexual content.
    Sexual,
    /// Sexual content with somebody under age.
    SexualMinors,
    /// Death, violence or injury.
    Violence,
    /// The same in detail.
    ViolenceGraphic,
}

/// The categories by their names, in the order of [`Category`].
const NAMES: [(Category, &str); Category::COUNT] = [
    (Category::Harassment, "harassment"),
    (Category::HarassmentThreatening, "harassment/threatening"),
    (Category::Hate, "hate"),
    (Category::HateThreatening, "hate/threatening"),
    (Category::Illicit, "illicit"),
    (Category::IllicitViolent, "illicit/violent"),
    (Category::SelfHarm, "self-harm"),
    (Category::SelfHarmIntent, "self-harm/intent"),
    (Category::SelfHarmInstructions, "self-harm/instructions"),
    (Category::Sexual, "sexual"),
    (Category::SexualMinors, "sexual/minors"),
    (Category::Violence, "violence"),
    (Category::ViolenceGraphic, "violence/graphic"),
];

/// A set of categories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Categories(u16);

impl Category {
    /// How many there are.
    pub const COUNT: usize = 13;

    /// All categories, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(category, _)| *category)
    }

    /// The name, as it stands in `categories` and `thresholds`.
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize].1
    }
}

impl FromStr for Category {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(category, _)| *category).ok_or(())
    }
}

impl Categories {
    /// Every category.
    pub const ALL: Self = Self((1 << Category::COUNT) - 1);
    /// No category.
    pub const NONE: Self = Self(0);

    /// Whether a category is among them.
    pub fn has(self, category: Category) -> bool {
        self.0 & (1 << category as u16) != 0
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, category: Category) -> Self {
        Self(self.0 | (1 << category as u16))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Category> for Categories {
    fn from_iter<I: IntoIterator<Item = Category>>(categories: I) -> Self {
        categories.into_iter().fold(Self::NONE, Self::with)
    }
}
