//! Initialised data directories, made once per server version and copied for each test.
use super::command_line;
use super::session::Session;
use crate::cache;
use crate::fetch::{Flavor, ServerTree, run};
use crate::process::OwnedProcess;
use crate::wait::wait_until;
use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The account that may do everything, from everywhere.
pub const ADMIN_USER: &str = "tester";
/// The password of [`ADMIN_USER`].
pub const ADMIN_PASSWORD: &str = "tester's \"pass\" word";

/// Raised when the recipe below changes.
const RECIPE: u32 = 2;
const DEADLINE: Duration = Duration::from_secs(180);

/// Copies the initialised data directory of this server to `datadir`: with its accounts, or of another
/// page size than the usual 16 KiB and as the server itself makes it.
pub(super) fn copy_to(tree: &ServerTree, page_size_kib: Option<u32>, datadir: &Path) -> Result<()> {
    let mut name = format!("datadir-{}-{}-{RECIPE}", tree.flavor().name(), tree.version()?);
    if let Some(kib) = page_size_kib {
        name.push_str(&format!("-{kib}k"));
    }
    let template = cache::entry(&name, |building, _| prepare(tree, page_size_kib, building))?;
    run(Command::new("cp")
        .args(["--archive", "--reflink=auto", "--sparse=auto", "--no-target-directory"])
        .arg(template.join("data"))
        .arg(datadir))?;
    Ok(())
}

fn prepare(tree: &ServerTree, page_size_kib: Option<u32>, building: &Path) -> Result<()> {
    let datadir = building.join("data");
    initialise(tree, &datadir, page_size_kib)?;
    if page_size_kib.is_none() {
        set_up_accounts(tree, &datadir)?;
    }
    // The identity: each server that starts on a copy makes its own.
    match fs::remove_file(datadir.join("auto.cnf")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn initialise(tree: &ServerTree, datadir: &Path, page_size_kib: Option<u32>) -> Result<()> {
    let page_size = page_size_kib.map(command_line::page_size);
    if tree.flavor().is_bootstrapped() {
        bootstrap(tree, datadir, page_size)
    } else {
        initialise_mysql(tree, datadir, page_size)
    }
}

fn initialise_mysql(tree: &ServerTree, datadir: &Path, page_size: Option<String>) -> Result<()> {
    run(Command::new(tree.mysqld_path())
        .args(["--no-defaults", "--initialize-insecure", "--innodb-redo-log-capacity=8M"])
        .args(command_line::user())
        .args(page_size)
        .arg(format!("--datadir={}", datadir.display())))?;
    Ok(())
}

/// MariaDB and old MySQL have no `--initialize`: their system tables come from scripts on stdin.
fn bootstrap(tree: &ServerTree, datadir: &Path, page_size: Option<String>) -> Result<()> {
    // A directory is a schema, and old MySQL wants it before it starts.
    fs::create_dir_all(datadir.join("mysql"))?;
    let mut script = String::from("use mysql;\nset @auth_root_socket=NULL;\n");
    for part in bootstrap_parts(tree.flavor()) {
        script.push_str(&bootstrap_part(&tree.share_dir(), part)?);
        script.push('\n');
    }
    let mut child = Command::new(tree.mysqld_path())
        .args(["--no-defaults", "--bootstrap", "--skip-log-bin", "--innodb-log-file-size=16M"])
        .args(command_line::user())
        .args(page_size)
        .arg(format!("--datadir={}", datadir.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("start mariadbd --bootstrap")?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    let writer = std::thread::spawn(move || stdin.write_all(script.as_bytes()));
    let output = child.wait_with_output()?;
    let written = writer.join().unwrap_or_else(|_| Err(std::io::Error::other("writer panicked")));
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("mariadbd --bootstrap ended with {}: {stderr}", output.status);
    }
    written.context("feed mariadbd --bootstrap")
}

fn bootstrap_parts(flavor: Flavor) -> &'static [&'static str] {
    const ALL: [&str; 6] = [
        "system_tables",
        "system_tables_data",
        "fill_help_tables",
        "performance_tables",
        "add_gis_sp_bootstrap",
        "sys_schema",
    ];
    if flavor.is_mariadb() { &ALL } else { ALL.first_chunk::<3>().map_or(&ALL, |three| three) }
}

/// The same script is called `mysql_…`, `mariadb_…` or `maria_…`, by series.
fn bootstrap_part(share: &Path, part: &str) -> Result<String> {
    let names = ["mariadb_", "mysql_", "maria_", ""].map(|prefix| format!("{prefix}{part}.sql"));
    for name in &names {
        let path = share.join(name);
        if path.is_file() {
            return fs::read_to_string(&path).with_context(|| format!("read {}", path.display()));
        }
    }
    bail!("none of {} is in {}", names.join(", "), share.display())
}

/// Runs the server once on its new data directory, reachable by socket alone.
fn set_up_accounts(tree: &ServerTree, datadir: &Path) -> Result<()> {
    let scratch = crate::scratch::Scratch::new()?;
    let socket = scratch.join("s.sock");
    let mut process = OwnedProcess::spawn(tree.mysqld_path(), |command| {
        command
            .args(["--no-defaults", "--skip-networking", "--skip-log-bin"])
            .args(command_line::user())
            .arg(format!("--datadir={}", datadir.display()))
            .arg(format!("--socket={}", socket.display()))
            .arg(format!("--pid-file={}", scratch.join("pid").display()))
            .arg(format!("--log-error={}", scratch.join("log").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if tree.flavor().is_bootstrapped() {
            command.arg("--innodb-log-file-size=16M");
        } else {
            command.args(["--mysqlx=OFF", "--innodb-redo-log-capacity=8M"]);
        }
    })?;
    let options = mysql_async::OptsBuilder::default()
        .user(Some("root"))
        .socket(socket.to_str())
        .prefer_socket(true);
    let mut session = None;
    wait_until("the new server accepts connections", DEADLINE, || {
        if let Some(status) = process.exited()? {
            let log = fs::read_to_string(scratch.join("log")).unwrap_or_default();
            bail!("the new server ended with {status}: {log}");
        }
        session = Session::connect(&options).ok();
        Ok(session.is_some())
    })?;
    let mut session = session.context("no session")?;
    if !tree.flavor().is_mariadb() {
        // Old servers come with accounts that anybody may use, and that win over ours.
        session.run("DELETE FROM mysql.user WHERE user = ''; FLUSH PRIVILEGES")?;
    }
    let password = ADMIN_PASSWORD.replace('\'', "''");
    session.run(&format!("CREATE USER '{ADMIN_USER}'@'%' IDENTIFIED BY '{password}'"))?;
    session.run(&format!("GRANT ALL ON *.* TO '{ADMIN_USER}'@'%' WITH GRANT OPTION"))?;
    if tree.flavor().has_clone() {
        session.run("INSTALL PLUGIN clone SONAME 'mysql_clone.so'")?;
    }
    drop(session);
    process.signal(Signal::TERM)?;
    let status = process.wait(DEADLINE)?;
    if !status.success() {
        bail!("the new server ended with {status}");
    }
    Ok(())
}
