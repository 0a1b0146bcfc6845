//! The folder that keeps fetched files, each under the hash of its content: `<id>/<sha256>`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::manifest::{self, Manifest};
use super::sha256;
use crate::embed::model::Bundle;

/// How long a failure is remembered, so that nobody waits for the same one again.
pub const FAILURE_TTL: Duration = Duration::from_secs(600);

/// Puts the files of a bundle into a folder, under their names.
pub type Fetch<'a> = &'a dyn Fn(&Bundle, &Path) -> Result<(), String>;

/// A file that is here, with the content that it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedFile {
    /// Its name in the bundle.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// The hash of its content.
    pub sha256: String,
}

/// The folder; it is made when something is put into it.
#[derive(Clone, Debug)]
pub struct CacheFolder(pub PathBuf);

impl CacheFolder {
    /// The files of a bundle, if all of them are there with the content that they must have.
    pub fn find(&self, bundle: &Bundle) -> Option<Vec<CachedFile>> {
        let home = self.home(bundle);
        let kept = |(name, sha256): (&'static str, String)| {
            let path = home.join(&sha256);
            let is_whole = sha256::of_file(&path).is_ok_and(|hash| hash == sha256);
            is_whole.then_some(CachedFile { name, path, sha256 })
        };
        expected(bundle, &home)?.into_iter().map(kept).collect()
    }

    /// The folder of a bundle.
    pub fn home(&self, bundle: &Bundle) -> PathBuf {
        self.0.join(bundle.id)
    }

    /// Fetches a bundle that is not there. Of several processes one fetches and the others wait for it; a failure is
    /// remembered for [`FAILURE_TTL`], unless it is to be tried `again`.
    ///
    /// # Errors
    /// Where the files cannot be had, or are not what they must be; the text says why.
    pub fn obtain(
        &self,
        bundle: &Bundle,
        now: SystemTime,
        again: bool,
        fetch: Fetch<'_>,
    ) -> Result<Vec<CachedFile>, String> {
        if let Some(kept) = self.find(bundle) {
            return Ok(kept);
        }
        let home = self.home(bundle);
        let told = |error: io::Error| format!("{}: {error}", home.display());
        fs::create_dir_all(&home).map_err(told)?;
        let lock = File::create(home.join("lock")).map_err(told)?;
        lock.lock().map_err(told)?;
        // Another process may have fetched it meanwhile.
        if let Some(kept) = self.find(bundle) {
            return Ok(kept);
        }
        let failed = home.join("failed");
        if !again && let Some(why) = remembered(&failed, now) {
            return Err(format!("{why} (not tried again for ten minutes; `gateway models pull` tries now)"));
        }
        let fetched = fetch_into(&home, bundle, fetch);
        match &fetched {
            Ok(()) => forget(&failed).map_err(told)?,
            Err(why) => fs::write(&failed, why).map_err(told)?,
        }
        fetched?;
        self.find(bundle).ok_or_else(|| format!("{}: the files are not what they were when they came", home.display()))
    }
}

/// The name of each file and the hash that it must have: known beforehand, or told by the manifest in a folder.
fn expected(bundle: &Bundle, folder: &Path) -> Option<Vec<(&'static str, String)>> {
    let manifest = Manifest::read(folder);
    let of = |name: &'static str, pinned: Option<&str>| Some((name, pinned.or(manifest.sha256(name))?.to_owned()));
    bundle.files.iter().map(|part| of(part.name, part.sha256)).collect()
}

/// What went wrong less than [`FAILURE_TTL`] ago. A time in the future is a clock that was set back: it is not believed.
fn remembered(failed: &Path, now: SystemTime) -> Option<String> {
    let since = fs::metadata(failed).and_then(|there| there.modified()).ok()?;
    let is_recent = now.duration_since(since).is_ok_and(|age| age < FAILURE_TTL);
    is_recent.then(|| fs::read_to_string(failed).ok()).flatten()
}

fn forget(failed: &Path) -> io::Result<()> {
    match fs::remove_file(failed) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whoever calls holds the lock, so that one name serves for what is not whole yet.
fn fetch_into(home: &Path, bundle: &Bundle, fetch: Fetch<'_>) -> Result<(), String> {
    let told = |error: io::Error| format!("{}: {error}", home.display());
    let parts = home.join("fetching");
    if parts.exists() {
        fs::remove_dir_all(&parts).map_err(told)?;
    }
    fs::create_dir(&parts).map_err(told)?;
    let fetched = fetch(bundle, &parts).and_then(|()| take_all_in(&parts, home, bundle));
    let removed = fs::remove_dir_all(&parts).map_err(told);
    fetched.and(removed)
}

/// The manifest comes last, so that it never tells of files that are not there.
fn take_all_in(parts: &Path, home: &Path, bundle: &Bundle) -> Result<(), String> {
    let expected = expected(bundle, parts).ok_or_else(|| format!("{}: nothing tells what it must be", bundle.id))?;
    for (name, sha256) in expected {
        let from = parts.join(name);
        let hash = sha256::of_file(&from).map_err(|error| format!("{name}: {error}"))?;
        if hash != sha256 {
            return Err(format!("{name}: refused, its sha256 is {hash} and must be {sha256}"));
        }
        move_safely(&from, &home.join(sha256)).map_err(|error| format!("{name}: {error}"))?;
    }
    let manifest = parts.join(manifest::NAME);
    match manifest.exists() {
        true => move_safely(&manifest, &home.join(manifest::NAME)).map_err(|error| format!("the manifest: {error}")),
        false => Ok(()),
    }
}

/// Moves a file to where it is looked for once it is known to be on the disk.
fn move_safely(from: &Path, to: &Path) -> io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    File::open(to.parent().unwrap_or(to))?.sync_all()
}
