use std::collections::HashMap;

use super::layers::tree_of;
use super::renamed::RENAMED;
use super::*;

fn environment(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn problems(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let problems = load(Some(file), &environment(variables)).expect_err("the configuration is wrong");
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn the_empty_file_gives_the_defaults() {
    let config = load(None, &HashMap::new()).unwrap();
    assert_eq!(Config { providers: BTreeMap::new(), ..config.clone() }, Config::default());
    assert!(config.providers.len() >= 15 && config.catalogue().get("simulator").unwrap().ready);
}

/// Every default stands in `config/gateway.toml` behind a `#`, and nothing else does.
#[test]
fn the_shipped_file_lists_every_default() {
    let shipped = include_str!("../../config/gateway.toml");
    assert_eq!(load(Some(shipped), &HashMap::new()).unwrap(), load(None, &HashMap::new()).unwrap());
    let uncommented: Vec<&str> = shipped.lines().map(|line| line.strip_prefix("#= ").unwrap_or(line)).collect();
    let written: toml::Table = uncommented.join("\n").parse().unwrap();
    let mut defaults = tree_of(&Config::default()).unwrap();
    for free_form in ["providers", "configs", "models"] {
        defaults.remove(free_form);
    }
    defaults["guardrails"].as_table_mut().unwrap().remove("engines");
    assert_eq!(written, defaults);
}

#[test]
fn every_problem_is_told_with_its_path() {
    let file = "
        [server]
        listen = 'nowhere'
        workers = 'many'
        lisen = 'x'
        [actors.cache]
        embed_queue = 0
        [actors.router]
        mailbox = -1
        [providers.mine]
        dialect = 'klingon'
        [providers.other]
        dialect = 'openai'
        [routing]
        default_config = 'absent'
        [cache.semantic]
        model = 'gpt'
        shadow_percent = 101
        target_precision = nan
        [budgets]
        orphan_lease_ms = 9223372036854775807
    ";
    let problems = problems(file, &[("GATEWAY_LOG__LEVEL", "loud"), ("GATEWAY_SERVER__TYPO", "1")]);
    for path in [
        "server.listen: ",
        "server.workers: ",
        "server.lisen: ",
        "server.typo: ",
        "actors.router.mailbox: ",
        "providers.mine.dialect: ",
        "providers.other.base_url: ",
        "routing.default_config: ",
        "cache.semantic.model: ",
        "actors.cache.embed_queue: ",
        "cache.semantic.shadow_percent: ",
        "cache.semantic.target_precision: ",
        "budgets.orphan_lease_ms: ",
        "log.level: ",
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(path)), "{path} is not in {problems:#?}");
    }
}

/// F3: answers are compared by a model whose agreement is known.
#[test]
fn f3_a_model_that_nobody_has_measured_needs_an_agreement() {
    let file = "[cache.semantic]\nmodel = 'bge-small-en-v1.5'\nthreshold = 0.95\nlanguages = 'english'\n";
    load(Some(file), &HashMap::new()).unwrap();
    let checking = format!("{file}shadow_percent = 1\n");
    assert!(problems(&checking, &[])[0].starts_with("cache.semantic.shadow_agreement: must be set for "));
    let rules = load(Some(&format!("{checking}shadow_agreement = 0.8\n")), &HashMap::new()).unwrap();
    let rules = rules.cache.semantic.shadow_rules();
    assert_eq!((rules.share, rules.agreement, rules.target), (0.01, 0.8, 0.95));
}

