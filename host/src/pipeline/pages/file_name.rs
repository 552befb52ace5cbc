//! What the name of a file says about it.

use std::path::Path;

use super::report::FileKind;

/// What is expected of a file before its first byte is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A tablespace of this kind; a file that is none is damaged.
    Tablespace(FileKind),
    /// Anything. General system files may have any name, so the contents decide.
    Anything,
    /// Page slots of this size in bytes.
    DoublewriteSlots(u32),
    /// A file whose pages are never checked.
    Ignored(FileKind),
}

/// Reads the server's naming rules: `innodb_data_file_path`'s default, undo tablespaces, redo
/// logs and temporary tablespaces of MySQL and MariaDB.
pub(super) fn expected(path: &Path) -> Expected {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let extension = path.extension().map(|part| part.to_string_lossy()).unwrap_or_default();
    match extension.as_ref() {
        "ibd" => return Expected::Tablespace(FileKind::Tablespace),
        "ibu" => return Expected::Tablespace(FileKind::Undo),
        "ibt" => return Expected::Ignored(FileKind::Temporary),
        // Page numbers alone (`innodb_doublewrite=DETECT_ONLY`): they repair nothing.
        "bdblwr" => return Expected::Ignored(FileKind::Doublewrite),
        "dblwr" => return doublewrite_slots(&name),
        _ => {}
    }
    if name.starts_with("ibtmp") {
        return Expected::Ignored(FileKind::Temporary);
    }
    if ["ib_logfile", "#ib_redo", "ib_redo"].iter().any(|prefix| name.starts_with(prefix)) {
        return Expected::Ignored(FileKind::Redo);
    }
    if is_numbered(&name, &["ibdata"]) {
        return Expected::Tablespace(FileKind::System);
    }
    if is_numbered(&name, &["undo_", "undo"]) {
        return Expected::Tablespace(FileKind::Undo);
    }
    Expected::Anything
}

fn is_numbered(name: &str, prefixes: &[&str]) -> bool {
    prefixes
        .iter()
        .filter_map(|prefix| name.strip_prefix(prefix))
        .any(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `#ib_16384_0.dblwr`: the page size is part of the name.
fn doublewrite_slots(name: &str) -> Expected {
    let size = name.strip_prefix("#ib_").and_then(|rest| rest.split_once('_'));
    match size.and_then(|(size, _)| size.parse().ok()) {
        Some(size @ (4_096 | 8_192 | 16_384 | 32_768 | 65_536)) => Expected::DoublewriteSlots(size),
        _ => Expected::Ignored(FileKind::Doublewrite),
    }
}
