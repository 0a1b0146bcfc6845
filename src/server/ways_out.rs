//! The way to each provider, and a word at the start on which of them lead through a proxy.

use std::collections::{BTreeMap, HashMap};

use gateway_actors::providers::catalogue::Catalogue;
use gateway_actors::providers::upstream::{Outbound, ProxyRules};
use gateway_wire::Dialect;

/// The way to each provider, by name.
///
/// # Errors
/// Where a provider's own proxy or certificate authority cannot be read; the text says whose.
pub fn to_providers(
    catalogue: &Catalogue,
    out: &Outbound,
    rules: &ProxyRules,
) -> Result<HashMap<String, Outbound>, String> {
    let mut ways = HashMap::new();
    let mut through: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    // A proxy that nobody uses is told of too: whoever set it expects otherwise.
    for proxy in [&rules.https, &rules.http].into_iter().flatten() {
        through.entry(proxy.place()).or_default();
    }
    for entry in catalogue.entries().filter(|entry| entry.settings.dialect != Dialect::Simulator) {
        let way = out.to_provider(&entry.settings).map_err(|why| format!("providers.{}.{why}", entry.name))?;
        if let Some(proxy) = way.proxy_to(&entry.settings.base_url) {
            through.entry(proxy).or_default().push(&entry.name);
        }
        ways.insert(entry.name.clone(), way);
    }
    for (proxy, providers) in through {
        let providers = if providers.is_empty() { "none".to_owned() } else { providers.join(", ") };
        log::info!(proxy = proxy, providers = providers; "providers are reached through a proxy");
    }
    Ok(ways)
}
