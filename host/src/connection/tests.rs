//! Which source wins.
use super::*;

fn resolve(flags: ConnectionFlags, config: ConnectionConfig) -> Result<Connection, ConfigError> {
    Connection::resolve(&flags, &OptionFiles::default(), &config)
}

fn tcp(host: &str, port: u16) -> ConnectionFlags {
    ConnectionFlags { host: Some(host.into()), port: Some(port), ..ConnectionFlags::default() }
}

#[test]
fn a_flag_decides_before_the_file() {
    let config = ConnectionConfig {
        socket: Some("/run/s.sock".into()),
        user: Some("file".into()),
        ..ConnectionConfig::default()
    };
    let connection = resolve(tcp("db1", 3310), config.clone()).unwrap();
    assert_eq!(connection.address(), "db1:3310");
    assert_eq!(connection.document.user, "file");
    let connection = resolve(ConnectionFlags::default(), config).unwrap();
    assert_eq!(connection.address(), "/run/s.sock");
    assert_eq!(connection.host_label(), "localhost");
}

#[test]
fn localhost_means_the_socket_unless_a_port_is_named() {
    let config =
        ConnectionConfig { socket: Some("/run/s.sock".into()), ..ConnectionConfig::default() };
    let local = ConnectionFlags { host: Some("localhost".into()), ..ConnectionFlags::default() };
    assert_eq!(resolve(local, config.clone()).unwrap().address(), "/run/s.sock");
    assert_eq!(resolve(tcp("localhost", 3307), config).unwrap().address(), "localhost:3307");
}

#[test]
fn an_address_of_version_6_is_bracketed() {
    assert_eq!(
        resolve(tcp("::1", 3306), ConnectionConfig::default()).unwrap().address(),
        "[::1]:3306"
    );
}

#[test]
fn transport_security_must_make_sense() {
    let with = |change: fn(&mut ConnectionFlags)| {
        let mut flags = tcp("db1", 3306);
        change(&mut flags);
        resolve(flags, ConnectionConfig::default()).map(|c| c.document.ssl.mode)
    };
    assert_eq!(with(|_| ()).unwrap(), SslMode::Preferred);
    let error = with(|flags| flags.ssl_mode = Some(SslMode::VerifyCa)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "ssl-mode VERIFY_CA needs the authorities to trust: give ssl-ca or ssl-capath"
    );
    assert!(with(|flags| flags.ssl_cert = Some("/c.pem".into())).is_err());
    let error = with(|flags| flags.ssl_ca = Some("/nowhere/ca.pem".into())).unwrap_err();
    assert_eq!(error.to_string(), "read /nowhere/ca.pem");
    let socket = ConnectionFlags {
        socket: Some("/run/s.sock".into()),
        ssl_mode: Some(SslMode::Required),
        ..ConnectionFlags::default()
    };
    assert!(resolve(socket, ConnectionConfig::default()).is_err());
}

#[test]
fn the_password_is_never_shown() {
    let connection = Connection::new(ConnectionDocument::default(), Some(b"hunter2".to_vec()));
    assert!(!format!("{connection:?}").contains("hunter2"));
}
