//! The table: what differs from the base environment, which engines fit, best first, and why.
//!
//! The base is MySQL 8.0.35 with the clone plugin and 250 GB of InnoDB on ext4 on a plain disk, an
//! account that may do everything, and a file as destination.
use super::facts::*;
use dbbackup_plugin_api::document::environment::{
    Environment,
    ServerFlavor::{MariaDB, MySQL, Percona},
};

/// One environment and the right answers.
pub(super) struct Row {
    /// What is special.
    pub(super) name: &'static str,
    /// What differs from the base.
    change: fn(&mut Environment),
    /// Engines that may be chosen, best first; all others must be out.
    pub(super) order: &'static [&'static str],
    /// A word of the reason.
    pub(super) reason: &'static str,
    /// Words of what stands in the way of engines, or of what removes it.
    pub(super) out: &'static [(&'static str, &'static str)],
    /// The caller prefers physical backups.
    pub(super) prefer_physical: bool,
    /// Weaknesses that are accepted.
    accepted: &'static [&'static str],
}

impl Row {
    pub(super) fn environment(&self) -> Environment {
        let mut environment = base();
        (self.change)(&mut environment);
        environment
    }

    pub(super) fn accepted(&self) -> Vec<String> {
        self.accepted.iter().map(|name| (*name).to_owned()).collect()
    }
}

const fn row(
    name: &'static str,
    change: fn(&mut Environment),
    order: &'static [&'static str],
    reason: &'static str,
    out: &'static [(&'static str, &'static str)],
) -> Row {
    Row { name, change, order, reason, out, prefer_physical: false, accepted: &[] }
}

const CLONE: &str = "clone";
const LVM: &str = "lvm-snapshot";
const ZFS: &str = "zfs-snapshot";
const BTRFS: &str = "btrfs-snapshot";
const DUMP: &str = "mysqldump";

const WITH_PLUGIN: &str = "MySQL 8.0.17+ with clone plugin active, optimal for 250GB database";
const ONLY_DUMP: &str = "no engine that copies files can run on this 250GB database";
const INSTALL: &str = "INSTALL PLUGIN clone SONAME 'mysql_clone.so';";
const GRANT: &str = "GRANT BACKUP_ADMIN ON *.* TO 'backup'@'%';";
const ACCEPT: &str = "--accept-degraded non-transactional";