/// Old names are refused with the new one, in the file and in the environment.
#[test]
fn a_renamed_key_is_refused_with_its_new_name() {
    let renamed = [
        ("store.wait_at_start", "store.wait_for_store"),
        ("store.patience_ms", "store.query_timeout_ms"),
        ("cache.semantic.hub_patience_ms", "cache.semantic.hub_timeout_ms"),
        ("cache.semantic.patience_ms", "cache.semantic.embed_timeout_ms"),
        ("budgets.log_all", "budgets.log_unbudgeted"),
        ("budgets.shorten", "budgets.shorten_answers"),
        ("budgets.least_output_tokens", "budgets.min_output_tokens"),
        ("budgets.idle_ms", "budgets.lease_idle_ms"),
        ("budgets.abandon_ms", "budgets.orphan_lease_ms"),
        ("server.admin_guesses_per_minute", "server.admin_attempts_per_minute"),
        ("actors.limit_keeper.mailbox", "actors.redis_limiter.mailbox"),
        ("actors.limit_keeper.ask_timeout_ms", "actors.redis_limiter.ask_timeout_ms"),
    ];
    assert_eq!(RENAMED, renamed);
    let defaults = serde_json::to_value(Config::default()).unwrap();
    let default_of = |path: &str| defaults.pointer(&format!("/{}", path.replace('.', "/")));
    let variable = |path: &str| format!("GATEWAY_{}", path.replace('.', "__").to_uppercase());
    for (old, new) in renamed {
        let value = default_of(new).expect(new).to_string();
        assert_eq!(default_of(old), None, "{old} is refused, so no key has that name");
        let told = problems(&format!("{old} = {value}"), &[]);
        assert_eq!(told, [format!("{old}: this key was renamed to {new}")]);
        let (old, new_variable) = (variable(old), variable(new));
        let told = problems("", &[(&old, &value)]);
        assert_eq!(told, [format!("{old}: this variable was renamed to {new_variable}")]);
        let config = load(Some(&format!("{new} = {value}")), &environment(&[(&new_variable, &value)]));
        assert!(config.is_ok(), "{new}: {config:?}");
    }
}

#[test]
fn a_renamed_key_does_not_hide_other_problems() {
    let told =
        problems("[budgets]\nshorten = false\nidle_ms = 'x'\nlog_unbudgeted = 3", &[("GATEWAY_STORE__TYPO", "1")]);
    let told: Vec<&str> = told.iter().filter_map(|problem| problem.split(':').next()).collect();
    assert_eq!(told, ["budgets.shorten", "budgets.idle_ms", "budgets.log_unbudgeted", "store.typo"]);
}

#[test]
fn broken_toml_is_told_with_its_line() {
    assert!(problems("[server]\nlisten =", &[])[0].contains("line 2"));
}

#[test]
fn the_environment_wins_over_the_file() {
    let variables = environment(&[
        ("GATEWAY_SERVER__WORKERS", "3"),
        ("GATEWAY_SERVER__TRUSTED_PROXIES", "['10.0.0.0/8']"),
        ("GATEWAY_LOG__FILE", "123"),
        ("GATEWAY_PROVIDERS__OPENAI__BASE_URL", "http://127.0.0.1:9/v1"),
        ("GATEWAY_PROVIDERS__OPENAI__TIMEOUTS__IDLE_MS", "7"),
        ("DATABASE_URL", "sqlite:///tmp/x.db"),
        ("OPENAI_API_KEY", "sk-x"),
    ]);
    let config = load(Some("[server]\nworkers = 2\nmax_in_flight = 9"), &variables).unwrap();
    assert_eq!((config.server.workers, config.server.max_in_flight), (3, 9));
    assert_eq!(config.server.trusted_proxies, ["10.0.0.0/8"]);
    assert_eq!(config.log.file, "123");
    assert_eq!(config.store.url, "sqlite:///tmp/x.db");
    let catalogue = config.catalogue();
    let openai = catalogue.get("openai").unwrap();
    assert_eq!(openai.settings.base_url, "http://127.0.0.1:9/v1");
    assert_eq!((openai.settings.timeouts.idle_ms, openai.settings.timeouts.connect_ms), (7, 5_000));
    assert!(openai.ready);
}

/// H1: the effective configuration shows that a secret is set, never the secret.
#[test]
fn h1_secrets_are_masked() {
    let store = "postgres://u:canary@canary-6@h/db?password=canary-7";
    let variables = environment(&[
        ("GATEWAY_ADMIN_TOKEN", "canary-1"),
        ("OPENAI_API_KEY", "canary-2"),
        ("DATABASE_URL", store),
        ("GATEWAY_ALERT_WEBHOOK_TOKEN", "canary-8"),
        ("GATEWAY_ALERTS__WEBHOOK_URL", "https://h/canary-9"),
    ]);
    let file = "[providers.mine]\ndialect = 'openai'\nbase_url = 'http://u:canary-3@h/v1'\n\
        headers = { x-secret = 'canary-4' }\n[configs.c]\nprovider = 'openai'\napi_key = 'canary-5'";
    let config = load(Some(file), &variables).unwrap();
    let shown = config.masked_json().to_string();
    assert!(shown.contains("OPENAI_API_KEY") && !shown.contains("canary"), "{shown}");
    let (shown, empty) = (config.masked_json(), load(None, &HashMap::new()).unwrap().masked_json());
    assert_eq!((&shown["alerts"]["webhook_url"], &empty["alerts"]["webhook_url"]), (&"***".into(), &"".into()));
    assert_eq!((&shown["alert_webhook_token"], &empty["alert_webhook_token"]), (&"***".into(), &Value::Null));
    for secret in ["canary-1", "canary-6", "canary-7", "canary-8", "canary-9"] {
        assert!(!format!("{config:?}").contains(secret));
    }
}

