//! A request as Responses takes it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

use super::items::Items;
use super::parts::Dropped;
use super::tools;
use crate::common::tool_ids::USER_ID;
use crate::common::{Block, BlockKind, Conversation, Effort, Family, JsonText, OutputFormat, without_billing_line};
use crate::vendors::TargetModel;
use crate::vendors::openai_models::{never_reasons, reasons, takes_effort};
use crate::{BadRequest, VendorRequest};

/// The fewest output tokens that may be asked for.
const LEAST_TOKENS: u64 = 16;

/// Fields of the client's that are acted on here or mean nothing to the vendor.
const SETTLED: [&str; 2] = ["include", "stream_options"];

/// The fields in their order.
#[derive(Default)]
struct Fields(Vec<(String, JsonText)>);

impl Fields {
    fn set(&mut self, name: &str, value: impl Into<JsonText>) {
        self.0.push((name.to_owned(), value.into()));
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Translates a request.
///
/// # Errors
/// Where leaving out what the format cannot express would change the meaning.
pub(super) fn request(conversation: &Conversation, target: &TargetModel<'_>) -> Result<VendorRequest, BadRequest> {
    if conversation.sampling.choices.is_some_and(|choices| choices != 1) {
        return Err(BadRequest::new("n", "This model answers one choice: leave 'n' out or set it to 1."));
    }
    let functions_only = target.quirks.functions_only;
    let mut dropped = Dropped::default();
    let mut fields = Fields::default();
    fields.set("model", json!(target.model));
    input(conversation, target, &mut fields, &mut dropped)?;
    let tools = tools::definitions(conversation, functions_only, &mut dropped)?;
    if !tools.is_empty() {
        fields.set("tools", JsonText::of(&tools));
        if let Some(choice) = tools::choice(conversation, functions_only) {
            fields.set("tool_choice", choice);
        }
        if let Some(parallel) = conversation.parallel_tool_calls {
            fields.set("parallel_tool_calls", json!(parallel));
        }
    }
    limit(conversation, target, &mut fields, &mut dropped);
    sampling(conversation, target.model, &mut fields, &mut dropped);
    reasoning(conversation, target.model, &mut fields, &mut dropped);
    text(conversation, &mut fields);
    // Answers are kept by no vendor, so that what was reasoned has to come back with the next request.
    fields.set("store", json!(false));
    let include = include(conversation, target.model);
    if !include.is_empty() {
        fields.set("include", json!(include));
    }
    if conversation.stream {
        fields.set("stream", json!(true));
    }
    identity(conversation, &mut fields, &mut dropped);
    rest(conversation, &mut fields, &mut dropped);
    let body = Bytes::from(serde_json::to_vec(&fields).unwrap_or_default());
    let dropped_params = dropped.into_names();
    Ok(VendorRequest { path: "/responses".to_owned(), headers: Vec::new(), body, dropped_params })
}

/// The instructions and the items. Words of the operator are instructions where they are one text; several would come
/// to one text there, whose end the next turn could not tell.
fn input(
    conversation: &Conversation,
    target: &TargetModel<'_>,
    fields: &mut Fields,
    dropped: &mut Dropped,
) -> Result<(), BadRequest> {
    let operator = if target.quirks.no_developer_role { "system" } else { "developer" };
    let mut items = Items::new(target.quirks.functions_only, operator);
    // What is meant for Anthropic alone would ruin the vendor's prompt cache (J17).
    let meant = conversation.system.iter().filter_map(|block| match &block.kind {
        BlockKind::Text { text, .. } => match without_billing_line(text) {
            "" => None,
            rest if rest.len() == text.len() => Some(Cow::Borrowed(block)),
            rest => Some(Cow::Owned(Block { kind: BlockKind::text(rest), ..block.clone() })),
        },
        _ => Some(Cow::Borrowed(block)),
    });
    let system: Vec<Cow<'_, Block>> = meant.collect();
    match system.as_slice() {
        [block] if matches!(block.kind, BlockKind::Text { .. }) => {
            if let BlockKind::Text { text, .. } = &block.kind {
                fields.set("instructions", json!(text));
            }
        }
        blocks => {
            for block in blocks {
                items.operator(std::slice::from_ref(&**block), dropped)?;
            }
        }
    }
    for turn in &conversation.turns {
        items.turn(turn, dropped)?;
        if turn.name.is_some() {
            dropped.add("name");
        }
    }
    items.end_answer();
    if items.out.is_empty() && conversation.system.is_empty() {
        return Err(BadRequest::new("messages", "The conversation says nothing."));
    }
    let has_marks = conversation.system.iter().chain(conversation.turns.iter().flat_map(|turn| &turn.blocks));
    if has_marks.chain([]).any(|block| block.cache.is_some()) {
        dropped.add("cache_control");
    }
    fields.set("input", JsonText::of(&items.out));
    Ok(())
}

fn limit(conversation: &Conversation, target: &TargetModel<'_>, fields: &mut Fields, dropped: &mut Dropped) {
    let Some(asked) = conversation.max_output_tokens else { return };
    let most = target.max_output_tokens.unwrap_or(u64::MAX);
    if asked > most {
        dropped.add(&format!("max_tokens>{most}"));
    }
    fields.set("max_output_tokens", json!(asked.min(most).max(LEAST_TOKENS)));
}

fn sampling(conversation: &Conversation, model: &str, fields: &mut Fields, dropped: &mut Dropped) {
    let sampling = &conversation.sampling;
    let refuses = reasons_here(conversation, model);
    for (name, value) in [("temperature", &sampling.temperature), ("top_p", &sampling.top_p)] {
        match value {
            Some(number) if refuses && number.as_f64() != Some(1.0) => dropped.add(name),
            Some(number) => fields.set(name, Value::Number(number.clone())),
            None => {}
        }
    }
    let lost = [
        ("top_k", sampling.top_k.is_some()),
        ("stop", !sampling.stop.is_empty()),
        ("seed", sampling.seed.is_some()),
        ("frequency_penalty", sampling.frequency_penalty.is_some()),
        ("presence_penalty", sampling.presence_penalty.is_some()),
        ("logit_bias", sampling.logit_bias.is_some()),
        ("logprobs", sampling.logprobs == Some(true) && reasons_here(conversation, model)),
    ];
    for (name, _) in lost.into_iter().filter(|(_, is_set)| *is_set) {
        dropped.add(name);
    }
    match sampling.top_logprobs.filter(|count| *count > 0) {
        Some(_) if reasons_here(conversation, model) => dropped.add("top_logprobs"),
        Some(count) => fields.set("top_logprobs", json!(count)),
        None => {}
    }
}

/// Whether the model reasons about this conversation: models that do take no sampling and give no log probabilities.
fn reasons_here(conversation: &Conversation, model: &str) -> bool {
    let effort = conversation.reasoning.as_ref().and_then(|reasoning| reasoning.effort);
    effort != Some(Effort::None) && reasons(model)
}

/// What the vendor is to tell beside its words.
fn include(conversation: &Conversation, model: &str) -> Vec<&'static str> {
    let mut include = Vec::new();
    if !never_reasons(model) {
        include.push("reasoning.encrypted_content");
    }
    if conversation.sampling.logprobs == Some(true) && !reasons_here(conversation, model) {
        include.push("message.output_text.logprobs");
    }
    include
}

fn reasoning(conversation: &Conversation, model: &str, fields: &mut Fields, dropped: &mut Dropped) {
    let Some(reasoning) = &conversation.reasoning else { return };
    let asked = reasoning.effort.or_else(|| reasoning.budget_tokens.map(Effort::from_budget_tokens));
    let is_foreign = conversation.rest_family == Some(Family::Anthropic);
    let effort = asked.filter(|effort| !is_foreign || takes_effort(reasoning, *effort, model));
    if asked.is_some() && effort.is_none() {
        dropped.add("reasoning.effort");
    }
    if never_reasons(model) && is_foreign {
        return;
    }
    let summary = match reasoning.summary.as_deref() {
        Some(word @ ("auto" | "concise" | "detailed")) => Some(word),
        Some("summarized") => Some("auto"),
        _ => None,
    };
    let mut told = serde_json::Map::new();
    told.extend(effort.map(|effort| ("effort".to_owned(), json!(effort.as_str()))));
    told.extend(summary.map(|summary| ("summary".to_owned(), json!(summary))));
    if !told.is_empty() {
        fields.set("reasoning", Value::Object(told));
    }
}

fn text(conversation: &Conversation, fields: &mut Fields) {
    #[derive(serde::Serialize)]
    struct Schema<'a> {
        r#type: &'static str,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        schema: &'a JsonText,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    }
    let format = conversation.output_format.as_ref().map(|format| match format {
        OutputFormat::JsonObject => json!({"type": "json_object"}).into(),
        OutputFormat::JsonSchema { name, description, schema, strict } => JsonText::of(&Schema {
            r#type: "json_schema",
            name: name.as_deref().unwrap_or("answer"),
            description: description.as_deref(),
            schema,
            strict: *strict,
        }),
    });
    let verbosity = conversation.verbosity.as_ref().map(|word| ("verbosity".to_owned(), json!(word).into()));
    let told: Vec<(String, JsonText)> =
        format.map(|format| ("format".to_owned(), format)).into_iter().chain(verbosity).collect();
    if !told.is_empty() {
        fields.set("text", JsonText::of(&Fields(told)));
    }
}

fn identity(conversation: &Conversation, fields: &mut Fields, dropped: &mut Dropped) {
    if let Some(user) = &conversation.identity.user {
        fields.set("safety_identifier", json!(USER_ID.fit(user)));
    }
    if let Some(key) = &conversation.identity.cache_key {
        fields.set("prompt_cache_key", json!(key));
    }
    match conversation.service_tier.as_deref() {
        None => {}
        Some("standard_only") => fields.set("service_tier", json!("default")),
        Some(tier @ ("auto" | "default" | "flex" | "priority" | "scale" | "fast")) => {
            fields.set("service_tier", json!(tier));
        }
        Some(_) => dropped.add("service_tier"),
    }
    if let Some(metadata) = &conversation.metadata {
        let fits = metadata.values().all(Value::is_string);
        match fits {
            true if !metadata.is_empty() => fields.set("metadata", Value::Object(metadata.clone())),
            true => {}
            false => dropped.add("metadata"),
        }
    }
}

/// The fields that only the client's family knows: those of this format go back, others are told as dropped.
fn rest(conversation: &Conversation, fields: &mut Fields, dropped: &mut Dropped) {
    let is_own = conversation.rest_family == Some(Family::OpenAi);
    for (name, value) in &conversation.rest {
        match name.as_str() {
            name if is_own && SETTLED.contains(&name) => {}
            // Of a name that stands twice, a vendor may take the one that nothing here has read.
            name if is_own && !fields.has(name) => fields.set(name, value.clone()),
            name => dropped.add(name),
        }
    }
}
