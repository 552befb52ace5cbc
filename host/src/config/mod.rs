//! The configuration file: found, parsed, checked key by key, and typed.
//!
//! Found by `--config`, `$DBBACKUP_CONFIG`, `./dbbackup.yaml`, `/etc/dbbackup/config.yaml`, the
//! first of them; that of the working directory only if nobody else can have written it. Unknown keys
//! are errors with their line. Flags override the environment, which overrides the file.
mod error;
mod file;
mod node;
mod owner;
mod reader;
pub mod units;

pub use error::{ConfigError, Problem};

use crate::env;
use dbbackup_plugin_api::document::connection::SslMode;
use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

/// The names under which a configuration is looked for, where none is given.
pub const DEFAULT_FILES: [&str; 2] = ["dbbackup.yaml", "/etc/dbbackup/config.yaml"];

/// Largest configuration file that is read, bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The configuration; every part has its default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// The file it came from, if there was one.
    pub file: Option<PathBuf>,
    /// Files that were found and ignored, a clause each.
    pub warnings: Vec<String>,
    /// How the server is reached.
    pub connection: ConnectionConfig,
    /// Where plugins are and which are trusted.
    pub plugins: PluginsConfig,
    /// Backups and the engines of the handbook.
    pub backup: BackupConfig,
    /// `engines.<id>`: options of any engine, checked against the schema in its manifest.
    pub engines: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// `connection`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionConfig {
    /// Host name or address.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// The server's socket.
    pub socket: Option<PathBuf>,
    /// Account.
    pub user: Option<String>,
    /// File whose first line is the password.
    pub password_file: Option<PathBuf>,
    /// Transport security.
    pub ssl_mode: Option<SslMode>,
    /// File of trusted authorities.
    pub ssl_ca: Option<PathBuf>,
    /// Directory of trusted authorities.
    pub ssl_capath: Option<PathBuf>,
    /// The client's certificate.
    pub ssl_cert: Option<PathBuf>,
    /// The client's key.
    pub ssl_key: Option<PathBuf>,
}

/// `plugins`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PluginsConfig {
    /// Directories searched after `--plugin-dir` and `$DBBACKUP_PLUGIN_PATH`.
    pub dirs: Vec<PathBuf>,
    /// Which plugin files are trusted.
    pub trust: TrustChoice,
    /// Third-party engines may be chosen automatically.
    pub auto_select_third_party: bool,
    /// `$DBBACKUP_PLUGIN_PATH` counts for root too.
    pub environment_for_root: bool,
    /// A third-party plugin may take the id of a first-party one.
    pub allow_shadowing: bool,
}

/// `plugins.trust`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrustChoice {
    /// Owner and mode of the file are trust; an entry in the lock file must match.
    #[default]
    Owner,
    /// Only what the lock file lists.
    Locked,
    /// Everything, for development.
    Dev,
}

/// `backup`.
#[derive(Clone, Debug, PartialEq)]
pub struct BackupConfig {
    /// Engine id, engine family, or `auto`.
    pub engine: String,
    /// Where a backup goes without `--output`.
    pub output_dir: PathBuf,
    /// `backup.clone`.
    pub clone: CloneConfig,
    /// `backup.snapshot`.
    pub snapshot: SnapshotConfig,
    /// `backup.streaming`.
    pub streaming: StreamingConfig,
    /// `backup.binlog`.
    pub binlog: BinlogConfig,
}

/// `backup.clone`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloneConfig {
    /// The server's data directory.
    pub data_dir: Option<PathBuf>,
    /// A donor in place of the server on the connection.
    pub remote: CloneRemoteConfig,
}

/// `backup.clone.remote`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloneRemoteConfig {
    /// The donor is used.
    pub enabled: bool,
    /// Its host.
    pub donor_host: String,
    /// Its port.
    pub donor_port: u16,
    /// Account on it.
    pub donor_user: String,
}

impl Default for CloneRemoteConfig {
    fn default() -> Self {
        let donor_user = "clone_user".to_owned();
        Self { enabled: false, donor_host: String::new(), donor_port: 3306, donor_user }
    }
}

/// `backup.snapshot`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// Which technology; none means the one that fits.
    pub backend: Option<SnapshotBackend>,
    /// `lvm.volume_group`.
    pub lvm_volume_group: Option<String>,
    /// `lvm.snapshot_size`, bytes.
    pub lvm_snapshot_bytes: Option<u64>,
    /// `zfs.dataset`.
    pub zfs_dataset: Option<String>,
    /// `btrfs.subvolume`.
    pub btrfs_subvolume: Option<PathBuf>,
}

