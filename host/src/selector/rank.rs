//! The formula by which the host ranks engines: points for facts, the engine's own score only
//! among equals.
//!
//! | fact | points |
//! |---|---|
//! | copies files, and there are more than 10 GB of data | +50 |
//! | logical, and there are at most 10 GB | +45 |
//! | copies files, and physical backups are preferred by the caller | +60 |
//! | family `clone`, MySQL 8.0.17 or later, clone plugin active | +40 |
//! | family `snapshot`: it applies only where file system or volume have snapshots | +30 |
//! | destination in the cloud, no extra disk needed here | +10 |
//! | destination in the cloud, extra disk needed here | -20 |
//! | commits would wait for longer than the budget | -25 |
//!
//! A blocker whose remedy is `--accept-degraded NAME` counts as gone where the operator accepts NAME.
//!
//! Not ranked at all: an engine that is not applicable or did not answer; one that copies files, where
//! the output is to hold SQL text; one of a third party in
//! an automatic choice, unless the configuration allows it; one that needs more extra disk than is
//! free beside the data (members of the family `snapshot` judge that themselves: their disk is the
//! volume's, not the file system's). Equal points: the engine's own score, then ours before others', then the
//! id. The formula has no clock and no chance in it: same facts, same choice.
use super::SNAPSHOT_FAMILY;
use crate::{
    config::units::{format_size, format_size_short},
    exit::Exit,
    plugin::EngineRef,
    supervisor::job::ErrorReport,
};
use dbbackup_plugin_api::document::{
    assessment::{Assessment, Blocker, Consistency, Remedy},
    environment::{Environment, ServerFacts, ServerFlavor},
};
use serde::Serialize;
use std::cmp::Reverse;

/// Data above which copying files is better than reading rows, bytes.
pub const PHYSICAL_ABOVE_BYTES: u64 = 10 << 30;

/// First version with a clone plugin.
const CLONE_SINCE: [u16; 3] = [8, 0, 17];

/// What the caller decides.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Physical engines get more points.
    pub prefer_physical: bool,
    /// Engines of others may be chosen.
    pub third_parties: bool,
    /// Longest time that commits may wait, milliseconds.
    pub max_lock_ms: Option<u64>,
    /// Weaker promises that the operator accepts, by name.
    pub accepted: Vec<String>,
    /// The output holds one SQL text, so that engines that copy files cannot write it.
    pub into_sql: bool,
}

impl Rules {
    /// True if all that stands in the way is a weaker promise that was accepted.
    fn lift(&self, assessment: &Assessment) -> bool {
        let is_accepted = |blocker: &Blocker| match &blocker.remedy {
            Some(Remedy::Option(option)) => option
                .strip_prefix("--accept-degraded ")
                .is_some_and(|name| self.accepted.iter().any(|accepted| accepted == name.trim())),
            _ => false,
        };
        !assessment.blockers.is_empty() && assessment.blockers.iter().all(is_accepted)
    }
}

/// A remedy as it can be copied into a client or a shell: statements end with a semicolon.
pub fn shown(remedy: &Remedy) -> String {
    let text = remedy.text().trim_end();
    match remedy {
        Remedy::Sql(_) if !text.ends_with(';') => format!("{text};"),
        _ => text.to_owned(),
    }
}

/// An engine that was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Engine id.
    pub engine: String,
    /// Its family.
    pub family: String,
    /// Plugin id.
    pub plugin: String,
    /// dbbackup itself ships it.
    pub first_party: bool,
    /// Its answer, if there was one.
    pub assessment: Option<Assessment>,
    /// Points in all.
    pub points: i32,
    /// What the points are for.
    pub account: Vec<Entry>,
    /// What became of it.
    pub verdict: Verdict,
}

/// Points for one fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The fact.
    pub fact: String,
    /// Points, negative for a disadvantage.
    pub points: i32,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It may be chosen.
    Eligible,
    /// It says that it cannot run here.
    NotApplicable,
    /// It copies files, and the output is to hold SQL text.
    CopiesFiles,
    /// It may only be chosen by name.
    ThirdParty,
    /// It needs more extra disk than there is.
    NoSpace {
        /// What it needs, bytes.
        needed_bytes: u64,
        /// What is free, bytes.
        free_bytes: u64,
    },
    /// It did not answer.
    Failed {
        /// Exit code of its error.
        #[serde(skip)]
        exit: Exit,
        /// Stable code of its error.
        code: String,
        /// Its error.
        message: String,
        /// What the operator can do.
        hint: Option<String>,
    },
}

