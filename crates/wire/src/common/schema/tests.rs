use serde_json::{Map, json};

use super::*;

type Transform = fn(&JsonText) -> JsonText;

fn told(transform: Transform, schema: Value) -> Value {
    transform(&JsonText::from(schema)).value()
}

/// claude-schema: what Anthropic answers with 400 is closed or told in words, as its own SDK does.
#[test]
fn j19_anthropic_takes_what_is_told() {
    let cases = [
        (
            json!({"type": "integer", "minimum": 1, "maximum": 10, "description": "A number"}),
            json!({"type": "integer", "description": "A number\n\n{minimum: 1, maximum: 10}"}),
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": true}),
            json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}),
        ),
        (json!({"type": "object"}), json!({"type": "object", "properties": {}, "additionalProperties": false})),
        (
            json!({"oneOf": [{"type": "string", "format": "iri"}, {"type": "array", "items": {"type": "number"}, "minItems": 3}]}),
            json!({"anyOf": [{"type": "string", "description": "{format: \"iri\"}"},
                {"type": "array", "items": {"type": "number"}, "description": "{minItems: 3}"}]}),
        ),
        (
            json!({"type": "array", "minItems": 1, "items": {"type": "string", "format": "date"}}),
            json!({"type": "array", "minItems": 1, "items": {"type": "string", "format": "date"}}),
        ),
        (
            json!({"type": ["object", "null"], "properties": {"a": {"enum": [1, null]}}, "required": ["a"]}),
            json!({"type": ["object", "null"], "properties": {"a": {"enum": [1, null]}}, "required": ["a"],
                "additionalProperties": false}),
        ),
        (
            json!({"properties": {"a": {"$ref": "#/$defs/a", "description": "x"}}, "$defs": {"a": {"type": "null"}}}),
            json!({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "null"}}, "type": "object",
                "additionalProperties": false}),
        ),
    ];
    for (given, expected) in cases {
        assert_eq!(told(for_anthropic, given.clone()), expected, "{given}");
    }
}

/// OpenAI's strict mode requires every property, and knows bounds.
#[test]
fn j19_strict_mode_requires_every_property() {
    let schema = json!({"type": "object", "properties": {
        "a": {"type": "integer", "minimum": 1, "default": 3}, "b": {"type": "string", "minLength": 2, "format": "uri"},
        "c": {"type": "object", "properties": {"d": {"type": "string", "pattern": "^x"}}}}, "required": ["b"]});
    let expected = json!({"type": "object", "properties": {
        "a": {"type": "integer", "minimum": 1, "description": "{default: 3}"},
        "b": {"type": "string", "description": "{minLength: 2, format: \"uri\"}"},
        "c": {"type": "object", "properties": {"d": {"type": "string", "pattern": "^x"}}, "additionalProperties": false,
            "required": ["d"]}}, "additionalProperties": false, "required": ["a", "b", "c"]});
    assert_eq!(told(for_open_ai_strict, schema), expected);
}

