//! The password of one server is never sent to another, and the directory of the configuration is
//! for the methods that have use for one.
use super::*;
use clap::Parser;
use dbbackup_plugin_api::document::connection::ConnectionDocument;
use serde_json::json;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    clone: CloneArgs,
}

/// The password with which a donor is logged in to, where the connection is that of `document`.
fn sent(
    donor_password: Option<&[u8]>,
    document: ConnectionDocument,
    password: Option<&[u8]>,
) -> Result<Option<Vec<u8>>, String> {
    let flags = Flags::try_parse_from(["dbbackup", "--clone-remote"]).unwrap();
    let donor = Donor {
        host: "donor.example".to_owned(),
        port: 3306,
        user: "clone_user".to_owned(),
        password: donor_password.map(|password| Zeroizing::new(password.to_vec())),
    };
    let connection = Connection::new(document, password.map(<[u8]>::to_vec));
    let to_donor = flags.clone.connection(connection, Some(&donor)).map_err(|e| e.chain())?;
    assert_eq!(to_donor.address(), "donor.example:3306");
    assert_eq!(to_donor.document.user, "clone_user");
    Ok(to_donor.password().map(<[u8]>::to_vec))
}

fn connection(host: &str, port: u16, user: &str) -> ConnectionDocument {
    ConnectionDocument {
        host: Some(host.to_owned()),
        port: Some(port),
        user: user.to_owned(),
        ..ConnectionDocument::default()
    }
}

#[test]
fn a_donor_gets_its_own_password_and_another_servers_never() {
    let same = || connection("donor.example", 3306, "clone_user");
    let others = [
        connection("127.0.0.1", 3306, "clone_user"),
        connection("donor.example", 3307, "clone_user"),
        connection("donor.example", 3306, "root"),
        ConnectionDocument { socket: Some("/run/mysqld.sock".into()), ..same() },
    ];
    for other in others {
        let refused = sent(None, other.clone(), Some(b"secret")).unwrap_err();
        assert!(refused.contains("set DBBACKUP_CLONE_DONOR_PASSWORD"), "{refused}");
        assert!(!refused.contains("secret"), "{refused}");
        assert_eq!(sent(Some(b"own"), other.clone(), Some(b"secret")), Ok(Some(b"own".to_vec())));
        assert_eq!(sent(None, other, None), Ok(None));
    }
    assert_eq!(sent(None, same(), Some(b"secret")), Ok(Some(b"secret".to_vec())));
}

/// The directory of `engines.clone` after the configuration's was added.
fn directory(flags: &[&str], engine_options: &[(&str, &str)], engine: Value) -> Option<String> {
    let config = CloneConfig { data_dir: Some("/clones".into()), ..CloneConfig::default() };
    let own = engine.as_object().cloned().unwrap_or_default();
    let mut options = EngineOptions {
        by_engine: [("clone".to_owned(), own)].into(),
        given: engine_options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        required: Vec::new(),
    };
    let flags = Flags::try_parse_from([&["dbbackup"], flags].concat()).unwrap();
    flags.clone.add_data_dir(&mut options, &config);
    Some(options.by_engine["clone"].get("data_dir")?.as_str()?.to_owned())
}

#[test]
fn the_configured_directory_is_for_methods_local_and_recipient() {
    let none = || json!({});
    let clones = Some("/clones".to_owned());
    assert_eq!(directory(&["--clone-method", "local"], &[], none()), clones);
    assert_eq!(directory(&["--clone-method", "recipient"], &[], none()), clones);
    assert_eq!(directory(&[], &[("method", "local")], none()), clones);
    assert_eq!(directory(&[], &[], json!({"method": "recipient"})), clones);
    let own = json!({"method": "local", "data_dir": "/own"});
    assert_eq!(directory(&[], &[], own), Some("/own".to_owned()));

    assert_eq!(directory(&[], &[], none()), None);
    assert_eq!(directory(&["--clone-method", "protocol"], &[], json!({"method": "local"})), None);
    assert_eq!(directory(&[], &[("method", "protocol")], json!({"method": "local"})), None);
}
