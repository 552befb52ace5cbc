//! The pipeline alone: a directory of `.ibd` files into an archive, pages checked and everything
//! hashed, and back out of it.
use super::contest::{Contest, chain};
use super::figure::{Bound, Figure};
use super::setting::{Setting, remove};
use anyhow::{Context, Result};
use dbbackup_testkit::DataSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An archive format with the peer that makes the like of it.
struct Format {
    name: &'static str,
    peer_name: &'static str,
    peer: &'static [&'static str],
    time: fn(DataSet) -> Bound,
    size: f64,
}

const GZIP: Format = Format {
    name: "tar.gz",
    peer_name: "tar | pigz",
    peer: &["pigz"],
    time: |_| Bound::AtMost(0.3),
    size: 1.03,
};

const ZSTD: Format = Format {
    name: "tar.zst",
    peer_name: "tar | zstd -3 -T2",
    peer: &["zstd", "-q", "-3", "-T2"],
    // Faster on random digits, no slower on text.
    time: |set| match set {
        DataSet::Sysbench => Bound::Below(1.0),
        DataSet::Tpch => Bound::AtMost(1.0),
    },
    size: 1.02,
};

pub(crate) fn measure(setting: &Setting) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for set in setting.sets.iter().copied() {
        let data = setting.data(set)?;
        let bench = Bench { setting, set, tables: data.tables_dir() };
        figures.extend(bench.pack(&GZIP)?);
        figures.extend(bench.pack(&ZSTD)?);
        figures.push(bench.unpack()?);
    }
    Ok(figures)
}

struct Bench<'a> {
    setting: &'a Setting,
    set: DataSet,
    tables: PathBuf,
}

impl Bench<'_> {
    /// Time and size of packing.
    fn pack(&self, format: &Format) -> Result<[Figure; 2]> {
        let output = format!("packed.{}", format.name);
        let time = Figure::begin(format!("{}: pack", format.name), self.set.name())?;
        let size = time.another(format!("{}: size", format.name));
        let rounds = self.contest(&output).run(
            |output| chain(vec![pack(self.setting, &self.tables, output)], None),
            |output| {
                let mut words = format.peer.iter();
                let mut packer = self.setting.peer(words.next().context("no peer")?);
                packer.args(words);
                chain(vec![tar(self.setting, &self.tables), packer], Some(output))
            },
        )?;
        let size = size.size(format.peer_name, Bound::AtMost(format.size), &rounds)?;
        Ok([time.ratio(format.peer_name, (format.time)(self.set), rounds)?, size])
    }

    /// Time of unpacking our own `.tar.gz`.
    fn unpack(&self) -> Result<Figure> {
        let archive = self.setting.path("ours.tar.gz");
        remove(&archive)?;
        chain(vec![pack(self.setting, &self.tables, &archive)], None)?;
        let begun = Figure::begin("tar.gz: extract", self.set.name())?;
        let rounds = self.contest("unpacked").run(
            |output| {
                fs::create_dir(output)?;
                chain(vec![unpack(self.setting, &archive, output)], None)
            },
            |output| {
                fs::create_dir(output)?;
                let mut tar = self.setting.peer("tar");
                tar.arg("-C").arg(output).arg("-xzf").arg(&archive);
                chain(vec![tar], None)
            },
        )?;
        remove(&archive)?;
        begun.ratio("tar xzf", Bound::AtMost(0.6), rounds)
    }

    fn contest<'a>(&self, output: &'a str) -> Contest<'a> {
        let directory = self.setting.path("turn");
        Contest { rounds: self.setting.rounds, servers: &[], directory, output }
    }
}

/// The pipeline's own packing of the files in a directory.
pub(crate) fn pack(setting: &Setting, files: &Path, output: &Path) -> Command {
    let mut command = Command::new(setting.example("pipeline_bench"));
    command.arg("pack").arg(files).arg(output);
    command
}

/// The pipeline's own extraction into a directory.
pub(crate) fn unpack(setting: &Setting, archive: &Path, directory: &Path) -> Command {
    let mut command = Command::new(setting.example("pipeline_bench"));
    command.arg("unpack").arg(archive).arg(directory);
    command
}

/// Everything in a directory, as an archive on stdout.
pub(crate) fn tar(setting: &Setting, directory: &Path) -> Command {
    let mut tar = setting.peer("tar");
    tar.arg("-C").arg(directory).args(["-cf", "-", "."]);
    tar
}
