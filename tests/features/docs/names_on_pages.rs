//! No page names a key, a metric or a header that does not exist.

use std::collections::BTreeSet;

use super::book::Page;
use super::names::{configuration_keys, metrics};
use super::sources::{is_made_of, runs, words};
use crate::harness::{Request, Setup};

/// Fails with what the pages say and nobody knows.
#[track_caller]
fn assert_known(said: impl Iterator<Item = (String, String)>, is_known: impl Fn(&str) -> bool) {
    let unknown: BTreeSet<(String, String)> = said.filter(|(_, name)| !is_known(name)).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// The words in code on the pages, made of such characters.
fn said(is_part: fn(char) -> bool) -> impl Iterator<Item = (String, String)> {
    Page::all().into_iter().flat_map(move |page| {
        let queries = page.blocks().into_iter().filter(|block| block.kind == "text").map(|block| block.text);
        let texts: Vec<String> = page.code_spans().into_iter().chain(queries).collect();
        let found: Vec<String> =
            texts.iter().flat_map(|text| runs(text, is_part)).map(|run| run.trim_matches('.').to_owned()).collect();
        found.into_iter().map(move |run| (page.path.clone(), run))
    })
}

/// `budgets.shorten_answers`, `providers.openai.base_url`, and `timeouts.total_ms` as part of a provider's.
#[tokio::test]
async fn every_configuration_key_on_a_page_exists() {
    let keys: BTreeSet<String> = configuration_keys().await.into_keys().collect();
    let sections: BTreeSet<&str> = keys.iter().filter_map(|key| key.split('.').next()).collect();
    let fields = Page::read("docs/src/reference/routing-config.md").first_column("");
    let is_key = move |path: &str| {
        let first = path.split('.').next().unwrap_or_default();
        let is_file = [".toml", ".rs", ".md", ".json", ".db", ".log"].iter().any(|ending| path.ends_with(ending));
        let is_part = ["timeouts", "breaker"].contains(&first);
        path.contains('.') && !is_file && (sections.contains(first) || is_part)
    };
    let is_known = |path: &str| {
        let mut parts: Vec<&str> = path.split('.').collect();
        if ["providers", "configs", "models"].contains(&parts[0]) {
            parts[1] = "NAME";
        }
        let path = parts.join(".");
        let section = format!("{path}.");
        keys.contains(&path)
            || keys.contains(&format!("providers.NAME.{path}"))
            || keys.iter().any(|key| key.starts_with(&section))
            || path.starts_with("configs.NAME.")
            || fields.contains(&path)
            // An action of the audit log.
            || path == "cache.forget"
    };
    let said = said(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c)).filter(|(_, run)| is_key(run));
    assert_known(said, is_known);
}

/// Names that begin or end as metrics do.
#[test]
fn every_metric_on_a_page_exists() {
    let metrics = metrics();
    let others = [
        Page::read("docs/src/reference/error-codes.md").first_column(""),
        Page::read("docs/src/reference/database.md").first_column(""),
    ];
    let looks_so = |name: &str| {
        let begins = ["llm_", "gateway_", "semantic_cache_"].iter().any(|beginning| name.starts_with(beginning));
        (begins || name.ends_with("_total")) && is_made_of(name, "_")
    };
    let is_known = |name: &str| {
        let series = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending));
        metrics.contains(name)
            || series.is_some_and(|name| metrics.contains(name))
            || others.iter().any(|names| names.contains(name))
    };
    assert_known(said(|c| c.is_ascii_alphanumeric() || c == '_').filter(|(_, run)| looks_so(run)), is_known);
}

/// Headers of the gateway's own that pages, answers or the program name stand in the tables; what stands there is in the
/// program.
#[tokio::test]
async fn every_header_exists_and_is_listed() {
    let page = Page::read("docs/src/reference/headers.md");
    let mut listed = page.first_column("Request headers");
    listed.extend(page.first_column("Response headers"));
    let words = words();
    let own = |name: &str| {
        let kinds = ["x-portkey-", "x-gateway-", "x-ratelimit-", "x-request-", "x-should-"];
        // A name that ends so stands for many.
        kinds.iter().any(|kind| name.starts_with(kind)) && !name.ends_with('-')
    };
    assert_known(
        said(|c| c.is_ascii_alphanumeric() || c == '-')
            .chain(words.iter().map(|word| ("the program".to_owned(), word.clone())))
            .filter(|(_, name)| own(name)),
        |name| listed.contains(name) || name == "x-portkey-forward-headers",
    );
    let text: String = super::sources::Source::all().into_iter().map(|source| source.text).collect();
    let constant = |name: &str| name.to_uppercase().replace('-', "_");
    let invented: Vec<_> =
        listed.iter().filter(|name| !words.contains(*name) && !text.contains(&constant(name))).collect();
    assert!(invented.is_empty(), "not in the program: {invented:?}");
    assert_known(answered().await.into_iter(), |name| listed.contains(name));
}

/// The headers of answers of many kinds, without those that frame every message.
async fn answered() -> Vec<(String, String)> {
    let setup = Setup::new().toml("[server]\ncors = [\"https://app.example\"]");
    let gateway = setup.start().await;
    let key = gateway.new_key(serde_json::json!({ "rate_limit": 100, "tokens_per_minute": 100_000 })).await;
    let page = |request: Request| request.header("origin", "https://app.example");
    let preflight = Request::new("OPTIONS", "/v1/chat/completions").header("access-control-request-method", "POST");
    let requests = [
        page(Request::hello(&key, "sim-text")).header("x-portkey-cache", "simple"),
        Request::hello(&key, "sim-text").header("x-portkey-cache", "simple"),
        Request::hello(&key, "sim-status-429"),
        Request::hello(&key, "sim-text").header("x-portkey-config", r#"{"provider": "simulator", "zzz": 1}"#),
        Request::hello("vk-wrong", "sim-text"),
        Request::hello(&key, "sim-text").header("content-encoding", "odd"),
        Request::streamed_hello(&key, "sim-text"),
        Request::get("/admin/limits"),
        page(preflight.header("access-control-request-headers", "authorization")),
    ];
    let mut found = Vec::new();
    for (at, request) in requests.into_iter().enumerate() {
        let framing = ["content-type", "content-length", "transfer-encoding", "date", "connection"];
        let answer = gateway.ask(request).await;
        let names = answer.head.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
        found.extend(names.filter(|name| !framing.contains(&name.as_str())).map(|name| (format!("answer {at}"), name)));
    }
    found
}
