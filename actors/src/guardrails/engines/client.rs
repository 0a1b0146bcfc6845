//! One call of an engine: one try, whose answer has a bound.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use gateway_guard::judge::llama_guard::Author;
use gateway_guard::judge::{llama_guard, moderations, presidio};
use gateway_wire::clients::chat::CHAT;
use gateway_wire::clients::{ClientFormat, ClientKind};
use gateway_wire::common::{Answer, BlockKind};
use gateway_wire::json_object::JsonObject;
use gateway_wire::openai::{self, StreamOptions};
use gateway_wire::vendors::TargetModel;
use gateway_wire::{Dialect, VendorRequest, dialect, formats};
use serde_json::{Value, json};

use super::actor::EngineRoute;
use super::settings::EngineApi;
use super::spans::beside_placeholders;
use super::verdict::{EngineFailure, Verdict};
use crate::failure::FailureKind;
use crate::providers::catalogue::ProviderEntry;
use crate::providers::simulator;
use crate::providers::upstream::{Upstream, UpstreamAnswer, simulate};

/// The largest answer that is read.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Texts that moderations take in one call.
const MAX_TEXTS: usize = 32;

/// An engine as one thread reaches it.
pub struct EngineClient {
    api: EngineApi,
    /// The provider of the model; none where the engine has an address of its own.
    provider: Option<ProviderEntry>,
    /// None for the simulator.
    upstream: Option<Upstream>,
}

impl EngineClient {
    /// Connections of the calling thread.
    pub fn new(route: &EngineRoute) -> Self {
        let upstream = match &route.provider {
            None => Some(Upstream::anywhere(&route.outbound)),
            Some(entry) if entry.settings.dialect == Dialect::Simulator => None,
            Some(entry) => Some(Upstream::new(&entry.settings, &route.outbound)),
        };
        Self { api: route.settings.api.clone(), provider: route.provider.clone(), upstream }
    }

    /// How many texts go into one call.
    pub fn batch(&self) -> usize {
        if matches!(self.api, EngineApi::Moderations { .. }) { MAX_TEXTS } else { 1 }
    }

    /// Whether verdicts have places in the text, so that it must be exactly the same.
    pub fn has_places(&self) -> bool {
        matches!(self.api, EngineApi::Presidio { .. })
    }

