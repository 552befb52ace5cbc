//! The conformance kit itself: a good plugin passes every check, a bad one fails the right one, and
//! what was not tried is not counted as passed.
use crate::plugin_files::{program, rogue};
use anyhow::{Context, Result};
use dbbackup::conformance::{CHECKS, Kit, Verdict};
use serde_json::json;

#[test]
fn a_plugin_that_behaves_passes_every_check() -> Result<()> {
    let report = Kit::new(program()?, rogue("well")?).run()?;
    let others = report.count(|verdict| *verdict != Verdict::Passed);
    assert_eq!(others, 0, "{report}");
    // The manifest is checked once, everything else once an engine.
    assert_eq!(report.outcomes.len(), CHECKS.len() + 1);
    assert!(report.is_conformant());
    Ok(())
}

#[test]
fn an_engine_that_ignores_cancellation_fails() -> Result<()> {
    let mut kit = Kit::new(program()?, rogue("misdeeds")?);
    kit.options = json!({"misdeed": "ignore-cancellation", "place": "backup"});
    kit.only = vec!["cancel".to_owned(), "round-trip".to_owned()];
    let report = kit.run()?;
    let verdict =
        |name: &str| report.outcomes.iter().find(|o| o.check == name).map(|o| o.verdict.clone());
    let Verdict::Failed { why } = verdict("cancel").context("no verdict")? else {
        anyhow::bail!("passed: {report}");
    };
    assert!(why.contains("s later"), "{why}");
    let not_run = verdict("round-trip").context("no verdict")?;
    assert!(matches!(not_run, Verdict::NotRun { .. }), "it plays no restore role: {report}");
    Ok(())
}

#[test]
fn a_file_that_is_refused_is_not_tested() -> Result<()> {
    let error = Kit::new(program()?, rogue("no_plugin")?).run().err().context("tested")?;
    assert!(error.is_refusal());
    Ok(())
}
