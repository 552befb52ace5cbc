//! Configuration: which source wins, how mistakes are said, option files, and TLS as the stock
//! client does it.
use anyhow::{Result, ensure};
use dbbackup_testkit::{
    ADMIN_PASSWORD, ADMIN_USER, Flavor, Outcome, Rig, Server, ServerOptions, Tls,
};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::PermissionsExt},
    path::Path,
};

const HANDBOOK: &str = include_str!("../../host/src/config/tests/handbook.yaml");

fn select(rig: &Rig, more: &[&str]) -> Result<Outcome> {
    rig.dbbackup(["engine", "select"]).args(more.to_vec()).run()
}

#[test]
fn the_handbooks_file_works_as_it_is() -> Result<()> {
    let rig = Rig::without_plugins()?;
    fs::write(rig.path("config.yaml"), HANDBOOK)?;
    rig.dbbackup(["engine", "list", "--config", "config.yaml"]).run()?.expect_success()?;
    Ok(())
}

#[test]
fn a_mistake_is_named_with_its_line() -> Result<()> {
    let rig = Rig::without_plugins()?;
    let broken = HANDBOOK.replace("volume_group:", "volume_grp:");
    fs::write(rig.path("dbbackup.yaml"), broken)?;
    rig.dbbackup(["engine", "list"])
        .run()?
        .expect_exit(3)?
        .expect_stderr("dbbackup.yaml:13: unknown key backup.snapshot.lvm.volume_grp")?
        .expect_stderr("hint: did you mean backup.snapshot.lvm.volume_group?")?;
    fs::write(rig.path("dbbackup.yaml"), "connection:\n  user: ${DBBACKUP_TEST_UNSET}\n")?;
    rig.dbbackup(["engine", "list"])
        .run()?
        .expect_exit(3)?
        .expect_stderr("dbbackup.yaml:2: environment variable DBBACKUP_TEST_UNSET is not set")?;
    Ok(())
}

#[test]
fn files_are_found_in_their_order() -> Result<()> {
    let rig = Rig::without_plugins()?;
    // Each file has another mistake, so that the message tells which one was read.
    fs::write(rig.path("dbbackup.yaml"), "in_place: 1\n")?;
    fs::write(rig.path("by_env.yaml"), "by_env: 1\n")?;
    fs::write(rig.path("by_flag.yaml"), "by_flag: 1\n")?;
    let list = || rig.dbbackup(["engine", "list"]);
    list().run()?.expect_exit(3)?.expect_stderr("unknown key in_place")?;
    let by_env = || list().env("DBBACKUP_CONFIG", "by_env.yaml");
    by_env().run()?.expect_exit(3)?.expect_stderr("unknown key by_env")?;
    let by_flag = by_env().args(["--config", "by_flag.yaml"]);
    by_flag.run()?.expect_exit(3)?.expect_stderr("unknown key by_flag")?;
    Ok(())
}

#[test]
fn flag_over_environment_over_file_over_option_files() -> Result<()> {
    let rig = Rig::without_plugins()?;
    let home = rig.home().join(".my.cnf");
    fs::write(home, "[client]\nhost=127.0.0.1\nport=1\n")?;
    let at = |port: u16| format!("connect to 127.0.0.1:{port}");
    let away = || rig.dbbackup(["engine", "select"]);
    away().run()?.expect_exit(5)?.expect_stderr(&at(1))?;
    fs::write(rig.path("dbbackup.yaml"), "connection:\n  host: 127.0.0.1\n  port: 2\n")?;
    away().run()?.expect_exit(5)?.expect_stderr(&at(2))?;
    let by_env = || away().env("MYSQL_HOST", "127.0.0.1").env("MYSQL_TCP_PORT", "3");
    by_env().run()?.expect_exit(5)?.expect_stderr(&at(3))?;
    fs::write(rig.path("extra.cnf"), "[client]\nhost=127.0.0.1\nport=4\n")?;
    let by_file = || by_env().args(["--defaults-extra-file", "extra.cnf"]);
    by_file().run()?.expect_exit(5)?.expect_stderr(&at(4))?;
    let by_flag = by_file().args(["--host", "127.0.0.1", "--port", "5"]);
    by_flag.run()?.expect_exit(5)?.expect_stderr(&at(5))?;
    Ok(())
}

#[test]
fn a_password_that_is_no_utf8_is_refused_where_it_stands() -> Result<()> {
    const LATIN1: &[u8] = b"se\xf1or";
    let rig = Rig::without_plugins()?;
    let run = |more: &[&str]| {
        rig.dbbackup(["engine", "select", "--host", "127.0.0.1", "--port", "1"]).args(more.to_vec())
    };
    fs::write(rig.path("secret"), LATIN1)?;
    for (refused, from) in [
        (run(&[]).env("MYSQL_PWD", OsStr::from_bytes(LATIN1)), "MYSQL_PWD"),
        (run(&["--password-stdin"]).stdin(LATIN1), "standard input"),
        (run(&["--password-file", "secret"]), "secret"),
    ] {
        let refused = refused.run()?;
        let said = format!("read the password from {from}: it is not UTF-8: write it in UTF-8");
        refused.expect_exit(3)?.expect_stderr(&said)?;
    }

    // What is for others, and comments, may be in any encoding.
    let file = |option: &[u8]| {
        let head = &b"# \xfc\n[mysql]\nprompt=\xfc\n[client]\nhost=127.0.0.1 # \xfc\nport=1\n"[..];
        fs::write(rig.path("extra.cnf"), [head, option, b"\n"].concat())
    };
    let by_file = || rig.dbbackup(["engine", "select", "--defaults-extra-file", "extra.cnf"]).run();
    file(&[b"password=", LATIN1].concat())?;
    by_file()?.expect_exit(3)?.expect_stderr("extra.cnf:7: the value of password is not UTF-8")?;
    file("password=señor".as_bytes())?;
    by_file()?.expect_exit(5)?.expect_stderr("connect to 127.0.0.1:1")?;
    Ok(())
}

