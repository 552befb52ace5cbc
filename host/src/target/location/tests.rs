//! Endings go behind names, whatever slashes follow.
use super::{OutputLocation, manifest_path, partial_path};
use std::path::{Path, PathBuf};

#[test]
fn the_last_character_says_what_an_output_is() {
    let parse = |text: &str| text.parse::<OutputLocation>().unwrap();
    assert_eq!(parse("-"), OutputLocation::Stdout);
    assert_eq!(parse("a/b.tar.gz"), OutputLocation::File(PathBuf::from("a/b.tar.gz")));
    assert_eq!(parse("a/b/"), OutputLocation::Directory(PathBuf::from("a/b/")));
    for text in ["-", "a/b.tar.gz", "a/b/"] {
        assert_eq!(parse(text).to_string(), text);
    }
}

#[test]
fn endings_go_behind_the_last_component() {
    assert_eq!(partial_path(Path::new("a/b//")), Path::new("a/b.partial"));
    assert_eq!(manifest_path(Path::new("b.sql")), Path::new("b.sql.manifest.json"));
}
