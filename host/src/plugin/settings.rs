//! Where plugins are looked for, and which are let in. Filled by configuration, flags and
//! environment; nothing is read from the environment here.
use super::{Origin, TrustPolicy};
use std::path::{Path, PathBuf};

/// Ids of the plugins and engines that dbbackup itself ships. Others may not claim them.
pub const FIRST_PARTY_IDS: [&str; 7] =
    ["mysqldump", "clone", "lvm-snapshot", "zfs-snapshot", "btrfs-snapshot", "s3-stream", "binlog"];

/// `vendor` of the plugins that dbbackup itself ships.
pub const FIRST_PARTY_VENDOR: &str = "dbbackup";

/// Where to look for plugins, in the order of the fields, and which to let in.
#[derive(Clone, Debug)]
pub struct PluginSettings {
    /// `--plugin-dir`, in the order given.
    pub command_line: Vec<PathBuf>,
    /// `$DBBACKUP_PLUGIN_PATH`, split at `:`. Ignored for root unless
    /// [`environment_for_root`](Self::environment_for_root).
    pub environment: Vec<PathBuf>,
    /// Configuration `plugins.environment_for_root`.
    pub environment_for_root: bool,
    /// Configuration `plugins.dirs`.
    pub config: Vec<PathBuf>,
    /// The user's data directory, such as `~/.local/share/dbbackup/plugins`. Never used for root,
    /// because a `sudo` that keeps `HOME` would hand root the user's files.
    pub user: Option<PathBuf>,
    /// The running binary; `../lib/dbbackup/plugins` beside it is searched.
    pub executable: Option<PathBuf>,
    /// Directories of the system, searched last.
    pub system: Vec<PathBuf>,
    /// What makes a plugin trusted.
    pub trust: TrustPolicy,
    /// Configuration `plugins.allow_shadowing`: third parties may claim first-party ids.
    pub allow_shadowing: bool,
    /// `--safe-mode`: only first-party plugins beside the binary and of the system.
    pub safe_mode: bool,
}

impl Default for PluginSettings {
    /// The directories of the system alone, trust by owner.
    fn default() -> Self {
        Self {
            command_line: Vec::new(),
            environment: Vec::new(),
            environment_for_root: false,
            config: Vec::new(),
            user: None,
            executable: None,
            system: ["/usr/local/lib/dbbackup/plugins", "/usr/lib/dbbackup/plugins"]
                .map(PathBuf::from)
                .to_vec(),
            trust: TrustPolicy::default(),
            allow_shadowing: false,
            safe_mode: false,
        }
    }
}

/// A directory to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SearchDirectory {
    pub(super) path: PathBuf,
    pub(super) origin: Origin,
}

impl PluginSettings {
    /// Only the given directories, trust by owner: for tests and embedding programs.
    pub fn only(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        let command_line = directories.into_iter().collect();
        Self { command_line, system: Vec::new(), ..Self::default() }
    }

    /// The directories in the order of search, each once, whether they exist or not.
    pub(super) fn search_order(&self, is_root: bool) -> Vec<SearchDirectory> {
        let environment =
            if is_root && !self.environment_for_root { &[] } else { &*self.environment };
        let user = self.user.as_ref().filter(|_| !is_root);
        let bundled = self.executable.as_deref().and_then(bundled_directory);
        let sources: [(Origin, Vec<PathBuf>); 6] = [
            (Origin::CommandLine, self.command_line.clone()),
            (Origin::Environment, environment.to_vec()),
            (Origin::Config, self.config.clone()),
            (Origin::User, user.cloned().into_iter().collect()),
            (Origin::Bundled, bundled.into_iter().collect()),
            (Origin::System, self.system.clone()),
        ];
        let mut order: Vec<SearchDirectory> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for (origin, paths) in sources {
            for path in paths {
                // One directory under two names (`/lib` and `/usr/lib`) must not shadow itself.
                let identity = path.canonicalize().unwrap_or_else(|_| path.clone());
                if seen.insert(identity) {
                    order.push(SearchDirectory { path, origin });
                }
            }
        }
        order
    }
}

/// `../lib/dbbackup/plugins` beside the binary.
fn bundled_directory(executable: &Path) -> Option<PathBuf> {
    Some(executable.parent()?.parent()?.join("lib/dbbackup/plugins"))
}

#[cfg(test)]
mod tests;
