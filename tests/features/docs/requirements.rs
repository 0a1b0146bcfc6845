//! Requirement ids: what code and tests quote stands on the page, and the page has no other.

use std::collections::BTreeSet;

use super::book::{Page, ROOT, files_below};
use super::sources::runs;

/// Ids like `B8`, `B08`, `H-1` and `J 11` in a comment, without their dash or space.
fn quoted(comment: &str) -> Vec<String> {
    let words: Vec<&str> = runs(comment, |c| c.is_alphanumeric() || c == '-').collect();
    let mut ids: Vec<String> = words.iter().filter_map(|word| id(&word.replacen('-', "", 1))).collect();
    ids.extend(words.windows(2).filter(|pair| pair[0] == "J").filter_map(|pair| id(&pair.concat())));
    ids
}

/// A capital letter with one or two digits.
fn id(word: &str) -> Option<String> {
    let digits = word.strip_prefix(|c: char| c.is_ascii_uppercase())?;
    ((1..=2).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())).then(|| word.to_owned())
}

/// Ids at the beginning of a test's name: `b1_b2_two_hundred_requests`.
fn named(line: &str) -> Vec<String> {
    let name = line.split_once("fn ").map_or("", |(_, name)| name);
    name.split('_').map_while(|part| id(&part.to_uppercase())).collect()
}

#[test]
fn every_requirement_that_is_quoted_is_on_the_page() {
    let folders = ["src", "actors", "crates", "tests", "benches"];
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut all = String::new();
    for path in folders.iter().flat_map(|folder| files_below(folder, "rs")) {
        // These files speak of ids as such.
        if path.starts_with("tests/features/docs") {
            continue;
        }
        let text = std::fs::read_to_string(format!("{ROOT}/{path}")).unwrap();
        for line in text.lines() {
            seen.extend(line.split_once("//").map(|(_, comment)| quoted(comment)).unwrap_or_default());
            seen.extend(named(line));
        }
        all += &text;
    }
    let page = Page::read("docs/src/internals/requirements.md").first_column("");
    let listed: BTreeSet<String> = page.iter().map(|id| id.replace([' ', '-'], "")).collect();
    let unknown: Vec<_> = seen.difference(&listed).collect();
    assert!(unknown.is_empty(), "quoted, and not on the page: {unknown:?}");
    let has = |id: &str, end: char| all.contains(&format!("{id}{end}"));
    let is_quoted = |id: &&String| seen.contains(&id.replace([' ', '-'], "")) || has(id, ':') || has(id, ',');
    let unquoted: Vec<_> = page.iter().filter(|id| !is_quoted(id)).collect();
    assert!(unquoted.is_empty(), "on the page, and quoted nowhere: {unquoted:?}");
}
