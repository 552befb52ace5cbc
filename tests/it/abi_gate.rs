//! The ABI gate: today's contract still fits plugins that were built with the released one.
use crate::generations::Generations;
use anyhow::{Result, ensure};
use std::process::Command;

#[test]
fn layouts_of_the_released_contract_still_fit() -> Result<()> {
    let output = Command::new(Generations::built()?.gate).output()?;
    ensure!(
        output.status.success(),
        "plugin-api breaks plugins built with 1.0; grow it by roles and documents:\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    Ok(())
}
