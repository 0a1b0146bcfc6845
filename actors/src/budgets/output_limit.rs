//! How long a stream may become where its vendor does not keep to `max_tokens`.

/// Tokens by which any limit may seem to be passed.
const SLACK: u64 = 8;

/// Follows a stream against the output tokens that are reserved for it. Vendors have tokenizers of their own, by which a
/// text may have fewer tokens than by the one here: only who also sends more pieces than tokens are reserved, or goes
/// far beyond, does not keep to the limit.
#[derive(Debug)]
pub struct OutputLimit {
    reserved: u64,
    pieces: u64,
    counted: u64,
    /// Bytes since the last count. A token stands for at least one of them.
    uncounted: u64,
}

impl OutputLimit {
    /// A stream that has not begun.
    pub fn new(reserved: u64) -> Self {
        Self { reserved, pieces: 0, counted: 0, uncounted: 0 }
    }

    /// Takes in a piece of so many bytes, and tells whether its tokens must be counted to know that the limit is kept.
    pub fn needs_count(&mut self, bytes: usize) -> bool {
        if bytes > 0 {
            self.pieces += 1;
            self.uncounted += bytes as u64;
        }
        self.counted + self.uncounted > self.most()
    }

    /// Takes in the tokens of what was not counted before, and tells whether the limit is passed.
    pub fn is_passed(&mut self, tokens: u64) -> bool {
        self.counted += tokens;
        self.uncounted = 0;
        self.counted > self.most()
    }

    fn most(&self) -> u64 {
        if self.pieces > self.reserved {
            self.reserved
        } else {
            self.reserved.saturating_add(self.reserved / 2).saturating_add(SLACK)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends pieces of so many bytes and tokens until the limit is passed; gives how many passed, and the counts made.
    fn run(reserved: u64, pieces: usize, bytes: usize, tokens: u64) -> (usize, usize) {
        let mut limit = OutputLimit::new(reserved);
        let (mut counts, mut pending) = (0, 0);
        for passed in 0..pieces {
            pending += tokens;
            if limit.needs_count(bytes) {
                counts += 1;
                if limit.is_passed(std::mem::take(&mut pending)) {
                    return (passed, counts);
                }
            }
        }
        (pieces, counts)
    }

    /// B1: who sends a token a piece is stopped at the limit, who sends several not far beyond it.
    #[test]
    fn b1_a_stream_ends_where_its_reservation_does() {
        assert_eq!(run(1_000, 5_000, 4, 1).0, 1_000);
        assert_eq!(run(15, 100, 5, 1).0, 15);
        assert_eq!(run(1_000, 5_000, 40, 10).0, 150);
        assert_eq!(run(0, 10, 4, 1).0, 0);
    }

    /// Who keeps to the limit by a tokenizer of its own, or cuts its text into many pieces, is never stopped.
    #[test]
    fn b1_who_keeps_to_the_limit_is_never_stopped() {
        for (reserved, pieces, bytes, tokens) in [
            (1_000, 1_000, 4, 1),
            // A text that has a third more tokens here.
            (900, 400, 12, 3),
            // A tool call in one piece.
            (1, 1, 24, 8),
            // A piece for each letter, four to a token.
            (1_000, 4_000, 1, 0),
        ] {
            let (passed, counts) = run(reserved, pieces, bytes, tokens);
            assert_eq!(passed, pieces);
            assert!(counts < 40, "{counts} counts for {pieces} pieces");
        }
    }

    /// As long as the bytes alone are within the limit, nothing is counted.
    #[test]
    fn short_answers_are_not_counted() {
        assert_eq!(run(16_384, 4_000, 4, 1), (4_000, 0));
    }

    #[test]
    fn pieces_without_text_do_not_count() {
        let mut limit = OutputLimit::new(0);
        assert!(!limit.needs_count(0));
    }
}
