//! Every member against its record, and its pages against their checksums.
use super::VerifyReport;
use crate::{
    artefact::{ArtefactError, ArtefactMembers, Member},
    pipeline::pages::{DoublewriteCopies, FileHint, PageChecker, PageReport},
    supervisor::{Observer, RunEvent, event::FlowEvent},
    target::INNER_MANIFEST,
};
use dbbackup_plugin_api::document::{
    entry::{EntryKind, PageCheck},
    manifest::PagesRecord,
};
use std::path::PathBuf;

/// Bytes that are read at once.
const READ_BYTES: usize = 1 << 20;
/// Bytes between two reports of progress.
const REPORT_BYTES: u64 = 64 << 20;
/// Problems that are listed; more say nothing new.
const MAX_PROBLEMS: usize = 100;

/// Reads all members. Hashes and sizes are compared by the reader, which fails on the first member
/// that does not fit.
pub(super) fn check(
    members: &mut ArtefactMembers,
    check_pages: bool,
    report: &mut VerifyReport,
    observer: &dyn Observer,
) -> Result<(), ArtefactError> {
    let mut reports = Vec::new();
    let mut copies = DoublewriteCopies::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut reported_bytes = 0;
    while let Some(member) = members.next_member()? {
        report.members += 1;
        if member.record.is_none() && member.path.as_bytes() != INNER_MANIFEST.as_bytes() {
            problem(report, format!("member {} is not in the manifest", member.path));
        }
        let mut checker = (check_pages && may_have_pages(&member))
            .then(|| PageChecker::new(page_mode(&member), FileHint::new(member.path.to_string())));
        loop {
            let length = members.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            report.bytes += u64::try_from(length).unwrap_or(u64::MAX);
            if let Some(checker) = &mut checker {
                checker.push(buffer.get(..length).unwrap_or_default());
            }
            if report.bytes - reported_bytes >= REPORT_BYTES {
                reported_bytes = report.bytes;
                let flow = FlowEvent { bytes_in: report.bytes, ..FlowEvent::default() };
                observer.event(&RunEvent::Flow(flow));
            }
        }
        if let Some(checker) = checker {
            let pages = checker.finish();
            copies.collect(&pages);
            reports.push((member, pages));
        }
    }
    for (member, mut pages) in reports {
        pages.settle_torn(&copies);
        sum_up(&member, &pages, report);
    }
    Ok(())
}

/// As the engine said when it wrote the file.
fn page_mode(member: &Member) -> PageCheck {
    member.record.as_ref().map(|record| record.page_check).unwrap_or_default()
}

/// A file that had its pages checked when it was written.
fn may_have_pages(member: &Member) -> bool {
    let record = member.record.as_ref();
    member.kind == EntryKind::File && record.is_some_and(|record| record.pages.is_some())
}

fn sum_up(member: &Member, pages: &PageReport, report: &mut VerifyReport) {
    let counts = &pages.counts;
    report.pages = PagesRecord {
        checked: report.pages.checked + counts.pages_checked,
        unchecked: report.pages.unchecked + counts.pages_unchecked.values().sum::<u64>(),
        bad: report.pages.bad + counts.bad_total,
    };
    for bad in &counts.bad {
        let path = PathBuf::from(member.path.to_string());
        problem(
            report,
            format!("{}: page {} is bad: {:?}", path.display(), bad.page_number, bad.reason),
        );
    }
}

fn problem(report: &mut VerifyReport, text: String) {
    if report.problems.len() < MAX_PROBLEMS {
        report.problems.push(text);
    }
}
