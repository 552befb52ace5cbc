//! DDL of others that keeps the host's own questions waiting: a run does not wait for its end, and says
//! what it could not find out.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Rig, Server, ServerOptions, wait_until};
use std::{
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long anything but the DDL may take.
const SOON: Duration = Duration::from_secs(60);
/// A table that others see before it is made.
const DDL: &str = "CREATE TABLE shop.slow ENGINE=MyISAM AS SELECT SLEEP(3600) AS s";
const RUNNING: &str = "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'";

/// A server on which a table is being made, by the session with this number.
struct Busy {
    server: Server,
    id: u64,
    ddl: JoinHandle<()>,
}

impl Busy {
    fn start(flavor: Flavor) -> Result<Self> {
        let mut options = ServerOptions::default();
        if !flavor.is_mariadb() {
            // GTIDs would forbid such a statement.
            options = options.arg("--gtid-mode=OFF").arg("--enforce-gtid-consistency=OFF");
        }
        let server = Server::start(flavor, options)?;
        server.sql("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY)")?;
        let mut session = server.session()?;
        // It ends by being killed, which is an error or none.
        let ddl = thread::spawn(move || drop(session.run(DDL)));
        let ids = || server.rows::<u64>(RUNNING);
        wait_until("the table is being made", SOON, || Ok(ids()?.len() == 1))?;
        let id = ids()?.pop().context("no session")?;
        Ok(Self { server, id, ddl })
    }

    fn end(self) -> Result<()> {
        self.server.sql(&format!("KILL {}", self.id))?;
        ensure!(self.ddl.join().is_ok(), "the session panicked");
        self.server.expect_writable_within(SOON)
    }
}

#[test]
fn the_first_questions_do_not_wait_for_ddl_and_its_name_is_told() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mysql56, Flavor::Mariadb1011] {
        let name = flavor.name();
        let (rig, busy) = (Rig::new()?, Busy::start(flavor)?);
        let asked = Instant::now();
        let select = rig.dbbackup_on(&busy.server, ["engine", "select", "--json"]).run()?;
        let told = format!("session {}: CREATE TABLE shop.slow", busy.id);
        // Where the table has its storage engine already, no engine but one that accepts it fits.
        select.expect_stderr(&told).context(name)?;
        ensure!(asked.elapsed() < SOON, "{name}: it waited for {:?}", asked.elapsed());
        let facts = select.json()?["data"]["environment"]["server"].take();
        ensure!(facts["unmeasured"] == told.as_str(), "{name}: {facts}");
        ensure!(facts["storage_engines"]["InnoDB"]["tables"] == 1, "{name}: {facts}");
        busy.end()?;
    }
    let (rig, server) = (Rig::new()?, Server::start(Flavor::Mysql97, ServerOptions::default())?);
    let select = rig.dbbackup_on(&server, ["engine", "select", "--json"]).run()?.json()?;
    let facts = &select["data"]["environment"]["server"];
    ensure!(facts["version_text"].is_string() && facts["unmeasured"].is_null(), "{facts}");
    Ok(())
}

/// The clone asks for itself what is left empty, and waits for no such table either.
#[test]
fn a_clone_goes_on_beside_a_table_that_is_being_made() -> Result<()> {
    let (rig, busy) = (Rig::new()?, Busy::start(Flavor::Mysql97)?);
    let backup = ["physical-backup", "--engine", "clone", "--output", "db.tar"];
    let accept = ["--accept-degraded", "non-transactional"];
    let asked = Instant::now();
    let refused = rig.dbbackup_on(&busy.server, backup).run()?;
    refused.expect_exit(4)?.expect_stderr("1 of MyISAM")?;
    let cloned = rig.dbbackup_on(&busy.server, backup).args(accept).run()?;
    cloned.expect_exit(10)?;
    ensure!(asked.elapsed() < SOON, "it waited for {:?}", asked.elapsed());
    let info = rig.dbbackup(["info", "db.tar"]).run()?;
    info.expect_success()?.expect_stdout("shop.slow (MyISAM)")?;
    busy.end()
}