/// H1: every credential that a named config may hold is masked, a nested one whole; what is none is shown.
#[test]
fn h1_credentials_of_named_configs_are_masked() {
    let file = "[configs.c]\nprovider = 'openai'\naws_access_key_id = 'canary-1'\naws_secret_access_key = 'canary-2'\n\
        aws_session_token = 'canary-3'\naws_external_id = 'canary-4'\nazure_ad_token = 'canary-5'\n\
        azure_entra_client_secret = 'canary-6'\naws_region = 'shown-1'\nvertex_project_id = 'shown-2'\n\
        [configs.c.vertex_service_account_json]\nclient_email = 'canary-7'\nprivate_key = 'canary-8'\n\
        [configs.c.override_params]\nmax_tokens = 77\n[configs.c.override_params.extra]\nprivateKey = ['canary-9']";
    let config = load(Some(file), &HashMap::new()).unwrap();
    let shown = config.masked_json().to_string();
    assert!(!shown.contains("canary"), "{shown}");
    for open in ["shown-1", "shown-2", r#""max_tokens":77"#] {
        assert!(shown.contains(open), "{open} in {shown}");
    }
}

/// White space around a credential is dropped; what no header can carry is refused by the variable's name (H1).
#[test]
fn credentials_of_the_environment_are_made_fit_or_refused() {
    let variables = environment(&[
        ("OPENAI_API_KEY", " sk-x\r\n"),
        ("GROQ_API_KEY", "\n"),
        ("GATEWAY_ADMIN_TOKEN", "token\n"),
        ("DATABASE_URL", "sqlite://x.db\n"),
    ]);
    let config = load(None, &variables).unwrap();
    assert_eq!(config.provider_variables["OPENAI_API_KEY"], Secret::new("sk-x"));
    assert_eq!(config.provider_variables.get("GROQ_API_KEY"), None);
    assert_eq!((config.admin_token, config.store.url.as_str()), (Some(Secret::new("token")), "sqlite://x.db"));
    let problems = problems(
        "",
        &[("OPENAI_API_KEY", "sk\ncanary"), ("GROQ_API_KEY", "canarỳ"), ("GATEWAY_ADMIN_TOKEN", "t\u{7f}")],
    );
    for name in ["OPENAI_API_KEY: ", "GROQ_API_KEY: ", "GATEWAY_ADMIN_TOKEN: "] {
        assert!(problems.iter().any(|problem| problem.starts_with(name)), "{name} is not in {problems:#?}");
    }
    assert!(!problems.concat().contains("canar"), "{problems:#?}");
}

/// A provider with a dash in its name is set by a variable with an underscore, where no other has that name.
#[test]
fn dashed_names_can_be_set_by_variables() {
    let variables = environment(&[
        ("GATEWAY_PROVIDERS__AZURE_OPENAI__BASE_URL", "http://127.0.0.1:1/v1"),
        ("GATEWAY_PROVIDERS__MY_OWN__BASE_URL", "http://127.0.0.1:2/v1"),
        ("GATEWAY_PROVIDERS__MY_OWN__DIALECT", "openai"),
    ]);
    let file = "[providers.my_own]\nbase_url = 'http://127.0.0.1:3/v1'\n\
        [providers.my-own]\ndialect = 'openai'\nbase_url = 'http://127.0.0.1:4/v1'";
    let config = load(Some(file), &variables).unwrap();
    let url = |name: &str| config.providers[name].base_url.as_str();
    assert_eq!(url("azure-openai"), "http://127.0.0.1:1/v1");
    assert_eq!((url("my_own"), url("my-own")), ("http://127.0.0.1:2/v1", "http://127.0.0.1:4/v1"));
    assert!(!config.providers.contains_key("azure_openai"));
}

