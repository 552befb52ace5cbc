//! The base environment, and what a row changes of it.
use dbbackup_plugin_api::document::environment::{
    Destination, Environment, PathFacts, ServerFacts, ServerFlavor, StorageEngineFacts,
};

/// Bytes of a gigabyte, as sizes are shown.
pub(super) const GB: u64 = 1 << 30;

/// Privileges of an account that may do everything.
const ALL: [&str; 12] = [
    "BACKUP_ADMIN",
    "BINLOG MONITOR",
    "CLONE_ADMIN",
    "EVENT",
    "LOCK TABLES",
    "PROCESS",
    "RELOAD",
    "REPLICATION CLIENT",
    "SELECT",
    "SHOW VIEW",
    "SLAVE MONITOR",
    "TRIGGER",
];

/// MySQL 8.0.35 with the clone plugin and 250 GB of InnoDB, here, on ext4 on a plain disk.
pub(super) fn base() -> Environment {
    let server = ServerFacts {
        flavor: ServerFlavor::MySQL,
        version_text: "8.0.35".to_owned(),
        version: [8, 0, 35],
        edition: "MySQL Community Server - GPL".to_owned(),
        uuid: Some("3e11fa47-71ca-11e1-9e33-c80aa9429562".to_owned()),
        hostname: "db1".to_owned(),
        port: 3306,
        platform: "Linux x86_64".to_owned(),
        data_bytes: 0,
        storage_engines: Default::default(),
        plugins: vec!["clone".to_owned(), "mysqlx".to_owned()],
        binlog: true,
        gtid: true,
        privileges: ALL.map(str::to_owned).to_vec(),
        account: "backup@%".to_owned(),
        replica: false,
        encrypted: false,
        variables: [
            ("datadir", "/srv/no-such-server/mysql/"),
            ("log_bin_basename", "/srv/no-such-server/mysql/binlog"),
            ("log_bin_index", "/srv/no-such-server/mysql/binlog.index"),
            ("innodb_doublewrite", "ON"),
            ("max_allowed_packet", "67108864"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect(),
        extra: Default::default(),
    };
    let mut environment = Environment {
        server: Some(server),
        destination: Destination {
            location: "/backups/db.tar.gz".to_owned(),
            cloud: false,
            free_bytes: Some(900 * GB),
        },
        ..Environment::default()
    };
    tables(&mut environment, "InnoDB", 250 * GB);
    on(&mut environment, "ext4", "/dev/sda1");
    environment
}

pub(super) fn server(environment: &mut Environment) -> &mut ServerFacts {
    environment.server.as_mut().expect("the base has a server")
}

/// Another kind of server, whose version comes as text.
pub(super) fn is(environment: &mut Environment, flavor: ServerFlavor, version: &str) {
    let server = server(environment);
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse());
    server.version = std::array::from_fn(|_| numbers.next().and_then(Result::ok).unwrap_or(0));
    server.version_text = version.to_owned();
    server.flavor = flavor;
    if flavor == ServerFlavor::MariaDB {
        server.edition = "mariadb.org binary distribution".to_owned();
        server.uuid = None;
        without_clone(environment);
    }
}

/// Tables of a storage engine, in place of those of the same engine.
pub(super) fn tables(environment: &mut Environment, engine: &str, bytes: u64) {
    let server = server(environment);
    server.storage_engines.insert(engine.to_owned(), StorageEngineFacts { tables: 12, bytes });
    server.data_bytes = server.storage_engines.values().map(|facts| facts.bytes).sum();
}

/// All of InnoDB's data in another size.
pub(super) fn size(environment: &mut Environment, bytes: u64) {
    tables(environment, "InnoDB", bytes);
}

/// Every path on one file system.
pub(super) fn on(environment: &mut Environment, filesystem: &str, device: &str) {
    let roles = ["data", "redo", "undo", "doublewrite", "binlog"];
    environment.paths = roles
        .map(|role| PathFacts {
            role: role.to_owned(),
            path: "/srv/no-such-server/mysql".into(),
            mount: "/srv/no-such-server/mysql".into(),
            device: device.to_owned(),
            filesystem: filesystem.to_owned(),
            free_bytes: 100 * GB,
            proven_local: true,
        })
        .to_vec();
}

/// LVM below the file system: the device has its mapper name.
pub(super) fn on_lvm(environment: &mut Environment, filesystem: &str) {
    on(environment, filesystem, "/dev/mapper/vg_mysql-lv_data");
}

pub(super) fn on_zfs(environment: &mut Environment) {
    on(environment, "zfs", "tank/mysql");
}

pub(super) fn on_btrfs(environment: &mut Environment) {
    on(environment, "btrfs", "/dev/sdb");
}

pub(super) fn on_nfs(environment: &mut Environment) {
    on(environment, "nfs4", "nas:/export/mysql");
}

/// One path elsewhere.
pub(super) fn apart(environment: &mut Environment, role: &str, filesystem: &str, device: &str) {
    let found = environment.paths.iter_mut().find(|facts| facts.role == role);
    let facts = found.expect("a path of that role");
    facts.path = "/redo".into();
    facts.mount = "/redo".into();
    facts.filesystem = filesystem.to_owned();
    facts.device = device.to_owned();
}

/// The server is on another machine: nothing here is its own.
pub(super) fn remote(environment: &mut Environment) {
    environment.connection.host = Some("db1.example".to_owned());
    environment.paths.clear();
}

/// Paths of the same names are here, and belong to another server.
pub(super) fn not_proven(environment: &mut Environment) {
    environment.paths.iter_mut().for_each(|facts| facts.proven_local = false);
}

pub(super) fn to_cloud(environment: &mut Environment) {
    environment.destination =
        Destination { location: "s3://bucket/db.tar.gz".to_owned(), cloud: true, free_bytes: None };
}

pub(super) fn without_clone(environment: &mut Environment) {
    server(environment).plugins.retain(|plugin| plugin != "clone");
}

pub(super) fn without(environment: &mut Environment, privileges: &[&str]) {
    server(environment).privileges.retain(|given| !privileges.contains(&given.as_str()));
}

pub(super) fn only(environment: &mut Environment, privileges: &[&str]) {
    server(environment).privileges = privileges.iter().map(|name| (*name).to_owned()).collect();
}

pub(super) fn without_binlog(environment: &mut Environment) {
    let server = server(environment);
    (server.binlog, server.gtid) = (false, false);
    environment.paths.retain(|facts| facts.role != "binlog");
}
