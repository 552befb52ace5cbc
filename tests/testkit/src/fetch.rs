//! Fetches software with the machine's package tools into private trees: nothing is installed.
pub(crate) mod apt;
mod btrfs;
mod command;
mod flavor;
mod npm;
mod peers;
mod tpch;
mod tree;
mod wrapper;

pub(crate) use btrfs::btrfs_programs;
pub(crate) use command::run;
pub use flavor::Flavor;
pub use peers::Peers;
pub(crate) use tpch::TpchGenerator;
pub use tree::ServerTree;
