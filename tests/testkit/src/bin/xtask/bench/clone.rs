//! Engine `clone` by the clone protocol, beside the server's own clone and the classic pipelines.
use super::contest::{Contest, Round, chain};
use super::dump::{backup, mysqldump, options};
use super::figure::{Bound, Figure};
use super::pipeline::tar;
use super::setting::{Setting, remove};
use super::{memory, restore, stall};
use anyhow::{Context, Result};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, DataSet, Flavor, MeasuredData, Server, ServerOptions,
};
use std::path::Path;

const ENGINE: &str = "clone";

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for set in setting.sets.iter().copied() {
        let data = setting.data(set)?;
        let mut donor = data.start(options())?;
        let pid = donor.pid()?;
        let bench = Bench { setting, data: &data, donor: &donor, pid };
        figures.push(bench.to_directory()?);
        figures.extend(bench.to_zstd()?);
        figures.push(bench.to_gzip()?);
        figures.push(bench.restore()?);
        if set == DataSet::Sysbench {
            let scale = setting.scale;
            figures.push(memory::peak(setting, &donor, ENGINE, "clone.tar.zst", scale)?);
            figures.push(stall::of_engine(setting, &donor, ENGINE, &data.tables_dir())?);
        }
        donor.stop()?;
    }
    Ok(figures)
}

struct Bench<'a> {
    setting: &'a Setting,
    data: &'a MeasuredData,
    donor: &'a Server,
    pid: u32,
}

impl Bench<'_> {
    /// Beside a second server that clones into a directory: the same protocol, the same files.
    fn to_directory(&self) -> Result<Figure> {
        let mut recipient = Server::start(Flavor::Mysql97, ServerOptions::default())?;
        let port = self.donor.port();
        recipient.sql(&format!("SET GLOBAL clone_valid_donor_list = '127.0.0.1:{port}'"))?;
        let servers = [self.pid, recipient.pid()?];
        let begun = Figure::begin("clone: directory", self.data.set().name())?;
        let rounds = self.contest(&servers, "data").run(
            |output| self.ours(&output.join("")),
            |output| {
                let directory = sql_string(output)?;
                let password = ADMIN_PASSWORD.replace('\'', "''");
                recipient.sql(&format!(
                    "CLONE INSTANCE FROM '{ADMIN_USER}'@'127.0.0.1':{port} \
                     IDENTIFIED BY '{password}' DATA DIRECTORY = {directory}"
                ))
            },
        )?;
        begun.ratio("CLONE INSTANCE", Bound::AtMost(1.3), rounds)
    }

    /// Beside the server's clone into a directory of its own, and an archive of that. That needs no network,
    /// and ours takes the server's socket.
    fn to_zstd(&self) -> Result<[Figure; 2]> {
        let peer = "CLONE LOCAL, tar | zstd -3 -T2";
        let begun = Figure::begin("clone: tar.zst", self.data.set().name())?;
        let size = begun.another("clone: tar.zst size");
        let rounds: Vec<Round> = self.contest(&[self.pid], "clone.tar.zst").run(
            |output| self.ours_by_socket(output),
            |output| {
                let copy = output.with_file_name("local");
                let directory = sql_string(&copy)?;
                self.donor.sql(&format!("CLONE LOCAL DATA DIRECTORY = {directory}"))?;
                let mut zstd = self.setting.peer("zstd");
                zstd.args(["-q", "-3", "-T2"]);
                chain(vec![tar(self.setting, &copy), zstd], Some(output))?;
                remove(&copy)
            },
        )?;
        let size = size.size(peer, Bound::AtMost(1.02), &rounds)?;
        Ok([begun.ratio(peer, Bound::AtMost(0.6), rounds)?, size])
    }

    /// Beside the logical dump that it takes the place of: at least eight times as fast.
    fn to_gzip(&self) -> Result<Figure> {
        let begun = Figure::begin("clone: tar.gz", self.data.set().name())?;
        let rounds = self.contest(&[self.pid], "clone.tar.gz").run(
            |output| self.ours(output),
            |output| {
                let gzip = self.setting.peer("gzip");
                chain(vec![mysqldump(self.donor, self.data.schema()), gzip], Some(output))
            },
        )?;
        begun.ratio("mysqldump | gzip", Bound::AtMost(1.0 / 8.0), rounds)
    }

    fn restore(&self) -> Result<Figure> {
        let artefact = self.setting.path("restored.tar.zst");
        self.ours(&artefact)?;
        restore::beside_extraction(self.setting, ENGINE, self.data.set().name(), &artefact)
    }

    fn ours(&self, output: &Path) -> Result<()> {
        chain(vec![backup(self.setting, self.donor, ENGINE, output)], None)
    }

    fn ours_by_socket(&self, output: &Path) -> Result<()> {
        let words = ["physical-backup", "--engine", ENGINE, "--user", ADMIN_USER, "--socket"];
        let run = self.setting.rig.dbbackup(words).arg(self.donor.socket()).arg("--output");
        let run = run.arg(output).env("MYSQL_PWD", ADMIN_PASSWORD);
        chain(vec![run.to_command()], None)
    }

    fn contest<'a>(&self, servers: &'a [u32], output: &'a str) -> Contest<'a> {
        let directory = self.setting.path("turn");
        Contest { rounds: self.setting.rounds, servers, directory, output }
    }
}

/// A path as a string of SQL.
fn sql_string(path: &Path) -> Result<String> {
    let text = path.to_str().context("the cache lies at a path that is no UTF-8")?;
    Ok(format!("'{}'", text.replace('\\', r"\\").replace('\'', "''")))
}
