//! The test kit itself: what the other tests rely on.
use anyhow::Context as _;
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, AuthPlugin, DdlLoad, Direction, Ending, FaultProxy, Flavor, Guest,
    GuestKind, Rig, SampleTables, Scratch, Server, ServerOptions, SmallDisk, WriteLoad, is_root,
    kitchen_sink, large_row, non_transactional_tables, pause, skip, wait_until,
};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn servers_keep_what_was_committed_over_a_kill() -> anyhow::Result<()> {
    for flavor in Flavor::COVERED {
        let mut server = Server::start(flavor, ServerOptions::default())?;
        server.sql("CREATE DATABASE shop; CREATE TABLE shop.t (i INT PRIMARY KEY)")?;
        server.sql("INSERT INTO shop.t VALUES (1), (2)")?;
        let mut session = server.session_as(ADMIN_USER, ADMIN_PASSWORD)?;
        assert_eq!(session.row::<u64>("SELECT COUNT(*) FROM shop.t")?, 2);
        server.kill9()?;
        assert!(!server.is_running());
        server.restart()?;
        assert_eq!(server.row::<u64>("SELECT COUNT(*) FROM shop.t")?, 2);
        server.expect_writable_within(Duration::from_secs(2))?;
        server.stop()?;
    }
    Ok(())
}

#[test]
fn accounts_authenticate_by_the_plugin_asked_for() -> anyhow::Result<()> {
    use AuthPlugin::{CachingSha2Password, Ed25519, MysqlNativePassword};
    let wanted = [
        (Flavor::Mysql97, CachingSha2Password, "caching_sha2_password"),
        (Flavor::Mariadb1011, MysqlNativePassword, "mysql_native_password"),
        (Flavor::Mariadb1011, Ed25519, "ed25519"),
    ];
    for flavor in Flavor::COVERED {
        let server = Server::start(flavor, ServerOptions::default())?;
        for (_, plugin, name) in wanted.iter().filter(|(of, ..)| *of == flavor) {
            let account = server.create_account(name, "it's", *plugin, &["SELECT ON *.*"])?;
            let used: String =
                server.row(&format!("SELECT plugin FROM mysql.user WHERE user = '{name}'"))?;
            assert_eq!(used, *name);
            if *plugin != Ed25519 {
                let mut session = server.session_as(&account.user, &account.password)?;
                let who: String = session.row("SELECT CURRENT_USER()")?;
                assert_eq!(who, format!("{name}@%"));
            }
        }
        assert!(server.create_account("x", "y", wanted[0].1, &[]).is_err() == flavor.is_mariadb());
    }
    Ok(())
}

