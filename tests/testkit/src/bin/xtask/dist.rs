//! `cargo xtask dist`: an installation that can be moved anywhere as a whole.
use crate::step;
use anyhow::{Context, Result};
use dbbackup_testkit::{Product, workspace_root};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Build a relocatable prefix: bin/dbbackup, lib/dbbackup/plugins/*.so and their plugins.lock.
#[derive(Debug, clap::Args)]
pub(crate) struct DistArgs {
    /// Where to put it; what an earlier run has put there is replaced.
    #[arg(long, default_value = "target/dist")]
    prefix: PathBuf,
    /// How it is built: `release` for use, `dev` for a try of what the tests have built already.
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    profile: Profile,
}

/// A profile of cargo.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Profile {
    Release,
    Dev,
}

pub(crate) fn run(args: &DistArgs) -> Result<()> {
    let prefix = workspace_root()?.join(&args.prefix);
    println!("== build");
    let product = match args.profile {
        Profile::Release => Product::release()?,
        Profile::Dev => Product::built()?,
    };
    let binary = prefix.join("bin/dbbackup");
    let plugins = prefix.join("lib/dbbackup/plugins");
    remove_earlier(&plugins)?;
    install(&product.binary, &binary, 0o755)?;
    for plugin in &product.plugins {
        let name = plugin.file_name().context("a plugin without a file name")?;
        install(plugin, &plugins.join(name), 0o644)?;
    }
    // In safe mode the plugins of this prefix alone are locked, not the user's own.
    let lock = ["--safe-mode", "engine", "lock"];
    step::run("dbbackup engine lock", Command::new(&binary).args(lock))?;
    println!("== {}", prefix.display());
    step::run("dbbackup engine list", Command::new(&binary).args(["--safe-mode", "engine", "list"]))
}

/// An engine that is no longer built must not stay.
fn remove_earlier(plugins: &Path) -> Result<()> {
    match fs::remove_dir_all(plugins) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", plugins.display()))
        }
        _ => Ok(()),
    }
}

fn install(from: &Path, to: &Path, mode: u32) -> Result<()> {
    let directory = to.parent().context("a file without a directory")?;
    fs::create_dir_all(directory)?;
    // A plugin in a directory that others can write to is refused, whatever the umask is.
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
    // Through a new file, because the old binary may be running.
    let new = to.with_extension("new");
    fs::copy(from, &new)
        .with_context(|| format!("copy {} to {}", from.display(), new.display()))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
    rustix::fs::rename(&new, to).with_context(|| format!("put {} in place", to.display()))
}
