//! The password of one server is never sent to another.
use super::*;
use clap::Parser;
use dbbackup_plugin_api::document::connection::ConnectionDocument;

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
