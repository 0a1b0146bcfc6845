//! The effective configuration for `GET /admin/config`: values, and of secrets only whether they are set.

use serde_json::{Map, Value, json};

use super::Config;

pub(super) fn masked(config: &Config) -> Value {
    let mut value = serde_json::to_value(config).unwrap_or_default();
    hide(&mut value);
    let set = |is_set: bool| if is_set { json!("***") } else { Value::Null };
    if let Some(object) = value.as_object_mut() {
        let variables = config.provider_variables.keys().map(|name| (name.clone(), json!("***")));
        let variables: Map<String, Value> = variables.collect();
        object.insert("environment".to_owned(), Value::Object(variables));
        object.insert("admin_token".to_owned(), set(config.admin_token.is_some()));
        object.insert("master_key".to_owned(), set(config.master_key.is_some()));
        object.insert("alert_webhook_token".to_owned(), set(config.alert_webhook_token.is_some()));
    }
    value
}

/// Hides credentials of named configs, values of static headers, and the user part of URLs.
fn hide(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match (name.as_str(), &mut *value) {
                    ("headers", Value::Object(headers)) => {
                        for header in headers.values_mut() {
                            *header = json!("***");
                        }
                    }
                    (_, Value::Null) => {}
                    ("webhook_url", Value::String(url)) if url.is_empty() => {}
                    (name, value) if is_secret(name) => *value = json!("***"),
                    _ => hide(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(text) => {
            // The last `@`, because a password may hold others.
            if let Some((scheme, rest)) = text.split_once("://")
                && let Some((_, host)) = rest.rsplit_once('@')
            {
                *text = format!("{scheme}://***@{host}");
            }
            // PostgreSQL's address may have the password among its parameters.
            if let Some((address, _)) = text.split_once("password=") {
                *text = format!("{address}password=***");
            }
        }
        _ => {}
    }
}

/// The ends of names of credentials, and of addresses that are as good as one, without underscores.
const SECRETS: [&str; 15] = [
    "apikey",
    "virtualkey",
    "accesskey",
    "accesskeyid",
    "privatekey",
    "privatekeyid",
    "secret",
    "password",
    "passphrase",
    "token",
    "externalid",
    "credential",
    "credentials",
    "serviceaccountjson",
    "webhookurl",
];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['_', '-'], "");
    SECRETS.iter().any(|word| name.ends_with(word))
}
