//! Why no engine was chosen.
use super::rank::{Candidate, Ranking, Verdict};
use crate::exit::{Classified, Exit};

/// No engine was chosen.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// None of the engines that were meant can run here.
    #[error("{}", none_fits_text(name, obstacles))]
    NoneFits {
        /// What was asked for.
        name: String,
        /// What stands in the way, engine by engine.
        obstacles: Vec<String>,
        /// What the operator can do about the first of them.
        remedy: Option<String>,
        /// Exit code and stable code of the only engine's own error, if that is why, or of an output
        /// that none of them writes.
        own: Option<(Exit, String)>,
    },
}

impl SelectError {
    pub(crate) fn none_fits(name: &str, ranking: &Ranking) -> Self {
        let obstacles = ranking
            .candidates
            .iter()
            .map(|candidate| format!("{}: {}", candidate.engine, candidate.obstacle()));
        let remedy = ranking.candidates.iter().find_map(|candidate| candidate.remedy());
        let copies_files = |candidate: &Candidate| candidate.verdict == Verdict::CopiesFiles;
        let own = match ranking.candidates.as_slice() {
            [Candidate { verdict: Verdict::Failed { exit, code, .. }, .. }] => {
                Some((*exit, code.clone()))
            }
            [] => None,
            all if all.iter().all(copies_files) => {
                Some((Exit::Usage, "E-SELECT-OUTPUT".to_owned()))
            }
            _ => None,
        };
        Self::NoneFits { name: name.to_owned(), obstacles: obstacles.collect(), remedy, own }
    }
}

fn none_fits_text(name: &str, obstacles: &[String]) -> String {
    let listed = obstacles.join("; ");
    match (name, obstacles.is_empty()) {
        ("auto", true) => "no engine that makes backups is installed".to_owned(),
        ("auto", false) => format!("no engine can back up this server: {listed}"),
        (_, _) => format!("engine {name} cannot back up this server: {listed}"),
    }
}

impl Classified for SelectError {
    fn exit(&self) -> Exit {
        let Self::NoneFits { own, .. } = self;
        own.as_ref().map_or(Exit::Precondition, |(exit, _)| *exit)
    }

    fn hint(&self) -> Option<String> {
        let Self::NoneFits { remedy, .. } = self;
        remedy.clone().or_else(|| Some("dbbackup engine select --explain says more".to_owned()))
    }

    fn code(&self) -> String {
        let Self::NoneFits { own, .. } = self;
        own.as_ref().map_or_else(|| "E-SELECT-NONE".to_owned(), |(_, code)| code.clone())
    }
}
