//! MariaDB's own physical backup, as its handbook streams it.
use super::contest::chain;
use super::setting::Setting;
use anyhow::Result;
use dbbackup_testkit::Server;
use std::path::Path;
use std::process::Command;

/// What is measured against.
pub(crate) const PEER: &str = "mariadb-backup | zstd -3 -T2";

/// Streams a backup of a server on this machine into a compressed file.
pub(crate) fn stream(setting: &Setting, server: &Server, output: &Path) -> Result<()> {
    let mut backup = Command::new(server.tree().program("mariadb-backup"));
    let mut defaults = std::ffi::OsString::from("--defaults-file=");
    defaults.push(server.defaults_file()?);
    let mut datadir = std::ffi::OsString::from("--datadir=");
    datadir.push(server.datadir());
    // Small files of its own go into the target directory even when it streams.
    let mut scratch = std::ffi::OsString::from("--target-dir=");
    scratch.push(output.with_file_name("mariadb-backup"));
    backup.arg(defaults).args(["--backup", "--stream=xbstream"]).args([datadir, scratch]);
    // A line for each file and second would cost a terminal's time.
    backup.stderr(std::process::Stdio::null());
    let mut zstd = setting.peer("zstd");
    zstd.args(["-q", "-3", "-T2"]);
    chain(vec![backup, zstd], Some(output))
}
