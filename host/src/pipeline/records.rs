//! What is known of the members that are complete: records for the manifest, findings of the page
//! check.
use super::{
    cancel::lock,
    pages::{DoublewriteCopies, PageReport},
};
use dbbackup_plugin_api::document::{
    manifest::{FileRecord, PagesRecord},
    path::EntryPath,
};
use std::sync::Mutex;

/// A file whose pages are not all good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFinding {
    /// Name of the member.
    pub path: EntryPath,
    /// What was found in it.
    pub report: PageReport,
}

/// Members of an artefact in its order, and bad pages among them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemberRecords {
    /// One record a member.
    pub files: Vec<FileRecord>,
    /// Files with bad pages.
    pub findings: Vec<PageFinding>,
}

/// Collects members as they are completed, in any order.
#[derive(Debug, Default)]
pub(super) struct RecordKeeper {
    finished: Mutex<Vec<FinishedMember>>,
}

/// A member that is complete.
#[derive(Clone, Debug)]
pub(super) struct FinishedMember {
    pub(super) record: FileRecord,
    /// Present if the entry allowed a page check.
    pub(super) report: Option<PageReport>,
}

impl FinishedMember {
    /// Pages that are bad whatever else the artefact holds.
    pub(super) fn bad_pages(&self) -> u64 {
        self.report.as_ref().map_or(0, |report| report.counts.bad_total)
    }
}

impl RecordKeeper {
    pub(super) fn add(&self, member: FinishedMember) {
        lock(&self.finished).push(member);
    }

    /// All members so far. Torn pages are settled against the doublewrite copies seen so far.
    pub(super) fn snapshot(&self) -> MemberRecords {
        settle(lock(&self.finished).clone())
    }
}

/// Decides about torn pages, which only the whole copy can tell.
pub(super) fn settle(members: Vec<FinishedMember>) -> MemberRecords {
    let mut copies = DoublewriteCopies::default();
    for report in members.iter().filter_map(|member| member.report.as_ref()) {
        copies.collect(report);
    }
    let mut settled = MemberRecords::default();
    for FinishedMember { mut record, report } in members {
        if let Some(mut report) = report {
            report.settle_torn(&copies);
            record.pages = Some(sums(&report));
            if !report.is_good() {
                settled.findings.push(PageFinding { path: record.path.clone(), report });
            }
        }
        settled.files.push(record);
    }
    settled
}

fn sums(report: &PageReport) -> PagesRecord {
    let counts = &report.counts;
    PagesRecord {
        checked: counts.pages_checked + counts.pages_empty,
        // A repairable page is no good page yet: the server makes it one when it starts.
        unchecked: counts.pages_unchecked.values().sum::<u64>() + counts.pages_repairable,
        bad: counts.bad_total,
    }
}
