//! The folder that keeps fetched files, each under the hash of its content: `<id>/<sha256>`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::model::{Bundle, Pinned};
use super::sha256;

/// How long a failure is remembered, so that nobody waits for the same one again.
pub const REMEMBERED: Duration = Duration::from_secs(600);

/// Puts the files of a bundle into a folder, under their names.
pub type Fetch<'a> = &'a dyn Fn(&Bundle, &Path) -> Result<(), String>;

/// The folder; it is made when something is put into it.
#[derive(Clone, Debug)]
pub struct CacheFolder(pub PathBuf);

impl CacheFolder {
    /// Where a file is, if it is there.
    pub fn path(&self, bundle: &Bundle, file: &Pinned) -> PathBuf {
        self.0.join(bundle.id).join(file.sha256)
    }

    /// Whether all files of a bundle are there, each with the content that it must have.
    pub fn holds(&self, bundle: &Bundle) -> bool {
        let is_whole = |file: &Pinned| sha256::of_file(&self.path(bundle, file)).is_ok_and(|hash| hash == file.sha256);
        bundle.files.iter().all(is_whole)
    }

    /// Fetches a bundle that is not there. Of several processes one fetches and the others wait for it; a failure is
    /// remembered for [`REMEMBERED`], unless it is to be tried `again`.
    ///
    /// # Errors
    /// Where the files cannot be had, or are not what they must be; the text says why.
    pub fn obtain(&self, bundle: &Bundle, now: SystemTime, again: bool, fetch: Fetch<'_>) -> Result<(), String> {
        if self.holds(bundle) {
            return Ok(());
        }
        let home = self.0.join(bundle.id);
        let told = |error: io::Error| format!("{}: {error}", home.display());
        fs::create_dir_all(&home).map_err(told)?;
        let lock = File::create(home.join("lock")).map_err(told)?;
        lock.lock().map_err(told)?;
        // Another process may have fetched it meanwhile.
        if self.holds(bundle) {
            return Ok(());
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
        fetched
    }
}

/// What went wrong less than [`REMEMBERED`] ago. A time in the future is a clock that was set back: it is not believed.
fn remembered(failed: &Path, now: SystemTime) -> Option<String> {
    let since = fs::metadata(failed).and_then(|there| there.modified()).ok()?;
    let is_recent = now.duration_since(since).is_ok_and(|age| age < REMEMBERED);
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
    let fetched = fetch(bundle, &parts).and_then(|()| {
        bundle.files.iter().try_for_each(|file| take_in(&parts.join(file.name), &home.join(file.sha256), file))
    });
    let removed = fs::remove_dir_all(&parts).map_err(told);
    fetched.and(removed)
}

/// Moves a file to where it is looked for once it is known to be what it must be, and to be on the disk.
fn take_in(from: &Path, to: &Path, file: &Pinned) -> Result<(), String> {
    let told = |error: io::Error| format!("{}: {error}", file.name);
    let hash = sha256::of_file(from).map_err(told)?;
    if hash != file.sha256 {
        return Err(format!("{}: refused, its sha256 is {hash} and must be {}", file.name, file.sha256));
    }
    File::open(from).and_then(|file| file.sync_all()).map_err(told)?;
    fs::rename(from, to).map_err(told)?;
    let folder = to.parent().unwrap_or(to);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(told)
}
