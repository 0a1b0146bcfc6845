//! A JSON object of one line, written field by field: what each request writes is not worth a serializer.

use crate::money::amount::PicoUsd;

/// An object that grows field by field.
pub struct JsonLine(String);

impl JsonLine {
    /// An object without a field.
    pub fn open() -> Self {
        let mut text = String::with_capacity(768);
        text.push('{');
        Self(text)
    }

    /// The whole object.
    pub fn close(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// A field whose value is JSON already.
    pub fn json(&mut self, name: &str, value: &str) {
        self.0.push_str(if self.0.len() > 1 { ",\"" } else { "\"" });
        self.0.push_str(name);
        self.0.push_str("\":");
        self.0.push_str(value);
    }

    /// A text.
    pub fn text(&mut self, name: &str, value: &str) {
        // Without an early end, so that it is done for many bytes at once.
        let is_special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
        if value.bytes().fold(false, |found, byte| found | is_special(byte)) {
            return self.json(name, &serde_json::Value::from(value).to_string());
        }
        self.json(name, "\"");
        self.0.push_str(value);
        self.0.push('"');
    }

    /// A text, where there is one.
    pub fn text_if(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// True or false.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.json(name, if value { "true" } else { "false" });
    }

    /// A number.
    pub fn number(&mut self, name: &str, value: impl itoa::Integer) {
        self.json(name, itoa::Buffer::new().format(value));
    }

    /// A number, where there is one.
    pub fn number_if(&mut self, name: &str, value: Option<impl itoa::Integer>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    /// An amount of US dollars.
    pub fn amount(&mut self, name: &str, amount: PicoUsd) {
        self.json(name, "");
        amount.push_to(&mut self.0);
    }

    /// Microseconds, as milliseconds.
    pub fn millis(&mut self, name: &str, micros: u64) {
        self.number(name, micros / 1_000);
        let rest = (micros % 1_000) as u16;
        self.0.extend(['.', digit(rest / 100), digit(rest / 10), digit(rest)]);
    }
}

fn digit(number: u16) -> char {
    char::from(b'0' + (number % 10) as u8)
}
