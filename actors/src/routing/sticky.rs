//! `strategy.sticky`: equal requests stay at the same child, without any memory, by rendezvous hashing.

use std::borrow::Cow;
use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::choose::PlanContext;
use super::conditions::scalar_text;
use super::fields::{Fields, Findings};

const KNOWN_FIELDS: &[&str] = &["enabled", "hash_fields", "ttl"];
const MAX_FIELDS: usize = 16;

/// Seconds after which requests may move on by default, so that nothing is pinned for ever.
const DEFAULT_TTL_SECONDS: u64 = 3600;

/// What keeps requests together.
#[derive(Debug)]
pub(super) struct Sticky {
    fields: Vec<String>,
    /// Seconds after which requests may move on.
    ttl: u64,
}

pub(super) fn read(options: &Fields<'_>, found: &mut Findings) -> Option<Sticky> {
    let object = options.object("sticky", found)?;
    let sticky = Fields::new(&options.at("sticky"), object, &[KNOWN_FIELDS], found);
    let enabled = sticky.flag("enabled", found).unwrap_or(true);
    let fields = sticky.read(
        "hash_fields",
        "an array of up to 16 metadata.…, params.… or headers.… names",
        found,
        |value| {
            let field = |item: &Value| {
                let text = item.as_str()?;
                let (kind, name) = text.split_once('.')?;
                (matches!(kind, "metadata" | "params" | "headers") && !name.is_empty()).then(|| text.to_owned())
            };
            value
                .as_array()
                .filter(|list| (1..=MAX_FIELDS).contains(&list.len()))?
                .iter()
                .map(field)
                .collect::<Option<Vec<_>>>()
        },
    );
    if sticky.get("hash_fields").is_none() {
        found.error(sticky.at("hash_fields"), "must list the fields that keep requests together");
    }
    let ttl = sticky.number("ttl", 1, u64::from(u32::MAX), found).unwrap_or(DEFAULT_TTL_SECONDS);
    enabled.then_some(Sticky { fields: fields?, ttl })
}

impl Sticky {
    /// Each child's claim on the request, in 0..1; `None` where the request carries none of the fields. The child with
    /// the greatest weighted claim gets it, and keeps it while the others come and go.
    pub fn claims(&self, context: &PlanContext<'_>, children: usize) -> Option<Vec<f64>> {
        let values: Vec<Option<Cow<'_, str>>> = self.fields.iter().map(|field| value_of(field, context)).collect();
        if values.iter().all(Option::is_none) {
            return None;
        }
        let key = values.iter().fold(HASH_START, |hash, value| match value {
            None => hashed(hash, &[0]),
            Some(text) => hashed(hashed(hash, &[1]), text.as_bytes()),
        });
        // Each key moves on at a moment of its own, so that a whole fleet of them does not at once.
        let seconds = context.now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let period = seconds.saturating_add(mixed(key) % self.ttl) / self.ttl;
        let key = hashed(key, &period.to_le_bytes());
        let claim = |child: usize| {
            let hash = mixed(hashed(key, &(child as u64).to_le_bytes()));
            ((hash >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
        };
        Some((0..children).map(claim).collect())
    }

    pub fn to_json(&self) -> Value {
        json!({"enabled": true, "hash_fields": self.fields, "ttl": self.ttl})
    }
}

fn value_of<'a>(field: &str, context: &PlanContext<'a>) -> Option<Cow<'a, str>> {
    let (kind, name) = field.split_once('.')?;
    match kind {
        "metadata" => context.metadata.get(name).map(scalar_text),
        "headers" => (context.header)(name).map(Cow::Owned),
        _ => context.params.get(name).filter(|text| *text != "null").map(Cow::Borrowed),
    }
}

const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a: the same on every replica and in every version, which the standard library's hasher does not promise.
fn hashed(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// SplitMix64's last step, which spreads a hash over all its bits.
fn mixed(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