pub(super) const ROWS: &[Row] = &[
    // Flavours, versions and editions.
    row("the handbook's example", |_| {}, &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row("MySQL 5.5", |e| is(e, MySQL, "5.5.62"), &[], "", &[(DUMP, "too old"), (CLONE, "5.5.62")]),
    row("MySQL 5.6", |e| is(e, MySQL, "5.6.51-log"), &[DUMP], ONLY_DUMP, &[(CLONE, "5.6.51")]),
    row("MySQL 5.7", |e| is(e, MySQL, "5.7.44"), &[DUMP], ONLY_DUMP, &[(CLONE, "8.0.17")]),
    row(
        "MySQL 5.7 on ZFS",
        |e| {
            is(e, MySQL, "5.7.44");
            on_zfs(e);
        },
        &[ZFS, DUMP],
        "optimal for 250GB",
        &[(CLONE, "8.0.17")],
    ),
    row("MySQL 8.0.16", |e| is(e, MySQL, "8.0.16"), &[DUMP], ONLY_DUMP, &[(CLONE, "8.0.17")]),
    row("MySQL 8.0.17", |e| is(e, MySQL, "8.0.17"), &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row("MySQL 8.4", |e| is(e, MySQL, "8.4.3"), &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row("MySQL 9.7", |e| is(e, MySQL, "9.7.4"), &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row(
        "MySQL Enterprise",
        |e| {
            is(e, MySQL, "8.4.3-commercial");
            server(e).edition = "MySQL Enterprise Server - Commercial".to_owned();
        },
        &[CLONE, DUMP],
        WITH_PLUGIN,
        &[],
    ),
    row(
        "MySQL Cluster with tables in NDB",
        |e| {
            is(e, MySQL, "8.0.35-cluster");
            server(e).edition = "MySQL Cluster Community Server - GPL".to_owned();
            tables(e, "ndbcluster", 20 * GB);
        },
        &[],
        "",
        &[(CLONE, "ndbcluster"), (DUMP, "ndbcluster")],
    ),
    row("Percona Server 8.0", |e| is(e, Percona, "8.0.36-28"), &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row(
        "Percona Server 5.7 on LVM",
        |e| {
            is(e, Percona, "5.7.44-48");
            on_lvm(e, "ext4");
        },
        &[LVM, DUMP],
        "optimal for 250GB",
        &[(CLONE, "8.0.17")],
    ),
    row("MariaDB 10.0", |e| is(e, MariaDB, "10.0.38-MariaDB"), &[], "", &[(DUMP, "too old")]),
    row(
        "MariaDB on a plain disk",
        |e| {
            is(e, MariaDB, "10.11.6-MariaDB");
        },
        &[DUMP],
        ONLY_DUMP,
        &[(CLONE, "MariaDB has no clone plugin")],
    ),
    row(
        "MariaDB on ZFS",
        |e| {
            is(e, MariaDB, "11.8.2-MariaDB");
            on_zfs(e);
        },
        &[ZFS, DUMP],
        "optimal for 250GB",
        &[(CLONE, "MariaDB")],
    ),
    row(
        "MariaDB on LVM",
        |e| {
            is(e, MariaDB, "10.6.16-MariaDB-log");
            on_lvm(e, "xfs");
        },
        &[LVM, DUMP],
        "optimal for 250GB",
        &[(CLONE, "MariaDB")],
    ),
    row(
        "MariaDB on Btrfs",
        |e| {
            is(e, MariaDB, "10.5.23-MariaDB");
            on_btrfs(e);
        },
        &[BTRFS, DUMP],
        "optimal for 250GB",
        &[(CLONE, "MariaDB")],
    ),
    // The clone plugin.
    row("clone plugin not installed", without_clone, &[DUMP], ONLY_DUMP, &[(CLONE, INSTALL)]),
    row(
        "clone plugin installed, not active",
        |e| {
            without_clone(e);
            // Its variables stay when it is disabled.
            server(e).variables.insert("clone_valid_donor_list".to_owned(), String::new());
        },
        &[DUMP],
        ONLY_DUMP,
        &[(CLONE, INSTALL)],
    ),
    row(
        "no clone plugin, on ZFS",
        |e| {
            without_clone(e);
            on_zfs(e);
        },
        &[ZFS, DUMP],
        "optimal for 250GB",
        &[(CLONE, INSTALL)],
    ),
    row(
        "no clone plugin, ext4 on LVM",
        |e| {
            without_clone(e);
            on_lvm(e, "ext4");
        },
        &[LVM, DUMP],
        "optimal for 250GB",
        &[(CLONE, INSTALL)],
    ),
    row(
        "no clone plugin, on Btrfs",
        |e| {
            without_clone(e);
            on_btrfs(e);
        },
        &[BTRFS, DUMP],
        "optimal for 250GB",
        &[(CLONE, INSTALL)],
    ),
    row("clone plugin and ZFS", on_zfs, &[CLONE, ZFS, DUMP], WITH_PLUGIN, &[]),
    row("clone plugin and LVM", |e| on_lvm(e, "xfs"), &[CLONE, LVM, DUMP], WITH_PLUGIN, &[]),
    row("clone plugin and Btrfs", on_btrfs, &[CLONE, BTRFS, DUMP], WITH_PLUGIN, &[]),
    // Storage without snapshots.
    row(
        "XFS on a plain disk",
        |e| on(e, "xfs", "/dev/nvme0n1p1"),
        &[CLONE, DUMP],
        WITH_PLUGIN,
        &[],
    ),
    row("NFS", on_nfs, &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row(
        "NFS without the plugin",
        |e| {
            without_clone(e);
            on_nfs(e);
        },
        &[DUMP],
        ONLY_DUMP,
        &[(CLONE, INSTALL)],
    ),
    row(
        "redo log on another volume",
        |e| {
            without_clone(e);
            on_zfs(e);
            apart(e, "redo", "ext4", "/dev/sdc1");
        },
        &[DUMP],
        ONLY_DUMP,
        &[],
    ),
    row(
        "redo log on another volume, with the plugin",
        |e| {
            on_lvm(e, "ext4");
            apart(e, "redo", "ext4", "/dev/mapper/vg_fast-lv_redo");
        },
        &[CLONE, DUMP],
        WITH_PLUGIN,
        &[],
    ),
    // Here or elsewhere.
    row("a remote server", remote, &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row(
        "a remote server without the plugin",
        |e| {
            without_clone(e);
            remote(e);
        },
        &[DUMP],
        ONLY_DUMP,
        &[(CLONE, INSTALL)],
    ),
    row(
        "another server's directory is here",
        |e| {
            without_clone(e);
            on_zfs(e);
            not_proven(e);
        },
        &[DUMP],
        ONLY_DUMP,
        &[],
    ),
    // Sizes.
    row("1 GB", |e| size(e, GB), &[DUMP, CLONE], "optimal for 1GB database", &[]),
    row("exactly 10 GB", |e| size(e, 10 * GB), &[DUMP, CLONE], "optimal for 10GB database", &[]),
    row("one byte more than 10 GB", |e| size(e, 10 * GB + 1), &[CLONE, DUMP], "plugin active", &[]),
    row(
        "1 GB on ZFS without the plugin",
        |e| {
            size(e, GB);
            without_clone(e);
            on_zfs(e);
        },
        &[DUMP, ZFS],
        "optimal for 1GB database",
        &[],
    ),
    row("10 TB", |e| size(e, 10 << 40), &[CLONE, DUMP], "optimal for 10TB database", &[]),
    row(
        "10 TB of MariaDB on ZFS",
        |e| {
            size(e, 10 << 40);
            is(e, MariaDB, "11.4.2-MariaDB");
            on_zfs(e);
        },
        &[ZFS, DUMP],
        "optimal for 10TB database",
        &[],
    ),
    row(
        "an empty server",
        |e| {
            server(e).storage_engines.clear();
            server(e).data_bytes = 0;
        },
        &[DUMP, CLONE],
        "optimal for 0B database",
        &[],
    ),
    Row {
        prefer_physical: true,
        ..row("1 GB, physical preferred", |e| size(e, GB), &[CLONE, DUMP], "plugin active", &[])
    },
    // The destination.
    row("into the cloud", to_cloud, &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row(
        "into the cloud from ZFS",
        |e| {
            without_clone(e);
            on_zfs(e);
            to_cloud(e);
        },
        &[ZFS, DUMP],
        "optimal for 250GB",
        &[(CLONE, INSTALL)],
    ),
    row(
        "1 GB into the cloud",
        |e| {
            size(e, GB);
            to_cloud(e);
        },
        &[DUMP, CLONE],
        "optimal for 1GB",
        &[],
    ),
    row(
        "a remote server into the cloud",
        |e| {
            remote(e);
            to_cloud(e);
        },
        &[CLONE, DUMP],
        WITH_PLUGIN,
        &[],
    ),
    // Privileges.
    row(
        "no BACKUP_ADMIN",
        |e| without(e, &["BACKUP_ADMIN"]),
        &[DUMP],
        ONLY_DUMP,
        &[(CLONE, GRANT)],
    ),
    row(
        "BACKUP_ADMIN alone",
        |e| only(e, &["BACKUP_ADMIN"]),
        &[CLONE],
        WITH_PLUGIN,
        &[(DUMP, "GRANT REPLICATION CLIENT, RELOAD, PROCESS ON *.* TO 'backup'@'%';")],
    ),
    row("no privileges", |e| only(e, &[]), &[], "", &[(CLONE, GRANT), (DUMP, "backup@% lacks")]),
    row(
        "no privileges on ZFS",
        |e| {
            only(e, &[]);
            on_zfs(e);
        },
        &[],
        "",
        &[(CLONE, GRANT)],
    ),
    row(
        "MariaDB without a look at replication",
        |e| {
            is(e, MariaDB, "10.11.6-MariaDB");
            only(e, &["SELECT", "RELOAD"]);
        },
        &[],
        "",
        &[(DUMP, "GRANT SLAVE MONITOR ON *.* TO 'backup'@'%';")],
    ),
    // Storage engines.
    row(
        "tables in MyISAM",
        |e| tables(e, "MyISAM", GB),
        &[],
        "",
        &[(CLONE, ACCEPT), (DUMP, ACCEPT)],
    ),
    Row {
        accepted: &["non-transactional"],
        ..row(
            "tables in MyISAM, accepted",
            |e| tables(e, "MyISAM", GB),
            &[CLONE, DUMP],
            "251GB",
            &[],
        )
    },
    row(
        "tables in MyISAM on ZFS",
        |e| {
            tables(e, "MyISAM", GB);
            on_zfs(e);
        },
        &[ZFS],
        "251GB",
        &[(CLONE, ACCEPT), (DUMP, ACCEPT)],
    ),
    row(
        "tables in RocksDB",
        |e| tables(e, "ROCKSDB", 50 * GB),
        &[DUMP],
        "300GB",
        &[(CLONE, "ROCKSDB")],
    ),
    row(
        "tables in RocksDB on Btrfs",
        |e| {
            tables(e, "ROCKSDB", 50 * GB);
            on_btrfs(e);
        },
        &[BTRFS, DUMP],
        "300GB",
        &[(CLONE, "ROCKSDB")],
    ),
    row(
        "a server that only passes on (BLACKHOLE)",
        |e| {
            tables(e, "BLACKHOLE", 0);
        },
        &[CLONE, DUMP],
        WITH_PLUGIN,
        &[],
    ),
    // Encryption, binary log, replicas.
    row(
        "encrypted at rest",
        |e| server(e).encrypted = true,
        &[DUMP],
        ONLY_DUMP,
        &[(CLONE, "encrypted")],
    ),
    row(
        "encrypted at rest, on LVM",
        |e| {
            server(e).encrypted = true;
            on_lvm(e, "xfs");
        },
        &[LVM, DUMP],
        "optimal for 250GB",
        &[(CLONE, "encrypted")],
    ),
    row("without a binary log", without_binlog, &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row("without GTIDs", |e| server(e).gtid = false, &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row("a replica", |e| server(e).replica = true, &[CLONE, DUMP], WITH_PLUGIN, &[]),
    row(
        "a MariaDB replica on Btrfs",
        |e| {
            is(e, MariaDB, "10.11.6-MariaDB");
            server(e).replica = true;
            on_btrfs(e);
        },
        &[BTRFS, DUMP],
        "optimal for 250GB",
        &[(CLONE, "MariaDB")],
    ),
];
