//! The arguments that a server is started with.
use super::{Server, Tls, keyring, tls};
use crate::env;
use crate::fetch::Flavor;
use anyhow::Result;

/// What a server needs to start in a guest of the test kit, whose processes have little room: MariaDB
/// 10.11 reserves addresses for a far larger buffer pool than it is told to use.
const SMALL: [&str; 4] = [
    "--innodb-buffer-pool-size=64M",
    "--loose-innodb-buffer-pool-size-max=64M",
    "--innodb-flush-method=fsync",
    "--tmpdir=/tmp",
];

/// Arguments for [`Server::begin`](super::Server), the test's own ones last so that they win.
pub(super) fn arguments(server: &Server) -> Result<Vec<String>> {
    let mut arguments = common(server);
    arguments.extend(match server.flavor() {
        Flavor::Mysql97 => mysql(server),
        Flavor::Mysql56 => old_mysql(server),
        Flavor::Mariadb1011 | Flavor::Mariadb118 => mariadb(server),
    });
    if server.options.tls == Tls::Issued && server.flavor().has_tls() {
        arguments.extend(tls::arguments(server.scratch.path()));
    }
    if !server.options.durable {
        // Commits reach the page cache, so a kill of the process loses none.
        arguments.push("--innodb-flush-log-at-trx-commit=2".to_owned());
        arguments.push("--sync-binlog=0".to_owned());
    }
    if env::is_in_guest() {
        arguments.extend(SMALL.map(str::to_owned));
    }
    arguments.extend(keyring::arguments(server));
    arguments.extend(server.options.page_size_kib.map(page_size));
    arguments.extend(server.options.arguments.iter().cloned());
    Ok(arguments)
}

/// The page size, which a data directory keeps for ever: at initialisation and at each start.
pub(super) fn page_size(kib: u32) -> String {
    format!("--innodb-page-size={kib}k")
}

/// Runs as root only if we do; the server refuses to without being told.
pub(super) fn user() -> Option<String> {
    rustix::process::geteuid().is_root().then(|| "--user=root".to_owned())
}

fn common(server: &Server) -> Vec<String> {
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", server.datadir.display()),
        format!("--socket={}", server.socket().display()),
        format!("--port={}", server.port()),
        format!("--pid-file={}", server.scratch.join("server.pid").display()),
        format!("--log-error={}", server.error_log_path().display()),
        // A starting server removes all temporary tables there, those of other servers too.
        format!("--tmpdir={}", server.scratch.path().display()),
        "--bind-address=127.0.0.1".to_owned(),
        "--innodb-buffer-pool-size=128M".to_owned(),
        // MySQL's default; MariaDB's of 16 MB would keep large rows out of the tests.
        "--max-allowed-packet=64M".to_owned(),
        // Each server would take thousands of the machine's asynchronous I/O slots.
        "--innodb-use-native-aio=OFF".to_owned(),
    ];
    arguments.extend(user());
    if !server.options.without_binlog {
        arguments.push("--log-bin=binlog".to_owned());
    }
    // Unique per machine, because ports are: source and replica of one test differ.
    arguments.push(format!("--server-id={}", server.port()));
    arguments
}

fn mysql(server: &Server) -> Vec<String> {
    let mut arguments =
        vec!["--mysqlx=OFF".to_owned(), "--innodb-redo-log-capacity=64M".to_owned()];
    if server.options.tls == Tls::Off {
        arguments.push("--tls-version=".to_owned());
    }
    if server.options.without_binlog {
        arguments.push("--skip-log-bin".to_owned());
    }
    arguments.push("--gtid-mode=ON".to_owned());
    arguments.push("--enforce-gtid-consistency=ON".to_owned());
    arguments
}

/// GTIDs need the binary log here, and TLS would be of a version that no client speaks.
fn old_mysql(server: &Server) -> Vec<String> {
    let mut arguments = vec!["--skip-ssl", "--innodb-log-file-size=48M", "--binlog-format=ROW"];
    if !server.options.without_binlog {
        arguments.extend(["--gtid-mode=ON", "--enforce-gtid-consistency", "--log-slave-updates"]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}

fn mariadb(server: &Server) -> Vec<String> {
    let mut arguments = vec!["--gtid-strict-mode=ON".to_owned(), "--binlog-format=ROW".to_owned()];
    if server.options.tls == Tls::Off {
        arguments.push("--skip-ssl".to_owned());
    }
    arguments
}
