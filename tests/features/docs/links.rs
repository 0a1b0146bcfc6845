//! Links lead somewhere, and the book's table of contents is complete.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::book::{Page, ROOT, assert_same, files_below};

/// The addresses of the links outside of code.
fn links(page: &Page) -> Vec<String> {
    let prose = page.prose();
    let without_code: String = prose.split('`').step_by(2).collect();
    let after = without_code.split("](").skip(1);
    after.map(|rest| rest.split(')').next().unwrap_or_default().to_owned()).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(page: &Page) -> BTreeSet<String> {
    let prose = page.prose();
    let headings = prose.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings.map(|heading| heading.to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

/// The file that a link leads to, and its anchor.
fn target(page: &Page, link: &str) -> (PathBuf, Option<String>) {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor.to_owned())));
    let from = Path::new(ROOT).join(&page.path);
    (if file.is_empty() { from } else { from.parent().unwrap().join(file) }, anchor)
}

/// Every relative link leads to a file that is there, and to a heading that is in it.
#[test]
fn every_link_resolves() {
    let mut pages = Page::all();
    let others = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].into_iter().map(str::to_owned);
    pages.extend(others.chain(files_below("examples", "md")).map(|path| Page::read(&path)));
    let mut dead = Vec::new();
    for page in &pages {
        for link in links(page) {
            // A chapter without a page of its own is drafted so in the table of contents.
            let is_draft = link.is_empty() && page.path.ends_with("SUMMARY.md");
            if is_draft || link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            let (file, anchor) = target(page, &link);
            let is_there = file.exists()
                && anchor.is_none_or(|anchor| {
                    let text = std::fs::read_to_string(&file).unwrap_or_default();
                    anchors(&Page { path: link.clone(), text }).contains(&anchor)
                });
            if !is_there {
                dead.push(format!("{}: {link}", page.path));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The table of contents has every page once, and nothing else.
#[test]
fn the_summary_lists_every_page() {
    let links: Vec<String> =
        links(&Page::read("docs/src/SUMMARY.md")).into_iter().filter(|link| !link.is_empty()).collect();
    let listed: BTreeSet<String> = links.iter().cloned().collect();
    assert_eq!(listed.len(), links.len(), "a page is listed twice");
    let pages = files_below("docs/src", "md").into_iter().map(|path| path.replacen("docs/src/", "", 1));
    assert_same("SUMMARY.md", &pages.filter(|path| path != "SUMMARY.md").collect(), &listed);
}
