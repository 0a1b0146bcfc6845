//! Budgets: reserved before a request is sent, settled when it ends, and never exceeded.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::bodies::openai;
use crate::harness::client::hello;
use crate::harness::money::{COST, bounded, picos, settled, sql, usage};
use crate::harness::{Answer, FakeProvider, Gate, Gateway, Request, Setup};

/// Asks until a budget of $0.001, of which `spent` answers are paid, is spent but for less than three answers; a refusal
/// may be half a second old.
async fn spend_rest(gateway: &Gateway, key: &str, spent: usize) -> usize {
    let mut more = 0;
    let spend = async {
        while (spent + more) as i128 * COST + 30_000_000 <= 1_000_000_000 {
            match gateway.ask(bounded(key)).await.status {
                200 => more += 1,
                _ => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            }
        }
    };
    crate::harness::in_time("the rest is spent", spend).await;
    while gateway.ask(bounded(key)).await.status == 200 {
        more += 1;
    }
    more
}

fn is_over_budget(answer: &Answer, message: &str) {
    let error = &answer.json()["error"];
    assert_eq!(error["message"], message);
    assert_eq!((&error["type"], &error["code"]), (&json!("insufficient_quota"), &json!("budget_exceeded")));
    assert_eq!(answer.header("x-should-retry"), Some("false"));
    assert_eq!(answer.header("retry-after"), None);
}

/// The same for the formats that have words of their own, which `limits_by_format` looks at.
fn is_refused(answer: &Answer, message: &str) {
    assert_eq!(answer.json()["error"]["message"], message);
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

/// B1, B2: two hundred requests at once against a nearly spent budget: what is settled stays within it, to the last
/// pico-dollar, and afterwards nothing is reserved.
#[tokio::test]
async fn b1_b2_two_hundred_requests_at_once_never_exceed_the_budget() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 0.001 })).await;
    let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
    let answers = join_all((0..200).map(|_| gateway.ask(bounded(key)))).await;
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.status, 429, "{}", refused.text());
        is_over_budget(refused, "Monthly budget limit $0.001 exceeded");
    }
    // At least as many as fit with what each may cost at most.
    assert!((30..=95).contains(&served), "{served} of 95 that the budget pays for");
    assert_eq!(openai.count(), served, "what is refused reaches no provider");
    let figures = settled(&gateway, "key", id, COST * served as i128).await;
    assert!(picos(&figures["leased_usd"]) + picos(&figures["spent_usd"]) <= 1_000_000_000);
    // The rest can be spent one by one, almost to the end.
    let more = spend_rest(&gateway, key, served).await;
    assert!((served + more) as i128 * COST <= 1_000_000_000);
}

/// What is asked of a route that costs money: every route of the gateway must be known here.
fn questions(path: &str) -> Vec<Value> {
    let mut streamed = hello("gpt-4o-mini");
    streamed["stream"] = json!(true);
    match path {
        "/v1/chat/completions" => vec![hello("gpt-4o-mini"), streamed],
        "/v1/completions" => {
            vec![json!({ "model": "gpt-4o-mini", "prompt": "hello ".repeat(1000), "max_tokens": 500 })]
        }
        "/v1/moderations" => {
            vec![json!({ "model": "text-embedding-3-small", "input": "hello ".repeat(1000) })]
        }
        "/v1/rerank" => {
            let documents = vec!["hello"; 1000];
            vec![json!({ "model": "text-embedding-3-small", "query": "hello", "documents": documents })]
        }
        "/v1/messages" => {
            let mut message = hello("gpt-4o-mini");
            message["max_tokens"] = json!(5_000);
            let mut streamed = message.clone();
            streamed["stream"] = json!(true);
            vec![message, streamed]
        }
        "/v1/responses" => {
            let response = json!({ "model": "gpt-4o-mini", "input": "hello" });
            let mut streamed = response.clone();
            streamed["stream"] = json!(true);
            vec![response, streamed]
        }
        "/v1/embeddings" => vec![json!({ "model": "text-embedding-3-small", "input": "hello ".repeat(1000) })],
        "/v1/proxy/{provider}/{path:.*}" => vec![hello("gpt-4o-mini"), streamed],
        "/v1/models" | "/v1/models/{model:.*}" => Vec::new(),
        "/v1/responses/compact" => vec![json!({ "model": "gpt-4o-mini", "input": "hello" })],
        // No provider is asked.
        "/v1/guardrails/check" | "/v1/messages/count_tokens" | "/v1/responses/input_tokens" => Vec::new(),
        // What is stored was paid for.
        "/v1/responses/{id}" | "/v1/responses/{id}/input_items" | "/v1/responses/{id}/cancel" => Vec::new(),
        _ => panic!("say what {path} is asked, or that it costs nothing"),
    }
}

