//! Every path that InnoDB uses, and the newest binlog's directory, as the server names them.
use super::server::text_at;
use crate::connection::{ServerError, Session};
use dbbackup_plugin_api::document::environment::ServerFacts;
use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

/// A path and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsedPath {
    pub(super) role: String,
    pub(super) path: PathBuf,
}

/// The paths, each with its role, in a fixed order; nothing on this machine is looked at.
pub(super) fn used_by(
    session: &mut Session,
    server: &ServerFacts,
) -> Result<Vec<UsedPath>, ServerError> {
    let variable = |name: &str| {
        server.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    };
    let Some(data) = variable("datadir").map(PathBuf::from) else { return Ok(Vec::new()) };
    let below_data = |path: &str| clean(&data.join(path));
    let mut used = vec![UsedPath { role: "data".to_owned(), path: clean(&data) }];
    let redo = variable("innodb_log_group_home_dir").unwrap_or(".");
    let undo = variable("innodb_undo_directory").unwrap_or(".");
    let doublewrite = variable("innodb_doublewrite_dir").unwrap_or(".");
    for (role, path) in [("redo", redo), ("undo", undo), ("doublewrite", doublewrite)] {
        used.push(UsedPath { role: role.to_owned(), path: below_data(path) });
    }
    if let Some(directory) = variable("log_bin_basename").and_then(|name| Path::new(name).parent())
    {
        used.push(UsedPath { role: "binlog".to_owned(), path: clean(directory) });
    }
    let files = tablespace_files(session)?;
    let system = server.system_files().into_iter().map(|file| clean(&data.join(file)));
    let files = files.iter().map(|file| below_data(file)).chain(system);
    add_external(&mut used, files.collect());
    Ok(used)
}

/// Adds the directories of tables that lie elsewhere, by the link files in a data directory of this
/// machine: MariaDB lists only those tablespaces that it has opened since its start.
pub(super) fn add_linked(used: &mut Vec<UsedPath>) -> io::Result<()> {
    let Some(data) = used.iter().find(|used| used.role == "data") else { return Ok(()) };
    let mut linked = Vec::new();
    for schema in fs::read_dir(&data.path)? {
        let schema = schema?;
        if !schema.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(schema.path())? {
            let file = file?.path();
            if file.extension().is_some_and(|ending| ending == "isl") {
                let text = fs::read(&file)?;
                linked.push(clean(Path::new(OsStr::from_bytes(text.trim_ascii()))));
            }
        }
    }
    add_external(used, linked);
    Ok(())
}

/// Gives each directory of a file that no root holds yet the next number.
fn add_external(used: &mut Vec<UsedPath>, files: Vec<PathBuf>) {
    let mut outside: Vec<PathBuf> = files
        .iter()
        .filter_map(|file| Some(file.parent()?.to_owned()))
        .filter(|directory| !used.iter().any(|known| directory.starts_with(&known.path)))
        .collect();
    outside.sort();
    outside.dedup();
    let taken = used.iter().filter(|used| used.role.starts_with("external/")).count();
    let numbered = (taken + 1..).zip(outside);
    used.extend(numbered.map(|(n, path)| UsedPath { role: format!("external/{n}"), path }));
}

/// Files of tablespaces, in the first of the views that this server has and this account may read.
fn tablespace_files(session: &mut Session) -> Result<Vec<String>, ServerError> {
    let questions = [
        "SELECT PATH FROM information_schema.INNODB_DATAFILES",
        "SELECT FILENAME FROM information_schema.INNODB_SYS_TABLESPACES",
        "SELECT PATH FROM information_schema.INNODB_SYS_DATAFILES",
    ];
    for question in questions {
        if let Some(rows) = session.rows_if_known("list the tablespaces", question)? {
            return Ok(rows.iter().filter_map(|row| text_at(row, 0)).collect());
        }
    }
    Ok(Vec::new())
}

/// The path without `.` components and trailing slashes.
fn clean(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}
