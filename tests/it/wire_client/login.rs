//! Logging in: plugins, passwords, ssl modes, and what a refusal looks like.

use std::path::PathBuf;

use anyhow::{Context, Result};
use dbbackup_sdk::{
    server::{ConnectOptions, Ssl, SslMode, quote},
    wire::{Connection, WireError},
};
use dbbackup_testkit::{AuthPlugin, Flavor, Server, ServerOptions, Tls};

use super::{account, admin, mode, socket, tcp};

const PASSWORD: &str = "pä'ss\"\\wörd 1";

/// Logs in and asks who we are.
fn whoami(options: &ConnectOptions) -> Result<(String, bool), WireError> {
    let mut connection = Connection::connect(options)?;
    let tls = connection.tls_cipher().is_some();
    let mut result = connection.query("SELECT CURRENT_USER()")?;
    let row = result.next_row()?.expect("one row");
    let user = String::from_utf8_lossy(row.get(0).expect("no NULL")).into_owned();
    result.finish()?;
    connection.quit()?;
    Ok((user, tls))
}

fn expect_refused(options: ConnectOptions, user: &str) {
    let wrong = account(options, user, "wrong");
    let error = whoami(&wrong).expect_err("a wrong password must not do");
    assert_eq!(error.server().map(|error| error.code), Some(1045), "{error:?}");
    assert!(error.is_authentication());
    assert!(!format!("{error:?} {wrong:?}").contains("wrong"), "the password is in a text");
}

/// Every way to reach the server, and whether it is to end under TLS.
fn ways(server: &Server) -> [(ConnectOptions, bool); 4] {
    [
        (tcp(server), true),
        (mode(tcp(server), SslMode::Disabled), false),
        (socket(server), false),
        (mode(socket(server), SslMode::Required), true),
    ]
}

#[test]
fn mysql_plugins_log_in_with_and_without_tls() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    server.create_account("sha2", PASSWORD, AuthPlugin::CachingSha2Password, &[])?;
    server.create_account("empty", "", AuthPlugin::CachingSha2Password, &[])?;
    let mut session = admin(&server)?;
    for (way, tls) in ways(&server) {
        for (user, password) in [("sha2", PASSWORD), ("empty", "")] {
            // Forgets cached passwords: the first login goes the long way, the second the short one.
            session.execute("FLUSH PRIVILEGES")?;
            for _ in 0..2 {
                let who = whoami(&account(way.clone(), user, password))
                    .with_context(|| format!("{user} with TLS {tls}"))?;
                assert_eq!(who, (format!("{user}@%"), tls));
            }
            expect_refused(way.clone(), user);
        }
    }
    Ok(())
}

#[test]
fn sha256_password_logs_in_with_and_without_tls() -> Result<()> {
    let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
    let mut session = admin(&server)?;
    session.execute("CREATE USER old@'%' IDENTIFIED WITH sha256_password BY 'secret 1'")?;
    for (way, tls) in ways(&server) {
        assert_eq!(whoami(&account(way.clone(), "old", "secret 1"))?, (String::from("old@%"), tls));
        expect_refused(way, "old");
    }
    Ok(())
}

#[test]
fn mariadb_plugins_log_in_with_and_without_tls() -> Result<()> {
    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default())?;
    server.create_account("native", PASSWORD, AuthPlugin::MysqlNativePassword, &[])?;
    server.create_account("curve", PASSWORD, AuthPlugin::Ed25519, &[])?;
    for (way, tls) in ways(&server) {
        for user in ["native", "curve"] {
            let who = whoami(&account(way.clone(), user, PASSWORD))
                .with_context(|| format!("{user} with TLS {tls}"))?;
            assert_eq!(who, (format!("{user}@%"), tls));
            expect_refused(way.clone(), user);
        }
    }
    Ok(())
}

/// The oldest server: no end of results as OK packets, no TLS that anybody still speaks.
#[test]
fn mysql_56_logs_in_with_its_only_plugin() -> Result<()> {
    let server = Server::start(Flavor::Mysql56, ServerOptions::default())?;
    let mut session = admin(&server)?;
    session.execute(format!(
        "CREATE USER native@'%' IDENTIFIED BY {}",
        quote::string(PASSWORD, session.escaping())
    ))?;
    for way in [mode(tcp(&server), SslMode::Preferred), socket(&server)] {
        let who = whoami(&account(way.clone(), "native", PASSWORD))?;
        assert_eq!(who, (String::from("native@%"), false));
        expect_refused(way, "native");
    }
    let error = whoami(&mode(tcp(&server), SslMode::Required)).expect_err("no TLS there");
    assert!(matches!(error, WireError::TlsNotOffered { .. }), "{error:?}");
    Ok(())
}

#[test]
fn a_plugin_that_we_do_not_speak_is_named() -> Result<()> {
    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default())?;
    let mut session = admin(&server)?;
    session.execute("CREATE USER pam@'%' IDENTIFIED VIA unix_socket")?;
    // Over TCP the server cannot know the peer's user and refuses by itself.
    let error = whoami(&account(tcp(&server), "pam", "x")).expect_err("no such login");
    assert!(error.is_authentication(), "{error:?}");
    Ok(())
}

