//! The pipeline alone: a directory of `.ibd` files into an archive, pages checked and everything
//! hashed, and back out of it.
use super::contest::{Contest, chain};
use super::figure::{Bound, Figure};
use super::setting::{Setting, remove, size_bytes};
use anyhow::{Context, Result};
use dbbackup_testkit::{DataSet, release_examples};
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
    let built = release_examples(&["pipeline_bench"])?;
    let program = built.first().context("no program for the pipeline alone")?;
    let mut figures = Vec::new();
    for set in setting.sets.iter().copied() {
        let data = setting.data(set)?;
        let bench = Bench { setting, program, set, tables: data.tables_dir() };
        figures.extend(bench.pack(&GZIP)?);
        figures.extend(bench.pack(&ZSTD)?);
        figures.push(bench.unpack()?);
    }
    Ok(figures)
}

struct Bench<'a> {
    setting: &'a Setting,
    program: &'a Path,
    set: DataSet,
    tables: PathBuf,
}

impl Bench<'_> {
    /// Time and size of packing.
    fn pack(&self, format: &Format) -> Result<Vec<Figure>> {
        let ours = self.setting.path(&format!("ours.{}", format.name));
        let theirs = self.setting.path(&format!("peer.{}", format.name));
        let clear = || remove(&ours);
        let contest = Contest { rounds: self.setting.rounds, servers: &[], clear: &clear };
        let size = Figure::begin(format!("{}: size", format.name), self.set.name())?;
        let time = Figure::begin(format!("{}: pack", format.name), self.set.name())?;
        let rounds = contest.run(
            || self.pack_ours(&ours),
            || {
                let mut tar = self.setting.peer("tar");
                tar.arg("-C").arg(&self.tables).args(["-cf", "-", "."]);
                let mut words = format.peer.iter();
                let mut packer = self.setting.peer(words.next().context("no peer")?);
                packer.args(words);
                chain(vec![tar, packer], Some(&theirs))
            },
        )?;
        let time = time.ratio(format.peer_name, (format.time)(self.set), rounds)?;
        self.pack_ours(&ours)?;
        let ratio = ratio(size_bytes(&ours)?, size_bytes(&theirs)?);
        let size =
            size.value(format.peer_name, Bound::AtMost(format.size), "of it", vec![ratio])?;
        remove(&ours)?;
        remove(&theirs)?;
        Ok(vec![time, size])
    }

    fn pack_ours(&self, output: &Path) -> Result<()> {
        let mut command = Command::new(self.program);
        command.arg("pack").arg(&self.tables).arg(output);
        chain(vec![command], None)
    }

    /// Time of unpacking our own `.tar.gz`.
    fn unpack(&self) -> Result<Figure> {
        let archive = self.setting.path("ours.tar.gz");
        let directory = self.setting.path("unpacked");
        remove(&archive)?;
        self.pack_ours(&archive)?;
        let clear = || remove(&directory);
        let contest = Contest { rounds: self.setting.rounds, servers: &[], clear: &clear };
        let begun = Figure::begin("tar.gz: extract", self.set.name())?;
        let rounds = contest.run(
            || {
                fs::create_dir(&directory)?;
                let mut command = Command::new(self.program);
                command.arg("unpack").arg(&archive).arg(&directory);
                chain(vec![command], None)
            },
            || {
                fs::create_dir(&directory)?;
                let mut tar = self.setting.peer("tar");
                tar.arg("-C").arg(&directory).arg("-xzf").arg(&archive);
                chain(vec![tar], None)
            },
        )?;
        remove(&archive)?;
        begun.ratio("tar xzf", Bound::AtMost(0.6), rounds)
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes far below what a double counts exactly")]
fn ratio(ours: u64, theirs: u64) -> f64 {
    ours as f64 / theirs as f64
}
