//! Plugin files for the tests of the loader: the rogue examples, built once, and directories of
//! copies that a test may damage.
use anyhow::{Context, Result};
use dbbackup::plugin::{PluginSettings, Registry};
use dbbackup_testkit::{Product, Scratch, build_examples};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::OnceLock,
};

/// The built library of an example of the package `dbbackup-rogue`.
pub(crate) fn rogue(name: &str) -> Result<PathBuf> {
    static BUILT: OnceLock<Vec<PathBuf>> = OnceLock::new();
    if BUILT.get().is_none() {
        BUILT.set(build_examples()?).ok();
    }
    let wanted = format!("lib{name}.so");
    let built = BUILT.get().into_iter().flatten();
    let found = built.into_iter().find(|path| path.file_name().is_some_and(|n| n == &*wanted));
    found.cloned().with_context(|| format!("no example {name} among the rogue plugins"))
}

/// The built `dbbackup`.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(Product::built()?.binary)
}

/// A plugin directory that only this test knows.
pub(crate) struct PluginDirectory(Scratch);

impl PluginDirectory {
    pub(crate) fn new() -> Result<Self> {
        let scratch = Scratch::new()?;
        fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755))?;
        Ok(Self(scratch))
    }

    /// A directory with copies of these rogue plugins.
    pub(crate) fn with(names: &[&str]) -> Result<Self> {
        let directory = Self::new()?;
        for name in names {
            directory.install(name, &format!("lib{name}.so"))?;
        }
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Copies a rogue plugin under a name.
    pub(crate) fn install(&self, rogue_name: &str, file: &str) -> Result<PathBuf> {
        self.write(file, &fs::read(rogue(rogue_name)?)?)
    }

    /// Writes a file with the mode that a package would give it.
    pub(crate) fn write(&self, file: &str, content: &[u8]) -> Result<PathBuf> {
        let path = self.0.join(file);
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        Ok(path)
    }

    pub(crate) fn settings(&self) -> PluginSettings {
        PluginSettings::only([self.path().to_owned()])
    }

    pub(crate) fn discover(&self) -> Registry {
        Registry::discover(&self.settings())
    }

    /// The code under which a file is refused, or `usable`.
    pub(crate) fn code_of(&self, file: &str) -> String {
        code_of(&self.discover(), &self.0.join(file))
    }
}

/// The code under which a listed file is refused, `usable`, or `not listed`.
pub(crate) fn code_of(registry: &Registry, path: &Path) -> String {
    match registry.plugins().iter().find(|plugin| plugin.path == path) {
        None => "not listed".to_owned(),
        Some(plugin) => match &plugin.refusal {
            None => "usable".to_owned(),
            Some(refusal) => refusal.plugin_code().to_string(),
        },
    }
}

/// Replaces the first place of `old` by `new`, which is as long.
pub(crate) fn patched(content: &[u8], old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    anyhow::ensure!(old.len() == new.len(), "a patch keeps the length");
    let at = content.windows(old.len()).position(|window| window == old);
    let at = at.with_context(|| format!("no {:?} in the file", String::from_utf8_lossy(old)))?;
    let mut content = content.to_vec();
    content[at..at + new.len()].copy_from_slice(new);
    Ok(content)
}
