//! Files out of the Hugging Face hub, or of a mirror that answers as it does.
//!
//! The hub tells the commit of what it sends (`X-Repo-Commit`), and what the content must be: of a large file the SHA-256
//! (`X-Linked-Etag`, with a redirect to where it is stored), of a small one git's hash (`ETag`).

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use http::HeaderMap;
use sha1::{Digest, Sha1};
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::manifest::{Manifest, is_hex};
use super::sha256;
use crate::embed::model::{Bundle, Part, Repository};
use crate::providers::upstream::{FetchResponse, Outbound, ProxyRules, Upstream};

/// The longest time for one repository.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(3600);
/// The largest file.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// From one address to the next, at most.
const MAX_REDIRECTS: usize = 5;

/// Is told the name of a file, how many of its bytes are here, and how many there are.
pub type Watch<'a> = &'a dyn Fn(&str, u64, Option<u64>);

/// The hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hub {
    /// Its address.
    pub endpoint: String,
    /// How long it may be silent.
    pub timeout: Duration,
}

/// What the hub told of a file.
#[derive(Debug, Default)]
struct FileMetadata {
    commit: Option<String>,
    hash: Option<String>,
    size: Option<u64>,
}

impl Hub {
    /// Puts the files of a bundle into a folder, with a manifest. Runs an async runtime of its own: not for the threads
    /// of another one.
    ///
    /// # Errors
    /// Where the hub does not send them, is silent, or sends something else than it must be; the text says why.
    pub fn fetch(
        &self,
        bundle: &Bundle,
        repository: &Repository,
        into: &Path,
        proxies: &ProxyRules,
        watch: Watch<'_>,
    ) -> Result<(), String> {
        let outbound = Outbound::new(proxies.clone()).map_err(|error| error.to_string())?;
        let client = Upstream::connecting_within(self.timeout, &outbound);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let fetch = async { timeout(DOWNLOAD_TIMEOUT, self.fetch_all(&client, bundle, repository, into, watch)).await };
        let fetched = LocalSet::new().block_on(&runtime, fetch);
        // Else it would be waited for a name that is still being looked up.
        runtime.shutdown_background();
        let fetched = fetched.unwrap_or_else(|_| Err(format!("not fetched within {} s", DOWNLOAD_TIMEOUT.as_secs())));
        fetched.map_err(|why| format!("{}/{}: {why}", self.endpoint, repository.name))
    }

    async fn fetch_all(
        &self,
        client: &Upstream,
        bundle: &Bundle,
        repository: &Repository,
        into: &Path,
        watch: Watch<'_>,
    ) -> Result<(), String> {
        let mut manifest = Manifest { repository: repository.name.to_owned(), ..Manifest::default() };
        repository.revision.clone_into(&mut manifest.commit);
        for part in bundle.files {
            let address = [&self.endpoint, repository.name, "resolve", &manifest.commit, part.path].join("/");
            let fetched = self.fetch_part(client, address, part, into, watch).await;
            let (commit, hash) = fetched.map_err(|why| format!("{}: {why}", part.path))?;
            manifest.files.insert(part.name.to_owned(), hash);
            // The other files are taken from the same commit, though the branch may go on meanwhile.
            manifest.commit = commit.unwrap_or(manifest.commit);
        }
        manifest.write(into).map_err(|error| format!("{}: {error}", into.display()))
    }

    /// Fetches a file; gives the commit, if it was told, and the SHA-256 of what came.
    async fn fetch_part(
        &self,
        client: &Upstream,
        mut address: String,
        part: &Part,
        into: &Path,
        watch: Watch<'_>,
    ) -> Result<(Option<String>, String), String> {
        let mut told = FileMetadata::default();
        for _ in 0..=MAX_REDIRECTS {
            let asked = timeout(self.timeout, client.get(&address)).await;
            let answer = asked.map_err(|_| self.silence())??;
            let is_own = origin(&address) == origin(&self.endpoint);
            told.read(&answer.headers, is_own, answer.status == 200);
            match answer.status {
                200 => {
                    let path = into.join(part.name);
                    self.receive(answer, told.size, &path, &|got| watch(part.name, got, told.size)).await?;
                    let hash = told.check(&path, part)?;
                    return Ok((told.commit, hash));
                }
                301 | 302 | 303 | 307 | 308 => {
                    let location = text(&answer.headers, "location").ok_or("a redirect to nowhere")?;
                    address = follow(&address, location)?;
                }
                status => return Err(format!("the answer is {status}")),
            }
        }
        Err("too many redirects".to_owned())
    }

