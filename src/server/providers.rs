//! The providers: the actor of each, the way to it, and a word at the start on which ways lead through a proxy.

use std::collections::{BTreeMap, HashMap};

use actix_rt::ArbiterHandle;
use gateway_actors::providers::actor::ProviderActor;
use gateway_actors::providers::catalogue::{Catalogue, ProviderEntry};
use gateway_actors::providers::handle::ProviderHandle;
use gateway_actors::providers::upstream::{Outbound, ProxyRules};
use gateway_actors::runtime::mailbox::MailboxSettings;
use gateway_actors::runtime::registry::{ActorRegistry, Role};
use gateway_wire::Dialect;

/// Starts the actor of each provider, and registers it. Gives what requests use of them, by name.
pub fn start(
    catalogue: &Catalogue,
    mailbox: MailboxSettings,
    arbiter: &ArbiterHandle,
    actors: &ActorRegistry,
) -> foldhash::HashMap<String, ProviderHandle> {
    let MailboxSettings { limit, ask_timeout } = mailbox;
    let start = |entry: &ProviderEntry| {
        let handle = ProviderActor::start(&entry.name, entry.settings.clone(), limit, ask_timeout, arbiter);
        actors.add(Role::Optional, handle.clone());
        (entry.name.clone(), handle)
    };
    catalogue.entries().map(start).collect()
}

/// The way to each provider, by name.
///
/// # Errors
/// Where a provider's own proxy or certificate authority cannot be read; the text says whose.
pub fn ways_to(catalogue: &Catalogue, out: &Outbound, rules: &ProxyRules) -> Result<HashMap<String, Outbound>, String> {
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
