use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::*;

fn now() -> DateTime<Utc> {
    "2025-01-15T10:00:00Z".parse().unwrap()
}

pub(crate) fn key() -> VirtualKey {
    VirtualKey {
        id: Uuid::nil(),
        id_text: Uuid::nil().to_string().into(),
        hash: KeyHash::digest("vk-test"),
        hint: "vk-…".to_owned(),
        name: "test".to_owned(),
        provider: None,
        real_api_key: None,
        limits: Limits::default(),
        budget_limit_usd: None,
        budget_period: BudgetPeriod::Month,
        user_id: None,
        team_id: None,
        allowed_models: None,
        allowed_providers: None,
        expires_at: None,
        config: None,
        is_active: true,
        created_at: now(),
        updated_at: now(),
        former: None,
        counters: None,
    }
}

/// H4: one check for every key, whatever else it is allowed.
#[test]
fn h4_revoked_and_expired_keys_are_refused() {
    let text = KeyHash::digest("vk-test");
    assert_eq!(key().authorize(text, now()), Ok(()));
    assert_eq!(VirtualKey { is_active: false, ..key() }.authorize(text, now()), Err(KeyRefusal::Revoked));
    let expiring = VirtualKey { expires_at: Some(now()), ..key() };
    assert_eq!(expiring.authorize(text, now() - TimeDelta::microseconds(1)), Ok(()));
    assert_eq!(expiring.authorize(text, now()), Err(KeyRefusal::Expired));
}

/// H5: both texts of a reissued key work until its grace period ends, then the new one alone.
#[test]
fn h5_a_former_text_works_until_its_grace_ends() {
    let (new, old) = (KeyHash::digest("vk-test"), KeyHash::digest("vk-former"));
    let key = VirtualKey { former: Some(FormerText { hash: old, until: now() }), ..key() };
    for (at, expected) in [
        (now() - TimeDelta::microseconds(1), Ok(())),
        (now(), Err(KeyRefusal::Reissued)),
        (now() + TimeDelta::seconds(1), Err(KeyRefusal::Reissued)),
    ] {
        assert_eq!(key.authorize(old, at), expected, "{at}");
        assert_eq!(key.authorize(new, at), Ok(()), "{at}");
    }
    let before = now() - TimeDelta::seconds(1);
    assert_eq!(key.authorize(KeyHash::digest("vk-older"), before), Err(KeyRefusal::Reissued));
    let revoked = VirtualKey { is_active: false, ..key };
    assert_eq!(revoked.authorize(old, before), Err(KeyRefusal::Revoked));
}

fn allows(key: &VirtualKey, provider: &str, model: &str) -> bool {
    key.allows_model(provider, model, &|name| ["openai", "acme", "openrouter"].contains(&name))
}

/// K02: a pattern means what clients write, and grants no look-alike.
#[test]
fn k02_a_pattern_may_name_the_provider() {
    for (pattern, provider, model, allowed) in [
        ("acme/small", "acme", "small", true),
        ("Acme/small", "acme", "small", true),
        ("@acme/small", "acme", "small", true),
        ("acme/*", "acme", "small", true),
        ("acme/*", "acme", "team/small", true),
        ("acme/small", "openai", "small", false),
        ("acme/small", "acme", "smaller", false),
        // What another vendor calls so is another model.
        ("openai/*", "openrouter", "openai/gpt-4o", false),
        ("openrouter/openai/*", "openrouter", "openai/gpt-4o", true),
        ("meta-llama/*", "openrouter", "meta-llama/llama-4", true),
        ("*/small", "acme", "small", true),
        ("*/small", "openrouter", "team/small", true),
        ("small", "acme", "small", true),
        // A star without a provider spans models alone.
        ("a*", "acme", "small", false),
        ("*", "acme", "small", true),
        ("/small", "acme", "small", false),
        ("acme/", "acme", "small", false),
    ] {
        let key = VirtualKey { allowed_models: Some(vec![pattern.to_owned()]), ..key() };
        assert_eq!(allows(&key, provider, model), allowed, "{pattern}: {provider} {model}");
    }
}

#[test]
fn models_and_providers_are_free_unless_listed() {
    assert!(allows(&key(), "openai", "anything") && key().allows_provider("anyone"));
    let limited = VirtualKey {
        allowed_models: Some(vec!["gpt-4o*".to_owned(), "o3".to_owned()]),
        allowed_providers: Some(vec!["openai".to_owned()]),
        ..key()
    };
    assert!(allows(&limited, "openai", "gpt-4o-mini") && allows(&limited, "acme", "o3"));
    assert!(!allows(&limited, "openai", "o3-mini") && !allows(&limited, "openai", "claude"));
    assert!(limited.allows_provider("openai") && !limited.allows_provider("openai2"));
}

#[test]
fn an_empty_list_allows_nothing() {
    let key = VirtualKey { allowed_models: Some(vec![]), allowed_providers: Some(vec![]), ..key() };
    assert!(!allows(&key, "openai", "gpt-4o") && !key.allows_provider("openai"));
}
