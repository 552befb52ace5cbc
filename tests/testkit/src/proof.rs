//! The proof of a physical backup: restored, started by a stock server, checked, led on by the
//! source's binlog from the recorded position to a fixed one, and compared with the source.
use crate::load::{DdlLoad, WriteLoad};
use crate::rig::{Invocation, Rig};
use crate::scratch::Scratch;
use crate::server::{Server, ServerOptions};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long loads may take to go on after a backup.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);
/// Transactions and statements of DDL that follow the backup, at least.
const COMMITS_AFTER: u64 = 30;
const DDL_AFTER: u64 = 12;

/// Writes and DDL against a source, while it is backed up.
#[derive(Debug)]
pub struct BusyLoad {
    writes: WriteLoad,
    ddl: DdlLoad,
}

impl BusyLoad {
    /// Starts both.
    ///
    /// # Errors
    /// The tables cannot be made.
    pub fn start(server: &Server) -> Result<Self> {
        let writes = WriteLoad::start(server)?;
        let ddl = DdlLoad::start(server, Duration::from_millis(2))?;
        ddl.wait_for_commits(1, LOAD_DEADLINE)?;
        Ok(Self { writes, ddl })
    }

    /// The writes alone.
    pub fn writes(&self) -> &WriteLoad {
        &self.writes
    }

    /// Lets the source go on for a while, so that there is something to replay, and stops.
    ///
    /// # Errors
    /// The source does not go on, or refused a step of the load.
    pub fn go_on_and_stop(self) -> Result<()> {
        self.writes.wait_for_commits(COMMITS_AFTER, LOAD_DEADLINE)?;
        self.ddl.wait_for_commits(DDL_AFTER, LOAD_DEADLINE)?;
        let (writes, ddl) = (self.writes.stop(), self.ddl.stop());
        ensure!(writes.failures == 0 && ddl.failures == 0, "{writes:?} {ddl:?}");
        Ok(())
    }
}

/// A place in a binlog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BinlogPlace {
    /// File; those of one server have numbers of one length, so that names sort by age.
    pub file: String,
    /// Offset, bytes.
    pub position: u64,
}

/// A backup on disk, and the server that it came from.
#[derive(Debug)]
pub struct Proof<'a> {
    /// The dbbackup that restores.
    pub rig: &'a Rig,
    /// The source, running, with nobody writing any more.
    pub source: &'a Server,
    /// The artefact.
    pub artefact: PathBuf,
}

/// A restored backup with a stock server on it.
#[derive(Debug)]
pub struct Restored {
    /// The server.
    pub server: Server,
    /// End of the binlog that came with the backup, after crash recovery: the exact position of the
    /// content. Nothing if none came.
    pub position: Option<BinlogPlace>,
    _directory: Scratch,
}

impl Restored {
    /// What a `restore` gives, as far as it is complete but for its directory.
    ///
    /// # Errors
    /// As for [`Proof::restored`].
    pub fn by(restore: Invocation, source: &Server, options: ServerOptions) -> Result<Self> {
        let directory = Scratch::new()?;
        let target = directory.join("restored");
        let outcome = restore.args(["--json", "--target-dir"]).arg(&target).run()?;
        let report = outcome.expect_success()?.json()?;
        let data = match text(&report, "/data/data_directory") {
            Some(data) => PathBuf::from(data),
            None if target.join("data").is_dir() => target.join("data"),
            None => target,
        };
        let named = report
            .pointer("/data/server_options")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let words = named.iter().filter_map(Value::as_str);
        let options = words.fold(options, |options, word| options.arg(word));
        let has_binlog = data.join("binlog.index").exists();
        let server = Server::start_on(source.flavor(), &data, options)?;
        // The server has begun a binlog of its own behind those that came with the backup.
        let binlogs = binlogs(&server)?;
        let last = binlogs.len().checked_sub(2).and_then(|at| binlogs.get(at)).cloned();
        let position = last.filter(|_| has_binlog);
        Ok(Restored { server, position, _directory: directory })
    }
}

