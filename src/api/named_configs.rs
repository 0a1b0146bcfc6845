//! The named routing configs, and the names that clients use for models.

use std::collections::HashMap;
use std::sync::Arc;

use gateway_actors::routing::aliases::Aliases;
use gateway_actors::routing::{self, Plan};

use super::config_cache::ConfigCache;
use crate::config::Config;

/// What a request may name instead of a provider's model.
pub struct NamedConfigs {
    /// The plan of a request that brings no config and whose key has none.
    pub default_plan: Arc<Plan>,
    /// The named configs of the configuration, by slug.
    pub plans: HashMap<String, Arc<Plan>>,
    /// The names that clients use for models.
    pub aliases: Aliases,
    /// Inline configs that were read.
    pub inline: ConfigCache,
}

impl NamedConfigs {
    /// Reads those of the configuration.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn open(config: &Config) -> Result<Self, String> {
        let plans = plans(config)?;
        let default_plan = plans.get(&config.routing.default_config).cloned().unwrap_or_default();
        Ok(Self { default_plan, aliases: config.aliases(&plans), plans, inline: ConfigCache::default() })
    }
}

fn plans(config: &Config) -> Result<HashMap<String, Arc<Plan>>, String> {
    let mut plans = HashMap::new();
    for (slug, value) in &config.configs {
        let parsed = routing::parse_value(value).map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect();
            format!("configs.{slug}: {}", errors.join("; "))
        })?;
        for warning in parsed.warnings {
            log::warn!("configs.{slug}: {warning}");
        }
        plans.insert(slug.clone(), Arc::new(parsed.plan));
    }
    Ok(plans)
}
