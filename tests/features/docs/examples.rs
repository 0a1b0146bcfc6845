//! Every example runs to its good end.

use gateway_testkit::postgres::TestPostgres;
use gateway_testkit::redis::TestRedis;

use super::book::{ROOT, files_below};
use super::snippets::{command, free_port, succeed};
use crate::harness::gateway::PROGRAM;
use crate::harness::temp_dir::TempDir;

/// Runs an example with these variables.
async fn run(name: &str, variables: &[(&str, &str)]) {
    let folder = TempDir::new();
    let mut script = command(format!("{ROOT}/examples/{name}/run.sh"), &folder);
    script.env("GATEWAY_BIN", PROGRAM).env("PORT", free_port().to_string()).env("TMPDIR", folder.path());
    let out = succeed(script.envs(variables.iter().copied()), name).await;
    assert!(out.contains("ok: "), "{name} checks something: {out}");
    assert!(name == "faq-cache" || !out.contains("skipped"), "{name}: {out}");
}

macro_rules! examples {
    ($($test:ident: $name:literal,)*) => {
        const RUN: &[&str] = &["fleet", $($name),*];

        $(#[tokio::test]
        async fn $test() {
            run($name, &[]).await;
        })*
    };
}

examples! {
    the_example_ab_test_works: "ab-test",
    the_example_budgets_works: "budgets",
    the_example_fallback_works: "fallback",
    the_example_faq_cache_works: "faq-cache",
    the_example_ollama_only_works: "ollama-only",
}

/// With a real PostgreSQL and a real Redis.
#[tokio::test]
async fn the_example_fleet_works() {
    let (database, redis) = (TestPostgres::shared().database(), TestRedis::start());
    let other = free_port().to_string();
    run("fleet", &[("DATABASE_URL", &database), ("REDIS_URL", &redis.url()), ("OTHER_PORT", &other)]).await;
}

/// No example is left out above, and each has its page and its configuration.
#[test]
fn every_example_is_run() {
    let scripts = files_below("examples", "sh");
    let mut found: Vec<&str> =
        scripts.iter().filter_map(|path| path.strip_prefix("examples/")?.strip_suffix("/run.sh")).collect();
    let mut run = RUN.to_vec();
    run.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, run);
    for name in found {
        for file in ["README.md", "gateway.toml"] {
            assert!(std::path::Path::new(&format!("{ROOT}/examples/{name}/{file}")).is_file(), "{name}/{file}");
        }
    }
}
