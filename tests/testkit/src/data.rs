//! Sample data: every feature of a server in one schema, plain tables of any size, and large
//! data sets to measure with.
mod bulk;
mod kitchen_sink;
mod measured;

pub use bulk::SampleTables;
pub use kitchen_sink::{kitchen_sink, large_row, non_transactional_tables};
pub use measured::{DataSet, MeasuredData};