    async fn receive(
        &self,
        answer: FetchResponse,
        told: Option<u64>,
        path: &Path,
        watch: &dyn Fn(u64),
    ) -> Result<(), String> {
        let mut body = answer.body;
        let size = text(&answer.headers, "content-length").and_then(|size| size.parse::<u64>().ok()).or(told);
        if size.is_some_and(|size| size > MAX_FILE_BYTES) {
            return Err("too large".to_owned());
        }
        let mut file = File::create(path).map_err(|error| error.to_string())?;
        let mut got = 0;
        while let Some(piece) = timeout(self.timeout, body.next()).await.map_err(|_| self.silence())? {
            let piece = piece.map_err(|_| format!("broken off after {got} bytes"))?;
            got += piece.len() as u64;
            if got > MAX_FILE_BYTES {
                return Err("too large".to_owned());
            }
            file.write_all(&piece).map_err(|error| error.to_string())?;
            watch(got);
        }
        match size {
            Some(size) if size != got => Err(format!("broken off after {got} of {size} bytes")),
            _ => Ok(()),
        }
    }

    fn silence(&self) -> String {
        format!("silent for {} ms", self.timeout.as_millis())
    }
}

impl FileMetadata {
    /// Takes in the headers of an answer on the way to the file. What stands behind the hub has hashes of its own kind.
    fn read(&mut self, headers: &HeaderMap, is_own: bool, is_last: bool) {
        let header = |name: &str| text(headers, name).map(str::to_owned);
        if is_own {
            self.commit = self.commit.take().or_else(|| header("x-repo-commit").filter(|commit| is_hex(commit, 40)));
            let etag = header("x-linked-etag").or_else(|| header("etag").filter(|_| is_last));
            self.hash = self.hash.take().or_else(|| Some(bare(&etag?).to_owned()));
        }
        let size = header("x-linked-size").or_else(|| header("content-length").filter(|_| is_last));
        self.size = self.size.or_else(|| size?.parse().ok());
    }

    /// Compares a file with what it must be; gives its SHA-256.
    fn check(&self, path: &Path, part: &Part) -> Result<String, String> {
        let hash = sha256::of_file(path).map_err(|error| error.to_string())?;
        let told = self.hash.as_deref().unwrap_or_default();
        match part.sha256 {
            Some(pinned) if pinned != hash => {
                return Err(format!("refused, its sha256 is {hash} and must be {pinned}"));
            }
            None if is_hex(told, 64) && !told.eq_ignore_ascii_case(&hash) => {
                return Err(format!("refused, its sha256 is {hash} and the hub tells {told}"));
            }
            None if is_hex(told, 40) => {
                let git = git_hash(&fs::read(path).map_err(|error| error.to_string())?);
                if !told.eq_ignore_ascii_case(&git) {
                    return Err(format!("refused, its git hash is {git} and the hub tells {told}"));
                }
            }
            // What nobody knows anything of would be held to itself ever after.
            None if !is_hex(told, 64) => return Err("refused, the hub tells no hash of it".to_owned()),
            _ => {}
        }
        Ok(hash)
    }
}

/// The hash that git names a file's content by.
pub fn git_hash(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    const_hex::encode(hash.finalize())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An entity tag without what stands round it.
fn bare(etag: &str) -> &str {
    etag.trim_start_matches("W/").trim_matches('"')
}

/// The scheme and host of an address.
fn origin(address: &str) -> Option<&str> {
    let host = address.find("://")? + 3;
    let end = address.get(host..)?.find(['/', '?', '#']).map_or(address.len(), |at| host + at);
    address.get(..end)
}

/// Where a redirect leads; never from an encrypted way to another one.
fn follow(address: &str, location: &str) -> Result<String, String> {
    let from = origin(address).unwrap_or_default();
    let to = match location {
        path if path.starts_with('/') && !path.starts_with("//") => format!("{from}{path}"),
        whole => whole.to_owned(),
    };
    let may_be_plain = from.starts_with("http://");
    if to.starts_with("https://") || (may_be_plain && to.starts_with("http://")) {
        return Ok(to);
    }
    // Its query may be a signature, which is a secret for a while.
    Err(format!("a redirect to '{}' is not followed", to.split('?').next().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_on_and_never_to_a_plain_way() {
        let from = "https://hub/a/b/resolve/main/c?x";
        assert_eq!(follow(from, "/api/x?y=1").unwrap(), "https://hub/api/x?y=1");
        assert_eq!(follow(from, "https://cdn/x?signature").unwrap(), "https://cdn/x?signature");
        assert_eq!(follow("http://mirror:81/a", "/b").unwrap(), "http://mirror:81/b");
        assert_eq!(follow("http://mirror/a", "http://cdn/b").unwrap(), "http://cdn/b");
        let why = follow(from, "http://cdn/x?secret=1").unwrap_err();
        assert_eq!(why, "a redirect to 'http://cdn/x' is not followed");
        for location in ["//cdn/x", "file:///etc/passwd", "x", ""] {
            assert!(follow(from, location).is_err(), "{location}");
        }
    }

    /// As `git hash-object` tells it.
    #[test]
    fn gits_hash_is_gits() {
        assert_eq!(git_hash(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn an_origin_is_scheme_and_host() {
        assert_eq!(origin("https://hub"), Some("https://hub"));
        assert_eq!(origin("http://hub:81/a://b"), Some("http://hub:81"));
        assert_eq!(origin("hub/a"), None);
    }
}
