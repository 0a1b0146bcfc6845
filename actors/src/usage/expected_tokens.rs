//! How many tokens a request will probably use, told before it is sent.

use gateway_wire::Endpoint;
use gateway_wire::json_object::JsonObject;

use super::contents::Contents;
use super::estimate::LIMIT_FIELDS;

/// Bytes of a request that come to a token, by and large.
const BYTES_PER_TOKEN: u64 = 4;

/// What an image, a sound or a file that is sent along counts as, by and large.
const TOKENS_PER_MEDIUM: u64 = 1_000;

/// The tokens that a request will probably use: unlike a budget's estimate it is no upper bound, since what is used
/// beyond it counts afterwards. A request that does not limit its answer is taken to get `default_output` tokens.
pub fn expected_tokens(body: &JsonObject, endpoint: Endpoint, default_output: u64) -> u64 {
    let contents = Contents::from_body(body);
    let text = (body.text().len() as u64).saturating_sub(contents.media_bytes);
    let media = contents.pictures.saturating_add(contents.sounds).saturating_add(contents.documents);
    let input = text.div_ceil(BYTES_PER_TOKEN).saturating_add(media.saturating_mul(TOKENS_PER_MEDIUM));
    if endpoint != Endpoint::Chat {
        return input;
    }
    // What is no number is refused later, with its name.
    let number = |name| body.read::<u64>(name).ok().flatten();
    let output = LIMIT_FIELDS.into_iter().filter_map(number).max().unwrap_or(default_output);
    input.saturating_add(output.saturating_mul(number("n").unwrap_or(1).max(1)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn expected(text: &str) -> u64 {
        let body = JsonObject::parse(Bytes::from(text.to_owned())).unwrap();
        expected_tokens(&body, Endpoint::Chat, 500)
    }

    #[test]
    fn the_answer_counts_as_far_as_it_may_go() {
        assert_eq!(expected(r#"{"a":"12345678"}"#), 4 + 500);
        assert_eq!(expected(r#"{"max_tokens":20,"n":3}"#), 6 + 60);
        assert_eq!(expected(r#"{"max_tokens":20,"max_completion_tokens":7}"#), 11 + 20);
    }

    /// A picture inside the request is not read as text.
    #[test]
    fn media_count_by_their_number() {
        let part = r#"{"type":"im\u0061ge_url","image_url":{"url":"data:image/png;base64,DATA"}}"#;
        let part = part.replace("DATA", &"A".repeat(400_000));
        let text = format!(r#"{{"max_tokens":0,"messages":[{{"content":[{part}]}}]}}"#);
        assert!((1_000..1_050).contains(&expected(&text)), "{}", expected(&text));
    }
}
