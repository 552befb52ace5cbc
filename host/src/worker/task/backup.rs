//! A backup run in the worker: engine into pipeline into artefact.
use super::Context;
use crate::{
    manifest::{self, Written, restore_text},
    pipeline::{
        BlockFile, Container, MemberRecords, Output, Pipeline, PipelineError, PipelineReceipt,
        PipelineSpec, Progress,
    },
    plugin::PluginError,
    supervisor::job::{BackupReceipt, BackupTask, ManifestDraft, WorkerOutput},
    target::INNER_MANIFEST,
    worker::{
        error::WorkerError,
        output::{FlowReporter, WatchedBlocks, WatchedFile},
        sink,
        target::{WrittenObject, WrittenObjects},
    },
};
use dbbackup_plugin_api::{
    document::{
        backup::BackupSummary,
        manifest::{FileRecord, ObjectRecord, PagesRecord},
        path::EntryPath,
    },
    error::ErrorCode,
};
use jiff::Timestamp;
use std::{
    fs::File,
    num::{NonZeroU64, NonZeroUsize},
    sync::{Arc, PoisonError},
};

/// Root of our own members in an artefact.
const OUR_ROOT: &str = ".dbbackup";

/// Runs the engine and seals the artefact.
pub(super) fn run(
    context: &Context,
    task: BackupTask,
    artefact: File,
) -> Result<BackupReceipt, WorkerError> {
    let engine = context.load(&task.engine, &task.options)?;
    let (spec, progress) = pipeline_spec(context, &task)?;
    let container = spec.encoding.container();
    let mut written = WrittenObjects::default();
    let output = match &task.output {
        WorkerOutput::Stdout => {
            Output::Chunks(Box::new(WatchedFile::new(artefact, Arc::clone(&progress))))
        }
        WorkerOutput::File => {
            let file = BlockFile::new(artefact).map_err(|source| WorkerError::Output { source })?;
            Output::Chunks(Box::new(WatchedBlocks::new(file, Arc::clone(&progress))))
        }
        WorkerOutput::Directory { path } => Output::Directory(path.clone()),
        WorkerOutput::Target(output) => {
            let objects = context.target_objects(output, &task.draft.id, &progress)?;
            written = objects.written();
            Output::Chunks(Box::new(objects))
        }
    };
    let reporter = FlowReporter::start(Arc::clone(&context.link), Arc::clone(&progress))
        .map_err(|source| WorkerError::Thread { source })?;
    let pipeline = Arc::new(Pipeline::start(spec, output)?);
    let summary = match engine.backup(&task.request, sink::sink(&pipeline)) {
        Ok(summary) => summary,
        Err(error) => return Err(explained(error, &pipeline)),
    };
    let pipeline = Arc::into_inner(pipeline)
        .ok_or_else(|| WorkerError::SinkKept { engine: task.engine.engine.clone() })?;
    append_ours(&pipeline, container, &task.draft, &summary)?;
    let receipt = pipeline.finish()?;
    drop(reporter);
    report_findings(&receipt.members);
    let written = std::mem::take(&mut *written.lock().unwrap_or_else(PoisonError::into_inner));
    compare(&receipt, &written)?;
    Ok(backup_receipt(receipt, summary, written, &progress))
}

fn pipeline_spec(
    context: &Context,
    task: &BackupTask,
) -> Result<(PipelineSpec, Arc<Progress>), WorkerError> {
    let settings = &task.pipeline;
    let mut spec = PipelineSpec::new(task.encoding.parse()?);
    spec.recipients =
        settings.recipients.iter().map(|key| key.parse()).collect::<Result<_, _>>()?;
    spec.threads = settings.threads.and_then(NonZeroUsize::new);
    spec.limit_rate = settings.limit_rate.and_then(NonZeroU64::new);
    spec.cancel = context.link.cancel().clone();
    let progress = Arc::clone(&spec.progress);
    Ok((spec, progress))
}

/// The engine says what it saw of a failed pipeline; the pipeline knows why it failed. But for files
/// of the source that could not be read: an engine that then says something else than that the sink
/// has failed knows the reason behind it, such as a snapshot whose room has run out.
fn explained(error: PluginError, pipeline: &Pipeline) -> WorkerError {
    match root_cause(pipeline) {
        Some(cause) if cause.is_source() && is_own_reason(&error) => error.into(),
        Some(cause) => WorkerError::Pipeline(cause),
        None => error.into(),
    }
}

