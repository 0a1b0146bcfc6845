//! The models that fastembed knows, as the gateway's: where their files are, and how their vectors are made.

#![expect(clippy::disallowed_types, reason = "the room that runs models")]

use std::sync::LazyLock;

use fastembed::{EmbeddingModel, ModelInfo, OutputKey, Pooling, TextEmbedding};

use super::model::{Bundle, MODELS, Model, Part, Repository, TOKENIZER_FILES, told};

/// The tokens that fastembed gives its models.
const WINDOW: usize = 512;

/// What some families want before each text, to compare texts of one kind.
const PREFIXES: [(&str, &str); 4] = [
    ("EmbeddingGemma", "task: sentence similarity | query: "),
    ("ModernBertEmbed", "search_query: "),
    ("MultilingualE5", "query: "),
    ("NomicEmbedText", "search_query: "),
];

/// The models besides [`MODELS`], by their names. Nobody has measured from which cosine on their texts are alike.
pub fn models() -> &'static [Model] {
    static BUILT_IN_MODELS: LazyLock<Vec<Model>> = LazyLock::new(|| {
        let mut models: Vec<Model> = TextEmbedding::list_supported_models().into_iter().map(model).collect();
        models.retain(|model| MODELS.iter().all(|own| own.variant != model.variant));
        models.sort_by_key(|model| model.id);
        models
    });
    &BUILT_IN_MODELS
}

/// Made once, and leaked: models live as long as the process.
fn model(info: ModelInfo<EmbeddingModel>) -> Model {
    let variant: &'static str = info.model.to_string().leak();
    let prefix = PREFIXES.iter().find(|(family, _)| variant.starts_with(family)).map_or("", |(_, prefix)| prefix);
    let graph = told("model.onnx", info.model_file.leak());
    let beside = info.additional_files.into_iter().map(|path| {
        let path: &'static str = path.leak();
        // The graph names them without their folder.
        told(path.rsplit('/').next().unwrap_or(path), path)
    });
    let tokenizer = TOKENIZER_FILES.into_iter().map(|name| told(name, name));
    let files: Vec<Part> = [graph].into_iter().chain(beside).chain(tokenizer).collect();
    let repository = Some(Repository { name: info.model_code.leak(), revision: "main" });
    Model {
        id: variant,
        variant,
        window: WINDOW,
        dimensions: info.dim,
        english_only: None,
        threshold_percent: None,
        agreement_percent: None,
        prefix,
        first_token: TextEmbedding::get_default_pooling_method(&info.model) == Some(Pooling::Cls),
        output: match info.output_key {
            Some(OutputKey::ByName(name)) => Some(name),
            _ => None,
        },
        skeleton: None,
        bundle: Box::leak(Box::new(Bundle { id: variant, files: files.leak(), repository, wheel: None })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_what_its_family_needs() {
        let named = |name: &str| models().iter().find(|model| model.id == name).unwrap();
        let (bge, e5) = (named("BGELargeENV15"), named("MultilingualE5Large"));
        assert_eq!((bge.dimensions, bge.first_token, bge.prefix), (1024, true, ""));
        assert_eq!((e5.dimensions, e5.first_token, e5.prefix), (1024, false, "query: "));
        let beside = e5.bundle.files.iter().map(|part| (part.name, part.path)).take(2).collect::<Vec<_>>();
        assert_eq!(beside, [("model.onnx", "model.onnx"), ("model.onnx_data", "model.onnx_data")]);
        let gemma = named("EmbeddingGemma300MQ4");
        assert_eq!(gemma.output, Some("sentence_embedding"));
        assert_eq!(gemma.bundle.files[1].name, "model_q4.onnx_data");
        assert!(models().len() > 40 && models().iter().all(|model| model.threshold().is_none()));
    }
}
