//! The pages of the documentation, and what stands in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder of the repository.
pub const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Kinds of blocks: any other one is a slip of the pen, which would leave a block untested.
const KINDS: [&str; 8] = ["sh", "sh,norun", "python", "toml", "toml,fragment", "json", "text", "sql"];

/// One Markdown file.
pub struct Page {
    /// Its path below the repository's folder.
    pub path: String,
    pub text: String,
}

/// A fenced block.
pub struct Block {
    pub kind: String,
    /// The page and the line on which the block begins.
    pub place: String,
    pub text: String,
}

impl Page {
    pub fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(Path::new(ROOT).join(path));
        Self { path: path.to_owned(), text: text.unwrap_or_else(|error| panic!("{path}: {error}")) }
    }

    /// README and every page of the book.
    pub fn all() -> Vec<Self> {
        let mut paths = vec!["README.md".to_owned()];
        paths.extend(files_below("docs/src", "md"));
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// The fenced blocks, of known kinds alone.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut is_open = false;
        for (at, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), blocks.last_mut()) {
                (Some(kind), _) if !is_open => {
                    let place = format!("{}:{}", self.path, at + 1);
                    assert!(KINDS.contains(&kind), "{place}: '{kind}' is none of {KINDS:?}");
                    blocks.push(Block { kind: kind.to_owned(), place, text: String::new() });
                    is_open = true;
                }
                (Some(_), _) => is_open = false,
                (None, Some(block)) if is_open => block.text += &format!("{line}\n"),
                (None, _) => {}
            }
        }
        assert!(!is_open, "{}: a block has no end", self.path);
        blocks
    }

    /// The text outside of fenced blocks.
    pub fn prose(&self) -> String {
        let parts = format!("\n{}", self.text);
        parts.split("\n```").step_by(2).map(|part| part.to_owned() + "\n").collect()
    }

    /// What stands between backticks outside of blocks.
    pub fn code_spans(&self) -> Vec<String> {
        self.prose().lines().flat_map(spans).collect()
    }

    /// The cells of every row of the tables below a heading that contains this text, or of all tables.
    pub fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let mut is_below = heading.is_empty();
        let mut rows = Vec::new();
        let prose = self.prose();
        for line in prose.lines() {
            if line.starts_with('#') && !heading.is_empty() {
                is_below = line.contains(heading);
            }
            let is_rule = line.starts_with("|---");
            if is_rule && is_below {
                // What came last is the head of this table.
                rows.pop();
            } else if is_below && let Some(row) = line.strip_prefix('|') {
                rows.push(row.trim_end().trim_end_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect());
            }
        }
        rows
    }

    /// What stands between backticks in the first column of its tables.
    pub fn first_column(&self, heading: &str) -> BTreeSet<String> {
        self.rows(heading).iter().flat_map(|row| spans(&row[0])).collect()
    }
}

/// What stands between backticks in a line.
pub fn spans(line: &str) -> Vec<String> {
    line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The paths of files below a folder of the repository, in order.
pub fn files_below(folder: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(ROOT).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|given| given == extension) {
                found.push(path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Fails with what one of two sets has and the other lacks.
#[track_caller]
pub fn assert_same(what: &str, program: &BTreeSet<String>, page: &BTreeSet<String>) {
    let missing: Vec<_> = program.difference(page).collect();
    let invented: Vec<_> = page.difference(program).collect();
    assert!(missing.is_empty() && invented.is_empty(), "{what}: not on the page {missing:?}; not real {invented:?}");
}
