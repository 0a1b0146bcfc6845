//! Holds the order of the rooms, which [`crate`] shows, and its table of the actors.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms, the lowest first: each imports from the layers above its own line, and from no other.
const LAYERS: [&[&str]; 10] = [
    &["clock", "content_coding", "fleet", "metrics", "pattern", "runtime", "scope", "secret"],
    &["failure", "limits", "money"],
    &["providers", "usage"],
    &["guardrails"],
    &["routing"],
    &["db", "embed"],
    &["keys"],
    &["budgets", "cache", "responses"],
    &["request"],
    &["system"],
];

/// The libraries that belong to some rooms, and where: paths below `src`.
const LIBRARIES: [(&[&str], &[&str]); 4] = [
    (&["diesel", "diesel_async", "diesel_migrations", "libsqlite3_sys", "tokio_postgres"], &["db"]),
    (&["fastembed", "ort"], &["embed/embedder", "embed/built_in"]),
    (&["httparse"], &["providers/upstream"]),
    (&["redis"], &["cache/actor", "fleet", "limits/redis_limiter", "system/listen"]),
];

/// The files of a crate that are no tests, by their path below `src`, without comments and inline tests.
struct Sources(BTreeMap<String, String>);

impl Sources {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if name.ends_with(".rs") && !is_test(&name) {
                    files.insert(name, code_of(&fs::read_to_string(path).unwrap()));
                }
            }
        }
        Self(files)
    }

    /// The file that defines what a path within the crate names.
    fn file_of(&self, path: &str) -> String {
        let mut parts: Vec<&str> = path.split("::").collect();
        while parts.len() > 1 && !self.0.contains_key(&format!("{}.rs", parts.join("/"))) {
            parts.pop();
        }
        format!("{}.rs", parts.join("/"))
    }

    /// Every import against the order, with both files.
    fn climbs(&self) -> Vec<String> {
        let mut climbs = Vec::new();
        for (file, code) in &self.0 {
            for path in imports(code) {
                let (from, to) = (room_of(file), room_of(&path.replace("::", "/")).to_owned());
                if from != "lib" && from != to && layer(&to) >= layer(from) {
                    climbs.push(format!("{file} imports {} (crate::{path})", self.file_of(&path)));
                }
            }
        }
        climbs
    }
}

fn is_test(file: &str) -> bool {
    file.split('/').any(|part| part == "tests") || file.ends_with("tests.rs") || file == "rooms_test.rs"
}

fn room_of(file: &str) -> &str {
    let room = file.split('/').next().unwrap_or(file);
    room.strip_suffix(".rs").unwrap_or(room)
}

/// A room's layer; whatever has none is below all, and is told by another test.
fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// The text without whole-line comments and without items that only tests have.
fn code_of(text: &str) -> String {
    let (mut code, mut in_test) = (String::new(), false);
    for line in text.lines() {
        if in_test {
            let is_one_line = !line.starts_with(' ') && line.ends_with(';');
            in_test = !(is_one_line || line.starts_with('}'));
        } else if line.starts_with("#[cfg(test)]") {
            in_test = true;
        } else if !line.trim_start().starts_with("//") {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// The paths below `crate::`; of a group in braces one for each of its first names.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let is_part_of_name = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            _ if is_part_of_name => {}
            Some(group) => found.extend(members(group).into_iter().map(path_at)),
            None => drop(found.insert(path_at(rest))),
        }
    }
    found
}

/// The members of a group, up to its closing brace.
fn members(group: &str) -> Vec<&str> {
    let (mut members, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                members.extend(Some(group[start..at].trim()).filter(|member| !member.is_empty()));
                start = at + 1;
            }
            _ => {}
        }
        if c == '}' && start == at + 1 {
            break;
        }
    }
    members
}

fn path_at(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text[..end].trim_end_matches(':').to_owned()
}

#[test]
fn no_room_imports_against_the_order() {
    let climbs = Sources::read().climbs();
    assert!(climbs.is_empty(), "imports against the order of the rooms:\n{}", climbs.join("\n"));
}

/// The names of these libraries stand in their rooms alone: `clippy.toml` has the types that would be met first.
#[test]
fn each_library_stays_in_its_rooms() {
    let mut strays = Vec::new();
    for (file, code) in &Sources::read().0 {
        for (libraries, rooms) in LIBRARIES {
            let is_room = rooms
                .iter()
                .any(|room| file.strip_prefix(room).is_some_and(|rest| rest.starts_with('/') || rest == ".rs"));
            let named = libraries.iter().filter(|library| !is_room && names_crate(code, library));
            strays.extend(named.map(|library| format!("{file} names {library}")));
        }
    }
    assert!(strays.is_empty(), "{strays:#?}");
}

/// Whether code names a path that begins with this crate.
fn names_crate(code: &str, name: &str) -> bool {
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)))
}

#[test]
fn every_room_has_one_place_in_the_order_that_the_documentation_shows() {
    let sources = Sources::read();
    let there: BTreeSet<&str> = sources.0.keys().map(|file| room_of(file)).filter(|room| *room != "lib").collect();
    let mut ordered: Vec<&str> = LAYERS.concat();
    ordered.sort_unstable();
    assert_eq!(ordered, there.into_iter().collect::<Vec<_>>());
    for (rooms, number) in LAYERS.iter().zip(1..) {
        let line = format!("//! {number}. `{}`\n", rooms.join("`, `"));
        assert!(include_str!("lib.rs").contains(&line), "lib.rs lacks the line\n{line}");
    }
}

#[test]
fn every_actor_and_message_is_in_the_table() {
    let rows: Vec<&str> = include_str!("lib.rs").lines().filter(|line| line.starts_with("//! | ")).collect();
    for (file, code) in &Sources::read().0 {
        let words: Vec<&str> = code.split([' ', '\n']).collect();
        for window in words.windows(4) {
            let &["impl", of, "for", actor] = window else { continue };
            let Some(message) = of.strip_prefix("Handler<").and_then(|of| of.strip_suffix('>')) else { continue };
            let message = message.trim_start_matches("Box<").trim_end_matches('>');
            let is_shown = |row: &&str| row.contains(&format!("`{message}`")) && row.contains(&format!("`{actor}`"));
            assert!(message.starts_with('$') || rows.iter().any(is_shown), "{file}: {message} for {actor}");
        }
    }
}

#[test]
fn an_import_against_the_order_is_found_however_it_is_written() {
    let told = |text: &str| {
        let files = [("db/error.rs", text), ("system/listen.rs", "")];
        Sources(files.map(|(name, text)| (name.to_owned(), code_of(text))).into()).climbs()
    };
    let found = ["db/error.rs imports system/listen.rs (crate::system::listen::listen)"];
    assert_eq!(told("use crate::system::listen::listen;\n"), found);
    assert_eq!(told("fn a() { crate::system::listen::listen(); }\n"), found);
    assert_eq!(told("use crate::{money::{usd, amount}, system::listen::listen, scope};\n"), found);
    assert_eq!(told("use crate::{\n    scope,\n    system::listen::listen,\n};\nuse crate::secret;\n"), found);
    assert_eq!(told("use crate::embed::pool;\n").len(), 1, "a room of the same layer");
    for fine in [
        "use crate::scope::Scope;\n",
        "use crate::db::Store;\n",
        "pub(crate) fn a() {}\n",
        "/// [`crate::system`]\n",
        "#[cfg(test)]\nmod tests {\n    use crate::system::start;\n}\n",
        "#[cfg(test)]\nuse crate::system::start;\n",
    ] {
        assert!(told(fine).is_empty(), "{fine}");
    }
}
