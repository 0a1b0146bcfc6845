//! The cache folder, with a folder of this test in the place of the package index.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use gateway_testkit::temp_dir::TestDir;

use crate::embed::fetch::cache_folder::{CacheFolder, FAILURE_TTL};
use crate::embed::fetch::manifest::Manifest;
use crate::embed::model::{Bundle, Part, told};

const BUNDLE: Bundle = Bundle {
    id: "numbers",
    files: &[
        Part {
            sha256: Some("7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"),
            ..told("one.txt", "")
        },
        Part {
            sha256: Some("3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3"),
            ..told("two.txt", "")
        },
    ],
    repository: None,
    wheel: None,
};

/// The same without knowing what they must be.
const TOLD: Bundle = Bundle {
    files: &[told("one.txt", "one.txt"), told("two.txt", "two.txt")],
    repository: None,
    wheel: None,
    ..BUNDLE
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
    assert!(cache.find(&BUNDLE).is_none());
    cache.obtain(&BUNDLE, SystemTime::now(), false, &|_, into| write(into, "one", "two")).unwrap();
    assert!(cache.find(&BUNDLE).is_some());
    assert_eq!(fs::read_to_string(&cache.find(&BUNDLE).unwrap()[1].path).unwrap(), "two");
    assert!(!folder.path().join("models/numbers/fetching").exists());
    let never = |_: &Bundle, _: &Path| Err("fetched again".to_owned());
    assert!(cache.obtain(&BUNDLE, SystemTime::now(), false, &never).is_ok());
}

#[test]
fn another_content_is_refused_and_leaves_nothing() {
    let folder = TestDir::new();
    let cache = cache(&folder);
    let why = cache.obtain(&BUNDLE, SystemTime::now(), false, &|_, into| write(into, "one", "changed")).unwrap_err();
    assert!(why.starts_with("two.txt: refused, its sha256 is "), "{why}");
    assert!(cache.find(&BUNDLE).is_none() && !cache.home(&BUNDLE).join(BUNDLE.files[1].sha256.unwrap()).exists());
}

#[test]
fn a_file_that_was_damaged_is_fetched_again() {
    let folder = TestDir::new();
    let cache = cache(&folder);
    let fetch = |_: &Bundle, into: &Path| write(into, "one", "two");
    cache.obtain(&BUNDLE, SystemTime::now(), false, &fetch).unwrap();
    fs::write(&cache.find(&BUNDLE).unwrap()[0].path, "on").unwrap();
    assert!(cache.find(&BUNDLE).is_none());
    cache.obtain(&BUNDLE, SystemTime::now(), false, &fetch).unwrap();
    assert!(cache.find(&BUNDLE).is_some());
}

/// What is not known beforehand is held to what the manifest of the fetch told, ever after.
#[test]
fn a_manifest_tells_what_is_not_known_beforehand() {
    let folder = TestDir::new();
    let cache = cache(&folder);
    let fetch = |_: &Bundle, into: &Path| write(into, "one", "two");
    let ask =
        |fetch: &dyn Fn(&Bundle, &Path) -> Result<(), String>| cache.obtain(&TOLD, SystemTime::now(), true, fetch);
    assert_eq!(ask(&fetch).unwrap_err(), "numbers: nothing tells what it must be");
    let manifest = |two: &str| {
        let hashes = [("one.txt", BUNDLE.files[0].sha256.unwrap()), ("two.txt", two)];
        let files = hashes.map(|(name, hash)| (name.to_owned(), hash.to_owned())).into();
        Manifest { repository: "a/numbers".to_owned(), commit: "main".to_owned(), files }
    };
    let with = |two: &'static str| {
        move |_: &Bundle, into: &Path| write(into, "one", "two").map(|()| manifest(two).write(into).unwrap())
    };
    for wrong in ["../../two", BUNDLE.files[0].sha256.unwrap()] {
        ask(&with(wrong)).unwrap_err();
        assert!(cache.find(&TOLD).is_none());
    }
    let right = BUNDLE.files[1].sha256.unwrap();
    assert_eq!(ask(&with(right)).unwrap()[1].sha256, right);
    assert_eq!(Manifest::read(&cache.home(&TOLD)), manifest(right));
    fs::write(cache.home(&TOLD).join(right), "2").unwrap();
    assert!(cache.find(&TOLD).is_none());
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
    let (soon, later) = (now + Duration::from_secs(60), now + FAILURE_TTL + Duration::from_secs(60));
    assert!(ask(soon, false).starts_with("the index is away (not tried again"));
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    assert_eq!(ask(soon, true), "the index is away");
    assert_eq!(ask(later, false), "the index is away");
    assert_eq!(fetches.load(Ordering::Relaxed), 3);
    cache.obtain(&BUNDLE, soon, true, &|_, into| write(into, "one", "two")).unwrap();
    assert!(!folder.path().join("models/numbers/failed").exists());
}
