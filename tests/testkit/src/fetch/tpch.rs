//! The generator of TPC-H data, from PyPI, in a virtual environment of its own.
use super::run;
use crate::cache;
use anyhow::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "tpchgen-cli==4.0.0";
/// Raised when the layout of the cached tree changes.
const LAYOUT: u32 = 1;

/// The fetched generator.
#[derive(Debug)]
pub(crate) struct TpchGenerator {
    program: PathBuf,
}

impl TpchGenerator {
    /// Fetches the generator, or finds it in the cache.
    ///
    /// # Errors
    /// The machine has no Python with `venv`, or no network while the cache is cold.
    pub(crate) fn fetch() -> Result<Self> {
        let directory = cache::entry(&format!("tpchgen-{LAYOUT}"), |building, _| {
            run(Command::new("python3").args(["-m", "venv"]).arg(building))?;
            let pip = building.join("bin/pip");
            run(Command::new(pip).args(["install", "--quiet", "--no-deps", PACKAGE]))?;
            Ok(())
        })?;
        // The program is no script, so that it works wherever its environment was made.
        Ok(Self { program: directory.join("bin/tpchgen-cli") })
    }

    /// Writes all eight tables as `NAME.tbl` into `directory`.
    ///
    /// # Errors
    /// The disk is full.
    pub(crate) fn generate(&self, scale: f64, directory: &Path) -> Result<()> {
        run(Command::new(&self.program)
            .args(["--scale-factor", &scale.to_string(), "--output-dir"])
            .arg(directory))?;
        Ok(())
    }
}
