//! What tests of clones share: a source that is busy while it is cloned, and the proof that a
//! restored copy is the source as of an exact position.
use crate::{aftermath::Aftermath, logical::load_with_client};
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, Contents, DdlLoad, FaultProxy, Flavor, Invocation, Rig,
    SampleTables, Server, ServerOptions, WriteLoad, wait_until,
};
use serde_json::Value;
use std::{fs, path::Path, time::Duration};

/// Transactions that the load must have done before and after the backup.
const COMMITS: u64 = 50;
/// How long the load may take for them.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a donor may take to let go of a clone that has ended.
const LETS_GO_WITHIN: Duration = Duration::from_secs(5);

/// Compressed pages and compressed rows, which not every page size has.
const COMPRESSED: &str = "CREATE DATABASE packed; \
    CREATE TABLE packed.pages (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT) COMPRESSION='zlib'; \
    CREATE TABLE packed.rowz (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT) ROW_FORMAT=COMPRESSED \
        KEY_BLOCK_SIZE=4";
/// Tables of other kinds that a clone must bring: a general tablespace, several undo tablespaces,
/// partitions, large values, virtual columns.
const TABLES: &str = "CREATE DATABASE kinds; USE kinds; \
    CREATE TABLESPACE general ADD DATAFILE 'general.ibd'; \
    CREATE TABLE kinds.g1 (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT) TABLESPACE general; \
    CREATE TABLE kinds.g2 (id INT AUTO_INCREMENT PRIMARY KEY, t TEXT) TABLESPACE general; \
    CREATE UNDO TABLESPACE undo_003 ADD DATAFILE 'undo_003.ibu'; \
    CREATE TABLE kinds.parts (id INT PRIMARY KEY, t TEXT) PARTITION BY HASH (id) PARTITIONS 4; \
    CREATE TABLE kinds.large (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB, \
        n INT GENERATED ALWAYS AS (LENGTH(b)) VIRTUAL, KEY by_n (n)); \
    INSERT INTO kinds.large (b) VALUES (REPEAT('x', 3000000)), (REPEAT('y', 17)); \
    INSERT INTO kinds.parts WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
        WHERE i < 500) SELECT i, REPEAT(SHA2(i, 256), 20) FROM n";

/// A server under load, and a dbbackup.
pub(crate) struct Source {
    pub(crate) rig: Rig,
    pub(crate) server: Server,
}

impl Source {
    /// A server with tables of every kind.
    pub(crate) fn start(options: ServerOptions) -> Result<Self> {
        let server = Server::start(Flavor::Mysql97, options)?;
        server.sql(COMPRESSED)?;
        let source = Self::fill(server)?;
        Self::insert(&source.server, "packed.pages")?;
        Self::insert(&source.server, "packed.rowz")?;
        Ok(source)
    }

    /// A server of another page size, with the same accounts and tables of most kinds.
    pub(crate) fn start_with_pages(kib: u32, options: ServerOptions) -> Result<Self> {
        let server = Server::start(Flavor::Mysql97, options.page_size_kib(kib))?;
        let password = ADMIN_PASSWORD.replace('\'', "''");
        server.sql(&format!(
            "INSTALL PLUGIN clone SONAME 'mysql_clone.so'; \
             CREATE USER '{ADMIN_USER}'@'%' IDENTIFIED BY '{password}'; \
             GRANT ALL ON *.* TO '{ADMIN_USER}'@'%' WITH GRANT OPTION"
        ))?;
        Self::fill(server)
    }

    fn fill(server: Server) -> Result<Self> {
        SampleTables { rows: 4000, ..SampleTables::small() }.load(&server)?;
        server.sql(TABLES)?;
        Self::insert(&server, "kinds.g1")?;
        Self::insert(&server, "kinds.g2")?;
        Ok(Self { rig: Rig::new()?, server })
    }

    /// Rows with numbers of their own: a counter that runs ahead is not the same after a restart.
    fn insert(server: &Server, table: &str) -> Result<()> {
        server.sql(&format!(
            "USE kinds; INSERT INTO {table} (id, t) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL \
                 SELECT i + 1 FROM n WHERE i < 900) SELECT i, REPEAT(SHA2(i, 256), 30) FROM n"
        ))
    }

    /// Prepares `physical-backup --engine clone` by a method.
    pub(crate) fn backup(&self, method: &str, output: &str) -> Invocation {
        let option = format!("method={method}");
        let arguments = ["physical-backup", "--engine", "clone", "--output", output];
        self.rig
            .dbbackup_on(&self.server, arguments)
            .args(["--engine-option", &option])
            .deadline(Duration::from_secs(300))
    }

