//! The configured providers, each with its credential, and which vendor a model belongs to.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use gateway_wire::Dialect;

use super::settings::ProviderSettings;
use crate::pattern::matches_pattern;
use crate::secret::Secret;

/// One configured provider.
#[derive(Clone, Debug)]
pub struct ProviderEntry {
    /// Its name in the configuration.
    pub name: String,
    /// Its settings; `base_url` is the one in force.
    pub settings: ProviderSettings,
    /// The gateway's own credential for it.
    pub api_key: Option<Secret>,
    /// Whether requests can be sent to it as it is.
    pub ready: bool,
    /// What is missing, for the one who gets the error.
    pub why_not_ready: Option<String>,
}

/// Every configured provider, by name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<String, ProviderEntry>,
    /// Patterns of models and whose they are, the longest first.
    vendors: Vec<(String, String)>,
}

impl Catalogue {
    /// Resolves what the settings leave to the environment, which `variable` looks up.
    pub fn new(providers: &BTreeMap<String, ProviderSettings>, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &Option<String>| name.as_deref().and_then(variable).filter(|value| !value.is_empty());
        let entry = |(name, settings): (&String, &ProviderSettings)| {
            let mut settings = settings.clone();
            if let Some(base_url) = variable(&settings.base_url_env) {
                settings.base_url = base_url;
            }
            if let Some(suffix) = settings.dialect.version_suffix(&settings.base_url) {
                settings.base_url = without(suffix, &settings.base_url);
            }
            let api_key = variable(&settings.api_key_env).map(Secret::new);
            let why_not_ready = missing(name, &settings, api_key.is_some());
            let ready = why_not_ready.is_none();
            (name.clone(), ProviderEntry { name: name.clone(), settings, api_key, ready, why_not_ready })
        };
        let patterns = |(name, settings): (&String, &ProviderSettings)| {
            settings.models.iter().map(|pattern| (pattern.clone(), name.clone())).collect::<Vec<_>>()
        };
        let mut vendors: Vec<_> = providers.iter().flat_map(patterns).collect();
        // Of two that are equally long the later name's wins.
        vendors.sort_by_key(|(pattern, name)| Reverse((pattern.len(), name.clone())));
        Self { entries: providers.iter().map(entry).collect(), vendors }
    }

    /// A provider by its name.
    pub fn get(&self, name: &str) -> Option<&ProviderEntry> {
        self.entries.get(name)
    }

    /// Every provider.
    pub fn entries(&self) -> impl Iterator<Item = &ProviderEntry> {
        self.entries.values()
    }

    /// Every provider's name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The provider whose models the name belongs to; the longest pattern wins.
    pub fn vendor_of(&self, model: &str) -> Option<&str> {
        self.vendors.iter().find(|(pattern, _)| matches_pattern(pattern, model)).map(|(_, name)| name.as_str())
    }
}

/// A base URL without the end of its path; a query stays.
fn without(suffix: &str, base_url: &str) -> String {
    let (path, query) = base_url.split_at(base_url.find('?').unwrap_or(base_url.len()));
    let path = path.trim_end_matches('/');
    [path.strip_suffix(suffix).unwrap_or(path), query].concat()
}

/// What keeps a provider from being used, if anything.
fn missing(name: &str, settings: &ProviderSettings, has_key: bool) -> Option<String> {
    if settings.base_url.is_empty() && settings.dialect != Dialect::Simulator {
        let variable = settings.base_url_env.as_deref().map(|v| format!(" or {v}")).unwrap_or_default();
        return Some(format!("The provider '{name}' has no address: set providers.{name}.base_url{variable}."));
    }
    match &settings.api_key_env {
        Some(variable) if !has_key => Some(format!("The provider '{name}' has no credential: set {variable}.")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn provider(text: &str) -> ProviderSettings {
        toml::from_str(text).unwrap()
    }

    /// A base URL with the version that the dialect's own paths begin with works as the one without it.
    #[test]
    fn a_repeated_version_is_left_out() {
        for (dialect, written, used) in [
            ("anthropic", "http://h/v1", "http://h"),
            ("anthropic", "http://h/v1/", "http://h"),
            ("anthropic", "http://h/proxy/v1?a=b", "http://h/proxy?a=b"),
            ("anthropic", "http://h", "http://h"),
            ("ollama", "http://h:11434/api", "http://h:11434"),
            ("ollama", "http://h:11434/v1", "http://h:11434"),
            ("openai", "http://h/v1", "http://h/v1"),
        ] {
            let settings = provider(&format!("dialect = '{dialect}'\nbase_url = '{written}'"));
            let catalogue = Catalogue::new(&BTreeMap::from([("a".to_owned(), settings)]), &|_| None);
            assert_eq!(catalogue.get("a").unwrap().settings.base_url, used, "{dialect} {written}");
        }
    }

    #[test]
    fn the_environment_completes_a_provider() {
        let providers = BTreeMap::from([(
            "a".to_owned(),
            provider("dialect = 'openai'\nbase_url_env = 'A_URL'\napi_key_env = 'A_KEY'\nmodels = ['a-*']"),
        )]);
        let none = Catalogue::new(&providers, &|_| None);
        assert!(none.get("a").unwrap().why_not_ready.as_ref().unwrap().contains("A_URL"));
        let some = Catalogue::new(&providers, &|name| Some(format!("http://{name}")));
        let entry = some.get("a").unwrap();
        assert!(entry.ready && entry.settings.base_url == "http://A_URL");
        assert_eq!(some.vendor_of("a-large"), Some("a"));
        assert_eq!(some.vendor_of("b-large"), None);
    }
}
