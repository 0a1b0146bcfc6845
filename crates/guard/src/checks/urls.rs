//! `validUrls`: every URL of the text is well formed. No network is used, so whether a name resolves or a server answers
//! stays open, with `onlyDNS` or without.

use serde_json::json;
use url::{Host, Url};

use super::Outcome;

pub(super) fn run(text: &str) -> Outcome {
    let urls: Vec<&str> = text.split_whitespace().filter_map(url_in).collect();
    let valid = urls.iter().filter(|url| is_valid(url)).count();
    let explanation =
        format!("{valid} of {} URLs are well formed. Whether they can be reached is not checked.", urls.len());
    Outcome::new(valid == urls.len(), explanation, json!({"urlCount": urls.len(), "validCount": valid}))
}

/// The URL in a piece of text without white space, without the signs that close a sentence or a bracket around it.
fn url_in(piece: &str) -> Option<&str> {
    let start = piece.find("https://").or_else(|| piece.find("http://"))?;
    piece
        .get(start..)
        .map(|url| url.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}', '>', '"', '\'', '*', '`']))
}

fn is_valid(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || is_domain(name),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    }
}

/// Whether a name has at least two labels of letters, digits and inner hyphens.
fn is_domain(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(is_inner)
    };
    name.contains('.') && name.len() <= 253 && name.split('.').all(is_label)
}
