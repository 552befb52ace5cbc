//! Each thing in the way is named with the statement that removes it.
use super::*;
use dbbackup_sdk::document::environment::{PathFacts, StorageEngineFacts};

fn server() -> ServerFacts {
    ServerFacts {
        flavor: ServerFlavor::MySQL,
        version_text: "9.7.4".to_owned(),
        version: [9, 7, 4],
        edition: "MySQL Community Server".to_owned(),
        uuid: None,
        hostname: "db".to_owned(),
        port: 3306,
        platform: "Linux x86_64".to_owned(),
        data_bytes: 10 << 30,
        storage_engines: Default::default(),
        plugins: vec!["clone".to_owned()],
        binlog: true,
        gtid: true,
        privileges: vec![
            "BACKUP_ADMIN".to_owned(),
            "PROCESS".to_owned(),
            "REPLICATION CLIENT".to_owned(),
        ],
        account: "o'brien@%".to_owned(),
        replica: false,
        encrypted: false,
        variables: Default::default(),
        extra: Default::default(),
    }
}

fn environment(server: ServerFacts) -> Environment {
    Environment { server: Some(server), ..Environment::default() }
}

fn remedies(environment: &Environment, options: &Options) -> Vec<String> {
    let blockers = assess(environment, options).blockers;
    let remedies = blockers.iter().map(|blocker| blocker.remedy.as_ref().map(Remedy::text));
    remedies.map(|text| text.unwrap_or("none").to_owned()).collect()
}

#[test]
fn a_server_with_everything_is_good() {
    let assessment = assess(&environment(server()), &Options::default());
    assert!(assessment.applicable && assessment.warnings.is_empty(), "{assessment:?}");
    assert_eq!(assessment.facts.get("clone.plugin"), Some(&true.into()));
    assert_eq!(assessment.estimate.extra_disk_bytes, Some(0));
}

#[test]
fn what_is_missing_comes_with_its_statement() {
    let mut facts = server();
    facts.plugins.clear();
    facts.privileges.clear();
    facts.variables.insert("max_allowed_packet".to_owned(), "1048576".to_owned());
    let myisam = StorageEngineFacts { tables: 2, bytes: 1 };
    facts.storage_engines.insert("MyISAM".to_owned(), myisam);
    let found = remedies(&environment(facts), &Options::default());
    assert_eq!(
        found,
        [
            "INSTALL PLUGIN clone SONAME 'mysql_clone.so'",
            r"GRANT BACKUP_ADMIN ON *.* TO 'o\'brien'@'%'",
            "--accept-degraded non-transactional",
            "SET GLOBAL max_allowed_packet = 2097152",
        ]
    );
}

#[test]
fn each_method_needs_privileges_of_its_own() {
    let grants = |method| {
        let mut facts = server();
        facts.privileges.clear();
        let options = Options { method, ..Options::default() };
        let found = remedies(&environment(facts), &options).into_iter();
        found.filter(|text| text.starts_with("GRANT")).collect::<Vec<_>>()
    };
    let grant = |name: &str| format!(r"GRANT {name} ON *.* TO 'o\'brien'@'%'");
    assert_eq!(grants(Method::Protocol), [grant("BACKUP_ADMIN")]);
    assert_eq!(grants(Method::Local), [grant("BACKUP_ADMIN"), grant("PROCESS")]);
    assert_eq!(grants(Method::Recipient), [grant("CLONE_ADMIN"), grant("BACKUP_ADMIN")]);
}

#[test]
fn other_servers_are_told_what_to_use_instead() {
    let mut old = server();
    old.version = [8, 0, 16];
    assert!(remedies(&environment(old), &Options::default())[0].contains("8.0.17"));
    let mut mariadb = server();
    mariadb.flavor = ServerFlavor::MariaDB;
    assert!(remedies(&environment(mariadb), &Options::default())[0].contains("snapshot"));
    let mut encrypted = server();
    encrypted.encrypted = true;
    assert_eq!(remedies(&environment(encrypted), &Options::default()).len(), 1);
}

#[test]
fn the_servers_own_clones_need_the_server_here() {
    let options = Options { method: Method::Local, ..Options::default() };
    let protocol = "--engine-option method=protocol";
    assert_eq!(remedies(&environment(server()), &options), [protocol]);
    let mut local = environment(server());
    let path = |role: &str, path: &str| PathFacts {
        role: role.to_owned(),
        path: path.into(),
        mount: "/".into(),
        device: "/dev/vda".to_owned(),
        filesystem: "ext4".to_owned(),
        free_bytes: 20 << 30,
        proven_local: true,
    };
    local.paths.push(path("data", "/var/lib/mysql"));
    assert!(remedies(&local, &options).is_empty());
    local.paths.push(path("external/1", "/srv/tablespaces"));
    assert_eq!(remedies(&local, &options), [protocol]);
}

#[test]
fn a_recipient_takes_named_donors_only() {
    let options = Options {
        method: Method::Recipient,
        donor_host: Some("source-db".to_owned()),
        ..Options::default()
    };
    let found = remedies(&environment(server()), &options);
    assert_eq!(found[0], "GRANT CLONE_ADMIN ON *.* TO 'o\\'brien'@'%'");
    assert_eq!(found[1], "SET GLOBAL clone_valid_donor_list = 'source-db:3306'");
}

#[test]
fn what_a_recipient_holds_itself_is_in_nobodys_way() {
    let mut facts = server();
    facts.encrypted = true;
    let myisam = StorageEngineFacts { tables: 2, bytes: 1 };
    facts.storage_engines.insert("MyISAM".to_owned(), myisam);
    let method = |method| Options { method, ..Options::default() };
    let found = |method: Options| {
        let blockers = assess(&environment(facts.clone()), &method).blockers;
        blockers
            .iter()
            .filter(|found| found.what.contains("encrypted") || found.what.contains("empty"))
            .count()
    };
    assert_eq!((found(method(Method::Recipient)), found(method(Method::Protocol))), (0, 2));
}