/// Schemas that must hold all at once become one, through references too.
#[test]
fn j19_what_must_hold_at_once_is_merged() {
    let corpus = corpus();
    let whole = told(for_anthropic, corpus["pydantic_v1"].clone());
    assert_eq!(whole["properties"]["level"], json!({"$ref": "#/definitions/Level"}));
    let who = json!({"type": "object", "properties": {"name": {"type": "string"}, "nick": {"type": "string"},
        "age": {"type": "integer", "description": "{minimum: 0}"}}, "required": ["name", "age"],
        "additionalProperties": false});
    assert_eq!(whole["properties"]["who"], who);
    let torn = json!({"allOf": [{"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["b"]}]});
    assert_eq!(told(for_anthropic, torn.clone()), torn);
    let both = json!({"allOf": [{"description": "x"}, {"type": "string", "description": "y"}], "title": "t"});
    assert_eq!(told(for_anthropic, both), json!({"title": "t", "description": "x\n\ny", "type": "string"}));
}

/// A root that names one of its definitions is that definition; one without end stays.
#[test]
fn j19_a_root_is_unrolled() {
    let search = told(for_anthropic, corpus()["search_entities"].clone());
    assert_eq!(search["properties"]["filter"], json!({"$ref": "#/definitions/Filter"}));
    assert_eq!(search["required"], json!(["filter"]));
    assert_eq!(search["definitions"]["Filter"]["anyOf"][0], json!({"$ref": "#/definitions/And"}));
    for round in [json!({"$ref": "#"}), json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}})] {
        assert_eq!(told(for_anthropic, round.clone()), round);
    }
}

fn corpus() -> Map<String, Value> {
    serde_json::from_str(include_str!("fixtures/mcp.json")).unwrap()
}

/// Calls `see` with each schema in a schema.
fn each(schema: &Value, see: &mut dyn FnMut(&Map<String, Value>)) {
    let Some(map) = schema.as_object() else { return };
    see(map);
    for (keyword, value) in map {
        match keyword.as_str() {
            "properties" | "$defs" | "definitions" => value.as_object().unwrap().values().for_each(|s| each(s, see)),
            "anyOf" | "allOf" | "oneOf" => value.as_array().unwrap().iter().for_each(|s| each(s, see)),
            "items" if value.is_object() => each(value, see),
            _ => {}
        }
    }
}

/// J19: tools as MCP servers offer them keep their required names, enumerations and nesting, and have nothing that the
/// vendor refuses; twice is the same as once.
#[test]
fn j19_tools_of_mcp_servers_pass() {
    let shared = [
        "type",
        "properties",
        "required",
        "items",
        "anyOf",
        "enum",
        "const",
        "$ref",
        "$defs",
        "definitions",
        "description",
        "title",
        "additionalProperties",
        "format",
        "minItems",
    ];
    let strict = ["pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "maxItems"];
    let transforms: [(Transform, &[&str]); 2] = [(for_anthropic, &[]), (for_open_ai_strict, &strict)];
    for (name, schema) in corpus() {
        for (transform, more) in transforms {
            let once = transform(&JsonText::from(schema.clone()));
            assert_eq!(transform(&once), once, "{name}");
            let (mut facts, mut kept) = ((0, 0, 0), (0, 0, 0));
            let count = |facts: &mut (usize, usize, usize), map: &Map<String, Value>| {
                facts.0 += map.get("properties").and_then(Value::as_object).map_or(0, Map::len);
                facts.1 += usize::from(map.contains_key("enum") || map.contains_key("const"));
                facts.2 += map.get("required").and_then(Value::as_array).map_or(0, Vec::len);
            };
            // What is unrolled or merged may stand twice.
            each(&schema, &mut |map| count(&mut facts, map));
            each(&once.value(), &mut |map| {
                count(&mut kept, map);
                assert!(
                    map.keys().all(|key| shared.contains(&key.as_str()) || more.contains(&key.as_str())),
                    "{name}: {map:?}"
                );
                let is_object = map.get("type").is_some_and(|kind| kind == "object");
                assert_eq!(is_object, map.get("additionalProperties") == Some(&json!(false)), "{name}: {map:?}");
            });
            let in_words = usize::from(name == "browser_click") * 2;
            assert!(
                kept.0 >= facts.0 && kept.1 >= facts.1 && kept.2 + in_words >= facts.2,
                "{name}: {kept:?} of {facts:?}"
            );
        }
    }
}

/// Hostile schemas end soon: references that multiply, rounds of them, and nesting without end.
#[test]
fn j19_hostile_schemas_end_soon() {
    let mut defs = Map::new();
    for at in 0..60 {
        let next = json!({"allOf": [{"$ref": format!("#/$defs/d{}", (at + 1) % 60)}, {"title": "t"}]});
        defs.insert(format!("d{at}"), json!({"type": "object", "properties": {"x": next, "y": next}}));
    }
    defs.insert("self".to_owned(), json!({"allOf": [{"$ref": "#/$defs/self"}, {"type": "object"}]}));
    let schema = JsonText::from(json!({"allOf": [{"$ref": "#/$defs/d0"}, {"$ref": "#/$defs/self"}], "$defs": defs}));
    for transform in [for_anthropic, for_open_ai_strict] {
        assert!(transform(&schema).as_str().len() < 100_000);
        let deep = JsonText::parse(&format!("{}{{}}{}", "{\"items\":".repeat(100_000), "}".repeat(100_000))).unwrap();
        assert_eq!(transform(&deep), deep);
        let list = JsonText::parse("[1]").unwrap();
        assert_eq!(transform(&list), list);
    }
}

/// A schema of random keywords, some of them where they do not belong.
fn random_schema(state: &mut u64, depth: usize) -> Value {
    let mut pick = |end: u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) % end
    };
    let count = pick(5);
    let keywords: Vec<u64> = (0..count).map(|_| pick(18)).collect();
    let (small, leaf) = (pick(3), depth > 3);
    let mut schema = Map::new();
    for keyword in keywords {
        let mut inner = || if leaf { json!({"type": "string"}) } else { random_schema(state, depth + 1) };
        let (name, value) = match keyword {
            0 => ("type", json!(["object", "array", "string"][small as usize])),
            1 => ("type", json!(["object", "null"])),
            2 => ("properties", json!({"a": inner(), "b": inner()})),
            3 => ("required", json!(["a"])),
            4 => ("items", inner()),
            5 => ("anyOf", json!([inner(), inner()])),
            6 => ("oneOf", json!([inner(), {"required": ["b"]}])),
            7 => ("oneOf", json!([inner()])),
            8 => ("allOf", json!([inner(), inner()])),
            9 => ("allOf", json!([{"$ref": "#/$defs/x"}, inner()])),
            10 => ("allOf", json!([{"$ref": "#/$defs/y"}])),
            11 => ("$ref", json!("#/$defs/x")),
            12 => ("$defs", json!({"x": inner(), "y": inner()})),
            13 => ("description", json!("d")),
            14 => ("format", json!(["uri", "odd", "date"][small as usize])),
            15 => ("minItems", json!(small)),
            16 => ("additionalProperties", inner()),
            _ => ("enum", json!(["a", null, small])),
        };
        schema.insert(name.to_owned(), value);
    }
    Value::Object(schema)
}

/// J19: for any schema, twice is the same as once, and every object is closed.
#[test]
fn j19_any_schema_is_transformed_once() {
    let mut state = 19;
    for _ in 0..500 {
        let mut schema = random_schema(&mut state, 0);
        schema["$defs"] = json!({"x": random_schema(&mut state, 2), "y": random_schema(&mut state, 2)});
        let schema = JsonText::from(schema);
        for transform in [for_anthropic, for_open_ai_strict] {
            let once = transform(&schema);
            assert_eq!(transform(&once), once, "{schema:?}");
            each(&once.value(), &mut |map| {
                let closed = map.get("additionalProperties") == Some(&json!(false));
                assert!(closed || map.get("type").is_none_or(|kind| kind != "object"), "{schema:?} became {once:?}");
                assert!(!map.contains_key("oneOf"), "{schema:?} became {once:?}");
            });
        }
    }
}
