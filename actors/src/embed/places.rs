//! Where a model's files and the ONNX Runtime are looked for: the configured paths, the cache folder, the package index.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::cache_folder::{CacheFolder, Fetch};
use super::model::{Bundle, Model, RUNTIME, TOKENIZER_FILES};
use super::sha256;

/// The places, in the order in which they are looked at.
#[derive(Clone, Debug)]
pub struct Places {
    /// A folder with the model's files.
    pub model_path: Option<PathBuf>,
    /// ONNX Runtime's library.
    pub runtime_path: Option<PathBuf>,
    /// What was fetched.
    pub cache: CacheFolder,
    /// Whether nothing may be fetched.
    pub offline: bool,
}

/// A model that can be loaded.
#[derive(Clone, Debug)]
pub struct Found {
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
    pub fn here(&self, model: &Model) -> Result<Found, String> {
        let absent =
            |bundle: &Bundle, _: &Path| Err(format!("{} is not here; `gateway models pull` fetches it", bundle.id));
        self.look(model, &|bundle| match self.cache.holds(bundle) {
            true => Ok(()),
            false => absent(bundle, &self.cache.0),
        })
    }

    /// The model, with what is not here fetched; see [`CacheFolder::obtain`].
    ///
    /// # Errors
    /// Where it cannot be had; the text says why.
    pub fn obtain(&self, model: &Model, again: bool, fetch: Fetch<'_>) -> Result<Found, String> {
        if self.offline {
            return self.here(model).map_err(|why| format!("{why} (cache.semantic.offline is set)"));
        }
        self.look(model, &|bundle| self.cache.obtain(bundle, SystemTime::now(), again, fetch))
    }

    fn look(&self, model: &Model, ensure: &dyn Fn(&Bundle) -> Result<(), String>) -> Result<Found, String> {
        let runtime = match (&self.runtime_path, RUNTIME) {
            (Some(path), _) if path.is_file() => path.clone(),
            (Some(path), _) => return Err(format!("cache.semantic.runtime_path: {} is no file", path.display())),
            (None, Some(bundle)) => {
                ensure(bundle)?;
                bundle.files.iter().map(|file| self.cache.path(bundle, file)).next().unwrap_or_default()
            }
            (None, None) => return Err("no ONNX Runtime for this platform: set cache.semantic.runtime_path".to_owned()),
        };
        let (folder, files, hashes) = match (&self.model_path, model.bundle) {
            (Some(folder), bundle) => configured(folder, model, bundle)?,
            (None, Some(bundle)) => {
                ensure(bundle)?;
                let files = bundle.files.iter().map(|file| (file.name, self.cache.path(bundle, file))).collect();
                (self.cache.0.join(bundle.id), files, pinned_hashes(bundle))
            }
            (None, None) => {
                return Err(format!(
                    "{} is not fetched: set cache.semantic.model_path to a folder with model.onnx, {}",
                    model.id,
                    TOKENIZER_FILES.join(", ")
                ));
            }
        };
        Ok(Found { runtime, files, folder, hash: hash(model, &hashes) })
    }
}

type Files = (PathBuf, Vec<(&'static str, PathBuf)>, Vec<String>);

/// A folder with an own `model.onnx` is taken as it is; the built-in graph fits only the weights that it was made for.
fn configured(folder: &Path, model: &Model, bundle: Option<&'static Bundle>) -> Result<Files, String> {
    let told = |name: &str, why: &str| format!("cache.semantic.model_path: {}: {why}", folder.join(name).display());
    let hash_of = |name: &str| sha256::of_file(&folder.join(name)).map_err(|error| told(name, &error.to_string()));
    let Some(bundle) = bundle.filter(|_| model.skeleton.is_some() && !folder.join("model.onnx").exists()) else {
        let names = ["model.onnx"].into_iter().chain(TOKENIZER_FILES);
        let files: Vec<_> = names.map(|name| (name, folder.join(name))).collect();
        let hashes = files.iter().map(|(name, _)| hash_of(name)).collect::<Result<_, _>>()?;
        return Ok((folder.to_owned(), files, hashes));
    };
    for file in bundle.files {
        let hash = hash_of(file.name)?;
        if hash != file.sha256 {
            return Err(told(file.name, &format!("refused, its sha256 is {hash} and must be {}", file.sha256)));
        }
    }
    let files = bundle.files.iter().map(|file| (file.name, folder.join(file.name))).collect();
    Ok((folder.to_owned(), files, pinned_hashes(bundle)))
}

fn pinned_hashes(bundle: &Bundle) -> Vec<String> {
    bundle.files.iter().map(|file| file.sha256.to_owned()).collect()
}

fn hash(model: &Model, files: &[String]) -> String {
    let graph = model.skeleton.map(sha256::of).unwrap_or_default();
    sha256::of(format!("{}\n{}\n{graph}\n{}", model.id, model.prefix, files.join("\n")).as_bytes())
}
