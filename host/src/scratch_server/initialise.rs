//! An empty data directory for a scratch server.
use super::{
    INITIALISE_LIMIT, ScratchError, ServerProgram, common_arguments, log_tail, spawn_guarded,
    wait_for,
};
use crate::supervisor::CancelFlag;
use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Command,
};

/// What MariaDB's bootstrap needs, in this order. The files are called `mysql_…`, `mariadb_…` or
/// `maria_…`, by series.
const MARIADB_PARTS: [&str; 6] = [
    "system_tables",
    "performance_tables",
    "system_tables_data",
    "fill_help_tables",
    "add_gis_sp_bootstrap",
    "sys_schema",
];

/// Makes `directory/data` as the server's own tools do: `root` without a password, and nothing else.
pub(super) fn data_directory(
    program: &ServerProgram,
    directory: &Path,
    cancel: &CancelFlag,
) -> Result<(), ScratchError> {
    let mut arguments = common_arguments(directory);
    if program.is_mariadb() {
        let data = directory.join("data");
        DirBuilder::new()
            .mode(0o700)
            .create(&data)
            .map_err(|source| ScratchError::io("create", &data, source))?;
        let script = directory.join("bootstrap.sql");
        fs::write(&script, bootstrap_script(&share_directory(program)?)?)
            .map_err(|source| ScratchError::io("write", &script, source))?;
        arguments.extend(["--bootstrap", "--silent-startup", "--skip-log-bin"].map(Into::into));
        return run_bootstrap(program, directory, &arguments, &script, cancel);
    }
    arguments.push("--initialize-insecure".into());
    let child = spawn_guarded(program, &arguments, directory)?;
    ended_well(child, directory, cancel)
}

fn run_bootstrap(
    program: &ServerProgram,
    directory: &Path,
    arguments: &[std::ffi::OsString],
    script: &Path,
    cancel: &CancelFlag,
) -> Result<(), ScratchError> {
    let input = fs::File::open(script).map_err(|e| ScratchError::io("open", script, e))?;
    let child = super::spawn_guarded_with(program, arguments, directory, input.into())?;
    ended_well(child, directory, cancel)
}

fn ended_well(
    mut child: std::process::Child,
    directory: &Path,
    cancel: &CancelFlag,
) -> Result<(), ScratchError> {
    let waited = wait_for(&mut child, INITIALISE_LIMIT, cancel);
    let status = waited.map_err(|source| ScratchError::io("wait for", directory, source))?;
    let failed = |what: String| ScratchError::Unusable { what, log: log_tail(directory) };
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(format!("was not initialised: it ended with {status}"))),
        None => {
            child
                .kill()
                .and_then(|()| child.wait())
                .map_err(|source| ScratchError::io("end", directory, source))?;
            if cancel.is_cancelled() {
                return Err(ScratchError::Cancelled);
            }
            Err(failed(format!("was not initialised within {} s", INITIALISE_LIMIT.as_secs())))
        }
    }
}

/// Where the server keeps its scripts: beside its messages, which it names itself.
fn share_directory(program: &ServerProgram) -> Result<PathBuf, ScratchError> {
    let output = Command::new(program.path())
        .args(["--no-defaults", "--verbose", "--help"])
        .output()
        .map_err(|source| ScratchError::io("run", program.path(), source))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let named = |option: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(char::is_whitespace)?;
            (name == option && value.trim().starts_with('/')).then(|| PathBuf::from(value.trim()))
        })
    };
    let candidates = [
        named("lc-messages-dir"),
        named("character-sets-dir").and_then(|path| path.parent().map(Path::to_owned)),
        Some(PathBuf::from("/usr/share/mariadb")),
        Some(PathBuf::from("/usr/share/mysql")),
    ];
    let found =
        candidates.into_iter().flatten().find(|share| part(share, "system_tables").is_some());
    found.ok_or_else(|| {
        let source = io::Error::new(io::ErrorKind::NotFound, "no system_tables.sql beside it");
        ScratchError::io("find the scripts of", program.path(), source)
    })
}

fn bootstrap_script(share: &Path) -> Result<String, ScratchError> {
    let mut script = String::from(
        "create database if not exists mysql;\nuse mysql;\nset @auth_root_socket=NULL;\n",
    );
    for name in MARIADB_PARTS {
        let Some(path) = part(share, name) else { continue };
        let text = fs::read_to_string(&path).map_err(|e| ScratchError::io("read", &path, e))?;
        script.push_str(&text);
        script.push('\n');
    }
    Ok(script)
}

fn part(share: &Path, name: &str) -> Option<PathBuf> {
    let names = ["mariadb_", "mysql_", "maria_", ""].map(|prefix| format!("{prefix}{name}.sql"));
    names.into_iter().map(|name| share.join(name)).find(|path| path.is_file())
}