/// B4, B5: on every route that costs money a key without any is refused, and so is one with less than the question may
/// cost: something is reserved everywhere. The routes are the program's own list.
#[tokio::test]
async fn b4_b5_an_exhausted_key_is_refused_on_every_route() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let open = "[[providers.openai.pass_through]]\npath = '/chat/completions'\nmethods = ['POST']";
    let setup = Setup::new().openai(&openai).set("budgets.shorten_answers", false).toml(open);
    let gateway = setup.start().await;
    for (limit, message) in
        [(json!(0), "Daily budget limit $0 exceeded"), (json!(0.0001), "Daily budget limit $0.0001 exceeded")]
    {
        let key = gateway.new_key(json!({ "budget_limit_usd": limit, "budget_period": "day" })).await;
        for route in &gateway::api::routes::ROUTES {
            let questions = questions(route.path);
            assert_eq!(questions.is_empty(), !route.is_billable, "{}", route.path);
            for question in questions {
                let path = route.path.replace("{provider}/{path:.*}", "openai/chat/completions");
                let answer = gateway.ask(Request::new("POST", &path).key(&key).json(&question)).await.expect(429);
                match route.path {
                    "/v1/messages" | "/v1/responses" | "/v1/responses/compact" => is_refused(&answer, message),
                    _ => is_over_budget(&answer, message),
                }
            }
        }
    }
    assert_eq!(openai.count(), 0);
}

/// Clients written for Portkey get the status that they know.
#[tokio::test]
async fn the_status_of_an_exhausted_budget_can_be_portkeys() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).set("compat.budget_status", 412).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 0 })).await;
    is_over_budget(&gateway.ask(bounded(&key)).await.expect(412), "Monthly budget limit $0 exceeded");
}

/// C1: a model without a price is refused for a key with a budget, and named; a price of zero is a price; a price that
/// an administrator sets is in force at once.
#[tokio::test]
async fn c1_an_unpriced_model_is_never_free() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1, "provider": "openai" })).await;
    let refused = gateway.ask(Request::hello(&key, "brand-new-model")).await.expect(400).json();
    assert_eq!(refused["error"]["code"], "model_not_priced");
    assert!(refused["error"]["message"].as_str().unwrap().contains("brand-new-model"), "{refused}");
    assert_eq!(openai.count(), 0);
    gateway.wait_for_metric("price_lookup_total", &[("result", "miss")], 1.0).await;
    let free = json!({ "provider": "openai", "model": "brand-new-model", "input": "0", "output": 0,
        "source": "agreed with the vendor" });
    gateway.admin("PUT", "/admin/pricing", Some(free)).await.expect(200);
    let answer = gateway.ask(Request::hello(&key, "brand-new-model")).await.expect(200).json();
    assert_eq!(answer["metadata"]["cost_usd"], json!(0));
    let wrong = json!({ "provider": "openai", "model": "m", "input": "-1", "output": "0", "source": "x" });
    gateway.admin("PUT", "/admin/pricing", Some(wrong)).await.expect(400);
}

