//! DDL of others that keeps the host's own questions waiting: a run does not wait for its end.
use anyhow::{Context as _, Result, ensure};
use dbbackup_testkit::{Flavor, Rig, Server, ServerOptions, wait_until};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything but the DDL may take.
const SOON: Duration = Duration::from_secs(60);
/// A table that others see before it is made.
const DDL: &str = "CREATE TABLE shop.slow ENGINE=MyISAM AS SELECT SLEEP(3600) AS s";
const RUNNING: &str = "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE = 'User sleep'";

#[test]
fn ddl_in_the_way_of_the_first_questions_ends_a_run_soon_and_is_named() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let name = flavor.name();
        let mut options = ServerOptions::default();
        if !flavor.is_mariadb() {
            // GTIDs would forbid such a statement.
            options = options.arg("--gtid-mode=OFF").arg("--enforce-gtid-consistency=OFF");
        }
        let (rig, server) = (Rig::new()?, Server::start(flavor, options)?);
        server.sql("CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY)")?;
        let mut session = server.session()?;
        // It ends by being killed, which is an error or none.
        let ddl = thread::spawn(move || session.run(DDL));
        let ids = || server.rows::<u64>(RUNNING);
        wait_until("the table is being made", SOON, || Ok(ids()?.len() == 1))?;
        let id = ids()?.pop().context("no session")?;

        let backup = ["physical-backup", "--engine", "mysqldump", "--output", "db.tar"];
        let asked = Instant::now();
        let refused = rig.dbbackup_on(&server, backup).run()?;
        refused
            .expect_exit(9)
            .context(name)?
            .expect_stderr(&format!(
                "DDL was in the way for 10 s, session {id}: CREATE TABLE shop.slow\n"
            ))?
            .expect_stderr(&format!("or end it with KILL {id}\n"))?;
        ensure!(asked.elapsed() < SOON, "{name}: it waited for {:?}", asked.elapsed());
        ensure!(!rig.path("db.tar").exists(), "an artefact was written");
        let json = rig.dbbackup_on(&server, ["engine", "select", "--json"]).run()?;
        let code = json.expect_exit(9)?.json()?["error"]["code"].clone();
        ensure!(code == "E-SERVER-BUSY", "{name}: {code}");

        server.sql(&format!("KILL {id}"))?;
        drop(ddl.join());
        wait_until("the table is not being made", SOON, || Ok(ids()?.is_empty()))?;
        rig.dbbackup_on(&server, backup).run()?.expect_success().context(name)?;
    }
    Ok(())
}