/// Whether an engine says something else than that the source could not be read, which is how the
/// sink has told it.
fn is_own_reason(error: &PluginError) -> bool {
    matches!(error, PluginError::Engine { error, .. } if error.code != ErrorCode::SOURCE_IO)
}

/// The first error of a pipeline, if it failed by itself.
fn root_cause(pipeline: &Pipeline) -> Option<PipelineError> {
    match pipeline.records() {
        Err(error @ (PipelineError::Cancelled | PipelineError::EntryAbandoned { .. })) => {
            tracing::debug!(%error, "the pipeline ended after its engine");
            None
        }
        Err(error) => Some(error),
        Ok(_) => None,
    }
}

/// Adds our own members behind the engine's: how to restore, and what is in here.
fn append_ours(
    pipeline: &Pipeline,
    container: Container,
    draft: &ManifestDraft,
    summary: &BackupSummary,
) -> Result<(), WorkerError> {
    if container == Container::Sql {
        return Ok(());
    }
    let files = pipeline.records()?.files;
    let roots = manifest::roots_of(draft.roots.clone(), &summary.roots, &files);
    let text = restore_text(&ManifestDraft { roots, ..draft.clone() }, &files);
    pipeline.append(OUR_ROOT, EntryPath::from("RESTORE.txt"), text.as_bytes())?;
    if container == Container::Tar {
        let files = pipeline.records()?.files;
        let pages = sum_pages(&files);
        let written = Written { summary: summary.clone(), files, objects: Vec::new(), pages };
        let inner = manifest::assemble(draft.clone(), written, Timestamp::now());
        let name = INNER_MANIFEST.rsplit('/').next().unwrap_or(INNER_MANIFEST);
        pipeline.append(OUR_ROOT, EntryPath::from(name), &manifest::to_bytes(&inner)?)?;
    }
    Ok(())
}

/// What the target says that it has stored is what went out.
fn compare(receipt: &PipelineReceipt, written: &[WrittenObject]) -> Result<(), WorkerError> {
    let sizes = receipt.objects.iter().map(|digest| digest.size_bytes);
    let stored = written.iter().map(|object| object.receipt.object.size_bytes);
    if written.is_empty() || sizes.eq(stored) {
        return Ok(());
    }
    let what = "the target has stored other sizes than were written";
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, what);
    Err(WorkerError::Output { source })
}

fn backup_receipt(
    receipt: PipelineReceipt,
    summary: BackupSummary,
    written: Vec<WrittenObject>,
    progress: &Progress,
) -> BackupReceipt {
    let pages = sum_pages(&receipt.members.files);
    let (mut degraded, mut markers) = (Vec::new(), Vec::new());
    let mut named = written.into_iter().map(|WrittenObject { name, receipt }| {
        degraded.extend(receipt.degraded);
        markers.extend(receipt.markers);
        (name, receipt.object.checksum)
    });
    let objects = receipt.objects.into_iter().map(|digest| {
        let (name, checksum) = named.next().unwrap_or_default();
        ObjectRecord { name, size_bytes: digest.size_bytes, sha256: digest.sha256, checksum }
    });
    let objects = objects.collect();
    degraded.dedup();
    markers.dedup();
    BackupReceipt {
        summary,
        objects,
        degraded,
        markers,
        pages,
        bytes_in: progress.content_bytes(),
        bytes_out: progress.output_bytes(),
        files: receipt.members.files,
    }
}

fn sum_pages(files: &[FileRecord]) -> PagesRecord {
    files.iter().filter_map(|file| file.pages).fold(PagesRecord::default(), |sum, pages| {
        PagesRecord {
            checked: sum.checked + pages.checked,
            unchecked: sum.unchecked + pages.unchecked,
            bad: sum.bad + pages.bad,
        }
    })
}

/// Names each file with damaged pages in the log; the manifest holds the sums.
fn report_findings(members: &MemberRecords) {
    for finding in &members.findings {
        let pages: Vec<_> = finding.report.counts.bad.iter().map(|bad| bad.page_number).collect();
        let bad = finding.report.counts.bad_total;
        tracing::warn!(path = %finding.path, bad, ?pages, "damaged pages in the source");
    }
}
