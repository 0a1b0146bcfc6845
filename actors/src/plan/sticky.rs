//! `strategy.sticky`: equal requests stay at the same child, without any memory, by rendezvous hashing.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use super::choose::Context;
use super::conditions::scalar_text;
use super::fields::{Fields, Findings};

const KNOWN: [&str; 3] = ["enabled", "hash_fields", "ttl"];

/// What keeps requests together.
#[derive(Debug)]
pub(super) struct Sticky {
    fields: Vec<String>,
    /// Seconds after which requests may move on.
    ttl: Option<u64>,
}

pub(super) fn read(options: &Fields<'_>, found: &mut Findings) -> Option<Sticky> {
    let object = options.object("sticky", found)?;
    let sticky = Fields::new(&options.at("sticky"), object, &KNOWN, found);
    let enabled = sticky.flag("enabled", found).unwrap_or(true);
    let fields =
        sticky.read("hash_fields", "an array of metadata.…, params.… or headers.… names", found, |value| {
            let field = |item: &Value| {
                let text = item.as_str()?;
                ["metadata.", "params.", "headers."].iter().any(|kind| text.starts_with(kind)).then(|| text.to_owned())
            };
            value.as_array().filter(|list| !list.is_empty())?.iter().map(field).collect::<Option<Vec<_>>>()
        });
    if sticky.get("hash_fields").is_none() {
        found.error(sticky.at("hash_fields"), "must name what keeps requests together");
    }
    let ttl = sticky.number("ttl", 1, u64::from(u32::MAX), found);
    enabled.then_some(Sticky { fields: fields?, ttl })
}

impl Sticky {
    /// Each child's claim on the request, in 0..1; `None` where the request carries none of the fields. The child with
    /// the greatest weighted claim gets it, and keeps it while the others come and go.
    pub fn claims(&self, context: &Context<'_>, children: usize) -> Option<Vec<f64>> {
        let values: Vec<Option<String>> = self.fields.iter().map(|field| value_of(field, context)).collect();
        if values.iter().all(Option::is_none) {
            return None;
        }
        let claim = |child: usize| {
            let mut hasher = DefaultHasher::new();
            values.hash(&mut hasher);
            let key = hasher.finish();
            if let Some(ttl) = self.ttl {
                // Each key moves on at a moment of its own, so that a whole fleet of them does not at once.
                let seconds = context.now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
                ((seconds + key % ttl) / ttl).hash(&mut hasher);
            }
            child.hash(&mut hasher);
            ((hasher.finish() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        Some((0..children).map(claim).collect())
    }
}

fn value_of(field: &str, context: &Context<'_>) -> Option<String> {
    let (kind, name) = field.split_once('.')?;
    match kind {
        "metadata" => context.metadata.get(name).map(scalar_text),
        "headers" => (context.header)(name),
        _ => context.params.read::<Value>(name).ok().flatten().as_ref().map(scalar_text),
    }
}
