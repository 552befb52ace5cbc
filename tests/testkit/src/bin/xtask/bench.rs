//! `cargo xtask bench`: the product beside its peers, on the same data, in one run, as ratios.
mod abi;
mod clone;
mod comparison;
mod contest;
mod dump;
mod figure;
mod guests;
mod inside;
mod list;
mod mariadb_backup;
mod memory;
mod pipeline;
mod restore;
mod setting;
mod snapshot;
mod stall;
mod stream;
mod usage;

use anyhow::{Context, Result};
use clap::ValueEnum;
use dbbackup_testkit::DataSet;
use figure::{Figure, Report};
pub(crate) use inside::{InsideArgs, run as run_inside};
use setting::Setting;
use std::fs;
use std::path::PathBuf;

/// Measure the product beside its peers, and say which figure keeps its bound.
///
/// Builds the product in release mode, fetches the peers (tar, gzip, pigz, zstd, mysqldump, mariadb-backup) and the
/// makers of the data (sysbench, tpchgen-cli), and keeps the data sets in the cache directory,
/// 6 GB at scale 1. A figure and its peer take turns, so that both see the same load of the
/// machine; what counts is the median of the ratios of each turn. Nothing is installed, and a
/// missed bound is a finding, not a failure.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// What to measure; everything unless some are named.
    #[arg(value_enum)]
    topics: Vec<Topic>,
    /// How many turns each pair gets.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Size of the data: 1 is 1 GB of sysbench tables, and TPC-H at scale factor 1.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// The data to measure with; all sets unless some are named.
    #[arg(long, value_enum)]
    data: Vec<DataSet>,
    /// Fetch the peers and make the data sets, and measure nothing.
    #[arg(long)]
    prepare: bool,
    /// Write the figures with every single measurement into this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// A group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Topic {
    /// A directory of `.ibd` files into `.tar.gz` and `.tar.zst`, and back out of it.
    Pipeline,
    /// A logical dump into `.sql.gz`.
    Dump,
    /// The most memory that a dump takes, at this scale and at four times of it.
    Memory,
    /// `engine list` with seven plugins.
    List,
    /// Chunks from an engine through the plugin boundary.
    Abi,
    /// The clone protocol beside the server's own clone and a dump; restore, memory and stalls.
    Clone,
    /// A Btrfs snapshot of MariaDB beside `mariadb-backup`; restore, memory and stalls.
    Snapshot,
    /// Into S3: the uploader beside s5cmd, rclone and aws, and backups through it, against a sink that
    /// takes no time of its own; and the engines beside each other, as a table.
    Stream,
    /// The same with a real store, and a restore out of it; builds Garage, which takes ten minutes once.
    Store,
    /// LVM and ZFS snapshots beside `mariadb-backup`, a fifth of the data, in guests.
    Guests,
}

impl Topic {
    fn measure(self, setting: &Setting) -> Result<Vec<Figure>> {
        match self {
            Self::Pipeline => pipeline::measure(setting),
            Self::Dump => dump::measure(setting),
            Self::Memory => memory::measure(setting),
            Self::List => list::measure(setting),
            Self::Abi => abi::measure(setting),
            Self::Clone => clone::measure(setting),
            Self::Snapshot => snapshot::measure(setting),
            Self::Stream => stream::measure(setting),
            Self::Store => stream::measure_store(setting),
            Self::Guests => guests::measure(setting),
        }
    }

    /// The engine that it needs beyond `mysqldump`.
    fn engine(self) -> Option<&'static str> {
        match self {
            Self::Clone => Some("clone"),
            Self::Snapshot => Some("btrfs-snapshot"),
            Self::Stream | Self::Store => Some("s3-stream"),
            Self::Guests => Some("lvm-snapshot"),
            _ => None,
        }
    }
}

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    let topics = if args.topics.is_empty() { Topic::value_variants() } else { &args.topics };
    let sets = if args.data.is_empty() { DataSet::ALL.to_vec() } else { args.data.clone() };
    if args.prepare {
        return setting::prepare_data(&sets, args.scale);
    }
    let setting = Setting::prepare(args.rounds, args.scale, sets)?;
    let mut report = Report::new(args.rounds, args.scale);
    for topic in topics {
        println!("== {topic:?}");
        if let Some(engine) = topic.engine().filter(|engine| !setting.has_engine(engine)) {
            println!("   left out: this product has no engine {engine}");
            continue;
        }
        let figures = topic.measure(&setting).with_context(|| format!("measure {topic:?}"))?;
        report.add(figures);
    }
    println!("{report}");
    if let Some(path) = &args.json {
        let document = serde_json::to_vec_pretty(&report)?;
        fs::write(path, document).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
