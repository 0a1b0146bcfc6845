use super::*;

/// G8: models that a client invents share one label, and real ones are bounded, over all providers.
#[test]
fn g8_invented_models_share_a_label() {
    let metrics = Metrics::new().unwrap();
    for n in 0..100_000 {
        metrics.target("openai", &format!("invented-{n}"), false).error.inc();
        metrics.target("openai", &format!("answered-{n}"), true).success.inc();
    }
    for provider in 0..20 {
        for n in 0..100 {
            metrics.target(&format!("provider-{provider}"), &format!("answered-{n}"), true).error.inc();
        }
    }
    let text = metrics.text().unwrap();
    assert!(text.contains(r#"llm_requests_total{model="other",provider="openai",status="error"} 100000"#));
    assert!(text.lines().count() < 6_000, "{} lines", text.lines().count());
}
