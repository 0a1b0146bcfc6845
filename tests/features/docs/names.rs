//! Each reference page lists the names that the program has: no more and no fewer.

use std::collections::{BTreeMap, BTreeSet};

use gateway_actors::failure::{ATTEMPT_FAILURES, Code, FailureKind};
use serde_json::{Value, json};

use super::book::{Page, assert_same, spans};
use super::sources::{Source, is_made_of, words};
use crate::harness::gateway::ADMIN_TOKEN;
use crate::harness::{Request, Setup};

/// A provider of one line, which needs no address, and what else has no default: tables of names that the operator chooses.
const FILLED: &str = "[providers.acme]\ndialect = 'simulator'\n[configs.pc-x]\nprovider = 'simulator'\n[models.fast]\nconfig = 'pc-x'\n[guardrails.engines.e]\ntype = 'llama_guard'\nprovider = 'acme'\nmodel = 'x'\n[budgets.ceiling_price]\ninput = '15'\noutput = '75'";

/// The keys of a configuration with their values. What stands below `NAME` has any name.
fn keys(value: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    let is_named = ["providers", "configs", "models", "guardrails.engines"].contains(&path);
    let is_map = [".headers", ".entities"].iter().any(|end| path.ends_with(end));
    match value {
        Value::Object(object) if !is_map && path != "configs.NAME" => {
            for (name, value) in object {
                let name = if is_named { "NAME" } else { name };
                keys(value, format!("{path}.{name}").trim_start_matches('.'), found);
            }
        }
        _ => drop(found.insert(path.to_owned(), value.clone())),
    }
}

/// Every key of the configuration.
pub async fn configuration_keys() -> BTreeMap<String, Value> {
    let gateway = Setup::new().toml(FILLED).start().await;
    let mut config = gateway.admin("GET", "/admin/config", None).await.expect(200).json();
    let object = config.as_object_mut().unwrap();
    // These tell of variables, and are no keys.
    for name in ["environment", "admin_token", "master_key", "alert_webhook_token"] {
        object.remove(name).expect("a field of the answer");
    }
    // Each field that a provider can have is shown for each one; the new one has its defaults.
    let acme = object["providers"]["acme"].clone();
    object.insert("providers".to_owned(), json!({ "acme": acme }));
    let mut found = BTreeMap::new();
    keys(&config, "", &mut found);
    found
}

/// The defaults that the file that comes with the gateway tells.
fn shipped_defaults() -> BTreeMap<String, Value> {
    let text = Page::read("config/gateway.toml").text.replace("\n#= ", "\n");
    let mut found = BTreeMap::new();
    keys(&serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap(), "", &mut found);
    found
}

/// Every key stands on the page with its default.
#[tokio::test]
async fn the_page_of_the_configuration_has_every_key_and_default() {
    let page = Page::read("docs/src/reference/configuration.md");
    let real = configuration_keys().await;
    assert_same("configuration.md", &real.keys().cloned().collect(), &page.first_column(""));
    let shipped = shipped_defaults();
    for row in page.rows("") {
        let key = &spans(&row[0])[0];
        let told = match row[1].as_str() {
            "required" => continue,
            "none" => Value::Null,
            text => {
                let text = text.trim_matches('`');
                let table: toml::Table = format!("v = {text}").parse().unwrap_or_else(|_| panic!("{key}: {text}"));
                serde_json::to_value(&table["v"]).unwrap()
            }
        };
        let real = match shipped.get(key) {
            Some(default) => default,
            None if key.starts_with("providers.") || key.starts_with("guardrails.engines.") => &real[key],
            // Without a default, the file shows an example of it behind a `#`.
            None => &Value::Null,
        };
        assert_eq!(&told, real, "the default of {key}");
    }
}

/// The names of all metrics, from where they are registered.
pub fn metrics() -> BTreeSet<String> {
    const BEGINNINGS: [&str; 6] = ["llm_", "gateway_", "cache_", "guardrail_", "semantic_cache_", "budget_alerts"];
    let sources = Source::all();
    let registering = sources.iter().filter(|source| source.text.contains("prometheus::"));
    let literals = registering.flat_map(Source::literals).map(|literal| literal.word);
    let is_metric = |word: &&str| {
        let begins = BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)) || word.starts_with("price_lookup");
        begins && is_made_of(word, "_")
    };
    literals.filter(is_metric).map(str::to_owned).collect()
}

