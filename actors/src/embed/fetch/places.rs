//! Where a model's files and the ONNX Runtime are looked for: the configured paths, the cache folder, the Hugging
//! Face hub, the package index.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::cache_folder::{CacheFolder, CachedFile, Fetch};
use super::hub::Hub;
use super::sha256;
use crate::embed::model::{Bundle, Model, RUNTIME, TOKENIZER_FILES};
use crate::providers::upstream::ProxyRules;

/// The places, in the order in which they are looked at.
#[derive(Clone, Debug)]
pub struct Places {
    /// A folder with the model's files.
    pub model_path: Option<PathBuf>,
    /// ONNX Runtime's library.
    pub runtime_path: Option<PathBuf>,
    /// What was fetched.
    pub cache: CacheFolder,
    /// The hub that is asked for what is not there; none asks the package index alone.
    pub hub: Option<Hub>,
    /// The proxies that lead to the hub and the index.
    pub proxies: ProxyRules,
    /// Whether nothing may be fetched.
    pub offline: bool,
}

/// A model that can be loaded.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// ONNX Runtime's library.
    pub runtime: PathBuf,
    /// The model's files by their names.
    pub files: Vec<(&'static str, PathBuf)>,
    /// The folder that they are in.
    pub folder: PathBuf,
    /// Stands for everything that a vector depends on: equal hashes mean equal vectors.
    pub hash: String,
}

impl Places {
    /// The model as far as it is here; nothing is fetched.
    ///
    /// # Errors
    /// Where something is missing or is not what it must be; the text says what.
    pub fn here(&self, model: &Model) -> Result<ModelFiles, String> {
        self.look(model, &|bundle| {
            let absent =
                || format!("{} is not downloaded, or not completely; `gateway models pull` downloads it", bundle.id);
            self.cache.find(bundle).ok_or_else(absent)
        })
    }

    /// The model, with what is not here fetched; see [`CacheFolder::obtain`].
    ///
    /// # Errors
    /// Where it cannot be had; the text says why.
    pub fn obtain(&self, model: &Model, again: bool, fetch: Fetch<'_>) -> Result<ModelFiles, String> {
        if self.offline {
            return self.here(model).map_err(|why| format!("{why} (cache.semantic.offline is set)"));
        }
        self.look(model, &|bundle| self.cache.obtain(bundle, SystemTime::now(), again, fetch))
    }

    fn look(&self, model: &Model, ensure: Ensure<'_>) -> Result<ModelFiles, String> {
        let runtime = match (&self.runtime_path, RUNTIME) {
            (Some(path), _) if path.is_file() => path.clone(),
            (Some(path), _) => return Err(format!("cache.semantic.runtime_path: {} is not a file", path.display())),
            (None, Some(bundle)) => ensure(bundle)?.into_iter().map(|kept| kept.path).next().unwrap_or_default(),
            (None, None) => return Err("no ONNX Runtime for this platform: set cache.semantic.runtime_path".to_owned()),
        };
        let (folder, kept) = match &self.model_path {
            Some(folder) => (folder.clone(), configured(folder, model)?),
            None => (self.cache.home(model.bundle), ensure(model.bundle)?),
        };
        let hash = hash(model, &kept);
        Ok(ModelFiles { runtime, files: kept.into_iter().map(|kept| (kept.name, kept.path)).collect(), folder, hash })
    }
}

/// Gives the files of a bundle.
type Ensure<'a> = &'a dyn Fn(&Bundle) -> Result<Vec<CachedFile>, String>;

/// A folder with an own `model.onnx` is taken as it is; the built-in graph fits only the weights that it was made for.
fn configured(folder: &Path, model: &Model) -> Result<Vec<CachedFile>, String> {
    let told = |name: &str, why: &str| format!("cache.semantic.model_path: {}: {why}", folder.join(name).display());
    let kept = |name: &'static str| {
        let path = folder.join(name);
        let sha256 = sha256::of_file(&path).map_err(|error| told(name, &error.to_string()))?;
        Ok(CachedFile { name, path, sha256 })
    };
    if model.skeleton.is_some() && folder.join("model.onnx").exists() {
        return ["model.onnx"].into_iter().chain(TOKENIZER_FILES).map(kept).collect();
    }
    let files = model.bundle.files.iter().map(|part| {
        let kept = kept(part.name)?;
        match part.sha256 {
            Some(pinned) if pinned != kept.sha256 => {
                Err(told(part.name, &format!("refused, its sha256 is {} and must be {pinned}", kept.sha256)))
            }
            _ => Ok(kept),
        }
    });
    files.collect()
}

fn hash(model: &Model, files: &[CachedFile]) -> String {
    let graph = model.skeleton.map(sha256::hex_digest).unwrap_or_default();
    let files = files.iter().map(|kept| kept.sha256.as_str()).collect::<Vec<_>>().join("\n");
    sha256::hex_digest(format!("{}\n{}\n{graph}\n{files}", model.id, model.prefix).as_bytes())
}
