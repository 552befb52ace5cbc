//! Sample data: every feature of a server in one schema, and plain tables of any size.
mod bulk;
mod kitchen_sink;

pub use bulk::SampleTables;
pub use kitchen_sink::{kitchen_sink, large_row, non_transactional_tables};
