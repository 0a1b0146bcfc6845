//! The cache folder, with a folder of this test in the place of the package index.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use crate::db::test_dir::TestDir;
use crate::embed::cache_folder::{CacheFolder, REMEMBERED};
use crate::embed::model::{Bundle, Pinned, Wheel};

const BUNDLE: Bundle = Bundle {
    id: "numbers",
    files: &[
        Pinned { name: "one.txt", sha256: "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed" },
        Pinned { name: "two.txt", sha256: "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3" },
    ],
    wheel: Wheel { requirement: "numbers==1", sha256: "", options: &[], folder: "" },
};

fn write(into: &Path, one: &str, two: &str) -> Result<(), String> {
    fs::write(into.join("one.txt"), one).and_then(|()| fs::write(into.join("two.txt"), two)).map_err(|e| e.to_string())
}

fn cache(folder: &TestDir) -> CacheFolder {
    CacheFolder(folder.path().join("models"))
}

#[test]
fn what_was_fetched_is_kept_under_its_hash() {
    let folder = TestDir::new();
    let cache = cache(&folder);
    assert!(!cache.holds(&BUNDLE));
    cache.obtain(&BUNDLE, SystemTime::now(), false, &|_, into| write(into, "one", "two")).unwrap();
    assert!(cache.holds(&BUNDLE));
    assert_eq!(fs::read_to_string(cache.path(&BUNDLE, &BUNDLE.files[1])).unwrap(), "two");
    assert!(!folder.path().join("models/numbers/fetching").exists());
    let never = |_: &Bundle, _: &Path| Err("fetched again".to_owned());
    assert_eq!(cache.obtain(&BUNDLE, SystemTime::now(), false, &never), Ok(()));
}

#[test]
fn another_content_is_refused_and_leaves_nothing() {
    let folder = TestDir::new();
    let cache = cache(&folder);
    let why = cache.obtain(&BUNDLE, SystemTime::now(), false, &|_, into| write(into, "one", "changed")).unwrap_err();
    assert!(why.starts_with("two.txt: refused, its sha256 is "), "{why}");
    assert!(!cache.holds(&BUNDLE) && !cache.path(&BUNDLE, &BUNDLE.files[1]).exists());
}

#[test]
fn a_file_that_was_damaged_is_fetched_again() {
    let folder = TestDir::new();
    let cache = cache(&folder);
    let fetch = |_: &Bundle, into: &Path| write(into, "one", "two");
    cache.obtain(&BUNDLE, SystemTime::now(), false, &fetch).unwrap();
    fs::write(cache.path(&BUNDLE, &BUNDLE.files[0]), "on").unwrap();
    assert!(!cache.holds(&BUNDLE));
    cache.obtain(&BUNDLE, SystemTime::now(), false, &fetch).unwrap();
    assert!(cache.holds(&BUNDLE));
}

#[test]
fn of_many_at_once_one_fetches() {
    let folder = TestDir::new();
    let (cache, fetches, start) = (cache(&folder), AtomicUsize::new(0), Barrier::new(8));
    let fetch = |_: &Bundle, into: &Path| {
        fetches.fetch_add(1, Ordering::Relaxed);
        write(into, "one", "two")
    };
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                start.wait();
                cache.obtain(&BUNDLE, SystemTime::now(), false, &fetch).unwrap();
            });
        }
    });
    assert_eq!(fetches.into_inner(), 1);
}

#[test]
fn a_failure_is_remembered_for_ten_minutes() {
    let folder = TestDir::new();
    let (cache, fetches) = (cache(&folder), AtomicUsize::new(0));
    let fetch = |_: &Bundle, _: &Path| {
        fetches.fetch_add(1, Ordering::Relaxed);
        Err("the index is away".to_owned())
    };
    let ask = |now, again| cache.obtain(&BUNDLE, now, again, &fetch).unwrap_err();
    let now = SystemTime::now();
    assert_eq!(ask(now, false), "the index is away");
    // The file's time is that of the disk's clock, which may be a little behind or ahead.
    let (soon, later) = (now + Duration::from_secs(60), now + REMEMBERED + Duration::from_secs(60));
    assert!(ask(soon, false).starts_with("the index is away (not tried again"));
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    assert_eq!(ask(soon, true), "the index is away");
    assert_eq!(ask(later, false), "the index is away");
    assert_eq!(fetches.load(Ordering::Relaxed), 3);
    cache.obtain(&BUNDLE, soon, true, &|_, into| write(into, "one", "two")).unwrap();
    assert!(!folder.path().join("models/numbers/failed").exists());
}