    /// Prepares `physical-backup --engine clone` over the protocol, through a proxy.
    pub(crate) fn backup_through(&self, proxy: &FaultProxy, output: &str) -> Invocation {
        let backup = ["physical-backup", "--engine", "clone", "--output", output];
        let port = proxy.port().to_string();
        let connection = ["--host", "127.0.0.1", "--port", &port, "--user", ADMIN_USER];
        let run = self.rig.dbbackup(backup).args(connection).env("MYSQL_PWD", ADMIN_PASSWORD);
        run.deadline(Duration::from_secs(300))
    }

    /// What is asked after a run.
    pub(crate) fn aftermath(&self) -> Aftermath<'_> {
        Aftermath { rig: &self.rig, server: &self.server }
    }

    /// The donor's own word: no clone is running, and no account but ours is connected.
    pub(crate) fn expect_no_clone(&self) -> Result<()> {
        wait_until("the donor has given the clone up", LETS_GO_WITHIN, || {
            let threads: u64 = self.server.row(&format!(
                "SELECT COUNT(*) FROM performance_schema.threads \
                 WHERE processlist_command = 'Clone' OR processlist_user = '{ADMIN_USER}'"
            ))?;
            Ok(threads == 0)
        })?;
        self.aftermath().expect_free_source()
    }

    /// A second server, which takes this one for a donor.
    pub(crate) fn recipient(&self) -> Result<Server> {
        let recipient = Server::start(Flavor::Mysql97, ServerOptions::default())?;
        let port = self.server.port();
        recipient.sql(&format!("SET GLOBAL clone_valid_donor_list = '127.0.0.1:{port}'"))?;
        Ok(recipient)
    }

    /// Prepares `physical-backup --engine clone` of this server by a recipient.
    pub(crate) fn backup_by(&self, recipient: &Server, output: &str) -> Invocation {
        let options = [
            "method=recipient".to_owned(),
            "donor_host=127.0.0.1".to_owned(),
            format!("donor_port={}", self.server.port()),
            format!("donor_user={ADMIN_USER}"),
            format!("data_dir={}", text(&self.rig.tmp_dir())),
        ];
        let arguments = ["physical-backup", "--engine", "clone", "--output", output];
        let run = self.rig.dbbackup_on(recipient, arguments).deadline(Duration::from_secs(300));
        let run = run.env("DBBACKUP_CLONE_DONOR_PASSWORD", ADMIN_PASSWORD);
        options.iter().fold(run, |run, option| run.args(["--engine-option", option]))
    }

    /// Runs a backup in the middle of writes and DDL; both go on for a while afterwards.
    pub(crate) fn under_load(&self, backup: Invocation) -> Result<()> {
        let write = WriteLoad::start(&self.server)?;
        let ddl = DdlLoad::start(&self.server, Duration::from_millis(5))?;
        write.wait_for_commits(COMMITS, PATIENCE)?;
        ddl.wait_for_commits(12, PATIENCE)?;
        backup.run()?.expect_success()?;
        write.wait_for_commits(COMMITS, PATIENCE)?;
        ddl.wait_for_commits(12, PATIENCE)?;
        let (write, ddl) = (write.stop(), ddl.stop());
        ensure!(write.failures + ddl.failures == 0, "{write:?} {ddl:?}");
        Ok(())
    }

    /// The manifest of a backup.
    pub(crate) fn manifest(&self, artefact: &str) -> Result<Value> {
        let info = self.rig.dbbackup(["info", artefact, "--json"]).run()?;
        Ok(info.expect_success()?.json()?["data"].clone())
    }

    /// Restores into a directory of this name; answers the result document.
    pub(crate) fn restore(&self, artefact: &str, directory: &str) -> Result<Value> {
        let restore = ["restore", artefact, "--target-dir", directory, "--json"];
        let run = self.rig.dbbackup(restore).deadline(Duration::from_secs(300)).run()?;
        Ok(run.expect_success()?.json()?["data"].clone())
    }

    /// Proves that a server on the directory is this one as of the position that its first boot
    /// tells: checked whole, and equal to the source after the binlog from there was replayed.
    pub(crate) fn prove(&self, directory: &Path, options: ServerOptions) -> Result<Value> {
        let restored = Server::start_on(Flavor::Mysql97, directory, options)?;
        check_tables(&restored)?;
        WriteLoad::check(&restored)?;
        let told = position(&restored, directory)?;
        self.replay(&restored, &told)?;
        let executed = "SELECT @@GLOBAL.gtid_executed";
        let ours: String = self.server.row(executed)?;
        // What the copy did by itself has its own identity.
        let theirs: String = restored.row(
            "SELECT GTID_SUBTRACT(@@GLOBAL.gtid_executed, CONCAT(@@server_uuid, ':1-1000000'))",
        )?;
        ensure!(plain(&ours) == plain(&theirs), "source: {ours}\ncopy: {theirs}");
        // A table that has moved says so in its definition.
        let contents = |server: &Server| -> Result<Contents> {
            Ok(server.checksum_all()?.without("table `kinds`.`outside`"))
        };
        contents(&self.server)?.expect_same(&contents(&restored)?)?;
        Ok(told)
    }

    /// Feeds the binlog from the position to its end to the stock client.
    fn replay(&self, restored: &Server, told: &Value) -> Result<()> {
        let file = told["file"].as_str().context("no binlog file")?;
        let position = format!("--start-position={}", told["position"]);
        let mut names: Vec<String> = Vec::new();
        for entry in fs::read_dir(self.server.datadir())? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| name.starts_with("binlog.0") && name.as_str() >= file);
        names.sort();
        let paths = names.iter().map(|name| self.server.datadir().join(name));
        let paths: Vec<String> = paths.map(|path| path.display().to_string()).collect();
        let mut arguments = vec![position.as_str()];
        arguments.extend(paths.iter().map(String::as_str));
        let output = std::process::Command::new(self.server.tree().program("mysqlbinlog"))
            .arg("--no-defaults")
            .args(&arguments)
            .output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        load_with_client(restored, &output.stdout)
    }
}

