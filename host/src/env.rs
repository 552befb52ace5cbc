//! Every environment variable that the host reads, in one place. Nothing else calls `std::env`.
//!
//! | name | meaning |
//! |---|---|
//! | `DBBACKUP_CONFIG` | configuration file, where `--config` is not given |
//! | `DBBACKUP_PLUGIN_PATH` | plugin directories, separated by `:`; ignored for root unless `plugins.environment_for_root` is set |
//! | `DBBACKUP_STATE_DIR` | journal, run locks, `plugins.lock` of the user |
//! | `DBBACKUP_LOG` | log filter such as `debug` or `dbbackup=debug,warn`, where no flag is given |
//! | `MYSQL_PWD` | password of the account |
//! | `DBBACKUP_CLONE_DONOR_PASSWORD` | password of the account on the donor of a clone |
//! | `MYSQL_HOST`, `MYSQL_TCP_PORT`, `MYSQL_UNIX_PORT` | server address, as the stock client reads them |
//! | `MYSQL_GROUP_SUFFIX` | as `--defaults-group-suffix` |
//! | `HOME`, `USER`, `LOGNAME`, `PATH`, `TMPDIR` | as everywhere |
//! | `XDG_STATE_HOME`, `XDG_DATA_HOME` | the user's state and data directories |
//! | `NO_COLOR` | set and not empty: no colour in the log |
//!
//! A configuration file may name any further variable as `${NAME}`. An empty value counts as unset,
//! except that of `MYSQL_PWD`.
#![allow(clippy::disallowed_methods, reason = "this file is where the host reads its environment")]
use std::{ffi::OsString, path::PathBuf};
use zeroize::Zeroizing;

/// Configuration file, where `--config` is not given.
pub const CONFIG: &str = "DBBACKUP_CONFIG";
/// Further plugin directories, separated by `:`.
pub const PLUGIN_PATH: &str = "DBBACKUP_PLUGIN_PATH";
/// Directory of journal, run locks and lock files.
pub const STATE_DIR: &str = "DBBACKUP_STATE_DIR";
/// Log filter.
pub const LOG: &str = "DBBACKUP_LOG";
/// Password of the account.
pub const PASSWORD: &str = "MYSQL_PWD";

/// `$DBBACKUP_CONFIG`.
pub fn config_file() -> Option<PathBuf> {
    path(CONFIG)
}

/// The directories in `$DBBACKUP_PLUGIN_PATH`.
pub fn plugin_path() -> Vec<PathBuf> {
    let directories = non_empty(PLUGIN_PATH);
    directories.map(|value| std::env::split_paths(&value).collect()).unwrap_or_default()
}

/// The state directory: `$DBBACKUP_STATE_DIR`, else `/var/lib/dbbackup` for root, else
/// `$XDG_STATE_HOME/dbbackup`, else `~/.local/state/dbbackup`; without a home, none.
pub fn state_dir() -> Option<PathBuf> {
    if let Some(directory) = path(STATE_DIR) {
        return Some(directory);
    }
    if is_root() {
        return Some(PathBuf::from("/var/lib/dbbackup"));
    }
    let state = path("XDG_STATE_HOME").or_else(|| Some(home()?.join(".local/state")))?;
    Some(state.join("dbbackup"))
}

/// The user's data directory, `$XDG_DATA_HOME/dbbackup` or `~/.local/share/dbbackup`.
pub fn user_data_dir() -> Option<PathBuf> {
    let data = path("XDG_DATA_HOME").or_else(|| Some(home()?.join(".local/share")))?;
    Some(data.join("dbbackup"))
}

/// `$DBBACKUP_LOG`.
pub fn log_filter() -> Option<String> {
    text(LOG)
}

/// `$MYSQL_PWD`; an empty one is a password too: none is asked for elsewhere.
pub fn password() -> Option<Zeroizing<Vec<u8>>> {
    use std::os::unix::ffi::OsStringExt;
    std::env::var_os(PASSWORD).map(|value| Zeroizing::new(value.into_vec()))
}

/// `$DBBACKUP_CLONE_DONOR_PASSWORD`.
pub fn clone_donor_password() -> Option<Zeroizing<Vec<u8>>> {
    use std::os::unix::ffi::OsStringExt;
    let value = std::env::var_os("DBBACKUP_CLONE_DONOR_PASSWORD");
    value.map(|value| Zeroizing::new(value.into_vec()))
}

/// `$MYSQL_HOST`.
pub fn mysql_host() -> Option<String> {
    text("MYSQL_HOST")
}

/// `$MYSQL_TCP_PORT` as it was written.
pub fn mysql_tcp_port() -> Option<String> {
    text("MYSQL_TCP_PORT")
}

/// `$MYSQL_UNIX_PORT`.
pub fn mysql_unix_port() -> Option<PathBuf> {
    path("MYSQL_UNIX_PORT")
}

/// `$MYSQL_GROUP_SUFFIX`.
pub fn mysql_group_suffix() -> Option<String> {
    text("MYSQL_GROUP_SUFFIX")
}

/// The user's home directory.
pub fn home() -> Option<PathBuf> {
    path("HOME")
}

/// Login name of the running user: the account name where none is given.
pub fn login_name() -> Option<String> {
    text("USER").or_else(|| text("LOGNAME")).or_else(|| is_root().then(|| "root".to_owned()))
}

/// `$PATH`, for finding a server program.
pub fn search_path() -> Vec<PathBuf> {
    let path = non_empty("PATH").unwrap_or_else(|| OsString::from("/usr/local/bin:/usr/bin:/bin"));
    std::env::split_paths(&path).collect()
}

/// The running program; none if its name cannot be had.
pub fn executable() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Where short-lived files go.
pub fn temp_dir() -> PathBuf {
    std::env::temp_dir()
}

/// False if `$NO_COLOR` is set and not empty.
pub fn wants_color() -> bool {
    non_empty("NO_COLOR").is_none()
}

/// A variable that a configuration file names as `${NAME}`; unset is none, empty is empty.
///
/// # Errors
/// The value is not UTF-8; it is given back.
pub fn named(name: &str) -> Result<Option<String>, OsString> {
    std::env::var_os(name).map(OsString::into_string).transpose()
}

/// True for the user with all rights.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn text(name: &str) -> Option<String> {
    non_empty(name).and_then(|value| value.into_string().ok())
}

fn path(name: &str) -> Option<PathBuf> {
    non_empty(name).map(PathBuf::from)
}

fn non_empty(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