#[test]
fn passwords_from_every_allowed_place() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let port = server.port().to_string();
    let login = ["engine", "select", "--host", "127.0.0.1", "--port", &port, "--user", ADMIN_USER];
    let run = |more: &[&str]| rig.dbbackup(login).args(more.to_vec());
    run(&[]).env("MYSQL_PWD", ADMIN_PASSWORD).run()?.expect_success()?;
    run(&["--password-stdin"]).stdin(format!("{ADMIN_PASSWORD}\n")).run()?.expect_success()?;
    fs::write(rig.path("secret"), format!("{ADMIN_PASSWORD}\nsecond line\n"))?;
    run(&["--password-file", "secret"]).run()?.expect_success()?;
    run(&["--password-file", "gone"]).run()?.expect_exit(3)?;
    fs::write(rig.path("dbbackup.yaml"), "connection:\n  password_file: ${SECRET_FILE}\n")?;
    run(&[]).env("SECRET_FILE", "secret").run()?.expect_success()?;
    fs::remove_file(rig.path("dbbackup.yaml"))?;

    let defaults = server.defaults_file()?;
    let by_file = || rig.dbbackup(["engine", "select", "--defaults-file"]).arg(&defaults);
    by_file().run()?.expect_success()?;
    fs::set_permissions(&defaults, fs::Permissions::from_mode(0o666))?;
    let ignored = by_file().run()?;
    ignored.expect_stderr("is ignored: everybody can write it")?;
    ensure!(ignored.code() != Some(0), "an option file that everybody can write was used");
    let grouped = format!("[client_other]\nport={port}\nhost=127.0.0.1\nuser={ADMIN_USER}\n");
    fs::write(rig.path("grouped.cnf"), grouped)?;
    let suffix = ["--defaults-file", "grouped.cnf", "--defaults-group-suffix", "_other"];
    let grouped = rig.dbbackup(["engine", "select"]).args(suffix).env("MYSQL_PWD", ADMIN_PASSWORD);
    grouped.run()?.expect_success()?;
    Ok(())
}

fn with_mode(
    rig: &Rig,
    server: &Server,
    host: &str,
    mode: &str,
    ca: Option<&Path>,
) -> Result<Outcome> {
    let port = server.port().to_string();
    let login = ["engine", "select", "--host", host, "--port", &port, "--user", ADMIN_USER];
    let mut invocation = rig.dbbackup(login).env("MYSQL_PWD", ADMIN_PASSWORD);
    invocation = invocation.args(["--ssl-mode", mode]);
    if let Some(ca) = ca {
        invocation = invocation.arg("--ssl-ca").arg(ca);
    }
    invocation.run()
}

#[test]
fn transport_security_with_an_issued_certificate() -> Result<()> {
    let rig = Rig::new()?;
    let (server, other) = (
        Server::start(Flavor::Mysql97, ServerOptions::default().tls(Tls::Issued))?,
        Server::start(Flavor::Mysql97, ServerOptions::default().tls(Tls::OwnCertificates))?,
    );
    let (ca, foreign) = (server.ca_path(), other.ca_path());
    for mode in ["DISABLED", "PREFERRED", "REQUIRED"] {
        with_mode(&rig, &server, "127.0.0.1", mode, None)?.expect_success()?;
    }
    for mode in ["VERIFY_CA", "VERIFY_IDENTITY"] {
        with_mode(&rig, &server, "127.0.0.1", mode, ca.as_deref())?.expect_success()?;
        let refused = with_mode(&rig, &server, "127.0.0.1", mode, foreign.as_deref())?;
        refused.expect_exit(5)?.expect_stderr(&format!("with ssl-mode {mode}"))?;
    }
    // MySQL's own certificate names no host: its authority can be verified, its identity cannot.
    with_mode(&rig, &other, "127.0.0.1", "VERIFY_CA", foreign.as_deref())?.expect_success()?;
    let nameless = with_mode(&rig, &other, "127.0.0.1", "VERIFY_IDENTITY", foreign.as_deref())?;
    nameless.expect_exit(5)?.expect_stderr("certificate not valid for name")?;
    Ok(())
}

#[test]
fn transport_security_of_a_server_without_it() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default().tls(Tls::Off))?;
    for mode in ["DISABLED", "PREFERRED"] {
        with_mode(&rig, &server, "127.0.0.1", mode, None)?.expect_success()?;
    }
    let refused = with_mode(&rig, &server, "127.0.0.1", "REQUIRED", None)?;
    refused.expect_exit(5)?.expect_stderr("the server offers no encryption")?;
    Ok(())
}

#[test]
fn a_socket_works_and_is_not_called_encrypted() -> Result<()> {
    let rig = Rig::new()?;
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let socket = server.socket();
    let socket = socket.to_str().unwrap_or_default();
    select(&rig, &["--socket", socket, "--user", "root"])?.expect_success()?;
    let refused = select(&rig, &["--socket", socket, "--ssl-mode", "REQUIRED"])?;
    refused.expect_exit(3)?.expect_stderr("cannot be met on the socket")?;
    Ok(())
}