/// C1, C6: with a ceiling price an unpriced model is reserved, charged and logged at it, on every key; the look-up is
/// still a miss.
#[tokio::test]
async fn c1_c6_an_unpriced_model_costs_the_ceiling() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = Setup::new().openai(&openai).toml("[budgets.ceiling_price]\ninput = '15'\noutput = 75");
    let gateway = setup.start().await;
    let fields = |limit: Value| json!({ "budget_limit_usd": limit, "provider": "openai" });
    let key = gateway.make_key(fields(json!(0.01))).await;
    let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
    let mut body = hello("brand-new-model");
    body["max_tokens"] = json!(15);
    // Ten tokens at $15 and fifteen at $75 a million.
    let answer = gateway.ask(Request::chat(key, &body).header("x-portkey-trace-id", "ceiling")).await.expect(200);
    assert_eq!(answer.header("x-gateway-cost-usd"), Some("0.001275"));
    assert!(answer.text().contains(r#""cost_usd":0.001275"#), "{}", answer.text());
    assert_eq!(gateway.request_log("ceiling").await["cost_usd"], json!(0.001275));
    settled(&gateway, "key", id, 1_275_000_000).await;
    gateway.wait_for_metric("price_lookup_total", &[("result", "miss")], 1.0).await;
    let free = gateway.new_key(fields(Value::Null)).await;
    assert_eq!(gateway.ask(Request::chat(&free, &body)).await.expect(200).json()["metadata"]["cost_usd"], 0.001275);
    assert_eq!(usage(&gateway, "model", 2).await[0]["cost_usd"], "0.00255");
    gateway.wait_for_metric("llm_cost_total_usd", &[("provider", "openai")], 0.00255).await;
    // A thousand tokens of output do not fit.
    let small = gateway.new_key(fields(json!(0.005))).await;
    body["max_tokens"] = json!(1000);
    let answer = gateway.ask(Request::chat(&small, &body)).await.expect(429);
    is_over_budget(&answer, "Monthly budget limit $0.005 exceeded");
}

/// B1: of two limits that disagree the larger one is reserved, and the provider is told one alone, which it surely heeds.
#[tokio::test]
async fn b1_two_limits_in_one_request_hide_nothing() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let groq = FakeProvider::answering(openai::answer("hello")).await;
    let setup = Setup::new().openai(&openai).set("providers.groq.base_url", groq.origin() + "/v1");
    let gateway = setup.env("GROQ_API_KEY", "gsk").start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1 })).await;
    let ask = async |model: &str, fields: Value| {
        let mut body = hello(model);
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        gateway.ask(Request::chat(&key, &body)).await.expect(200);
    };
    let limits = |body: &Value| (body["max_completion_tokens"].clone(), body["max_tokens"].clone());
    ask("gpt-4o-mini", json!({ "max_completion_tokens": 1, "max_tokens": 8192 })).await;
    assert_eq!(limits(&openai.request(1).await.body), (json!(8192), Value::Null));
    ask("gpt-4o-mini", json!({ "max_tokens": 5 })).await;
    assert_eq!(limits(&openai.request(2).await.body), (Value::Null, json!(5)));
    let model = "groq/openai/gpt-oss-20b";
    ask(model, json!({ "max_completion_tokens": 7 })).await;
    assert_eq!(limits(&groq.request(1).await.body), (Value::Null, json!(7)));
    ask(model, json!({ "max_completion_tokens": 1, "max_tokens": 30 })).await;
    assert_eq!(limits(&groq.request(2).await.body), (Value::Null, json!(30)));
}

/// B3: requests without `max_tokens` reserve the default, so that twenty at once pass under a budget that pays for a
/// hundred of them; the provider is held to what is reserved.
#[tokio::test]
async fn b3_requests_without_a_limit_do_not_block_each_other() {
    let gate = Gate::new();
    let openai = FakeProvider::answering(openai::answer("hello").after(&gate)).await;
    let gateway = Setup::new().openai(&openai).set("budgets.default_output_tokens", 1000).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 0.07 })).await;
    let asked: Vec<_> = (0..20).map(|_| Request::hello(&key, "gpt-4o-mini")).collect();
    let all = join_all(asked.into_iter().map(|request| gateway.ask(request)));
    let opened = async {
        openai.request(20).await;
        gate.open_for_good();
    };
    let (answers, ()) = tokio::join!(all, opened);
    answers.into_iter().for_each(|answer| drop(answer.expect(200)));
    assert_eq!(openai.request(1).await.body["max_completion_tokens"], 1000);
}