impl Proof<'_> {
    /// All of it.
    ///
    /// # Errors
    /// The first step that does not hold.
    pub fn run(&self) -> Result<()> {
        let options = ServerOptions::default();
        let options = match uses_mysql_gtids(self.source)? || self.source.flavor().is_mariadb() {
            true => options,
            // Transactions without a GTID are taken only by a server without GTIDs.
            false => options.arg("--gtid-mode=OFF").arg("--enforce-gtid-consistency=OFF"),
        };
        let restored = self.restored(options)?;
        let manifest = self.manifest()?;
        self.expect_position(&restored, &manifest)?;
        check_tables(&restored.server)?;
        let (rows, all) = (WriteLoad::check(&restored.server)?, WriteLoad::check(self.source)?);
        ensure!(rows < all, "nothing was written after the backup: {rows} of {all} rows");
        self.replay(&restored, &manifest)?;
        let contents = self.source.checksum_all()?;
        ensure!(!contents.is_empty(), "the source is empty");
        contents.expect_same(&restored.server.checksum_all()?)?;
        check_tables(&restored.server)
    }

    /// The manifest beside the artefact.
    ///
    /// # Errors
    /// It is not there.
    pub fn manifest(&self) -> Result<Value> {
        let path = match self.artefact.is_dir() {
            true => self.artefact.join(".dbbackup/manifest.json"),
            false => PathBuf::from(format!("{}.manifest.json", self.artefact.display())),
        };
        let text = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Restores into a new directory and starts a stock server on it.
    ///
    /// # Errors
    /// The restore fails, or the server does not start.
    pub fn restored(&self, options: ServerOptions) -> Result<Restored> {
        let artefact = self.artefact.display().to_string();
        Restored::by(self.rig.dbbackup(["restore", &artefact]), self.source, options)
    }

    /// Expects the recorded coordinates to hold the position at which the content really is.
    ///
    /// # Errors
    /// They do not.
    pub fn expect_position(&self, restored: &Restored, manifest: &Value) -> Result<()> {
        let Some(found) = &restored.position else { return Ok(()) };
        let lower = place(manifest, "binlog").context("no position was recorded")?;
        match text(manifest, "/coordinates/precision") {
            Some("bracket") => {
                let upper = place(manifest, "binlog_upper").context("no upper position")?;
                ensure!(
                    lower <= *found && *found <= upper,
                    "the content is at {found:?}, not in {lower:?} to {upper:?}"
                );
            }
            // Behind the last transaction MariaDB may have written an event without content.
            Some("exact") => ensure!(
                lower.file == found.file && lower.position <= found.position,
                "the content is at {found:?}, not at {lower:?}"
            ),
            other => anyhow::bail!("the precision is {other:?}"),
        }
        Ok(())
    }

    /// Replays the source's binlog up to where the source stands now. With MySQL's GTIDs from the
    /// recorded position on: what the content holds already is skipped by its GTID. Without them
    /// from the exact one on.
    ///
    /// # Errors
    /// A stock program fails, or the GTIDs of both servers differ in the end.
    pub fn replay(&self, restored: &Restored, manifest: &Value) -> Result<()> {
        let recorded = place(manifest, "binlog").context("no position")?;
        let uses_gtid = uses_mysql_gtids(self.source)?;
        let is_exact = text(manifest, "/coordinates/precision") == Some("exact");
        let from = match &restored.position {
            Some(exact) if !uses_gtid && !is_exact => exact.clone(),
            _ => recorded,
        };
        let files: Vec<PathBuf> = binlogs(self.source)?
            .into_iter()
            .filter(|binlog| binlog.file >= from.file)
            .map(|binlog| self.source.datadir().join(binlog.file))
            .collect();
        ensure!(!files.is_empty(), "{from:?} is gone from the source");
        pipe(self.source, &from, &files, &restored.server)?;
        if uses_gtid {
            let executed = |server: &Server| -> Result<String> {
                Ok(server.row::<(String,)>("SELECT @@GLOBAL.gtid_executed")?.0)
            };
            let (source, target) = (executed(self.source)?, executed(&restored.server)?);
            ensure!(source == target, "the source is at {source}, the replay at {target}");
        }
        Ok(())
    }
}

