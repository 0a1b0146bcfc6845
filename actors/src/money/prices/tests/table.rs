//! The way to the row that holds.

use gateway_wire::ServiceTier;
use serde_json::{Value, json};

use super::{at, row};
use crate::money::prices::PriceTable;

/// The source of the row that is found, which names it in these tests.
fn found(rows: &[Value], model: &str, tier: ServiceTier, time: &str) -> Option<String> {
    let table = PriceTable::new(rows.iter().cloned().map(row).collect());
    table.find("p", model, tier, at(time)).map(|price| price.source.clone())
}

const NOON: &str = "2026-11-25T12:00:00Z";

#[test]
fn a_name_wins_then_the_longest_pattern() {
    let rows = [
        json!({"model": "*", "source": "all"}),
        json!({"model": "gpt-*", "source": "short"}),
        json!({"model": "gpt-4o-2*", "source": "long"}),
        json!({"model": "gpt-4o", "source": "name"}),
    ];
    for (model, source) in [("gpt-4o", "name"), ("gpt-4o-2024", "long"), ("gpt-4", "short"), ("x", "all")] {
        assert_eq!(found(&rows, model, ServiceTier::Default, NOON).as_deref(), Some(source), "{model}");
    }
    assert_eq!(found(&rows[1..], "x", ServiceTier::Default, NOON), None);
}

/// H-3: a model of which a row cannot be read has no price, and is not billed by another row instead.
#[test]
fn h_3_a_model_without_a_readable_row_has_no_price() {
    let rows = [
        json!({"model": "*", "source": "all"}),
        json!({"model": "gpt-*", "source": "short"}),
        json!({"model": "gpt-4o", "source": "name"}),
        json!({"model": "gpt-4o-mini", "source": "other"}),
    ];
    let table = || PriceTable::new(rows.iter().cloned().map(row).collect());
    let prices = |table: PriceTable| {
        let source = |model| table.find("p", model, ServiceTier::Default, at(NOON)).map(|price| price.source.clone());
        ["gpt-4o", "gpt-4o-mini", "gpt-5", "x"].map(|model| source(model).unwrap_or_default())
    };
    assert_eq!(prices(table().without("p", "gpt-4o")), ["", "other", "short", "all"]);
    assert_eq!(prices(table().without("p", "gpt-*")), ["name", "other", "", "all"]);
    assert_eq!(prices(table().without("p", "new").without("q", "gpt-4o")), ["name", "other", "short", "all"]);
}

/// C3: a tier without a row costs as the default of the same model; only a default has a price for all.
#[test]
fn c3_a_tier_has_its_row_or_the_defaults() {
    let rows = [
        json!({"source": "default"}),
        json!({"service_tier": "flex", "source": "flex"}),
        json!({"model": "*", "service_tier": "priority", "source": "other"}),
    ];
    for (tier, source) in [
        (ServiceTier::Default, "default"),
        (ServiceTier::Flex, "flex"),
        (ServiceTier::Priority, "default"),
        (ServiceTier::Batch, "default"),
    ] {
        assert_eq!(found(&rows, "m", tier, NOON).as_deref(), Some(source), "{tier:?}");
    }
    assert_eq!(found(&rows[1..2], "m", ServiceTier::Default, NOON), None);
}

#[test]
fn the_newest_row_in_force_wins() {
    let rows = [
        json!({"effective_from": "2026-11-25", "source": "november"}),
        json!({"source": "ever"}),
        json!({"effective_from": "2026-12-01", "source": "december"}),
        json!({"effective_from": "2027-01-01", "service_tier": "flex", "source": "flex"}),
    ];
    for (time, source) in [
        ("2026-11-24T23:59:59Z", "ever"),
        ("2026-11-25T00:00:00Z", "november"),
        ("2026-11-30T23:59:59Z", "november"),
        ("2026-12-01T00:00:00Z", "december"),
        ("2030-01-01T00:00:00Z", "december"),
    ] {
        assert_eq!(found(&rows, "m", ServiceTier::Default, time).as_deref(), Some(source), "{time}");
    }
    assert_eq!(found(&rows, "m", ServiceTier::Flex, "2026-12-31T00:00:00Z").as_deref(), Some("december"));
    assert_eq!(found(&rows, "m", ServiceTier::Flex, "2027-01-01T00:00:00Z").as_deref(), Some("flex"));
}

#[test]
fn a_name_without_a_row_in_force_leaves_it_to_the_patterns() {
    let rows = [json!({"effective_from": "2027-01-01", "source": "later"}), json!({"model": "*", "source": "all"})];
    assert_eq!(found(&rows, "m", ServiceTier::Default, NOON).as_deref(), Some("all"));
    assert_eq!(found(&rows[..1], "m", ServiceTier::Default, NOON), None);
}

#[test]
fn of_two_alike_the_later_wins() {
    let rows = [json!({"source": "first"}), json!({"source": "second"})];
    assert_eq!(found(&rows, "m", ServiceTier::Default, NOON).as_deref(), Some("second"));
}

#[test]
fn models_are_told_once_and_in_order() {
    let rows = [json!({"model": "b"}), json!({"model": "a"}), json!({"model": "b", "service_tier": "flex"})];
    let table = PriceTable::new(rows.into_iter().chain([json!({"model": "c*"})]).map(row).collect());
    assert_eq!(table.models().collect::<Vec<_>>(), [("p", "b"), ("p", "a")]);
    assert!(table.names("p", "a") && !table.names("p", "c*") && !table.names("p", "c1") && !table.names("q", "a"));
    assert_eq!(table.rows().len(), 4);
}