/// `CHECK TABLE … EXTENDED` on everything, system schemas too.
pub(crate) fn check_tables(server: &Server) -> Result<()> {
    let tables: Vec<String> = server.rows(
        "SELECT CONCAT('`', TABLE_SCHEMA, '`.`', TABLE_NAME, '`') FROM information_schema.TABLES \
         WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'InnoDB'",
    )?;
    ensure!(tables.len() > 40, "only {} tables", tables.len());
    let mut session = server.session()?;
    for table in tables {
        let answers: Vec<(String, String, String, String)> =
            session.rows(&format!("CHECK TABLE {table} EXTENDED"))?;
        for (_, _, kind, text) in answers {
            ensure!(kind == "status" && text == "OK", "{table}: {kind} {text}");
        }
    }
    Ok(())
}

/// Where the copy's content is in the source's history, as its first boot tells.
fn position(restored: &Server, directory: &Path) -> Result<Value> {
    let file = directory.join("#clone/#status_recovery");
    if let Ok(text) = fs::read_to_string(&file) {
        let lines: Vec<&str> = text.lines().collect();
        let place: u64 = lines.get(3).context("no position")?.trim().parse()?;
        let name = lines.get(2).copied().unwrap_or_default().trim_start_matches("./");
        return Ok(serde_json::json!({"file": name, "position": place}));
    }
    let (file, position): (String, u64) = restored.row(
        "SELECT BINLOG_FILE, CAST(BINLOG_POSITION AS UNSIGNED) FROM performance_schema.clone_status",
    )?;
    Ok(serde_json::json!({"file": file, "position": position}))
}

fn plain(set: &str) -> String {
    set.chars().filter(|c| !c.is_whitespace()).collect()
}

/// A path as text.
pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Lower and upper end of the manifest's bracket hold the exact position between them.
pub(crate) fn expect_bracket(manifest: &Value, told: &Value) -> Result<()> {
    let coordinates = &manifest["coordinates"];
    let place = |name: &str| -> Result<(String, u64)> {
        let text = coordinates[name].as_str().with_context(|| coordinates.to_string())?;
        let (file, position) = text.rsplit_once(':').context("no position")?;
        Ok((file.to_owned(), position.parse()?))
    };
    let exact = (
        told["file"].as_str().context("no file")?.trim_start_matches("./").to_owned(),
        told["position"].as_u64().context("no position")?,
    );
    let (lower, upper) = (place("binlog")?, place("binlog_upper")?);
    ensure!(lower <= exact && exact <= upper, "{exact:?} is not in {lower:?} to {upper:?}");
    Ok(())
}
