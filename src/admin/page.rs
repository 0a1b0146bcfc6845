//! A part of a long list: `?limit=100&after=ID`, in the order of the whole list.

use serde::Deserialize;
use serde_json::{Value, json};

use super::AdminError;

/// The most entries of one page.
const MAX_LIMIT: usize = 1_000;

/// Which part is wanted; all where nothing is said.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Page {
    limit: Option<String>,
    after: Option<String>,
}

impl Page {
    /// The answer that holds the wanted part of a list, whose entries are named by `id`.
    pub(super) fn of<T>(
        &self,
        list: &[T],
        id: impl Fn(&T) -> String,
        view: impl Fn(&T) -> Value,
    ) -> Result<Value, AdminError> {
        let limit = match self.limit.as_deref().map(str::parse) {
            None => usize::MAX,
            Some(Ok(limit @ 1..=MAX_LIMIT)) => limit,
            Some(_) => return Err(AdminError::bad_field("limit", format!("must be a number from 1 to {MAX_LIMIT}"))),
        };
        let begin = match &self.after {
            None => 0,
            Some(after) => {
                let at = list.iter().position(|entry| id(entry) == *after);
                at.ok_or_else(|| AdminError::bad_field("after", "must be the last_id of the page before"))? + 1
            }
        };
        let rest = list.get(begin..).unwrap_or_default();
        let page = rest.get(..limit.min(rest.len())).unwrap_or_default();
        let data: Vec<Value> = page.iter().map(view).collect();
        let (has_more, last_id) = (rest.len() > page.len(), page.last().map(id));
        Ok(json!({ "object": "list", "data": data, "has_more": has_more, "last_id": last_id }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(limit: Option<&str>, after: Option<&str>) -> Result<Value, AdminError> {
        let page = Page { limit: limit.map(str::to_owned), after: after.map(str::to_owned) };
        page.of(&[1, 2, 3, 4, 5], ToString::to_string, |entry| json!(entry))
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        assert_eq!(page(None, None).unwrap()["data"], json!([1, 2, 3, 4, 5]));
        let first = page(Some("2"), None).unwrap();
        assert_eq!(first, json!({ "object": "list", "data": [1, 2], "has_more": true, "last_id": "2" }));
        assert_eq!(page(Some("2"), Some("2")).unwrap()["data"], json!([3, 4]));
        let last = page(Some("2"), Some("4")).unwrap();
        assert_eq!(last, json!({ "object": "list", "data": [5], "has_more": false, "last_id": "5" }));
        let beyond = page(Some("2"), Some("5")).unwrap();
        assert_eq!(beyond, json!({ "object": "list", "data": [], "has_more": false, "last_id": null }));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for (limit, after) in [(Some("0"), None), (Some("1001"), None), (Some("x"), None), (None, Some("9"))] {
            assert!(page(limit, after).is_err(), "{limit:?} {after:?}");
        }
    }
}
