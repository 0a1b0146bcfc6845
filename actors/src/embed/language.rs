//! Whether a text is English, told cheaply; a doubt means no.
//!
//! A model that knows one language puts unlike texts of another close to each other, so that a text taken for English
//! by mistake may get a wrong answer, while English taken for another language only is not looked up. So a text is
//! English when all its letters are ASCII, at least a third of its words are common English ones, and at least one of
//! these is a word in no other common language (Vietnamese without its accents has `the`, `to`, `an` and `can`).

/// Common words of English that are words of other languages too, accents taken away.
const SHARED: &[&str] = &[
    "a", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "best", "but", "by", "can", "do", "for",
    "had", "has", "he", "her", "him", "his", "i", "if", "in", "is", "it", "its", "make", "me", "more", "most", "my",
    "new", "no", "not", "of", "on", "or", "our", "over", "see", "so", "than", "the", "them", "then", "to", "two", "up",
    "us", "use", "was", "we", "were", "will", "you",
];

/// Common words that are English alone.
const ENGLISH: &[&str] = &[
    "about",
    "after",
    "because",
    "been",
    "before",
    "being",
    "between",
    "both",
    "calculate",
    "compare",
    "could",
    "create",
    "describe",
    "did",
    "difference",
    "does",
    "doing",
    "each",
    "every",
    "explain",
    "find",
    "first",
    "from",
    "generate",
    "get",
    "give",
    "have",
    "help",
    "how",
    "into",
    "know",
    "like",
    "list",
    "many",
    "much",
    "must",
    "need",
    "only",
    "other",
    "please",
    "rewrite",
    "she",
    "should",
    "show",
    "since",
    "some",
    "such",
    "suggest",
    "summarise",
    "summarize",
    "tell",
    "that",
    "their",
    "there",
    "these",
    "they",
    "think",
    "this",
    "those",
    "through",
    "translate",
    "under",
    "until",
    "using",
    "want",
    "what",
    "when",
    "where",
    "whether",
    "which",
    "while",
    "who",
    "whose",
    "why",
    "with",
    "without",
    "work",
    "would",
    "write",
    "your",
];

/// Whether a text is certainly English.
pub fn is_english(text: &str) -> bool {
    // Vietnamese may be written with its accents as characters of their own.
    let is_foreign = |c: char| !c.is_ascii() && (c.is_alphanumeric() || ('\u{300}'..='\u{36f}').contains(&c));
    if text.chars().any(is_foreign) {
        return false;
    }
    let (mut words, mut shared, mut english) = (0_usize, 0_usize, 0_usize);
    for word in text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        words += 1;
        let word = word.to_ascii_lowercase();
        if ENGLISH.binary_search(&word.as_str()).is_ok() {
            english += 1;
        } else if SHARED.binary_search(&word.as_str()).is_ok() {
            shared += 1;
        }
    }
    english > 0 && 3 * (english + shared) >= words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_can_be_searched() {
        assert!(SHARED.is_sorted() && ENGLISH.is_sorted());
        assert!(SHARED.iter().all(|word| ENGLISH.binary_search(word).is_err()));
    }

    #[test]
    fn english_is_english() {
        for text in [
            "What is the capital of France?",
            "How do I reset my password?",
            "Explain quantum computing",
            "Please summarize this article in 3 sentences.",
            "What’s the difference between TCP and UDP – and why?",
            "Which index should I use with PostgreSQL?",
            "Write a haiku about the sea",
            "how many days are in 2024",
        ] {
            assert!(is_english(text), "{text}");
        }
    }

    /// The two questions of the semantic cache's example, and other languages, with and without accents.
    #[test]
    fn other_languages_are_not() {
        for text in [
            "Quy trình mua sắm tài sản là gì?",
            "Tôi muốn biết về quy định mua sắm",
            "Quy tri\u{300}nh mua sa\u{306}\u{301}m",
            "Quy trinh mua sam tai san la gi?",
            "Thu tuc xin nghi phep nam nhu the nao?",
            "Toi can biet ve the tin dung, an toan hay khong",
            "¿Cuál es la capital de Francia?",
            "Cual es la capital de Francia",
            "Quelle est la capitale de la France ?",
            "Was ist die Hauptstadt von Frankreich und wo liegt sie?",
            "Wat is de hoofdstad van Frankrijk en hoe kom ik er in?",
            "Qual e a capital da Italia e como posso ir",
            "Bagaimana cara mengganti kata sandi saya",
            "What does 东京 mean?",
            "как сбросить пароль",
            "SELECT id FROM users",
            "12345",
            "",
        ] {
            assert!(!is_english(text), "{text}");
        }
    }
}
