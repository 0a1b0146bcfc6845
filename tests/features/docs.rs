//! The documentation tells what the program does: commands and examples run, names exist, links resolve.

mod book;
mod examples;
mod links;
mod names;
mod names_on_pages;
mod openapi;
mod operator_pages;
mod requirements;
mod snippets;
mod sources;
