use gateway_testkit::temp_dir::TestDir;

use super::*;
use crate::usage::outbox::{Counts, Outbox, PendingRow};
use crate::usage::row::UsageRow;
use crate::usage::row::tests::row;

fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

async fn rows_of(orphan: &Orphan) -> (Vec<UsageRow>, u64) {
    let mut all = Vec::new();
    let read = orphan.read(2, async |rows| {
        assert!((1..=2).contains(&rows.len()));
        all.extend_from_slice(rows);
        Ok::<_, io::Error>(())
    });
    let unreadable = read.await.unwrap();
    (all, unreadable)
}

fn append(journal: &Journal, number: u128) -> JournalPosition {
    journal.append(&row(number).to_line()).unwrap()
}

#[test]
fn a_file_goes_when_it_is_sealed_and_all_of_its_rows_are_stored() {
    let dir = TestDir::new();
    let journal = Journal::open(dir.path(), "a").unwrap();
    let (one, two) = (journal.append("1").unwrap(), journal.append("2").unwrap());
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
        drop(append(&journal, n));
    }
    for n in 5..15 {
        journal.rotate().unwrap();
        drop(append(&journal, n));
    }
    assert!(take_orphans(dir.path()).unwrap().is_empty(), "it lives");
    drop(journal);
    // A torn line at the end, as a full disk or a crash of the machine leaves it.
    let path = segment_path(dir.path(), "a", 10);
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"id\":");
    fs::write(&path, text).unwrap();

    let orphans = take_orphans(dir.path()).unwrap();
    assert_eq!(orphans.len(), 1);
    assert!(take_orphans(dir.path()).unwrap().is_empty(), "it is taken");
    for orphan in orphans {
        let (rows, unreadable) = rows_of(&orphan).await;
        assert_eq!(rows, (0..15).rev().map(row).collect::<Vec<_>>(), "the last first");
        assert_eq!(unreadable, 1);
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

/// J 6: rows for which memory had no room are read back in order, wherever in which file they are.
#[test]
fn j6_spilled_rows_are_read_back_in_order() {
    let dir = TestDir::new();
    let journal = Journal::open(dir.path(), "a").unwrap();
    let mut outbox = Outbox::default();
    outbox.keep_at_most(2);
    let add = |outbox: &mut Outbox, number| {
        let written = Some(append(&journal, number));
        assert!(outbox.add(PendingRow { row: Box::new(row(number)), written }));
    };
    let counts = |in_memory, in_journal_only| Counts { in_memory, in_journal_only, ..Counts::default() };
    for number in 0..4 {
        add(&mut outbox, number);
    }
    // Of two threads, the one that wrote first may come last.
    let (fifth, sixth) = (append(&journal, 4), append(&journal, 5));
    for (number, written) in [(5, sixth), (4, fifth)] {
        assert!(outbox.add(PendingRow { row: Box::new(row(number)), written: Some(written) }));
    }
    journal.rotate().unwrap();
    add(&mut outbox, 6);
    assert_eq!(outbox.counts(), counts(2, 5));
    let taken = outbox.take();
    assert_eq!(outbox.counts(), counts(2, 5));
    add(&mut outbox, 7);
    assert_eq!(outbox.counts(), counts(2, 6), "what is younger than the spilled ones waits behind them");
    outbox.put_back(taken);
    assert_eq!(outbox.counts(), counts(2, 6));
    let mut order: Vec<u128> = Vec::new();
    let first = outbox.take();
    outbox.stored(first.len());
    order.extend(first.iter().map(|waiting| waiting.row.id.as_u128()));
    first.into_iter().filter_map(|waiting| waiting.written).for_each(JournalPosition::stored);
    assert!(journal.has_rows().unwrap());
    while let Some(spilled) = outbox.take_spilled() {
        let (rows, unreadable) = spilled.read().unwrap();
        outbox.has_read(&spilled, rows.len());
        assert_eq!(unreadable, 0);
        outbox.stored(rows.len());
        for (row, written) in rows {
            order.push(row.id.as_u128());
            written.stored();
        }
    }
    assert_eq!(order, (0..8).collect::<Vec<_>>());
    assert_eq!(outbox.counts(), counts(0, 0));
    assert!(!journal.has_rows().unwrap());
    add(&mut outbox, 8);
    assert_eq!(outbox.counts(), counts(1, 0));
}

/// J 6: however many files wait for a store that is away, none of them costs a descriptor.
#[test]
fn j6_sealed_files_cost_no_descriptors() {
    let dir = TestDir::new();
    let journal = Journal::open(dir.path(), "a").unwrap();
    let open = || {
        let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
        files.filter(|file| fs::read_link(file.path()).is_ok_and(|path| path.starts_with(dir.path()))).count()
    };
    let before = open();
    let mut all = Vec::new();
    for number in 0..50 {
        all.push(SpilledRows::from_position(append(&journal, number)));
        let sealed = journal.current.load_full();
        journal.rotate().unwrap();
        assert!(Segment::append(&sealed, &["{}"]).unwrap().is_none(), "it is sealed");
    }
    assert_eq!(open(), before);
    for (number, spilled) in all.iter().enumerate() {
        assert_eq!(spilled.read().unwrap().0[0].0, row(number as u128));
    }
}
