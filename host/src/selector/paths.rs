//! Every path that InnoDB uses, and the newest binlog's directory, as the server names them.
use super::server::text_at;
use crate::connection::{ServerError, Session};
use dbbackup_plugin_api::document::environment::ServerFacts;
use std::path::{Component, Path, PathBuf};

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
    let mut outside: Vec<PathBuf> = files
        .iter()
        .map(|file| below_data(file))
        .filter_map(|file| Some(file.parent()?.to_owned()))
        .filter(|directory| !used.iter().any(|known| directory.starts_with(&known.path)))
        .collect();
    outside.sort();
    outside.dedup();
    let numbered = outside.into_iter().zip(1..);
    used.extend(
        numbered.map(|(path, n): (_, u32)| UsedPath { role: format!("external/{n}"), path }),
    );
    Ok(used)
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
