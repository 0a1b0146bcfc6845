//! Personal data and secrets in a text.

mod address;
mod bhyt;
mod card;
mod cue;
mod date;
mod detect;
mod document;
mod email;
mod english_address;
mod english_name;
mod iban;
mod ip;
mod latin;
mod lexicon;
mod normal;
mod numbers;
mod phone;
mod plate;
mod run;
pub(crate) mod scan;
mod secret;
mod syllable;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod vietnamese_id;
mod vietnamese_name;
mod view;

use std::ops::Range;
use std::str::FromStr;

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PiiKind {
    /// A person's name.
    Name,
    /// The former Vietnamese identity card, nine digits.
    Cmnd,
    /// The Vietnamese citizen identity number, twelve digits.
    Cccd,
    /// A Vietnamese tax code.
    Tax,
    /// A Vietnamese social insurance number.
    Bhxh,
    /// A Vietnamese health insurance number.
    Bhyt,
    /// A passport number.
    Passport,
    /// A driving licence number.
    License,
    /// A phone number.
    Phone,
    /// A vehicle's number plate.
    Plate,
    /// A bank account number.
    Bank,
    /// A payment card number.
    Card,
    /// A date of birth.
    Dob,
    /// A postal address.
    Address,
    /// An e-mail address.
    Email,
    /// An IBAN.
    Iban,
    /// An IP address.
    Ip,
    /// A US social security number.
    Ssn,
    /// A credential: an API key, a token, a private key.
    Secret,
}

/// The kinds by their names, in the order of [`PiiKind`].
const NAMES: [(PiiKind, &str); 19] = [
    (PiiKind::Name, "NAME"),
    (PiiKind::Cmnd, "CMND"),
    (PiiKind::Cccd, "CCCD"),
    (PiiKind::Tax, "TAX"),
    (PiiKind::Bhxh, "BHXH"),
    (PiiKind::Bhyt, "BHYT"),
    (PiiKind::Passport, "PASSPORT"),
    (PiiKind::License, "LICENSE"),
    (PiiKind::Phone, "PHONE"),
    (PiiKind::Plate, "PLATE"),
    (PiiKind::Bank, "BANK"),
    (PiiKind::Card, "CARD"),
    (PiiKind::Dob, "DOB"),
    (PiiKind::Address, "ADDRESS"),
    (PiiKind::Email, "EMAIL"),
    (PiiKind::Iban, "IBAN"),
    (PiiKind::Ip, "IP"),
    (PiiKind::Ssn, "SSN"),
    (PiiKind::Secret, "SECRET"),
];

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PiiKinds(u32);

/// One place of a text with personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: PiiKind,
    /// Where it stands, in bytes of the text as given.
    pub range: Range<usize>,
}

/// The personal data of some kinds in a text, in order and without overlaps. `cue` stands before the text where a field
/// has a name that tells what it holds (`cmnd`), else it is empty.
pub fn find(text: &str, kinds: PiiKinds, cue: &str) -> Vec<Finding> {
    scan::find(text, kinds, cue)
}

/// Builds the lists of words, which takes some 20 ms; else the first text waits for it.
pub fn warm_up() {
    lexicon::lexicon();
}

impl PiiKind {
    /// The name, as it stands in `[NAME_REDACTED]`.
    pub fn as_str(self) -> &'static str {
        NAMES[self as usize].1
    }
}

impl PiiKind {
    /// The kind at a place of the order in which kinds are declared.
    pub fn from_index(index: usize) -> Option<Self> {
        NAMES.get(index).map(|(kind, _)| *kind)
    }
}

impl FromStr for PiiKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(text)).map(|(kind, _)| *kind).ok_or(())
    }
}

impl PiiKinds {
    /// Every kind.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);
    /// No kind.
    pub const NONE: Self = Self(0);

    /// Whether a kind is among them.
    pub fn has(self, kind: PiiKind) -> bool {
        self.0 & (1 << kind as u32) != 0
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, kind: PiiKind) -> Self {
        Self(self.0 | (1 << kind as u32))
    }
}