/// A variable without two underscores may be somebody else's, such as those that Kubernetes sets beside a service named
/// `gateway`: it is told in a warning, and ends nothing.
#[test]
fn variables_that_name_no_key_are_told_and_end_nothing() {
    let links = environment(&[
        ("GATEWAY_SERVICE_HOST", "10.0.0.1"),
        ("GATEWAY_SERVICE_PORT_HTTP", "8000"),
        ("GATEWAY_PORT", "tcp://10.0.0.1:8000"),
        ("GATEWAY_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("GATEWAY_SERVER_WORKERS", "3"),
    ]);
    let config = load(None, &links).unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].contains("GATEWAY_SERVER_WORKERS"), "{:?}", config.warnings);
    assert!(problems("", &[("GATEWAY_SERVER__WORKRES", "3")])[0].starts_with("server.workres: "));
}

/// F01: a text from the environment that looks like something else stays that text where the field is one.
#[test]
fn f01_texts_of_the_environment_stay_texts() {
    let texts = [
        "12e4",
        "1_000",
        "0x1F",
        "+7",
        "1.50",
        "007",
        "true",
        "inf",
        "nan",
        "1979-05-27",
        "07:32:00",
        "\"quoted\"",
        "'single'",
        "[1, 2]",
        "{a = 1}",
        "5 # five",
        "0b1",
        "1e5",
        "-0",
    ];
    for text in texts {
        let variables = environment(&[
            ("GATEWAY_PROVIDERS__OPENAI__HEADERS__X_TENANT", text),
            ("GATEWAY_PROVIDERS__OPENAI__AUTH_PREFIX", text),
        ]);
        let config = load(None, &variables).unwrap();
        let openai = &config.providers["openai"];
        assert_eq!((openai.headers["x_tenant"].as_str(), openai.auth_prefix.as_str()), (text, text));
    }
    let variables = environment(&[
        ("GATEWAY_PROVIDERS__OPENAI__HEADERS", "{ x-a = '1' }"),
        ("GATEWAY_CACHE__COALESCE", "false"),
        ("GATEWAY_CACHE__SEMANTIC__THRESHOLD", "0.5"),
        ("GATEWAY_BUDGETS__ALERT_PERCENT", "[50, 80]"),
        ("GATEWAY_CONFIGS__C__RETRY__ATTEMPTS", "2"),
    ]);
    let config = load(None, &variables).unwrap();
    assert_eq!(config.providers["openai"].headers["x-a"], "1");
    assert_eq!((config.cache.coalesce, config.cache.semantic.threshold), (false, 0.5));
    assert_eq!(
        (config.budgets.alert_percent.as_slice(), &config.configs["c"]["retry"]["attempts"]),
        (&[50, 80][..], &2.into())
    );
}

/// H1: a mistake in a file or a variable is told by its place, never by the text around it.
#[test]
fn h1_mistakes_do_not_quote_values() {
    for file in [
        "[providers.a]\napi_key = \"canary",
        "[a]\nx = 'canary'\nx = 'canary'",
        "[providers.openai]\nheaders = 'canary'",
        "[providers.openai]\nheaders = { x = ['canary'] }",
        "[providers.openai]\nbase_url = 'canary://u:canary@h'",
        "[server]\nworkers = 'canary \" canary'",
        "[alerts]\nwebhook_url = ['canary']",
    ] {
        let told = problems(file, &[]).join("; ");
        assert!(!told.contains("canary"), "{file}: {told}");
    }
}

/// L-1: an admin token has a least length, which is small where this machine alone can try it.
#[test]
fn admin_tokens_have_a_least_length() {
    let beyond = ("GATEWAY_SERVER__LISTEN", "0.0.0.0:8000");
    for (token, listen) in [("x", ("GATEWAY_SERVER__LISTEN", "127.0.0.1:8000")), ("1234567", beyond)] {
        let problems = problems("", &[("GATEWAY_ADMIN_TOKEN", token), listen]);
        assert!(problems[0].starts_with("GATEWAY_ADMIN_TOKEN: must have at least"), "{problems:?}");
    }
    let config = load(None, &environment(&[("GATEWAY_ADMIN_TOKEN", "12345678"), beyond])).unwrap();
    assert!(config.warnings[0].starts_with("GATEWAY_ADMIN_TOKEN"), "{:?}", config.warnings);
    let good = environment(&[("GATEWAY_ADMIN_TOKEN", "0123456789abcdef"), beyond]);
    assert_eq!(load(None, &good).unwrap().warnings, Vec::<String>::new());
}

