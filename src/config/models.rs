//! `[models.NAME]`: names that clients use for models.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_actors::providers::resolve::MAX_MODEL_CHARS;
use gateway_actors::routing::aliases::{Alias, Aliases};
use gateway_actors::routing::{self, Plan};
use serde::{Deserialize, Serialize};

use super::Config;

/// `[models.NAME]`: what serves a model of this name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelSettings {
    /// Named routing config that serves it; empty where `provider` and `model` do.
    pub config: String,
    /// Provider that serves it.
    pub provider: String,
    /// The provider's name of the model.
    pub model: String,
}

impl Config {
    /// What stands behind the names, given the named configs.
    pub fn aliases(&self, plans: &HashMap<String, Arc<Plan>>) -> Aliases {
        let alias = |(name, settings): (&String, &ModelSettings)| {
            let alias = match settings.config.as_str() {
                "" => Alias::Target { provider: settings.provider.clone(), model: settings.model.clone() },
                slug => Alias::Config(plans.get(slug)?.clone()),
            };
            Some((name.clone(), alias))
        };
        self.models.iter().filter_map(alias).collect()
    }
}

/// A name must lead to models in one step.
pub(super) fn check(config: &Config, wrong: &mut dyn FnMut(&str, String)) {
    for (name, settings) in &config.models {
        let section = format!("models.{}", name.escape_debug());
        let ModelSettings { config: slug, provider, model } = settings;
        if let Some(problem) = name_problem(name) {
            wrong(&section, format!("a model's name {problem}"));
        }
        match (slug.as_str(), provider.as_str(), model.as_str()) {
            ("", "", _) | ("", _, "") => {
                wrong(&section, "must have either config, or provider and model".to_owned());
            }
            ("", provider, model) => {
                if !config.providers.contains_key(provider) {
                    wrong(&format!("{section}.provider"), format!("the section [providers.{provider}] does not exist"));
                }
                let path = format!("{section}.model");
                if let Some(problem) = name_problem(model) {
                    wrong(&path, problem);
                } else if config.models.contains_key(model) {
                    wrong(&path, is_alias(model));
                }
            }
            (slug, "", "") => check_config(config, slug, &format!("{section}.config"), wrong),
            _ => wrong(&section, "must have either config, or provider and model, not both".to_owned()),
        }
    }
}

/// Each target of the config must say what it asks for: nobody knows a model of the alias's name.
fn check_config(config: &Config, slug: &str, path: &str, wrong: &mut dyn FnMut(&str, String)) {
    let Some(value) = config.configs.get(slug) else {
        wrong(path, format!("the section [configs.{slug}] does not exist"));
        return;
    };
    // What cannot be read is told by its own path.
    let Ok(parsed) = routing::parse_value(value) else { return };
    for target in parsed.plan.targets() {
        match (target.provider.as_deref(), target.model()) {
            (None, None) => {
                wrong(path, format!("{} of [configs.{slug}] must name a provider or a model", target.path));
            }
            (None, Some(model)) if config.models.contains_key(model) => {
                wrong(path, format!("{} of [configs.{slug}]: {}", target.path, is_alias(model)));
            }
            _ => {}
        }
    }
}

fn is_alias(model: &str) -> String {
    format!("'{model}' is a name of [models] itself; name the provider's model")
}

fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() || name.chars().count() > MAX_MODEL_CHARS {
        return Some(format!("must have from 1 to {MAX_MODEL_CHARS} characters"));
    }
    name.contains(char::is_control).then(|| "must not contain control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::config::load;

    /// The problems of a configuration with these sections beside two configs.
    fn problems(sections: &str) -> Vec<String> {
        let configs = "[configs.good]\nprovider = 'openai'\nmodel = 'gpt-4o'\n[configs.open]\nretry = { attempts = 1 }\n\
            [configs.round]\nmodel = 'a'\n";
        match load(Some(&format!("{configs}{sections}")), &HashMap::new()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_name_leads_to_a_config_or_to_a_target() {
        let good = "[models.a]\nconfig = 'good'\n[models.'team/b']\nprovider = 'openai'\nmodel = 'gpt-4o'";
        assert_eq!(problems(good), [""; 0]);
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        let target = "provider = 'openai'\nmodel = 'gpt-4o'";
        for (sections, told) in [
            ("[models.a]".to_owned(), "models.a: must have either config, or provider and model"),
            ("[models.a]\nprovider = 'openai'".to_owned(), "models.a: must have either config"),
            ("[models.a]\nmodel = 'gpt-4o'".to_owned(), "models.a: must have either config"),
            (format!("[models.a]\nconfig = 'good'\n{target}"), "provider and model, not both"),
            ("[models.a]\nconfig = 'good'\nmodel = 'x'".to_owned(), "provider and model, not both"),
            ("[models.a]\nconfig = 'none'".to_owned(), "models.a.config: the section [configs.none] does not exist"),
            ("[models.a]\nconfig = 'open'".to_owned(), "models.a.config: config of [configs.open] must name"),
            ("[models.a]\nconfig = 'round'".to_owned(), "models.a.config: config of [configs.round]: 'a' is a name"),
            (
                "[models.a]\nprovider = 'none'\nmodel = 'x'".to_owned(),
                "models.a.provider: the section [providers.none] does not exist",
            ),
            (
                format!("[models.a]\nprovider = 'openai'\nmodel = 'b'\n[models.b]\n{target}"),
                "models.a.model: 'b' is a name of [models] itself",
            ),
            ("[models.a]\nprovider = 'openai'\nmodel = 'a'".to_owned(), "models.a.model: 'a' is a name"),
            (format!("[models.\"a\\n\"]\n{target}"), "models.a\\n: a model's name must not contain control"),
            (format!("[models.{}]\n{target}", "a".repeat(257)), "a model's name must have from 1 to 256"),
            (format!("[models.\"\"]\n{target}"), "a model's name must have from 1 to 256"),
            (
                "[models.a]\nprovider = 'openai'\nmodel = \"x\\u0007\"".to_owned(),
                "models.a.model: must not contain control",
            ),
            (format!("[models.a]\n{target}\nslug = 'x'"), "models.a.slug"),
        ] {
            let found = problems(&sections);
            assert!(found.len() == 1 && found[0].contains(told), "{sections}: {found:?}");
        }
    }
}
