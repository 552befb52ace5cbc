//! What the engine says of an environment: the server's side from the sdk, the datasets from here.
//! Nothing is changed.

use dbbackup_sdk::{
    Classify, Host,
    doctor::{doctor_findings, finding},
    document::{
        assessment::{Assessment, Blocker, Remedy},
        doctor::{DoctorFindings, Finding, Severity},
        environment::Environment,
    },
    shown,
    snapshot::{self, PageWrites, ServerPaths},
};

use crate::{datasets::Datasets, error::ZfsError, options::Options, zfs};

const MEBIBYTE: u64 = 1 << 20;

/// Judges an environment.
pub(crate) fn assess(environment: &Environment, options: &Options, host: &Host) -> Assessment {
    judge(environment, options, host).0
}

/// The same with the state of the storage: what is free, and what the account may do.
pub(crate) fn doctor(environment: &Environment, options: &Options, host: &Host) -> DoctorFindings {
    let (assessment, found) = judge(environment, options, host);
    doctor_findings(assessment, found.iter().flat_map(|found| storage(found, host)).collect())
}

fn judge(environment: &Environment, options: &Options, host: &Host) -> (Assessment, Option<Found>) {
    let found = match ServerPaths::proven_local(environment) {
        Ok(paths) => Some(look(&paths, environment, options, host)),
        // That is a blocker on the server's side already.
        Err(_) => None,
    };
    let (writes, blockers) = match &found {
        Some(Ok(found)) => (found.writes, found.blockers.clone()),
        Some(Err(error)) => {
            let remedy = error.hint().map(Remedy::Advice);
            (PageWrites::MayTear, vec![Blocker { what: shown(error), remedy }])
        }
        None => (PageWrites::MayTear, Vec::new()),
    };
    let mut assessment = snapshot::assessment(environment, writes, blockers);
    let found = found.and_then(Result::ok);
    if let Some(found) = &found {
        let names = found.datasets.names();
        assessment.reason = format!("ZFS snapshot of {}", names.join(" "));
        assessment.facts.insert("zfs.dataset".to_owned(), names.join(" ").into());
        let atomic = found.writes == PageWrites::AreAtomic;
        assessment.facts.insert("zfs.pages_are_atomic".to_owned(), atomic.into());
    }
    (assessment, found)
}

/// What is free for a snapshot, and whether the account needs nothing more.
fn storage(found: &Found, host: &Host) -> Vec<Finding> {
    let names = found.datasets.names();
    let mut findings = Vec::new();
    match zfs::available_bytes(&names).run(host) {
        Ok(answer) => findings.extend(zfs::smallest(&answer).map(|bytes| {
            let free = bytes / MEBIBYTE;
            let what =
                format!("{} has {free} MiB free for what changes meanwhile", names.join(" "));
            finding(Severity::Good, what, None)
        })),
        Err(error) => findings.push(finding(Severity::Warning, shown(&error), None)),
    }
    if !rustix::process::geteuid().is_root() && found.blockers.is_empty() {
        let what = format!("{} is delegated to this account", names.join(" "));
        findings.push(finding(Severity::Good, what, None));
    }
    findings
}

/// What was found out about the datasets.
struct Found {
    datasets: Datasets,
    writes: PageWrites,
    blockers: Vec<Blocker>,
}

fn look(
    paths: &ServerPaths,
    environment: &Environment,
    options: &Options,
    host: &Host,
) -> Result<Found, ZfsError> {
    let datasets = Datasets::holding(&paths.places()?, options)?;
    let writes = datasets.page_writes(paths, environment, host)?;
    let mut blockers = Vec::new();
    if !rustix::process::geteuid().is_root() {
        for dataset in datasets.names() {
            blockers.extend(lacking_permission(&dataset, host)?);
        }
    }
    Ok(Found { datasets, writes, blockers })
}

/// What keeps an account other than root from making snapshots of a dataset.
fn lacking_permission(dataset: &str, host: &Host) -> Result<Option<Blocker>, ZfsError> {
    let account = zfs::account().run(host).map_err(ZfsError::tool("ask for the account's name"))?;
    let answer = zfs::delegations(dataset)
        .run(host)
        .map_err(ZfsError::tool("ask for delegated permissions"))?;
    let account = account.trim();
    let lacking = zfs::lacking(&answer, account);
    Ok((!lacking.is_empty()).then(|| Blocker {
        what: format!("{account} may not {} {dataset}", lacking.join(", ")),
        remedy: Some(Remedy::Command(grant(account, dataset))),
    }))
}

/// The command that delegates what a backup needs.
fn grant(account: &str, dataset: &str) -> String {
    format!("zfs allow -u {account} create,snapshot,mount,destroy {dataset}")
}