/// Near the limit an answer is made shorter, and a header says so.
#[tokio::test]
async fn near_the_limit_an_answer_is_made_shorter() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    // About 0.0000105 for the input, and 0.0000006 for each token of the answer.
    let key = gateway.new_key(json!({ "budget_limit_usd": 0.0002 })).await;
    let mut body = hello("gpt-4o-mini");
    body["max_tokens"] = json!(5000);
    let answer = gateway.ask(Request::chat(&key, &body)).await.expect(200);
    let shortened: u64 = answer.header("x-gateway-max-tokens").unwrap().parse().unwrap();
    assert!((64..400).contains(&shortened), "{shortened}");
    assert_eq!(openai.request(1).await.body["max_tokens"], shortened);

    let strict = Setup::new().openai(&openai).set("budgets.shorten_answers", false).start().await;
    let key = strict.new_key(json!({ "budget_limit_usd": 0.0002 })).await;
    strict.ask(Request::chat(&key, &body)).await.expect(429);
}

/// A request must fit the key's, the user's and the team's budget; limits set through the admin API hold at once.
#[tokio::test]
async fn a_request_must_fit_every_scope() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.new_key(json!({ "budget_limit_usd": 1, "user_id": "ann", "team_id": "blue" })).await;
    gateway.ask(bounded(&key)).await.expect(200);
    let limit = |usd: Value| Some(json!({ "monthly_limit_usd": usd }));
    gateway.admin("PUT", "/admin/user-budgets/ann", limit(json!(0.00003))).await.expect(200);
    // What the user spent before there was a limit counts.
    settled(&gateway, "user", "ann", COST).await;
    is_over_budget(&gateway.ask(bounded(&key)).await.expect(429), "Monthly budget limit $0.00003 exceeded");
    gateway.admin("PUT", "/admin/user-budgets/ann", limit(json!(5))).await.expect(200);
    gateway.admin("PUT", "/admin/team-budgets/blue", limit(json!(0))).await.expect(200);
    is_over_budget(&gateway.ask(bounded(&key)).await.expect(429), "Monthly budget limit $0 exceeded");
    gateway.admin("PUT", "/admin/team-budgets/blue", limit(Value::Null)).await.expect(200);
    gateway.ask(bounded(&key)).await.expect(200);
    settled(&gateway, "user", "ann", 2 * COST).await;
    gateway.admin("PUT", "/admin/team-budgets/blue", Some(json!({}))).await.expect(400);
}

/// Every change through the admin API is noted, without any secret.
#[tokio::test]
async fn changes_are_noted_in_the_audit_log() {
    let gateway = Setup::new().start().await;
    let key = gateway.make_key(json!({ "provider": "openai", "real_api_key": "sk-audit-canary" })).await;
    let path = format!("/admin/virtual-keys/{}", key["id"].as_str().unwrap());
    gateway
        .admin("PUT", &format!("{path}/rotate"), Some(json!({ "new_api_key": "sk-audit-canary-2" })))
        .await
        .expect(200);
    gateway.admin("PUT", "/admin/team-budgets/blue", Some(json!({ "monthly_limit_usd": 7 }))).await.expect(200);
    let reissued =
        gateway.admin("POST", &format!("{path}/reissue"), Some(json!({ "grace_seconds": 5 }))).await.expect(200);
    let log = gateway.admin("GET", "/admin/audit", None).await.expect(200);
    for secret in ["canary", reissued.json()["virtual_key"].as_str().unwrap()] {
        assert!(!log.text().contains(secret), "{}", log.text());
    }
    let log = log.json();
    let actions: Vec<_> =
        log["data"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key.reissue", "team_budget.set", "key.change", "key.create"]);
    assert_eq!(log["data"][0]["detail"], json!({ "grace_seconds": 5 }));
    assert_eq!(log["data"][1]["detail"], json!({ "monthly_limit_usd": 7 }));
    assert_eq!(log["data"][2]["detail"]["fields"], json!(["real_api_key"]));
    assert_eq!((&log["data"][0]["subject"], &log["data"][2]["subject"]), (&key["id"], &key["id"]));
}

/// C5: the client leaves in the middle of a stream: what was generated is counted, booked and marked as estimated.
#[tokio::test]
async fn c5_a_client_that_leaves_pays_for_what_was_generated() {
    let words: Vec<String> = (0..40).map(|n| openai::text(&format!(" word{n}"))).collect();
    let reply = crate::harness::Reply::events(std::iter::once(openai::role()).chain(words)).stall();
    let openai = FakeProvider::answering(reply).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 1 })).await;
    let mut stream = gateway.stream(Request::streamed_hello(key["virtual_key"].as_str().unwrap(), "gpt-4o-mini")).await;
    for _ in 0..40 {
        stream.next_text().await;
    }
    drop(stream);
    let rows = usage(&gateway, "model", 1).await;
    let row = &rows[0];
    assert_eq!((&row["requests"], &row["estimated"]), (&json!(1), &json!(1)));
    // " word0" to " word39" are two tokens each, " word10" and so on too.
    assert!((78..=82).contains(&row["completion_tokens"].as_i64().unwrap()), "{row}");
    assert!((5..=15).contains(&row["prompt_tokens"].as_i64().unwrap()), "{row}");
    let (input, output) = (row["prompt_tokens"].as_i64().unwrap(), row["completion_tokens"].as_i64().unwrap());
    let cost = i128::from(input) * 150_000 + i128::from(output) * 600_000;
    settled(&gateway, "key", key["id"].as_str().unwrap(), cost).await;
}