fn with_ca(options: ConnectOptions, mode: SslMode, ca: Option<PathBuf>) -> ConnectOptions {
    ConnectOptions { ssl: Ssl { mode, ca, ..Ssl::default() }, ..options }
}

#[test]
fn verification_accepts_the_issuing_ca_and_the_named_host_alone() -> Result<()> {
    for flavor in [Flavor::Mysql97, Flavor::Mariadb1011] {
        let server = Server::start(flavor, ServerOptions::default())?;
        let other = Server::start(flavor, ServerOptions::default())?;
        let (ca, other_ca) = (server.ca_path(), other.ca_path());
        let named = |host: &str| ConnectOptions { host: Some(host.to_owned()), ..tcp(&server) };

        for verify in [SslMode::VerifyCa, SslMode::VerifyIdentity] {
            assert!(whoami(&with_ca(named("127.0.0.1"), verify, ca.clone()))?.1);
            assert!(whoami(&with_ca(named("localhost"), verify, ca.clone()))?.1);
            let error = whoami(&with_ca(tcp(&server), verify, other_ca.clone()))
                .expect_err("another server's CA");
            assert!(matches!(error, WireError::Tls { .. }), "{error:?}");
            let error = whoami(&with_ca(tcp(&server), verify, None)).expect_err("no CA was given");
            assert!(matches!(error, WireError::TlsOptions { .. }), "{error:?}");
        }
        // Over the socket, the host serves only as the name that the certificate has to carry.
        let wrong_name =
            ConnectOptions { host: Some(String::from("db.example")), ..socket(&server) };
        assert!(whoami(&with_ca(wrong_name.clone(), SslMode::VerifyCa, ca.clone())).is_ok());
        let error = whoami(&with_ca(wrong_name, SslMode::VerifyIdentity, ca.clone()))
            .expect_err("the certificate names other hosts");
        assert!(matches!(error, WireError::Tls { .. }), "{error:?}");
    }
    Ok(())
}

#[test]
fn certificates_that_mysql_makes_itself_verify_without_their_name() -> Result<()> {
    let server =
        Server::start(Flavor::Mysql97, ServerOptions::default().tls(Tls::OwnCertificates))?;
    let ca = server.datadir().join("ca.pem");
    assert!(whoami(&with_ca(tcp(&server), SslMode::VerifyCa, Some(ca.clone())))?.1);
    let error = whoami(&with_ca(tcp(&server), SslMode::VerifyIdentity, Some(ca)))
        .expect_err("the certificate names no host");
    assert!(matches!(error, WireError::Tls { .. }), "{error:?}");

    let by_directory = ConnectOptions {
        ssl: Ssl {
            mode: SslMode::VerifyCa,
            capath: Some(server.datadir().to_owned()),
            ..Ssl::default()
        },
        ..tcp(&server)
    };
    assert!(whoami(&by_directory)?.1);
    Ok(())
}

#[test]
fn a_client_certificate_opens_an_account_that_requires_one() -> Result<()> {
    let server =
        Server::start(Flavor::Mysql97, ServerOptions::default().tls(Tls::OwnCertificates))?;
    let mut session = admin(&server)?;
    session.execute("CREATE USER cert@'%' IDENTIFIED BY 'x' REQUIRE X509")?;
    let without = account(tcp(&server), "cert", "x");
    assert_eq!(whoami(&without).expect_err("no certificate").server().map(|e| e.code), Some(1045));

    let file = |name: &str| Some(server.datadir().join(name));
    let ssl = Ssl {
        mode: SslMode::Required,
        cert: file("client-cert.pem"),
        key: file("client-key.pem"),
        ..Ssl::default()
    };
    assert!(whoami(&ConnectOptions { ssl: ssl.clone(), ..without.clone() })?.1);

    let lacking = Ssl { key: None, ..ssl.clone() };
    let error = whoami(&ConnectOptions { ssl: lacking, ..without.clone() }).expect_err("no key");
    assert!(matches!(error, WireError::TlsOptions { .. }), "{error:?}");
    let missing = Ssl { cert: file("nowhere.pem"), ..ssl };
    let error = whoami(&ConnectOptions { ssl: missing, ..without }).expect_err("no file");
    assert!(matches!(error, WireError::TlsFile { .. }), "{error:?}");
    Ok(())
}

#[test]
fn a_server_without_tls_satisfies_only_the_lax_modes() -> Result<()> {
    let server = Server::start(Flavor::Mariadb1011, ServerOptions::default().tls(Tls::Off))?;
    for lax in [SslMode::Disabled, SslMode::Preferred] {
        assert!(!whoami(&mode(tcp(&server), lax))?.1);
    }
    let issued = Server::start(Flavor::Mariadb1011, ServerOptions::default())?;
    for strict in [SslMode::Required, SslMode::VerifyCa, SslMode::VerifyIdentity] {
        let strict = with_ca(tcp(&server), strict, issued.ca_path());
        let error = whoami(&strict).expect_err("no TLS there");
        assert!(matches!(error, WireError::TlsNotOffered { .. }), "{error:?}");
    }
    Ok(())
}
