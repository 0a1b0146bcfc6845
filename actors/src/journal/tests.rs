use super::*;
use crate::db::test_dir::TestDir;

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

async fn lines_of(orphan: &Orphan) -> Vec<String> {
    let mut all = Vec::new();
    let read = orphan.read(2, async |lines| {
        assert!((1..=2).contains(&lines.len()));
        all.extend(lines);
        Ok::<_, io::Error>(())
    });
    read.await.unwrap();
    all
}

#[test]
fn a_file_goes_when_it_is_sealed_and_all_of_its_rows_are_stored() {
    let dir = TestDir::new();
    let journal = Journal::open(dir.path(), "a").unwrap();
    let (one, two) = (journal.append("1".to_owned()).unwrap(), journal.append("2".to_owned()).unwrap());
    assert_eq!(journal.bytes(), 4);
    journal.rotate().unwrap();
    one.stored();
    assert_eq!(files(dir.path()), 3, "lock, sealed file, current file");
    two.stored();
    assert_eq!(files(dir.path()), 2);
    journal.close();
    assert_eq!(files(dir.path()), 0);
}

/// B2: what a process leaves is taken up once, by one other.
#[actix_rt::test]
async fn b2_rows_of_a_process_that_is_gone_are_taken_up_by_one_other() {
    let dir = TestDir::new();
    let journal = Journal::open(dir.path(), "a").unwrap();
    assert!(Journal::open(dir.path(), "a").is_err(), "the name is taken");
    for n in 0..5 {
        drop(journal.append(n.to_string()).unwrap());
    }
    journal.rotate().unwrap();
    drop(journal.append("last".to_owned()).unwrap());
    assert!(take_orphans(dir.path()).unwrap().is_empty(), "it lives");
    drop(journal);
    // A torn line at the end, as a full disk or a crash of the machine leaves it.
    let path = segment_path(dir.path(), "a", 1);
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(b"torn");
    fs::write(&path, text).unwrap();

    let orphans = take_orphans(dir.path()).unwrap();
    assert_eq!(orphans.len(), 1);
    assert!(take_orphans(dir.path()).unwrap().is_empty(), "it is taken");
    for orphan in orphans {
        assert_eq!(lines_of(&orphan).await, ["0", "1", "2", "3", "4", "last"]);
        orphan.remove().unwrap();
    }
    assert_eq!(files(dir.path()), 0);
}

/// A process that is just starting is never taken for one that is gone.
#[test]
fn b2_a_process_that_starts_is_no_orphan() {
    let dir = TestDir::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    let (done, path) = (&done, dir.path());
    std::thread::scope(|scope| {
        let taker = scope.spawn(move || {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(take_orphans(path).unwrap().is_empty());
            }
        });
        let journals: Vec<_> = (0..200).map(|n| Journal::open(path, &format!("r{n}")).unwrap()).collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        taker.join().unwrap();
        drop(journals);
    });
}
