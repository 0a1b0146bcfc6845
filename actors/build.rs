//! Migrations are embedded at compile time; cargo does not see new SQL files by itself.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
