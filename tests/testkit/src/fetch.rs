//! Fetches software with the machine's package tools into private trees: nothing is installed.
pub(crate) mod apt;
mod btrfs;
mod command;
mod flavor;
mod garage;
mod npm;
mod peers;
mod pypi;
mod s3_peers;
mod seaweedfs;
mod tpch;
mod tree;
mod wrapper;

pub(crate) use btrfs::btrfs_programs;
pub(crate) use command::run;
pub use flavor::Flavor;
pub(crate) use garage::garage_program;
pub use peers::Peers;
pub use s3_peers::S3Peers;
pub(crate) use seaweedfs::seaweedfs_program;
pub(crate) use tpch::TpchGenerator;
pub use tree::ServerTree;