/// Every metric that is registered stands on the page, and a scrape has no other.
#[tokio::test]
async fn the_page_of_the_metrics_has_every_metric() {
    let page = Page::read("docs/src/reference/metrics.md");
    let listed: BTreeSet<String> = page.first_column("").difference(&page.first_column("Outcomes")).cloned().collect();
    assert_same("metrics.md", &metrics(), &listed);
    for row in page.rows("").iter().filter(|row| row.len() == 4) {
        // Those with labels are in a scrape only once they have a value; counters have a name of their own kind.
        assert_eq!(row[0].contains("_total"), row[1] == "counter", "the type of {}", row[0]);
    }
    let (gateway, key) = Setup::new().start().await.with_key().await;
    gateway.ask(Request::hello(&key, "sim-text")).await.expect(200);
    for line in gateway.scrape().await.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().unwrap();
        let row = page.rows("").into_iter().find(|row| spans(&row[0]) == [name]).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(line.strip_prefix(name).unwrap().trim(), row[1], "the type of {name}");
    }
}

/// OpenAI's types of errors, behind which a code stands in the program.
const ERROR_TYPES: [&str; 7] = [
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "rate_limit_error",
    "insufficient_quota",
    "timeout_error",
    "api_error",
];

/// Words of vendors that the program knows to read, and never says by itself.
const VENDOR_WORDS: [&str; 1] = ["billing_hard_limit_reached"];

/// Types of errors in other client formats, which the page tells in a table of their own.
const OTHER_TYPES: [&str; 6] = [
    "authentication_error",
    "not_found_error",
    "overloaded_error",
    "permission_error",
    "rate_limit_error",
    "timeout_error",
];

/// The codes of errors as the program's tables have them: behind a type, or last in a row.
fn error_codes() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for source in Source::all() {
        let makes_errors = ["ErrorBody", "stream_error", "FailureKind"].iter().any(|name| source.text.contains(name));
        for literal in source.literals() {
            let before = literal.before.trim_end().strip_suffix(',').unwrap_or_default();
            let follows_type = ERROR_TYPES.iter().any(|kind| before.ends_with(&format!("\"{kind}\"")));
            let after = literal.after.strip_prefix(',').unwrap_or(literal.after).trim_start();
            let is_last = makes_errors && !before.is_empty() && after.starts_with(')') && literal.word.contains('_');
            if (follows_type || is_last) && is_made_of(literal.word, "_") {
                codes.insert(literal.word.to_owned());
            }
        }
    }
    let known = |code: &String| VENDOR_WORDS.contains(&code.as_str()) || OTHER_TYPES.contains(&code.as_str());
    codes.into_iter().filter(|code| !known(code)).collect()
}

/// Every code that the program can answer stands on the page, and the page has no other.
#[test]
fn the_page_of_the_error_codes_has_every_code() {
    let page = Page::read("docs/src/reference/error-codes.md");
    let listed: BTreeSet<String> =
        page.first_column("").into_iter().filter(|code| code.chars().any(|c| !c.is_ascii_digit())).collect();
    let missing: Vec<String> = error_codes().difference(&listed).cloned().collect();
    assert!(missing.is_empty(), "not on the page: {missing:?}");
    let words = words();
    let invented: Vec<&String> = listed.iter().filter(|code| !words.contains(*code)).collect();
    assert!(invented.is_empty(), "not real: {invented:?}");
}

/// The page tells of each failure what the table of failures has: status, type, whom it blames, and whether it was sent.
#[test]
fn the_page_of_the_error_codes_tells_what_the_table_of_failures_has() {
    let page = Page::read("docs/src/reference/error-codes.md");
    let row_of = |heading: &str, code: &str| {
        let rows = page.rows(heading).into_iter();
        rows.filter(|row| row.len() > 3).find(|row| spans(&row[0]) == [code]).unwrap_or_else(|| panic!("{code}"))
    };
    for code in Code::ALL {
        let failure = code.row();
        let row = row_of("Codes of the gateway", failure.code);
        assert_eq!(row[1], failure.status.to_string(), "the status of {}", failure.code);
        assert_eq!(spans(&row[2]), [failure.error_type], "the type of {}", failure.code);
    }
    for kind in ATTEMPT_FAILURES {
        let failure = kind.row();
        let row = row_of("Codes of an attempt", failure.code);
        let meaning = &row[4];
        assert_eq!(!failure.was_sent, meaning.contains("fallback always"), "whether {} was sent", failure.code);
        if matches!(kind, FailureKind::Status(_)) {
            assert_eq!(row[3], "5xx only");
            assert_eq!(failure.blames_provider, failure.status >= 500, "{}", failure.status);
            continue;
        }
        assert_eq!(row[3] == "yes", failure.blames_provider, "whether the breaker counts {}", failure.code);
        // A code with two statuses has the rarer one in its meaning.
        let told = |cell: &str, text: &str| cell == text || spans(cell) == [text] || meaning.contains(text);
        assert!(told(&row[1], &failure.status.to_string()), "the status of {}", failure.code);
        assert!(told(&row[2], failure.error_type), "the type of {}", failure.code);
    }
}

