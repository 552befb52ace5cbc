//! A plugin of another vendor that joins the family `snapshot`, and behaves.
use dbbackup_sdk::{
    BackupEngine, BackupRun, Engine, EntryReader, Failure, Host, RestoreEngine, RestoreRun, Sink,
    document::{
        assessment::{Assessment, Blocker, Consistency, Estimate, Remedy},
        backup::BackupSummary,
        environment::Environment,
        restore::{RestorePlan, RestoreSummary},
    },
    export_plugin,
};

export_plugin! {
    manifest: "plugins/family_member.json",
    engines: { "acme-ceph" => Member: [backup, restore] },
}

struct Member(Options);

#[derive(Default, serde::Deserialize)]
struct Options {
    /// What is missing, if something is.
    without: Option<String>,
}

impl Engine for Member {
    type Options = Options;
    fn create(options: Options, _host: &Host) -> Result<Self, Failure> {
        Ok(Self(options))
    }
    fn assess(&self, environment: &Environment, _host: &Host) -> Result<Assessment, Failure> {
        let blockers: Vec<Blocker> = self.0.without.iter().map(missing).collect();
        Ok(Assessment {
            applicable: blockers.is_empty(),
            blockers,
            reason: "the volume has snapshots".to_owned(),
            consistency: Consistency::Physical,
            // No more than an opinion: it must not win by it.
            score: 100,
            estimate: Estimate {
                bytes: environment.server.as_ref().map(|server| server.data_bytes),
                extra_disk_bytes: Some(0),
                ..Estimate::default()
            },
            facts: [("acme-ceph.pool".to_owned(), "rbd".into())].into(),
            ..Assessment::default()
        })
    }
}

fn missing(what: &String) -> Blocker {
    let remedy = Some(Remedy::Command(format!("acmectl enable {what}")));
    Blocker { what: format!("{what} is not enabled"), remedy }
}

impl BackupEngine for Member {
    fn backup(&self, run: &BackupRun, sink: &Sink) -> Result<BackupSummary, Failure> {
        dbbackup_rogue::emit(run, sink, dbbackup_rogue::DEFAULT_BYTES)
    }
}

impl RestoreEngine for Member {
    fn check(&self, run: &RestoreRun) -> Result<RestorePlan, Failure> {
        Ok(dbbackup_rogue::plan(run))
    }
    fn restore(
        &self,
        _run: &RestoreRun,
        entries: &mut EntryReader,
    ) -> Result<RestoreSummary, Failure> {
        dbbackup_rogue::absorb(entries)
    }
    fn finish(&self, _run: &RestoreRun) -> Result<RestoreSummary, Failure> {
        Ok(RestoreSummary::default())
    }
}
