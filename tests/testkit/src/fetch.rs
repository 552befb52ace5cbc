//! Fetches software with the machine's package tools into private trees: nothing is installed.
pub(crate) mod apt;
mod command;
mod flavor;
mod npm;
mod peers;
mod tree;
mod wrapper;

pub(crate) use command::run;
pub use flavor::Flavor;
pub use peers::Peers;
pub use tree::ServerTree;