#[test]
fn a_killed_test_leaves_no_server_behind() -> anyhow::Result<()> {
    let mut test = Command::new(std::env::current_exe()?)
        .args(["--exact", "hold_a_server", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(test.stdout.take().context("no stdout")?).lines();
    let line = lines
        .find_map(|line| line.ok()?.strip_prefix("server ").map(str::to_owned))
        .context("the test started no server")?;
    let process = Path::new("/proc").join(line.trim());
    assert!(process.exists());
    test.kill()?;
    test.wait()?;
    wait_until("the server is gone", Duration::from_secs(10), || Ok(!process.exists()))
}

#[test]
#[ignore = "part of a_killed_test_leaves_no_server_behind, which kills it"]
fn hold_a_server() -> anyhow::Result<()> {
    let mut server = Server::start(Flavor::Mariadb1011, ServerOptions::default())?;
    println!("\nserver {}", server.pid()?);
    pause(Duration::from_secs(600));
    Ok(())
}

#[test]
fn checksums_see_a_change_of_row_or_definition_and_nothing_else() -> anyhow::Result<()> {
    for flavor in Flavor::COVERED {
        let server = Server::start(flavor, ServerOptions::default())?;
        kitchen_sink(&server)?;
        non_transactional_tables(&server)?;
        large_row(&server, 30 << 20)?;
        SampleTables::small().load(&server)?;
        let before = server.checksum_all()?;
        before.expect_same(&server.checksum_all()?)?;

        server.sql(
            "DELETE FROM kitchen.no_key WHERE a = 2; INSERT INTO kitchen.no_key VALUES (2, 'y')",
        )?;
        before.expect_same(&server.checksum_all()?)?;

        server.sql("UPDATE kitchen.numbers SET f = 16777216 + 2 WHERE id = 5")?;
        server.sql("CREATE OR REPLACE VIEW kitchen.grouped AS SELECT 1 AS one")?;
        let changed = before.differences(&server.checksum_all()?);
        assert_eq!(changed.len(), 2, "{changed:?}");
        assert!(changed.iter().any(|line| line.contains("data `kitchen`.`numbers`")));
        assert!(changed.iter().any(|line| line.contains("view `kitchen`.`grouped`")));
    }
    Ok(())
}

#[test]
fn loads_commit_and_keep_their_invariant_over_a_kill() -> anyhow::Result<()> {
    for flavor in Flavor::COVERED {
        let mut server = Server::start(flavor, ServerOptions::default())?;
        let writes = WriteLoad::start(&server)?;
        let changes = DdlLoad::start(&server, Duration::from_millis(1))?;
        writes.wait_for_commits(20, Duration::from_secs(20))?;
        changes.wait_for_commits(24, Duration::from_secs(20))?;
        server.kill9()?;
        server.restart()?;
        writes.wait_for_commits(20, Duration::from_secs(20))?;
        let report = writes.stop();
        assert!(report.failures >= 1, "{report:?}");
        assert!(changes.stop().commits >= 24);
        assert!(WriteLoad::check(&server)? >= 2 * report.commits);
        server.sql("DELETE FROM write_load.ledger ORDER BY id LIMIT 1")?;
        assert!(WriteLoad::check(&server).is_err());
    }
    Ok(())
}

#[test]
fn rig_installs_and_runs_what_cargo_builds() -> anyhow::Result<()> {
    let rig = Rig::new()?;
    assert!(std::fs::read_dir(rig.plugins_dir())?.count() > 0);
    let outcome = rig.dbbackup(["--version"]).run()?;
    outcome.expect_success()?;
    assert!(outcome.expect_exit(1).is_err());
    Ok(())
}

#[test]
fn proxy_cuts_after_exactly_the_bytes_asked_for() -> anyhow::Result<()> {
    let upstream = TcpListener::bind("127.0.0.1:0")?;
    let proxy = FaultProxy::start(upstream.local_addr()?.port())?;
    let mut client = TcpStream::connect(proxy.address())?;
    let (mut server, _) = upstream.accept()?;
    server.write_all(b"hello")?;
    let mut greeting = [0; 5];
    client.read_exact(&mut greeting)?;

    proxy.cut_after(Direction::ToClient, 3);
    server.write_all(b"world")?;
    let mut rest = Vec::new();
    client.read_to_end(&mut rest)?;
    assert_eq!(rest, b"wor");
    assert_eq!(proxy.passed_bytes(Direction::ToClient), 8);
    Ok(())
}

#[test]
fn proxy_stalls_resumes_and_resets() -> anyhow::Result<()> {
    let upstream = TcpListener::bind("127.0.0.1:0")?;
    let proxy = FaultProxy::start(upstream.local_addr()?.port())?;
    let mut client = TcpStream::connect(proxy.address())?;
    let (mut server, _) = upstream.accept()?;
    client.set_read_timeout(Some(Duration::from_millis(100)))?;
    proxy.stall(Direction::ToClient);
    server.write_all(b"late")?;
    let mut buffer = [0; 4];
    let stalled = client.read(&mut buffer);
    assert_eq!(stalled.map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
    proxy.resume();
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    client.read_exact(&mut buffer)?;
    proxy.end_all(Ending::Reset);
    let reset = client.read(&mut buffer);
    assert_eq!(reset.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    Ok(())
}

#[test]
fn small_disk_is_full_at_the_chosen_byte() -> anyhow::Result<()> {
    if !is_root() {
        skip!("mounting a filesystem needs root");
    }
    let disk = SmallDisk::mount(1 << 20)?;
    disk.leave_free(8192)?;
    let mut file = std::fs::File::create(disk.path().join("file"))?;
    file.write_all(&[1; 8192])?;
    let full = file.write_all(&[1]);
    assert_eq!(full.map_err(|error| error.kind()), Err(ErrorKind::StorageFull));
    Ok(())
}

/// A guest sees this machine's files, and has disks and a kernel of its own; what it writes outside
/// of its disks is gone afterwards.
#[test]
fn a_guest_runs_a_script_and_hands_back_what_became_of_it() -> anyhow::Result<()> {
    if let Some(reason) = GuestKind::Lvm.unavailable()? {
        skip!("{reason}");
    }
    let scratch = Scratch::new()?;
    let untouched = scratch.join("untouched");
    let script = format!(
        "cat /sys/block/ubda/size; echo error >&2; touch '{}'; lvs && exit 7",
        untouched.display()
    );
    let guest = Guest::new(GuestKind::Lvm)?.disk(64 << 20)?.memory_mib(512);
    let outcome = guest.run_script(&script, Duration::from_secs(60))?;
    anyhow::ensure!(outcome.code() == Some(7), "{outcome}");
    anyhow::ensure!(outcome.output() == "131072\nerror\n", "{outcome}");
    anyhow::ensure!(!untouched.exists(), "the guest wrote to this machine");
    let endless = Guest::new(GuestKind::Lvm)?.memory_mib(512);
    let outcome = endless.run_script("sleep 600", Duration::from_secs(1))?;
    anyhow::ensure!(outcome.code() == Some(124), "{outcome}");
    Ok(())
}