/// J 21: an address that the start would refuse is refused by the check already.
#[test]
fn addresses_are_checked_as_the_start_reads_them() {
    for url in ["postgres://u:canary@h:99999/d", "postgres://h/d?sslmode=zz", "postgres://h/d?canary=1", "sqlite://x?y"]
    {
        let problems = problems("", &[("DATABASE_URL", url)]);
        assert!(problems[0].starts_with("store.url: "), "{problems:?}");
        assert!(!problems[0].contains(":canary@"), "{problems:?}");
    }
    let problems = problems("", &[("AZURE_OPENAI_BASE_URL", "no url")]);
    assert!(problems[0].starts_with("AZURE_OPENAI_BASE_URL: "), "{problems:?}");
}

/// A base URL with the dialect's own version works, and is told.
#[test]
fn a_repeated_version_in_a_base_url_is_told() {
    let file = "[providers.c]\ndialect = 'anthropic'\nbase_url = 'https://h/v1'";
    let config = load(Some(file), &HashMap::new()).unwrap();
    assert!(config.warnings[0].starts_with("providers.c.base_url: "), "{:?}", config.warnings);
}

/// What would fail only at the start, or at the first request, is told beforehand; no secret is (H1).
#[test]
fn keys_and_headers_are_checked() {
    let file = "[providers.openai]\nauth_prefix = \"a\\nb\"\n\
        headers = { 'x y' = 'fine', x-bad = \"canary\\n\", x-good = 'fine' }";
    let problems = problems(file, &[("GATEWAY_MASTER_KEY", "canary"), ("GATEWAY_ALERTS__WEBHOOK_URL", "ftp://canary")]);
    assert_eq!(problems.len(), 5, "{problems:#?}");
    let told = problems.concat();
    for part in [
        "GATEWAY_MASTER_KEY: ",
        "alerts.webhook_url: ",
        "providers.openai.headers: ",
        "'x y'",
        "'x-bad'",
        "providers.openai.auth_prefix",
    ] {
        assert!(told.contains(part), "{part} in {problems:#?}");
    }
    assert!(!told.contains("canary"), "{problems:#?}");
}

/// A log file that cannot be appended to or made is told; looking leaves nothing behind.
#[test]
fn the_log_file_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for bad in [at(""), at("absent/gateway.log")] {
        let problems = problems("", &[("GATEWAY_LOG__FILE", &bad)]);
        assert!(problems[0].starts_with("log.file: "), "{problems:?}");
    }
    assert!(load(None, &environment(&[("GATEWAY_LOG__FILE", &at("new.log"))])).is_ok());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(at("old.log"), "line").unwrap();
    assert!(load(None, &environment(&[("GATEWAY_LOG__FILE", &at("old.log"))])).is_ok());
    assert_eq!(std::fs::read_to_string(at("old.log")).unwrap(), "line");
}

/// C1: a ceiling price is whole and above zero, and may come from the environment.
#[test]
fn c1_a_ceiling_price_is_whole_and_above_zero() {
    let variables = environment(&[
        ("GATEWAY_BUDGETS__CEILING_PRICE__INPUT", "0.15"),
        ("GATEWAY_BUDGETS__CEILING_PRICE__OUTPUT", "2"),
    ]);
    let ceiling = load(None, &variables).unwrap().budgets.ceiling_price.unwrap();
    assert_eq!((ceiling.input.micros(), ceiling.output.micros()), (150_000, 2_000_000));
    for (file, path) in [
        ("input = '0'\noutput = '1'", "budgets.ceiling_price.input: "),
        ("input = 1", "budgets.ceiling_price"),
        ("input = -1\noutput = 1", "budgets.ceiling_price.input: "),
    ] {
        let problems = problems(&format!("[budgets.ceiling_price]\n{file}"), &[]);
        assert!(problems.iter().any(|problem| problem.starts_with(path)), "{file}: {problems:#?}");
    }
}
