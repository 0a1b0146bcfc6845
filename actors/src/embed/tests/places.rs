//! The order in which a model is looked for, and what is told where it is not there.

use std::fs;
use std::path::{Path, PathBuf};

use gateway_testkit::temp_dir::TestDir;

use crate::embed::fetch::cache_folder::CacheFolder;
use crate::embed::fetch::places::Places;
use crate::embed::fetch::sources;
use crate::embed::model::{Bundle, MODELS, Model, TOKENIZER_FILES};
use crate::providers::upstream::ProxyRules;

fn places(folder: &TestDir, model_path: Option<PathBuf>) -> Places {
    let runtime = folder.path().join("libonnxruntime.so");
    fs::write(&runtime, "no library").unwrap();
    let cache = CacheFolder(folder.path().join("models"));
    Places { model_path, runtime_path: Some(runtime), cache, hub: None, proxies: ProxyRules::default(), offline: false }
}

fn never(_: &Bundle, _: &Path) -> Result<(), String> {
    panic!("nothing is to be fetched")
}

/// An own `model.onnx` is taken as it is, and another content has another hash.
#[test]
fn a_configured_folder_comes_first() {
    let folder = TestDir::new();
    for name in TOKENIZER_FILES.into_iter().chain(["model.onnx"]) {
        fs::write(folder.path().join(name), name).unwrap();
    }
    let places = places(&folder, Some(folder.path().to_owned()));
    for model in MODELS.iter().chain(Model::find("bge-small-en-v1.5")) {
        let found = places.obtain(model, false, &never).unwrap();
        assert_eq!(found.folder, folder.path());
        assert_eq!(found.hash, places.here(model).unwrap().hash);
        fs::write(folder.path().join("model.onnx"), model.id).unwrap();
        assert_ne!(found.hash, places.here(model).unwrap().hash);
    }
}

/// The built-in graph reads the weights by their offsets, so that other weights would be nonsense.
#[test]
fn other_weights_than_the_graph_was_made_for_are_refused() {
    let folder = TestDir::new();
    fs::write(folder.path().join("model.safetensors"), "weights").unwrap();
    let why = places(&folder, Some(folder.path().to_owned())).obtain(&MODELS[0], false, &never).unwrap_err();
    assert!(why.contains("model.safetensors: refused, its sha256 is "), "{why}");
}

#[test]
fn what_is_missing_is_told() {
    let folder = TestDir::new();
    let mut places = places(&folder, None);
    let e5 = Model::find("multilingual-e5-small").unwrap();
    let why = places.obtain(e5, false, &|bundle, into| sources::fetch(&places, bundle, into, false)).unwrap_err();
    assert!(why.contains("cache.semantic.hub is empty"), "{why}");
    assert!(places.here(&MODELS[0]).unwrap_err().contains("gateway models pull"));
    assert_eq!(places.obtain(&MODELS[0], false, &|_, _| Err("away".to_owned())).unwrap_err(), "away");
    places.offline = true;
    assert!(places.obtain(&MODELS[0], true, &never).unwrap_err().contains("cache.semantic.offline"));
    places.runtime_path = Some(folder.path().join("absent.so"));
    assert!(places.here(&MODELS[0]).unwrap_err().contains("cache.semantic.runtime_path"));
}
