//! Puts values back in a text that comes in parts.

use super::Vault;
use super::lookalike::{self, Match, TEXT};

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueForm {
    /// As it is.
    Text,
    /// With JSON's escapes, for the arguments of a tool, which are JSON as a text.
    Json,
}

/// A text on its way: tokens become their values. Holds back only what is the beginning of a token of the vault, so that
/// all that it lets go is the whole text restored, however the text was cut.
///
/// A token inside a URL stays a token: a model could be talked into a link that carries the value to somebody else.
pub struct Restorer {
    form: ValueForm,
    pending: String,
    /// The last three characters of the text as it left: a token that was restored has no bracket.
    last: [char; 3],
    is_url: bool,
}

impl Restorer {
    /// A restorer for one text.
    pub fn new(form: ValueForm) -> Self {
        Self { form, pending: String::new(), last: [' '; 3], is_url: false }
    }

    /// Takes the next part, and writes what is free to go.
    pub fn push(&mut self, part: &str, vault: &Vault, out: &mut String) {
        self.pending.push_str(part);
        self.release(vault, false, out);
    }

    /// Writes the rest; the text has ended.
    pub fn finish(&mut self, vault: &Vault, out: &mut String) {
        self.release(vault, true, out);
    }

    /// The bytes that are held back.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    fn release(&mut self, vault: &Vault, is_end: bool, out: &mut String) {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_str();
        while let Some(first) = rest.chars().next() {
            let bytes = match lookalike::find(rest, Some(self.last[2]), is_end, &vault.counts) {
                Match::Open => break,
                Match::Token { name, number, bytes } if name == TEXT || !self.is_url => {
                    let value = vault.value(name, number).unwrap_or_default();
                    self.write(value, out);
                    value.chars().for_each(|character| self.note(character));
                    bytes
                }
                Match::Token { .. } | Match::None => {
                    out.push(first);
                    self.note(first);
                    first.len_utf8()
                }
            };
            rest = rest.get(bytes..).unwrap_or_default();
        }
        self.pending.push_str(rest);
    }

    fn note(&mut self, character: char) {
        self.last = [self.last[1], self.last[2], character];
        if character.is_whitespace() || matches!(character, '"' | '<' | '>') {
            self.is_url = false;
        } else if self.last == [':', '/', '/'] || matches!(self.last, [_, ']', '(']) {
            self.is_url = true;
        }
    }

    fn write(&self, value: &str, out: &mut String) {
        match self.form {
            ValueForm::Text => out.push_str(value),
            ValueForm::Json => {
                let quoted = serde_json::Value::from(value).to_string();
                out.push_str(quoted.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or(&quoted));
            }
        }
    }
}
