//! A logical dump of a running server into `.sql.gz`.
use super::contest::{Contest, chain};
use super::figure::{Bound, Figure};
use super::setting::Setting;
use anyhow::Result;
use dbbackup_testkit::{ADMIN_PASSWORD, MeasuredData, Server, ServerOptions};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    setting.sets.iter().map(|set| measure_on(setting, &setting.data(*set)?)).collect()
}

fn measure_on(setting: &Setting, data: &MeasuredData) -> Result<Figure> {
    let mut server = data.start(options())?;
    let directory = setting.path("turn");
    let contest =
        Contest { rounds: setting.rounds, servers: &[], directory, output: "dump.sql.gz" };
    let begun = Figure::begin("sql.gz: dump", data.set().name())?;
    let rounds = contest.run(
        |output| chain(vec![backup(setting, &server, "mysqldump", output)], None),
        |output| chain(vec![mysqldump(&server, data.schema()), setting.peer("gzip")], Some(output)),
    )?;
    server.stop()?;
    begun.ratio("mysqldump | gzip", Bound::AtMost(0.3), rounds)
}

/// Options of a server that is backed up.
pub(crate) fn options() -> ServerOptions {
    ServerOptions::default().arg("--innodb-buffer-pool-size=256M")
}

/// Our backup of everything that the server holds.
pub(crate) fn backup(setting: &Setting, server: &Server, engine: &str, output: &Path) -> Command {
    let words = ["physical-backup", "--quiet", "--engine", engine, "--output"].map(OsString::from);
    let words = words.into_iter().chain([output.as_os_str().to_owned()]);
    setting.rig.dbbackup_on(server, words).to_command()
}

/// The stock client's dump of a schema.
pub(crate) fn mysqldump(server: &Server, schema: &str) -> Command {
    let mut mysqldump = Command::new(server.tree().program("mysqldump"));
    mysqldump.env("MYSQL_PWD", ADMIN_PASSWORD).arg("--no-defaults");
    mysqldump.args(server.connection_args());
    mysqldump.args(["--set-gtid-purged=OFF", "--single-transaction", "--routines", "--events"]);
    mysqldump.args(["--databases", schema]);
    mysqldump
}
