//! Whether two questions that look alike may share an answer (F3). Embeddings put "enable" beside "disable" and 3 days
//! beside 5; what tells them apart is read from the words. English and Vietnamese; where in doubt, questions differ.

mod ask;
mod compare;
mod difference;
mod hash;
mod lexicon;
mod meaning;
mod number;
mod order;
#[cfg(any(test, feature = "pairs"))]
pub mod pairs;
mod reader;
mod stem;
mod tokens;

#[cfg(test)]
mod tests;

pub use difference::Difference;
use meaning::Meaning;
pub use number::numbers;

/// Why two questions must not share an answer; none where they may, if their embeddings are close too.
pub fn differs(a: &str, b: &str) -> Option<Difference> {
    if a == b {
        return None;
    }
    compare::differ(&Meaning::read(a), &Meaning::read(b))
}
