//! The pages of the log's fields, the database, the environment and the command line have what the program has.

use std::collections::BTreeSet;

use super::book::{Page, assert_same, spans};
use super::sources::Source;
use crate::harness::Setup;
use crate::harness::in_time;
use crate::harness::money::sql;
use crate::harness::temp_dir::TempDir;

/// The fields that a file writes into a line: the first words of its calls with this ending.
fn fields(file: &str, calls: &[&str]) -> BTreeSet<String> {
    let source = Source::all().into_iter().find(|source| source.path.ends_with(file));
    let source = source.unwrap_or_else(|| panic!("{file} has moved"));
    let is_field = |before: &str| calls.iter().any(|call| before.ends_with(call));
    source.literals().iter().filter(|found| is_field(found.before)).map(|found| found.word.to_owned()).collect()
}

/// Every field of a line stands on the page, in its own table.
#[test]
fn the_page_of_the_log_has_every_field() {
    let page = Page::read("docs/src/reference/log-fields.md");
    let every = fields("src/logging.rs", &["insert("]);
    assert_same("log-fields.md, every line", &every, &page.first_column("Every line"));
    let request = fields("request_log/line.rs", &["key!("]);
    let request: BTreeSet<String> = request.difference(&every).cloned().collect();
    // The table of the levels stands below it, with two cells a row as well.
    let levels = ["info", "warn"];
    let told = page.first_column("The line of a request").into_iter().filter(|name| !levels.contains(&name.as_str()));
    let told = told.collect();
    assert_same("log-fields.md, requests", &request, &told);
}

/// Every table and column of a migrated database stands on the page.
#[tokio::test]
async fn the_page_of_the_database_has_every_column() {
    let page = Page::read("docs/src/reference/database.md");
    let gateway = Setup::new().start().await;
    let columns = "SELECT m.name AS at, group_concat(c.name) AS columns FROM sqlite_master m, pragma_table_info(m.name) c \
                   WHERE m.type = 'table' GROUP BY m.name";
    let mut tables = BTreeSet::new();
    for row in sql(gateway.folder(), columns).await {
        let table = row["at"].as_str().unwrap();
        if table.starts_with("sqlite_") || table.starts_with("__diesel") {
            continue;
        }
        tables.insert(table.to_owned());
        let real = row["columns"].as_str().unwrap().split(',').map(str::to_owned).collect();
        let others = page.rows("Other tables").into_iter().filter(|row| spans(&row[0]) == [table]);
        let mut told: BTreeSet<String> = others.flat_map(|row| spans(&row[1])).collect();
        // A number on SQLite; PostgreSQL has transactions in its place.
        told.remove("xid");
        told.extend(page.first_column(&format!("### `{table}`")));
        assert_same(&format!("database.md, {table}"), &real, &told);
    }
    assert_same("database.md, tables", &tables, &page.first_column("## Tables"));
}

/// Whether a word is the name of a variable: capitals with an underscore in between.
fn is_variable(word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    word.trim_matches('_').contains('_') && word.chars().all(is_part) && !word.starts_with("CARGO_")
}

/// Every variable that the program reads stands on the page, and so do those that it gives to pip.
#[test]
fn the_page_of_the_environment_has_every_variable() {
    let page = Page::read("docs/src/reference/environment.md");
    let (pip, own): (Vec<Source>, Vec<Source>) =
        Source::all().into_iter().partition(|source| source.path.ends_with("fetch/pip.rs"));
    // What detectors look for has names in capitals too.
    let is_detector = |source: &&Source| source.path.contains("guard");
    let own: BTreeSet<String> = own
        .iter()
        .filter(|source| !is_detector(source))
        .flat_map(Source::literals)
        .map(|literal| literal.word.to_owned())
        .filter(|word| is_variable(word) && !word.ends_with('_'))
        .collect();
    let catalogue = Page::read("config/providers.toml").text;
    let of_providers = |name: &String| catalogue.contains(&format!("_env = \"{name}\""));
    let told = page.first_column("").into_iter().filter(|name| is_variable(name) && !of_providers(name)).collect();
    assert_same("environment.md", &own, &told);
    let (_, section) = page.text.split_once("## Variables for pip").unwrap();
    let section = section.split("\n## ").next().unwrap();
    for literal in pip.iter().flat_map(Source::literals).filter(|literal| is_variable(&format!("A_{}", literal.word))) {
        // The variables of proxies and certificates are listed above, under their own names.
        let is_told = section.contains(&format!("`{}`", literal.word)) || own.contains(literal.word);
        assert!(is_told, "{} is not on the page", literal.word);
    }
}

/// What the program's help tells of a command: its subcommands, and its options and arguments.
#[derive(Default)]
struct Help {
    commands: Vec<String>,
    options: BTreeSet<String>,
}

impl Help {
    async fn of(command: &str) -> Self {
        let folder = TempDir::new();
        let mut program = Setup::new().command(folder.path());
        let output = program.args(command.split_whitespace()).arg("--help").output();
        let output = in_time("the program prints its help", output).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut help = Self::default();
        let mut section = "";
        for line in text.lines() {
            if !line.starts_with(' ') {
                section = line;
                continue;
            }
            // Behind two spaces stands what it is for.
            let name = line.trim_start().split("  ").next().unwrap().trim();
            match section {
                "Commands:" => help.commands.push(name.to_owned()),
                "Arguments:" => drop(help.options.insert(name.trim_matches(['[', ']']).to_owned())),
                "Options:" => {
                    let names = name.split(", ").filter_map(|name| name.split(' ').next());
                    help.options.extend(names.map(str::to_owned));
                }
                _ => {}
            }
        }
        help
    }
}

/// Every command and option of the program's help stands on the page.
#[tokio::test]
async fn the_page_of_the_command_line_has_every_command_and_option() {
    let page = Page::read("docs/src/reference/cli.md");
    let mut waiting = vec![String::new()];
    let (mut commands, mut options) = (BTreeSet::new(), BTreeSet::new());
    while let Some(command) = waiting.pop() {
        let help = Help::of(&command).await;
        for option in help.options.iter().filter(|option| *option != "-h" && *option != "--help") {
            let command = if command.is_empty() { "gateway" } else { &command };
            options.insert(format!("{command} {option}"));
        }
        for name in &help.commands {
            let name = format!("{command} {name}").trim().to_owned();
            match name.as_str() {
                "help" => drop(commands.insert("gateway help".to_owned())),
                name if name.ends_with(" help") => {}
                _ => waiting.push(name),
            }
        }
        if help.commands.is_empty() {
            commands.insert(format!("gateway {command}"));
        }
    }
    let told: BTreeSet<String> = page.first_column("# Command line");
    assert_same("cli.md, commands", &commands, &told);
    let mut told = BTreeSet::new();
    for row in page.rows("## Options").iter().filter(|row| row[1] != "all") {
        for option in spans(&row[0]) {
            let option = option.split(' ').next().unwrap().to_owned();
            told.extend(spans(&row[1]).into_iter().map(|command| format!("{command} {option}")));
        }
    }
    assert_same("cli.md, options", &options, &told);
}
