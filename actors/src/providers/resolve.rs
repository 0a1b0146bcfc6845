//! Which provider and which of its models a target means.

use gateway_wire::BadRequest;

use super::catalogue::Catalogue;

/// The longest name of a model, in characters: it stands in logs, in usage rows and in errors.
pub const MAX_MODEL_CHARS: usize = 256;

/// Where a provider's name can come from, besides the target and the model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// The `x-portkey-provider` header.
    pub header: Option<&'a str>,
    /// The virtual key's provider.
    pub key: Option<&'a str>,
}

/// The provider and the model that it is asked for. The provider comes from the target, the header, a
/// `provider/model` name, the key, or the vendor that the catalogue knows for the model, in this order.
///
/// # Errors
/// Where the provider is unknown, or none can be told.
pub fn resolve(
    target: Option<&str>,
    model: &str,
    hints: Hints<'_>,
    catalogue: &Catalogue,
) -> Result<(String, String), BadRequest> {
    if model.chars().count() > MAX_MODEL_CHARS {
        return Err(BadRequest::new("model", format!("A model's name has at most {MAX_MODEL_CHARS} characters.")));
    }
    if let Some(name) = target.or(hints.header) {
        let name = name.strip_prefix('@').unwrap_or(name).to_ascii_lowercase();
        return match catalogue.get(&name) {
            Some(_) => Ok((name, model.to_owned())),
            None => Err(unknown_provider(&name, catalogue)),
        };
    }
    if let Some((prefix, rest)) = model.split_once('/') {
        let name = prefix.strip_prefix('@').unwrap_or(prefix).to_ascii_lowercase();
        if catalogue.get(&name).is_some() && !rest.is_empty() {
            return Ok((name, rest.to_owned()));
        }
    }
    match hints.key.or_else(|| catalogue.vendor_of(model)) {
        Some(name) => Ok((name.to_owned(), model.to_owned())),
        None => Err(BadRequest::new(
            "model",
            format!(
                "No provider is known for the model '{model}'. Name one: 'provider/model', the x-portkey-provider \
                 header, or a target's 'provider'."
            ),
        )),
    }
}

/// What a client is told that names a provider which is not configured.
pub fn unknown_provider(name: &str, catalogue: &Catalogue) -> BadRequest {
    let known: Vec<&str> = catalogue.names().collect();
    BadRequest::new("provider", format!("The provider '{name}' is not configured. Known are: {}.", known.join(", ")))
}