/// `backup.snapshot.backend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotBackend {
    /// Logical Volume Manager.
    Lvm,
    /// ZFS.
    Zfs,
    /// Btrfs.
    Btrfs,
}

impl SnapshotBackend {
    /// As it is written in the configuration and in engines' manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lvm => "lvm",
            Self::Zfs => "zfs",
            Self::Btrfs => "btrfs",
        }
    }
}

/// `backup.streaming`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamingConfig {
    /// Size of a part of an upload, bytes.
    pub part_bytes: u64,
    /// Parts in flight.
    pub workers: u16,
    /// Checksums are sent and compared.
    pub checksum: bool,
}

impl Default for StreamingConfig {
    fn default() -> Self {
        Self { part_bytes: 10_485_760, workers: 4, checksum: true }
    }
}

/// `backup.binlog`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BinlogConfig {
    /// A service unit starts the stream.
    pub enabled: bool,
    /// Our id among the replicas.
    pub server_id: u32,
    /// Positions are GTID sets.
    pub use_gtid: bool,
    /// Longest time between two checkpoints.
    pub checkpoint_interval: Duration,
    /// Where pieces go.
    pub targets: Vec<BinlogTarget>,
}

impl Default for BinlogConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            server_id: 99_999,
            use_gtid: true,
            checkpoint_interval: Duration::from_secs(30),
            targets: Vec::new(),
        }
    }
}

/// One of `backup.binlog.targets`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BinlogTarget {
    /// `type: file`.
    File {
        /// Directory.
        path: PathBuf,
        /// Pieces are compressed.
        compress: bool,
        /// Size at which a new piece starts, bytes.
        rotate_bytes: Option<u64>,
    },
    /// `type: s3`.
    S3 {
        /// Bucket.
        bucket: String,
        /// Key prefix.
        prefix: String,
        /// Region.
        region: Option<String>,
    },
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self {
            engine: "auto".to_owned(),
            output_dir: PathBuf::from("."),
            clone: CloneConfig::default(),
            snapshot: SnapshotConfig::default(),
            streaming: StreamingConfig::default(),
            binlog: BinlogConfig::default(),
        }
    }
}

impl Config {
    /// Finds and reads the configuration; without any file, the defaults.
    ///
    /// # Errors
    /// [`ConfigError`]: a file that was named is not there, or a file is wrong, with the line.
    pub fn find(given: Option<&Path>) -> Result<Self, ConfigError> {
        if let Some(file) = given.map(Path::to_owned).or_else(env::config_file) {
            return Self::read(&file);
        }
        let [here, of_machine] = DEFAULT_FILES.map(Path::new);
        let mut warnings = Vec::new();
        if let Some(config) = Self::of_working_directory(here, &mut warnings)? {
            return Ok(config);
        }
        let config = match Self::read(of_machine) {
            Err(ConfigError::Read { source, .. }) if is_absent(&source) => Self::default(),
            outcome => outcome?,
        };
        Ok(Self { warnings, ..config })
    }

    /// Reads a file that nobody has named; none if it is not there or somebody else can have written
    /// it, because it may name plugins whose code is run.
    fn of_working_directory(
        file: &Path,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, ConfigError> {
        match owner::open(file) {
            Ok(Ok(opened)) => Self::read_from(file, opened).map(Some),
            Ok(Err(why)) => {
                warnings.push(format!(
                    "configuration file {} is ignored: {why}; --config takes it all the same",
                    file.display()
                ));
                Ok(None)
            }
            Err(source) if is_absent(&source) => Ok(None),
            Err(source) => Err(ConfigError::Read { file: file.to_owned(), source }),
        }
    }

    /// Reads one file.
    ///
    /// # Errors
    /// As for [`Config::find`].
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let opened = File::open(file)
            .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Self::read_from(file, opened)
    }

    fn read_from(file: &Path, opened: File) -> Result<Self, ConfigError> {
        let text = read_bounded(opened)
            .map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        Self::parse(file, &text, &node::environment)
    }

    fn parse(file: &Path, text: &str, lookup: node::Lookup<'_>) -> Result<Self, ConfigError> {
        let root = node::parse(file, text, lookup)?;
        file::config(file, &root)
    }
}

/// The mode that a text names, in either case.
pub fn ssl_mode_from(text: &str) -> Option<SslMode> {
    let mut modes = file::SSL_MODES.into_iter();
    modes.find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, mode)| mode)
}

fn is_absent(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn read_bounded(file: File) -> std::io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
