//! `engine select` in words: the two blocks of the handbook, and with `--explain` every engine with
//! its points, its reasons and what would unlock it.
use super::{
    SNAPSHOT_FAMILY,
    rank::{Candidate, Ranking, Verdict, shown},
};
use crate::config::units::{format_duration, format_size};
use dbbackup_plugin_api::document::environment::Environment;
use serde_json::{Value, json};
use std::time::Duration;

/// Length of the rules below headings.
const RULE: usize = 50;

/// The block about the database.
pub fn database_information(environment: &Environment, snapshots: bool) -> String {
    let mut text = heading("Database Information:");
    if let Some(server) = &environment.server {
        let clone = server.plugins.iter().any(|plugin| plugin == "clone");
        text.push_str(&format!("Version: {}\n", numbers(&server.version_text)));
        text.push_str(&format!("Flavor: {}\n", server.flavor));
        text.push_str(&format!("Data Size: {}\n", format_size(server.data_bytes)));
        text.push_str(&format!("Clone Plugin: {clone}\n"));
        text.push_str(&format!("Binlog: {}\n", server.binlog));
        text.push_str(&format!("GTID: {}\n", server.gtid));
    }
    text.push_str(&format!("Filesystem: {}\n", filesystem(environment)));
    text.push_str(&format!("Snapshot: {snapshots}\n"));
    text
}

/// The block with the choice.
pub fn recommendation(engine: &str, reason: &str) -> String {
    format!("{}Engine: {engine}\nReason: {reason}\n", heading("Recommendation:"))
}

/// Every engine, best first.
pub fn explanation(ranking: &Ranking) -> String {
    let mut text = heading("Engines:");
    for candidate in &ranking.candidates {
        text.push_str(&explain(candidate));
    }
    if ranking.candidates.is_empty() {
        text.push_str("none is installed\n");
    }
    text
}

/// The same as data.
pub fn data(environment: &Environment, ranking: &Ranking, snapshots: bool, reason: &str) -> Value {
    let mut environment = environment.clone();
    if let Some(server) = &mut environment.server {
        // Hundreds of variables are for engines, not for readers.
        server.variables.clear();
    }
    let chosen = ranking.chosen().map(|chosen| {
        json!({
            "engine": chosen.engine, "plugin": chosen.plugin, "reason": reason,
        })
    });
    json!({
        "environment": environment,
        "filesystem": filesystem(&environment),
        "snapshot": snapshots,
        "recommendation": chosen,
        "engines": ranking.candidates,
    })
}

fn heading(title: &str) -> String {
    format!("{title}\n{}\n", "-".repeat(RULE))
}

/// `8.0.35-debug` -> `8.0.35`.
fn numbers(version: &str) -> &str {
    version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or(version)
}

fn filesystem(environment: &Environment) -> &str {
    let data = environment.paths.iter().find(|path| path.role == "data" && path.proven_local);
    data.map_or("unknown", |path| path.filesystem.as_str())
}

/// True if a member of the family `snapshot` could start now.
pub fn has_snapshots(ranking: &Ranking) -> bool {
    let applies = |candidate: &&Candidate| {
        candidate.assessment.as_ref().is_some_and(|answer| answer.applicable)
    };
    let mut applicable = ranking.candidates.iter().filter(applies);
    applicable.any(|candidate| candidate.family == SNAPSHOT_FAMILY)
}

fn explain(candidate: &Candidate) -> String {
    let state = match candidate.verdict {
        Verdict::Eligible => format!("{} points", candidate.points),
        _ => format!("not eligible: {}", candidate.obstacle()),
    };
    let mut text = format!("{}: {state}\n", candidate.engine);
    for entry in &candidate.account {
        text.push_str(&format!("  {:+} {}\n", entry.points, entry.fact));
    }
    let Some(answer) = &candidate.assessment else {
        text.push_str(&line("unlock", candidate.remedy()));
        return text;
    };
    text.push_str(&line("reason", (!answer.reason.is_empty()).then(|| answer.reason.clone())));
    let estimate = &answer.estimate;
    text.push_str(&line("reads", estimate.bytes.map(format_size)));
    let seconds = estimate.seconds.map(Duration::from_secs).map(format_duration);
    text.push_str(&line("takes about", seconds));
    let wait = estimate.commit_lock_ms.map(Duration::from_millis).map(format_duration);
    text.push_str(&line("commits wait at most", wait));
    text.push_str(&line("extra disk", estimate.extra_disk_bytes.map(format_size)));
    for warning in &answer.warnings {
        text.push_str(&line("warning", Some(warning.clone())));
    }
    for (name, value) in &answer.facts {
        text.push_str(&format!("  {name} = {value}\n"));
    }
    for blocker in &answer.blockers {
        text.push_str(&line("blocked by", Some(blocker.what.clone())));
        let remedy = blocker.remedy.as_ref().map(shown);
        text.push_str(&line("  unlock", remedy));
    }
    if matches!(
        candidate.verdict,
        Verdict::CopiesFiles | Verdict::ThirdParty | Verdict::NoSpace { .. }
    ) {
        text.push_str(&line("unlock", candidate.remedy()));
    }
    text
}

fn line(name: &str, value: Option<String>) -> String {
    value.map(|value| format!("  {name}: {value}\n")).unwrap_or_default()
}
