//! The rows in a text of a journal, also behind half a line.

use memchr::memmem;

use crate::usage::row::UsageRow;

/// How the text of every row begins. Inside a row's texts, quotation marks are escaped.
const BEGIN: &[u8] = b"{\"id\":";

/// What a text holds.
#[derive(Debug, Default, PartialEq)]
pub struct Rows {
    /// The rows, in the order of the text.
    pub rows: Vec<UsageRow>,
    /// Pieces that are no row: half a line, or damage.
    pub unreadable: u64,
}

impl Rows {
    /// Reads a text line by line. The last line may lack its end.
    pub fn read(text: &[u8]) -> Self {
        let mut rows = Self::default();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            rows.take(line);
        }
        rows
    }

    /// Takes in a line. A row may stand behind a piece of another one that a full disk cut off.
    fn take(&mut self, line: &[u8]) {
        let begins: Vec<usize> = memmem::find_iter(line, BEGIN).collect();
        if begins.first() != Some(&0) {
            self.unreadable += 1;
        }
        for (n, begin) in begins.iter().enumerate() {
            let end = begins.get(n + 1).copied().unwrap_or(line.len());
            let piece = line.get(*begin..end).unwrap_or_default();
            match serde_json::Deserializer::from_slice(piece).into_iter().next() {
                Some(Ok(row)) => self.rows.push(row),
                _ => self.unreadable += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::row::tests::row;

    /// J 11: a whole row is found wherever it stands, and what is half of one is counted.
    #[test]
    fn j11_a_row_behind_half_a_line_is_found() {
        let rows: Vec<UsageRow> = (0..3).map(row).collect();
        let texts: Vec<String> = rows.iter().map(|row| row.to_line()).collect();
        let [a, b, c] = [0, 1, 2].map(|n| texts[n].as_str());
        let whole = format!("{a}\n{b}\n{c}\n");
        assert_eq!(Rows::read(whole.as_bytes()), Rows { rows: rows.clone(), unreadable: 0 });
        assert_eq!(Rows::read(whole.trim_end().as_bytes()).rows, rows, "the last line's end is missing");
        for cut in 0..b.len() {
            let torn = &b.as_bytes()[..cut];
            let glued = [a.as_bytes(), b"\n", torn, c.as_bytes(), b"\n"].concat();
            let apart = [a.as_bytes(), b"\n", torn, b"\n", c.as_bytes(), b"\n"].concat();
            let last = [a.as_bytes(), b"\n", c.as_bytes(), b"\n", torn].concat();
            for text in [glued, apart, last] {
                let read = Rows::read(&text);
                assert_eq!(read.rows, [rows[0].clone(), rows[2].clone()], "{cut}");
                assert_eq!(read.unreadable, u64::from(cut > 0), "{cut}");
            }
        }
        let damaged = [b"\0\0\xff".as_slice(), a.as_bytes(), b"\xff\n\n", b.as_bytes(), c.as_bytes()].concat();
        let read = Rows::read(&damaged);
        assert_eq!((read.rows, read.unreadable), (rows, 1));
    }

    /// What clients send cannot look like the beginning of a row.
    #[test]
    fn texts_of_clients_are_no_rows() {
        let mut odd = row(1);
        odd.trace_id = format!("{}\n\\{}", String::from_utf8_lossy(BEGIN), "{\"id\":\"");
        let text = odd.to_line();
        assert_eq!(Rows::read(text.as_bytes()), Rows { rows: vec![odd], unreadable: 0 });
    }
}
