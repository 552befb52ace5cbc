//! A logical dump of a running server into `.sql.gz`.
use super::contest::{Contest, chain};
use super::figure::{Bound, Figure};
use super::setting::{Setting, remove};
use anyhow::Result;
use dbbackup_testkit::{ADMIN_PASSWORD, MeasuredData, Server, ServerOptions};
use std::path::Path;
use std::process::Command;

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    setting.sets.iter().map(|set| measure_on(setting, &setting.data(*set)?)).collect()
}

fn measure_on(setting: &Setting, data: &MeasuredData) -> Result<Figure> {
    let mut server = data.start(options())?;
    let ours = setting.path("ours.sql.gz");
    let theirs = setting.path("peer.sql.gz");
    let clear = || {
        remove(&ours)?;
        remove(&setting.path("ours.sql.gz.manifest.json"))?;
        remove(&theirs)
    };
    let contest = Contest { rounds: setting.rounds, servers: &[], clear: &clear };
    let begun = Figure::begin("sql.gz: dump", data.set().name())?;
    let rounds = contest.run(
        || chain(vec![dump_command(setting, &server, &ours)], None),
        || {
            let mut mysqldump = Command::new(server.tree().program("mysqldump"));
            mysqldump.env("MYSQL_PWD", ADMIN_PASSWORD).arg("--no-defaults");
            mysqldump.args(server.connection_args());
            mysqldump.args(["--single-transaction", "--routines", "--events", "--databases"]);
            mysqldump.arg(data.schema());
            chain(vec![mysqldump, setting.peer("gzip")], Some(&theirs))
        },
    )?;
    server.stop()?;
    begun.ratio("mysqldump | gzip", Bound::AtMost(0.3), rounds)
}

/// Options of a server that is dumped.
pub(crate) fn options() -> ServerOptions {
    ServerOptions::default().arg("--innodb-buffer-pool-size=256M")
}

/// Our dump of everything that the server holds.
pub(crate) fn dump_command(setting: &Setting, server: &Server, output: &Path) -> Command {
    let words = ["physical-backup", "--engine", "mysqldump", "--output"];
    setting.rig.dbbackup_on(server, words).arg(output).to_command()
}
