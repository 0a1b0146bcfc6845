//! Citations, which Anthropic has in many forms and OpenAI as annotations of a text.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::JsonText;

/// The field of an annotation that keeps the citation as Anthropic gave it, so that it can go back.
const OWN: &str = "anthropic_citation";

/// The annotation for a citation of Anthropic's, of the text between two places of its block, in characters.
pub fn annotation_of(citation: &Value, start: usize, end: usize) -> JsonText {
    let Some(url) = citation.get("url").and_then(Value::as_str) else {
        return json!({"type": "citation", OWN: citation}).into();
    };
    let title = citation.get("title").and_then(Value::as_str).unwrap_or(url);
    let mut annotation = json!({"type": "url_citation",
        "url_citation": {"start_index": start, "end_index": end, "url": url, "title": title}});
    // One that the gateway made for a client of the Messages API has no index, and is refused by Anthropic.
    if citation.get("encrypted_index").is_none_or(|index| index != "") {
        annotation[OWN] = citation.clone();
    }
    annotation.into()
}

/// The citation for an annotation: Anthropic's own as it came, and a page of the web in the form of one.
pub fn citation_of(annotation: &JsonText) -> Option<JsonText> {
    own_citation(annotation).or_else(|| {
        let annotation = annotation.value();
        let page = annotation.get("url_citation").unwrap_or(&annotation);
        let url = page.get("url")?.as_str()?;
        let title = page.get("title").and_then(Value::as_str).unwrap_or(url);
        let citation = json!({"type": "web_search_result_location", "cited_text": "", "url": url, "title": title,
            "encrypted_index": ""});
        Some(citation.into())
    })
}

/// The citation that Anthropic itself gave, if it is one of those.
pub fn own_citation(annotation: &JsonText) -> Option<JsonText> {
    #[derive(serde::Deserialize)]
    struct Own<'a> {
        #[serde(borrow)]
        anthropic_citation: Option<&'a RawValue>,
    }
    serde_json::from_str::<Own<'_>>(annotation.as_str()).ok()?.anthropic_citation.map(JsonText::from)
}

/// The annotation as OpenAI's formats have it; none where they have no counterpart.
pub fn plain_annotation(annotation: &JsonText) -> Option<JsonText> {
    if !annotation.as_str().contains(OWN) {
        return Some(annotation.clone());
    }
    let mut fields: Map<String, Value> = annotation.read().ok()?;
    fields.shift_remove(OWN);
    fields.contains_key("url_citation").then(|| Value::Object(fields).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_goes_there_and_back() {
        let citation = json!({"type": "web_search_result_location", "url": "https://a", "title": "A", "cited_text": "x",
            "encrypted_index": "E"});
        let annotation = annotation_of(&citation, 2, 5);
        assert_eq!(citation_of(&annotation).unwrap().value(), citation);
        let plain = json!({"type": "url_citation",
            "url_citation": {"start_index": 2, "end_index": 5, "url": "https://a", "title": "A"}});
        assert_eq!(plain_annotation(&annotation).unwrap().value(), plain);
        // Another vendor's comes back without a claim to be Anthropic's.
        let made = citation_of(&plain.clone().into()).unwrap().value();
        assert_eq!((made["url"].as_str(), made["encrypted_index"].as_str()), (Some("https://a"), Some("")));
        assert_eq!(own_citation(&annotation_of(&made, 2, 5)), None);
    }

    #[test]
    fn a_place_in_a_document_has_no_counterpart() {
        let citation = json!({"type": "char_location", "document_index": 0, "start_char_index": 1});
        let annotation = annotation_of(&citation, 0, 1);
        assert_eq!(plain_annotation(&annotation), None);
        assert_eq!(own_citation(&annotation).unwrap().value(), citation);
    }
}
