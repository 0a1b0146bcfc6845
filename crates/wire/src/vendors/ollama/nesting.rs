//! Whether a JSON text goes on after a line, without reading it anew at each.

/// How deep a JSON text is nested so far.
#[derive(Debug, Default)]
pub(super) struct Nesting {
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// How much of the text was looked at.
    read: usize,
}

impl Nesting {
    /// Whether a text, which begins as before and now ends with a line, goes on: inside an object or list, but not inside
    /// a string, which has no line ends.
    pub(super) fn goes_on_after(&mut self, text: &[u8]) -> bool {
        for byte in text.get(self.read..).unwrap_or_default() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.in_string => self.is_escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.read = text.len();
        self.depth > 0 && !self.in_string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_inside_strings_count_for_nothing() {
        for (lines, expected) in [
            (&["{\n", "\"a\\\"{\": [\n", "1]\n", "}\n"][..], &[true, true, true, false][..]),
            (&["{\"a\":\"}\"\n", "}\n"], &[true, false]),
            (&["{\"a\":\"\\\\\"}\n"], &[false]),
            (&["{\"a\":\"b\n"], &[false]),
            (&["\n", "}\n", "{\n"], &[false, false, true]),
        ] {
            let (mut nesting, mut text) = (Nesting::default(), String::new());
            for (line, expected) in lines.iter().zip(expected) {
                text += line;
                assert_eq!(nesting.goes_on_after(text.as_bytes()), *expected, "{text:?}");
            }
        }
    }
}