/// C6: answer, header, log line, metric and usage log tell the same cost, to the last digit.
#[tokio::test]
async fn c6_the_cost_is_the_same_everywhere() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let (gateway, key) = Gateway::before(&openai).await;
    let request = Request::hello(&key, "gpt-4o-mini").header("x-portkey-trace-id", "cost");
    let answer = gateway.ask(request).await.expect(200);
    assert_eq!(answer.header("x-gateway-cost-usd"), Some("0.0000105"));
    assert!(answer.text().contains(r#""cost_usd":0.0000105"#), "{}", answer.text());
    assert_eq!(gateway.request_log("cost").await["cost_usd"], json!(0.0000105));
    assert_eq!(usage(&gateway, "provider", 1).await[0]["cost_usd"], "0.0000105");
    let target = [("provider", "openai"), ("model", "gpt-4o-mini")];
    gateway.wait_for_metric("llm_cost_total_usd", &target, 0.0000105).await;
    let csv = gateway.admin("GET", "/admin/usage?group_by=model&format=csv", None).await.expect(200);
    assert_eq!(csv.text().lines().nth(1), Some(r#""openai/gpt-4o-mini",1,10,15,0.0000105,0"#));
    gateway.admin("GET", "/admin/usage?group_by=colour", None).await.expect(400);
}

/// B8: 80 % of a budget is told exactly once, also when many requests pass it together and after a restart.
#[tokio::test]
async fn b8_a_threshold_is_told_once() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 0.0005 })).await;
    let text = key["virtual_key"].as_str().unwrap().to_owned();
    while gateway.ask(bounded(&text)).await.status == 200 {}
    gateway.wait_for_metric("budget_alerts_total", &[("scope", "key")], 1.0).await;
    let told =
        gateway.wait_for_log("the alert", |line| line["percent"].as_str() == Some("80") || line["percent"] == 80).await;
    assert_eq!(told["scope_id"], key["id"]);
    let folder = gateway.stop().await;
    let gateway = Setup::new().openai(&openai).start_in(folder).await;
    gateway.ask(bounded(&text)).await.expect(429);
    settled(&gateway, "key", key["id"].as_str().unwrap(), COST * openai.count() as i128).await;
    assert!(!gateway.stdout().iter().any(|line| line.contains("has reached")), "{:#?}", gateway.stdout());
}

/// G2: while another program holds the database, requests go on from what is leased and from keys in memory; what they
/// used waits, is told by the readiness, and is written once.
#[tokio::test]
async fn g2_a_database_that_does_not_answer_stops_no_request() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let gateway = Setup::new().openai(&openai).start().await;
    let (free, key) = (gateway.new_key(json!({})).await, gateway.new_key(json!({ "budget_limit_usd": 10 })).await);
    gateway.ask(bounded(&key)).await.expect(200);
    usage(&gateway, "provider", 1).await;
    let mut holder = hold_database(&gateway).await;
    for key in [&free, &key, &free, &key] {
        gateway.ask(bounded(key)).await.expect(200);
    }
    crate::harness::eventually("the readiness names the store", async || {
        let ready = gateway.ask(Request::get("/health/ready")).await.expect(200).json();
        ready["degraded"].to_string().contains("store")
    })
    .await;
    gateway.ask(Request::get("/health/live")).await.expect(200);
    holder.kill().await.unwrap();
    usage(&gateway, "provider", 5).await;
}

