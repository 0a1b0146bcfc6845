//! Rows on their way through JSON, and what is wrong with some.

use serde_json::json;

use super::row;
use crate::money::prices::Price;

/// Amounts are told as texts, absent fields not at all, and the row comes back as it was.
#[test]
fn a_row_travels_through_json() {
    let told = json!({
        "provider": "p", "model": "m-*", "service_tier": "flex", "effective_from": "2026-11-25", "input": "0.15",
        "output": "2", "cached_input": "0.075", "above": [{"tokens": 1000, "input": "1", "output": "3"}],
        "max_output_tokens": 4096, "source": "https://example.com, 2026-11-25",
    });
    let price: Price = serde_json::from_value(told.clone()).unwrap();
    assert_eq!(serde_json::to_value(&price).unwrap(), told);
    let numbers = r#"{"provider":"p","model":"m","input":0.1,"output":3,"source":"s"}"#;
    let price: Price = serde_json::from_str(numbers).unwrap();
    assert_eq!((price.input.to_string().as_str(), price.output.to_string().as_str()), ("0.1", "3"));
}

#[test]
fn fields_that_cannot_be_read_are_refused() {
    let base = json!({"provider": "p", "model": "m", "input": "1", "output": "2", "source": "s"});
    for (field, value) in [
        ("input", json!("-1")),
        ("input", json!(null)),
        ("output", json!("0.0000001")),
        ("service_tier", json!("slow")),
        ("effective_from", json!("tomorrow")),
        ("max_output_tokens", json!(-1)),
        ("inptu", json!("1")),
        ("above", json!([{"tokens": 1, "input": "1", "output": "1", "odd": 1}])),
    ] {
        let mut row = base.clone();
        row[field] = value;
        assert!(serde_json::from_value::<Price>(row).is_err(), "{field}");
    }
    for field in ["provider", "model", "input", "output", "source"] {
        let mut row = base.clone();
        row.as_object_mut().unwrap().remove(field);
        let error = serde_json::from_value::<Price>(row).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}

#[test]
fn a_wrong_field_is_named() {
    assert_eq!(row(json!({})).validate(), Ok(()));
    let tier = |tokens| json!({"tokens": tokens, "input": "1", "output": "1"});
    for (fields, named) in [
        (json!({"provider": ""}), "provider"),
        (json!({"provider": "open*"}), "provider"),
        (json!({"model": " gpt"}), "model"),
        (json!({"source": " "}), "source"),
        (json!({"max_output_tokens": 0}), "max_output_tokens"),
        (json!({"above": [tier(0)]}), "above[0].tokens"),
        (json!({"above": [tier(2), tier(2)]}), "above[1].tokens"),
    ] {
        assert_eq!(row(fields).validate().unwrap_err().field, named);
    }
}
