//! Measures the pipeline alone, as the worker and the restore use it; `cargo xtask bench` calls it.
//!
//! `pack DIR OUT` archives the files of a directory, page check and hashes included; `unpack FILE
//! DIR` extracts an archive into an empty directory. Both print one line of JSON.
#![allow(clippy::print_stdout, reason = "the measured figures are this program's result")]
use anyhow::{Context, Result, bail};
use dbbackup::pipeline::{
    BlockFile, Container, Encoding, Output, Pipeline, PipelineSpec,
    read::{LocalFile, ReadSpec},
};
use dbbackup_plugin_api::document::{
    Extra,
    entry::{EntryKind, EntryMeta, LocalEntry, PageCheck},
    path::EntryPath,
};
use std::{
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let start = Instant::now();
    let (content_bytes, output_bytes, bad_pages) = match arguments.as_slice() {
        [mode, source, target] if mode == Path::new("pack") => pack(source, target)?,
        [mode, source, target] if mode == Path::new("unpack") => unpack(source, target)?,
        _ => bail!("usage: pipeline_bench pack DIR OUT | unpack FILE DIR"),
    };
    let seconds = start.elapsed().as_secs_f64();
    let figures = serde_json::json!({
        "seconds": seconds,
        "content_bytes": content_bytes,
        "output_bytes": output_bytes,
        "bad_pages": bad_pages,
    });
    println!("{figures}");
    Ok(())
}

fn pack(source: &Path, target: &Path) -> Result<(u64, u64, u64)> {
    let name = target.to_str().context("the output name is no UTF-8")?;
    let encoding = Encoding::from_output_name(name)?;
    let output = if encoding.container() == Container::Directory {
        fs::create_dir(target)?;
        Output::Directory(target.to_path_buf())
    } else {
        Output::Chunks(Box::new(BlockFile::new(File::create(target)?)?))
    };
    let spec = PipelineSpec::new(encoding);
    let progress = spec.progress.clone();
    let pipeline = Pipeline::start(spec, output)?;
    let mut entries: Vec<LocalEntry> = Vec::new();
    for found in fs::read_dir(source)? {
        let path = found?.path();
        let name = path.file_name().context("a file without a name")?;
        let meta = EntryMeta {
            kind: EntryKind::File,
            root: "data".to_owned(),
            path: EntryPath::from_bytes(name.as_bytes()),
            size_bytes: None,
            mode: None,
            uid: None,
            gid: None,
            modified_unix: None,
            pages: PageCheck::Strict,
            extra: Extra::new(),
        };
        entries.push(LocalEntry { meta, source: path });
    }
    entries.sort_by(|left, right| left.source.cmp(&right.source));
    pipeline.add_local(&entries)?;
    pipeline.finish()?;
    Ok((progress.content_bytes(), progress.output_bytes(), progress.bad_pages()))
}

fn unpack(source: &Path, target: &Path) -> Result<(u64, u64, u64)> {
    let name = source.to_str().context("the artefact's name is no UTF-8")?;
    let artefact = LocalFile::open(source)?;
    let spec = ReadSpec::new(name, Encoding::from_output_name(name)?);
    let mut members = spec.members_of(Arc::new(artefact))?;
    let mut bytes = 0;
    while let Some(header) = members.next_member()? {
        if !header.path.is_safe() {
            bail!("unsafe name {}", header.path);
        }
        let path = target.join(std::ffi::OsStr::from_bytes(header.path.as_bytes()));
        if header.kind == EntryKind::Directory {
            fs::create_dir_all(&path)?;
            continue;
        }
        fs::create_dir_all(path.parent().unwrap_or(target))?;
        bytes += members.copy_to_file(&File::create_new(&path)?, &path)?;
    }
    members.finish()?;
    Ok((bytes, fs::metadata(source)?.len(), 0))
}
