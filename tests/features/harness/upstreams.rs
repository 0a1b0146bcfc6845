//! One provider of each kind, all scripted alike: the name of the model says what is answered.

use serde_json::{Value, json};

use super::bodies::scene::{End, Part, Scene, Upstream};
use super::{FakeProvider, Reply, Setup};

/// The kinds of upstreams and the names of their providers; the simulator is none of them.
pub const UPSTREAMS: [(&str, Upstream); 4] = [
    ("chat", Upstream::Chat),
    ("responses", Upstream::Responses),
    ("claude", Upstream::Anthropic),
    ("llama", Upstream::Ollama),
];

/// What every reasoning model of the tests thinks, and what every model of the tests says.
pub const THOUGHT: &str = "The user wants to be greeted.";
pub const SAID: &str = "Xin chào! Tôi có thể giúp gì?";
pub const REFUSED: &str = "I cannot help with that.";

/// A provider of each kind.
pub struct Upstreams(Vec<(&'static str, FakeProvider)>);

impl Upstreams {
    /// Providers that answer what the model's name says: `text`, `reasoning`, `tool`, `two-tools`, `mixed`, `refusal`,
    /// `length`, `early-STATUS`, `late` and `cut`.
    pub async fn start() -> Self {
        Self::answering(answer).await
    }

    /// Providers that choose their answers so.
    pub async fn answering(choice: fn(Upstream, &Value) -> Reply) -> Self {
        let mut all = Vec::new();
        for (name, kind) in UPSTREAMS {
            let fake = FakeProvider::start().await;
            fake.by_body(move |body| choice(kind, body));
            all.push((name, fake));
        }
        Self(all)
    }

    /// A gateway's setup with these providers; none of them is ever shut off.
    pub fn setup(&self) -> Setup {
        self.0.iter().zip(UPSTREAMS).fold(Setup::new(), |setup, ((name, fake), (_, kind))| {
            let origin = fake.origin();
            let settings = match kind {
                Upstream::Chat => format!("dialect = \"openai\"\nbase_url = \"{origin}/v1\""),
                Upstream::Responses => {
                    format!("dialect = \"openai\"\nbase_url = \"{origin}/v1\"\nserves_responses = true\nresponses_models = [\"*\"]")
                }
                Upstream::Anthropic => format!("dialect = \"anthropic\"\nbase_url = \"{origin}\""),
                Upstream::Ollama => format!("dialect = \"ollama\"\nbase_url = \"{origin}\""),
            };
            setup.toml(&format!("[providers.{name}]\n{settings}\nbreaker = {{ failure_threshold = 0 }}"))
        })
    }

    /// The provider of this name.
    pub fn named(&self, name: &str) -> &FakeProvider {
        &self.0.iter().find(|(own, _)| *own == name).unwrap().1
    }

    /// How many requests each got.
    pub fn counts(&self) -> Vec<usize> {
        self.0.iter().map(|(_, fake)| fake.count()).collect()
    }
}

/// A call of the tests' tool.
pub fn weather(id: &'static str, city: &str) -> Part {
    Part::Call { id, name: "get_weather".to_owned(), arguments: json!({ "city": city }) }
}

/// The answer that a model's name stands for; none for names that stand for failures.
pub fn scene(model: &str) -> Scene {
    match model {
        "reasoning" => Scene::of([Part::Thinking(THOUGHT), Part::Text(SAID)]),
        "tool" => Scene::of([weather("call_1", "Hà Nội")]),
        "two-tools" => Scene::of([weather("call_1", "Hà Nội"), weather("call_2", "Huế")]),
        "mixed" => Scene::of([Part::Text("Let me see. "), weather("call_1", "Hà Nội"), Part::Text("One moment.")]),
        "refusal" => Scene::of([Part::Refusal(REFUSED)]),
        "length" => Scene { end: End::Length, ..Scene::text(SAID) },
        _ => Scene::text(SAID),
    }
}

/// What the model of a request stands for.
pub fn answer(upstream: Upstream, body: &Value) -> Reply {
    let model = body["model"].as_str().unwrap_or_default();
    if let Some(status) = model.strip_prefix("early-") {
        return upstream.refuse(status.parse().unwrap());
    }
    match model {
        "late" if body["stream"] == json!(true) => upstream.fail_late(&scene(model)),
        "cut" | "late" => upstream.cut(&scene(model), body),
        _ => upstream.reply(&scene(model), body),
    }
}