    /// The verdicts on texts of one author, as many as [`EngineClient::batch`] says, in their order.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn ask(&self, author: Author, texts: &[&str]) -> Result<Vec<Verdict>, EngineFailure> {
        match &self.api {
            EngineApi::Presidio { base_url, language, threshold, entities } => {
                let text = texts.first().copied().unwrap_or_default();
                let path = [base_url.trim_end_matches('/'), presidio::PATH].concat();
                let answer = self.post(path, &presidio::request(text, language)).await?;
                let found = presidio::read(&answer, text, *threshold).map_err(|_| EngineFailure::Unreadable)?;
                let kind = |found: &presidio::OutsideFinding| entities.get(&found.entity_type).copied().or(found.kind);
                let findings = found.into_iter().filter_map(|found| Some((kind(&found)?, found.range))).collect();
                Ok(vec![Verdict { findings: beside_placeholders(text, findings), ..Verdict::default() }])
            }
            EngineApi::Moderations { model } => {
                let body = object(&moderations::request(model, texts))?;
                let way = (moderations::PATH, "moderations");
                let request = dialect::passed_request(self.dialect(), way, &body, model);
                let request = request.map_err(|_| EngineFailure::Unreadable)?;
                let answer = self.send(&request, || simulator::moderations(&body, model)).await?;
                let scores = moderations::read(&answer, texts.len()).map_err(|_| EngineFailure::Unreadable)?;
                Ok(scores.into_iter().map(|scores| Verdict { scores, ..Verdict::default() }).collect())
            }
            EngineApi::LlamaGuard { model, logprobs } => {
                let text = texts.first().copied().unwrap_or_default();
                let body = object(&llama_guard::request(model, author, text, *logprobs))?;
                let request = self.chat(&body, model).ok_or(EngineFailure::Unreadable)?;
                let answer = self.send(&request, || simulator::answer(&body, model, false, "judge", 0)).await?;
                let answer = as_chat(self.chat_dialect(&body, model), answer)?;
                let read = llama_guard::read(&answer).map_err(|_| EngineFailure::Unreadable)?;
                Ok(vec![Verdict { scores: read.scores, is_unsafe: read.score, findings: Vec::new() }])
            }
        }
    }

    fn dialect(&self) -> Dialect {
        self.provider.as_ref().map_or(Dialect::OpenAi, |entry| entry.settings.dialect)
    }

    /// The format in which the provider is asked for a chat answer.
    fn chat_dialect(&self, body: &JsonObject, model: &str) -> Dialect {
        let settings = self.provider.as_ref().map(|entry| &entry.settings);
        settings.map_or(Dialect::OpenAi, |settings| settings.dialect_for(ClientKind::Chat, model, body))
    }

    /// A chat request in the format of the provider.
    fn chat(&self, body: &JsonObject, model: &str) -> Option<VendorRequest> {
        let (settings, dialect) = (&self.provider.as_ref()?.settings, self.chat_dialect(body, model));
        if dialect.is_chat() {
            let fitted = openai::fitted(body, &settings.quirks).ok()?;
            return openai::chat_request(&fitted.0, model, StreamOptions::Kept).ok();
        }
        let quirks = settings.quirks();
        let target = TargetModel { model, quirks: &quirks, max_output_tokens: None };
        formats::vendor(dialect).request(&CHAT.read(body).ok()?, &target).ok()
    }

    /// Posts a body to an address.
    async fn post(&self, path: String, body: &Value) -> Result<Bytes, EngineFailure> {
        let request = VendorRequest {
            path,
            headers: Vec::new(),
            body: Bytes::from(body.to_string()),
            dropped_params: Vec::new(),
        };
        let Some(upstream) = &self.upstream else { return Err(EngineFailure::Connection) };
        read(upstream.send(&request, None, &[]).await.map_err(failure)?).await
    }

    /// Sends a request to the provider.
    async fn send(
        &self,
        request: &VendorRequest,
        script: impl FnOnce() -> simulator::SimulatedAnswer,
    ) -> Result<Bytes, EngineFailure> {
        let credential = self.provider.as_ref().and_then(|entry| entry.api_key.as_ref());
        let answer = match &self.upstream {
            Some(upstream) => upstream.send(request, credential, &[]).await.map_err(failure)?,
            None => simulate(script()).await,
        };
        read(answer).await
    }
}

/// An answer in a format as chat tells it.
fn as_chat(dialect: Dialect, answer: Bytes) -> Result<Bytes, EngineFailure> {
    if dialect.is_chat() {
        return Ok(answer);
    }
    let answer = formats::vendor(dialect).answer(&answer).map_err(|_| EngineFailure::Unreadable)?;
    Ok(Bytes::from(json!({"choices": [{"message": {"content": text_of(&answer)}}]}).to_string()))
}

/// Reads a good answer.
async fn read(mut answer: UpstreamAnswer) -> Result<Bytes, EngineFailure> {
    if !(200..300).contains(&answer.status) {
        return Err(EngineFailure::Status);
    }
    if answer.unknown_coding.is_some() {
        return Err(EngineFailure::Unreadable);
    }
    let mut whole = BytesMut::new();
    while let Some(next) = answer.body.next().await {
        whole.extend_from_slice(&next.map_err(|_| EngineFailure::Connection)?);
        if whole.len() > MAX_ANSWER_BYTES {
            return Err(EngineFailure::Unreadable);
        }
    }
    Ok(whole.freeze())
}

fn failure(kind: FailureKind) -> EngineFailure {
    match kind {
        FailureKind::ConnectTimeout => EngineFailure::Timeout,
        _ => EngineFailure::Connection,
    }
}

fn object(body: &Value) -> Result<JsonObject, EngineFailure> {
    JsonObject::parse(Bytes::from(body.to_string())).map_err(|_| EngineFailure::Unreadable)
}

/// The text of an answer.
fn text_of(answer: &Answer) -> String {
    let texts = answer.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Text { text, .. } => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}