/// All candidates, best first; those that cannot be chosen at the end.
#[derive(Clone, Debug, Serialize)]
pub struct Ranking {
    /// The candidates.
    pub candidates: Vec<Candidate>,
}

impl Candidate {
    /// An engine and its answer, not judged yet.
    pub fn new(found: EngineRef<'_>, answer: Result<Assessment, ErrorReport>) -> Self {
        let (assessment, verdict) = match answer {
            Ok(assessment) if assessment.applicable => (Some(assessment), Verdict::Eligible),
            Ok(assessment) => (Some(assessment), Verdict::NotApplicable),
            Err(report) => {
                let causes = report.causes.iter().map(|cause| format!(": {cause}"));
                let message = format!("{}{}", report.message, causes.collect::<String>());
                let exit = Exit::from_code(report.exit).unwrap_or(Exit::Failed);
                let verdict =
                    Verdict::Failed { exit, code: report.code, message, hint: report.hint };
                (None, verdict)
            }
        };
        Self {
            engine: found.engine.id.clone(),
            family: found.engine.family.clone(),
            plugin: found.plugin.id().unwrap_or_default().to_owned(),
            first_party: found.plugin.is_first_party(),
            assessment,
            points: 0,
            account: Vec::new(),
            verdict,
        }
    }

    /// What stands in its way, in one line; empty if nothing does.
    pub fn obstacle(&self) -> String {
        match &self.verdict {
            Verdict::Eligible => String::new(),
            Verdict::NotApplicable => {
                let blockers = self.assessment.iter().flat_map(|answer| &answer.blockers);
                let blockers: Vec<&str> = blockers.map(|blocker| blocker.what.as_str()).collect();
                if blockers.is_empty() { "not applicable".to_owned() } else { blockers.join(", ") }
            }
            Verdict::CopiesFiles => "copies files, and the output holds SQL text".to_owned(),
            Verdict::ThirdParty => "of a third party, and not named".to_owned(),
            Verdict::NoSpace { needed_bytes, free_bytes } => {
                let (needed, free) = (format_size(*needed_bytes), format_size(*free_bytes));
                format!("needs {needed} of extra disk, {free} are free")
            }
            Verdict::Failed { message, .. } => message.clone(),
        }
    }

    /// The first statement, command or advice that would remove what stands in its way.
    pub fn remedy(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Eligible => None,
            Verdict::NoSpace { needed_bytes, free_bytes } => {
                let lacking = format_size(needed_bytes.saturating_sub(*free_bytes));
                Some(format!("free {lacking} beside the data, or write into another place"))
            }
            Verdict::NotApplicable => {
                let mut blockers = self.assessment.iter().flat_map(|answer| &answer.blockers);
                blockers.find_map(|blocker| Some(shown(blocker.remedy.as_ref()?)))
            }
            Verdict::CopiesFiles => Some(
                "end the output in .tar.gz, .tar.zst, .tar or / for files, or name an engine that \
                 writes SQL, such as mysqldump"
                    .to_owned(),
            ),
            Verdict::ThirdParty => Some(format!(
                "name it with --engine {}, or set plugins.auto_select_third_party: true",
                self.engine
            )),
            Verdict::Failed { hint, .. } => hint.clone(),
        }
    }

    fn judge(&mut self, environment: &Environment, rules: &Rules) {
        let Some(answer) = &self.assessment else { return };
        if self.verdict == Verdict::NotApplicable && rules.lift(answer) {
            self.verdict = Verdict::Eligible;
        }
        if self.verdict != Verdict::Eligible {
            return;
        }
        if rules.into_sql && answer.consistency == Consistency::Physical {
            self.verdict = Verdict::CopiesFiles;
        } else if let Some(verdict) = self.lack_of_space(answer, environment) {
            self.verdict = verdict;
        } else if !self.first_party && !rules.third_parties {
            self.verdict = Verdict::ThirdParty;
        }
        self.account = account(&self.family, answer, environment, rules);
        self.points = self.account.iter().map(|entry| entry.points).sum();
    }
}

