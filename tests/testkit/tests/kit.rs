//! The test kit itself: what the other tests rely on.
use dbbackup_testkit::{Flavor, Server, ServerOptions};

#[test]
fn servers_start_and_answer() -> anyhow::Result<()> {
    for flavor in Flavor::COVERED {
        let started = std::time::Instant::now();
        let mut server = Server::start(flavor, ServerOptions::default())?;
        println!("{} started in {:?}", flavor.name(), started.elapsed());
        let version: String = server.row("SELECT VERSION()")?;
        println!("{version}");
        server.sql("CREATE DATABASE shop; CREATE TABLE shop.t (i INT PRIMARY KEY)")?;
        server.sql("INSERT INTO shop.t VALUES (1), (2)")?;
        server.kill9()?;
        server.restart()?;
        assert_eq!(server.row::<u64>("SELECT COUNT(*) FROM shop.t")?, 2);
        server.stop()?;
    }
    Ok(())
}
