//! The test kit: real servers, data, load and faults for the tests of dbbackup, fetched and
//! started without anything being installed.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use dbbackup_testkit::{Flavor, Server, ServerOptions};
//! let server = Server::start(Flavor::Mysql97, ServerOptions::default())?;
//! server.sql("CREATE DATABASE shop")?;
//! let names: Vec<String> = server.rows("SHOW DATABASES")?;
//! # Ok(())
//! # }
//! ```
mod btrfs_disk;
mod cache;
mod certificates;
mod contents;
mod data;
mod disk;
pub mod env;
mod fetch;
mod guest;
mod load;
mod port;
mod process;
mod product;
mod proof;
mod proxy;
mod random;
mod rig;
mod s3;
mod scratch;
mod server;
mod skip;
mod wait;

pub use btrfs_disk::{BtrfsDisk, FrozenDisk};
pub use contents::Contents;
pub use data::{
    DataSet, MeasuredData, SampleTables, kitchen_sink, large_row, non_transactional_tables,
};
pub use disk::SmallDisk;
pub use fetch::{Flavor, Peers, S3Peers, ServerTree};
pub use guest::{Guest, GuestKind, GuestOutcome, Steps, VolumeGroup, run_program};
pub use load::{DdlLoad, LoadReport, WriteLoad};
pub use mysql_async;
pub use product::{Product, build_examples, workspace_root};
pub use proof::{BinlogPlace, BusyLoad, Proof, Restored, check_tables, prove_under_load};
pub use proxy::{Direction, Ending, FaultProxy};
pub use random::Random;
pub use rig::{Invocation, Outcome, Rig, Running, children_of};
pub use rustix::process::Signal;
pub use s3::{
    Fault, FaultRule, S3_BUCKET, S3Access, S3Client, S3Failure, S3FaultProxy, S3Head, S3Object,
    S3Operation, S3Options, S3Request, S3Server, S3Sink, S3Store, S3Upload,
};
pub use scratch::Scratch;
pub use server::{
    ADMIN_PASSWORD, ADMIN_USER, Account, AuthPlugin, Server, ServerOptions, Session, Tls,
};
pub use skip::{is_root, note_skip};
pub use wait::{pause, wait_until};