impl Candidate {
    /// Extra disk that is not there, beside the data. A snapshot grows in its volume group or pool,
    /// of which free space inside the file system says nothing: its engine looks there itself.
    fn lack_of_space(&self, answer: &Assessment, environment: &Environment) -> Option<Verdict> {
        let needed_bytes = answer.estimate.extra_disk_bytes.unwrap_or(0);
        let data =
            environment.paths.iter().find(|path| path.role == "data" && path.proven_local)?;
        let lacks = self.family != SNAPSHOT_FAMILY && needed_bytes > data.free_bytes;
        lacks.then_some(Verdict::NoSpace { needed_bytes, free_bytes: data.free_bytes })
    }
}

/// The points of an applicable engine, fact by fact.
fn account(
    family: &str,
    answer: &Assessment,
    environment: &Environment,
    rules: &Rules,
) -> Vec<Entry> {
    let physical = answer.consistency == Consistency::Physical;
    let bytes = environment.server.as_ref().map(|server| server.data_bytes);
    let large = bytes.is_some_and(|bytes| bytes > PHYSICAL_ABOVE_BYTES);
    let extra = answer.estimate.extra_disk_bytes;
    let cloud = environment.destination.cloud;
    let clones = environment.server.as_ref().is_some_and(can_clone);
    let waits = answer.estimate.commit_lock_ms.zip(rules.max_lock_ms);
    let facts = [
        (physical && large, 50, "copies files, more than 10 GB of data"),
        (!physical && !large, 45, "logical, at most 10 GB of data"),
        (physical && rules.prefer_physical, 60, "copies files, as preferred"),
        (family == "clone" && clones, 40, "MySQL 8.0.17+ with clone plugin active"),
        (family == SNAPSHOT_FAMILY, 30, "the storage has snapshots"),
        (cloud && extra == Some(0), 10, "cloud destination, no extra disk"),
        (cloud && extra.is_some_and(|bytes| bytes > 0), -20, "cloud destination, needs extra disk"),
        (waits.is_some_and(|(wait, limit)| wait > limit), -25, "commits wait beyond the budget"),
    ];
    let counted = facts.into_iter().filter(|(holds, _, _)| *holds);
    counted.map(|(_, points, fact)| Entry { fact: fact.to_owned(), points }).collect()
}

fn can_clone(server: &ServerFacts) -> bool {
    server.flavor != ServerFlavor::MariaDB
        && server.version >= CLONE_SINCE
        && server.plugins.iter().any(|plugin| plugin == "clone")
}

impl Ranking {
    /// Judges and sorts the candidates.
    pub fn of(mut candidates: Vec<Candidate>, environment: &Environment, rules: &Rules) -> Self {
        for candidate in &mut candidates {
            candidate.judge(environment, rules);
        }
        candidates.sort_by_key(|candidate| {
            let score = candidate.assessment.as_ref().map_or(0, |answer| answer.score);
            (
                candidate.verdict != Verdict::Eligible,
                Reverse(candidate.points),
                Reverse(score),
                !candidate.first_party,
                candidate.engine.clone(),
            )
        });
        Self { candidates }
    }

    /// The best, if any can be chosen.
    pub fn chosen(&self) -> Option<&Candidate> {
        self.candidates.first().filter(|best| best.verdict == Verdict::Eligible)
    }

    /// Why the best is the best, in one line.
    pub fn reason(&self, name: &str, environment: &Environment) -> String {
        let Some(best) = self.chosen() else { return String::new() };
        let own = best.assessment.as_ref().map(|answer| answer.reason.trim()).unwrap_or_default();
        let own = if own.is_empty() { best.facts_in_words() } else { own.to_owned() };
        if name == best.engine {
            return format!("named; {own}");
        }
        let Some(server) = &environment.server else { return own };
        let size = format_size_short(server.data_bytes);
        let is_physical = |candidate: &Candidate| {
            let answer = candidate.assessment.as_ref();
            answer.is_some_and(|answer| answer.consistency == Consistency::Physical)
        };
        let copies_files = |candidate: &Candidate| candidate.verdict == Verdict::CopiesFiles;
        if self.candidates.iter().any(copies_files) {
            return format!("{own}; the output holds SQL text");
        }
        if server.data_bytes > PHYSICAL_ABOVE_BYTES && !is_physical(best) {
            return format!("{own}; no engine that copies files can run on this {size} database");
        }
        format!("{own}, optimal for {size} database")
    }
}

impl Candidate {
    fn facts_in_words(&self) -> String {
        let facts: Vec<&str> = self.account.iter().map(|entry| entry.fact.as_str()).collect();
        if facts.is_empty() { "the only applicable engine".to_owned() } else { facts.join(", ") }
    }
}

#[cfg(test)]
mod tests;
