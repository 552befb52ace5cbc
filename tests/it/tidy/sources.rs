//! Every source file: short enough, with a header, its functions short enough, its words clean.
use super::root;
use anyhow::{Context as _, Result};
use std::{collections::BTreeSet, fs, path::Path, process::Command};
use syn::visit::Visit;

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 60;
/// File names that say nothing.
const EMPTY_NAMES: &[&str] = &["util.rs", "utils.rs", "common.rs", "helpers.rs", "misc.rs"];
/// `path` or `path:function`, with the reason behind `#`; a line that is not needed any more fails.
const EXCEPTIONS: &str = include_str!("exceptions.txt");

#[test]
fn files_and_functions_are_short_and_say_what_they_are() -> Result<()> {
    let mut excused: BTreeSet<String> = EXCEPTIONS
        .lines()
        .filter_map(|line| line.split('#').next())
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let mut found = Vec::new();
    for path in tracked(".rs")? {
        for (key, what) in problems(&path)? {
            if !excused.remove(&key) {
                found.push(format!("{key}: {what}"));
            }
        }
    }
    assert!(found.is_empty(), "untidy:\n{}", found.join("\n"));
    assert!(excused.is_empty(), "exceptions that are not needed any more: {excused:?}");
    Ok(())
}

#[test]
fn no_file_names_a_machine() -> Result<()> {
    let home = ["/ro", "ot/", "|/wo", "rk/", "|bash", "_jobs"].concat();
    let mut found = Vec::new();
    for path in tracked("")? {
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for needle in home.split('|').filter(|needle| text.contains(needle)) {
            found.push(format!("{path}: {needle}"));
        }
    }
    assert!(found.is_empty(), "paths of a machine: {found:?}");
    Ok(())
}

#[test]
fn every_folder_says_what_it_is() {
    for folder in ["host", "plugin-api", "plugins", "sdk", "tests", "docs/adr"] {
        assert!(root().join(folder).join("README.md").is_file(), "{folder} has no README.md");
    }
}

#[test]
fn no_two_decisions_share_a_number_and_each_bears_that_of_its_file() -> Result<()> {
    let mut seen = BTreeSet::new();
    for path in tracked(".md")? {
        let Some(name) = path.strip_prefix("docs/adr/").filter(|name| *name != "README.md") else {
            continue;
        };
        let number = name.split('-').next().unwrap_or_default().trim_start_matches('0');
        assert!(seen.insert(number.to_owned()), "number {number} is taken, {name} needs another");
        let title = fs::read_to_string(root().join(&path))?;
        assert!(
            title.starts_with(&format!("# {number}. ")),
            "{name} does not begin `# {number}. `"
        );
    }
    assert!(!seen.is_empty(), "no decision found");
    Ok(())
}

/// Files under version control, or about to be.
fn tracked(ending: &str) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .context("run git")?;
    let list = String::from_utf8(output.stdout)?;
    let files: Vec<String> = list
        .lines()
        .filter(|path| path.ends_with(ending) && root().join(path).is_file())
        .map(str::to_owned)
        .collect();
    assert!(!files.is_empty(), "git lists no file ending in {ending:?}");
    Ok(files)
}

/// What is untidy in a file: the key of its exception, and the words.
fn problems(path: &str) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(root().join(path)).with_context(|| path.to_owned())?;
    let mut found = Vec::new();
    let mut say = |what: String| found.push((path.to_owned(), what));
    let lines = text.lines().count();
    if lines > FILE_LINES {
        say(format!("{lines} lines, {FILE_LINES} allowed"));
    }
    let name = Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or("");
    if EMPTY_NAMES.contains(&name) {
        say("a name that says nothing".to_owned());
    }
    if name != "tests.rs" && !text.starts_with("//!") {
        say("no `//!` header".to_owned());
    }
    let mut functions = Functions { path, found: Vec::new() };
    functions.visit_file(&syn::parse_file(&text).with_context(|| path.to_owned())?);
    found.append(&mut functions.found);
    Ok(found)
}

/// Collects functions that are too long.
struct Functions<'a> {
    path: &'a str,
    found: Vec<(String, String)>,
}

impl Functions<'_> {
    fn measure(&mut self, name: &syn::Ident, body: &syn::Block) {
        let braces = body.brace_token.span;
        let lines = braces.close().end().line - braces.open().start().line + 1;
        if lines > FUNCTION_LINES {
            let what = format!("{lines} lines, {FUNCTION_LINES} allowed");
            self.found.push((format!("{}:{name}", self.path), what));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.measure(&function.sig.ident, &function.block);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.measure(&function.sig.ident, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }
}
