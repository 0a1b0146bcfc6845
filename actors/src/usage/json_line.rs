//! A JSON object of one line, written field by field: what each request writes is not worth a serializer.

use crate::money::amount::PicoUsd;

/// An object that grows field by field. Names are given as [`key!`] writes them.
pub struct JsonLine(String);

/// A field's name as it stands in an object.
macro_rules! key {
    ($name:literal) => {
        concat!("\"", $name, "\":")
    };
}
pub(crate) use key;

impl JsonLine {
    /// An object without a field.
    pub fn open() -> Self {
        let mut text = String::with_capacity(768);
        text.push('{');
        Self(text)
    }

    /// The whole object.
    pub fn close(mut self) -> String {
        self.end('}');
        self.0.pop();
        self.0
    }

    /// A field whose value is written next, and begins with this bracket; without a name, the next value of a list.
    pub fn begin(&mut self, key: &'static str, bracket: char) {
        self.0.push_str(key);
        self.0.push(bracket);
    }

    /// The end of such a value.
    pub fn end(&mut self, bracket: char) {
        if self.0.ends_with(',') {
            self.0.pop();
        }
        self.0.push(bracket);
        self.0.push(',');
    }

    /// A text.
    pub fn text(&mut self, key: &'static str, value: &str) {
        self.0.push_str(key);
        // Without an early end, so that it is done for many bytes at once.
        let is_special = |byte: u8| (byte < b' ') | (byte == b'"') | (byte == b'\\');
        if value.bytes().fold(false, |found, byte| found | is_special(byte)) {
            self.0.push_str(&serde_json::Value::from(value).to_string());
            return self.0.push(',');
        }
        self.word("", value);
    }

    /// A word of the program's own, in which nothing is to be escaped.
    pub fn word(&mut self, key: &'static str, word: &str) {
        self.0.push_str(key);
        self.0.push('"');
        self.0.push_str(word);
        self.0.push_str("\",");
    }

    /// A text, where there is one.
    pub fn text_if(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    /// True or false.
    pub fn flag(&mut self, key: &'static str, value: bool) {
        self.plain(key, if value { "true" } else { "false" });
    }

    /// A number.
    pub fn number(&mut self, key: &'static str, value: impl itoa::Integer) {
        self.plain(key, itoa::Buffer::new().format(value));
    }

    /// A number, where there is one.
    pub fn number_if(&mut self, key: &'static str, value: Option<impl itoa::Integer>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    /// An amount of US dollars.
    pub fn amount(&mut self, key: &'static str, amount: PicoUsd) {
        self.0.push_str(key);
        amount.push_to(&mut self.0);
        self.0.push(',');
    }

    /// Microseconds, as milliseconds.
    pub fn millis(&mut self, key: &'static str, micros: u64) {
        self.0.push_str(key);
        self.0.push_str(itoa::Buffer::new().format(micros / 1_000));
        let rest = (micros % 1_000) as u16;
        self.0.extend(['.', digit(rest / 100), digit(rest / 10), digit(rest), ',']);
    }

    fn plain(&mut self, key: &'static str, value: &str) {
        self.0.push_str(key);
        self.0.push_str(value);
        self.0.push(',');
    }
}

fn digit(number: u16) -> char {
    char::from(b'0' + (number % 10) as u8)
}