/// B1: a process that the store has not heard of for so long that others may have its slice spends it no more, and goes on
/// when the store is back.
#[tokio::test]
async fn b1_a_process_cut_off_from_the_store_stops_spending() {
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    let setup = Setup::new().openai(&openai).set("budgets.lease_ms", 1_500).set("budgets.orphan_lease_ms", 0);
    let gateway = setup.set("budgets.refresh_ms", 100).start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 10 })).await;
    let (id, key) = (key["id"].as_str().unwrap(), key["virtual_key"].as_str().unwrap());
    gateway.ask(bounded(key)).await.expect(200);
    let mut holder = hold_database(&gateway).await;
    let ask_until = async |status: u16| {
        let ask = async {
            loop {
                let answer = gateway.ask(bounded(key)).await;
                assert!([200, 429].contains(&answer.status), "{}", answer.text());
                if answer.status == status {
                    return answer;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        crate::harness::in_time("the answers change", ask).await
    };
    let refused = ask_until(429).await;
    assert_eq!(
        (&refused.json()["error"]["code"], refused.header("retry-after")),
        (&json!("budget_unknown"), Some("1"))
    );
    holder.kill().await.unwrap();
    ask_until(200).await;
    settled(&gateway, "key", id, COST * openai.count() as i128).await;
}

/// A process that holds the writers' lock of the gateway's database until it is killed.
async fn hold_database(gateway: &Gateway) -> tokio::process::Child {
    use tokio::io::AsyncReadExt;
    let script = "import sqlite3,sys,time\ndb=sqlite3.connect(sys.argv[1],isolation_level=None)\n\
                  db.execute('BEGIN IMMEDIATE')\nprint('held',flush=True)\ntime.sleep(60)";
    let mut holder = tokio::process::Command::new("python3")
        .args(["-c", script])
        .arg(gateway.folder().join("gateway.db"))
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut word = [0; 4];
    holder.stdout.as_mut().unwrap().read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"held");
    holder
}

/// B2: a killed process loses no row and strands no money: the next start takes up its journal and its leases.
#[tokio::test]
async fn b2_a_killed_process_leaves_no_reservation_and_loses_no_row() {
    let gate = Gate::new();
    let openai = FakeProvider::answering(openai::answer("hello")).await;
    // Rows stay in the journal until the end.
    let setup = || Setup::new().openai(&openai).set("budgets.flush_ms", 3_600_000).set("budgets.refresh_ms", 3_600_000);
    let gateway = setup().start().await;
    let key = gateway.make_key(json!({ "budget_limit_usd": 0.001 })).await;
    let text = key["virtual_key"].as_str().unwrap().to_owned();
    for _ in 0..20 {
        gateway.ask(bounded(&text)).await.expect(200);
    }
    openai.always(openai::answer("never").after(&gate));
    let waiting = bounded(&text).send(gateway.address).await;
    openai.request(21).await;
    let folder = gateway.kill().await;
    drop(waiting);

    let gateway = Setup::new().openai(&openai).start_in(folder).await;
    let id = key["id"].as_str().unwrap();
    let figures = settled(&gateway, "key", id, 20 * COST).await;
    assert_eq!(figures["leased_usd"], "0");
    assert_eq!(usage(&gateway, "key", 20).await[0]["cost_usd"], "0.00021");
    // All of the rest can be spent.
    openai.always(openai::answer("hello"));
    let more = spend_rest(&gateway, &text, 20).await;
    assert!((72..=75).contains(&more), "{more}");
}

/// G7: what was spent in a period that ended more than 400 days ago is removed while the gateway runs.
#[tokio::test]
async fn g7_spend_of_long_ago_is_removed() {
    let folder = Setup::new().start().await.stop().await;
    let insert = "INSERT INTO budget_spend VALUES ('key', 'a', '2001-01', 5), ('key', 'a', 'total', 5)";
    sql(folder.path(), insert).await;
    let gateway = Setup::new().start_in(folder).await;
    crate::harness::eventually("the old period is gone", async || {
        sql(gateway.folder(), "SELECT period FROM budget_spend").await == [json!({ "period": "total" })]
    })
    .await;
}