/// The rows of the first table of a page of providers: name, dialect, and what else stands there.
fn provider_rows(page: &str, heading: &str) -> BTreeMap<String, Vec<String>> {
    let rows = Page::read(page).rows(heading).into_iter();
    rows.filter_map(|row| Some((spans(&row[0]).first()?.clone(), row))).collect()
}

/// The table of the providers tells what the catalogue has, and README's table names the same.
#[test]
fn the_page_of_the_providers_has_every_provider() {
    let catalogue: toml::Table = Page::read("config/providers.toml").text.parse().unwrap();
    let names: BTreeSet<String> = catalogue.keys().cloned().collect();
    let page = provider_rows("docs/src/reference/providers.md", "# Providers");
    assert_same("providers.md", &names, &page.keys().cloned().collect());
    let readme = provider_rows("README.md", "Providers and endpoints");
    assert_same("README.md", &names, &readme.keys().cloned().collect());
    for (name, settings) in &catalogue {
        let text = |field: &str| settings.get(field).map(|value| value.as_str().unwrap().to_owned());
        let one = |text: Option<String>| text.into_iter().collect::<Vec<_>>();
        let row = &page[name];
        assert_eq!(spans(&row[1]), one(text("dialect")), "the format of {name}");
        assert_eq!(spans(&row[2]), one(text("api_key_env")), "the credential of {name}");
        assert_eq!(spans(&row[3]), one(text("base_url").or(text("base_url_env"))), "the address of {name}");
        let models = settings.get("models").and_then(toml::Value::as_array).cloned().unwrap_or_default();
        let models: Vec<&str> = models.iter().filter_map(toml::Value::as_str).collect();
        assert_eq!(spans(&row[4]), models, "the models of {name}");
        assert_eq!(Some(&readme[name][4]), text("dialect").as_ref(), "the format of {name} in README");
    }
}

/// The methods that a route of the page may have.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Every route that is registered stands on the page, with just its methods.
#[tokio::test]
async fn the_page_of_the_api_has_every_route() {
    let page = Page::read("docs/src/reference/http-api.md").first_column("");
    let page: BTreeSet<(String, String)> = page
        .iter()
        .filter_map(|cell| cell.split_once(' ').filter(|(_, path)| path.starts_with('/')))
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    assert_every_route("http-api.md", &page).await;
}

/// Fails unless these are the routes of the program, with just their methods.
pub async fn assert_every_route(what: &str, listed: &BTreeSet<(String, String)>) {
    let paths: BTreeSet<String> = listed.iter().map(|(_, path)| path.clone()).collect();
    assert_same(what, &registered_paths(), &paths);
    let gateway = Setup::new().start().await;
    for path in paths {
        for method in METHODS {
            let address = path.replace("{vk}", "none").replace("{id}", "x").replace("{model}", "none");
            let answer = gateway.ask(Request::new(method, &address).key(ADMIN_TOKEN)).await;
            let exists = answer.status != 405 && !answer.text().contains("no such route");
            assert_eq!(listed.contains(&(method.to_owned(), path.clone())), exists, "{method} {path}: {answer:?}");
        }
    }
}

/// The paths of the program: those of its list, and those of resources below `/admin` and beside.
fn registered_paths() -> BTreeSet<String> {
    let mut paths: BTreeSet<String> =
        gateway::api::routes::ROUTES.iter().map(|route| route.path.replace(":.*}", "}")).collect();
    for source in Source::all() {
        let below = if source.path.contains("admin") { "/admin" } else { "" };
        for literal in source.literals() {
            let is_route = ["resource(", ".route("].iter().any(|call| literal.before.ends_with(call));
            if is_route && literal.word.starts_with('/') {
                paths.insert(format!("{below}{}", literal.word));
            }
        }
    }
    paths
}
