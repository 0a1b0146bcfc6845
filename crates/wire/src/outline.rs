//! The outline of a JSON object in one pass: that it is one, where its fields are, and whether its names say one thing to
//! every reader. What is rare, such as an escape in a name, is left to others.

use std::ops::Range;

/// The deepest nesting that is followed.
const MAX_DEPTH: usize = 64;

/// The most names of open objects that are compared.
const MAX_NAMES: usize = 64;

/// Tells the places of each top-level name, without its quotes, and of its value. Gives whether no object has a name
/// twice, and every name, however deep, consists of small letters, digits and `_`; none where another reader must look.
///
/// What it accepts `serde_json` accepts too. It does not look whether strings are UTF-8.
pub(crate) fn outline(text: &[u8], mut field: impl FnMut(Range<usize>, Range<usize>)) -> Option<bool> {
    let mut walk = Walk { text, at: 0, names: [0; MAX_NAMES], open: 0, is_plain: true };
    if walk.next()? != b'{' {
        return None;
    }
    walk.object(MAX_DEPTH, &mut field)?;
    walk.next().is_none().then_some(walk.is_plain)
}

/// What a byte is in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InName {
    Plain,
    Other,
    End,
    /// An escape, or a byte beyond ASCII, or none that a string can have.
    Rare,
}

/// What each byte is in a name.
static IN_NAME: [InName; 256] = {
    let mut table = [InName::Rare; 256];
    let mut byte = b' ';
    while byte < 0x80 {
        table[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => InName::Plain,
            b'"' => InName::End,
            b'\\' => InName::Rare,
            _ => InName::Other,
        };
        byte += 1;
    }
    table
};

struct Walk<'a> {
    text: &'a [u8],
    at: usize,
    /// What stands for the names of objects that are not closed yet.
    names: [u64; MAX_NAMES],
    open: usize,
    is_plain: bool,
}

impl Walk<'_> {
    /// The next byte that is no white space.
    fn next(&mut self) -> Option<u8> {
        loop {
            match *self.text.get(self.at)? {
                b' ' | b'\n' | b'\t' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.next()? {
            b'"' => self.string(),
            b'{' => self.object(depth.checked_sub(1)?, &mut |_, _| {}),
            b'[' => self.array(depth.checked_sub(1)?),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn object(&mut self, depth: usize, field: &mut dyn FnMut(Range<usize>, Range<usize>)) -> Option<()> {
        self.at += 1;
        let first = self.open;
        if self.next()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.name(first)?;
            if self.next()? != b':' {
                return None;
            }
            self.at += 1;
            self.next()?;
            let start = self.at;
            self.value(depth)?;
            field(name, start..self.at);
            match self.next()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.open = first;
        Some(())
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.next()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth)?;
            match self.next()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// Takes a name of the object whose first one is `first` among the open ones.
    fn name(&mut self, first: usize) -> Option<Range<usize>> {
        if self.next()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let (mut stands_for, mut length) = (0_u64, None);
        for (at, byte) in self.text.get(start..)?.iter().enumerate() {
            match IN_NAME[usize::from(*byte)] {
                InName::Plain => {}
                InName::Other => self.is_plain = false,
                InName::End => {
                    length = Some(at);
                    break;
                }
                InName::Rare => return None,
            }
            stands_for = stands_for.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
        let end = start + length?;
        self.at = end + 1;
        // Two names may have one number: then others look.
        let names = self.names.get(first..self.open)?;
        self.is_plain &= !names.iter().fold(false, |found, name| found | (*name == stands_for));
        match self.names.get_mut(self.open) {
            Some(name) => (*name, self.open) = (stands_for, self.open + 1),
            None => self.is_plain = false,
        }
        Some(start..end)
    }

    fn string(&mut self) -> Option<()> {
        let mut at = self.at + 1;
        loop {
            // Without an early end, so that a block is looked at at once.
            while let Some(block) = self.text.get(at..)?.first_chunk::<16>()
                && !block.iter().fold(false, |found, byte| found | is_special(*byte))
            {
                at += 16;
            }
            at += self.text.get(at..)?.iter().position(|byte| is_special(*byte))?;
            match self.text.get(at)? {
                b'"' => break,
                b'\\' => at += escape(self.text.get(at..)?)?,
                _ => return None,
            }
        }
        self.at = at + 1;
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.text.get(self.at) == Some(&b'-'));
        let whole = self.digits();
        if whole.is_empty() || (whole.len() > 1 && self.text.get(whole.start) == Some(&b'0')) {
            return None;
        }
        if self.text.get(self.at) == Some(&b'.') {
            self.at += 1;
            if self.digits().is_empty() {
                return None;
            }
        }
        if let Some(b'e' | b'E') = self.text.get(self.at) {
            self.at += 1;
            self.at += usize::from(matches!(self.text.get(self.at), Some(b'+' | b'-')));
            if self.digits().is_empty() {
                return None;
            }
        }
        Some(())
    }

    fn digits(&mut self) -> Range<usize> {
        let start = self.at;
        while self.text.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        start..self.at
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }
}

/// Whether a byte cannot stand for itself in a string.
fn is_special(byte: u8) -> bool {
    (byte < b' ') | (byte == b'"') | (byte == b'\\')
}

/// The length of an escape.
fn escape(text: &[u8]) -> Option<usize> {
    match text.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => text.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
