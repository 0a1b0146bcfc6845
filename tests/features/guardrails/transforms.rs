//! The same values in other letters: without capitals or accents, decomposed, and with characters that nobody sees.

use unicode_normalization::UnicodeNormalization;

use super::script::{assert_no_part, say, told, ways};
use super::{asked, choice, pii};
use crate::harness::upstreams::Upstreams;

const LINE: &str = "Nhân viên Nguyễn Văn An, số CMND 123456789, điện thoại 0912 345 678, thẻ 4111 1111 1111 1111.";
const VALUES: [&str; 4] = ["Nguyễn Văn An", "123456789", "0912 345 678", "4111 1111 1111 1111"];

/// Writes a text in another way.
type Transform = fn(&str) -> String;

/// "Transform matrix: lower, no-diacritics, UPPER, NFD, NBSP, full-width, zero-width."
const TRANSFORMS: [(&str, Transform); 8] = [
    ("as written", str::to_owned),
    ("lower", str::to_lowercase),
    ("no diacritics", |text| text.replace('đ', "d").nfd().filter(char::is_ascii).collect()),
    ("UPPER", str::to_uppercase),
    ("NFD", |text| text.nfd().collect()),
    ("NBSP", |text| text.replace(' ', "\u{a0}")),
    ("full-width", |text| text.chars().map(wide).collect()),
    ("zero-width", |text| {
        let every = |(at, c): (usize, char)| if at % 3 == 1 { vec![c, '\u{200b}'] } else { vec![c] };
        text.chars().enumerate().flat_map(every).collect()
    }),
];

/// Digits and letters as wide as an ideograph.
fn wide(c: char) -> char {
    if c.is_ascii_alphanumeric() { char::from_u32(c as u32 + 0xfee0).unwrap() } else { c }
}

/// What is seen of a text.
fn seen(text: &str) -> String {
    text.replace('\u{200b}', "")
}

/// D8: in whatever letters, the values neither leave nor come back, streamed by one character at a time or whole, in any
/// client format.
#[tokio::test]
async fn d8_values_in_other_letters_are_found_in_every_format() {
    let upstreams = Upstreams::answering(choice).await;
    let (gateway, key) = upstreams.setup().start().await.with_key().await;
    for (name, transform) in TRANSFORMS {
        let (line, values) = (transform(LINE), VALUES.map(|value| seen(&transform(value))));
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let every: Vec<usize> = (1..line.chars().count()).collect();
        for (client, upstream) in ways() {
            let way = format!("{name}, {} at {upstream}", client.path);
            let question = client.asks(&key, &format!("{upstream}/echo"), &line, false);
            gateway.ask(question.config(&pii("input", "redact"))).await.expect(200);
            let sent = asked(&upstreams.named(upstream).requests().pop().unwrap().body);
            assert_no_part(&way, &seen(&sent), &values);
            assert_eq!(sent.matches("_REDACTED]").count(), VALUES.len(), "{way}: {sent}");
            for stream in [false, true] {
                let question = client.asks(&key, &format!("{upstream}/script"), &say(&line, &every), stream);
                let (text, all) = told(&gateway, client, question.config(&pii("output", "redact")), stream).await;
                assert_eq!(text, sent, "{way}, stream={stream}");
                assert_no_part(&way, &seen(&all.join("\n")), &values);
            }
        }
    }
}
