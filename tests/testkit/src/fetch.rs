//! Fetches software with the machine's package tools into private trees: nothing is installed.
pub(crate) mod apt;
mod btrfs;
mod command;
mod flavor;
mod npm;
mod peers;
mod tree;
mod wrapper;

pub(crate) use btrfs::btrfs_programs;
pub(crate) use command::run;
pub use flavor::Flavor;
pub use peers::Peers;
pub use tree::ServerTree;