/// `CHECK TABLE … EXTENDED` on every table, the server's own too.
///
/// # Errors
/// The server finds one of them bad.
pub fn check_tables(server: &Server) -> Result<()> {
    let tables: Vec<(String, String)> = server.rows(
        "SELECT table_schema, table_name FROM information_schema.tables \
         WHERE table_type = 'BASE TABLE' AND engine IS NOT NULL \
         AND table_schema NOT IN ('information_schema', 'performance_schema') ORDER BY 1, 2",
    )?;
    ensure!(!tables.is_empty(), "the server holds no table");
    let mut session = server.session()?;
    for (schema, table) in tables {
        let (schema, table) = (schema.replace('`', "``"), table.replace('`', "``"));
        let answers: Vec<(String, String, String, String)> =
            session.rows(&format!("CHECK TABLE `{schema}`.`{table}` EXTENDED"))?;
        for (name, _, kind, text) in answers {
            let is_bad = kind == "error" || kind == "warning" || (kind == "status" && text != "OK");
            ensure!(!is_bad, "CHECK TABLE {name}: {kind}: {text}");
        }
    }
    Ok(())
}

/// The server's binlogs with their sizes, oldest first.
fn binlogs(server: &Server) -> Result<Vec<BinlogPlace>> {
    let rows: Vec<mysql_async::Row> = server.rows("SHOW BINARY LOGS")?;
    rows.iter()
        .map(|row| {
            let file = row.get_opt::<String, _>(0).context("no name")??;
            let position = row.get_opt::<u64, _>(1).context("no size")??;
            Ok(BinlogPlace { file, position })
        })
        .collect()
}

fn uses_mysql_gtids(server: &Server) -> Result<bool> {
    if server.flavor().is_mariadb() {
        return Ok(false);
    }
    Ok(server.row::<(String,)>("SELECT @@GLOBAL.gtid_mode")?.0 == "ON")
}

/// A recorded position, such as `binlog.000002:157`.
fn place(manifest: &Value, name: &str) -> Option<BinlogPlace> {
    let recorded = text(manifest, &format!("/coordinates/{name}"))?;
    let (file, position) = recorded.rsplit_once(':')?;
    Some(BinlogPlace { file: file.to_owned(), position: position.parse().ok()? })
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str()
}

/// Leads one server's binlogs through the stock programs into another one.
fn pipe(source: &Server, from: &BinlogPlace, files: &[PathBuf], target: &Server) -> Result<()> {
    let mariadb = source.flavor().is_mariadb();
    let (reader, client) =
        if mariadb { ("mariadb-binlog", "mariadb") } else { ("mysqlbinlog", "mysql") };
    let mut reader = Command::new(source.tree().program(reader))
        .arg("--no-defaults")
        .arg(format!("--start-position={}", from.position))
        .arg("--disable-log-bin")
        .args(files)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let events = reader.stdout.take().context("no pipe")?;
    let applied = Command::new(target.tree().program(client))
        .arg(format!("--defaults-file={}", target.defaults_file()?.display()))
        .args(["--comments", "--binary-mode"])
        .stdin(events)
        .output()?;
    let read = reader.wait_with_output()?;
    ensure!(applied.status.success(), "apply: {}", String::from_utf8_lossy(&applied.stderr));
    ensure!(read.status.success(), "read: {}", String::from_utf8_lossy(&read.stderr));
    Ok(())
}

/// Backs a source up under load and proves the backup: `arguments` follow the connection's.
///
/// # Errors
/// The backup fails, or the first step of the proof that does not hold.
pub fn prove_under_load(rig: &Rig, source: &Server, arguments: &[&str]) -> Result<Value> {
    let artefact = rig.path("proof.tar.zst");
    let load = BusyLoad::start(source)?;
    let backup = rig.dbbackup_on(source, ["physical-backup"]).arg("--output").arg(&artefact);
    backup.args(arguments.to_vec()).run()?.expect_success()?;
    load.go_on_and_stop()?;
    let proof = Proof { rig, source, artefact };
    proof.run()?;
    proof.manifest()
}
